"""Text for a terminal: names that cannot take it over, sizes, times."""

from __future__ import annotations

import os
import re
import shutil
import textwrap
import unicodedata
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

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


_COMMAND = re.compile(r":\s(?=(?:sudo|pip|autodub|brew)\s)")
"""Before a command to type: it gets a line of its own, which is never broken."""


def width() -> int:
    """Columns of the terminal; 80 where there is none."""
    return max(20, shutil.get_terminal_size((80, 24)).columns)


def wrapped(text: str) -> str:
    """Sentences broken at blanks to fit the terminal; a command to type stays on a line of its own."""
    lines: list[str] = []
    for line in text.replace(" Or: ", "\nOr: ").split("\n"):
        sentence, *commands = _COMMAND.split(line)
        lines += _filled(sentence + (":" if commands else "")) if sentence or not commands else []
        lines += [f"  {command}" for command in commands]
    return "\n".join(lines)


def packed(items: Iterable[str], *, columns: int) -> str:
    """Items after one another with commas, broken only between two of them."""
    lines = [""]
    for item in items:
        together = f"{lines[-1]}, {item}" if lines[-1] else item
        if lines[-1] and len(together) + 1 > columns:
            lines[-1] += ","
            lines.append(item)
        else:
            lines[-1] = together
    return "\n".join(lines)


def because(why: str) -> str:
    """Why an engine was taken, to follow its name; empty where there is nothing to explain."""
    parts = [part for part in why.split("; ") if part not in ("", "ready", "asked for")]
    reasons = ", ".join(re.sub(r"\bneeds (?=download|key)", "needs a ", part) for part in parts)
    return f", because {reasons}" if reasons else ""


def printed(console: Console, renderable: Any) -> None:
    """Print a table without the blanks that fill up its last column."""
    with console.capture() as captured:
        console.print(renderable)
    for line in captured.get().splitlines():
        console.file.write(line.rstrip(" ") + "\n")


def _filled(line: str) -> list[str]:
    return textwrap.wrap(line, width(), break_long_words=False, break_on_hyphens=False) or [""]


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
