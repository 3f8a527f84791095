"""A small web site on this machine that shows one clip in every way a real site might.

For tests and measurements of downloaders; only ``127.0.0.1`` is listened on::

    with Site(clip, folder) as site:
        options = Fetching(sites=("127.0.0.1",), addresses=("127.0.0.1/32",))
        ... site.url("talk") ... site.sent("picture.mp4")

Paths: ``talk`` (a page with sound and picture apart, and written captions), ``talk.mpd`` and ``talk.m3u8``
(the same as a DASH and an HLS manifest), ``whole.mp4`` (one file with both), ``sound.mpd`` and
``picture.mpd`` (one alone), ``live.mpd``, ``live.m3u8``, ``long.m3u8`` (a day), ``large.m3u8`` (terabytes),
``endless.mp4`` (says it has a terabyte), ``trickle.mp4`` (comes a few bytes at a time),
``list`` (a page with two videos), ``broken.mpd`` and ``broken.mp4``
(every answer ends too early), ``moved/PATH`` (redirects there), ``away?to=URL`` (redirects anywhere),
``lured.mpd?to=URL`` (a manifest whose sound is elsewhere), ``status/CODE``.
"""

from __future__ import annotations

import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping
from functools import partial
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self
from urllib.parse import parse_qs, unquote, urlsplit

from autodub.infra import process
from autodub.model.errors import MediaError

_BLOCK = 1 << 14
_TYPES = {
    ".mpd": "application/dash+xml",
    ".m3u8": "application/vnd.apple.mpegurl",
    ".mp4": "video/mp4",
    ".m4a": "audio/mp4",
    ".m4s": "video/iso.segment",
    ".ts": "video/mp2t",
    ".wav": "audio/wav",
    ".vtt": "text/vtt",
    "": "text/html; charset=utf-8",
}
_PAGE = (
    """<!DOCTYPE html><html lang="{language}"><head><title>{title}</title></head><body>{body}</body></html>"""
)
_VIDEO = """<video><source src="/talk.mpd" type="application/dash+xml">
<track kind="captions" srclang="{language}" src="/captions.vtt"></video>"""
_MPD = """<?xml version="1.0"?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" profiles="urn:mpeg:dash:profile:isoff-on-demand:2011"
 type="{kind}" mediaPresentationDuration="PT{seconds}S" minBufferTime="PT2S"><Period>{sets}</Period></MPD>"""
_SOUND = """<AdaptationSet contentType="audio" mimeType="audio/mp4" lang="{language}">
<Representation id="sound" codecs="mp4a.40.2" bandwidth="{rate}"><BaseURL>{base}sound.m4a</BaseURL>
</Representation></AdaptationSet>"""
_PICTURE = """<AdaptationSet contentType="video" mimeType="video/mp4">
<Representation id="picture" codecs="avc1.64001f" bandwidth="{rate}" width="{width}" height="{height}">
<BaseURL>{base}picture.mp4</BaseURL></Representation></AdaptationSet>"""
_TEXT = """<AdaptationSet contentType="text" mimeType="text/vtt" lang="{language}">
<Representation id="text" bandwidth="1"><BaseURL>{base}captions.vtt</BaseURL></Representation>
</AdaptationSet>"""
_MASTER = """#EXTM3U
#EXT-X-STREAM-INF:BANDWIDTH={rate},RESOLUTION=640x360,CODECS="avc1.64001f,mp4a.40.2"
{media}
"""
_MEDIA = """#EXTM3U
#EXT-X-TARGETDURATION:{seconds}
{kind}#EXTINF:{seconds},
part_0_0.ts
{end}"""
_VOD, _END = "#EXT-X-PLAYLIST-TYPE:VOD\n", "#EXT-X-ENDLIST\n"


