"""Clips with known line times: what they say about themselves is true of the file."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from autodub.dubbing.subtitles import parse
from autodub.infra import process
from autodub.media.sound import Reader, load, store
from autodub.model.errors import MediaError
from autodub.model.time import Span
from autodub.testing import clips, music
from autodub.testing.cards import Card
from autodub.testing.clips import RATE, SpokenLine


@pytest.fixture(scope="module")
def voices() -> clips.Voices:
    """Voices shared by the tests, so that each line is spoken once."""
    return clips.Voices()


def probe(path: Path, entries: str) -> list[str]:
    """Values of ffprobe for a file."""
    argv = [process.find("ffprobe", package="ffmpeg"), "-v", "error", "-of", "csv=p=0"]
    result = process.run([*argv, "-show_entries", entries, str(path)], deadline=30)
    return result.stdout.decode().replace("\n", ",").strip(",").split(",")


def onset(samples: np.ndarray, start: int, end: int) -> int:
    """Millisecond of the first sound between two milliseconds: 2 ms frames, 35 dB under the loudest."""
    part = samples[start * RATE // 1000 : end * RATE // 1000]
    power = np.mean(part[: len(part) // 96 * 96].reshape(-1, 96) ** 2, axis=1)
    return start + 2 * int(np.flatnonzero(power > power.max() * 10**-3.5)[0])


def test_lines_sound_when_they_should(tmp_path: Path, voices: clips.Voices) -> None:
    """Every line's first sound is at its millisecond, to the detector's 5 ms, by two different voices."""
    lines = [SpokenLine("The second line.", 2345, "rms"), SpokenLine("The first line.", 501, "slt")]
    clip = clips.build(
        lines, out=tmp_path / "a.wav", duration=5000, music_level=None, channels=1, voices=voices
    )
    samples, rate = load(clip.path)
    assert rate == RATE
    assert len(samples) == 5 * RATE
    assert [line.speaker for line in clip.lines] == ["slt", "rms"]
    assert abs(onset(samples[:, 0], 300, 2000) - 501) <= 5
    assert abs(onset(samples[:, 0], 2200, 5000) - 2345) <= 5
    assert not samples[: 501 * 48].any()
    assert not samples[clip.lines[1].span.end * 48 + 48 :].any()


def test_a_clip_with_picture(tmp_path: Path, voices: clips.Voices) -> None:
    """The file is as long as asked for in picture and sound, tagged English, and its cards repeat."""
    cards = (Card("One", seconds=1), Card("Two & three", "caption", seconds=1))
    clip = clips.build(
        [SpokenLine("Good day.", 1000)], out=tmp_path / "a.mp4", duration=3480, cards=cards, voices=voices,
        size=(320, 180),
    )  # fmt: skip
    found = probe(clip.path, "stream=codec_name,nb_frames:stream_tags=language")
    assert found[:2] == ["h264", str(3480 // 40)]
    assert "aac" in found
    assert "eng" in found
    assert clip.duration == 3480


@pytest.mark.parametrize("channels", [1, 2, 6])
def test_channels(tmp_path: Path, voices: clips.Voices, channels: int) -> None:
    """Mono, stereo and surround clips hold the speech in the front."""
    clip = clips.build(
        [SpokenLine("Good day.", 200)],
        out=tmp_path / "a.wav",
        duration=1600,
        channels=channels,
        voices=voices,
    )
    samples, _ = load(clip.path)
    assert samples.shape[1] == channels
    assert samples[:, 0].any()
    assert not samples[:, 2:].any()


def test_speech_stands_out_of_the_music(tmp_path: Path, voices: clips.Voices) -> None:
    """Speech is at its level and the music at its own, well below; nothing clips."""
    clip = clips.build(
        [SpokenLine("Good day to you.", 2000)], out=tmp_path / "a.wav", duration=6000, voices=voices
    )
    samples, _ = load(clip.path)
    line = clip.lines[0].span
    during = samples[line.start * 48 : line.end * 48]
    before = samples[: 1900 * 48]
    assert 20 * np.log10(np.sqrt(np.mean(during**2))) == pytest.approx(clips.SPEECH_LEVEL, abs=1.5)
    assert 20 * np.log10(np.sqrt(np.mean(before**2))) == pytest.approx(clips.MUSIC_LEVEL, abs=3)
    assert np.abs(samples).max() < 1.0


def test_recordings_are_lines_too(tmp_path: Path, voices: clips.Voices) -> None:
    """A recording is trimmed to its sound, whatever silence and rate it came with."""
    tone = np.sin(np.arange(8000) * 0.2).astype(np.float32)
    path = tmp_path / "tone.wav"
    store(np.concatenate([np.zeros(4000, np.float32), tone, np.zeros(4000, np.float32)]), 16_000, path)
    line = SpokenLine("tone", 100, recording=path)
    assert line.speaker == "reader"
    assert len(voices.sound(line)) == pytest.approx(RATE / 2, abs=3 * RATE // 200)


def test_subtitles_tell_the_truth(tmp_path: Path, voices: clips.Voices) -> None:
    """The clip's SRT reads back as its lines."""
    lines = [SpokenLine("Good day.", 1000), SpokenLine("Good day to you.", 3_000)]
    clip = clips.build(lines, out=tmp_path / "a.wav", duration=6000, voices=voices)
    read = parse(clip.srt().encode()).segments
    assert [(s.text, s.span) for s in read] == [(line.text, line.span) for line in clip.lines]


