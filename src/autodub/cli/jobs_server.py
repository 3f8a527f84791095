"""The server that ``autodub jobs`` talks to: which one, who asks, and how its refusals are told here."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from autodub.cli import jobs_words, progress
from autodub.cli.calls import Calls
from autodub.model.errors import AutodubError, BadOption, Cancelled, NotFound, RequestError, Unavailable
from autodub.model.job import Event

if TYPE_CHECKING:
    from autodub import client as api

F = TypeVar("F", bound=Callable[..., Any])
server_option: Callable[[F], F] = click.option(
    "--server", metavar="URL", help="Address of the server (also AUTODUB_SERVER; the key is AUTODUB_KEY)."
)
_ID = re.compile(r"[0-9a-f]{32}")
_RECENT = 500
"""Jobs among which a shortened id is looked for."""


class _Refused(RequestError):
    """A server did not do what it was asked."""

    def __init__(self, code: str, message: str, hint: str) -> None:
        super().__init__(message, hint=hint)
        vars(self)["code"] = code  # the server's own word


class _Failed(Unavailable):
    """A server, or a job there, failed."""

    def __init__(self, code: str, message: str, hint: str) -> None:
        super().__init__(message, hint=hint)
        vars(self)["code"] = code


@contextmanager
def connected(calls: Calls, address: str | None) -> Iterator[api.Client]:
    """A client of the server that is meant. Inside, its errors become ours."""
    from autodub.client import ApiError

    settings = calls.settings(data_dir=None)
    key = settings.server_key.get_secret_value() if settings.server_key else None
    try:
        client = calls.client(address or settings.server_url, key)
    except ValueError as problem:
        raise BadOption(f"{str(problem).capitalize()}.", hint="Such as http://127.0.0.1:5000.") from None
    try:
        with client:
            yield client
    except ApiError as error:
        raise _told(error) from None
    except OSError as problem:
        name = f"{problem.filename}: " if problem.filename else ""
        raise BadOption(f"{name}{problem.strerror or problem}.", hint="Check the path.") from problem


@contextmanager
def of_batch(sources: Sequence[str], targets: Sequence[str]) -> Iterator[None]:
    """Inside, a refusal of a batch says which of its jobs cannot be."""
    from autodub.client import ApiError

    try:
        yield
    except ApiError as error:
        lines = jobs_words.places(error, sources, targets)
        raise _told(error, *lines) from None


def _told(error: api.ApiError, *lines: str) -> AutodubError:
    """An error of the client's as one of ours, in the words of this command line."""
    is_ours = (400 <= error.status < 500 and error.status != 429) or error.code == "bad_file"
    hint = "\n".join((*lines, jobs_words.in_options(error.hint)))
    return (_Refused if is_ours else _Failed)(error.code, jobs_words.in_options(error.title), hint)


def resolved(client: api.Client, text: str) -> str:
    """The id of a job by itself, by its first characters, or as ``last``. Raises NotFound, BadOption."""
    word = text.strip().lower()
    if _ID.fullmatch(word):
        return word
    if word == "last":
        for job in client.jobs.list(most=1):
            return job.id
        raise NotFound("There are no jobs yet.", hint="Submit one: autodub jobs submit talk.mp4 --to es")
    if not re.fullmatch(r"[0-9a-f]{4,31}", word):
        raise BadOption(f"{text!r} is no job.", hint="Give its id, at least 4 characters of it, or: last")
    found = [job.id for job in client.jobs.list(most=_RECENT) if job.id.startswith(word)]
    if len(found) != 1:
        what = f"{len(found)} jobs begin with {word}." if found else f"No job begins with {word}."
        raise NotFound(what, hint="See: autodub jobs list")
    return found[0]


def watched(client: api.Client, job: str, *, after: int = 0) -> api.Job:
    """A job once it is completed, its progress shown meanwhile. Raises AutodubError for another end."""
    with progress.shown(sys.stderr) as view:

        def each(event: api.Event) -> None:
            _show(view, event)

        try:
            ended = client.jobs.wait(job, each=each, after=after, away=partial(told_away, view.say))
        except KeyboardInterrupt:
            view.say(f"The job goes on at the server. See it: autodub jobs watch {job[:8]}")
            raise
    return completed(ended)


def told_away(say: Callable[[str], None], why: api.ApiError | None) -> None:
    """Say that the server is away, or back."""
    if why is None:
        say("The server is back.")
    else:
        say(f"{why.title.rstrip('.')}; the job is not lost by that. Waiting for it ...")


def completed(job: api.Job) -> api.Job:
    """The job, if it came to a good end. Raises AutodubError otherwise."""
    if job.state == "cancelled":
        raise Cancelled("The job was cancelled.", hint=f"Try it again: autodub jobs retry {job.id[:8]}")
    if job.state == "failed":
        why = job.error
        if why is None:
            raise _Failed("failed", "The job failed.", "")
        raise _Failed(why.code, jobs_words.in_options(why.message), jobs_words.in_options(why.hint))
    return job


def _show(view: progress.View, event: api.Event) -> None:
    if event.kind == "job.queued":
        view.say("Waiting for a free place ...")
    elif event.kind in ("job.lost", "job.handed_back") and event.message:
        view.say(event.message)
    elif not event.kind.startswith("job."):
        view(cast("Event", event))  # it has the same fields


def transfer(view: progress.View, stage: str) -> Callable[[int, int | None], None]:
    """Shows bytes that are on their way as a stage of its own, which begins when the first are told."""
    is_begun = False

    def told(done: int, whole: int | None) -> None:
        nonlocal is_begun
        if not is_begun:
            is_begun = True
            view(Event("stage.started", stage))
        if whole is not None and done >= whole:
            view(Event("stage.finished", stage))
        else:
            view(Event("stage.progress", stage, fraction=done / whole if whole else None))

    return told
