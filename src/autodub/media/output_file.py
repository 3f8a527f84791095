"""Output files: refused early where they must not be written, and complete or absent afterwards."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from autodub.media.containers import container_of
from autodub.model.errors import OutputProblem


def refuse_output(output: Path, source: Path) -> None:
    """Raise OutputProblem for an output that must not be written: the source itself, a folder, a device."""
    container_of(output)
    try:
        state = output.stat()
    except FileNotFoundError:
        if not output.parent.is_dir():
            raise OutputProblem(
                f"The folder {output.parent} does not exist.", hint="Create it, or choose another output."
            ) from None
        return
    except OSError as error:
        raise _problem(output, error) from error
    if stat.S_ISDIR(state.st_mode):
        raise OutputProblem(f"{output} is a folder.", hint="Add a file name, such as dubbed.mp4.")
    if not stat.S_ISREG(state.st_mode):
        raise OutputProblem(f"{output} is not an ordinary file.", hint="Choose another output.")
    if source.exists() and output.samefile(source):
        raise OutputProblem(
            f"The output {output} is the source itself, which is never changed.",
            hint="Choose another name for the output.",
        )


@contextlib.contextmanager
def atomically(output: Path) -> Iterator[Path]:
    """A temporary file beside ``output`` that takes its name when the block succeeds."""
    temporary = output.with_name(f".autodub-{os.getpid()}-{os.urandom(4).hex()}.part")
    try:
        with temporary.open("xb"):
            pass
    except OSError as error:
        raise _problem(output, error) from error
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(output)
        folder = os.open(output.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise _problem(output, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def _problem(output: Path, error: OSError) -> OutputProblem:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return OutputProblem(
            f"There is no room left on the disk to write {output}.",
            hint="Make room, or choose another output.",
        )
    return OutputProblem(
        f"{output} cannot be written: {error.strerror or error}.",
        hint="Check the folder's permissions, or choose another output.",
    )
