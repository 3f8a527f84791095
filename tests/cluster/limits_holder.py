"""A process that holds lanes of an account until it is killed, or makes one slow call; for tests.

``hold REDIS LEASE COUNT`` prints ``held`` and does until its input ends. ``call DATA_DIR LOG GATE`` makes a
call whose engine notes in the file LOG that it works and goes on when GATE exists; the settings are those of
the environment. It prints ``waiting`` when another process is at the same, and the digest of its answer.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from limits_scene import POOL, free
from pydantic import SecretStr

from autodub.engines.roles import Work
from autodub.gateway.gateway import Gateway
from autodub.gateway.opening import open_store
from autodub.gateway.shared_accounts import SharedAccounts
from autodub.infra import settings
from autodub.infra.redis_limits import RedisLimits
from autodub.model.calls import Synthesize
from autodub.model.job import Event
from autodub.model.speech import Speech, Voice
from autodub.testing.fakes import FakeSynthesizer


def hold(redis: str, lease: str, count: str) -> None:
    """Hold lanes."""
    accounts = SharedAccounts(RedisLimits(SecretStr(redis)), lease=float(lease))
    with ExitStack() as stack:
        for _ in range(int(count)):
            stack.enter_context(accounts.lanes.enter(POOL, int(count), free))
        print("held", flush=True)
        sys.stdin.read()


class Slow(FakeSynthesizer):
    """Works until it may end."""

    log = gate = Path()

    def synthesize(self, request: Synthesize, work: Work) -> Speech:
        """As the fake, in its own time."""
        with self.log.open("a") as log:
            log.write(f"{os.getpid()}\n")
        while not self.gate.exists():
            work.check()
            time.sleep(0.01)
        return super().synthesize(request, work)


def call(data_dir: str, log: str, gate: str) -> None:
    """Make one call."""
    Slow.log, Slow.gate = Path(log), Path(gate)

    def listen(event: Event) -> None:
        if event.kind == "stage.progress":
            print("waiting", flush=True)

    with closing(open_store(settings.load(data_dir=Path(data_dir)))) as store:
        gateway = Gateway(store, listener=listen)
        request = Synthesize("the same line", Voice("fake", "fake-1", "es", pitch=120.0))
        answer: Any = gateway.call(Slow(), "synthesize", request)
        print(answer.audio.blob.digest, flush=True)
        gateway.close()


if __name__ == "__main__":
    {"hold": hold, "call": call}[sys.argv[1]](*sys.argv[2:])
