"""Projects that were read not long ago, parsed: reading a long one anew for every edit takes too long.

A revision never changes, so what is remembered of it is always right. Nothing in a remembered project is
ever changed either: whoever edits puts copies in the places of what they change.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

from autodub.pipeline.project import Project

ROOM = 20_000_000
"""Characters of JSON that all remembered projects may have had together."""


class Projects:
    """The projects one process remembers; safe for many threads."""

    def __init__(self, *, room: int = ROOM) -> None:
        self._room, self._used = room, 0
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[str, int], tuple[Project, int]] = OrderedDict()

    def get(self, job: str, number: int, read: Callable[[], str]) -> Project:
        """A revision; ``read`` gives its text where it is not remembered."""
        with self._lock:
            if (job, number) in self._known:
                self._known.move_to_end((job, number))
                return self._known[job, number][0]
        text = read()
        project = Project.model_validate_json(text)
        self.put(job, number, project, len(text))
        return project

    def put(self, job: str, number: int, project: Project, size: int) -> None:
        """Remember a revision whose text has ``size`` characters, and forget what was not used for long."""
        with self._lock:
            if (job, number) in self._known or size > self._room:
                return
            self._known[job, number] = project, size
            self._used += size
            while self._used > self._room:
                _, (_, gone) = self._known.popitem(last=False)
                self._used -= gone
