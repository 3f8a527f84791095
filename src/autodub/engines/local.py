"""Downloader of what needs no download: a file of this machine."""

from __future__ import annotations

import contextlib
import hashlib
import re
import shutil
from pathlib import Path
from typing import ClassVar
from urllib.parse import unquote

from autodub.engines.roles import EngineContext, EngineOptions, Info, Readiness, Work
from autodub.media.probe import probe
from autodub.model.calls import Download
from autodub.model.errors import UnsupportedSource
from autodub.model.media import Source

_BLOCK = 1 << 20


class LocalOptions(EngineOptions):
    """Options of the local downloader: none."""


class Local:
    """Opens a path or ``file://`` address where it lies; nothing is copied and nothing is changed."""

    Options: ClassVar[type[EngineOptions]] = LocalOptions

    def __init__(self, options: LocalOptions, context: EngineContext) -> None:
        self.options: EngineOptions = options
        self._context = context

    @classmethod
    def describe(cls) -> Info:
        """Facts for the plan."""
        return Info(
            name="local",
            role="downloader",
            version="1",
            summary="Video and sound files of this machine, by path or file:// address.",
            lanes=2,
            licence="Apache-2.0",
        )

    def readiness(self) -> Readiness:
        """Ready where ffmpeg is installed."""
        missing = [program for program in ("ffmpeg", "ffprobe") if shutil.which(program) is None]
        if missing:
            return Readiness(
                "not installed", f"{' and '.join(missing)} not found", fix="sudo apt-get install ffmpeg"
            )
        return Readiness("ready", "reads files of this machine")

    def download(self, request: Download, work: Work) -> Source:
        """Examine and fingerprint the file. Raises UnsupportedSource when it cannot be dubbed."""
        path = path_of(request.url)
        info = probe(path, check=work.check)
        return Source(
            path=str(path), digest=request.digest or _digest(path, work), info=info, title=_title(path)
        )


def path_of(address: str) -> Path:
    """The absolute path an address means. Raises UnsupportedSource for addresses of other machines."""
    plain = Path(address)
    if not re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", address) or _exists(plain):
        with contextlib.suppress(RuntimeError):  # ~somebody unknown is an ordinary name
            plain = plain.expanduser()
        return plain.absolute()
    scheme, _, rest = address.partition("://")
    host, _, name = rest.partition("/")
    if scheme.lower() == "file" and host in ("", "localhost"):
        return Path("/" + unquote(name))
    raise UnsupportedSource(
        f"{address} is not a file of this machine.", hint="Download it first and give the path of the file."
    )


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name too long, or with a NUL: certainly no file
        return False


def _digest(path: Path, work: Work) -> str:
    digest = hashlib.sha256()
    size, done = path.stat().st_size, 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
            done += len(block)
            work.progress(min(1.0, done / size))
    return digest.hexdigest()


def _title(path: Path) -> str:
    """The file's name on one printable line."""
    words = path.stem.encode("utf-8", "replace").decode("utf-8").split()
    return "".join(c if c.isprintable() else "?" for c in " ".join(words)) or "untitled"
