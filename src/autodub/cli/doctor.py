"""``autodub doctor``: what is here, what is missing, and the one command that fixes it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from autodub.cli.calls import Calls
from autodub.cli.common import data_dir_option, emit, json_option


@click.command("doctor")
@click.option(
    "--no-accounts", is_flag=True, help="Do not ask cloud providers whether keys and models will do."
)
@data_dir_option
@json_option
@click.pass_obj
def command(calls: Calls, *, no_accounts: bool, data_dir: Path | None, as_json: bool) -> int:
    """Check programs, engines, accounts, disk space and settings.

    Those of a server are among them. The exit code is 1 when something is missing that every dub needs.
    """
    from autodub.cli import accounts, show_doctor, survey, survey_limits, survey_server, survey_store

    settings = calls.settings(data_dir=data_dir)
    examination = survey.examine(settings)
    examination = replace(
        examination,
        checks=(
            *examination.checks,
            *survey_store.checks(settings),
            *survey_limits.checks(settings),
            *survey_server.checks(settings),
        ),
    )
    if not no_accounts:
        asked = accounts.accounts(settings, examination.engines)
        examination = replace(examination, checks=(*examination.checks, *asked))
    if as_json:
        emit(show_doctor.as_json(examination))
    else:
        show_doctor.show(examination)
    return 0 if examination.is_fit else 1
