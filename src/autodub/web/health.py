"""How the server is: alive, ready for requests, and in detail for whoever runs it."""

from __future__ import annotations

import logging
import os
import shutil
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Generic, Literal, TypeVar

from flask import Response, current_app, jsonify
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, Field

from autodub import __version__
from autodub.gateway.accounts import is_shared
from autodub.infra import redis_limits
from autodub.infra.settings import SECRETS, Settings
from autodub.jobs import schema
from autodub.jobs.metrics import Queue
from autodub.jobs.platform import Platform
from autodub.model.errors import AutodubError, Unavailable
from autodub.pipeline import catalogue
from autodub.web import serving
from autodub.web.identity import needs, platform, public
from autodub.web.problems import Problem, problem

blueprint = APIBlueprint(
    "health", __name__, abp_tags=[Tag(name="Operations", description="How the server is.")]
)
log = logging.getLogger("autodub.health")
T = TypeVar("T")
_KEPT = 60.0
"""Seconds for which what takes long to find out is kept."""


class Alive(BaseModel):
    """It answers."""

    status: Literal["healthy"] = "healthy"
    version: str


class Ready(BaseModel):
    """It can take work."""

    status: Literal["ready"] = "ready"


class EngineHealth(BaseModel):
    """One engine."""

    engine: str = Field(description="role.name")
    state: str = Field(description="ready, needs key, needs download, needs worker, not installed")
    detail: str = Field(description="Only where it is not ready.")


class Details(BaseModel):
    """How the server is."""

    version: str
    trouble: list[str] = Field(description="Why it is not ready; empty when it is.")
    database: dict[str, Any] = Field(
        description="kind, milliseconds of a question, revision, is_current, is_usable (also "
        "where a newer release has added to it)"
    )
    queue: dict[str, Any] | None = Field(
        description="queued, processing, oldest (seconds), workers, slots; resources: net, cpu, gpu -> the "
        "same of what each binds, and unserved: jobs that wait although no worker takes them"
    )
    broker: dict[str, Any] | None = Field(
        description="kind, milliseconds of a question (null: it does not answer), waiting: messages by "
        "resource. null: there is none"
    )
    provider_limits: dict[str, Any] | None = Field(
        description="Of limits that machines share: milliseconds of a question (null: Redis does not answer, "
        "and each process keeps to a share), processes that share them, gates: provider, kind, running, "
        "waiting, width (calls that may go out now), ceiling. null: each process has its own"
    )
    store: dict[str, Any] | None = Field(
        description="Of a store that machines share: files (folder, s3), trouble (empty when there is none; "
        "null until it was looked at, once a minute). null: it lies in the data directory"
    )
    disk: dict[str, int] = Field(description="Bytes: free, total, spare")
    keys: dict[str, bool] = Field(description="Whether each key of a cloud engine is set.")
    engines: list[EngineHealth] | None = Field(description="null until they were looked at.")
    engines_seen: float | None = Field(description="When, seconds since 1970.")


class Kept(Generic[T]):
    """Something slow to find out: asked for beside, at most once a minute, and never waited for."""

    def __init__(
        self, find: Callable[[], T], *, clock: Callable[[], float] = time.time, fresh: float = _KEPT
    ) -> None:
        self._find, self._clock, self._fresh = find, clock, fresh
        self._lock = threading.Lock()
        self._value: T | None = None
        self._at: float | None = None
        self._thread: threading.Thread | None = None

    def look(self) -> tuple[T | None, float | None]:
        """What is known now and since when; (None, None) before the first answer."""
        with self._lock:
            is_old = self._at is None or self._clock() - self._at > self._fresh
            if is_old and self._thread is None:
                self._thread = threading.Thread(target=self._ask, name="health", daemon=True)
                self._thread.start()
            return self._value, self._at

    def wait(self) -> None:
        """Wait for a question under way."""
        with self._lock:
            thread = self._thread
        if thread is not None:
            thread.join()

    def _ask(self) -> None:
        value = None
        try:
            value = self._find()
        except AutodubError as failed:
            log.warning("the engines could not be looked at: %s", failed.message)
        finally:
            with self._lock:
                self._value, self._at, self._thread = value, self._clock(), None


def trouble(here: Platform) -> list[str]:
    """Why this server cannot do its work now; empty when it can."""
    found = []
    if serving.leaving():
        found.append("It is about to stop.")
    data = here.settings.data_dir
    if not os.access(data, os.W_OK | os.X_OK):
        found.append("The data directory cannot be written.")
    elif not here.has_room():
        found.append("The disk has no room for another job.")
    try:
        if not schema.is_usable(here.sql):
            found.append("The database belongs to another release.")
        elif here.server.slots and not here.numbers.queue().workers:
            found.append("No worker runs.")
    except Unavailable:
        found.append("The database does not answer.")
    try:
        here.store.ping()
        if not here.store.is_ours():
            found.append("The store belongs to another release.")
    except AutodubError:
        found.append("The store does not answer.")
    return found


@blueprint.get("/health", responses={200: Alive}, summary="Whether the server lives")
@public
def alive() -> Response:
    """Answers as long as the process does; asks nobody else."""
    return jsonify(Alive(version=__version__).model_dump())


