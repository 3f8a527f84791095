"""The list of dubs in a real browser: live, filtered, in batches, many at once, thousands of them."""

from __future__ import annotations

import json
import secrets
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Route, expect
from real_site import Site, Witness
from sqlalchemy import delete, insert

from autodub.infra import server_settings, settings
from autodub.jobs.platform import Platform
from autodub.jobs.records import LOCAL
from autodub.jobs.tables import batches, jobs

Opening = Callable[..., tuple[Page, Witness]]
Serving = Callable[..., Site]
Axe = Callable[[Page], None]
COURSE = "c" * 32
LONG = "Grundlagen der Rechtsschutzversicherungsgesellschaftenbuchhaltungsvorschriften, Teil 3.mp4"
ARABIC = "مقدمة في الفيزياء الكمية: المحاضرة الأولى"
_FAILED = {"code": "unreachable", "message": "The video could not be fetched.", "hint": "Check the link."}


def row(title: str, age: float, state: str = "completed", **values: Any) -> dict[str, Any]:
    """A job as it is in the database, so many hours old; ``target`` goes into its wishes."""
    now = time.time()
    target = values.pop("target", "es")
    result = json.dumps({"spoken": "en", "verdict": "floor", "files": {}}) if state == "completed" else None
    known = {
        "id": secrets.token_hex(16), "owner": LOCAL, "kind": "dub", "state": state, "priority": 0,
        "title": title, "created": now - age * 3600, "queued": now, "updated": now, "attempt": 1,
        "crashes": 0, "stopping": "", "progress": 1.0 if state == "completed" else 0.4, "stage": "",
        "message": "", "result": result, "revision": 0, "made": 0, "duration": 734.0, "spent": 0,
        "events": 1, "seen": "{}", "batch": None,
        "error": json.dumps(_FAILED) if state == "failed" else None,
        "spec": json.dumps({"source": "https://youtube.com/watch?v=1", "target": target}),
    }  # fmt: skip
    return known | values


@pytest.fixture(scope="module")
def idle(serving: Serving) -> Site:
    """A server that runs nothing, so that jobs stay as they are."""
    return serving("--slots", "0")


@pytest.fixture(scope="module")
def platform(idle: Site) -> Iterator[Platform]:
    """Its database, to write jobs of every kind into it."""
    known = settings.load(environ={"HOME": str(idle.folder)}, data_dir=idle.folder / "data")
    given = server_settings.load(known, environ={}, given={"spare": 0, "check_engines": False})
    opened = Platform(known, given)
    yield opened
    opened.close()


def hold(platform: Platform, rows: Sequence[dict[str, Any]]) -> None:
    """Have the server hold these jobs and no others."""
    course = {"id": COURSE, "owner": LOCAL, "name": "Course, autumn", "created": time.time()}
    with platform.sql.writing() as connection:
        connection.execute(delete(jobs))
        connection.execute(delete(batches))
        connection.execute(insert(batches).values(**course))
        connection.execute(insert(jobs), list(rows))


@pytest.fixture
def some(idle: Site, platform: Platform) -> Site:
    """The server with a few dubs in every state and a batch of four."""
    rows = [
        row(LONG, 1, "queued"), row(ARABIC, 2, target="ar"), row("Keynote", 3, "failed"),
        row("Interview", 4, "cancelled", target="de"),
        *(row(f"Lesson {number}", 9 - number, "queued", batch=COURSE) for number in (1, 2)),
        *(row(f"Lesson {number}", 9 - number, "completed", batch=COURSE) for number in (3, 4)),
        row("Portrait", 10, made=0, revision=2),
    ]  # fmt: skip
    hold(platform, rows)
    return idle


def titles(page: Page) -> Locator:
    """The titles of the dubs that are shown."""
    return page.get_by_role("list", name="Dubs").locator(".title")


