"""Errors as values."""

from __future__ import annotations

import pytest

from autodub.model.errors import AutodubError, Unreachable


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("It failed: no such file..", "It failed: no such file."),
        ("It failed.", "It failed."),
        ("And then ...", "And then ..."),
        ("", ""),
    ],
)
def test_a_sentence_ends_with_one_full_stop(given: str, said: str) -> None:
    """A quoted reason with a full stop of its own does not leave two; three are meant."""
    assert AutodubError(given).message == said
    assert str(Unreachable(given, hint="Try again.")) == f"{said} Try again.".strip()
