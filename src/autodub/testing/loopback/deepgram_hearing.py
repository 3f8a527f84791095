"""Ears of the simulated Deepgram: decoding what was sent, recognising it, telling like from unlike."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt

from autodub.media.sound import resample, store
from autodub.model.speech import Word
from autodub.model.time import Span

_RATE = 16_000
_FRAME = 320  # 20 ms
_PIECE = 20 * _RATE
_SILENT = 1e-3
_DEADLINE = 300.0


class Undecodable(ValueError):
    """Bytes that are no sound."""


@dataclass(frozen=True)
class Sound:
    """A sound as it arrived, mixed to mono."""

    samples: npt.NDArray[np.float32]
    """16 kHz; empty when only the length was wanted."""
    duration: int
    """ms."""
    channels: int
    digest: str
    """sha256 of the bytes."""


def decode(body: bytes, *, is_length_only: bool = False) -> Sound:
    """The sound in a file of any kind libsndfile knows. Raises Undecodable."""
    import soundfile

    try:
        with soundfile.SoundFile(io.BytesIO(body)) as file:
            duration = round(file.frames * 1000 / file.samplerate)
            empty = np.zeros(0, dtype=np.float32)
            samples = empty if is_length_only else file.read(dtype="float32", always_2d=True).mean(axis=1)
            mono = resample(samples, file.samplerate, _RATE)
            return Sound(mono, duration, file.channels, sha256(body).hexdigest())
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise Undecodable(str(error)) from error


def likeness(sound: Sound, words: Sequence[Word]) -> float:
    """Correlation, -1..1, of the level with whether a word is said at that time."""
    frames = len(sound.samples) // _FRAME
    if frames < 2:
        return 1.0 if not words else -1.0
    blocks = sound.samples[: frames * _FRAME].reshape(frames, _FRAME)
    level = np.log10(np.maximum(np.mean(blocks**2, axis=1), 1e-9))
    said = np.zeros(frames)
    for word in words:
        said[word.span.start // 20 : max(word.span.start // 20 + 1, word.span.end // 20)] = 1.0
    if np.ptp(level) < 1e-6 or np.ptp(said) == 0:
        # Nothing to compare: silence is like no words, and unlike any.
        return 1.0 if not words and np.max(level) < -8 else 0.0
    return float(np.corrcoef(level, said)[0, 1])


def recognise(sound: Sound) -> tuple[Word, ...]:
    """The words of a sound, heard by pocketsphinx in pieces cut where it is quiet, by one speaker.

    In child processes: the library holds the interpreter lock, which would stop every other provider.
    """
    from autodub.engines.sphinx import utterances
    from autodub.infra.child import Workers

    if len(sound.samples) < _RATE // 10 or float(np.max(np.abs(sound.samples))) < _SILENT:
        return ()
    pieces = [(start * 1000 // _RATE, end * 1000 // _RATE) for start, end in _pieces(sound.samples)]
    with TemporaryDirectory() as folder:
        path = Path(folder, "sound.wav")
        store(sound.samples, _RATE, path, subtype="PCM_16")
        with Workers(
            "autodub.engines.sphinx_worker", count=min(2, len(pieces)), engine="loopback", arguments=["{}"]
        ) as workers:
            answers = workers.map(
                [[str(path), start, end] for start, end in pieces],
                deadline=_DEADLINE,
                check=lambda: None,
                progress=lambda _done, _all: None,
            )
    heard = [Word(text, Span(start, end), sure) for answer in answers for text, start, end, sure in answer]
    return tuple(word for piece in utterances(heard, limit=sound.duration) for word in piece.words)


def _pieces(samples: npt.NDArray[np.float32]) -> list[tuple[int, int]]:
    """Portions of 10 to 20 s, cut at the quietest place."""
    out, start = [], 0
    while len(samples) - start > _PIECE:
        low = start + _PIECE // 2
        window = samples[low : start + _PIECE]
        energy = np.convolve(window**2, np.ones(_FRAME * 5), mode="same")
        cut = low + int(np.argmin(energy))
        out.append((start, cut))
        start = cut
    return [*out, (start, len(samples))]
