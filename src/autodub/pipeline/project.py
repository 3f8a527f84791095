"""The project file: a dub as readable JSON beside its output, and the edits a person made in it.

Every editable value stands beside what was made by itself, under ``made``. An edit is simply a
difference between the two, so a project can be read, changed in any editor, run again, and put back.
A line may be removed (its original sound stays), added (give it ``start_ms``, ``end_ms``,
``speaker`` and ``text``), or marked ``"keep_original": true``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from autodub.model.errors import BadProject
from autodub.model.speech import Voice
from autodub.model.time import Span

FORMAT = "autodub.project/1"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class VoiceEntry(_Strict):
    """The voice of one speaker, in the words of the synthesizer."""

    id: str
    pitch_hz: float | None = Field(default=None, gt=20, lt=1000)
    pace: float = Field(default=1.0, ge=0.5, le=2.0)


class CastEntry(VoiceEntry):
    """A speaker's voice with what casting chose by itself."""

    made: VoiceEntry


class Wording(_Strict):
    """What was made of a line by itself."""

    text: str
    source: str
    speaker: str
    start_ms: int
    end_ms: int
    keep_original: bool
    text_again: str | None = None
    """What was made of the source text as a person corrected it."""


class Timing(_Strict):
    """Where the line sounds; for reading, not for editing."""

    start_ms: int
    end_ms: int
    native_rate: float
    stretch: float
    flags: list[str] = []


class LineEntry(_Strict):
    """One line: edit ``text`` to change what is spoken."""

    id: str
    speaker: str
    start_ms: int = Field(ge=0)
    end_ms: int = Field(ge=0)
    source: str = ""
    text: str = ""
    keep_original: bool = False
    note: str = ""
    timing: Timing | None = None
    made: Wording | None = None


class Project(_Strict):
    """A whole project file."""

    format: str = FORMAT
    source: str
    source_sha256: str
    spoken: str
    target: str
    voices: dict[str, CastEntry] = {}
    lines: list[LineEntry] = []
    made_lines: dict[str, str] = {}
    """Id -> source text of all lines made by itself: one that is not in ``lines`` was removed by a person."""


@dataclass(frozen=True, slots=True)
class LineEdit:
    """What a person changed of one line; None = unchanged."""

    id: str
    text: str | None = None
    source: str | None = None
    speaker: str | None = None
    span: Span | None = None
    keep_original: bool | None = None
    is_new: bool = False
    of: str = ""
    """Source text of the line the edit was made of; an edit never lands on another line."""


@dataclass(frozen=True, slots=True)
class Edits:
    """Everything a person changed in a project file."""

    lines: tuple[LineEdit, ...] = ()
    removed: tuple[tuple[str, str], ...] = ()
    """(id, source text) of lines a person took out."""
    voices: Mapping[str, Voice] = field(default_factory=dict)
    """Speaker -> (id, pitch, pace) wanted; engine and language are filled in by casting."""
    own: Mapping[str, VoiceEntry] = field(default_factory=dict)
    """The same speakers' voices as they were before."""
    digest: str = ""
    """sha256 of the file as it was read; not part of what is asked for."""

    def __bool__(self) -> bool:
        return bool(self.lines or self.removed or self.voices)

    @property
    def retouched(self) -> frozenset[str]:
        """Speakers whose voice is the one casting chose, at another pace or pitch."""
        return frozenset(name for name, voice in self.voices.items() if voice.id == self.own[name].id)

    @property
    def replaced(self) -> frozenset[str]:
        """Speakers with whose own voice nobody speaks any more: a person gave them another one."""
        wanted = {voice.id for voice in self.voices.values()}
        return frozenset(name for name in self.voices if self.own[name].id not in wanted)


