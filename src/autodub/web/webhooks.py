"""Webhooks: addresses that are told what becomes of jobs, and what they were told."""

from __future__ import annotations

from typing import Any, Literal

from flask import Response, jsonify
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, ConfigDict, Field

from autodub.infra.signing import HEADER
from autodub.jobs.owing import KINDS, Kind
from autodub.jobs.webhooks import Delivery, Hook
from autodub.web.identity import actor, needs, platform
from autodub.web.problems import Problem

blueprint = APIBlueprint(
    "webhooks", __name__, url_prefix="/api/v1",
    abp_tags=[
        Tag(
            name="Webhooks",
            description="Addresses that are told what becomes of your jobs. Each body is JSON and signed: "
            f"`{HEADER}: t=<seconds>,v1=<hex>` holds the HMAC-SHA256, with the webhook's secret, of the "
            "seconds, a full stop, and the body. Whatever is not answered with 2xx within ten seconds is "
            "tried again, eight times in about a day; `Autodub-Delivery` stays the same then.",
        )
    ],
    abp_security=[{"key": []}, {"session": []}],
    abp_responses=dict.fromkeys((400, 401, 403, 404, 409, 422, 429), Problem),
)  # fmt: skip
_ADDRESS: Any = Field(min_length=1, max_length=2000, description="Where events are sent by POST.")
_KINDS: Any = Field(min_length=1, max_length=len(KINDS), description="What is told.")


class HookPath(BaseModel):
    """Which webhook."""

    hook: str = Field(pattern=r"^[0-9a-f]{32}$", description="Id of the webhook.")


class DeliveryPath(HookPath):
    """Which delivery of which webhook."""

    delivery: str = Field(pattern=r"^[0-9a-f]{32}$", description="Id of the delivery.")


class DeliveryQuery(BaseModel):
    """Which deliveries are listed."""

    after: str | None = Field(None, pattern=r"^[0-9a-f]{32}$", description="As the page before said.")
    limit: int = Field(50, ge=1, le=200)


class NewHook(BaseModel):
    """A webhook to add."""

    model_config = ConfigDict(extra="forbid")

    url: str = _ADDRESS
    kinds: list[Kind] = _KINDS


