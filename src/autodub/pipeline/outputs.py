"""Where a dub's files go, and putting them there without ever leaving half a file."""

from __future__ import annotations

import contextlib
import errno
import os
import shlex
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from autodub.media.containers import container_of
from autodub.model.errors import OutputProblem
from autodub.pipeline.names import path_of


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

    @property
    def all(self) -> tuple[Path, ...]:
        """Every one of them."""
        return (self.media, self.srt, self.vtt, self.receipt, self.report, self.project)

    def keep_clear_of(self, given: Path) -> None:
        """Raise OutputProblem when one of them would be written over a file the user gave."""
        for path in self.all:
            if os.path.exists(path) and os.path.exists(given) and path.samefile(given):  # noqa: PTH110
                raise OutputProblem(
                    f"{path} would be written over, but it is what you gave.",
                    hint="Give another name for the dub with -o.",
                )


def outputs_for(
    source: Path,
    target: str,
    wanted: str | None,
    *,
    part: tuple[int, int | None] = (0, None),
    given: Iterable[str | None] = (),
) -> Outputs:
    """Where the dub of ``source`` goes. Raises OutputProblem before any work is done.

    ``part`` is the range dubbed, ms: a range has a name of its own and never replaces the whole. ``given``
    are files that nothing may be written over.
    """
    name = _name(source, target, part)
    media = path_of(wanted) if wanted else source.with_name(name)
    if wanted and wanted.endswith(os.sep):
        _refuse_folder(media, hint=f"Make it: mkdir -p {shlex.quote(str(media))}, or give another -o.")
    if os.path.isdir(media):  # noqa: PTH112 - a name too long for the system is refused below, in words
        media = media / name
    outputs = _writable(media)
    require_place(media)
    for path in outputs.all:
        _refuse_name(path, source)
    for other in given:
        if other is not None:
            outputs.keep_clear_of(path_of(other))
    return outputs


def outputs_named(
    source: Path, target: str, wanted: str | None, *, part: tuple[int, int | None] = (0, None)
) -> Outputs:
    """Names for a dub that is delivered nowhere; of ``wanted`` only the name counts, not the folder.

    Raises OutputProblem when no file of that kind can be written.
    """
    return _writable(Path(path_of(wanted).name if wanted else _name(source, target, part)))


def _name(source: Path, target: str, part: tuple[int, int | None]) -> str:
    start, end = part
    span = f".{start / 1000:g}-{end / 1000:g}" if end is not None else f".{start / 1000:g}-" if start else ""
    return f"{source.stem}{span}.{target}{source.suffix}"


def _writable(media: Path) -> Outputs:
    if not media.suffix:
        raise OutputProblem(
            f"The output name {media.name!r} has no ending that says what kind of file to write.",
            hint=f"Give one, such as {media.name}.mp4.",
        )
    container_of(media)
    return Outputs(media)


def require_place(wanted: Path) -> None:
    """Raise OutputProblem when a file cannot be written where it should go, before any work is done."""
    _refuse_folder(wanted.parent)
    try:
        if wanted.is_dir():
            raise OutputProblem(f"{wanted} is a folder.", hint="Add a file name.")
        # Permission bits do not tell everything: only a file made there does.
        tempfile.TemporaryFile(prefix=".autodub-", dir=wanted.parent).close()
    except OSError as problem:
        raise _problem(wanted, problem) from problem


def _refuse_folder(folder: Path, *, hint: str = "Make it, or give another -o.") -> None:
    if os.path.isdir(folder):  # noqa: PTH112 - as above
        return
    if os.path.lexists(folder):
        raise OutputProblem(f"{folder} is not a folder.", hint="Give another place with -o.")
    raise OutputProblem(f"The folder {folder} does not exist.", hint=hint)


def _refuse_name(path: Path, source: Path) -> None:
    try:
        state = path.stat()
        is_source = source.exists() and path.samefile(source)
    except FileNotFoundError:
        return
    except OSError as problem:
        raise _problem(path, problem) from problem
    if is_source:
        raise OutputProblem(
            f"{path} is the source itself, which is never changed.", hint="Give another name with -o."
        )
    if not stat.S_ISREG(state.st_mode):
        raise OutputProblem(f"{path} is in the way: it is not a file.", hint="Give another name with -o.")
    if not os.access(path, os.W_OK):
        raise OutputProblem(f"{path} may not be changed.", hint="Give another name with -o.")


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
        raise _problem(wanted, problem) from problem
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _problem(wanted: Path, error: OSError) -> OutputProblem:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return OutputProblem(
            f"There is no room for {wanted}.",
            hint="Free some space, or give another place with -o; then run again.",
        )
    return OutputProblem(
        f"{wanted} cannot be written ({error.strerror}).", hint="Give a place you may write to with -o."
    )
