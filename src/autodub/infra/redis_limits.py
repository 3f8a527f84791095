"""Redis as the memory that limits are shared in: one script for all that is decided, and what is told.

Requires ``redis``. Nothing secret goes there: accounts are named by a digest of their key.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Protocol

from pydantic import SecretStr

from autodub.model.errors import BadOption, Unavailable

PREFIX = "autodub:limits:"
"""All keys and channels begin with this."""
_TIMEOUT = 2.0
"""Seconds that Redis has to take a connection, and to answer."""
_GLANCE = 1.0
"""The same, where somebody only wants to see how it is."""
_EAR = 0.5
"""Seconds for which what is told is waited for at a time."""
Reply = list[Any]
Question = Sequence[str | int]


class Memory(Protocol):
    """What is decided for all processes, and told to them. Raises Unavailable."""

    def ask(self, *question: str | int) -> Reply: ...

    def ask_all(self, questions: Sequence[Question]) -> list[Reply]: ...

    def listen(
        self, me: str, heard: Callable[[Sequence[str]], None], is_over: Callable[[], bool]
    ) -> None: ...

    def close(self) -> None: ...


class RedisLimits:
    """A memory in Redis. Safe for many threads."""

    def __init__(self, address: SecretStr, *, timeout: float = _TIMEOUT) -> None:
        """Raise BadOption where the client is not installed, or the address cannot be read."""
        try:
            import redis
            from redis.backoff import NoBackoff
            from redis.retry import Retry
        except ModuleNotFoundError as missing:
            raise BadOption(
                "The package for limits shared in Redis is not installed.",
                hint="Install it: pip install 'autodub[cluster]'",
            ) from missing
        try:
            self._redis: Any = redis.Redis.from_url(
                address.get_secret_value(), decode_responses=True, socket_timeout=timeout,
                socket_connect_timeout=timeout, socket_keepalive=True,
                # Once, at once: the connection may be one from before Redis was started anew.
                retry=Retry(NoBackoff(), 1),
            )  # fmt: skip
        except ValueError as problem:  # never the value: it may hold a password
            raise BadOption(
                "The address of provider_limits cannot be read.",
                hint="It looks like redis://:password@host/0.",
            ) from problem
        self._failures = (redis.RedisError, OSError)
        self._script = self._redis.register_script(_script())

    def ask(self, *question: str | int) -> Reply:
        """The answer to a verb, the process that asks, and what belongs to it. Raises Unavailable."""
        try:
            found: Reply = self._script(keys=[PREFIX], args=question)
        except self._failures as problem:
            raise _away(problem) from None
        return found

    def ask_all(self, questions: Sequence[Question]) -> list[Reply]:
        """The answers to several, in one round trip. Raises Unavailable."""
        try:
            with self._redis.pipeline(transaction=False) as pipeline:
                for question in questions:
                    self._script(keys=[PREFIX], args=question, client=pipeline)
                found: list[Reply] = pipeline.execute()
        except self._failures as problem:
            raise _away(problem) from None
        return found

    def listen(self, me: str, heard: Callable[[Sequence[str]], None], is_over: Callable[[], bool]) -> None:
        """Hand on what is told to all, and to the process ``me``, until that is over. Raises Unavailable.

        The first that is heard is ``("listening",)``.
        """
        try:
            with self._redis.pubsub() as ear:
                ear.subscribe(f"{PREFIX}all", f"{PREFIX}to:{me}")
                subscribed = 0
                while not is_over():
                    told = ear.get_message(timeout=_EAR)
                    if told is not None and told["type"] == "subscribe":
                        subscribed += 1
                        if subscribed == 2:
                            heard(("listening",))
                    elif told is not None and told["type"] == "message":
                        heard(told["data"].split("\t"))
        except self._failures as problem:
            raise _away(problem) from None

    def close(self) -> None:
        """Let go of its connections."""
        self._redis.close()


def _script() -> str:
    parts = [part for part in files("autodub.infra").joinpath("limits").iterdir() if part.name[-4:] == ".lua"]
    return "\n".join(part.read_text("utf-8") for part in sorted(parts, key=lambda part: part.name))


@dataclass(frozen=True, slots=True)
class Gate:
    """One limit of one account, as it stands."""

    pool: str
    """``provider:digest/kind``"""
    running: int
    waiting: int
    width: int
    """Calls that may go out at once now."""
    ceiling: int
    """The most that ever may."""

    @property
    def kind(self) -> tuple[str, str]:
        """Provider, and kind of calls."""
        return self.pool.partition(":")[0], self.pool.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Standing:
    """Limits as all who share them know them."""

    processes: int
    gates: tuple[Gate, ...]


def standing(address: SecretStr) -> Standing:
    """How things stand there. Raises Unavailable, BadOption."""
    memory = RedisLimits(address, timeout=_GLANCE)
    try:
        processes, *found = memory.ask("state", "")
    finally:
        memory.close()
    rows = (found[at : at + 5] for at in range(0, len(found), 5))
    return Standing(processes, tuple(sorted((Gate(*row) for row in rows), key=lambda gate: gate.pool)))


def _away(problem: BaseException) -> Unavailable:
    return Unavailable(
        f"Redis does not answer for the limits of providers' accounts ({type(problem).__name__}).",
        hint="Is it running, and reached from here (provider_limits)?",
    )
