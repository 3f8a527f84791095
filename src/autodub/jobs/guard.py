"""The policy of one job, as its dub asks it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from autodub.dubbing.cost import Estimate
from autodub.jobs import audit
from autodub.jobs.records import Actor, Job
from autodub.model.errors import ContentRefused
from autodub.model.media import Audio
from autodub.model.speech import Line, Voice
from autodub.pipeline.run import Run

if TYPE_CHECKING:
    from autodub.jobs.platform import Platform

_MARGIN = Decimal("1.5")
"""Of an estimate at its highest: whoever stands in for an engine that is down may be dearer."""


class Guard:
    """Minutes and money are set aside, content is looked at, clones are made on a statement and recorded."""

    def __init__(self, platform: Platform, job: Job, *, clock: Callable[[], float] = time.time) -> None:
        """Raise ConsentMissing when the job may not clone (any more)."""
        self._platform, self._job, self._clock = platform, job, clock
        self._consent = platform.consents.of(job)

    @property
    def identity(self) -> str:
        """The rules, and the statement: a dub with clones that was made on another one is made again here."""
        return "/".join(filter(None, (self._platform.content.identity, self._consent)))

    @property
    def user(self) -> str:
        """Whose job it is."""
        return self._job.owner

    def lasts(self, seconds: float) -> None:
        """Set its minutes aside. Raises QuotaExceeded."""
        self._platform.quotas.reserve(self._job, seconds)

    def costs(self, cost: Estimate) -> Decimal | None:
        """Set money aside: what it may spend. Raises QuotaExceeded."""
        return self._platform.quotas.afford(self._job, cost.high * _MARGIN)

    def examine(self, run: Run, lines: Sequence[Line]) -> None:
        """Raise ContentRefused for what may not be dubbed, which the audit keeps: rule and time, no word."""
        try:
            self._platform.content.examine(run, lines)
        except ContentRefused as problem:
            sql, told = self._platform.sql, {"why": problem.message}
            with sql.writing() as connection:
                audit.record(
                    sql, connection, Actor(self._job.owner), "content.refused", f"job:{self._job.id}",
                    at=self._clock(), data=told,
                )  # fmt: skip
            raise

    def cloning(self, speaker: str, sample: Audio, engine: str) -> None:
        """Record it, or raise ConsentMissing."""
        self._platform.consents.cloning(
            self._job, speaker=speaker, sample=sample.blob.digest, engine=engine
        )  # fmt: skip

    def cloned(self, speaker: str, voice: Voice) -> None:
        """Record which voice came of it."""
        self._platform.consents.cloned(self._job, speaker=speaker, voice=voice.id)