def ask(site: Site, method: str, path: str, body: object = None) -> Any:
    """Ask the server beside the page."""
    data = None if body is None else json.dumps(body).encode()
    head = {"Content-Type": "application/json"} if body is not None else {}
    request = urllib.request.Request(f"{site.address}{path}", data, head, method=method)
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.loads(answer.read() or b"null")


def test_filters_stand_in_the_address(opening: Opening, some: Site, axe: Axe) -> None:
    """They are kept over a reload, say when nothing meets them, and are cleared at once."""
    page, _ = opening(some, "/jobs")
    expect(titles(page)).to_have_count(6)  # those of the batch stand under its head
    axe(page)
    page.get_by_role("radio", name="Failed").check()
    expect(titles(page)).to_have_text(["Keynote"])
    expect(page).to_have_url(f"{some.address}/jobs?state=failed")
    page.reload()
    expect(titles(page)).to_have_text(["Keynote"])
    expect(page.get_by_role("radio", name="Failed")).to_be_checked()
    page.get_by_role("radio", name="All", exact=True).check()
    page.get_by_label("Language").select_option("ar")
    expect(titles(page)).to_have_text([ARABIC])
    page.get_by_label("Search titles").fill("interview")
    expect(page.get_by_role("heading", name="No dub is like this")).to_be_visible()
    axe(page)
    page.get_by_role("button", name="Clear filters").click()
    expect(titles(page)).to_have_count(6)
    expect(page.locator("main h1")).to_be_focused()
    expect(page).to_have_url(f"{some.address}/jobs")


def test_the_list_is_live(opening: Opening, some: Site) -> None:
    """What others submit, stop and delete is seen without a reload, and so is what is done here."""
    page, _ = opening(some, "/jobs")
    page.evaluate("window.same = true")
    expect(titles(page)).to_have_count(6)
    link = "https://www.youtube.com/watch?v=dQw4w9WgXcQ"
    new = ask(some, "POST", "/api/v1/jobs", {"source": link, "target": "fr", "title": "From elsewhere"})
    expect(titles(page).first).to_have_text("From elsewhere")
    mine = page.get_by_role("list", name="Dubs").locator("li.job").first
    expect(mine).to_contain_text("into French")
    ask(some, "POST", f"/api/v1/jobs/{new['id']}/cancel")
    expect(mine).to_contain_text("Cancelled")
    page.get_by_role("button", name="Retry From elsewhere").click()
    expect(mine).to_contain_text("Waiting for its turn")
    page.get_by_role("button", name="Cancel From elsewhere").click()
    expect(mine).to_contain_text("Cancelled")
    ask(some, "DELETE", f"/api/v1/jobs/{new['id']}")
    expect(titles(page)).to_have_count(6)
    assert page.evaluate("window.same")


def test_a_deletion_names_what_is_lost(opening: Opening, some: Site, axe: Axe) -> None:
    """Nothing is deleted unless it is meant, and then it is gone."""
    page, _ = opening(some, "/jobs")
    for answer, left in (("Cancel", 6), ("Delete", 5)):
        page.get_by_role("button", name="More for Portrait").click()
        page.get_by_role("menuitem", name="Delete").click()
        dialog = page.get_by_role("dialog", name="Delete “Portrait”?")
        expect(dialog).to_contain_text("its subtitles and receipt, and all edits of its text are removed")
        expect(dialog).to_contain_text("This cannot be undone.")
        if left == 6:
            axe(page)
        dialog.get_by_role("button", name=answer, exact=True).click()
        expect(titles(page)).to_have_count(left)


