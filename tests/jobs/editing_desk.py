"""What tests of editing share: a finished dub, and changes as they come through the interface."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from autodub.jobs import events
from autodub.jobs.editing import Edited
from autodub.jobs.editing_operations import Operation
from autodub.jobs.editing_views import LineView, Transcript
from autodub.jobs.platform import LOCAL_ACTOR, Platform
from autodub.jobs.records import Actor
from autodub.jobs.tables import users

operations: TypeAdapter[list[Operation]] = TypeAdapter(list[Operation])


def edit(platform: Platform, job: str, *changes: dict[str, Any], revision: int | None = None) -> Edited:
    """Apply operations as they come through the interface."""
    wanted = operations.validate_python(list(changes))
    return platform.editing.apply(LOCAL_ACTOR, job, wanted, revision=revision)


def of(found: Transcript, name: str) -> LineView:
    """A line of a transcript."""
    return next(one for one in found.lines if one.entry.id == name)


def read(platform: Platform, job: str) -> Transcript:
    """The newest revision."""
    return platform.editing.transcript(LOCAL_ACTOR, job)


def told(platform: Platform, job: str) -> list[dict[str, Any]]:
    """Kind and data of a job's events."""
    return [{"kind": one.kind, "data": dict(one.data)} for one in events.after(platform.sql, job, 0)]


def audited(platform: Platform, action: str) -> list[dict[str, Any]]:
    """Rows of the audit with an action."""
    with platform.sql.reading() as connection:
        rows = connection.exec_driver_sql("SELECT action, data FROM audit").all()
    return [{"action": row[0], "data": row[1]} for row in rows if row[0] == action]


def somebody(platform: Platform, name: str) -> Actor:
    """A new user, as whom they ask."""
    row = {"id": name, "name": name, "role": "user", "active": True, "created": 1.0}
    with platform.sql.writing() as connection:
        connection.execute(platform.sql.insert(users).values(**row))
    return Actor(name, name)
