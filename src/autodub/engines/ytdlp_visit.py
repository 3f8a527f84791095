"""One request to fetch from a page: look, decide, fetch, join, keep."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from autodub.engines import ytdlp_choice as choice
from autodub.engines.roles import Fetching, Work
from autodub.engines.ytdlp_failure import explain
from autodub.engines.ytdlp_worker import CAPTIONS
from autodub.infra.child import Workers
from autodub.media.joining import join
from autodub.media.probe import probe
from autodub.model.calls import Download
from autodub.model.errors import (
    BadAnswer,
    EngineError,
    Gone,
    OutputProblem,
    Refused,
    Rejected,
    Unreachable,
    UnsupportedSource,
)
from autodub.model.media import MediaInfo, Source

_LOOK = 180.0
"""Seconds to look at a page; a slow site with a JavaScript riddle takes twenty."""
_FETCH = 12 * 3600.0
"""Seconds for one stream; a standstill is noticed long before."""
_SLACK = 30.0
"""Seconds beside the time-outs that a worker may take to resume."""
_ROOM = 256 << 20
"""Bytes of disk that must stay free."""
_TRICKLE = 16 << 10
"""New bytes that count as progress: a site that sends a byte now and then holds nobody up."""
_LARGEST_PAGE = 64 << 20
"""Bytes of a page's description."""


