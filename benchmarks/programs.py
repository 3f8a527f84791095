"""CPU seconds of the programs that this process starts through ``subprocess``."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from typing import Any


def watch(began: Callable[[Any], Any], ended: Callable[[Any, float], object]) -> None:
    """From now on call ``began`` with the argv of each program, and ``ended`` with what it said and seconds.

    The seconds of what the program itself started and waited for are among them.
    """
    popen: Any = subprocess.Popen
    begin = popen.__init__

    def started(process: Any, args: Any, *rest: Any, **named: Any) -> None:
        process.counted_as = began(args)
        begin(process, args, *rest, **named)

    def waited(process: Any, flags: int) -> tuple[int, int]:
        """As the library waits, but asking what was used as well."""
        try:
            pid, status, used = os.wait4(process.pid, flags)
        except ChildProcessError:
            return process.pid, 0
        if pid == process.pid:
            ended(process.counted_as, used.ru_utime + used.ru_stime)
        return pid, status

    def polled(process: Any, *_: Any, **__: Any) -> int | None:
        if process.returncode is None:
            pid, status = waited(process, os.WNOHANG)
            if pid == process.pid:
                process._handle_exitstatus(status)
        code: int | None = process.returncode
        return code

    popen.__init__, popen._try_wait, popen._internal_poll = started, waited, polled
