"""What a process that answers requests is told about itself: that it is to end.

Answers that go on for long (streams of events, sockets) look at ``leaving`` each time they wake, or wait
with ``until_leaving`` instead of sleeping; they end when it says so, and their clients come back to the next
process with the number of the last event they saw.
"""

from __future__ import annotations

import threading

_departure = threading.Event()


def leaving() -> bool:
    """Whether this process was told to end: no answer should go on."""
    return _departure.is_set()


def until_leaving(seconds: float) -> bool:
    """Sleep so long, or until this process is told to end; whether it was."""
    return _departure.wait(seconds)


def leave() -> None:
    """Tell every answer of this process to come to an end."""
    _departure.set()


def stay() -> None:
    """Take it back, for tests."""
    _departure.clear()
