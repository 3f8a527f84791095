"""Administration in a real browser: health, users, everybody's dubs, the audit; and who is kept out."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from beside import fits, sign_in
from playwright.sync_api import Page, expect
from real_site import PASSWORD, Site, Witness

Opening = Callable[..., tuple[Page, Witness]]
Axe = Callable[[Page], None]
OTHER = "the ferry leaves at noon"


@pytest.fixture(scope="module")
def own(serving: Callable[..., Site]) -> Site:
    """A server with accounts for tests that change them."""
    return serving("--accounts", "--slots", "0", prepare=lambda site: site.add("root", "--admin"))


def test_health_says_what_would_make_engines_ready(page: Page, axe: Axe) -> None:
    """All parts are shown; an engine that is not ready has the command that fixes it."""
    page.goto("/admin")
    # The worker of a server that has just begun is known a moment later; the page looks again by itself.
    expect(page.get_by_text("All is well")).to_be_visible(timeout=30_000)
    expect(page.get_by_role("tab", name="Users")).to_have_count(0)
    expect(page.get_by_text("There are no users to administer")).to_be_visible()
    axe(page)
    page.get_by_role("radio", name="Not ready").check()
    engine = page.get_by_role("listitem").filter(has_text="deepgram")
    engine.get_by_text("Make it ready").click()
    expect(engine.get_by_label("On the server, for deepgram")).to_have_value(
        "export DEEPGRAM_API_KEY=... (or [secrets] in the file)"
    )
    axe(page)


def test_a_user_is_added_limited_locked_and_deleted(opening: Opening, own: Site, axe: Axe) -> None:
    """From adding to deleting, each step is asked or checked first, and the list tells the state."""
    page, witness = opening(own, None)
    sign_in(page, "root", "/admin?tab=users")
    page.get_by_role("button", name="Add a user").click()
    page.get_by_role("textbox", name="Name").fill("mia@example.com")
    page.get_by_label("Password").first.fill("short")
    page.get_by_label("Minutes").fill("many")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_text("Give a number of 0 or more, or nothing.")).to_be_visible()
    page.get_by_label("Minutes").fill("90")
    witness.expected.add(400)
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("dialog").get_by_text("The password is too short")).to_be_visible()
    page.get_by_label("Password").first.fill(PASSWORD)
    axe(page)
    page.get_by_role("button", name="Add", exact=True).click()
    row = page.get_by_role("row").filter(has_text="mia@example.com")
    expect(row).to_contain_text("90 min")
    axe(page)

    def choose(what: str) -> None:
        page.get_by_role("button", name="Actions for mia").click()
        page.get_by_role("menuitem", name=what, exact=True).click()

    choose("Lock")
    page.get_by_role("dialog").get_by_role("button", name="Lock").click()
    expect(row).to_contain_text("Locked")
    expect(row).to_contain_text("90 min")
    choose("Unlock")
    expect(row).not_to_contain_text("Locked")
    choose("Set a password")
    page.get_by_label("New password").fill(OTHER)
    page.get_by_role("button", name="Set password").click()
    expect(page.get_by_text("is signed out everywhere")).to_be_visible()
    theirs, _ = opening(own, None)
    sign_in(theirs, "mia@example.com", "/jobs", OTHER)
    choose("Delete")
    page.get_by_label("Type “mia@example.com” to confirm").fill("mia@example.com")
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(row).to_have_count(0)


def test_the_audit_is_looked_through_and_checked(opening: Opening, own: Site, axe: Axe) -> None:
    """Rows are found by who and what, the chain is checked, and the same rows are taken along."""
    page, _ = opening(own, None)
    sign_in(page, "root", "/admin?tab=audit")
    page.get_by_label("About").select_option("user.")
    expect(page.get_by_role("row").filter(has_text="user.created").first).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="session.opened")).to_have_count(0)
    page.get_by_role("button", name="Check the chain").click()
    expect(page.get_by_text("The chain holds")).to_be_visible()
    axe(page)
    with page.expect_download() as saved:
        page.get_by_role("link", name="Export").click()
    rows = [json.loads(line) for line in saved.value.path().read_text("utf-8").splitlines()]
    assert rows
    assert all(row["action"].startswith("user.") for row in rows)


def test_whoever_is_no_admin_is_told_and_kept_out(opening: Opening, accounts: Site, axe: Axe) -> None:
    """The address shows a page that says so, and the server refuses what the page would have asked."""
    page, witness = opening(accounts, None)
    sign_in(page, "ben", "/admin?tab=users")
    expect(page.get_by_text("Only administrators see this page")).to_be_visible()
    axe(page)
    witness.expected.add(403)
    for path in ("/api/v1/users", "/health/details", "/api/v1/admin/audit"):
        assert page.evaluate("path => fetch(path).then((got) => got.status)", path) == 403


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone(opening: Opening, accounts: Site, axe: Axe, scheme: str) -> None:
    """Every tab fits 390 pixels, by day and by night, and axe finds nothing."""
    page, _ = opening(accounts, None, viewport={"width": 390, "height": 844}, color_scheme=scheme)
    sign_in(page, "ada", "/admin")
    for tab in ("Health", "Users", "All dubs", "Audit"):
        page.get_by_role("tab", name=tab).click()
        expect(page.locator("main [aria-busy=true]")).to_have_count(0)
        assert fits(page), tab
        axe(page)
