"""The whole of it: servers behind nginx, workers, Redis, PostgreSQL, an S3 server; some killed meanwhile."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest
from deploy.cluster import parts
from deploy.cluster.cluster import Cluster, until

from autodub.client import Client
from autodub.infra import server_settings, settings
from autodub.jobs.platform import LOCAL_ACTOR, Platform
from autodub.jobs.spec import JobSpec
from autodub.jobs.worker import Worker
from autodub.testing import clips
from autodub.testing.clips import KnownClip, SpokenLine

_LONG = 400.0
"""Seconds after which it has failed; a quiet machine needs a tenth."""
_FILES = ("media", "srt", "vtt")
"""What is the same to the byte; receipts tell when and how long."""
_ENGINES = {
    "separator": "spectral", "transcriber": "subtitles", "translator": "apertium", "synthesizer": "espeak",
}  # fmt: skip
_WISHES: dict[str, Any] = {"target": "es", "spoken": "en", "engines": _ENGINES}
_FILMS = {
    "river": ("My brother works near the river.", "The water is very cold."),
    "market": ("We went to the market.", "I bought some bread and some fruit."),
}


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[str, KnownClip]:
    """Two short films whose lines are known, with subtitles beside them."""
    if missing := [name for name in ("flite", "apertium", "espeak-ng") if shutil.which(name) is None]:
        pytest.skip(f"not installed here (make setup installs them): {', '.join(missing)}")
    folder, voices, made = tmp_path_factory.mktemp("films"), clips.Voices(), {}
    for name, said in _FILMS.items():
        lines = [SpokenLine(text, 500 + 3_200 * number) for number, text in enumerate(said)]
        made[name] = clips.build(
            lines, out=folder / f"{name}.mp4", duration=7_000, voices=voices, size=(160, 90)
        )
        made[name].path.with_suffix(".srt").write_text(made[name].srt())
    return made


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the database's user reaches as well."""
    found = Path(tempfile.mkdtemp(prefix="cluster-", dir="/tmp"))
    found.chmod(0o755)
    yield found
    shutil.rmtree(found, ignore_errors=True)