def read(path: Path, *, source_sha256: str, target: str) -> Edits:
    """The edits in a project file; none when there is no file, or nobody edited it.

    Raises BadProject when the file cannot be understood, or holds edits of a dub of another source or
    language: a person's work is in it, so it is never silently overwritten.
    """
    try:
        data = path.read_bytes()
        text = data.decode("utf-8")
    except FileNotFoundError:
        return Edits()
    except (OSError, UnicodeDecodeError) as problem:
        raise BadProject(f"The project file {path} cannot be read ({problem}).", hint=_HINT) from problem
    return parse(text, path=path, source_sha256=source_sha256, target=target)


def parse(text: str, *, path: Path, source_sha256: str, target: str) -> Edits:
    """The edits in a project file's text; ``path`` is what it is called. Raises BadProject as ``read``."""
    try:
        project = Project.model_validate_json(text)
    except ValidationError as problem:
        first = problem.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise BadProject(
            f"The project file {path} is not right at {where}: {first['msg']}.", hint=_HINT
        ) from problem
    if project.format != FORMAT:
        raise BadProject(
            f"The project file {path} has the format {project.format!r}, not {FORMAT!r}.", hint=_HINT
        )
    edits = replace(_edits(project, path), digest=sha256(text.encode()).hexdigest())
    if project.source_sha256 != source_sha256 or project.target != target:
        if not edits:
            return Edits(digest=edits.digest)
        raise BadProject(
            f"The project file {path} belongs to another source or language.",
            hint="Move it away, or write this dub somewhere else with -o.",
        )
    return edits


_HINT = "Mend it, or move it away to start afresh."


def _edits(project: Project, path: Path) -> Edits:
    ids = [entry.id for entry in project.lines]
    twice = sorted({name for name in ids if ids.count(name) > 1}) if len(set(ids)) < len(ids) else []
    if twice:
        raise BadProject(f"The project file {path} has the line {twice[0]} twice.", hint=_HINT)
    lines: list[LineEdit] = []
    for entry in project.lines:
        if entry.end_ms <= entry.start_ms:
            raise BadProject(f"Line {entry.id} in {path} ends before it starts.", hint=_HINT)
        span = Span(entry.start_ms, entry.end_ms)
        made = entry.made
        if made is None:
            lines.append(
                LineEdit(
                    entry.id, text=entry.text, source=entry.source or entry.text, speaker=entry.speaker,
                    span=span, keep_original=entry.keep_original, is_new=True,
                )
            )  # fmt: skip
            continue
        source = entry.source if entry.source != made.source else None
        # What a machine made of the source as it stands is no edit of the text.
        machine = made.text if source is None or made.text_again is None else made.text_again
        text = entry.text if entry.text != machine else None
        is_kept = entry.keep_original if entry.keep_original != made.keep_original else None
        if not entry.keep_original and (text or source):
            is_kept = None  # giving a line words already says that it is to be spoken
        edit = LineEdit(
            entry.id,
            text=text,
            source=source,
            speaker=entry.speaker if entry.speaker != made.speaker else None,
            span=span if span != Span(made.start_ms, made.end_ms) else None,
            keep_original=is_kept,
            of=made.source,
        )
        if edit != LineEdit(entry.id, of=made.source):
            lines.append(edit)
    voices = {
        speaker: Voice(engine="", id=cast.id, language="", pitch=cast.pitch_hz, pace=cast.pace)
        for speaker, cast in project.voices.items()
        if VoiceEntry(id=cast.id, pitch_hz=cast.pitch_hz, pace=cast.pace) != cast.made
    }
    present = set(ids)
    gone = tuple((name, text) for name, text in project.made_lines.items() if name not in present)
    lines.sort(key=lambda edit: edit.id)  # where an entry stands in the file means nothing
    own = {speaker: project.voices[speaker].made for speaker in voices}
    return Edits(tuple(lines), gone, voices, own)


def dump(project: Project) -> str:
    """The project as text: indented, one value a line, so that a diff shows the edit."""
    data: dict[str, Any] = project.model_dump(mode="json")
    return json.dumps(data, ensure_ascii=False, indent=2) + "\n"
