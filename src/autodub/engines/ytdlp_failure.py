"""Why yt-dlp failed, in the words of the error tree: a pure function and its table.

The sites' sentences are matched, because that is all there is: a private video, a region that is barred
and a page that is gone raise the same exception.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Mapping
from typing import Any

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

_LONGEST = 4000
"""Characters of a message that are read."""
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_LINKS = re.compile(r"(https?://[^\s?#'\"<>]+)[?#][^\s'\"<>]*")
_PREFIX = re.compile(
    r"^\s*(?:ERROR: )?\s*(?:\[download\] Got error: |\[[\w:+-]+\] (?:[\w.-]{1,80}: )?)?"
    r"(?:unable to download video data: )?"
)
_CODE = re.compile(r"HTTP Error ([1-5]\d\d)")
_ADVICE = re.compile(
    r"(?:; please report this issue on|\. ?Use --|\s*\(caused by |; ?see +https?://).*", re.DOTALL
)
"""What yt-dlp tells people at its own command line."""

_UPDATE = (
    "If it plays in a browser, yt-dlp may be too old for the site: "
    "pip install --upgrade 'yt-dlp[default,deno]'."
)
_ROBOT = (
    "The site takes this machine for a robot; try again in some hours, or from another network. " + _UPDATE
)
_LOGIN = "Autodub signs in nowhere; only what anybody may watch is fetched. Dub a file that you have."
_PAUSE = "The site asks for a pause; try again in a few minutes."
_ELSEWHERE = "The site does not show it at the place of this machine."
_LINK = "Give the link of the page on which the video plays. " + _UPDATE

_WORDS: tuple[tuple[tuple[str, ...], type[AutodubError], str], ...] = (
    (("not a bot", "captcha", "unusual traffic"), Refused, _ROBOT),
    ((r"\b429\b", "too many requests", "rate.?limit"), Busy, _PAUSE),
    (
        ("premieres? in", "will begin in", "has not (?:started|begun)", "not yet (?:live|available)"),
        UnsupportedSource,
        "Come back when it has been published.",
    ),
    (("not currently live", "is offline"), UnsupportedSource, "Give the link of a recording."),
    ((r"\bDRM\b",), UnsupportedSource, "Copy-protected videos cannot be fetched; dub a file that you have."),
    (("private video", "video is private", "members.only", "join this channel"), Rejected, _LOGIN),
    (("sign in", r"\blog ?in\b", "requires? (?:payment|purchase|an? account)"), Rejected, _LOGIN),
    (("confirm your age", "age.restricted", "premium", "subscribers?"), Rejected, _LOGIN),
    (("in your country", "geo.?restrict", "from your location"), Rejected, _ELSEWHERE),
    (("unsupported url", "no suitable extractor", "not a valid url"), UnsupportedSource, _LINK),
    (("no video formats found", "no media found", "no video in"), UnsupportedSource, _LINK),
    (
        ("unavailable", "removed", "deleted", "terminated", "does not exist", "no longer available"),
        Rejected,
        "Check in a browser that the video plays.",
    ),
)

_STATUS: tuple[tuple[range, type[AutodubError], str], ...] = (
    (range(429, 430), Busy, _PAUSE),
    (range(408, 409), Unreachable, "Try again."),
    (range(401, 402), Refused, "The page wants a login, and Autodub signs in nowhere."),
    (range(403, 404), Refused, "The site does not let this machine in. " + _UPDATE),
    (range(404, 405), Rejected, "There is nothing at this address; check the link in a browser."),
    (range(410, 411), Rejected, "It is gone for good."),
    (range(451, 452), Rejected, _ELSEWHERE),
    (range(400, 500), Rejected, "Check in a browser that the video plays. " + _UPDATE),
    (range(500, 1000), Unreachable, "The site has trouble; try again later."),
)
_NETWORK = frozenset({
    "TransportError", "IncompleteRead", "SSLError", "CertificateVerifyError", "ContentTooShortError",
    "ProxyError", "HTTPException", "gaierror", "TimeoutError", "ConnectionError",
})  # fmt: skip
_BROKEN = re.compile(
    r"giving up after|more expected|timed out|connection (?:reset|refused|aborted)", re.IGNORECASE
)
_NAMELESS = re.compile(r"failed to resolve '([\w.-]{1,253})'", re.IGNORECASE)
_HOST = re.compile(r"HTTPS?Connection(?:Pool)?\(host='([\w.-]{1,253})'")
_SLOW = re.compile(r"timed? ?out", re.IGNORECASE)
_NO_NAMES = frozenset({"NameResolutionError", "gaierror"})
_FULL = (errno.ENOSPC, errno.EDQUOT)


def explain(failure: Mapping[str, Any]) -> AutodubError:
    """The error for a failure as the worker describes it (``ytdlp_worker.described``)."""
    names = set(failure.get("names") or ())
    said = sentence(str(failure.get("message") or ""))
    if failure.get("errno") in _FULL:
        return OutputProblem("There is no room left on the disk to fetch the video.", hint="Make room.")
    if failure.get("errno") == errno.EFBIG:
        return UnsupportedSource(
            "The file turned out to be larger than allowed.",
            hint="An operator can allow more: download.largest in the configuration file.",
        )
    if "MemoryError" in names:
        return Rejected(
            "Reading the page took more memory than allowed.",
            hint="Give the link of the page on which the video plays.",
            engine="ytdlp",
        )
    if (away := _no_answer(names, str(failure.get("message") or ""))) is not None:
        return away
    code = _CODE.search(str(failure.get("message")))
    status = int(code[1]) if code else failure.get("status")
    if status in (408, 429) or (isinstance(status, int) and status >= 500):
        return _of_status(status, said, failure)
    # What the site says tells more than other statuses: a login page, too, comes with 403.
    for patterns, kind, hint in _WORDS:
        if any(re.search(pattern, said, re.IGNORECASE) for pattern in patterns):
            return _error(kind, said, hint, failure)
    if isinstance(status, int) and status >= 400:
        return _of_status(status, said, failure)
    if names & _NETWORK or _BROKEN.search(said):
        return _error(Unreachable, said, "Check the connection to the internet, then try again.", failure)
    if "NoFile" in names:
        return _error(BadAnswer, said, _UPDATE, failure)
    return _error(Rejected, said, _UPDATE, failure)


def _no_answer(names: set[str], message: str) -> AutodubError | None:
    """What it is where a machine was not even reached; None for everything else."""
    text = message[:_LONGEST]
    host = _NAMELESS.search(text) or _HOST.search(text)
    name = host[1] if host is not None else "the site"
    if names & _NO_NAMES or _NAMELESS.search(text):
        return Unreachable(
            f"The video could not be fetched: the address of {name} cannot be found (DNS).",
            hint="Check that this machine is connected to the internet, then the spelling of the link.",
            engine="ytdlp",
        )
    if host is None or _CODE.search(text) or "certificate" in text.lower():
        return None  # it was reached, and what it said tells more
    why = "does not answer in time" if _SLOW.search(text) else "cannot be reached"
    return Unreachable(
        f"The video could not be fetched: {name} {why}.",
        hint="Check the connection to the internet, then try again.", engine="ytdlp",
    )  # fmt: skip


def _of_status(status: int, said: str, failure: Mapping[str, Any]) -> AutodubError:
    kind, hint = next((kind, hint) for statuses, kind, hint in _STATUS if status in statuses)
    return _error(kind, said, hint, failure)


def sentence(message: str) -> str:
    """The site's sentence on one line: without colours, yt-dlp's advice, and what links carry as secrets."""
    text = _COLOURS.sub("", message[:_LONGEST])  # searching for links takes the square of a text's length
    text = _LINKS.sub(r"\1", text)
    text = _ADVICE.sub("", _PREFIX.sub("", text, count=1))
    text = " ".join("".join(c if c.isprintable() or c.isspace() else "?" for c in text).split())
    text = text if len(text) <= 300 else text[:297] + "..."
    return text.rstrip(".") or "no reason was given"


def _error(kind: type[AutodubError], said: str, hint: str, failure: Mapping[str, Any]) -> AutodubError:
    text = f"The video could not be fetched: {said}."
    if issubclass(kind, Refused):
        # The site refuses this page or this hour; other sites and other pages may be fetched.
        return Refused(text, hint=hint, engine="ytdlp", whole_account=False)
    if issubclass(kind, EngineError):
        wait = re.fullmatch("[0-9]{1,6}", str(failure.get("retry_after") or ""))
        return kind(text, hint=hint, engine="ytdlp", retry_after=float(wait[0]) if wait else None)
    return kind(text, hint=hint)
