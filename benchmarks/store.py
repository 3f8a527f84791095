"""What the store costs: an answer with a file put, looked up and read, in the store of the settings.

``python -m benchmarks.store``: the embedded one. With ``AUTODUB_STORE_DATABASE`` and ``AUTODUB_BLOBS`` the
shared one, whose copies on this machine are dropped before files are read anew.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from autodub.gateway.opening import open_store
from autodub.gateway.store import Answer, Store
from autodub.infra import settings
from autodub.infra.settings import Settings

_ROUNDS = 100
_LARGE, _FEW = 20_000_000, 3


def _file(store: Store, content: bytes) -> Answer:
    with store.blobs.scratch() as folder:
        (folder / "f.wav").write_bytes(content)
        blob = store.blobs.keep(folder / "f.wav")
    return Answer("benchmark.store", "1", "speak", '"x"', (blob,), (), 1.0)


def _median(count: int, work: Callable[[int], object]) -> float:
    taken = []
    for number in range(count):
        began = time.perf_counter()
        work(number)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken) * 1000


def _measure(of: Settings, elsewhere: Settings) -> None:
    made: dict[int, Answer] = {}

    def put(number: int) -> None:
        answer = _file(store, number.to_bytes(4) * 25_000)
        made[number] = store.put(f"benchmark {number}", answer)

    with closing(open_store(of, owner="benchmark")) as store:
        print(f"put an answer with a file of 100 kB   {_median(_ROUNDS, put):8.2f} ms")
        large = [number.to_bytes(4) * (_LARGE // 4) for number in range(_FEW)]
        files: list[Answer] = []
        took = _median(_FEW, lambda number: files.append(_file(store, large[number])))
        print(f"keep a file of 20 MB                  {took:8.2f} ms")
        for number, one in enumerate(files):
            store.put(f"benchmark large {number}", one)
    with closing(open_store(of, owner="benchmark 2")) as store:
        took = _median(_ROUNDS, lambda number: store.get(f"benchmark {number}"))
        print(f"look an answer up                     {took:8.2f} ms")
        took = _median(_ROUNDS, lambda number: store.blobs.path(made[number].blobs[0]).read_bytes())
        print(f"read its file, which is here          {took:8.2f} ms")
    with closing(open_store(elsewhere, owner="benchmark 2")) as store:
        if of is not elsewhere:
            took = _median(_ROUNDS, lambda number: store.blobs.path(made[number].blobs[0]).read_bytes())
            print(f"read its file, which is elsewhere     {took:8.2f} ms")
            took = _median(_FEW, lambda number: store.blobs.path(files[number].blobs[0]))
            print(f"bring a file of 20 MB                 {took:8.2f} ms")
        store.release("benchmark")
        store.release("benchmark 2")


def main() -> None:
    """Measure, in temporary data directories, and remove what was made."""
    with tempfile.TemporaryDirectory() as folder:
        here = settings.load(data_dir=Path(folder) / "here")
        shared = bool(here.store_database.get_secret_value())
        _measure(here, settings.load(data_dir=Path(folder) / "elsewhere") if shared else here)


if __name__ == "__main__":
    main()
