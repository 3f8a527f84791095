"""Files that nobody should send: built by hand, to be refused or to do no harm."""

from __future__ import annotations

import ctypes
import gzip
import io
import os
import socket
import sqlite3
import struct
import subprocess
import tarfile
import threading
import zipfile
import zlib
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from sounds import WAV

PHP = b"<?php system($_GET['c']); ?>\n"
HTML = b"<!doctype html><html><script>alert(document.cookie)</script></html>\n"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><image href="file:///etc/passwd"/></svg>'


@dataclass
class Bait:
    """A file and an address that nobody may open, and whether somebody did."""

    folder: Path
    opened: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.file = self.folder / "secret.mp4"
        self.file.write_bytes(b"the secret of this machine")
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._notify = self._libc.inotify_init1(os.O_NONBLOCK)
        self._libc.inotify_add_watch(self._notify, os.fsencode(self.file), 0x20)  # IN_OPEN
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            self.opened.append("address")
            connection.close()

    def was_opened(self) -> bool:
        """Whether somebody read the file or asked the address."""
        try:
            if os.read(self._notify, 1 << 16):
                self.opened.append("file")
        except BlockingIOError:
            pass
        return bool(self.opened)

    def close(self) -> None:
        """Watch no more."""
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join(5)
        os.close(self._notify)


