"""The frame of the app in a real browser: it loads, finds its way, and shows itself to everybody."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, Response, expect
from real_site import PASSWORD, Site, Witness

Opening = Callable[..., tuple[Page, Witness]]
Axe = Callable[[Page], None]
PLACES = ["/", "/jobs", "/voices", "/glossaries", "/usage", "/settings", "/admin"]
_MOST = 200_000
"""Bytes that the first page may take, compressed."""


def test_the_app_loads(page: Page) -> None:
    """Without accounts the first page is there at once, and nobody is asked to sign in."""
    expect(page.locator("main h1")).to_have_text("New dub")
    expect(page.get_by_role("navigation", name="Main")).to_be_visible()
    page.get_by_role("button", name="This computer").click()
    expect(page.get_by_role("menuitemradio", name="Dark")).to_be_visible()
    expect(page.get_by_role("menuitem", name="Sign out")).to_have_count(0)


def test_links_lead_on_without_a_reload(page: Page) -> None:
    """A page follows a page, the way back leads back, and the focus goes along for who cannot see it."""
    page.evaluate("window.same = true")
    page.get_by_role("link", name="Dubs", exact=True).click()
    expect(page.locator("main h1")).to_have_text("Dubs")
    expect(page.locator("main h1")).to_be_focused()
    assert page.title() == "Dubs · Autodub"
    page.go_back()
    expect(page.locator("main h1")).to_have_text("New dub")
    assert page.evaluate("window.same")


def test_a_link_into_the_app_is_good(opening: Opening, site: Site) -> None:
    """A place deep in the app can be opened by its address; one of nothing says so."""
    page, witness = opening(site, "/glossaries")
    expect(page.locator("main h1")).to_have_text("Glossaries")
    page.goto("/voices/nothing/here")
    expect(page.locator("main h1")).to_have_text("Not found")
    witness.expected.add(404)
    page.goto("/nowhere/at/all")
    expect(page.locator("main h1")).to_have_text("Not found")
    page.goto(f"/jobs/{'0' * 32}")
    expect(page.get_by_role("alert")).to_contain_text("This is not here, or not yours.")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nobody_is_kept_out(opening: Opening, site: Site, axe: Axe, scheme: str) -> None:
    """Axe finds nothing wrong with any page, by day and by night."""
    page, _ = opening(site, None, color_scheme=scheme)
    for place in PLACES:
        page.goto(place)
        page.locator("main h1").wait_for()
        expect(page.locator("main [aria-busy=true]")).to_have_count(0)
        axe(page)


def test_a_phone_shows_all_of_it(opening: Opening, site: Site) -> None:
    """At 390 pixels nothing hangs over the edge, and the navigation is at the thumb."""
    page, _ = opening(site, None, viewport={"width": 390, "height": 844}, locale="es-ES")
    for place in PLACES:
        page.goto(place)
        page.locator("main h1").wait_for()
        expect(page.locator("main [aria-busy=true]")).to_have_count(0)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), place
        box = page.get_by_role("navigation", name="Principal").bounding_box()
        assert box is not None
        assert box["y"] + box["height"] == 844


def test_dark_and_light_follow_the_system_until_somebody_chooses(opening: Opening, site: Site) -> None:
    """The choice outlasts the page."""

    def ground() -> str:
        return str(page.evaluate("getComputedStyle(document.documentElement).backgroundColor"))

    page, _ = opening(site, "/jobs", color_scheme="light")
    light = ground()
    page.emulate_media(color_scheme="dark")
    dark = ground()
    assert dark != light
    page.get_by_role("button", name="This computer").click()
    page.get_by_role("menuitemradio", name="Light").click()
    assert ground() == light
    page.reload()
    page.locator("main h1").wait_for()
    assert ground() == light


def test_the_app_speaks_spanish(opening: Opening, site: Site) -> None:
    """It speaks as the browser does, says so in the page, and keeps what somebody chooses."""
    page, _ = opening(site, "/jobs", locale="es-MX")
    expect(page.locator("main h1")).to_have_text("Doblajes")
    assert page.evaluate("[document.documentElement.lang, document.documentElement.dir]") == ["es", "ltr"]
    page.get_by_role("button", name="Este equipo").click()
    page.get_by_role("menuitemradio", name="English").click()
    expect(page.locator("main h1")).to_have_text("Dubs")
    page.reload()
    expect(page.locator("main h1")).to_have_text("Dubs")


def test_the_keyboard_is_enough(page: Page) -> None:
    """The first stop skips to the content; menus open, move and close by keys and give the focus back."""
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    button = page.get_by_role("button", name="This computer")
    button.focus()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("menuitemradio", name="As the system")).to_be_focused()
    page.keyboard.press("End")
    expect(page.get_by_role("menuitem", name="API documentation")).to_be_focused()
    page.keyboard.press("Escape")
    expect(button).to_be_focused()


def test_people_sign_in_and_out(opening: Opening, accounts: Site, axe: Axe) -> None:
    """A wrong password is said, the right one leads to where they wanted to go, and the way out leads out."""
    page, witness = opening(accounts, "/usage")
    expect(page).to_have_url(f"{accounts.address}/sign-in?next=%2Fusage")
    axe(page)
    expect(page.get_by_label("Name or e-mail address")).to_be_focused()
    page.keyboard.type("ada")
    witness.expected.add(401)
    page.get_by_label("Password", exact=True).fill("not the one")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("Name or password is wrong.")
    axe(page)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("main h1")).to_have_text("Usage")
    expect(page.get_by_role("link", name="Administration")).to_be_visible()
    page.get_by_role("button", name="ada").click()
    page.get_by_role("menuitem", name="Sign out").click()
    expect(page.locator("main h1")).to_have_text("Sign in")


def test_only_admins_see_what_is_theirs(opening: Opening, accounts: Site) -> None:
    """A user has no link to the administration, and is told so at its address."""
    page, _ = opening(accounts, "/sign-in?next=/admin")
    page.get_by_label("Name or e-mail address").fill("ben")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator("main h1")).to_have_text("Not for you")
    expect(page.get_by_role("link", name="Administration")).to_have_count(0)


def test_the_first_page_is_small(opening: Opening, site: Site) -> None:
    """All that is needed before something can be done is below 200 kB, in the widely known compression."""
    page, _ = opening(site, None)
    page.route(
        "**/*", lambda route: route.continue_(headers=route.request.headers | {"accept-encoding": "gzip"})
    )
    got: list[Response] = []
    page.on("response", lambda one: got.append(one))
    page.goto("/")
    page.locator("main h1").wait_for()
    files = [one for one in got if "/assets/" in one.url or one.request.is_navigation_request()]
    sizes: list[Any] = [one.header_value("content-length") for one in files]
    assert all(sizes)
    assert len(files) > 4
    assert sum(map(int, sizes)) < _MOST


def test_the_page_comes_back_by_itself(opening: Opening, serving: Callable[..., Site]) -> None:
    """While the server is away the page says so; once it is back the page goes on without a reload."""
    own = serving("--slots", "0")
    page, witness = opening(own, "/jobs")
    expect(page.get_by_text("Nothing dubbed yet")).to_be_visible()
    witness.is_away = True
    own.stop()
    expect(page.get_by_text("The server cannot be reached.")).to_be_visible()
    own.start()
    expect(page.get_by_text("The server cannot be reached.")).to_have_count(0)
    page.get_by_role("link", name="Glossaries").click()
    expect(page.get_by_text("No glossaries yet")).to_be_visible()


def test_a_page_wanted_without_a_network_comes_with_it(opening: Opening, site: Site) -> None:
    """A page whose code cannot be fetched comes as soon as the network is back, by itself."""
    page, witness = opening(site, "/jobs")
    witness.is_away = True
    page.context.set_offline(True)
    page.get_by_role("link", name="Glossaries").click()
    expect(page.get_by_text("The server cannot be reached.")).to_be_visible()
    page.context.set_offline(False)
    expect(page.get_by_role("heading", name="Glossaries", level=1)).to_be_visible()
    expect(page.get_by_text("The server cannot be reached.")).to_have_count(0)
