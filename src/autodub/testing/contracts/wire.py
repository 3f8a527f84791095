"""What every engine that talks to a cloud provider must do when the wire or the provider misbehaves.

Mixed into a role's contract, which then runs against the loopback server, too::

    class TestMyCloud(WireContract, TranscriberContract):
        name, provider, kind = "mycloud", "mycloud", "transcription"
        key, endpoint = "MYCLOUD_API_KEY", "MYCLOUD_BASE_URL"

        def service(self):
            return MyCloudService()

Each test starts a server of its own. Nothing is retried, so a call may send one request of its kind.
"""

from __future__ import annotations

import socket
import time
import traceback
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar
from unittest.mock import patch

from autodub.engines import registry
from autodub.engines.roles import Accounted, Ahead, EngineContext, Quoting
from autodub.gateway.accounts import Accounts
from autodub.gateway.gateway import Gateway
from autodub.gateway.retry import NO_RETRY
from autodub.model.calls import Clone, Synthesize, Transcribe, Translate
from autodub.model.errors import (
    AutodubError,
    BadAnswer,
    Busy,
    EngineError,
    Gone,
    NoCredit,
    Refused,
    Rejected,
    TooLong,
    Unreachable,
)
from autodub.model.job import Event
from autodub.testing.contracts.engine import EngineContract
from autodub.testing.loopback import Faults, Loopback, Service
from autodub.testing.studio import Studio

KEY = "wire-4c1d8b22e07f59a6-secret"
"""The key that the server knows; it may turn up nowhere."""

ERRORS: Mapping[str, tuple[type[EngineError], ...]] = {
    "400": (Rejected,), "401": (Refused,), "402": (NoCredit,), "403": (Refused,), "404": (Gone,),
    "408": (Busy,), "413": (TooLong,), "422": (Rejected,), "429": (Busy,), "429_after": (Busy,),
    "500": (Unreachable,), "502": (Unreachable,), "503": (Unreachable,),
    "invalid_key": (Refused,), "quota": (NoCredit,), "concurrency": (Busy,),
    "timeout": (Unreachable,), "reset": (Unreachable,), "cut": (Unreachable,),
    "truncated": (BadAnswer, Unreachable), "empty": (BadAnswer, Unreachable),
}  # fmt: skip
"""What each fault of the loopback server must be reported as."""

_SOON = 8.0  # seconds within which any failure must be reported when the patience of the engine is small
_IMPATIENT = 0.5


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one call."""

    value: object
    error: AutodubError | None
    seconds: float
    sent: int
    """Requests of the engine's kind that reached the server."""
    events: tuple[Event, ...]
    told: str
    """Everything that could be logged about the call: error, its causes, events."""

    @property
    def words(self) -> str:
        """The outcome in a few words, for messages of failed tests."""
        return "an answer" if self.error is None else f"{type(self.error).__name__}: {self.error}"


