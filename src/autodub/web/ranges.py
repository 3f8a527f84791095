"""Files over HTTP as players want them: whole or in parts (RFC 9110, section 14), never whole in memory."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from flask import Response, request
from werkzeug.http import http_date, parse_if_range_header, parse_range_header, quote_etag
from werkzeug.wsgi import wrap_file

from autodub.model.errors import NotFound
from autodub.web.problems import problem

_BLOCK = 1 << 18
_MOST = 20
"""Parts in one answer; who wants more gets the whole."""


def sent(path: Path, *, media_type: str, digest: str, made: float) -> Response:
    """A file as an answer to the running request: 200, 206, 304, 412 or 416. Raises NotFound.

    ``digest`` names its content; ``made`` is when it was made, seconds since 1970.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise NotFound("This file is gone.", hint="Retry the job: it is made again.") from None
    size = path.stat().st_size
    answer = Response(content_type=media_type, direct_passthrough=True)
    answer.call_on_close(file.close)
    answer.accept_ranges = "bytes"
    answer.headers["ETag"] = quote_etag(digest)
    answer.headers["Last-Modified"] = http_date(made)
    answer.headers["Cache-Control"] = "private, no-cache"
    answer.make_conditional(request.environ)
    if answer.status_code != 200 or request.method == "HEAD":
        file.close()
        if answer.status_code == 200:
            answer.content_length = size
        return answer
    parts = _asked(size, digest, made)
    if parts is None:
        answer.content_length = size
        has_own = "wsgi.file_wrapper" in request.environ  # the server's own way, without copying
        whole = [(b"", 0, size)]
        answer.response = wrap_file(request.environ, file, _BLOCK) if has_own else _pieces(file, whole, b"")
    elif not parts:
        file.close()
        refused = problem(416, "range_not_satisfiable", f"The file has {size} bytes.")
        refused.headers["Content-Range"] = f"bytes */{size}"
        return refused
    elif len(parts) == 1:
        answer.direct_passthrough = False  # of what passes through nobody would close the file
        ((start, end),) = parts
        answer.status_code, answer.content_length = 206, end - start
        answer.headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
        answer.response = _pieces(file, [(b"", start, end)], b"")
    else:
        answer.direct_passthrough = False
        _several(answer, file, parts, size=size, media_type=str(answer.content_type))
    return answer


def _asked(size: int, digest: str, made: float) -> Sequence[tuple[int, int]] | None:
    """The parts asked for, as (begin, end); None: the whole, no part: none that there is."""
    if not _is_same(digest, made):
        return None
    wanted = parse_range_header(request.headers.get("Range"))
    if wanted is None or wanted.units != "bytes" or len(wanted.ranges) > _MOST:
        return None
    parts = []
    for begin, end in wanted.ranges:
        first = max(0, size + begin) if begin < 0 else begin  # of a suffix the length is given
        last = size if end is None else min(end, size)
        if first < last:
            parts.append((first, last))
    return parts


def _is_same(digest: str, made: float) -> bool:
    """Whether what was got of the file before belongs to the file of now."""
    known = parse_if_range_header(request.headers.get("If-Range"))
    if known.date is not None:
        return int(known.date.timestamp()) == int(made)
    return known.etag is None or known.etag == digest


def _several(
    answer: Response, file: IO[bytes], parts: Sequence[tuple[int, int]], *, size: int, media_type: str
) -> None:
    """Several parts in one answer."""
    boundary = secrets.token_hex(16)
    pieces = [
        (
            f"\r\n--{boundary}\r\nContent-Type: {media_type}\r\n"
            f"Content-Range: bytes {start}-{end - 1}/{size}\r\n\r\n".encode(),
            start,
            end,
        )
        for start, end in parts
    ]
    last = f"\r\n--{boundary}--\r\n".encode()
    answer.status_code = 206
    answer.content_type = f"multipart/byteranges; boundary={boundary}"
    answer.content_length = sum(len(head) + end - start for head, start, end in pieces) + len(last)
    answer.response = _pieces(file, pieces, last)


def _pieces(file: IO[bytes], pieces: Sequence[tuple[bytes, int, int]], last: bytes) -> Iterator[bytes]:
    with file:
        for head, start, end in pieces:
            yield head
            file.seek(start)
            while start < end and (block := file.read(min(_BLOCK, end - start))):
                start += len(block)
                yield block
        yield last
