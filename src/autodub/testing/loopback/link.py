"""The one slow link that all uploads share."""

from __future__ import annotations

import threading
import time


class Link:
    """A token bucket in time: each piece of data takes its turn on the line."""

    def __init__(self, bits_per_second: float | None) -> None:
        self._speed = bits_per_second
        self._free = 0.0
        self._lock = threading.Lock()

    def carry(self, size: int) -> None:
        """Wait as long as ``size`` bytes take on the link, behind everybody else's."""
        if self._speed is None or not size:
            return
        with self._lock:
            now = time.monotonic()
            self._free = max(now, self._free) + size * 8 / self._speed
            wait = self._free - now
        time.sleep(wait)
