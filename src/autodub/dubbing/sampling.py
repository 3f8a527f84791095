"""Which stretches of a speaker a cloning engine should hear: loud, clear, and all recorded alike.

A cloner copies what it is given, the room and the music included, so it is better to give it a
minute that is good than all there is. Levels and the length wanted (one to two minutes, RMS -23 to
-18 dB, peak -3 dB) are those ElevenLabs asks for; the thresholds are settings of ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from autodub.dubbing.casting import sample_spans
from autodub.model.speech import Line
from autodub.model.time import Span

ENOUGH = 90.0
"""Seconds of clear speech after which no more is taken."""
LEAST = 60.0
"""Seconds up to which speech that is less clear is taken, too."""
SURVEYED = 300_000
"""Milliseconds of a speaker that are looked into at most."""
CLEAN = 20.0
"""dB of speech over background from which a stretch counts as clean."""
_HEARD = 35.0
"""dB of speech over background from which a background is not heard, whatever it is."""
_DROWNED = 6.0
"""dB of speech over background below which nobody is helped by a stretch."""
_TONAL = 0.5
"""Tonality of a background from which it is taken for music (or another voice)."""
_QUIET = 12.0
"""dB below the others at which a stretch is too quiet."""
_SILENT = -55.0
"""dBFS below which a stretch is too quiet whatever the others are."""
_CLIPPED = 1e-3
"""Share of clipped samples from which a stretch is spoiled."""
_ALIKE = 7.0
"""dB between the spectra of two stretches up to which they count as one recording condition."""
_TELLING = 1500
"""Milliseconds from which a stretch has said enough to have a long-term spectrum."""
_PER_LEVEL = 0.3
"""What a dB of level weighs against a dB of spectrum when conditions are told apart."""
_TOLERATED = 0.1
"""Share of a sample that may be unclean."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """What was measured of a stretch where one speaker talks."""

    span: Span
    level: float
    """Level of its speech, dBFS."""
    clarity: float
    """dB of speech over what is heard in the pauses in and around it."""
    tonality: float
    """How tonal that background is: 0 noise .. 1 steady tones."""
    clipped: float
    """Share of samples at full scale, 0..1."""
    bands: tuple[float, ...]
    """Long-term spectrum of the speech in coarse bands, dB, mean removed."""

    @property
    def is_clean(self) -> bool:
        """Whether hardly anything but the voice is heard."""
        return self.clarity >= CLEAN and self.clipped < _CLIPPED and not _has_music(self)


@dataclass(frozen=True, slots=True)
class Selection:
    """The stretches of a sample, in programme order."""

    stretches: tuple[Stretch, ...]
    is_clean: bool
    notes: tuple[str, ...] = ()
    """What is less good than could be wished, in sentences for people."""

    @property
    def seconds(self) -> float:
        """Speech it holds."""
        return sum(stretch.span.duration for stretch in self.stretches) / 1000


def candidates(lines: Sequence[Line], speaker: str) -> tuple[Span, ...]:
    """Where only this speaker talks and a sample could be taken, longest first, five minutes at most."""
    return sample_spans(lines, speaker, enough=SURVEYED)


def select(stretches: Sequence[Stretch], *, enough: float = ENOUGH, least: float = LEAST) -> Selection:
    """The best stretches of one recording condition, up to ``enough`` seconds; unclean ones up to ``least``.

    Empty when there is nothing a voice could be cloned from.
    """
    usable = _audible(stretches)
    alike = _majority(usable)
    notes = []
    if len(alike) < len(usable):
        left = sum(s.span.duration for s in usable) - sum(s.span.duration for s in alike)
        notes.append(f"{left / 1000:.0f} s that sound differently recorded were left out of the sample")
    chosen: list[Stretch] = []
    taken = 0.0
    for stretch in sorted(alike, key=lambda s: (-_worth(s), -s.span.duration, s.span.start)):
        if taken >= (enough if stretch.is_clean else least):
            continue
        chosen.append(stretch)
        taken += stretch.span.duration / 1000
    unclean = [s for s in chosen if not s.is_clean]
    is_clean = sum(s.span.duration for s in unclean) / 1000 <= _TOLERATED * taken
    for what, some in (
        ("is distorted", [s for s in unclean if s.clipped >= _CLIPPED]),
        ("has music or other voices behind it", [s for s in unclean if _has_music(s)]),
        ("has noise behind it", [s for s in unclean if s.clarity < CLEAN and not _has_music(s)]),
    ):
        if some:
            seconds = sum(s.span.duration for s in some) / 1000
            notes.append(f"{seconds:.0f} s of the {taken:.0f} s sample {what}")
    return Selection(tuple(sorted(chosen, key=lambda s: s.span.start)), is_clean, tuple(notes))


def gain(rms: float, peak: float, *, target: float = -20.0, ceiling: float = -3.0) -> float:
    """Gain in dB that brings sound of this level (dBFS) to ``target``, its peak staying below ``ceiling``."""
    return min(target - rms, ceiling - peak)


def _has_music(stretch: Stretch) -> bool:
    return stretch.tonality >= _TONAL and stretch.clarity < _HEARD


def _worth(stretch: Stretch) -> float:
    """How good a stretch is, in dB of clarity; differences nobody hears count for nothing."""
    spoiled = 30.0 if stretch.clipped >= _CLIPPED else 0.0
    music = 15.0 * stretch.tonality if stretch.clarity < _HEARD else 0.0
    return min(stretch.clarity, _HEARD) - music - spoiled


def _audible(stretches: Sequence[Stretch]) -> list[Stretch]:
    loud = [s for s in stretches if s.level > _SILENT and s.clarity >= _DROWNED]
    if not loud:
        return []
    usual = _median([s.level for s in loud], [s.span.duration for s in loud])
    return [s for s in loud if s.level >= usual - _QUIET]


def _median(values: Sequence[float], weights: Sequence[int]) -> float:
    order = np.argsort(values)
    reached = np.cumsum(np.asarray(weights, dtype=np.float64)[order])
    return float(np.asarray(values)[order][np.searchsorted(reached, reached[-1] / 2)])


def _majority(stretches: Sequence[Stretch]) -> list[Stretch]:
    """Those of the recording condition that most of the speech has."""
    telling = [s for s in stretches if s.span.duration >= _TELLING]
    if len(telling) < 2:
        return list(stretches)
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    features = np.array([_features(s) for s in telling])
    apart = np.sqrt(np.mean((features[:, np.newaxis] - features[np.newaxis]) ** 2, axis=2))
    groups = fcluster(linkage(squareform(apart, checks=False), "average"), _ALIKE, "distance")
    seconds = np.bincount(groups, weights=[s.span.duration for s in telling])
    largest = int(np.argmax(seconds))
    centres = {int(g): features[groups == g].mean(axis=0) for g in np.unique(groups)}
    out = []
    for stretch in stretches:
        group = min(centres, key=lambda g: (_gap(_features(stretch), centres[g]), g))
        if group == largest:
            out.append(stretch)
    return out


def _features(stretch: Stretch) -> npt.NDArray[np.float64]:
    return np.array([*stretch.bands, _PER_LEVEL * stretch.level])


def _gap(left: npt.NDArray[np.float64], right: npt.NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean((left - right) ** 2)))
