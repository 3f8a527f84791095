"""M4: the long-term spectrum of each speaker's dub as delivered, against the speaker's own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from autodub.quality.facts import ToneFact
from autodub.quality.runs import MeasuredLine

_SECONDS = 30
"""Material per speaker; more changes nothing."""
_LEAST = 0.5


def spectrum_differences(
    stem: Path | None, lines: Sequence[MeasuredLine], tones: Sequence[ToneFact]
) -> dict[str, float | None]:
    """RMS difference over third octaves per speaker, dB; None where less than 0.5 s was heard."""
    if stem is None or not tones:
        return {tone.speaker: None for tone in tones}
    from autodub.media.sound import Reader
    from autodub.media.tone import COMPARED, band_levels, speech_frames

    out: dict[str, float | None] = {}
    with Reader(stem) as reader:
        for tone in tones:
            runs = [run for line in lines if line.fact.speaker == tone.speaker for run in line.dub_runs]
            power, count, heard = np.zeros(257), 0, 0.0
            for run in runs:
                if heard >= _SECONDS:
                    break
                frames = speech_frames(reader.read(run.start * 16, run.duration * 16)[:, 0])
                power += frames.sum(axis=0)
                count += len(frames)
                heard += run.duration / 1000
            if count == 0 or heard < _LEAST:
                out[tone.speaker] = None
                continue
            apart = np.subtract(band_levels(power / count), tone.source.bands)[COMPARED]
            out[tone.speaker] = float(np.sqrt(np.mean((apart - apart.mean()) ** 2)))
    return out
