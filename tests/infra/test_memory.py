"""Handing memory back."""

from __future__ import annotations

import ctypes
from typing import Any

import pytest

from autodub.infra import memory


def test_giving_back_is_harmless_and_may_be_repeated() -> None:
    """It changes nothing a program can see."""
    kept = bytearray(b"x" * 1_000_000)
    memory.give_back()
    memory.give_back()
    assert kept == b"x" * 1_000_000


def test_a_c_library_without_the_call_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Elsewhere than on glibc nothing happens."""

    class Other:
        def __init__(self, name: Any) -> None:
            """A library that has nothing."""

    memory._trim.cache_clear()
    monkeypatch.setattr(ctypes, "CDLL", Other)
    memory.give_back()
    assert memory._trim() is None
    memory._trim.cache_clear()
