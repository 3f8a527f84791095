"""``autodub`` many times over, as processes of one program that has imported everything once.

For each line of its standard input, a JSON object of ``env``, ``folder`` and ``arguments``, a process runs
the command. The program answers with the process's number, and writes the exit code of each into
``folder/exit-PID``.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path


def serve(prepare: Callable[[Path, dict[str, str]], None]) -> None:
    """Run commands as long as somebody asks for them; ``prepare`` changes each process first.

    It is given the folder and ``env``, and says where what is printed goes: our own output is for answers.
    """
    from autodub.cli import main as command

    started = []
    for line in sys.stdin:
        asked = json.loads(line)
        folder = Path(asked["folder"])
        process = os.fork()
        if not process:
            os.setsid()
            os.environ |= asked["env"]
            prepare(folder, asked["env"])
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


def _wait(process: int, folder: Path) -> None:
    _, status = os.waitpid(process, 0)
    made = folder / f".{process}"
    made.write_text(str(os.waitstatus_to_exitcode(status)))
    made.rename(folder / f"exit-{process}")
