"""Why yt-dlp failed, in the words of the error tree."""

from __future__ import annotations

import errno
from typing import Any

import pytest

from autodub.engines.ytdlp_failure import explain, sentence
from autodub.engines.ytdlp_worker import described
from autodub.model.errors import (
    AutodubError,
    BadAnswer,
    Busy,
    EngineError,
    OutputProblem,
    Refused,
    Rejected,
    Unreachable,
    UnsupportedSource,
)


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (
            "[youtube] aaaaaaaaaaa: Private video. Sign in if you've been granted access to this video",
            Rejected,
        ),
        ("[youtube] aaaaaaaaaaa: Video unavailable. This video has been removed by the uploader", Rejected),
        (
            "[youtube] a: Sign in to confirm your age. This video may be inappropriate for some users.",
            Rejected,
        ),
        ("[youtube] a: Join this channel to get access to members-only content", Rejected),
        ("[youtube] a: Sign in to confirm you’re not a bot. Use --cookies-from-browser", Refused),
        ("[youtube] a: The uploader has not made this video available in your country", Rejected),
        ("[youtube] a: Premieres in 3 hours", UnsupportedSource),
        ("[youtube] a: This live event will begin in 2 days.", UnsupportedSource),
        ("[youtube:tab] x: The channel is not currently live", UnsupportedSource),
        ("[x] a: This video is DRM protected", UnsupportedSource),
        (
            "[x] a: No video formats found!; please report this issue on  https://github.com/y",
            UnsupportedSource,
        ),
        ("Unsupported URL: http://x.example/", UnsupportedSource),
        ("No suitable extractor found for URL x", UnsupportedSource),
        ("[x] a: HTTP Error 429: Too Many Requests", Busy),
        ("[x] a: Unable to download webpage: HTTP Error 503: Service Unavailable", Unreachable),
        ("unable to download video data: HTTP Error 403: Forbidden", Refused),
        ("[x] a: HTTP Error 401: Unauthorized", Refused),
        ("[x] a: HTTP Error 404: Not Found", Rejected),
        ("[x] a: HTTP Error 451: Unavailable For Legal Reasons", Rejected),
        ("[x] a: HTTP Error 418: I'm a teapot", Rejected),
        ("\r[download] Got error: 5 bytes read, 9 more expected. Giving up after 2 retries", Unreachable),
        ("Read timed out.", Unreachable),
        ("something quite new", Rejected),
    ],
)
def test_the_sites_words_decide(message: str, kind: type[AutodubError]) -> None:
    """The same exception means different things; what the site says tells them apart."""
    error = explain({"names": ["DownloadError"], "message": f"\x1b[0;31mERROR:\x1b[0m {message}"})
    assert type(error) is kind
    assert error.hint
    assert "--cookies" not in str(error)
    assert "report this issue" not in str(error)
    if isinstance(error, Refused):
        assert not error.whole_account, "other pages may well be fetched"


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        ({"names": ["TransportError"]}, Unreachable),
        ({"names": ["CertificateVerifyError"]}, Unreachable),
        ({"names": ["gaierror", "OSError"]}, Unreachable),
        ({"names": ["HTTPError"], "status": 500}, Unreachable),
        ({"names": ["HTTPError"], "status": 408}, Unreachable),
        ({"names": ["HTTPError"], "status": 404}, Rejected),
        ({"names": ["NoFile"]}, BadAnswer),
        ({"names": ["MemoryError"]}, Rejected),
        ({"names": ["OSError"], "errno": errno.ENOSPC}, OutputProblem),
        ({"names": ["OSError"], "errno": errno.EFBIG}, UnsupportedSource),
        ({"names": ["KeyError"]}, Rejected),
        ({}, Rejected),
    ],
)
def test_without_words_the_kind_of_failure_decides(failure: dict[str, Any], kind: type[AutodubError]) -> None:
    """Statuses, system errors and the names of exceptions."""
    assert type(explain({"message": "x", **failure})) is kind


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (
            "page: HTTPSConnection(host='a.example', port=443): Failed to resolve 'a.example' ([Errno -2])",
            "the address of a.example cannot be found (DNS).",
        ),
        (
            "x HTTPSConnection(host='a.example', port=443): [Errno 111] refused",
            "a.example cannot be reached.",
        ),
        ("HTTPSConnectionPool(host='a.example', port=443): Read timed out.", "a.example does not answer in"),
        (
            "HTTPSConnectionPool(host='a.example', port=443): certificate verify failed",
            "certificate verify failed",
        ),
    ],
)
def test_a_site_that_is_not_reached_is_told_without_the_programs_own_words(message: str, said: str) -> None:
    """Its name and what to check; an answer that came tells more."""
    error = explain(
        {"names": ["DownloadError", "TransportError"], "message": f"ERROR: [youtube] a: {message}"}
    )
    assert type(error) is Unreachable
    assert said in error.message
    assert ("HTTPSConnection" in error.message) == ("certificate" in message)
    assert "internet" in error.hint


