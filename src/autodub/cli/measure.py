"""``autodub measure``: measure any dub against its source, whoever made it."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from autodub.cli import progress
from autodub.cli.calls import Calls
from autodub.cli.common import data_dir_option, emit, json_option
from autodub.cli.stopping import stopping


@click.command("measure")
@click.argument("dub", type=click.Path(path_type=Path))
@click.option("--source", required=True, type=click.Path(path_type=Path), help="The file that was dubbed.")
@click.option(
    "--transcript",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="What the source says (.srt, .vtt, .ass), for the figures per line.",
)
@click.option(
    "--html", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write a report."
)
@data_dir_option
@json_option
@click.pass_obj
def command(
    calls: Calls,
    *,
    dub: Path,
    source: Path,
    transcript: Path | None,
    html: Path | None,
    data_dir: Path | None,
    as_json: bool,
) -> int:
    """Measure how well DUB keeps time with its source, and how it sounds.

    A dub made by Autodub is measured with the record of its making, which lies beside it.
    """  # fmt: skip
    from autodub.cli import show_receipt
    from autodub.gateway.cancel import Cancel

    settings = calls.settings(data_dir=data_dir)
    cancel = Cancel()
    with progress.shown(sys.stderr) as view, stopping(cancel.request, view.say):
        receipt = calls.measure(
            dub,
            source=source,
            transcript=transcript,
            html=html,
            settings=settings,
            listener=view,
            cancel=cancel,
        )
    if as_json:
        emit(show_receipt.as_json(receipt))
    else:
        show_receipt.show(receipt)
    return 0
