"""How a command fails: one sentence, one hint, an exit code; a traceback only for whoever asks for it."""

from __future__ import annotations

import contextlib
import json as jsonlib
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import click

from autodub.cli.text import safe, safe_lines, wrapped
from autodub.model.errors import AutodubError, Cancelled, RequestError

FAILED, WRONG, INTERRUPTED = 1, 2, 130
"""Exit codes: something failed; the command or request is wrong; somebody stopped it."""


@dataclass(slots=True)
class Outcome:
    """The exit code of a command, known when it is over."""

    code: int = 0


def wants_json(arguments: Sequence[str]) -> bool:
    """Whether the command was asked for JSON, known before its options are parsed."""
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "--json" in options


@contextlib.contextmanager
def reported(*, json: bool) -> Iterator[Outcome]:
    """Turn whatever goes wrong inside into a report and an exit code."""
    outcome = Outcome()
    try:
        yield outcome
    except (click.Abort, KeyboardInterrupt):
        outcome.code = INTERRUPTED
        _report("cancelled", "Stopped on request.", "", json=json, wanted=True)
    except click.exceptions.NoArgsIsHelpError as problem:
        # ``autodub`` or ``autodub cache`` by itself is a question, and the help is the answer.
        click.echo(problem.format_message())
    except click.UsageError as problem:
        outcome.code = WRONG
        _report("usage", problem.format_message(), f"See: {_path(problem)} --help", json=json)
    except click.ClickException as problem:
        outcome.code = WRONG
        _report("usage", problem.format_message(), "", json=json)
    except AutodubError as problem:
        interrupted = isinstance(problem, Cancelled)
        outcome.code = INTERRUPTED if interrupted else WRONG if isinstance(problem, RequestError) else FAILED
        log = getattr(problem, "log", "")
        _report(problem.code, problem.message, problem.hint, json=json, log=log, wanted=interrupted)
    except BrokenPipeError:
        # Whoever read our output has gone (``autodub engines | head``): nobody is left to tell.
        outcome.code = FAILED
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    except Exception as problem:  # noqa: BLE001 - the last line of defence between a bug and a person
        outcome.code = FAILED
        what = " ".join(f"{type(problem).__name__}: {problem}".split())[:300]
        hint = "Please report it. With AUTODUB_DEBUG=1 it also says where."
        _report("internal", f"Something went wrong inside Autodub ({what}).", hint, json=json)


def _path(problem: click.UsageError) -> str:
    return problem.ctx.command_path if problem.ctx else "autodub"


def _report(code: str, message: str, hint: str, *, json: bool, log: str = "", wanted: bool = False) -> None:
    """Say what happened. ``wanted``: somebody asked for it, so it is no error."""
    if os.environ.get("AUTODUB_DEBUG") and sys.exc_info()[0] is not None:
        traceback.print_exc()
        if log:
            click.echo(safe_lines(log), err=True)
    if json:
        click.echo(jsonlib.dumps({"error": {"code": code, "message": message, "hint": hint}}))
        return
    said = wrapped(safe(message) if wanted else "Error: " + safe(message))
    mark = click.style("Error:", fg="red", bold=True)
    click.echo(said if wanted else mark + said.removeprefix("Error:"), err=True)
    if hint:
        click.echo(wrapped(safe_lines(hint)), err=True)
