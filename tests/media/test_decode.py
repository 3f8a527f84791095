"""Decoding into a mix and a speech rendering."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from recordings import Clip, ffmpeg_samples

from autodub.media import sound
from autodub.media.decode import Decoded, decode, extract_subtitles
from autodub.media.probe import probe
from autodub.model.errors import Cancelled, MediaError, OutputProblem, UnsupportedSource


def decoded(
    path: Path, folder: Path, *, start: int = 0, end: int | None = None, track: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.float32], Decoded]:
    """Mix, speech, and what decode said."""
    info = probe(path)
    mix, speech = folder / "mix.wav", folder / "speech.wav"
    said = decode(path, info, info.audio[track], mix=mix, speech=speech, start=start, end=end)
    (samples, rate), (voice, voice_rate) = sound.load(mix), sound.load(speech)
    assert (rate, voice_rate, voice.shape[1]) == (info.audio[track].rate, 16000, 1)
    assert len(samples) == said.frames
    assert abs(len(voice) / 16000 - len(samples) / rate) < 0.001
    return samples, voice, said


@pytest.mark.parametrize(
    ("name", "channels"),
    [("stereo.mp4", 2), ("mono.mp4", 1), ("surround.mkv", 6), ("low.wav", 1), ("high.wav", 2),
     ("cover.mp3", 2), ("variable.mkv", 2), ("stream.ts", 2), ("raw.aac", 2)],
)  # fmt: skip
def test_the_mix_is_what_ffmpeg_decodes(clip: Clip, tmp_path: Path, name: str, channels: int) -> None:
    """Every sample equals plain ffmpeg's at the source's rate and layout; only padding at the end goes."""
    mix, _, said = decoded(clip(name), tmp_path)
    plain = ffmpeg_samples(clip(name), channels=channels)
    assert 0 <= len(plain) - len(mix) < 1024
    assert np.array_equal(mix, plain[: len(mix)])
    assert said.warnings == ()


@pytest.mark.parametrize("name", ["stereo.mp4", "mono.mp4"])
def test_announced_length(clip: Clip, tmp_path: Path, name: str) -> None:
    """An MP4's sound is as long as the file says, not a whole number of AAC frames."""
    mix, _, _ = decoded(clip(name), tmp_path)
    duration = probe(clip(name)).audio[0].duration
    assert duration is not None
    assert abs(len(mix) / 44.1 - duration) <= 1.5


def test_late_sound_is_preceded_by_silence(clip: Clip, tmp_path: Path) -> None:
    """Sound that starts 0.5 s after the picture has exactly 0.5 s of zeros before it."""
    mix, _, _ = decoded(clip("late.mp4"), tmp_path)
    plain = ffmpeg_samples(clip("late.mp4"), channels=2)
    assert not mix[:22050].any()
    assert np.array_equal(mix[22050:], plain[: len(mix) - 22050])


def test_holes_are_filled(clip: Clip, tmp_path: Path) -> None:
    """A second missing from the middle becomes a second of silence; what follows stays at its time."""
    holed = tmp_path / "holed.mkv"
    drop = r"noise=drop=between(pts*tb\,1.5\,2.5)"
    command = [
        "ffmpeg",
        "-v",
        "error",
        "-i",
        clip("high.wav"),
        "-c:a",
        "flac",
        "-ar",
        "48000",
        "-f",
        "matroska",
    ]
    subprocess.run([*command, tmp_path / "whole.mkv"], check=True)
    copy = ["ffmpeg", "-v", "error", "-i", tmp_path / "whole.mkv", "-c", "copy", "-bsf:a", drop, holed]
    subprocess.run(copy, check=True)
    whole, _, _ = decoded(tmp_path / "whole.mkv", tmp_path)
    mix, _, _ = decoded(holed, tmp_path)
    assert np.array_equal(mix[:70_000], whole[:70_000])
    assert not mix[76_000:118_000].any()
    tail = whole[-40_000:]
    at = [
        shift
        for shift in range(-60, 61)
        if np.array_equal(mix[len(whole) - 40_000 + shift :][:30_000], tail[:30_000])
    ]
    assert len(at) == 1  # to the millisecond of Matroska's clock


