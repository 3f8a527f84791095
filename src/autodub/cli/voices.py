"""``autodub voices``: the stock voices a synthesizer has for a language, to choose from in a project."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from autodub.cli.calls import Calls
from autodub.cli.common import data_dir_option, emit, json_option
from autodub.cli.text import printed, safe

if TYPE_CHECKING:
    from autodub.infra.settings import Settings


@click.command("voices")
@click.option("--to", "target", required=True, metavar="LANG", help="Language to speak: es, fr, pt-BR.")
@click.option("--synthesizer", metavar="NAME", help="Engine that speaks. [default: the first that is ready]")
@data_dir_option
@json_option
@click.pass_obj
def command(
    calls: Calls, *, target: str, synthesizer: str | None, data_dir: Path | None, as_json: bool
) -> int:
    """List the stock voices of a language.

    Write the id of one into the project file of a dub, at voices, and run the same command again.
    """
    from autodub.cli import progress
    from autodub.gateway.cancel import Cancel
    from autodub.gateway.work import CallWork
    from autodub.model.calls import ListVoices
    from autodub.model.language import Language

    language = Language.parse(target)
    name, engine = _engine(calls.settings(data_dir=data_dir), synthesizer, language.tag)
    with calls.store(data_dir=data_dir) as store, progress.shown(sys.stderr, quiet=True) as view:
        work = CallWork(store.blobs, cancel=Cancel(), listener=view, stage="voices")
        try:
            voices = engine.list_voices(ListVoices(language.tag), work).voices
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


def _engine(settings: Settings, name: str | None, tag: str) -> tuple[str, Any]:
    """The synthesizer named, else the first that is ready and serves the language."""
    from autodub.cli import survey
    from autodub.engines import registry
    from autodub.model.errors import EngineCannot
    from autodub.model.language import Language

    context = survey.context(settings)
    if name is not None:
        engine = registry.build("synthesizer", name, {}, context)
        ready = engine.readiness()
        if ready.state != "ready":
            raise EngineCannot(f"The synthesizer {name} cannot run here: {ready.detail}.", hint=ready.fix)
        return name, engine
    language = Language(tag)
    for state in survey.engines(settings):
        served = state.languages is None or language.primary in state.languages
        if state.role == "synthesizer" and state.is_ready and served:
            return state.name, registry.build("synthesizer", state.name, {}, context)
    raise EngineCannot(f"No synthesizer that is ready speaks {language.name}.", hint="See: autodub languages")
