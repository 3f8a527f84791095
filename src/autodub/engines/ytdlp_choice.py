"""What to take of what a page offers, and what to refuse before a byte of media is fetched: pure functions.

``info`` is yt-dlp's description of one video; its formats come sorted, best last.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from autodub.infra.addresses import Address
from autodub.model.errors import EngineCannot, UnsupportedSource

Info = Mapping[str, Any]

YOUTUBE = ("youtube.com", "youtu.be", "youtube-nocookie.com")
_VIDEO = re.compile(r"[A-Za-z0-9_-]{11}")
_TAG = re.compile(r"([A-Za-z]{2,3})(?:[-_](?!orig)([A-Za-z]{4}))?(?:[-_]([A-Za-z]{2}|\d{3}))?(?![A-Za-z0-9])")
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,60}")
"""Names of captions that can be part of a file name."""
_READABLE = ("vtt", "srt", "ass")
_MACHINE = re.compile(r"auto(?:matic|matisch|\b)|auto-?generated|machine", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Choice:
    """The streams to fetch, each a format of yt-dlp's."""

    sound: Info | None
    """Sound alone; None where the site has it only together with a picture."""
    picture: Info | None
    """The best picture, alone where possible; None where the page has none."""
    combined: Info | None
    """The best file that holds both."""

    @property
    def wanted(self) -> tuple[Info, ...]:
        """The streams that will be fetched in all."""
        parts = (self.sound, self.picture) if self.sound is not None else (self.combined,)
        return tuple(each for each in parts if each is not None)


def is_youtube(address: Address) -> bool:
    """Whether the address is one of YouTube's."""
    return any(address.host == site or address.host.endswith("." + site) for site in YOUTUBE)


def one_video(address: Address) -> str:
    """The plain link of the one video an address means, without the list it may be part of.

    Raises UnsupportedSource for playlists, channels and searches of YouTube; other sites are told apart
    only by looking at them.
    """
    if not is_youtube(address):
        return address.url
    path, _, query = address.target.partition("?")
    parts = [part for part in path.split("/") if part]
    name = ""
    if address.host.endswith("youtu.be"):
        name = parts[0] if parts else ""
    elif parts and parts[0] in ("shorts", "live", "embed", "v", "e") and len(parts) > 1:
        name = parts[1]
    elif parts[:1] == ["watch"]:
        name = parts[1] if len(parts) > 1 else (parse_qs(query).get("v") or [""])[0]
    if not _VIDEO.fullmatch(name) or name == "videoseries":
        raise UnsupportedSource(
            f"{address.url} is not the address of one YouTube video.",
            hint="Open the video itself and copy its link; playlists, channels and searches are not dubbed.",
        )
    return f"https://www.youtube.com/watch?v={name}"


def choose(info: Info, *, language: str | None = None) -> Choice:
    """The best of each kind; ``language`` prefers a sound track where there are several."""
    formats = [each for each in info.get("formats") or () if not each.get("has_drm")]
    # "none" is said of what is certainly not there; a format that does not say is taken to hold both.
    sounds = [each for each in formats if _holds(each) == (True, False)]
    pictures = [each for each in formats if _holds(each) == (False, True)]
    both = [each for each in formats if _holds(each) == (True, True)]
    combined = _best(both, language)
    return Choice(
        sound=_best(sounds, language),
        picture=pictures[-1] if pictures else combined,
        combined=combined,
    )


def check(info: Info, choice: Choice, *, longest: int, largest: int) -> None:
    """Refuse what cannot or may not be fetched; ``longest`` is in seconds, ``largest`` in bytes.

    Raises UnsupportedSource.
    """
    status = info.get("live_status")
    if info.get("is_live") or status in ("is_live", "post_live"):
        raise _no(
            "is being broadcast live", "Wait until the broadcast has ended and its recording is complete."
        )
    if status == "is_upcoming":
        raise _no("has not begun yet", "Come back when it has been published.")
    formats = info.get("formats") or ()
    if formats and all(each.get("has_drm") for each in formats):
        raise _no("is copy-protected (DRM)", "It cannot be fetched; dub a file that you have.")
    if choice.sound is None and choice.combined is None:
        raise _no("has no sound", "Choose a video in which somebody speaks.")
    length = info.get("duration")
    if isinstance(length, int | float) and length > longest:
        raise _no(
            f"lasts {clock(length)}, longer than the {clock(longest)} allowed",
            "An operator can allow more: download.longest in the configuration file (seconds).",
        )
    size = size_of(info, choice)
    if size > largest:
        raise _no(
            f"would be {megabytes(size)}, more than the {megabytes(largest)} allowed",
            "Ask for a lower picture (option height of ytdlp), or have the operator raise download.largest.",
        )


