"""Looking at a source before it is dubbed: what a link is, without its media; what an upload has."""

from __future__ import annotations

import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from autodub.engines import registry
from autodub.engines.context import engine_context
from autodub.engines.ytdlp_look import Looked
from autodub.gateway.cancel import Cancel
from autodub.gateway.gateway import nobody
from autodub.gateway.store import Store
from autodub.gateway.work import CallWork
from autodub.infra.addresses import Networks, permit
from autodub.infra.settings import Settings
from autodub.jobs.records import Actor, Failure
from autodub.jobs.uploads import Uploads
from autodub.model.calls import Download
from autodub.model.errors import Conflict, Unavailable, UnsupportedSource

_DEADLINE = 45.0
"""Seconds one look may take."""
_AT_ONCE, _OF_ONE = 4, 2
"""Links that are looked at at once, of all users and of one: somebody else's look finds a seat."""
_FRESH = 120.0
"""Seconds for which what was seen is told again."""
_REMEMBERED = 200


@dataclass(frozen=True, slots=True)
class Track:
    """A track of sound or of subtitles."""

    language: str | None
    """As its file or site says."""
    kind: Literal["sound", "captions", "subtitles"]
    """``sound``; ``captions`` of a site by people; ``subtitles`` in a file."""
    codec: str = ""
    channels: int | None = None


@dataclass(frozen=True, slots=True)
class Sight:
    """What a source is, as far as can be seen."""

    title: str
    seconds: float | None
    size: int | None
    """Bytes."""
    live: Literal["no", "live", "upcoming"]
    is_film: bool
    width: int | None
    height: int | None
    language: str | None
    """Of what is spoken, as far as the source says."""
    tracks: tuple[Track, ...]
    refusal: Failure | None
    """Why it would not be dubbed."""


class Looking:
    """Looks at sources for one platform's users. Safe for many threads; nothing of it is kept."""

    def __init__(
        self, settings: Settings, store: Store, sent: Uploads, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings, self._store, self._uploads, self._clock = settings, store, sent, clock
        self._lock = threading.Lock()
        self._by: Counter[str] = Counter()
        """User -> links that are being looked at for them."""
        self._seen: OrderedDict[str, tuple[float, Looked]] = OrderedDict()

    def link(self, actor: Actor, address: str) -> Sight:
        """What is at an address, for a user, by the rules for downloads.

        It is looked at by a process of its own, and for a while told again to whoever asks. Raises
        UnsupportedSource, EngineCannot, EngineError, Unavailable.
        """
        context = engine_context(self._settings)
        allowed = context.fetching
        url = permit(address, sites=allowed.sites, networks=Networks.of(allowed.addresses)).url
        with self._lock:
            at, found = self._seen.get(url, (float("-inf"), None))
        if found is None or self._clock() - at > _FRESH:
            found = self._look(actor, address)
            with self._lock:
                self._seen[url] = self._clock(), found
                while len(self._seen) > _REMEMBERED:
                    self._seen.popitem(last=False)
        return _of_link(found)

    def upload(self, actor: Actor, upload: str) -> Sight:
        """What an upload has. Raises NotFound; Conflict before it is whole."""
        found = self._uploads.get(actor, upload)
        if found.state == "receiving":
            raise Conflict("The upload is receiving.", hint="Wait until it is whole.")
        info: Mapping[str, Any] = found.info
        refusal = None
        if found.state == "refused":
            refusal = Failure(UnsupportedSource.code, found.why, "Upload another file.")
        elif found.kind == "subtitles":
            refusal = Failure(
                UnsupportedSource.code, "There is nothing to dub in a file of subtitles.",
                "Give it as `subtitles` of a job.",
            )  # fmt: skip
        video = info.get("video") or {}
        sounds = info.get("audio") or []
        tracks = [Track(one.get("language"), "sound", one["codec"], one["channels"]) for one in sounds]
        tracks += [
            Track(one.get("language"), "subtitles", one["codec"]) for one in info.get("subtitles") or []
        ]
        return Sight(
            found.name, info.get("seconds"), found.size, "no", bool(video), video.get("width"),
            video.get("height"), sounds[0].get("language") if sounds else None, tuple(tracks), refusal,
        )  # fmt: skip

    def _look(self, actor: Actor, address: str) -> Looked:
        with self._lock:
            if self._by.total() >= _AT_ONCE or self._by[actor.id] >= _OF_ONE:
                raise Unavailable("Too many links are being looked at.", hint="Try again in a moment.")
            self._by[actor.id] += 1
        work = CallWork(self._store.blobs, cancel=Cancel(), listener=nobody, stage="open")
        try:
            engine = registry.build("downloader", "ytdlp", {}, engine_context(self._settings))
            found: Looked = engine.look(Download(address), work, deadline=_DEADLINE)
            return found
        finally:
            work.close()
            with self._lock:
                self._by[actor.id] -= 1
                self._by = +self._by  # without those who have none


def _of_link(found: Looked) -> Sight:
    refusal = found.refusal
    tracks = [Track(one, "sound") for one in found.languages or (found.language,)]
    tracks += [Track(one, "captions") for one in found.captions]
    return Sight(
        found.title, found.seconds, found.size, found.live, found.is_film, found.width, found.height,
        found.language, tuple(tracks),
        None if refusal is None else Failure(refusal.code, refusal.message, refusal.hint),
    )  # fmt: skip
