"""Worker process of the yt-dlp downloader: looks at pages and fetches one stream, guarded and bounded.

Started as ``python -m autodub.engines.ytdlp_worker`` with a JSON object of settings (``Settings``). The
requests, each with ``do``:

- ``look``: ``url`` -> ``{"info": path}`` of what the page offers, or ``{"count": n}`` for a list of videos;
- ``fetch``: ``info`` (path), ``format`` (id), ``name`` -> ``{"file": path}``;
- ``captions``: ``info``, ``key`` -> ``{"file": path}``.

While bytes come in, ``progress.json`` in the folder says how many. What yt-dlp could not do is answered as
``{"failed": ...}`` for the caller to explain; a refused connection or a broken limit is an error of the tree.

Nothing of the user is read: no configuration, cookies, netrc, cache or plugins (the caller gives the
process an empty home), no proxy, and no program but the JavaScript runtime is started.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from autodub.engines.ytdlp_guard import Guard, limit
from autodub.infra.addresses import Networks
from autodub.infra.child import serve
from autodub.model.errors import AutodubError, UnsupportedSource

_EVERY = 0.2
"""Seconds between two reports of progress."""
_SAID = 4000
"""Characters of a message that are told."""
CAPTIONS = 8 << 20
"""Bytes of captions; those of four hours, every word with its time, are a quarter of it."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the caller decides for the whole process."""

    folder: str
    """Where files go; an empty folder."""
    addresses: list[str]
    """Networks allowed although they are not public."""
    largest: int
    """Bytes of one file."""
    height: int
    """Lines of picture wanted at most (of the shorter side)."""
    runtime: str
    """Path of the JavaScript runtime deno; empty = none."""
    timeout: float
    """Seconds of silence after which a connection is given up."""
    rate: int | None
    """Bytes per second at most."""
    extractors: list[str] | None
    """Names of the extractors allowed; None = those made for the address, and the general ones."""


class _Log:
    """Takes yt-dlp's messages: they are told only by the error that follows."""

    def debug(self, message: str) -> None:
        pass

    info = warning = error = debug


