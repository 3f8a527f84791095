"""One dub in a real browser: while it runs, when the server dies under it, and what came of it."""

from __future__ import annotations

import json
import secrets
import signal
import subprocess
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from real_site import Site, Witness

from autodub.testing import clips

Opening = Callable[..., tuple[Page, Witness]]
Axe = Callable[[Page], None]
LINES = ("The market is near the old church.", "It is a beautiful day.")
_LONG = 90_000
"""Milliseconds for a whole dub on a busy machine."""


@dataclass(frozen=True)
class Studio:
    """A server that dubs, a film and its sound, and what is said in them."""

    site: Site
    film: Path
    sound: Path
    text: Path

    def ask(self, method: str, path: str, body: object = None, **head: str) -> Any:
        """Ask the server beside the page."""
        data = None if body is None else json.dumps(body).encode()
        kind = {} if body is None else {"Content-Type": "application/json"}
        heads = kind | {name.replace("_", "-"): value for name, value in head.items()}
        request = urllib.request.Request(f"{self.site.address}/api/v1{path}", data, heads, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or b"null")

    def upload(self, path: Path) -> str:
        """The id of an upload."""
        edge = secrets.token_hex(8)
        said = f'Content-Disposition: form-data; name="file"; filename="{path.name}"'
        body = (
            f"--{edge}\r\n{said}\r\n\r\n".encode()
            + path.read_bytes() + f"\r\n--{edge}--\r\n".encode()
        )  # fmt: skip
        head = {"Content-Type": f"multipart/form-data; boundary={edge}"}
        request = urllib.request.Request(f"{self.site.address}/api/v1/uploads", body, head, method="POST")
        with urllib.request.urlopen(request, timeout=60) as answer:
            return str(json.loads(answer.read())["id"])

    def submit(self, path: Path, **wishes: Any) -> str:
        """The id of a job that dubs a file into Spanish."""
        wishes = {"upload": self.upload(path), "target": "es", "spoken": "en"} | wishes
        return str(self.ask("POST", "/jobs", wishes)["id"])

    def over(self, job: str) -> dict[str, Any]:
        """A job once it is over."""
        after = 0
        while True:
            page = self.ask("GET", f"/jobs/{job}/events?after={after}&wait=20")
            after = page["after"]
            if page["over"] and not page["events"]:
                found: dict[str, Any] = self.ask("GET", f"/jobs/{job}")
                return found


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """A film of five seconds, its sound alone, and its subtitles."""
    folder = tmp_path_factory.mktemp("film")
    lines = [clips.SpokenLine(LINES[0], 500), clips.SpokenLine(LINES[1], 3200, "rms")]
    made = clips.build(lines, out=folder / "Talk.mp4", duration=5000, size=(160, 90), music_level=None)
    (folder / "Talk.srt").write_text(made.srt(), "utf-8")
    argv = ["ffmpeg", "-v", "error", "-i", str(made.path), "-vn", str(folder / "Talk.mp3")]
    subprocess.run(argv, check=True)
    return made.path, folder / "Talk.mp3", folder / "Talk.srt"


@pytest.fixture(scope="module")
def studio(site: Site, material: tuple[Path, Path, Path]) -> Studio:
    """The server of all tests, and what these dub there."""
    return Studio(site, *material)


@pytest.fixture(scope="module")
def job(studio: Studio) -> str:
    """A dub by the embedded engines, made once."""
    made = studio.submit(studio.film, subtitles=studio.upload(studio.text))
    assert studio.over(made)["state"] == "completed"
    return made


def numbers(page: Page) -> list[int]:
    """Numbers of the events that the log shows."""
    found: list[int] = page.locator("[data-number]").evaluate_all("all => all.map(e => +e.dataset.number)")
    return found


def at(page: Page, which: str) -> float:
    """Seconds at which one of the two stands."""
    return float(page.locator(f"video.video-{which}").evaluate("e => e.currentTime"))


def ready(page: Page) -> None:
    """Wait until both can be played."""
    page.wait_for_function(
        "() => { const all = [...document.querySelectorAll('video')];"
        "return all.length === 2 && all.every(one => one.readyState >= 1) }"
    )


