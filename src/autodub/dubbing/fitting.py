"""The decisions between planning a dub's timing and placing its clips.

A dub is fitted in steps, each a pure function; nobody else does arithmetic on times::

    slots = [slot(line, wordings, model, ...) for each line]
    for chunk in chunks(len(lines)):
        near = horizon(len(lines), chunk)              # what is planned together
        fits = plan(slots[near], programme=seconds)
        for each line i of the chunk:
            clip = speak(wording fits[i].choice at native_rate(slots[i], fits[i], ...))
            slots[i], model = spoken(slots[i], clip, choice=...), learned(model, text, clip)
        # lines not spoken yet get their slots again from the better model
    fits = refit(slots, programme=seconds)
    for i, take in rerated(slots, retakes(slots, fits, ...), ...).items():  # once
        slots[i] = spoken(slots[i], clip again, choice=take.choice)
    settings = settle(slots, clips, lines, programme=seconds)
    placements = [place(...) for each setting]
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

from autodub.dubbing import pausing
from autodub.dubbing.duration import Duration
from autodub.dubbing.mixing import fitted_frames
from autodub.dubbing.syllables import Features, features
from autodub.dubbing.timing import (
    BOUNDS,
    OVERLAP,
    WEIGHTS,
    Bounds,
    Choice,
    Fit,
    Slot,
    Weights,
    latest_ends,
    refit,
)
from autodub.model.calls import Budget
from autodub.model.media import Clip, Placement
from autodub.model.speech import Line, Wording

SNAP = 0.05
"""|u-1| up to which a clip is left unstretched: the just-noticeable difference of tempo."""
SLOWEST = 0.95
"""No clip is slowed below this; what remains is filled with pauses or left to the background."""
COMFORT = (0.93, 1.10)
"""Tempo of a stretched clip that is not worth another synthesis."""
FAST = 1.15
"""Total rate from which a shorter wording is better than a faster voice."""
BEYOND = 0.5
"""Seconds after its original from which the end of a line is too late."""
PAUSE = 300
"""Silences of the source worth keeping, ms (as in the prosodic alignment papers of Federico et al. 2020)."""
_ROUNDS = 3
"""Times pauses may be shortened."""
_FILL = 0.97
"""Share of a line's room its translation should fill."""
_EASY = 1.1
"""Total rate at which a wording that is asked for once more should fit."""
_LETTERS = 2.3
"""Letters per syllable of a text not written yet."""


def chunks(count: int, *, least: int = 4) -> Iterator[range]:
    """Lines in the portions they are spoken in: small first, while the voices are still unknown.

    ``least`` is the size of the first two: what it takes to keep the synthesizer busy.
    """
    at, size, number = 0, max(4, least), 0
    while at < count:
        yield range(at, min(count, at + size))
        at, number = at + size, number + 1
        size = size if number < 2 else min(64, size * 2)


def horizon(count: int, chunk: range, *, behind: int = 8, ahead: int = 32) -> range:
    """The lines planned together with a chunk: some already spoken, some not yet due."""
    return range(max(0, chunk.start - behind), min(count, chunk.stop + ahead))


def sides(lines: Sequence[Line], *, overlap: int = 20) -> tuple[int, ...]:
    """Timeline of each line: 0, or another while somebody else is still speaking.

    Two lines of different speakers that overlap by more than ``overlap`` ms are crosstalk.
    """
    out: list[int] = []
    busy: dict[int, tuple[int, str]] = {}  # side -> when it falls silent, who speaks
    for line in lines:
        side = 0
        while side in busy and busy[side][0] - line.span.start > overlap and busy[side][1] != line.speaker:
            side += 1
        busy[side] = (max(line.span.end, busy.get(side, (0, ""))[0]), line.speaker)
        out.append(side)
    return tuple(out)


def budget(line: Line, model: Duration) -> Budget:
    """Room of a line for its translator: seconds without the pauses to keep, and syllables to fill them."""
    seconds = max(0.1, (line.span.duration - sum(b - a for a, b in _pauses(line))) / 1000)
    few, many = (model.predict(Features(n, round(n * _LETTERS), 0, 0, 0))[0] for n in (10.0, 20.0))
    slope = (many - few) / 10
    return Budget(line.id, seconds, max(1, round((_FILL * seconds - few + 10 * slope) / slope)))


