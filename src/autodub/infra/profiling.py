"""What a dub costs this machine: wall time, CPU and memory of this process and the programs it starts."""

from __future__ import annotations

import os
import resource
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from autodub.model.job import Event

_EVERY = 0.1
"""Seconds between two looks."""


@dataclass(frozen=True, slots=True)
class Look:
    """Where things stood at one moment."""

    at: float
    """Seconds since the beginning."""
    cpu: float
    """CPU seconds used by then."""
    memory: int
    """Bytes in memory."""


@dataclass(frozen=True, slots=True)
class StageUse:
    """A stage: stages run side by side, so what is used while one runs is not all its own."""

    stage: str
    began: float
    """Seconds after the start of the run."""
    seconds: float
    """Wall time, all its runs together."""
    cpu: float
    """CPU seconds that the whole dub used meanwhile."""
    memory: int
    """The most bytes that the whole dub held meanwhile."""


@dataclass(frozen=True, slots=True)
class CallUse:
    """The calls of one verb of an engine."""

    engine: str
    verb: str
    made: int
    kept: int
    failed: int
    seconds: float
    """Wall time of those that were made; calls side by side add up."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One run."""

    wall: float
    cpu: float
    memory: int
    """The most bytes held at once, programs included."""
    stages: tuple[StageUse, ...]
    calls: tuple[CallUse, ...]


@dataclass(slots=True)
class _Calls:
    made: int = 0
    kept: int = 0
    failed: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class _Span:
    began: float
    ended: float | None = None


class Profiler:
    """Looks ten times a second while it is entered, and listens to what the dub tells."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._base = _cpu_and_memory(os.getpid())[0]
        self._looks: list[Look] = []
        self._spans: dict[str, list[_Span]] = {}
        self._calls: dict[tuple[str, str], _Calls] = {}
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="profile", daemon=True)

    def __enter__(self) -> Self:
        self._look()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        self._look()

    def __call__(self, event: Event) -> None:
        """Take an event of the dub."""
        now = time.monotonic() - self._began
        with self._lock:
            if event.kind == "stage.started":
                self._spans.setdefault(event.stage, []).append(_Span(now))
            elif event.kind == "stage.finished":
                for span in self._spans.get(event.stage, []):
                    span.ended = now if span.ended is None else span.ended
            elif event.kind in ("call.finished", "call.failed"):
                self._call(event)

    def _call(self, event: Event) -> None:
        data = event.data
        name = (f"{data.get('role')}.{data.get('engine')}", str(data.get("verb")))
        found = self._calls.setdefault(name, _Calls())
        if event.kind == "call.failed":
            found.failed += 1
        elif data.get("kept"):
            found.kept += 1
        else:
            found.made += 1
            found.seconds += float(data.get("seconds") or 0)

    def profile(self) -> Profile:
        """What was seen; call it afterwards."""
        last = self._looks[-1]
        return Profile(
            wall=last.at, cpu=last.cpu, memory=max(look.memory for look in self._looks),
            stages=tuple(self._stages(last.at)),
            calls=tuple(
                CallUse(engine, verb, one.made, one.kept, one.failed, one.seconds)
                for (engine, verb), one in self._calls.items()
            ),
        )  # fmt: skip

    def _stages(self, end: float) -> Iterator[StageUse]:
        for stage, spans in self._spans.items():
            ranges = [(span.began, end if span.ended is None else span.ended) for span in spans]
            inside = [look for look in self._looks if any(a <= look.at <= b for a, b in ranges)]
            yield StageUse(
                stage, ranges[0][0], sum(b - a for a, b in ranges),
                sum(self._at(b) - self._at(a) for a, b in ranges),
                max((look.memory for look in inside), default=self._nearest(ranges[0][0]).memory),
            )  # fmt: skip

    def _at(self, moment: float) -> float:
        """CPU seconds used by a moment, between two looks in proportion."""
        before = max((look for look in self._looks if look.at <= moment), key=_when, default=self._looks[0])
        after = min((look for look in self._looks if look.at >= moment), key=_when, default=self._looks[-1])
        if after.at <= before.at:
            return before.cpu
        part = (moment - before.at) / (after.at - before.at)
        return before.cpu + part * (after.cpu - before.cpu)

    def _nearest(self, moment: float) -> Look:
        return min(self._looks, key=lambda look: abs(look.at - moment))

    def _watch(self) -> None:
        while not self._over.wait(_EVERY):
            self._look()

    def _look(self) -> None:
        cpu, memory = _cpu_and_memory(os.getpid())
        self._looks.append(Look(time.monotonic() - self._began, max(0.0, cpu - self._base), memory))


def _when(look: Look) -> float:
    return look.at


@dataclass(slots=True)
class _Tree:
    cpu: float = 0.0
    memory: int = 0
    seen: set[int] = field(default_factory=set)


def _cpu_and_memory(root: int) -> tuple[float, int]:
    """CPU seconds and bytes of a process and everything below it, as far as the system tells."""
    if sys.platform != "linux":
        own, below = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
        return own.ru_utime + own.ru_stime + below.ru_utime + below.ru_stime, own.ru_maxrss
    tree = _Tree()
    waiting = [root]
    while waiting:
        waiting += _add(tree, waiting.pop())
    return tree.cpu, tree.memory


def _add(tree: _Tree, pid: int) -> list[int]:
    """Add a process; those it started. One that has ended meanwhile is in its parent's account."""
    if pid in tree.seen:
        return []
    tree.seen.add(pid)
    here = Path(f"/proc/{pid}")
    try:
        fields = (here / "stat").read_text().rpartition(")")[2].split()
        tree.cpu += sum(int(ticks) for ticks in fields[11:15]) / os.sysconf("SC_CLK_TCK")
        tree.memory += int((here / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        return [
            int(one) for task in (here / "task").iterdir() for one in (task / "children").read_text().split()
        ]
    except OSError:
        return []
