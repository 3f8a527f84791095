"""Run one dub in this process and write down what it cost: the other benchmarks start this one.

``python -m benchmarks.harness ORDER RESULT`` reads a JSON order (fields of ``DubRequest`` plus
``data_dir`` and ``log``) and writes a JSON result: CPU, memory, programs started, receipt, files.
The log gets a line ``made KEY`` per engine answer that was made, the moment it is to be kept.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import programs

_PAGE = os.sysconf("SC_PAGE_SIZE")
_EVERY = 0.1
_PROGRAMS = ("ffmpeg", "ffprobe", "espeak-ng", "apertium", "flite", "python")


def main(order_path: Path, result_path: Path) -> None:
    """Carry out the order."""
    order: dict[str, Any] = json.loads(order_path.read_text("utf-8"))
    data_dir, log = Path(order.pop("data_dir")), order.pop("log", None)
    environ = {"HOME": os.environ["HOME"], **order.pop("environ", {})}
    separation = order.pop("separation", None)
    started = _Programs()
    peak = _Peak()
    began = time.monotonic()

    from autodub.gateway.cancel import Cancel
    from autodub.gateway.store import Store
    from autodub.infra.settings import load
    from autodub.model.request import DubRequest
    from autodub.pipeline.dub import dub
    from benchmarks import simulated

    if log is not None:
        _log_answers(Store, Path(log))
    events: list[tuple[float, float, str, str, str]] = []
    flights: dict[str, list[tuple[float, float]]] = {}
    spent: defaultdict[str, float] = defaultdict(float)
    _time_calls(flights, spent, began)

    def listen(event: Any) -> None:
        if event.kind != "stage.progress":  # of which there are many
            now = time.monotonic() - began
            events.append((now, time.process_time(), event.kind, event.stage, event.message))

    with simulated.separator(separation):
        settings = load(environ=environ, data_dir=data_dir)
        dubbed = dub(DubRequest(**order), settings=settings, listener=listen, cancel=Cancel())
    wall = time.monotonic() - began
    most = peak.stop()
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    result = {
        "wall_s": wall,
        "cpu_self_s": own.ru_utime + own.ru_stime - peak.spent,
        "cpu_children_s": children.ru_utime + children.ru_stime,
        "cpu_roles_s": dict(spent),
        "cpu_programs_s": dict(started.spent),
        "peak_self_mb": own.ru_maxrss / 1024,
        "peak_tree_mb": most / 2**20,
        "programs": dict(started.started),
        "output": str(dubbed.output),
        "project": str(dubbed.project),
        "reused": dubbed.reused,
        "events": events,
        "flights": flights,
        "sha256": hashlib.sha256(Path(dubbed.output).read_bytes()).hexdigest(),
        "receipt": dubbed.receipt.as_dict(),
    }
    result_path.write_text(json.dumps(result), encoding="utf-8")


def order(request: dict[str, Any], folder: Path, name: str) -> tuple[list[str], Path]:
    """The command that carries out a request, and where its result will be."""
    order_path, result_path = folder / f"{name}.order.json", folder / f"{name}.result.json"
    result_path.unlink(missing_ok=True)
    order_path.write_text(json.dumps(request), encoding="utf-8")
    return [sys.executable, "-m", "benchmarks.harness", str(order_path), str(result_path)], result_path


def run(request: dict[str, Any], folder: Path, name: str) -> dict[str, Any]:
    """Carry out a request in a process of its own; its result. Ends the benchmark when that fails."""
    return run_all([(request, folder, name)])[0]


def run_all(orders: Sequence[tuple[dict[str, Any], Path, str]]) -> list[dict[str, Any]]:
    """Carry out requests at once, each in a process of its own; their results in order."""
    # An installed package has its bytecode beside it, whatever this shell says.
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    running = []
    for request, folder, name in orders:
        command, result_path = order(request, folder, name)
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environ
        )
        running.append((process, result_path, name))
    results = []
    for process, result_path, name in running:
        _, complaint = process.communicate()
        if process.returncode != 0:
            sys.exit(f"{name} failed:\n{complaint[-3000:]}")
        results.append(json.loads(result_path.read_text("utf-8")))
    return results


class _Programs:
    """Counts every program started through subprocess, and the CPU seconds it took, by name."""

    def __init__(self) -> None:
        self.started = Counter[str]()
        self.spent: defaultdict[str, float] = defaultdict(float)
        programs.watch(self._began, self._ended)

    def _began(self, args: Any) -> str:
        name = _program(args)
        self.started[name] += 1
        return name

    def _ended(self, name: str, seconds: float) -> None:
        self.spent[name] += seconds


def _program(args: Any) -> str:
    words = [args] if isinstance(args, (str, bytes)) else [str(word) for word in args]
    names = [Path(str(word)).name for word in words[:8]]
    known = (p for name in names for p in _PROGRAMS if name == p or (p == "python" and name.startswith(p)))
    found = next(known, names[0])
    return "yt-dlp" if found == "python" and any("ytdlp" in str(word) for word in words) else found


def _time_calls(
    flights: dict[str, list[tuple[float, float]]], spent: defaultdict[str, float], began: float
) -> None:
    """Note when each attempt at a call of an engine was under way, and its CPU seconds, by role."""
    from autodub.gateway.door import Door
    from autodub.gateway.meter import Meter

    meter: Any = Meter
    count = meter.count

    def counted(self: Any, name: str, version: str, verb: str, **amounts: Any) -> None:
        spent[name.partition(".")[0]] += amounts.get("cpu", 0.0)
        count(self, name, version, verb, **amounts)

    meter.count = counted
    door: Any = Door
    send = door._send

    def timed(self: Any, call: Any, *rest: Any) -> Any:
        since = time.monotonic() - began
        try:
            return send(self, call, *rest)
        finally:
            flights.setdefault(call.info.role, []).append((since, time.monotonic() - began))

    door._send = timed


def _log_answers(store: Any, log: Path) -> None:
    """Write the key of every answer that is about to be kept, in one write each."""
    original = store.put
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def logged(self: Any, key: str, answer: Any) -> Any:
        os.write(file, f"made {key} {answer.engine} {answer.verb}\n".encode())
        return original(self, key, answer)

    store.put = logged


class _Peak:
    """The most memory this process and its descendants held at once, sampled ten times a second."""

    def __init__(self) -> None:
        self._most = 0
        self.spent = 0.0
        """CPU seconds that looking took."""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> int:
        """Bytes."""
        self._over.set()
        self._thread.join()
        return self._most

    def _watch(self) -> None:
        while not self._over.wait(_EVERY):
            self._most = max(self._most, sum(_resident(pid) for pid in _tree(os.getpid())))
        self.spent = time.thread_time()


def _tree(root: int) -> list[int]:
    found, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        try:
            for task in Path(f"/proc/{pid}/task").iterdir():
                waiting += [int(child) for child in (task / "children").read_text().split()]
        except OSError:  # it ended while we looked
            continue
    return found


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    except OSError:
        return 0


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