class Visit:
    """One request being answered."""

    def __init__(
        self, request: Download, work: Work, workers: Workers, *, url: str, fetching: Fetching, timeout: float
    ) -> None:
        self._request, self._work, self._workers, self._url = request, work, workers, url
        self._fetching = fetching
        self._folder = work.scratch
        self._patience = 3 * timeout + _SLACK
        """Seconds without a new byte after which a download is given up; resuming takes three time-outs."""
        self._moved = (time.monotonic(), -1)

    def source(self) -> Source:
        having = self._request.having
        if self._request.part == "captions":
            return self._captions()
        if self._request.part == "whole" and having is not None and not having.is_whole:
            return self._whole(having)
        if self._request.part == "whole" and having is not None:
            return having
        info, page = self._look()
        taken = self._chosen(info)
        if self._request.part == "sound" or taken.sound is None or taken.picture is None:
            return self._sound(info, page, taken)
        heard = self._fetch(page, taken.sound, "sound", (0.0, 0.2))
        seen = self._fetch(page, taken.picture, "picture", (0.2, 0.95))
        return self._joined(info, taken, seen, heard)

    def look(self, *, deadline: float) -> Mapping[str, Any]:
        """What the page offers, yt-dlp's description; nothing is fetched."""
        info, _ = self._look(deadline)
        return info

    def _look(self, deadline: float = _LOOK) -> tuple[Mapping[str, Any], Path]:
        """What the page offers, and the file in which that is kept."""
        self._work.progress(0.0, "Looking at the page")
        answer = self._ask({"do": "look", "url": self._url}, deadline=deadline, check=self._work.check)
        if "count" in answer:
            raise UnsupportedSource(
                f"There is not one video at this address but {answer['count'] or 'a list that is empty'}.",
                hint="Open the video itself and give its link.",
            )
        page = self._own(answer["info"])
        if page.stat().st_size > _LARGEST_PAGE:
            raise Rejected(
                "The page describes its video at endless length.", hint="Try another page.", engine="ytdlp"
            )
        text = page.read_text(encoding="utf-8")
        return json.loads(text, parse_constant=lambda _: None), page  # a length that is no number is none

    def _chosen(self, info: Mapping[str, Any]) -> choice.Choice:
        taken = choice.choose(info, language=self._request.language)
        choice.check(info, taken, longest=self._fetching.longest, largest=self._fetching.largest)
        needed = 2 * choice.size_of(info, taken) + _ROOM  # the parts, and the whole made of them
        if (free := shutil.disk_usage(self._folder).free) < needed:
            raise OutputProblem(
                f"Fetching this video takes {choice.megabytes(needed)} of disk; "
                f"{choice.megabytes(free)} are free.",
                hint="Make room, or choose another data directory.",
            )
        return taken

    def _sound(self, info: Mapping[str, Any], page: Path, taken: choice.Choice) -> Source:
        stream = taken.sound or taken.combined
        assert stream is not None, "what has no sound was refused"
        path = self._fetch(page, stream, "sound", (0.0, 1.0))
        whole = taken.sound is None or taken.picture is None
        return self._kept(info, taken, path, page=None if whole else page)

    def _whole(self, having: Source) -> Source:
        """Fetch the picture and join it with the sound that is there."""
        heard = self._work.path(having.files[0])
        try:
            page = self._work.path(having.files[1])
            info = json.loads(page.read_text(encoding="utf-8"))
            taken = self._chosen(info)
            assert taken.picture is not None, "the sound of a page without picture is whole"
            seen = self._fetch(page, taken.picture, "picture", (0.0, 0.9))
        except (IndexError, Gone, Refused, Rejected):
            # Links are good for some hours only; the page itself gives new ones.
            info, page = self._look()
            taken = self._chosen(info)
            if taken.picture is None:
                raise Rejected(
                    "The page had a picture when its sound was fetched, and has none now.",
                    hint="Try again later; if it stays, dub its sound alone.",
                    engine="ytdlp",
                ) from None
            seen = self._fetch(page, taken.picture, "picture", (0.0, 0.9))
        return self._joined(info, taken, seen, heard)

    def _joined(self, info: Mapping[str, Any], taken: choice.Choice, seen: Path, heard: Path) -> Source:
        path = join(
            seen,
            heard,
            self._folder,
            check=self._work.check,
            progress=lambda done: self._work.progress(0.95 + 0.05 * done, "Joining picture and sound"),
        )
        seen.unlink()
        return self._kept(info, taken, path, page=None)

    def _kept(
        self, info: Mapping[str, Any], taken: choice.Choice, path: Path, *, page: Path | None
    ) -> Source:
        """The file as a source; with ``page`` it is the sound alone, and the picture is still to come."""
        found = probe(path, check=self._work.check)
        if found.duration > self._fetching.longest * 1000:  # not every page says how long its video is
            raise UnsupportedSource(
                f"The video lasts {choice.clock(found.duration / 1000)}, longer than the "
                f"{choice.clock(self._fetching.longest)} allowed.",
                hint="An operator can allow more: download.longest in the configuration file (seconds).",
            )
        blob = self._work.keep(path)
        self._work.meter("bytes", blob.size)
        stream = taken.sound or taken.combined
        language, asked = choice.spoken(info, stream), self._request.language
        warnings = []
        if asked and language and choice.primary(asked) != choice.primary(language):
            warnings.append(f"The site has no sound in '{asked}'; its sound in '{language}' was taken.")
        return Source(
            path=str(self._work.path(blob)),
            digest=blob.digest,
            info=found,
            title=choice.title_of(info),
            files=(blob,) if page is None else (blob, self._work.keep(page)),
            url=self._url,
            is_whole=page is None,
            language=language,
            captions=tuple(choice.captions(info)),
            warnings=tuple(warnings),
        )

    def _captions(self) -> Source:
        info, page = self._look()
        key = choice.caption(info, self._request.language)
        request = {"do": "captions", "info": str(page), "key": key}
        path = self._own(self._ask(request, deadline=_LOOK, check=self._watch)["file"])
        if path.stat().st_size > CAPTIONS:
            raise Rejected(
                "The page's captions are endless.", hint="Leave captions out; they are none.", engine="ytdlp"
            )
        blob = self._work.keep(path)
        return Source(
            path=str(self._work.path(blob)),
            digest=blob.digest,
            info=MediaInfo(container="captions", duration=0, video=(), audio=(), subtitles=()),
            title=choice.title_of(info),
            files=(blob,),
            url=self._url,
            language=choice.tag_of(key),
            captions=tuple(choice.captions(info)),
        )

    def _fetch(self, page: Path, stream: Mapping[str, Any], name: str, part: tuple[float, float]) -> Path:
        """Fetch one stream; ``part`` of the progress of the whole request is its own."""
        self._moved = (time.monotonic(), -1)
        request = {"do": "fetch", "info": str(page), "format": stream["format_id"], "name": name}
        low, high = part

        def watch() -> None:
            self._watch(lambda done: self._work.progress(low + (high - low) * done, f"Fetching the {name}"))

        answer = self._ask(request, deadline=_FETCH, check=watch)
        return self._own(answer["file"])

    def _own(self, name: str) -> Path:
        """A file the worker made: in our folder and no link, since what is kept is moved away."""
        path = Path(name)
        if path.is_symlink() or not path.resolve().is_relative_to(self._folder.resolve()):
            raise BadAnswer(
                f"The ytdlp worker answered with a file that is not its own ({path.name}).",
                hint="Do not use what was fetched; please report this.",
                engine="ytdlp",
            )
        return path

    def _watch(self, tell: Callable[[float], None] | None = None) -> None:
        """Look at the clock, the disk and the progress that the worker wrote down."""
        self._work.check()
        try:
            state = json.loads((self._folder / "progress.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            state = {"done": 0, "total": 0}
        now = time.monotonic()
        before = self._moved[1]
        if before < 0 or state["done"] < before or state["done"] >= before + _TRICKLE:
            self._moved = (now, state["done"])
            if tell is not None and state["total"]:
                tell(min(1.0, state["done"] / state["total"]))
            if shutil.disk_usage(self._folder).free < _ROOM // 4:
                raise OutputProblem(
                    "There is no room left on the disk to fetch the video.", hint="Make room."
                )
        elif now - self._moved[0] > self._patience:
            raise Unreachable(
                f"The site has sent nothing, or next to nothing, for {self._patience:.0f} seconds.",
                hint="Try again later.",
                engine="ytdlp",
            )

    def _ask(
        self, request: Mapping[str, Any], *, deadline: float, check: Callable[[], None]
    ) -> Mapping[str, Any]:
        answer: Mapping[str, Any] = self._workers.call(request, deadline=deadline, check=check)
        if "failed" in answer:
            error = explain(answer["failed"])
            if isinstance(error, EngineError):
                error.engine = "ytdlp"
            raise error
        return answer
