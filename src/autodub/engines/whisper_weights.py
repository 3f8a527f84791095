"""Where Whisper's weights lie, and how they get there, without importing the recogniser."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from autodub.engines import hub
from autodub.engines.hub import has_gpu
from autodub.model.errors import EngineCannot

__all__ = [
    "PREFERRED_CPU",
    "PREFERRED_GPU",
    "fetch",
    "first_local",
    "has_gpu",
    "local",
    "repository",
    "revision",
]

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
    return name if hub.is_repository(name) else None


def local(name: str, models: Path) -> Path | None:
    """The folder with a model's weights on this machine; None when they are not here.

    Looked for as a path, in ``models/whisper/NAME`` and in the hub's own cache. Takes milliseconds.
    """
    folders = [hub.located(name), _own(name, models)]
    found = repository(name)
    if found is not None:
        folders += hub.snapshots(found)
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
    return hub.fetch(found, _own(name, models), files=_FILES, engine="whisper")


def _own(name: str, models: Path) -> Path:
    """Our own folder of a model; a name that is a path elsewhere cannot leave ``models``."""
    return hub.own_folder(models, "whisper", name)
