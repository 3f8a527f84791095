"""Jobs: submit, look, follow, stop, edit, download."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import Any
from urllib.parse import quote

from autodub.client import files, local
from autodub.client.following import Told, events_of
from autodub.client.models import Event, File, Job
from autodub.client.transport import Transport
from autodub.client.uploads import Uploads, is_address

_JOBS = "/api/v1/jobs"


class Jobs:
    """The jobs of a server."""

    def __init__(self, transport: Transport, uploads: Uploads) -> None:
        self._transport, self._uploads = transport, uploads

    def submit(
        self, source: str | PathLike[str], target: str, *, idempotency: str | None = None,
        progress: files.Progress | None = None, **wishes: Any,
    ) -> Job:  # fmt: skip
        """Queue a dub of an address, or of a file that is uploaded first; ``progress`` is told of its bytes.

        ``wishes`` are the fields of a job as the server documents them: ``spoken``, ``start``, ``end``,
        ``engines``, ``clone_voices``, ``consent`` ...; ``subtitles`` may be a path, which is uploaded, too.
        Before a file is sent the server is asked whether it would take the dub. The request is safe to
        repeat: without an ``idempotency`` of yours a new one is made.
        """
        if not is_address(source):
            self.check(source, target, **wishes)
            if progress is not None:
                progress(0, local.size(source))  # now, not with the first piece
        sent = self._uploads.submitted(wishes)
        asked = self._uploads.source(source, progress) | {"target": target} | sent
        headers = {"Idempotency-Key": idempotency or uuid.uuid4().hex}
        return Job.model_validate(self._transport.ask("POST", _JOBS, json=asked, headers=headers))

    def check(self, source: str | PathLike[str], target: str, **wishes: Any) -> None:
        """Ask whether a dub would be taken; nothing is sent. Raises what ``submit`` would."""
        self._uploads.check([source], [target], wishes)

    def get(self, job: str) -> Job:
        """A job as it stands. Raises NotFound."""
        return Job.model_validate(self._transport.ask("GET", f"{_JOBS}/{job}"))

    def list(
        self, *, states: Sequence[str] = (), batch: str | None = None, target: str | None = None,
        text: str | None = None, kind: str = "dub", owner: str | None = None, most: int | None = None,
    ) -> Iterator[Job]:  # fmt: skip
        """Jobs, the newest first, page after page as they are wanted; at most ``most``."""
        after: str | None = None
        while most is None or most > 0:
            params = {
                "state": list(states) or None, "batch": batch, "target": target, "text": text, "kind": kind,
                "owner": owner, "after": after, "limit": 100 if most is None else min(most, 100),
            }  # fmt: skip
            page = self._transport.ask("GET", _JOBS, params=params)
            for one in page["jobs"]:
                yield Job.model_validate(one)
            most = None if most is None else most - len(page["jobs"])
            after = page["after"]
            if after is None:
                return

    def events(
        self, job: str, *, after: int = 0, follow: bool = False, away: Told = lambda _: None
    ) -> Iterator[Event]:
        """What happens in a job, as it happens, until it is over; none is missed and none told twice.

        Connections that break are opened again. With ``follow`` it goes on when the job is over: it may be
        tried again. ``away`` is told once that the server is away, with the ApiError that says so, and None
        when it is back. Raises NotFound when the job is deleted, Unreachable when it stays away.
        """
        return events_of(self._transport, job, after, follow=follow, away=away)

    def wait(
        self, job: str, *, each: Callable[[Event], None] = lambda _: None, after: int = 0,
        away: Told = lambda _: None,
    ) -> Job:  # fmt: skip
        """The job once it is over, however it ended; ``each`` is told what happens meanwhile.

        ``away`` is told of a server that is away, as by ``events``.
        """
        for event in self.events(job, after=after, away=away):
            each(event)
        return self.get(job)

    def cancel(self, job: str) -> Job:
        """Stop a job; what is finished is kept for a retry."""
        return self._act(job, "cancel")

    def retry(self, job: str) -> Job:
        """Queue a job that failed or was cancelled again; it goes on from what was kept."""
        return self._act(job, "retry")

    def delete(self, job: str) -> None:
        """Remove a job with everything of it."""
        self._transport.ask("DELETE", f"{_JOBS}/{job}")

    def download(
        self, job: str, to: str | PathLike[str], *, kind: str = "media",
        progress: files.Progress | None = None,
    ) -> Path:  # fmt: skip
        """Fetch a result into a file, or under its own name into a folder; where it lies.

        ``kind`` is one of ``files``, or ``all`` for a ZIP. The file is there whole or not at all; what broke
        off goes on where it was.
        """
        place = f"{_JOBS}/{job}/files" + (".zip" if kind == "all" else f"/{quote(kind, safe='')}")
        return files.download(self._transport, place, Path(fspath(to)), progress=progress)

    def files(self, job: str) -> tuple[File, ...]:
        """What a finished job has to take away."""
        told = self._transport.ask("GET", f"{_JOBS}/{job}/files")["files"]
        return tuple(File.model_validate(one) for one in told)

    def _act(self, job: str, what: str) -> Job:
        return Job.model_validate(self._transport.ask("POST", f"{_JOBS}/{job}/{what}"))
