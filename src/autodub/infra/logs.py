"""The log of a server and its workers: one line per record, as text or as JSON, on standard error.

A line never has words of a dub in it, nor keys, passwords or paths of this machine. Our own records hold
none; libraries are heard from warnings on; what an exception says is left out unless it is known to speak
of nothing but itself. Whatever is written goes through ``hide`` at last.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, Token
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, TextIO
from urllib.parse import unquote, urlsplit

from autodub.infra.server_settings import ServerSettings
from autodub.infra.settings import Settings
from autodub.model.errors import AutodubError

Facts = Mapping[str, object]
_about: ContextVar[Callable[[], Facts] | None] = ContextVar("autodub_log", default=None)
_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_PLAIN = (AutodubError, ImportError, NameError, AttributeError, TypeError, NotImplementedError)
"""Exceptions whose message names code or was written by us; others may quote what they were given."""
_UNSEEN = ("_srcfile", "logThreads", "logProcesses", "logMultiprocessing")
"""What Python finds out for every record unless these are unset (its logging HOWTO); no line here says it."""
_SHORT = 200
"""Characters of a text that comes again and again, such as an address or a path."""
_ROOTS = tuple(sorted({str(Path(place).absolute()) for place in sys.path if place}, key=len, reverse=True))


def bind(facts: Callable[[], Facts]) -> Token[Callable[[], Facts] | None]:
    """Have every line of this thread from now on carry what ``facts`` says then."""
    return _about.set(facts)


def unbind(token: Token[Callable[[], Facts] | None]) -> None:
    """Take ``bind`` back."""
    _about.reset(token)


@contextmanager
def about(**facts: object) -> Iterator[None]:
    """Have every line that this thread writes inside carry these facts, such as ``job``."""
    token = bind(lambda: facts)
    try:
        yield
    finally:
        unbind(token)


@contextmanager
def written(
    *, form: Literal["text", "json"], level: str, hide: Callable[[str], str], stream: TextIO | None = None
) -> Iterator[None]:
    """Write the log to ``stream`` (standard error) while inside; ``level`` is that of our own records."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter((_Json if form == "json" else _Text)(hide))
    root, own = logging.getLogger(), logging.getLogger("autodub")
    levels, hooks = (root.level, own.level), (sys.excepthook, threading.excepthook)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    own.setLevel(level.upper())
    logging.captureWarnings(True)
    found_out = {name: getattr(logging, name) for name in _UNSEEN}
    for name in _UNSEEN:
        setattr(logging, name, None)
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_beside
    try:
        yield
    finally:
        sys.excepthook, threading.excepthook = hooks
        logging.captureWarnings(False)
        for name, value in found_out.items():
            setattr(logging, name, value)
        root.removeHandler(handler)
        root.setLevel(levels[0])
        own.setLevel(levels[1])


def hiding(settings: Settings, server: ServerSettings) -> Callable[[str], str]:
    """What takes keys, the passwords of databases and broker and this machine's folders out of a text."""
    secrets: list[str] = []
    for given in (server.database, server.broker, settings.store_database, settings.provider_limits):
        address = given.get_secret_value()
        password = urlsplit(address).password or "" if "://" in address else ""
        secrets += (address, password, unquote(password))
    folders = {str(settings.data_dir): "<data>", str(settings.models_dir): "<models>"}
    folders |= {str(Path.home()): "~"} if str(Path.home()) != "/" else {}

    def hide(text: str) -> str:
        for secret in secrets:
            if len(secret) > 3:
                text = text.replace(secret, "***")
        for folder, name in folders.items():
            text = text.replace(folder, name)
        return settings.redact(text)

    return hide


_spelled = json.JSONEncoder(ensure_ascii=False).encode


class _Lines(logging.Formatter):
    def __init__(self, hide: Callable[[str], str]) -> None:
        super().__init__()
        self._hide_any, self._hide_short = hide, lru_cache(1000)(hide)

    def _hide(self, text: str) -> str:
        return self._hide_short(text) if len(text) < _SHORT else self._hide_any(text)

    def facts(self, record: logging.LogRecord) -> dict[str, Any]:
        """Job, request, user and whatever else a record carries; nothing hidden yet."""
        found: dict[str, Any] = {}
        asked = _about.get()
        if asked is not None:
            found |= asked()
        found |= {name: value for name, value in vars(record).items() if name not in _OWN}
        return {name: value for name, value in found.items() if value is not None}

    def hidden(self, value: object) -> Any:
        """A value that may be written."""
        if value is None or isinstance(value, (bool, int, float)):
            return value
        if isinstance(value, (list, tuple, set, frozenset)):
            return [self.hidden(one) for one in value]
        return self._hide(str(value))


class _Json(_Lines):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": _moment(record.created), "level": record.levelname.lower(), "logger": record.name,
            "message": self._hide(record.getMessage()),
        }  # fmt: skip
        line |= {name: self.hidden(value) for name, value in self.facts(record).items() if name not in line}
        if record.exc_info and record.exc_info[1] is not None:
            line["trace"] = self._hide(trace(record.exc_info[1]))
        return _spelled(line)


class _Text(_Lines):
    def format(self, record: logging.LogRecord) -> str:
        said = _one_line(self._hide(record.getMessage()))
        parts = [_moment(record.created), f"{record.levelname.lower():<7}", record.name, said]
        for name, value in self.facts(record).items():
            shown = _one_line(str(self.hidden(value)))
            parts.append(f"{name}={json.dumps(shown, ensure_ascii=False) if ' ' in shown else shown}")
        line = " ".join(parts)
        if record.exc_info and record.exc_info[1] is not None:
            lines = self._hide(trace(record.exc_info[1])).splitlines()
            line += "".join(f"\n    {_one_line(one)}" for one in lines)
        return line


def trace(error: BaseException) -> str:
    """Where an exception came from, with those that led to it, without what it may quote."""
    told: list[str] = []
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        told.append("\n".join([*_places(current.__traceback__), _said(current)]))
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return "\nand then\n".join(reversed(told))


def _places(found: TracebackType | None) -> list[str]:
    places = []
    while found is not None:
        code = found.tb_frame.f_code
        path = code.co_filename
        root = next((root for root in _ROOTS if path.startswith(root + "/")), "")
        place = path[len(root) + 1 :] if root else Path(path).name
        places.append(f"{place}:{found.tb_lineno} in {code.co_name}")
        found = found.tb_next
    return places


def _said(error: BaseException) -> str:
    name = type(error).__qualname__
    if isinstance(error, AutodubError):
        return f"{name}: {error.message}"
    if isinstance(error, OSError):
        return f"{name}: {error.strerror or 'no reason given'}"
    return f"{name}: {error}" if isinstance(error, _PLAIN) else name


def _moment(seconds: float) -> str:
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{whole}.{int(seconds % 1 * 1000):03d}Z"


def _one_line(text: str) -> str:
    """The text with whatever could end a line, or act on a terminal, written as an escape."""
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape", "backslashreplace").decode("ascii")
        for one in text
    )


def _uncaught(kind: type[BaseException], error: BaseException, found: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, found)
        return
    logging.getLogger("autodub").critical("an exception was not caught", exc_info=(kind, error, found))


def _uncaught_beside(hooked: threading.ExceptHookArgs) -> None:
    if hooked.exc_value is not None and not isinstance(hooked.exc_value, SystemExit):
        name = hooked.thread.name if hooked.thread else "?"
        logging.getLogger("autodub").critical(
            "an exception was not caught in the thread %s", name,
            exc_info=(hooked.exc_type, hooked.exc_value, hooked.exc_traceback),
        )  # fmt: skip
