"""The store: what is kept, what is not, pruning, damage, and dying at any instant."""

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time

import pytest

from autodub.gateway.gateway import Gateway
from autodub.gateway.store import Answer, Pruned, Store
from autodub.model.errors import OutputProblem, UnsupportedSource
from autodub.testing.fakes import FakeSynthesizer

_DAY = 86_400.0


def _file(store, content, suffix=".bin"):
    with store.blobs.scratch() as scratch:
        path = scratch / f"f{suffix}"
        path.write_bytes(content)
        return store.blobs.keep(path)


def _answer(store, content=b"content", result='"x"'):
    blobs = () if content is None else (_file(store, content),)
    return Answer("role.fake", "1", "verb", result, blobs, (("characters", 3.0),), 1.5)


def test_an_answer_comes_back_whole(store):
    """What was put is what is got, by its key only."""
    answer = _answer(store)
    assert store.put("k1", answer) == answer
    assert store.get("k1") == answer
    assert store.get("k2") is None


def test_the_first_writer_wins(store):
    """A second answer under the same key is dropped and the first returned."""
    first = store.put("k", _answer(store, b"one"))
    assert store.put("k", _answer(store, b"two", '"y"')) == first
    assert store.get("k") == first


def test_an_answer_without_its_files_gives_way(store):
    """When the first answer's file is gone, the second writer's is kept."""
    first = store.put("k", _answer(store, b"one"))
    store.blobs.path(first.blobs[0]).unlink()
    assert store.get("k") is None
    second = _answer(store, b"two", '"y"')
    assert store.put("k", second) == second
    assert store.get("k") == second


@pytest.mark.parametrize("column", ["result", "blobs", "usage", "digest"])
def test_a_damaged_row_is_noticed(tmp_path, say, column):
    """A row changed behind our back is never answered from; the call is made again and repairs it."""
    store = Store(tmp_path)
    engine = FakeSynthesizer()
    first = Gateway(store).call(engine, "synthesize", say())
    with sqlite3.connect(tmp_path / "index.sqlite") as index:
        index.execute(f"UPDATE answers SET {column} = replace({column}, '1', '7') || ' '")
    index.close()
    assert Gateway(store).call(engine, "synthesize", say()) == first
    assert len(engine.script.requests) == 2
    assert Gateway(store).call(engine, "synthesize", say()) == first
    assert len(engine.script.requests) == 2
    store.close()


def test_a_row_of_another_shape_is_made_again(store, say):
    """A result that no longer reads as the verb's type is forgotten, not guessed at."""
    from autodub.gateway import keys

    engine = FakeSynthesizer()
    store.put(keys.key(engine, "synthesize", say()), _answer(store, None, '{"sound":"old"}'))
    Gateway(store).call(engine, "synthesize", say())
    assert len(engine.script.requests) == 1


def test_a_file_outside_is_hashed_once(store, tmp_path, monkeypatch):
    """An unchanged large file is not read again; a changed one is, even when its size stays."""
    source = tmp_path / "film.mp4"
    source.write_bytes(b"a" * 1000)
    os.utime(source, (1_000_000, 1_000_000))
    digest = store.digest(source)
    assert digest == "41edece42d63e8d9bf515a9ba6932e1c20cbc9f5a5d134645adb5db1b9737ea3"
    monkeypatch.setattr("autodub.gateway.store.sha256", None)
    assert store.digest(source) == digest
    monkeypatch.undo()
    source.write_bytes(b"b" * 1000)
    assert store.digest(source) != digest


@pytest.mark.parametrize(("mtime_ns", "later"), [(10**18 + 1, 0.01), (10**18, 1.5)])
def test_a_file_changed_just_now_is_not_remembered(tmp_path, mtime_ns, later):
    """Within its clock's resolution (coarse for whole milliseconds) a change could go unseen: read again."""
    store = Store(tmp_path / "data", clock=lambda: mtime_ns / 1e9 + later)
    source = tmp_path / "new.mp4"
    digests = set()
    for content in (b"a", b"b"):
        source.write_bytes(content)
        os.utime(source, ns=(mtime_ns, mtime_ns))
        digests.add(store.digest(source))
    assert len(digests) == 2
    store.close()


