"""What a job dubbed, as it came: noted when its dub is finished, so that people can compare the two."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from autodub.gateway.opening import open_store
from autodub.infra import codec
from autodub.infra.settings import Settings
from autodub.jobs.notes import SOURCE
from autodub.model.errors import Gone
from autodub.model.media import Blob
from autodub.pipeline.finished import making_of


@dataclass(frozen=True, slots=True)
class Origin:
    """The file a dub was made of, and the part of it that was dubbed."""

    blob: Blob
    start: int
    """Milliseconds of the file at which the dub begins."""
    end: int | None
    """Milliseconds at which it ends; None: with the file."""
    stream: int
    """Index of the sound stream that was dubbed."""


def note(folder: Path, media: Blob, settings: Settings, owner: str) -> None:
    """Keep in a job's folder what its dub ``media`` was made of, and keep that file for the job.

    Where the file is not in the store any more nothing is noted.
    """
    place = folder / SOURCE
    with closing(open_store(settings, owner=owner)) as store:
        making = making_of(store, media.digest)
        blob = None if making is None else store.blobs.find(making.source)
        if making is None or blob is None:
            place.unlink(missing_ok=True)
            return
        try:
            store.pin(owner, blob)
        except Gone:  # a prune was faster
            place.unlink(missing_ok=True)
            return
        folder.mkdir(parents=True, exist_ok=True)
        origin = Origin(blob, making.start, making.end, making.stream)
        place.write_text(codec.dump(origin), "utf-8")


def of(folder: Path) -> Origin | None:
    """What is noted in a job's folder."""
    try:
        return told((folder / SOURCE).read_text("utf-8"))
    except FileNotFoundError:
        return None


def told(text: str | None) -> Origin | None:
    """What a note says."""
    try:
        return None if text is None else codec.load(Origin, text)
    except ValueError:
        return None
