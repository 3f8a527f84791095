"""Glossaries of users: checked when they are written, seen by nobody else, kept while jobs need them."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from autodub.dubbing.glossary import parse
from autodub.jobs import glossaries
from autodub.jobs.glossaries import written
from autodub.jobs.platform import LOCAL_ACTOR, Platform
from autodub.jobs.records import Actor
from autodub.model.errors import BadOption, Conflict, ContentRefused, NotFound, QuotaExceeded
from autodub.model.speech import Term
from finished_jobs import finished

Opening = Callable[..., Platform]
BOB = Actor("bob", "bob")


def test_a_glossary_is_kept_changed_and_deleted(platform: Platform) -> None:
    """Its text and name may change; once deleted it is gone."""
    kept = platform.glossaries.create(LOCAL_ACTOR, "Names", "stream = flujo\nAutodub\n")
    assert [(term.source, term.target) for term in kept.terms("es")] == [
        ("stream", "flujo"), ("Autodub", "Autodub"),
    ]  # fmt: skip
    changed = platform.glossaries.change(LOCAL_ACTOR, kept.id, name="Terms", text="a = b")
    assert platform.glossaries.list(LOCAL_ACTOR) == [changed]
    assert (changed.name, changed.text, changed.created) == ("Terms", "a = b", kept.created)
    platform.glossaries.delete(LOCAL_ACTOR, kept.id)
    with pytest.raises(NotFound):
        platform.glossaries.get(LOCAL_ACTOR, kept.id)


def test_two_glossaries_of_one_user_are_not_called_alike(platform: Platform) -> None:
    """Neither by making nor by renaming."""
    first = platform.glossaries.create(LOCAL_ACTOR, "Names", "a = b")
    other = platform.glossaries.create(LOCAL_ACTOR, "Others", "a = c")
    with pytest.raises(Conflict, match="'Names' already"):
        platform.glossaries.create(LOCAL_ACTOR, "Names", "a = d")
    with pytest.raises(Conflict, match="'Names' already"):
        platform.glossaries.change(LOCAL_ACTOR, other.id, name="Names")
    assert platform.glossaries.get(LOCAL_ACTOR, first.id).text == "a = b"


def test_nobody_else_sees_or_changes_it(platform: Platform) -> None:
    """For others there is none of that id."""
    kept = platform.glossaries.create(LOCAL_ACTOR, "Names", "a = b")
    ways: list[Callable[[], object]] = [
        lambda: platform.glossaries.get(BOB, kept.id),
        lambda: platform.glossaries.change(BOB, kept.id, text="x = y"),
        lambda: platform.glossaries.delete(BOB, kept.id),
    ]
    for way in ways:
        with pytest.raises(NotFound, match="no glossary"):
            way()
    assert platform.glossaries.list(BOB) == []


def test_a_glossary_that_a_waiting_job_uses_stays(platform: Platform) -> None:
    """A job that is over does not hold it."""
    kept = platform.glossaries.create(LOCAL_ACTOR, "Names", "a = b")
    spec = json.dumps(
        {"source": "https://youtube.com/w", "target": "es", "glossary": kept.id}, separators=(",", ":")
    )
    finished(platform, state="queued", spec=spec)
    with pytest.raises(Conflict, match="uses this glossary"):
        platform.glossaries.delete(LOCAL_ACTOR, kept.id)
    with platform.sql.writing() as connection:
        connection.exec_driver_sql("UPDATE jobs SET state = 'failed'")
    platform.glossaries.delete(LOCAL_ACTOR, kept.id)


def test_a_glossary_of_several_languages_is_checked_in_each(platform: Platform) -> None:
    """A line that is wrong in one column only is found, too."""
    good = platform.glossaries.create(LOCAL_ACTOR, "Good", "term,es,fr\nstream,flujo,flux\n")
    assert good.targets == ("es", "fr")
    assert good.terms("fr")[0].target == "flux"
    with pytest.raises(BadOption, match="Line 3"):
        platform.glossaries.create(LOCAL_ACTOR, "Bad", "term,es,fr\na,b,c\na,b,d\n")


def test_what_is_too_much_is_refused(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """A text that is too long, and one glossary too many."""
    with pytest.raises(BadOption, match="500001 characters"):
        platform.glossaries.create(LOCAL_ACTOR, "Long", "x" * 500_001)
    monkeypatch.setattr(glossaries, "MOST", 1)
    platform.glossaries.create(LOCAL_ACTOR, "One", "a = b")
    with pytest.raises(QuotaExceeded):
        platform.glossaries.create(LOCAL_ACTOR, "Two", "a = b")


@pytest.mark.parametrize("address", [""], ids=["sqlite"])
def test_prohibited_words_are_no_terms(opening: Opening) -> None:
    """What a glossary says is spoken, so it is looked at: when it is made and when it is changed."""
    platform = opening(prohibited=("detonador",))
    kept = platform.glossaries.create(LOCAL_ACTOR, "Names", "a = b")
    with pytest.raises(ContentRefused):
        platform.glossaries.create(LOCAL_ACTOR, "Bad", "fuse = detonador")
    with pytest.raises(ContentRefused):
        platform.glossaries.change(LOCAL_ACTOR, kept.id, text="fuse = detonador")


@pytest.mark.parametrize(
    "term",
    [
        Term("stream, live", "flujo"), Term('say "hi"', "di hola"), Term("#tag", "etiqueta"),
        Term("a = b", "c; d"),
        Term("NATO", "OTAN", is_case_sensitive=True), Term("IT", "ello"), Term("two\nlines", "dos\tlíneas"),
    ],
)  # fmt: skip
def test_terms_written_as_text_are_read_back_as_they_were(term: Term) -> None:
    """Whatever signs are in them; blanks of any kind become one."""
    (found,) = parse(written([term]), target="es")
    assert found.source == " ".join(term.source.split())
    assert found.target == " ".join(term.target.split())
    assert found.is_case_sensitive == term.is_case_sensitive
