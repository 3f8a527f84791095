"""Names of files as people give them, made harmless: one line that no system takes for a path or a device."""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePosixPath

_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])", re.IGNORECASE)
"""What Windows opens instead of a file, whatever ending is added."""
_UNSEEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
"""Unicode categories of what cannot be seen: control characters, marks that turn the direction of writing."""
_JOINERS = "\u200c\u200d"
"""Unseen, too, but part of how words are spelt and of emoji."""
_LONGEST, _BYTES, _ENDING = 150, 200, 16


def safe_name(said: str, *, otherwise: str) -> str:
    """A file's name, to be shown and offered for saving; ``otherwise`` when nothing is left of it."""
    last = said.replace("\\", "/").rstrip("/").rpartition("/")[2]
    seen = (
        char if char in _JOINERS or unicodedata.category(char) not in _UNSEEN else " "
        for char in unicodedata.normalize("NFC", last)
    )  # fmt: skip
    words = re.sub(r'[<>:"|?*]', "_", " ".join("".join(seen).split()))
    name = words.strip(" .")
    stem, ending = PurePosixPath(name).stem, PurePosixPath(name).suffix
    if len(ending) > _ENDING:
        stem, ending = name, ""
    stem = stem[:_LONGEST].encode()[:_BYTES].decode(errors="ignore").strip(" .")
    if not stem.strip("._-" + _JOINERS):
        return otherwise
    return f"_{stem}{ending}" if _DEVICES.fullmatch(stem.partition(".")[0].strip()) else stem + ending


def ending(name: str) -> str:
    """The ending of a name in small letters, with its dot; empty when it has none."""
    return PurePosixPath(name).suffix.lower()
