"""Languages by what can be done with them here, for people and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from autodub.cli.text import packed, safe, width
from autodub.model.errors import UnknownLanguage
from autodub.model.language import Language
from autodub.pipeline.catalogue import LanguageState

_PARTS = {"transcriber": "recognised", "translator": "translated", "synthesizer": "spoken"}
"""Role -> what it does with a language."""


def as_json(states: Sequence[LanguageState]) -> dict[str, Any]:
    """Engines by what they do; ``languages`` and ``pairs`` are null where any will do."""
    found: dict[str, Any] = {part: [] for part in _PARTS.values()}
    for state in states:
        entry: dict[str, Any] = {
            "engine": state.name,
            "languages": None if state.languages is None else list(state.languages),
        }
        if state.role == "translator":
            entry["pairs"] = None if state.pairs is None else {s: list(t) for s, t in state.pairs.items()}
        found[_PARTS[state.role]].append(entry)
    return found


def show(states: Sequence[LanguageState]) -> None:
    """Print languages by name, with their tags where there is room for them."""
    for number, (role, part) in enumerate(_PARTS.items()):
        click.echo(("\n" if number else "") + part.capitalize())
        able = [state for state in states if state.role == role]
        for state in able:
            for line in _lines(state):
                click.echo(line)
        if not able:
            click.echo(f"  nothing: no {role} is ready; see: autodub engines")


def _lines(state: LanguageState) -> list[str]:
    if state.pairs is not None:
        head = [f"  {safe(state.name)}"]
        return head + [_row(f"    {name(source)} to", targets) for source, targets in state.pairs.items()]
    if state.name == "subtitles":
        return ["  subtitles: any language, read from a file given with --subtitles"]
    if state.languages is None:
        return [f"  {safe(state.name)}: any language"]
    return [_row(f"  {safe(state.name)}:", state.languages)]


def _row(head: str, tags: Sequence[str]) -> str:
    """A head with names and tags after it where there is room, else below it."""
    indent = " " * 6
    named = sorted(f"{name(tag)} ({tag})" for tag in tags)
    if len(line := f"{head} {', '.join(named)}") <= width():
        return line
    body = packed(named, columns=width() - len(indent))
    return f"{head}\n" + "\n".join(indent + line for line in body.split("\n"))


def name(tag: str) -> str:
    """A language's English name; the tag itself where it has none."""
    try:
        return Language(tag).name
    except UnknownLanguage:
        return safe(tag)
