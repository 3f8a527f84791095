"""Downloader of web pages, with yt-dlp: the sound first, so that listening can begin, then the picture.

yt-dlp runs in a process of its own (``ytdlp_worker``), where every connection is judged as it is made
(``ytdlp_guard``), that sees nothing of the user's configuration, cookies or plugins, and that is killed
when somebody cancels. What is taken and what is refused is decided here, from the description of the
page, before a byte of media is fetched (``ytdlp_choice``).

Sites change monthly and yt-dlp follows them, so it is not bound to the versions Autodub is tested with:
``pip install --upgrade 'yt-dlp[default,deno]'`` at any time; kept answers stay good.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import site
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from autodub.engines import ytdlp_choice as choice
from autodub.engines.roles import EngineContext, EngineOptions, Info, Readiness, Work
from autodub.engines.ytdlp_look import Looked, looked
from autodub.engines.ytdlp_visit import Visit
from autodub.engines.ytdlp_worker import Settings
from autodub.infra.addresses import Networks, permit
from autodub.infra.child import Workers
from autodub.model.calls import Download
from autodub.model.errors import EngineCannot
from autodub.model.media import Source

WORKER = "autodub.engines.ytdlp_worker"
_INSTALL = "pip install 'autodub[youtube]'"


class YtDlpOptions(EngineOptions):
    """Options of the yt-dlp downloader."""

    height: int | None = Field(
        None,
        ge=144,
        le=4320,
        description="Lines of picture wanted at most; None = the setting download.height.",
    )
    rate_limit: int | None = Field(
        None, ge=10_000, exclude=True, description="Bytes per second at most; None = no limit."
    )
    timeout: float = Field(
        20.0,
        ge=1,
        le=300,
        exclude=True,
        description="Seconds of silence after which a connection is given up.",
    )


class YtDlp:
    """Fetches one video of YouTube, or of any site an operator allows."""

    Options: ClassVar[type[EngineOptions]] = YtDlpOptions

    def __init__(self, options: YtDlpOptions, context: EngineContext) -> None:
        self._height = options.height or context.fetching.height
        # The picture asked for is part of an answer's identity, wherever it was decided.
        self.options = options.model_copy(update={"height": self._height})
        self._context = context

    @classmethod
    def describe(cls) -> Info:
        """Facts for the plan."""
        return Info(
            name="ytdlp",
            role="downloader",
            version="1",
            summary="YouTube and other sites, with yt-dlp; the sound first, then the picture.",
            resource="net",
            lanes=2,
            licence="Unlicense",
        )

    def readiness(self) -> Readiness:
        """Ready where yt-dlp and ffmpeg are installed and the network may be used."""
        if importlib.util.find_spec("yt_dlp") is None:
            return Readiness("not installed", "yt-dlp is missing", _INSTALL)
        missing = [program for program in ("ffmpeg", "ffprobe") if shutil.which(program) is None]
        if missing:
            return Readiness(
                "not installed", f"{' and '.join(missing)} not found", fix="sudo apt-get install ffmpeg"
            )
        if self._context.offline:
            return Readiness("needs download", "nothing is fetched offline", "Leave out --offline.")
        sites = ", ".join(self._context.fetching.sites) or "no site"
        if not runtime():
            return Readiness(
                "ready", f"{sites}; without a JavaScript runtime, YouTube offers less ({_INSTALL})"
            )
        return Readiness("ready", sites)

    def download(self, request: Download, work: Work) -> Source:
        """The sound, the whole or the captions of one video; see ``Download.part``.

        The sound alone comes with ``is_whole=False``; where the site has it only together with the
        picture, or no picture at all, the answer is whole. Captions come as a file without streams.
        Raises UnsupportedSource for what cannot or may not be fetched, EngineCannot when there are no
        captions by people in the language, Rejected and Refused for what the site does not give,
        Busy and Unreachable for what may go better later, OutputProblem when the disk is full.
        """
        with self._visit(request, work) as visit:
            return visit.source()

    def look(self, request: Download, work: Work, *, deadline: float) -> Looked:
        """What is at an address, without a byte of media; within ``deadline`` seconds.

        Raises as ``download`` does for what cannot be looked at; what could be but may not be fetched is
        told by the answer.
        """
        with self._visit(request, work) as visit:
            info = visit.look(deadline=deadline)
        return looked(info, fetching=self._context.fetching, language=request.language)

    @contextmanager
    def _visit(self, request: Download, work: Work) -> Iterator[Visit]:
        """Somebody who looks at and fetches from one address, if that is allowed, in a process of its own."""
        fetching = self._context.fetching
        address = permit(request.url, sites=fetching.sites, networks=Networks.of(fetching.addresses))
        url = choice.one_video(address)
        if self._context.offline:
            raise EngineCannot("Nothing is fetched offline.", hint="Leave out --offline for once.")
        if importlib.util.find_spec("yt_dlp") is None:
            raise EngineCannot("yt-dlp is not installed.", hint=_INSTALL)
        home = work.scratch / "home"
        home.mkdir()
        settings = Settings(
            folder=str(work.scratch),
            addresses=list(fetching.addresses),
            largest=fetching.largest,
            height=self._height,
            runtime=runtime(),
            timeout=self.options.timeout,
            rate=self.options.rate_limit,
            extractors=_extractors(youtube=choice.is_youtube(address), sites=fetching.sites),
        )
        with Workers(
            WORKER,
            engine="ytdlp",
            arguments=[json.dumps(asdict(settings))],
            environment=_environment(home),
        ) as workers:
            yield Visit(request, work, workers, url=url, fetching=fetching, timeout=self.options.timeout)


def runtime() -> str:
    """Path of the JavaScript runtime that YouTube's pages need: the extra's own, or the machine's."""
    return shutil.which("deno", path=sysconfig.get_path("scripts")) or shutil.which("deno") or ""


def _extractors(*, youtube: bool, sites: tuple[str, ...]) -> list[str] | None:
    """Which parts of yt-dlp may read the page: single videos for YouTube, the site's own parts elsewhere."""
    if youtube:
        return ["youtube"]
    return ["default"] if "*" in sites else None


def _environment(home: Path) -> dict[str, str]:
    """An empty home: nothing of the user's is there to be read, and nothing is left behind."""
    places = ("HOME", "TMPDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "DENO_DIR", "APPDATA")
    return {
        **dict.fromkeys(places, str(home)),
        # Packages may be installed in the user's home: Python must still find them, and us, there.
        "PYTHONUSERBASE": site.getuserbase(),
        "YTDLP_NO_PLUGINS": "1",
        "DENO_NO_UPDATE_CHECK": "1",
        "NO_COLOR": "1",
    }
