"""What goes through a broker, and what becomes of one that cannot be used; over the broker in memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from brokers import free_port
from flask.testing import FlaskClient
from pydantic import SecretStr

from autodub.cli import main
from autodub.infra import server_settings, settings
from autodub.jobs import celery_queue, celery_worker, schema
from autodub.jobs.celery_queue import NAMES, Broker, CeleryQueue
from autodub.jobs.platform import LOCAL_ACTOR, Platform
from autodub.jobs.spec import JobSpec
from autodub.model.errors import BadOption, Unavailable
from autodub.web.app import create_app

MEMORY = "memory://localhost/"
Opened = Callable[..., Platform]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    """Platforms over one data directory, with other settings; the broker in memory is empty before."""
    there: list[Platform] = []

    def open_(**given: Any) -> Platform:
        known = settings.load(environ={"HOME": str(tmp_path)}, data_dir=tmp_path / "data")
        values = {"spare": 0, "check_engines": False, "broker": MEMORY} | given
        there.append(Platform(known, server_settings.load(known, environ={}, given=values)))
        return there[-1]

    _take_all()
    yield open_
    for one in there:
        one.close()
    _take_all()


def _take_all() -> list[Any]:
    """Every message there is, taken."""
    app = celery_queue.app_of(SecretStr(MEMORY))
    found = []
    with app.connection_for_write() as connection, connection.channel() as channel:
        for name in NAMES.values():
            app.amqp.queues[name].bind(channel).queue_declare()
            while (message := channel.basic_get(name, no_ack=True)) is not None:
                found.append(channel.message_to_python(message))
    return found


def submit(platform: Platform, count: int = 1) -> list[str]:
    """Ids of jobs in the queue."""
    spec = JobSpec(source="https://www.youtube.com/watch?v=abcdefghijk", target="es", title="A private title")
    return [platform.jobs.submit(LOCAL_ACTOR, spec)[0].id for _ in range(count)]


def test_a_message_names_a_job_and_nothing_else(opened: Opened) -> None:
    """As JSON, and nothing but JSON is read: what is in a broker can run nothing here."""
    platform = opened()
    (job,) = submit(platform)
    assert isinstance(platform.queue, CeleryQueue)
    assert platform.queue.broker.waiting() == {"net": 0, "cpu": 1, "gpu": 0}
    (message,) = _take_all()
    assert message.content_type == "application/json"
    arguments, named, links = message.payload
    assert (arguments, named, set(links.values())) == ([job], {}, {None})
    assert "private" not in repr((message.headers, message.properties, message.body))
    app = celery_queue.app_of(SecretStr(MEMORY))
    assert app.conf.accept_content == ["json"]
    assert app.conf.result_backend is None


def test_lost_messages_are_sent_again_and_no_more_than_can_begin(opened: Opened) -> None:
    """As many as there are places, and as a user may have; those that wait are counted in."""
    platform = opened(user_running=3)
    there = submit(platform, 5)
    _take_all()
    platform.queue.remind(places=2)
    platform.queue.remind(places=2)
    assert [message.payload[0][0] for message in _take_all()] == there[:2]
    platform.queue.remind(places=9)
    assert [message.payload[0][0] for message in _take_all()] == there[:3]


def test_a_job_that_is_tried_again_is_told_of_and_one_that_is_cancelled_is_not(opened: Opened) -> None:
    """Stopping is read from the row."""
    platform = opened()
    (job,) = submit(platform)
    _take_all()
    platform.jobs.cancel(LOCAL_ACTOR, job)
    assert _take_all() == []
    platform.jobs.retry(LOCAL_ACTOR, job)
    assert [message.payload[0] for message in _take_all()] == [[job]]


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_a_broker_that_is_away_is_left_alone_for_a_while(scheme: str) -> None:
    """It is unavailable at once, in words without its password."""
    broker = Broker(SecretStr(f"{scheme}://me:a-password@127.0.0.1:{free_port()}/0"))
    with pytest.raises(Unavailable, match="broker does not answer") as caught:
        broker.waiting()
    assert "a-password" not in repr(caught.value) + str(caught.value.__cause__)
    with pytest.raises(Unavailable):
        broker.send([("cpu", "a" * 32)])
    broker.close()


def test_without_a_broker_nothing_of_celery_is_imported(tmp_path: Path) -> None:
    """A platform of one machine pays nothing for what many need."""
    program = (
        "import sys; from pathlib import Path\n"
        "from autodub.infra import server_settings, settings\n"
        "from autodub.jobs.platform import Platform\nfrom autodub.jobs.worker import Worker\n"
        "from autodub.web.app import create_app\n"
        "known = settings.load(environ={}, data_dir=Path(sys.argv[1]))\n"
        "platform = Platform(known, server_settings.load(known, environ={}))\n"
        "create_app(platform); platform.queue.ring(); platform.close()\n"
        "print([name for name in ('celery', 'kombu', 'redis') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "[]\n"


def test_without_the_package_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing begins half."""
    monkeypatch.setitem(sys.modules, "celery", None)
    with pytest.raises(BadOption) as caught:
        Broker(SecretStr(MEMORY))
    assert "autodub[cluster]" in caught.value.hint


