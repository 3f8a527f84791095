"""Other programs: the only place that starts one.

A program is given as a list of arguments (no shell ever), runs in a process group of its own and
in a reduced environment, and cannot outlive its purpose: the whole group is killed when the
deadline passes, when somebody cancels, and (on Linux, through ``setpriv --pdeathsig``) when this
process dies. On other systems a program orphaned by ``kill -9`` ends when it next writes to one
of its closed pipes.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import selectors
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from autodub.model.errors import BadAnswer, EngineCannot, Unreachable

_POLL = 0.1
"""Seconds between two looks at the clock and at ``check``."""
_CHUNK = 1 << 16
_LOG = 1 << 16
"""Bytes of stderr that are kept: the end matters, and a broken file can make a program very talkative."""
_INHERITED = ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH")


@dataclass(frozen=True, slots=True)
class Result:
    """How a program ended: its exit status, everything it wrote, and the end of what it complained about."""

    code: int
    """Exit status; negative = killed by that signal."""
    stdout: bytes
    stderr: str


def find(program: str, *, package: str) -> str:
    """Absolute path of a program. Raises EngineCannot naming the Debian package when it is missing."""
    path = shutil.which(program)
    if path is None:
        raise EngineCannot(
            f"The program {program} is not installed.", hint=f"Install it: sudo apt-get install {package}"
        )
    return str(Path(path).absolute())


def run(
    argv: Sequence[str],
    *,
    deadline: float,
    stdin: bytes | None = None,
    check: Callable[[], None] | None = None,
    cwd: Path | None = None,
    memory: int | None = None,
    on_line: Callable[[str], None] | None = None,
    env: Mapping[str, str] | None = None,
    keep: Sequence[str] = (),
    limit: int = 1 << 28,
    give: Sequence[int] = (),
) -> Result:
    r"""Run a program to its end; a non-zero exit is returned, not raised.

    ``deadline`` is in seconds. ``check`` is called about ten times a second and stops the program by
    raising. ``memory`` limits the address space in bytes (Linux). ``on_line`` is given every line of
    stderr as it comes (``\r`` ends a line too). ``env`` adds to the reduced environment, ``keep`` the
    variables of our own whose names begin so (in any case of letters). ``limit`` is the most stdout
    accepted, in bytes. ``give`` are open descriptors the program gets under the same numbers.

    Raises Unreachable when the deadline passes, EngineCannot when the program cannot be started,
    BadAnswer when it writes more than ``limit``, and whatever ``check`` or ``on_line`` raise.
    """
    end = time.monotonic() + deadline
    name = Path(argv[0]).name
    try:
        if shutil.which(argv[0]) is None:
            raise FileNotFoundError(errno.ENOENT, "no such program")
        process = subprocess.Popen(
            [*_tied_to_us(), *argv],
            stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env=_environment(env or {}, tuple(keep)),
            process_group=0,
            pass_fds=tuple(give),
        )
    except (OSError, ValueError) as error:
        raise EngineCannot(
            f"The program {name} cannot be started: {getattr(error, 'strerror', None) or error}.",
            hint="Check that it is installed and may be executed.",
        ) from error
    try:
        if memory is not None:
            _limit_memory(process.pid, memory)
        talk = _Talk(process, stdin or b"", on_line, limit, name)
        while not talk.finished():
            if time.monotonic() > end:
                raise Unreachable(
                    f"The program {name} gave no result within {deadline:g} seconds and was stopped.",
                    hint="It may hang on this input, or the machine may be overloaded.",
                    engine=name,
                )
            if check is not None:
                check()
            talk.step(max(0.0, min(_POLL, end - time.monotonic())))
        return Result(process.wait(), bytes(talk.stdout), talk.log.decode("utf-8", "replace"))
    finally:
        _stop(process)


Program = subprocess.Popen[bytes]
"""A program that was started and goes on by itself."""


def start(argv: Sequence[str], *, env: Mapping[str, str]) -> Program:
    """Start a program that runs as long as we do: with our environment and ``env``, our output, no input.

    It has a process group of its own, so that Ctrl-C reaches it through us, and dies when the thread dies
    that started it (Linux). Raises EngineCannot when it cannot be started.
    """
    try:
        return subprocess.Popen(
            [*_tied_to_us(), *argv], stdin=subprocess.DEVNULL, env={**os.environ, **env}, process_group=0
        )
    except OSError as error:
        raise EngineCannot(
            f"The program {Path(argv[0]).name} cannot be started: {error.strerror or error}.",
            hint="Check that it is installed and may be executed.",
        ) from error


@dataclass(slots=True)
class _Talk:
    """The three pipes of one running program, served from the calling thread without blocking."""

    process: subprocess.Popen[bytes]
    unsent: bytes
    on_line: Callable[[str], None] | None
    limit: int
    name: str
    stdout: bytearray = field(default_factory=bytearray)
    log: bytearray = field(default_factory=bytearray)
    _line: bytearray = field(default_factory=bytearray)
    _sent: int = 0
    _selector: selectors.DefaultSelector = field(default_factory=selectors.DefaultSelector)

    def __post_init__(self) -> None:
        for pipe, event in (
            (self.process.stdin, selectors.EVENT_WRITE),
            (self.process.stdout, selectors.EVENT_READ),
            (self.process.stderr, selectors.EVENT_READ),
        ):
            if pipe is not None:
                os.set_blocking(pipe.fileno(), False)
                self._selector.register(pipe, event)

    def finished(self) -> bool:
        """True when the program has ended and everything it wrote has been read."""
        if self.process.poll() is None:
            return False
        if self._selector.get_map():
            # Left-over grandchildren may hold the pipes open; they are not waited for.
            _kill(self.process)
            while self.step(0.0):
                pass
        if self._line and self.on_line is not None:
            self.on_line(self._line.decode("utf-8", "replace"))
        self._selector.close()
        return True

    def step(self, timeout: float) -> bool:
        """Serve whatever is ready within ``timeout`` seconds; False when nothing was."""
        if not self._selector.get_map():
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout)
            return False
        ready = self._selector.select(timeout)
        for key, _ in ready:
            pipe = key.fileobj
            if pipe is self.process.stdin:
                self._send(self.process.stdin)
            elif pipe is self.process.stdout:
                self._receive(self.process.stdout, self._keep)
            elif self.process.stderr is not None:
                self._receive(self.process.stderr, self._listen)
        return bool(ready)

    def _send(self, pipe: IO[bytes]) -> None:
        try:
            self._sent += os.write(pipe.fileno(), self.unsent[self._sent : self._sent + _CHUNK])
        except BlockingIOError:
            return
        except BrokenPipeError:
            self._sent = len(self.unsent)
        if self._sent >= len(self.unsent):
            self._selector.unregister(pipe)
            pipe.close()

    def _receive(self, pipe: IO[bytes], take: Callable[[bytes], None]) -> None:
        try:
            data = os.read(pipe.fileno(), _CHUNK)
        except BlockingIOError:
            return
        if data:
            take(data)
        else:
            self._selector.unregister(pipe)

    def _keep(self, data: bytes) -> None:
        self.stdout += data
        if len(self.stdout) > self.limit:
            raise BadAnswer(
                f"The program {self.name} wrote more than {self.limit} bytes and was stopped.",
                hint="Its answer makes no sense; try another input or another engine.",
                engine=self.name,
            )

    def _listen(self, data: bytes) -> None:
        self.log += data
        del self.log[:-_LOG]
        if self.on_line is None:
            return
        *lines, rest = (bytes(self._line) + data).replace(b"\r", b"\n").split(b"\n")
        self._line = bytearray(rest[-_LOG:])
        for line in lines:
            if line:
                self.on_line(line.decode("utf-8", "replace"))


def _environment(extra: Mapping[str, str], prefixes: tuple[str, ...]) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in _INHERITED or name.upper().startswith(prefixes)
    }
    return {"PATH": os.defpath, **kept, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", **extra}


@functools.cache
def _tied_to_us() -> tuple[str, ...]:
    """A prefix that makes the kernel kill the program when the thread that started it dies.

    A separate program does it, because code between fork and exec is not safe in a process with threads.
    """
    path = shutil.which("setpriv") if sys.platform == "linux" else None
    if path is None:
        return ()
    prefix = (str(Path(path).absolute()), "--pdeathsig", "KILL", "--")
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        trial = subprocess.run([*prefix, path, "--version"], capture_output=True, check=False, timeout=5)
        if trial.returncode == 0:
            return prefix
    return ()  # a setpriv without that option (busybox)


def _limit_memory(pid: int, size: int) -> None:
    if sys.platform == "linux":
        import resource

        with contextlib.suppress(ProcessLookupError):  # it may have ended already
            resource.prlimit(pid, resource.RLIMIT_AS, (size, size))


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of the group, and leave no zombie and no open pipe behind."""
    _kill(process)
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
