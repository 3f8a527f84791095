"""Run one dub in this process and write down what it cost: the other benchmarks start this one.

``python -m benchmarks.harness ORDER RESULT`` reads a JSON order (fields of ``DubRequest`` plus
``data_dir`` and ``log``) and writes a JSON result: CPU, memory, programs started, receipt, files.
The log gets a line ``made KEY`` per engine answer that was made, the moment it is to be kept.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

_PAGE = os.sysconf("SC_PAGE_SIZE")
_EVERY = 0.1
_PROGRAMS = ("ffmpeg", "ffprobe", "espeak-ng", "apertium", "flite", "python")


def main(order_path: Path, result_path: Path) -> None:
    """Carry out the order."""
    order: dict[str, Any] = json.loads(order_path.read_text("utf-8"))
    data_dir, log = Path(order.pop("data_dir")), order.pop("log", None)
    environ = {"HOME": os.environ["HOME"], **order.pop("environ", {})}
    separation = order.pop("separation", None)
    started = Counter[str]()
    _count_programs(started)
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
    with simulated.separator(separation):
        dubbed = dub(
            DubRequest(**order), settings=load(environ=environ, data_dir=data_dir),
            listener=lambda event: events.append(
                (time.monotonic() - began, time.process_time(), event.kind, event.stage, event.message)
            ),
            cancel=Cancel(),
        )  # fmt: skip
    wall = time.monotonic() - began
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    result = {
        "wall_s": wall,
        "cpu_self_s": own.ru_utime + own.ru_stime,
        "cpu_children_s": children.ru_utime + children.ru_stime,
        "peak_self_mb": own.ru_maxrss / 1024,
        "peak_tree_mb": peak.stop() / 2**20,
        "programs": dict(started),
        "output": str(dubbed.output),
        "project": str(dubbed.project),
        "reused": dubbed.reused,
        "events": [event for event in events if event[2] != "stage.progress"],
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
    command, result_path = order(request, folder, name)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{name} failed:\n{done.stderr[-3000:]}")
    result: dict[str, Any] = json.loads(result_path.read_text("utf-8"))
    return result


def _count_programs(started: Counter[str]) -> None:
    """Count every program started through subprocess, by name."""
    original = subprocess.Popen.__init__

    def counted(self: Any, args: Any, *rest: Any, **named: Any) -> None:
        words = [args] if isinstance(args, (str, bytes)) else [str(word) for word in args]
        names = [Path(str(word)).name for word in words[:8]]
        known = (
            p for name in names for p in _PROGRAMS if name == p or (p == "python" and name.startswith(p))
        )
        started[next(known, names[0])] += 1
        original(self, args, *rest, **named)

    subprocess.Popen.__init__ = counted  # type: ignore[method-assign]


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
