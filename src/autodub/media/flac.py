"""FLAC files written block by block: what people download, at half the size of a WAV or less."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np

from autodub.media.sound import Samples
from autodub.model.errors import OutputProblem

_FASTEST = 0.0
"""Of the encoder's levels the one that costs least: the others take a third longer and save 3 %."""


class FlacWriter:
    """A file of 16 or 24 bits, removed when an error passes through. Raises OutputProblem without room."""

    def __init__(self, path: Path, *, rate: int, channels: int, bits: Literal[16, 24] = 16) -> None:
        import soundfile

        self._path, self._bits = path, bits
        self._broken = (soundfile.LibsndfileError, AssertionError)  # the latter: less was written than given
        try:
            self._file: Any = soundfile.SoundFile(
                path, "w", samplerate=rate, channels=channels, subtype=f"PCM_{bits}", format="FLAC",
                compression_level=_FASTEST,
            )  # fmt: skip
        except soundfile.LibsndfileError as error:
            raise self._problem(error) from error
        self._channels = channels

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        if kind is not None:
            self._path.unlink(missing_ok=True)

    def write(self, samples: Samples) -> None:
        """Append ``(n, channels)`` frames, or ``(n,)`` of a mono file; what is too loud is clipped."""
        full = 1 << (self._bits - 1)
        whole = np.clip(np.rint(samples * np.float32(full)), -full, full - 1)
        # Of 32-bit numbers the encoder takes the upper bits.
        self._put(whole.astype(np.int16) if self._bits == 16 else whole.astype(np.int32) << 8)

    def silence(self, frames: int) -> None:
        """Append silence."""
        shape = frames if self._channels == 1 else (frames, self._channels)
        self._put(np.zeros(shape, dtype=np.int16))

    def _put(self, data: Any) -> None:
        try:
            self._file.write(data)
        except self._broken as error:
            raise self._problem(error) from error

    def _problem(self, error: BaseException) -> OutputProblem:
        return OutputProblem(
            f"{self._path.name} cannot be written ({str(error) or 'no room'}).",
            hint="Free some space in the data directory.",
        )
