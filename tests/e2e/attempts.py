"""The real command line as a person uses it, and what every attempt must leave behind."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autodub.cli import main

LINES = ("The market is near the old church.", "It is a beautiful day.")


def ffmpeg(*arguments: str | Path) -> None:
    """Make a fixture."""
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", *map(str, arguments)], check=True)


def srt(*cues: tuple[str, str, str]) -> str:
    """A SubRip file of ``(start, end, text)``, times as ``1,500`` within the first minute."""
    return "\n".join(
        f"{number}\n00:00:0{start} --> 00:00:0{end}\n{text}\n"
        for number, (start, end, text) in enumerate(cues, 1)
    )


@dataclass(frozen=True)
class Clip:
    """Five seconds with two spoken lines."""

    film: Path
    sound: Path
    """The same without its picture."""
    subtitles: Path


@dataclass(frozen=True)
class Outcome:
    """What a command left on the screen."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """The one JSON object on stdout."""
        assert self.stdout.count("\n") == 1, f"not one line: {self.stdout!r}"
        return json.loads(self.stdout)

    @property
    def error(self) -> dict[str, str]:
        """The error in it."""
        found: dict[str, str] = self.json["error"]
        return found

    @property
    def receipt(self) -> Any:
        """The receipt in it."""
        return self.json["receipt"]

    def reasons(self, what: str) -> list[str]:
        """Why less was done, for one kind of degradation."""
        return [d["reason"] for d in self.receipt["degradations"] if d["what"] == what]


def traces(folder: Path) -> list[str]:
    """Temporary and partial files in a folder."""
    return [p.name for p in folder.iterdir() if p.name.startswith(".") or p.suffix in (".part", ".tmp")]


class Desk:
    """A person at the command line, with an empty folder for outputs."""

    def __init__(self, folder: Path, clip: Clip, data: Path) -> None:
        self.clip, self.data = clip, data
        self.folder = folder
        self.out = folder / "out"
        self.out.mkdir()

    def arguments(
        self,
        source: str | Path,
        *more: str | Path,
        to: str = "es",
        output: str | Path | None = "",
        subtitles: Path | None = None,
        read: bool = True,
        data: Path | None = None,
    ) -> list[str]:
        """A dub of ``source``; ``output=None`` leaves the output to Autodub, ``read=False`` the listening."""
        argv = ["dub", "--to", to, "--data-dir", str(data or self.data)]
        if "--from" not in more:
            argv += ["--from", "en"]
        if read:
            argv += ["--subtitles", str(subtitles or self.clip.subtitles)]
        if output is not None:
            argv += ["-o", str(output or self.out / f"dub{Path(source).suffix or '.mp4'}")]
        return [*argv, *map(str, more), "--", str(source)]

    def run(self, argv: list[str]) -> Outcome:
        """Run a command in this process."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(argv)
        assert "Traceback" not in out.getvalue() + err.getvalue()
        return Outcome(code, out.getvalue(), err.getvalue())

    def dub(self, source: Path, *more: str | Path, **wishes: Any) -> Outcome:
        """A dub that succeeds: whole files, no others, and a source nobody touched."""
        before = state(source)
        outcome = self.run(self.arguments(source, "--json", *more, **wishes))
        assert outcome.code == 0, outcome.stdout + outcome.stderr
        assert state(source) == before
        found = outcome.json
        written = (found["output"], found["project"], found["receipt_path"], found["report"])
        for name in (*written, *found["subtitles"]):
            assert Path(name).stat().st_size > 0
        assert traces(Path(found["output"]).parent) == []
        assert traces(source.parent) == []
        assert found["receipt"]["line_count"]["left_out"] == 0
        return outcome

    def failed(self, source: str | Path, *more: str | Path, code: int, **wishes: Any) -> dict[str, str]:
        """A dub that fails: one sentence, what to do about it, nothing written, nothing touched."""
        path = Path(source)
        before = state(path) if os.path.isfile(path) else None  # noqa: PTH113 - names too long for the system
        there = sorted(self.out.iterdir())
        outcome = self.run(self.arguments(source, "--json", *more, **wishes))
        error = outcome.error
        assert outcome.code == code, error
        assert error["code"] != "internal"
        assert error["message"].rstrip().endswith((".", ")")), error
        assert error["hint"].strip(), error
        assert sorted(self.out.iterdir()) == there
        if before is not None:
            assert state(path) == before
            assert traces(path.parent) == []
        if code == 2:  # told to a person it is the same sentence, on stderr alone
            plain = self.run(self.arguments(source, *more, **wishes))
            assert plain.code == 2
            assert plain.stdout == ""
            told = "".join(plain.stderr.split())  # lines are wrapped to the width of the terminal
            assert "Error:" in told
            assert "".join(error["hint"].split()) in told
        return error


def state(path: Path) -> tuple[str, int]:
    """Content and time of change."""
    return hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns
