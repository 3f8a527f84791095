"""A film that two languages wait for is separated once, on another machine, whoever is killed meanwhile."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from brokers import Redis
from remote_scene import Scene, until

from autodub.cli import main
from autodub.testing import clips
from autodub.testing.clips import SpokenLine


class Processes:
    """Commands in processes of their own."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self.folder, self._env = folder, env
        self._program = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("remote_program.py")], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ | {"OMP_NUM_THREADS": "1"},
        )  # fmt: skip

    def start(self, machine: Path, *arguments: str) -> int:
        """Run a command on a machine, by its data directory; its process."""
        asked = {
            "env": self._env | {"AUTODUB_DATA_DIR": str(machine)}, "folder": str(self.folder),
            "arguments": arguments,
        }  # fmt: skip
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        self._program.stdin.write(json.dumps(asked) + "\n")
        self._program.stdin.flush()
        return int(self._program.stdout.readline())

    def said(self, process: int) -> str:
        """What it has said so far."""
        return (self.folder / f"said-{process}").read_text()

    def ended(self, process: int) -> int:
        """Its exit code, when it has ended."""
        code = self.folder / f"exit-{process}"
        until(code.exists, lambda: self.said(process))
        return int(code.read_text())

    @property
    def separations(self) -> list[str]:
        """What was done by the separator, by anybody."""
        log = self.folder / "separations"
        return log.read_text().splitlines() if log.exists() else []

    def close(self) -> None:
        """All of them end."""
        self._program.communicate()


@pytest.fixture
def processes(scene: Scene, tmp_path: Path) -> Iterator[Processes]:
    """Commands over one store, one Redis for limits, and the separator elsewhere."""
    redis = Redis(tmp_path)
    folder = tmp_path / "control"
    folder.mkdir()
    limits = {"AUTODUB_PROVIDER_LIMITS": redis.address}
    made = Processes(folder, scene.environ("spectral") | limits)
    yield made
    made.close()
    redis.close()


def test_two_languages_separate_once(
    scene: Scene, processes: Processes, tmp_path: Path
) -> None:  # fmt: skip
    """Two drivers wait for one worker, which is killed; another takes the call up, and it is done once."""
    line = SpokenLine("The old man walked down to the harbour.", 500)
    clip = clips.build([line], out=tmp_path / "clip.mp4", duration=4000)
    (tmp_path / "clip.srt").write_text(clip.srt())
    hold = processes.folder / "hold"
    hold.touch()
    gpu = scene.folder("gpu")
    first, second = (processes.start(gpu, "worker", "--calls", "spectral") for _ in range(2))
    until(lambda: len(scene.rows("SELECT worker FROM call_offers")) == 2 if _has_offers(scene) else False)
    drivers = {
        target: processes.start(
            scene.folder(target), "dub", str(clip.path), "--from", "en", "--to", target,
            "--subtitles", str(tmp_path / "clip.srt"), "--translator", "apertium", "--synthesizer", "espeak",
            "--separator", "spectral", "--output", str(tmp_path / f"{target}.mp4"),
        )
        for target in ("es", "ca")
    }  # fmt: skip
    until(lambda: processes.separations)
    until(lambda: len(scene.rows("SELECT session FROM call_waiters")) == 1)
    busy = int(processes.separations[0].split()[1])
    assert busy in (first, second)
    os.kill(busy, signal.SIGKILL)
    until(lambda: len(processes.separations) == 2)
    hold.unlink()
    assert {target: processes.ended(one) for target, one in drivers.items()} == {"es": 0, "ca": 0}
    other = second if busy == first else first
    assert processes.separations == [f"begins {busy}", f"begins {other}", f"ends {other}"]
    assert scene.rows("SELECT engine, verb FROM answers WHERE verb = 'separate'") == [
        ("separator.spectral", "separate")
    ]
    assert scene.rows("SELECT key FROM calls") == []
    assert "attempt=2" in processes.said(other)
    assert "harbour" not in processes.said(other)
    os.kill(other, signal.SIGTERM)
    assert processes.ended(other) == 0


def _has_offers(place: Scene) -> bool:
    return bool(place.rows("SELECT to_regclass('autodub_store.call_offers')")[0][0])


def test_what_a_worker_cannot_serve_it_says(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    """An engine without weights, none at all, two workers in one: a sentence, and it does not begin."""
    for name, value in scene.environ().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AUTODUB_DATA_DIR", str(scene.folder("worker")))
    found = []
    for arguments in (
        ["--calls", "demucs"],
        ["--calls", " "],
        ["--calls", "demux"],
        ["--calls", "x", "--queues", "gpu"],
    ):
        assert main(["worker", *arguments]) != 0
        found.append(capsys.readouterr().err)
    assert "This worker cannot serve demucs" in found[0]
    assert "names no engine" in found[1]
    assert "Did you mean 'demucs'?" in found[2]
    assert "start both" in found[3]
