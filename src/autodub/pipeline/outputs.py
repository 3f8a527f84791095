"""Where a dub's files go, and putting them there without ever leaving half a file."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from autodub.model.errors import OutputProblem


@dataclass(frozen=True, slots=True)
class Outputs:
    """Paths of everything a dub writes, all beside the dubbed file."""

    media: Path

    def beside(self, suffix: str) -> Path:
        """``clip.es.mp4`` -> ``clip.es`` + suffix."""
        return self.media.with_name(self.media.stem + suffix)

    @property
    def project(self) -> Path:
        """The readable project file."""
        return self.beside(".project.json")

    @property
    def receipt(self) -> Path:
        """The measured receipt."""
        return self.beside(".receipt.json")

    @property
    def report(self) -> Path:
        """The receipt as a page."""
        return self.beside(".report.html")

    @property
    def srt(self) -> Path:
        """What is spoken, as SubRip."""
        return self.beside(".srt")

    @property
    def vtt(self) -> Path:
        """What is spoken, as WebVTT."""
        return self.beside(".vtt")


def outputs_for(source: Path, target: str, wanted: str | None) -> Outputs:
    """Where the dub of ``source`` goes. Raises OutputProblem before any work is done."""
    media = (
        Path(wanted).expanduser() if wanted else source.with_name(f"{source.stem}.{target}{source.suffix}")
    )
    if media.is_dir():
        media = media / f"{source.stem}.{target}{source.suffix}"
    if not media.suffix:
        raise OutputProblem(
            f"The output name {media.name!r} has no ending that says what kind of file to write.",
            hint=f"Give one, such as {media.name}.mp4.",
        )
    folder = media.parent
    if not folder.is_dir():
        raise OutputProblem(f"The folder {folder} does not exist.", hint="Make it, or give another -o.")
    if not os.access(folder, os.W_OK | os.X_OK) or (media.exists() and not os.access(media, os.W_OK)):
        raise OutputProblem(f"{media} cannot be written.", hint="Give a place you may write to with -o.")
    outputs = Outputs(media)
    for path in (media, outputs.srt, outputs.vtt, outputs.receipt, outputs.report, outputs.project):
        if path.exists() and path.samefile(source):
            raise OutputProblem(
                f"{path} is the source itself, which is never changed.", hint="Give another name with -o."
            )
    return outputs


def place(made: Path, wanted: Path) -> None:
    """Copy a finished file to its final name: complete, or not at all. Raises OutputProblem."""
    with _atomically(wanted) as temporary:
        shutil.copyfile(made, temporary)


def write_text(text: str, wanted: Path) -> None:
    """Write a small text file: complete, or not at all. Raises OutputProblem."""
    with _atomically(wanted) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextlib.contextmanager
def _atomically(wanted: Path) -> Iterator[Path]:
    """A temporary name beside the wanted one, moved over it on success and removed on failure."""
    temporary: Path | None = None
    try:
        handle, name = tempfile.mkstemp(prefix=".autodub-", suffix=wanted.suffix, dir=wanted.parent)
        temporary = Path(name)
        os.close(handle)
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(wanted)
        temporary = None
    except OSError as problem:
        if problem.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise OutputProblem(
                f"There is no room for {wanted}.",
                hint="Free some space, or give another place with -o; then run again.",
            ) from problem
        raise OutputProblem(
            f"{wanted} cannot be written ({problem.strerror}).", hint="Give a place you may write to with -o."
        ) from problem
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
