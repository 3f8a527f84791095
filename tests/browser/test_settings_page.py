"""Settings in a real browser: display, account, keys, webhooks, and one's data."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from beside import ask, fits, sign_in
from playwright.sync_api import Page, expect
from real_site import PASSWORD, Site, Witness

Opening = Callable[..., tuple[Page, Witness]]
Axe = Callable[[Page], None]
OTHER = "the ferry leaves at noon"


def test_without_accounts_there_is_nothing_of_them(page: Page, axe: Axe) -> None:
    """No password and no sessions, and a word why; language and appearance change at once."""
    page.goto("/settings")
    expect(page.get_by_text("This server has no accounts")).to_be_visible()
    expect(page.get_by_role("tab", name="Account")).to_have_count(0)
    axe(page)
    page.get_by_label("Dark").check()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    axe(page)
    page.get_by_label("Language of the app").select_option("es")
    expect(page.locator("main h1")).to_have_text("Ajustes")


def test_a_key_is_shown_once_and_revoked(page: Page, site: Site, axe: Axe) -> None:
    """A key is made with what it may do and how long, is shown this once, and is over when it is revoked."""
    page.goto("/settings?tab=keys")
    page.get_by_role("button", name="New key").first.click()
    page.get_by_role("button", name="Make key").click()
    expect(page.get_by_text("Give it a name.")).to_be_visible()
    page.get_by_label("Name", exact=True).fill("Nightly upload")
    page.get_by_label("Dubs").uncheck()
    page.get_by_label("Expires").select_option("30")
    axe(page)
    page.get_by_role("button", name="Make key").click()
    key = page.get_by_label("Key", exact=True).input_value()
    axe(page)
    known = ask(site, "GET", "/keys")["keys"][0]
    assert known["scopes"] == ["read"]
    assert key.startswith(known["hint"])
    page.get_by_role("button", name="I have it").click()
    expect(page.get_by_role("row").filter(has_text="Nightly upload")).to_be_visible()
    assert key not in page.content()
    page.get_by_role("button", name="Revoke Nightly upload").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("No key is valid at the moment.")).to_be_visible()
    page.get_by_label("Show 1 that is revoked or expired").check()
    expect(page.get_by_role("row").filter(has_text="Revoked")).to_be_visible()


class Receiver(BaseHTTPRequestHandler):
    """Takes what a webhook is sent."""

    def do_POST(self) -> None:
        """Read it, and say that it came."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def receiver() -> Iterator[str]:
    """The address of somebody who is told things."""
    with HTTPServer(("127.0.0.1", 0), Receiver) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{listening.server_port}/hook"
        listening.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def telling(serving: Callable[..., Site]) -> Site:
    """A server whose webhooks may go to this machine."""

    def allow(site: Site) -> None:
        site.environ["AUTODUB_HOOK_ADDRESSES"] = "127.0.0.0/8"

    return serving("--slots", "1", prepare=allow)


def test_a_webhook_is_added_tested_and_deleted(
    opening: Opening, telling: Site, receiver: str, axe: Axe
) -> None:
    """Its secret is shown once, a test tells what came of it, and it can be renewed, stopped, deleted."""
    page, _ = opening(telling, "/settings?tab=webhooks")
    page.get_by_role("button", name="New webhook").click()
    page.get_by_label("Address").fill("nowhere")
    page.get_by_role("button", name="Add webhook").click()
    expect(page.get_by_text("Give an address that begins with")).to_be_visible()
    page.get_by_label("Address").fill(receiver)
    page.get_by_role("button", name="Add webhook").click()
    first = page.get_by_role("textbox", name="Secret").input_value()
    page.get_by_role("button", name="I have it").click()
    page.get_by_role("button", name="Send a test").click()
    expect(page.get_by_text("Arrived")).to_be_visible()
    page.get_by_text("Test", exact=True).click()
    expect(page.get_by_role("region", name="What was sent")).to_contain_text("ping")
    axe(page)
    page.get_by_role("button", name="Actions for http").click()
    page.get_by_role("menuitem", name="Renew the secret").click()
    page.get_by_role("dialog").get_by_role("button", name="Renew the secret").click()
    expect(page.get_by_role("textbox", name="Secret")).not_to_have_value(first)
    page.get_by_role("button", name="I have it").click()
    page.get_by_role("switch", name="Active").uncheck()
    expect(page.get_by_role("button", name="Send a test")).to_be_disabled()
    page.get_by_role("button", name="Actions for http").click()
    page.get_by_role("menuitem", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("No webhooks yet")).to_be_visible()
    assert ask(telling, "GET", "/webhooks")["hooks"] == []