def test_a_file_that_cannot_be_read(store, tmp_path):
    """A missing file is the user's to fix, in a sentence."""
    with pytest.raises(UnsupportedSource, match=r"film\.mp4 cannot be read"):
        store.digest(tmp_path / "film.mp4")


def _filled(path, ages, now):
    """A closed store with one answer of 1000 bytes per age in days."""
    for number, days in enumerate(ages):
        store = Store(path, clock=lambda days=days: now - days * _DAY)
        store.put(f"k{number}", _answer(store, bytes([number]) * 1000, '"r"'))
        store.close()


def test_prune_by_age(tmp_path):
    """Answers unused for longer go with their files; the others stay whole."""
    now = time.time()
    _filled(tmp_path, [40, 10, 0], now)
    store = Store(tmp_path)
    pruned = store.prune(max_age_days=30)
    assert (pruned.answers, pruned.files, pruned.bytes) == (1, 1, 1000)
    assert store.get("k0") is None
    assert store.get("k1")
    assert store.get("k2")
    store.close()


def test_prune_by_size_takes_the_least_recently_used(tmp_path):
    """What does not fit goes, oldest use first; using an answer makes it young again."""
    now = time.time()
    _filled(tmp_path, [3, 2, 1], now)
    store = Store(tmp_path)
    assert store.get("k0")
    store.close()
    store = Store(tmp_path)
    assert store.prune(max_bytes=2100).answers == 1
    assert store.get("k1") is None
    assert store.get("k0")
    assert store.get("k2")
    store.close()


def test_prune_without_limits_removes_only_what_nobody_names(tmp_path):
    """Orphaned files go, answers stay."""
    _filled(tmp_path, [5], time.time())
    store = Store(tmp_path)
    orphan = _file(store, b"orphan")
    path = store.blobs.path(orphan)
    store.close()
    store = Store(tmp_path)
    assert store.prune() == Pruned(answers=0, files=1, bytes=6)
    assert not path.exists()
    assert store.get("k0")
    store.close()


def test_a_file_shared_by_two_answers_stays_for_the_second(tmp_path):
    """Pruning one of two answers with equal content leaves the file."""
    now = time.time()
    for key, days in (("old", 50), ("new", 1)):
        store = Store(tmp_path, clock=lambda days=days: now - days * _DAY)
        store.put(key, _answer(store, b"shared"))
        store.close()
    store = Store(tmp_path)
    pruned = store.prune(max_age_days=30)
    assert (pruned.answers, pruned.files) == (1, 0)
    assert store.get("new")
    store.close()


def test_prune_leaves_what_a_running_process_uses(tmp_path):
    """While another session is open, what it made or read, and files it has not yet named, stay."""
    now = time.time()
    _filled(tmp_path, [40, 40], now)
    running, pruning = Store(tmp_path), Store(tmp_path)
    assert running.get("k0")
    loose = _file(running, b"not yet named")
    pruned = pruning.prune(max_age_days=30)
    assert pruned.answers == 1
    assert running.get("k0")
    assert running.blobs.has(loose)
    running.close()
    pruning.close()


def test_prune_leaves_what_this_store_used(store):
    """A store never takes its own user's answers away."""
    store.put("k", _answer(store))
    assert store.prune(max_bytes=0).answers == 0
    assert store.get("k")


def test_stats_count_by_engine(store):
    """Answers, files and bytes are summed up per engine."""
    store.put("a", _answer(store, b"12345"))
    store.put("b", _answer(store, b"123", '"zz"'))
    stats = store.stats()
    assert (stats.answers, stats.files, stats.bytes) == (2, 2, 8)
    share = stats.engines["role.fake"]
    assert (share.answers, share.seconds) == (2, 3.0)


