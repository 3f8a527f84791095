"""A new dub in a real browser: from a file or a link, by way of refusals, to the page of the job."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Route, expect
from real_site import Site, Witness

Opening = Callable[..., tuple[Page, Witness]]
Axe = Callable[[Page], None]
_SAID = "Good morning everybody. Today we talk about the harbour and the boats. Thank you for coming."
_SIGHT: dict[str, Any] = {
    "title": "Der Hafen am Morgen", "seconds": 754.0, "size": None, "live": "no", "video": True,
    "width": 1920, "height": 1080, "language": "en", "refused": None,
    "tracks": [{"kind": "captions", "language": "en", "codec": "vtt", "channels": None}],
}  # fmt: skip
_FIGURES: dict[str, Any] = {
    "title": "", "seconds": 5.0, "speech_seconds": 4.0, "dollars": None, "items": [], "unpriced": [],
    "prices_of": None,
}  # fmt: skip


@pytest.fixture(scope="module")
def own(serving: Callable[..., Site]) -> Site:
    """A server of these tests alone: what they send and submit is nobody else's."""
    return serving("--slots", "1")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film in which somebody speaks English, and its file says so."""
    folder = tmp_path_factory.mktemp("clip")
    sound, film = folder / "said.wav", folder / "harbour.mp4"
    subprocess.run(["espeak-ng", "-v", "en", "-w", sound, _SAID], check=True)
    subprocess.run(
        ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=320x180:r=10", "-i", sound, "-shortest",
         "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", "-metadata:s:a:0", "language=eng", film],
        check=True,
    )  # fmt: skip
    return film


def _targets(page: Page) -> Locator:
    return page.get_by_role("combobox", name="Dub into")


def _choose(page: Page, *languages: str) -> None:
    """Choose languages to dub into, as with a keyboard."""
    _targets(page).click()
    for language in languages:
        page.keyboard.type(language)
        expect(page.get_by_role("listbox").get_by_role("option").first).to_contain_text(language)
        page.keyboard.press("Enter")
    page.keyboard.press("Escape")


def _send(page: Page, clip: Path) -> None:
    page.get_by_label("Choose a file, or drop it here").set_input_files(clip)
    expect(page.get_by_role("slider", name="From")).to_be_visible()


def _dub(page: Page) -> Locator:
    return page.get_by_role("button", name=re.compile("^Dub"))


def test_a_clip_becomes_a_dub(opening: Opening, own: Site, axe: Axe, clip: Path) -> None:
    """A file is sent and looked at, its price told, a refusal mended, and the job's page shown."""
    page, witness = opening(own)
    expect(page.get_by_text("Choose a file, or drop it here")).to_be_visible()
    _send(page, clip)
    found = page.get_by_role("list", name="What is in it")
    expect(found).to_contain_text("320 × 180")
    expect(found).to_contain_text("1 sound track: English")
    axe(page)
    _choose(page, "Spanish")
    expect(page.get_by_text("Every engine runs on this server; nobody is paid.")).to_be_visible()
    axe(page)

    witness.expected.add(422)
    page.get_by_text("Name, limits and storage").click()
    limit = page.get_by_label("Limit in US dollars")
    limit.fill("-3")
    expect(limit).to_have_attribute("aria-invalid", "true")
    _dub(page).click()
    problems = page.get_by_role("region", name="1 thing to fix")
    expect(problems).to_be_focused()
    axe(page)
    problems.get_by_role("button").click()
    expect(limit).to_be_focused()
    limit.fill("")
    expect(problems).to_have_count(0)

    page.get_by_label("Name (optional)").fill("The harbour")
    _dub(page).dblclick()
    expect(page).to_have_url(re.compile(r"/jobs/[0-9a-f]{32}$"))
    listed = page.request.get("/api/v1/jobs").json()
    assert [job["title"] for job in listed["jobs"]] == ["The harbour"]
    page.request.post(f"/api/v1/jobs/{listed['jobs'][0]['id']}/cancel")


