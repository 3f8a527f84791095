"""What a page is, told to people before they have it dubbed: pure functions of yt-dlp's description."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from autodub.engines import ytdlp_choice as choice
from autodub.engines.roles import Fetching
from autodub.engines.ytdlp_choice import Info
from autodub.model.errors import UnsupportedSource

_MOST = 200
"""Languages that are told."""


@dataclass(frozen=True, slots=True)
class Looked:
    """One video at an address."""

    title: str
    seconds: float | None
    """None where the page does not say."""
    size: int | None
    """Bytes that would be fetched, as far as the page says."""
    live: Literal["no", "live", "upcoming"]
    width: int | None
    """Of the picture that would be taken; None without one, or where the page does not say."""
    height: int | None
    is_film: bool
    """Whether there is a picture."""
    language: str | None
    """BCP-47 tag of the sound that would be taken, as far as the site says."""
    languages: tuple[str, ...]
    """Of all sound tracks."""
    captions: tuple[str, ...]
    """Languages of the captions that people wrote."""
    refusal: UnsupportedSource | None
    """Why it would not be fetched."""


def looked(info: Info, *, fetching: Fetching, language: str | None = None) -> Looked:
    """What people should know of a page."""
    taken = choice.choose(info, language=language)
    refusal = None
    try:
        choice.check(info, taken, longest=fetching.longest, largest=fetching.largest)
    except UnsupportedSource as problem:
        refusal = problem
    seconds, status = info.get("duration"), info.get("live_status")
    stream, picture = taken.sound or taken.combined, taken.picture
    sounds = [each for each in info.get("formats") or () if each.get("acodec") != "none"]
    found = dict.fromkeys(tag for each in sounds if (tag := choice.tag_of(str(each.get("language") or ""))))
    live: Literal["no", "live", "upcoming"] = "no"
    if info.get("is_live") or status in ("is_live", "post_live"):
        live = "live"
    elif status == "is_upcoming":
        live = "upcoming"
    return Looked(
        title=choice.title_of(info),
        seconds=float(seconds) if isinstance(seconds, int | float) else None,
        size=choice.size_of(info, taken) or None,
        live=live,
        width=_whole(picture, "width"),
        height=_whole(picture, "height"),
        is_film=picture is not None,
        language=choice.spoken(info, stream),
        languages=tuple(found)[:_MOST],
        captions=tuple(choice.captions(info))[:_MOST],
        refusal=refusal,
    )


def _whole(stream: Info | None, name: str) -> int | None:
    value = (stream or {}).get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
