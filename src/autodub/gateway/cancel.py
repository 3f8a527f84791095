"""Asking a running dub to stop."""

from __future__ import annotations

import threading

from autodub.model.errors import Cancelled


class Cancel:
    """A token shared by whoever may ask to stop and whoever should."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._children: list[Cancel] = []

    def child(self) -> Cancel:
        """A token that is asked whenever this one is, and may be asked alone."""
        token = Cancel()
        self._children.append(token)
        if self.requested:
            token.request()
        return token

    def request(self) -> None:
        """Ask to stop; safe from any thread and from a signal handler."""
        self._asked.set()
        for token in self._children:
            token.request()

    @property
    def requested(self) -> bool:
        """Whether somebody asked."""
        return self._asked.is_set()

    def check(self) -> None:
        """Raise Cancelled when somebody asked to stop."""
        if self._asked.is_set():
            raise Cancelled(
                "Stopped on request.", hint="Finished work is kept: run the same command to go on."
            )

    def wait(self, seconds: float) -> None:
        """Sleep, but not past a request to stop; raises Cancelled then."""
        self._asked.wait(seconds)
        self.check()