def test_a_full_disk_is_a_sentence(tmp_path):
    """When files cannot grow, the error names the data directory, and nothing partial is kept."""
    code = """
        import resource, signal, sys
        from pathlib import Path
        from autodub.gateway.gateway import Gateway
        from autodub.gateway.store import Store
        from autodub.model.calls import Synthesize
        from autodub.model.errors import OutputProblem
        from autodub.model.speech import Voice
        from autodub.testing.fakes import FakeSynthesizer

        store = Store(Path(sys.argv[1]))
        store.stats()
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
        try:
            request = Synthesize("a long text " * 40, Voice("fake", "v", "es"))
            Gateway(store).call(FakeSynthesizer(), "synthesize", request)
        except OutputProblem as error:
            print(error)
        print(len(list(store.blobs.files())), store.stats().answers)
        store.close()
    """
    done = _python(code, tmp_path)
    assert "room" in done.stdout or "full" in done.stdout or "file size" in done.stdout, done.stderr
    assert done.stdout.splitlines()[-1] == "0 0"
    store = Store(tmp_path)
    assert not any(path.is_dir() and any(path.iterdir()) for path in (tmp_path / "tmp").iterdir())
    store.close()


def test_a_damaged_index_is_a_sentence(tmp_path):
    """An index that is no database is named, with what to delete."""
    (tmp_path / "index.sqlite").write_bytes(b"this is not a database at all" * 100)
    store = Store(tmp_path)
    with pytest.raises(OutputProblem, match=r"index\.sqlite is damaged") as caught:
        store.get("k")
    assert "Delete" in caught.value.hint
    store.close()


_KEEPER = """
    import os, sys, threading, time
    from pathlib import Path
    from autodub.gateway.gateway import Gateway
    from autodub.gateway.store import Store
    from autodub.model.calls import Synthesize
    from autodub.model.speech import Voice
    from autodub.testing.fakes import FakeSynthesizer
    from autodub.testing.script import Script

    class Counting(FakeSynthesizer):
        def _synthesize(self, request, work):
            result = super()._synthesize(request, work)
            with open(sys.argv[2], "a") as log:
                log.write(request.text + "\\n")
            return result

    store = Store(Path(sys.argv[1]))
    gateway = Gateway(store)
    voice = Voice("fake", "v", "es")
    print("ready", flush=True)
    for n in range(int(sys.argv[3])):
        engine = Counting(script=Script(delay=float(sys.argv[4])))
        gateway.call(engine, "synthesize", Synthesize(f"line {n}", voice))
    print("done", flush=True)
    store.close()
"""


def _start(code, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
    )


def _python(code, *arguments):
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_killed_at_any_instant(tmp_path):
    """After kill -9 the store is usable, holds only whole files, and no finished call is made twice (R28)."""
    data, log = tmp_path / "data", tmp_path / "log"
    for pause in (0.0, 0.02, 0.05, 0.08, 0.1):
        process = _start(_KEEPER, data, log, 150, 0)
        process.stdout.readline()
        time.sleep(pause)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        store = Store(data)
        assert store.blobs.verify() == ()
        finished = store.stats().answers
        store.close()
        begun = log.read_text().splitlines() if log.exists() else []
        assert finished <= len(set(begun)) <= finished + 1
    process = _start(_KEEPER, data, log, 150, 0)
    assert process.communicate(timeout=60)[0].endswith("done\n")
    calls = log.read_text().splitlines()
    assert len(set(calls)) == 150
    assert len(calls) <= 155  # at most the one call under way at each of the five kills was made again
    assert [path.suffix for path in (data / "tmp").iterdir()] == []


def test_two_processes_share_the_work(tmp_path):
    """Two processes that want the same at the same time make each answer once."""
    data, log = tmp_path / "data", tmp_path / "log"
    both = [_start(_KEEPER, data, log, 6, 0.1) for _ in range(2)]
    for process in both:
        assert process.communicate(timeout=60)[0].endswith("done\n")
    assert sorted(log.read_text().splitlines()) == [f"line {n}" for n in range(6)]
    assert list((data / "flight").iterdir()) == []


def test_a_lock_left_by_a_dead_process_is_no_obstacle(tmp_path, say):
    """A lock file nobody holds any more neither blocks a call nor survives a prune."""
    from autodub.gateway import keys

    store = Store(tmp_path)
    engine = FakeSynthesizer()
    (store.flights / f"{keys.key(engine, 'synthesize', say())}.lock").touch()
    (store.flights / "other.lock").touch()
    Gateway(store).call(engine, "synthesize", say())
    store.prune()
    assert list(store.flights.iterdir()) == []
    store.close()
