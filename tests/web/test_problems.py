"""What errors say to whoever asks: nothing of the machine."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from autodub.infra.blobs import full
from autodub.infra.sql import Sql
from autodub.jobs.platform import Platform


def test_a_database_that_is_away_is_not_named(
    client: FlaskClient, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither its address, its user, its name nor where its file lies; the log has them."""
    away = Sql("postgresql://dubber:secret@127.0.0.1:1/dubs")
    monkeypatch.setattr(platform.sql, "engine", away.engine)
    answer = client.get("/api/v1/jobs")
    away.close()
    assert answer.status_code == 503
    assert answer.json is not None
    assert answer.json["code"] == "unavailable"
    assert not any(word in answer.text for word in ("dubber", "127.0.0.1", "dubs", "sqlite", "/"))


def test_an_error_of_the_server_names_no_folder(
    client: FlaskClient, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as that of a full disk."""

    def filled(*_: Any, **__: Any) -> None:
        raise full(platform.settings.data_dir)

    monkeypatch.setattr(platform.jobs, "list", filled)
    answer = client.get("/api/v1/jobs")
    assert answer.json is not None
    assert "is full" in answer.json["title"]
    assert str(platform.settings.data_dir) not in answer.text


@pytest.mark.parametrize("path", ["jobs/last", "jobs/x/transcript", "uploads/nope", "batches/1"])
def test_what_can_be_no_id_names_nothing(client: FlaskClient, path: str) -> None:
    """It is not found, like an id of nothing, and not a pattern that did not match."""
    answer = client.get(f"/api/v1/{path}")
    assert answer.status_code == 404
    assert answer.json is not None
    assert answer.json["code"] == "not_found"
    assert "pattern" not in answer.json["title"]
    assert "32 characters" in answer.json["hint"]


def test_a_body_that_does_not_fit_says_where_its_fields_are_described(client: FlaskClient) -> None:
    """A body of another kind as well, which has no field to name."""
    for body in ("{}", "[]"):
        answer = client.post("/api/v1/jobs", data=body, content_type="application/json")
        assert answer.status_code == 422
        assert answer.json is not None
        assert "/docs" in answer.json["hint"]
        assert "(: " not in answer.json["title"]


def test_an_address_of_nothing_says_where_the_addresses_are(client: FlaskClient) -> None:
    """Whoever mistyped one finds the right one."""
    answer = client.get("/api/v1/nowhere")
    assert answer.status_code == 404
    assert answer.json is not None
    assert answer.json["title"] == "There is nothing at this address."
    assert "/docs" in answer.json["hint"]
