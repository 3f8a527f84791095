"""Glossaries of users: named texts in the format of docs/GLOSSARY.md, checked when they are written."""

from __future__ import annotations

import csv
import io
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from autodub.dubbing import glossary
from autodub.infra.sql import Sql
from autodub.jobs import audit
from autodub.jobs.content import Content
from autodub.jobs.records import Actor
from autodub.jobs.tables import glossaries, jobs
from autodub.model.errors import BadOption, Conflict, NotFound, QuotaExceeded
from autodub.model.language import Language
from autodub.model.speech import Term

LARGEST = 500_000
"""Characters of one glossary."""
_LOCK = 4_216
MOST = 200
"""Glossaries of one user."""
_ANY = "und"


@dataclass(frozen=True, slots=True)
class Glossary:
    """One glossary of one user."""

    id: str
    name: str
    text: str
    created: float
    updated: float

    @property
    def targets(self) -> tuple[str, ...] | None:
        """Languages it has columns for; None where its translations are of one language, whichever."""
        return glossary.targets(self.text)

    def terms(self, target: str | None = None) -> tuple[Term, ...]:
        """Its entries for a language (tag or name); which one only matters where it has columns.

        Raises UnknownLanguage, and BadOption where there is no column for it.
        """
        return glossary.parse(self.text, target=Language.parse(target).tag if target else _ANY)


class Glossaries:
    """The glossaries of a platform; everybody sees their own."""

    def __init__(self, sql: Sql, content: Content, *, clock: Callable[[], float] = time.time) -> None:
        self._sql, self._content, self._clock = sql, content, clock

    def list(self, actor: Actor) -> list[Glossary]:
        """Those of a user, by name."""
        mine = select(glossaries).where(glossaries.c.owner == actor.id).order_by(glossaries.c.name)
        with self._sql.reading() as connection:
            return [_glossary(row) for row in connection.execute(mine)]

    def get(self, actor: Actor, name: str) -> Glossary:
        """One by its id. Raises NotFound, also for somebody else's."""
        with self._sql.reading() as connection:
            return self._own(connection, actor, name)

    def create(self, actor: Actor, name: str, text: str) -> Glossary:
        """Keep a new one. Raises BadOption naming the line, Conflict, QuotaExceeded, ContentRefused."""
        check(text)
        self._content.examine_text(text)  # what it says is spoken
        now, new = self._clock(), secrets.token_hex(16)

        def work(connection: Connection) -> Glossary:
            self._sql.alone(connection, _LOCK)  # of two who count at once the second sees the first one's
            mine = select(func.count()).select_from(glossaries).where(glossaries.c.owner == actor.id)
            if connection.execute(mine).scalar_one() >= MOST:
                raise QuotaExceeded(
                    f"You have {MOST} glossaries, the most there may be.", hint="Delete some."
                )
            values = {
                "id": new,
                "owner": actor.id,
                "name": name,
                "text": text,
                "created": now,
                "updated": now,
            }
            connection.execute(insert(glossaries).values(**values))
            audit.record(self._sql, connection, actor, "glossary.created", f"glossary:{new}", at=now)
            return Glossary(new, name, text, now, now)

        return self._named(name, work)

    def change(
        self, actor: Actor, which: str, *, name: str | None = None, text: str | None = None
    ) -> Glossary:
        """Rename it, or give it another text; a dub that is made after this uses the new one."""
        if text is not None:
            check(text)
            self._content.examine_text(text)
        now = self._clock()

        def work(connection: Connection) -> Glossary:
            self._own(connection, actor, which)
            values = {"name": name, "text": text}
            given = {key: value for key, value in values.items() if value is not None}
            same = glossaries.c.id == which
            connection.execute(update(glossaries).where(same).values(updated=now, **given))
            audit.record(self._sql, connection, actor, "glossary.changed", f"glossary:{which}", at=now)
            return self._own(connection, actor, which)

        return self._named(name or "", work)

    def delete(self, actor: Actor, which: str) -> None:
        """Remove it. Raises Conflict while a job that is not over needs it."""
        now = self._clock()

        def work(connection: Connection) -> None:
            found = self._own(connection, actor, which)
            waiting = and_(
                jobs.c.state.in_(("queued", "processing")),
                jobs.c.spec.contains(f'"glossary":"{found.id}"', autoescape=True),
            )
            if connection.execute(select(jobs.c.id).where(waiting).limit(1)).first() is not None:
                raise Conflict(
                    "A job that is not over uses this glossary.", hint="Wait for it, or cancel it first."
                )
            connection.execute(delete(glossaries).where(glossaries.c.id == which))
            audit.record(self._sql, connection, actor, "glossary.deleted", f"glossary:{which}", at=now)

        self._sql.again(work)

    def _named(self, name: str, work: Callable[[Connection], Glossary]) -> Glossary:
        try:
            return self._sql.again(work)
        except IntegrityError:
            raise Conflict(
                f"You have a glossary called {name!r} already.", hint="Change that one, or take another name."
            ) from None

    def _own(self, connection: Connection, actor: Actor, which: str) -> Glossary:
        mine = and_(glossaries.c.id == which, glossaries.c.owner == actor.id)
        row = connection.execute(select(glossaries).where(mine)).one_or_none()
        if row is None:
            raise NotFound(f"There is no glossary {which[:40]}.", hint="See those you have.")
        return _glossary(row)


def check(text: str) -> None:
    """Raise BadOption for a text that is no glossary, naming the line, for any of its languages."""
    if len(text) > LARGEST:
        raise BadOption(
            f"The glossary has {len(text)} characters; {LARGEST} is the most.", hint="Leave something out."
        )
    for target in glossary.targets(text) or (_ANY,):
        glossary.parse(text, target=target)


def written(terms: Sequence[Term]) -> str:
    """Terms as the text of a glossary. Raises BadOption for one that cannot be written on one line."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL)  # "# ..." is no comment then
    table.writerow(["term", "translation", "case"])
    for term in terms:
        cells = [" ".join(term.source.split()), " ".join(term.target.split()) or "!"]
        table.writerow([*cells, "yes" if term.is_case_sensitive else "no"])
    return out.getvalue()


def _glossary(row: Row[Any]) -> Glossary:
    return Glossary(row.id, row.name, row.text, row.created, row.updated)
