"""Several files as one ZIP, written while it is sent: nothing of it is held in memory or on the disk."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import IO, cast
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

_BLOCK = 1 << 18
_LARGE = 1 << 31
_EARLIEST = 315_532_800.0  # 1980: ZIP knows no time before
_TEXT = (".srt", ".vtt", ".json", ".html")


class _Outlet:
    """Takes what the archive writes until it is taken away; it cannot be sought in, like a connection."""

    def __init__(self) -> None:
        self._waiting: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._waiting.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def taken(self) -> bytes:
        """What was written since the last time."""
        waiting, self._waiting = self._waiting, []
        return b"".join(waiting)


def zipped(files: Sequence[tuple[str, IO[bytes], int]], *, made: float) -> Iterator[bytes]:
    """The archive of some open files, each with its name and size; they are closed at the end."""
    outlet = _Outlet()
    moment = time.gmtime(max(made, _EARLIEST))[:6]
    with ExitStack() as stack:
        for _, file, _ in files:
            stack.callback(file.close)
        with ZipFile(cast("IO[bytes]", outlet), "w") as archive:
            for name, file, size in files:
                info = ZipInfo(name, moment)
                info.external_attr = 0o644 << 16
                info.compress_type = ZIP_DEFLATED if name.endswith(_TEXT) else ZIP_STORED
                with archive.open(info, "w", force_zip64=size >= _LARGE) as entry:
                    while block := file.read(_BLOCK):
                        entry.write(block)
                        if data := outlet.taken():
                            yield data
        yield outlet.taken()