def test_a_batch_is_looked_at_and_handled_as_one(opening: Opening, some: Site, axe: Axe) -> None:
    """Its head tells how far all of it is; it opens, is stopped and taken up again as a whole."""
    page, _ = opening(some, "/jobs")
    head = page.locator(".head", has_text="Course, autumn")
    expect(head).to_contain_text("2 waiting · 2 done")
    expect(head.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "70")
    head.get_by_role("button", name="Course, autumn 4 dubs").click()
    inside = page.get_by_role("list", name="Batch Course, autumn").locator(".title")
    expect(inside).to_have_text(["Lesson 1", "Lesson 2", "Lesson 3", "Lesson 4"])
    axe(page)
    page.get_by_role("button", name="More for batch Course, autumn").click()
    page.get_by_role("menuitem", name="Cancel all that are under way").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel 2 dubs").click()
    expect(head).to_contain_text("2 done · 2 cancelled")
    page.get_by_role("button", name="More for batch Course, autumn").click()
    page.get_by_role("menuitem", name="Only this batch").click()
    expect(page).to_have_url(f"{some.address}/jobs?batch={COURSE}")
    expect(inside).to_have_count(4)


def test_several_are_chosen_and_deleted(opening: Opening, some: Site, axe: Axe) -> None:
    """Shift chooses all between two; each action says for how many it is good."""
    page, _ = opening(some, "/jobs")
    page.get_by_role("checkbox", name=f"Choose {LONG}").check()
    page.get_by_role("checkbox", name="Choose Interview").click(modifiers=["Shift"])
    bulk = page.get_by_role("region", name="What to do with the chosen dubs")
    expect(bulk).to_contain_text("4 chosen")
    expect(bulk.get_by_role("button", name="Cancel (1)")).to_be_visible()
    expect(bulk.get_by_role("button", name="Retry (2)")).to_be_visible()
    axe(page)
    bulk.get_by_role("button", name="Delete (4)").click()
    dialog = page.get_by_role("dialog", name="Delete 4 dubs?")
    expect(dialog).to_contain_text("2 did not finish")
    dialog.get_by_role("button", name="Delete 4 dubs").click()
    expect(titles(page)).to_have_text(["Course, autumn", "Portrait"])
    expect(page.get_by_text("4 dubs were deleted.")).to_be_visible()
    expect(bulk).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_has_cards(opening: Opening, some: Site, axe: Axe, scheme: str) -> None:
    """At 390 pixels long and right-to-left titles stay within the edge, and all can be done."""
    page, _ = opening(some, "/jobs", viewport={"width": 390, "height": 844}, color_scheme=scheme)
    expect(titles(page)).to_have_count(6)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.locator(".title", has_text=ARABIC).evaluate("e => getComputedStyle(e).direction") == "rtl"
    page.get_by_role("button", name="Retry Keynote").click()
    expect(page.locator("li.job", has_text="Keynote")).to_contain_text("Waiting for its turn")
    axe(page)


def test_thousands_come_page_by_page(opening: Opening, idle: Site, platform: Platform) -> None:
    """Only so many are in the page as were asked for; a search asks the server, which knows all."""
    hold(platform, [row(f"Talk {number}", number) for number in range(3000)])
    page, _ = opening(idle, "/jobs")
    expect(titles(page)).to_have_count(100)
    page.get_by_role("button", name="Show more").click()
    expect(titles(page)).to_have_count(200)
    page.get_by_label("Search titles").fill("Talk 2999")
    expect(titles(page)).to_have_text(["Talk 2999"])


def test_waiting_and_refusals_are_shown(opening: Opening, some: Site, axe: Axe) -> None:
    """While the list is on its way its place is kept; when it cannot be had, why and what to do."""
    page, witness = opening(some, None)
    held: list[Route] = []
    page.route("**/api/v1/jobs?*", lambda route: held.append(route))
    page.goto("/jobs")
    expect(page.locator("main [aria-busy=true]")).to_be_visible()
    axe(page)
    witness.expected.add(500)
    fault = {"status": 500, "code": "internal", "title": "A fault.", "hint": "Try again."}
    held[0].fulfill(status=500, json=fault)
    expect(page.get_by_role("alert")).to_contain_text("The server failed at this.")
    axe(page)
    page.unroute("**/api/v1/jobs?*")
    page.get_by_role("button", name="Try again").click()
    expect(titles(page)).to_have_count(6)
