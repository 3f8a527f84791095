"""A project while it is being changed: operations applied one after the other, each checked like a dub would.

What is accepted here is never refused by the dub for its form. Nothing here touches a database.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from autodub.jobs.editing_operations import (
    AddLine,
    MergeLines,
    Operation,
    RemoveLine,
    SetLine,
    SetVoice,
    SplitLine,
    Undo,
)
from autodub.model.errors import BadOption, Conflict, NotFound
from autodub.pipeline.project import CastEntry, LineEntry, Project

SHORTEST = 100
"""Milliseconds a line needs."""
MOST_LINES = 20_000
_NAME = re.compile(r"\w[\w .'-]*")
_FIELDS = ("text", "source", "speaker", "start_ms", "end_ms", "keep_original")


@dataclass(frozen=True, slots=True)
class Known:
    """What a project alone does not say; asked only where an operation needs it."""

    limit: Callable[[], int]
    """Milliseconds of programme."""
    has_voice: Callable[[str], bool]
    """Whether the synthesizer has a voice of that id."""
    earlier: Callable[[str], LineEntry | None]
    """A line that was taken out, as it last was."""


@dataclass(slots=True)
class Draft:
    """A project under change, and what was changed so far; the project given is left as it is."""

    project: Project
    known: Known
    touched: dict[str, set[str]] = field(default_factory=dict)
    """Line -> names of what was changed of it."""
    voices: set[str] = field(default_factory=set)
    """Speakers whose voice was changed."""
    _at: dict[str, LineEntry] = field(init=False)
    _cast: dict[str, CastEntry] = field(init=False)

    def __post_init__(self) -> None:
        self._at = {entry.id: entry for entry in self.project.lines}
        self._cast = dict(self.project.voices)

    def apply(self, operations: Sequence[Operation]) -> Project:
        """The project with all of them applied. Raises NotFound, BadOption and Conflict."""
        for one in operations:
            match one:
                case SetLine():
                    self._set(one)
                case AddLine():
                    self._add(one)
                case RemoveLine():
                    self._remove(self._line(one.line))
                case SplitLine():
                    self._split(one)
                case MergeLines():
                    self._merge(one)
                case SetVoice():
                    self._voice(one)
                case Undo():
                    self._undo(one)
        lines = sorted(self._at.values(), key=lambda entry: (entry.start_ms, entry.id))
        return self.project.model_copy(update={"lines": lines, "voices": self._cast})

    def _line(self, name: str) -> LineEntry:
        """The draft's own copy of a line."""
        try:
            self._at[name] = self._at[name].model_copy()
            return self._at[name]
        except KeyError:
            hint = "The transcript lists the lines there are."
            if name in self.project.made_lines:
                hint = "It was taken out; undo puts it back."
            raise NotFound(f"There is no line {name}.", hint=hint) from None

    def _touch(self, name: str, *what: str) -> None:
        self.touched.setdefault(name, set()).update(what)

    def _set(self, asked: SetLine) -> None:
        line = self._line(asked.line)
        before = {name: getattr(line, name) for name in _FIELDS}
        if asked.speaker is not None:
            line.speaker = self._speaker(asked.speaker, may_be_new=asked.new_speaker)
        if asked.start is not None or asked.end is not None:
            line.start_ms = line.start_ms if asked.start is None else _ms(asked.start)
            line.end_ms = self._within(line.end_ms) if asked.end is None else _ms(asked.end)
            self._check_times(line)
        line.source = line.source if asked.source is None else asked.source
        line.text = line.text if asked.text is None else asked.text
        if asked.keep_original is not None:
            line.keep_original = asked.keep_original
        elif asked.text or asked.source:  # who gives a line words wants it spoken
            line.keep_original = False
        if asked.source == "" and line.made is not None:
            raise BadOption(f"Line {line.id} needs a source text.", hint="Take the line out instead.")
        if line.made is None and not line.text:
            raise BadOption(f"The added line {line.id} needs text.", hint="Take it out instead.")
        if asked.keep_original is False and not line.text and not asked.source:
            raise BadOption(f"Line {line.id} has no text to speak.", hint="Give it text, too.")
        changed = [name for name in _FIELDS if getattr(line, name) != before[name]]
        if changed:
            self._touch(line.id, *changed)

    def _add(self, asked: AddLine) -> None:
        if not asked.text:
            raise BadOption("An added line needs text.", hint="Give it text.")
        speaker = self._speaker(asked.speaker, may_be_new=asked.new_speaker)
        self._put(
            LineEntry(
                id=self._name(asked.id), speaker=speaker, start_ms=_ms(asked.start), end_ms=_ms(asked.end),
                source=asked.source, text=asked.text,
            )
        )  # fmt: skip

    def _put(self, line: LineEntry) -> None:
        if len(self._at) >= MOST_LINES:
            raise Conflict(f"The project has {MOST_LINES} lines, the most it may have.")
        self._check_times(line)
        self._at[line.id] = line
        self._touch(line.id, "added")

    def _name(self, wanted: str | None) -> str:
        taken = self._at.keys() | self.project.made_lines.keys()
        if wanted is None:
            number = 1
            while f"mine-{number}" in taken:
                number += 1
            return f"mine-{number}"
        if wanted in taken:
            raise Conflict(f"There is a line {wanted} already.", hint="Choose another id, or leave it out.")
        return wanted

    def _remove(self, line: LineEntry) -> None:
        del self._at[line.id]
        self._touch(line.id, "removed")

    def _split(self, asked: SplitLine) -> None:
        line, at = self._line(asked.line), _ms(asked.at)
        if not line.start_ms + SHORTEST <= at <= line.end_ms - SHORTEST:
            raise BadOption(
                f"Line {line.id} cannot be split at {asked.at:g} s: it runs from {line.start_ms / 1000:g} "
                f"to {line.end_ms / 1000:g} s.",
                hint="Choose a moment inside it.",
            )
        part = (at - line.start_ms) / (line.end_ms - line.start_ms)
        texts = asked.texts or _halves(line.text, part)
        sources = asked.sources or _halves(line.source, part)
        if not all(texts):
            raise BadOption(
                f"Line {line.id} has too little text to split.", hint="Say in texts what both parts say."
            )
        if not all(sources):
            sources = (line.source, "")
        second = LineEntry(
            id=self._name(None), speaker=line.speaker, start_ms=at, end_ms=self._within(line.end_ms),
            source=sources[1], text=texts[1],
        )  # fmt: skip
        line.end_ms, line.text, line.source, line.keep_original = at, texts[0], sources[0], False
        self._touch(line.id, "split")
        self._put(second)

    def _merge(self, asked: MergeLines) -> None:
        first, second = self._line(asked.line), self._line(asked.other)
        if (first.start_ms, first.id) > (second.start_ms, second.id):
            first, second = second, first
        between = [
            line.id for line in self._at.values()
            if (first.start_ms, first.id) < (line.start_ms, line.id) < (second.start_ms, second.id)
        ]  # fmt: skip
        if first.id == second.id or between:
            raise Conflict(
                f"The lines {asked.line} and {asked.other} are not neighbours.",
                hint=f"Between them is {between[0]}." if between else "Name two lines.",
            )
        heard = second.made.speaker if second.made is not None else second.speaker
        if not first.speaker == second.speaker == heard:  # else the second one's sound would stay beneath
            raise Conflict(
                f"The lines {first.id} and {second.id} are not said by the same speaker.",
                hint="Only lines that one and the same speaker says in the source can be joined.",
            )
        text = asked.text if asked.text is not None else _joined(first.text, second.text)
        if not text:
            raise BadOption("The joined line needs text.", hint="Give it text.")
        first.end_ms = self._within(max(first.end_ms, second.end_ms))
        first.text, first.source = text, _joined(first.source, second.source)
        first.keep_original = False
        self._touch(first.id, "merged")
        self._remove(second)

    def _voice(self, asked: SetVoice) -> None:
        cast = self._voice_of(asked.speaker)
        before = (cast.id, cast.pitch_hz, cast.pace)
        if asked.voice is not None and asked.voice != cast.id:
            here = {entry.id for one in self._cast.values() for entry in (one, one.made)}
            if asked.voice not in here and not self.known.has_voice(asked.voice):
                raise BadOption(
                    f"The synthesizer has no voice {asked.voice!r}.",
                    hint="See /api/v1/voices for those it has.",
                )
            cast.id = asked.voice  # and its own pitch, not that of the voice before
            cast.pitch_hz = cast.made.pitch_hz if asked.voice == cast.made.id else None
        if "pitch_hz" in asked.model_fields_set:
            cast.pitch_hz = asked.pitch_hz
        if asked.pace is not None:
            cast.pace = asked.pace
        if (cast.id, cast.pitch_hz, cast.pace) != before:
            self.voices.add(asked.speaker)

    def _undo(self, asked: Undo) -> None:
        if asked.speaker is not None:
            cast = self._voice_of(asked.speaker)
            made = cast.made
            if (cast.id, cast.pitch_hz, cast.pace) != (made.id, made.pitch_hz, made.pace):
                cast.id, cast.pitch_hz, cast.pace = made.id, made.pitch_hz, made.pace
                self.voices.add(asked.speaker)
            return
        name = str(asked.line)
        if name not in self._at and name in self.project.made_lines:
            self._bring_back(name)
            return
        line = self._line(name)
        if line.made is None:
            self._remove(line)
            return
        changed = [what for what in _FIELDS if getattr(line, what) != getattr(line.made, what)]
        for what in changed:
            setattr(line, what, getattr(line.made, what))
        if changed:
            self._touch(name, "undone")

    def _bring_back(self, name: str) -> None:
        line = self.known.earlier(name)
        if line is None or line.made is None or line.made.source != self.project.made_lines[name]:
            raise Conflict(f"Line {name} is not there any more.", hint="Add it as a new line.")
        line = line.model_copy()
        for what in _FIELDS:
            setattr(line, what, getattr(line.made, what))
        line.timing, line.note = None, ""
        self._at[name] = line
        self._touch(name, "put back")

    def _voice_of(self, speaker: str) -> CastEntry:
        """The draft's own copy of a speaker's voice."""
        if speaker in self._cast:
            self._cast[speaker] = self._cast[speaker].model_copy()
            return self._cast[speaker]
        if any(line.speaker == speaker for line in self._at.values()):
            raise NotFound(f"{speaker} has no voice yet.", hint="Make the dub again; then there is one.")
        raise self._no_speaker(speaker)

    def _no_speaker(self, speaker: str) -> NotFound:
        there = ", ".join(sorted(self.project.voices))[:200]
        return NotFound(f"There is no speaker {speaker}.", hint=f"There is: {there}." if there else "")

    def _speaker(self, name: str, *, may_be_new: bool) -> str:
        if name in self.project.voices or any(line.speaker == name for line in self._at.values()):
            return name
        if not may_be_new:
            raise self._no_speaker(name)
        if not _NAME.fullmatch(name):
            raise BadOption(f"{name!r} cannot be the name of a speaker.", hint="Use letters and digits.")
        return name

    def _within(self, end: int) -> int:
        """An end nobody chose now: sounds may end in the middle of the programme's last millisecond."""
        return min(end, self.known.limit())

    def _check_times(self, line: LineEntry) -> None:
        limit = self.known.limit()
        if line.end_ms > limit:
            raise BadOption(
                f"Line {line.id} would end at {line.end_ms / 1000:g} s, after the programme.",
                hint=f"The programme is {limit / 1000:g} s long.",
            )
        if line.end_ms - line.start_ms < SHORTEST:
            raise BadOption(
                f"Line {line.id} would last from {line.start_ms / 1000:g} to {line.end_ms / 1000:g} s.",
                hint=f"It needs {SHORTEST / 1000:g} s at least.",
            )


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _joined(*texts: str) -> str:
    return " ".join(text for text in texts if text)


def _halves(text: str, part: float) -> tuple[str, str]:
    """A text cut at the blank nearest to a part of its length; without blanks, at the character."""
    wanted = part * len(text)
    blanks = [at for at, c in enumerate(text) if c == " "]
    if blanks:
        at = min(blanks, key=lambda blank: abs(blank - wanted))
        return text[:at].strip(), text[at:].strip()
    is_spaced = text.isascii()
    at = 0 if is_spaced else min(max(1, round(wanted)), len(text) - 1)
    return text[:at], text[at:]