def test_the_pause_that_a_site_asks_for_is_kept() -> None:
    """Retry-After in seconds; a date is not worth a parser."""
    failure = {"names": ["HTTPError"], "message": "HTTP Error 429: x", "status": 429}
    error = explain({**failure, "retry_after": "12"})
    assert isinstance(error, Busy)
    assert error.retry_after == 12
    later = explain({**failure, "retry_after": "Wed, 21 Oct 2026 07:28:00 GMT"})
    assert isinstance(later, Busy)
    assert later.retry_after is None


def test_no_signed_link_is_repeated() -> None:
    """What a link carries behind its question mark may be a key (R29)."""
    said = sentence(
        "HTTP Error 403 for https://cdn.example/v.mp4?sig=SECRET&expire=1#SECRET at 'https://b/?k=SECRET'"
    )
    assert "SECRET" not in said
    assert "https://cdn.example/v.mp4" in said


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("ERROR: [youtube] abc: Video unavailable", "Video unavailable"),
        ("\x1b[0;31mERROR:\x1b[0m two\n  lines", "two lines"),
        ("a\x07b", "a?b"),
        ("x" * 900, "x" * 297 + "..."),
        ("", "no reason was given"),
    ],
)
def test_a_sentence_is_one_clean_line(message: str, said: str) -> None:
    """Colours, control characters and yt-dlp's prefixes are left out."""
    assert sentence(message).removesuffix("...") == said.removesuffix("...")
    assert len(sentence(message)) <= 300


@pytest.mark.parametrize(
    "text", ["http://", "https://a?", " ", "\x1b[1;", "(caused by ", "ERROR: ", "; see "]
)
def test_endless_messages_are_read_in_no_time(text: str) -> None:
    """A site may send megabytes of what looks like links; a search through them must not stop the program."""
    message = "ERROR: [x] " + text * ((1 << 22) // len(text))
    assert len(sentence(message)) <= 300
    assert len(described(ValueError(message))["message"]) < 10_000


@pytest.mark.parametrize("status", [418, 500, 530, 600, 999])
def test_statuses_that_nobody_has_heard_of_are_told_all_the_same(status: int) -> None:
    """Some sites answer robots with numbers beyond the standard."""
    error = explain({"names": ["HTTPError"], "message": "Request denied", "status": status})
    assert isinstance(error, EngineError)
    assert error.transient == (status >= 500)


@pytest.mark.parametrize(
    ("wait", "seconds"), [("7", 7.0), ("²", None), ("9" * 400, None), ("-1", None), ("Fri", None)]
)
def test_a_pause_is_believed_only_as_a_plain_number(wait: str, seconds: float | None) -> None:
    """What stands in Retry-After is the site's, and may be anything."""
    error = explain({"names": [], "message": "HTTP Error 429: Too Many Requests", "retry_after": wait})
    assert isinstance(error, Busy)
    assert error.retry_after == seconds


def test_a_failure_is_described_along_its_causes() -> None:
    """What a library wraps is found: by ``raise from``, by its own ``cause``, and by ``exc_info``."""

    class Wrapped(Exception):
        exc_info: Any = None

    class HTTPError(Exception):
        status = 418

        class response:  # noqa: N801  # as the library has it
            headers = {"Retry-After": "3"}  # noqa: RUF012

    outer = Wrapped("outer")
    outer.exc_info = (None, HTTPError("inner"), None)
    outer.__cause__ = OSError(errno.ENOSPC, "full")
    outer.__context__ = outer
    found = described(outer)
    assert found["message"] == "outer"
    assert found["status"] == 418
    assert found["retry_after"] == "3"
    assert found["errno"] == errno.ENOSPC
    assert {"Wrapped", "HTTPError", "OSError"} <= set(found["names"])
    assert "MemoryError" in described(MemoryError())["names"]
    assert "TimeoutError" in described(TimeoutError("late"))["names"]
