"""Picture and sound fetched apart become one file, copied, on the clock they share."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from autodub.media.joining import join
from autodub.media.probe import probe
from autodub.model.errors import Cancelled, UnsupportedSource

PICTURE = ["-f", "lavfi", "-i", "testsrc2=s=160x90:r=25:d=2"]
SOUND = ["-f", "lavfi", "-i", "aevalsrc='0.4*sin(2*PI*t*(300+200*t))':s=48000:d=2"]
H264 = ["-c:v", "libx264", "-preset", "ultrafast", "-bf", "2"]
VP9 = ["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8"]
FRAGMENTED = ["-movflags", "+frag_keyframe+empty_moov+default_base_moof"]


def made(path: Path, *arguments: str) -> Path:
    """A file ffmpeg writes."""
    subprocess.run(["ffmpeg", "-v", "error", "-y", *arguments, str(path)], check=True)
    return path


def decoded(path: Path) -> bytes:
    """The sound from programme time 0, as samples."""
    argv = [
        "ffmpeg",
        "-v",
        "error",
        "-i",
        str(path),
        "-map",
        "0:a:0",
        "-ac",
        "1",
        "-ar",
        "48000",
        "-f",
        "s16le",
        "-",
    ]
    return subprocess.run(argv, check=True, capture_output=True).stdout


def frames(path: Path) -> list[str]:
    """Digests of the picture's frames, decoded."""
    argv = [
        "ffmpeg",
        "-v",
        "error",
        "-i",
        str(path),
        "-map",
        "0:v:0",
        "-fps_mode",
        "passthrough",
        "-f",
        "framemd5",
        "-",
    ]
    told = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    return [line.rpartition(",")[2].strip() for line in told.splitlines() if not line.startswith("#")]


@pytest.mark.parametrize(
    ("picture", "sound", "ending"),
    [
        (("v.mp4", *H264), ("a.m4a", "-c:a", "aac"), ".mp4"),
        (("v.mp4", *H264, *FRAGMENTED), ("a.mp4", "-c:a", "aac", *FRAGMENTED), ".mp4"),
        (("v.webm", *VP9), ("a.webm", "-c:a", "libopus"), ".mkv"),
        (("v.mp4", *H264), ("a.webm", "-c:a", "libopus"), ".mkv"),
        (("v.webm", *VP9), ("a.m4a", "-c:a", "aac"), ".mp4"),
        (("v.ts", *H264), ("a.ts", "-c:a", "aac"), ".mp4"),
        (("v.ts", *H264), ("a.aac", "-c:a", "aac"), ".mp4"),
        (("v.mp4", *H264), ("a.mp3", "-c:a", "libmp3lame"), ".mp4"),
        (("v.mp4", *H264), ("a.flac", "-c:a", "flac"), ".mkv"),
    ],
)
def test_both_are_copied_into_the_container_that_holds_them(
    tmp_path: Path, picture: tuple[str, ...], sound: tuple[str, ...], ending: str
) -> None:
    """Every frame is there, and the sound is sample for sample that of the file it came from."""
    video = made(tmp_path / picture[0], *PICTURE, *picture[1:])
    audio = made(tmp_path / sound[0], *SOUND, *sound[1:])
    whole = join(video, audio, tmp_path)
    assert whole.suffix == ending
    info = probe(whole)
    assert info.audio[0].start == probe(audio).audio[0].start, "a run-up that nobody hears stays one"
    assert abs(info.video[0].start) <= 81, "two frames that are shown later than they are stored"
    assert frames(whole) == frames(video)
    heard, alone = decoded(whole), decoded(audio)
    assert heard[: len(alone)] == alone
    assert abs(len(heard) - len(alone)) <= 2 * 2048


def test_streams_of_one_broadcast_keep_their_distance(tmp_path: Path) -> None:
    """A picture whose clock begins half a second after its sound's still does so when joined."""
    video = made(tmp_path / "v.ts", *PICTURE, *H264, "-output_ts_offset", "3.5")
    audio = made(tmp_path / "a.ts", *SOUND, "-c:a", "aac", "-output_ts_offset", "3.0")
    info = probe(join(video, audio, tmp_path))
    assert info.audio[0].start == 0
    assert abs(info.video[0].start - 500) < 90


def test_clocks_that_have_nothing_in_common_are_not_compared(tmp_path: Path) -> None:
    """Files whose times are far apart begin together."""
    video = made(tmp_path / "v.ts", *PICTURE, *H264, "-output_ts_offset", "1000")
    audio = made(tmp_path / "a.ts", *SOUND, "-c:a", "aac")
    assert abs(probe(join(video, audio, tmp_path)).video[0].start) < 90


def test_a_file_without_its_stream_is_refused(tmp_path: Path) -> None:
    """The error says which of the two is missing; cover art is no picture."""
    video = made(tmp_path / "v.mp4", *PICTURE, *H264)
    audio = made(tmp_path / "a.m4a", *SOUND, "-c:a", "aac")
    cover = made(tmp_path / "cover.png", *PICTURE, "-frames:v", "1")
    song = made(
        tmp_path / "song.m4a", "-i", str(audio), "-i", str(cover), "-map", "0", "-map", "1", "-c", "copy",
        "-disposition:v:0", "attached_pic",
    )  # fmt: skip
    (tmp_path / "page.mp4").write_text("<html>not found</html>")
    for picture in (audio, song, tmp_path / "page.mp4"):
        with pytest.raises(UnsupportedSource, match="no picture"):
            join(picture, audio, tmp_path)
    with pytest.raises(UnsupportedSource, match="no sound"):
        join(video, video, tmp_path)


def test_a_sound_that_ends_early_does_not_fill_the_memory(tmp_path: Path) -> None:
    """Once one stream has ended the other is written as it comes, not gathered until its end."""
    large = ["-f", "lavfi", "-i", "color=s=320x180:r=25:d=120", "-c:v", "rawvideo", "-pix_fmt", "yuv420p"]
    picture = made(tmp_path / "v.mkv", *large)
    assert picture.stat().st_size > 240 << 20
    sound = made(tmp_path / "a.m4a", "-f", "lavfi", "-i", "sine=d=1", "-c:a", "aac")
    code = (
        "import resource, sys; from pathlib import Path; from autodub.media.joining import join;"
        "join(*map(Path, sys.argv[1:4])); print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    argv = [sys.executable, "-c", code, str(picture), str(sound), str(tmp_path)]
    said = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    assert int(said) < 160 << 10, "kilobytes of ffmpeg's, which has read more"


def test_joining_can_be_cancelled_and_tells_how_far_it_is(tmp_path: Path) -> None:
    """What the check raises stops it; progress ends at one."""
    video = made(tmp_path / "v.mp4", *PICTURE, *H264)
    audio = made(tmp_path / "a.m4a", *SOUND, "-c:a", "aac")
    seen: list[float] = []
    join(video, audio, tmp_path, progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] > 0.9

    def stop() -> None:
        raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        join(video, audio, tmp_path, check=stop)
