"""Worker processes that speak JSON lines, for libraries that hold the interpreter lock or may crash.

A worker module calls ``serve(handler)``; the caller keeps ``Workers`` open around a piece of work::

    with Workers("autodub.engines.sphinx_worker", count=2, engine="sphinx") as workers:
        answers = workers.map(requests, deadline=600, check=work.check)

Requests and answers are one JSON value per line on standard input and output; sound travels as file
paths. Each worker is its own process group and cannot outlive its purpose: it leaves when its standard
input ends, which happens however the caller dies, and on Linux the kernel kills it as well. One thread
serves all workers; nothing is started before the first request.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Self

from autodub.model import errors
from autodub.model.errors import AutodubError, BadAnswer, EngineCannot, EngineError, Unreachable

_POLL = 0.1
"""Seconds between two looks at the clock and at ``check``."""
_LOG = 1 << 14
"""Bytes of a worker's stderr that are kept."""
_ANSWER = 1 << 26
"""Longest answer accepted, bytes."""
_INHERITED = ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONUSERBASE", "VIRTUAL_ENV")
_OURS = ("PYTHONPATH", "PYTHONUSERBASE", "VIRTUAL_ENV")
"""Of these, what would show another interpreter packages that are not its own."""
_DEFAULTS = {"LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "OMP_NUM_THREADS": "1", "PYTHONUTF8": "1"}
_PACKAGE = Path(__file__).resolve().parents[1]
_START = """\
import importlib.util, runpy, sys
folder, module = sys.argv[1:3]
del sys.argv[1:3]
name = folder.rpartition("/")[2]
spec = importlib.util.spec_from_file_location(
    name, folder + "/__init__.py", submodule_search_locations=[folder]
)
sys.modules[name] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sys.modules[name])
runpy.run_module(module, run_name="__main__", alter_sys=True)
"""
"""Runs a module with this package in reach, but not the folder it lies in: others lie there as well."""


class Killed(Unreachable):
    """The system took a worker away: on Linux because memory ran out, with few exceptions."""


class Workers:
    """Up to ``count`` worker processes of one module, started when first needed.

    ``module`` is run as ``python -m module *arguments``. ``environment`` adds to the reduced
    environment workers see. ``python`` is another interpreter to run it with: of everything installed
    here it sees this package and nothing else. Use it as a context manager: leaving kills every worker.
    """

    def __init__(
        self,
        module: str,
        *,
        count: int = 1,
        engine: str = "",
        arguments: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        python: Path | None = None,
    ) -> None:
        if count < 1:
            raise ValueError(f"a pool needs at least one worker, not {count}")
        self.engine = engine or module.rpartition(".")[2]
        foreign = python is not None and python != Path(sys.executable)
        start = ["-c", _START, str(_PACKAGE), module] if foreign else ["-m", module]
        self._argv = [str(python or sys.executable), "-P", *start, *arguments]
        self._inherited = tuple(name for name in _INHERITED if not (foreign and name in _OURS))
        self._environment = dict(environment or {})
        self._count = count
        self._idle: list[_Worker] = []
        self._busy: list[_Worker] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Kill all workers; a later call starts fresh ones."""
        while self._idle or self._busy:
            (self._idle or self._busy).pop().stop()

    def call(self, request: Any, *, deadline: float, check: Callable[[], None] | None = None) -> Any:
        """One request's answer; as ``map``."""
        return self.map([request], deadline=deadline, check=check)[0]

    def map(
        self,
        requests: Sequence[Any],
        *,
        deadline: float,
        check: Callable[[], None] | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> list[Any]:
        """Answers in the order of the requests, which are JSON values handed out in order.

        ``deadline`` is in seconds per request. ``check`` is called about ten times a second and
        ``progress(done, all)`` after every answer; what they raise stops the work and kills the workers.
        Raises Unreachable when a worker dies (Killed by SIGKILL) or its deadline passes, BadAnswer when it
        writes what is not an answer, and the error of the tree a worker's handler raised.
        """
        answers: list[Any] = [None] * len(requests)
        waiting = iter(enumerate(requests))
        done = 0
        try:
            with selectors.DefaultSelector() as selector:
                self._hand_out(waiting, selector, deadline)
                while self._busy:
                    ready = {key.data for key, _ in selector.select(_POLL)}
                    if check is not None:
                        check()
                    for worker in tuple(self._busy):
                        if worker not in ready:
                            worker.look_at_clock()
                            continue
                        for answer in worker.receive():
                            answers[worker.request] = answer
                            done += 1
                            worker.unwatch(selector)
                            self._busy.remove(worker)
                            self._idle.append(worker)
                            if progress is not None:
                                progress(done, len(requests))
                    self._hand_out(waiting, selector, deadline)
        except BaseException:  # also Ctrl-C: no worker may outlive the call
            self.close()
            raise
        return answers

    def _hand_out(self, waiting: Any, selector: selectors.BaseSelector, deadline: float) -> None:
        """Give every free worker its next request."""
        while len(self._busy) < self._count and (item := next(waiting, None)) is not None:
            if not self._idle:
                self._idle.append(self._start())
            worker = self._idle.pop()
            self._busy.append(worker)
            worker.watch(selector)
            worker.send(item[0], item[1], deadline)

    def _start(self) -> _Worker:
        kept = {name: os.environ[name] for name in self._inherited if name in os.environ}
        environment = {"PATH": os.defpath, **_DEFAULTS, **kept, **self._environment}
        try:
            return _Worker(self._argv, environment, self.engine)
        except OSError as error:
            raise EngineCannot(
                f"The {self.engine} worker cannot be started: {error.strerror or error}.",
                hint=f"Check that {self._argv[0]} exists and may be executed.",
            ) from error


class _Worker:
    """One running worker process and the request it is busy with."""

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str], engine: str) -> None:
        self.engine = engine
        self.request = -1
        self._limit = self._end = 0.0
        self._line = bytearray()
        self._log = bytearray()
        self.process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(environment),
            process_group=0,
            bufsize=0,
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self._in: IO[bytes] = self.process.stdin
        self._out: IO[bytes] = self.process.stdout
        self._err: IO[bytes] = self.process.stderr
        os.set_blocking(self._out.fileno(), False)
        os.set_blocking(self._err.fileno(), False)

    def watch(self, selector: selectors.BaseSelector) -> None:
        selector.register(self._out, selectors.EVENT_READ, self)
        selector.register(self._err, selectors.EVENT_READ, self)

    def unwatch(self, selector: selectors.BaseSelector) -> None:
        selector.unregister(self._out)
        selector.unregister(self._err)

    def send(self, number: int, request: Any, deadline: float) -> None:
        self.request, self._limit = number, deadline
        self._end = time.monotonic() + deadline
        line = json.dumps({"id": number, "request": request}, ensure_ascii=False).encode() + b"\n"
        try:
            # Never blocks for long: a worker reads its input in a thread of its own.
            sent = 0
            while sent < len(line):
                sent += os.write(self._in.fileno(), line[sent:])
        except OSError:
            self._died()

    def look_at_clock(self) -> None:
        if time.monotonic() > self._end:
            raise Unreachable(
                f"The {self.engine} worker gave no answer within {self._limit:g} seconds and was stopped.",
                hint="It may hang on this input, or the machine may be overloaded; try again.",
                engine=self.engine,
            )

    def receive(self) -> list[Any]:
        """What came in: no answer yet, or the one answer to the request."""
        self._log += _available(self._err) or b""
        del self._log[:-_LOG]
        data = _available(self._out)
        if data == b"":
            self._died()
        self._line += data or b""
        if len(self._line) > _ANSWER:
            raise self._nonsense("an endless line")
        line, newline, rest = self._line.partition(b"\n")
        if not newline:
            self.look_at_clock()
            return []
        self._line = rest
        try:
            reply = json.loads(line)
            fits = reply["id"] == self.request and ("result" in reply or "error" in reply)
        except (ValueError, KeyError, TypeError):
            fits = False
        if not fits:
            raise self._nonsense(repr(bytes(line[:80])))
        if "error" in reply:
            raise _revived(reply["error"], self.engine)
        return [reply["result"]]

    def _nonsense(self, what: str) -> BadAnswer:
        return BadAnswer(
            f"The {self.engine} worker answered with {what} where a result was expected.",
            hint="Try again; if it stays, the engine is broken or of another version.",
            engine=self.engine,
        )

    def _died(self) -> None:
        """Say how the process ended, with the last line of what it complained about."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(5)
        while more := _available(self._err):
            self._log += more
        lines = [line for line in self._log.decode("utf-8", "replace").splitlines() if line.strip()]
        code = self.process.poll()
        how = (
            f"was killed by signal {-code}" if code is not None and code < 0 else f"ended with status {code}"
        )
        kind = Killed if code == -signal.SIGKILL else Unreachable
        raise kind(
            f"The {self.engine} worker {how}: {lines[-1].strip() if lines else 'it said nothing'}.",
            hint="Try again; if it stays, another engine can do this work.",
            engine=self.engine,
        )

    def stop(self) -> None:
        """Kill the whole group, and leave no zombie and no open pipe behind."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for pipe in (self._in, self._out, self._err):
            pipe.close()


