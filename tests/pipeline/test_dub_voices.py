"""Whose voice speaks: clones, voices that a person chose, and what is left when there is neither."""

from __future__ import annotations

import json
from typing import Any

import pytest

from autodub.engines import registry
from autodub.engines.roles import Info
from autodub.model.calls import Clone
from autodub.model.errors import Gone, Refused, Rejected
from autodub.model.speech import Voice
from autodub.testing.fakes import FakeCloner
from autodub.testing.script import Give, Proceed, Script


class Particular(Script):
    """A synthesizer that has its own voices and clones, and no others."""

    def play(self, request: Any, work: Any) -> Give | Proceed:
        super().play(request, work)
        voice = request.voice
        if voice.reference is None and not voice.id.startswith("fake-"):
            raise Gone(f"There is no voice {voice.id}.")
        return Proceed()


def _cloner(script: Script, *, of: str = "fake") -> type[Any]:
    """A cloner whose voices belong to one synthesizer, known by the sample they are made of."""

    class Own(FakeCloner):
        def __init__(self, options: Any, context: Any) -> None:
            super().__init__(options, context, script=script)

        @classmethod
        def describe(cls) -> Info:
            return Info("own", "cloner", "1", "", clones=of)

        def clone(self, request: Clone, work: Any) -> Voice:
            return self._play(request, work, _voice)

    def _voice(request: Clone, _work: Any) -> Voice:
        assert request.sample is not None
        mark = request.sample.blob.digest[:12]
        return Voice(of, f"clone-{mark}", request.base.language, reference=request.sample)

    return Own


@pytest.fixture
def cloned(stage: Any) -> Any:
    """Dubs of two speakers with voices of their own; ``cloner`` is the cloner's script."""
    stage.scripts["synthesizer"] = Particular()
    script = Script()
    wishes = {"engines": stage.engines | {"cloner": "own"}, "clone_voices": True, "speakers": 2}
    with registry.registered("cloner", "own", _cloner(script)):
        stage.cloner = script
        stage.cloned = lambda **more: stage.dub(**(wishes | more))
        yield stage


def _change(dubbed: Any, change: Any) -> dict[str, Any]:
    data = json.loads(dubbed.project.read_text("utf-8"))
    change(data)
    dubbed.project.write_text(json.dumps(data), "utf-8")
    return data


def _spoken(dubbed: Any) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for line in dubbed.receipt.lines:
        assert line.status == "spoken", line
        found.setdefault(line.speaker, set()).add(line.voice)
    return found


def test_a_clone_at_another_pace_is_still_the_clone(cloned, counting):
    """A person who only changes the pace of a cloned voice hears the clone; nobody is cloned again."""
    first = cloned.cloned()
    before = _spoken(first)
    counting()
    name = sorted(before)[0]
    _change(first, lambda data: data["voices"][name].update(pace=1.2))
    second = cloned.cloned()
    assert _spoken(second) == before
    assert set(counting()) == {"synthesizer"}
    assert json.loads(second.project.read_text("utf-8"))["voices"][name]["pace"] == 1.2


def test_a_speaker_may_be_given_the_clone_of_another(cloned):
    """The id of somebody's clone in the project is that voice, for whoever it is written beside."""
    first = cloned.cloned()
    one, two = sorted(_spoken(first))
    (voice,) = _spoken(first)[one]
    _change(first, lambda data: data["voices"][two].update(id=voice.partition(":")[2]))
    before = len(cloned.cloner.requests)
    assert _spoken(cloned.cloned()) == {one: {voice}, two: {voice}}
    assert len(cloned.cloner.requests) == before


def test_a_stock_voice_chosen_instead_of_a_clone_is_taken(cloned):
    """Who is given a stock voice is not cloned; everybody else keeps the clone."""
    first = cloned.cloned()
    one, two = sorted(_spoken(first))
    _change(first, lambda data: data["voices"][two].update(id="fake-3"))
    assert _spoken(cloned.cloned()) == {one: _spoken(first)[one], two: {"fake:fake-3"}}


def test_an_added_speaker_changes_nobody_elses_voice(cloned):
    """A line added for somebody new, over a line that was heard, leaves the others as they are."""
    first = cloned.cloned()
    before = _spoken(first)
    cloned.scripts["synthesizer"].requests.clear()

    def add(data: dict[str, Any]) -> None:
        line = {"id": "X1", "speaker": "S9", "start_ms": 1000, "end_ms": 3000, "text": "Y esto también."}
        data["lines"].append(line)

    _change(first, add)
    samples = {request.sample.blob.digest for request in cloned.cloner.requests}
    second = cloned.cloned()
    after = _spoken(second)
    assert {name: after[name] for name in before} == before
    asked = {request.sample.blob.digest for request in cloned.cloner.requests if request.name != "S9"}
    assert asked == samples
    assert "Y esto también." in {request.text for request in cloned.asked("synthesizer")}


@pytest.mark.parametrize("takes_over", [False, True])
def test_a_line_given_to_somebody_new_is_spoken(cloned, takes_over):
    """A line handed to a speaker nobody heard gets a clone made of it, or a stock voice."""
    first = cloned.cloned()
    if takes_over:
        cloned.cloner._steps[:] = [Refused("not in this plan", whole_account=False)]

    def give(data: dict[str, Any]) -> None:
        data["lines"][0]["speaker"] = "S9"

    _change(first, give)
    second = cloned.cloned()
    (voice,) = _spoken(second)["S9"]
    assert voice.startswith("fake:fake-" if takes_over else "fake:clone-")


def test_who_is_hardly_heard_gets_a_stock_voice(cloned, monkeypatch):
    """Where no sample can be cut of a speaker the dub goes on, says so, and clones the others."""
    from autodub.media import sampling

    real, seen = sampling.cut_sample, []

    def cut(mix, layout, spans, out, **more):
        seen.append(spans)
        if len(seen) == 1:
            raise Rejected("Nothing of this speaker is clear enough.")
        return real(mix, layout, spans, out, **more)

    monkeypatch.setattr(sampling, "cut_sample", cut)
    dubbed = cloned.cloned()
    kinds = sorted(voice.partition("-")[0] for voices in _spoken(dubbed).values() for voice in voices)
    assert kinds == ["fake:clone", "fake:fake"]
    assert "clear enough" in next(d.reason for d in dubbed.receipt.degradations if d.what == "voice")


def test_a_matched_voice_at_another_pace_is_still_matched(stage):
    """A person who only changes the pace of a matched voice keeps the speaker's pitch and tone."""
    wishes = {"match_voices": True, "speakers": 2, "engines": stage.engines | {"cloner": "matching"}}
    first = stage.dub(**wishes)
    (one, *_) = sorted(_spoken(first))
    _change(first, lambda data: data["voices"][one].update(pace=1.25))
    before = len(stage.asked("synthesizer"))
    second = stage.dub(**wishes)
    assert _spoken(second) == _spoken(first)
    tones = [request.voice.tone for request in stage.asked("synthesizer")[before:]]
    assert tones
    assert all(tone is not None for tone in tones)
