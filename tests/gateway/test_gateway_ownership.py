"""Owners of answers and files: what goes when one lets go, and what stays, whoever else is running."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from autodub.gateway import ownership, releasing
from autodub.gateway.releasing import Released
from autodub.gateway.store import Answer, Store
from autodub.infra.database import SCHEMA, Database
from autodub.model.errors import Gone
from autodub.model.media import Blob

Open = Callable[..., Store]


@pytest.fixture
def open_store(tmp_path: Path) -> Iterator[Open]:
    """Stores of one data directory, as processes of their own would have them; closed at the end."""
    made: list[Store] = []

    def make(owner: str | None = None) -> Store:
        made.append(Store(tmp_path / "data", owner=owner))
        return made[-1]

    yield make
    for store in made:
        store.close()


def file(store: Store, content: bytes) -> Blob:
    """A file in the store."""
    with store.blobs.scratch() as folder:
        path = folder / "f.bin"
        path.write_bytes(content)
        return store.blobs.keep(path)


def answer(store: Store, content: bytes, *, verb: str = "speak", result: str = '"x"') -> Answer:
    """An answer with one file."""
    return Answer("role.fake", "1", verb, result, (file(store, content),), (), 1.0)


def job(open_store: Open, owner: str | None, **made: bytes) -> dict[str, Answer]:
    """A whole job: what is kept already it uses, the rest it makes."""
    store = open_store(owner)
    out = {}
    for key, content in made.items():
        found = store.get(key)
        out[key] = found if found is not None else store.put(key, answer(store, content))
    store.close()
    return out


def files(store: Store) -> set[bytes]:
    """The contents of all files."""
    return {path.read_bytes() for path in store.blobs.files()}


def test_what_an_owner_made_goes_with_it(open_store: Open) -> None:
    """A release removes the owner's answers and their files, and says how much that was."""
    job(open_store, "a", k1=b"one", k2=b"twelve")
    sweeper = open_store()
    assert sweeper.release("a") == Released(answers=2, files=2, bytes=9)
    assert sweeper.get("k1") is None
    assert files(sweeper) == set()
    assert sweeper.release("a") == Released()


def test_what_another_owner_uses_stays(open_store: Open) -> None:
    """An answer that two used goes with the second one's release, whoever made it."""
    job(open_store, "a", k1=b"one", k2=b"two")
    job(open_store, "b", k1=b"never made")
    sweeper = open_store()
    assert sweeper.release("a").answers == 1
    assert files(sweeper) == {b"one"}
    assert sweeper.release("b").answers == 1
    assert files(sweeper) == set()


def test_what_the_command_line_used_is_nobodys(open_store: Open) -> None:
    """An answer made or used without an owner stays whatever owners release."""
    job(open_store, None, k1=b"one")
    job(open_store, "a", k1=b"", k2=b"two", k3=b"three")
    job(open_store, None, k2=b"")
    sweeper = open_store()
    assert sweeper.release("a").answers == 1
    assert files(sweeper) == {b"one", b"two"}


def test_made_twice_at_once_both_own_it(open_store: Open) -> None:
    """Of two that make the same answer the second keeps the first one's, and it is theirs, too."""
    first, second = open_store("a"), open_store("b")
    made = first.put("k", answer(first, b"one"))
    assert second.put("k", answer(second, b"two")) == made
    first.close()
    second.close()
    sweeper = open_store()
    assert sweeper.release("a").answers == 0
    assert sweeper.release("b").answers == 1
    sweeper.collect()
    assert files(sweeper) == set()


def test_a_file_that_two_answers_name_stays_for_the_second(open_store: Open) -> None:
    """A file goes when the last answer that names it does."""
    job(open_store, "a", k1=b"same")
    job(open_store, "b", k2=b"same")
    sweeper = open_store()
    assert sweeper.release("a") == Released(answers=1)
    assert files(sweeper) == {b"same"}
    assert sweeper.release("b") == Released(answers=1, files=1, bytes=4)