def test_nothing_is_paid_before_its_price_was_seen(opening: Opening, own: Site, axe: Axe, clip: Path) -> None:
    """A start waits for the price: what costs something is asked about, what is free begins."""
    page, _ = opening(own, None)
    asked: list[Route] = []
    page.route("**/api/v1/estimates?*", lambda route: asked.append(route))
    page.goto("/")
    _send(page, clip)
    _choose(page, "Spanish")
    _dub(page).click()
    expect(page.get_by_text("A free dub begins by itself")).to_be_visible()
    axe(page)
    while not asked:
        page.wait_for_timeout(50)
    asked[0].fulfill(json=_FIGURES | {"dollars": {"low": 1.0, "likely": 2.0, "high": 3.0}})
    expect(page.get_by_text("That is what it costs. Press again to begin.")).to_be_visible()
    expect(page.get_by_text("$2.00")).to_be_visible()
    _choose(page, "French")
    _dub(page).click()
    page.get_by_role("button", name="Do not begin").click()
    page.get_by_role("button", name="Remove Spanish").click()
    page.get_by_role("button", name="Dub into French").click()
    expect(page.get_by_role("button", name="Begin without waiting")).to_be_visible()
    page.route("**/api/v1/estimates?*", lambda route: route.fulfill(json=_FIGURES))
    with page.expect_response("**/api/v1/jobs") as made:
        for route in asked[1:]:
            route.fulfill(json=_FIGURES)
    expect(page).to_have_url(re.compile(r"/jobs/[0-9a-f]{32}$"))
    assert made.value.json()["target"] == "fr"
    page.request.post(f"/api/v1/jobs/{made.value.json()['id']}/cancel")


def test_what_is_missing_is_asked_for(opening: Opening, own: Site, axe: Axe) -> None:
    """A start with nothing chosen moves the focus to what is missing, and each of it leads to its field."""
    page, _ = opening(own)
    expect(_targets(page)).to_be_visible()
    _dub(page).click()
    problems = page.get_by_role("region", name="2 things to fix")
    expect(problems).to_be_focused()
    axe(page)
    problems.get_by_role("button", name="Choose a language to dub into.").click()
    expect(_targets(page)).to_be_focused()


def test_the_part_is_chosen_by_keys_and_by_times(opening: Opening, own: Site, clip: Path) -> None:
    """The handles on the strip and the fields for times say the same."""
    page, _ = opening(own)
    _send(page, clip)
    start = page.get_by_role("slider", name="From")
    start.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("textbox", name="From")).to_have_value("0:01")
    end = page.get_by_role("textbox", name="To")
    end.fill("3")
    end.press("Enter")
    expect(page.get_by_role("slider", name="To")).to_have_attribute("aria-valuetext", "0:03.0")
    end.fill("soon")
    end.press("Tab")
    expect(end).to_have_attribute("aria-invalid", "true")
    end.fill("0:00")
    end.press("Tab")
    expect(page.get_by_text("The part would end before it begins.")).to_be_visible()
    expect(page.get_by_role("slider", name="To")).to_have_attribute("aria-valuetext", "0:03.0")
    page.get_by_role("button", name="Whole video").click()
    expect(start).to_have_attribute("aria-valuenow", "0")


def test_languages_that_are_not_ready_say_why(opening: Opening, own: Site, axe: Axe, clip: Path) -> None:
    """Such a language cannot be chosen, and says whom it lacks; several that can make a batch."""
    page, _ = opening(own)
    _send(page, clip)
    _targets(page).click()
    names = page.get_by_role("listbox").get_by_role("option")
    expect(names.filter(has_text="Bashkir")).to_be_visible()  # Chromium has no name for it
    expect(names.filter(has_text=re.compile(r"^\s*[a-z]{2,3}\b"))).to_have_count(0)
    page.keyboard.type("Japan")
    option = page.get_by_role("listbox").get_by_role("option", name="Japanese")
    expect(option).to_have_attribute("aria-disabled", "true")
    expect(option).to_contain_text("needs a translator")
    axe(page)
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    expect(page.get_by_role("list", name="Chosen languages")).to_have_count(0)
    _choose(page, "Spanish", "French")
    _dub(page).click()
    expect(page).to_have_url(re.compile(r"/jobs\?batch=[0-9a-f]{32}$"))
    batches = page.request.get("/api/v1/batches").json()["batches"]
    assert [one["total"] for one in batches] == [2]
    page.request.post(f"/api/v1/batches/{batches[0]['id']}/cancel")


