"""What is here: every engine with its state, programs, room on the disk, settings."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from autodub.infra import process
from autodub.infra.settings import ENDPOINTS, SECRETS, Settings
from autodub.model.errors import AutodubError
from autodub.model.request import ROLES
from autodub.pipeline import catalogue
from autodub.pipeline.catalogue import EngineState

_ENCODERS = ("aac", "flac", "libopus", "pcm_s16le")
_FEW_BYTES = 2 * 10**9
"""Less room than this is worth a warning: a two-hour source decodes to about this."""
_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Check:
    """One thing a dub needs or profits from."""

    name: str
    state: Literal["ok", "warning", "missing"]
    """``missing``: no dub works without it; ``warning``: some do not, or less well."""
    detail: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Examination:
    """Everything ``autodub doctor`` looked at."""

    checks: tuple[Check, ...]
    engines: tuple[EngineState, ...]
    settings: Settings

    @property
    def is_fit(self) -> bool:
        """Whether a dub can be made here at all."""
        return all(check.state != "missing" for check in self.checks)


def examine(settings: Settings) -> Examination:
    """Look at everything a dub needs on this machine. Nothing is written, installed or downloaded."""
    states = catalogue.engines(settings)
    return Examination(
        (*_programs(), _room(settings.data_dir), *_roles(states), *_keys(settings), *_unknown(settings)),
        states,
        settings,
    )


def _programs() -> tuple[Check, ...]:
    checks = [_program("ffmpeg", "ffmpeg", ["-version"], required=True)]
    if checks[0].state == "ok":
        checks.append(_encoders())
    checks += [
        _program("ffprobe", "ffmpeg", ["-version"], required=True),
        _program("espeak-ng", "espeak-ng", ["--version"], required=False),
        _pairs(),
    ]
    return tuple(checks)


def _pairs() -> Check:
    """Apertium says nothing of itself but what it translates: ``eng-spa`` and so on, one a line."""
    try:
        result = process.run([process.find("apertium", package="apertium"), "-l"], deadline=_SECONDS)
    except AutodubError as problem:
        return Check("apertium", "warning", problem.message, problem.hint)
    modes = {line.strip() for line in result.stdout.decode(errors="replace").splitlines()}
    pairs = sorted(mode for mode in modes if re.fullmatch(r"[a-z]{2,3}-[a-z]{2,3}", mode))
    if not pairs:
        fix = "Install one: sudo apt-get install apertium-eng-spa"
        return Check("apertium", "warning", "no language pair is installed", fix)
    return Check("apertium", "ok", ", ".join(pairs))


def _program(name: str, package: str, arguments: list[str], *, required: bool) -> Check:
    try:
        result = process.run([process.find(name, package=package), *arguments], deadline=_SECONDS)
    except AutodubError as problem:
        return Check(name, "missing" if required else "warning", problem.message, problem.hint)
    said = (result.stdout.decode(errors="replace") + result.stderr).strip().splitlines()
    version = re.search(r"\d+(?:\.\d+)+\S*", said[0]) if said else None
    if result.code != 0 or version is None:
        fix = f"Install it again: sudo apt-get install --reinstall {package}"
        return Check(name, "missing" if required else "warning", "it is installed but does not start", fix)
    return Check(name, "ok", version.group())


def _encoders() -> Check:
    result = process.run(
        [process.find("ffmpeg", package="ffmpeg"), "-hide_banner", "-encoders"], deadline=_SECONDS
    )
    have = {
        fields[1]
        for line in result.stdout.decode(errors="replace").splitlines()
        if len(fields := line.split()) > 1
    }
    lacking = [name for name in _ENCODERS if name not in have]
    if lacking:
        return Check(
            "ffmpeg encoders", "warning", f"without {', '.join(lacking)}", "Install a full build of ffmpeg."
        )
    return Check("ffmpeg encoders", "ok", ", ".join(_ENCODERS))


def _room(folder: Path) -> Check:
    place = folder
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if not os.access(place, os.W_OK | os.X_OK):
        return Check(
            "data directory", "missing", f"{folder} cannot be written", "Choose another: --data-dir DIR"
        )
    detail = f"{free / 1e9:.1f} GB free for {folder}"
    if free < _FEW_BYTES:
        return Check(
            "data directory", "warning", detail, "Make room (autodub cache prune), or choose another."
        )
    return Check("data directory", "ok", detail)


def _roles(states: tuple[EngineState, ...]) -> tuple[Check, ...]:
    """A role that no engine can fill; reading subtitles fills the transcriber's only when there are some."""
    checks = []
    for role in ROLES:
        able = [s for s in states if s.role == role and s.name != "subtitles"]
        if not any(s.is_ready for s in able):
            fixes = " Or: ".join(s.readiness.fix for s in able if s.readiness.fix)
            optional = role in ("cloner", "separator", "diarizer", "transcriber")
            checks.append(Check(role, "warning" if optional else "missing", "no engine is ready", fixes))
    return tuple(checks)


def _keys(settings: Settings) -> tuple[Check, ...]:
    """Ways in which keys could come to others: a file anybody may read, a line anybody may listen to."""
    checks = []
    if settings.exposed:
        file = settings.config_file
        checks.append(
            Check(
                "keys", "warning", f"other users may read those in {file}", f"Do this once: chmod 600 {file}"
            )
        )
    for name, address in settings.endpoints.items():
        host = urlsplit(address).hostname or ""
        if address.startswith("http:") and host not in ("localhost", "127.0.0.1", "::1"):
            said = f"the key and what is sent to {host} can be read on the way"
            checks.append(Check(name, "warning", said, "Use an address that begins with https://."))
    return tuple(checks)


def _unknown(settings: Settings) -> tuple[Check, ...]:
    """Names that mean nothing; any name may stand among keys and addresses, so only a near miss is told."""
    near = [
        (name, found[0], settings.origins.get(name, ""))
        for given, known in ((settings.secrets, SECRETS), (settings.endpoints, ENDPOINTS))
        for name in given
        if name not in known and (found := get_close_matches(name.upper(), known, n=1, cutoff=0.8))
    ]
    misspelt = tuple(
        Check(name, "warning", f"no engine asks for it; {origin}", f"Did you mean {meant}?")
        for name, meant, origin in near
    )
    return misspelt + tuple(
        Check(name, "warning", "is set but means nothing", f"Check the spelling, or unset {name}.")
        for name in settings.unknown
    )
