"""Rendering: the source's own sound with the dub in place of the voice, in one pass and bounded memory.

The programme was read once before (:mod:`autodub.media.survey`), and what was measured then settles every
gain and curve before a sample is mixed; this reading mixes, writes and measures what was written. Outside
speech, dub and ducks the output is the source, bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import numpy.typing as npt

from autodub.dubbing import channels as layouts
from autodub.dubbing import ducking, levels, mixing
from autodub.dubbing.levels import CELL_MS, Cells
from autodub.dubbing.mixing import fitted_frames
from autodub.media.bed import Bed, scaled
from autodub.media.flac import FlacWriter
from autodub.media.limiting import CONTEXT, relief
from autodub.media.loudness import Meter, block_frames
from autodub.media.mix_plan import MixPlan, plan_mix
from autodub.media.placing import Sounding, Stem, sounding
from autodub.media.rendered import LineLevel, Rendered, WindowLevel
from autodub.media.sound import Pipe, Samples, Writer
from autodub.media.survey import MixSource, gating
from autodub.model.errors import MediaError
from autodub.model.media import Blob, Timeline
from autodub.model.speech import Line
from autodub.model.time import Span, merged

__all__ = ["LineLevel", "Rendered", "WindowLevel", "fitted_frames", "render"]

_BED_RATE = 16_000


def render(
    *,
    mix: Path,
    background: Path | None,
    source: MixSource,
    spans: Sequence[Span],
    keep: Sequence[Span],
    timeline: Timeline,
    clip_path: Callable[[Blob], Path],
    out: Path | Pipe,
    bed16: Path,
    target_lufs: float | None,
    layout: str,
    bed_is_estimate: bool,
    lines: Sequence[Line] = (),
    clear_speech: bool = False,
    dialogue: Path | None = None,
    progress: Callable[[float], None] | None = None,
    check: Callable[[], None] | None = None,
) -> Rendered:
    """Mix a dub; returns what was measured while doing so.

    ``out`` (a file, or a pipe to whoever reads it) becomes float32 with the mix's rate, channels and
    frames; ``bed16`` what is in it besides the dub, as 16 kHz mono (the centre, or the mean of all channels)
    of 16 bits; ``dialogue`` the dub alone, as mono FLAC of 16 bits at the mix's rate. ``spans`` is where the
    source speaks (unpadded), ``keep`` where it stays as it is; ``source`` is a survey of just these. A
    placement whose line is among ``lines`` is brought to the level of the original line; ``Placement.gain``
    comes on top. ``target_lufs`` None matches the source's loudness. Without a ``background`` the voice is
    lowered by 15 dB instead.

    Raises MediaError when the parts do not fit together, OutputProblem when there is no room.
    """
    tell = progress or (lambda _: None)
    ask = check or (lambda: None)
    gates, gate = gating(spans, keep, rate=timeline.rate, frames=timeline.frames)
    with Bed(mix, background, gate=gate, layout=layout) as bed:
        _fits(bed, timeline)
        clips = []
        for placement in timeline.placements:
            ask()
            path = clip_path(placement.clip.audio.blob)
            clips.append(sounding(placement, rate=timeline.rate, path=path))
        plan = plan_mix(
            source,
            timeline,
            clips,
            lines=lines,
            spans=spans,
            target=target_lufs,
            bus_gain=layouts.bus_gain(layout, bed.channels),
            estimated=bed_is_estimate,
            clear=clear_speech,
        )
        mixer = _Mixer(bed, timeline, plan, source, layout=layout, clip_path=clip_path)
        mixer.run(out, bed16, dialogue, tell=tell, ask=ask)
    return mixer.report(source, clips, gates)


def _fits(bed: Bed, timeline: Timeline) -> None:
    if (bed.rate, bed.frames) != (timeline.rate, timeline.frames):
        raise MediaError(
            f"The plan is for {timeline.frames} samples at {timeline.rate} Hz, "
            f"the sound has {bed.frames} at {bed.rate} Hz.",
            hint="The plan belongs to another source; run again without its project file.",
        )
    for placement in timeline.placements:
        if placement.start < 0 or placement.start + placement.frames > timeline.frames:
            raise MediaError(
                f"Line {placement.line} does not fit on the programme: samples {placement.start} to "
                f"{placement.start + placement.frames} of {timeline.frames}.",
                hint="The plan is out of date; run again without its project file.",
            )


class _Mixer:
    """The second reading: mixes, writes, and measures what it wrote."""

    def __init__(
        self,
        bed: Bed,
        timeline: Timeline,
        plan: MixPlan,
        source: MixSource,
        *,
        layout: str,
        clip_path: Callable[[Blob], Path],
    ) -> None:
        self._bed, self._timeline, self._plan = bed, timeline, plan
        self._bus = layouts.bus(layout, bed.channels)
        self._carried = layouts.bus_gain(layout, bed.channels)
        self._channel = layouts.speech_channels(layout, bed.channels)[0]
        self._downmix = layouts.downmix(layout, bed.channels)
        self._stem = Stem(timeline.placements, rate=bed.rate, clip_path=clip_path, gains=plan.gains)
        self._gain = np.float32(10 ** (plan.levelling.programme / 20))
        gain = plan.levelling.programme
        self._ceiling = mixing.ceiling(source.true_peak + gain) / 10 ** (gain / 20)
        self._out = Meter(bed.rate, bed.channels, layout)
        self._dub = Meter(bed.rate, 1, "mono", peaks=False)
        self._difference = Meter(bed.rate, 1, "mono", peaks=False)
        self._null = np.zeros(3)
        """Sums of squares of the difference, of the mix and of the output where nothing was done."""
        self._null_frames = self._limited = self._dipped = 0

    def run(
        self,
        out: Path | Pipe,
        bed16: Path,
        dialogue: Path | None,
        *,
        tell: Callable[[float], None],
        ask: Callable[[], None],
    ) -> None:
        """Write all files."""
        bed = self._bed
        size, context = block_frames(bed.channels), round(CONTEXT * bed.rate)
        with (
            out if isinstance(out, Pipe) else Writer(out, rate=bed.rate, channels=bed.channels) as whole,
            Writer(bed16, rate=_BED_RATE, channels=1, subtype="PCM_16") as small,
            FlacWriter(dialogue, rate=bed.rate, channels=1) if dialogue else nullcontext() as alone,
        ):
            narrow = _Narrow(small, bed.rate, bed.frames)
            for start in range(0, bed.frames, size):
                ask()
                end = min(bed.frames, start + size)
                low, high = max(0, start - context), min(bed.frames, end + context)
                mixed, ground, spoken = self._mix(low, high, slice(start - low, end - low))
                whole.write(mixed)
                if alone is not None and spoken is not None:
                    alone.write(spoken)
                elif alone is not None:
                    alone.silence(end - start)
                narrow.add(self._narrowed(ground), last=end == bed.frames)
                tell(end / bed.frames)

    def _narrowed(self, ground: Samples) -> Samples:
        """The channel speech is looked for in."""
        out = np.zeros(len(ground), dtype=np.float32)
        for channel in np.flatnonzero(self._downmix):
            out += ground[:, channel] * self._downmix[channel]
        return out

    def _mix(self, low: int, high: int, core: slice) -> tuple[Samples, Samples, Samples | None]:
        """Output, bed and dub (None for silence) of the core of ``[low, high)``."""
        frames = high - low
        mix, bed, weights = self._bed.read(low, frames)
        touched = np.zeros(frames, dtype=np.bool_) if weights is None else weights > 0
        if self._plan.duck.constant(low, frames) != 0.0:
            factors = self._plan.duck.gains(low, frames)
            bed = scaled(bed, factors)
            touched |= factors < 1
        voice: Samples | None = None
        if (found := self._stem.read(low, frames)) is not None:
            voice = found[0]
            touched |= found[1]
        eased = relief(bed, voice, self._bus, ceiling=self._ceiling, rate=self._bed.rate, free=touched)
        if eased.dub is not None and voice is not None:
            voice = voice * eased.dub
            self._limited += int(np.count_nonzero(eased.dub[core] < 1))
        if eased.bed is not None:
            bed = scaled(bed, eased.bed)
            touched |= eased.bed < 1
            self._dipped += int(np.count_nonzero(eased.bed[core] < 1))
        mix, bed, touched = mix[core], bed[core], touched[core]
        spoken = None if voice is None else voice[core] * self._gain
        if self._gain != 1:
            bed = bed * self._gain
        out = bed
        if spoken is not None:
            out = bed.copy()
            for channel in np.flatnonzero(self._bus):
                out[:, channel] += spoken * self._bus[channel]
        self._measure(out, bed, spoken)
        self._compare(out, mix, ~touched)
        return out, bed, spoken

    def _measure(self, out: Samples, bed: Samples, spoken: Samples | None) -> None:
        self._out.add(out)
        silence = np.zeros((len(out), 1), dtype=np.float32)
        channel = self._channel
        self._dub.add(silence if spoken is None else spoken[:, np.newaxis])
        self._difference.add(
            silence if spoken is None else (out[:, channel] - bed[:, channel])[:, np.newaxis]
        )

    def _compare(self, out: Samples, mix: Samples, alone: npt.NDArray[np.bool_]) -> None:
        count = int(np.count_nonzero(alone))
        if not count:
            return
        self._null_frames += count
        there, here = (mix, out) if count == len(mix) else (mix[alone], out[alone])
        if self._gain != 1:
            there = there * self._gain
        for index, values in enumerate((here - there, there, here)):
            flat = values.ravel()
            self._null[index] += float(np.einsum("i,i->", flat, flat, dtype=np.float64))

    def report(self, source: MixSource, clips: Sequence[Sounding], gates: Sequence[Span]) -> Rendered:
        """Everything measured."""
        plan, rate = self._plan, self._bed.rate
        dub, active = self._dub.cells(), plan.active
        on_bus = dub * 10 ** (self._carried / 10)
        down = ducking.on_cells(plan.duck, len(dub), rate=rate)
        ground = source.bed * 10 ** ((plan.levelling.programme - down) / 10)
        error, there, here = self._null.tolist()
        ducked = ducking.spans(plan.duck, rate=rate, frames=self._bed.frames)
        places = [
            Span(p.start * 1000 // rate, -(-(p.start + p.frames) * 1000 // rate))
            for p in self._timeline.placements
        ]
        return Rendered(
            rate=rate,
            channels=self._bed.channels,
            frames=self._out.frames,
            source_lufs=source.lufs,
            target_lufs=plan.target,
            output_lufs=self._out.integrated(),
            dub_lufs=levels.level(on_bus, active),
            bed_lufs=levels.level(ground, active),
            dub_gain=plan.levelling.dub,
            programme_gain=plan.levelling.programme,
            source_true_peak=source.true_peak,
            true_peak=self._out.true_peak(),
            source_clipped=source.clipped,
            clipped=self._out.clipped,
            null_db=_null(error, there) if self._null_frames else None,
            null_frames=self._null_frames,
            bed_change=10 * math.log10(here / there) if here > 0 and there > 0 else None,
            bed_step=levels.step(source.bed, gates),
            duck_max=float(down.max(initial=0.0)),
            duck_mean=float(down[active].mean()) if active.any() else 0.0,
            limited_frames=self._limited,
            dipped_frames=self._dipped,
            dub_without_bed=levels.level(dub, active),
            dub_with_bed=levels.level(self._difference.cells(), active),
            lines=self._line_levels(on_bus, clips),
            windows=_windows(on_bus, ground, plan),
            altered=merged([*gates, *ducked, *places]),
            ducked=ducked,
        )

    def _line_levels(self, dub: Cells, clips: Sequence[Sounding]) -> tuple[LineLevel, ...]:
        out = []
        for index, placement in enumerate(self._timeline.placements):
            clip = clips[index]
            cells = dub[clip.first : clip.first + len(clip.cells)]
            level = levels.level(cells, clip.active[: len(cells)])
            there = self._plan.sources.get(placement.line, -math.inf)
            out.append(
                LineLevel(
                    placement.line,
                    there if math.isfinite(there) else None,
                    level if math.isfinite(level) else None,
                    self._plan.gains[index],
                    self._stem.edges[index],
                )
            )
        return tuple(out)


class _Narrow:
    """Streams one channel into a 16-kHz file of exactly the matching length."""

    def __init__(self, writer: Writer, rate: int, frames: int) -> None:
        import soxr

        self._writer = writer
        self._left = (2 * frames * _BED_RATE + rate) // (2 * rate)
        self._stream = soxr.ResampleStream(rate, _BED_RATE, 1, dtype="float32", quality="HQ")

    def add(self, samples: Samples, *, last: bool) -> None:
        """Take the next samples ``(n,)``; ``last`` flushes."""
        done: Samples = self._stream.resample_chunk(np.ascontiguousarray(samples), last=last)[: self._left]
        self._writer.write(done)
        self._left -= len(done)
        if last and self._left:
            self._writer.write(np.zeros(self._left, dtype=np.float32))


def _null(error: float, there: float) -> float:
    if error <= 0:
        return -math.inf
    return 10 * math.log10(error / there) if there > 0 else 0.0


def _windows(dub: Cells, ground: Cells, plan: MixPlan) -> tuple[WindowLevel, ...]:
    """Levels per 3 s in which at least 0.3 s are spoken."""
    out = []
    for start in range(0, len(dub), 300):
        here = slice(start, start + 300)
        active = plan.active[here]
        if np.count_nonzero(active) >= 30:
            target = float(np.mean(plan.wanted[start // 10 : start // 10 + 30]))
            voice, bed = levels.level(dub[here], active), levels.level(ground[here], active)
            out.append(WindowLevel(start * CELL_MS, voice, bed, target))
    return tuple(out)
