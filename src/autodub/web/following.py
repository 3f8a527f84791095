"""What streams say, as it happens: generators that never wait.

An empty text, or an empty page, means that there is nothing new; whoever asks waits, and asks again.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from flask import Flask, current_app, request
from pydantic import BaseModel, Field

from autodub.jobs.records import Happening, Job
from autodub.jobs.watching import JobWatch, OwnWatch, Page
from autodub.model.errors import AutodubError, Unavailable
from autodub.web import shapes
from autodub.web.identity import actor, forget, platform
from autodub.web.serving import leaving

log = logging.getLogger("autodub.web")
BEAT = 15.0
"""Seconds after which a silent stream says that it is alive."""
AGAIN = 30.0
"""Seconds between two looks at whether whoever watches still may."""
_RETRY = 2000
"""Milliseconds after which a browser whose stream broke comes back."""
_BEAT = ": still here\n\n"
_NOTHING = ""
_MOST = 4000
"""Texts that are kept for other streams that say the same."""

Still = Callable[[], bool]
"""Whether whoever watches still may: the key not revoked, the session not ended, the job still theirs."""


class Numbers(BaseModel):
    """Your jobs."""

    numbers: dict[str, int] = Field(description="Job -> number of its last event.")


def still(job: str | None) -> Still:
    """The question whether whoever asks now may still watch; it is put later, by any thread.

    It raises Unavailable where that cannot be found out.
    """
    return partial(_still, current_app._get_current_object(), request.environ, job)  # type: ignore[attr-defined]


def _still(app: Flask, environ: dict[str, Any], job: str | None) -> bool:
    with app.request_context(environ):
        forget()
        try:
            found = actor()
            if job is not None:
                platform().jobs.get(found, job)
        except Unavailable:  # nobody knows
            raise
        except AutodubError:
            return False
        return "read" in found.scopes


def pages(watch: JobWatch, number: int, *, follow: bool, still: Still) -> Iterator[tuple[str, Page]]:
    """A job's events as they come: (``events``, page), and last of all why there are no more.

    The reasons are ``end``, ``gone``, ``leaving``, and ``out`` for somebody who may not see them any more.
    Raises Unavailable.
    """
    checked = time.monotonic()
    page = watch.after(number)
    while True:
        yield "events", page
        if page.is_gone:
            yield "gone", page
            return
        if page.is_over and not follow:
            yield "end", page
            return
        if leaving():
            yield "leaving", page
            return
        if time.monotonic() - checked >= AGAIN:
            checked = time.monotonic()
            if not still():
                yield "out", page
                return
        page = watch.after(page.number)


def told(watch: JobWatch, job: str, number: int, *, follow: bool, still: Still) -> Iterator[str]:
    """A job's events as they come, in the form of a stream."""
    for what, page in pages(watch, number, follow=follow, still=still):
        if what in ("end", "gone"):
            yield f"event: {what}\ndata: {json.dumps({'id': job, 'state': page.state})}\n\n"
        elif what == "events":
            yield "".join(map(_of_happening, page.happenings))


def changing(watch: OwnWatch, *, still: Still) -> Iterator[str]:
    """What becomes of a user's jobs, in the form of a stream."""
    yield _message(Numbers(numbers=dict(watch.numbers)), kind="jobs")
    checked = time.monotonic()
    while not leaving():
        changes = watch.changes()
        gone = (f"event: gone\ndata: {json.dumps({'id': job})}\n\n" for job in changes.gone)
        yield "".join([*map(_of_job, changes.jobs), *gone])
        if time.monotonic() - checked >= AGAIN:
            checked = time.monotonic()
            if not still():
                return


def lasting(texts: Iterator[str]) -> Iterator[str]:
    """A stream that shows that it lives, and ends quietly when the database is away."""
    yield f"retry: {_RETRY}\n\n"
    beat = time.monotonic()
    try:
        for text in texts:
            now = time.monotonic()
            if text or now - beat >= BEAT:
                beat = now
                yield text or _BEAT
            else:
                yield _NOTHING
    except Unavailable as problem:  # whoever watches comes back, and goes on where it stopped
        log.warning("a stream ends early: %s", problem.message)


_texts: dict[tuple[str, int, float], str] = {}


def _of_happening(one: Happening) -> str:
    name = one.job, one.number, one.at
    return _kept(name, lambda: _message(shapes.of_happening(one), number=one.number))


def _of_job(job: Job) -> str:
    return _kept((job.id, -job.events, job.updated), lambda: _message(shapes.brief_of_job(job), kind="job"))


def _kept(name: tuple[str, int, float], make: Callable[[], str]) -> str:
    """A text that is made once for all streams; the oldest ones are forgotten."""
    text = _texts.get(name)
    if text is None:
        text = make()
        while len(_texts) >= _MOST:
            _texts.pop(next(iter(_texts)), None)
        _texts[name] = text
    return text


def _message(shape: BaseModel, *, kind: str = "", number: int | None = None) -> str:
    begin = f"event: {kind}\n" if kind else ""
    if number is not None:
        begin += f"id: {number}\n"
    return f"{begin}data: {shape.model_dump_json()}\n\n"
