"""The project file: reading a person's edits back, and refusing what cannot be understood."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from autodub.model.errors import BadProject
from autodub.model.time import Span
from autodub.pipeline.project import CastEntry, Edits, LineEntry, Project, VoiceEntry, Wording, dump, read

SHA = "a" * 64


def line(name: str, text: str = "Hola.") -> LineEntry:
    """A line as it was made."""
    made = Wording(text=text, source="Hello.", speaker="S1", start_ms=0, end_ms=900, keep_original=False)
    return LineEntry(id=name, speaker="S1", start_ms=0, end_ms=900, source="Hello.", text=text, made=made)


def project() -> Project:
    """A project nobody touched."""
    made = VoiceEntry(id="es+m3", pitch_hz=110.0)
    return Project(
        source="clip.mp4",
        source_sha256=SHA,
        spoken="en",
        target="es",
        voices={"S1": CastEntry(id="es+m3", pitch_hz=110.0, made=made)},
        lines=[line("L0001"), line("L0002")],
        made_lines={"L0001": "Hello.", "L0002": "Hello."},
    )


def edits_after(tmp_path: Path, change: Any) -> Edits:
    """What is read after a person changed the file."""
    data = json.loads(dump(project()))
    change(data)
    path = tmp_path / "clip.es.project.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    return read(path, source_sha256=SHA, target="es")


def test_an_untouched_project_holds_no_edits(tmp_path: Path) -> None:
    """Reading back what was written finds nothing changed."""
    assert not edits_after(tmp_path, lambda data: None)


def test_no_project_file_means_no_edits(tmp_path: Path) -> None:
    """A first run has nothing to read."""
    assert not read(tmp_path / "none.json", source_sha256=SHA, target="es")


def test_changed_text_is_an_edit_of_that_line_only(tmp_path: Path) -> None:
    """Changing one line's text yields exactly that edit."""
    edits = edits_after(tmp_path, lambda data: data["lines"][1].update(text="Buenas."))
    assert [(edit.id, edit.text, edit.source, edit.span) for edit in edits.lines] == [
        ("L0002", "Buenas.", None, None)
    ]


def test_every_editable_field_is_seen(tmp_path: Path) -> None:
    """Speaker, times, source text and keep_original are edits too."""
    change = {"speaker": "S2", "end_ms": 1200, "source": "Hi.", "keep_original": True}
    (edit,) = edits_after(tmp_path, lambda data: data["lines"][0].update(change)).lines
    assert (edit.speaker, edit.span, edit.source, edit.keep_original) == ("S2", Span(0, 1200), "Hi.", True)
    assert edit.text is None


def test_removed_and_added_lines_are_told_apart(tmp_path: Path) -> None:
    """A line taken out is listed as removed; one with a new id is new."""

    def change(data: dict[str, Any]) -> None:
        data["lines"][0] = {
            "id": "mine", "speaker": "S1", "start_ms": 50, "end_ms": 500, "text": "Vale."
        }  # fmt: skip

    edits = edits_after(tmp_path, change)
    assert edits.removed == (("L0001", "Hello."),)
    assert [(edit.id, edit.is_new, edit.text) for edit in edits.lines] == [("mine", True, "Vale.")]


def test_a_changed_voice_is_an_edit(tmp_path: Path) -> None:
    """Another voice id for a speaker is seen; the same one is not."""
    edits = edits_after(tmp_path, lambda data: data["voices"]["S1"].update(id="es+f2"))
    assert {speaker: voice.id for speaker, voice in edits.voices.items()} == {"S1": "es+f2"}


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.update(format="autodub.project/99"),
        lambda data: (data.update(source_sha256="b" * 64), data["lines"][0].update(text="Ea.")),
        lambda data: (data.update(target="fr"), data["lines"][0].update(text="Ea.")),
        lambda data: data["lines"][0].update(end_ms=0),
        lambda data: data["lines"][0].update(id="L0002"),
        lambda data: data["lines"][0].update(tpyo=1),
        lambda data: data["lines"][0].update(start_ms="soon"),
        lambda data: data["voices"]["S1"].update(pace=9),
    ],
)
def test_a_project_that_makes_no_sense_is_refused(tmp_path: Path, change: Any) -> None:
    """Wrong format, wrong source, odd times, twin ids and typos are named, never overwritten."""
    with pytest.raises(BadProject) as caught:
        edits_after(tmp_path, change)
    assert caught.value.hint


def test_an_unedited_project_of_another_source_is_no_obstacle(tmp_path: Path) -> None:
    """A project nobody edited is simply made anew when the source has changed."""
    assert not edits_after(tmp_path, lambda data: data.update(source_sha256="b" * 64))


def test_broken_json_and_binary_are_refused(tmp_path: Path) -> None:
    """A file that is not JSON, or not even text, is refused with its name."""
    for content in (b"{", b"\xff\xfe\x00", b"[]"):
        path = tmp_path / "x.project.json"
        path.write_bytes(content)
        with pytest.raises(BadProject, match=r"x\.project\.json"):
            read(path, source_sha256=SHA, target="es")
