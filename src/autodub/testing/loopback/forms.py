"""Multipart forms (RFC 7578), read whole."""

from __future__ import annotations

from dataclasses import dataclass
from email.message import Message
from email.parser import BytesHeaderParser

from autodub.testing.loopback.messages import Request


@dataclass(frozen=True, slots=True)
class Part:
    """One field of a form."""

    name: str
    content: bytes
    filename: str = ""
    """Empty for plain fields."""
    kind: str = ""
    """Content type; empty when not said."""


def parts(request: Request) -> list[Part]:
    """The fields of a form in order; empty when the body is none."""
    head = Message()
    head["content-type"] = request.headers.get("content-type", "")
    boundary = head.get_param("boundary")
    if head.get_content_type() != "multipart/form-data" or not isinstance(boundary, str):
        return []
    found = []
    for piece in (b"\r\n" + request.body).split(b"\r\n--" + boundary.encode())[1:]:
        if piece.startswith(b"--"):
            break
        header, _, content = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        fields = BytesHeaderParser().parsebytes(header + b"\r\n\r\n")
        name = fields.get_param("name", header="content-disposition")
        kind = fields.get_content_type() if "content-type" in fields else ""
        found.append(Part(str(name or ""), content, fields.get_filename() or "", kind))
    return found
