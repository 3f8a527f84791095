"""What happens in jobs, from one source in three ways: a stream (SSE), pages of JSON, a WebSocket."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import ExitStack
from http import HTTPStatus
from typing import Any

from flask import Response, current_app, jsonify, request
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, Field

from autodub.jobs.watching import JobWatch, OwnWatch
from autodub.model.errors import BadOption, NotFound, Unavailable
from autodub.web import following, shapes
from autodub.web.identity import actor, needs, platform
from autodub.web.problems import Problem, problem
from autodub.web.pushing import SLICE, Pushed, Pusher
from autodub.web.serving import leaving
from autodub.web.sockets import Socket

blueprint = APIBlueprint(
    "events", __name__, url_prefix="/api/v1",
    abp_tags=[Tag(name="Events", description="What happens in jobs, as it happens.")],
    abp_security=[{"key": []}, {"session": []}],
    abp_responses=dict.fromkeys((400, 401, 403, 404, 422, 429, 503), Problem),
)  # fmt: skip

log = logging.getLogger("autodub.web")
_STREAM = "text/event-stream"
_ENDS = {
    "end": (1000, "the job is over"), "gone": (4404, "the job was deleted"),
    "out": (4401, "log in again"), "leaving": (1001, "the server stops; come back"),
    "away": (1013, "come back in a moment"),
}  # fmt: skip
"""Why a socket is closed: code and words."""


class JobPath(BaseModel):
    """Which job."""

    job: str = Field(pattern=r"^[0-9a-f]{32}$", description="Id of the job.")


class EventsQuery(BaseModel):
    """Which events, and how long to wait for one."""

    after: int | None = Field(
        None, ge=0, le=2**53, description="Only events after this number; for a stream, as `Last-Event-ID`."
    )
    limit: int = Field(500, ge=1, le=500, description="At most so many (JSON only).")
    wait: float = Field(
        0, ge=0, le=60, description="Seconds to wait for an event when there is none yet (JSON only)."
    )
    follow: bool = Field(False, description="Go on when the job is over: it may be tried again or edited.")


class SocketQuery(BaseModel):
    """Which events of a socket."""

    after: int = Field(0, ge=0, le=2**53, description="Only events after this number.")
    follow: bool = Field(False, description="Go on when the job is over.")


class EventPage(BaseModel):
    """Events of a job, in order."""

    events: list[shapes.EventShape]
    after: int = Field(description="Send it back for the next page.")
    state: str = Field(description="Of the job.")
    over: bool = Field(description="Whether nothing more will come, unless somebody tries the job again.")


_ONE: dict[str | int | HTTPStatus, Any] = {
    200: {
        "description": "Events: as JSON, or as a stream where `Accept: text/event-stream` is sent.",
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/EventPage"}},
            _STREAM: {"schema": {"type": "string"}},
        },
    },
    204: {"description": "A stream that was resumed has nothing more to tell: do not come back."},
}  # fmt: skip
_OWN: dict[str | int | HTTPStatus, Any] = {
    200: {
        "description": "Numbers as JSON, or a stream where `Accept: text/event-stream` is sent.",
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/Numbers"}},
            _STREAM: {"schema": {"type": "string"}},
        },
    },
}  # fmt: skip
_SOCKET: dict[str | int | HTTPStatus, Any] = {
    101: {"description": "From here on every message is an event, as in the stream."},
    426: {"description": "A WebSocket is opened here.", "content": {"application/problem+json": {}}},
}  # fmt: skip


@blueprint.get("/jobs/<job>/events", responses=_ONE, summary="Follow a job")
@needs("read")
def of_job(path: JobPath, query: EventsQuery) -> Response:
    """What happened in a job, in order and without a hole.

    With `Accept: text/event-stream` it is a stream of server-sent events: `id` is the number, `data` an event
    as in the JSON answer. It ends with an event of the type `end` once the job is over, or `gone` when it was
    deleted. Otherwise a page of events as JSON.
    """
    number, is_resumed = _resumed(query.after)
    with ExitStack() as stack:
        watch = stack.enter_context(platform().watching.job(actor(), path.job))
        if not _wants_stream():
            return _page(watch, query)
        if is_resumed and not query.follow:
            page = watch.after(number, limit=1)
            if page.is_over and not page.happenings:  # else a browser would come back for ever
                return _as_it_is(Response(status=204))
        still = following.still(path.job)
        said = following.told(watch, path.job, number, follow=query.follow, still=still)
        return _stream(said, watch, stack.pop_all())


@blueprint.get("/events", responses=_OWN, summary="Follow all your jobs")
@needs("read")
def of_mine() -> Response:
    """What becomes of all your jobs, for lists: each change is the job as it stands, as in `GET /jobs`.

    With `Accept: text/event-stream` a stream. Its first event, `jobs`, has the number of the last event of
    every job; list the jobs after it, and nothing is missed. Then come `job` (a job) and `gone` (its `id`).
    A stream that was broken begins anew. Otherwise the numbers alone, as JSON.
    """
    with ExitStack() as stack:
        watch = stack.enter_context(platform().watching.own(actor()))
        if not _wants_stream():
            return _as_it_is(jsonify(following.Numbers(numbers=dict(watch.numbers)).model_dump()))
        return _stream(following.changing(watch, still=following.still(None)), watch, stack.pop_all())


@blueprint.get("/jobs/<job>/ws", responses=_SOCKET, summary="Follow a job over a WebSocket")
@needs("read")
def no_socket(path: JobPath, query: SocketQuery) -> Response:  # noqa: ARG001 - for the document
    """The same events, one in each message, as JSON. The socket is closed when the job is over."""
    platform().jobs.get(actor(), path.job)
    answer = problem(
        426, "upgrade_required", "A WebSocket is opened here.",
        hint=f"Without one, ask GET /api/v1/jobs/{path.job}/events.",
    )  # fmt: skip
    answer.headers["Upgrade"] = "websocket"
    return answer


@blueprint.get("/jobs/<job>/ws", doc_ui=False, websocket=True)
@needs("read")
def socket(path: JobPath, query: SocketQuery) -> Response:
    """As above, for those who want one: Werkzeug keeps their routes apart.

    Browsers let any page open a socket, with our cookies: ``origins`` refuses those of other sites.
    """
    with platform().watching.job(actor(), path.job) as watch, Socket.open(request.environ) as opened:
        still = following.still(path.job)
        try:
            for what, page in following.pages(watch, query.after, follow=query.follow, still=still):
                if what in _ENDS:
                    opened.close(*_ENDS[what])
                elif not opened.is_open:
                    break
                elif not page.happenings:
                    watch.wait(SLICE)
                for happening in page.happenings if what == "events" else ():
                    opened.send(shapes.of_happening(happening).model_dump_json())
        except Unavailable as problem:  # no answer can be given any more: the connection is a socket
            log.warning("a socket is closed early: %s", problem.message)
            opened.close(*_ENDS["away"])
    return opened.answer


def _page(watch: JobWatch, query: EventsQuery) -> Response:
    """Some events as JSON, waiting for one if that is wished."""
    number, end = query.after or 0, time.monotonic() + query.wait
    page, left = watch.after(number, limit=query.limit), query.wait
    while left > 0 and not (page.happenings or page.is_over or page.is_gone or leaving()):
        page = watch.after(number, wait=min(left, SLICE), limit=query.limit)
        left = end - time.monotonic()
    if page.is_gone:
        raise NotFound("The job was deleted.")
    events = [shapes.of_happening(happening) for happening in page.happenings]
    found = EventPage(events=events, after=page.number, state=page.state, over=page.is_over)
    return _as_it_is(jsonify(found.model_dump()))


def _stream(said: Iterator[str], watch: JobWatch | OwnWatch, watched: ExitStack) -> Response:
    """A stream as an answer; what is ``watched`` ends with it."""
    pusher: Pusher = current_app.extensions["autodub.pusher"]
    answer = Pushed(
        following.lasting(said), pusher, has_news=lambda: watch.has_news, wait=watch.wait
    )  # fmt: skip
    answer.call_on_close(watched.close)
    answer.headers["X-Accel-Buffering"] = "no"  # nginx would keep events back otherwise
    return _as_it_is(answer)


def _as_it_is(answer: Response) -> Response:
    """An answer that nobody keeps."""
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["Vary"] = "Accept"
    return answer


def _wants_stream() -> bool:
    wanted = request.accept_mimetypes.best_match(["application/json", _STREAM])
    return wanted == _STREAM


def _resumed(after: int | None) -> tuple[int, bool]:
    """The number a stream goes on from, and whether it was open before."""
    said = request.headers.get("Last-Event-ID", "").strip()
    if not said:
        return after or 0, False
    if not said.isascii() or not said.isdigit() or len(said) > 16:
        raise BadOption("Last-Event-ID is not a number.", hint="Send the id of the last event you have seen.")
    return int(said), True