def test_a_reload_loses_nothing(opening: Opening, own: Site, clip: Path) -> None:
    """What was sent is there after a reload; a file that is partly there goes on when it is chosen again."""
    page, witness = opening(own)
    _send(page, clip)
    page.reload()
    expect(page.get_by_role("list", name="What is in it")).to_contain_text("320 × 180")
    page.get_by_role("button", name="Change").click()

    witness.is_away = True
    page.route("**/api/v1/uploads/*", _break_off)
    with page.expect_event("requestfailed", lambda request: request.method == "PATCH"):
        page.get_by_label("Choose a file, or drop it here").set_input_files(clip)
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    page.unroute("**/api/v1/uploads/*")
    page.reload()
    expect(page.get_by_text(re.compile(r"harbour\.mp4 was uploaded only in part \(\d+%\)"))).to_be_visible()
    with page.expect_request(lambda request: request.method == "PATCH") as rest:
        _send(page, clip)
    assert int(rest.value.headers["upload-offset"]) > 0


def _break_off(route: Route) -> None:
    """The connection breaks after one half of the first piece, and stays so."""
    body = route.request.post_data_buffer
    if route.request.method != "PATCH" or body is None:
        route.continue_()
        return
    if route.request.headers["upload-offset"] == "0":
        route.fetch(post_data=body[: len(body) // 2])
    route.abort()


def test_clones_need_a_statement(opening: Opening, own: Site, axe: Axe, clip: Path) -> None:
    """Where something clones, it is explained what is stated; without it nothing starts."""
    page, witness = opening(own, None)
    witness.expected.update((400, 403))
    page.route("**/api/v1/engines", _with_cloner)
    page.goto("/")
    _send(page, clip)
    _choose(page, "Spanish")
    page.locator("summary").filter(has_text="Voices").first.click()
    page.get_by_role("radio", name="Clones of the speakers").check()
    expect(page.get_by_text("You state that those who speak have agreed")).to_be_visible()
    _dub(page).click()
    problems = page.get_by_role("region", name="2 things to fix")
    expect(problems).to_be_focused()
    axe(page)
    problems.get_by_role("button", name="Say whose voices are cloned.").click()
    page.keyboard.type("Jane Doe")
    page.get_by_label("What was agreed").fill("Jane Doe agreed in writing.")
    expect(page.get_by_text("No cloner can run here").first).to_be_visible()


def _with_cloner(route: Route) -> None:
    """The server's engines, as if one that clones were ready."""
    answer = route.fetch()
    engines = answer.json()["engines"]
    for one in engines:
        if one["name"] == "elevenlabs":
            one["state"] = "ready"
    route.fulfill(response=answer, json={"engines": engines})


def test_a_link_shows_what_is_behind_it(opening: Opening, own: Site, axe: Axe) -> None:
    """Title, length and captions are seen before anything is fetched, and its price only when asked for."""
    page, _ = opening(own)
    sight = json.dumps(_SIGHT)
    page.route(
        "**/api/v1/look", lambda route: route.fulfill(status=200, content_type="application/json", body=sight)
    )
    page.get_by_label("Link to a video").fill("youtu.be/abcdefghijk")
    expect(page.get_by_text("Der Hafen am Morgen")).to_be_visible()
    found = page.get_by_role("list", name="What is in it")
    expect(found).to_contain_text("12:34")
    expect(found).to_contain_text("captions: English")
    _choose(page, "French")
    expect(page.get_by_role("button", name="What would it cost?")).to_be_visible()
    page.get_by_text("Part of the video").click()
    expect(page.get_by_role("slider", name="To")).to_have_attribute("aria-valuemax", "754")
    axe(page)


def test_a_link_that_may_not_be_fetched_is_refused_at_once(opening: Opening, own: Site, axe: Axe) -> None:
    """The reason stands at the field, before anybody presses anything."""
    page, witness = opening(own)
    witness.expected.add(400)
    link = page.get_by_label("Link to a video")
    link.fill("https://example.org/film.mp4")
    expect(link).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_text("example.org is not among the sites")).to_be_visible()
    axe(page)
    page.get_by_role("button", name="Choose a file instead").click()
    expect(page.get_by_text("Choose a file, or drop it here")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everything_unfolded_keeps_nobody_out(opening: Opening, own: Site, axe: Axe, scheme: str) -> None:
    """Axe finds nothing in any choice, on a phone in Spanish; engines say what would make them ready."""
    page, _ = opening(own, color_scheme=scheme, viewport={"width": 390, "height": 844}, locale="es-ES")
    for title in ("Voces", "Subtítulos propios", "Redacción", "Audio", "Nombre, límites", "Motores"):
        page.locator("summary").filter(has_text=title).first.click()
    expect(page.get_by_text("Aquí no hay listo ningún motor que clone")).to_be_visible()
    page.get_by_text("más podrían estar listos").first.click()
    expect(page.get_by_label("En el servidor, esto lo deja listo").first).to_be_visible()
    axe(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
