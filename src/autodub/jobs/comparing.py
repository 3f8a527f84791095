"""Where lines sound in a job's result, and where they sounded in the one before: what a regenerate moved."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from autodub.infra.sql import Sql
from autodub.jobs import editing_revisions as revisions
from autodub.jobs.editing import Editing
from autodub.jobs.records import Actor
from autodub.jobs.tables import projects
from autodub.pipeline.project import LineEntry, Project


@dataclass(frozen=True, slots=True)
class Moved:
    """One line in the result and in the one before; None where it was not there or not spoken."""

    line: str
    before: LineEntry | None
    now: LineEntry | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """The last two results of a job."""

    made: int
    """Revision the result was made of."""
    earlier: int | None
    """Revision that the result before it became; None where this is the first."""
    lines: tuple[Moved, ...]
    """In the order in which they are said."""


class Comparing:
    """Compares the results of one platform's jobs."""

    def __init__(self, sql: Sql, editing: Editing) -> None:
        self._sql, self._editing = sql, editing

    def last_two(self, actor: Actor, job: str) -> Comparison:
        """The result beside the one before. Raises NotFound, Conflict before there is one."""
        found, _, now = self._editing.pair(actor, job)
        dubbed = select(projects.c.revision).where(
            projects.c.job == job, projects.c.author.is_(None), projects.c.revision <= found.made
        )
        with self._sql.reading() as connection:
            # A result during which somebody edited is in its own file only; any other is a revision, too.
            numbers = connection.execute(dubbed.order_by(projects.c.revision.desc()).limit(2)).scalars()
            for number in numbers.all():
                before = Project.model_validate_json(revisions.text(connection, job, number))
                if before != now:
                    return Comparison(found.made, number, _beside(before, now))
        return Comparison(found.made, None, _beside(None, now))


def _beside(before: Project | None, now: Project) -> tuple[Moved, ...]:
    earlier = {} if before is None else {one.id: one for one in before.lines}
    present = {one.id: one for one in now.lines}
    everything = {**earlier, **present}
    order = sorted(everything.values(), key=lambda one: (one.start_ms, one.id))
    return tuple(Moved(one.id, earlier.get(one.id), present.get(one.id)) for one in order)
