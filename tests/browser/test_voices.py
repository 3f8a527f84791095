"""Voices in a real browser: who speaks in dubs, voices to hear, and statements that they may be cloned."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from beside import Dubs, ask, fits
from playwright.sync_api import Page, expect
from real_site import Site, Witness

Opening = Callable[..., tuple[Page, Witness]]
Axe = Callable[[Page], None]


def test_a_voice_is_heard_and_given_to_another_dub(opening: Opening, dubs: Dubs, axe: Axe) -> None:
    """A dub shows its speakers with their voices; one of them is given to a speaker of another dub."""
    ask(dubs.site, "PATCH", f"/jobs/{dubs.second}/speakers/S1", {"voice": "miguel", "revision": 1})
    page, _ = opening(dubs.site, "/voices")
    cast = page.get_by_role("list", name="Speakers of Second")
    expect(cast.get_by_text("miguel")).to_be_visible()
    expect(cast.get_by_text("Chosen by hand")).to_be_visible()
    with page.expect_response("**/voices/preview") as heard:
        cast.get_by_role("button", name="Hear miguel").click()
    assert heard.value.headers["content-type"] == "audio/wav"
    axe(page)
    cast.get_by_role("button", name="Use elsewhere: the voice of S1").click()
    expect(page.get_by_label("Dub", exact=True)).to_have_value(dubs.first)
    axe(page)
    page.get_by_role("button", name="Use this voice").click()
    expect(page.get_by_text("S1 has a new voice.")).to_be_visible()
    speakers = ask(dubs.site, "GET", f"/jobs/{dubs.first}/transcript")["speakers"]
    assert speakers[0]["voice"]["voice"] == "miguel"


def test_stock_voices_are_chosen_by_language_and_gender(opening: Opening, site: Site, axe: Axe) -> None:
    """A language and an engine have their voices; the choice of a gender leaves the others out."""
    page, _ = opening(site, "/voices?tab=stock")
    page.get_by_label("Language").select_option("de")
    voices = page.get_by_role("list", name="Stock voices").get_by_role("listitem")
    expect(voices.filter(has_text="Female").first).to_be_visible()
    expect(voices.filter(has_text="Male").first).to_be_visible()
    page.get_by_role("radio", name="Female").check()
    expect(voices.get_by_text("Male", exact=True)).to_have_count(0)
    with page.expect_response("**/voices/preview") as heard:
        voices.get_by_role("button").first.click()
    assert heard.value.status in (200, 202)
    axe(page)


def test_consent_is_stated_and_withdrawn(opening: Opening, site: Site, axe: Axe) -> None:
    """A statement needs all of its parts; what withdrawing means is said before it is done."""
    page, _ = opening(site, "/voices?tab=consents")
    page.get_by_role("button", name="State consent").click()
    page.get_by_role("button", name="State it").click()
    expect(page.get_by_text("Say whose voice it is.")).to_be_visible()
    expect(page.get_by_text("Without this nothing can be cloned.")).to_be_visible()
    page.get_by_label("Whose voice").fill("Jane Doe")
    _nothing_is_lost_by_accident(page)
    page.get_by_label("What was agreed").fill("Jane Doe agreed in writing on 1 November 2026.")
    page.get_by_label("This is true").check()
    axe(page)
    page.get_by_role("button", name="State it").click()
    expect(page.get_by_role("heading", name="Jane Doe")).to_be_visible()
    expect(page.get_by_text("In force")).to_be_visible()
    axe(page)
    page.get_by_role("button", name="Withdraw").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("Dubs that are finished stay")).to_be_visible()
    axe(page)
    dialog.get_by_role("button", name="Withdraw").click()
    expect(page.get_by_text("Nothing is cloned on it any more.")).to_be_visible()
    assert ask(site, "GET", "/consents")["consents"][0]["withdrawn"] is not None


def _nothing_is_lost_by_accident(page: Page) -> None:
    """A press beside a dialog in which something was typed does nothing; Escape asks."""
    page.mouse.click(5, 5)
    expect(page.get_by_label("Whose voice")).to_have_value("Jane Doe")
    for answer, left in (("Keep editing", 1), ("Throw away", 0)):
        page.keyboard.press("Escape")
        question = page.get_by_role("dialog", name="Throw away what you entered?")
        question.get_by_role("button", name=answer).click()
        expect(page.get_by_role("dialog")).to_have_count(left)
    page.get_by_role("button", name="State consent").click()
    page.mouse.click(5, 5)
    expect(page.get_by_role("dialog")).to_have_count(0)  # nothing was typed in this one
    page.get_by_role("button", name="State consent").click()
    page.get_by_label("Whose voice").fill("Jane Doe")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone(opening: Opening, dubs: Dubs, axe: Axe, scheme: str) -> None:
    """Casts, voices and statements fit 390 pixels, in Spanish too, and axe finds nothing."""
    size = {"width": 390, "height": 844}
    page, _ = opening(dubs.site, "/voices", viewport=size, color_scheme=scheme, locale="es-ES")
    expect(page.get_by_role("list", name="Hablantes de Second")).to_be_visible()
    assert fits(page)
    axe(page)
    for tab in ("Voces de catálogo", "Clonación y consentimiento"):
        page.get_by_role("tab", name=tab).click()
        expect(page.locator("main [aria-busy=true]")).to_have_count(0)
        assert fits(page), tab
        axe(page)
