"""``autodub dub``: dub a video or a sound file."""

from __future__ import annotations

import sys
from decimal import Decimal
from pathlib import Path

import click

from autodub.cli import parse, progress
from autodub.cli.calls import Calls
from autodub.cli.common import data_dir_option, emit, json_option
from autodub.cli.stopping import stopping
from autodub.model.request import DubRequest
from autodub.model.speech import Style


@click.command("dub")
@click.argument("source", metavar="INPUT")
@click.option(
    "--to", "target", required=True, metavar="LANG", help="Language to speak: es, fr, pt-BR, Catalan."
)
@click.option("--from", "spoken", metavar="LANG", help="Language spoken in the source. [default: found out]")
@click.option(
    "-o",
    "--output",
    metavar="OUT",
    help="File to write, or a folder to write into. [default: beside the source]",
)
@click.option("--start", type=parse.time, metavar="TIME", help="Dub from here: 90, 1:30 or 00:01:30.5.")
@click.option("--end", type=parse.time, metavar="TIME", help="Dub up to here; the output is that range.")
@click.option(
    "--subtitles", metavar="FILE", help="An .srt, .vtt or .ass file to speak instead of recognising."
)
@click.option(
    "--speakers", type=click.IntRange(1, 100), metavar="N", help="How many people speak, when known."
)
@click.option(
    "--captions", is_flag=True, help="Speak the captions that people wrote on the source's site, if any."
)
@click.option(
    "--term",
    "terms",
    multiple=True,
    metavar="WORD",
    help="A name or word likely to be said; may be repeated.",
)
@click.option(
    "--glossary", metavar="FILE", help="Terms and how to say them, a pair per line (see docs/GLOSSARY.md)."
)
@click.option("--tone", default="", metavar="WORDS", help="How it should sound, such as playful.")
@click.option(
    "--formality",
    type=click.Choice(["formal", "informal"]),
    help="How people are addressed. [default: as said]",
)
@click.option("--instructions", default="", metavar="TEXT", help="Anything else the translator should know.")
@click.option("--downloader", metavar="NAME", help="Engine that fetches the source. [default: auto]")
@click.option("--transcriber", metavar="NAME", help="Engine that writes down what is said. [default: auto]")
@click.option("--diarizer", metavar="NAME", help="Engine that tells speakers apart. [default: auto]")
@click.option("--translator", metavar="NAME", help="Engine that translates. [default: auto]")
@click.option("--synthesizer", metavar="NAME", help="Engine that speaks. [default: auto]")
@click.option("--separator", metavar="NAME", help="Engine that takes the voice out. [default: auto]")
@click.option("--cloner", metavar="NAME", help="Engine that matches voices. [default: auto]")
@click.option(
    "--set",
    "settings",
    multiple=True,
    type=parse.setting,
    metavar="ROLE.OPTION=VALUE",
    help="An engine option, such as synthesizer.amplitude=80; may be repeated (see docs/ENGINES.md).",
)
@click.option(
    "--match-voices",
    is_flag=True,
    help="Move each voice toward the original speaker's. Only with their permission.",
)
@click.option(
    "--clone",
    "clone_voices",
    is_flag=True,
    help="Speak with clones of the speakers' own voices. Only with their permission.",
)
@click.option("--keep-voices", is_flag=True, help="Leave cloned voices in the account for later dubs.")
@click.option("--budget", type=parse.money, metavar="USD", help="Most that this dub may cost, such as 2.50.")
@click.option("--estimate", is_flag=True, help="Only say what the dub would cost; nobody paid is asked.")
@click.option(
    "--overwrite", is_flag=True, help="Write over a file that is there already and was not made here."
)
@click.option(
    "--keep-original-audio", is_flag=True, help="Keep the untouched original sound as a second track."
)
@click.option(
    "--loudness",
    type=click.FloatRange(-40.0, -5.0),
    metavar="LUFS",
    help="Programme loudness to reach. [default: the source's own]",
)
@data_dir_option
@json_option
@click.pass_obj
def command(
    calls: Calls,
    /,
    *,
    source: str,
    target: str,
    spoken: str | None,
    output: str | None,
    start: int | None,
    end: int | None,
    subtitles: str | None,
    speakers: int | None,
    settings: tuple[tuple[str, str, str], ...],
    captions: bool,
    terms: tuple[str, ...],
    glossary: str | None,
    tone: str,
    formality: str | None,
    instructions: str,
    match_voices: bool,
    clone_voices: bool,
    keep_voices: bool,
    budget: Decimal | None,
    estimate: bool,
    overwrite: bool,
    keep_original_audio: bool,
    loudness: float | None,
    data_dir: Path | None,
    as_json: bool,
    **engines: str | None,
) -> int:
    """Dub INPUT, a file or an address, into another language.

    Writes the dub, its subtitles (.srt, .vtt), a readable project (.project.json), a measured
    receipt (.receipt.json) and a report (.report.html), all beside each other. Edit the project and
    run the same command again: only what changed is made anew. Ctrl-C stops cleanly, and the same
    command continues.
    """
    from autodub.cli import show_dub, show_estimate
    from autodub.gateway.cancel import Cancel

    request = DubRequest(
        source=source, target=target, spoken=spoken, start=start, end=end, subtitles=subtitles,
        speakers=speakers, engines={role: name for role, name in engines.items() if name is not None},
        options=parse.by_role(settings), match_voices=match_voices, clone_voices=clone_voices,
        keep_voices=keep_voices, budget=budget, captions=captions, terms=terms, glossary=glossary,
        style=Style(tone, formality or "", instructions),
        keep_original_audio=keep_original_audio, loudness=loudness, output=output, overwrite=overwrite,
    )  # fmt: skip
    loaded = calls.settings(data_dir=data_dir)
    cancel = Cancel()
    if estimate:
        with progress.shown(sys.stderr) as view, stopping(cancel.request, view.say):
            foretold = calls.foretell(request, settings=loaded, listener=view, cancel=cancel)
        emit(show_estimate.as_json(foretold)) if as_json else show_estimate.show(foretold)
        return 0
    with progress.shown(sys.stderr) as view, stopping(cancel.request, view.say):
        dubbed = calls.dub(request, settings=loaded, listener=view, cancel=cancel)
    if as_json:
        emit(show_dub.as_json(dubbed))
    else:
        show_dub.show(dubbed)
    return 0
