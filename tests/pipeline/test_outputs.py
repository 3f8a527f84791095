"""Output names, and writing them completely or not at all."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from autodub.model.errors import OutputProblem
from autodub.pipeline.outputs import outputs_for, place, write_text


def test_the_default_name_lies_beside_the_source(tmp_path: Path) -> None:
    """clip.mp4 dubbed to es becomes clip.es.mp4, with its companions beside it."""
    source = tmp_path / "clip.mp4"
    source.touch()
    outputs = outputs_for(source, "es", None)
    assert outputs.media == tmp_path / "clip.es.mp4"
    assert outputs.project.name == "clip.es.project.json"
    assert outputs.srt.name == "clip.es.srt"


def test_a_folder_as_output_takes_the_default_name(tmp_path: Path) -> None:
    """-o some/folder puts the default name into it."""
    source = tmp_path / "clip.mp4"
    source.touch()
    (tmp_path / "out").mkdir()
    assert outputs_for(source, "fr", str(tmp_path / "out")).media == tmp_path / "out" / "clip.fr.mp4"


def test_the_source_is_never_the_output(tmp_path: Path) -> None:
    """Same path, a symlink to it and a hard link to it are all refused."""
    source = tmp_path / "clip.mp4"
    source.write_bytes(b"x")
    (tmp_path / "link.mp4").symlink_to(source)
    os.link(source, tmp_path / "hard.mp4")
    for name in ("clip.mp4", "link.mp4", "hard.mp4"):
        with pytest.raises(OutputProblem, match="never changed"):
            outputs_for(source, "es", str(tmp_path / name))


def test_a_subtitle_source_beside_is_not_overwritten_as_companion(tmp_path: Path) -> None:
    """A source that would be hit by a companion file is refused as well."""
    source = tmp_path / "talk.srt"
    source.write_bytes(b"x")
    with pytest.raises(OutputProblem):
        outputs_for(source, "es", str(tmp_path / "talk.mp4"))


def test_bad_places_are_refused_with_a_hint(tmp_path: Path) -> None:
    """A missing folder and a name without ending are refused before any work."""
    source = tmp_path / "clip.mp4"
    source.touch()
    for wanted in (tmp_path / "no" / "x.mp4", tmp_path / "noending"):
        with pytest.raises(OutputProblem) as caught:
            outputs_for(source, "es", str(wanted))
        assert caught.value.hint


def test_a_folder_that_is_missing_is_called_one(tmp_path: Path) -> None:
    """A name that ends with a slash means a folder: it is to be made, not given an ending."""
    source = tmp_path / "clip.mp4"
    source.touch()
    with pytest.raises(OutputProblem, match=r"folder .*/g does not exist") as caught:
        outputs_for(source, "es", f"{tmp_path}/g/")
    assert f"mkdir -p {tmp_path}/g" in caught.value.hint
    with pytest.raises(OutputProblem, match=r"clip\.mp4 is not a folder"):
        outputs_for(source, "es", f"{source}/")


def test_place_replaces_completely(tmp_path: Path) -> None:
    """A finished file takes the final name; nothing else is left in the folder."""
    made, wanted = tmp_path / "made", tmp_path / "out.bin"
    made.write_bytes(b"new")
    wanted.write_bytes(b"old")
    place(made, wanted)
    assert wanted.read_bytes() == b"new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made", "out.bin"]


def test_no_room_leaves_the_old_file_and_no_scrap(tmp_path: Path) -> None:
    """When the disk fills up, the error says so, the old file stays, no temporary file remains."""
    program = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "from autodub.model.errors import OutputProblem\n"
        "from autodub.pipeline.outputs import place\n"
        "try:\n    place(Path(sys.argv[1]), Path(sys.argv[2]))\n"
        "except OutputProblem as problem:\n    print(problem)\n"
    )
    made, wanted = tmp_path / "made", tmp_path / "out.bin"
    made.write_bytes(b"x" * 5000)
    wanted.write_bytes(b"old")
    done = subprocess.run(
        [sys.executable, "-c", program, str(made), str(wanted)], capture_output=True, text=True, check=True
    )
    assert "no room" in done.stdout
    assert wanted.read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made", "out.bin"]
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 1000


def test_text_is_written_as_utf8(tmp_path: Path) -> None:
    """Text files keep every character."""
    write_text("¿Qué? 日本", tmp_path / "a.txt")
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == "¿Qué? 日本"
