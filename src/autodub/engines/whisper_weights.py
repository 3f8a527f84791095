"""Where Whisper's weights lie, and how they get there, without importing the recogniser."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from autodub.model.errors import EngineCannot, Rejected, Unreachable

_TURBO = "mobiuslabsgmbh/faster-whisper-large-v3-turbo"
_REPOSITORIES = {
    "large": "Systran/faster-whisper-large-v3",
    "large-v3-turbo": _TURBO,
    "turbo": _TURBO,
    "distil-large-v3.5": "distil-whisper/distil-large-v3.5-ct2",
}
_NAMES = re.compile(r"(tiny|base|small|medium)(\.en)?|large(-v[123])?")
_DISTILLED = re.compile(r"distil-(large-v[23]|(medium|small)\.en)")
_FILES = ("config.json", "preprocessor_config.json", "model.bin", "tokenizer.json", "vocabulary.*")
_CONNECT = 5.0
"""Seconds to wait for the hub's first answer."""

PREFERRED_GPU = ("large-v3-turbo", "large-v3", "medium", "small", "base", "tiny")
PREFERRED_CPU = ("small", "base", "tiny", "large-v3-turbo", "medium", "large-v3")


def repository(name: str) -> str | None:
    """The hub's repository of a model name, or of an ``owner/name`` as it is; None for unknown names."""
    if name in _REPOSITORIES:
        return _REPOSITORIES[name]
    if _NAMES.fullmatch(name):
        return f"Systran/faster-whisper-{name}"
    if _DISTILLED.fullmatch(name):
        return f"Systran/faster-distil-whisper-{name.removeprefix('distil-')}"
    return name if re.fullmatch(r"[\w.-]+/[\w.-]+", name) else None


def local(name: str, models: Path) -> Path | None:
    """The folder with a model's weights on this machine; None when they are not here.

    Looked for as a path, in ``models/whisper/NAME`` and in the hub's own cache. Takes milliseconds.
    """
    folders = [Path(name).expanduser(), _own(name, models)]
    found = repository(name)
    if found is not None:
        from huggingface_hub import constants

        cache = Path(constants.HF_HUB_CACHE) / f"models--{found.replace('/', '--')}" / "snapshots"
        if cache.is_dir():
            folders += sorted(cache.iterdir(), key=lambda folder: folder.stat().st_mtime, reverse=True)
    return next((folder for folder in folders if (folder / "model.bin").is_file()), None)


def revision(folder: Path | None) -> str:
    """What tells these weights from others of the same name: the hub's snapshot, or the file's own marks."""
    if folder is None:
        return ""
    if folder.parent.name == "snapshots":
        return folder.name
    state = (folder / "model.bin").stat()
    return f"{state.st_size}-{state.st_mtime_ns}"


def first_local(names: Sequence[str], models: Path) -> str | None:
    """The first of several models that is on this machine."""
    return next((name for name in names if local(name, models) is not None), None)


def has_gpu() -> bool:
    """Whether an NVIDIA device is visible, as far as can be told without loading a driver."""
    return any(Path("/dev").glob("nvidia[0-9]*")) or Path("/dev/dxg").exists()


def fetch(name: str, models: Path) -> Path:
    """Download a model into ``models/whisper/NAME``; a broken download is continued the next time.

    Raises EngineCannot for an unknown name, Rejected when the hub does not give it away, Unreachable
    within seconds when the hub cannot be reached.
    """
    found = repository(name)
    if found is None:
        raise EngineCannot(
            f"There is no Whisper model '{name}'.",
            hint="Name one such as small or large-v3-turbo, a folder, or owner/name of the Hugging Face hub.",
        )
    import huggingface_hub
    from huggingface_hub import constants, errors

    folder = _own(name, models)
    _probe(f"{constants.ENDPOINT}/api/models/{found}", found, folder)
    partial = folder.with_name(folder.name + ".partial")
    try:
        huggingface_hub.snapshot_download(
            found, local_dir=partial, allow_patterns=list(_FILES), etag_timeout=_CONNECT
        )
        partial.rename(folder)
    # HTTPError is the HTTP client's own base class, whichever client the hub's library uses.
    except (OSError, errors.EntryNotFoundError, errors.HTTPError) as error:  # type: ignore[attr-defined]
        raise _unreachable(found, folder, error) from error
    return folder


def _own(name: str, models: Path) -> Path:
    """Our own folder of a model; a name that is a path elsewhere cannot leave ``models``."""
    return models / "whisper" / re.sub(r"[^\w.-]+", "--", name).strip(".-")


def _probe(address: str, found: str, folder: Path) -> None:
    """Ask the hub whether it has a model, so that a machine without a network hears so in seconds."""
    import http.client
    import urllib.error
    import urllib.request

    try:
        with urllib.request.urlopen(address, timeout=_CONNECT):  # noqa: S310 - the hub's own address
            pass
    except urllib.error.HTTPError as error:
        if error.code in {401, 403, 404}:
            raise Rejected(
                f"The hub does not give away {found} (status {error.code}).",
                hint="Check the name; for a gated model log in with: hf auth login",
                engine="whisper",
            ) from error
        raise _unreachable(found, folder, error) from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise _unreachable(found, folder, error) from error


def _unreachable(found: str, folder: Path, error: Exception) -> Unreachable:
    return Unreachable(
        f"The model {found} cannot be fetched: {error or type(error).__name__}.",
        hint=f"Connect this machine, or copy the model's files into {folder}.",
        engine="whisper",
    )
