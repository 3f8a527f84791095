"""The content policy: what is said is looked at before it is translated, and refusals repeat no word."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from policy_scene import ON_SQLITE, Scene

from autodub.engines import registry
from autodub.infra import server_settings, settings
from autodub.jobs import audit
from autodub.jobs.content import Content
from autodub.jobs.platform import LOCAL_ACTOR, Platform
from autodub.model.errors import BadOption, ContentRefused, Refused
from autodub.model.speech import Line
from autodub.model.time import Span
from autodub.testing.fakes import FakeModerator
from autodub.testing.script import Script

Opening = Callable[..., Platform]


def content(folder: Path, *words: str, **given: Any) -> Content:
    """The policy of a server that prohibits these words."""
    known = settings.load(environ={}, data_dir=folder)
    values = {"prohibited": words} | given
    return Content(known, server_settings.load(known, environ={}, given=values))


def found(folder: Path, word: str, text: str) -> bool:
    """Whether a text is refused for a word."""
    try:
        content(folder, word).examine_text(text)
    except ContentRefused:
        return True
    return False


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("bomb", "Where is the BOMB?"),
        ("bomb", "bomb"),
        ("Straße", "die STRASSE dort"),
        ("ﬁre", "a fire"),
        ("ｂｏｍｂ", "a bomb"),
        ("bomb", "a bo\u00admb"),  # a soft hyphen, as subtitles have them
        ("dirty bomb", "a dirty\n  bomb"),
        ("炸弹", "他说炸弹在哪里"),
        ("ばくだん", "そのばくだんは"),
        ("ระเบิด", "เขามีระเบิดอยู่"),
        ("बम", "यह बम है"),
        ("bomb*", "two bombs"),
        ("*bomb", "a firebomb"),
        ("c++", "I write C++, too"),
        ("naïve", "how nai\u0308ve"),
    ],
)
def test_a_word_is_found(tmp_path: Path, word: str, text: str) -> None:
    """In any case and form, also where a script has no spaces, and with its ends left open by a star."""
    assert found(tmp_path, word, text)


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("bomb", "bombastic"),
        ("bomb", "aplomb"),
        ("ass", "a class"),
        ("bomb*", "a firebomb"),
        ("dirty bomb", "a dirty old bomb"),
        ("बम", "बमुश्किल"),  # the letter goes on with a vowel sign
        ("bomb", ""),
    ],
)
def test_part_of_another_word_is_none(tmp_path: Path, word: str, text: str) -> None:
    """A prohibited word inside a longer one is not meant."""
    assert not found(tmp_path, word, text)


def test_words_come_from_settings_and_a_file(tmp_path: Path) -> None:
    """Both lists count as one; remarks and empty lines of the file do not."""
    file = tmp_path / "words.txt"
    file.write_text("\ufeff# weapons\n\nmortar\n  grenade  \n", "utf-8")
    rules = content(tmp_path, "bomb", prohibited_file=file)
    for text in ("a bomb", "a mortar", "a grenade"):
        with pytest.raises(ContentRefused):
            rules.examine_text("harmless", text)
    rules.examine_text("# weapons")
    with pytest.raises(ContentRefused, match=r"no\. 3") as refused:
        rules.examine_text("a grenade")
    assert "grenade" not in str(refused.value)


def test_a_list_that_cannot_be_read_is_refused_at_once(tmp_path: Path) -> None:
    """A server with a policy it cannot read does not start as if it had none."""
    with pytest.raises(BadOption, match="prohibited words"):
        content(tmp_path, prohibited_file=tmp_path / "missing.txt")


def test_rules_have_an_identity(tmp_path: Path) -> None:
    """Other rules are another identity, none is empty: that is how finished dubs are told apart."""
    known = {content(tmp_path, *words).identity for words in ((), ("bomb",), ("bomb*",), ("bomb", "mortar"))}
    assert len(known) == 4
    assert content(tmp_path).identity == ""
    assert content(tmp_path, "Bomb").identity == content(tmp_path, "bomb").identity


def test_a_phrase_may_go_over_the_end_of_a_line(tmp_path: Path) -> None:
    """What is cut by a line's end is still found, and the time is where it begins."""
    lines = [
        Line(f"L{number}", Span(number * 61_000, number * 61_000 + 900), text, "S1")
        for number, text in enumerate(["Hello there.", "It was a dirty", "bomb. Good night."])
    ]
    with pytest.raises(ContentRefused, match="0:01:01"):
        content(tmp_path, "dirty bomb").examine(None, lines)  # type: ignore[arg-type]


