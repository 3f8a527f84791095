"""Glossaries in a real browser: made, written by the keyboard, imported, exported, deleted."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from beside import ask, fits
from playwright.sync_api import Page, expect
from real_site import Site, Witness

Opening = Callable[..., tuple[Page, Witness]]
Axe = Callable[[Page], None]


@pytest.fixture(autouse=True)
def _none(site: Site) -> None:
    """No glossary is left from another test."""
    for one in ask(site, "GET", "/glossaries")["glossaries"]:
        ask(site, "DELETE", f"/glossaries/{one['id']}")


def _made(site: Site, text: str, name: str = "Names") -> str:
    return str(ask(site, "POST", "/glossaries", {"name": name, "text": text})["id"])


def test_a_glossary_is_written_with_the_keyboard(page: Page, site: Site, axe: Axe) -> None:
    """Enter goes on to new rows; what contradicts itself cannot be saved, and is saved once it is mended."""
    page.goto("/glossaries")
    page.get_by_role("button", name="New glossary").first.click()
    page.get_by_role("textbox", name="Name").fill("Product names")
    page.get_by_role("button", name="Create").click()
    page.get_by_label("Term, row 1").fill("stream")
    page.keyboard.press("Tab")
    page.keyboard.type("flujo")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Term, row 2")).to_be_focused()
    page.keyboard.type("Stream")
    page.keyboard.press("Tab")
    page.keyboard.type("corriente")
    expect(page.get_by_text("1 row cannot be used.")).to_be_visible()
    expect(page.get_by_text("Row 1 says something else").last).to_be_visible()
    expect(page.get_by_role("button", name="Save").first).to_be_disabled()
    axe(page)
    page.get_by_label("Term, row 2").fill("Autodub")
    page.get_by_role("checkbox", name="Keep as is, row 2").check()
    page.keyboard.press("Control+s")
    expect(page.get_by_text("Everything is saved.")).to_be_visible()
    kept = ask(site, "GET", "/glossaries")["glossaries"][0]["id"]
    text = ask(site, "GET", f"/glossaries/{kept}")["text"]
    assert text == "term,translation,case\nstream,flujo,\nAutodub,!,\n"


def test_what_is_not_saved_is_not_lost(page: Page, site: Site) -> None:
    """Who leaves a glossary with changes finds them when they come back, and may discard them."""
    _made(site, "a = b\n")
    page.goto("/glossaries")
    page.get_by_role("link", name="Names").click()
    page.get_by_label("Translation, row 1").fill("c")
    page.get_by_role("link", name="Glossaries").first.click()
    page.get_by_role("main").get_by_role("link", name="Names").click()
    expect(page.get_by_text("Your unsaved changes are still here")).to_be_visible()
    expect(page.get_by_label("Translation, row 1")).to_have_value("c")
    page.get_by_role("button", name="Discard changes").first.click()
    expect(page.get_by_label("Translation, row 1")).to_have_value("b")


def test_a_file_is_imported_or_told_line_by_line(page: Page, site: Site, axe: Axe) -> None:
    """Lines that cannot be used are named and nothing is taken; a good file becomes a glossary."""
    page.goto("/glossaries")
    page.get_by_role("button", name="Import").click()
    bad = b'term,es\nstream,flujo\n"broken,x\nalone,\nStream,corriente\n'
    page.locator("input[type=file]").set_input_files(
        {"name": "bad.csv", "mimeType": "text/csv", "buffer": bad}
    )
    expect(page.get_by_text("3 lines cannot be used")).to_be_visible()
    for line in ("Line 3: its quotes", "Line 4: there is no translation", "Line 5: line 2 says something"):
        expect(page.get_by_role("listitem").filter(has_text=line)).to_be_visible()
    axe(page)
    page.get_by_role("button", name="Another file").click()
    page.locator("input[type=file]").set_input_files(
        {
            "name": "Good ones.csv",
            "mimeType": "text/csv",
            "buffer": b"term;es;fr\nstream;flujo;flux\n",
        }
    )
    expect(page.get_by_text("1 term found")).to_be_visible()
    page.get_by_role("dialog").get_by_role("button", name="Import").click()
    expect(page.locator("main h1")).to_have_text("Good ones")
    expect(page.get_by_label("French, row 1")).to_have_value("flux")
    with page.expect_download() as saved:
        page.get_by_role("button", name="Export").click()
    assert saved.value.suggested_filename == "Good ones.csv"
    assert saved.value.path().read_text("utf-8") == "term,es,fr\nstream,flujo,flux\n"


def test_thousands_of_rows_stay_few_in_the_page(page: Page, site: Site) -> None:
    """Of 2,000 rows only those in sight are in the page, and the keyboard reaches the last one."""
    rows = "".join(f"term {number},wort {number}\n" for number in range(2000))
    page.goto(f"/glossaries?id={_made(site, 'term,translation' + chr(10) + rows)}")
    expect(page.get_by_text("2,000 terms")).to_be_visible()
    assert page.locator("[role=row]").count() < 60
    page.get_by_label("Find a term").fill("wort 1999")
    expect(page.get_by_label("Term, row 2,000")).to_have_value("term 1999")
    page.get_by_label("Find a term").fill("")
    page.get_by_role("button", name="Add a term").click()
    expect(page.get_by_label("Term, row 2,001")).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(page.get_by_label("Term, row 2,000")).to_be_focused()


def test_a_glossary_is_deleted_after_a_question(page: Page, site: Site) -> None:
    """Deleting asks first, and the list says what is gone."""
    _made(site, "a = b\n", "Old names")
    page.goto("/glossaries")
    page.get_by_role("button", name="Actions for Old names").click()
    page.get_by_role("menuitem", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("No glossaries yet")).to_be_visible()
    assert ask(site, "GET", "/glossaries")["glossaries"] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_and_keeps_nobody_out(opening: Opening, site: Site, axe: Axe, scheme: str) -> None:
    """List and table fit 390 pixels, by day and by night, and axe finds nothing."""
    one = _made(site, "term,es,ar\nstream,flujo,بث\n", "مصطلحات")
    page, _ = opening(site, "/glossaries", viewport={"width": 390, "height": 844}, color_scheme=scheme)
    expect(page.get_by_role("link", name="مصطلحات")).to_be_visible()
    assert fits(page)
    axe(page)
    page.goto(f"/glossaries?id={one}")
    expect(page.get_by_label("Arabic, row 1")).to_have_value("بث")
    assert fits(page)
    axe(page)