class Site:
    """The site, up while used as a context manager.

    ``clip`` is any video with H.264 and AAC (copied, not coded again); ``folder`` takes its parts.
    ``seconds`` says how long a file takes to come down, such as ``{"sound.m4a": 2, "picture.mp4": 8}``; the
    others come at once. ``captions`` is WebVTT text, in ``language``.
    """

    def __init__(
        self,
        clip: Path,
        folder: Path,
        *,
        title: str = "A talk",
        language: str = "en",
        captions: str = "WEBVTT\n\n00:00.000 --> 00:01.000\nHello there.\n",
        seconds: Mapping[str, float] | None = None,
    ) -> None:
        self.folder = folder
        self.seconds = dict(seconds or {})
        self.missing: set[str] = set()
        """Files that are not to be had, as is told after the seconds they usually take."""
        self._title, self._language = title, language
        self._length, self._size = _cut(clip, folder)
        (folder / "captions.vtt").write_text(captions, encoding="utf-8")
        self._counted: Counter[str] = Counter()
        self._asked: list[str] = []
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), partial(_Answer, self))
        self.stopping = threading.Event()

    def __enter__(self) -> Self:
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        ).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def url(self, path: str) -> str:
        """The address of a path."""
        return f"http://127.0.0.1:{self.port}/{path.removeprefix('/')}"

    @property
    def asked(self) -> tuple[str, ...]:
        """Paths that were asked for, in order."""
        with self._lock:
            return tuple(self._asked)

    def sent(self, name: str) -> int:
        """Bytes of a file that were sent so far, however often."""
        with self._lock:
            return self._counted[name]

    @property
    def media(self) -> int:
        """Bytes of sound and picture that were sent so far."""
        with self._lock:
            return sum(
                n for name, n in self._counted.items() if name.endswith((".m4a", ".mp4", ".ts", ".m4s"))
            )

    def note(self, path: str) -> None:
        """Record a request."""
        with self._lock:
            self._asked.append(path)

    def count(self, name: str, size: int) -> None:
        """Record bytes sent."""
        with self._lock:
            self._counted[name] += size

    def page(self, path: str, query: str = "") -> str | None:
        """What is written at a path that is no file; None = nothing there."""
        sound, picture, text = _SOUND, _PICTURE, _TEXT
        shapes = {
            "talk.mpd": self._manifest(sound + picture + text),
            "sound.mpd": self._manifest(sound),
            "picture.mpd": self._manifest(picture),
            "live.mpd": self._manifest(sound + picture, kind="dynamic"),
            "lured.mpd": self._manifest(sound + picture, base=f"{query}/"),
            "live.m3u8": _MASTER.format(rate=1_000_000, media="live_media.m3u8"),
            "live_media.m3u8": _MEDIA.format(seconds=2, kind="", end=""),
            "long.m3u8": _MASTER.format(rate=1_000_000, media="long_media.m3u8"),
            "long_media.m3u8": _MEDIA.format(seconds=86_400, kind=_VOD, end=_END),
            "large.m3u8": _MASTER.format(rate=10**10, media="large_media.m3u8"),
            "large_media.m3u8": _MEDIA.format(seconds=3600, kind=_VOD, end=_END),
            "broken.mpd": self._manifest(sound + picture, base="broken/"),
            "talk": _PAGE.format(title=escape(self._title), language=self._language, body=_VIDEO),
            "list": _PAGE.format(
                title="Two",
                language="en",
                body='<video src="/whole.mp4"></video><video src="/whole.mp4?2"></video>',
            ),
        }
        found = shapes.get(path)
        return found and found.replace("{language}", self._language)

    def _manifest(self, sets: str, *, kind: str = "static", base: str = "") -> str:
        width, height = self._size
        sizes = {name: (self.folder / name).stat().st_size for name in ("sound.m4a", "picture.mp4")}
        rates = {name: round(8 * size / self._length) for name, size in sizes.items()}
        filled = sets.replace("{base}", base).replace("{width}", str(width)).replace("{height}", str(height))
        filled = filled.replace("{rate}", str(rates["sound.m4a"]), 1 if _SOUND in sets else 0)
        filled = filled.replace("{rate}", str(rates["picture.mp4"]))
        return _MPD.format(kind=kind, seconds=self._length, sets=filled)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Connections that a client breaks off are its affair; anything else is told."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]  # as it was passed