class WireContract(EngineContract):
    """What is asked of a network engine of any role; inherit it before the role's own contract."""

    name: ClassVar[str]
    provider: ClassVar[str]
    kind: ClassVar[str]
    """Kind of request, as the service names it, that the role's verb sends."""
    key: ClassVar[str]
    """Setting of the key."""
    endpoint: ClassVar[str]
    """Setting of the address."""
    below: ClassVar[str] = ""
    """What the address has below the provider's mount, such as ``/v1``."""
    errors: ClassVar[Mapping[str, tuple[type[EngineError], ...]]] = {}
    """Where the provider differs from ``ERRORS``; an empty tuple leaves a fault out."""
    specs: ClassVar[Path | None] = None
    """Folder of the providers' own descriptions: no request may violate them."""
    options: ClassVar[Mapping[str, str]] = {}

    server: Loopback

    @abstractmethod
    def service(self) -> Service:
        """A fresh provider."""

    def setup_method(self) -> None:
        """A fresh server."""
        self.server = Loopback(
            [self.service()], keys={self.provider: [KEY]}, faults=Faults(hold=30.0), specs=self.specs
        ).__enter__()

    def teardown_method(self) -> None:
        """No request broke the provider's rules, and the server did its part."""
        self.server.stop()
        assert not self.server.crashes, self.server.crashes[0]
        assert not self.server.violations, "; ".join(sorted(set(self.server.violations)))
        assert KEY not in repr(self.server.requests)

    def context(self, studio: Studio, *, key: str | None = KEY) -> EngineContext:
        """What the engine is given: this server's address and a key."""
        return replace(
            studio.context,
            secrets={} if key is None else {self.key: key},
            endpoints={self.endpoint: self.server.url(self.provider) + self.below},
            offline=False,
        )

    def engine(self, options: Mapping[str, str], context: EngineContext) -> Any:
        mine = replace(
            context,
            secrets=context.secrets or {self.key: KEY},
            endpoints=context.endpoints or {self.endpoint: self.server.url(self.provider) + self.below},
            offline=False,
        )
        return registry.build(self.role, self.name, {**self.options, **options}, mine)

    def impatient(self, studio: Studio, **endpoints: str) -> Any:
        """The engine, giving up on a silent server soon."""
        usual = self.engine({}, studio.context)
        chosen = usual.options.model_copy(update={"timeout": _IMPATIENT})
        context = self.context(studio)
        return type(usual)(chosen, replace(context, endpoints={**context.endpoints, **endpoints}))

    def ask(self, studio: Studio, engine: Any, request: object, *, verb: str = "") -> Outcome:
        """Make one call that is not retried, as if the account had never been asked before."""
        events: list[Event] = []
        gateway = Gateway(
            studio.store,
            listener=events.append,
            retry=NO_RETRY,
            accounts=Accounts(),
            redact=lambda text: text,
        )
        before, began = self.server.received(self.provider, self.kind), time.monotonic()
        value, error, told = None, None, ""
        try:
            value = gateway.call(engine, verb or self.verb, request)
        except AutodubError as failure:
            error, told = (
                failure,
                f"{failure!r} {failure.hint} {''.join(traceback.format_exception(failure))}",
            )
        finally:
            gateway.close()
        sent = self.server.received(self.provider, self.kind) - before
        seconds = time.monotonic() - began
        return Outcome(value, error, seconds, sent, tuple(events), f"{told} {events!r}")

    @contextmanager
    def asking(self) -> Iterator[tuple[Studio, Any, Any]]:
        """A studio, an impatient engine, and a request that was prepared before anything goes wrong."""
        with self.ready() as (studio, _):
            request = self.request(studio)
            yield studio, self.impatient(studio), request

    def test_faults_of_the_provider_are_told_apart(self) -> None:
        """Each status, word and broken connection is the right kind of error, after one request."""
        wrong = []
        with self.asking() as (studio, engine, request):
            for number, (fault, kinds) in enumerate({**ERRORS, **self.errors}.items()):
                if not kinds:
                    continue
                self.server.faults.fail_next(self.provider, self.kind, fault)
                got = self.ask(studio, engine, self.another(studio, request, number))
                if not isinstance(got.error, kinds):
                    wrong.append(f"{fault}: {got.words}, not {' or '.join(k.__name__ for k in kinds)}")
                elif got.sent > 1:
                    wrong.append(f"{fault}: {got.sent} requests for one attempt")
                elif not got.error.message.strip() or not got.error.hint.strip():
                    wrong.append(f"{fault}: no sentence, or no hint: {got.words}")
                elif self.provider not in got.error.message.lower().replace(" ", ""):
                    wrong.append(f"{fault}: the sentence does not say who: {got.words}")
                elif got.seconds > _SOON:
                    wrong.append(f"{fault}: reported after {got.seconds:.0f} s")
                if KEY in got.told:
                    wrong.append(f"{fault}: the key is in {got.words}, its causes or events")
                self.server.faults.clear()
        assert not wrong, "\n".join(wrong)

    def test_a_pause_that_was_asked_for_is_passed_on(self) -> None:
        """Seconds in Retry-After reach the gateway; without the header there are none."""
        self.server.faults.after = 7.0
        with self.asking() as (studio, engine, request):
            for fault, wanted in (("429_after", 7.0), ("429", None)):
                self.server.faults.fail_next(self.provider, self.kind, fault)
                got = self.ask(studio, engine, request)
                assert isinstance(got.error, Busy), got.words
                assert got.error.retry_after == wanted

    def test_a_wrong_key_is_refused_once_by_name(self) -> None:
        """A key that the provider does not know costs one request; the hint names the setting."""
        with self.ready() as (studio, _):
            request = self.request(studio)
            engine = self.engine({}, self.context(studio, key="wire-of-somebody-else-000"))
            got = self.ask(studio, engine, request)
            assert isinstance(got.error, Refused), got.words
            assert got.error.whole_account
            assert self.key in f"{got.error.message} {got.error.hint}"
            assert got.sent == 1
            assert "wire-of-somebody-else-000" not in got.told

    def test_without_a_key_nothing_is_sent(self) -> None:
        """An engine without its key says which setting is missing, and does not even connect."""
        with Studio() as studio:
            bare = replace(self.context(studio), secrets={})
            engine = registry.build(self.role, self.name, self.options, bare)
            readiness = engine.readiness()
            if readiness.state == "ready":
                return  # a server of one's own may need no key
            assert readiness.state == "needs key"
            assert self.key in f"{readiness.detail} {readiness.fix}"
            before = len(self.server.requests)
            got = self.ask(studio, engine, self.plain(studio))
            assert got.error is not None, "it answered without a key"
            assert self.key in str(got.error), got.words
            assert len(self.server.requests) == before

    def test_preparing_is_harmless(self) -> None:
        """Loading ahead needs no key and no connection, and may be done twice."""
        with Studio() as studio:
            bare = registry.build(
                self.role, self.name, self.options, replace(self.context(studio), secrets={})
            )
            if isinstance(bare, Ahead):
                refuse = AssertionError("it used the network")
                with patch.object(socket.socket, "connect", side_effect=refuse):
                    bare.prepare()
                    bare.prepare()
                    self.engine({}, studio.context).prepare()
            assert not self.server.requests

    def test_a_server_that_is_not_there_is_unreachable(self) -> None:
        """A refused connection is reported soon as one that may work later."""
        with self.ready() as (studio, _):
            request = self.request(studio)
            engine = self.impatient(
                studio, **{self.endpoint: f"http://127.0.0.1:{_closed_port()}{self.below}"}
            )
            got = self.ask(studio, engine, request)
            assert isinstance(got.error, Unreachable), got.words
            assert got.seconds < _SOON
            assert KEY not in got.told

    def test_what_is_consumed_is_metered_as_billed(self) -> None:
        """Units and amounts of a call are those the provider charged, and no more than were foretold."""
        with self.ready() as (studio, engine):
            request = self.request(studio)
            before = self.server.charged().get(self.provider, {})
            gateway = Gateway(studio.store, retry=NO_RETRY, accounts=Accounts())
            gateway.call(engine, self.verb, request)
            billed = {
                unit: amount - before.get(unit, 0.0)
                for unit, amount in self.server.charged().get(self.provider, {}).items()
                if amount > before.get(unit, 0.0)
            }
            metered = {usage.unit: usage.amount for usage in gateway.usage() if usage.verb == self.verb}
            for unit, amount in billed.items():
                assert abs(metered.get(unit, 0.0) - amount) <= 0.01 * amount + 0.01, (unit, metered, billed)
            if isinstance(engine, Quoting):
                foretold = engine.quote(self.verb, request)
                low = {
                    unit: foretold.get(unit, 0.0)
                    for unit in metered
                    if foretold.get(unit, 0.0) < metered[unit] * 0.99
                }
                assert not low, (foretold, metered)

    def test_it_says_that_it_is_a_cloud_engine(self) -> None:
        """Its facts name the network, the key and, for paid work, the account without the key."""
        with Studio() as studio:
            engine = self.engine({}, studio.context)
            info = engine.describe()
            assert info.resource == "net"
            assert info.key == self.key
            assert info.lanes >= 1
            is_accounted = isinstance(engine, Accounted)
            assert is_accounted
            other = self.engine({}, self.context(studio, key="another-key-entirely"))
            assert engine.account.startswith(f"{self.provider}:")
            assert engine.account != other.account
            assert KEY not in engine.account
            assert engine.pool(self.verb)
            assert KEY not in repr(engine)
            assert KEY not in repr(engine.options)

    def test_hardly_anything_is_asked_for(self) -> None:
        """Nothing, or one word, is answered or refused in words: never a crash, never a broken answer."""
        with self.ready() as (studio, engine):
            for request in (*self.empty(studio), self.small(studio)):
                got = self.ask(studio, engine, request)
                assert got.error is None or got.error.code not in {"unreachable", "bad_answer"}, got.words
                assert got.sent <= 1

    def test_far_too_much_is_asked_for(self) -> None:
        """Ten thousand characters are answered, or refused as too long: never a crash, never half of it."""
        with self.ready() as (studio, engine):
            got = self.ask(studio, engine, self.long(studio))
            assert got.error is None or isinstance(got.error, TooLong | Rejected), got.words

    def test_it_works_again_after_a_failure(self) -> None:
        """A broken connection leaves nothing behind: the next call is answered."""
        with self.ready() as (studio, engine):
            request = self.request(studio)
            for number, fault in enumerate(("reset", "cut", "500")):
                self.server.faults.fail_next(self.provider, self.kind, fault)
                mine = self.another(studio, request, number)
                assert self.ask(studio, engine, mine).error is not None, fault
                got = self.ask(studio, engine, mine)
                assert got.error is None, got.words
                assert got.sent <= 1

    def another(self, studio: Studio, request: Any, number: int) -> Any:  # noqa: ARG002
        """A request of the same sort whose answer is not kept yet: another one per number."""
        if isinstance(request, Translate):
            # One line alone: patience grows with the number of lines.
            return replace(request, lines=request.lines[:1], before=(f"Number {number}.",))
        if isinstance(request, Synthesize):
            return replace(request, text=" ".join([request.text, *["Sí."] * number]))
        if isinstance(request, Transcribe):
            return replace(request, terms=(f"Term{number}",))
        return request

    def plain(self, studio: Studio) -> Any:
        """A request made without asking the engine for anything first."""
        return self.request(studio)

    def empty(self, studio: Studio) -> tuple[Any, ...]:
        """Requests in which there is nothing to do."""
        request = self.plain(studio)
        if isinstance(request, Translate):
            pause = replace(request.lines[0], text="…")
            return (replace(request, lines=()), replace(request, lines=(pause,)))
        if isinstance(request, Synthesize):
            return (replace(request, text=""), replace(request, text=" … "))
        if isinstance(request, Transcribe | Clone):
            return (replace(request, spans=()),)
        return ()

    def long(self, studio: Studio) -> Any:
        """A request with ten thousand characters."""
        request = self.request(studio)
        text = "Una casa muy vieja. " * 500
        if isinstance(request, Translate):
            return replace(request, lines=(replace(request.lines[0], text="It is a very old house. " * 420),))
        if isinstance(request, Synthesize):
            return replace(request, text=text)
        if isinstance(request, Transcribe):
            return replace(request, terms=(text,))
        if isinstance(request, Clone):
            return replace(request, name=text)
        return request


def _closed_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return int(door.getsockname()[1])
