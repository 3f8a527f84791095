"""What users may consume in a calendar month (UTC): minutes of programme and money."""

from __future__ import annotations

import calendar
import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import func, select

from autodub.infra.server_settings import ServerSettings
from autodub.infra.sql import Sql
from autodub.jobs.tables import jobs, usage, users
from autodub.model.errors import QuotaExceeded

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

    @property
    def seconds_left(self) -> float | None:
        """None = no limit; never below 0."""
        return None if self.minutes_allowed is None else max(0.0, self.minutes_allowed * 60 - self.seconds)

    @property
    def dollars_left(self) -> Decimal | None:
        """None = no limit; never below 0."""
        return None if self.dollars_allowed is None else max(Decimal(0), self.dollars_allowed - self.dollars)


class Quotas:
    """The quotas of one platform."""

    def __init__(self, sql: Sql, settings: ServerSettings, *, clock: Callable[[], float] = time.time) -> None:
        self._sql, self._settings, self._clock = sql, settings, clock

    def month(self, user: str) -> Month:
        """What a user has consumed: minutes of jobs that are over, and all money, also of jobs under way."""
        now = time.gmtime(self._clock())
        begins = float(calendar.timegm((now.tm_year, now.tm_mon, 1, 0, 0, 0)))
        used = select(func.sum(usage.c.seconds), func.sum(usage.c.dollars), func.count()).where(
            usage.c.owner == user, usage.c.at >= begins
        )
        mine = (jobs.c.owner == user, jobs.c.state == "processing")
        known = select(func.sum(usage.c.dollars)).where(usage.c.job == jobs.c.id).scalar_subquery()
        under_way = select(func.sum(jobs.c.spent), func.sum(func.coalesce(known, 0))).where(*mine)
        with self._sql.reading() as connection:
            seconds, dollars, count = connection.execute(used).one()
            spent, counted = connection.execute(under_way).one()
            own = connection.execute(
                select(users.c.minutes, users.c.dollars).where(users.c.id == user)
            ).one_or_none()
        minutes = self._settings.minutes if own is None or own.minutes is None else own.minutes
        money = self._settings.dollars if own is None or own.dollars is None else Decimal(own.dollars)
        whole = Decimal(dollars or 0) + Decimal(spent or 0) - Decimal(counted or 0)
        return Month(begins, float(seconds or 0), whole, count, minutes or None, money or None)

    def check(self, user: str, *, seconds: float = 0.0) -> None:
        """Raise QuotaExceeded when nothing is left of a quota, or less than ``seconds`` of programme."""
        month = self.month(user)
        if month.seconds_left and seconds > month.seconds_left + _SLACK:
            raise QuotaExceeded(
                f"This has {seconds / 60:.1f} minutes, and {month.seconds_left / 60:.1f} of your "
                f"{month.minutes_allowed:g} of this month are left.",
                hint="Dub a part of it: start and end.",
            )
        if month.seconds_left is not None and month.seconds_left <= 0:
            raise QuotaExceeded(
                f"Your {month.minutes_allowed:g} minutes of this month are used up.",
                hint="They begin anew with the month; an admin can allow more.",
            )
        if month.dollars_left is not None and month.dollars_left <= 0:
            raise QuotaExceeded(
                f"Your ${month.dollars_allowed:.2f} of this month are used up.",
                hint="They begin anew with the month; an admin can allow more.",
            )
