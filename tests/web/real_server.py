"""``autodub serve`` for tests: the real server in a process of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path


class RealServer:
    """``autodub serve`` in a process of its own, that can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.start()

    def start(self) -> None:
        self.log = (self.folder / "log").open("ab")
        self.process = subprocess.Popen(
            [
                sys.executable, "-m", "autodub", "serve", "--port", "0", "--slots", "0",
                "--data-dir", str(self.folder / "data"),
            ],
            stdout=subprocess.PIPE, stderr=self.log, text=True, start_new_session=True,
            env={**os.environ, "HOME": str(self.folder)},
        )  # fmt: skip
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert "listens at" in line, (self.folder / "log").read_text()
        self.address = line.split("listens at ")[1].split()[0]

    def kill(self) -> None:
        """Take it and everything it started away, as the kernel would."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.close()

    def close(self) -> None:
        """End it, if it is not at its end already."""
        if self.log.closed:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
        self.process.communicate()
        self.log.close()
