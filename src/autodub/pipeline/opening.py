"""Opening a source: its sound now, and the whole of it as soon as it is there."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from autodub.engines import registry
from autodub.engines.local import path_of as local_path
from autodub.engines.roles import EngineContext
from autodub.gateway.store import Store
from autodub.media.containers import CONTAINERS
from autodub.model.calls import Download
from autodub.model.errors import EngineCannot
from autodub.model.language import Language
from autodub.model.media import Blob, Source
from autodub.model.request import DubRequest
from autodub.pipeline.names import one_line
from autodub.pipeline.run import Run

_ADDRESS = re.compile(r"https?://", re.IGNORECASE)
_LONGEST_NAME = 80  # characters of a title that become a file name
_LONGEST_BYTES = 180  # the same in bytes: a file system allows 255, endings and a range included


@dataclass(frozen=True, slots=True)
class Opened:
    """A source under way. ``sound`` is what is listened to; ``whole`` what the dub is put under."""

    sound: Source
    downloader: Any
    later: Future[Source] | None = None

    @property
    def is_here(self) -> bool:
        """Whether nothing of the source has still to come."""
        return self.later is None

    def whole(self) -> Source:
        """The source with its picture; waits for it."""
        return self.sound if self.later is None else self.later.result()


def is_address(source: str) -> bool:
    """Whether a source is an address of the network rather than a file of this machine."""
    return bool(_ADDRESS.match(source)) and not os.path.exists(source)  # noqa: PTH110 - may be no path at all


def open_source(
    run: Run,
    request: DubRequest,
    context: EngineContext,
    *,
    picture: bool = True,
    meanwhile: Callable[[], None] | None = None,
) -> Opened:
    """Fetch or open the source. A file of this machine is known by its content, not by its name.

    From an address the sound is fetched first, so that listening begins while the picture (which is
    not fetched at all without ``picture``) still comes in. ``meanwhile`` is called when there is something
    to wait for.
    """
    name = request.engines.get("downloader", "auto")
    if name == "auto":
        name = "ytdlp" if is_address(request.source) else "local"
    engine = registry.build("downloader", name, request.options.get("downloader", {}), context)
    if name == "local":
        return Opened(_local(run, engine, request.source), engine)
    address = request.source
    if name == "ytdlp":  # also what is kept already: the policy may have changed since
        from autodub.engines.ytdlp_choice import one_video
        from autodub.infra.addresses import Networks, permit

        allowed = context.fetching
        networks = Networks.of(allowed.addresses)
        address = one_video(permit(address, sites=allowed.sites, networks=networks))
    language = Language.parse(request.spoken).tag if request.spoken else None
    first = Download(address, part="sound", language=language)
    if not run.is_kept(engine, "download", first):
        ready = engine.readiness()
        if ready.state != "ready":
            raise EngineCannot(f"The downloader {name} cannot run here: {ready.detail}.", hint=ready.fix)
        if meanwhile is not None:
            meanwhile()
    sound = _fetch(run, engine, first)
    if sound.is_whole or not picture:
        return Opened(sound, engine)
    asked = Download(address, having=sound, language=language)
    later = run.beside(_fetch, run, engine, asked, name="picture")
    later.add_done_callback(lambda done: _stop_without(run, done))
    return Opened(sound, engine, later)


def _stop_without(run: Run, picture: Future[Source]) -> None:
    """Without its picture there is no dub, so nothing more is spent on one."""
    problem = picture.exception()
    if problem is not None:
        run.fail(problem)


def captions(run: Run, opened: Opened, language: str) -> Blob:
    """The captions that people wrote for a source, as a subtitle file."""
    if not opened.sound.url:
        raise EngineCannot(
            "Captions of a site can only be had where the source is an address.",
            hint="Give a subtitle file with --subtitles instead.",
        )
    asked = Download(opened.sound.url, part="captions", language=language)
    fetched: Source = run.call(opened.downloader, "download", asked, stage="open")
    return fetched.files[0]


def output_name(source: Source, title: str | None = None) -> Path:
    """The path outputs are named after: the file itself, or the title of what came from elsewhere."""
    if not source.url and title is None:
        return Path(source.path)
    said, ending = (source.title, "") if title is None else _ending(title, source)
    words = re.sub(r"[^\w\s.-]", " ", said).split()
    short = " ".join(words)[:_LONGEST_NAME].encode()[:_LONGEST_BYTES].decode(errors="ignore")
    stem = short.strip(" .-") or "video"
    usual = ".m4a" if source.is_whole and not source.info.video else ".mp4"
    return Path.cwd() / f"{stem}{ending or usual}"


def _ending(title: str, source: Source) -> tuple[str, str]:
    """A title without its ending, and the ending of the kind of file it says, or else the file has.

    The ending is empty where files of that kind cannot be written.
    """
    said = Path(title).suffix
    here = "" if source.url else Path(source.path).suffix
    if said and said.lower() in (*CONTAINERS, here.lower()):
        title = title[: -len(said)]
    kinds = (said.lower(), here.lower())
    return title, next((kind for kind in kinds if kind in CONTAINERS), "")


def shown_name(source: Source, title: str | None = None) -> str:
    """A source's name on a receipt."""
    if title is not None:
        return one_line(title)
    return source.title if source.url else Path(source.path).name


def shown_place(source: Source, title: str | None = None) -> str:
    """Where a source is, for a project file: its address or path; its title where it has one of ours."""
    if source.url:
        return source.url
    return source.path if title is None else one_line(title)


def _local(run: Run, engine: Any, address: str) -> Source:
    path, digest = local_path(address), ""
    if os.path.isfile(path):  # noqa: PTH113 - a name too long for the system is no file, not an error
        # Absolute, since an answer may be used again from another folder.
        address, digest = str(path.absolute()), run.gateway.store.digest(path)
    source: Source = run.call(engine, "download", Download(address, digest), stage="open")
    return source


def _fetch(run: Run, engine: Any, asked: Download) -> Source:
    stage = "open" if asked.part == "sound" else "picture"
    if stage == "open":
        source: Source = run.call(engine, "download", asked, stage=stage)
    else:
        with run.stage("picture", "fetching the picture"):
            source = run.call(engine, "download", asked, stage=stage)
    return at_home(run.gateway.store, source)


def at_home(store: Store, source: Source) -> Source:
    """A fetched source with the path its file has now: the data directory may have been moved."""
    return replace(source, path=str(store.blobs.path(source.files[0]))) if source.files else source
