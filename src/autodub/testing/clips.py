"""Clips whose line times are known exactly: what the demo, the tests and the benchmarks dub.

Lines are spoken by a real synthesizer or taken from recordings, trimmed to their first and last
sound, and put at the millisecond asked for over generated music and title pictures. The sound is
written in blocks, so a clip of two hours needs no more memory than one of a minute.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from autodub.infra import process
from autodub.media.sound import Samples, Writer, load, resample
from autodub.model.errors import MediaError
from autodub.model.time import Span
from autodub.testing import cards as title_cards
from autodub.testing import music

RATE = 48_000
SPEECH_LEVEL = -23.0
"""Level of every line over its sounding part, dBFS rms."""
MUSIC_LEVEL = -41.0
"""dBFS rms: clearly audible alone, 18 dB below the speech."""
_PEAK = 0.8
_FRAME = 240
"""5 ms: the resolution of a line's first and last sound."""
_SOUNDING = -35.0
"""A frame sounds when it is above this, dB re the line's loudest frame."""
_BLOCK = 10 * RATE


@dataclass(frozen=True, slots=True)
class SpokenLine:
    """A line to be heard at a known time."""

    text: str
    start: int
    """Millisecond of its first sound."""
    voice: str = "slt"
    """A flite voice (``slt`` a woman, ``rms`` a man), or ``espeak:VOICE``."""
    recording: Path | None = None
    """A sound file of somebody saying the text, instead of a synthetic voice."""

    @property
    def speaker(self) -> str:
        """Who is heard: the recordings are all one reader."""
        return "reader" if self.recording is not None else self.voice


@dataclass(frozen=True, slots=True)
class KnownLine:
    """What is true about one line of a clip."""

    text: str
    span: Span
    """First to last sound."""
    speaker: str


@dataclass(frozen=True, slots=True)
class KnownClip:
    """A clip and everything that is true about it."""

    path: Path
    duration: int
    """Milliseconds."""
    lines: tuple[KnownLine, ...]

    def srt(self) -> str:
        """The lines as a SubRip file."""
        return "\n".join(
            f"{number}\n{_clock(line.span.start)} --> {_clock(line.span.end)}\n{line.text}\n"
            for number, line in enumerate(self.lines, 1)
        )


class Voices:
    """Lines as sound, each spoken once however often it is used."""

    def __init__(self) -> None:
        self._spoken: dict[tuple[str, str], Samples] = {}

    def sound(self, line: SpokenLine) -> Samples:
        """Mono at 48 kHz, from first to last sound, at speech level. Raises EngineCannot, MediaError."""
        key = (line.speaker, line.text if line.recording is None else str(line.recording))
        if key not in self._spoken:
            if line.recording is not None:
                samples, rate = load(line.recording)
            else:
                samples, rate = _speak(line.text, line.voice)
            self._spoken[key] = _levelled(_trimmed(resample(samples.mean(axis=1), rate, RATE)))
        return self._spoken[key]


