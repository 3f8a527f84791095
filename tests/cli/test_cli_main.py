"""Every command from its arguments to its exit code, with the library's place taken by fakes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from autodub.cli import main
from autodub.cli.calls import Calls
from autodub.model.errors import AutodubError, Cancelled, EngineCannot, MediaError, Unreachable
from autodub.model.job import Event
from autodub.model.request import DubRequest
from autodub.model.speech import Segment
from autodub.model.time import Span
from autodub.pipeline.project import LineEntry, Project, Timing, dump


@dataclass
class FakeReceipt:
    """As much of a receipt as the commands touch."""

    def as_dict(self) -> dict[str, Any]:
        return {"verdict": "lead"}


@dataclass
class Library:
    """Records what it was asked, and answers or fails as told."""

    failure: BaseException | None = None
    asked: list[Any] = field(default_factory=list)
    named: dict[str, Any] = field(default_factory=dict)

    def dub(self, request: DubRequest, **named: Any) -> Any:
        self._ask(request, named)
        named["listener"](Event("stage.started", "speak"))
        return SimpleNamespace(
            output=Path("a.es.mp4"), subtitles=(Path("a.es.srt"),), receipt_path=Path("a.es.receipt.json"),
            report=None, project=Path("a.es.project.json"), receipt=FakeReceipt(), reused=False,
        )  # fmt: skip

    def measure(self, dub: Path, **named: Any) -> Any:
        self._ask(dub, named)
        return FakeReceipt()

    def transcribe(self, source: Path, **named: Any) -> tuple[Segment, ...]:
        self._ask(source, named)
        return (Segment(Span(1000, 2500), "Good morning."),)

    def _ask(self, asked: Any, named: dict[str, Any]) -> None:
        self.asked.append(asked)
        self.named = named
        if self.failure is not None:
            raise self.failure

    @property
    def calls(self) -> Calls:
        return Calls(dub=self.dub, measure=self.measure, transcribe=self.transcribe)


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in an empty folder with a data directory of its own: (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AUTODUB_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("AUTODUB_CONFIG", "")
    monkeypatch.delenv("AUTODUB_DEBUG", raising=False)

    def run(*arguments: str, library: Library | None = None) -> tuple[int, str, str]:
        code = main(arguments, calls=library.calls if library else None)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_every_option_reaches_the_request(run: Run) -> None:
    """What was typed is what the library is asked for, nothing more."""
    library = Library()
    code, _, _ = run(
        "dub", "in.mp4", "--to", "es", "--from", "en", "--start", "1:30", "--end", "00:02:00.5",
        "--subtitles", "s.srt", "--speakers", "2", "--transcriber", "sphinx", "--cloner", "matching",
        "--set", "synthesizer.amplitude=50", "--match-voices", "--keep-original-audio",
        "--loudness", "-14", "-o", "out.mkv", "--json", library=library,
    )  # fmt: skip
    assert code == 0
    assert library.asked == [
        DubRequest(
            source="in.mp4", target="es", spoken="en", start=90_000, end=120_500, subtitles="s.srt",
            speakers=2, engines={"transcriber": "sphinx", "cloner": "matching"},
            options={"synthesizer": {"amplitude": "50"}}, match_voices=True, keep_original_audio=True,
            loudness=-14.0, output="out.mkv",
        )
    ]  # fmt: skip


def test_nothing_typed_nothing_decided(run: Run) -> None:
    """Options left out stay open, so that the library's own defaults hold."""
    library = Library()
    run("dub", "--to", "es", "--json", "--", "-odd name.mp4", library=library)
    assert library.asked == [DubRequest(source="-odd name.mp4", target="es")]


