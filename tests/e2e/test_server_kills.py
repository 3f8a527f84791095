"""Kill -9 of a worker in the middle of jobs: they finish as if nothing had been, nothing is made twice."""

import importlib.util
import json
import os
import secrets
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import insert, select

from autodub.engines import registry
from autodub.gateway.cancel import Cancel
from autodub.infra import server_settings, settings
from autodub.jobs import events
from autodub.jobs.platform import LOCAL_ACTOR, Platform
from autodub.jobs.runner import Runner
from autodub.jobs.spec import JobSpec
from autodub.jobs.tables import jobs, uploads
from autodub.media import sound
from autodub.testing.fakes import FAKES

_RATE, _SECONDS = 16_000, 11
_LONG = 60.0
"""Seconds after which the test has failed."""
_WORKER = """
import json, os, sys, threading
from contextlib import ExitStack
from pathlib import Path
from autodub.engines import registry
from autodub.gateway.store import Store
from autodub.infra import server_settings, settings
from autodub.jobs.platform import Platform
from autodub.jobs.worker import Worker
from autodub.testing.fakes import FAKES
from autodub.testing.script import Script

order = json.loads(sys.argv[1])
put, log = Store.put, os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)

def logged(self, key, answer):
    os.write(log, f"{key}\\n".encode())
    return put(self, key, answer)

def slow(kind):
    class Slow(kind):
        def __init__(self, options, context):
            super().__init__(options, context, script=Script(delay=0.05))
    return Slow

Store.put = logged
known = settings.load(environ={}, data_dir=Path(order["data"]))
given = {"database": order["database"], "spare": 0, "user_running": 2}
platform = Platform(known, server_settings.load(known, environ={}, given=given))
stack = ExitStack()
for role, kind in FAKES.items():
    stack.enter_context(registry.registered(role, "fake", slow(kind)))
Worker(platform, slots=2).start()
threading.Event().wait()
"""


@pytest.fixture(params=["sqlite", "postgres"])
def database(request):
    """Address of an empty database of either kind; empty for SQLite."""
    if request.param == "sqlite":
        yield ""
        return
    place = Path(__file__).parents[1] / "jobs" / "postgres.py"
    found = importlib.util.spec_from_file_location("postgres_for_kills", place)
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    with module.cluster() as address:
        yield address


@contextmanager
def opened(data, database=""):
    """A platform over a data directory, with engines that need nothing."""
    known = settings.load(environ={}, data_dir=data)
    given = {"database": database, "spare": 0}
    platform = Platform(known, server_settings.load(known, environ={}, given=given))
    try:
        with ExitStack() as stack:
            for role, kind in FAKES.items():
                stack.enter_context(registry.registered(role, "fake", kind))
            yield platform
    finally:
        platform.close()


def upload(platform, folder, seed):
    """A sound with two stretches of speech."""
    samples = 0.004 * np.random.default_rng(seed).standard_normal(_SECONDS * _RATE)
    for start in (0.5, 5.5):
        at = round(start * _RATE)
        samples[at : at + 4 * _RATE] += 0.1 * np.sin(np.arange(4 * _RATE) * 2 * np.pi * (150 + seed) / _RATE)
    path = folder / f"{secrets.token_hex(4)}.wav"
    sound.store(samples.astype(np.float32), _RATE, path)
    found, blob = secrets.token_hex(16), platform.store.blobs.keep(path)
    platform.store.pin(f"upload:{found}", blob)
    row = {
        "id": found, "owner": "local", "name": f"Talk {seed}.wav", "kind": "media", "size": blob.size,
        "received": blob.size, "blob": blob.digest + blob.suffix, "info": "{}", "state": "ready",
        "why": "", "created": 1.0, "expires": 4e9,
    }  # fmt: skip
    with platform.sql.writing() as connection:
        connection.execute(insert(uploads).values(**row))
    return found


def submitted(platform, folder):
    """Three jobs in the queue."""
    engines = {role: "fake" for role in FAKES if role != "cloner"}
    wishes = {"target": "es", "spoken": "en", "engines": engines}
    return [
        platform.jobs.submit(LOCAL_ACTOR, JobSpec(upload=upload(platform, folder, seed), **wishes))[0].id
        for seed in range(3)
    ]


def made(job):
    """What the files of a finished job are: receipts apart, which tell when and how long."""
    files = job.result["files"]
    return {
        kind: item["digest"] for kind, item in files.items() if kind in ("media", "srt", "vtt", "project")
    }


def states(platform):
    """Of all jobs."""
    with platform.sql.reading() as connection:
        return set(connection.execute(select(jobs.c.state)).scalars())


def until(what):
    """Wait for something; fails when it does not come."""
    end = time.monotonic() + _LONG
    while not what():
        assert time.monotonic() < end
        time.sleep(0.01)


def kept(data):
    """Keys of every answer in the index."""
    with closing(sqlite3.connect(data / "index.sqlite")) as index:
        return {key for (key,) in index.execute("SELECT key FROM answers")}


def lines(log):
    """Keys of every answer that was about to be kept, in order."""
    return log.read_text().splitlines() if log.exists() else []


def test_jobs_survive_a_worker_that_is_killed_twice(tmp_path, database):
    """The same bytes as undisturbed, no finished call made again, and every event once."""
    with opened(tmp_path / "calm") as platform:
        submitted(platform, tmp_path)
        while job := platform.claims.next("calm"):
            Runner(platform).run(job, Cancel(), why=lambda: "")
            platform.claims.reclaim()
        wanted = {job.title: made(job) for job in platform.jobs.list(LOCAL_ACTOR).jobs}
    data, log = tmp_path / "data", tmp_path / "answers.log"
    with opened(data, database) as platform:
        there = submitted(platform, tmp_path)
        order = {"log": str(log), "data": str(data), "database": database}
        argv = [sys.executable, "-c", _WORKER, json.dumps(order)]
        finished, again = set(), []
        for kill in (True, True, False):
            seen = len(lines(log))
            child = subprocess.Popen(argv, start_new_session=True, env={**os.environ, "HOME": str(tmp_path)})
            try:
                if kill:
                    until(lambda seen=seen: len(lines(log)) >= seen + 8)
                    assert states(platform) & {"queued", "processing"}
                else:
                    until(lambda: states(platform) == {"completed"})
            finally:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
            again += [key for key in lines(log)[seen:] if key in finished]
            finished = kept(data)
        assert again == []
        for job in there:
            found = platform.jobs.get(LOCAL_ACTOR, job)
            assert found.state == "completed", found.error
            assert made(found) == wanted[found.title]
            told = events.after(platform.sql, job, 0)
            assert [one.number for one in told] == list(range(1, found.events + 1))
            kinds = [one.kind for one in told]
            assert kinds.count("job.started") == found.attempt
            assert kinds.count("job.lost") == found.attempt - 1
            assert kinds.count("job.completed") == kinds.count("job.queued") == 1
        assert any(platform.jobs.get(LOCAL_ACTOR, job).attempt > 1 for job in there)
        assert platform.store.blobs.verify() == ()
