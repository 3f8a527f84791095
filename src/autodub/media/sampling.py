"""Measuring and cutting the sample that a voice is cloned from.

Every candidate is read once to be measured, the chosen ones once more to be cut; no more than a
stretch and its surroundings is ever held.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from autodub.dubbing.channels import downmix
from autodub.dubbing.sampling import SURVEYED, Stretch, gain, select
from autodub.media.sound import Reader, Samples, Writer, resample
from autodub.model.errors import Rejected
from autodub.model.time import Span, merged, subtract

Floats = npt.NDArray[np.float64]

HIGHEST = 48_000
"""Samples per second of a sample at most."""
GAP = 200
"""Milliseconds of silence between two stretches."""
_FADE = 8
"""Milliseconds faded at both ends of a stretch."""
_AROUND = 1000
"""Milliseconds before and after a stretch that are looked into for the background."""
_KEEP_OFF = 60
"""Milliseconds next to speech that do not count as background."""
_PIECE = 15_000
"""Milliseconds of a stretch at most; longer ones are parted where it is quietest."""
_SHORTEST = 800
"""Milliseconds below which a stretch is not worth having."""
_FULL = 0.9995
"""Amplitude from which a sample counts as clipped."""
_COARSE = 200.0 * 2.0 ** np.arange(0, 6.01)
"""Hz of the edges of the coarse bands: octaves from 200 Hz to 12.8 kHz."""
_FINE = 200.0 * 2.0 ** (np.arange(0, 13) / 3)
"""Hz of the edges of the bands that tonality is judged in: third octaves from 200 Hz to 3.2 kHz."""
_TINY = 1e-12


@dataclass(frozen=True, slots=True)
class Sampled:
    """A sample that was cut."""

    seconds: float
    """Speech in it."""
    is_clean: bool
    """False when music or noise is heard in it."""
    spans: tuple[Span, ...]
    """The stretches it was made of, in order."""
    notes: tuple[str, ...] = ()
    """What is less good than could be wished, in sentences for people."""


@dataclass(frozen=True, slots=True)
class _Energy:
    """What the gain of a stretch is worked out from."""

    total: float
    """Sum of the squared samples."""
    frames: int
    peak: float


def cut_sample(
    mix: Path,
    layout: str,
    spans: Sequence[Span],
    out: Path,
    *,
    speech: Sequence[Span],
    check: Callable[[], None] = lambda: None,
) -> Sampled:
    """Write the best one to two minutes of a speaker to ``out``: mono WAV at the mix's rate (at most 48 kHz).

    ``spans`` are where only this speaker talks, best first (five minutes of them are looked into),
    ``speech`` where anybody does: what lies between tells the background. ``layout`` is ffmpeg's name
    of the mix's channel layout. One gain brings the whole sample to -20 dB RMS, its peak at most to
    -3 dB. ``check`` is called between blocks and may raise.
    Raises Rejected when there is nothing to cut; what is enough is for the cloner to say.
    """
    with Reader(mix) as reader:
        factors = downmix(layout, reader.channels)
        length = reader.frames * 1000 // reader.rate
        inside = _first([Span(s.start, min(s.end, length)) for s in spans if s.start < length])
        talk = merged([*speech, *inside])
        stretches: list[Stretch] = []
        energies: dict[Span, _Energy] = {}
        for span in inside:
            for stretch, energy in _measured(reader, factors, span, talk=talk):
                stretches.append(stretch)
                energies[stretch.span] = energy
            check()
        chosen = select(stretches)
        if not chosen.stretches:
            heard = sum(span.duration for span in inside) / 1000
            raise Rejected(
                f"None of the {heard:.1f} seconds in which this speaker talks alone is clear enough "
                "to clone a voice from.",
                hint="The speaker gets a stock voice.",
            )
        spoken = [stretch.span for stretch in chosen.stretches]
        gaps = GAP * (len(spoken) - 1) * reader.rate // 1000
        frames = sum(energies[span].frames for span in spoken) + gaps
        rms = _decibels(sum(energies[span].total for span in spoken) / max(1, frames))
        peak = 2 * _decibels(max(energies[span].peak for span in spoken))
        factor = 10 ** (gain(rms, peak) / 20)
        rate = min(reader.rate, HIGHEST)
        with Writer(out, rate=rate, channels=1, subtype="PCM_16") as writer:
            for index, span in enumerate(spoken):
                check()
                if index:
                    writer.write(np.zeros(GAP * rate // 1000, dtype=np.float32))
                start, end = _frames(span, reader.rate)
                piece = resample(_mono(reader, factors, start, end) * np.float32(factor), reader.rate, rate)
                writer.write(np.clip(_faded(piece, rate), -1.0, 1.0))
    return Sampled(round(chosen.seconds, 3), chosen.is_clean, tuple(spoken), chosen.notes)


def _first(spans: Sequence[Span]) -> list[Span]:
    """The first spans up to five minutes: more would take time and make no better sample."""
    reached = np.cumsum([0, *(span.duration for span in spans)])
    return [span for span, before in zip(spans, reached[:-1], strict=True) if before < SURVEYED]


def _measured(
    reader: Reader, factors: Samples, span: Span, *, talk: tuple[Span, ...]
) -> Iterator[tuple[Stretch, _Energy]]:
    """The measures of a stretch, parted where it is long."""
    for piece in _parted(reader, factors, span):
        if piece.duration < _SHORTEST:
            continue
        around = Span(max(0, piece.start - _AROUND), piece.end + _AROUND)
        start, end = _frames(around, reader.rate)
        sound = _mono(reader, factors, start, end)
        first, last = (at - start for at in _frames(piece, reader.rate))
        own = sound[first:last]
        if len(own) == 0:
            continue
        power, hop = _spectra(sound, reader.rate)
        middles = around.start + (np.arange(len(power)) + 1) * hop * 1000 / reader.rate
        pauses = subtract([around], [Span(max(0, t.start - _KEEP_OFF), t.end + _KEEP_OFF) for t in talk])
        between = np.zeros(len(power), dtype=bool)
        for pause in pauses:
            between |= (middles >= pause.start) & (middles < pause.end)
        said = (middles >= piece.start) & (middles < piece.end)
        squares = np.square(own, dtype=np.float64)
        energy = _Energy(float(squares.sum()), len(own), float(np.abs(own).max()))
        clipped = float(np.mean(np.abs(own) >= _FULL))
        yield _judged(piece, power, said=said, between=between, rate=reader.rate, clipped=clipped), energy


def _judged(
    span: Span, power: Floats, *, said: npt.NDArray[np.bool_], between: npt.NDArray[np.bool_],
    rate: int, clipped: float,
) -> Stretch:  # fmt: skip
    """Level, background and spectrum of a stretch from the power spectra of its frames."""
    hertz = np.linspace(0, rate / 2, power.shape[1])
    energy = power[:, hertz >= 80.0].sum(axis=1)
    own = power[said] if said.any() else power
    own_energy = energy[said] if said.any() else energy
    active = own_energy >= np.percentile(own_energy, 95) * 1e-2
    loud = float(own_energy[active].mean())
    tonality = 0.0
    if np.count_nonzero(between) >= 6:
        floor = float(energy[between].mean())
        tonality = _tonality(power[between], hertz)
    else:  # nobody pauses here: the quietest moments inside have to tell, which hold some voice themselves
        quiet = np.sort(own_energy)[: max(3, len(own_energy) // 50)]
        floor = float(quiet.mean())
    return Stretch(
        span=span,
        level=round(_decibels(loud), 2),
        clarity=round(_decibels(max(loud - floor, _TINY)) - _decibels(floor), 2),
        tonality=round(tonality, 3),
        clipped=clipped,
        bands=_levels(own[active].mean(axis=0), hertz),
    )


def _tonality(power: Floats, hertz: Floats) -> float:
    """1 minus the flatness of the mean spectrum within narrow bands, which a tilt leaves alone; 0 = noise.

    The bands count by their energy. What lies steady between the bands' neighbours is a tone.
    """
    mean = power.mean(axis=0) + _TINY
    flatness, energy = [], []
    for low, high in itertools.pairwise(_FINE):
        band = mean[(hertz >= low) & (hertz < high)]
        if len(band) >= 3:
            flatness.append(float(np.exp(np.log(band).mean()) / band.mean()))
            energy.append(float(band.mean()))
    return 1.0 - float(np.average(flatness, weights=energy)) if energy else 0.0


def _levels(power: Floats, hertz: Floats) -> tuple[float, ...]:
    """Levels of the coarse bands, dB, mean removed; bands above the sound's own limit are left out."""
    levels = []
    for low, high in itertools.pairwise(_COARSE):
        inside = (hertz >= low) & (hertz < high)
        levels.append(_decibels(float(power[inside].sum())) if inside.any() else math.nan)
    known = np.array(levels)[~np.isnan(levels)]
    # A telephone carries nothing above 4 kHz: past some point lower is not more different.
    known = np.maximum(known, known.max(initial=-120.0) - 60.0)
    return tuple(round(float(level), 2) for level in known - known.mean())