@pytest.mark.parametrize(("start", "end"), [(0, 1000), (1234, 2345), (1000, None), (3999, 60_000)])
def test_a_range_is_cut_to_the_sample(clip: Clip, tmp_path: Path, start: int, end: int | None) -> None:
    """A range holds samples round(start · rate) to round(end · rate) of the whole, and no others."""
    whole, _, _ = decoded(clip("mono.mp4"), tmp_path)
    part, _, said = decoded(clip("mono.mp4"), tmp_path, start=start, end=end)
    first, last = round(start * 44.1), len(whole) if end is None else round(end * 44.1)
    assert np.array_equal(part, whole[first:last])
    assert said.warnings == ()


def test_stereo_speech_is_the_mean(clip: Clip, tmp_path: Path) -> None:
    """The speech rendering of stereo is (L + R) / 2 at 16 kHz, in step with the mix."""
    mix, voice, _ = decoded(clip("stereo.mp4"), tmp_path)
    expected = sound.resample(mix.mean(axis=1), 44100, 16000)
    size = min(len(voice), len(expected))
    error = voice[100 : size - 100, 0] - expected[100 : size - 100]
    assert np.sqrt(np.mean(error**2)) < 0.05 * np.sqrt(
        np.mean(expected**2)
    )  # the resamplers differ, a delay would not hide


def test_surround_speech_is_the_centre(tmp_path: Path) -> None:
    """Of 5.1 only the centre channel goes into the speech rendering, at full level."""
    path = tmp_path / "x.mkv"
    source = "aevalsrc=0.5*sin(3000*t)|0.5*sin(3000*t)|0.25*sin(1000*t)|0|0.5*sin(3000*t)|0:d=1:c=5.1:s=48000"
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", source, "-c:a", "flac", path], check=True)
    _, voice, _ = decoded(path, tmp_path)
    expected = 0.25 * np.sin(1000 * np.arange(len(voice)) / 16000)
    assert np.abs(voice[200:-200, 0] - expected[200:-200]).max() < 0.005


def test_each_track_by_itself(clip: Clip, tmp_path: Path) -> None:
    """The stream asked for is decoded, not the default one."""
    first, _, _ = decoded(clip("many.mkv"), tmp_path, track=0)
    second, _, _ = decoded(clip("many.mkv"), tmp_path, track=1)
    assert first.shape[1] == 2
    assert second.shape[1] == 1
    peak = np.argmax(np.abs(np.fft.rfft(second[:44100, 0])))
    assert abs(int(peak) - 500) <= 1


def test_edit_list_of_a_real_file(shared_media: Path, tmp_path: Path) -> None:
    """A phone video trimmed by an edit list decodes to the part that plays."""
    mix, _, _ = decoded(shared_media / "talking-head-noisy.mp4", tmp_path)
    plain = ffmpeg_samples(shared_media / "talking-head-noisy.mp4", channels=2)
    assert np.array_equal(mix, plain[: len(mix)])
    assert abs(len(mix) / 44100 - 10.001) < 0.002


def test_damage_is_survived_and_reported(clip: Clip, tmp_path: Path) -> None:
    """Of a damaged file everything else is decoded, at its own time, and the damage is counted."""
    data = bytearray(clip("stream.ts").read_bytes())
    rng = np.random.default_rng(1)
    for at in rng.integers(2000, len(data), 150):
        data[at] ^= 0xFF
    (tmp_path / "bad.ts").write_bytes(data)
    mix, _, said = decoded(tmp_path / "bad.ts", tmp_path)
    assert 3.5 < len(mix) / 44100 < 4.3
    assert any("damaged" in warning for warning in said.warnings)


