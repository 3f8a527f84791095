"""What a finished job has to take away: its files, and what is made of them when somebody asks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast

from autodub.gateway.store import Store
from autodub.infra import codec
from autodub.infra.settings import Settings
from autodub.jobs import origins
from autodub.jobs.deriving import PATIENCE, Check, Derived, Deriving
from autodub.jobs.naming import ending, safe_name
from autodub.jobs.notes import OFFERS, PARTS, SOURCE, Notes
from autodub.jobs.origins import Origin
from autodub.jobs.records import Actor, Job
from autodub.jobs.results import Result
from autodub.jobs.service import Jobs
from autodub.media import ffmpeg
from autodub.media.containers import CONTAINERS
from autodub.media.probe import probe
from autodub.model.errors import EngineError, NotFound
from autodub.model.media import Blob
from autodub.pipeline.finished import Finished, Parts
from autodub.pipeline.stems import stem

TYPES = {
    ".mp4": "video/mp4", ".m4v": "video/mp4", ".mov": "video/quicktime", ".mkv": "video/x-matroska",
    ".webm": "video/webm", ".avi": "video/x-msvideo", ".ts": "video/mp2t", ".m2ts": "video/mp2t",
    ".mts": "video/mp2t", ".flv": "video/x-flv", ".wmv": "video/x-ms-wmv", ".ogv": "video/ogg",
    ".m4a": "audio/mp4", ".mka": "audio/x-matroska", ".ogg": "audio/ogg", ".oga": "audio/ogg",
    ".opus": "audio/ogg", ".mp3": "audio/mpeg", ".flac": "audio/flac", ".wav": "audio/wav",
    ".aiff": "audio/aiff", ".aif": "audio/aiff", ".wma": "audio/x-ms-wma", ".ac3": "audio/ac3",
    ".eac3": "audio/eac3", ".srt": "application/x-subrip", ".vtt": "text/vtt", ".json": "application/json",
    ".html": "text/html", ".zip": "application/zip",
}  # fmt: skip
"""Ending -> media type."""
_SOUND = {
    "aac": (".m4a", "ipod"), "alac": (".m4a", "ipod"), "mp3": (".mp3", "mp3"), "opus": (".opus", "opus"),
    "vorbis": (".ogg", "ogg"), "flac": (".flac", "flac"), "ac3": (".ac3", "ac3"), "eac3": (".eac3", "eac3"),
    "wmav2": (".wma", "asf"), "pcm_s16le": (".wav", "wav"), "pcm_s24le": (".wav", "wav"),
    "pcm_f32le": (".wav", "wav"), "pcm_s16be": (".aiff", "aiff"), "pcm_s24be": (".aiff", "aiff"),
}  # fmt: skip
"""Codec -> the file that holds such a sound alone: ending and ffmpeg's name; Matroska holds the others."""
_STEMS = {"background": "background", "original": "voices"}


@dataclass(frozen=True, slots=True)
class Export:
    """One file to take away."""

    kind: str
    """``media``, ``audio``, ``srt``, ``vtt``, ``receipt``, ``report``, ``project``, ``dialogue`` (the dub's
    speech alone), ``background`` (the original without its voices), ``original`` (its voices alone),
    ``source`` (what was dubbed, as it came)."""
    name: str
    """What it is called when it is saved."""
    type: str
    """Its media type."""
    blob: Blob | None
    """None while nobody has asked for what is made only then."""
    made: float
    """Seconds since 1970."""
    begins: float = 0.0
    """Seconds of the file at which the programme begins: not 0 where a range of a source was dubbed."""


