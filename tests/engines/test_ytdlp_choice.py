"""What is taken of a page and what is refused: decided on descriptions alone."""

from __future__ import annotations

from typing import Any

import pytest

from autodub.engines.ytdlp_choice import (
    Choice,
    caption,
    captions,
    check,
    choose,
    one_video,
    size_of,
    spoken,
    tag_of,
    title_of,
)
from autodub.infra.addresses import parse
from autodub.model.errors import EngineCannot, UnsupportedSource


def stream(
    name: str, sound: str | None = "none", picture: str | None = "none", **more: Any
) -> dict[str, Any]:
    """A format as yt-dlp describes it."""
    return {"format_id": name, "acodec": sound, "vcodec": picture, **more}


STORYBOARD = stream("sb")
LOW, HIGH = stream("a1", "mp4a.40.2", language="en"), stream("a2", "opus", language="en")
DUBBED = stream("a-fr", "opus", language="fr-FR")
SMALL, BIG = stream("v1", picture="avc1"), stream("v2", picture="vp9")
BOTH = stream("18", "mp4a", "avc1")
UNKNOWN = stream("mp4", None, None)


@pytest.mark.parametrize(
    ("formats", "sound", "picture", "combined"),
    [
        ([STORYBOARD, LOW, HIGH, SMALL, BIG, BOTH], "a2", "v2", "18"),
        ([STORYBOARD, BOTH], None, "18", "18"),
        ([LOW, BOTH], "a1", "18", "18"),
        ([SMALL, BOTH], None, "v1", "18"),
        ([LOW], "a1", None, None),
        ([SMALL], None, "v1", None),
        ([UNKNOWN], None, "mp4", "mp4"),
        ([stream("hls", None, "none"), stream("hls-v", "none", None)], "hls", "hls-v", None),
        ([{**HIGH, "has_drm": True}, LOW, BIG], "a1", "v2", None),
        ([], None, None, None),
    ],
)
def test_the_best_of_each_kind_is_chosen(
    formats: list[dict[str, Any]], sound: str | None, picture: str | None, combined: str | None
) -> None:
    """Sound and picture apart where possible; pictures of a storyboard and locked streams are nothing."""
    chosen = choose({"formats": formats})
    names = [each and each["format_id"] for each in (chosen.sound, chosen.picture, chosen.combined)]
    assert names == [sound, picture, combined]


def test_a_language_is_preferred_where_the_site_has_it() -> None:
    """A sound track in the language asked for, or else the site's own best."""
    info = {"formats": [DUBBED, LOW, HIGH, BIG]}
    assert choose(info, language="fr").sound == DUBBED
    assert choose(info, language="en-GB").sound == HIGH
    assert choose(info, language="de").sound == HIGH
    assert choose(info).sound == HIGH


@pytest.mark.parametrize(
    ("info", "what"),
    [
        ({"live_status": "is_live"}, "live"),
        ({"is_live": True}, "live"),
        ({"live_status": "post_live"}, "live"),
        ({"live_status": "is_upcoming"}, "not begun"),
        ({"formats": [{**BOTH, "has_drm": True}]}, "copy-protected"),
        ({"formats": [SMALL]}, "no sound"),
        ({"formats": []}, "no sound"),
        ({"duration": 3601}, "1:00:01, longer than the 1:00:00"),
        ({"formats": [{**HIGH, "filesize": 600}, {**BIG, "filesize_approx": 401}]}, "1,001 bytes, more"),
        ({"formats": [{**HIGH, "tbr": 8}], "duration": 1.1}, "1,100 bytes, more"),
    ],
)
def test_what_cannot_be_dubbed_is_refused_by_its_description(info: dict[str, Any], what: str) -> None:
    """Every refusal says why and how to go on."""
    info = {"formats": [BOTH], "duration": 60, **info}
    with pytest.raises(UnsupportedSource, match=what) as refusal:
        check(info, choose(info), longest=3600, largest=1000)
    assert refusal.value.hint


def test_what_is_not_told_is_let_through() -> None:
    """A page without length and sizes is no reason to refuse; bytes and length are checked later."""
    info = {"formats": [BOTH], "duration": None}
    check(info, choose(info), longest=3600, largest=1000)
    check({**info, "duration": 3600, "live_status": "was_live"}, choose(info), longest=3600, largest=1000)


def test_the_size_is_that_of_what_will_be_fetched() -> None:
    """Sound and picture, or the one file with both; never all three."""
    sizes = [{**HIGH, "filesize": 10}, {**BIG, "filesize": 100}, {**BOTH, "filesize": 1000}]
    info = {"formats": sizes}
    assert size_of(info, choose(info)) == 110
    assert size_of(info, choose({"formats": sizes[1:]})) == 1000
    assert size_of(info, Choice(None, None, None)) == 0


VTT, JSON = [{"ext": "vtt"}], [{"ext": "json3"}]
PAGE = {
    "subtitles": {
        "en": [{"ext": "json3"}, {"ext": "vtt", "name": "English"}],
        "pt-BR": VTT,
        "zh-hant-tw": VTT,
        "es-a1B2c3": VTT,
        "de": [{"ext": "vtt", "name": "German (auto-generated)"}],
        "fr": JSON,
        "live_chat": [{"ext": "json"}],
        "../../etc": VTT,
        "nl-/../x": VTT,
    },
    "automatic_captions": {"it": VTT, "en": VTT},
    "language": "pt",
}