def test_a_running_job_keeps_what_it_was_just_answered(open_store: Open) -> None:
    """A use that is not on record yet counts, also when the process that used it is still busy."""
    job(open_store, "a", k=b"one")
    running, sweeper = open_store("b"), open_store()
    assert running.get("k") is not None
    assert sweeper.release("a").answers == 0
    assert running.get("k") is not None
    assert files(sweeper) == {b"one"}
    running.close()
    assert sweeper.release("b").answers == 1


def test_a_job_without_an_owner_keeps_it_for_good(open_store: Open) -> None:
    """What a running command has been answered stays, and is nobody's afterwards."""
    job(open_store, "a", k=b"one")
    running, sweeper = open_store(), open_store()
    assert running.get("k") is not None
    assert sweeper.release("a").answers == 0
    running.close()
    assert sweeper.collect().answers == 0
    assert files(sweeper) == {b"one"}


@pytest.mark.parametrize("moment", ["before", "recorded", "marked", "deleted"])
def test_answered_in_the_middle_of_a_release(
    open_store: Open, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """Whenever a job asks while an answer is released, it finds it whole for good, or not at all."""
    job(open_store, "a", k=b"one")
    running, sweeper = open_store("b"), open_store()
    found: list[Answer | None] = []
    asking = threading.Thread(target=lambda: found.append(running.get("k")))
    mark, remove, held, clear = (
        releasing._mark, releasing._remove, sweeper.blobs.held, sweeper.blobs.clear
    )  # fmt: skip

    def marking(*arguments: Any) -> list[str]:
        leaving = mark(*arguments)
        if moment in ("before", "recorded"):  # the transaction has not ended: it is there as it was
            found.append(running.get("k"))
        return leaving

    def removing(*arguments: Any, **ways: Any) -> Released:
        if moment == "recorded":
            running.close()
        return remove(*arguments, **ways)

    def holding(*arguments: Any, **ways: Any) -> set[str]:
        lines = held(*arguments, **ways)
        if moment == "marked" and asking.ident is None:  # too late to be seen: it waits for our end
            asking.start()
        return lines

    def clearing(*arguments: Any, **ways: Any) -> list[int]:
        if moment == "deleted" and asking.ident is None:
            asking.start()
            asking.join()
        return clear(*arguments, **ways)

    monkeypatch.setattr(releasing, "_mark", marking)
    monkeypatch.setattr(releasing, "_remove", removing)
    monkeypatch.setattr(sweeper.blobs, "held", holding)
    monkeypatch.setattr(sweeper.blobs, "clear", clearing)
    released = sweeper.release("a")
    if asking.ident is not None:
        asking.join()
    (first,) = found
    is_gone = moment in ("marked", "deleted")
    assert (first is None, released.answers) == (is_gone, int(is_gone))
    if first is None:
        first = running.put("k", answer(running, b"anew"))
    running.close()
    assert open_store("c").get("k") == first
    assert sweeper.collect() == Released()


def test_a_file_kept_but_not_on_record_yet_is_not_lost(open_store: Open) -> None:
    """A file that another job has just made, and that is a released one's twin, is there for its answer."""
    job(open_store, "a", k1=b"same")
    running, sweeper = open_store("b"), open_store()
    twin = answer(running, b"same")
    assert sweeper.release("a") == Released(answers=1)
    assert sweeper.collect() == Released()
    assert running.put("k2", twin) == twin
    running.close()
    assert open_store("b").get("k2") == twin


def test_many_jobs_and_releases_at_once_lose_nothing(open_store: Open) -> None:
    """Jobs that share answers run while others' are released; none ever misses a file it was given."""
    keys = [f"k{number}" for number in range(6)]
    problems: list[str] = []

    def work(seed: int) -> None:
        chance = random.Random(seed)
        for turn in range(12):
            owner = f"{seed}-{turn}"
            store = open_store(owner)
            mine: dict[str, Answer] = {}
            for key in chance.sample(keys, 4):
                found = store.get(key)
                # What is made differs from job to job, as if an engine were asked again; some files do not.
                content = (key if chance.random() < 0.5 else f"{key} {owner}").encode()
                mine[key] = found if found is not None else store.put(key, answer(store, content))
                lost = [name for name, known in mine.items() if not store.blobs.has(known.blobs[0])]
                problems.extend(f"{owner} lost {name}" for name in lost)
            store.close()
            for key, known in mine.items():
                if open_again.get(key) != known or not store.blobs.has(known.blobs[0]):
                    problems.append(f"{owner} lost {key} after its end")
            sweeper.release(owner)

    open_again = open_store("reader")
    sweeper = open_store()
    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    open_again.close()
    sweeper.release("reader")
    sweeper.collect()
    assert files(sweeper) == set()
    assert sweeper.stats().answers == 0


def test_a_warm_run_hardly_writes(open_store: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of uses are written together: now and then, and at the end."""
    job(open_store, "a", **{f"k{number}": b"one" for number in range(50)})
    written = []
    writing = Database.writing

    def counted(database: Database) -> Any:
        written.append(database)
        return writing(database)

    monkeypatch.setattr(Database, "writing", counted)
    monkeypatch.setattr(ownership, "EVERY", 3600.0)
    store = open_store("b")
    for _ in range(20):
        for number in range(50):
            assert store.get(f"k{number}") is not None
    assert written == []
    store.close()
    assert len(written) == 1
    monkeypatch.setattr(ownership, "EVERY", 0.0)
    store = open_store("c")
    store.get("k0")
    store.get("k0")
    assert len(written) == 2
    sweeper = open_store()
    assert sweeper.release("a").answers == 0
    assert sweeper.release("b").answers == 49


def test_a_pinned_file_stays_until_its_owner_lets_go(open_store: Open) -> None:
    """What is pinned outlives its answers, prunes and others' releases; the last pin's release removes it."""
    store = open_store()
    upload = file(store, b"upload")
    store.pin("a", upload)
    store.pin("b", upload)
    made = job(open_store, "a", k=b"result")["k"].blobs[0]
    store.pin("b", made)
    store.close()
    sweeper = open_store()
    sweeper.prune(max_age_days=0.0)
    assert files(sweeper) == {b"upload", b"result"}
    sweeper.release("a")
    assert files(sweeper) == {b"upload", b"result"}
    assert sweeper.release("b") == Released(files=2, bytes=12)


def test_a_server_that_runs_on_holds_no_upload_back(open_store: Open) -> None:
    """A file that a running process took in goes with its owner, once it has been pinned."""
    server, sweeper = open_store(), open_store()
    server.pin("a", file(server, b"upload"))
    assert sweeper.release("a").files == 1
    with pytest.raises(Gone):
        server.pin("b", Blob("0" * 64, 1, ".bin"))


def test_digests_of_an_owners_files_go(open_store: Open, tmp_path: Path) -> None:
    """What was known of files that an owner read, or that lie in its folder, goes with it."""
    folder = tmp_path / "job_1"
    folder.mkdir()
    for name in ("mine.srt", "other.srt"):
        path = folder / name
        path.write_text(name)
        os.utime(path, (1_000_000_000, 1_000_000_000))
    near = tmp_path / "job_1x"
    near.write_text("another's")
    os.utime(near, (1_000_000_000, 1_000_000_000))
    owner, other = open_store("a"), open_store()
    owner.digest(folder / "mine.srt")
    other.digest(folder / "other.srt")
    other.digest(near)

    def known() -> set[str]:
        index = sqlite3.connect(tmp_path / "data" / "index.sqlite")
        found = {Path(path).name for (path,) in index.execute("SELECT path FROM files")}
        index.close()
        return found

    assert known() == {"mine.srt", "other.srt", "job_1x"}
    owner.close()
    other.release("a")
    assert known() == {"other.srt", "job_1x"}
    other.release("a", folder=folder)
    assert known() == {"job_1x"}


def test_a_file_of_the_store_is_known_by_its_name(open_store: Open, tmp_path: Path) -> None:
    """The digest of a stored file needs no reading, and leaves no row behind."""
    store = open_store()
    blob = file(store, b"one")
    path = store.blobs.path(blob)
    path.chmod(0o600)
    assert store.digest(path) == blob.digest
    copy = tmp_path / path.parent.name / path.name
    copy.parent.mkdir()
    copy.write_bytes(b"two")
    assert store.digest(copy) != blob.digest
    index = sqlite3.connect(tmp_path / "data" / "index.sqlite")
    assert not [row for row in index.execute("SELECT path FROM files") if "blobs" in row[0]]
    index.close()


_WORKER = """
    import sys, time
    from pathlib import Path
    from autodub.gateway.store import Answer, Store

    store = Store(Path(sys.argv[1]), owner="a")
    with store.blobs.scratch() as folder:
        (folder / "f.bin").write_bytes(b"half a job")
        blob = store.blobs.keep(folder / "f.bin")
    if sys.argv[2] == "answer":
        store.put("k2", Answer("role.fake", "1", "speak", '"x"', (blob,), (), 1.0))
    store.get("k1")
    print("ready", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("what", ["answer", "file"])
def test_what_a_killed_job_left_can_be_collected(open_store: Open, tmp_path: Path, what: str) -> None:
    """After kill -9 and a release nothing of the job remains; what it only used is as it was."""
    job(open_store, None, k1=b"one")
    worker = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(_WORKER), str(tmp_path / "data"), what], stdout=subprocess.PIPE
    )
    assert worker.stdout is not None
    worker.stdout.readline()
    sweeper = open_store()
    assert sweeper.collect() == Released()
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    worker.stdout.close()
    sweeper.release("a")
    sweeper.collect()
    assert files(sweeper) == {b"one"}


def test_a_release_that_was_killed_is_finished_later(
    open_store: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer that was only marked goes with the next collection, unless somebody has asked for it."""
    job(open_store, "a", k1=b"one", k2=b"two")
    sweeper = open_store()
    with monkeypatch.context() as patch:
        patch.setattr(releasing, "_remove", lambda *_, **__: Released())
        sweeper.release("a")
    reader = open_store("b")
    found = reader.get("k2")
    assert found is not None
    assert reader.put("k3", answer(reader, b"two")).blobs == found.blobs
    assert reader.put("k4", answer(reader, b"four")) != found
    assert reader.put("k4", answer(reader, b"five")).blobs[0].size == 4
    assert sweeper.collect() == Released(answers=1, files=2, bytes=7)
    reader.close()
    assert sweeper.release("b") == Released(answers=3, files=2, bytes=7)


def test_an_index_of_the_second_format_is_upgraded(open_store: Open, tmp_path: Path) -> None:
    """Answers from before owners are nobody's; their files are known, and damage in them is no obstacle."""
    job(open_store, None, k1=b"one", k2=b"two")
    path = tmp_path / "data" / "index.sqlite"
    index = sqlite3.connect(path)
    for name in ("parts_of_new", "parts_of_changed", "parts_of_gone"):
        index.execute(f"DROP TRIGGER {name}")
    for name in ("answers_owned", "answers_cloned"):
        index.execute(f"DROP INDEX {name}")
    for table in ("parts", "uses", "pins"):
        index.execute(f"DROP TABLE {table}")
    columns = {"answers": ("unowned", "leaving"), "files": ("owner",), "rentals": ("released",)}
    for table, names in columns.items():
        for name in names:
            index.execute(f"ALTER TABLE {table} DROP COLUMN {name}")
    index.execute("UPDATE answers SET blobs = 'no json' WHERE key = 'k2'")
    index.execute("PRAGMA user_version = 2")
    index.commit()
    index.close()
    store = open_store("a")
    assert store.get("k1") is not None
    store.close()
    sweeper = open_store()
    assert sweeper.release("a") == Released()
    assert sweeper.collect() == Released(files=1, bytes=3)
    assert files(sweeper) == {b"one"}
    index = sqlite3.connect(path)
    assert index.execute("PRAGMA user_version").fetchone() == (SCHEMA,)
    index.close()
