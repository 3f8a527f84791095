"""``autodub voices``: the stock voices of a language, and the cloned ones that are left in accounts."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from autodub.cli.calls import Calls
from autodub.cli.common import data_dir_option, emit, json_option
from autodub.cli.text import printed, safe


@click.command("voices")
@click.option("--to", "target", metavar="LANG", help="Language to speak: es, fr, pt-BR.")
@click.option("--synthesizer", metavar="NAME", help="Engine that speaks. [default: the first that is ready]")
@click.option("--rented", is_flag=True, help="List the cloned voices that are left in cloud accounts.")
@click.option("--forget", is_flag=True, help="Delete those that no running dub uses, kept ones included.")
@data_dir_option
@json_option
@click.pass_obj
def command(
    calls: Calls,
    *,
    target: str | None,
    synthesizer: str | None,
    rented: bool,
    forget: bool,
    data_dir: Path | None,
    as_json: bool,
) -> int:
    """List stock voices, or cloned ones left in accounts.

    Write the id of a stock voice into the project file of a dub, at voices, and run the same command
    again. Cloned voices are deleted when their dub is done; --rented shows those that were kept, or
    that a crash left behind, as this data directory knows them, and --forget deletes them.
    """
    if rented or forget:
        if target is not None or synthesizer is not None:
            raise click.UsageError("--rented and --forget take neither --to nor --synthesizer.")
        return _rented(calls, data_dir=data_dir, forget=forget, as_json=as_json)
    if target is None:
        raise click.UsageError("Give the language with --to, or --rented, or --forget.")
    from autodub.cli import progress
    from autodub.gateway import remote
    from autodub.gateway.cancel import Cancel
    from autodub.gateway.work import CallWork
    from autodub.model.language import Language
    from autodub.pipeline import catalogue

    language = Language.parse(target)
    settings = calls.settings(data_dir=data_dir)
    name = catalogue.speaker(settings, language, name=synthesizer)
    with calls.store(data_dir=data_dir) as store, progress.shown(sys.stderr, quiet=True) as view:
        elsewhere = remote.caller(store)
        work = CallWork(
            store.blobs, cancel=Cancel(), listener=view, stage="voices", elsewhere=elsewhere
        )  # fmt: skip
        try:
            voices = catalogue.voices(settings, language, name, work)
        finally:
            work.close()
    if as_json:
        found = [{"id": v.id, "gender": v.gender, "pitch_hz": v.pitch} for v in voices]
        emit({"synthesizer": name, "language": language.tag, "voices": found})
        return 0
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("voice")
    table.add_column("gender")
    table.add_column("pitch", justify="right")
    for voice in voices:
        height = "" if voice.pitch is None else f"{voice.pitch:.0f} Hz"
        table.add_row(safe(voice.id), safe(voice.gender), height)
    click.echo(f"{len(voices)} voices of {safe(name)} for {language.name}")
    printed(Console(highlight=False, markup=False), table)
    return 0


def _rented(calls: Calls, *, data_dir: Path | None, forget: bool, as_json: bool) -> int:
    """List or delete the cloned voices on record; 1 when something is left that should not be."""
    from autodub.cli import rented

    settings = calls.settings(data_dir=data_dir)
    with calls.store(data_dir=data_dir) as store:
        if forget:
            done = rented.delete(store, settings)
            emit(rented.forgotten(done)) if as_json else rented.show_deleted(done)
            return 0 if done.is_done else 1
        voices = rented.left(store, settings)
    emit(rented.listed(voices)) if as_json else rented.show_left(voices)
    return 0
