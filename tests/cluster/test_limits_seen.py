"""What is seen of limits that processes share, where they are shared, and who else counts there."""

from __future__ import annotations

from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from brokers import Redis
from limits_scene import Held, shared
from pydantic import SecretStr

from autodub.cli import survey_limits
from autodub.gateway.accounts import EVERYBODY, accounts_of
from autodub.gateway.shared_accounts import SharedAccounts
from autodub.infra import redis_limits, server_settings, settings
from autodub.infra.settings import Settings
from autodub.jobs.platform import Platform
from autodub.model.errors import BadOption
from autodub.web.app import create_app


def test_health_metrics_and_doctor_say_how_it_is(
    redis: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How many share the limits and how full they are; without Redis, that they are not shared."""
    monkeypatch.setattr(redis_limits, "_GLANCE", 30.0)  # a busy machine is no Redis that is away
    redis.empty()
    known = settings.load(environ={"HOME": str(tmp_path)}, data_dir=tmp_path / "data")
    given = {"spare": 0, "check_engines": False, "broker": redis.address, "slots": 0}
    with ExitStack() as stack:
        here = stack.enter_context(closing(shared(redis)))
        platform = Platform(known, server_settings.load(known, environ={}, given=given))
        stack.callback(platform.close)
        client = create_app(platform).test_client()
        held = [Held(here, 2).wait(), Held(here, 2).wait()]
        waiting = Held(here, 2).waits()
        told = client.get("/health/details").get_json()["provider_limits"]
        assert told.pop("ms") > 0
        row = {"provider": "cloud", "kind": "speech", "running": 2, "waiting": 1, "width": 2, "ceiling": 2}
        assert told == {"processes": 1, "gates": [row]}
        numbers = client.get("/metrics").get_data(as_text=True).splitlines()
        assert "autodub_provider_limits_up 1.0" in numbers
        assert "autodub_provider_limits_processes 1.0" in numbers
        assert 'autodub_provider_calls{kind="speech",provider="cloud",state="waiting"} 1.0' in numbers
        assert 'autodub_provider_lanes{kind="speech",provider="cloud"} 2.0' in numbers
        (check,) = survey_limits.checks(platform.settings)
        assert (check.state, check.detail[-11:]) == ("ok", "them now: 1")
        redis.stop()
        try:
            told = client.get("/health/details").get_json()["provider_limits"]
            assert told == {"ms": None, "processes": None, "gates": None}
            assert "autodub_provider_limits_up 0.0" in client.get("/metrics").get_data(as_text=True)
            (check,) = survey_limits.checks(platform.settings)
            assert check.state == "warning"
            assert redis.password not in f"{check}"
        finally:
            redis.start()
        for one in (*held, waiting):
            one.end()


def test_two_servers_count_requests_together(redis: Redis, tmp_path: Path) -> None:
    """With ``limits`` in Redis one's requests count at the other."""
    redis.empty()
    known = settings.load(environ={"HOME": str(tmp_path)}, data_dir=tmp_path / "data")
    given = {"spare": 0, "check_engines": False, "limits": redis.address, "rates": "3 per minute"}
    with closing(Platform(known, server_settings.load(known, environ={}, given=given))) as platform:
        clients = [create_app(platform).test_client() for _ in range(2)]
        path = f"/api/v1/jobs/{'0' * 32}/cancel"
        asked = [clients[n % 2].post(path).status_code for n in range(5)]
    assert asked == [404, 404, 404, 429, 429]


def test_where_limits_are_shared(redis: Redis, tmp_path: Path) -> None:
    """At the broker where that is Redis, unless the setting says otherwise; of each place there is one."""

    def of(limits: str = "", broker: str = "") -> Settings:
        environ = {"HOME": str(tmp_path)} | ({"AUTODUB_PROVIDER_LIMITS": limits} if limits else {})
        known = settings.load(environ=environ, data_dir=tmp_path)
        server = server_settings.load(known, environ={}, given={"broker": broker} if broker else {})
        return server_settings.limited(known, server)

    assert accounts_of(of()) is EVERYBODY
    assert accounts_of(of(broker="amqp://host//")) is EVERYBODY
    assert accounts_of(of("memory://", redis.address)) is EVERYBODY
    found = accounts_of(of(broker=redis.address))
    assert isinstance(found, SharedAccounts)
    assert accounts_of(of(redis.address, "amqp://host//")) is found
    for wrong in ("nowhere", "amqp://host", "memory://x"):
        with pytest.raises(BadOption, match="provider_limits"):
            of(wrong)
    with pytest.raises(BadOption, match="provider_limits"):
        accounts_of(of().model_copy(update={"provider_limits": SecretStr("redis://host:port/0")}))
