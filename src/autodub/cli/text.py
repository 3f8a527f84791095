"""Text for a terminal: names that cannot take it over, sizes, times."""

from __future__ import annotations

import os
import unicodedata

_HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Unicode categories that move the cursor, reorder text or cannot be shown: controls, formats, surrogates."""


def safe(value: object) -> str:
    """The text on one line, with everything that could act on a terminal written as an escape."""
    text = os.fspath(value) if isinstance(value, os.PathLike) else str(value)
    return "".join(
        character if unicodedata.category(character) not in _HIDDEN else _escape(character)
        for character in str(text)
    )


def safe_lines(value: str) -> str:
    """As ``safe``, with line ends kept: for sentences we wrote ourselves around names we did not."""
    return "\n".join(safe(line) for line in value.split("\n"))


def size(count: float) -> str:
    """Bytes for people: ``1.4 GB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(count) < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def duration(seconds: float) -> str:
    """Seconds for people: ``0.4 s``, ``12 s``, ``3 min 05 s``, ``1 h 02 min``."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole // 60 % 60:02d} min"


def _escape(character: str) -> str:
    code = ord(character)
    if character in "\n\r\t":
        return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}[character]
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
