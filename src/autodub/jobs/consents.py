"""Statements that a voice may be cloned: given with a job or ahead, kept when the job goes, withdrawn.

A statement is somebody's word, of one user, for one voice or some. What was cloned on it is recorded
before the provider is asked: which sample, by its digest, and which voice. Once it is withdrawn nothing
is cloned on it any more, jobs that do are stopped, and the voices go back to their provider; nor is a
sample that it covered cloned on an older statement of the same user. Only a new one, given afterwards,
allows that again. Dubs that were finished stay until they are deleted.

``match_voices`` needs no statement: it moves a stock voice's pitch and tone, so nobody's voice is
reproduced, and whoever asks for it states with it that they may.
"""

from __future__ import annotations

import builtins
import json
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Row, and_, exists, insert, or_, select, update

from autodub.gateway.store import Store
from autodub.infra.server_settings import ServerSettings
from autodub.infra.sql import Sql
from autodub.jobs import audit, events
from autodub.jobs.doorbell import Queue
from autodub.jobs.records import Actor, Job
from autodub.jobs.spec import JobSpec, Statement
from autodub.jobs.tables import clones, consents, jobs
from autodub.model.errors import ConsentMissing, Forbidden, NotFound
from autodub.model.job import Event

_MISSING = "Cloning a voice needs a statement that it may be cloned."
_WITHDRAWN = "The consent to clone these voices was withdrawn."
_AGAIN = "Do without clones, or give a new consent once whoever speaks has agreed again."


@dataclass(frozen=True, slots=True)
class Cloned:
    """A voice that was cloned on a statement."""

    job: str
    speaker: str
    voice: str
    """Its identity, which is made of the sample; empty where it came to nothing."""
    sample: str
    """sha256 of the sound it was made of."""
    engine: str
    created: float


@dataclass(frozen=True, slots=True)
class Consent:
    """One statement."""

    id: str
    owner: str
    job: str | None
    """The job it was given with."""
    who: str
    statement: str
    address: str
    """Where from."""
    created: float
    withdrawn: float | None
    voices: tuple[Cloned, ...] = ()


