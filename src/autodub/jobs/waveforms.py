"""Waveforms of a job's tracks, for pictures beside which people edit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from autodub.gateway.store import Store
from autodub.jobs.deriving import PATIENCE, Check, Deriving, Make
from autodub.jobs.exports import Exports
from autodub.jobs.records import Actor, Job
from autodub.jobs.results import Item, Result
from autodub.jobs.service import Jobs
from autodub.media import peaks
from autodub.media.peaks import Values
from autodub.media.probe import probe
from autodub.model.errors import NotFound
from autodub.model.media import Blob

Track = Literal["source", "original", "background", "dialogue", "media"]


class Waveforms:
    """The waveforms of one platform's jobs. Safe for many threads."""

    def __init__(self, jobs: Jobs, exports: Exports, store: Store, deriving: Deriving) -> None:
        self._jobs, self._exports, self._store, self._deriving = jobs, exports, store, deriving

    def peaks(self, actor: Actor, job: str, track: Track, *, wait: float = PATIENCE) -> tuple[Blob, Values]:
        """A track's waveform, ``media.peaks.RATE`` values a second, and the file that has it.

        ``source`` is all that was heard in the source, ``original`` its voices, ``background`` the rest of
        it, ``dialogue`` the dub's speech, ``media`` the whole dub; all on the programme's clock. Raises
        NotFound where there is no such track, Unfinished, MediaError.
        """
        found = self._jobs.get(actor, job)
        made = self._base(found, track)
        place = f"peaks {track} {made}"
        done = self._deriving.of(
            job, place, lambda _: self._deriving.kept(job, place, self._making(found, track)),
            by=actor.id, wait=wait,
        )  # fmt: skip
        path = self._store.blobs.path(done.blob)
        try:
            return done.blob, np.fromfile(path, dtype=np.uint8)
        except FileNotFoundError:
            raise NotFound("This waveform is gone.", hint="Ask again: it is made anew.") from None

    def _base(self, job: Job, track: Track) -> str:
        """What names the sound of a track. Raises NotFound."""
        files = Result.model_validate(job.result or {}).files
        parts = self._exports.parts(job.id)
        if track in ("dialogue", "media") and track in files:
            return files[track].digest
        if track in ("original", "background") and "media" in files and parts is not None:
            return f"{parts.mix.blob.digest} {parts.background.blob.digest}"
        if track == "source" and "media" in files:
            if parts is not None and self._store.blobs.has(parts.mix.blob):
                return parts.mix.blob.digest
            origin = self._exports.origin(job.id)
            if origin is not None:
                return f"{origin.blob.digest} {origin.stream} {origin.start} {origin.end}"
        raise NotFound(
            f"The job has no {track} to draw.", hint="Wait until it is completed; silent tracks have none."
        )

    def _making(self, job: Job, track: Track) -> Make:
        files = Result.model_validate(job.result or {}).files

        def make(store: Store, scratch: Path, check: Check) -> tuple[Path, Mapping[str, Any]]:
            out = scratch / "peaks.bin"
            self._values(job, track, files, store, check).tofile(out)
            return out, {}

        return make

    def _values(
        self, job: Job, track: Track, files: Mapping[str, Item], store: Store, check: Check
    ) -> Values:
        if track == "media":
            path = self._there(store, files["media"].blob)
            info = probe(path, check=check)
            return peaks.of_stream(path, info, info.audio[0], check=check)
        if track == "dialogue":
            return peaks.of_sound(self._there(store, files["dialogue"].blob), check=check)
        if track in ("original", "background"):
            return peaks.of_sound(self._there(store, self._exports.stem(job.id, track)), check=check)
        parts = self._exports.parts(job.id)
        if parts is not None and store.blobs.has(parts.mix.blob):
            return peaks.of_sound(store.blobs.path(parts.mix.blob), check=check)
        origin = self._exports.origin(job.id)
        if origin is None:
            raise NotFound("The source of this job is gone.", hint="Retry the job: it is fetched again.")
        path = store.blobs.path(origin.blob)
        info = probe(path, check=check)
        stream = next((one for one in info.audio if one.index == origin.stream), info.audio[0])
        return peaks.of_stream(path, info, stream, start=origin.start, end=origin.end, check=check)

    def _there(self, store: Store, blob: Blob) -> Path:
        if not store.blobs.has(blob):
            raise NotFound("A file of this job is gone.", hint="Retry the job: it is made again.")
        return store.blobs.path(blob)
