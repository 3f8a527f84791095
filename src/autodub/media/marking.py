"""The mark that the speech of a file is synthetic, readable by machines (EU AI Act, article 50).

In nearly every kind of file it stands in the comment, which all programs keep and show, and in tags of its
own where the file can hold any. Transport streams have the name of their provider instead. Sony Wave64 is
given the list of tags that the format knows and ffmpeg does not write.
"""

from __future__ import annotations

import shutil
import struct
from pathlib import Path
from typing import IO

SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
"""IPTC's term for a recording with parts that a model made."""
TAGS = {"synthetic_speech": "yes", "DigitalSourceType": SOURCE_TYPE}
"""What the mark says, by key."""
LINE = " ".join(f"{key}={value}" for key, value in TAGS.items())
"""The same on one line."""
COMMENT = f"Dubbed by Autodub: the speech in this file is synthetic.\n{LINE}"
"""For people, and for machines."""

_SUMMARY = bytes.fromhex("bc945f92 5a52d211 86dc00c0 4f8edb8a")
"""What Wave64 calls its list of tags."""


def options(muxer: str, comment: str) -> list[str]:
    """Options of ffmpeg that mark its output; ``comment`` is the source's own."""
    said = comment if LINE in comment else f"{comment}\n{COMMENT}".strip()
    args = ["-metadata", f"comment={said}"]
    for key, value in TAGS.items():  # kinds of files that know a fixed set of tags leave them out
        args += ["-metadata", f"{key}={value}"]
    if muxer == "mpegts":
        args += ["-metadata", f"service_provider=Autodub {LINE}"]
    return args


def finish(path: Path, muxer: str) -> None:
    """Mark a finished file of the kind that ffmpeg writes no tags into; any other one is left alone."""
    if muxer != "w64":
        return
    text = COMMENT.encode("utf-16-le") + b"\0\0"
    body = struct.pack("<I4sI", 1, b"ICMT", len(text)) + text
    chunk = _SUMMARY + struct.pack("<Q", 24 + len(body)) + body + b"\0" * (-len(body) % 8)
    marked = path.with_name(path.name + ".marked")
    try:
        with path.open("rb") as plain, marked.open("wb") as out:
            head = _head(plain)
            size = path.stat().st_size + len(chunk)
            out.write(head[:16] + struct.pack("<Q", size) + head[24:] + chunk)
            shutil.copyfileobj(plain, out, 1 << 20)
        marked.replace(path)
    finally:
        marked.unlink(missing_ok=True)


def _head(file: IO[bytes]) -> bytes:
    """Everything before the chunk of samples: what comes after it is not read by everybody."""
    head = file.read(40)
    while (name := file.read(24))[:4] != b"data":
        (size,) = struct.unpack("<Q", name[16:])
        head += name + file.read(size - 24 + -size % 8)
    file.seek(-24, 1)
    return head
