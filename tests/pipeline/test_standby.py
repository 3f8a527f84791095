"""Who takes over when an engine is down, and when nobody may."""

from __future__ import annotations

import json
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import pytest

from autodub.dubbing.cost import Estimate, Expected
from autodub.dubbing.prices import load
from autodub.engines import registry
from autodub.engines.roles import Info
from autodub.model.errors import CircuitOpen, NoCredit, QuotaExceeded, Refused, TooLong, Unreachable
from autodub.model.language import Language
from autodub.model.request import DubRequest
from autodub.model.speech import Transcript
from autodub.pipeline import standby
from autodub.pipeline.choosing import Chosen
from autodub.pipeline.plan import Plan
from autodub.pipeline.policy import Anything
from autodub.pipeline.run import Run
from autodub.testing.fakes import FakeCloner, FakeSynthesizer, FakeTranscriber, FakeTranslator
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


def _own(script: Script, *, of: str) -> type[Any]:
    """A cloner whose voices belong to the synthesizer ``of``."""

    class Own(FakeCloner):
        def __init__(self, options: Any, context: Any) -> None:
            super().__init__(options, context, script=script)

        @classmethod
        def describe(cls) -> Info:
            return Info("own", "cloner", "1", "", clones=of)

    return Own


@pytest.fixture
def cloning(stage, monkeypatch):
    """Dubs with clones that a synthesizer ``aaa`` speaks, behind which ``fake`` stands by."""
    speaks, clones = Script(), Script()
    roles = {"synthesizer": ("aaa", "fake"), "cloner": ("own", "matching")}
    real = registry.names
    monkeypatch.setattr(registry, "names", lambda role: roles.get(role) or real(role))
    engines = {name: engine for name, engine in stage.engines.items() if name not in roles}
    with (
        registry.registered("synthesizer", "aaa", _away(FakeSynthesizer, "aaa", speaks)),
        registry.registered("cloner", "own", _own(clones, of="aaa")),
    ):
        stage.cloned = lambda **more: stage.dub(
            **({"engines": engines | more.pop("named", {}), "clone_voices": True} | more)
        )
        stage.speaks, stage.clones = speaks, clones
        yield stage


def _told(dubbed, what):
    return [d for d in dubbed.receipt.as_dict()["degradations"] if d["what"] == what]


def test_the_voices_of_a_cloud_that_is_down_are_matched_by_the_next_synthesizer(cloning):
    """Clones whose synthesizer does not answer give way, all of them, to matched voices of the next one."""
    cloning.speaks._steps = _down()._steps
    dubbed = cloning.cloned()
    (told,) = _told(dubbed, "synthesizer")
    assert told["message"] == "fake speaks instead of aaa, the whole cast"
    assert {line.voice.partition(":")[0] for line in dubbed.receipt.lines} == {"fake"}
    engines = {fact["role"]: fact["name"] for fact in dubbed.receipt.as_dict()["engines"]}
    assert (engines["synthesizer"], engines["cloner"]) == ("fake", "matching")


@pytest.mark.parametrize("role", ["cloner", "synthesizer"])
def test_who_names_the_cloner_or_its_synthesizer_gets_no_other_voice(cloning, role):
    """One of the two named is both named: a clone speaks through its own synthesizer alone."""
    cloning.speaks._steps = _down()._steps
    with pytest.raises((Unreachable, CircuitOpen)):
        cloning.cloned(named={role: {"cloner": "own", "synthesizer": "aaa"}[role]})
    assert not cloning.asked("synthesizer")


def test_options_of_the_engine_that_is_down_do_not_stop_the_next_one(stage, monkeypatch):
    """An option only the first choice knows is left out for whoever takes over."""

    class Fine(_away(FakeSynthesizer, "aaa", _down())):
        class Options(FakeSynthesizer.Options):
            stability: float = 0.5

    with registry.registered("synthesizer", "aaa", Fine):
        monkeypatch.setattr(registry, "names", _only("synthesizer", ("aaa", "fake")))
        dubbed = stage.dub(engines=_auto(stage, "synthesizer"), options={"synthesizer": {"stability": "0.4"}})
    assert {line.voice.partition(":")[0] for line in dubbed.receipt.lines} == {"fake"}


def test_what_is_decided_again_is_on_the_receipt_once(cloning, monkeypatch):
    """A speaker who cannot be cloned is named once, also when all was done twice for another reason."""
    cloning.clones._steps = [Refused("not in this plan", whole_account=False) for _ in range(9)]
    with registry.registered("translator", "bbb", _away(FakeTranslator, "bbb", _down())):
        real = registry.names
        monkeypatch.setattr(
            registry, "names", lambda role: ("bbb", "fake") if role == "translator" else real(role)
        )
        dubbed = cloning.cloned(named={"translator": "auto"})
    assert len(_told(dubbed, "translator")) == 1
    assert len(_told(dubbed, "voice")) == 1


