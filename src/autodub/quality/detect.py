"""Dub speech as it is heard in the finished file, and the file beside its source."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from autodub.media import voice_activity
from autodub.media.decode import decode
from autodub.model.media import AudioStream, MediaInfo
from autodub.model.time import Span
from autodub.quality.stem import Delivered, subtract_bed

_HOPELESS = -6.0
"""A residue above this (dB re background) means the background is not the file's: it is not used."""

Progress = Callable[[float], None]
Check = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Sound:
    """A file's sound, decoded: the mix at its own rate, and 16 kHz mono for detection."""

    info: MediaInfo
    stream: AudioStream
    mix: Path
    speech: Path


@dataclass(frozen=True, slots=True)
class Heard:
    """Dub speech detected in the finished file."""

    speech: tuple[Span, ...]
    delivered: Delivered | None
    """Energies of dub and background; None when the background could not be subtracted."""
    stem: Path | None
    """The delivered dub, 16 kHz mono."""
    how: str
    notes: tuple[str, ...] = ()


def decoded(
    path: Path,
    info: MediaInfo,
    scratch: Path,
    *,
    name: str,
    start: int = 0,
    end: int | None = None,
    stream: int | None = None,
    check: Check | None = None,
    progress: Progress | None = None,
) -> Sound:
    """Decode a file's default sound stream (or stream ``stream``) once, into ``scratch``.

    Raises UnsupportedSource when there is no sound to decode.
    """
    chosen = next(
        (s for s in info.audio if s.index == stream),
        next((s for s in info.audio if s.is_default), info.audio[0]),
    )
    mix, speech = scratch / f"{name}.wav", scratch / f"{name}16.wav"
    decode(path, info, chosen, mix=mix, speech=speech, start=start, end=end, check=check, progress=progress)
    return Sound(info, chosen, mix, speech)


def hear(
    finished: Path,
    bed: Path | None,
    scratch: Path,
    *,
    clips: Sequence[Span],
    check: Check | None = None,
    progress: Progress | None = None,
) -> Heard:
    """Find the dub's speech in the finished file (16 kHz mono), less its background where one is given."""
    tell = progress or (lambda _: None)

    def listen(path: Path, *, since: float) -> tuple[Span, ...]:
        def step(fraction: float) -> None:
            if check is not None:
                check()
            tell(since + (1 - since) * fraction)

        return voice_activity.detect(path, progress=step)

    if bed is None:
        how = "the whole sound of the finished file; its background is not known"
        return Heard(listen(finished, since=0.0), None, None, how)
    stem = scratch / "stem16.wav"
    delivered = subtract_bed(
        finished, bed, stem, clips=clips, check=check, progress=lambda fraction: tell(0.2 * fraction)
    )
    found = delivered.alignment
    if found.missed > found.windows or (found.residue_db or -100.0) > _HOPELESS:
        note = "The background given is not the file's: it was not used."
        return Heard(listen(finished, since=0.2), None, None, "the whole sound of the finished file", (note,))
    notes = []
    if not found.steady:
        notes.append("The finished file does not keep one delay against its background.")
    if found.delay:
        notes.append(
            f"The finished file lags its background by {found.delay / 16:.1f} ms; times are as heard."
        )
    how = "the finished file less its background"
    return Heard(listen(stem, since=0.2), delivered, stem, how, tuple(notes))
