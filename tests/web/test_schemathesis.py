"""Requests made up from the OpenAPI document: none makes the server fail, each is answered as documented.

Each operation is asked with what fits its schema, with what does not, and about things that are there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings, strategies
from people import CHEAP
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from autodub.engines import registry
from autodub.infra import server_settings
from autodub.infra import settings as own_settings
from autodub.jobs.accounts import Accounts
from autodub.jobs.platform import LOCAL_ACTOR, Platform
from autodub.testing.fakes import FAKES
from autodub.web import app as apps
from finished_jobs import finished

CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance,
    response_headers_conformance,
]  # fmt: skip
EXAMPLES = 10
"""Of each kind, for each operation."""
RATES = dict.fromkeys(("rates", "create_rates", "edit_rates", "login_rates"), "1000000 per minute")
"""As good as none."""
SILENT = ("docs", "document", "pages")
"""Modules whose routes are for people, or are the document itself."""


@schemathesis.serializer("application/offset+octet-stream")
def piece(_: Any, value: Any) -> Any:
    """A piece of an upload is bytes."""
    return value if isinstance(value, bytes) else str(value).encode()


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A server that has one of everything."""
    folder = tmp_path_factory.mktemp("server")
    known = own_settings.load(environ={"HOME": str(folder)}, data_dir=folder / "data")
    platform = Platform(known, server_settings.load(known, environ={}, given={"spare": 0, "queued": 10**6}))
    platform.accounts = Accounts(platform.sql, CHEAP)
    with registry.registered("synthesizer", "fake", FAKES["synthesizer"]):
        yield platform
    platform.close()


@pytest.fixture(scope="module")
def schema(platform: Platform) -> Any:
    """The document of its app."""
    return schemathesis.openapi.from_wsgi("/openapi.json", apps.create_app(platform))


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The document of a server with accounts."""
    folder = tmp_path_factory.mktemp("guarded")
    known = own_settings.load(environ={"HOME": str(folder)}, data_dir=folder / "data")
    platform = Platform(
        known, server_settings.load(known, environ={}, given={"spare": 0, "accounts": True} | RATES)
    )
    yield schemathesis.openapi.from_wsgi("/openapi.json", apps.create_app(platform))
    platform.close()


@pytest.fixture
def there(platform: Platform, tmp_path: Path) -> dict[str, Any]:
    """Values of path parameters that name something; made anew for each test, which may delete them."""
    job = finished(platform)
    batch, _, _ = platform.batches.submit(
        LOCAL_ACTOR, "Course", [{"source": "https://youtu.be/x"}], ["es", "fr"], {}
    )
    upload = platform.uploads.begin(LOCAL_ACTOR, "talk.mp4", size=1000, kind="media")
    _, key = platform.keys.create(LOCAL_ACTOR, "laptop", ["read"])
    return {
        "job": job, "job_id": job, "batch": batch, "upload": upload.id, "key": key.id, "line": "L0001",
        "speaker": "S1", "number": 1, "kind": "project",
        "glossary": platform.glossaries.create(LOCAL_ACTOR, tmp_path.name[-90:], "Ada = Ada\n").id,
    }  # fmt: skip


@pytest.mark.parametrize("module", [name for name in apps._ROUTES if name not in SILENT])
def test_no_request_is_answered_otherwise_than_documented(
    schema: Any, module: str, there: dict[str, Any]
) -> None:
    """Whatever is sent to the routes of a module: no 5xx, no undocumented status, type, header or shape."""
    found = [
        operation
        for result in schema.get_all_operations()
        if (operation := result.ok()).definition.raw["operationId"].startswith(f"{module}_")
    ]
    assert found
    for operation in found:
        _ask(operation, there)


def test_a_stranger_is_answered_as_documented(guarded: Any) -> None:
    """Where accounts are on, every operation tells a stranger so, in the documented shape."""
    for result in guarded.get_all_operations():
        operation = result.ok()
        answers = _ask(operation, {}, examples=2)
        if operation.definition.raw.get("security"):
            assert 401 in answers, operation.label
            assert answers <= {401, 404}, operation.label  # 404: not even a route


def _ask(
    operation: APIOperation[Any, Any, Any, Any], there: dict[str, Any], *, examples: int = EXAMPLES
) -> set[int]:
    """Ask an operation many things; the statuses of its answers."""
    seen: set[int] = set()
    names = [
        parameter["name"]
        for parameter in operation.definition.raw.get("parameters", [])
        if parameter["in"] == "path"
    ]
    known = {name: there[name] for name in names if name in there}
    kinds = [operation.as_strategy(GenerationMode.POSITIVE, path_parameters=known or None)]
    with contextlib.suppress(Exception):
        kinds.append(operation.as_strategy(GenerationMode.NEGATIVE))

    @given(case=strategies.one_of(kinds))
    @settings(
        max_examples=examples * len(kinds), derandomize=True, deadline=None, database=None,
        phases=[Phase.generate], suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    def ask(case: Case) -> None:
        if case.query and "wait" in case.query:
            case.query["wait"] = 0
        # That nobody works here is what /ready is for.
        answer = case.call_and_validate(checks=CHECKS[1:] if case.path == "/ready" else CHECKS)
        seen.add(answer.status_code)

    ask()
    return seen
