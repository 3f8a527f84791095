"""Files of this machine that are to be sent: looked at before anybody is asked anything."""

from __future__ import annotations

import os
import stat
from os import PathLike, fspath
from typing import IO

from autodub.client.errors import BadFile


def opened(file: str | PathLike[str]) -> IO[bytes]:
    """A file, open for reading. Raises BadFile for none, a folder, one that cannot be read or is empty."""
    name = fspath(file).replace("\0", "\\0")
    try:
        mode = os.stat(file).st_mode  # noqa: PTH116 - before it is opened: a pipe would wait for its writer
        if stat.S_ISDIR(mode):
            raise BadFile(f"{name} is a folder.", "Name one file in it.")
        if not stat.S_ISREG(mode):
            raise BadFile(f"{name} is no ordinary file.", "Save what comes out of it to a file first.")
        stream = open(file, "rb")  # noqa: PTH123, SIM115 - it is the caller's to close
    except (FileNotFoundError, NotADirectoryError):
        raise BadFile(
            f"There is no file {name}.", "Check its name and folder; an address begins with https://."
        ) from None
    except (OSError, ValueError) as problem:  # ValueError: a name that no file can have
        why = getattr(problem, "strerror", None) or problem
        raise BadFile(f"{name} cannot be read: {why}.", "Check its name and its permissions.") from problem
    if not os.fstat(stream.fileno()).st_size:
        stream.close()
        raise BadFile(f"{name} is empty (0 bytes).", "Its download or copy may have failed: make it again.")
    return stream


def size(file: str | PathLike[str]) -> int:
    """Bytes of a file that can be sent. Raises BadFile."""
    with opened(file) as stream:
        return os.fstat(stream.fileno()).st_size
