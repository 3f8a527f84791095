"""``autodub measure``: measure any dub against its source, whoever made it."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from autodub.cli import progress
from autodub.cli.calls import Calls
from autodub.cli.common import emit, json_option, require_place
from autodub.cli.stopping import stopping
from autodub.cli.text import safe


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
@json_option
@click.pass_obj
def command(
    calls: Calls,
    *,
    dub: Path,
    source: Path,
    transcript: Path | None,
    html: Path | None,
    as_json: bool,
) -> int:
    """Measure how well a dub keeps time, and how it sounds.

    DUB is compared with its source. Any dub will do, whoever made it: only the two files are looked at.
    With a transcript of the source there are figures per line.
    """
    from autodub.cli import show_receipt
    from autodub.gateway.cancel import Cancel

    if html is not None:
        require_place(html)
    cancel = Cancel()
    with progress.shown(sys.stderr) as view, stopping(cancel.request, view.say):
        receipt = calls.measure(dub, source=source, transcript=transcript, listener=view, cancel=cancel)
    if html is not None:
        from autodub.pipeline.outputs import write_text
        from autodub.quality.report import report

        write_text(report(receipt), html)
    if as_json:
        emit(show_receipt.as_json(receipt))
    else:
        show_receipt.show(receipt)
        if html is not None:
            click.echo(f"Report:    {safe(html)}")
    return 0