class Exports:
    """The files of one platform's jobs. Safe for many threads."""

    def __init__(
        self, jobs: Jobs, store: Store, settings: Settings, notes: Notes, deriving: Deriving
    ) -> None:  # fmt: skip
        self._jobs, self._store, self._settings, self._notes = jobs, store, settings, notes
        self._deriving = deriving

    def all(self, actor: Actor, job: str) -> tuple[Export, ...]:
        """Everything there is, or would be made. Raises NotFound."""
        found = self._jobs.get(actor, job)
        files = _result(found).files
        exports = [_export(found, kind, item.name, item.blob) for kind, item in files.items()]
        media = files.get("media")
        if media is not None:
            exports.append(self._sound_of(found, media.name, media.blob))
        if self.parts(job) is not None:
            exports += [self._stem_of(found, kind) for kind in _STEMS]
        origin = self.origin(job)
        if media is not None and origin is not None:
            name = f"{Path(found.title).stem or 'source'}{origin.blob.suffix}"
            exports.append(replace(_export(found, "source", name, origin.blob), begins=origin.start / 1000))
        return tuple(exports)

    def one(
        self, actor: Actor, job: str, kind: str, *, wait: float = PATIENCE
    ) -> tuple[Export, Path]:  # fmt: skip
        """One file and where it lies, made now if need be. Raises as ``ready``."""
        found = self.ready(actor, job, kind, wait=wait)
        return found, self._store.blobs.path(cast("Blob", found.blob))

    def ready(self, actor: Actor, job: str, kind: str, *, wait: float = PATIENCE) -> Export:
        """One file, made now if need be. Raises NotFound; MediaError, OutputProblem.

        What is not made within ``wait`` seconds is made beside: raises Unfinished.
        """
        found = next((one for one in self.all(actor, job) if one.kind == kind), None)
        if found is None:
            raise NotFound(
                f"The job has no {kind} to take away.", hint="GET /api/v1/jobs/{job}/files lists what it has."
            )
        if found.blob is None:
            found = self._made(found, self._jobs.get(actor, job), by=actor.id, wait=wait)
        blob = cast("Blob", found.blob)
        if not self._store.blobs.has(blob):
            raise NotFound(f"The {kind} of this job is gone.", hint="Retry the job: it is made again.")
        return found

    def link(self, export: Export, *, inline: bool, seconds: int) -> str | None:
        """An address to download a file from its storage for so long; None where there is none."""
        if not seconds or export.blob is None:
            return None
        return self._store.link(
            export.blob, name=export.name, media=export.type, inline=inline, seconds=seconds
        )

    def stem(self, job: str, kind: str) -> Blob:
        """``background`` or ``original``, made now if need be, as the job's. Raises NotFound, Gone."""
        which: Literal["background", "original"] = "background" if kind == "background" else "original"
        try:
            return stem(
                self.parts(job), which, settings=self._settings, owner=job, cancel=self._deriving.cancel
            )
        except EngineError as problem:
            raise NotFound(f"There is no {kind}: {problem.message}", hint=problem.hint) from problem

    def parts(self, job: str) -> Parts | None:
        """What the original was taken apart into; None where it was not."""
        text = self._notes.read(job, PARTS)
        try:
            return None if text is None else codec.load(Parts, text)
        except ValueError:
            return None

    def offers(self, job: str) -> Mapping[str, list[str]]:
        """Line -> texts it might have been spoken with, as far as they are known."""
        text = self._notes.read(job, OFFERS)
        try:
            if text is None:
                return {}
            blob = codec.load(Blob, text)
            found: dict[str, list[str]] = json.loads(self._store.blobs.path(blob).read_text("utf-8"))
        except (FileNotFoundError, ValueError):
            return {}
        return found

    def origin(self, job: str) -> Origin | None:
        """The file a finished dub was made of; None where it is gone."""
        found = origins.told(self._notes.read(job, SOURCE))
        return found if found is not None and self._store.blobs.has(found.blob) else None

    def _made(self, wanted: Export, record: Job, *, by: str, wait: float) -> Export:
        def make(_: Check) -> Derived:
            if wanted.kind in _STEMS:
                return Derived(self.stem(record.id, wanted.kind), {})
            return self._sound(record)

        blob = self._deriving.of(record.id, wanted.kind, make, by=by, wait=wait).blob
        name = wanted.name if wanted.kind in _STEMS else str(Path(wanted.name).with_suffix(blob.suffix))
        return replace(wanted, blob=blob, name=name, type=_type(name))

    def _sound_of(self, job: Job, name: str, media: Blob) -> Export:
        container = CONTAINERS.get(ending(name))
        if container is not None and not container.picture:  # it is nothing but sound
            return _export(job, "audio", name, media)
        blob = self._kept(job, "audio")
        suffix = blob.suffix if blob else _likely(name)
        return _export(job, "audio", str(Path(name).with_suffix(suffix)), blob)

    def _stem_of(self, job: Job, kind: str) -> Export:
        media = _result(job).files["media"].name
        return _export(job, kind, f"{Path(media).stem}.{_STEMS[kind]}.flac", self._kept(job, kind))

    def _kept(self, job: Job, kind: str) -> Blob | None:
        found = self._deriving.known(job.id, kind)
        return None if found is None else found.blob

    def _sound(self, job: Job) -> Derived:
        """The dub's sound alone, copied out of the media file as it is; kept as the job's."""
        media = _result(job).files["media"].blob

        def make(store: Store, scratch: Path, check: Check) -> tuple[Path, Mapping[str, Any]]:
            path = store.blobs.path(media)
            info = probe(path)
            suffix, muxer = _SOUND.get(info.audio[0].codec, (".mka", "matroska"))
            out = scratch / f"sound{suffix}"
            arguments = [
                *ffmpeg.source(path), "-map", f"0:{info.audio[0].index}", "-c", "copy",
                "-map_metadata", "0", "-map_chapters", "-1", "-f", muxer, ffmpeg.name(out),
            ]  # fmt: skip
            what = "copy the sound out of the dub"
            done = ffmpeg.call(arguments, duration=info.duration / 1000, what=what, check=check)
            if done.code != 0:
                raise ffmpeg.failure(done, arguments, what)
            return out, {}

        return self._deriving.kept(job.id, f"sound {media.digest}", make)


def note(folder: Path, done: Finished, settings: Settings, owner: str) -> None:
    """Keep in a job's folder what its stems can be made of, what was dubbed, and other wordings."""
    origins.note(folder, done.media, settings, owner)
    if done.offers is None:
        (folder / OFFERS).unlink(missing_ok=True)
    else:
        (folder / OFFERS).write_text(codec.dump(done.offers), "utf-8")
    if done.stems is None:
        (folder / PARTS).unlink(missing_ok=True)
    else:
        (folder / PARTS).write_text(codec.dump(done.stems), "utf-8")


def _result(job: Job) -> Result:
    return Result.model_validate(job.result or {})


def _export(job: Job, kind: str, name: str, blob: Blob | None) -> Export:
    safe = safe_name(name, otherwise=f"dub{ending(name)}")
    return Export(kind, safe, _type(safe), blob, job.finished or job.updated)


def _type(name: str) -> str:
    return TYPES.get(ending(name), "application/octet-stream")


def _likely(media: str) -> str:
    """The ending that the sound of such a file most likely has."""
    likely: Mapping[str, str] = {"webm": ".opus", "ogg": ".ogg", "avi": ".wav", "asf": ".wma"}
    container = CONTAINERS.get(ending(media))
    return likely.get(container.muxer, ".m4a") if container else ".m4a"
