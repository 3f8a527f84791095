"""Webhooks: addresses of users that are told what becomes of their jobs. What is owed to them: ``owing``."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from autodub.infra.addresses import Networks, parse
from autodub.infra.server_settings import ServerSettings
from autodub.infra.signing import new_secret
from autodub.infra.sql import Sql
from autodub.jobs import audit, owing
from autodub.jobs.doorbell import Queue
from autodub.jobs.ending import DAY
from autodub.jobs.records import Actor
from autodub.jobs.tables import deliveries, hooks
from autodub.model.errors import BadOption, Conflict, NotFound, UnsupportedSource

_LOCK = 4_215
MOST = 20
"""Webhooks of one user."""
KEPT_DAYS = 7.0
"""Days that deliveries are listed for."""
_AUDITED = ("hook.created", "hook.changed", "hook.deleted")


@dataclass(frozen=True, slots=True)
class Hook:
    """A webhook; its secret is shown once and not read again."""

    id: str
    owner: str
    url: str
    kinds: tuple[owing.Kind, ...]
    active: bool
    failing: float | None
    """Since when nothing has arrived; None: the last one did, or nothing was sent yet."""
    why: str
    """Why it was switched off; empty where a person did, or where it is on."""
    created: float


@dataclass(frozen=True, slots=True)
class Delivery:
    """Something a webhook was told, or is to be told."""

    id: str
    hook: str
    job: str
    """Empty for a test."""
    kind: str
    state: Literal["waiting", "sent", "failed"]
    tries: int
    due: float
    """When it is tried next, while it is waiting."""
    status: int | None
    """HTTP status of the last answer."""
    trouble: str
    created: float
    body: Mapping[str, Any]


class Webhooks:
    """The webhooks of a platform."""

    def __init__(
        self, sql: Sql, settings: ServerSettings, queue: Queue, *, clock: Callable[[], float] = time.time
    ) -> None:
        """Raises BadOption where the setting ``hook_addresses`` is not right."""
        self._sql, self._queue, self._clock = sql, queue, clock
        self.networks = networks_of(settings)

    def create(self, actor: Actor, url: str, kinds: Sequence[str]) -> tuple[Hook, str]:
        """Add a webhook; with it the secret that signs, which nobody is shown again."""
        secret, now = new_secret(), self._clock()
        values = {
            "id": secrets.token_hex(16), "owner": actor.id, "url": self._address(url),
            "kinds": _kinds(kinds), "secret": secret, "active": True, "why": "", "created": now,
        }  # fmt: skip

        def work(connection: Connection) -> Hook:
            self._sql.alone(connection, _LOCK)  # of two who count at once the second sees the first one's
            mine = select(func.count()).select_from(hooks).where(hooks.c.owner == actor.id)
            if connection.execute(mine).scalar_one() >= MOST:
                raise Conflict(f"There are {MOST} webhooks already.", hint="Delete one first.")
            connection.execute(insert(hooks).values(**values))
            return self._told(connection, actor, "hook.created", str(values["id"]))

        return self._sql.again(work), secret

    def list(self, actor: Actor) -> list[Hook]:
        """An actor's own webhooks, oldest first."""
        mine = select(hooks).where(hooks.c.owner == actor.id).order_by(hooks.c.created, hooks.c.id)
        with self._sql.reading() as connection:
            return [_hook(row) for row in connection.execute(mine)]

    def get(self, actor: Actor, hook: str) -> Hook:
        """One webhook. Raises NotFound, also for somebody else's."""
        with self._sql.reading() as connection:
            return _hook(self._own(connection, actor, hook))

    def change(
        self, actor: Actor, hook: str, *, url: str | None = None, kinds: Sequence[str] | None = None,
        active: bool | None = None,
    ) -> Hook:  # fmt: skip
        """Change a webhook; switching it on makes it forget that it failed."""
        values: dict[str, Any] = {}
        if url is not None:
            values["url"] = self._address(url)
        if kinds is not None:
            values["kinds"] = _kinds(kinds)
        if active is not None:
            values |= {"active": active, "failing": None, "why": ""}

        def work(connection: Connection) -> Hook:
            self._own(connection, actor, hook)
            if values:
                connection.execute(update(hooks).where(hooks.c.id == hook).values(**values))
            if active is False:
                give_up(connection, hook, "the webhook was switched off")
            return self._told(connection, actor, "hook.changed", hook, changed=sorted(values))

        return self._sql.again(work)

    def renew(self, actor: Actor, hook: str) -> str:
        """A new secret; from now on everything is signed with it."""
        secret = new_secret()

        def work(connection: Connection) -> None:
            self._own(connection, actor, hook)
            connection.execute(update(hooks).where(hooks.c.id == hook).values(secret=secret))
            self._told(connection, actor, "hook.changed", hook, changed=["secret"])

        self._sql.again(work)
        return secret

    def delete(self, actor: Actor, hook: str) -> None:
        """Remove a webhook and everything it is owed."""

        def work(connection: Connection) -> None:
            self._own(connection, actor, hook)
            self._told(connection, actor, "hook.deleted", hook)
            connection.execute(delete(hooks).where(hooks.c.id == hook))

        self._sql.again(work)

    def ping(self, actor: Actor, hook: str) -> Delivery:
        """Send a test at once, also where the webhook is switched off; it is tried once."""

        def work(connection: Connection) -> Delivery:
            self._own(connection, actor, hook)
            made = owing.write(connection, hook, owing.PING, {}, at=self._clock())
            return _delivery(connection.execute(select(deliveries).where(deliveries.c.id == made)).one())

        done = self._sql.again(work)
        self._queue.ring()
        return done

    def deliveries(
        self, actor: Actor, hook: str, *, after: str | None = None, limit: int = 50
    ) -> tuple[Sequence[Delivery], str | None]:
        """What a webhook was told in the last days, newest first, and where the next page begins."""
        wanted = select(deliveries).where(deliveries.c.hook == hook)
        with self._sql.reading() as connection:
            self._own(connection, actor, hook)
            if after is not None:
                place = select(deliveries.c.created).where(
                    deliveries.c.id == after, deliveries.c.hook == hook
                )
                created = connection.execute(place).scalar()
                if created is None:
                    raise NotFound("There is no such page.", hint="Begin at the first one.")
                older = (deliveries.c.created == created) & (deliveries.c.id < after)
                wanted = wanted.where((deliveries.c.created < created) | older)
            ordered = wanted.order_by(deliveries.c.created.desc(), deliveries.c.id.desc())
            rows = connection.execute(ordered.limit(limit + 1)).all()
        found = [_delivery(row) for row in rows[:limit]]
        return found, found[-1].id if len(rows) > limit else None

    def redeliver(self, actor: Actor, hook: str, delivery: str) -> Delivery:
        """Send something again, under the same id. Raises Conflict where the webhook is switched off."""
        mine = (deliveries.c.id == delivery, deliveries.c.hook == hook)
        again = (
            update(deliveries).where(*mine).values(state="waiting", tries=0, due=self._clock(), trouble="")
        )

        def work(connection: Connection) -> Delivery:
            is_on = self._own(connection, actor, hook, lock=True).active
            row = connection.execute(again.returning(*deliveries.c)).one_or_none()
            if row is None:
                raise NotFound(f"There is no delivery {delivery[:40]}.", hint="They are listed for a week.")
            if not is_on and row.kind != owing.PING:  # it would wait for ever
                raise Conflict("The webhook is switched off.", hint="Switch it on first.")
            return _delivery(row)

        done = self._sql.again(work)
        self._queue.ring()
        return done

    def sweep(self, now: float) -> None:
        """Forget deliveries of long ago."""
        old = deliveries.c.created < now - KEPT_DAYS * DAY
        with self._sql.reading() as connection:
            if connection.execute(select(deliveries.c.id).where(old).limit(1)).first() is None:
                return
        with self._sql.writing() as connection:
            connection.execute(delete(deliveries).where(old))

    def _own(self, connection: Connection, actor: Actor, hook: str, *, lock: bool = False) -> Row[Any]:
        """A webhook of the actor's; with ``lock`` nobody switches it before this transaction ends."""
        wanted = select(hooks).where(hooks.c.id == hook)
        row = connection.execute(wanted.with_for_update() if lock else wanted).one_or_none()
        if row is None or not (row.owner == actor.id or actor.is_admin):
            raise NotFound(f"There is no webhook {hook[:40]}.", hint="It may have been deleted.")
        return row

    def _told(self, connection: Connection, actor: Actor, action: str, hook: str, **data: Any) -> Hook:
        audit.record(
            self._sql, connection, actor, action, f"hook:{hook}", at=self._clock(), data=data or None
        )
        return _hook(connection.execute(select(hooks).where(hooks.c.id == hook)).one())

    def _address(self, url: str) -> str:
        """The address in its one spelling. Raises BadOption for one that can never work.

        Where a name leads is judged at every delivery.
        """
        try:
            found = parse(url)
        except UnsupportedSource as problem:
            raise BadOption(problem.message, hint="It looks like https://example.org/autodub.") from None
        if not self.networks.may_lead(found.host):
            raise BadOption(
                f"{found.host} is not a public address of the internet; nothing is sent there.",
                hint="The server's operator can allow networks: the setting hook_addresses.",
            )
        return found.url


