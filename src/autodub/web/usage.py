"""Usage: what a user has consumed this month, and what is left."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from flask import Response, jsonify
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, Field

from autodub.jobs.engine_use import EngineUse
from autodub.jobs.usage import Account, Amount
from autodub.web.identity import actor, needs, platform
from autodub.web.problems import Problem

blueprint = APIBlueprint(
    "usage", __name__, url_prefix="/api/v1",
    abp_tags=[Tag(name="Usage", description="Minutes and money, and what is left of them.")],
    abp_security=[{"key": []}, {"session": []}],
    abp_responses=dict.fromkeys((400, 401, 403, 404, 422, 429), Problem),
)  # fmt: skip


class UsageQuery(BaseModel):
    """Whose usage, and of which month."""

    owner: str | None = Field(None, max_length=40, description="Admins: a user's id, or `*` for all users.")
    month: str | None = Field(
        None,
        pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])$",
        json_schema_extra={"example": "2026-03"},
        description="Such as 2026-03 (UTC); this one otherwise.",
    )


class AmountShape(BaseModel):
    """What was consumed."""

    seconds: float = Field(description="Of programme dubbed, to a millisecond.")
    dollars: float = Field(description="To a hundredth of a cent.")
    compute: float = Field(description="Wall seconds of work.")
    attempts: int


class DayShape(AmountShape):
    """What was consumed on one day."""

    day: str = Field(description="Such as 2026-03-31 (UTC).")


class JobUsage(AmountShape):
    """What one job consumed."""

    job: str
    title: str = Field(description="Empty when the job is gone.")
    kind: str = Field(description="``dub`` or ``estimate``; empty when the job is gone.")


class UserUsage(AmountShape):
    """What one user consumed."""

    user: str
    name: str


class EngineUsage(BaseModel):
    """What one engine did."""

    engine: str = Field(description="Role and name.", json_schema_extra={"example": "translator.openai"})
    made: int = Field(description="Calls that it answered.")
    kept: int = Field(description="Calls answered from earlier work: they cost nothing.")
    dollars: float = Field(description="To a hundredth of a cent.")
    units: dict[str, float] = Field(description="What finished dubs consumed of it, such as characters.")


class QuotaShape(BaseModel):
    """What may be consumed in this calendar month, whichever month is looked at."""

    begins: float = Field(description="Seconds since 1970 (UTC).")
    seconds: float = Field(description="Consumed so far.")
    dollars: float
    seconds_allowed: float | None = Field(description="Null: no limit.")
    seconds_left: float | None
    dollars_allowed: float | None
    dollars_left: float | None


class UsageShape(BaseModel):
    """What was consumed: by one user, or by every one where an admin asked for all."""

    total: AmountShape
    quota: QuotaShape | None = Field(description="Null where all users were asked for.")
    days: list[DayShape]
    jobs: list[JobUsage] = Field(description="Newest first, at most 500.")
    users: list[UserUsage]
    engines: list[EngineUsage] = Field(
        description="The dearest first. Together they may have cost less than the total: what an older "
        "release counted has no engine."
    )


@blueprint.get("/usage", responses={200: UsageShape}, summary="Look at usage")
@needs("read")
def usage(query: UsageQuery) -> Response:
    """What you have consumed this month, by day and by job, and what is left of your quotas."""
    here, asking = platform().consumption, actor()
    if query.owner == "*":
        users = here.users(asking, month=query.month)
        found = UsageShape(
            total=_total(users), quota=None, days=[], jobs=[],
            users=[UserUsage(user=one.of, name=one.name, **_amount(one)) for one in users],
            engines=_engines(here.engines(asking, month=query.month)),
        )  # fmt: skip
    else:
        found = _account(here.account(asking, owner=query.owner, month=query.month))
    return jsonify(found.model_dump())


def _account(account: Account) -> UsageShape:
    month = account.month
    minutes, money, left = month.minutes_allowed, month.dollars_allowed, month.dollars_left
    return UsageShape(
        total=_total(account.days),
        quota=QuotaShape(
            begins=month.begins, seconds=_seconds(month.seconds), dollars=_dollars(month.dollars),
            seconds_allowed=None if minutes is None else _seconds(minutes * 60),
            seconds_left=None if month.seconds_left is None else _seconds(month.seconds_left),
            dollars_allowed=None if money is None else _dollars(money),
            dollars_left=None if left is None else _dollars(left),
        ),
        days=[DayShape(day=one.of, **_amount(one)) for one in account.days],
        jobs=[JobUsage(job=one.of, title=one.name, kind=one.kind, **_amount(one)) for one in account.jobs],
        users=[], engines=_engines(account.engines),
    )  # fmt: skip


def _engines(uses: Sequence[EngineUse]) -> list[EngineUsage]:
    return [
        EngineUsage(
            engine=one.engine, made=one.made, kept=one.kept, dollars=_dollars(one.dollars),
            units={unit: _seconds(amount) for unit, amount in one.units.items()},
        )
        for one in uses
    ]  # fmt: skip


def _total(amounts: Sequence[Amount]) -> AmountShape:
    return AmountShape(
        seconds=_seconds(sum(one.seconds for one in amounts)),
        dollars=_dollars(sum(one.dollars for one in amounts)),
        compute=_seconds(sum(one.compute for one in amounts)), attempts=sum(one.attempts for one in amounts),
    )  # fmt: skip


def _amount(one: Amount) -> dict[str, Any]:
    return {
        "seconds": _seconds(one.seconds), "dollars": _dollars(one.dollars),
        "compute": _seconds(one.compute), "attempts": one.attempts,
    }  # fmt: skip


def _seconds(exact: float) -> float:
    """To a millisecond: a sum of many has noise behind that."""
    return round(exact, 3)


def _dollars(exact: Decimal | int) -> float:
    """To a hundredth of a cent."""
    return round(float(exact), 4)
