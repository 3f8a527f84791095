"""What ``autodub engines`` and ``autodub doctor`` find and show."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import Field

from autodub.cli import main, survey
from autodub.engines import registry
from autodub.engines.roles import EngineContext, EngineOptions, Info, Readiness, Work
from autodub.infra.settings import Settings, load
from autodub.model.errors import EngineCannot
from autodub.pipeline import catalogue


class Weighty:
    """A translator whose weights are a file in the models folder; ``fetch`` writes it."""

    class Choices(EngineOptions):
        """Its options."""

        size: int = Field(default=1, ge=1, le=3, description="How large.")

    Options: ClassVar[type[EngineOptions]] = Choices

    def __init__(self, options: EngineOptions, context: EngineContext) -> None:
        self.options = options
        self._weights = context.models / "weighty.bin"

    @classmethod
    def describe(cls) -> Info:
        return Info("weighty", "translator", "1", "a translator with weights", frozenset({"es", "en"}))

    def readiness(self) -> Readiness:
        if self._weights.exists():
            return Readiness("ready", "its weights are here")
        return Readiness("needs download", "no weights", "autodub engines fetch translator.weighty")

    def fetch(self, work: Work) -> None:
        work.progress(0.5, "half")
        self._weights.parent.mkdir(parents=True, exist_ok=True)
        self._weights.write_bytes(b"weights")


class Plain(Weighty):
    """A translator that has nothing to fetch."""

    fetch = None  # type: ignore[assignment]


class Unbuildable(Weighty):
    """A translator that cannot be built without a key."""

    def __init__(self, options: EngineOptions, context: EngineContext) -> None:
        raise EngineCannot("It wants a library.", hint="Install the library.")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of nobody's environment."""
    return load(environ={}, data_dir=tmp_path / "data")


