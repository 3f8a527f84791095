"""Server-sent events, read from the bytes of an answer (HTML standard, section 9.2)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sent:
    """One message of a stream."""

    kind: str
    """``message`` where the server names none."""
    id: str
    """The last id the server sent, this message's or an earlier one's."""
    data: str


def messages(chunks: Iterable[bytes]) -> Iterator[Sent]:
    """The messages in a stream; one that is cut off in the middle is not told."""
    kind, number = "", ""
    data: list[str] = []
    for line in _lines(chunks):
        if not line:
            if data:
                yield Sent(kind or "message", number, "\n".join(data))
            kind, data = "", []
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            data.append(value)
        elif field == "event":
            kind = value
        elif field == "id" and "\0" not in value:
            number = value


def _lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Lines as they are complete. Only CR and LF end one: other separators of Unicode are content."""
    rest, skip = b"", False
    for chunk in chunks:
        rest += chunk
        while (end := min((i for i in (rest.find(b"\n"), rest.find(b"\r")) if i >= 0), default=-1)) >= 0:
            line, ending, rest = rest[:end], rest[end : end + 1], rest[end + 1 :]
            if not (skip and ending == b"\n" and not line):  # the LF of a CR LF
                yield line.decode("utf-8", "replace")
            skip = ending == b"\r"