def slot(
    line: Line,
    wordings: Sequence[Wording],
    model: Duration,
    *,
    on_screen: bool | None = None,
    timeline: int = 0,
    quantile: float | None = None,
) -> Slot:
    """A line to be planned, its wordings' lengths predicted by the model of its voice.

    ``quantile`` plans on a length that is kept with that probability instead of the mean; 0.7 saves
    syntheses where they are paid for.
    """
    choices = []
    for wording in wordings:
        counted = _features(wording.text, model.language)
        seconds = model.predict(counted)[0] if quantile is None else model.quantile(counted, quantile)
        choices.append(Choice(seconds, wording.loss))
    return Slot(
        line.span.start / 1000,
        line.span.end / 1000,
        line.speaker,
        tuple(choices),
        on_screen=on_screen,
        timeline=timeline,
    )


def imagined(slot: Slot, shares: Sequence[float], *, losses: Sequence[float]) -> Slot:
    """The slot with wordings that could be asked for: ``shares`` of the natural one's length.

    A plan that chooses one of them says that the line needs another length than its natural one.
    """
    natural = slot.choices[0].seconds
    more = tuple(Choice(natural * share, loss) for share, loss in zip(shares, losses, strict=True))
    return replace(slot, choices=(*slot.choices, *more))


def native_rate(slot: Slot, fit: Fit, *, slowest: float, fastest: float) -> float:
    """Rate to ask of a synthesizer that can speak at ``slowest`` to ``fastest``, in steps of 0.01."""
    wanted = max(SLOWEST, slot.native * fit.rate)
    return round(min(max(wanted, slowest), fastest), 2)


def spoken(slot: Slot, clip: Clip, *, choice: int) -> Slot:
    """The slot once a wording was spoken: measured, and decided.

    The lengths of the other wordings are corrected by what this one taught about the line.
    """
    told = slot.choices[choice].seconds
    factor = clip.seconds / told if told > 0 else 1.0
    choices = [replace(c, seconds=c.seconds * factor) for c in slot.choices]
    choices[choice] = replace(choices[choice], seconds=clip.seconds)
    return replace(slot, choices=tuple(choices), locked_choice=choice, native=clip.rate)


def learned(model: Duration, text: str, clip: Clip) -> Duration:
    """The model of a voice after it spoke a text."""
    return model.updated(_features(text, model.language), clip.seconds * clip.rate)


@dataclass(frozen=True, slots=True)
class Take:
    """What to say again, and at which native rate."""

    choice: int
    native: float


def retakes(slots: Sequence[Slot], fits: Sequence[Fit], *, slowest: float, fastest: float) -> dict[int, Take]:
    """Spoken lines that deserve a second synthesis, by position.

    Those are lines the stretcher would have to change by more than COMFORT, and lines whose wording
    is too long at any decent rate while a shorter one is there. To be asked once per dub.
    """
    out: dict[int, Take] = {}
    for i, (slot, fit) in enumerate(zip(slots, fits, strict=True)):
        if slot.locked_rate is not None:
            continue
        choice, total = fit.choice, slot.native * fit.rate
        if total > FAST or fit.overlap > OVERLAP:
            choice = _shorter(slot, fit)
        if choice == fit.choice and COMFORT[0] <= fit.rate <= COMFORT[1]:
            continue
        seconds = slot.choices[fit.choice].seconds / fit.rate
        wanted = Fit(choice, fit.start, slot.choices[choice].seconds / max(seconds, 1e-3))
        native = native_rate(slot, wanted, slowest=slowest, fastest=fastest)
        if choice != fit.choice or abs(native - slot.native) >= 0.02:
            out[i] = Take(choice, native)
    return out


def rerated(
    slots: Sequence[Slot], takes: Mapping[int, Take], *, programme: float, slowest: float, fastest: float
) -> dict[int, Take]:
    """The same takes, those of another wording at the rate that suits its length and not the old one's.

    A shorter wording need not fill the room that its longer sister ran over.
    """
    other = {i: take for i, take in takes.items() if take.choice != (slots[i].locked_choice or 0)}
    if not other:
        return dict(takes)
    changed = [
        replace(slot, locked_choice=other[i].choice) if i in other else slot for i, slot in enumerate(slots)
    ]
    fits = refit(changed, programme=programme)
    return dict(takes) | {
        i: replace(take, native=native_rate(changed[i], fits[i], slowest=slowest, fastest=fastest))
        for i, take in other.items()
    }


