"""``autodub`` whose spectral separator notes what it does, and waits while a file is there.

Run as a program it imports everything once and then runs a command for each line of its standard input: a
JSON object of ``env``, ``folder`` and ``arguments``. It answers with the process's number, and writes the
exit code of each into ``folder/exit-PID``, what it said into ``folder/said-PID``.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any


def main() -> None:
    """Run commands as long as somebody asks for them."""
    import autodub.pipeline.making  # noqa: F401 - once, for all who need it
    from autodub.cli import main as command
    from autodub.engines.spectral import Spectral

    started = []
    for line in sys.stdin:
        asked = json.loads(line)
        folder = Path(asked["folder"])
        process = os.fork()
        if not process:
            os.setsid()
            said = os.open(folder / f"said-{os.getpid()}", os.O_WRONLY | os.O_CREAT, 0o600)
            os.dup2(said, 1)
            os.dup2(said, 2)
            os.environ |= asked["env"]
            _note(Spectral, folder)
            code = 1
            try:
                code = command(asked["arguments"])
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        threading.Thread(target=_wait, args=(process, folder), daemon=True).start()
        started.append(process)
        print(process, flush=True)
    for process in started:  # whoever asked was killed, or has ended them
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process, signal.SIGKILL)


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


def _wait(process: int, folder: Path) -> None:
    _, status = os.waitpid(process, 0)
    made = folder / f".{process}"
    made.write_text(str(os.waitstatus_to_exitcode(status)))
    made.rename(folder / f"exit-{process}")


if __name__ == "__main__":
    main()