@pytest.fixture
def weighty(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """An engine that needs a download, for the length of a test."""
    monkeypatch.setenv("AUTODUB_DATA_DIR", str(tmp_path / "data"))
    with registry.registered("translator", "weighty", Weighty):
        yield


def state(settings: Settings, name: str) -> catalogue.EngineState:
    """The state of the engine of that name."""
    return next(s for s in catalogue.engines(settings) if s.name == name)


@pytest.mark.usefixtures("weighty")
def test_an_engine_tells_its_state_and_fix(settings: Settings) -> None:
    """State, fix, languages and options of an engine are listed as the engine declares them."""
    found = state(settings, "weighty")
    assert found.readiness.state == "needs download"
    assert found.readiness.fix == "autodub engines fetch translator.weighty"
    assert found.languages == ("en", "es")
    assert [option.name for option in found.options] == ["size"]


def test_an_engine_that_cannot_be_built_is_listed(settings: Settings) -> None:
    """One broken engine does not hide the others; it is listed with the reason."""
    with registry.registered("translator", "broken", Unbuildable):
        found = state(settings, "broken")
    assert found.readiness == Readiness("not installed", "It wants a library.", "Install the library.")


@pytest.mark.usefixtures("weighty")
def test_fetching_makes_an_engine_ready(capsys: pytest.CaptureFixture[str], settings: Settings) -> None:
    """``engines fetch`` downloads what is missing and says that the engine is ready."""
    assert main(["engines", "fetch", "translator.weighty"]) == 0
    assert capsys.readouterr().out == "translator.weighty is ready.\n"
    assert state(settings, "weighty").is_ready
    assert main(["engines", "--json"]) == 0
    listed = {e["name"]: e for e in json.loads(capsys.readouterr().out)["engines"]}
    assert listed["weighty"]["state"] == "ready"


@pytest.mark.usefixtures("weighty")
def test_fetching_what_cannot_be_fetched(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An engine without weights, a bad option, and a machine that is offline each get their sentence."""
    with registry.registered("translator", "plain", Plain):
        assert main(["engines", "fetch", "translator.plain"]) == 2
    assert "nothing to download" in capsys.readouterr().err
    assert main(["engines", "fetch", "translator.weighty", "--set", "size=9"]) == 2
    assert "from 1 to 3" in capsys.readouterr().err
    monkeypatch.setenv("AUTODUB_OFFLINE", "1")
    assert main(["engines", "fetch", "translator.weighty"]) == 2
    assert "offline" in capsys.readouterr().err


@pytest.mark.usefixtures("weighty")
def test_the_table_names_state_and_fix(capsys: pytest.CaptureFixture[str]) -> None:
    """The table shows every role's engines, and below it the command that makes one ready."""
    assert main(["engines"]) == 0
    shown = capsys.readouterr().out
    assert "needs download" in shown
    assert "autodub engines fetch translator.weighty" in shown


def test_a_missing_program_makes_the_machine_unfit(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without ffmpeg no dub can be made, and the Debian package is named; without Apertium some can."""
    monkeypatch.setenv("PATH", str(tmp_path))
    examination = survey.examine(settings)
    checks = {check.name: check for check in examination.checks}
    assert not examination.is_fit
    assert checks["ffmpeg"].state == "missing"
    assert "apt-get install ffmpeg" in checks["ffmpeg"].fix
    assert checks["apertium"].state == "warning"


def test_a_program_that_does_not_start(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A program that is there but broken is told from one that is not there."""
    broken = tmp_path / "espeak-ng"
    broken.write_text("#!/bin/sh\necho lost library >&2\nexit 127\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{Path(shutil.which('sh') or '/bin/sh').parent}")
    check = next(c for c in survey.examine(settings).checks if c.name == "espeak-ng")
    assert check.state == "warning"
    assert "does not start" in check.detail


def test_programs_of_this_machine(settings: Settings) -> None:
    """On a machine that is set up, programs show their versions and Apertium its pairs."""
    checks = {check.name: check for check in survey.examine(settings).checks}
    assert checks["ffmpeg"].state == checks["ffprobe"].state == "ok"
    assert checks["ffmpeg"].detail[0].isdigit()
    assert "aac" in checks["ffmpeg encoders"].detail
    assert "eng-spa" in checks["apertium"].detail
    assert "GB free" in checks["data directory"].detail


def test_a_data_directory_under_a_file(tmp_path: Path) -> None:
    """A data directory that cannot exist is reported, not crashed upon."""
    blocker = tmp_path / "file"
    blocker.write_text("")
    examination = survey.examine(load(environ={}, data_dir=blocker / "data"))
    check = next(c for c in examination.checks if c.name == "data directory")
    assert check.state == "missing"


def test_keys_are_never_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The doctor shows that a key is set and where it came from, and nothing of the key."""
    monkeypatch.setenv("DEEPGRAM_API_KEY", "dg-very-secret-value")
    monkeypatch.setenv("AUTODUB_DATADIR", "misspelt")
    for arguments in (["doctor"], ["doctor", "--json"]):
        main([*arguments, "--data-dir", str(tmp_path)])
        shown = capsys.readouterr().out
        assert "very-secret" not in shown
        assert "DEEPGRAM_API_KEY" in shown
        assert "AUTODUB_DATADIR" in shown
    found: dict[str, Any] = json.loads(shown)
    rows = {row["name"]: row for row in found["settings"]}
    assert rows["data_dir"]["origin"] == "command line"
    assert rows["DEEPGRAM_API_KEY"] == {"name": "DEEPGRAM_API_KEY", "value": "***", "origin": "environment"}


class Pairwise(Weighty):
    """A translator that needs nothing, of two directions."""

    def readiness(self) -> Readiness:
        return Readiness("ready", "always")

    def pairs(self) -> dict[str, tuple[str, ...]]:
        return {"en": ("es",), "qaa": ("en",)}


def test_languages_of_what_is_ready(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Languages are listed by what can be done with them; engines that are not ready do not count."""
    monkeypatch.setenv("COLUMNS", "80")
    arguments = ["languages", "--data-dir", str(tmp_path)]
    with (
        registry.registered("translator", "weighty", Weighty),
        registry.registered("translator", "pairwise", Pairwise),
    ):
        assert main([*arguments, "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert main(arguments) == 0
        shown = capsys.readouterr().out
    translators = {entry["engine"]: entry for entry in found["translated"]}
    assert "weighty" not in translators
    assert translators["pairwise"]["pairs"] == {"en": ["es"], "qaa": ["en"]}
    assert {"engine": "sphinx", "languages": ["en"]} in found["recognised"]
    assert "fi" in next(entry["languages"] for entry in found["spoken"] if entry["engine"] == "espeak")
    assert "    English to Spanish (es)\n" in shown
    assert "  sphinx: English (en)\n" in shown
    assert "Finnish (fi)" in shown
    assert all(len(line) <= 80 and line == line.rstrip() for line in shown.splitlines())


def test_voices_to_choose_from(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Every stock voice of a language is listed with gender and pitch, by the id a project file takes."""
    assert main(["voices", "--to", "Spanish", "--json", "--data-dir", str(tmp_path)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["synthesizer"], found["language"]) == ("espeak", "es")
    assert {"id": "standard", "gender": "male", "pitch_hz": 102.0} in found["voices"]
    assert {voice["gender"] for voice in found["voices"]} == {"male", "female"}
    assert main(["voices", "--to", "es", "--synthesizer", "espeak", "--data-dir", str(tmp_path)]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["standard", "male", "102", "Hz"] in rows


def test_voices_of_nobody(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A language nobody speaks, and a synthesizer there is not, are each said with what to do."""
    place = ["--data-dir", str(tmp_path)]
    assert main(["voices", "--to", "bo", *place]) == 2
    assert "autodub languages" in capsys.readouterr().err
    assert main(["voices", "--to", "es", "--synthesizer", "nobody", *place]) == 2
    assert "espeak" in capsys.readouterr().err


def test_a_healthy_machine_is_told_in_short(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The doctor counts the engines that are ready and spells out the others only."""
    main(["doctor", "--data-dir", str(tmp_path)])
    shown = capsys.readouterr().out
    assert "engines are ready (autodub engines lists them)." in shown
    assert "Learns the background" not in shown
    assert all(line == line.rstrip() for line in shown.splitlines())


def test_the_doctor_says_who_could_read_the_keys(tmp_path: Path) -> None:
    """A file that is open to others and an address without encryption are warned of, and nothing else is."""
    file = tmp_path / "config.toml"
    file.write_text(
        '[secrets]\nOPENAI_API_KEY = "sk-secret-value"\n[endpoints]\n'
        'OPENAI_BASE_URL = "http://models.example:8000/v1"\nDEEPGRAM_BASE_URL = "http://127.0.0.1:9"\n'
        'ELEVENLABS_BASE_URL = "https://voices.example"\n'
    )
    file.chmod(0o644)

    def warned() -> dict[str, str]:
        found = survey.examine(load(environ={"AUTODUB_CONFIG": str(file)}, data_dir=tmp_path / "data"))
        assert "sk-secret-value" not in repr(found)
        return {
            check.name: check.fix
            for check in found.checks
            if "KEY" in check.name or check.name.endswith(("keys", "URL"))
        }

    assert warned() == {
        "keys": f"Do this once: chmod 600 {file}",
        "OPENAI_BASE_URL": "Use an address that begins with https://.",
    }
    file.chmod(0o600)
    assert list(warned()) == ["OPENAI_BASE_URL"]


def test_the_doctor_asks_about_a_key_that_is_nearly_known(tmp_path: Path) -> None:
    """A misspelt key is warned of with the name that was meant; a name of one's own is not."""
    file = tmp_path / "config.toml"
    file.write_text('[secrets]\nDEEPGRAM_KEY = "dg-secret"\nMY_TOKEN = "m"\nOPENAI_API_KEY = "o"\n')
    file.chmod(0o600)
    found = survey.examine(load(environ={"AUTODUB_CONFIG": str(file)}, data_dir=tmp_path / "data"))
    named = [c for c in found.checks if c.name in ("DEEPGRAM_KEY", "MY_TOKEN", "OPENAI_API_KEY")]
    assert [(c.state, c.fix) for c in named] == [("warning", "Did you mean DEEPGRAM_API_KEY?")]
    assert "dg-secret" not in repr(found)


def test_the_doctor_breaks_no_address(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A setting stands on its line in one piece, however narrow the terminal; its origin may follow below."""
    address = "http://127.0.0.1:43210/a-rather-long-mount-point/that-does-not-fit/deepgram"
    monkeypatch.setenv("DEEPGRAM_BASE_URL", address)
    monkeypatch.setenv("COLUMNS", "60")
    main(["doctor", "--data-dir", str(tmp_path)])
    lines = capsys.readouterr().out.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("DEEPGRAM_BASE_URL"))
    assert lines[at].split() == ["DEEPGRAM_BASE_URL", address]
    assert lines[at + 1].strip() == "(environment)"
