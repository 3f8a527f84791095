"""Revisions of projects in the database: reading, adding, thinning out, and the locks of lines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, insert, or_, select

from autodub.jobs.editing_views import Lock
from autodub.jobs.tables import jobs, locks, projects, users
from autodub.model.errors import Conflict, NotFound
from autodub.pipeline.project import LineEntry, Project

_BYTES, _FEWEST, _MOST = 50_000_000, 20, 500
"""Revisions by persons are kept as far as they have room in so many bytes, and in any case the fewest."""


@dataclass(frozen=True, slots=True)
class Revision:
    """One state a project had."""

    number: int
    created: float
    author: str | None
    """Id of who made it; None: a dub."""
    name: str
    """What they are called."""
    what: str
    """What was changed, without words of the dub."""


def text(connection: Connection, job: str, number: int) -> str:
    """The project at a revision, as JSON. Raises NotFound."""
    wanted = select(projects.c.text).where(projects.c.job == job, projects.c.revision == number)
    found = connection.execute(wanted).scalar_one_or_none()
    if found is None:
        raise NotFound(f"There is no revision {number}.", hint="The list of revisions has those there are.")
    return str(found)


def kept_since(connection: Connection, job: str, made: int) -> int:
    """The revision that the result was made of, or the first one after it that is kept."""
    wanted = select(func.min(projects.c.revision)).where(projects.c.job == job, projects.c.revision >= made)
    return int(connection.execute(wanted).scalar_one())


def history(connection: Connection, job: str) -> list[Revision]:
    """All revisions that are kept, newest first."""
    found = (
        select(
            projects.c.revision, projects.c.created, projects.c.author, projects.c.what, users.c.name
        )
        .outerjoin(users, users.c.id == projects.c.author)
        .where(projects.c.job == job)
        .order_by(projects.c.revision.desc())
    )  # fmt: skip
    return [
        Revision(row.revision, row.created, row.author, row.name or "", row.what)
        for row in connection.execute(found)
    ]


def earlier(connection: Connection, job: str, line: str) -> LineEntry | None:
    """A line as the newest revision has it that still has it; None when none does."""
    named = or_(
        *(projects.c.text.contains(f'"id":{blank}"{line}"', autoescape=True) for blank in ("", " "))
    )  # fmt: skip
    numbers = select(projects.c.revision).where(projects.c.job == job, named)
    for number in connection.execute(numbers.order_by(projects.c.revision.desc())).scalars().all():
        project = Project.model_validate_json(text(connection, job, number))
        found = next((entry for entry in project.lines if entry.id == line), None)
        if found is not None:
            return found
    return None


def add(
    connection: Connection, job: str, number: int, found: str, *, author: str, what: str, at: float
) -> None:
    """Write a revision, and remove older ones by persons where there are too many.

    What a dub made stays, and so does everything since the revision that the result was made of.
    """
    values = {"job": job, "revision": number, "text": found, "created": at, "author": author}
    connection.execute(insert(projects).values(**values, what=what[:300]))
    kept = min(_MOST, max(_FEWEST, _BYTES // max(1, len(found))))
    by_persons = (
        select(projects.c.revision)
        .where(projects.c.job == job, projects.c.author.is_not(None))
        .order_by(projects.c.revision.desc())
        .offset(kept)
        .limit(1)
    )
    oldest = connection.execute(by_persons).scalar_one_or_none()
    if oldest is not None:
        made = select(jobs.c.made).where(jobs.c.id == job).scalar_subquery()
        connection.execute(
            delete(projects).where(
                projects.c.job == job, projects.c.author.is_not(None), projects.c.revision <= oldest,
                projects.c.revision < made,
            )
        )  # fmt: skip


def locked(connection: Connection, job: str) -> Mapping[str, Lock]:
    """Line -> who locked it."""
    found = (
        select(locks.c.line, locks.c.author, locks.c.created, users.c.name)
        .outerjoin(users, users.c.id == locks.c.author)
        .where(locks.c.job == job)
    )
    return {row.line: Lock(row.author, row.name or "", row.created) for row in connection.execute(found)}


def refuse_locked(connection: Connection, job: str, lines: Iterable[str]) -> None:
    """Raise Conflict when one of the lines is locked, saying by whom."""
    held = locked(connection, job)
    for line in sorted(lines):
        if line in held:
            who = held[line].name or held[line].author
            raise Conflict(f"Line {line} is locked by {who}.", hint="Unlock it first.")
