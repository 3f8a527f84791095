"""What is asked of an engine whatever its role."""

from __future__ import annotations

import socket
import threading
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, ClassVar
from unittest import SkipTest
from unittest.mock import patch

from autodub.engines import roles
from autodub.engines.registry import describe_options, parse
from autodub.engines.roles import EngineContext
from autodub.gateway.cancel import Cancel
from autodub.gateway.work import CallWork
from autodub.infra import codec
from autodub.model.errors import AutodubError, BadOption, Cancelled
from autodub.model.media import Audio
from autodub.model.time import Span
from autodub.testing.studio import Samples, Studio, bursts

RATE = 16_000
"""Samples per second of the test sound."""
_PATIENCE = 20.0  # seconds after which a readiness that should take a moment counts as hung


class EngineContract:
    """What is asked of an engine of any role."""

    role: ClassVar[str]
    protocol: ClassVar[type[Any]]
    verb: ClassVar[str]
    length: ClassVar[int] = 6000
    """Length of the test sound, ms."""
    spans: ClassVar[tuple[Span, ...]] = (Span(500, 2200), Span(2800, 3400), Span(4000, 5600))
    """Where it speaks."""

    @abstractmethod
    def engine(self, options: Mapping[str, str], context: EngineContext) -> Any:
        """The engine under test, with these options."""

    @abstractmethod
    def request(self, studio: Studio) -> Any:
        """A request that any engine of the role can answer."""

    @abstractmethod
    def small(self, studio: Studio) -> Any:
        """The smallest sensible request: one word, one short sound."""

    def studio(self) -> Studio:
        """Where the engine is called: a store of its own, unless the engine needs another one."""
        return Studio()

    def samples(self) -> Samples:
        """The test sound, 16 kHz mono, with speech in ``spans``."""
        return bursts(self.spans, length=self.length)

    def speech(self, studio: Studio) -> Audio:
        """The test sound in the store."""
        return studio.audio(self.samples(), RATE)

    @contextmanager
    def ready(self) -> Iterator[tuple[Studio, Any]]:
        """A studio and the engine; skips the test where the engine cannot run."""
        with self.studio() as studio:
            engine = self.engine({}, studio.context)
            readiness = engine.readiness()
            if readiness.state != "ready":
                raise SkipTest(f"{engine.describe().name}: {readiness.state}: {readiness.detail}")
            yield studio, engine

    def test_it_describes_itself(self) -> None:
        """An engine gives its name, role, version and a line for people, and has its role's verbs."""
        with self.studio() as studio:
            engine = self.engine({}, studio.context)
            info = engine.describe()
            assert info.role == self.role
            assert info.name
            assert info.version
            assert info.summary
            assert "\n" not in info.summary
            assert info.lanes >= 1
            assert info.languages is None or all(tag == tag.lower() and tag for tag in info.languages)
            wanted = [name for name in vars(self.protocol) if not name.startswith("_")]
            assert all(
                callable(getattr(engine, name)) for name in wanted if callable(vars(self.protocol)[name])
            )

    def test_its_options_are_described_and_strict(self) -> None:
        """Every option has a description, and an unknown one is refused by name."""
        with self.studio() as studio:
            engine = type(self.engine({}, studio.context))
            assert all(option.description for option in describe_options(engine))
            try:
                parse(engine, "engine", {"no_such_option": "1"})
            except BadOption as error:
                assert "no_such_option" in error.message  # noqa: PT017 - this module does without pytest
            else:
                raise AssertionError("an unknown option was accepted")

    def test_readiness_needs_no_network_and_comes_soon(self) -> None:
        """Whether an engine can run is known without a connection, and says how to fix what is missing."""
        with self.studio() as studio:
            engine = self.engine({}, studio.context)
            found: list[Any] = []
            thread = threading.Thread(target=lambda: found.append(engine.readiness()), daemon=True)
            with patch.object(socket.socket, "connect", side_effect=AssertionError("it used the network")):
                thread.start()
                thread.join(_PATIENCE)
            assert found, "readiness failed or took too long"
            assert isinstance(found[0], roles.Readiness)
            assert found[0].detail
            assert found[0].state == "ready" or found[0].fix

    def test_it_answers_and_its_answer_is_kept(self) -> None:
        """One call makes one answer, which passes the gateway's checks; the next is read from the store."""
        with self.ready() as (studio, engine):
            request = self.request(studio)
            first = studio.call(engine, self.verb, request)
            assert studio.made(self.verb) == 1
            again = studio.call(self.engine({}, studio.context), self.verb, request)
            assert again == first
            assert studio.made(self.verb) == 1

    def test_its_answer_survives_being_written_down(self) -> None:
        """An answer read back from text is equal to the one that was given."""
        with self.ready() as (studio, engine):
            answer = studio.call(engine, self.verb, self.request(studio))
            assert codec.load(type(answer), codec.dump(answer)) == answer

    def test_it_answers_the_same_again(self) -> None:
        """Two fresh engines give equal answers to one request, so a resumed dub is the same dub."""
        with self.ready() as (one, engine), self.studio() as two:
            first = one.call(engine, self.verb, self.request(one))
            second = two.call(self.engine({}, two.context), self.verb, self.request(two))
            assert first == second

    def test_it_survives_the_smallest_request(self) -> None:
        """One word, or one short sound, is answered or refused in words, never a crash."""
        with self.ready() as (studio, engine):
            try:
                studio.call(engine, self.verb, self.small(studio))
            except AutodubError as error:
                assert error.code not in {"unreachable", "bad_answer"}, error  # noqa: PT017 - as above

    def test_it_leaves_what_it_is_given_alone(self) -> None:
        """Files handed to an engine are the same bytes afterwards, and its scratch is cleaned up."""
        with self.ready() as (studio, engine):
            studio.call(engine, self.verb, self.request(studio))
            assert studio.store.blobs.verify() == ()
            session = [path for path in (studio.store.data_dir / "tmp").iterdir() if path.is_dir()]
            assert all(not any(folder.iterdir()) for folder in session)

    def test_it_stops_when_asked(self) -> None:
        """A request to stop that comes while it works ends the call in Cancelled, not in a crash."""
        with self.ready() as (studio, engine):
            request = self.request(studio)
            cancel = Cancel()
            work = CallWork(studio.store.blobs, cancel=cancel, listener=studio.events.append, stage="")
            cancel.request()
            with suppress(Cancelled):  # an engine that never looks up is done before it hears of it
                getattr(engine, self.verb)(request, work)
            work.close()
