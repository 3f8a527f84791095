"""What rendering found out about its own mix: the figures a receipt is made of."""

from __future__ import annotations

from dataclasses import dataclass

from autodub.model.time import Span


@dataclass(frozen=True, slots=True)
class LineLevel:
    """Levels of one dubbed line, LUFS over its speech, as they sound on the programme's channels."""

    line: str
    source: float | None
    """The original line, background taken off; None when unknown or silent."""
    dub: float | None
    """The line as mixed."""
    gain: float
    """Gain its clip got in all, dB."""
    edges: tuple[float, float]
    """Level of the clip's first and last 10 ms against the clip's own, dB."""


@dataclass(frozen=True, slots=True)
class WindowLevel:
    """Dub against background in 3 s, over the parts in which the dub speaks, LUFS."""

    start: int
    """Milliseconds."""
    voice: float
    bed: float
    """As mixed, duck included; ``-inf`` for silence."""
    target: float
    """Difference aimed at, LU."""

    @property
    def difference(self) -> float:
        """Speech-to-background difference, LU."""
        return self.voice - self.bed


@dataclass(frozen=True, slots=True)
class Rendered:
    """A finished mix, before encoding."""

    rate: int
    channels: int
    frames: int
    source_lufs: float
    """Integrated loudness of the source; ``-inf`` for silence (as everywhere here)."""
    target_lufs: float
    output_lufs: float
    dub_lufs: float
    """The dub alone, as it sounds on the programme, over its speech."""
    bed_lufs: float
    """The background under the dub's speech, as measured before ducking, less the duck."""
    dub_gain: float
    """Gain all lines got to bring the programme to its target, dB."""
    programme_gain: float
    """The one gain of everything, dB; 0 = the source itself outside speech."""
    source_true_peak: float
    """dBTP."""
    true_peak: float
    """dBTP."""
    source_clipped: int
    """Samples beyond full scale in the source, all channels."""
    clipped: int
    """The same in the output."""
    null_db: float | None
    """Null test: ``20·log10(rms(out - g·mix)/rms(mix))`` where nothing was done; ``-inf`` = bit for bit.

    None when no sample was left alone.
    """
    null_frames: int
    """Samples per channel the null test covers."""
    bed_change: float | None
    """Level of the background outside ducks and gates against the source's, programme gain undone, dB."""
    bed_step: float | None
    """Mean size of the step in the background's level between gate and neighbourhood, LU; None = no gate."""
    duck_max: float
    """Deepest duck, dB."""
    duck_mean: float
    """Mean duck over the dub's speech, dB."""
    limited_frames: int
    """Samples in which the dub was limited."""
    dipped_frames: int
    """Samples in which the background dipped because the sum would have been too loud."""
    dub_without_bed: float
    """Level of the dub stem over its speech, LUFS, as one channel."""
    dub_with_bed: float
    """The same, taken from the finished mix by subtracting the background."""
    lines: tuple[LineLevel, ...]
    windows: tuple[WindowLevel, ...]
    altered: tuple[Span, ...]
    """Where the output differs from the source on purpose."""
    ducked: tuple[Span, ...]
    """Where the background is lowered under the dub."""
