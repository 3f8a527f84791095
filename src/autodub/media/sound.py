"""Sound files: reading and writing PCM in blocks, so that no programme is ever held in memory.

Everything is float32 in ``[-1, 1]`` as ``(frames, channels)``. Files we write are WAV with the
channel mask of their layout; they turn into RF64 (EBU Tech 3306) when they outgrow 4 GiB.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from autodub.model.errors import Gone, MediaError, OutputProblem
from autodub.model.media import Audio, Blob

Samples = npt.NDArray[np.float32]
Subtype = Literal["FLOAT", "PCM_16"]

_FORMATS: dict[str, tuple[int, int]] = {"FLOAT": (3, 4), "PCM_16": (1, 2)}
"""WAVE format tag and bytes per sample."""
_MASKS = {1: 0x4, 2: 0x3, 3: 0x7, 4: 0x33, 5: 0x37, 6: 0x3F, 7: 0x13F, 8: 0x63F}
"""Channel masks of the usual layouts by channel count: mono, stereo, 3.0, quad, 5.0, 5.1, 6.1, 7.1."""
_SUBFORMAT = bytes.fromhex("000000001000800000aa00389b71")
_HEADER = 12 + (8 + 28) + (8 + 40) + 8
"""RIFF, room for ds64 (JUNK until needed), an extensible fmt chunk, the data chunk's head."""
_LIMIT = 0xFFFFFFFF
_AHEAD = 1 << 20
"""Bytes a writer may be ahead of the program that reads: what Linux allows everybody."""


class Reader:
    """A sound file read by position or block by block.

    Raises Gone when the file is missing and MediaError when it cannot be read as sound.
    """

    def __init__(self, path: Path) -> None:
        import soundfile

        self.path = path
        try:
            self._file: Any = soundfile.SoundFile(path)
        except soundfile.LibsndfileError as error:
            if not path.exists():
                raise Gone(
                    f"The sound file {path.name} has vanished.", hint="Run again; it is made anew."
                ) from None
            raise MediaError(
                f"{path.name} cannot be read as sound: {error.error_string}",
                hint="The file is damaged; delete it and run again.",
            ) from error
        self.rate: int = self._file.samplerate
        self.channels: int = self._file.channels
        self.frames: int = self._file.frames

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def read(self, start: int, frames: int) -> Samples:
        """``frames`` frames from ``start``; fewer (down to none) where the file ends. -1 = to the end."""
        if start < 0:
            raise ValueError(f"cannot read before the start of a file: {start}")
        start = min(start, self.frames)
        frames = self.frames - start if frames < 0 else min(frames, self.frames - start)
        if frames == 0:
            return np.zeros((0, self.channels), dtype=np.float32)
        self._file.seek(start)
        samples: Samples = self._file.read(frames, dtype="float32", always_2d=True)
        if len(samples) < frames:
            raise MediaError(
                f"{self.path.name} ends {frames - len(samples)} samples early.",
                hint="The file is damaged; delete it and run again.",
            )
        return samples

    def blocks(self, size: int) -> Iterator[Samples]:
        """The whole file, ``size`` frames at a time; the last block may be shorter."""
        for start in range(0, self.frames, size):
            yield self.read(start, size)


class Writer:
    """A WAV file written block by block; incomplete files are removed when an error passes through.

    Raises OutputProblem when there is no room or no permission.
    """

    def __init__(self, path: Path, *, rate: int, channels: int, subtype: Subtype = "FLOAT") -> None:
        self.path = path
        self.rate = rate
        self.channels = channels
        self.frames = 0
        self._subtype: Subtype = subtype
        self._width = _FORMATS[subtype][1]
        try:
            self._file = path.open("wb")
        except OSError as error:
            raise _problem(path, error) from error
        self._put(_header(rate, channels, 0, subtype))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._discard()

    def write(self, samples: npt.NDArray[np.floating[Any]]) -> None:
        """Append ``(n, channels)`` frames, or ``(n,)`` for a mono file. Values must be finite."""
        block = np.asarray(samples, dtype=np.float32)
        if block.ndim == 1:
            block = block[:, np.newaxis]
        if block.ndim != 2 or block.shape[1] != self.channels:
            raise ValueError(f"expected (n, {self.channels}) samples, got {samples.shape}")
        _finite(block, self.path.name)
        if self._width == 2:
            data = np.clip(np.rint(block * 32768.0), -32768, 32767).astype("<i2")
        else:
            data = block.astype("<f4", copy=False)
        self._put(np.ascontiguousarray(data).data)
        self.frames += len(block)

    def close(self) -> None:
        """Write the final header and close the file."""
        try:
            if self.frames * self.channels * self._width % 2:
                self._file.write(b"\0")
            self._file.seek(0)
            self._file.write(_header(self.rate, self.channels, self.frames, self._subtype))
            self._file.close()
        except OSError as error:
            self._discard()
            raise _problem(self.path, error) from error

    def _put(self, data: bytes | memoryview) -> None:
        try:
            self._file.write(data)
        except OSError as error:
            self._discard()
            raise _problem(self.path, error) from error

    def _discard(self) -> None:
        try:
            self._file.close()
        except OSError:
            pass  # the data that could not be flushed is thrown away on purpose
        finally:
            self.path.unlink(missing_ok=True)


