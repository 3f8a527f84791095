"""Progress of a dub on stderr: a bar per stage on a terminal, an occasional line anywhere else."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import IO, TYPE_CHECKING, Protocol

from autodub.cli.text import because, duration, safe
from autodub.model.job import Event

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_PAUSE = 10.0
"""Seconds between two lines about the same stage, where there is no terminal."""
NAMES = {
    "open": "Opening", "picture": "Fetching the picture", "decode": "Decoding", "detect": "Finding speech",
    "transcribe": "Transcribing", "diarize": "Telling speakers apart", "examine": "Examining what is said",
    "separate": "Separating voice and music", "listen": "Listening", "clone": "Cloning voices",
    "voices": "Casting voices", "translate": "Translating", "speak": "Speaking", "render": "Mixing",
    "measure": "Measuring",
}  # fmt: skip
"""Stage -> what is happening, for people."""
_SHOWN = NAMES | {"upload": "Uploading", "download": "Downloading"}
"""With what ``autodub jobs`` does before and after a dub."""


class View(Protocol):
    """Something that shows events and sentences."""

    def __call__(self, event: Event) -> None:
        """Show an event."""

    def say(self, text: str) -> None:
        """Show a sentence of its own."""


@contextlib.contextmanager
def shown(stream: IO[str], *, quiet: bool = False) -> Iterator[View]:
    """The view that suits where the progress goes."""
    if quiet:
        yield Lines(stream, clock=time.monotonic, quiet=True)
    elif stream.isatty():
        with bars(stream) as view:
            try:
                yield view
            finally:
                view.close()
    else:
        lines = Lines(stream, clock=time.monotonic)
        try:
            yield lines
        finally:
            lines.close()


class Repeats:
    """Keeps the same sentence from being said over and over; not for several threads at once."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._said: dict[str, tuple[float, int]] = {}

    def let(self, text: str) -> str | None:
        """The sentence, with how often it came since it was last said; None while that is too recent."""
        now = self._clock()
        last, waiting = self._said.get(text, (now - _PAUSE, 0))
        if now - last < _PAUSE:
            self._said[text] = (last, waiting + 1)
            return None
        self._said[text] = (now, 0)
        return _counted(text, waiting + 1)

    def rest(self) -> list[str]:
        """What was held back and has not been counted yet; told at the end."""
        held = [_counted(text, waiting) for text, (_, waiting) in self._said.items() if waiting]
        self._said.clear()
        return held


def _counted(text: str, times: int) -> str:
    return text if times == 1 else f"{text} ({times} times)"


class Lines:
    """Plain lines: a stage's start, its progress now and then, and its end if it took a while."""

    def __init__(self, stream: IO[str], *, clock: Callable[[], float], quiet: bool = False) -> None:
        self._stream = stream
        self._clock = clock
        self._quiet = quiet
        self._lock = threading.Lock()
        self._repeats = Repeats(clock)
        self._began: dict[str, float] = {}
        self._spoke: dict[str, float] = {}

    def __call__(self, event: Event) -> None:
        """Show an event."""
        if self._quiet:
            return
        now = self._clock()
        name = _SHOWN.get(event.stage, event.stage)
        with self._lock:
            if event.kind == "stage.started":
                self._began[event.stage] = self._spoke[event.stage] = now
                self._write(f"{name} ...")
            elif event.kind == "stage.progress" and event.fraction is not None:
                began = self._began.setdefault(event.stage, now)
                if now - self._spoke.get(event.stage, began) >= _PAUSE:
                    self._spoke[event.stage] = now
                    self._write(f"{name}: {event.fraction:.0%}{left(now - began, event.fraction)}")
            elif event.kind == "stage.finished":
                took = now - self._began.get(event.stage, now)
                if took >= 1.0:
                    self._write(f"{name}: done in {duration(took)}")
            elif (text := note(event)) is not None and (text := self._repeats.let(text)) is not None:
                self._write(text)

    def say(self, text: str) -> None:
        """Show a sentence of its own."""
        self._write(text)

    def close(self) -> None:
        """Tell what was said too often to be shown every time."""
        with self._lock:
            for text in self._repeats.rest():
                self._write(text)

    def _write(self, text: str) -> None:
        self._stream.write(safe(text) + "\n")
        self._stream.flush()


class Bars:
    """One bar per stage on a terminal, with what is happening and the time left."""

    def __init__(self, bars: Progress, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._bars = bars
        self._repeats = Repeats(clock)
        self._tasks: dict[str, TaskID] = {}
        self._lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        """Show an event."""
        if (text := note(event)) is not None:
            with self._lock:
                text = self._repeats.let(text)
            if text is not None:
                self.say(text)
        if not event.stage:
            return
        with self._lock:
            task = self._tasks.get(event.stage)
            if task is None:
                name = _SHOWN.get(event.stage, event.stage)
                task = self._tasks[event.stage] = self._bars.add_task(name, total=None, doing="")
        if event.kind == "stage.progress" and event.fraction is not None:
            self._bars.update(task, total=1.0, completed=event.fraction, doing=safe(event.message))
        elif event.kind == "stage.finished":
            self._bars.update(task, total=1.0, completed=1.0, doing="")

    def say(self, text: str) -> None:
        """Show a sentence of its own, above the bars."""
        self._bars.console.print(safe(text), markup=False, highlight=False)

    def close(self) -> None:
        """Tell what was said too often to be shown every time."""
        with self._lock:
            held = self._repeats.rest()
        for text in held:
            self.say(text)


@contextlib.contextmanager
def bars(stream: IO[str]) -> Iterator[Bars]:
    """Bars on a terminal, gone from the screen's last line when the work is over."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        SpinnerColumn,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        SpinnerColumn(finished_text="[green]✓[/]"),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
        TextColumn("{task.fields[doing]}", style="dim", markup=False),
    )
    with Progress(*columns, console=Console(file=stream), refresh_per_second=6) as progress:
        yield Bars(progress)


def note(event: Event) -> str | None:
    """What deserves a line of its own besides the stages."""
    if event.kind == "degraded":
        return f"Note: {event.message}"
    if event.kind == "engine.chosen":
        named, _, why = event.message.partition(" (")
        return f"Using {named}{because(why.removesuffix(')'))}"
    if event.kind == "call.retried":
        return f"Trying again: {event.message}"
    if event.kind == "estimate":
        return f"Cost: {event.message}"
    if event.kind == "account.blocked":
        return f"Not asked any more: {event.message}"
    if event.kind == "voices.left":
        return f"Note: {event.message}"
    return None


def left(elapsed: float, fraction: float) -> str:
    """How long the rest will take at the pace so far; empty while that cannot be told."""
    if fraction <= 0.02 or fraction >= 1.0 or elapsed < 1.0:
        return ""
    return f", about {duration(elapsed * (1 - fraction) / fraction)} left"
