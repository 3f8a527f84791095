"""Uploads: a small file as a form, a large one in pieces that go on where they broke off (tus 1.0)."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from os import PathLike, fspath
from pathlib import Path
from typing import IO, Any

from autodub.client import local
from autodub.client.errors import BadRequest, Conflict, ServerError, TooMany, Unreachable
from autodub.client.files import Progress
from autodub.client.models import Upload
from autodub.client.transport import Transport

_UPLOADS = "/api/v1/uploads"
_TUS = {"Tus-Resumable": "1.0.0"}
SMALL = 4_000_000
"""Bytes up to which a file is sent as a form, in one go."""
PIECE = 8_000_000
"""Bytes of a piece."""
_UNSENT = "unsent"
"""What a server calls an upload that is still to come."""
_ANEW = "Send a file that is right as a new upload."
_PASSING = (Unreachable, ServerError, TooMany, Conflict)


class Uploads:
    """The files somebody gave a server."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def source(self, source: str | PathLike[str], progress: Progress | None = None) -> dict[str, str]:
        """An address as a job's source, a file as its upload, which is sent first."""
        text = fspath(source)
        if is_address(source):
            return {"source": text}
        return {"upload": self.send(Path(text), progress=progress).id}

    def submitted(self, wishes: Mapping[str, Any]) -> dict[str, Any]:
        """Wishes with what is a path in them as its upload: subtitles may be one."""
        found = given(wishes)
        if isinstance(found.get("subtitles"), PathLike):
            found["subtitles"] = self.send(Path(found["subtitles"]), kind="subtitles").id
        return found

    def check(
        self, sources: Sequence[str | PathLike[str]], targets: Sequence[str], wishes: Mapping[str, Any]
    ) -> None:
        """Ask whether dubs would be taken, before anything is sent. Raises ApiError (BadFile)."""
        asked = given(wishes)
        asked.pop("title", None)  # of one dub, and nothing that could be refused
        if isinstance(asked.get("subtitles"), PathLike):
            local.size(asked["subtitles"])
            asked["subtitles"] = _UNSENT
        told = {
            "sources": [_coming(one) for one in sources], "targets": list(targets), "wishes": asked,
        }  # fmt: skip
        self._transport.ask("POST", "/api/v1/checks", json=told, again=True)

    def send(
        self, file: Path, *, kind: str = "media", name: str | None = None, progress: Progress | None = None,
        resume: str | None = None,
    ) -> Upload:  # fmt: skip
        """Upload a file; ``resume`` names an upload of the same file that broke off earlier.

        A connection that breaks goes on where it broke. Raises ApiError (BadFile where it cannot be sent),
        OSError where reading it fails on the way.
        """
        with local.opened(file) as stream:
            size = os.fstat(stream.fileno()).st_size
            if resume is None and size <= SMALL:
                return self._form(stream, name or file.name, kind, size, progress)
            upload = resume or self._begin(name or file.name, kind, size)
            self._pieces(stream, upload, size, progress)
        return self.get(upload)

    def _form(self, stream: IO[bytes], name: str, kind: str, size: int, progress: Progress | None) -> Upload:
        told = self._transport.ask(
            "POST", _UPLOADS, files={"file": (name, stream.read())}, data={"kind": kind}
        )
        if progress is not None:
            progress(size, size)
        return Upload.model_validate(told)

    def _begin(self, name: str, kind: str, size: int) -> str:
        words = {"filename": name, "kind": kind}
        metadata = ",".join(f"{key} {base64.b64encode(v.encode()).decode()}" for key, v in words.items())
        headers = _TUS | {"Upload-Length": str(size), "Upload-Metadata": metadata}
        made = self._transport.send("POST", _UPLOADS, headers=headers)
        return str(made.headers["Location"].rstrip("/").rpartition("/")[2])

    def _pieces(self, stream: IO[bytes], upload: str, size: int, progress: Progress | None) -> None:
        done, failed = self._offset(upload), 0
        while done < size:
            stream.seek(done)
            headers = _TUS | {
                "Upload-Offset": str(done), "Content-Type": "application/offset+octet-stream",
            }  # fmt: skip
            try:
                answer = self._transport.send(
                    "PATCH", f"{_UPLOADS}/{upload}", headers=headers, content=stream.read(PIECE), again=False
                )
                done, failed = int(answer.headers["Upload-Offset"]), 0
            except _PASSING as failure:
                failed += 1
                if failed >= self._transport.tries:
                    raise
                self._transport.pause(failed, failure)
                done = self._offset(upload)
            if progress is not None:
                progress(done, size)

    def _offset(self, upload: str) -> int:
        """Bytes that have arrived. Raises BadRequest, saying why, for an upload that was refused."""
        try:
            answer = self._transport.send("HEAD", f"{_UPLOADS}/{upload}", headers=_TUS)
        except BadRequest as refused:
            if refused.status != HTTPStatus.GONE:
                raise
            why = self.get(upload).why  # the answer to HEAD has no words
            raise BadRequest(refused.status, "gone", f"The upload was refused: {why}", _ANEW) from None
        return int(answer.headers["Upload-Offset"])

    def get(self, upload: str) -> Upload:
        """An upload as it stands. Raises NotFound."""
        return Upload.model_validate(self._transport.ask("GET", f"{_UPLOADS}/{upload}"))

    def list(self) -> Iterator[Upload]:
        """Your uploads."""
        for one in self._transport.ask("GET", _UPLOADS)["uploads"]:
            yield Upload.model_validate(one)

    def delete(self, upload: str) -> None:
        """Remove an upload that no job needs."""
        self._transport.ask("DELETE", f"{_UPLOADS}/{upload}")


def given(wishes: Mapping[str, Any]) -> dict[str, Any]:
    """What was decided; None is left to the server."""
    return {name: value for name, value in wishes.items() if value is not None}


def is_address(source: str | PathLike[str]) -> bool:
    """Whether a source is an address, and no file."""
    return fspath(source).lower().startswith(("http://", "https://"))


def _coming(source: str | PathLike[str]) -> dict[str, Any]:
    """A source as a check is told of it. Raises BadFile."""
    if is_address(source):
        return {"source": fspath(source)}
    return {"file": {"name": Path(source).name, "size": local.size(source)}}