def test_truncated_file(clip: Clip, tmp_path: Path) -> None:
    """Of a truncated file what is there is decoded, and the missing end is reported in seconds."""
    path = tmp_path / "front.mp4"
    command = [
        "ffmpeg",
        "-v",
        "error",
        "-i",
        clip("stereo.mp4"),
        "-c",
        "copy",
        "-movflags",
        "+faststart",
        path,
    ]
    subprocess.run(command, check=True)
    os.truncate(path, path.stat().st_size * 6 // 10)
    mix, _, said = decoded(path, tmp_path)
    assert 1.0 < len(mix) / 44100 < 3.5
    assert any("s before the file says" in warning for warning in said.warnings)


def test_nothing_decodable(clip: Clip, tmp_path: Path) -> None:
    """When all sound data is destroyed, the refusal says so."""
    data = bytearray(clip("raw.aac").read_bytes())
    path = tmp_path / "x.mp4"
    (tmp_path / "x.aac").write_bytes(data)
    subprocess.run(["ffmpeg", "-v", "error", "-i", tmp_path / "x.aac", "-c", "copy", path], check=True)
    broken = bytearray(path.read_bytes())
    start = broken.index(b"mdat") + 4
    size = int.from_bytes(broken[start - 8 : start - 4], "big") - 8
    broken[start : start + size] = b"\xff" * size
    path.write_bytes(broken)
    with pytest.raises(UnsupportedSource, match=r"None of the sound .* can be decoded") as caught:
        decoded(path, tmp_path)
    assert caught.value.hint


def test_range_without_sound(clip: Clip, tmp_path: Path) -> None:
    """A range that lies after the sound's end is refused as such."""
    with pytest.raises(UnsupportedSource, match="no sound in the range"):
        decoded(clip("short.mp4"), tmp_path, start=3000, end=3500)


def test_wild_timestamps_do_not_fill_the_disk(
    clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A timestamp hours ahead cannot make hours of silence."""
    path = tmp_path / "wild.mkv"
    jump = r"setts=ts=if(gt(N\,100)\,TS+20000/TB\,TS)"
    command = ["ffmpeg", "-v", "error", "-i", clip("low.wav"), "-c:a", "flac", "-bsf:a", jump, path]
    subprocess.run(command, check=True)
    info = probe(path)
    sane = type(info)(info.container, 4000, info.video, info.audio, info.subtitles)
    monkeypatch.setattr("autodub.media.decode._PAST_END", 5.0)
    decode(path, sane, info.audio[0], mix=tmp_path / "m.wav", speech=tmp_path / "s.wav")
    assert sound.Reader(tmp_path / "m.wav").frames <= 9 * 8000


def test_same_input_same_bytes(clip: Clip, tmp_path: Path) -> None:
    """Decoding twice gives the same files to the byte, so that the store keeps one."""
    decoded(clip("stereo.mp4"), tmp_path)
    first = (tmp_path / "mix.wav").read_bytes(), (tmp_path / "speech.wav").read_bytes()
    decoded(clip("stereo.mp4"), tmp_path)
    assert first == ((tmp_path / "mix.wav").read_bytes(), (tmp_path / "speech.wav").read_bytes())


def test_progress_and_cancel(clip: Clip, tmp_path: Path) -> None:
    """Progress ends at 1, and a cancelled run stops with the error it was given."""
    info = probe(clip("stereo.mp4"))
    seen: list[float] = []
    files = {"mix": tmp_path / "m.wav", "speech": tmp_path / "s.wav"}
    decode(clip("stereo.mp4"), info, info.audio[0], progress=seen.append, **files)
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(1.0, abs=0.01)

    def check() -> None:
        raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        decode(clip("stereo.mp4"), info, info.audio[0], check=check, **files)


def test_no_room(clip: Clip, tmp_path: Path, small_disk: Path) -> None:
    """A full disk is an output problem, not a media error."""
    info = probe(clip("stereo.mp4"))
    with pytest.raises(OutputProblem, match=r"no room|largest file size") as caught:
        decode(clip("stereo.mp4"), info, info.audio[0], mix=small_disk / "m.wav", speech=tmp_path / "s.wav")
    assert caught.value.hint


@pytest.mark.parametrize("which", [0, 1])
def test_subtitles_inside(clip: Clip, tmp_path: Path, which: int) -> None:
    """Text subtitles inside a source come out as SubRip on the picture's clock."""
    info = probe(clip("many.mkv"))
    extract_subtitles(clip("many.mkv"), info, info.subtitles[which].index, tmp_path / "x.srt")
    text = (tmp_path / "x.srt").read_text()
    seconds = [float(found.replace(",", ".")) for found in re.findall(r"00:00:(\d\d,\d+)", text)]
    shift = info.video[0].start / 1000
    assert seconds == pytest.approx([0.5 + shift, 1.5 + shift, 2.0 + shift, 3.0 + shift], abs=0.011)
    assert "Hello there." in text


def test_subtitles_that_are_none(clip: Clip, tmp_path: Path) -> None:
    """Asking for a stream that is not text is a media error with ffmpeg's reason."""
    info = probe(clip("stereo.mp4"))
    with pytest.raises(MediaError, match="could not read the subtitles"):
        extract_subtitles(clip("stereo.mp4"), info, 0, tmp_path / "x.srt")
