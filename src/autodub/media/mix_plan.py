"""Planning the mix: every gain and curve, settled from energies before a sample is mixed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from autodub.dubbing import ducking, levels, mixing
from autodub.dubbing.levels import CELL_MS, Cells, Mask
from autodub.dubbing.mixing import Envelope
from autodub.media.placing import Sounding
from autodub.media.survey import MixSource
from autodub.model.media import Timeline
from autodub.model.speech import Line
from autodub.model.time import Span, intersection, merged, touching


@dataclass(frozen=True, slots=True)
class MixPlan:
    """Every gain and curve of the mix."""

    gains: dict[int, float]
    """Per placement, dB."""
    duck: Envelope
    levelling: mixing.Levelling
    target: float
    active: Mask
    """Cells in which the dub speaks."""
    wanted: npt.NDArray[np.float64]
    """Difference of speech and background aimed at per 100 ms, LU."""
    sources: dict[str, float]
    """Level of the original line by line id, LUFS."""


def _targets(
    source: MixSource, spans: Sequence[Span], *, estimated: bool, clear: bool
) -> npt.NDArray[np.float64]:
    active = levels.covered(spans, len(source.mix))
    voice = levels.speech_cells(source.mix, source.bed)
    there = ducking.difference(voice, source.bed, active)
    return ducking.targets(there, points=len(there), estimated=estimated, clear=clear)


def plan_mix(
    source: MixSource,
    timeline: Timeline,
    clips: Sequence[Sounding],
    *,
    lines: Sequence[Line],
    spans: Sequence[Span],
    target: float | None,
    bus_gain: float,
    estimated: bool,
    clear: bool,
) -> MixPlan:
    """Settle all gains and the duck. ``clips`` belong to the timeline's placements, one each.

    ``bus_gain`` is what a mono clip gains in loudness by being put on the programme's channels, LU.
    """
    count = len(source.mix)
    wanted = _targets(source, spans, estimated=estimated, clear=clear)
    matched, sources = _match(source, timeline, clips, lines, spans, bus_gain)
    dub, peaks, active = np.zeros(count), np.zeros(count), np.zeros(count, dtype=np.bool_)
    for clip, placement in zip(clips, timeline.placements, strict=True):
        size = min(len(clip.cells), count - clip.first)
        gain = matched.get(placement.line, 0.0) + placement.gain + bus_gain
        here = slice(clip.first, clip.first + size)
        dub[here] += clip.cells[:size] * 10 ** (gain / 10)
        peaks[here] = np.maximum(peaks[here], clip.peaks[:size] * 10 ** ((gain - bus_gain) / 20))
        active[here] |= clip.active[:size]
    places = [(p.start, p.start + p.frames) for p in timeline.placements]

    ceiling = mixing.ceiling(source.true_peak)

    def ducked(gain: float) -> Envelope:
        depth = ducking.needs(ducking.difference(dub * 10 ** (gain / 10), source.bed, active), wanted)
        return ducking.curve(places, depth, rate=timeline.rate)

    def loudness(gain: float) -> float:
        down = ducking.on_cells(ducked(gain), count, rate=timeline.rate)
        ground = source.bed * 10 ** (down / -10)
        room = ceiling - np.sqrt(ground / 2)
        return levels.integrated(ground + dub * mixing.limited(peaks, gain=gain, room=room))

    goal = source.lufs if target is None else target
    explicit = target is not None
    chosen = (
        mixing.levelling(loudness, target=goal, source_peak=source.true_peak, explicit=explicit)
        if clips or explicit
        else mixing.Levelling(0.0, 0.0, source.lufs)
    )
    gains = {
        index: matched.get(placement.line, 0.0) + placement.gain + chosen.dub
        for index, placement in enumerate(timeline.placements)
    }
    return MixPlan(gains, ducked(chosen.dub), chosen, goal, active, wanted, sources)


def _match(
    source: MixSource,
    timeline: Timeline,
    clips: Sequence[Sounding],
    lines: Sequence[Line],
    spans: Sequence[Span],
    carried: float,
) -> tuple[dict[str, float], dict[str, float]]:
    """Gain per line that brings it to the original's level, and that level."""
    spoken = {placement.line for placement in timeline.placements}
    known = [line for line in lines if line.id in spoken]
    speakers = [line.speaker for line in known]
    voice = levels.speech_cells(source.mix, source.bed)
    heard = merged(spans)
    mine: dict[str, list[Sounding]] = {}
    for clip, placement in zip(clips, timeline.placements, strict=True):
        mine.setdefault(placement.line, []).append(clip)
    there: list[tuple[float, float]] = []
    here: list[tuple[float, float]] = []
    for line in known:
        found = _within(voice, intersection([line.span], touching(heard, line.span)))
        there.append(found if found[1] else _within(voice, (line.span,)))
        here.append((sum(c.energy for c in mine[line.id]), sum(c.seconds for c in mine[line.id])))
    original = levels.line_levels([e for e, _ in there], [s for _, s in there], speakers)
    dubbed = levels.line_levels([e for e, _ in here], [s for _, s in here], speakers)
    gains = mixing.line_gains(original, [level + carried for level in dubbed], speakers)
    ids = [line.id for line in known]
    return dict(zip(ids, gains, strict=True)), dict(zip(ids, original, strict=True))


def _within(voice: Cells, spans: Sequence[Span]) -> tuple[float, float]:
    """Energy (mean square times seconds) and seconds of a voice over spans; only their cells are touched."""
    if not spans:
        return 0.0, 0.0
    first = spans[0].start // CELL_MS
    part = voice[first : -(-spans[-1].end // CELL_MS) + 1]
    active = levels.covered([span.shifted(-first * CELL_MS) for span in spans], len(part))
    if not active.any():
        return 0.0, 0.0
    return float(part[active].sum()) * CELL_MS / 1000, float(active.sum()) * CELL_MS / 1000
