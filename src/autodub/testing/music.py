"""Generated music for test clips: four soft chords with a bass, and brushed drums; stereo, seamless."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_CHORDS = ((57, 60, 64, 67), (53, 57, 60, 64), (48, 55, 60, 64), (55, 59, 62, 67))
"""A minor 7, F major 7, C, G, as MIDI note numbers."""
_BEATS = 8
"""Beats per chord, at 120 beats a minute."""
LOOP_SECONDS = len(_CHORDS) * _BEATS // 2


def loop(rate: int, *, level: float, seed: int = 7) -> npt.NDArray[np.float32]:
    """Sixteen seconds that repeat without a seam, ``(frames, 2)``, at ``level`` dBFS rms."""
    frames = LOOP_SECONDS * rate
    music = np.zeros((frames, 2))
    per_chord = frames // len(_CHORDS)
    for index, chord in enumerate(_CHORDS):
        for voice, note in enumerate((chord[0] - 24, *chord)):
            _add(music, index * per_chord, _pad(note, per_chord + rate // 2, rate), pan=(voice - 2) / 5)
    random = np.random.default_rng(seed)
    for beat in range(len(_CHORDS) * _BEATS):
        start = beat * per_chord // _BEATS
        if beat % 4 == 0:
            _add(music, start, _kick(rate), pan=0.0)
        _add(music, start, _brush(rate, random, loud=0.10 if beat % 2 else 0.05), pan=0.3)
    music *= 10 ** (level / 20) / np.sqrt(np.mean(music**2))
    return music.astype(np.float32)


def _pad(note: int, frames: int, rate: int) -> npt.NDArray[np.float64]:
    """One sustained tone of a few soft harmonics, 250 ms fades so that chords melt together."""
    time = np.arange(frames) / rate
    pitch = 440.0 * 2 ** ((note - 69) / 12)
    tone = sum(np.sin(2 * np.pi * pitch * n * time + n) / n**2.2 for n in (1, 2, 3, 4))
    fade = np.minimum(1.0, np.minimum(np.arange(frames), np.arange(frames)[::-1]) / (rate / 4))
    return np.asarray(tone * fade * (1.0 + 0.15 * np.sin(2 * np.pi * 0.5 * time)), dtype=np.float64)


def _kick(rate: int) -> npt.NDArray[np.float64]:
    time = np.arange(rate // 4) / rate
    swept = 48 * time + 3 * (1 - np.exp(-30 * time))
    return np.asarray(2.0 * np.sin(2 * np.pi * swept) * np.exp(-16 * time), dtype=np.float64)


def _brush(rate: int, random: np.random.Generator, *, loud: float) -> npt.NDArray[np.float64]:
    noise = np.diff(random.standard_normal(rate // 8 + 1))
    return loud * noise * np.exp(-30 * np.arange(len(noise)) / rate)


def _add(music: npt.NDArray[np.float64], start: int, sound: npt.NDArray[np.float64], *, pan: float) -> None:
    """Mix a mono sound in at ``start``, round the end; ``pan`` -1 left .. 1 right (constant power)."""
    angle = (pan + 1) * np.pi / 4
    places = (start + np.arange(len(sound))) % len(music)
    music[places, 0] += np.cos(angle) * sound
    music[places, 1] += np.sin(angle) * sound
