"""Downloads to a file: whole or not at all, and going on where an earlier try stopped."""

from __future__ import annotations

import os
from collections.abc import Callable
from email.message import Message
from hashlib import sha256
from pathlib import Path

import httpx

from autodub.client.errors import ApiError, BadRequest, ServerError, Unreachable
from autodub.client.transport import Transport

Progress = Callable[[int, int | None], None]
"""Is told bytes done, and bytes in all where that is known."""
_PASSING = (Unreachable, ServerError)


def download(transport: Transport, path: str, to: Path, *, progress: Progress | None = None) -> Path:
    """Fetch a file into ``to``, or under the server's name for it where that is a folder; where it lies.

    Meanwhile it is called ``.<name>.<what>.part`` beside its place. A connection that breaks goes on where it
    broke, and so does the next call when this one gave up. What the server makes only now is waited for.
    Raises ApiError, OSError.
    """
    failed, before = 0, -1
    while True:
        try:
            place = _fetched(transport, path, to, progress)
            if place is not None:
                return place
        except BadRequest as refused:
            part = _part(transport, path, to)
            if refused.status != 416 or not part.exists():
                raise
            part.unlink()  # it is as long as the file, or longer: begin anew
        except _PASSING as failure:
            now = _begun(transport, path, to)
            failed = 1 if now > before >= 0 else failed + 1  # it moves: patience begins anew
            before = now
            if failed >= transport.tries:
                raise
            transport.pause(failed, failure)


def _fetched(transport: Transport, path: str, to: Path, progress: Progress | None) -> Path | None:
    """Where the file lies; None, after a pause, while it is still being made."""
    part = _part(transport, path, to)
    mark = part.with_suffix(".etag")
    headers = {"Accept": "*/*"}
    if part.exists() and mark.exists() and (size := part.stat().st_size):
        # Only of the very file that was begun; else the whole of the new one comes.
        headers |= {"Range": f"bytes={size}-", "If-Range": mark.read_text("utf-8")}
    with transport.open(path, headers=headers) as response:
        if transport.is_unfinished(response):
            return None
        place = to / _name(response) if to.is_dir() else to
        goes_on = response.status_code == 206
        begun = part.stat().st_size if goes_on else 0
        length = response.headers.get("Content-Length")
        whole = begun + int(length) if length and "Content-Encoding" not in response.headers else None
        if (tag := response.headers.get("ETag", "")) and not tag.startswith("W/"):
            mark.write_text(tag, "utf-8")
        else:
            mark.unlink(missing_ok=True)
        done = begun
        with part.open("ab" if goes_on else "wb") as file:
            for chunk in response.iter_bytes():
                file.write(chunk)
                done += len(chunk)
                if progress is not None:
                    progress(done, whole)
            file.flush()
            os.fsync(file.fileno())
    if whole is not None and done != whole:
        raise Unreachable(0, "unreachable", "The download ended early.")
    part.replace(place)
    mark.unlink(missing_ok=True)
    return place


def _part(transport: Transport, path: str, to: Path) -> Path:
    what = sha256(f"{transport.address}{path}".encode()).hexdigest()[:16]
    folder = to if to.is_dir() else to.parent
    return folder / f".autodub-{what}.part"


def _begun(transport: Transport, path: str, to: Path) -> int:
    part = _part(transport, path, to)
    return part.stat().st_size if part.exists() else 0


def _name(response: httpx.Response) -> str:
    """What the server calls a file: a name, never a path. Raises ApiError for none."""
    header = Message()
    header["Content-Disposition"] = response.headers.get("Content-Disposition", "")
    said = (header.get_filename() or "").replace("\\", "/").rpartition("/")[2]
    name = "".join(c for c in said if c.isprintable()).strip().lstrip(".")
    if not name:
        raise ApiError(response.status_code, "bad_answer", "The server gave the file no name.", "Name one.")
    return name[:200]
