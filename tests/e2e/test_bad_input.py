"""Bad input, as a person meets it: what is said, what is left behind, and what still works."""

from __future__ import annotations

import ctypes
import functools
import json
import os
import random
import resource
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attempts import LINES, Clip, Desk, ffmpeg, srt, traces

from autodub.engines import registry
from autodub.gateway.gateway import Gateway
from autodub.media.probe import probe
from autodub.model.speech import Transcript, Translation, Translations, Wording
from autodub.testing import clips
from autodub.testing.fakes import FakeSeparator, FakeSynthesizer, FakeTranscriber, FakeTranslator
from autodub.testing.script import Give, Hang, Script, Step

A, B = LINES


def picture(path: Path) -> list[bytes]:
    """Every packet of the picture: its time and the digest of its bytes."""
    found = subprocess.run(
        [
            "ffprobe", "-v", "error", "-select_streams", "v", "-show_data_hash", "md5", "-of", "csv=p=0",
            "-show_entries", "packet=pts_time,data_hash", str(path),
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    return found.stdout.split()


# --- what is inside the file ---------------------------------------------------------------------------


def test_no_sound(desk: Desk, clip: Clip, tmp_path: Path) -> None:
    """A picture without sound is refused."""
    ffmpeg("-i", clip.film, "-an", "-c", "copy", tmp_path / "mute.mp4")
    error = desk.failed(tmp_path / "mute.mp4", code=2)
    assert error["code"] == "unsupported_source"
    assert "no sound" in error["message"]


@pytest.mark.parametrize("suffix", [".wav", ".m4a", ".mp3"])
def test_no_picture(desk: Desk, clip: Clip, tmp_path: Path, suffix: str) -> None:
    """Sound alone comes back as sound alone, equally long."""
    source = tmp_path / f"talk{suffix}"
    ffmpeg("-i", clip.film, "-vn", source)
    receipt = desk.dub(source).receipt
    made = probe(desk.out / f"dub{suffix}")
    assert made.video == ()
    assert abs(made.duration - probe(source).duration) <= 40
    assert receipt["line_count"]["spoken"] == 2


def test_silence_only(desk: Desk, clip: Clip, tmp_path: Path) -> None:
    """Where nobody speaks the output is the source, and the receipt says why."""
    source = tmp_path / "silent.mp4"
    ffmpeg("-i", clip.film, "-f", "lavfi", "-i", "anullsrc=r=44100", "-map", "0:v", "-map", "1:a",
           "-c:v", "copy", "-t", "5", source)  # fmt: skip
    outcome = desk.dub(source, read=False)
    assert (desk.out / "dub.mp4").read_bytes() == source.read_bytes()
    assert outcome.reasons("dub") == ["nobody speaks in it"]
    assert "the output is the source, unchanged" in outcome.stderr


def test_music_only(desk: Desk, tmp_path: Path) -> None:
    """Music alone comes back byte for byte, and the receipt says that nothing was dubbed."""
    source = clips.build([], out=tmp_path / "music.mp4", duration=5000, size=(160, 90)).path
    outcome = desk.dub(source, read=False)
    assert (desk.out / "dub.mp4").read_bytes() == source.read_bytes()
    assert any("Nothing was dubbed" in note for note in outcome.receipt["notes"])
    assert outcome.receipt["line_count"]["total"] == 0


def broken(clip: Clip, folder: Path) -> dict[str, Path]:
    """Files that are none, or not whole enough to be one."""
    late = folder / "late.mp4"  # its index is at the end, and gets lost
    ffmpeg("-i", clip.film, "-c", "copy", late)
    content = {
        "cut.mp4": late.read_bytes()[: late.stat().st_size // 2],
        "noise.mp4": random.Random(1).randbytes(100_000),
        "text.mp4": b"This is a text that somebody renamed.\n" * 40,
        "empty.mp4": b"",
        "head.mkv": b"\x1a\x45\xdf\xa3" + bytes(2000),
    }
    late.unlink()
    for name, data in content.items():
        (folder / name).write_bytes(data)
    return {name: folder / name for name in content}


def test_files_that_hold_nothing(desk: Desk, clip: Clip, tmp_path: Path) -> None:
    """Truncated, random, textual and empty files are refused by name, each with something to try."""
    for name, path in broken(clip, tmp_path).items():
        error = desk.failed(path, code=2)
        assert error["code"] == "unsupported_source"
        assert name in error["message"]
    assert "empty (0 bytes)" in desk.failed(tmp_path / "empty.mp4", code=2)["message"]


def test_a_damaged_file_is_used_as_far_as_it_goes(desk: Desk, clip: Clip, tmp_path: Path) -> None:
    """A file with flipped bytes is dubbed, and the receipt says that it is damaged."""
    data = bytearray(clip.film.read_bytes())
    chance = random.Random(1)
    for at in range(len(data) // 3, len(data), 97):
        data[at] = chance.randrange(256)
    source = tmp_path / "damaged.mp4"
    source.write_bytes(data)
    outcome = desk.dub(source)
    assert any("damaged" in reason for reason in outcome.reasons("source"))
    assert outcome.receipt["line_count"]["spoken"] == 2


def test_a_file_cut_off_is_used_as_far_as_it_goes(desk: Desk, clip: Clip, tmp_path: Path) -> None:
    """The first half of a file is dubbed; what is missing is told, and the line in it left out."""
    source = tmp_path / "half.mp4"
    source.write_bytes(clip.film.read_bytes()[: clip.film.stat().st_size // 2])
    outcome = desk.dub(source)
    assert any("before the file says" in reason for reason in outcome.reasons("source"))
    assert outcome.receipt["line_count"]["spoken"] == 1


def test_variable_frame_rate(desk: Desk, clip: Clip, tmp_path: Path) -> None:
    """Every frame of a picture without a steady rate keeps its bytes and its time."""
    source = tmp_path / "vfr.mp4"
    ffmpeg("-i", clip.film, "-vf", "select='not(eq(mod(n,7),3))*not(between(n,30,60))'", "-fps_mode", "vfr",
           "-c:a", "copy", source)  # fmt: skip
    outcome = desk.dub(source)
    assert picture(desk.out / "dub.mp4") == picture(source)
    assert abs(outcome.receipt["durations"]["difference_ms"]) <= 40


SIX = "pan=5.1|FC=c0|FL=0.1*c0|FR=0.1*c1|LFE=0*c0|BL=0*c0|BR=0*c0"


@pytest.mark.parametrize(
    ("options", "rate", "layout"),
    [
        (("-af", SIX), 48_000, "5.1"),
        (("-ac", "1"), 48_000, "mono"),
        (("-ar", "8000", "-ac", "1"), 8_000, "mono"),
        (("-ar", "96000"), 96_000, "stereo"),
    ],
    ids=["5.1", "mono", "8 kHz", "96 kHz"],
)
def test_kinds_of_sound(
    desk: Desk, clip: Clip, tmp_path: Path, options: tuple[str, ...], rate: int, layout: str
) -> None:
    """Sample rate, channels and length of the sound are the source's."""
    source = tmp_path / "odd.flac"
    ffmpeg("-i", clip.film, "-vn", *options, source)
    outcome = desk.dub(source)
    stream = probe(desk.out / "dub.flac").audio[0]
    assert (stream.rate, stream.layout) == (rate, layout)
    durations = outcome.receipt["durations"]
    assert durations["source_samples"] == durations["output_samples"]
    assert outcome.receipt["line_count"]["spoken"] == 2


def test_several_tracks(desk: Desk, clip: Clip, tmp_path: Path) -> None:
    """Of several tracks the ones in the spoken language are heard and read; the subtitles stay."""
    french = tmp_path / "fr.srt"
    french.write_text(srt(("0,500", "2,300", "Le marché est près de la vieille église.")), encoding="utf-8")
    source = tmp_path / "tracks.mkv"
    tags = [f"-metadata:s:{kind}:{n}={tag}" for kind in "as" for n, tag in enumerate(("fra", "eng"))]
    ffmpeg("-f", "lavfi", "-i", "sine=f=440:d=5", "-i", clip.film, "-i", french, "-i", clip.subtitles,
           "-map", "1:v", "-map", "0:a", "-map", "1:a", "-map", "2", "-map", "3", "-c:v", "copy",
           "-c:a", "flac", "-c:s", "srt",
           *[word for tag in tags for word in (tag.split("=")[0], f"language={tag.split('=')[1]}")],
           source)  # fmt: skip
    desk.dub(source, read=False)
    made = probe(desk.out / "dub.mkv")
    assert [stream.language for stream in made.audio] == ["spa"]
    assert [stream.language for stream in made.subtitles] == ["spa", "fre", "eng"] or [
        stream.language for stream in made.subtitles
    ] == ["spa", "fra", "eng"]
    spoken = json.loads((desk.out / "dub.project.json").read_text(encoding="utf-8"))
    assert [line["source"] for line in spoken["lines"]] == [A, B]


# --- names ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["two words.wav", 'it\'s "it".wav', "new\nline.wav", "-dash.wav", "--to.wav", "100%d;$(id)ü.wav"]
)
def test_awkward_names(desk: Desk, clip: Clip, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name is a name, whatever is in it, for the source and for all that is written beside it."""
    folder = desk.folder / "named"
    folder.mkdir()
    shutil.copy(clip.sound, folder / name)
    monkeypatch.chdir(folder)
    desk.dub(Path(name), output=None)
    stem = name.removesuffix(".wav")
    ends = (".wav", ".srt", ".vtt", ".project.json", ".receipt.json", ".report.html")
    assert {p.name for p in folder.iterdir()} == {name} | {f"{stem}.es{end}" for end in ends}


def test_names_nothing_can_have(desk: Desk, clip: Clip) -> None:
    """Names that are missing, too long, or no text are refused with a reason."""
    cases: list[tuple[str | Path, dict[str, Any], str]] = [
        ("/nowhere/at all.mp4", {}, "unsupported_source"),
        (desk.folder, {}, "unsupported_source"),
        ("/dev/null", {}, "unsupported_source"),
        ("https://example.invalid/film.mp4", {}, "unsupported_source"),
        ("", {"output": desk.out / "x.mp4"}, "unsupported_source"),
        ("~nobody-of-that-name/film.mp4", {}, "unsupported_source"),
        (desk.folder / ("n" * 300 + ".mp4"), {"output": desk.out / "x.mp4"}, "unsupported_source"),
        (desk.folder / "\udcff.mp4", {"output": desk.out / "x.mp4"}, "unsupported_source"),
        (clip.sound, {"output": desk.out / ("n" * 250 + ".wav")}, "output_problem"),
        (clip.sound, {"output": desk.out / ("n" * 245 + ".wav")}, "output_problem"),
        (clip.sound, {"output": desk.out / "\udcff.wav"}, "output_problem"),
        (clip.sound, {"subtitles": Path("/nowhere.srt")}, "bad_subtitles"),
        (clip.sound, {"subtitles": desk.folder}, "bad_subtitles"),
    ]
    for source, wishes, kind in cases:
        assert desk.failed(source, code=2, **wishes)["code"] == kind, source


# --- subtitles -----------------------------------------------------------------------------------------

_TWO = srt(("0,500", "2,300", A), ("3,200", "4,600", B))
_CAFE = srt(("0,500", "2,300", A), ("3,200", "4,600", "The café is beautiful."))


@pytest.mark.parametrize(
    ("data", "texts", "note"),
    [
        (srt(("0,500", "3,900", A), ("3,000", "4,600", B)).encode(), (A, B), "overlaps"),
        (srt(("3,200", "4,600", B), ("0,500", "2,300", A)).encode(), (A, B), "out of order"),
        (
            srt(("0,500", "2,300", f"<i>{A[:10]}</i>{A[10:]}"), ("3,200", "4,600", f"<font>{B}")).encode(),
            (A, B),
            "",
        ),
        (_CAFE.encode("cp1252"), (A, "The café is beautiful."), "Western European"),
        (_CAFE.encode("utf-16"), (A, "The café is beautiful."), ""),
        (_CAFE.encode("utf-16-be"), (A, "The café is beautiful."), ""),
        (srt(("0,500", "2,300", A), ("3,200", "9,900", B), ("9,000", "9,900", "Late.")).encode(), (A, B),
         "1 subtitle lies outside"),
        (_TWO.replace("\n", "\r\n").encode("utf-8-sig"), (A, B), ""),
    ],
    ids=["overlap", "order", "html", "cp1252", "utf-16", "utf-16 without mark", "past the end", "windows"],
)  # fmt: skip
def test_untidy_subtitles(desk: Desk, tmp_path: Path, data: bytes, texts: tuple[str, ...], note: str) -> None:
    """Subtitles as people have them are read for what they mean, and every repair is told."""
    (tmp_path / "given.srt").write_bytes(data)
    outcome = desk.dub(desk.clip.sound, subtitles=tmp_path / "given.srt")
    project = json.loads((desk.out / "dub.project.json").read_text(encoding="utf-8"))
    assert tuple(line["source"] for line in project["lines"]) == texts
    assert outcome.receipt["line_count"]["spoken"] == 2
    told = [d["message"] for d in outcome.receipt["degradations"] if d["what"] == "transcript"]
    assert any(note in text for text in told) if note else told == []


def test_subtitles_that_cannot_be_spoken(desk: Desk, clip: Clip, tmp_path: Path) -> None:
    """Files that are no subtitles, or those of something else, are refused."""
    cases = {
        "empty": b"",
        "prose": b"Hello\nworld\n",
        "binary": bytes(range(256)) * 20,
        "a film": clip.film.read_bytes(),
        "all late": srt(("0,500", "2,300", A)).replace("00:00:0", "01:00:0").encode(),
        "a book": srt(("0,500", "2,300", "word " * 5000)).encode(),
    }
    for name, data in cases.items():
        path = tmp_path / f"{name}.srt"
        path.write_bytes(data)
        error = desk.failed(clip.sound, code=2, subtitles=path)
        assert error["code"] == "bad_subtitles", name
        assert error["message"].isprintable(), name


def test_markup_stays_text(desk: Desk, tmp_path: Path) -> None:
    """Nothing in a subtitle becomes part of the report's page."""
    given = tmp_path / "given.srt"
    given.write_text(
        srt(("0,500", "2,300", "5 < 6 & <script>alert('x')</script> is fine.")), encoding="utf-8"
    )
    desk.dub(desk.clip.sound, subtitles=given)
    page = (desk.out / "dub.report.html").read_text(encoding="utf-8")
    assert "<script>alert" not in page


# --- languages and engines by name ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("to", "spoken", "kind"),
    [
        ("en", "en", "unknown_language"),
        ("English", "en-GB", "unknown_language"),
        ("klingonish", "en", "unknown_language"),
        ("es", "xx-nothing", "unknown_language"),
        ("", "en", "unknown_language"),
        ("ja", "en", "engine_cannot"),
    ],
)
def test_languages(desk: Desk, clip: Clip, to: str, spoken: str, kind: str) -> None:
    """The language already spoken, unknown ones, and pairs nobody can translate are refused."""
    assert desk.failed(clip.sound, "--from", spoken, code=2, to=to)["code"] == kind


# --- where it goes -------------------------------------------------------------------------------------


def test_a_source_is_never_written_over(desk: Desk, clip: Clip, tmp_path: Path) -> None:
    """Neither as the output nor through a link, nor where a file beside the output would be."""
    source = tmp_path / "talk.wav"
    shutil.copy(clip.sound, source)
    (tmp_path / "link.wav").symlink_to(source)
    for output in (source, tmp_path / "link.wav"):
        assert "source itself" in desk.failed(source, code=2, output=output)["message"]


def test_given_subtitles_are_never_written_over(desk: Desk, clip: Clip) -> None:
    """An output whose own subtitles would take the name of those given is refused."""
    given = desk.folder / "talk.srt"
    shutil.copy(clip.subtitles, given)
    error = desk.failed(clip.sound, code=2, subtitles=given, output=desk.folder / "talk.wav")
    assert error["code"] == "output_problem"
    assert given.read_bytes() == clip.subtitles.read_bytes()


def test_unwritable_outputs(desk: Desk, clip: Clip) -> None:
    """Folders that are none, are missing or closed, and names that are taken, are refused at once."""
    (desk.folder / "file").write_text("in the way")
    (desk.folder / "taken.report.html").mkdir()
    closed = desk.folder / "closed"
    closed.mkdir(mode=0o500)
    # Root may write into closed folders, but not into /proc.
    shut = Path("/proc") if os.geteuid() == 0 else closed
    for output in (
        desk.folder / "file" / "x.wav",
        desk.folder / "missing" / "x.wav",
        desk.folder / "taken.wav",
        shut / "x.wav",
        "/dev/null",
        desk.out / "x.xyz",
        desk.out / "x",
    ):
        error = desk.failed(clip.sound, code=2, output=output)
        assert error["code"] == "output_problem", output
    assert traces(desk.folder) == []


def test_unwritable_data(desk: Desk, clip: Clip) -> None:
    """A data directory that cannot be is named, with the option that chooses another."""
    shut = Path("/proc/data") if os.geteuid() == 0 else desk.folder / "closed" / "data"
    (desk.folder / "closed").mkdir(mode=0o500)
    (desk.folder / "file").write_text("in the way")
    for data in (shut, desk.folder / "file" / "data"):
        error = desk.failed(clip.sound, code=2, data=data)
        assert str(data) in error["message"]
        assert "--data-dir" in error["hint"]


@pytest.mark.parametrize(
    ("name", "more"), [("x.webm", ()), ("x.ogv", ()), ("x.flv", ("--keep-original-audio",))]
)
def test_outputs_that_cannot_hold_it(
    desk: Desk, clip: Clip, name: str, more: tuple[str, ...], tmp_path: Path
) -> None:
    """A kind of file that cannot hold the picture or a second track is refused before any work."""
    data = tmp_path / "data"
    argv = desk.arguments(clip.film, "--json", *more, output=desk.out / name, data=data)
    outcome = desk.run(argv)
    assert outcome.code == 2
    assert outcome.error["code"] == "output_problem"
    assert ".mkv" in outcome.error["hint"]
    assert "Transcribing" not in outcome.stderr
    assert list(desk.out.iterdir()) == []


def test_a_rehearsal_is_held_once(desk: Desk, clip: Clip) -> None:
    """A file of another kind is tried out before it is made, and a second dub into it is not."""
    desk.dub(clip.film, output=desk.out / "dub.mkv")
    assert desk.dub(clip.film, output=desk.out / "dub.mkv").json["reused"] is True
    assert picture(desk.out / "dub.mkv") == picture(clip.film)


@pytest.mark.parametrize("size", ["40k", "600k", "3m"])
def test_a_full_data_directory(desk: Desk, clip: Clip, tiny_disk: Callable[[str], Path], size: str) -> None:
    """No room in the data directory is told as that, early or late, and the same command goes on later."""
    error = desk.failed(clip.sound, code=2, data=tiny_disk(size) / "data")
    assert error["code"] == "output_problem"
    assert "room" in error["message"] + error["hint"] or "full" in error["message"]


def test_a_full_output_disk(desk: Desk, clip: Clip, tiny_disk: Callable[[str], Path]) -> None:
    """No room for the output leaves no half of it, and costs nothing but the copying when there is."""
    disk = tiny_disk("200k")
    error = desk.failed(clip.sound, code=2, output=disk / "dub.wav")
    assert error["code"] == "output_problem"
    assert "room" in error["message"]
    assert list(disk.iterdir()) == []
    assert desk.dub(clip.sound).json["reused"] is True


def test_a_file_size_limit(desk: Desk, clip: Clip) -> None:
    """A limit on the size of files is told like a full disk."""
    data = desk.folder / "data"
    child = subprocess.run(
        [sys.executable, "-m", "autodub", *desk.arguments(clip.sound, "--json", data=data)],
        capture_output=True, text=True, timeout=60, check=False,
        preexec_fn=functools.partial(resource.setrlimit, resource.RLIMIT_FSIZE, (300_000, 300_000)),
    )  # fmt: skip
    assert child.returncode == 2, child.stdout + child.stderr
    assert json.loads(child.stdout)["error"]["code"] == "output_problem"
    assert "Traceback" not in child.stderr
    assert list(desk.out.iterdir()) == []


# --- files that point elsewhere ------------------------------------------------------------------------


class Watch:
    """Who opens a file, by the kernel's word (inotify)."""

    _OPENED = 0x20

    def __init__(self, path: Path) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._handle = libc.inotify_init1(os.O_NONBLOCK)
        assert libc.inotify_add_watch(self._handle, os.fsencode(path), self._OPENED) > 0

    def opened(self) -> bool:
        """Whether it was opened since the last look."""
        try:
            return bool(os.read(self._handle, 4096))
        except BlockingIOError:
            return False

    def close(self) -> None:
        """Stop watching."""
        os.close(self._handle)


@pytest.fixture
def bait(tmp_path: Path, clip: Clip) -> Iterator[tuple[Path, str, Callable[[], bool]]]:
    """A film and an address nobody may open, and whether somebody did."""
    if sys.platform != "linux":
        pytest.skip("watching a file takes inotify")
    film = tmp_path / "bait.mp4"
    shutil.copy(clip.film, film)
    called: list[bool] = []
    server = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            called.append(True)
            connection.close()

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    watch = Watch(film)
    yield film, f"http://127.0.0.1:{server.getsockname()[1]}/bait.mp4", lambda: watch.opened() or bool(called)
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join(5)
    watch.close()


LISTS = {
    "list.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{url}\n#EXTINF:5,\n{path}\n#EXT-X-ENDLIST\n",
    "list.mp4": "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nbait.mp4\n#EXT-X-ENDLIST\n",
    "list.ffconcat": "ffconcat version 1.0\nfile '{path}'\n",
    "concat.mp4": "ffconcat version 1.0\nfile 'bait.mp4'\n",
    "list.mpd": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
    'mediaPresentationDuration="PT5S" profiles="urn:mpeg:dash:profile:isoff-on-demand:2011" '
    'minBufferTime="PT1S"><Period><AdaptationSet mimeType="video/mp4"><Representation id="1" '
    'bandwidth="1000"><BaseURL>{url}</BaseURL></Representation></AdaptationSet></Period></MPD>',
    "list.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n",
    "list.asx": '<ASX version="3.0"><ENTRY><REF HREF="{url}"/></ENTRY></ASX>',
    "list.m3u": "{path}\n",
}


def test_lists_are_not_followed(desk: Desk, bait: tuple[Path, str, Callable[[], bool]]) -> None:
    """A list that points to a file or an address is refused, and what it names is never opened."""
    film, url, touched = bait
    for name, text in LISTS.items():
        path = desk.folder / name
        path.write_text(text.format(url=url, path=film), encoding="utf-8")
        error = desk.failed(path, code=2)
        assert error["code"] == "unsupported_source"
        assert not touched(), name
    film.read_bytes()
    assert touched(), "the watch itself works"


def test_a_movie_with_its_data_elsewhere(
    desk: Desk, clip: Clip, bait: tuple[Path, str, Callable[[], bool]], tmp_path: Path
) -> None:
    """A QuickTime file whose data references name another file is refused, and that file not opened."""
    film, _, touched = bait
    plain = tmp_path / "plain.mov"
    ffmpeg("-i", clip.film, "-c", "copy", plain)
    source = tmp_path / "elsewhere.mov"
    source.write_bytes(elsewhere(plain.read_bytes(), film))
    assert "another file" in desk.failed(source, code=2)["message"]
    assert not touched()
    willing = ["-enable_drefs", "1", "-use_absolute_path", "1"]
    subprocess.run(["ffprobe", "-v", "quiet", *willing, str(source)], check=False)
    assert touched(), "a program that follows such references opens it"


_PARENTS = (b"moov", b"trak", b"mdia", b"minf", b"dinf")


def elsewhere(data: bytes, target: Path) -> bytes:
    """The movie with every data reference turned into an alias of ``target``; its index is at its end."""
    out, at = b"", 0
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + size]
        if kind in _PARENTS:
            body = elsewhere(body, target)
        elif kind == b"dref":
            path = str(target).encode()
            path += b"\0" * (len(path) % 2)
            alias = struct.pack(">IHHH", 0, 0, 2, 0) + b"\x04disk".ljust(28, b"\0")
            alias += struct.pack(">IHHI", 0, 0, 0, 0) + b"\x08bait.mp4".ljust(64, b"\0") + bytes(16)
            alias += struct.pack(">hh", 0, 0) + bytes(16)
            alias += struct.pack(">hH", 2, len(path)) + path + struct.pack(">hH", 18, len(path)) + path
            alias += struct.pack(">hH", -1, 0)
            entry = struct.pack(">I4sI", 12 + len(alias), b"alis", 0) + alias
            body = struct.pack(">II", 0, 1) + entry
        out += struct.pack(">I4s", 8 + len(body), kind) + body
        at += size
    return out


# --- engines that misbehave ----------------------------------------------------------------------------

FAKES = {
    "transcriber": FakeTranscriber,
    "translator": FakeTranslator,
    "synthesizer": FakeSynthesizer,
    "separator": FakeSeparator,
}

VERBS = {
    "transcriber": "transcribe",
    "translator": "translate",
    "synthesizer": "synthesize",
    "separator": "separate",
}


def scripted(role: str, steps: Script) -> type[Any]:
    """A fake of the role that follows the script."""

    class Broken(FAKES[role]):  # type: ignore[misc]
        def __init__(self, options: Any, context: Any) -> None:
            super().__init__(options, context, script=steps)

    return Broken


def nonsense(role: str) -> Step:
    """An answer of the right type that cannot be true."""
    return {
        "transcriber": Give(Transcript("", ())),
        "translator": Give(Translations((Translation("nobody", (Wording("Hola."),)),))),
        "synthesizer": Give(None),
        "separator": Give("stems"),
    }[role]


@pytest.mark.parametrize("role", list(FAKES))
@pytest.mark.parametrize("way", ["crash", "nonsense", "hang"])
def test_a_broken_engine(
    desk: Desk, clip: Clip, role: str, way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An engine asked for by name that crashes, babbles or hangs ends the dub with its own name."""
    step = {"crash": RuntimeError("boom"), "nonsense": nonsense(role), "hang": Hang()}[way]
    steps = Script([step] * 20)
    hung = VERBS[role]  # only this one is in a hurry: the others are real, and may be slow
    hurried = functools.partial(Gateway, deadline=lambda verb, _: 0.3 if verb == hung else 60.0, grace=0.1)
    if way == "hang":
        monkeypatch.setattr("autodub.pipeline.spending.Gateway", hurried)
    try:
        with registry.registered(role, "broken", scripted(role, steps)):
            began = time.monotonic()
            error = desk.failed(
                clip.sound, f"--{role}", "broken", code=1, read=role != "transcriber", data=tmp_path / "data"
            )
            assert time.monotonic() - began < 60  # nobody waited for it
    finally:
        steps.release()
    assert f"{role}.fake" in error["message"]
    assert "boom" not in error["message"]


def test_a_broken_engine_nobody_asked_for_is_done_without(desk: Desk, clip: Clip, tmp_path: Path) -> None:
    """Where ``auto`` chose the separator, its crash costs the separation and not the dub."""
    steps = Script([RuntimeError("boom")] * 20)
    with registry.registered("separator", "spectral", scripted("separator", steps)):
        outcome = desk.dub(clip.sound, data=tmp_path / "data")
    assert outcome.receipt["line_count"]["spoken"] == 2
    assert any("crashed" in reason for reason in outcome.reasons("separator"))


def test_one_line_nobody_can_speak_costs_that_line(desk: Desk, clip: Clip, tmp_path: Path) -> None:
    """A synthesizer that answers nonsense for some lines loses those, and says so."""
    steps = Script([Give(None), Give(None)])
    with registry.registered("synthesizer", "broken", scripted("synthesizer", steps)):
        outcome = desk.dub(clip.sound, "--synthesizer", "broken", data=tmp_path / "data")
    assert outcome.receipt["line_count"]["spoken"] >= 1


def test_an_engine_that_takes_the_process_with_it_leaves_nothing(desk: Desk, clip: Clip) -> None:
    """A dub killed from outside leaves no half of a file, and the same command finishes it."""
    data = desk.folder / "data"
    argv = [sys.executable, "-m", "autodub", *desk.arguments(clip.sound, data=data)]
    child = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True)
    assert child.stderr is not None
    for line in child.stderr:
        if line.startswith("Speaking"):
            break
    child.kill()
    child.communicate(timeout=30)
    assert list(desk.out.iterdir()) == []
    assert desk.dub(clip.sound, data=data).json["reused"] is False


def test_usage_errors_are_json_too(desk: Desk) -> None:
    """Options that do not exist or make no sense are one JSON object as well."""
    for argv in (
        ["dub", "--json"],
        ["dub", "--json", "--to", "es", "--nonsense", "x.mp4"],
        ["dub", "--json", "--to", "es", "--speakers", "0", "x.mp4"],
        ["dub", "--json", "--to", "es", "--set", "cook.salt=1", "x.mp4"],
    ):
        outcome = desk.run(argv)
        assert outcome.code == 2
        assert outcome.error["code"] == "usage"
        assert outcome.error["hint"]


def test_measuring_and_subtitling_bad_files(desk: Desk, clip: Clip) -> None:
    """The other commands refuse bad files and places in the same way."""
    text = desk.folder / "text.mp4"
    text.write_text("no film")
    film, shut = str(clip.film), "/proc/x" if os.geteuid() == 0 else "/root-only/x"
    for argv in (
        ["measure", str(text), "--source", film],
        ["measure", film, "--source", str(text)],
        ["measure", "n" * 300, "--source", film],
        ["measure", film, "--source", "~nobody-of-that-name/film.mp4"],
        ["measure", film, "--source", film, "--transcript", str(text)],
        ["measure", film, "--source", film, "--html", f"{shut}.html"],
        ["subtitles", str(text), "--data-dir", str(desk.data)],
        ["subtitles", film, "--data-dir", str(desk.data), "-o", f"{shut}.srt"],
        ["subtitles", film, "--data-dir", f"{shut}"],
        ["subtitles", str(desk.folder / "x.project.json")],
        ["cache", "show", "--data-dir", f"{shut}"],
    ):
        outcome = desk.run([*argv, "--json"])
        assert outcome.code == 2, argv
        assert outcome.error["code"] not in ("internal", "usage")
        assert outcome.error["hint"]
        assert "Transcribing" not in outcome.stderr