class Fetcher:
    """yt-dlp with everything but the network turned off."""

    def __init__(self, settings: Settings, guard: Guard) -> None:
        self._settings = settings
        self._guard = guard
        self._folder = Path(settings.folder)
        self._told = 0.0
        self._largest = settings.largest

    def __call__(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Answer one request."""
        answer: dict[str, Any]
        self._largest = self._settings.largest if request["do"] != "captions" else CAPTIONS
        try:
            answer = {"look": self._look, "fetch": self._fetch, "captions": self._captions}[request["do"]](
                request
            )
        except AutodubError:
            raise
        except Exception as error:  # noqa: BLE001  # whatever a library with a thousand sites may raise
            answer = {"failed": described(error)}
        self._guard.raise_refusal()
        return answer

    def _look(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """What the page offers, every link followed but no media touched."""
        url = request["url"]
        with self._yt_dlp(url, playlist_items="1-2", extract_flat="in_playlist") as ydl:
            info = ydl.extract_info(url, download=False)
            if info and info.get("_type") in ("playlist", "multi_video"):
                entries = list(info.get("entries") or ())
                if len(entries) != 1:
                    return {"count": max(len(entries), info.get("playlist_count") or 0)}
                only = entries[0]
                # A page that is a list of one video means that video.
                if only.get("_type", "video") != "video":
                    only = ydl.extract_info(only["url"], download=False, ie_key=only.get("ie_key"))
                info = only
            path = self._folder / "info.json"
            kept = ydl.sanitize_info(info, remove_private_keys=True)
            kept.pop("epoch", None)  # the same page is the same description, whenever it is looked at
            path.write_text(json.dumps(kept), encoding="utf-8")
        return {"info": str(path)}

    def _fetch(self, request: Mapping[str, Any]) -> dict[str, Any]:
        info = json.loads(Path(request["info"]).read_text(encoding="utf-8"))

        def choose(context: Mapping[str, Any]) -> Iterator[Any]:
            yield from [each for each in context["formats"] if each["format_id"] == request["format"]][:1]

        more: dict[str, Any] = {"format": choose, "outtmpl": {"default": request["name"] + ".%(ext)s"}}
        try:
            with self._yt_dlp(**more) as ydl:
                done = ydl.process_ie_result(info, download=True)
        except import_module("yt_dlp.utils").ReExtractInfo:  # some streams cannot be told in advance
            with self._yt_dlp(info["webpage_url"], **more) as ydl:
                done = ydl.extract_info(info["webpage_url"], download=True)
        return _found(each.get("filepath") for each in done.get("requested_downloads") or ())

    def _captions(self, request: Mapping[str, Any]) -> dict[str, Any]:
        info = json.loads(Path(request["info"]).read_text(encoding="utf-8"))
        wanted: dict[str, Any] = {
            "skip_download": True,
            "writesubtitles": True,
            "subtitleslangs": [re.escape(request["key"])],
            "subtitlesformat": "vtt/srt/ass/best",
            "ignore_no_formats_error": True,
        }
        with self._yt_dlp(outtmpl={"default": "captions.%(ext)s"}, **wanted) as ydl:
            done = ydl.process_ie_result(info, download=True)
        return _found(each.get("filepath") for each in (done.get("requested_subtitles") or {}).values())

    def _yt_dlp(self, url: str | None = None, **more: Any) -> Any:
        """yt-dlp ready to look at an address, or (without one) to fetch what is known already."""
        settings = self._settings
        extractors = (settings.extractors or extractors_for(url)) if url else ["generic"]
        return import_module("yt_dlp").YoutubeDL({
            "quiet": True, "noprogress": True, "logger": _Log(),
            "allowed_extractors": extractors,
            "noplaylist": True, "geo_bypass": False, "enable_file_urls": False,
            "js_runtimes": {"deno": {"path": settings.runtime}} if settings.runtime else {},
            "remote_components": [],
            # Of the user and the machine: nothing.
            "cachedir": False, "cookiefile": None, "cookiesfrombrowser": None, "usenetrc": False, "proxy": "",
            # Fetching by yt-dlp's own code only: other programs make connections that nobody judges.
            "external_downloader": "native", "hls_prefer_native": True, "fixup": "never",
            "ffmpeg_location": str(self._folder / "none"),
            "paths": {"home": settings.folder}, "restrictfilenames": True, "updatetime": False,
            # A broken connection is resumed where it broke; nothing is begun again, or left out.
            "socket_timeout": settings.timeout, "retries": 2, "fragment_retries": 2, "extractor_retries": 0,
            "file_access_retries": 0, "skip_unavailable_fragments": False, "ratelimit": settings.rate,
            "progress_hooks": [self._progress],
            "format": lambda context: context["formats"][-1:],
            "format_sort": ["lang", f"res:{settings.height}", "fps", "vcodec:h264"],
            **more,
        })  # fmt: skip

    def _progress(self, state: Mapping[str, Any]) -> None:
        done = int(state.get("downloaded_bytes") or 0)
        total = int(state.get("total_bytes") or 0)
        if max(done, total) > self._largest:
            more = "An operator can allow more: download.largest in the configuration file."
            raise UnsupportedSource(
                f"The file turned out to be larger than the {self._largest} bytes allowed.",
                hint=more if self._largest != CAPTIONS else "Leave captions out; they are none.",
            )
        self._guard.raise_refusal()
        now = time.monotonic()
        if now - self._told >= _EVERY or state.get("status") == "finished":
            self._told = now
            total = total or int(state.get("total_bytes_estimate") or 0)
            fresh = self._folder / "progress.new"
            fresh.write_text(json.dumps({"done": done, "total": total}), encoding="utf-8")
            fresh.replace(self._folder / "progress.json")


def extractors_for(url: str) -> list[str]:
    """Names of the extractors for an address, as patterns: those of its own site, and the general ones."""
    general = ["html5", "generic"]
    host = (urlsplit(url).hostname or "").rpartition(".")[2]
    if ":" in host or host.isdigit():  # no site is known by its number, and asking all of them takes a while
        return general
    classes = list(import_module("yt_dlp.extractor").gen_extractor_classes())
    own = next((each for each in classes if each.suitable(url) and each.ie_key() != "Generic"), None)
    home = _module(own) if own is not None else None
    family = [each.IE_NAME for each in classes if home is not None and _module(each) == home]
    return [re.escape(name.lower()) for name in family] + general


def _module(extractor: Any) -> str:
    """The module an extractor is written in; those not loaded yet name it in an attribute."""
    return str(getattr(extractor, "_module", None) or extractor.__module__)


def described(error: BaseException) -> dict[str, Any]:
    """What is known of a failure: class names along its causes, status, the site's sentence, system error."""
    names: list[str] = []
    # Sites may say anything at any length; what makes a sentence stands at the beginning.
    answer: dict[str, Any] = {"names": names, "message": str(getattr(error, "msg", None) or error)[:_SAID]}
    queue: list[Any] = [error]
    seen: set[int] = set()
    while queue:
        each = queue.pop(0)
        if not isinstance(each, BaseException) or id(each) in seen:
            continue
        seen.add(id(each))
        names += [kind.__name__ for kind in type(each).__mro__ if kind.__module__ != "builtins" or not names]
        names += [kind.__name__ for kind in type(each).__mro__ if kind.__name__ in ("MemoryError", "OSError")]
        if isinstance(status := getattr(each, "status", None), int):
            answer.setdefault("status", status)
            headers = getattr(getattr(each, "response", None), "headers", None) or {}
            answer.setdefault("retry_after", headers.get("Retry-After"))
        if isinstance(each, OSError) and each.errno is not None:
            answer.setdefault("errno", each.errno)
        info = getattr(each, "exc_info", None)
        queue += [info[1] if isinstance(info, tuple) and len(info) > 1 else None]
        queue += [getattr(each, "cause", None), each.__cause__, each.__context__]
    return answer


def _found(paths: Iterator[str | None]) -> dict[str, Any]:
    """The one file that came out; yt-dlp has ways to end without one and without an error."""
    for path in paths:
        if path and Path(path).is_file() and Path(path).stat().st_size > 0:
            return {"file": path}
    return {"failed": {"names": ["NoFile"], "message": "The site sent nothing."}}


def main() -> None:
    """Guard the process, then answer requests until standard input ends."""
    settings = Settings(**json.loads(sys.argv[1]))
    guard = Guard(Networks.of(settings.addresses), programs=[settings.runtime] if settings.runtime else [])
    guard.install()
    limit(largest=settings.largest + (1 << 20))
    serve(Fetcher(settings, guard))


if __name__ == "__main__":
    main()
