"""Values as people type them."""

from __future__ import annotations

import click
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodub.cli import parse


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("90", 90_000),
        ("1:30", 90_000),
        ("00:01:30.5", 90_500),
        ("0", 0),
        ("1:00:00", 3_600_000),
        ("75:00", 4_500_000),
        ("12,25", 12_250),
        (" 3.0004 ", 3_000),
        ("0.0006", 1),
    ],
)
def test_times(text: str, milliseconds: int) -> None:
    """Seconds, minutes and hours are read to the nearest millisecond, with a point or a comma."""
    assert parse.time(text) == milliseconds


@pytest.mark.parametrize(
    "text", ["", "-3", "1:60", "1:75:00", "1:2:3:4", "5s", "1.5:00", "abc", "１２", "9" * 10]
)
def test_times_that_are_none(text: str) -> None:
    """What is no time is refused, not guessed at."""
    with pytest.raises(click.BadParameter):
        parse.time(text)


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 10**8))
def test_times_round_trip(milliseconds: int) -> None:
    """Every millisecond written as a clock time reads back as itself."""
    seconds, fraction = divmod(milliseconds, 1000)
    text = f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{fraction:03d}"
    assert parse.time(text) == milliseconds


@pytest.mark.parametrize(
    ("text", "days"), [("30d", 30), ("12h", 0.5), ("2w", 14), ("7", 7), ("90 m", 0.0625)]
)
def test_ages(text: str, days: float) -> None:
    """Ages are read in days; a bare number is days."""
    assert parse.age(text) == days


@pytest.mark.parametrize(
    ("text", "size"), [("10GB", 10**10), ("500 mb", 5 * 10**8), ("2GiB", 2**31), ("1.5kB", 1500), ("7", 7)]
)
def test_sizes(text: str, size: int) -> None:
    """Sizes know powers of ten and of two; a bare number is bytes."""
    assert parse.size(text) == size


@pytest.mark.parametrize("text", ["", "d", "-1d", "3 fortnights", "1e3", "nan"])
def test_amounts_that_are_none(text: str) -> None:
    """What is neither an age nor a size is refused by both."""
    with pytest.raises(click.BadParameter):
        parse.age(text)
    with pytest.raises(click.BadParameter):
        parse.size(text)


def test_settings_by_role() -> None:
    """Engine options keep everything after the first equals sign, and the last of two counts."""
    typed = ["synthesizer.gap=1", "translator.key=a=b", "synthesizer.gap=2", "separator.name="]
    assert parse.by_role(tuple(parse.setting(text) for text in typed)) == {
        "synthesizer": {"gap": "2"},
        "translator": {"key": "a=b"},
        "separator": {"name": ""},
    }


@pytest.mark.parametrize(
    "text", ["", "synthesizer", "synthesizer.gap", "gap=1", "singer.gap=1", "synthesizer.=1"]
)
def test_settings_that_are_none(text: str) -> None:
    """A setting without role, option or equals sign, or of an unknown role, is refused."""
    with pytest.raises(click.BadParameter):
        parse.setting(text)