def networks_of(settings: ServerSettings) -> Networks:
    """Where webhooks may be sent. Raises BadOption."""
    try:
        return Networks.of(settings.hook_addresses)
    except BadOption as problem:
        raise BadOption(
            problem.message.replace("download.addresses", "hook_addresses"), hint=problem.hint
        ) from None


def give_up(connection: Connection, hook: str, why: str) -> None:
    """Have nothing wait any more."""
    waiting = (deliveries.c.hook == hook) & (deliveries.c.state == "waiting")
    connection.execute(update(deliveries).where(waiting).values(state="failed", trouble=why))


def _kinds(kinds: Sequence[str]) -> str:
    unknown = sorted(set(kinds) - set(owing.KINDS))
    if unknown or not kinds:
        raise BadOption(
            f"{unknown[0]} is no kind of event that webhooks are told of."
            if unknown
            else "No kind is given.",
            hint=f"There are: {', '.join(owing.KINDS)}.",
        )
    return " ".join(kind for kind in owing.KINDS if kind in kinds)


def _hook(row: Row[Any]) -> Hook:
    return Hook(
        row.id, row.owner, row.url, tuple(row.kinds.split()), row.active, row.failing, row.why, row.created
    )


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery(
        row.id, row.hook, row.job, row.kind, row.state, row.tries, row.due, row.status, row.trouble,
        row.created, json.loads(row.body),
    )  # fmt: skip
