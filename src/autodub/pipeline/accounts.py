"""Looking at accounts before anything is spent: a wrong key is told of while the sound is being decoded."""

from __future__ import annotations

import time
from concurrent.futures import Future, wait

from autodub.engines.roles import Examined
from autodub.gateway.accounts import account_of
from autodub.model.errors import NoCredit, Refused
from autodub.pipeline.plan import Plan
from autodub.pipeline.run import Run

_PATIENCE = 1.5
"""Seconds that the first paid call waits at most, from when the looking began."""


class Looks:
    """Every account a plan needs, being looked at beside."""

    def __init__(self, run: Run, plan: Plan) -> None:
        engines = [chosen.engine for chosen in plan.engines.values() if isinstance(chosen.engine, Examined)]
        by_account = {account_of(engine): engine for engine in engines}
        self._run, self._until = run, time.monotonic() + _PATIENCE
        self._looks: list[Future[None]] = [
            run.beside(run.gateway.look, engine, name="account") for engine in by_account.values()
        ]

    def settle(self) -> None:
        """Wait a moment for what they say; what comes later stops the dub.

        Raises Refused or NoCredit where an account is of no use.
        """
        done, late = wait(self._looks, max(0.0, self._until - time.monotonic()))
        for look in late:
            look.add_done_callback(self._stop)
        for look in done:
            look.result()

    def _stop(self, look: Future[None]) -> None:
        problem = look.exception()
        if isinstance(problem, (NoCredit, Refused)):
            self._run.fail(problem)