def test_original_and_dub_change_over_at_the_same_place(opening: Opening, studio: Studio, job: str) -> None:
    """By button and by the key O, standing and playing; arrows move, space plays and pauses."""
    page, _ = opening(studio.site, f"/jobs/{job}")
    ready(page)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowLeft")
    here = at(page, "dub")
    assert 3.5 < here < 4.5
    page.keyboard.press("o")
    expect(page.locator("video.video-source.seen")).to_have_count(1)
    assert abs(at(page, "source") - here) < 0.02
    page.get_by_role("radio", name="Dub").check()
    expect(page.locator("video.video-dub.seen")).to_have_count(1)
    assert abs(at(page, "dub") - here) < 0.02

    page.get_by_role("slider", name="Place").fill("1")
    page.locator("main h1").focus()
    page.keyboard.press(" ")
    expect(page.get_by_role("button", name="Pause (space)")).to_be_visible()
    page.wait_for_function("() => document.querySelector('video.video-dub').currentTime > 1.2")
    page.keyboard.press("o")
    page.wait_for_function("() => !document.querySelector('video.video-source').paused")
    assert page.locator("video.video-dub").evaluate("e => e.paused")
    left, went_on = at(page, "dub"), at(page, "source")
    assert left <= went_on < left + 3
    page.keyboard.press(" ")
    expect(page.get_by_role("button", name="Play (space)")).to_be_visible()


def test_subtitles_speed_and_sound(opening: Opening, studio: Studio, job: str) -> None:
    """Subtitles are shown when they are wanted, in the language of the dub; speed and sound are kept."""
    page, _ = opening(studio.site, f"/jobs/{job}")
    ready(page)
    mode = "e => e.textTracks[0].mode"
    dub = page.locator("video.video-dub")
    assert dub.evaluate(mode) == "disabled"
    page.keyboard.press("c")
    expect(page.get_by_role("button", name="Subtitles (C)")).to_have_attribute("aria-pressed", "true")
    assert dub.evaluate(mode) == "showing"
    page.wait_for_function("() => document.querySelector('video.video-dub').textTracks[0].cues?.length === 2")
    page.get_by_role("button", name="Speed: 1×").click()
    page.get_by_role("menuitemradio", name="1.5×").click()
    page.keyboard.press("m")
    page.keyboard.press("o")
    source = page.locator("video.video-source")
    expect(page.locator("video.video-source.seen")).to_have_count(1)
    assert source.evaluate("e => [e.playbackRate, e.muted]") == [1.5, True]


def test_results_are_taken_away(opening: Opening, studio: Studio, job: str) -> None:
    """Each file as it is called; what is made on demand is made, saved, and has its size from then on."""
    page, _ = opening(studio.site, f"/jobs/{job}")
    for name, ending in (("The dub", ".es.mp4"), ("Subtitles (SRT)", ".srt"), ("All as ZIP", ".zip")):
        with page.expect_download() as got:
            page.get_by_role("link", name=name).first.click()
        assert got.value.suggested_filename.endswith(ending)
        assert got.value.path().stat().st_size > 20
    sound = page.get_by_role("button", name="Its sound alone")
    expect(sound).to_contain_text("made on demand")
    with page.expect_download() as got:
        sound.click()
    assert got.value.suggested_filename == "Talk.es.m4a"
    expect(page.get_by_role("link", name="Its sound alone")).to_contain_text("kB")


