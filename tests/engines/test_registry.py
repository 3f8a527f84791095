"""The registry: finding, loading and building engines, and what it says when it cannot."""

import subprocess
import sys
from importlib.metadata import EntryPoint
from typing import Literal

import pytest
from pydantic import Field

from autodub.engines import registry
from autodub.engines.roles import EngineContext, EngineOptions
from autodub.model.errors import BadOption, EngineCannot, UnknownEngine
from autodub.model.request import ROLES
from autodub.testing.fakes import FAKES, FakeSynthesizer


class Fussy(FakeSynthesizer):
    """A fake with options of every kind."""

    class Options(EngineOptions):
        """All kinds of options."""

        pace: float = Field(1.0, ge=0.5, le=2.0, description="How fast.")
        mode: Literal["fast", "good"] = Field("good", description="How well.")
        gain: float | None = Field(None, gt=-60, lt=0.5, description="How loud.")
        count: int = Field(3, ge=1, description="How many.")
        loud: bool = Field(False, description="Whether loud.")
        name: str = Field(description="Who.")


@pytest.fixture
def context(tmp_path):
    """Nothing but a folder."""
    return EngineContext(secrets={}, models=tmp_path)


@pytest.fixture
def fussy():
    """The fussy synthesizer, registered for the length of the test."""
    with registry.registered("synthesizer", "fussy", Fussy):
        yield


def _build(context, **options):
    return registry.build("synthesizer", "fussy", {"name": "Ana"} | options, context)


def test_every_role_lists_its_engines():
    """The built-in engines are found by entry point, sorted, none twice."""
    for role in ROLES:
        found = registry.names(role)
        assert found == tuple(sorted(set(found)))
    assert "espeak" in registry.names("synthesizer")
    assert {"sphinx", "subtitles", "whisper"} <= set(registry.names("transcriber"))


def test_listing_imports_no_engine():
    """Looking at names loads no engine module and none of their libraries."""
    code = """if True:
        import sys
        from autodub.engines import registry
        from autodub.model.request import ROLES
        engines = {f"autodub.engines.{name}" for role in ROLES for name in registry.names(role)}
        heavy = {"numpy", "scipy", "soundfile", "onnxruntime", "faster_whisper", "pocketsphinx", "pyworld"}
        print(sorted((engines | heavy) & set(sys.modules)))
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_options_are_parsed_from_text(fussy, context):
    """What a user types becomes the engine's options; what is left out has its default."""
    engine = _build(context, pace="1.5", loud="yes", gain="-3", count="7")
    assert engine.options == Fussy.Options(pace=1.5, loud=True, gain=-3.0, count=7, name="Ana", mode="good")
    assert engine.context is context


@pytest.mark.parametrize(
    ("options", "problem", "help_"),
    [
        ({"pac": "1"}, "no option 'pac'", "Did you mean 'pace'"),
        ({"zzz": "1"}, "no option 'zzz'", "pace, mode, gain"),
        ({"pace": "9"}, "pace=9 is not possible", "a number from 0.5 to 2: How fast."),
        ({"pace": "fast"}, "pace=fast", "a number from 0.5 to 2"),
        ({"mode": "best"}, "mode=best", "one of fast, good"),
        ({"gain": "3"}, "gain=3", "a number above -60 and below 0.5"),
        ({"count": "1.5"}, "count=1.5", "a whole number at least 1"),
        ({"loud": "perhaps"}, "loud=perhaps", "true or false"),
    ],
)
def test_bad_options_name_themselves_and_what_there_is(fussy, context, options, problem, help_):
    """An unknown or impossible option says which one, and what may be given."""
    with pytest.raises(BadOption) as caught:
        _build(context, **options)
    assert problem in caught.value.message
    assert help_ in caught.value.hint


def test_a_missing_option_is_named(fussy, context):
    """An option without a default must be given."""
    with pytest.raises(BadOption, match="needs a value for its option name"):
        registry.build("synthesizer", "fussy", {}, context)


def test_options_describe_themselves():
    """Names, kinds and defaults are there for help texts."""
    found = {option.name: (option.kind, option.default) for option in registry.describe_options(Fussy)}
    assert found["pace"] == ("a number from 0.5 to 2", "1.0")
    assert found["gain"] == ("a number above -60 and below 0.5", "none")
    assert found["loud"] == ("true or false", "false")
    assert found["name"] == ("a text", "")


def test_unknown_engines_and_roles_are_suggested():
    """A misspelt name gets the nearest one and the whole list."""
    with pytest.raises(UnknownEngine) as caught:
        registry.load("synthesizer", "espeek")
    assert "Did you mean 'espeak'" in caught.value.hint
    with pytest.raises(UnknownEngine) as caught:
        registry.names("synthesiser")
    assert "Did you mean 'synthesizer'" in caught.value.hint


def test_an_engine_whose_package_is_missing(monkeypatch):
    """An entry point that cannot be imported is the user's to fix, by name."""
    entry = EntryPoint("synthesizer.ghost", "no_such_package_at_all:Ghost", registry.GROUP)
    monkeypatch.setattr(registry, "_installed", lambda: {("synthesizer", "ghost"): entry})
    assert registry.names("synthesizer") == ("ghost",)
    with pytest.raises(EngineCannot, match="no_such_package_at_all") as caught:
        registry.load("synthesizer", "ghost")
    assert "pip install" in caught.value.hint


def test_registering_ends_with_its_block():
    """An engine registered for a block is gone afterwards, and the one it stood in for is back."""
    with registry.registered("synthesizer", "espeak", Fussy):
        with registry.registered("synthesizer", "espeak", FakeSynthesizer):
            assert registry.load("synthesizer", "espeak") is FakeSynthesizer
        assert registry.load("synthesizer", "espeak") is Fussy
    assert "espeak" in registry.names("synthesizer")
    with registry.registered("synthesizer", "fussy", Fussy):
        assert "fussy" in registry.names("synthesizer")
    assert "fussy" not in registry.names("synthesizer")


def test_every_fake_can_be_registered_and_built(context):
    """Fakes are first-class: they are built through the registry like any other engine."""
    for role, fake in FAKES.items():
        with registry.registered(role, "fake", fake):
            engine = registry.build(role, "fake", {}, context)
            assert engine.describe().role == role
