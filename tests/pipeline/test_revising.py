"""Matching a person's edits with the lines of a transcript."""

from __future__ import annotations

from pathlib import Path

import pytest

from autodub.model.errors import BadProject
from autodub.model.speech import Line, Phrase
from autodub.model.time import Span
from autodub.pipeline.project import Edits, LineEdit
from autodub.pipeline.revising import Revision, revise, texts

PATH = Path("clip.es.project.json")


def line(number: int) -> Line:
    """The line of that second."""
    span, text = Span(number * 1000, number * 1000 + 800), f"Line {number}."
    return Line(f"L{number:04}", span, text, "S1", (Phrase(span, text),))


LINES = tuple(line(number) for number in range(1, 6))


def revised(*edits: LineEdit, removed: tuple[tuple[str, str], ...] = ()) -> Revision:
    """What the edits mean for the five lines of a ten-second programme."""
    return revise(LINES, Edits(edits, removed), path=PATH, limit=10_000)


def test_no_edits_change_nothing() -> None:
    """Without edits the lines are the lines, and none is touched."""
    assert revised() == Revision(LINES)


def test_a_changed_text_is_spoken_word_for_word() -> None:
    """Text a person wrote is the only wording, and the line is spoken anew."""
    revision = revised(LineEdit("L0002", text="Dos.", of="Line 2."))
    assert revision.touched == {"L0002"}
    assert [w.text for w in texts(revision)["L0002"]] == ["Dos."]
    assert revision.lines == LINES


def test_a_moved_line_takes_its_place_in_time() -> None:
    """New times re-order the lines; phrases that no longer fit are dropped."""
    revision = revised(LineEdit("L0001", span=Span(5500, 6000), of="Line 1."))
    assert [line.id for line in revision.lines] == ["L0002", "L0003", "L0004", "L0005", "L0001"]
    assert revision.lines[-1].phrases == ()
    assert revision.touched == {"L0001"}


def test_a_corrected_source_is_translated_again_unless_the_dub_was_written_too() -> None:
    """A person's own words win over a new translation."""
    assert revised(LineEdit("L0003", source="Three.", of="Line 3.")).translate == {"L0003"}
    both = revised(LineEdit("L0003", source="Three.", text="Tres.", of="Line 3."))
    assert (both.translate, dict(both.texts)) == (frozenset(), {"L0003": "Tres."})


def test_kept_emptied_and_removed_lines_are_not_spoken() -> None:
    """All three keep the original sound, with the reason."""
    revision = revised(
        LineEdit("L0001", keep_original=True, of="Line 1."),
        LineEdit("L0002", text="  ", of="Line 2."),
        removed=(("L0003", "Line 3."),),
    )
    assert set(revision.keep) == {"L0001", "L0002", "L0003"}
    assert not revision.touched


@pytest.mark.parametrize(
    "edits",
    [
        Edits((LineEdit("L0009", text="Nadie.", of="Line 9."),)),
        Edits((LineEdit("L0001", text="Uno.", of="Something else."),)),
        Edits((), (("L0001", "Something else."),)),
        Edits((), (("L0009", "Line 9."),)),
        Edits((LineEdit("L0001", span=Span(9000, 10_500), of="Line 1."),)),
        Edits((LineEdit("L0001", text="Otra.", span=Span(0, 9), speaker="S1", is_new=True),)),
        Edits((LineEdit("new", text="", span=Span(0, 9), speaker="S1", is_new=True),)),
    ],
    ids=[
        "unknown",
        "other text",
        "removed other",
        "removed unknown",
        "past the end",
        "name taken",
        "no text",
    ],
)
def test_edits_that_fit_no_line_are_refused(edits: Edits) -> None:
    """An edit lands on the line it was made of, or nowhere."""
    with pytest.raises(BadProject) as caught:
        revise(LINES, edits, path=PATH, limit=10_000)
    assert caught.value.hint