def test_the_receipt_is_drawn(opening: Opening, studio: Studio, job: str) -> None:
    """Lines of the score lead the player; all of it is in tables, too, with every figure and its bound."""
    page, _ = opening(studio.site, f"/jobs/{job}")
    ready(page)
    score = page.get_by_role("listbox", name="Lines of the dub on a time axis")
    lines = score.get_by_role("option")
    expect(lines).to_have_count(2)
    receipt = studio.ask("GET", f"/jobs/{job}/files/receipt")
    begins = [min(one["source_ms"][0], one["clip_ms"][0]) / 1000 for one in receipt["lines"]]
    lines.nth(1).hover()
    expect(lines.nth(1)).to_have_attribute("aria-selected", "true")
    assert abs(at(page, "dub") - begins[1]) < 0.02
    expect(page.get_by_text(receipt["lines"][1]["spoken"], exact=True)).to_be_visible()
    score.focus()
    page.keyboard.press("Home")
    assert abs(at(page, "dub") - begins[0]) < 0.02
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Pause (space)")).to_be_visible()
    page.get_by_text("Lines as a table").click()
    table = page.get_by_role("region", name="Lines as a table")
    expect(table.get_by_role("row")).to_have_count(3)
    expect(table).to_contain_text(LINES[0])
    page.get_by_text("Loudness as a table").click()
    expect(page.get_by_role("region", name="Loudness as a table")).to_contain_text("LUFS")
    page.get_by_text(f"All {len(receipt['metrics'])} figures").click()
    figures = page.get_by_role("region", name="All figures").get_by_role("row")
    expect(figures).to_have_count(1 + len(receipt["metrics"]))


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 390)])
def test_a_finished_dub_keeps_nobody_out(
    opening: Opening, studio: Studio, axe: Axe, job: str, scheme: str, width: int
) -> None:
    """Axe finds nothing in any part of it, and nothing hangs over the edge of a phone."""
    page, _ = opening(
        studio.site, f"/jobs/{job}", color_scheme=scheme, viewport={"width": width, "height": 900}
    )
    ready(page)
    expect(page.locator("main [aria-busy=true]")).to_have_count(0)
    for summary in page.locator("summary").all():
        summary.click()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    axe(page)


def test_the_log_is_searched_and_copied(opening: Opening, studio: Studio, job: str) -> None:
    """All events of the dub, those that are looked for, and all of them as text."""
    page, _ = opening(studio.site, f"/jobs/{job}")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    events = studio.ask("GET", f"/jobs/{job}")["events"]
    expect(page.locator("[data-number]")).to_have_count(events)
    assert numbers(page) == list(range(1, events + 1))
    page.get_by_role("button", name="Copy the log").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert len(page.evaluate("navigator.clipboard.readText()").splitlines()) == events
    page.get_by_label("Search the log").fill("translating finished")
    expect(page.locator("[data-number]")).to_have_count(1)
    page.get_by_label("Search the log").fill("nothing is like this")
    expect(page.get_by_text("No event is like this.")).to_be_visible()


def test_sound_alone_is_played(opening: Opening, studio: Studio, job: str) -> None:
    """Without a picture the same keys change over at the same place, and subtitles are words."""
    made = studio.submit(studio.sound, subtitles=studio.upload(studio.text))
    assert studio.over(made)["state"] == "completed"
    page, _ = opening(studio.site, f"/jobs/{made}")
    ready(page)
    page.keyboard.press("c")
    page.get_by_role("listbox").get_by_role("option").first.click()
    expect(page.locator(".cue")).not_to_be_empty()
    page.keyboard.press(" ")
    here = at(page, "dub")
    page.keyboard.press("o")
    expect(page.locator("video.video-source.seen")).to_have_count(1)
    assert abs(at(page, "source") - here) < 0.05


def test_an_edited_dub_says_so_and_is_made_again(opening: Opening, studio: Studio, job: str) -> None:
    """Somebody else's edit is told at once; made again, it is the newest text that is heard."""
    page, _ = opening(studio.site, f"/jobs/{job}")
    ready(page)
    line = studio.ask("GET", f"/jobs/{job}/transcript")["lines"][0]["id"]
    studio.ask("PATCH", f"/jobs/{job}/lines/{line}", {"text": "El mercado es muy viejo."}, If_Match="*")
    expect(page.get_by_text("The text was edited since this dub was made.")).to_be_visible()
    page.get_by_role("button", name="Regenerate").click()
    expect(page.get_by_text("You may close this page")).to_be_visible()
    expect(page.get_by_role("listbox")).to_be_visible(timeout=_LONG)
    expect(page.get_by_text("The text was edited since")).to_have_count(0)
    page.get_by_role("listbox").get_by_role("option").first.click()
    expect(page.get_by_text("El mercado es muy viejo.", exact=True)).to_be_visible()


