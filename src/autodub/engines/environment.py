"""Interpreters of their own for engines whose packages exclude those of other engines.

Such an engine names an ``Environment`` and runs its worker module with ``interpreter(...)``: this
interpreter where the package is installed beside us, else the one in ``MODELS/environments/NAME``,
made once by ``install`` (or by hand: any virtual environment in that folder will do).
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from autodub.engines.roles import EngineContext, Readiness
from autodub.infra import process
from autodub.infra.locks import FileLock
from autodub.model.errors import Busy, EngineCannot, EngineError, Unreachable

_PINS = "autodub-packages.txt"
"""What was installed, one requirement per line; written last, so that its absence beside _BEGUN tells."""
_BEGUN = "autodub-incomplete"
_MAKING, _INSTALLING, _IMPORTING = 300.0, 4 * 3600.0, 600.0
"""Seconds the three steps may take; packages of several gigabytes over a slow line are usual."""
_PIP = """\
import os, runpy, sys
os.dup2(2, 1)
sys.argv[0] = "pip"
runpy.run_module("pip", run_name="__main__", alter_sys=True)
"""
"""pip with its report on stderr, where it is read as it comes."""
_KEPT = ("PIP_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_", "REQUESTS_CA_BUNDLE")
"""The operator's own settings of the installer and of the way to the network."""
_NETWORK = (
    "NewConnectionError",
    "Failed to establish a new connection",
    "ConnectTimeout",
    "ReadTimeout",
    "Temporary failure in name resolution",
)


@dataclass(frozen=True, slots=True)
class Environment:
    """What an engine needs that may not stand beside the packages of others."""

    name: str
    """Of the folder and of the engine: ``autodub engines install NAME``."""
    packages: tuple[str, ...]
    """Pinned requirements, such as ``demucs-infer==4.4.0``."""
    module: str
    """Top-level module that is importable when everything is there."""


def folder(environment: Environment, context: EngineContext) -> Path:
    """Where the environment lies, or would."""
    return context.models / "environments" / environment.name


def interpreter(environment: Environment, context: EngineContext) -> Path | None:
    """The interpreter to run the engine's worker with; None when nothing is installed. Takes milliseconds."""
    found = importlib.util.find_spec(environment.module)
    if found is not None and found.origin is not None:  # without: a folder of that name, in the way of nobody
        return Path(sys.executable)
    place = folder(environment, context)
    if not _python(place).is_file() or (place / _BEGUN).exists():
        return None
    with suppress(FileNotFoundError):  # an environment made by hand has no list; it is taken as it is
        if (place / _PINS).read_text(encoding="utf-8").split("\n")[:-1] != list(environment.packages):
            return None  # made for another version of the engine
    return _python(place)


def missing(environment: Environment) -> Readiness:
    """What to say of an engine whose interpreter is None."""
    names = " and ".join(package.partition("==")[0] for package in environment.packages)
    return Readiness(
        "not installed",
        f"{names}, in an environment of its own, is missing",
        f"autodub engines install {environment.name}",
    )


def install(
    environment: Environment,
    context: EngineContext,
    *,
    say: Callable[[str], None],
    check: Callable[[], None] | None = None,
) -> Path:
    """Make the environment and return its interpreter; what a broken attempt left is used again.

    ``say`` is given the installer's lines as they come; ``check`` is called about ten times a second and
    stops everything by raising. Raises EngineCannot offline or where it cannot be made here, Busy while
    another process installs the same, Unreachable without a network, EngineError with the installer's
    reason for anything else.
    """
    found = interpreter(environment, context)
    if found is not None:
        return found
    if context.offline:
        raise EngineCannot(
            f"The packages of {environment.name} cannot be fetched offline.",
            hint="Leave out --offline for once.",
        )
    place = folder(environment, context)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(place.with_name(f"{environment.name}.lock"))
        taken = lock.take()
    except OSError as error:
        raise _no_place(place, error) from error
    if not taken:
        raise Busy(
            f"Another process is installing {environment.name} just now.",
            hint="Wait until it is done.",
            engine=environment.name,
        )
    try:
        return _make(environment, place, say, check)
    except OSError as error:
        raise _no_place(place, error) from error
    finally:
        lock.free(remove=True)


def _make(
    environment: Environment, place: Path, say: Callable[[str], None], check: Callable[[], None] | None
) -> Path:
    place.mkdir(exist_ok=True)
    (place / _BEGUN).touch()
    (place / _PINS).unlink(missing_ok=True)
    python = _python(place)
    say(f"making {place}")
    # Also where there is one already: it may have been stopped before it had an installer.
    _step([sys.executable, "-m", "venv", str(place)], environment, say, check, _MAKING)
    say(f"installing {', '.join(environment.packages)}")
    pip = [str(python), "-c", _PIP, "install", "--no-input", "--disable-pip-version-check"]
    _step([*pip, *environment.packages], environment, say, check, _INSTALLING)
    say(f"trying {environment.module}")
    _step([str(python), "-c", f"import {environment.module}"], environment, say, check, _IMPORTING)
    (place / _PINS).write_text("".join(f"{name}\n" for name in environment.packages), encoding="utf-8")
    (place / _BEGUN).unlink()
    return python


def _step(
    argv: list[str],
    environment: Environment,
    say: Callable[[str], None],
    check: Callable[[], None] | None,
    deadline: float,
) -> None:
    done = process.run(argv, deadline=deadline, on_line=say, check=check, keep=_KEPT)
    if done.code == 0:
        return
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    reason = next((line for line in reversed(lines) if line.startswith("ERROR")), lines[-1] if lines else "")
    reason = reason.removeprefix("ERROR: ") or f"status {done.code} and no reason given"
    kind = Unreachable if any(word in done.stderr for word in _NETWORK) else EngineError
    raise kind(
        f"{environment.name} could not be installed: {reason.rstrip('.')}.",
        hint=f"Run it again, it goes on where it stopped: autodub engines install {environment.name}",
        engine=environment.name,
    )


def _no_place(place: Path, error: OSError) -> EngineCannot:
    return EngineCannot(
        f"The environment {place.name} cannot be made: {error.strerror or error}.",
        hint=f"Check that {place.parent} may be written to and has room.",
    )


def _python(place: Path) -> Path:
    return place / "bin" / "python"