def build(
    lines: Sequence[SpokenLine],
    *,
    out: Path,
    duration: int,
    music_level: float | None = MUSIC_LEVEL,
    cards: Sequence[title_cards.Card] = (title_cards.Card("Autodub", "a clip with known line times"),),
    size: tuple[int, int] = (640, 360),
    channels: int = 2,
    voices: Voices | None = None,
) -> KnownClip:
    """Make a clip at ``out`` (its ending names the container; ``.wav`` and the like get no picture).

    ``duration`` is in ms, a multiple of 40 (one frame at 25 a second). The cards follow one another
    and start again when they have all been seen. Without lines there is only music. Raises ValueError
    when a line would not fit, or would sound over the one before it.
    """
    if duration % 40:
        raise ValueError(f"a clip lasts whole frames of 40 ms, not {duration} ms")
    voices = voices or Voices()
    ordered = sorted(lines, key=lambda line: line.start)
    placed = [(line.start * RATE // 1000, voices.sound(line)) for line in ordered]
    known = tuple(
        KnownLine(line.text, Span(line.start, line.start + len(sound) * 1000 // RATE), line.speaker)
        for line, (_, sound) in zip(ordered, placed, strict=True)
    )
    followers = [line.span.start for line in known[1:]] + [duration]
    for line, follower in zip(known, followers, strict=False):  # without lines nothing follows
        if line.span.end > follower:
            raise ValueError(f"{line.text!r} sounds until {line.span.end} ms, past {follower} ms")
    with tempfile.TemporaryDirectory(prefix="autodub-clip-", dir=out.parent) as folder:
        wav = Path(folder) / "sound.wav"
        _write_sound(wav, placed, duration=duration, level=music_level, channels=channels)
        if out.suffix.lower() in (".wav", ".flac", ".mp3", ".m4a", ".ogg", ".opus"):
            _ffmpeg(["-i", str(wav), str(out)])
        else:
            reel = Path(folder) / "picture.mp4"
            _picture(cards, reel, size=size)
            _ffmpeg(
                ["-stream_loop", "-1", "-i", str(reel), "-i", str(wav), "-map", "0:v", "-map", "1:a",
                 "-c:v", "copy", "-c:a", "aac", "-b:a", "160k", "-metadata:s:a:0", "language=eng",
                 "-t", f"{duration / 1000:.3f}", "-movflags", "+faststart", str(out)]
            )  # fmt: skip
    return KnownClip(out, duration, known)


def spread(
    sentences: Iterable[tuple[str, str, Path | None]],
    *,
    duration: int,
    voices: Voices,
    seed: int = 1,
    first: int = 1500,
    gap: tuple[int, int] = (450, 1600),
) -> list[SpokenLine]:
    """Put sentences ``(text, voice, recording)`` one after another until time is up, ``gap`` ms between.

    Every start is a multiple of 1 ms and known; the last two seconds stay free of speech.
    """
    random = np.random.default_rng(seed)
    lines: list[SpokenLine] = []
    at = first
    for text, voice, recording in sentences:
        line = SpokenLine(text, at, voice, recording)
        end = at + len(voices.sound(line)) * 1000 // RATE + 1
        if end > duration - 2000:
            break
        lines.append(line)
        at = end + int(random.integers(*gap))
    return lines


def _speak(text: str, voice: str) -> tuple[Samples, int]:
    with tempfile.TemporaryDirectory(prefix="autodub-voice-") as folder:
        wav = Path(folder) / "line.wav"
        if voice.startswith("espeak:"):
            argv = [process.find("espeak-ng", package="espeak-ng"), "-v", voice.removeprefix("espeak:")]
            argv += ["-w", str(wav), "--stdin"]
        else:
            spoken = Path(folder) / "line.txt"
            spoken.write_text(text, encoding="utf-8")
            argv = [
                process.find("flite", package="flite"),
                "-voice",
                voice,
                "-f",
                str(spoken),
                "-o",
                str(wav),
            ]
        result = process.run(argv, deadline=60, stdin=text.encode())
        if result.code != 0 or not wav.is_file():
            raise MediaError(f"The voice {voice} could not speak {text!r}.", log=result.stderr)
        return load(wav)


def _trimmed(samples: Samples) -> Samples:
    frames = len(samples) // _FRAME
    power = np.mean(samples[: frames * _FRAME].reshape(frames, _FRAME) ** 2, axis=1)
    sounding = np.flatnonzero(power > power.max() * 10 ** (_SOUNDING / 10))
    return samples[sounding[0] * _FRAME : (sounding[-1] + 1) * _FRAME]


def _levelled(samples: Samples) -> Samples:
    gain = 10 ** (SPEECH_LEVEL / 20) / np.sqrt(np.mean(samples**2))
    return np.asarray(samples * min(gain, _PEAK / np.abs(samples).max()), dtype=np.float32)


def _write_sound(
    wav: Path, placed: Sequence[tuple[int, Samples]], *, duration: int, level: float | None, channels: int
) -> None:
    tune = music.loop(RATE, level=level) if level is not None else np.zeros((RATE, 2), np.float32)
    frames = duration * RATE // 1000
    waiting = list(placed)
    with Writer(wav, rate=RATE, channels=channels, subtype="PCM_16") as writer:
        for start in range(0, frames, _BLOCK):
            end = min(start + _BLOCK, frames)
            block = np.take(tune, np.arange(start, end) % len(tune), axis=0)
            for at, sound in waiting:
                if at >= end:
                    break
                low, high = max(at, start), min(at + len(sound), end)
                if low < high:
                    block[low - start : high - start] += sound[low - at : high - at, np.newaxis]
            waiting = [(at, sound) for at, sound in waiting if at + len(sound) > end]
            writer.write(_channels(block, channels))


def _channels(stereo: Samples, channels: int) -> Samples:
    """The stereo programme as mono, stereo, or the front pair of a surround layout."""
    if channels == 1:
        return np.asarray(stereo.mean(axis=1, keepdims=True), dtype=np.float32)
    if channels == 2:
        return stereo
    return np.pad(stereo, ((0, 0), (0, channels - 2)))


def _picture(cards: Sequence[title_cards.Card], reel: Path, *, size: tuple[int, int]) -> None:
    """The cards one after the other, 25 frames a second, with a bar that shows how far the reel is."""
    width, height = size
    playlist = reel.with_name("cards.txt")
    entries = []
    for number, card in enumerate(cards):
        picture = reel.with_name(f"card{number}.png")
        title_cards.save(title_cards.draw(card, width=width, height=height), picture)
        entries.append(f"file '{picture.name}'\nduration {card.seconds}\n")
    playlist.write_text("".join([*entries, entries[-1].splitlines()[0], "\n"]), encoding="utf-8")
    total = sum(card.seconds for card in cards)
    bar = max(2, height // 90)
    _ffmpeg(
        ["-f", "concat", "-i", str(playlist),
         "-f", "lavfi", "-i", f"color=white@0.7:s={width}x{bar}:r=25,format=rgba",
         "-filter_complex",
         f"[0:v]fps=25[cards];[cards][1:v]overlay=x='-w+w*t/{total}':y=H-h:shortest=1,format=yuv420p",
         "-t", str(total), "-c:v", "libx264", "-preset", "veryfast", "-crf", "23", "-bf", "0", "-g", "50",
         str(reel)]
    )  # fmt: skip


def _ffmpeg(arguments: list[str]) -> None:
    argv = [process.find("ffmpeg", package="ffmpeg"), "-v", "error", "-nostdin", "-y", *arguments]
    result = process.run(argv, deadline=3600)
    if result.code != 0:
        raise MediaError("ffmpeg could not build the clip.", command=tuple(argv), log=result.stderr)


def _clock(milliseconds: int) -> str:
    seconds, ms = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d},{ms:03d}"
