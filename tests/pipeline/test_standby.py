"""Who takes over when an engine is down, and when nobody may."""

from __future__ import annotations

from typing import Any

import pytest

from autodub.engines import registry
from autodub.engines.roles import Info
from autodub.model.errors import NoCredit, Refused, Unreachable
from autodub.model.speech import Transcript
from autodub.testing.fakes import FakeSynthesizer, FakeTranscriber, FakeTranslator
from autodub.testing.script import Give, Script


def _down() -> Script:
    """Never an answer."""
    return Script([Unreachable("no answer") for _ in range(400)])


def _away(kind: type[Any], name: str, script: Script) -> type[Any]:
    """The first choice of its role, doing what the script says; waits for nothing."""

    class Away(kind):  # type: ignore[misc,valid-type]
        def __init__(self, options: Any, context: Any) -> None:
            super().__init__(options, context, script=script)

        @classmethod
        def describe(cls) -> Info:
            return Info(name, kind.role, "1", "", needs_weights=True)

    return Away


def _auto(stage, role):
    return {name: engine for name, engine in stage.engines.items() if name != role}


@pytest.mark.parametrize(
    ("role", "kind"),
    [("transcriber", FakeTranscriber), ("translator", FakeTranslator), ("synthesizer", FakeSynthesizer)],
)
def test_the_next_engine_takes_over_for_the_whole_dub(stage, role, kind, monkeypatch):
    """An engine that does not answer is replaced once, announced, for every line."""
    script = _down()
    with registry.registered(role, "aaa", _away(kind, "aaa", script)):
        monkeypatch.setattr(registry, "names", _only(role, ("aaa", "fake")))
        dubbed = stage.dub(engines=_auto(stage, role))
    told = [d for d in dubbed.receipt.as_dict()["degradations"] if d["what"] == role]
    assert len(told) == 1
    assert "fake" in told[0]["message"]
    assert "aaa" in told[0]["message"]
    assert dubbed.receipt.as_dict()["engines"]
    assert stage.asked(role)
    voices = {line["voice"] for line in dubbed.receipt.as_dict()["lines"] if line.get("voice")}
    assert all("aaa" not in voice for voice in voices)


def test_an_engine_that_was_named_is_never_replaced(stage, monkeypatch):
    """Whoever names an engine gets that one or an error."""
    stage.scripts["translator"] = _down()
    with pytest.raises(Unreachable):
        stage.dub()


@pytest.mark.parametrize("error", [NoCredit("empty"), Refused("wrong key")])
def test_an_empty_account_and_a_wrong_key_stop_the_dub(stage, error, monkeypatch):
    """What the user can mend is not answered by doing less well."""
    script = Script([type(error)("no") for _ in range(50)])
    with registry.registered("synthesizer", "aaa", _away(FakeSynthesizer, "aaa", script)):
        monkeypatch.setattr(registry, "names", _only("synthesizer", ("aaa", "fake")))
        with pytest.raises(type(error)):
            stage.dub(engines=_auto(stage, "synthesizer"))
    assert not stage.asked("synthesizer")


def test_nothing_understood_is_no_engine_that_is_down(stage, monkeypatch):
    """An answer without words stands, and nobody else is asked."""
    script = Script([Give(Transcript("en", ()))])
    with registry.registered("transcriber", "aaa", _away(FakeTranscriber, "aaa", script)):
        monkeypatch.setattr(registry, "names", _only("transcriber", ("aaa", "fake")))
        dubbed = stage.dub(engines=_auto(stage, "transcriber"))
    assert dubbed.receipt.as_dict()["line_count"] in (0, {"total": 0}) or not stage.asked("transcriber")
    assert not stage.asked("transcriber")


def _only(role: str, known: tuple[str, ...]):
    """Only these engines for a role, so that nothing of this machine takes part."""
    real = registry.names
    return lambda asked: known if asked == role else real(asked)
