"""An engine on another machine keeps the contract of its role, as one of this machine does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import pytest
from remote_scene import RemoteStudio, Scene

from autodub.engines import registry
from autodub.engines.remote import Remote
from autodub.engines.roles import EngineContext
from autodub.testing import contracts
from autodub.testing.fakes import FAKES
from autodub.testing.studio import Studio


@pytest.fixture(scope="module")
def serving(
    calls_database: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Studio]:
    """A studio over a shared store, whose engines another machine serves."""
    with ExitStack() as stack:
        for role, fake in FAKES.items():
            stack.enter_context(registry.registered(role, "fake", fake))
        made = Scene(calls_database, tmp_path_factory.mktemp("contract"))
        stack.callback(made.close)
        made.worker(slots=2)
        studio = RemoteStudio(made.driver())
        yield studio
        studio.end()


class _Elsewhere:
    """Served by a worker with another data directory."""

    role: str
    place: Studio

    @pytest.fixture(autouse=True)
    def _place(self, serving: Studio) -> None:
        self.place = serving

    def studio(self) -> Studio:
        return self.place  # one for all: opening a store takes longer than most of what is asked

    test_it_leaves_what_it_is_given_alone = None
    """Not asked: a shared store has files of its own where that looks."""

    def engine(self, options: Mapping[str, str], context: EngineContext) -> Any:
        engine = registry.build(self.role, "fake", options, context)
        assert isinstance(engine, Remote)
        return engine


class TestRemoteDetector(_Elsewhere, contracts.DetectorContract):
    """A detector elsewhere."""


class TestRemoteSeparator(_Elsewhere, contracts.SeparatorContract):
    """A separator elsewhere."""


class TestRemoteTranscriber(_Elsewhere, contracts.TranscriberContract):
    """A recogniser elsewhere."""


class TestRemoteDiarizer(_Elsewhere, contracts.DiarizerContract):
    """A diarizer elsewhere."""


class TestRemoteTranslator(_Elsewhere, contracts.TranslatorContract):
    """A translator elsewhere."""


class TestRemoteSynthesizer(_Elsewhere, contracts.SynthesizerContract):
    """A voice elsewhere."""


class TestRemoteCloner(_Elsewhere, contracts.ClonerContract):
    """A cloner elsewhere."""