def test_data_is_taken_along(page: Page) -> None:
    """Everything kept about whoever asks comes as a ZIP."""
    page.goto("/settings?tab=data")
    with page.expect_download() as saved:
        page.get_by_role("link", name="Download").click()
    assert saved.value.suggested_filename == "autodub-data.zip"
    assert saved.value.path().read_bytes()[:2] == b"PK"


@pytest.fixture(scope="module")
def own(serving: Callable[..., Site]) -> Site:
    """A server with accounts for tests that change them: ``eve`` goes, ``tom`` stays."""

    def prepare(site: Site) -> None:
        site.add("root", "--admin")
        site.add("tom")
        site.add("eve")

    return serving("--accounts", "--slots", "0", prepare=prepare)


def test_a_password_is_changed_and_sessions_end(opening: Opening, own: Site, axe: Axe) -> None:
    """A wrong password is said at its field; with a new one every other session ends."""
    other, elsewhere = opening(own, None)
    sign_in(other, "tom", "/settings")
    page, here = opening(own, None)
    sign_in(page, "tom", "/settings?tab=account")
    sessions = page.get_by_role("region", name="Where you are signed in").get_by_role("listitem")
    expect(sessions).to_have_count(2)
    axe(page)
    here.expected.update({400, 403})
    page.get_by_label("Current password").fill("wrong")
    page.get_by_label("New password", exact=True).fill(OTHER)
    page.get_by_label("New password again").fill("something else")
    page.get_by_role("button", name="Change password").click()
    expect(page.get_by_text("The two are not the same.")).to_be_visible()
    page.get_by_label("New password again").fill(OTHER)
    page.get_by_role("button", name="Change password").click()
    expect(page.get_by_text("This is not your password.")).to_be_visible()
    page.get_by_label("Current password").fill(PASSWORD)
    page.get_by_role("button", name="Change password").click()
    expect(page.get_by_text("Password changed.")).to_be_visible()
    expect(sessions).to_have_count(1)
    elsewhere.expected.add(401)
    other.get_by_role("tab", name="API keys").click()
    expect(other.locator("main h1")).to_have_text("Sign in")


def test_an_account_is_erased_once_its_name_is_typed(opening: Opening, own: Site, axe: Axe) -> None:
    """The button waits for the name, a wrong password signs nobody out, and then the account is gone."""
    page, witness = opening(own, None)
    sign_in(page, "eve", "/settings?tab=data")
    page.get_by_role("button", name="Erase my account").click()
    erase = page.get_by_role("button", name="Erase for good")
    page.get_by_label("Type “eve” to confirm").fill("ev")
    expect(erase).to_be_disabled()
    page.get_by_label("Type “eve” to confirm").fill("eve")
    axe(page)
    witness.expected.add(401)
    page.get_by_label("Current password").fill("wrong")
    erase.click()
    expect(page.get_by_text("This is not your password.")).to_be_visible()
    page.get_by_label("Current password").fill(PASSWORD)
    erase.click()
    expect(page.locator("main h1")).to_have_text("Sign in")
    page.get_by_label("Name or e-mail address").fill("eve")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("Name or password is wrong.")


def test_it_fits_a_phone(opening: Opening, accounts: Site, axe: Axe) -> None:
    """Every tab fits 390 pixels by night, and axe finds nothing."""
    page, _ = opening(accounts, None, viewport={"width": 390, "height": 844}, color_scheme="dark")
    sign_in(page, "ben", "/settings")
    for tab in ("General", "Account", "API keys", "Webhooks", "Your data"):
        page.get_by_role("tab", name=tab).click()
        expect(page.locator("main [aria-busy=true]")).to_have_count(0)
        assert fits(page), tab
        axe(page)