class _Answer(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"

    def __init__(self, site: Site, *rest: object) -> None:
        self._site = site
        super().__init__(*rest)  # type: ignore[arg-type]  # as the server passes them

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name it has above
        """Say nothing: what was asked is recorded by the site."""

    def do_HEAD(self) -> None:
        """Answer without the body."""
        self.do_GET()

    def do_GET(self) -> None:
        """Answer."""
        parts = urlsplit(self.path)
        path = unquote(parts.path).removeprefix("/")
        self._site.note(path)
        if path.startswith("moved/"):
            query = f"?{parts.query}" if parts.query else ""
            return self._plain(302, location="/" + path.removeprefix("moved/") + query)
        if path == "away":
            return self._plain(302, location=parse_qs(parts.query)["to"][0])
        if found := re.fullmatch(r"status/([1-9]\d\d)", path):
            return self._plain(int(found[1]), retry_after="7" if found[1] == "429" else "")
        if path in ("endless.mp4", "trickle.mp4"):
            return self._endless(path, 10 if path == "trickle.mp4" else _BLOCK)
        is_broken = path.startswith("broken") and not path.endswith(".mpd")
        name = {"broken.mp4": "whole.mp4"}.get(path, path.removeprefix("broken/"))
        page = self._site.page(name, (parse_qs(parts.query).get("to") or [""])[0])
        if page is not None:
            return self._text(page.encode(), _TYPES[Path(name).suffix])
        if name in self._site.missing:
            self._site.stopping.wait(self._site.seconds.get(name, 0))
            return self._plain(404)
        file = (self._site.folder / name).resolve()
        if file.parent != self._site.folder.resolve() or not file.is_file():
            return self._plain(404)
        return self._file(file, is_broken=is_broken)

    def _plain(self, status: int, *, location: str = "", retry_after: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        if location:
            self.send_header("Location", location)
        if retry_after:
            self.send_header("Retry-After", retry_after)
        self.end_headers()

    def _text(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _endless(self, name: str, block: int) -> None:
        """Zeros, a hundred blocks a second: a terabyte of them, or (in small blocks) a megabyte."""
        self.send_response(200)
        self.send_header("Content-Type", "video/mp4")
        self.send_header("Content-Length", str(10**12 if block == _BLOCK else 10**6))
        self.end_headers()
        while not self._site.stopping.wait(0.01):
            self.wfile.write(bytes(block))
            self._site.count(name, block)

    def _file(self, file: Path, *, is_broken: bool) -> None:
        """A file or a range of it, at the speed the site was given."""
        size = file.stat().st_size
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        first = int(asked[1]) if asked else 0
        last = min(size - 1, int(asked[2])) if asked and asked[2] else size - 1
        if first > last:
            return self._plain(416)
        self.send_response(206 if asked else 200)
        self.send_header("Content-Type", _TYPES.get(file.suffix, "application/octet-stream"))
        self.send_header("Content-Length", str(last - first + 1))
        self.send_header("Accept-Ranges", "bytes")
        if asked:
            self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        self.end_headers()
        if self.command != "HEAD":
            end = first + (last - first + 1) // 2 if is_broken else last + 1
            self._send(file, first, end, rate=size / (self._site.seconds.get(file.name) or 1e-9))
            self.close_connection = is_broken
        return None

    def _send(self, file: Path, at: int, end: int, *, rate: float) -> None:
        begun, first = time.monotonic(), at
        with file.open("rb") as stream:
            stream.seek(at)
            while at < end and not self._site.stopping.is_set():
                block = stream.read(min(_BLOCK, end - at))
                self._site.count(file.name, len(block))  # before the other side can know of it
                try:
                    self.wfile.write(block)
                except OSError:  # the other side has left
                    self.close_connection = True
                    return
                at += len(block)
                ahead = (at - first) / rate - (time.monotonic() - begun)
                if ahead > 0:
                    self._site.stopping.wait(ahead)


def _cut(clip: Path, folder: Path) -> tuple[float, tuple[int, int]]:
    """Write the clip's parts and forms into the folder -> (seconds, (width, height))."""
    folder.mkdir(parents=True, exist_ok=True)
    base = ["-v", "error", "-nostdin", "-y", "-i", str(clip.absolute())]
    sound, picture = ["-map", "0:a:0", "-c", "copy"], ["-map", "0:v:0", "-c", "copy"]
    master = ["-hls_time", "2", "-hls_playlist_type", "vod", "-master_pl_name", "talk.m3u8"]
    groups = ["-var_stream_map", "a:0,agroup:sound,default:yes,language:en v:0,agroup:sound"]
    outputs = [
        *sound, "sound.m4a",
        *picture, "-movflags", "+faststart", "picture.mp4",
        *picture, "-map", "0:a:0", "-movflags", "+faststart", "whole.mp4",
        *picture, "-map", "0:a:0", *master, *groups, "-hls_segment_filename", "part_%v_%d.ts", "list_%v.m3u8",
    ]  # fmt: skip
    _run("ffmpeg", [*base, *outputs], folder)
    asked = ["-select_streams", "v:0", "-show_entries", "stream=width,height:format=duration"]
    told = _run("ffprobe", ["-v", "error", *asked, "-of", "csv=p=0", str(clip.absolute())], folder)
    width, height, seconds = (float(each) for each in told.replace("\n", ",").split(",") if each)
    return seconds, (int(width), int(height))


def _run(program: str, arguments: list[str], folder: Path) -> str:
    """What a program writes. Raises MediaError with its last line."""
    argv = [process.find(program, package="ffmpeg"), *arguments]
    result = process.run(argv, deadline=600.0, cwd=folder)
    if result.code != 0:
        raise MediaError(
            f"{program} could not cut the clip for the site: {result.stderr.strip()[-200:]}",
            hint="Give a video with H.264 picture and AAC sound.",
        )
    return result.stdout.decode()