def test_json_is_one_object_and_nothing_else(run: Run) -> None:
    """Standard output holds one JSON object; progress goes to standard error."""
    code, out, err = run("dub", "a.mp4", "--to", "es", "--json", library=Library())
    assert code == 0
    assert json.loads(out) == {
        "output": "a.es.mp4", "subtitles": ["a.es.srt"], "project": "a.es.project.json",
        "receipt_path": "a.es.receipt.json", "report": None, "reused": False,
        "receipt": {"verdict": "lead"},
    }  # fmt: skip
    assert out.count("\n") == 1
    assert err == "Speaking ...\n"


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (EngineCannot("No pair en-ja.", hint="Install apertium-en-ja."), 2),
        (Unreachable("The engine hung.", hint="Try again."), 1),
        (MediaError("ffmpeg said no.", log="secret log"), 1),
        (Cancelled("Stopped on request.", hint="Run it again."), 130),
        (AutodubError("Something.", hint=""), 1),
    ],
)
def test_a_failure_is_a_sentence_a_hint_and_a_code(run: Run, failure: AutodubError, code: int) -> None:
    """Errors of ours become sentence, hint and exit code, for people and as JSON; never a traceback."""
    got, out, err = run("dub", "a.mp4", "--to", "es", library=Library(failure))
    assert (got, out) == (code, "")
    assert failure.message in err
    assert failure.hint in err
    assert "Traceback" not in err
    assert "secret log" not in err
    got, out, _ = run("dub", "a.mp4", "--to", "es", "--json", library=Library(failure))
    assert got == code
    assert json.loads(out) == {
        "error": {"code": failure.code, "message": failure.message, "hint": failure.hint}
    }