def _spectra(sound: Samples, rate: int) -> tuple[Floats, int]:
    """Power spectra ``(n, bins)`` of windowed frames of about 43 ms, half overlapping, and their hop.

    Scaled so that the sum over a frame is its mean square.
    """
    import scipy.fft

    size = 1 << round(math.log2(rate * 0.043))
    if len(sound) < size:
        sound = np.pad(sound, (0, size - len(sound)))
    frames = np.lib.stride_tricks.sliding_window_view(sound, size)[:: size // 2]
    window = np.hanning(size).astype(np.float32)
    spectra = scipy.fft.rfft(frames * window, axis=1)
    power = np.square(spectra.real, dtype=np.float64)
    power += np.square(spectra.imag, dtype=np.float64)
    power *= 2.0 / (size * float(np.sum(window**2)))
    return np.asarray(power), size // 2


def _parted(reader: Reader, factors: Samples, span: Span) -> Iterator[Span]:
    """The span in pieces of 15 s at most, parted at the quietest moment of each one's second half."""
    start = span.start
    while span.end - start > _PIECE:
        first, last = _frames(Span(start + _PIECE // 2, start + _PIECE), reader.rate)
        hop = reader.rate // 50
        sound = _mono(reader, factors, first, last)
        count = len(sound) // hop
        if count == 0:
            return
        levels = np.square(sound[: count * hop], dtype=np.float64).reshape(count, hop).sum(axis=1)
        middle = start + _PIECE // 2 + int(np.argmin(levels)) * 20 + 10
        yield Span(start, middle)
        start = middle
    yield Span(start, span.end)


def _mono(reader: Reader, factors: Samples, start: int, end: int) -> Samples:
    """Frames of the channels that carry the speech, as one."""
    block = reader.read(start, max(0, end - start))
    out = np.zeros(len(block), dtype=np.float32)
    for channel in np.flatnonzero(factors):  # ten times faster than a sum over so short an axis
        out += block[:, channel] * factors[channel]
    return out


def _frames(span: Span, rate: int) -> tuple[int, int]:
    return round(span.start * rate / 1000), round(span.end * rate / 1000)


def _faded(piece: Samples, rate: int) -> Samples:
    edge = min(len(piece) // 2, _FADE * rate // 1000)
    if edge:
        ramp = (0.5 - 0.5 * np.cos(np.pi * (np.arange(edge) + 0.5) / edge)).astype(np.float32)
        piece[:edge] *= ramp
        piece[len(piece) - edge :] *= ramp[::-1]
    return piece


def _decibels(power: float) -> float:
    return 10.0 * math.log10(max(power, _TINY))
