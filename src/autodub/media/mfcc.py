"""Mel-frequency cepstra and pitch of speech, read span by span: what a voice sounds like, frame by frame.

Cepstra after Davis and Mermelstein (1980): 25 ms Hamming windows every 10 ms, triangular filters equally
spaced on the mel scale ``2595·log10(1 + f/700)``, logarithm, orthonormal DCT-II without the zeroth
coefficient (which is only loudness).
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from autodub.dubbing.diarization import HOP, Frames
from autodub.media.pitch import track
from autodub.media.sound import Reader
from autodub.model.errors import MediaError
from autodub.model.time import Span

Floats = npt.NDArray[np.float32]

RATE = 16_000
COEFFICIENTS = 19

_STEP = RATE * HOP // 1000
_WINDOW = 400
_FFT = 512
_FILTERS = 27
_LOW, _HIGH = 100.0, 7600.0
_BATCH = 4096  # frames analysed at once: about 20 MB


def analyse(path: Path, spans: Iterable[Span]) -> Iterator[Frames]:
    """The frames of each span of a 16 kHz mono file, one span in memory at a time.

    Raises MediaError when the file has another rate or more channels.
    """
    with Reader(path) as reader:
        if reader.rate != RATE or reader.channels != 1:
            raise MediaError(
                f"Voices can only be told apart in 16 kHz mono sound; {path.name} has {reader.rate} Hz and "
                f"{reader.channels} channel(s).",
                hint="Convert it with: ffmpeg -i IN -ac 1 -ar 16000 OUT.wav",
            )
        for span in spans:
            samples = reader.read(span.start * RATE // 1000, span.duration * RATE // 1000)[:, 0]
            yield Frames(span, mfcc(samples), _level(samples), _pitch(samples))


def frames(samples: Floats) -> int:
    """Frames that ``samples`` 16 kHz samples have: one per full 10 ms."""
    return len(samples) // _STEP


def mfcc(samples: Floats) -> Floats:
    """Cepstra c1..c19 of 16 kHz mono samples (n,): shape (n // 160, 19)."""
    bright = np.empty_like(samples, dtype=np.float32)
    bright[:1], bright[1:] = samples[:1], samples[1:] - 0.97 * samples[:-1]
    out = np.empty((frames(samples), COEFFICIENTS), np.float32)
    window = np.hamming(_WINDOW).astype(np.float32)
    for at, pieces in _windows(bright, _WINDOW):
        power = np.abs(np.fft.rfft(pieces * window, _FFT)) ** 2
        mel = np.log(power.astype(np.float32) @ _filterbank() + 1e-8)
        out[at : at + len(pieces)] = mel @ _cosines()
    return out


def _pitch(samples: Floats) -> Floats:
    """Fundamental in Hz per frame, 0 where unvoiced."""
    out = np.zeros(frames(samples), np.float32)
    hertz = track(samples, RATE)[: len(out)]
    out[: len(hertz)] = hertz
    return out


def _level(samples: Floats) -> Floats:
    count = frames(samples)
    blocks = samples[: count * _STEP].reshape(count, _STEP)
    level: Floats = (10 * np.log10(np.mean(blocks**2, axis=1) + 1e-12)).astype(np.float32)
    return level


def _windows(samples: Floats, width: int) -> Iterator[tuple[int, Floats]]:
    """(first frame, windows (k, width) centred on the frames' middles), a batch at a time."""
    count = frames(samples)
    side = (width - _STEP) // 2
    padded = np.pad(samples, (side, width))
    views = np.lib.stride_tricks.sliding_window_view(padded, width)[::_STEP]
    for at in range(0, count, _BATCH):
        yield at, views[at : min(count, at + _BATCH)]


@functools.cache
def _filterbank() -> Floats:
    """Triangular mel filters, shape (257, 27)."""
    mel = np.linspace(2595 * np.log10(1 + _LOW / 700), 2595 * np.log10(1 + _HIGH / 700), _FILTERS + 2)
    corners = 700 * (10 ** (mel / 2595) - 1)
    bins = np.arange(_FFT // 2 + 1)[:, None] * RATE / _FFT
    rising = (bins - corners[:-2]) / (corners[1:-1] - corners[:-2])
    falling = (corners[2:] - bins) / (corners[2:] - corners[1:-1])
    return np.maximum(0.0, np.minimum(rising, falling)).astype(np.float32)


@functools.cache
def _cosines() -> Floats:
    """Orthonormal DCT-II rows 1..19 as columns, shape (27, 19)."""
    k = np.arange(1, COEFFICIENTS + 1)[None, :]
    n = np.arange(_FILTERS)[:, None]
    rows: Floats = (np.sqrt(2 / _FILTERS) * np.cos(np.pi * k * (n + 0.5) / _FILTERS)).astype(np.float32)
    return rows
