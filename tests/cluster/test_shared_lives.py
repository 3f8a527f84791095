"""Who uses a store that machines share: whoever is killed holds nothing, whoever lives keeps what he has."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import time
from typing import cast

import psycopg
import pytest
from s3_server import S3Server
from stores import Machine, Open, answer, keys, look, ours, rows

from autodub.gateway.releasing import Released
from autodub.infra.shared_store import SharedStore
from autodub.infra.storage import NotThere

_HOLDER = """
    import sys, time
    from pathlib import Path
    from autodub.gateway.opening import open_store
    from autodub.gateway.store import Answer
    from autodub.infra import settings

    store = open_store(settings.load(data_dir=Path(sys.argv[1])), owner="a")
    assert store.flight("k").take()
    with store.blobs.scratch() as folder:
        (folder / "f.bin").write_bytes(b"half a job")
        store.blobs.keep(folder / "f.bin")
    print("ready", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("where", ["here", "elsewhere"])
def test_who_is_killed_holds_nothing(
    s3_shared: Machine,
    s3: S3Server,
    opening: Open,
    monkeypatch: pytest.MonkeyPatch,
    where: str,
) -> None:
    """While a process lives its files and locks are its own; after kill -9 they are nobody's.

    On the same machine that is known at once; on another one when its lease has run out.
    """
    of = s3_shared("data")
    monkeypatch.setenv("AUTODUB_STORE_DATABASE", of.store_database.get_secret_value())
    monkeypatch.setenv("AUTODUB_BLOBS", of.blobs)
    code = textwrap.dedent(_HOLDER)
    process = subprocess.Popen([sys.executable, "-c", code, str(of.data_dir)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    store = opening(s3_shared("data" if where == "here" else "far"))
    assert store.collect() == Released()
    assert not store.flight("k").take()
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    sessions = cast("SharedStore", store._shared)._process.sessions
    if where == "elsewhere":
        look(store)
        assert store.collect() == Released()
        sessions.lease = 0.6  # half of it may lie between two looks, on a busy machine as well
        end = time.monotonic() + 60
        while len(rows(of, "sessions")) > 1 and time.monotonic() < end:
            sessions._renew()
            look(store)
    lock = store.flight("k")
    while not lock.take():
        pass
    lock.free()
    assert store.collect() == Released(files=1, bytes=10)
    assert keys(of, s3) == []


_KEEPER = """
    import sys
    from pathlib import Path
    from autodub.gateway.opening import open_store
    from autodub.gateway.store import Answer
    from autodub.infra import settings

    store = open_store(settings.load(data_dir=Path(sys.argv[1])), owner="a")
    for n in range(10_000):
        with store.blobs.scratch() as folder:
            (folder / "f.bin").write_bytes(f"{sys.argv[2]} {n}".encode())
            blob = store.blobs.keep(folder / "f.bin")
        store.put(f"{sys.argv[2]} {n}", Answer("role.fake", "1", "speak", '"x"', (blob,), (), 1.0))
        print(n, flush=True)
"""


def test_killed_at_any_instant(shared: Machine, opening: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """After kill -9 every answer is whole, none that was told of is missing, all of it can be released."""
    of = shared("data")
    monkeypatch.setenv("AUTODUB_STORE_DATABASE", of.store_database.get_secret_value())
    monkeypatch.setenv("AUTODUB_BLOBS", of.blobs)
    code = textwrap.dedent(_KEEPER)
    told: dict[str, int] = {}
    for name in ("one", "two"):
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(of.data_dir), name], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        for _ in range(5 if name == "one" else 8):
            told[name] = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    store = opening(shared("other"), "b")
    for name, last in told.items():
        for n in range(last + 1):
            found = store.get(f"{name} {n}")
            assert found is not None
            assert store.blobs.path(found.blobs[0]).read_bytes() == f"{name} {n}".encode()
    assert store.blobs.verify() == ()
    store.close()
    sweeper = opening(of)
    look(sweeper)
    for owner in ("a", "b"):
        sweeper.release(owner)
    sweeper.collect()
    assert [rows(of, table) for table in ("answers", "objects", "places", "uses")] == [[]] * 4
    there = ours(sweeper)._there
    assert list(there.before(time.time() + 3600)) == []


def test_a_database_that_was_away_makes_nobody_dead(shared: Machine, opening: Open) -> None:
    """Somebody late is struck only by who watched him stay silent; who was away himself starts again."""
    here, far = opening(shared("here")), opening(shared("far"))
    sessions = cast("SharedStore", here._shared)._process.sessions
    with psycopg.connect(shared().store_database.get_secret_value()) as connection:
        connection.execute("UPDATE autodub_store.sessions SET seen = seen - 3600")
    look(here)
    assert len(rows(shared(), "sessions")) == 2
    sessions._asked -= 100  # the last look was long ago: we could not see whether he was silent
    sessions._silent = {name: (seen, since - 100) for name, (seen, since) in sessions._silent.items()}
    look(here)
    assert len(rows(shared(), "sessions")) == 2
    sessions._silent = {name: (seen, since - 100) for name, (seen, since) in sessions._silent.items()}
    look(here)
    assert len(rows(shared(), "sessions")) == 1
    far.blobs.holding.add("answer k")
    assert "answer k" in here.blobs.held()


def test_a_database_that_begins_anew_loses_nothing(shared: Machine, opening: Open) -> None:
    """When every connection breaks, what is held and locked stays so, and the work goes on."""
    store, other = opening(shared("one"), "a"), opening(shared("two"))
    made = answer(store, b"a line")
    lock = store.flight("k")
    assert lock.take()
    with psycopg.connect(shared().store_database.get_secret_value(), autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    assert not other.flight("k").take()
    assert other.collect() == Released()
    assert store.put("k", made) == made
    lock.free()
    assert other.flight("k").take()
    assert other.get("k") == made


def test_who_was_taken_for_dead_records_nothing_wrong(shared: Machine, opening: Open) -> None:
    """What was removed meanwhile is missed: the answer that names it is refused, and made anew it is kept."""
    store, sweeper = opening(shared("one"), "a"), opening(shared("two"))
    late = answer(store, b"late")
    kept = answer(store, b"kept")
    with psycopg.connect(shared().store_database.get_secret_value()) as connection:
        connection.execute(
            "DELETE FROM autodub_store.sessions WHERE id LIKE %s", (f"{ours(store)._session.id}%",)
        )
    assert sweeper.collect() == Released(files=2, bytes=8)
    with pytest.raises(NotThere):
        store.put("k", late)
    assert store.put("k", answer(store, b"late")) == late
    assert store.get("k") == late
    assert not store.blobs.has(kept.blobs[0])
    store.close()
    assert sweeper.get("k") == late
