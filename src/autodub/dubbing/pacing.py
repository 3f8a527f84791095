"""How fast a voice speaks throughout: close to the speaker it stands in for, within what sounds natural."""

from __future__ import annotations

from collections.abc import Sequence

from autodub.dubbing.duration import Duration, syllable_rate
from autodub.dubbing.syllables import Features

SLOWEST = 0.70
"""A calm reader; slower than this a synthetic voice drags."""
HURRY = 1.10
"""Most syllables per second a voice is given for good, in means of its language (Coupé et al. 2019): lines
are still hurried by up to 1.15, and the two together stay near 1.25."""
AUDITIONS = 4
"""Lines spoken at rate 1 to get to know a voice before anything is planned."""


def auditions(texts: Sequence[str]) -> tuple[int, ...]:
    """Positions of the lines that tell most about a voice: long ones, none of them extreme."""
    order = sorted(range(len(texts)), key=lambda i: (len(texts[i]), i))
    upper = order[len(order) // 2 : max(len(order) - len(order) // 10, len(order) // 2 + 1)]
    if len(upper) <= AUDITIONS:
        return tuple(sorted(upper))
    step = (len(upper) - 1) / (AUDITIONS - 1)
    return tuple(sorted({upper[round(i * step)] for i in range(AUDITIONS)}))


def pace(rooms: Sequence[tuple[float, float]], model: Duration) -> float:
    """Base speed of a voice, as a factor of its own, in steps of 0.01.

    ``rooms`` holds (seconds of the source line, seconds the voice would take for its translation).
    The answer lets the line in the middle, by time, fill its room exactly: half of the speech then
    has silence to spare, and the other half needs little more speed.
    """
    if not rooms:
        return 1.0
    ratios = sorted((voice / room, room) for room, voice in rooms if room > 0)
    half, seen, middle = sum(room for _, room in ratios) / 2, 0.0, 1.0
    for ratio, room in ratios:
        seen += room
        middle = ratio
        if seen >= half:
            break
    few, many = (model.predict(Features(n, round(n * 2.3), 0, 0, 0))[0] for n in (10.0, 20.0))
    own = 10.0 / max(1e-3, many - few)
    fastest = max(1.0, HURRY * syllable_rate(model.language) / own)
    return round(min(max(middle, SLOWEST), fastest), 2)
