"""Engines that only take their time: what a benchmark cannot have here, at the speed it would have."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

from autodub.engines import registry
from autodub.engines.roles import Info, Work
from autodub.engines.spectral import Spectral
from autodub.model.calls import Separate
from autodub.model.media import Stems


class Simulated(Spectral):
    """A separator as slow as a neural one: the weights-free answer, handed out after ``pace``."""

    pace = 0.0
    """Seconds per minute of sound."""

    @classmethod
    def describe(cls) -> Info:
        return Info(
            "simulated", "separator", f"{cls.pace:g}", "the spectral separator, made to wait", lanes=1
        )

    def separate(self, request: Separate, work: Work) -> Stems:
        """The spectral separator's answer, no sooner than a neural one would have it."""
        until = time.monotonic() + self.pace * request.mix.duration / 60_000
        stems = super().separate(request, work)
        while time.monotonic() < until:
            work.check()
            time.sleep(min(0.05, max(0.0, until - time.monotonic())))
        return stems


@contextlib.contextmanager
def separator(pace: float | None) -> Iterator[Any]:
    """Have the simulated separator under the name ``simulated``, unless no pace is given."""
    if pace is None:
        yield None
        return
    Simulated.pace = pace
    with registry.registered("separator", "simulated", Simulated):
        yield Simulated
