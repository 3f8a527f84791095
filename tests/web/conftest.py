"""The server's app over a platform on SQLite, and a client of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

import ready_tables
from autodub.infra import server_settings, settings
from autodub.jobs.platform import Platform
from autodub.web.app import create_app

Opening = Callable[..., Platform]
_USUAL = {"spare": 0, "check_engines": False}
"""Jobs are not made here, so what engines could do does not matter."""


@pytest.fixture
def opening(tmp_path: Path) -> Iterator[Opening]:
    """Open platforms over one data directory; keywords are server settings."""
    with ExitStack() as stack:

        def open_(**given: Any) -> Platform:
            known = settings.load(environ={"HOME": str(tmp_path)}, data_dir=tmp_path / "data")
            ready_tables.lay(known.data_dir)
            platform = Platform(known, server_settings.load(known, environ={}, given=_USUAL | given))
            stack.callback(platform.close)
            return platform

        yield open_


@pytest.fixture
def platform(opening: Opening) -> Platform:
    """A platform with default settings."""
    return opening()


@pytest.fixture
def app(platform: Platform) -> Flask:
    """The app over it."""
    app = create_app(platform)
    app.testing = True
    return app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """Somebody who sends requests to it."""
    return app.test_client()
