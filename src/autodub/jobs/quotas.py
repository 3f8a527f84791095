"""What users may consume in a calendar month (UTC): minutes of programme and money."""

from __future__ import annotations

import calendar
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import Connection, and_, delete, func, insert, or_, select, update

from autodub.dubbing.cost import money
from autodub.infra.server_settings import ServerSettings
from autodub.infra.sql import Sql
from autodub.jobs.claiming import ours
from autodub.jobs.records import Job
from autodub.jobs.tables import holds, jobs, usage, users
from autodub.model.errors import QuotaExceeded

_LOCK = 4_214
"""Number of the advisory lock under which something is set aside."""
_HELD = 900.0
"""Seconds that money is kept for a single call: longer than one takes with all its tries."""
_SLACK = 1.0
"""Seconds: containers and their streams are never quite of one length."""


@dataclass(frozen=True, slots=True)
class Month:
    """What a user has consumed this month, and may in all."""

    begins: float
    """Seconds since 1970."""
    seconds: float
    """Of programme dubbed."""
    dollars: Decimal
    jobs: int
    minutes_allowed: float | None
    """None = no limit."""
    dollars_allowed: Decimal | None

    seconds_held: float = 0.0
    """Set aside for jobs under way."""
    dollars_held: Decimal = Decimal(0)
    """The same, beyond what they have spent; also for single calls."""

    @property
    def seconds_left(self) -> float | None:
        """None = no limit; never below 0."""
        if self.minutes_allowed is None:
            return None
        return max(0.0, self.minutes_allowed * 60 - self.seconds - self.seconds_held)

    @property
    def dollars_left(self) -> Decimal | None:
        """None = no limit; never below 0."""
        if self.dollars_allowed is None:
            return None
        return max(Decimal(0), self.dollars_allowed - self.dollars - self.dollars_held)


@dataclass(frozen=True, slots=True)
class Hold:
    """Money set aside for a single call."""

    id: str
    dollars: Decimal


