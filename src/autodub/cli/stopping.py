"""Ctrl-C and SIGTERM: the first asks to stop, the second does not ask any more."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def stopping(request: Callable[[], None], say: Callable[[str], None]) -> Iterator[None]:
    """While inside, a first signal calls ``request`` and says so; a second one kills this process.

    Outside the main thread (a program that embeds the command) signals are left alone.
    """
    asked = False

    def handle(number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
            return
        asked = True
        request()
        say("Stopping ... (once more: at once)")

    before: dict[signal.Signals, Any] = {}
    try:
        for number in _SIGNALS:
            before[number] = signal.signal(number, handle)
    except ValueError:
        before = {}
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
        sys.stderr.flush()
