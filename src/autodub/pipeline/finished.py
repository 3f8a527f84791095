"""A finished dub in the store: found again when nothing changed, and handed out to its files."""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from autodub.gateway.store import Answer, Store
from autodub.infra import codec
from autodub.infra.codec import canonical
from autodub.model.language import Language
from autodub.model.media import Audio, Blob
from autodub.model.request import DubRequest
from autodub.model.speech import Term
from autodub.model.time import Span
from autodub.pipeline.opening import shown_name, shown_place
from autodub.pipeline.outputs import place
from autodub.pipeline.plan import Plan
from autodub.pipeline.project import Edits
from autodub.pipeline.studio import VERSION
from autodub.quality.facts import DubFacts
from autodub.quality.receipt import Receipt

SUFFIXES = {
    "srt": ".srt",
    "vtt": ".vtt",
    "receipt": ".receipt.json",
    "report": ".report.html",
    "project": ".project.json",
}


@dataclass(frozen=True, slots=True)
class Parts:
    """What the original sound was taken apart into, for :func:`autodub.pipeline.stems.stem`."""

    mix: Audio
    """The source's own sound."""
    background: Audio
    """Everything but the voices; only meaningful within ``spans``."""
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Finished:
    """Every file of a finished dub, and its receipt."""

    media: Blob
    srt: Blob | None
    vtt: Blob | None
    receipt: Blob
    report: Blob
    project: Blob
    measured: Receipt
    dialogue: Blob | None = None
    """The dub's own speech: mono FLAC of 16 bits on the programme's clock; None when nothing is spoken."""
    stems: Parts | None = None
    """None where the voices could not be taken out. Large, so a prune may take its files all the same."""
    offers: Blob | None = None
    """JSON: line -> texts it might have been spoken with, the natural one first; None in older dubs."""


def identity(
    plan: Plan,
    request: DubRequest,
    edits: Edits,
    *,
    subtitles: str,
    glossary: tuple[Term, ...] = (),
    downloader: Any = None,
    policy: str = "",
) -> str:
    """What makes one dub the same as another: everything that can change any of its files.

    ``downloader`` is who still fetches the picture, which is therefore not known yet. ``policy`` names the
    rules it was examined by, where there are any.
    """
    engines = [
        (role, c.info.name, c.info.version, c.engine.options) for role, c in sorted(plan.engines.items())
    ]
    picture = (downloader.describe().name, downloader.options) if downloader is not None else None
    spoken = Language.parse(request.spoken).tag if request.spoken else None
    wishes = (
        plan.target.tag, spoken, request.start, request.end, subtitles, request.speakers,
        request.match_voices, request.clone_voices, request.keep_original_audio, request.loudness,
        request.style, request.terms, request.captions, glossary,
    )  # fmt: skip
    stream = plan.subtitles.index if plan.subtitles else None
    names: tuple[str, ...] = (shown_place(plan.source, request.title), plan.outputs.media.name)
    if request.title is not None:
        names = (*names, shown_name(plan.source, request.title))
    asked = replace(edits, digest="")
    whole = (
        "dub",
        VERSION,
        plan.source.digest,
        names,
        plan.audio.index,
        stream,
        wishes,
        engines,
        asked,
        picture,
        *([policy] if policy else []),
    )
    return sha256(canonical(whole)).hexdigest()


def find(store: Store, key: str) -> Finished | None:
    """The dub finished earlier under this identity, if all of it is still there."""
    answer = store.get(key)
    if answer is None:
        return None
    try:
        return codec.load(Finished, answer.result)
    except ValueError:  # the receipt has another shape now: measured again, without any engine call
        store.forget(key)
        return None


def keep(store: Store, key: str, done: Finished) -> None:
    """Remember a finished dub."""
    store.put(key, Answer("studio.studio", VERSION, "dub", codec.dump(done), blobs(done), (), 0.0))


def blobs(done: Finished) -> tuple[Blob, ...]:
    """The files of a finished dub."""
    files = (done.media, done.srt, done.vtt, done.receipt, done.report, done.project, done.dialogue,
             done.offers)  # fmt: skip
    return tuple(blob for blob in files if blob is not None)


def named(done: Finished, media: Path) -> dict[str, tuple[Path, Blob]]:
    """Every file by its kind, with the path it gets beside ``media``."""
    files = {"media": (media, done.media)}
    for kind, suffix in SUFFIXES.items():
        blob: Blob | None = getattr(done, kind)
        if blob is not None:
            files[kind] = (media.with_name(media.stem + suffix), blob)
    return files


def deliver(store: Store, done: Finished, media: Path, *, read: str) -> bool:
    """Put every file in its place beside ``media``; what is there already and equal is left alone.

    A project file that is not any more what was ``read`` (its sha256) holds edits made meanwhile: it
    is left alone, too, and the answer is False.
    """
    is_complete = True
    for path, blob in named(done, media).values():
        if blob == done.project and path.is_file():
            now = sha256(path.read_bytes()).hexdigest()
            if now not in (read, blob.digest):
                is_complete = False
                continue
        if not (path.is_file() and path.stat().st_size == blob.size and store.digest(path) == blob.digest):
            place(store.blobs.path(blob), path)
            store.digest(path)  # known from now on: the next run need not read it
    return is_complete


@dataclass(frozen=True, slots=True)
class Making:
    """The record of how a file was made: with it, it can be measured to the last figure again."""

    facts: DubFacts
    bed: Blob | None
    start: int
    end: int | None
    stream: int
    source: str
    """sha256 of the source."""


def remember(store: Store, media: Blob, making: Making) -> None:
    """Keep the record of a finished file, findable by the file alone."""
    if store.get(_making(media.digest)) is not None:
        return  # a run that was stopped while it measured got as far as this
    blobs = (making.bed,) if making.bed else ()
    answer = Answer("studio.studio", VERSION, "making", codec.dump(making), blobs, (), 0.0)
    store.put(_making(media.digest), answer)


def making_of(store: Store, digest: str) -> Making | None:
    """The record of a file made here, whatever it is called now."""
    answer = store.get(_making(digest))
    if answer is None:
        return None
    try:
        return codec.load(Making, answer.result)
    except ValueError:  # kept by another version
        return None


def _making(digest: str) -> str:
    return sha256(f"making {VERSION} {digest}".encode()).hexdigest()


def keep_text(store: Store, name: str, text: str) -> Blob:
    """A text as a file of the store."""
    with store.blobs.scratch() as folder:
        path = folder / name
        path.write_text(text, encoding="utf-8")
        return store.blobs.keep(path)