def test_a_dub_outlives_its_server_and_its_network(
    opening: Opening, serving: Callable[..., Site], material: tuple[Path, Path, Path], axe: Axe
) -> None:
    """The server is killed and started again, then the computer sleeps: the page has every event after."""
    site = serving("--slots", "1")
    own = Studio(site, *material)
    job = own.submit(own.film)  # recognising takes long enough to be in the middle of it
    page, witness = opening(site, f"/jobs/{job}")
    page.evaluate("window.same = true")
    expect(page.get_by_role("table", name="Stages of this attempt")).to_be_visible()
    expect(page.locator("[data-number='12']")).to_be_attached()
    expect(page.get_by_role("button", name="Cancel")).to_be_visible()
    axe(page)
    witness.is_away = True
    site.stop(signal.SIGKILL)
    expect(page.get_by_text("The server cannot be reached.")).to_be_visible()
    site.start()
    expect(page.get_by_text("The server cannot be reached.")).to_have_count(0)
    page.context.set_offline(True)
    page.context.new_cdp_session(page).send("Page.setWebLifecycleState", {"state": "frozen"})
    found = own.over(job)
    assert found["state"] == "completed"
    assert found["attempt"] > 1
    page.context.new_cdp_session(page).send("Page.setWebLifecycleState", {"state": "active"})
    page.context.set_offline(False)
    expect(page.get_by_role("listbox")).to_be_visible()
    expect(page.locator("[data-number]")).to_have_count(found["events"])
    assert numbers(page) == list(range(1, found["events"] + 1))
    assert page.evaluate("window.same")


def test_a_dub_is_stopped_taken_up_and_deleted(opening: Opening, studio: Studio, axe: Axe) -> None:
    """Stopped it says what is kept; taken up it goes on; deleted it is gone for everybody who looks."""
    page, _ = opening(studio.site, None)
    job = studio.submit(studio.film, tone="playful")
    page.goto(f"/jobs/{job}")
    page.get_by_role("button", name="Cancel", exact=True).click()
    expect(page.get_by_role("heading", name="This dub was cancelled")).to_be_visible()
    expect(page.get_by_text("What was finished is kept")).to_be_visible()
    axe(page)
    page.get_by_role("button", name="Retry").click()
    expect(page.get_by_role("button", name="Cancel", exact=True)).to_be_visible()
    other, witness = opening(studio.site, f"/jobs/{job}")
    witness.expected.add(404)  # it may just be asking when the job goes
    page.get_by_role("button", name="More", exact=True).click()
    page.get_by_role("menuitem", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete", exact=True).click()
    expect(page.locator("main h1")).to_have_text("Dubs")
    expect(other.get_by_role("heading", name="This dub was deleted")).to_be_visible()
    axe(other)


def test_a_dub_that_failed_says_why(opening: Opening, studio: Studio, axe: Axe) -> None:
    """The reason with what to do, where it ended, and what was tried."""
    page, _ = opening(studio.site, None, color_scheme="dark")
    job = studio.ask(
        "POST", "/jobs", {"source": "https://www.youtube.com/watch?v=000000000", "target": "es"}
    )["id"]
    assert studio.over(job)["state"] == "failed"
    page.goto(f"/jobs/{job}")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("This dub failed")
    expect(alert).to_contain_text("Fetching the source")
    expect(page.get_by_role("button", name="Retry")).to_be_visible()
    page.get_by_role("radio", name="Trouble").check()
    expect(page.locator("[data-number]").last).to_contain_text("Failed")
    axe(page)

    page.goto(f"/jobs/{job}/studio")  # there is no text to edit, and nothing is asked for that is not there
    expect(alert).to_contain_text("This dub failed")
    expect(alert).to_contain_text("Open the video itself and copy its link")
    axe(page)
    with page.expect_response("**/retry"):
        page.get_by_role("button", name="Retry").click()
    assert studio.over(job)["attempt"] == 2


def test_the_same_source_speaks_another_language(
    opening: Opening, studio: Studio, axe: Axe, job: str
) -> None:
    """One choice makes another dub of it, and leads there."""
    page, witness = opening(studio.site, f"/jobs/{job}")
    page.get_by_role("button", name="More", exact=True).click()
    page.get_by_role("menuitem", name="Dub it into another language").click()
    dialog = page.get_by_role("dialog", name="Dub it into another language")
    dialog.get_by_label("Language").select_option("ca")
    axe(page)
    dialog.get_by_role("button", name="Dub it").click()
    expect(page.get_by_text("English to Catalan")).to_be_visible()
    other = page.url.rpartition("/")[2]
    assert other != job
    witness.expected.add(404)  # it may just be asking when the job goes
    studio.ask("DELETE", f"/jobs/{other}")
    expect(page.get_by_role("heading", name="This dub was deleted")).to_be_visible()
