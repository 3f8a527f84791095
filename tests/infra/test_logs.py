"""The log: what a line has, and what must never be in one."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from autodub.infra import logs, server_settings, settings
from autodub.model.errors import BadOption

log = logging.getLogger("autodub.test")


@contextmanager
def written(
    form: str = "json", level: str = "info", hide: Callable[[str], str] = str
) -> Iterator[io.StringIO]:
    """The log while inside, as text."""
    stream = io.StringIO()
    with logs.written(form=form, level=level, hide=hide, stream=stream):  # type: ignore[arg-type]
        yield stream


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    """The JSON objects of a log."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_json_line_has_time_level_logger_message_and_facts() -> None:
    """Each line is one object, with whatever the record and the thread's work add."""
    with written() as stream, logs.about(job="a1", user="u1"):
        log.info("job begins: %s", "now", extra={"attempt": 2})
    (line,) = lines(stream)
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "info", "logger": "autodub.test", "message": "job begins: now", "job": "a1", "user": "u1",
        "attempt": 2,
    }  # fmt: skip


def test_a_text_line_is_one_line_whatever_is_in_it() -> None:
    """Neither a message nor a fact can forge a second line, or act on a terminal."""
    with written("text") as stream:
        log.info("asked for /a\n2026 info faked", extra={"address": "x y\x1b[2J"})
    (line,) = stream.getvalue().splitlines()
    assert "/a\\n2026 info faked" in line
    assert 'address="x y\\\\x1b[2J"' in line


def test_facts_of_a_thread_are_its_own_and_end() -> None:
    """What one thread works on is on none of another's lines, and on none of its own afterwards."""
    with written() as stream:
        with logs.about(job="a1"):
            thread = threading.Thread(target=log.info, args=("beside",))
            thread.start()
            thread.join()
        log.info("after")
    assert [line.get("job") for line in lines(stream)] == [None, None]


def test_libraries_are_heard_from_warnings_on() -> None:
    """A library's chatter is left out at every level of ours: it may hold what it sends."""
    with written(level="debug") as stream:
        logging.getLogger("alembic.runtime").info("a migration")
        logging.getLogger("openai").debug("what is said")
        logging.getLogger("urllib3").warning("a connection was lost")
        log.debug("ours")
    assert [line["message"] for line in lines(stream)] == ["a connection was lost", "ours"]


def test_an_exception_tells_where_and_not_what() -> None:
    """Places and kinds are logged; the message of an exception that may quote a text is not."""
    fault = ValueError("the keeper walked down")
    with written() as stream:
        try:
            _fail(fault, BadOption("It is out of range.", hint="Use 3."))
        except ValueError:
            log.warning("a fault", exc_info=True)
    (line,) = lines(stream)
    assert "keeper" not in stream.getvalue()
    assert line["trace"].splitlines()[-1] == "ValueError"
    assert "BadOption: It is out of range." in line["trace"]
    assert "test_logs.py:" in line["trace"]
    assert str(Path(__file__).parent) not in line["trace"]


def _fail(error: Exception, cause: Exception) -> None:
    raise error from cause


def test_a_text_log_indents_the_trace() -> None:
    """The lines of a trace belong to the line above them, and hold no path of this machine."""
    with written("text") as stream:
        try:
            Path("/nowhere/at/all").read_text("utf-8")
        except OSError:
            log.warning("a fault", exc_info=True)
    first, *rest = stream.getvalue().splitlines()
    assert "a fault" in first
    assert rest
    assert all(line.startswith("    ") for line in rest)
    assert rest[-1].strip() == "FileNotFoundError: No such file or directory"


def test_what_nobody_caught_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """An exception that ends the process or a thread is in the log, with where it was."""
    with written() as stream:
        sys.excepthook(KeyError, KeyError("a word"), None)
        thread = threading.Thread(target=lambda: [][1], name="slot-1")
        thread.start()
        thread.join()
    first, second = lines(stream)
    assert (first["level"], second["level"]) == ("critical", "critical")
    assert "slot-1" in second["message"]
    assert second["trace"].splitlines()[-1] == "IndexError"
    assert "a word" not in stream.getvalue()
    caplog.clear()


def test_warnings_of_python_are_in_the_log() -> None:
    """They go where everything goes, not to the terminal."""
    with written() as stream, warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("something is old", stacklevel=1)
    assert "something is old" in stream.getvalue()


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_key_no_password_and_no_folder_is_written(tmp_path: Path, form: str) -> None:
    """Known keys, passwords of database and broker, what follows ``Bearer``, the data directory: none is."""
    known = settings.load(environ={"OPENAI_API_KEY": "sk-example-key"}, data_dir=tmp_path / "data")
    given = {"database": "postgresql://me:pass%40word@host/name", "broker": "redis://:br%2Foker@host/0"}
    server = server_settings.load(known, environ={}, given=given)
    with written(form, hide=logs.hiding(known, server)) as stream:
        log.info("it says sk-example-key", extra={"header": "Authorization: Bearer adk_0123456789abcdef"})
        log.info("postgresql://me:pass%%40word@host/name and pass@word")
        log.info("%s and br/oker", "redis://:br%2Foker@host/0")
        log.info("in %s", known.data_dir / "jobs" / "a1", extra={"jobs": ["sk-example-key"]})
    text = stream.getvalue()
    secrets = ("sk-example-key", "adk_0123456789abcdef", "pass%40word", "pass@word", "oker", str(tmp_path))
    for secret in secrets:
        assert secret not in text
    assert "<data>/jobs/a1" in text


def test_the_log_is_left_as_it_was() -> None:
    """Levels, handlers and hooks are what they were before."""
    root, own = logging.getLogger(), logging.getLogger("autodub")
    before = (root.level, own.level, list(root.handlers), sys.excepthook, threading.excepthook)
    with written():
        pass
    assert (root.level, own.level, list(root.handlers), sys.excepthook, threading.excepthook) == before
