"""Weights from the Hugging Face hub: where they lie on this machine, and how they get there once.

Nothing here imports an engine or a model library; looking for weights takes milliseconds.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from autodub.infra.blobs import NO_ROOM
from autodub.model.errors import BadOption, OutputProblem, Rejected, Unreachable

CONNECT = 5.0
"""Seconds to wait for the hub's first answer."""


def is_repository(name: str) -> bool:
    """Whether a name looks like ``owner/name`` of the hub."""
    return bool(re.fullmatch(r"[\w.-]+/[\w.-]+", name)) and ".." not in name


def located(name: str | Path) -> Path:
    """The path somebody gave as an option, ``~`` resolved, whether or not anything is there.

    Raises BadOption for what no path can be, and for what may not be looked at.
    """
    try:
        path = Path(name).expanduser()
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return path
    except (OSError, RuntimeError, ValueError) as error:
        shown = str(name) if len(str(name)) <= 80 else f"{str(name)[:77]}..."
        raise BadOption(
            f"The path {shown!r} cannot be used: {getattr(error, 'strerror', None) or error}.",
            hint="Give the path of a folder or file that exists and may be read.",
        ) from error
    return path


def own_folder(models: Path, kind: str, name: str) -> Path:
    """Our own folder of a model; a name that is a path elsewhere cannot leave ``models``."""
    return models / kind / re.sub(r"[^\w.-]+", "--", name).strip(".-")


def snapshots(repository: str) -> list[Path]:
    """Folders of a repository in the hub's own cache, newest first."""
    from huggingface_hub import constants

    cache = Path(constants.HF_HUB_CACHE) / f"models--{repository.replace('/', '--')}" / "snapshots"
    if not cache.is_dir():
        return []
    return sorted(cache.iterdir(), key=lambda folder: folder.stat().st_mtime, reverse=True)


def revision(*files: Path) -> str:
    """What tells these weights from others of the same names, without reading them: sizes and times."""
    marks = []
    for file in files:
        try:
            state = file.stat()
        except OSError as error:  # a link to nowhere; loading will say so, a survey must not fail
            marks.append(f"{file.name} {error.errno}")
        else:
            marks.append(f"{file.name} {state.st_size} {state.st_mtime_ns}")
    return hashlib.sha256("\n".join(marks).encode()).hexdigest()[:12] if marks else ""


def fetch(
    repository: str, folder: Path, *, files: Sequence[str], engine: str, whole: bool = True, notes: str = ""
) -> Path:
    """Download files (patterns) of a repository into ``folder``; a broken download is continued next time.

    With ``whole`` the folder appears only when everything is there; without, files are added to it.
    Raises Rejected when the hub does not give it away, Unreachable within seconds without a network,
    OutputProblem when the disk is full.
    """
    import huggingface_hub
    from huggingface_hub import constants, errors

    probe(f"{constants.ENDPOINT}/api/models/{repository}", repository, folder, engine=engine)
    partial = folder.with_name(folder.name + ".partial") if whole else folder
    try:
        huggingface_hub.snapshot_download(
            repository, local_dir=partial, allow_patterns=list(files), etag_timeout=CONNECT
        )
        if whole:
            partial.rename(folder)
    # HTTPError is the HTTP client's own base class, whichever client the hub's library uses.
    except (OSError, errors.EntryNotFoundError, errors.HTTPError) as error:  # type: ignore[attr-defined]
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            raise OutputProblem(
                f"There is no room left on the disk for the model {repository}.",
                hint=f"Make room for {folder} and fetch it again; it goes on where it stopped.",
            ) from error
        raise unreachable(repository, folder, error, engine=engine, notes=notes) from error
    return folder


def probe(address: str, repository: str, folder: Path, *, engine: str) -> None:
    """Ask the hub whether it has a model, so that a machine without a network hears so in seconds."""
    import http.client
    import urllib.error
    import urllib.request

    try:
        with urllib.request.urlopen(address, timeout=CONNECT):  # noqa: S310 - the hub's own address
            pass
    except urllib.error.HTTPError as error:
        if error.code in {401, 403, 404}:
            raise Rejected(
                f"The hub does not give away {repository} (status {error.code}).",
                hint="Check the name; for a gated model log in with: hf auth login",
                engine=engine,
            ) from error
        raise unreachable(repository, folder, error, engine=engine) from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise unreachable(repository, folder, error, engine=engine) from error


def unreachable(
    repository: str, folder: Path, error: Exception, *, engine: str, notes: str = ""
) -> Unreachable:
    """The error for weights that cannot be fetched, naming the folder to copy them into."""
    return Unreachable(
        f"The model {repository} cannot be fetched: {error or type(error).__name__}.",
        hint=f"Connect this machine, or copy the model's files into {folder}. {notes}".strip(),
        engine=engine,
    )


def has_gpu() -> bool:
    """Whether an NVIDIA device is visible, as far as can be told without loading a driver."""
    return any(Path("/dev").glob("nvidia[0-9]*")) or Path("/dev/dxg").exists()
