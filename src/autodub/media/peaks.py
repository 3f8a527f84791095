"""Waveforms for pictures: the largest magnitude of every fiftieth of a second, of sound that streams by."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from autodub.media import ffmpeg
from autodub.media.decode import in_step
from autodub.media.sound import Reader, Samples
from autodub.model.media import AudioStream, MediaInfo

RATE = 50
"""Values per second."""
_BLOCK = 1 << 19
"""Samples, all channels together, and bytes read at a time."""
Values = npt.NDArray[np.uint8]


class Peaks:
    """The waveform of sound that streams by."""

    def __init__(self, rate: int) -> None:
        """``rate`` is that of the samples, Hz."""
        self.frames = 0
        self._rate = rate
        self._done: list[npt.NDArray[np.float32]] = []
        self._count = 0
        self._open = 0.0

    def add(self, block: Samples) -> None:
        """Take the next ``(n, channels)`` frames in ``[-1, 1]``."""
        if not len(block):
            return
        loudest = np.abs(block).max(axis=1)
        begin, self.frames = self.frames, self.frames + len(block)
        last = (self.frames * RATE) // self._rate
        edges = -(-np.arange(self._count + 1, last + 1) * self._rate // RATE) - begin
        edges = edges[edges <= len(block)]
        if not len(edges):
            self._open = max(self._open, float(loudest.max()))
            return
        starts = np.concatenate([[0], edges[:-1]])
        found = np.maximum.reduceat(loudest[: edges[-1]], starts)
        found[0] = max(float(found[0]), self._open)
        self._done.append(found)
        self._count += len(edges)
        rest = loudest[edges[-1] :]
        self._open = float(rest.max()) if len(rest) else 0.0

    def values(self) -> Values:
        """Magnitudes so far, 0..127; the last one may stand for less than a fiftieth of a second."""
        is_open = self.frames * RATE > self._count * self._rate
        whole = np.concatenate([*self._done, np.array([self._open] * is_open, dtype=np.float32)])
        return np.asarray(np.rint(np.clip(whole, 0.0, 1.0) * 127), dtype=np.uint8)


def of_sound(path: Path, *, check: Callable[[], None]) -> Values:
    """The waveform of a sound file of ours. Raises Gone, MediaError."""
    with Reader(path) as reader:
        peaks = Peaks(reader.rate)
        for block in reader.blocks(max(4096, _BLOCK // reader.channels)):
            check()
            peaks.add(block)
    return peaks.values()


def of_stream(
    path: Path, info: MediaInfo, stream: AudioStream, *, start: int = 0, end: int | None = None,
    check: Callable[[], None],
) -> Values:  # fmt: skip
    """The waveform of a sound stream of any media file, from ``start`` to ``end`` (ms), decoded as it goes.

    Nothing is written to the disk. Raises MediaError.
    """
    reading, writing = os.pipe()
    arguments = [
        "-max_error_rate", "1", *ffmpeg.offset(info), *ffmpeg.source(path),
        "-filter_complex", f"{in_step(info, stream, start=start, end=end)}[out]", "-map", "[out]",
        "-c:a", "pcm_s16le", "-ar", str(stream.rate), "-ac", str(stream.channels),
        "-f", "s16le", f"pipe:{writing}", *ffmpeg.anchor(info, [stream.index]),
    ]  # fmt: skip
    peaks = Peaks(stream.rate)
    listening = threading.Thread(target=_listen, args=(reading, stream.channels, peaks), name="peaks")
    listening.start()
    what = "decode the sound"
    try:
        result = ffmpeg.call(
            arguments, duration=info.duration / 1000, what=what, check=check, give=[writing]
        )  # fmt: skip
    finally:
        os.close(writing)
        listening.join()
    if result.code != 0:
        raise ffmpeg.failure(result, arguments, what)
    return peaks.values()


def fewer(values: Values, rate: int) -> Values:
    """The same waveform with ``rate`` values per second, 1 to 50."""
    if rate >= RATE or not len(values):
        return values
    count = -(-len(values) * rate // RATE)
    return np.maximum.reduceat(values, np.arange(count) * RATE // rate)


def _listen(reading: int, channels: int, peaks: Peaks) -> None:
    """Take 16-bit samples from a pipe until it ends."""
    width, rest = 2 * channels, b""
    with os.fdopen(reading, "rb", buffering=0) as pipe:
        while data := pipe.read(_BLOCK):
            data = rest + data
            whole = len(data) - len(data) % width
            samples = np.frombuffer(data[:whole], dtype="<i2").reshape(-1, channels)
            peaks.add(samples.astype(np.float32) / 32768.0)
            rest = data[whole:]
