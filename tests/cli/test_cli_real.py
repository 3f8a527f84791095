"""The command line over the real library: a short clip, dubbed, run again, stopped and continued."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from autodub.cli import main
from autodub.testing import clips

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six seconds with two lines and their true subtitles, in a file with an awkward name."""
    folder = tmp_path_factory.mktemp("clip")
    lines = [
        clips.SpokenLine("The market is near the old church.", 700),
        clips.SpokenLine("It is a beautiful day.", 3600, "rms"),
    ]
    made = clips.build(lines, out=folder / "-a 'clip'\n.mp4", duration=6000, size=(320, 180))
    made.path.with_suffix(".srt").write_text(made.srt(), encoding="utf-8")
    return made.path


def command(clip: Path, folder: Path, *more: str) -> list[str]:
    """Arguments that dub the clip into ``folder``."""
    return ["dub", "--to", "es", "--from", "en", "--subtitles", str(clip.with_suffix(".srt")),
            "-o", str(folder / "dub.mp4"), "--data-dir", str(folder / "data"),
            *more, "--", str(clip)]  # fmt: skip


def test_a_dub_and_a_second_run(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A dub writes its files and its receipt; the second run finds nothing to do."""
    assert main(command(clip, tmp_path, "--json")) == 0
    first = json.loads(capsys.readouterr().out)
    for name in (
        first["output"],
        first["project"],
        first["receipt_path"],
        first["report"],
        *first["subtitles"],
    ):
        assert Path(name).stat().st_size > 0
    assert first["reused"] is False
    assert first["receipt"]["line_count"]["total"] == 2
    assert main(command(clip, tmp_path)) == 0
    shown = capsys.readouterr().out
    assert "Nothing to do anew" in shown
    assert str(tmp_path / "dub.mp4") in shown


def test_a_dub_stopped_and_continued(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A dub stopped by Ctrl-C leaves nothing under the final name, and the same command finishes it."""
    child = subprocess.Popen(
        [sys.executable, "-m", "autodub", *command(clip, tmp_path)], stderr=subprocess.PIPE, text=True
    )
    assert child.stderr is not None
    for line in child.stderr:
        if line.startswith("Finding speech"):
            break
    child.send_signal(signal.SIGINT)
    _, rest = child.communicate(timeout=60)
    assert child.returncode == 130
    assert rest.count("inished work is kept") == 1
    assert not (tmp_path / "dub.mp4").exists()
    assert main(command(clip, tmp_path, "--json")) == 0
    assert json.loads(capsys.readouterr().out)["reused"] is False
    assert (tmp_path / "dub.mp4").exists()


def test_measuring_a_dub(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A dub is measured from its file and its source alone, with the transcript per line, and reported."""
    assert main(command(clip, tmp_path, "--json")) == 0
    capsys.readouterr()
    arguments = ["measure", str(tmp_path / "dub.mp4"), "--source", str(clip), "--json"]
    extra = ["--transcript", str(clip.with_suffix(".srt")), "--html", str(tmp_path / "page.html")]
    assert main([*arguments, *extra]) == 0
    receipt = json.loads(capsys.readouterr().out)
    assert receipt["line_count"]["total"] == 2
    assert (tmp_path / "page.html").read_text(encoding="utf-8").lstrip().lower().startswith("<!doctype html")


def test_subtitles_of_a_dub(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What a dub speaks can be written from its project, in Spanish, at the times it is spoken."""
    assert main(command(clip, tmp_path, "--json")) == 0
    project = json.loads(capsys.readouterr().out)["project"]
    assert main(["subtitles", project, "--json"]) == 0
    cues = json.loads(capsys.readouterr().out)["cues"]
    assert "iglesia" in cues[0]["text"]
    assert abs(cues[0]["start_ms"] - 700) < 400
