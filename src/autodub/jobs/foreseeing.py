"""Other wordings of a line, and how any text would fit its place: for people who edit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from autodub.jobs.editing import Editing
from autodub.jobs.exports import Exports
from autodub.jobs.records import Actor, Job
from autodub.model.errors import NotFound
from autodub.pipeline.foreseeing import Foreseen, foresee
from autodub.pipeline.project import LineEntry, Project


@dataclass(frozen=True, slots=True)
class Fitting:
    """A line, and how texts would fit it."""

    revision: int
    """The one they were tried in."""
    line: LineEntry
    fits: tuple[Foreseen, ...]
    clips: int
    """Clips of the voice that its tempo is known from; 0: only what its language is like."""


class Foreseeing:
    """Foresees texts of one platform's jobs; asks nobody, and costs nothing."""

    def __init__(self, editing: Editing, exports: Exports) -> None:
        self._editing, self._exports = editing, exports

    def fit(self, actor: Actor, job: str, line: str, text: str) -> Fitting:
        """How a text would fit a line of the newest revision. Raises NotFound, Conflict."""
        found, project, made = self._editing.pair(actor, job)
        return self._fitting(found, project, made, line, [text])

    def wordings(self, actor: Actor, job: str, line: str, *, more: Sequence[str] = ()) -> Fitting:
        """The texts there are for a line: the present one, then ``more``, then what its dub could choose."""
        found, project, made = self._editing.pair(actor, job)
        entry = _entry(project, line)
        own = [] if entry.made is None else [entry.made.text, entry.made.text_again or ""]
        texts = [entry.text, *more, *own, *self._exports.offers(job).get(line, [])]
        return self._fitting(found, project, made, line, [one for one in dict.fromkeys(texts) if one])

    def _fitting(self, job: Job, project: Project, made: Project, line: str, texts: list[str]) -> Fitting:
        entry = _entry(project, line)
        longest = max(one.end_ms for one in project.lines) / 1000
        programme = max(job.duration or 0.0, longest)
        fits, clips = foresee(project, made, line, texts, programme=programme)
        return Fitting(job.revision, entry, fits, clips)


def _entry(project: Project, line: str) -> LineEntry:
    found = next((one for one in project.lines if one.id == line), None)
    if found is None:
        raise NotFound(f"There is no line {line}.", hint="The transcript lists the lines there are.")
    return found
