"""A project as people read it: every line with what was made of it, what they changed, and what is stale."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from autodub.pipeline.project import CastEntry, LineEntry, Project

_FIELDS = ("text", "source", "speaker", "start_ms", "end_ms", "keep_original")


@dataclass(frozen=True, slots=True)
class Lock:
    """Who locked a line, and when."""

    author: str
    """Id of the user."""
    name: str
    """What they are called; empty once they are gone."""
    created: float


@dataclass(frozen=True, slots=True)
class LineView:
    """One line of a transcript."""

    entry: LineEntry
    is_edited: bool
    """Whether a person changed it from what was made."""
    is_stale: bool
    """Whether it, or its speaker's voice, was changed since the result was made."""
    lock: Lock | None


@dataclass(frozen=True, slots=True)
class SpeakerView:
    """One speaker and their voice; None before a dub has chosen one."""

    name: str
    voice: CastEntry | None
    lines: int
    is_edited: bool
    is_stale: bool


@dataclass(frozen=True, slots=True)
class Transcript:
    """A project at one revision, beside what the result was made of."""

    job: str
    revision: int
    made: int
    """The revision the result was made of."""
    spoken: str
    target: str
    lines: tuple[LineView, ...]
    speakers: tuple[SpeakerView, ...]
    removed: Mapping[str, str]
    """Id -> source text of lines a person took out."""
    is_stale: bool
    """Whether anything differs from what the result was made of."""


def view(
    job: str, revision: int, made: int, project: Project, base: Project, locks: Mapping[str, Lock], *,
    only: Collection[str] | None = None,
) -> Transcript:  # fmt: skip
    """``project`` at ``revision``; ``base`` is the project the result was made of.

    With ``only`` the transcript has these lines and nothing is listed as removed.
    """
    before = {entry.id: entry for entry in base.lines}
    stale_voices = {
        name for name, cast in project.voices.items()
        if name not in base.voices or _voice(cast) != _voice(base.voices[name])
    }  # fmt: skip
    lines = []
    counts: dict[str, int] = {}
    count = 0
    for entry in project.lines:
        counts[entry.speaker] = counts.get(entry.speaker, 0) + 1
        is_changed = not _is_same(entry, before.get(entry.id))
        count += is_changed
        if only is None or entry.id in only:
            is_stale = is_changed or entry.speaker in stale_voices
            lines.append(LineView(entry, is_edited(entry), is_stale, locks.get(entry.id)))
    removed = {}
    if only is None:
        present = {entry.id for entry in project.lines}
        removed = {name: text for name, text in project.made_lines.items() if name not in present}
    speakers = tuple(
        _speaker(name, project.voices.get(name), counts.get(name, 0), is_stale=name in stale_voices)
        for name in sorted(counts.keys() | project.voices.keys())
    )
    return Transcript(
        job=job, revision=revision, made=made, spoken=project.spoken, target=project.target,
        lines=tuple(lines), speakers=speakers, removed=removed,
        is_stale=bool(stale_voices) or count > 0 or len(project.lines) != len(base.lines),
    )  # fmt: skip


def is_edited(entry: LineEntry) -> bool:
    """Whether a person changed a line from what was made of it, or added it."""
    made = entry.made
    if made is None:
        return True
    is_same = all(getattr(entry, name) == getattr(made, name) for name in _FIELDS if name != "text")
    machine = made.text if entry.source == made.source or made.text_again is None else made.text_again
    return not is_same or entry.text != machine


def differing(one: Project, other: Project) -> set[str]:
    """Ids of the lines that are not the same in two projects."""
    left = {entry.id: entry for entry in one.lines}
    right = {entry.id: entry for entry in other.lines}
    gone = right.keys() - left.keys()
    return gone | {name for name, entry in left.items() if not _is_same(entry, right.get(name))}


def differing_voices(one: Project, other: Project) -> set[str]:
    """Speakers whose voices are not the same in two projects."""
    left = {name: _voice(cast) for name, cast in one.voices.items()}
    right = {name: _voice(cast) for name, cast in other.voices.items()}
    return {name for name in left.keys() | right.keys() if left.get(name) != right.get(name)}


def _is_same(entry: LineEntry, other: LineEntry | None) -> bool:
    return entry is other or (other is not None and _values(entry) == _values(other))


def _values(entry: LineEntry) -> tuple[object, ...]:
    return (entry.text, entry.source, entry.speaker, entry.start_ms, entry.end_ms, entry.keep_original)


def _voice(cast: CastEntry) -> tuple[object, ...]:
    return (cast.id, cast.pitch_hz, cast.pace)


def _speaker(name: str, cast: CastEntry | None, lines: int, *, is_stale: bool) -> SpeakerView:
    edited = cast is not None and _voice(cast) != (cast.made.id, cast.made.pitch_hz, cast.made.pace)
    return SpeakerView(name, cast, lines, edited, is_stale)