@pytest.mark.parametrize(("starts", "duration"), [((100, 200), 6000), ((100,), 400), ((100,), 6001)])
def test_impossible_clips(
    tmp_path: Path, voices: clips.Voices, starts: tuple[int, ...], duration: int
) -> None:
    """Lines that would sound together or past the end, and broken frames, are refused; nothing is left."""
    with pytest.raises(ValueError, match="ms"):
        clips.build(
            [SpokenLine("Good day.", start) for start in starts], out=tmp_path / "a.wav", duration=duration,
            voices=voices,
        )  # fmt: skip
    assert not list(tmp_path.iterdir())


def test_a_voice_nobody_has(voices: clips.Voices) -> None:
    """A voice that cannot speak is an error that says so."""
    with pytest.raises(MediaError, match="espeak:xx-none"):
        voices.sound(SpokenLine("Good day.", 0, "espeak:xx-none"))


def test_spreading_is_reproducible_and_fits(voices: clips.Voices) -> None:
    """Sentences are spread with gaps until time is up, the same way for the same seed."""
    sentences = [("Good day.", "slt", None), ("Good day to you.", "rms", None)] * 10
    lines = clips.spread(sentences, duration=12_000, voices=voices, seed=3)
    assert lines == clips.spread(sentences, duration=12_000, voices=voices, seed=3)
    assert lines != clips.spread(sentences, duration=12_000, voices=voices, seed=4)
    spans = [Span(line.start, line.start + len(voices.sound(line)) // 48) for line in lines]
    assert 4 <= len(lines) < 20
    assert all(450 <= b.start - a.end <= 1602 for a, b in pairwise(spans))
    assert spans[-1].end <= 10_000


def test_a_long_clip_is_written_in_blocks(tmp_path: Path, voices: clips.Voices) -> None:
    """A line across the border of two blocks is whole."""
    line = SpokenLine("Good day to you.", 9_600)
    clip = clips.build(
        [line], out=tmp_path / "a.wav", duration=12_000, music_level=None, channels=1, voices=voices
    )
    sound = voices.sound(line)
    with Reader(clip.path) as reader:
        placed = reader.read(9_600 * 48, len(sound))[:, 0]
    assert np.abs(placed - sound).max() < 1e-4


def test_music_is_seamless_and_stereo() -> None:
    """The loop has the level asked for, two different channels, and no jump where it starts again."""
    loop = music.loop(8000, level=-30.0)
    assert loop.shape == (music.LOOP_SECONDS * 8000, 2)
    assert 20 * np.log10(np.sqrt(np.mean(loop**2))) == pytest.approx(-30.0, abs=0.01)
    assert not np.array_equal(loop[:, 0], loop[:, 1])
    seam = np.abs(loop[0] - loop[-1]).max()
    assert seam <= np.abs(np.diff(loop, axis=0)).max()