def test_only_captions_by_people_that_can_be_read_count() -> None:
    """No automatic ones, no chat, no form that cannot be read, no name that could be a path (R30)."""
    assert captions(PAGE) == {"en": "en", "es": "es-a1B2c3", "pt-BR": "pt-BR", "zh-Hant-TW": "zh-hant-tw"}
    assert captions({"automatic_captions": {"en": VTT}}) == {}


@pytest.mark.parametrize(
    ("language", "key"),
    [
        ("en", "en"),
        ("en-US", "en"),
        ("pt", "pt-BR"),
        ("ES", "es-a1B2c3"),
        ("zh-TW", "zh-hant-tw"),
        (None, "pt-BR"),
    ],
)
def test_captions_are_found_by_language(language: str | None, key: str) -> None:
    """The very tag, or else the language; without one, what the page says is spoken."""
    assert caption(PAGE, language) == key


@pytest.mark.parametrize("language", ["it", "de", "fr", "ja"])
def test_captions_that_are_missing_are_named_with_those_there_are(language: str) -> None:
    """Automatic captions are never taken instead."""
    with pytest.raises(
        EngineCannot, match=f"in '{language}'. It has them in en, es, pt-BR, zh-Hant-TW"
    ) as refusal:
        caption(PAGE, language)
    assert "--subtitles" in refusal.value.hint


def test_the_only_captions_need_no_language() -> None:
    """The only language is taken where none is known; where there are several, the error names them."""
    assert caption({"subtitles": {"sv": VTT}}, None) == "sv"
    with pytest.raises(EngineCannot, match="It has them in da, sv"):
        caption({"subtitles": {"sv": VTT, "da": VTT}}, None)
    with pytest.raises(EngineCannot, match="none at all"):
        caption({}, None)


@pytest.mark.parametrize(
    ("name", "tag"),
    [
        ("en", "en"), ("EN_us", "en-US"), ("zh-hans", "zh-Hans"), ("es-419", "es-419"), ("en-orig", "en"),
        ("fil", "fil"), ("english", None), ("", None), ("1", None), ("live_chat", None),
    ],
)  # fmt: skip
def test_names_of_languages_become_tags(name: str, tag: str | None) -> None:
    """Sites write languages in many ways; what begins with none is none."""
    assert tag_of(name) == tag


def test_the_spoken_language_is_the_streams_or_the_pages() -> None:
    """The stream knows better than the page; an undetermined one says nothing."""
    assert spoken({"language": "en"}, {"language": "fr-FR"}) == "fr-FR"
    assert spoken({"language": "en"}, {"language": None}) == "en"
    assert spoken({"language": "und"}, None) is None
    assert spoken({}, {}) is None


@pytest.mark.parametrize(
    ("title", "line"),
    [
        ("A talk", "A talk"),
        ("  two\nlines\t ", "two lines"),
        ("bell\x07 \x1b[31mred \u202eevil", "bell? ?[31mred ?evil"),
        ("a" * 500, "a" * 200),
        ("\ud800", "?"),
        ("", "x1"),
        ("日本語 🎬", "日本語 🎬"),
        (7, "7"),
    ],
)
def test_a_title_is_one_printable_line(title: Any, line: str) -> None:
    """Whatever a site calls its video, it can be printed and is no control sequence (R30)."""
    assert title_of({"title": title, "id": "x1"}) == line


def test_a_page_without_title_and_number_is_untitled() -> None:
    """There is always a name; a number that counts to one is left out."""
    assert title_of({}) == "untitled"
    assert title_of({"title": "A talk (1)", "extractor_key": "Generic"}) == "A talk"
    assert title_of({"title": "Part (1)", "extractor_key": "Youtube"}) == "Part (1)"


@pytest.mark.parametrize(
    "url",
    [
        "https://www.youtube.com/watch?v=dQw4w9WgXcQ",
        "https://www.youtube.com/watch?v=dQw4w9WgXcQ&list=PL123&index=4&t=30s",
        "https://m.youtube.com/watch?list=PL123&v=dQw4w9WgXcQ",
        "https://music.youtube.com/watch?v=dQw4w9WgXcQ",
        "http://youtube.com/watch/?v=dQw4w9WgXcQ",
        "https://youtu.be/dQw4w9WgXcQ?si=abc",
        "https://www.youtube.com/shorts/dQw4w9WgXcQ",
        "https://www.youtube.com/live/dQw4w9WgXcQ?feature=share",
        "https://www.youtube-nocookie.com/embed/dQw4w9WgXcQ?list=PL123",
    ],
)
def test_a_youtube_link_means_its_one_video(url: str) -> None:
    """Lists, times and trackers are left out."""
    assert one_video(parse(url)) == "https://www.youtube.com/watch?v=dQw4w9WgXcQ"


@pytest.mark.parametrize(
    "path",
    [
        "", "playlist?list=PL123", "@somebody", "channel/UC123", "c/name", "user/name", "feed/trending",
        "results?search_query=x", "watch", "watch?v=", "watch?v=short", "watch?v=dQw4w9WgXcQ%0Ax", "shorts/",
        "embed/videoseries?list=PL123",
    ],
)  # fmt: skip
def test_youtube_pages_that_are_no_video_are_refused(path: str) -> None:
    """The error asks for the link of the video itself."""
    with pytest.raises(UnsupportedSource, match="not the address of one YouTube video"):
        one_video(parse(f"https://www.youtube.com/{path}"))


def test_links_of_other_sites_are_left_as_they_are() -> None:
    """Only looking tells what they are."""
    assert one_video(parse("https://vimeo.com/1?list=2#t=1")) == "https://vimeo.com/1?list=2"
