"""Made-up programmes for the timing tests."""

from __future__ import annotations

import numpy as np

from autodub.dubbing.timing import Choice, Slot

LADDER = ((1.0, 0.0), (0.9, 0.12), (0.8, 0.35))


def slot(start: float, end: float, *seconds: float, speaker: str = "A", timeline: int = 0) -> Slot:
    """A line whose wordings take the given seconds, each losing 0.2 more quality than the one before."""
    choices = tuple(Choice(s, 0.2 * k) for k, s in enumerate(seconds))
    return Slot(start, end, speaker, choices, timeline=timeline)


def programme(lines: int, *, seed: int, ratio: float = 1.14) -> tuple[list[Slot], float]:
    """A plausible dialogue with three wordings per line, and its length in seconds."""
    random = np.random.default_rng(seed)
    slots, at, speaker = [], 1.0, 0
    for _ in range(lines):
        length = float(np.clip(random.lognormal(np.log(2.2), 0.55), 0.4, 9))
        speaker = int(random.integers(3)) if random.random() < 0.4 else speaker
        natural = length * float(np.clip(random.lognormal(np.log(ratio) - 0.02, 0.2), 0.5, 2.5))
        choices = tuple(Choice(natural * share, loss) for share, loss in LADDER)
        on_screen = (None, True, False)[int(random.integers(3))]
        slots.append(Slot(at, at + length, f"S{speaker}", choices, on_screen=on_screen))
        pause = float(np.clip(random.lognormal(-0.5, 0.8), 0.05, 6))
        at += length + (0.05 if random.random() < 0.15 else pause)
    return slots, at + 3
