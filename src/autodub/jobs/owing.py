"""What webhooks are owed: a delivery is written in the transaction that changes the job, so none is lost."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from typing import Any, Literal, get_args

from sqlalchemy import Connection, insert, select

from autodub.jobs.records import Job, job_of
from autodub.jobs.tables import deliveries, hooks, jobs
from autodub.model.language import Language

Kind = Literal["job.queued", "job.started", "job.completed", "job.failed", "job.cancelled", "job.deleted"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""What a webhook may be told of."""
PING = "ping"
"""A test, asked for by a person."""


def owe(
    connection: Connection, owner: str, job: str, kind: str, *, number: int | None = None, at: float
) -> int:
    """Owe a delivery to each of the owner's hooks that wants this kind; how many those are.

    ``number`` is that of the job's event; of a job that is deleted nothing but its id is told.
    """
    if kind not in KINDS:
        return 0
    mine = select(hooks.c.id, hooks.c.kinds).where(hooks.c.owner == owner, hooks.c.active)
    mine = mine.with_for_update(read=True, key_share=True)  # nobody deletes one before it is owed something
    wanted = [row.id for row in connection.execute(mine) if kind in row.kinds.split()]
    if not wanted:
        return 0
    told: dict[str, Any] = {"id": job}
    if kind != "job.deleted":
        told = outline(job_of(connection.execute(select(jobs).where(jobs.c.id == job)).one()))
    for hook in wanted:
        write(connection, hook, kind, {"number": number, "job": told}, job=job, at=at)
    return len(wanted)


def write(
    connection: Connection, hook: str, kind: str, told: Mapping[str, Any], *, job: str = "", at: float
) -> str:
    """Owe one delivery; its id, which is in the body as well, so that a receiver can notice a second copy."""
    delivery = secrets.token_hex(16)
    body = {"id": delivery, "kind": kind, "at": at, **told}
    connection.execute(
        insert(deliveries).values(
            id=delivery, hook=hook, job=job, kind=kind, body=json.dumps(body, ensure_ascii=False),
            state="waiting", tries=0, due=at, trouble="", created=at,
        )
    )  # fmt: skip
    return delivery


def outline(job: Job) -> dict[str, Any]:
    """A job as the interface lists it, and as webhooks are told of it: all but its figures."""
    result, spec, failed = job.result or {}, job.spec, job.error
    asked = spec.get("spoken")
    spoken = result.get("spoken") or (asked and Language.parse(asked).tag)
    return {
        "id": job.id, "kind": job.kind, "state": job.state, "title": job.title,
        "target": str(spec["target"]), "spoken": spoken,
        "source": spec.get("source"), "upload": spec.get("upload"),
        "start": spec.get("start"), "end": spec.get("end"), "batch": job.batch,
        "priority": job.priority, "progress": job.progress, "stage": job.stage, "message": job.message,
        "created": job.created, "started": job.started, "finished": job.finished, "updated": job.updated,
        "expires": job.expires, "attempt": job.attempt, "seconds": job.duration,
        "dollars": round(float(job.spent), 4), "revision": job.revision, "stale": job.is_stale,
        "stopping": bool(job.stopping),
        "error": failed and {"code": failed.code, "message": failed.message, "hint": failed.hint},
        "files": {kind: f"/api/v1/jobs/{job.id}/files/{kind}" for kind in result.get("files", {})},
        "verdict": result.get("verdict", ""), "degradations": result.get("degradations", []),
        "events": job.events, "owner": job.owner,
    }  # fmt: skip