class Quotas:
    """The quotas of one platform. Safe for many threads and processes at once."""

    def __init__(self, sql: Sql, settings: ServerSettings, *, clock: Callable[[], float] = time.time) -> None:
        self._sql, self._settings, self._clock = sql, settings, clock

    def month(self, user: str, *, besides: str = "") -> Month:
        """What a user has consumed: minutes of jobs that are over, and all money, also of jobs under way.

        What is set aside for the job ``besides`` does not count as held.
        """
        with self._sql.reading() as connection:
            return self._month(connection, user, besides)

    def check(self, user: str, *, seconds: float = 0.0) -> None:
        """Raise QuotaExceeded when nothing is left of a quota, or less than ``seconds`` of programme."""
        month = self.month(user)
        _check_minutes(month, seconds)
        _check_money(month)

    def reserve(self, job: Job, seconds: float) -> None:
        """Set minutes aside for a job that runs, or find out that there are any. Raises QuotaExceeded.

        Nobody else gets them until it is over. A programme that was counted before needs none.
        """

        def work(connection: Connection) -> None:
            self._sql.alone(connection, _LOCK)  # of two who ask at once the second sees what the first has
            month = self._month(connection, job.owner, job.id)
            _check_money(month)
            counted = select(func.max(usage.c.seconds)).where(usage.c.job == job.id)
            is_counted = bool(connection.execute(counted).scalar())
            if not is_counted:
                _check_minutes(month, seconds)
            kept = update(jobs).where(jobs.c.id == job.id, *ours(job))
            connection.execute(kept.values(reserved_seconds=0.0 if is_counted else seconds))

        self._sql.again(work)

    def afford(self, job: Job, dollars: Decimal) -> Decimal | None:
        """Set money aside for a job that runs, ``dollars`` at most: what it may spend; None = no limit.

        Raises QuotaExceeded where nothing is left.
        """

        def work(connection: Connection) -> Decimal | None:
            self._sql.alone(connection, _LOCK)
            month = self._month(connection, job.owner, job.id)
            _check_money(month)
            left = month.dollars_left
            if left is None:
                return None
            may = min(dollars, left)
            # On top of what earlier attempts spent that nobody has counted yet.
            begun = select(jobs.c.spent - func.coalesce(_COUNTED, 0)).where(jobs.c.id == job.id)
            before = Decimal(connection.execute(begun).scalar_one())
            kept = update(jobs).where(jobs.c.id == job.id, *ours(job))
            connection.execute(kept.values(reserved_dollars=before + may))
            return may

        return self._sql.again(work)

    def hold(self, user: str, dollars: Decimal) -> Hold | None:
        """Set money aside for a single call, ``dollars`` at most; None = no limit.

        Nobody else gets it until it is released, or so old that whoever asked must be gone. Raises
        QuotaExceeded where nothing is left.
        """

        def work(connection: Connection) -> Hold | None:
            self._sql.alone(connection, _LOCK)
            month = self._month(connection, user, "")
            _check_money(month)
            left, now = month.dollars_left, self._clock()
            if left is None:
                return None
            held = Hold(secrets.token_hex(16), min(dollars, left))
            connection.execute(delete(holds).where(holds.c.owner == user, holds.c.until <= now))
            row = {"id": held.id, "owner": user, "dollars": held.dollars, "until": now + _HELD}
            connection.execute(insert(holds).values(**row))
            return held

        return self._sql.again(work)

    @staticmethod
    def release(connection: Connection, held: Hold | None) -> None:
        """Let go of what was set aside, in the transaction that counts what was spent of it."""
        if held is not None:
            connection.execute(delete(holds).where(holds.c.id == held.id))

    def _month(self, connection: Connection, user: str, besides: str) -> Month:
        now = time.gmtime(self._clock())
        begins = float(calendar.timegm((now.tm_year, now.tm_mon, 1, 0, 0, 0)))
        used = select(func.sum(usage.c.seconds), func.sum(usage.c.dollars), func.count()).where(
            usage.c.owner == user, usage.c.at >= begins
        )
        # Also what was spent on a job that waits for another worker.
        begun = and_(jobs.c.state == "queued", jobs.c.attempt > 0)
        under_way = select(
            jobs.c.id, jobs.c.state, jobs.c.reserved_seconds, jobs.c.reserved_dollars,
            (jobs.c.spent - func.coalesce(_COUNTED, 0)).label("fresh"),
        ).where(jobs.c.owner == user, or_(jobs.c.state == "processing", begun))  # fmt: skip
        seconds, dollars, count = connection.execute(used).one()
        whole, seconds_held, dollars_held = Decimal(dollars or 0), 0.0, Decimal(0)
        for row in connection.execute(under_way):
            fresh = Decimal(row.fresh)
            whole += fresh
            if row.id != besides and row.state == "processing":
                seconds_held += row.reserved_seconds or 0.0
                dollars_held += max(Decimal(0), Decimal(row.reserved_dollars or 0) - fresh)
        single = select(func.sum(holds.c.dollars)).where(holds.c.owner == user, holds.c.until > self._clock())
        dollars_held += Decimal(connection.execute(single).scalar() or 0)
        own = connection.execute(
            select(users.c.minutes, users.c.dollars).where(users.c.id == user)
        ).one_or_none()
        minutes = self._settings.minutes if own is None or own.minutes is None else own.minutes
        dollars_allowed = (
            self._settings.dollars if own is None or own.dollars is None else Decimal(own.dollars)
        )
        return Month(
            begins, float(seconds or 0), whole, count, minutes or None, dollars_allowed or None, seconds_held,
            dollars_held,
        )  # fmt: skip


_COUNTED = select(func.sum(usage.c.dollars)).where(usage.c.job == jobs.c.id).scalar_subquery()
"""Of a job's money, what rows of usage have."""


def _check_minutes(month: Month, seconds: float) -> None:
    left = month.seconds_left
    if left is None:
        return
    held = f" ({month.seconds_held / 60:.1f} are set aside for jobs under way)" if month.seconds_held else ""
    if left and seconds > left + _SLACK:
        raise QuotaExceeded(
            f"This has {seconds / 60:.1f} minutes, and {left / 60:.1f} of your "
            f"{month.minutes_allowed:g} of this month are left{held}.",
            hint="Dub a part of it: `start` and `end`.",
        )
    if left <= 0:
        raise QuotaExceeded(
            f"Your {month.minutes_allowed:g} minutes of this month are used up{held}.",
            hint="They begin anew with the month; an admin can allow more.",
        )


def _check_money(month: Month) -> None:
    if month.dollars_left is not None and month.dollars_left <= 0:
        held = f" ({money(month.dollars_held)} is set aside for jobs under way)" if month.dollars_held else ""
        raise QuotaExceeded(
            f"Your ${month.dollars_allowed:.2f} of this month are used up{held}.",
            hint="They begin anew with the month; an admin can allow more.",
        )
