"""What the timing solver gains over simpler methods, on made-up programmes: ``python benchmarks/timing.py``.

Lines have log-normal lengths, 15 % of the gaps are only 50 ms, and the natural dub is 1.14 times as
long as the source on average. Slots stand in for speech here, so the overlaps (IoU) are comparable
with each other, not with figures measured from sound. Every random number comes from a fixed seed.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from autodub.dubbing import fitting
from autodub.dubbing.timing import Choice, Fit, Slot, plan, refit
from autodub.model.media import Audio, Blob, Clip
from autodub.model.speech import Line
from autodub.model.time import Span

WORDINGS = ((1.0, 0.0), (0.9, 0.12), (0.8, 0.35), (0.7, 0.6))
"""Length against the natural wording, and what it loses."""
RATE = 24_000
ENGINE = {"slowest": 0.7, "fastest": 1.3}


def programme(lines: int, *, seed: int, ratio: float = 1.14) -> tuple[list[Slot], float]:
    """Slots with the true length of every wording, and the length of the programme, s."""
    random = np.random.default_rng(seed)
    slots, at, speaker = [], 1.0, 0
    for _ in range(lines):
        length = float(np.clip(random.lognormal(np.log(2.2), 0.55), 0.4, 9))
        speaker = int(random.integers(3)) if random.random() < 0.4 else speaker
        natural = length * float(np.clip(random.lognormal(np.log(ratio) - 0.02, 0.2), 0.5, 2.5))
        choices = tuple(Choice(natural * share, loss) for share, loss in WORDINGS)
        slots.append(Slot(at, at + length, f"S{speaker}", choices))
        gap = 0.05 if random.random() < 0.15 else float(np.clip(random.lognormal(np.log(0.6), 0.8), 0.05, 6))
        at += length + gap
    return slots, at + 3


def greedy(slots: Sequence[Slot], end: float) -> list[Fit]:
    """Every line by itself: as fast as it takes to end before the next one, 1.3 at most."""
    fits, free = [], 0.0
    for slot, following in zip(slots, [*slots[1:], None], strict=True):
        start = max(slot.start, free)
        until = following.start - 0.05 if following else end
        rate = float(np.clip(slot.choices[0].seconds / max(until - start, 0.05), 1.0, 1.3))
        fits.append(Fit(0, start, rate))
        free = start + slot.choices[0].seconds / rate
    return fits


def natural(slots: Sequence[Slot]) -> list[Slot]:
    """The same lines with their natural wording only."""
    return [replace(slot, choices=slot.choices[:1]) for slot in slots]


def guessed(slots: Sequence[Slot], *, error: float, seed: int) -> list[Slot]:
    """What a duration model would have said: log-normal errors, mostly shared by a line's wordings."""
    random = np.random.default_rng(seed)
    out = []
    for slot in slots:
        shared = random.normal(0, error * 0.64**0.5)
        own = random.normal(0, error * 0.36**0.5, len(slot.choices))
        off = np.exp(shared + own)
        out.append(
            replace(
                slot,
                choices=tuple(Choice(c.seconds * o, c.loss) for c, o in zip(slot.choices, off, strict=True)),
            )
        )
    return out


def loop(
    truth: Sequence[Slot], end: float, *, error: float, seed: int, again: bool
) -> tuple[list[Slot], list[Fit]]:
    """Plan on guesses, speak, re-plan on what was measured, once more for the worst lines, settle."""
    slots = guessed(truth, error=error, seed=seed)
    fits: Sequence[Fit] = plan(slots, programme=end)

    def speak(i: int, choice: int, native: float) -> Clip:
        frames = round(truth[i].choices[choice].seconds / native * RATE)
        return Clip(Audio(Blob("", 0, ".wav"), RATE, frames=frames, channels=1), rate=native)

    clips = []
    for i, fit in enumerate(fits):
        clips.append(speak(i, fit.choice, fitting.native_rate(slots[i], fit, **ENGINE)))
        slots[i] = fitting.spoken(slots[i], clips[i], choice=fit.choice)
    fits = refit(slots, programme=end)
    if again:
        takes = fitting.retakes(slots, fits, **ENGINE)
        for i, take in fitting.rerated(slots, takes, programme=end, **ENGINE).items():
            clips[i] = speak(i, take.choice, take.native)
            slots[i] = fitting.spoken(slots[i], clips[i], choice=take.choice)
    lines = [
        Line(str(i), Span(round(s.start * 1000), round(s.end * 1000)), "", s.speaker)
        for i, s in enumerate(slots)
    ]
    settings = fitting.settle(slots, clips, lines, programme=end)
    return slots, [setting.fit for setting in settings]


