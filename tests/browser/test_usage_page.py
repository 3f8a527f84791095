"""Usage in a real browser: a month, its limits, and what took and cost what."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

import pytest
from beside import Dubs, fits
from playwright.sync_api import Page, expect
from real_site import Witness

Opening = Callable[..., tuple[Page, Witness]]
Axe = Callable[[Page], None]


def test_a_month_is_shown_by_day_engine_and_dub(opening: Opening, dubs: Dubs, axe: Axe) -> None:
    """Limits are told in words, engines with calls that cost nothing, and the chart is a table as well."""
    page, _ = opening(dubs.site, "/usage")
    expect(page.get_by_text("0.1 min of 10 min used")).to_be_visible()
    expect(page.get_by_text("9.9 min left")).to_be_visible()
    expect(page.get_by_role("progressbar", name="Minutes")).to_be_visible()
    engines = page.get_by_role("table", name="By engine")
    row = engines.get_by_role("row").filter(has_text="espeak")
    expect(row).to_contain_text("$0.00")
    expect(engines.get_by_role("columnheader", name="From earlier work")).to_be_visible()
    expect(page.get_by_role("table", name="By dub").get_by_role("link", name="=First")).to_be_visible()
    expect(page.get_by_role("img", name="The most was on")).to_be_visible()
    axe(page)
    page.get_by_role("radio", name="Table").check()
    expect(page.get_by_role("table", name="Day by day").get_by_role("row")).to_have_count(2)


def test_figures_are_taken_along_as_csv(opening: Opening, dubs: Dubs) -> None:
    """The file has days, dubs and engines, and no title in it is taken for a formula."""
    page, _ = opening(dubs.site, "/usage")
    expect(page.get_by_role("table", name="By dub")).to_be_visible()
    with page.expect_download() as saved:
        page.get_by_role("button", name="Export CSV").click()
    rows = list(csv.DictReader(io.StringIO(saved.value.path().read_text("utf-8"))))
    assert [row["kind"] for row in rows[:3]] == ["day", "job", "job"]
    assert "synthesizer.espeak" in [row["id"] for row in rows if row["kind"] == "engine"]
    assert rows[2]["name"] == "'=First"
    assert float(rows[2]["minutes"]) == pytest.approx(4 / 60, abs=0.01)


def test_other_months_are_a_press_away(opening: Opening, dubs: Dubs, axe: Axe) -> None:
    """A month in which nothing was dubbed says so; its address can be kept."""
    page, _ = opening(dubs.site, "/usage")
    page.get_by_role("button", name="The month before").click()
    expect(page.get_by_text("Nothing dubbed in")).to_be_visible()
    axe(page)
    page.reload()
    expect(page.get_by_text("Nothing dubbed in")).to_be_visible()
    page.get_by_role("button", name="The month after").click()
    expect(page.get_by_role("table", name="By dub")).to_be_visible()
    expect(page.get_by_role("button", name="The month after")).to_be_disabled()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone(opening: Opening, dubs: Dubs, axe: Axe, scheme: str) -> None:
    """Bars, chart and tables fit 390 pixels, in Spanish too, and axe finds nothing."""
    size = {"width": 390, "height": 844}
    page, _ = opening(dubs.site, "/usage", viewport=size, color_scheme=scheme, locale="es-ES")
    expect(page.get_by_role("table", name="Por motor")).to_be_visible()
    assert fits(page)
    axe(page)
