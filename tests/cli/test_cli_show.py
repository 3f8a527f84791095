"""Receipts and dubs on a terminal and as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from autodub.cli import show_dub, show_receipt
from autodub.model.job import Degradation
from autodub.quality.facts import EngineFact, StageFact
from autodub.quality.figures import Figure, undefined
from autodub.quality.receipt import Curves, Durations, LineCount, Method, Receipt, judge, verdict
from autodub.quality.risk import FlaggedLine


def receipt(*figures: Figure, **changes: Any) -> Receipt:
    """A receipt with these figures."""
    metrics = judge(figures)
    reached, summary = verdict(metrics)
    values: dict[str, Any] = {
        "source": "a.mp4", "dub": "a.es.mp4", "source_language": "en", "target_language": "es",
        "verdict": reached, "summary": summary,
        "durations": Durations(
            source_ms=1000, output_ms=1000, difference_ms=0, difference_picture_frames=0.0,
            source_samples=48000, output_samples=48000, sample_rate_hz=48000, sound_equal=True,
            picture_copied=True,
        ),
        "line_count": LineCount(total=3, spoken=2, kept_original=1, left_out=0, heard=2),
        "metrics": metrics, "undefined": {}, "violations": (), "flagged": (),
        "degradations": (Degradation("voice", "one stock voice speaks for all", "nobody was told apart"),),
        "engines": (EngineFact("translator", "apertium", "3.8", why="ready"),),
        "stages": (StageFact("speak", 12.4), StageFact("render", 0.4)),
        "calls": (), "costs": (), "notes": ("Two subtitles had no text.",),
        "method": Method(stem="residue", detector="silero", delay_samples=0, residue_db=-60.0),
        "lines": (), "curves": Curves((), (), 1000, (), ()),
    }  # fmt: skip
    return Receipt(**{**values, **changes})


def shown(value: Receipt, capsys: pytest.CaptureFixture[str]) -> str:
    """What is printed, without line wrapping."""
    show_receipt.show(value)
    return capsys.readouterr().out


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("FORCE_COLOR", raising=False)


def test_headline_figures_are_defined() -> None:
    """Every figure on the terminal is one that receipts have."""
    from autodub.quality.definitions import DEFINITIONS

    assert set(show_receipt.HEADLINES) <= set(DEFINITIONS)


def test_a_receipt_tells_lines_engines_reasons_and_times(capsys: pytest.CaptureFixture[str]) -> None:
    """Lines, engines with the reason, degradations with the reason, notes and stage times are printed."""
    text = shown(receipt(), capsys)
    assert "2 of 3 lines spoken, 1 kept in the original" in text
    assert "translator: apertium\n" in text
    assert "one stock voice speaks for all: nobody was told apart" in text
    assert "Two subtitles had no text." in text
    assert "speak 12 s, render 0.4 s" in text


def test_lines_worth_a_listen_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    """The riskiest few by name, and how many more there are."""
    flags = tuple(FlaggedLine(f"L{n:04}", 0.5, ("Late.",)) for n in range(1, 8))
    assert "7 worth a listen: L0001, L0002, L0003, L0004, L0005 and 2 more" in shown(
        receipt(flagged=flags), capsys
    )
    assert "1 worth a listen: L0001" in shown(receipt(flagged=flags[:1]), capsys)


def test_a_stranger_s_lines_are_heard_not_spoken(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a record of its making nobody knows what a dub was to say: only what is heard."""
    assert "2 of 3 lines heard" in shown(receipt(engines=()), capsys)
    none = LineCount(total=0, spoken=0, kept_original=0, left_out=0, heard=0)
    assert "0 of 0" not in shown(receipt(engines=(), line_count=none), capsys)


