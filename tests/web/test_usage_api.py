"""Usage over HTTP: figures as people read them."""

from __future__ import annotations

import json
import time
from decimal import Decimal
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from httpx import WSGITransport
from sqlalchemy import insert

from autodub.client import Client
from autodub.jobs.platform import Platform
from autodub.jobs.tables import usage


def consumed(platform: Platform, *parts: tuple[float, str]) -> None:
    """Have the local user consume seconds and dollars now."""
    with platform.sql.writing() as connection:
        for number, (seconds, dollars) in enumerate(parts):
            row: dict[str, Any] = {"id": str(number), "owner": "local", "job": "gone", "at": time.time()}
            row |= {"seconds": seconds, "dollars": Decimal(dollars), "compute": 0.1}
            connection.execute(insert(usage).values(**row))


def test_sums_have_no_noise(client: FlaskClient, platform: Platform) -> None:
    """Seconds to a millisecond and dollars to a hundredth of a cent, in totals, days, jobs and quotas."""
    consumed(platform, (0.1, "0.000111"), (0.2, "0.1"), (0.0, "0.2"))
    found = client.get("/api/v1/usage").get_json()
    for part in (found["total"], found["days"][0], found["jobs"][0], found["quota"]):
        assert (part["seconds"], part["dollars"]) == (0.3, 0.3001)
    assert (found["total"]["compute"], found["total"]["attempts"]) == (0.3, 3)


def test_the_client_counts_in_whole_numbers(app: Flask, platform: Platform) -> None:
    """Tries are no fraction."""
    consumed(platform, (1.0, "0"))
    with Client("http://127.0.0.1", transport=WSGITransport(app)) as server:
        total = server.usage().total
    assert isinstance(total["attempts"], int)
    assert isinstance(total["seconds"], float)


def test_engines_are_told_with_what_they_consumed(client: FlaskClient, platform: Platform) -> None:
    """For one user and for all; money as everywhere."""
    row: dict[str, Any] = {"id": "1", "owner": "local", "job": "gone", "at": time.time(), "seconds": 1.0}
    uses = [
        {
            "engine": "translator.openai",
            "made": 2,
            "kept": 1,
            "dollars": "0.000111",
            "units": {"tokens_in": 9},
        }
    ]
    row |= {"dollars": Decimal("0.000111"), "compute": 0.1, "engines": json.dumps(uses)}
    with platform.sql.writing() as connection:
        connection.execute(insert(usage).values(**row))
    told = {"engine": "translator.openai", "made": 2, "kept": 1, "dollars": 0.0001, "units": {"tokens_in": 9}}
    assert client.get("/api/v1/usage").get_json()["engines"] == [told]
    assert client.get("/api/v1/usage?owner=*").get_json()["engines"] == [told]
