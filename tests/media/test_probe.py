"""What probe says about recordings, and how it refuses what is none."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from recordings import Clip

from autodub.media.probe import probe
from autodub.model.errors import Cancelled, UnsupportedSource


def test_an_ordinary_video(clip: Clip) -> None:
    """Streams, times and rates of an MP4 with B-frames are on the programme's clock."""
    info = probe(clip("stereo.mp4"))
    assert "mp4" in info.container
    assert abs(info.duration - 4000) <= 25
    (video,), (audio,) = info.video, info.audio
    assert (video.codec, video.width, video.height, video.frame_rate) == ("h264", 128, 96, 25.0)
    assert (video.start, video.duration, video.is_still) == (0, 4000, False)
    assert (audio.codec, audio.rate, audio.channels, audio.layout) == ("aac", 44100, 2, "stereo")
    assert (audio.start, audio.language) == (0, None)
    assert audio.bit_rate is not None


@pytest.mark.parametrize(
    ("name", "rate", "channels", "layout"),
    [("low.wav", 8000, 1, "mono"), ("high.wav", 96000, 2, "stereo"), ("surround.mkv", 48000, 6, "5.1")],
)
def test_rates_and_layouts(clip: Clip, name: str, rate: int, channels: int, layout: str) -> None:
    """Unusual rates and layouts are reported as they are."""
    (audio,) = probe(clip(name)).audio
    assert (audio.rate, audio.channels, audio.layout) == (rate, channels, layout)


def test_many_tracks(clip: Clip) -> None:
    """Every sound and subtitle track is listed with its language; the default one is marked."""
    info = probe(clip("many.mkv"))
    assert [(a.language, a.is_default) for a in info.audio] == [("eng", False), ("deu", True)]
    assert [(s.codec, s.is_text) for s in info.subtitles] == [("subrip", True), ("ass", True)]
    assert info.subtitles[0].language == "eng"


def test_cover_art_is_a_still(clip: Clip) -> None:
    """An attached picture is not programme and does not count for the duration."""
    info = probe(clip("cover.mp3"))
    assert [video.is_still for video in info.video] == [True]
    assert abs(info.duration - 4000) < 100


def test_late_sound(clip: Clip) -> None:
    """Sound that starts half a second after the picture says so."""
    assert probe(clip("late.mp4")).audio[0].start == 500


def test_encoder_delay_before_zero_is_not_programme(clip: Clip) -> None:
    """In WebM the delay of Opus lies before programme time 0, where the picture would otherwise be late."""
    info = probe(clip("opus.webm"))
    assert info.audio[0].start <= 0
    assert 0 <= info.video[0].start <= 8


def test_picture_longer_than_sound(clip: Clip) -> None:
    """The programme lasts as long as its longest stream."""
    info = probe(clip("short.mp4"))
    assert info.duration == 4000
    assert info.audio[0].duration == 2000


def test_length_by_reading(clip: Clip, tmp_path: Path) -> None:
    """Where a file does not say how long it is, its packets are read."""
    live = tmp_path / "live.mkv"
    command = [
        "ffmpeg",
        "-v",
        "error",
        "-i",
        clip("stereo.mp4"),
        "-c",
        "copy",
        "-f",
        "matroska",
        "-live",
        "1",
    ]
    with live.open("wb") as out:
        subprocess.run([*command, "-"], check=True, stdout=out)
    assert abs(probe(live).duration - 4000) < 60


def test_guessed_lengths_are_not_believed(clip: Clip) -> None:
    """A raw AAC file, whose length ffprobe guesses from its bit rate, is read to its end instead."""
    assert abs(probe(clip("raw.aac")).duration - 4040) <= 2


