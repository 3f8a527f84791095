"""Sending what webhooks are owed. Each delivery is one worker's at a time, and is tried again for a day.

A delivery is taken by moving its next try into the future: a worker that dies with it leaves it to whoever
looks after that. A receiver may therefore hear something twice, under the same id, but never not at all.
The order in which deliveries arrive is not promised; their bodies have times and numbers of events.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, func, or_, select, update

from autodub import __version__
from autodub.infra.addresses import parse
from autodub.infra.posting import Outcome, post
from autodub.infra.signing import HEADER, sign
from autodub.jobs import audit, owing
from autodub.jobs.ending import DAY
from autodub.jobs.records import SYSTEM, Actor
from autodub.jobs.tables import deliveries, hooks
from autodub.jobs.webhooks import give_up
from autodub.model.errors import AutodubError, Unavailable

if TYPE_CHECKING:
    from autodub.jobs.platform import Platform

log = logging.getLogger("autodub.hooks")
SECONDS = 10.0
"""For one try."""
_LEASE = 60.0
"""Seconds after which a delivery of a worker that says nothing any more is tried by another."""
PAUSES = (10.0, 60.0, 300.0, 1800.0, 7200.0, 21_600.0, 54_000.0)
"""Seconds before the second try, the third ...: eight tries in about a day."""
_FAILING = 3 * DAY
"""A webhook is switched off when for so long nothing has arrived."""
_LANES = 4
"""Deliveries sent at once by one worker, each to another webhook."""
_IDLE = 5.0
"""Seconds after which it is looked for deliveries that are due although no bell rang."""
_LEAVING = 3.0
"""Seconds."""
_GONE = 410
_NOBODY = Actor(SYSTEM, SYSTEM, "admin")


class Sender:
    """Sends deliveries, in threads of its own or one by one when it is told to."""

    def __init__(
        self, platform: Platform, *, clock: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random, seconds: float = SECONDS,
    ) -> None:  # fmt: skip
        self._sql, self._networks = platform.sql, platform.hooks.networks
        self._clock, self._chance, self._seconds = clock, chance, seconds
        self._busy: set[str] = set()
        self._taking = threading.Lock()
        self._bell = threading.Condition()
        self._bells = 0
        self._is_over = False
        self._threads = [
            threading.Thread(target=self._run, name=f"hooks-{number}", daemon=True)
            for number in range(_LANES)
        ]

    def start(self) -> None:
        """Begin to send."""
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """There may be something to send."""
        with self._bell:
            self._bells += 1
            self._bell.notify_all()

    def stop(self, *, patience: float = _LEAVING) -> None:
        """Send no more; what is on its way is waited for a little, and sent again by others otherwise."""
        with self._bell:
            self._is_over = True
            self._bell.notify_all()
        end = time.monotonic() + patience
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, end - time.monotonic()))

    def _run(self) -> None:
        while True:
            with self._bell:
                if self._is_over:
                    return
                bells = self._bells
            try:
                sent = self.send()
            except Unavailable as problem:
                log.warning("nothing could be delivered: %s", problem.message)
                sent = False
            except Exception:  # the others are sent all the same
                log.exception("a delivery failed by a fault")
                sent = False
            if not sent:
                with self._bell:
                    self._bell.wait_for(lambda seen=bells: self._is_over or seen != self._bells, _IDLE)  # type: ignore[misc]

    def send(self) -> bool:
        """Send one delivery that is due; False when there is none."""
        row = self._take()
        if row is None:
            return False
        try:
            self._concluded(row, self._post(row))
        finally:
            with self._taking:
                self._busy.discard(row.hook)
        return True

    def _take(self) -> Row[Any] | None:
        """Take the next delivery that is due, of a webhook nobody here is at just now."""
        with self._taking:
            now = self._clock()
            is_due = (
                deliveries.c.state == "waiting", deliveries.c.due <= now,
                deliveries.c.hook.not_in(self._busy), or_(hooks.c.active, deliveries.c.kind == owing.PING),
            )  # fmt: skip
            wanted = select(deliveries.c.id).join(hooks).where(*is_due).order_by(deliveries.c.due).limit(1)
            with self._sql.reading() as connection:
                if connection.execute(wanted).first() is None:
                    return None

            def work(connection: Connection) -> Row[Any] | None:
                head = wanted.with_for_update(of=deliveries, skip_locked=True)
                found = connection.execute(head).scalar()
                taken = update(deliveries).where(deliveries.c.id == found)
                if found is not None:
                    connection.execute(taken.values(due=now + _LEASE, tries=deliveries.c.tries + 1))
                both = select(deliveries, hooks.c.url, hooks.c.secret, hooks.c.owner).join(hooks)
                return connection.execute(both.where(deliveries.c.id == found)).one_or_none()

            row = self._sql.again(work)
            if row is not None:
                self._busy.add(row.hook)
            return row

    def _post(self, row: Row[Any]) -> Outcome:
        body = row.body.encode()
        headers = {
            "Content-Type": "application/json", "User-Agent": f"Autodub/{__version__}",
            "Autodub-Delivery": row.id, "Autodub-Event": row.kind,
            HEADER: sign(row.secret, body, at=self._clock()),
        }  # fmt: skip
        try:
            address = parse(row.url)
        except AutodubError as problem:  # kept before the rules became stricter
            return Outcome(trouble=problem.message[:200])
        return post(address, body, headers, networks=self._networks, seconds=self._seconds)

    def _concluded(self, row: Row[Any], outcome: Outcome) -> None:
        """Write down what became of a try, unless somebody else is at it by now."""
        now = self._clock()
        status, trouble = outcome.status, outcome.trouble
        arrived = status is not None and 200 <= status < 300
        if status is not None and not arrived:
            trouble = f"it answered {status}" + (
                ", and redirections are not followed" if status // 100 == 3 else ""
            )
        is_last = arrived or row.kind == owing.PING or row.tries > len(PAUSES) or status == _GONE
        values: dict[str, Any] = {"status": status, "trouble": trouble}
        if is_last:
            values["state"] = "sent" if arrived else "failed"
        else:
            values["due"] = now + PAUSES[row.tries - 1] * (0.9 + 0.2 * self._chance())
        ours = (deliveries.c.id == row.id, deliveries.c.tries == row.tries, deliveries.c.state == "waiting")

        def work(connection: Connection) -> None:
            if not connection.execute(update(deliveries).where(*ours).values(**values)).rowcount:
                return
            since = None if arrived else func.coalesce(hooks.c.failing, now)
            changed = update(hooks).where(hooks.c.id == row.hook).values(failing=since)
            failing = connection.execute(changed.returning(hooks.c.failing, hooks.c.active)).one()
            if arrived or row.kind == owing.PING or not failing.active:
                return
            if status == _GONE:
                self._switch_off(connection, row, "it answered 410: nobody is there any more", now)
            elif is_last and now - failing.failing >= _FAILING:
                self._switch_off(connection, row, "nothing has arrived for three days", now)

        self._sql.again(work)
        if not arrived:
            log.warning("webhook not delivered: %s", trouble, extra={"hook": row.hook, "delivery": row.id})

    def _switch_off(self, connection: Connection, row: Row[Any], why: str, now: float) -> None:
        connection.execute(update(hooks).where(hooks.c.id == row.hook).values(active=False, why=why))
        give_up(connection, row.hook, "the webhook was switched off")
        audit.record(
            self._sql, connection, _NOBODY, "hook.switched_off", f"hook:{row.hook}", at=now,
            data={"owner": row.owner},
        )  # fmt: skip
