"""Looking at accounts before anything is spent: a wrong key is told of while the sound is being decoded."""

from __future__ import annotations

from concurrent.futures import FIRST_EXCEPTION, Future, wait
from typing import Any

from autodub.engines.roles import Ahead, Examined
from autodub.gateway.accounts import account_of
from autodub.model.errors import NoCredit, Refused
from autodub.pipeline.plan import Plan
from autodub.pipeline.run import Run

_PATIENCE = 1.5
"""Seconds that the first paid call waits at most, once every question could be sent."""
_GLANCE = 0.05
"""Seconds between two looks whether the dub was stopped."""


class Looks:
    """Every account a plan needs, being looked at beside. One that is of no use stops the dub at once."""

    def __init__(self, run: Run, plan: Plan) -> None:
        engines = [chosen.engine for chosen in plan.engines.values() if isinstance(chosen.engine, Examined)]
        by_account = {account_of(engine): engine for engine in engines}
        self._run = run
        self._loads = {
            account: run.beside(engine.prepare, name="load", is_left=True)
            for account, engine in by_account.items() if isinstance(engine, Ahead)
        }  # fmt: skip
        self._looks = [
            run.beside(self._look, account, engine, name="account") for account, engine in by_account.items()
        ]
        for look in self._looks:
            look.add_done_callback(self._stop)

    def wait_for_libraries(self) -> None:
        """Wait until every question can be sent: on a busy machine that takes longer than any answer.

        Raises Cancelled.
        """
        for load in self._loads.values():
            self._wait(load)

    def settle(self) -> None:
        """Wait a moment for what they say; what comes later stops the dub.

        Raises Refused or NoCredit where an account is of no use.
        """
        self.wait_for_libraries()
        done, _ = wait(self._looks, _PATIENCE, return_when=FIRST_EXCEPTION)
        for look in done:
            look.result()

    def _look(self, account: str, engine: Any) -> None:
        if account in self._loads:  # not here: what is stopped needs not load to its end
            self._wait(self._loads[account])
        self._run.gateway.look(engine)

    def _wait(self, load: Future[None]) -> None:
        while not load.done():
            wait([load], _GLANCE)
            self._run.gateway.cancel.check()

    def _stop(self, look: Future[None]) -> None:
        problem = look.exception()
        if isinstance(problem, (NoCredit, Refused)):
            self._run.fail(problem)
