"""What every test gets: a log that stays clean, and real recordings where they are present."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

hypothesis.settings.register_profile(  # a machine that does other things as well fails no test
    "house", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("house")
_UMASK = os.umask(0o022)
os.umask(_UMASK)
_MEDIA = Path(__file__).resolve().parents[2] / "shared" / "media"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Several processes of tests are given whole files."""
    from sharing_out import Whole

    return Whole(config, log)


@pytest.fixture(autouse=True)
def _usual_umask() -> None:
    """A command that makes its process private has not done so to the tests that come after it."""
    os.umask(_UMASK)


@pytest.fixture(autouse=True)
def _no_errors_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """An error in the log fails the test that caused it."""
    yield
    for phase in ("setup", "call"):
        errors = [record for record in caplog.get_records(phase) if record.levelno >= logging.ERROR]
        assert not errors, "logged: " + "; ".join(record.getMessage() for record in errors)


@pytest.fixture(scope="session")
def shared_media() -> Path:
    """The folder of real recordings beside the checkout; the test is skipped where it is absent."""
    if not _MEDIA.is_dir():
        pytest.skip("the real recordings (../shared/media) are not on this machine")
    return _MEDIA
