"""Single files of weights from their makers' servers: fetched once, continued, and checked."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autodub.infra.blobs import NO_ROOM
from autodub.model.errors import OutputProblem, Rejected, Unreachable

_TIMEOUT = 20.0
"""Seconds without a byte after which the server counts as gone."""
_BLOCK = 1 << 18


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A file of weights."""

    name: str
    url: str
    sha256: str
    """Of the file, 64 hexadecimal digits."""


def fetch(
    checkpoint: Checkpoint, folder: Path, *, engine: str, progress: Callable[[float], None] | None = None
) -> Path:
    """Download a file into ``folder``, where it appears only when it is whole and what it should be.

    A broken download is continued the next time. ``progress`` is given 0..1 and stops by raising.
    Raises Unreachable within seconds without a network, Rejected when the server does not give the
    file away or gives another one, OutputProblem when it cannot be written.
    """
    path = folder / checkpoint.name
    if path.is_file():
        return path
    partial = path.with_name(f"{path.name}.partial")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        have = partial.stat().st_size if partial.is_file() else 0
    except OSError as error:
        raise _unwritable(path, error) from error
    _download(checkpoint, partial, have, engine, progress)
    digest = hashlib.sha256()
    with partial.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    if digest.hexdigest() != checkpoint.sha256:
        partial.unlink()
        raise Rejected(
            f"The weights {checkpoint.name} came, but are not what they should be (their checksum differs).",
            hint=f"Try once more; if it stays, get {checkpoint.url} yourself and put it into {folder}.",
            engine=engine,
        )
    partial.rename(path)
    return path


def _download(
    checkpoint: Checkpoint,
    partial: Path,
    have: int,
    engine: str,
    progress: Callable[[float], None] | None,
) -> None:
    import http.client
    import urllib.error
    import urllib.request

    headers = {"User-Agent": "autodub", **({"Range": f"bytes={have}-"} if have else {})}
    request = urllib.request.Request(checkpoint.url, headers=headers)  # noqa: S310 - an address of our own
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:  # noqa: S310
            have = have if answer.status == 206 else 0
            length = int(told) if (told := answer.headers.get("Content-Length") or "").isdecimal() else 0
            _receive(answer, partial, have=have, whole=have + length, progress=progress)
            if length and partial.stat().st_size < have + length:
                raise http.client.IncompleteRead(b"", have + length - partial.stat().st_size)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:  # all of it is here, or more than there is
            return
        if error.code in {401, 403, 404, 410, 451}:
            raise Rejected(
                f"The server does not give away {checkpoint.name} (status {error.code}).",
                hint=f"Get {checkpoint.url} elsewhere and put it into {partial.parent}.",
                engine=engine,
            ) from error
        raise _unreachable(checkpoint, partial.parent, f"status {error.code}", engine) from error
    except (OSError, http.client.HTTPException) as error:  # also TLS that breaks off
        if isinstance(error, OSError) and error.errno in NO_ROOM:  # what was buffered is written last
            raise _unwritable(partial, error) from error
        reason = str(getattr(error, "reason", "") or error or type(error).__name__)
        raise _unreachable(checkpoint, partial.parent, reason, engine) from error


def _receive(
    answer: Any, partial: Path, *, have: int, whole: int, progress: Callable[[float], None] | None
) -> None:
    try:
        file = partial.open("ab" if have else "wb")
    except OSError as error:
        raise _unwritable(partial, error) from error
    with file:
        while block := answer.read(_BLOCK):
            try:
                file.write(block)
            except OSError as error:
                raise _unwritable(partial, error) from error
            have += len(block)
            if progress is not None:
                progress(min(1.0, have / whole) if whole else 0.0)


def _unreachable(checkpoint: Checkpoint, folder: Path, reason: str, engine: str) -> Unreachable:
    return Unreachable(
        f"The weights {checkpoint.name} cannot be fetched: {reason}.",
        hint=f"Connect this machine, or get {checkpoint.url} elsewhere and put it into {folder}.",
        engine=engine,
    )


def _unwritable(path: Path, error: OSError) -> OutputProblem:
    return OutputProblem(
        f"The weights {path.name} cannot be written: {error.strerror or error}.",
        hint=f"Check that {path.parent} may be written to and has room.",
    )
