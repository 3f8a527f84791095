"""Waking workers of many machines: messages through Redis or RabbitMQ, carried by Celery.

A message is a token: it names a job that waits, and nothing else. Whoever is given one claims the next job
that the queue's resource binds, by the rules of ``Claims``; the order of messages decides nothing. One that
comes twice finds nothing to claim, and what was lost is said again (``remind``): by whoever ends a job, and
by every sweeper.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from autodub.jobs.claiming import Claims
from autodub.jobs.doorbell import Queue
from autodub.jobs.records import RESOURCES, Job
from autodub.model.errors import BadOption, Unavailable

log = logging.getLogger("autodub.queue")
TASK = "autodub.run"
NAMES: Mapping[str, str] = {resource: f"autodub.{resource}" for resource in RESOURCES}
"""Resource -> name of its queue at the broker."""
_AWAY = 5.0
"""Seconds for which a broker that did not answer is left alone: nobody's request waits for it again."""
_CONNECT = 2.0
"""Seconds."""
_ANSWER = 5.0
"""Seconds that a broker has to take a message, or to count them."""
_ONCE = {"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0}
"""Tried again once, at once: the connection may be one from before the broker was started anew."""
_UNSEEN = 24 * 3600
"""Seconds after which Redis gives a message out again whose worker is silent; it finds nothing to claim."""
_HELD = 30 * 24 * 3600 * 1000
"""Milliseconds for which RabbitMQ lets a worker hold a message: longer than any job."""


def app_of(broker: SecretStr, *, hours: float = 0.0, sends: bool = False) -> Any:
    """A Celery app that speaks JSON and keeps no results. ``hours``: a job's limit, 0 = none.

    One that only ``sends`` waits for no answer for long: a request does, too.

    Raises BadOption where Celery is not installed, or the address cannot be read.
    """
    try:
        from celery import Celery
        from kombu.entity import Queue as Declared
    except ModuleNotFoundError as missing:
        raise BadOption(
            f"The packages for a broker are not installed ({missing.name}).",
            hint="Install them: pip install 'autodub[cluster]'",
        ) from missing
    address = broker.get_secret_value()
    app = Celery("autodub", broker=address, set_as_current=False)
    app.conf.update(
        accept_content=["json"], task_serializer="json", task_ignore_result=True,
        task_queues=[
            Declared(name, routing_key=name, queue_arguments={"x-consumer-timeout": _HELD})  # type: ignore[no-untyped-call]
            for name in NAMES.values()
        ],
        task_create_missing_queues=False, task_default_queue=NAMES["cpu"],
        task_acks_late=True, task_reject_on_worker_lost=True,
        # One that heeds no request to stop is failed in time; its process is ended a little later.
        task_time_limit=hours * 3600 + 300 if hours else None,
        broker_connection_timeout=_CONNECT, broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None, broker_pool_limit=4,
        broker_transport_options=_transport(address, sends=sends),
        worker_prefetch_multiplier=1, worker_enable_remote_control=False, worker_send_task_events=False,
        worker_hijack_root_logger=False, worker_redirect_stdouts=False, worker_proc_alive_timeout=60.0,
        worker_cancel_long_running_tasks_on_connection_loss=False,
    )  # fmt: skip
    try:
        app.connection_for_write().transport  # noqa: B018 - an address that cannot be read fails here
    except (KeyError, ValueError, ImportError) as problem:
        raise BadOption(
            "The address of the broker cannot be read.",
            hint="It looks like redis://:password@host/0 or amqp://user:password@host/vhost.",
        ) from problem
    return app


def _transport(address: str, *, sends: bool) -> dict[str, Any]:
    once: dict[str, Any] = dict(_ONCE)
    if address.lower().startswith("amqp"):
        limits = {"read_timeout": _ANSWER, "write_timeout": _ANSWER} if sends else {}
        return once | limits | {"confirm_publish": True}
    if not address.lower().startswith(("redis", "sentinel")):
        return once
    return once | ({"socket_timeout": _ANSWER} if sends else {}) | {
        "visibility_timeout": _UNSEEN, "socket_connect_timeout": _CONNECT, "socket_keepalive": True,
        "health_check_interval": 25,
    }  # fmt: skip


class Broker:
    """Sends messages and counts them. Safe for many threads."""

    def __init__(self, address: SecretStr) -> None:
        """Raises BadOption where Celery is not installed, or the address cannot be read."""
        self._app = app_of(address, sends=True)
        self.kind = urlsplit(address.get_secret_value()).scheme.lower()
        """``redis``, ``amqp`` ..."""
        self._back = 0.0
        """When, by a clock that is never set, a broker that was away is asked again."""

    def send(self, messages: Iterable[tuple[str, str]]) -> None:
        """Send (resource, job) each. Raises Unavailable."""
        with self._reach(), self._app.producer_pool.acquire(block=True) as producer:
            for resource, job in messages:
                self._app.send_task(
                    TASK, args=[job], queue=NAMES[resource], producer=producer, retry=True, retry_policy=_ONCE
                )

    def waiting(self) -> Mapping[str, int]:
        """Resource -> messages that nobody has taken. Raises Unavailable."""
        with self._reach(), self._app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=_CONNECT)
            with connection.channel() as channel:
                queues = self._app.amqp.queues
                return {
                    resource: int(queues[name].bind(channel).queue_declare().message_count)
                    for resource, name in NAMES.items()
                }

    def close(self) -> None:
        """Let go of its connections."""
        self._app.close()

    @contextmanager
    def _reach(self) -> Iterator[None]:
        """Unavailable for whatever a broker that is away makes of it, and for some seconds after that."""
        from kombu.exceptions import KombuError

        away = Unavailable("The broker does not answer.", hint="Is it running, and reached from here?")
        if time.monotonic() < self._back:
            raise away
        known = self._app.connection_for_write()
        failures = (KombuError, OSError, *known.connection_errors, *known.channel_errors)
        try:
            yield
        except failures as problem:
            self._back = time.monotonic() + _AWAY
            log.warning("the broker does not answer (%s); jobs wait until it does", type(problem).__name__)
            raise away from None


class CeleryQueue(Queue):
    """Tells the workers of all machines; a broker that is away costs nothing but time."""

    def __init__(self, address: SecretStr, bell: Queue, claims: Claims) -> None:
        """``bell`` is rung besides: what is to be stopped is heard on this machine at once.

        Raises BadOption where Celery is not installed, or the address cannot be read.
        """
        self.broker = Broker(address)
        self._bell, self._claims = bell, claims

    def ring(self, *queued: Job) -> None:
        self._bell.ring()
        self._send([(job.resource, job.id) for job in queued if job.state == "queued"])

    def remind(self, *, places: int) -> None:
        ready = self._claims.ready(most=places)
        if not ready:
            return
        try:
            there = self.broker.waiting()
        except Unavailable:  # the sweeper asks again
            return
        self._send([(bound, job) for bound, jobs in ready.items() for job in jobs[there[bound] :]])

    def close(self) -> None:
        self.broker.close()
        self._bell.close()

    def _send(self, messages: Sequence[tuple[str, str]]) -> None:
        if not messages:
            return
        try:
            self.broker.send(messages)
        except Unavailable:  # the rows wait, and are told of when it is back
            return
