"""What may be wished for a dub at a server: options of commands, and the fields they become."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from autodub.cli import parse
from autodub.model.request import ROLES

if TYPE_CHECKING:
    from autodub.client import Client

F = TypeVar("F", bound=Callable[..., Any])
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option("--from", "spoken", metavar="LANG", help="Language spoken. [default: found out]"),
    click.option("--start", type=parse.time, metavar="TIME", help="Dub from here: 90, 1:30 or 00:01:30.5."),
    click.option("--end", type=parse.time, metavar="TIME", help="Dub up to here."),
    click.option("--subtitles", type=_FILE, metavar="FILE", help="Subtitles to speak."),
    click.option("--captions", is_flag=True, help="Speak the captions people wrote on the source's site."),
    click.option("--speakers", type=click.IntRange(1, 100), metavar="N", help="How many people speak."),
    click.option("--term", "terms", multiple=True, metavar="WORD", help="A likely name; repeatable."),
    click.option("--glossary", metavar="NAME", help="Name or id of a glossary at the server."),
    click.option("--tone", metavar="WORDS", help="How it should sound, such as playful."),
    click.option("--formality", type=click.Choice(["formal", "informal"]), help="How people are addressed."),
    click.option("--instructions", metavar="TEXT", help="Anything else the translator should know."),
    *(click.option(f"--{role}", metavar="NAME", help=f"The {role}. [default: auto]") for role in ROLES),
    click.option(
        "--set", "settings", multiple=True, type=parse.setting, metavar="ROLE.OPTION=VALUE",
        help="An option of an engine that is named; repeatable.",
    ),
    click.option("--clone", "clone_voices", is_flag=True, help="Speak with clones of the speakers' voices."),
    click.option("--consent-of", metavar="WHO", help="With --clone: whose voices they are."),
    click.option("--consent", metavar="TEXT", help="With --clone: what was agreed, in words."),
    click.option("--consent-id", metavar="ID", help="With --clone: a statement the server has already."),
    click.option("--match-voices", is_flag=True, help="Move each voice toward the original speaker's."),
    click.option("--keep-voices", is_flag=True, help="Leave cloned voices in the account for later dubs."),
    click.option("--keep-original-audio", is_flag=True, help="Keep the original sound as a second track."),
    click.option("--loudness", type=click.FloatRange(-40, -5), metavar="LUFS", help="Loudness to reach."),
    click.option("--budget", type=parse.money, metavar="USD", help="Most that one dub may cost."),
    click.option("--priority", type=click.IntRange(-9, 9), metavar="N", help="Higher goes first."),
    click.option("--keep-days", type=click.FloatRange(0, 3650), metavar="N", help="Days it is kept."),
)  # fmt: skip


def wishes_options(command: F) -> F:
    """Give a command the options of a dub."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def wishes_of(client: Client, given: dict[str, Any]) -> dict[str, Any]:
    """The fields of a job that options mean. Raises UsageError, ApiError."""
    wishes = {name: value for name, value in given.items() if value not in (None, False, ())}
    engines = {role: wishes.pop(role) for role in ROLES if role in wishes}
    if engines:
        wishes["engines"] = engines
    if settings := wishes.pop("settings", ()):
        wishes["options"] = parse.by_role(settings)
    for moment in ("start", "end"):
        if moment in wishes:
            wishes[moment] /= 1000
    if "terms" in wishes:
        wishes["terms"] = list(wishes["terms"])
    if "budget" in wishes:
        wishes["budget"] = str(wishes["budget"])
    if "keep_days" in given and given["keep_days"] is not None:
        wishes.pop("keep_days", None)
        wishes["retention_days"] = given["keep_days"]
    who, words = wishes.pop("consent_of", None), wishes.pop("consent", None)
    if (who is None) != (words is None):
        raise click.UsageError("Give --consent-of and --consent together: whose voices, and what was agreed.")
    if who is not None:
        wishes["consent"] = {"who": who, "statement": words}
    if "glossary" in wishes:
        wishes["glossary"] = _glossary(client, wishes["glossary"])
    return wishes


def _glossary(client: Client, name: str) -> str:
    """The id of a glossary by its name; a name nobody knows is taken for an id."""
    return next((one.id for one in client.glossaries.list() if one.name == name), name)