def test_a_dub_by_an_engine_that_took_over_for_good_is_found_again(stage, monkeypatch):
    """What is too long for the first choice always will be: nobody is asked for it a second time."""
    script = Script([TooLong("more than an account allows") for _ in range(9)])
    with registry.registered("transcriber", "aaa", _away(FakeTranscriber, "aaa", script)):
        monkeypatch.setattr(registry, "names", _only("transcriber", ("aaa", "fake")))
        wishes = {"engines": _auto(stage, "transcriber")}
        assert not stage.dub(**wishes).reused
        before = len(script.requests)
        assert stage.dub(**wishes).reused
    assert len(script.requests) == before


def test_a_voice_chosen_by_hand_is_not_asked_of_who_takes_over(stage, monkeypatch):
    """The one who stands in has other voices: the speaker gets one of those, and the receipt says so."""
    named = stage.dub(speakers=2)
    data = json.loads(named.project.read_text("utf-8"))
    name = sorted(data["voices"])[0]
    data["voices"][name]["id"] = "a-voice-of-aaa"
    named.project.write_text(json.dumps(data), "utf-8")
    with registry.registered("synthesizer", "aaa", _away(FakeSynthesizer, "aaa", _down())):
        monkeypatch.setattr(registry, "names", _only("synthesizer", ("aaa", "fake")))
        dubbed = stage.dub(engines=_auto(stage, "synthesizer"), speakers=2)
    assert all(line.voice.startswith("fake:fake-") for line in dubbed.receipt.lines)
    (told,) = _told(dubbed, "voice")
    assert name in told["message"]
    assert "a-voice-of-aaa" in told["reason"]
    assert json.loads(dubbed.project.read_text("utf-8"))["voices"][name]["id"] == "a-voice-of-aaa"


def _only(role: str, known: tuple[str, ...]):
    """Only these engines for a role, so that nothing of this machine takes part."""
    real = registry.names
    return lambda asked: known if asked == role else real(asked)


TABLE = load(
    """
    dated = "2026-01-01"
    [[price]]
    engine = "transcriber.paid"
    unit = "seconds"
    dollars = "0.01"
    """
)


class Purse(Anything):
    """A policy that sets so much aside, or has nothing."""

    def __init__(self, allowed: Decimal | None) -> None:
        self.allowed, self.asked = allowed, []

    def costs(self, cost: Estimate) -> Decimal | None:
        """What it was told to."""
        self.asked.append(cost)
        if self.allowed is None:
            raise QuotaExceeded("Nothing is left.", hint="Wait.")
        return self.allowed


def _engine(name: str, *, paid: bool) -> Chosen:
    return Chosen(None, Info(name, "transcriber", "1", "", paid=paid), "", named=False)


def _taken_over(monkeypatch, policy, *, estimate=None):
    """A free transcriber is down, a paid one stands by: the plan, and the caps that the door was given."""
    caps: list[Decimal] = []
    door = SimpleNamespace(prices=TABLE, afford=caps.append)
    run = Run(cast("Any", door), lambda _: None, policy=policy)
    run.expected, run.estimate = Expected(60.0, 50.0, 1, "en", "es"), estimate
    free = {role: _engine("here", paid=False) for role in ("transcriber", "translator", "synthesizer")}
    none = cast("Any", None)
    plan = Plan(
        source=none, spoken=None, start=0, end=None, audio=none, subtitles=None, engines=free, notes=(),
        target=Language.parse("es"), outputs=none,
    )  # fmt: skip
    monkeypatch.setattr(standby, "stand_in", lambda *_, **__: _engine("paid", paid=True))
    asked = []

    def step(plan):
        asked.append(plan)
        if len(asked) == 1:
            raise Unreachable("no answer", engine="transcriber.here")
        return "done"

    found, answer = standby.sticky(run, plan, DubRequest("a", "es"), cast("Any", None), step)
    assert answer == "done"
    return run, found, caps


def test_money_is_set_aside_for_who_costs_some_where_nobody_did_before(monkeypatch):
    """What it will cost is told, and no more than is allowed is spent."""
    purse = Purse(Decimal(2))
    run, plan, caps = _taken_over(monkeypatch, purse)
    assert plan.engines["transcriber"].info.name == "paid"
    assert (len(purse.asked), caps) == (1, [Decimal(2)])
    assert run.estimate is purse.asked[0]
    assert run.estimate.likely == Decimal("0.60")


def test_where_money_is_set_aside_already_no_more_is(monkeypatch):
    """What was has room for a dearer engine."""
    purse = Purse(Decimal(2))
    _, _, caps = _taken_over(monkeypatch, purse, estimate=object())
    assert (purse.asked, caps) == ([], [])


def test_nobody_stands_in_whom_nobody_pays(monkeypatch):
    """Then the dub ends for the reason it would end for anyhow."""
    with pytest.raises(Unreachable):
        _taken_over(monkeypatch, Purse(None))