def is_tight(slot: Slot, fit: Fit) -> bool:
    """Whether a line cannot be said well in its place: too fast, into the next one, or far beyond its end."""
    end = fit.start + slot.choices[fit.choice].seconds / fit.rate
    return slot.native * fit.rate > FAST + 1e-3 or fit.overlap > OVERLAP or end - slot.end > BEYOND


def fitting_share(slot: Slot, fit: Fit) -> float:
    """Length, relative to the wording chosen, at which a tight line would fit its place."""
    seconds = slot.choices[fit.choice].seconds
    place = min(seconds / fit.rate - fit.overlap, slot.end + BEYOND / 2 - fit.start)
    return min(1.0, max(0.0, place) * _EASY / slot.native / seconds)


@dataclass(frozen=True, slots=True)
class Setting:
    """How one spoken line will sound."""

    fit: Fit
    end: float
    """When the clip ends, s, pauses included."""
    edits: tuple[pausing.Edit, ...] = ()
    """Silence put into (or taken out of) the clip."""


def settle(
    slots: Sequence[Slot],
    clips: Sequence[Clip],
    lines: Sequence[Line],
    *,
    programme: float,
    weights: Weights = WEIGHTS,
) -> tuple[Setting, ...]:
    """Final start, tempo and inner pauses of every spoken line.

    Pauses of clips that are too long are shortened; tempos nobody would notice become exactly 1,
    unless that made clips overlap; clips that are too short get the source's pauses.
    """
    pauses = [[(p.start / 1000, p.end / 1000) for p in clip.pauses] for clip in clips]
    fits, tight = refit(slots, programme=programme, weights=weights), list(slots)
    edits: list[tuple[pausing.Edit, ...]] = [()] * len(slots)
    for _ in range(_ROUNDS):  # a clip made shorter lets its neighbours ask for more
        before = list(edits)
        for i, (slot, fit) in enumerate(zip(slots, fits, strict=True)):
            if fit.rate > 1 + SNAP and slot.locked_rate is None:
                seconds = slot.choices[fit.choice].seconds
                wanted = seconds - tight[i].choices[fit.choice].seconds / fit.rate
                edits[i] = pausing.cuts(pauses[i], wanted)
                tight[i] = _lasting(slot, fit.choice, seconds + sum(cut for _, cut in edits[i]))
        if edits == before:
            break
        fits = refit(tight, programme=programme, weights=weights)
    fits = _snapped(tight, fits, programme=programme, weights=weights)
    limits = latest_ends(tight, fits, programme=programme)
    settings = []
    for i, (line, fit) in enumerate(zip(lines, fits, strict=True)):
        end = fit.start + tight[i].choices[fit.choice].seconds / fit.rate
        spare = min(limits[i], tight[i].end) - end
        if not edits[i] and spare > 0:
            source = [(a / 1000, b / 1000) for a, b in _pauses(line)]
            edits[i] = pausing.insertions(pauses[i], source, start=fit.start, rate=fit.rate, spare=spare)
            end += sum(put for _, put in edits[i]) / fit.rate
        settings.append(Setting(fit, end, edits[i]))
    return tuple(settings)


def place(line: str, clip: Clip, setting: Setting, *, rate: int, frames: int) -> Placement:
    """The clip by sample index on a programme of ``frames`` samples at ``rate``."""
    stretch = setting.fit.rate
    pauses = tuple((round(at / stretch * rate), round(put / stretch * rate)) for at, put in setting.edits)
    taken = fitted_frames(clip, stretch=stretch, pauses=pauses, rate=rate)
    # Rounding must not carry the last sample of a clip past the end of the programme.
    heard = setting.fit.start - clip.lead / 1000 / stretch  # the voice starts on time, not its silence
    start = max(0, min(round(heard * rate), frames - taken))
    return Placement(line=line, start=start, frames=taken, clip=clip, stretch=stretch, pauses=pauses)