@pytest.fixture
def scene(opening: Opening, tmp_path: Path) -> Scene:
    """A platform that prohibits a word."""
    return Scene(opening(prohibited=("harbour",)), tmp_path)


def test_a_prohibited_word_fails_the_job_before_anything_is_translated(scene: Scene) -> None:
    """The job says which rule and when, no engine after the transcriber is asked, no word is told."""
    job = scene.dub()
    assert job.state == "failed"
    assert job.error is not None
    assert job.error.code == "content_refused"
    assert "0:00:05" in job.error.message
    assert "prohibited word no. 1" in job.error.message
    assert not scene.asked("translator")
    assert not scene.asked("synthesizer")
    refused = [one for one in audit.entries(scene.platform.sql) if one.action == "content.refused"]
    assert [one.subject for one in refused] == [f"job:{job.id}"]
    told = scene.everything_told() + repr(job.error)
    assert not any(word in told for word in ("harbour", "keeper"))


@ON_SQLITE
def test_harmless_words_are_dubbed(scene: Scene) -> None:
    """A policy that finds nothing changes nothing."""
    scene.texts = ["The keeper walked down.", "He went to the port alone."]
    assert scene.dub().state == "completed"


@ON_SQLITE
def test_a_dub_made_under_other_rules_is_looked_at_again(opening: Opening, tmp_path: Path) -> None:
    """What was finished before a word was prohibited is not handed out afterwards."""
    before = Scene(opening(), tmp_path)
    upload = before.upload()
    assert before.dub(upload=upload).state == "completed"
    after = Scene(opening(prohibited=("harbour",)), tmp_path)
    job = after.dub(upload=upload)
    assert job.error is not None
    assert job.error.code == "content_refused"


@pytest.mark.parametrize("field", ["title", "tone", "instructions"])
def test_what_a_request_says_is_looked_at_when_it_is_submitted(scene: Scene, field: str) -> None:
    """Nothing is kept of a request whose own texts are against the policy."""
    with pytest.raises(ContentRefused):
        scene.submit(**{field: "All about the harbour"})
    with pytest.raises(ContentRefused):
        scene.submit(terms=["Harbour"])
    assert scene.platform.jobs.list(LOCAL_ACTOR).total == 0


@pytest.fixture
def moderated(opening: Opening, tmp_path: Path) -> Any:
    """A platform with a moderator."""
    scene = Scene(opening(moderation="openai"), tmp_path)
    scene.scripts["moderator"] = Script()

    class Scripted(FakeModerator):
        def __init__(self, options: Any, context: Any) -> None:
            super().__init__(options, context, script=scene.scripts["moderator"])

    with registry.registered("moderator", "openai", Scripted):
        yield scene


@ON_SQLITE
def test_a_moderator_is_asked_before_anything_is_translated(moderated: Scene) -> None:
    """Its finding is named with the time; the text is in neither event nor audit."""
    moderated.texts = ["The keeper walked down.", "He planned a murder there."]
    job = moderated.dub()
    assert job.error is not None
    assert (job.error.code, job.state) == ("content_refused", "failed")
    assert "violence" in job.error.message
    assert "0:00:05" in job.error.message
    assert not moderated.asked("translator")
    assert "murder" not in moderated.everything_told() + job.error.message


@ON_SQLITE
def test_a_moderator_is_asked_once_about_the_same(moderated: Scene) -> None:
    """Its answers are kept like any other engine's."""
    upload = moderated.upload()
    assert moderated.dub(upload=upload).state == "completed"
    assert moderated.dub(upload=upload, tone="playful").state == "completed"
    assert len(moderated.asked("moderator")) == 1


@ON_SQLITE
def test_what_no_moderator_looked_at_is_not_dubbed(moderated: Scene) -> None:
    """A moderator that does not answer fails the job, which may be tried again."""
    moderated.scripts["moderator"] = Script([Refused("The key was refused.")])
    job = moderated.dub()
    assert (job.state, job.error and job.error.code) == ("failed", "refused")
    assert not moderated.asked("translator")
