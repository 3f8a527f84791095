"""``autodub doctor``: what is here, what is missing, and the one command that fixes it."""

from __future__ import annotations

from pathlib import Path

import click

from autodub.cli.calls import Calls
from autodub.cli.common import data_dir_option, emit, json_option


@click.command("doctor")
@data_dir_option
@json_option
@click.pass_obj
def command(calls: Calls, *, data_dir: Path | None, as_json: bool) -> int:
    """Check programs, engines, disk space and settings.

    The exit code is 1 when something is missing that every dub needs.
    """
    from autodub.cli import show_doctor, survey

    examination = survey.examine(calls.settings(data_dir=data_dir))
    if as_json:
        emit(show_doctor.as_json(examination))
    else:
        show_doctor.show(examination)
    return 0 if examination.is_fit else 1
