"""A call that a worker on another machine makes: handed on, waited for, and read from the store.

The worker puts the answer into the store under the key that its caller knows, and this one reads it there.
Whoever waits holds the flight of that key, as for any call, so the same call is asked for once; should its
caller be killed, the next one finds it under way. Waiting costs a thread and nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from autodub.engines.remote import Remote
from autodub.gateway import keys
from autodub.gateway.store import Store
from autodub.infra import codec, error_text
from autodub.model.errors import EngineCannot, Unreachable

if TYPE_CHECKING:
    from autodub.infra.pg_calls import CallBoard, Order, Progress

_GLANCE = 0.2
"""Seconds between two looks at a request to stop."""
_LOOK = 5
"""Glances between two looks at the row, where nobody rings."""
_AWAY = 25
"""Glances between two looks whether anybody serves the engine."""


class Waits(Protocol):
    """As much of ``Work`` as waiting needs."""

    def check(self) -> None: ...

    def progress(self, fraction: float, message: str = "") -> None: ...

    def meter(self, unit: str, amount: float) -> None: ...


Caller = Callable[[Remote, str, object, Waits], Any]
"""Has a call made elsewhere."""


def caller(store: Store, *, patience: float | None = None) -> Caller:
    """What has calls made elsewhere, and finds their answers in a store; ``patience`` as for ``call``."""
    return partial(call, store, patience=patience)


def call(
    store: Store, engine: Remote, verb: str, request: object, work: Waits, *, patience: float | None = None
) -> Any:
    """The answer to a call, made by whoever serves the engine.

    ``patience``: seconds that somebody waits for it at a page; None for a job, which can wait for long.
    Raises what the engine raised there; WorkersAway where nobody serves it any more, or nobody in time;
    Cancelled.
    """
    from autodub.infra.pg_calls import Order

    board = store.calls
    if board is None:
        raise EngineCannot(
            f"{engine.engine} is on another machine, and this store is not shared.",
            hint="Set store_database, or leave it out of remote_engines.",
        )
    order = Order(
        key=keys.key(engine, verb, request), engine=engine.engine, identity=engine.identity,
        options=engine.typed, verb=verb, request=codec.dump(request),
        owner=store.owner,
    )  # fmt: skip
    with board.waiting(order):
        done = _waited(board, order, work, patience)
    if done.error is not None:
        raise error_text.load(done.error)
    answer = store.get(order.key)
    if answer is None:
        raise Unreachable(
            f"The answer of {engine.engine} has gone from the store.", hint="It is asked for once more."
        )
    for unit, amount in answer.usage:
        work.meter(unit, amount)
    return codec.load(keys.answer_type(engine, verb), answer.result)


def _waited(board: CallBoard, order: Order, work: Waits, patience: float | None) -> Progress:
    """How the call ended."""
    from autodub.infra.pg_bell import call_topic
    from autodub.infra.pg_offers import WorkersAway

    told: tuple[float, str] | None = None
    glances, began = 0, time.monotonic()
    with board.bell.hearing(call_topic(order.key)) as rung:
        while True:
            found = board.look(order.key)
            if found is not None and found.is_done:
                return found
            if patience is not None and time.monotonic() - began > patience:
                raise WorkersAway(
                    f"The workers that serve {order.engine.partition('.')[2]} are busy.",
                    hint="Try again in a moment.",
                )
            if found is None or not found.is_ours:  # we were taken for dead, and it for nobody's
                board.ask(order)
            else:
                state = (found.fraction, found.message) if found.is_held else (0.0, _WAITING)
                if state != told:
                    told = state
                    work.progress(*state)
                if not found.is_held and glances >= _AWAY:
                    glances = 0
                    if not board.offers.has(order.engine, order.identity):
                        raise WorkersAway(
                            f"No worker serves {order.engine.partition('.')[2]} any more, as it was chosen.",
                            hint=f"autodub worker --calls {order.engine.partition('.')[2]}",
                        )
            for _ in range(_LOOK):
                work.check()
                glances += 1
                if rung.wait(_GLANCE):
                    break
            rung.clear()


_WAITING = "waiting for a worker"