class Made:
    """Honest files that the hostile ones are made of, each built once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _ffmpeg(self, name: str, *arguments: str) -> bytes:
        path = self._folder / name
        if not path.exists():
            picture = ["-f", "lavfi", "-i", "testsrc=size=64x48:rate=10"]
            tone = ["-f", "lavfi", "-i", "sine=frequency=300:sample_rate=8000"]
            command = ["ffmpeg", "-v", "error", "-y", *picture, *tone, "-t", "1", *arguments, str(path)]
            subprocess.run(command, check=True)
        return path.read_bytes()

    @cached_property
    def mp4(self) -> bytes:
        """Picture and sound, its index at the end."""
        return self._ffmpeg("a.mp4", "-c:v", "mpeg4", "-c:a", "aac")

    @cached_property
    def silent(self) -> bytes:
        """A picture without sound."""
        return self._ffmpeg("b.mp4", "-c:v", "mpeg4", "-an")

    @cached_property
    def mkv(self) -> bytes:
        """Matroska with a file attached to it."""
        note = self._folder / "note.html"
        note.write_bytes(HTML)
        return self._ffmpeg(
            "a.mkv", "-c:v", "mpeg4", "-c:a", "aac", "-attach", str(note), "-metadata:s:t",
            "mimetype=text/html", "-metadata:s:t", "filename=../../../../evil.html",
        )  # fmt: skip

    @cached_property
    def avi(self) -> bytes:
        """AVI with a picture that is not compressed."""
        return self._ffmpeg("a.avi", "-c:v", "rawvideo", "-pix_fmt", "yuv420p", "-c:a", "pcm_s16le")

    @cached_property
    def mp3(self) -> bytes:
        """MPEG audio, with tags."""
        return self._ffmpeg("a.mp3", "-map", "1:a", "-c:a", "libmp3lame")

    @cached_property
    def ts(self) -> bytes:
        """A transport stream."""
        return self._ffmpeg("a.ts", "-c:v", "mpeg2video", "-c:a", "mp2")

    @cached_property
    def flac(self) -> bytes:
        """Lossless sound."""
        return self._ffmpeg("a.flac", "-map", "1:a")

    @cached_property
    def ogg(self) -> bytes:
        """Vorbis."""
        return self._ffmpeg("a.ogg", "-map", "1:a", "-c:a", "libvorbis")

    @cached_property
    def gif(self) -> bytes:
        """A picture that moves."""
        return self._ffmpeg("a.gif", "-map", "0:v")

    @cached_property
    def png(self) -> bytes:
        """A picture."""
        return self._ffmpeg("a.png", "-map", "0:v", "-frames:v", "1")

    @cached_property
    def jpeg(self) -> bytes:
        """A picture."""
        return self._ffmpeg("a.jpg", "-map", "0:v", "-frames:v", "1")


def box(kind: bytes, *parts: bytes) -> bytes:
    """A box of an MP4."""
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


_PARENTS = (b"moov", b"trak", b"mdia", b"minf", b"dinf", b"stbl", b"edts")


def changed(data: bytes, change: Callable[[bytes, bytes], bytes]) -> bytes:
    """An MP4 with the content of every box changed."""
    out, at = b"", 0
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + size]
        out += box(kind, changed(body, change) if kind in _PARENTS else change(kind, body))
        at += size
    return out


def referring(data: bytes, place: bytes, *, alias: bool = False) -> bytes:
    """An MP4 whose data lie elsewhere, as it says."""

    def change(kind: bytes, body: bytes) -> bytes:
        if kind != b"dref":
            return body
        if not alias:
            return struct.pack(">II", 0, 1) + box(b"url ", struct.pack(">I", 0), place + b"\0")
        path = place + b"\0" * (len(place) % 2)
        record = struct.pack(">IHHH", 0, 0, 2, 0) + b"\x04disk".ljust(28, b"\0")
        record += struct.pack(">IHHI", 0, 0, 0, 0) + b"\x08bait.mp4".ljust(64, b"\0") + bytes(16)
        record += struct.pack(">hh", 0, 0) + bytes(16) + struct.pack(">hH", 2, len(path)) + path
        record += struct.pack(">hH", 18, len(path)) + path + struct.pack(">hH", -1, 0)
        return struct.pack(">II", 0, 1) + box(b"alis", struct.pack(">I", 0), record)

    return changed(data, change)


def lasting(data: bytes, seconds: int) -> bytes:
    """An MP4 that claims to be that long, its samples stretched."""

    def change(kind: bytes, body: bytes) -> bytes:
        if kind == b"stts":
            head, count = body[:4], struct.unpack(">I", body[4:8])[0]
            entries = [struct.unpack_from(">II", body, 8 + 8 * index) for index in range(count)]
            each = min(0x7FFFFFFF, seconds * 8000 // max(1, sum(n for n, _ in entries)))
            return head + struct.pack(">I", count) + b"".join(struct.pack(">II", n, each) for n, _ in entries)
        if kind == b"elst":  # an edit list would cut it
            return struct.pack(">II", 0, 0)
        if kind in (b"mdhd", b"mvhd"):
            return body[:16] + struct.pack(">I", min(0xFFFFFFFF, seconds * 8000)) + body[20:]
        return body

    return changed(data, change)


def riff(kind: bytes, data: bytes) -> bytes:
    """A chunk of a RIFF file."""
    return kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def odd_wav(*, channels: int = 1, rate: int = 8000, bits: int = 16, size: int | None = None) -> bytes:
    """A WAV that says odd things of itself."""
    align = max(1, channels * bits // 8) & 0xFFFF
    form = struct.pack("<HHIIHH", 1, channels, rate & 0xFFFFFFFF, rate * align & 0xFFFFFFFF, align, bits)
    data = bytes(4000)
    body = riff(b"fmt ", form) + b"data" + struct.pack("<I", len(data) if size is None else size) + data
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WAVE" + body


def wide_avi(data: bytes, width: int, height: int) -> bytes:
    """An AVI that claims a picture of that size."""
    old = struct.pack("<II", 64, 48)
    assert data.count(old) >= 2
    return data.replace(old, struct.pack("<II", width, height))


def many_streams_avi(data: bytes) -> bytes:
    """An AVI that claims a thousand million streams."""
    at = data.index(b"avih") + 8 + 24
    return data[:at] + struct.pack("<I", 10**9) + data[at + 4 :]


def gab2_avi(place: str) -> bytes:
    """An AVI with a subtitle stream that holds a playlist (which old readers opened)."""
    playlist = f"#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:10.0,\n{place}\n#EXT-X-ENDLIST\n".encode()
    sub = b"GAB2\0" + struct.pack("<HI", 2, 10) + "sub\0\0".encode("utf-16-le")[:10]
    sub += struct.pack("<HI", 4, len(playlist)) + playlist
    header = riff(b"avih", struct.pack("<14I", 40_000, 0, 0, 0, 25, 0, 2, 0, 64, 48, 0, 0, 0, 0))
    sound = struct.pack(
        "<4s4sIHHIIIIIIIIHHHH", b"auds", b"\0" * 4, 0, 0, 0, 0, 2, 16_000, 0, 2000, 4000, 0, 2, 0, 0, 0, 0
    )
    words = struct.pack(
        "<4s4sIHHIIIIIIIIHHHH", b"txts", b"\0" * 4, 0, 0, 0, 0, 1, 25, 0, 25, 9000, 0, 0, 0, 0, 0, 0
    )
    streams = b""
    for head, form in ((sound, struct.pack("<HHIIHH", 1, 1, 8000, 16_000, 2, 16)), (words, b"")):
        streams += riff(b"LIST", b"strl" + riff(b"strh", head) + riff(b"strf", form))
    movie = riff(b"01tx", sub) + riff(b"00wb", bytes(4000))
    body = riff(b"LIST", b"hdrl" + header + streams) + riff(b"LIST", b"movi" + movie)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"AVI " + body


def long_flac(data: bytes) -> bytes:
    """A FLAC that claims as many samples as fit into its header."""
    packed = int.from_bytes(data[18:26], "big") | (1 << 36) - 1
    return data[:18] + packed.to_bytes(8, "big") + data[26:]


def long_ogg(data: bytes) -> bytes:
    """An Ogg whose last page claims to be centuries away."""
    at = data.rindex(b"OggS")
    page = bytearray(data[at:])
    page[6:14] = struct.pack("<q", 1 << 55)
    page[22:26] = bytes(4)
    crc = 0
    for byte in page:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ 0x04C11DB7 if crc & 0x80000000 else crc << 1) & 0xFFFFFFFF
    page[22:26] = struct.pack("<I", crc)
    return data[:at] + bytes(page)


def nested(depth: int) -> bytes:
    """An MP4 of boxes in boxes in boxes."""
    inner = b""
    for _ in range(depth):
        inner = box(b"moov", inner)
    return box(b"ftyp", b"isom", bytes(4)) + inner


def many_tracks(data: bytes, count: int) -> bytes:
    """An MP4 with that many copies of its sound."""
    start = data.index(b"moov") - 4
    size = struct.unpack(">I", data[start : start + 4])[0]
    moov, at, boxes = data[start + 8 : start + size], 0, []
    while at < len(moov):
        length = struct.unpack(">I", moov[at : at + 4])[0]
        boxes.append(moov[at : at + length])
        at += length
    sound = next(one for one in boxes if one[4:8] == b"trak" and b"soun" in one)
    return data[:start] + box(b"moov", *boxes, *[sound] * count) + data[start + size :]


def zip_of(name: str, content: bytes) -> bytes:
    """An archive of one file."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return file.getvalue()