@blueprint.get("/ready", responses={200: Ready, 503: Problem}, summary="Whether the server can take work")
@public
def ready() -> Response:
    """503 while database, data directory or worker cannot be used, and once it is told to stop."""
    found = trouble(platform())
    if found:
        return problem(503, "unavailable", " ".join(found), hint="See /health/details.")
    return jsonify(Ready().model_dump())


@blueprint.get(
    "/health/details", responses={200: Details, 401: Problem, 403: Problem}, summary="How the server is",
    security=[{"key": []}, {"session": []}],
)  # fmt: skip
@needs("admin")
def details() -> Response:
    """Database, queue, workers, disk, keys and engines, for admins. Engines are looked at once a minute."""
    here = platform()
    engines, seen = _engines().look()
    disk = shutil.disk_usage(here.settings.data_dir)
    told = Details(
        version=__version__, trouble=trouble(here), database=_database(here), queue=_queue(here),
        broker=_broker(here), provider_limits=_limits(here), store=_store(here),
        disk={"free": disk.free, "total": disk.total, "spare": here.server.spare},
        keys={name: name in here.settings.secrets for name in sorted({*SECRETS, *here.settings.secrets})},
        engines=engines, engines_seen=seen,
    )  # fmt: skip
    return jsonify(told.model_dump())


def _engines() -> Kept[list[EngineHealth]]:
    found: Kept[list[EngineHealth]] | None = current_app.extensions.get("autodub_engines")
    if found is None:
        here = platform()
        look = partial(_look, here.settings, here.server.moderation)
        found = current_app.extensions.setdefault("autodub_engines", Kept(look))
    return found


def _look(settings: Settings, moderator: str) -> list[EngineHealth]:
    """Every engine, and the one that looks at what is said where there is to be one."""
    operators = (catalogue.moderator(settings, moderator),) if moderator else ()
    return [
        EngineHealth(
            engine=f"{one.role}.{one.name}", state=one.readiness.state,
            detail="" if one.is_ready else settings.redact(one.readiness.detail),
        )
        for one in (*catalogue.engines(settings), *operators)
    ]  # fmt: skip


def _database(here: Platform) -> dict[str, Any]:
    told: dict[str, Any] = {"kind": "postgresql" if here.sql.is_postgres else "sqlite"}
    began = time.monotonic()
    try:
        here.sql.ping()
        told["ms"] = round((time.monotonic() - began) * 1000, 2)
        standing = schema.standing(here.sql)
        return told | {
            "revision": schema.revision(here.sql), "is_current": standing == "current",
            "is_usable": standing in ("current", "newer"),
        }  # fmt: skip
    except Unavailable:
        return told | {"ms": None, "revision": None, "is_current": None, "is_usable": None}


def _broker(here: Platform) -> dict[str, Any] | None:
    if not here.server.broker.get_secret_value():
        return None
    from autodub.jobs.celery_queue import CeleryQueue

    queue = here.queue
    assert isinstance(queue, CeleryQueue)
    began = time.monotonic()
    try:
        waiting = queue.broker.waiting()
    except Unavailable:
        return {"kind": queue.broker.kind, "ms": None, "waiting": None}
    took = round((time.monotonic() - began) * 1000, 2)
    return {"kind": queue.broker.kind, "ms": took, "waiting": dict(waiting)}


def _limits(here: Platform) -> dict[str, Any] | None:
    if not is_shared(here.settings):
        return None
    began = time.monotonic()
    try:
        found = redis_limits.standing(here.settings.provider_limits)
    except AutodubError:
        return {"ms": None, "processes": None, "gates": None}
    gates = [
        {
            "provider": gate.kind[0], "kind": gate.kind[1], "running": gate.running, "waiting": gate.waiting,
            "width": gate.width, "ceiling": gate.ceiling,
        }
        for gate in found.gates
    ]  # fmt: skip
    took = round((time.monotonic() - began) * 1000, 2)
    return {"ms": took, "processes": found.processes, "gates": gates}


def _store(here: Platform) -> dict[str, Any] | None:
    if not here.settings.store_database.get_secret_value():
        return None
    seen: Kept[str] = current_app.extensions.setdefault(
        "autodub_store", Kept(partial(_trouble, here.settings))
    )
    trouble, _ = seen.look()
    return {"files": "s3" if "://" in here.settings.blobs else "folder", "trouble": trouble}


def _trouble(settings: Settings) -> str:
    """Why the shared store cannot be used; its storage may take long to say so."""
    from autodub.infra.shared_store import check

    try:
        check(settings)
    except AutodubError as problem:
        return problem.message
    return ""


def _queue(here: Platform) -> dict[str, Any] | None:
    try:
        found: Queue = here.numbers.queue()
        lanes = here.numbers.lanes()
    except Unavailable:
        return None
    return {
        "queued": found.queued, "processing": found.processing, "oldest": round(found.oldest, 1),
        "workers": found.workers, "slots": found.slots,
        "resources": {
            resource: {
                "queued": lane.queued, "processing": lane.processing, "oldest": round(lane.oldest, 1),
                "slots": lane.slots, "unserved": lane.unserved,
            }
            for resource, lane in lanes.items()
        },
    }  # fmt: skip