@pytest.mark.parametrize(
    "address", ["http://me:a-password@host/", "a-password", "redis://me:a-password@host:x/0"]
)
def test_an_address_that_cannot_be_read_is_refused_without_being_shown(address: str, tmp_path: Path) -> None:
    """It may hold a password."""
    known = settings.load(environ={}, data_dir=tmp_path)
    with pytest.raises(BadOption) as caught:
        Broker(server_settings.load(known, environ={"AUTODUB_BROKER": address}).broker)
    assert "a-password" not in f"{caught.value}{caught.value.hint}"


@pytest.mark.parametrize(
    ("broker", "arguments", "said"),
    [
        (MEMORY, (), "heard by its own process alone"),
        ("", ("--queues", "net,disk"), "no queue 'disk'"),
        ("", ("--queues", ","), "names none"),
    ],
)
def test_a_worker_that_could_take_nothing_does_not_begin(
    broker: str, arguments: tuple[str, ...], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """One sentence and exit code 2."""
    monkeypatch.setenv("AUTODUB_BROKER", broker)
    assert main(["worker", "--data-dir", str(tmp_path), *arguments]) == 2
    assert said in capsys.readouterr().err


def test_health_shows_the_broker_without_its_address(opened: Opened) -> None:
    """Its kind, how soon it answers, and what waits; null where there is none or it is away."""

    def told(**given: Any) -> Any:
        client: FlaskClient = create_app(opened(**given)).test_client()
        answer = client.get("/health/details")
        assert "a-password" not in answer.text
        return answer.get_json()["broker"]

    assert told(broker="") is None
    there = told()
    assert there["ms"] >= 0
    assert (there["kind"], there["waiting"]) == ("memory", {"net": 0, "cpu": 0, "gpu": 0})
    away = f"redis://:a-password@127.0.0.1:{free_port()}/0"
    assert told(broker=away) == {"kind": "redis", "ms": None, "waiting": None}


@pytest.mark.parametrize(
    ("broker", "said"),
    [(MEMORY, "✓ broker: memory, messages that wait: 0"), ("redis", "! broker: The broker does not answer.")],
)
def test_doctor_looks_at_the_broker(
    broker: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Whether it answers."""
    _take_all()
    away = f"redis://:a-password@127.0.0.1:{free_port()}/0"
    monkeypatch.setenv("AUTODUB_BROKER", away if broker == "redis" else broker)
    main(["doctor", "--data-dir", str(tmp_path)])
    shown = capsys.readouterr().out
    assert said in shown
    assert "a-password" not in shown


def test_a_process_that_may_not_use_the_database_ends_its_whole_worker(
    opened: Opened, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One that takes another's place after a newer release has changed it: the others end as well."""
    platform = opened()
    told: list[object] = []

    def excluded(*_: object) -> Platform:
        raise schema.Excluded("It was made by a newer Autodub.", hint="Update Autodub.")

    def gone(code: int) -> None:
        told.append(code)
        raise SystemExit

    monkeypatch.setattr(celery_worker, "Platform", excluded)
    monkeypatch.setattr(celery_worker.os, "kill", lambda *given: told.append(given))
    monkeypatch.setattr(celery_worker.os, "_exit", gone)
    with pytest.raises(SystemExit):
        celery_worker._Crew(platform.settings, platform.server, ("cpu",))._opened()
    assert told == [(os.getppid(), signal.SIGTERM), 1]
    assert "newer Autodub" in caplog.text
    caplog.clear()  # it is logged as an error, which it is