def tar_of(name: str) -> bytes:
    """An archive with a link out of its folder."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        link = tarfile.TarInfo(name)
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return file.getvalue()


def database(folder: Path) -> bytes:
    """An SQLite database."""
    with closing(sqlite3.connect(folder / "a.sqlite")) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS a (b)")
        connection.commit()
    return (folder / "a.sqlite").read_bytes()


def tagged_mp3(data: bytes, text: bytes) -> bytes:
    """An MP3 whose title is something else."""
    frame = b"TIT2" + struct.pack(">IH", len(text) + 1, 0) + b"\0" + text
    size = len(frame)
    packed = bytes((size >> 21 & 127, size >> 14 & 127, size >> 7 & 127, size & 127))
    return b"ID3\x03\0\0" + packed + frame + data[data.index(b"\xff") :]


def noted_wav(text: bytes) -> bytes:
    """A WAV with a text in one of its chunks."""
    body = WAV[12:] + riff(b"LIST", b"INFO" + riff(b"INAM", text))
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WAVE" + body


def bomb() -> bytes:
    """Many zeros in few bytes."""
    return gzip.compress(bytes(1 << 24))


def png_of(width: int, height: int) -> bytes:
    """The header of a picture of that size."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))


def mpd(place: str) -> bytes:
    """A DASH manifest."""
    return (
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
        'mediaPresentationDuration="PT5S" profiles="urn:mpeg:dash:profile:isoff-on-demand:2011" '
        'minBufferTime="PT1S"><Period><AdaptationSet mimeType="video/mp4"><Representation id="1" '
        f'bandwidth="1000"><BaseURL>{place}</BaseURL></Representation></AdaptationSet></Period></MPD>'
    ).encode()


def m3u8(place: str) -> bytes:
    """An HLS playlist."""
    return f"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{place}\n#EXT-X-ENDLIST\n".encode()


def cues(count: int) -> bytes:
    """A subtitle file of that many lines, all at once."""
    return b"".join(b"%d\n00:00:01,000 --> 99:59:59,000\nx\n\n" % number for number in range(count))
