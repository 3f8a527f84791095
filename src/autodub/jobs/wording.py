"""Options of the command line as fields of a job: what the pipeline advises, for whoever sent a request."""

from __future__ import annotations

import re

FIELDS = {
    "--to": "target", "--from": "spoken", "--start": "start", "--end": "end", "--budget": "budget",
    "--subtitles": "subtitles", "--captions": "captions", "--clone": "clone_voices",
    "--match-voices": "match_voices", "--keep-voices": "keep_voices", "--title": "title",
    "--speakers": "speakers", "--consent": "consent", "--downloader": "engines.downloader",
    "--detector": "engines.detector", "--separator": "engines.separator",
    "--transcriber": "engines.transcriber", "--diarizer": "engines.diarizer",
    "--translator": "engines.translator", "--synthesizer": "engines.synthesizer",
    "--cloner": "engines.cloner",
}  # fmt: skip
"""Option of ``autodub dub`` -> field of a job; a dot leads to what is in it."""
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*(?: FILE)?")
_COMMANDS = {"`autodub engines`": "GET /api/v1/engines", "`autodub languages`": "GET /api/v1/languages"}


def in_fields(text: str) -> str:
    """A sentence with the fields of a request where it names options and commands."""

    def field(match: re.Match[str]) -> str:
        option = match.group().removesuffix(" FILE")
        return f"`{FIELDS[option]}`" if option in FIELDS else match.group()

    for command, address in _COMMANDS.items():
        text = text.replace(f"Run {command}", f"Ask {address}").replace(command, address)
    return re.sub(r"(`\w+`), such as `\w+` en\b", r'\1, such as "en"', _OPTION.sub(field, text))
