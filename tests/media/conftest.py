"""Generated recordings, each built once per session when first asked for."""

from __future__ import annotations

import pytest
from recordings import Clip, build


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """Path of a generated recording by the name of its recipe."""
    folder = tmp_path_factory.mktemp("clips")
    return lambda name: build(name, folder)