@pytest.fixture
def cluster(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """A cluster with two users, begun by somebody whose own Autodub has settings that would break it."""
    if lacking := parts.missing():
        pytest.skip(f"a cluster needs what is not here (make setup installs it): {'; '.join(lacking)}")
    for name in [one for one in os.environ if one.startswith(("AUTODUB_", "AWS_"))]:
        monkeypatch.delenv(name)
    (folder / "mine" / "autodub").mkdir(parents=True)
    (folder / "mine" / "autodub" / "config.toml").write_text("what = is this?")
    environ = {"AUTODUB_SPARE": "0", "OMP_NUM_THREADS": "1", "HOME": str(folder)}
    with ExitStack() as stack:
        with monkeypatch.context() as mine:
            mine.setenv("AUTODUB_HOST", "192.0.2.1")
            mine.setenv("AUTODUB_REMOTE_ENGINES", "espeak")
            mine.setenv("XDG_CONFIG_HOME", str(folder / "mine"))
            made = Cluster(folder, durable=False, people=("ann", "bob"), environ=environ)
            stack.enter_context(made)
        yield made


def on_one_machine(films: dict[str, KnownClip], folder: Path) -> dict[str, dict[str, str]]:
    """What each film's files are where one process does everything."""
    known = settings.load(environ={"HOME": str(folder)}, data_dir=folder)
    platform = Platform(known, server_settings.load(known, environ={}, given={"spare": 0}))
    worker = Worker(platform, slots=2)
    worker.start()
    try:
        jobs = {}
        for name, film in films.items():
            with film.path.open("rb") as media, film.path.with_suffix(".srt").open("rb") as said:
                take, most = platform.uploads.take, film.path.stat().st_size
                upload = take(LOCAL_ACTOR, film.path.name, media, most=most)
                subtitles = take(LOCAL_ACTOR, f"{name}.srt", said, most=10_000, kind="subtitles")
            spec = JobSpec(upload=upload.id, subtitles=subtitles.id, **_WISHES)
            jobs[name] = platform.jobs.submit(LOCAL_ACTOR, spec)[0].id

        def ended() -> bool:
            found = [platform.jobs.get(LOCAL_ACTOR, job) for job in jobs.values()]
            assert not [job.error for job in found if job.error]
            return all(job.state == "completed" for job in found)

        assert until(ended, patience=_LONG)
        results = {name: platform.jobs.get(LOCAL_ACTOR, job).result for name, job in jobs.items()}
    finally:
        worker.stop()
        platform.close()
    return {
        name: {kind: result["files"][kind]["digest"] for kind in _FILES}
        for name, result in results.items()
        if result
    }


class Following(threading.Thread):
    """Somebody who follows a job's events to their end."""

    def __init__(self, client: Client, job: str) -> None:
        super().__init__(daemon=True)
        self._client, self._job = client, job
        self.numbers: list[int] = []
        self.state = ""
        self.start()

    def run(self) -> None:
        job = self._client.jobs.wait(self._job, each=lambda event: self.numbers.append(event.number))
        self.state = job.state


@pytest.mark.slow
def test_jobs_finish_whatever_dies(cluster: Cluster, films: dict[str, KnownClip], folder: Path) -> None:
    """Of four jobs of two users all finish as on one machine, though a worker and a server are killed.

    Who follows them through nginx is told every event once, in order.
    """
    wanted = on_one_machine(films, folder / "alone")
    with ExitStack() as stack:
        clients = {name: stack.enter_context(Client(cluster.url, key)) for name, key in cluster.keys.items()}
        jobs = {
            (user, name): client.jobs.submit(
                film.path, subtitles=film.path.with_suffix(".srt"), **_WISHES
            ).id
            for user, client in clients.items()
            for name, film in films.items()
        }  # fmt: skip
        streams = {key: Following(clients[key[0]], job) for key, job in jobs.items()}
        with psycopg.connect(cluster.database(), autocommit=True) as database:
            killed = killed_worker(cluster, database)
        assert until(lambda: any(stream.numbers for stream in streams.values()), patience=_LONG)
        cluster.supervisor.signal("api-1", signal.SIGKILL)
        for stream in streams.values():
            stream.join(_LONG)
        assert {key: stream.state for key, stream in streams.items()} == dict.fromkeys(jobs, "completed")
        for key, stream in streams.items():
            client = clients[key[0]]
            told = client.jobs.get(jobs[key])
            assert stream.numbers == list(range(1, stream.numbers[-1] + 1)), key
            made = {}
            for kind in _FILES:
                file = client.jobs.download(told.id, folder / "got", kind=kind)
                made[kind] = hashlib.sha256(file.read_bytes()).hexdigest()
                file.unlink()
            assert made == wanted[key[1]], key
        again = [client.jobs.get(jobs[key]).attempt for key in jobs for client in [clients[key[0]]]]
        assert max(again) > 1  # somebody took up what the killed worker had
    assert cluster.supervisor.starts(killed) == cluster.supervisor.starts("api-1") == 2


def killed_worker(cluster: Cluster, database: Any) -> str:
    """Kill a worker that is at work, with everything it started; its name.

    It is halted first: one that has its job still when it stands cannot have ended it when it is killed.
    """
    killed = []

    def holders() -> set[int]:
        found = database.execute(
            "SELECT w.process FROM jobs j JOIN workers w ON w.id = j.holder WHERE j.state = 'processing'"
        )
        return {os.getpgid(process) for (process,) in found}

    def is_killed() -> bool:
        for group in holders():
            os.killpg(group, signal.SIGSTOP)
            if group in holders():
                name = next(one for one in cluster.workers if cluster.supervisor.process(one) == group)
                cluster.supervisor.signal(name, signal.SIGKILL)
                killed.append(name)
                return True
            os.killpg(group, signal.SIGCONT)
        return False

    assert until(is_killed, patience=_LONG)
    return killed[0]
