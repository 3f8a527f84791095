"""``autodub`` whose spectral separator notes what it does, and waits while a file is there.

Run as a program it does what ``commands`` says, and writes what each said into ``folder/said-PID``.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import commands

import autodub.pipeline.making  # noqa: F401 - once, for all who need it
from autodub.engines.spectral import Spectral


def _note(engine: Any, folder: Path) -> None:
    """Have an engine say when it begins and ends, and wait in between."""
    really = engine.separate

    def separate(self: Any, request: Any, work: Any) -> Any:
        with (folder / "separations").open("a") as log:
            log.write(f"begins {os.getpid()}\n")
        while (folder / "hold").exists():
            work.check()
            time.sleep(0.02)
        found = really(self, request, work)
        with (folder / "separations").open("a") as log:
            log.write(f"ends {os.getpid()}\n")
        return found

    engine.separate = separate


def _prepare(folder: Path, _: dict[str, str]) -> None:
    said = os.open(folder / f"said-{os.getpid()}", os.O_WRONLY | os.O_CREAT, 0o600)
    os.dup2(said, 1)
    os.dup2(said, 2)
    _note(Spectral, folder)


if __name__ == "__main__":
    commands.serve(_prepare)
