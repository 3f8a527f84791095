"""What the guide to the interface shows is so: its bodies are taken, and its code tells signatures apart."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from pydantic import BaseModel

from autodub.infra.signing import sign
from autodub.jobs.owing import outline
from autodub.jobs.platform import LOCAL_ACTOR, Platform
from autodub.jobs.spec import JobSpec
from autodub.web.batches import BatchSpec
from autodub.web.webhooks import NewHook

GUIDE = (Path(__file__).resolve().parents[2] / "docs" / "API.md").read_text("utf-8")
MODELS: dict[str, type[BaseModel]] = {"jobs": JobSpec, "batches": BatchSpec, "webhooks": NewHook}


def test_every_body_of_the_guide_is_taken() -> None:
    """As it stands there."""
    shown = re.findall(r"curl[^\n']*/(jobs|batches|webhooks) .*?-d '(.*?)'", GUIDE, re.DOTALL)
    assert {kind for kind, _ in shown} == {"jobs", "batches", "webhooks"}
    for kind, body in shown:
        MODELS[kind].model_validate(json.loads(body))


@pytest.mark.parametrize(("age", "changed", "is_good"), [(0, b"", True), (301, b"", False), (0, b" ", False)])
def test_the_guides_code_believes_what_the_server_signed(age: int, changed: bytes, is_good: bool) -> None:
    """Nothing that is old, or was changed on the way."""
    (code,) = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    body = b'{"kind": "ping"}'
    header = sign("whsec_x", body, at=time.time() - age)
    assert names["is_autodub"]("whsec_x", body + changed, header) is is_good
    assert not names["is_autodub"]("whsec_x", body, "nonsense")


def test_the_guides_news_of_a_job_has_the_fields_there_are(client: FlaskClient, platform: Platform) -> None:
    """And no others."""
    (shown,) = [json.loads(one) for one in re.findall(r"```json\n(.*?)```", GUIDE, re.DOTALL)]
    body = {"url": "https://hooks.example.org/in", "kinds": ["job.queued"]}
    hook = client.post("/api/v1/webhooks", json=body).get_json()["id"]
    spec = JobSpec.model_validate({"source": "https://youtu.be/x", "target": "es"})
    job, _ = platform.jobs.submit(LOCAL_ACTOR, spec)
    (sent,) = client.get(f"/api/v1/webhooks/{hook}/deliveries").get_json()["deliveries"]
    assert set(shown) == set(sent["body"])
    assert set(shown["job"]) <= set(outline(job))
