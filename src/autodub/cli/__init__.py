"""The command line: ``autodub dub``, ``measure``, ``engines``, ``languages``, and so on.

Commands parse, call the library and show what came back; each lives in a module of its own that is
loaded when it is used, so ``autodub --help`` starts at once. Exit codes: 0 done, 1 something
failed, 2 the command or the request is wrong, 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module

import click

from autodub import __version__
from autodub.cli import failure
from autodub.cli.calls import Calls

_COMMANDS = {
    "dub": "autodub.cli.dub",
    "measure": "autodub.cli.measure",
    "engines": "autodub.cli.engines",
    "languages": "autodub.cli.languages",
    "voices": "autodub.cli.voices",
    "doctor": "autodub.cli.doctor",
    "subtitles": "autodub.cli.subtitles",
    "cache": "autodub.cli.cache",
    "serve": "autodub.cli.serve",
    "worker": "autodub.cli.worker",
    "users": "autodub.cli.users",
    "audit": "autodub.cli.audit",
    "privacy": "autodub.cli.privacy",
    "profile": "autodub.cli.profile",
    "jobs": "autodub.cli.jobs",
}
"""Command -> the module whose ``command`` it is."""


class _Lazy(click.Group):
    """A group that imports a command's module when the command is used or described."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - the names are click's
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = import_module(_COMMANDS[cmd_name]).command
        return command


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="autodub")
def root() -> None:
    """Dub a video: the same video speaking another language, in time with the picture."""


def main(argv: Sequence[str] | None = None, *, calls: Calls | None = None) -> int:
    """Run a command and return its exit code. ``calls`` replaces the library, in tests."""
    for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(variable, "1")  # our own arrays are small: idle threads would only burn CPU
    arguments = list(sys.argv[1:] if argv is None else argv)
    with failure.reported(json=failure.wants_json(arguments)) as outcome:
        code = root.main(arguments, prog_name="autodub", standalone_mode=False, obj=calls or Calls())
        outcome.code = code if isinstance(code, int) else 0
        sys.stdout.flush()
    return outcome.code
