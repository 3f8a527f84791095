"""Transcripts: what a dub says, line by line; change it, and make the dub again of what was changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from autodub.client import local
from autodub.client.models import Edited, Job, Revision, Transcript
from autodub.client.transport import Transport

_KINDS = {".vtt": "text/vtt", ".srt": "application/x-subrip"}


class Transcripts:
    """The transcripts of a server's jobs.

    A change may say which ``revision`` it is meant for, as it was read: if somebody changed the text
    meanwhile it is refused with ``Conflict``. Without one it is meant for any.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def read(self, job: str) -> Transcript:
        """The newest revision. Raises Conflict before there is one."""
        return Transcript.model_validate(self._transport.ask("GET", f"{_of(job)}/transcript"))

    def edit(self, job: str, line: str, *, revision: int | None = None, **values: Any) -> Edited:
        """Change a line: ``text``, ``source``, ``speaker``, ``start``, ``end``, ``keep_original``."""
        return self._edited("PATCH", f"{_line(job, line)}", revision, json=values)

    def add(self, job: str, *, revision: int | None = None, **values: Any) -> Edited:
        """Add a line: ``speaker``, ``start``, ``end``, ``text``."""
        return self._edited("POST", f"{_of(job)}/lines", revision, json=values)

    def remove(self, job: str, line: str, *, revision: int | None = None) -> Edited:
        """Take a line out; its original sound stays."""
        return self._edited("DELETE", _line(job, line), revision)

    def split(self, job: str, line: str, at: float, *, revision: int | None = None, **texts: Any) -> Edited:
        """Make two lines of one; the second begins at ``at`` seconds."""
        return self._edited("POST", f"{_line(job, line)}/split", revision, json={"at": at} | texts)

    def merge(
        self, job: str, line: str, other: str, *, text: str | None = None, revision: int | None = None
    ) -> Edited:
        """Make one line of two neighbours."""
        asked = {"other": other} | ({} if text is None else {"text": text})
        return self._edited("POST", f"{_line(job, line)}/merge", revision, json=asked)

    def undo(self, job: str, line: str, *, revision: int | None = None) -> Edited:
        """Put back what was made of a line."""
        return self._edited("POST", f"{_line(job, line)}/undo", revision)

    def apply(
        self, job: str, operations: Sequence[Mapping[str, Any]], *, revision: int | None = None
    ) -> Edited:
        """Several changes as one revision, all of them or none: ``{"op": "set", "line": ..., ...}``."""
        return self._edited("PATCH", f"{_of(job)}/project", revision, json={"operations": list(operations)})

    def voice(self, job: str, speaker: str, *, revision: int | None = None, **values: Any) -> Edited:
        """Give a speaker another ``voice``, ``pitch_hz`` or ``pace``."""
        return self.apply(job, [{"op": "voice", "speaker": speaker} | values], revision=revision)

    def lock(self, job: str, line: str) -> None:
        """Keep everybody from changing a line."""
        self._transport.ask("PUT", f"{_line(job, line)}/lock")

    def unlock(self, job: str, line: str) -> None:
        """Let it be changed again."""
        self._transport.ask("DELETE", f"{_line(job, line)}/lock")

    def bring(self, job: str, file: Path, *, of: str = "text", revision: int | None = None) -> Edited:
        """Give lines the texts of an SRT or WebVTT file; ``of`` is ``text`` or ``source``. Raises BadFile."""
        kind = {"Content-Type": _KINDS.get(file.suffix.lower(), "text/plain")}
        with local.opened(file) as stream:
            content = stream.read()
        return self._edited(
            "PUT", f"{_of(job)}/transcript", revision, headers=kind, params={"of": of}, content=content
        )

    def revisions(self, job: str) -> tuple[Revision, ...]:
        """Who changed what, the newest first."""
        told = self._transport.ask("GET", f"{_of(job)}/revisions")["revisions"]
        return tuple(Revision.model_validate(one) for one in told)

    def restore(self, job: str, number: int, *, revision: int | None = None) -> Edited:
        """Make an old revision the newest again."""
        return self._edited("POST", f"{_of(job)}/revisions/{number}/restore", revision)

    def regenerate(self, job: str, line: str | None = None, **values: Any) -> Job:
        """Make the dub again with all edits, after changing ``line`` to ``values`` where one is named."""
        if line is None:
            return Job.model_validate(self._transport.ask("POST", f"{_of(job)}/regenerate"))
        headers = {"If-Match": "*"} if values else {}
        place = f"{_line(job, line)}/regenerate"
        return Job.model_validate(self._transport.ask("POST", place, headers=headers, json=values))

    def _edited(
        self, method: str, place: str, revision: int | None, *, headers: Mapping[str, str] | None = None,
        **body: Any,
    ) -> Edited:  # fmt: skip
        meant = {"If-Match": "*" if revision is None else f'"{revision}"'} | dict(headers or {})
        told = self._transport.ask(method, place, headers=meant, again=False, **body)
        return Edited.model_validate(told)


def _of(job: str) -> str:
    return f"/api/v1/jobs/{job}"


def _line(job: str, line: str) -> str:
    return f"{_of(job)}/lines/{quote(line, safe='')}"