def captions(info: Info) -> dict[str, str]:
    """BCP-47 tag -> yt-dlp's name of the captions that people wrote, in forms that can be read."""
    found: dict[str, str] = {}
    for key, forms in sorted((info.get("subtitles") or {}).items()):
        tag = tag_of(key)
        machine = any(_MACHINE.search(str(form.get("name") or "")) for form in forms)
        readable = any(form.get("ext") in _READABLE for form in forms)
        if tag is not None and readable and not machine and _KEY.fullmatch(key):
            found.setdefault(tag, key)
    return found


def caption(info: Info, language: str | None) -> str:
    """yt-dlp's name of the captions in ``language``; where none is known, of the only ones.

    Raises EngineCannot, naming the languages there are.
    """
    found = captions(info)
    wanted = language or spoken(info, None)
    if wanted is None and len(found) == 1:
        return next(iter(found.values()))
    for tag, key in found.items():
        if wanted and tag.lower() == wanted.lower():
            return key
    for tag, key in found.items():
        if wanted and primary(tag) == primary(wanted):
            return key
    there = f"It has them in {', '.join(found)}." if found else "It has none at all."
    asked = f" in '{wanted}'" if wanted else ", or the language to be taken is not known"
    raise EngineCannot(
        f"The page has no captions by people{asked}. {there}",
        hint="Let a transcriber listen instead (leave captions out), or give a file with --subtitles.",
    )


def spoken(info: Info, stream: Info | None) -> str | None:
    """BCP-47 tag of what is spoken, as far as the stream or else the page says."""
    for each in (stream or {}, info):
        if isinstance(name := each.get("language"), str) and (tag := tag_of(name)) not in (None, "und"):
            return tag
    return None


def tag_of(name: str) -> str | None:
    """The BCP-47 tag that a site's name of a language begins with; None when it is no language."""
    found = _TAG.match(name)
    if found is None:
        return None
    script = f"-{found[2].title()}" if found[2] else ""
    return found[1].lower() + script + (f"-{found[3].upper()}" if found[3] else "")


def primary(tag: str) -> str:
    """The language without script and region."""
    return re.split("[-_]", tag)[0].lower()


def title_of(info: Info) -> str:
    """The title on one printable line of at most 200 characters."""
    title = str(info.get("title") or info.get("id") or "")
    if str(info.get("extractor_key")) in ("Generic", "HTML5MediaEmbed"):
        title = title.removesuffix(" (1)")  # pages of several videos were refused; one needs no number
    words = title.encode("utf-8", "replace").decode("utf-8").split()
    line = "".join(c if c.isprintable() else "?" for c in " ".join(words))
    return line[:200].strip() or "untitled"


def size_of(info: Info, choice: Choice) -> int:
    """Bytes of everything that will be fetched, as far as the page says or its bit rates tell."""
    seconds = info.get("duration") or 0
    return sum(
        int(each.get("filesize") or each.get("filesize_approx") or (each.get("tbr") or 0) * 125 * seconds)
        for each in choice.wanted
    )


def clock(seconds: float) -> str:
    """A length as people write it: 1:02:03."""
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def megabytes(size: int) -> str:
    """A size as people read it."""
    return f"{size / 1e6:,.0f} MB" if size >= 1e6 else f"{size:,} bytes"


def _holds(stream: Info) -> tuple[bool, bool]:
    """Whether a format has sound and a picture."""
    return stream.get("acodec") != "none", stream.get("vcodec") != "none"


def _best(streams: Sequence[Info], language: str | None) -> Info | None:
    spoken_in: Iterable[Info] = (
        each
        for each in reversed(streams)
        if language and primary(str(each.get("language") or "")) == primary(language)
    )
    return next(iter(spoken_in), streams[-1] if streams else None)


def _no(what: str, how: str) -> UnsupportedSource:
    return UnsupportedSource(f"The video {what}.", hint=how)
