"""The documents of the interface and the client name what there is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from autodub.client import Client
from autodub.infra import server_settings, settings
from autodub.jobs.platform import Platform
from autodub.web.app import create_app

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture
def document(tmp_path: Path) -> dict[str, Any]:
    """The server's own document."""
    known = settings.load(environ={"HOME": str(tmp_path)}, data_dir=tmp_path / "data")
    platform = Platform(known, server_settings.load(known, environ={}, given={}))
    try:
        asking: FlaskClient = create_app(platform).test_client()
        return dict(asking.get("/openapi.json").get_json())
    finally:
        platform.close()


def test_every_address_in_the_guide_is_one_of_the_server(document: dict[str, Any]) -> None:
    """Paths are as they are written, with names in capitals or braces for what differs."""
    text = (DOCS / "API.md").read_text("utf-8").replace("$cd", "/api/v1").replace("'", " ")
    patterns = [re.compile(re.sub(r"{[^}]+}", "[^/]+", path)) for path in document["paths"]]
    named = {path.rstrip("/") for path in re.findall(r"(?<![\w.:/])/(?:api|docs|openapi)[\w/{}.]*", text)}
    assert len(named) > 25
    known = {"/docs", "/api", "/api/v1"}
    lost = {path for path in named - known if not any(p.fullmatch(path) for p in patterns)}
    assert lost == set()


def test_every_part_of_the_interface_is_in_the_guide(document: dict[str, Any]) -> None:
    """The guide leaves out no tag: in its table, or among the rest it names."""
    text = (DOCS / "API.md").read_text("utf-8").lower()
    assert [tag["name"] for tag in document["tags"] if tag["name"].lower() not in text] == []


def test_every_call_of_the_client_is_in_its_document() -> None:
    """Each part with its calls, and no call that there is not."""
    text = (DOCS / "CLIENT.md").read_text("utf-8")
    with Client("http://127.0.0.1") as server:
        for name, part in vars(server).items():
            if not name.startswith("_"):
                row = next(
                    line for line in text.splitlines() if line.startswith("|") and f"`server.{name}`" in line
                )
                calls = [one for one in dir(part) if not one.startswith("_")]
                assert [one for one in calls if f"`{one}`" not in row] == [], name
        for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
            compile(block, "CLIENT.md", "exec")
            for part, call in re.findall(r"server\.(\w+)\.(\w+)\(", block):
                assert callable(getattr(getattr(server, part), call))
