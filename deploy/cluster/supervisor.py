"""Programs that are to run all the time: started, started again when they end, ended together.

Each has a process group and a log of its own, and on Linux dies with us, however we end.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_LOOK = 0.1
"""Seconds between two looks at what runs."""
_SHORT = 3.0
"""Seconds: whoever ended sooner is started again after a pause that grows, everybody else at once."""
_PAUSES = (0.2, 0.5, 1.0, 2.0, 5.0)
"""Seconds."""


class CannotBegin(RuntimeError):
    """Something is missing, or did not come up; the text says what."""


class NotWanted(RuntimeError):
    """Somebody wants it to end before all of it is up."""


@dataclass(frozen=True, slots=True)
class Part:
    """One program."""

    name: str
    argv: Sequence[str]
    is_ready: Callable[[int], bool]
    """Given its process number, whether it does its work by now."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Its whole environment."""
    user: str = ""
    """Who runs it; empty: who runs us."""
    stop: int = signal.SIGTERM
    """The signal that ends it in good order."""
    patience: float = 20.0
    """Seconds it has for that."""
    tier: int = 0
    """What uses others has a higher one, and ends before them."""


class _Running:
    """A part, and the process that is one now."""

    def __init__(self, part: Part, log: Path) -> None:
        self.part, self._log = part, log
        self.process: subprocess.Popen[bytes] | None = None
        self.starts = 0
        self.due = self.began = 0.0
        self._short = 0

    def look(self, say: Callable[[str], None]) -> None:
        """Notice an end; start it when it is due."""
        now = time.monotonic()
        if self.process is not None and self.process.poll() is not None:
            self._short = self._short + 1 if now - self.began < _SHORT else 0
            self.due = now + (_PAUSES[min(self._short, len(_PAUSES)) - 1] if self._short else 0.0)
            say(f"{self.part.name} has ended ({_how(self.process.returncode)}) and is started again")
            self.process = None
        if self.process is None and now >= self.due:
            self.began = now
            self.process = self._start()
            self.starts += 1

    def _start(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [*tied(self.part.user), *self.part.argv],
                env=dict(self.part.env),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,
            )

    def signal(self, number: int) -> None:
        """Send the program a signal; SIGKILL goes to everything it started, too."""
        if self.process is None or self.process.poll() is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            (os.killpg if number == signal.SIGKILL else os.kill)(self.process.pid, number)


class Supervisor:
    """Runs parts until it is told to stop. Safe for many threads."""

    def __init__(
        self, logs: Path, *, say: Callable[[str], None], is_over: Callable[[], bool] = lambda: False
    ) -> None:
        """``is_over`` says whether it is to end; it is asked again and again while something begins."""
        logs.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._logs, self._say, self._is_over = logs, say, is_over
        self._lock = threading.RLock()
        self._parts: dict[str, _Running] = {}
        self._leaving = threading.Event()
        # The kernel ends a program with the thread that started it: this one lives as long as we do.
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)
        self._thread.start()

    def begin(self, *parts: Part, patience: float = 300.0) -> None:
        """Start these and wait until each does its work. Raises CannotBegin, NotWanted."""
        if self._is_over():
            raise NotWanted
        with self._lock:
            for part in parts:
                self._parts[part.name] = _Running(part, self._logs / f"{part.name}.log")
        end = time.monotonic() + patience
        for part in parts:
            while not self.is_ready(part.name):
                if self._is_over():
                    raise NotWanted
                if time.monotonic() > end or self.starts(part.name) > len(_PAUSES):
                    raise CannotBegin(f"{part.name} does not come up:\n{self.tail(part.name)}")
                time.sleep(_LOOK)

    def is_ready(self, name: str) -> bool:
        """Whether a part does its work now."""
        process = self.process(name)
        return process > 0 and self._parts[name].part.is_ready(process)

    def process(self, name: str) -> int:
        """The number of a part's process; 0 where there is none now."""
        with self._lock:
            found = self._parts[name].process
            return found.pid if found is not None and found.poll() is None else 0

    def starts(self, name: str) -> int:
        """How often a part was started."""
        return self._parts[name].starts

    def signal(self, name: str, number: int = signal.SIGKILL) -> None:
        """Send a part a signal; SIGKILL goes to everything it started, too."""
        with self._lock:
            self._parts[name].signal(number)

    def tail(self, name: str, size: int = 3000) -> str:
        """The end of a part's log."""
        path = self._logs / f"{name}.log"
        return path.read_text(errors="replace")[-size:] if path.exists() else ""

    def stop(self) -> None:
        """End the parts in good order, tier by tier; whoever takes too long is killed."""
        self._leaving.set()
        with self._lock:
            running = list(self._parts.values())
        for tier in sorted({one.part.tier for one in running}, reverse=True):
            ending = [one for one in running if one.part.tier == tier]
            for one in ending:
                one.signal(one.part.stop)
            for name in _wait(ending):
                self._say(f"{name} did not end in time and was killed")
        self._thread.join()

    def _run(self) -> None:
        while not self._leaving.wait(_LOOK):
            with self._lock:
                for one in self._parts.values():
                    if not self._leaving.is_set():
                        one.look(self._say)
        while any(one.process and one.process.poll() is None for one in self._parts.values()):
            time.sleep(_LOOK)  # they would be killed with this thread


def tied(user: str = "") -> list[str]:
    """What is put before a program so that it dies with us, and runs as somebody else."""
    path = shutil.which("setpriv")
    if path is None:
        if user:
            raise CannotBegin("The program setpriv is missing (Debian: util-linux).")
        return []
    who = ["--reuid", user, "--regid", user, "--clear-groups"] if user else []
    return [path, *who, "--pdeathsig", "KILL", "--"]


def _wait(parts: Sequence[_Running]) -> list[str]:
    """Wait for their ends; the names of those that had to be killed."""
    end = time.monotonic() + max(one.part.patience for one in parts)
    killed = []
    for one in parts:
        if one.process is None:
            continue
        try:
            one.process.wait(max(0.1, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            killed.append(one.part.name)
            one.signal(signal.SIGKILL)
            one.process.wait()
    return killed


def _how(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"