@dataclass(frozen=True, slots=True)
class Flag:
    """Why a person may want to look at a line."""

    word: str
    """``overlap``, ``emergency_rate``, ``fast``, ``late``, ``early``, ``too_long`` or ``short``."""
    reason: str


def flags(slot: Slot, setting: Setting, *, bounds: Bounds = BOUNDS) -> tuple[Flag, ...]:
    """What did not fit about a line, worst first; nothing when all is well."""
    fit, total = setting.fit, slot.native * setting.fit.rate
    window = bounds.late_on_screen if slot.on_screen else bounds.late
    late, over = fit.start - slot.start, setting.end - slot.end
    found = [
        (fit.overlap > OVERLAP, "overlap", f"It runs {fit.overlap:.1f} s into a later line."),
        (
            total > bounds.fastest + 1e-3,
            "emergency_rate",
            f"It is spoken {total:.2f} times as fast as natural, because nothing slower fits.",
        ),
        (
            FAST + 1e-3 < total <= bounds.fastest + 1e-3,
            "fast",
            f"It is spoken {total:.2f} times as fast as natural.",
        ),
        (late > window + 0.01, "late", f"It starts {late:.1f} s after the original, behind a long line."),
        (late < -bounds.early - 0.01, "early", f"It starts {-late:.1f} s early to end with the programme."),
        (over > BEYOND, "too_long", f"It ends {over:.1f} s after the original; a shorter wording would fit."),
        (over < -BEYOND, "short", f"It ends {-over:.1f} s before the original does."),
    ]
    return tuple(Flag(word, reason) for applies, word, reason in found if applies)


def _snapped(
    slots: Sequence[Slot], fits: Sequence[Fit], *, programme: float, weights: Weights
) -> tuple[Fit, ...]:
    """Rates nobody notices become 1 and rates that drag become SLOWEST, where no overlap comes of it."""
    fixed: dict[int, float] = {}
    for i, (slot, fit) in enumerate(zip(slots, fits, strict=True)):
        if slot.locked_rate is not None:
            continue
        rate = max(fit.rate, SLOWEST / slot.native)
        if abs(1 / rate - 1) <= SNAP + 0.005:  # 0.95 is 1/1.0526: it belongs to the zone
            # What was spoken too fast is not left so for the stretcher's sake.
            is_eased = rate < 1 and slot.native > FAST
            fixed[i] = max(rate, FAST / slot.native) if is_eased else 1.0
        elif rate > fit.rate:
            fixed[i] = rate
    if not fixed:
        return tuple(fits)
    for _ in range(4):
        found = refit(slots, programme=programme, fixed_rates=fixed, weights=weights)
        worse = [i for i, fit in enumerate(found) if fit.overlap > max(OVERLAP, fits[i].overlap + 1e-3)]
        loose = {k for i in worse for k in range(i - 4, i + 5) if k in fixed}
        if not loose:
            return found
        for k in loose:
            del fixed[k]
    return tuple(fits)


def _shorter(slot: Slot, fit: Fit) -> int:
    """The longest wording that would fit at a natural rate, else the shortest; never a longer one."""
    if len(slot.choices) == 1:
        return fit.choice
    room = slot.choices[fit.choice].seconds / fit.rate / slot.native * (1 + SNAP)
    order = sorted(range(len(slot.choices)), key=lambda k: -slot.choices[k].seconds)
    shorter = [k for k in order if slot.choices[k].seconds < slot.choices[fit.choice].seconds]
    return next((k for k in shorter if slot.choices[k].seconds <= room), [fit.choice, *shorter][-1])


def _lasting(slot: Slot, choice: int, seconds: float) -> Slot:
    choices = list(slot.choices)
    choices[choice] = replace(choices[choice], seconds=seconds)
    return replace(slot, choices=tuple(choices))


def _pauses(line: Line) -> list[tuple[int, int]]:
    """Silences between a line's phrases, ms."""
    spans = [phrase.span for phrase in line.phrases]
    gaps = [(a.end, b.start) for a, b in pairwise(spans)]
    return [(a, b) for a, b in gaps if b - a >= PAUSE]


@lru_cache(maxsize=16384)
def _features(text: str, language: str) -> Features:
    return features(text, language)
