"""``autodub languages``: what can be recognised, translated and spoken with the engines that are here."""

from __future__ import annotations

from pathlib import Path

import click

from autodub.cli.calls import Calls
from autodub.cli.common import data_dir_option, emit, json_option


@click.command("languages")
@data_dir_option
@json_option
@click.pass_obj
def command(calls: Calls, *, data_dir: Path | None, as_json: bool) -> int:
    """List what can be recognised, translated and spoken.

    By language; only what is installed on this machine counts. `autodub engines` says how to make more ready.
    """
    from autodub.cli import show_languages
    from autodub.pipeline import catalogue

    found = catalogue.languages(calls.settings(data_dir=data_dir))
    if as_json:
        emit(show_languages.as_json(found))
    else:
        show_languages.show(found)
    return 0