def test_figures_are_shown_with_unit_and_bound(capsys: pytest.CaptureFixture[str]) -> None:
    """A share is a percentage, a measure has its unit, and what is asked stands beside it."""
    figures = (
        Figure("T1.file", 0.8125, "ratio"), Figure("T9.natural", 0.9, "share"), Figure("B1", -94.25, "dB"),
        Figure("T18", 2.0, "violations"), Figure("M5.loudness", 0.05, "LU"),
    )  # fmt: skip
    lines = {
        line.split("[")[-1].split("]")[0]: line for line in shown(receipt(*figures), capsys).splitlines()
    }
    assert "0.81" in lines["T1.file"]
    assert "at least 0.73" in lines["T1.file"]
    assert "90 %" in lines["T9.natural"]
    assert "-94.2 dB" in lines["B1"]
    assert lines["T18"].split()[-4:] == ["2", "at", "most", "0"]
    assert "0.05 LU" in lines["M5.loudness"]


def test_a_figure_that_could_not_be_measured_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    """No number is invented: a dash, and each reason once below the table."""
    why = "no background was made"
    text = shown(receipt(undefined("B1", "dB", why), undefined("B2", "dB", why)), capsys)
    lines = {line.split("[")[-1].split("]")[0]: line for line in text.splitlines()}
    assert lines["B1"].split("]")[1].split()[0] == lines["B2"].split("]")[1].split()[0] == "-"
    assert text.count(why) == 1
    assert f"Not measured: B1, B2 ({why})." in text


def test_the_terminal_is_not_overrun(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On 80 columns no line is longer or ends in blanks, and no time is torn from its unit."""
    monkeypatch.setenv("COLUMNS", "80")
    stages = tuple(StageFact(f"stage{number}", 60.0 + number) for number in range(12))
    notes = ("a long reason " * 12 + "ends here.",)
    figures = (Figure("T1.file", 0.8, "ratio"), undefined("B2", "dB", "nothing " * 30))
    text = shown(receipt(*figures, stages=stages, notes=notes), capsys)
    for line in text.splitlines()[1:]:
        assert len(line) <= 80
        assert line == line.rstrip()
    for number in range(12):
        assert f"stage{number} 1 min {number:02d} s" in text


def test_hostile_names_in_a_receipt(capsys: pytest.CaptureFixture[str]) -> None:
    """Names and reasons from outside cannot act on the terminal, nor on its markup."""
    text = shown(receipt(dub="\x1b[31m[bold]x", notes=("\x1b[2J[red]note",)), capsys)
    assert "\x1b" not in text
    assert "\\x1b[31m[bold]x" in text
    assert "\\x1b[2J[red]note" in text


def dubbed(tmp_path: Path, **changes: Any) -> Any:
    """A finished dub."""
    return SimpleNamespace(**{
        "output": tmp_path / "a.es.mp4", "subtitles": (tmp_path / "a.es.srt", tmp_path / "a.es.vtt"),
        "receipt_path": tmp_path / "a.es.receipt.json", "report": tmp_path / "a.es.report.html",
        "project": tmp_path / "a.es.project.json", "receipt": receipt(Figure("T1.file", 0.8, "ratio")),
        "reused": False, **changes,
    })  # fmt: skip


def test_a_dub_tells_where_its_files_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every file that was written is named with its whole path, on a line of its own."""
    show_dub.show(dubbed(tmp_path))
    lines = capsys.readouterr().out.splitlines()
    for name in (
        "a.es.mp4",
        "a.es.srt",
        "a.es.vtt",
        "a.es.receipt.json",
        "a.es.report.html",
        "a.es.project.json",
    ):
        assert any(line.endswith(str(tmp_path / name)) for line in lines)


def test_a_dub_of_which_nothing_changed_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A second run says so, shows no times of the first, and names no absent files."""
    show_dub.show(dubbed(tmp_path, reused=True, report=None))
    text = capsys.readouterr().out
    assert "Nothing to do anew since the last run" in text
    assert "render 0.4 s" not in text
    assert "Report" not in text


def test_a_dub_as_json(tmp_path: Path) -> None:
    """The JSON holds the paths and the whole receipt, and nothing that is not JSON."""
    value = show_dub.as_json(dubbed(tmp_path))
    assert json.loads(json.dumps(value, allow_nan=False)) == value
    assert value["receipt"]["metrics"][0]["id"] == "T1.file"
    assert value["output"] == str(tmp_path / "a.es.mp4")