def test_a_bug_is_not_a_traceback(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error nobody expected is one sentence; the place it happened is shown to whoever asks."""
    broken = Library(KeyError("oops"))
    code, _, err = run("dub", "a.mp4", "--to", "es", library=broken)
    assert code == 1
    assert "KeyError: 'oops'" in err
    assert "Traceback" not in err
    monkeypatch.setenv("AUTODUB_DEBUG", "1")
    _, _, err = run("dub", "a.mp4", "--to", "es", library=broken)
    assert "Traceback" in err


@pytest.mark.parametrize(
    "arguments",
    [
        ("dub",),
        ("dub", "a.mp4"),
        ("dub", "a.mp4", "--to", "es", "--start", "soon"),
        ("dub", "a.mp4", "--to", "es", "--speakers", "0"),
        ("dub", "a.mp4", "--to", "es", "--set", "nonsense"),
        ("dub", "a.mp4", "--to", "es", "--bogus"),
        ("nonsense",),
        ("measure", "a.mp4"),
        ("measure", "a.mp4", "--source", "b.mp4", "--html", "absent/report.html"),
        ("cache", "prune"),
        ("cache", "prune", "--older-than", "ever"),
        ("engines", "fetch", "transcriber.nobody"),
        ("engines", "fetch", "elevenlabs"),
        ("subtitles", "absent.project.json"),
    ],
)
def test_wrong_commands(run: Run, arguments: tuple[str, ...]) -> None:
    """A command that cannot be meant ends with code 2 and one error, as JSON where JSON was asked for."""
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("Error: ")
    code, out, _ = run(*arguments, "--json")
    assert code == 2
    assert set(json.loads(out)["error"]) == {"code", "message", "hint"}


@pytest.mark.parametrize("arguments", [(), ("cache",)])
def test_a_command_by_itself_is_a_question(run: Run, arguments: tuple[str, ...]) -> None:
    """A group without a command prints its help, as it is, and that is no error."""
    code, out, err = run(*arguments)
    assert (code, err) == (0, "")
    assert out.startswith("Usage: ")
    assert "\\n" not in out
    assert "\n  prune" in out or "\n  dub" in out


def test_summaries_of_commands_are_whole(run: Run) -> None:
    """No command's line in the help is cut off."""
    for group in ([], ["cache"], ["engines"]):
        _, out, _ = run(*group, "--help")
        assert "..." not in out.split("Commands:")[1]


def test_an_engine_named_without_its_role(run: Run) -> None:
    """The name alone will do where it is one engine; else the whole names are told."""
    _, _, err = run("engines", "fetch", "sphinx")
    assert "The transcriber sphinx has nothing to download." in err
    _, _, err = run("engines", "fetch", "elevenlabs")
    assert "Did you mean synthesizer.elevenlabs or cloner.elevenlabs?" in " ".join(err.split())
    _, _, err = run("engines", "install", "sphinx")
    assert "needs no environment of its own" in " ".join(err.split())
    _, _, err = run("engines", "fetch", "nobody")
    assert "Run `autodub engines` to see them." in err


def test_long_errors_are_broken_at_blanks_and_commands_are_not(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sentences fit 80 columns; a command to type keeps its line, however long."""
    monkeypatch.setenv("COLUMNS", "80")
    install = "sudo apt-get install " + " ".join(f"apertium-long-name-{n}" for n in range(8))
    failure = EngineCannot("word " * 40 + "end.", hint=f"Install it: {install} Or: give subtitles.")
    _, _, err = run("dub", "x", "--to", "es", library=Library(failure))
    lines = err.splitlines()
    assert f"  {install}" in lines
    assert "Install it:" in lines
    assert "Or: give subtitles." in lines
    assert all(len(line) <= 80 for line in lines if "apt-get" not in line)
    assert " ".join(err.split()).startswith("Error: " + "word " * 40 + "end.")


@pytest.mark.parametrize("command", [("dub", "a.mp4", "--to", "es"), ("cache", "show")])
def test_a_data_directory_that_cannot_be(run: Run, tmp_path: Path, command: tuple[str, ...]) -> None:
    """A data directory that cannot be made is a sentence about it."""
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file" / "x", Path("/proc/x")):
        code, _, err = run(*command, "--data-dir", str(place))
        assert code == 2
        assert "data directory" in err
        assert "--data-dir" in err


def test_threads_of_the_numeric_library_are_few(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads that would only wait are not started, unless somebody wants them."""
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    run("cache", "show")
    assert (os.environ.pop("OPENBLAS_NUM_THREADS"), os.environ["OMP_NUM_THREADS"]) == ("1", "3")


def test_hostile_file_names_in_errors(run: Run) -> None:
    """A name full of control characters cannot act on the terminal it is printed on."""
    failure = EngineCannot("\x1b[2J\nname.mp4 cannot be read.", hint="\x07")
    _, _, err = run("dub", "x", "--to", "es", library=Library(failure))
    assert "\x1b[2J" not in err
    assert "\\x1b[2J\\nname.mp4" in err
    assert "\x07" not in err


def test_interrupt_outside_a_dub(run: Run) -> None:
    """Ctrl-C where nothing can be kept still ends with a sentence and 130."""
    code, _, err = run("measure", "a.mp4", "--source", "b.mp4", library=Library(KeyboardInterrupt()))
    assert code == 130
    assert "Stopped" in err


def test_help_needs_no_heavy_import() -> None:
    """Asking for help does not load numpy, an engine, the database or rich."""
    script = (
        "import sys; from autodub.cli import main; main(['--help']);"
        "sys.exit(any(m in sys.modules for m in ('numpy', 'scipy', 'sqlalchemy', 'rich', 'pydantic')))"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, check=False).returncode == 0


def test_output_nobody_reads(tmp_path: Path) -> None:
    """A reader that goes away early leaves no traceback."""
    command = f"{sys.executable} -m autodub engines --json --data-dir {tmp_path} | true"
    done = subprocess.run(["bash", "-c", command], capture_output=True, check=False, timeout=60)
    assert b"Traceback" not in done.stderr
    assert b"Exception" not in done.stderr


_STOPPABLE = """
import sys, time
from autodub.cli import main
from autodub.cli.calls import Calls
def dub(request, *, cancel, **_):
    print("ready", flush=True)
    for _ in range(600):
        {check}
        time.sleep(0.05)
sys.exit(main(["dub", "a.mp4", "--to", "es"], calls=Calls(dub=dub)))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_cleanly(number: signal.Signals, tmp_path: Path) -> None:
    """The first Ctrl-C or SIGTERM asks the dub to stop, says so, and ends with 130."""
    environment = {**os.environ, "AUTODUB_DATA_DIR": str(tmp_path)}
    script = _STOPPABLE.format(check="cancel.check()")
    child = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    )
    assert child.stdout is not None
    child.stdout.readline()
    child.send_signal(number)
    _, err = child.communicate(timeout=30)
    assert child.returncode == 130
    assert err.count(b"inished work is kept") == 1
    assert err.count(b"Stopp") == 2
    assert b"Error" not in err


def test_a_second_signal_kills(tmp_path: Path) -> None:
    """A dub that does not listen is killed by the second Ctrl-C."""
    environment = {**os.environ, "AUTODUB_DATA_DIR": str(tmp_path)}
    child = subprocess.Popen(
        [sys.executable, "-c", _STOPPABLE.format(check="pass")],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment,
    )  # fmt: skip
    assert child.stdout is not None
    assert child.stderr is not None
    child.stdout.readline()
    child.send_signal(signal.SIGINT)
    assert b"Stopping" in child.stderr.readline()
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=30)
    assert child.returncode == -signal.SIGINT


def test_measure_hands_on_what_was_typed(run: Run) -> None:
    """Dub, source and transcript reach the library as paths."""
    library = Library()
    code, out, _ = run(
        "measure", "d.mp4", "--source", "s.mp4", "--transcript", "t.srt", "--json", library=library
    )
    assert (code, json.loads(out)) == (0, {"verdict": "lead"})
    assert library.asked == [Path("d.mp4")]
    assert library.named["source"] == Path("s.mp4")
    assert library.named["transcript"] == Path("t.srt")


def test_subtitles_of_a_recording(run: Run, tmp_path: Path) -> None:
    """What is recognised comes as SRT on standard output, or in the format the name asks for."""
    library = Library()
    code, out, _ = run("subtitles", "talk.wav", "--from", "en", library=library)
    assert code == 0
    assert "00:00:01,000 --> 00:00:02,500\nGood morning." in out
    assert library.named["spoken"] == "en"
    run("subtitles", "talk.wav", "-o", "talk.vtt", library=library)
    assert (tmp_path / "talk.vtt").read_text().startswith("WEBVTT")


def project(tmp_path: Path) -> Path:
    """A project file with a timed line, an untimed one and one kept in the original."""
    entries = [
        LineEntry(
            id="L0001", speaker="S1", start_ms=1000, end_ms=2000, source="Hello.", text="Hola.",
            timing=Timing(start_ms=1100, end_ms=2200, native_rate=1.0, stretch=1.0),
        ),
        LineEntry(id="L0002", speaker="S2", start_ms=3000, end_ms=4000, source="Yes.", text="Sí."),
        LineEntry(
            id="L0003", speaker="S1", start_ms=5000, end_ms=6000, source="No.", text="No es.",
            keep_original=True,
        ),
        LineEntry(id="L0004", speaker="S1", start_ms=7000, end_ms=8000, source="Hm.", text=" "),
    ]  # fmt: skip
    path = tmp_path / "a.es.project.json"
    made = Project(source="a.mp4", source_sha256="0" * 64, spoken="en", target="es", lines=entries)
    path.write_text(dump(made), encoding="utf-8")
    return path


def test_subtitles_of_a_project(run: Run, tmp_path: Path) -> None:
    """A project gives what the dub speaks where it speaks it; or its source's text, at its source's times."""
    path = str(project(tmp_path))
    _, out, _ = run("subtitles", path, "--json")
    cues = json.loads(out)["cues"]
    assert [(cue["start_ms"], cue["text"]) for cue in cues] == [(1100, "Hola."), (3000, "Sí."), (5000, "No.")]
    _, out, _ = run("subtitles", path, "--original", "--json")
    cues = json.loads(out)["cues"]
    assert (cues[0]["start_ms"], cues[0]["text"]) == (1000, "Hello.")


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"format": 3}', "\ufeff\x00"])
def test_subtitles_of_a_broken_project(run: Run, tmp_path: Path, text: str) -> None:
    """A project that is none is refused with a sentence that names it."""
    path = tmp_path / "b.project.json"
    path.write_text(text, encoding="utf-8")
    code, _, err = run("subtitles", str(path))
    assert code == 2
    assert "b.project.json" in err


def test_subtitles_into_no_folder(run: Run, tmp_path: Path) -> None:
    """A folder that does not exist is named, and nothing is written."""
    code, _, err = run("subtitles", str(project(tmp_path)), "-o", "absent/x.srt")
    assert code == 2
    assert "absent does not exist" in err


def test_the_cache_from_empty_to_cleared(run: Run, tmp_path: Path) -> None:
    """An empty store shows as empty; prune and clear report what went."""
    code, out, _ = run("cache", "show", "--json")
    assert code == 0
    assert json.loads(out)["answers"] == 0
    assert json.loads(out)["folder"] == str(tmp_path / "data")
    _, out, _ = run("cache", "prune", "--older-than", "30d", "--max-size", "1GB", "--json")
    assert json.loads(out) == {"answers": 0, "files": 0, "bytes": 0}
    code, out, _ = run("cache", "clear", "--data-dir", str(tmp_path / "other"))
    assert code == 0
    assert str(tmp_path / "other") in out