def row(name: str, slots: Sequence[Slot], fits: Sequence[Fit], seconds: float) -> str:
    """One line of the table."""
    start = np.array([fit.start for fit in fits])
    length = np.array([s.choices[f.choice].seconds / f.rate for s, f in zip(slots, fits, strict=True)])
    source = np.array([[s.start, s.end] for s in slots])
    end = start + length
    shared = np.maximum(0, np.minimum(end, source[:, 1]) - np.maximum(start, source[:, 0]))
    union = length + source[:, 1] - source[:, 0] - shared
    total = np.array([s.native * f.rate for s, f in zip(slots, fits, strict=True)])
    before: dict[str, float] = {}
    steady = []
    for slot, rate in zip(slots, total, strict=True):
        if slot.speaker in before:
            steady.append(max(0.0, 1 - abs(rate - before[slot.speaker]) / before[slot.speaker]))
        before[slot.speaker] = rate
    overlaps = int((end[:-1] - start[1:] > 0.02).sum())
    in_range = np.mean((total >= 0.9 - 1e-6) & (total <= 1.15 + 1e-6))
    untouched = np.mean([abs(f.rate - 1) < 1e-9 for f in fits])
    loss = np.mean([s.choices[f.choice].loss for s, f in zip(slots, fits, strict=True)])
    onset, offset = (1000 * np.percentile(abs(x), 95) for x in (start - source[:, 0], end - source[:, 1]))
    return (
        f"{name:34} {shared.sum() / union.sum():5.3f} {onset:6.0f}"
        f" {offset:6.0f} {np.percentile(total, 5):5.2f}"
        f" {np.percentile(total, 95):5.2f} {100 * in_range:5.1f} {np.mean(steady):6.3f} {overlaps:5d}"
        f" {100 * untouched:5.0f} {loss:6.3f} {seconds:7.2f}"
    )


def timed(make: Callable[[], tuple[Sequence[Slot], Sequence[Fit]]], name: str) -> None:
    """Run, measure CPU seconds, print."""
    began = time.process_time()
    slots, fits = make()
    print(row(name, slots, fits, time.process_time() - began))


def main() -> None:
    """Print the tables."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--lines", type=int, nargs="+", default=[300, 1000, 3000])
    options.add_argument("--ratio", type=float, default=1.14, help="natural length of the dub / source")
    chosen = options.parse_args()
    plan([Slot(0, 1, "", (Choice(1.0),))], programme=2)  # imports are not what is measured
    for lines in chosen.lines:
        slots, end = programme(lines, seed=1, ratio=chosen.ratio)
        print(f"\n{lines} lines, {end / 60:.0f} minutes, natural length {chosen.ratio} of the source")
        print(f"{'method':34}   IoU  on95  off95  r p5  p95  %.9-1.15 steady overl %as-is  loss CPU s")
        timed(lambda s=slots, e=end: (s, greedy(s, e)), "line by line, up to 1.3")
        timed(lambda s=slots, e=end: (natural(s), refit(natural(s), programme=e)), "LP, one wording")
        timed(lambda s=slots, e=end: (s, plan(s, programme=e)), "DP + LP, four wordings")
        for error in (0.08, 0.12):
            for again in (False, True):
                name = f"whole loop, {error:.0%} error" + (", retakes" if again else "")
                timed(lambda s=slots, e=end, x=error, a=again: loop(s, e, error=x, seed=2, again=a), name)
        timed(
            lambda s=slots, e=end: loop(natural(s), e, error=0.08, seed=2, again=True),
            "loop, one wording, retakes",
        )


if __name__ == "__main__":
    main()
