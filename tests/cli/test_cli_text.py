"""Text for a terminal."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodub.cli import text


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("plain name.mp4", "plain name.mp4"),
        ("naïve 日本.mp4", "naïve 日本.mp4"),
        ("two\nlines", "two\\nlines"),
        ("\x1b[2Jgone", "\\x1b[2Jgone"),
        ("\u202egpj.exe", "\\u202egpj.exe"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_hostile_names_are_escaped(name: str, shown: str) -> None:
    """Names show as they are, but for what would move the cursor, reorder text or cannot be shown."""
    assert text.safe(name) == shown
    assert text.safe(Path(name)) == shown


@settings(deadline=None)
@given(st.text())
def test_nothing_that_acts_on_a_terminal_is_left(name: str) -> None:
    """Whatever the name, what is printed is one line without control characters, and can be encoded."""
    shown = text.safe(name)
    assert not [c for c in shown if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
    shown.encode("utf-8")


def test_sentences_keep_their_lines() -> None:
    """A text of several lines keeps them, and nothing else that is hidden."""
    assert text.safe_lines("a\nb\x07") == "a\nb\\x07"


@pytest.mark.parametrize(
    ("count", "shown"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (2.5e9, "2.5 GB"), (3e15, "3000.0 TB")]
)
def test_sizes_for_people(count: float, shown: str) -> None:
    """Bytes are given in the largest unit that leaves a number above one."""
    assert text.size(count) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.04, "0.0 s"), (9.96, "10 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (3725, "1 h 02 min")],
)
def test_durations_for_people(seconds: float, shown: str) -> None:
    """Times never show 60 seconds or 60 minutes."""
    assert text.duration(seconds) == shown