def _available(pipe: IO[bytes]) -> bytes | None:
    """Bytes that can be read now; empty at the end, None when there are none yet."""
    try:
        return os.read(pipe.fileno(), 1 << 16)
    except BlockingIOError:
        return None


def _revived(description: Mapping[str, str], engine: str) -> AutodubError:
    """The error a handler raised, as the same class on this side."""
    known: dict[str, type[AutodubError]] = {}
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, AutodubError):
            known[kind.code] = kind
    kind = known.get(description.get("code", ""), EngineError)
    error = kind(description.get("message", ""), hint=description.get("hint", ""))
    if isinstance(error, EngineError):
        error.engine = engine
    return error


def serve(handler: Callable[[Any], Any]) -> None:
    """A worker's main loop: answer each request with ``handler(request)`` until standard input ends.

    Errors of the tree travel to the caller; any other exception ends the process, its last line being
    the reason the caller is given. Whatever libraries print goes to stderr.
    """
    die_with_parent()
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(lines,), daemon=True).start()
    while True:
        message = json.loads(lines.get())
        reply: dict[str, Any] = {"id": message["id"]}
        try:
            reply["result"] = handler(message["request"])
        except AutodubError as error:
            reply["error"] = {"code": error.code, "message": error.message, "hint": error.hint}
        line = memoryview(json.dumps(reply, ensure_ascii=False).encode() + b"\n")
        while line:
            line = line[out.write(line) :]


def _listen(lines: queue.SimpleQueue[bytes]) -> None:
    # A stream of its own: the interpreter cannot shut down while a thread waits in sys.stdin.
    with os.fdopen(os.dup(0), "rb") as stream:
        for line in stream:
            lines.put(line)
    os._exit(0)  # the caller is gone or done; nothing in here is worth finishing


def die_with_parent() -> None:
    """Ask the kernel to kill us when the thread that started us dies (Linux)."""
    if sys.platform != "linux":
        return
    import ctypes

    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
