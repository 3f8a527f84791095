"""Circles in what a model writes: the same few tokens over and over."""

from __future__ import annotations

from collections.abc import Sequence

_PERIOD = 16
_ROUNDS = 4
_LEAST = 8
"""Tokens a circle has, so that *no, no, no* is none."""


def looped(tokens: Sequence[str]) -> int | None:
    """How many tokens there are up to the end of a circle's first round; None where nothing goes round.

    A circle is a stretch of 1 to 16 tokens that comes at least four times in a row, eight tokens in all.
    """
    best: int | None = None
    for period in range(1, min(_PERIOD, len(tokens) // _ROUNDS) + 1):
        run = 0
        for at in range(period, len(tokens)):
            run = run + 1 if tokens[at] == tokens[at - period] else 0
            if run + period >= max(_LEAST, _ROUNDS * period):
                end = at - run + 1
                best = end if best is None else min(best, end)
                break
    return best