def _header(rate: int, channels: int, frames: int, subtype: Subtype) -> bytes:
    tag, width = _FORMATS[subtype]
    frame = channels * width
    size = frames * frame
    whole = _HEADER - 8 + size + size % 2
    large = whole > _LIMIT
    sizes = struct.pack("<QQQI", whole, size, frames, 0)
    fmt = struct.pack(
        "<HHIIHHHHIH",
        0xFFFE, channels, rate, rate * frame, frame, 8 * width, 22, 8 * width, _MASKS.get(channels, 0), tag,
    )  # fmt: skip
    return b"".join(
        (
            struct.pack("<4sI4s", b"RF64" if large else b"RIFF", _LIMIT if large else whole, b"WAVE"),
            struct.pack("<4sI", b"ds64" if large else b"JUNK", 28) + (sizes if large else bytes(28)),
            struct.pack("<4sI", b"fmt ", 40) + fmt + _SUBFORMAT,
            struct.pack("<4sI", b"data", _LIMIT if large else size),
        )
    )


def _finite(block: Samples, name: str) -> Samples:
    if not np.isfinite(block).all():
        raise MediaError(
            f"Sound for {name} contains samples that are not numbers.",
            hint="This is a fault of the engine that made the sound; try another one.",
        )
    return block


class Pipe:
    """Sound of known length on its way to a program that reads while it is being made.

    ``reading`` is the descriptor the program is given. Both ends may be closed more than once.
    """

    def __init__(self, *, rate: int, channels: int, frames: int) -> None:
        self.rate, self.channels, self.frames = rate, channels, frames
        self.reading, self._writing = os.pipe()
        _widen(self._writing)
        self._open = {self.reading, self._writing}
        self._is_wanted = True

    def __enter__(self) -> Self:
        """Begin to write; leaving ends the stream, whatever happened."""
        self._put(_header(self.rate, self.channels, self.frames, "FLOAT"))
        return self

    def __exit__(self, *_: object) -> None:
        self.stop_writing()

    def write(self, samples: Samples) -> None:
        """Append ``(n, channels)`` frames; dropped once nobody reads any more, who says why not."""
        self._put(np.ascontiguousarray(_finite(samples, "the programme"), dtype="<f4").tobytes())

    def stop_writing(self) -> None:
        """Tell the program that there is no more."""
        self._close(self._writing)

    def stop_reading(self) -> None:
        """Say that the program has ended: whoever writes must not wait for it."""
        self._close(self.reading)

    def _put(self, data: bytes) -> None:
        left = memoryview(data)
        while self._is_wanted and left:
            try:
                left = left[os.write(self._writing, left) :]
            except BrokenPipeError:
                self._is_wanted = False

    def _close(self, end: int) -> None:
        if end in self._open:
            self._open.remove(end)
            os.close(end)


def _widen(pipe: int) -> None:
    """Let a writer be a block ahead of its reader, where the system can: both then work at once."""
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with contextlib.suppress(OSError):  # the system's limit for all pipes of a user: the default does
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _AHEAD)


def load(path: Path, *, start: int = 0, frames: int = -1) -> tuple[Samples, int]:
    """A short sound, or a part of a long one, as ``(samples (n, channels), rate)``."""
    with Reader(path) as reader:
        return reader.read(start, frames), reader.rate


def store(
    samples: npt.NDArray[np.floating[Any]], rate: int, path: Path, *, subtype: Subtype = "FLOAT"
) -> None:
    """Write a short sound, ``(n,)`` or ``(n, channels)``."""
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    with Writer(path, rate=rate, channels=channels, subtype=subtype) as writer:
        writer.write(samples)


def audio(blob: Blob, path: Path, layout: str) -> Audio:
    """Describe a kept sound file; ``layout`` is ffmpeg's name of its channel layout."""
    with Reader(path) as reader:
        return Audio(
            blob=blob, rate=reader.rate, channels=reader.channels, frames=reader.frames, layout=layout
        )


def resample(samples: Samples, source_rate: int, target_rate: int) -> Samples:
    """Samples at another rate (soxr, high quality); exactly ``round(n · target / source)`` frames."""
    if source_rate == target_rate or len(samples) == 0:
        return samples
    import soxr

    frames = (2 * len(samples) * target_rate + source_rate) // (2 * source_rate)
    out: Samples = soxr.resample(samples, source_rate, target_rate, quality="HQ").astype(
        np.float32, copy=False
    )
    if len(out) < frames:
        out = np.concatenate([out, np.zeros((frames - len(out), *out.shape[1:]), dtype=np.float32)])
    return out[:frames]


def _problem(path: Path, error: OSError) -> OutputProblem:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return OutputProblem(
            f"There is no room left to write {path.name}.",
            hint="Make room on its disk, or choose another data directory with --data-dir.",
        )
    if error.errno == errno.EFBIG:
        return OutputProblem(
            f"{path.name} outgrew the largest file size allowed here.",
            hint="Raise the limit (ulimit -f), or dub a shorter range.",
        )
    return OutputProblem(
        f"{path.name} cannot be written: {error.strerror or error}.",
        hint=f"Check that {path.parent} exists and may be written to.",
    )
