"""What users have consumed in a month: by day, by job, by engine. Figures stay when jobs are deleted."""

from __future__ import annotations

import calendar
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import and_, func, select

from autodub.infra.sql import Sql
from autodub.jobs.engine_use import EngineUse, Uses
from autodub.jobs.quotas import Month, Quotas
from autodub.jobs.records import Actor
from autodub.jobs.tables import jobs, usage, users
from autodub.model.errors import BadOption, Forbidden, NotFound

_JOBS = 500
"""Jobs that are listed at most, the newest."""


@dataclass(frozen=True, slots=True)
class Amount:
    """What was consumed by something."""

    of: str
    """A day (``2026-03-31``, UTC), a job's id, or a user's id."""
    seconds: float
    """Of programme dubbed."""
    dollars: Decimal
    compute: float
    """Wall seconds of work."""
    attempts: int
    name: str = ""
    """A job's title, empty when it is gone; a user's name."""
    kind: str = ""
    """A job's, ``dub`` or ``estimate``; empty when it is gone."""


@dataclass(frozen=True, slots=True)
class Account:
    """One user's month."""

    month: Month
    days: tuple[Amount, ...]
    jobs: tuple[Amount, ...]
    """Newest first."""
    engines: tuple[EngineUse, ...]
    """The dearest first. Their money is less than that of the days where older releases counted."""


class Consumption:
    """What the users of a platform have consumed."""

    def __init__(self, sql: Sql, quotas: Quotas, *, clock: Callable[[], float] = time.time) -> None:
        self._sql, self._quotas, self._clock = sql, quotas, clock

    def account(self, actor: Actor, *, owner: str | None = None, month: str | None = None) -> Account:
        """A user's month (``2026-03``; by default this one). Raises NotFound for somebody else's."""
        begins, ends = self._bounds(month)
        who = self._who(actor, owner)
        whole = and_(usage.c.owner == who, usage.c.at >= begins, usage.c.at < ends)
        by_job = (
            select(usage.c.job, *_SUMS, jobs.c.title, jobs.c.kind, func.max(usage.c.at).label("last"))
            .outerjoin(jobs, and_(jobs.c.id == usage.c.job, jobs.c.stopping != "delete"))
            .where(whole)
            .group_by(usage.c.job, jobs.c.title, jobs.c.kind)
            .order_by(func.max(usage.c.at).desc())
            .limit(_JOBS)
        )
        rows = select(usage.c.at, usage.c.seconds, usage.c.dollars, usage.c.compute, usage.c.engines)
        days: dict[str, Amount] = {}
        uses = Uses()
        with self._sql.reading() as connection:
            found = tuple(
                _amount(row, row.job, row.title or "", row.kind or "") for row in connection.execute(by_job)
            )
            for at, seconds, dollars, compute, engines in connection.execute(
                rows.where(whole).order_by(usage.c.at)
            ):
                uses.add(engines)
                day = time.strftime("%Y-%m-%d", time.gmtime(at))
                one = days.get(day, Amount(day, 0.0, Decimal(0), 0.0, 0))
                days[day] = Amount(
                    day, one.seconds + seconds, one.dollars + Decimal(dollars), one.compute + compute,
                    one.attempts + 1,
                )  # fmt: skip
        return Account(self._quotas.month(who), tuple(days.values()), found, uses.ordered())

    def users(self, actor: Actor, *, month: str | None = None) -> list[Amount]:
        """Every user's month, the most money first. Raises Forbidden for others than admins."""
        self._whole(actor)
        begins, ends = self._bounds(month)
        wanted = (
            select(users.c.id, users.c.name, *_SUMS)
            .join(usage, usage.c.owner == users.c.id)
            .where(usage.c.at >= begins, usage.c.at < ends)
            .group_by(users.c.id, users.c.name)
            .order_by(func.sum(usage.c.dollars).desc(), func.sum(usage.c.seconds).desc(), users.c.name)
        )
        with self._sql.reading() as connection:
            return [_amount(row, row.id, row.name) for row in connection.execute(wanted)]

    def engines(self, actor: Actor, *, month: str | None = None) -> tuple[EngineUse, ...]:
        """What engines did for all users, the dearest first. Raises Forbidden for others than admins."""
        self._whole(actor)
        begins, ends = self._bounds(month)
        wanted = select(usage.c.engines).where(usage.c.at >= begins, usage.c.at < ends)
        uses = Uses()
        with self._sql.reading() as connection:
            for text in connection.execute(wanted).scalars():
                uses.add(text)
        return uses.ordered()

    def _whole(self, actor: Actor) -> None:
        if not actor.is_admin:
            raise Forbidden("Only an admin may see everybody's usage.", hint="Leave owner out to see yours.")

    def _who(self, actor: Actor, owner: str | None) -> str:
        if owner is None or owner == actor.id:
            return actor.id
        with self._sql.reading() as connection:
            known = connection.execute(select(users.c.id).where(users.c.id == owner)).first()
        if known is None or not actor.is_admin:
            raise NotFound(f"There is no user {owner[:40]}.", hint="Leave owner out to see your own usage.")
        return owner

    def _bounds(self, month: str | None) -> tuple[float, float]:
        now = time.gmtime(self._clock())
        year, number = now.tm_year, now.tm_mon
        if month is not None:
            if not re.fullmatch(r"20\d\d-(0[1-9]|1[0-2])", month):
                raise BadOption(f"{month[:20]!r} is no month.", hint="Write it as in 2026-03.")
            year, number = int(month[:4]), int(month[5:])
        ends = (year + 1, 1) if number == 12 else (year, number + 1)
        return _moment(year, number), _moment(*ends)


_SUMS = (
    func.sum(usage.c.seconds).label("seconds"), func.sum(usage.c.dollars).label("dollars"),
    func.sum(usage.c.compute).label("compute"), func.count().label("attempts"),
)  # fmt: skip


def _amount(row: Any, of: str, name: str, kind: str = "") -> Amount:
    return Amount(
        of, float(row.seconds), Decimal(row.dollars), float(row.compute), int(row.attempts), name, kind
    )  # fmt: skip


def _moment(year: int, month: int) -> float:
    return float(calendar.timegm((year, month, 1, 0, 0, 0)))
