"""How tests are shared out among processes (``pytest -n``): what would be made for each is made once."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

_WHOLE = {"tests/browser", "tests/cluster", "tests/e2e"}
"""Folders whose tests share what takes long to begin: servers, browsers, brokers, films."""


class Whole(LoadScopeScheduling):
    """A process takes a whole file, or a whole folder of those above; in the order they were collected.

    The long folders come early in it and short files last, so that all processes end at about the same time.
    """

    def __init__(self, config: pytest.Config, log: Producer | None = None) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        folder = str(PurePosixPath(path).parent)
        return folder if folder in _WHOLE else path