class HookPatch(BaseModel):
    """New values; what is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")

    url: str | None = Field(None, min_length=1, max_length=2000)
    kinds: list[Kind] | None = Field(None, min_length=1, max_length=len(KINDS))
    active: bool | None = Field(
        None, description="On, or off; switched on again it has no failures behind it."
    )


class HookShape(BaseModel):
    """A webhook. Times are seconds since 1970 (UTC)."""

    id: str
    url: str
    kinds: list[Kind]
    active: bool
    failing: float | None = Field(description="Since when nothing has arrived; null: the last one did.")
    why: str = Field(description="Why the server switched it off; empty where it did not.")
    created: float
    owner: str


class HookSecret(HookShape):
    """A webhook with its secret."""

    secret: str = Field(description="Signs what is sent. It is shown now and never again.")


class HookList(BaseModel):
    """Your webhooks, oldest first."""

    hooks: list[HookShape]


class DeliveryShape(BaseModel):
    """Something a webhook was told, or is to be told."""

    id: str
    kind: str
    job: str = Field(description="Empty for a test.")
    state: Literal["waiting", "sent", "failed"]
    tries: int
    due: float | None = Field(description="When it is tried next; null when it is not.")
    status: int | None = Field(description="HTTP status of the last answer; null where there was none.")
    trouble: str
    created: float
    body: dict[str, Any]


class DeliveryPage(BaseModel):
    """Deliveries of the last week, newest first."""

    deliveries: list[DeliveryShape]
    after: str | None = Field(description="Send it back for the next page; null at the end.")


@blueprint.get("/webhooks", responses={200: HookList}, summary="List webhooks")
@needs("read")
def listed() -> Response:
    """Your webhooks, oldest first."""
    found = [_shape(hook) for hook in platform().hooks.list(actor())]
    return jsonify(HookList(hooks=found).model_dump())


@blueprint.post("/webhooks", responses={201: HookSecret}, summary="Add a webhook")
@needs("jobs")
def create(body: NewHook) -> Response:
    """Have an address told of events. The answer has the secret, which is not shown again."""
    hook, secret = platform().hooks.create(actor(), body.url, body.kinds)
    answer = _with_secret(hook, secret)
    answer.status_code = 201
    answer.headers["Location"] = f"/api/v1/webhooks/{hook.id}"
    return answer


@blueprint.get("/webhooks/<hook>", responses={200: HookShape}, summary="Look at a webhook")
@needs("read")
def look(path: HookPath) -> Response:
    """A webhook, and whether it works."""
    return jsonify(_shape(platform().hooks.get(actor(), path.hook)).model_dump())


@blueprint.patch("/webhooks/<hook>", responses={200: HookShape}, summary="Change a webhook")
@needs("jobs")
def change(path: HookPath, body: HookPatch) -> Response:
    """Another address, other events, on or off. What waits for one that is switched off is given up."""
    changed = platform().hooks.change(
        actor(), path.hook, url=body.url, kinds=body.kinds, active=body.active
    )  # fmt: skip
    return jsonify(_shape(changed).model_dump())


@blueprint.delete("/webhooks/<hook>", responses={204: None}, summary="Delete a webhook")
@needs("jobs")
def delete(path: HookPath) -> Response:
    """Remove it; what it is still owed is not sent."""
    platform().hooks.delete(actor(), path.hook)
    return Response(status=204)


@blueprint.post("/webhooks/<hook>/secret", responses={200: HookSecret}, summary="Renew a webhook's secret")
@needs("jobs")
def renew(path: HookPath) -> Response:
    """A new secret, which signs everything from now on, also what is tried again."""
    hooks, who = platform().hooks, actor()
    secret = hooks.renew(who, path.hook)
    return _with_secret(hooks.get(who, path.hook), secret)


@blueprint.post("/webhooks/<hook>/ping", responses={202: DeliveryShape}, summary="Test a webhook")
@needs("jobs")
def ping(path: HookPath) -> Response:
    """Send it an event of kind `ping`, once. Its delivery tells what came of it."""
    answer = jsonify(_delivery(platform().hooks.ping(actor(), path.hook)).model_dump())
    answer.status_code = 202
    return answer


@blueprint.get("/webhooks/<hook>/deliveries", responses={200: DeliveryPage}, summary="List deliveries")
@needs("read")
def deliveries(path: HookPath, query: DeliveryQuery) -> Response:
    """What it was told in the last week, newest first, and what came of it."""
    found, after = platform().hooks.deliveries(actor(), path.hook, after=query.after, limit=query.limit)
    page = DeliveryPage(deliveries=[_delivery(one) for one in found], after=after)
    return jsonify(page.model_dump())


@blueprint.post(
    "/webhooks/<hook>/deliveries/<delivery>/redeliver", responses={202: DeliveryShape},
    summary="Send a delivery again",
)  # fmt: skip
@needs("jobs")
def redeliver(path: DeliveryPath) -> Response:
    """Send the same again, under the same id, whatever became of it before."""
    answer = jsonify(_delivery(platform().hooks.redeliver(actor(), path.hook, path.delivery)).model_dump())
    answer.status_code = 202
    return answer


def _shape(hook: Hook) -> HookShape:
    return HookShape(
        id=hook.id, url=hook.url, kinds=list(hook.kinds), active=hook.active, failing=hook.failing,
        why=hook.why, created=hook.created, owner=hook.owner,
    )  # fmt: skip


def _with_secret(hook: Hook, secret: str) -> Response:
    return jsonify(HookSecret(**_shape(hook).model_dump(), secret=secret).model_dump())


def _delivery(one: Delivery) -> DeliveryShape:
    return DeliveryShape(
        id=one.id, kind=one.kind, job=one.job, state=one.state, tries=one.tries,
        due=one.due if one.state == "waiting" else None, status=one.status, trouble=one.trouble,
        created=one.created, body=dict(one.body),
    )  # fmt: skip