class Consents:
    """The statements of a platform."""

    def __init__(
        self, sql: Sql, settings: ServerSettings, store: Store, queue: Queue, *,
        clock: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        self._sql, self._settings, self._store, self._queue = sql, settings, store, queue
        self._clock = clock

    def give(self, actor: Actor, statement: Statement) -> Consent:
        """State ahead that voices may be cloned; jobs name it by its id."""
        _allow(actor)

        def work(connection: Connection) -> Consent:
            now = self._clock()
            consent, given = _added(connection, actor, statement, job=None, at=now)
            audit.record_all(self._sql, connection, actor, [given], at=now)
            return _whole(connection, consent)

        return self._sql.again(work)

    def list(
        self, actor: Actor, *, owner: str | None = None, after: str | None = None, limit: int = 100
    ) -> tuple[Consent, ...]:
        """Statements, newest first: one's own, or for an admin those of ``owner`` (``*``: everybody's).

        ``after`` is the id of the last one of the page before.
        """
        wanted = select(consents).order_by(consents.c.created.desc(), consents.c.id).limit(limit)
        if not (actor.is_admin and owner == "*"):
            whose = owner if actor.is_admin and owner else actor.id
            wanted = wanted.where(consents.c.owner == whose)
        with self._sql.reading() as connection:
            if after is not None:
                last = _own(connection, actor, after)
                is_older = consents.c.created < last.created
                beside = and_(consents.c.created == last.created, consents.c.id > last.id)
                wanted = wanted.where(or_(is_older, beside))
            rows = connection.execute(wanted).all()
            voices = _voices(connection, [row.id for row in rows])
        return tuple(_consent(row, voices.get(row.id, [])) for row in rows)

    def get(self, actor: Actor, consent: str) -> Consent:
        """One statement. Raises NotFound, also for somebody else's."""
        with self._sql.reading() as connection:
            return _whole(connection, _own(connection, actor, consent).id)

    def withdraw(self, actor: Actor, consent: str) -> Consent:
        """Take a statement back; see the head of this module for what follows. Twice is as once."""

        def work(connection: Connection) -> Consent:
            row = _own(connection, actor, consent)
            if row.withdrawn is None:
                now = self._clock()
                same = consents.c.id == consent
                connection.execute(update(consents).where(same).values(withdrawn=now))
                audit.record(self._sql, connection, actor, "consent.withdrawn", f"consent:{consent}", at=now)
                self._stop(connection, consent, at=now)
            return _whole(connection, consent)

        done = self._sql.again(work)
        self._queue.ring()
        self.give_back([voice.voice for voice in done.voices])
        return done

    def give_back(self, voices: Sequence[str]) -> None:
        """Have voices deleted at their providers, by whoever does so next; nothing is asked here."""
        self._store.rentals.set_free([voice for voice in voices if voice])

    def admit(self, connection: Connection, actor: Actor, spec: JobSpec) -> None:
        """Raise Forbidden, ConsentMissing or NotFound where a job may not be submitted for its clones."""
        if spec.consent_id is not None:
            row = _own(connection, actor, spec.consent_id)
            if row.owner != actor.id:
                raise NotFound(f"You have no consent {spec.consent_id}.", hint="Use one of your own.")
            if row.withdrawn is not None:
                raise ConsentMissing(_WITHDRAWN, hint=_AGAIN)
        if not spec.clone_voices:
            return
        _allow(actor)
        if self._settings.consent and spec.consent is None and spec.consent_id is None:
            raise ConsentMissing(
                _MISSING, hint="Give `consent` (who they are, and what was agreed), or a `consent_id`."
            )

    def kept(
        self, connection: Connection, actor: Actor, job: str, spec: JobSpec, *, at: float
    ) -> builtins.list[audit.Deed]:
        """Keep what was stated with a job; what is to be recorded of it in the same transaction."""
        return [] if spec.consent is None else [_added(connection, actor, spec.consent, job=job, at=at)[1]]

    def check(self, connection: Connection, job: Job) -> None:
        """Raise ConsentMissing where a job may not clone (any more): before it is queued again, and begun."""
        if not job.spec.get("clone_voices") or job.kind != "dub":
            return
        row = _of_job(connection, job)
        if row is None and self._settings.consent:
            raise ConsentMissing(_MISSING, hint="Submit the job again with a consent.")
        if row is not None and row.withdrawn is not None:
            raise ConsentMissing(_WITHDRAWN, hint=_AGAIN)

    def again(self, connection: Connection, actor: Actor, job: Job) -> None:
        """As ``check``; and raise Forbidden for who may not clone: a job that is made again clones again."""
        if job.spec.get("clone_voices") and job.kind == "dub":
            _allow(actor)
        self.check(connection, job)

    def of(self, job: Job) -> str:
        """Id of the statement a job clones on; empty without one. Raises ConsentMissing as ``check``."""
        with self._sql.reading() as connection:
            self.check(connection, job)
            row = _of_job(connection, job) if job.spec.get("clone_voices") else None
        return "" if row is None else str(row.id)

    def cloning(self, job: Job, *, speaker: str, sample: str, engine: str) -> None:
        """Record that a voice is about to be made of a sample. Raises ConsentMissing where it may not."""

        def work(connection: Connection) -> None:
            self.check(connection, job)
            row = _of_job(connection, job)
            since = row.created if row is not None else job.created
            covered = and_(
                clones.c.consent == consents.c.id, clones.c.sample == sample,
                consents.c.owner == job.owner, consents.c.withdrawn >= since,
            )  # fmt: skip
            if connection.execute(select(exists().where(covered))).scalar():
                raise ConsentMissing(_WITHDRAWN, hint=_AGAIN)
            values = {
                "owner": job.owner, "consent": None if row is None else row.id, "sample": sample,
                "engine": engine, "voice": "", "created": self._clock(),
            }  # fmt: skip
            statement = self._sql.insert(clones).values(job=job.id, speaker=speaker[:100], **values)
            same = ["job", "speaker"]
            connection.execute(statement.on_conflict_do_update(index_elements=same, set_=values))

        self._sql.again(work)

    def cloned(self, job: Job, *, speaker: str, voice: str) -> None:
        """Record which voice was made; one whose statement was withdrawn meanwhile goes back."""

        def work(connection: Connection) -> bool:
            mine = and_(clones.c.job == job.id, clones.c.speaker == speaker[:100])
            connection.execute(update(clones).where(mine).values(voice=voice))
            row = _of_job(connection, job)
            told = {"speaker": speaker[:100], "consent": None if row is None else row.id}
            actor, at = Actor(job.owner), self._clock()
            audit.record(self._sql, connection, actor, "voice.cloned", f"job:{job.id}", at=at, data=told)
            return row is not None and row.withdrawn is not None

        if self._sql.again(work):
            self.give_back([voice])

    def _stop(self, connection: Connection, consent: str, *, at: float) -> None:
        """Stop what is being dubbed with clones on a statement; what is queued is refused when it begins."""
        named = jobs.c.spec.contains(f'"consent_id":{json.dumps(consent)}', autoescape=True)
        given_with = select(consents.c.job).where(consents.c.id == consent)
        running = select(jobs.c.id).where(
            jobs.c.state == "processing", jobs.c.stopping == "", or_(named, jobs.c.id.in_(given_with))
        )
        told = Event("job.stopping", message=_WITHDRAWN, data={"how": "cancel"})
        for job in connection.execute(running).scalars().all():
            events.change(
                connection, job, told, at=at, where=[jobs.c.state == "processing", jobs.c.stopping == ""],
                stopping="cancel",
            )  # fmt: skip


def _added(
    connection: Connection, actor: Actor, statement: Statement, *, job: str | None, at: float
) -> tuple[str, audit.Deed]:
    """Id of a statement that is kept now, and what is to be recorded of it."""
    consent = secrets.token_hex(16)
    connection.execute(
        insert(consents).values(
            id=consent, owner=actor.id, job=job, who=statement.who, statement=statement.statement,
            address=actor.address[:64], created=at,
        )
    )  # fmt: skip
    return consent, audit.Deed("consent.given", f"consent:{consent}", {"job": job})


def _allow(actor: Actor) -> None:
    if "voices" not in actor.scopes:
        raise Forbidden(
            "This key may not clone voices.", hint="Make one with the scope 'voices', or do without clones."
        )


def _of_job(connection: Connection, job: Job) -> Row[tuple[object, ...]] | None:
    named = job.spec.get("consent_id")
    which: ColumnElement[bool] = consents.c.id == named if named else consents.c.job == job.id
    return connection.execute(
        select(consents).where(which, consents.c.owner == job.owner)
    ).one_or_none()  # fmt: skip


def _whole(connection: Connection, consent: str) -> Consent:
    row = connection.execute(select(consents).where(consents.c.id == consent)).one()
    return _consent(row, _voices(connection, [consent]).get(consent, []))


def _voices(connection: Connection, wanted: Sequence[str]) -> dict[str, list[Cloned]]:
    """What was cloned on some statements."""
    made = select(clones).where(clones.c.consent.in_(wanted)).order_by(clones.c.created, clones.c.speaker)
    found: dict[str, list[Cloned]] = {}
    for one in connection.execute(made):
        voice = Cloned(one.job, one.speaker, one.voice, one.sample, one.engine, one.created)
        found.setdefault(one.consent, []).append(voice)
    return found


def _consent(row: Row[tuple[object, ...]], voices: Sequence[Cloned]) -> Consent:
    return Consent(
        row.id, row.owner, row.job, row.who, row.statement, row.address, row.created, row.withdrawn,
        tuple(voices),
    )  # fmt: skip


def _own(connection: Connection, actor: Actor, consent: str) -> Row[tuple[object, ...]]:
    row = connection.execute(select(consents).where(consents.c.id == consent)).one_or_none()
    if row is None or not (row.owner == actor.id or actor.is_admin):
        raise NotFound(f"There is no consent {consent[:40]}.", hint="Look at the list of consents.")
    return row