@pytest.mark.parametrize(
    "name",
    ["with space.mp4", "it's \"quoted\".mp4", "-y.mp4", "two\nlines.mp4", "a:b.mp4", "50%d.mp4", "ü—日本.mp4",
     "file:x.mp4", "[0:a];$(id).mp4", "x" * 250 + ".mp4"],
)  # fmt: skip
def test_odd_names(clip: Clip, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names with spaces, quotes, dashes, newlines or colons open like any other, absolute or relative."""
    shutil.copy(clip("stereo.mp4"), tmp_path / name)
    expected = probe(clip("stereo.mp4"))
    assert probe(tmp_path / name) == expected
    monkeypatch.chdir(tmp_path)
    assert probe(Path(name)) == expected


def test_undecodable_names(clip: Clip, tmp_path: Path) -> None:
    """A name that is not UTF-8 opens too."""
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.mp4"))
    shutil.copy(clip("stereo.mp4"), path)
    assert probe(path).duration > 0


def write(path: Path, content: str | bytes) -> Path:
    """A file with some content."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


HLS = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n{target}\n#EXT-X-ENDLIST\n"
CONCAT = "ffconcat version 1.0\nfile {target}\n"
SDP = "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n"
DASH = (
    '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
    'profiles="urn:mpeg:dash:profile:isoff-on-demand:2011"><Period><AdaptationSet>'
    '<Representation id="1"><BaseURL>{target}</BaseURL></Representation></AdaptationSet></Period></MPD>'
)


@pytest.mark.parametrize("text", [HLS, CONCAT, SDP, DASH])
@pytest.mark.parametrize("name", ["list.mp4", "list.m3u8", "list.mpd"])
def test_lists_are_not_followed(clip: Clip, tmp_path: Path, text: str, name: str) -> None:
    """Playlists and scripts, under whatever name, are refused as such and what they name is not opened."""
    target = tmp_path / "target.ts"
    shutil.copy(clip("stream.ts"), target)
    os.utime(target, ns=(1, 1))
    with pytest.raises(UnsupportedSource, match="points to other files or addresses") as caught:
        probe(write(tmp_path / name, text.format(target=target)))
    assert "itself" in caught.value.hint
    assert target.stat().st_atime_ns == 1


def test_picture_sequences_are_not_followed(tmp_path: Path) -> None:
    """A name that ffmpeg would read as a pattern of pictures is one file, or none."""
    write(tmp_path / "img1.png", b"x")
    with pytest.raises(UnsupportedSource, match="There is no file"):
        probe(tmp_path / "img%d.png")


def test_movies_that_refer_to_other_files(clip: Clip, tmp_path: Path) -> None:
    """A QuickTime movie whose samples lie in another file does not get them."""
    reference = tmp_path / "reference.mov"
    data = bytearray(clip("stereo.mp4").read_bytes())
    at = data.index(b"url \x00\x00\x00\x01")
    data[at : at + 8] = b"url \x00\x00\x00\x00"  # no longer self-contained
    info = probe(write(reference, bytes(data)))
    assert info.audio  # the samples beside the header are read; nothing else could have been
    assert b"url \x00\x00\x00\x00" in data


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "is empty"),
        (b"This is only a text file, named like a video.\n" * 50, "not a video or sound file"),
        (bytes(100_000), "not a video or sound file"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "not a video or sound file"),
        (b"1\n00:00:01,000 --> 00:00:02,000\nHello\n", "not a video or sound file"),
    ],
)
def test_not_media(tmp_path: Path, content: bytes, why: str) -> None:
    """Empty files, text, zeros, pictures and subtitles named .mp4 are refused with a reason and a hint."""
    with pytest.raises(UnsupportedSource, match=why) as caught:
        probe(write(tmp_path / "x.mp4", content))
    assert caught.value.hint


def test_truncated_header(clip: Clip, tmp_path: Path) -> None:
    """An MP4 cut before its index is refused; it cannot be read by anybody."""
    with pytest.raises(UnsupportedSource, match="not a video or sound file"):
        probe(write(tmp_path / "cut.mp4", clip("stereo.mp4").read_bytes()[:20_000]))


def test_no_sound(clip: Clip) -> None:
    """A video without a sound track has nothing to dub."""
    with pytest.raises(UnsupportedSource, match="has no sound") as caught:
        probe(clip("silent.mp4"))
    assert "somebody speaks" in caught.value.hint


def test_sound_track_without_packets(clip: Clip, tmp_path: Path) -> None:
    """A sound track that is announced but empty counts as none."""
    path = tmp_path / "hollow.mp4"
    command = [
        "ffmpeg",
        "-v",
        "error",
        "-i",
        clip("stereo.mp4"),
        "-c",
        "copy",
        "-bsf:a",
        "noise=drop=1",
        path,
    ]
    subprocess.run(command, check=True)
    with pytest.raises(UnsupportedSource, match=r"has (no sound|an empty sound track)"):
        probe(path)


def test_what_is_not_a_file(tmp_path: Path) -> None:
    """Missing files, folders, pipes, devices and impossible names are refused without hanging."""
    os.mkfifo(tmp_path / "pipe.mp4")
    for path, why in (
        (tmp_path / "missing.mp4", "There is no file"),
        (tmp_path, "is a folder"),
        (tmp_path / "pipe.mp4", "not an ordinary file"),
        (Path("/dev/zero"), "not an ordinary file"),
        (tmp_path / "x\0y.mp4", "cannot be read"),
        (tmp_path / ("y" * 300), "cannot be read"),
    ):
        with pytest.raises(UnsupportedSource, match=why) as caught:
            probe(path)
        assert caught.value.hint


def test_cancelled(clip: Clip) -> None:
    """Probing stops when asked to."""

    def check() -> None:
        raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        probe(clip("stereo.mp4"), check=check)


def test_real_recordings(shared_media: Path) -> None:
    """A video that was cut by an edit list is as long as it plays (10 s of 14), and sound alone is fine."""
    noisy = probe(shared_media / "talking-head-noisy.mp4")
    assert (noisy.duration, noisy.video[0].start, noisy.audio[0].duration) == (10034, 0, 10001)
    assert probe(shared_media / "two-speakers.wav").video == ()


@pytest.mark.parametrize("name", ["a.srt", "a.VTT"])
def test_subtitles_are_no_source(tmp_path: Path, name: str) -> None:
    """A subtitle file in place of the video is told where it belongs."""
    path = tmp_path / name
    path.write_text("WEBVTT\n\n1\n00:00:01.000 --> 00:00:02.000\nHello.\n")
    with pytest.raises(UnsupportedSource, match="holds subtitles") as caught:
        probe(path)
    assert "--subtitles" in caught.value.hint


def test_a_file_that_says_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a file says of itself is read up to a limit, however much it has to say."""
    path = tmp_path / "talkative.mp3"
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "sine", "-t", "1"]
    subprocess.run([*command, "-metadata", f"title={'x' * 9000}", path], check=True)
    assert probe(path).duration > 0
    monkeypatch.setattr("autodub.media.probe._ANSWER", 8000)
    with pytest.raises(UnsupportedSource, match="makes no sense"):
        probe(path)
