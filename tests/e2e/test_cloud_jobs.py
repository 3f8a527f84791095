"""Whole dubs by cloud engines with cloned voices, while providers and wires misbehave."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import pytest
from cloud_desk import KEYS, LIVELY, cloud, kill

from autodub.model.errors import AutodubError, BudgetExceeded, NoCredit
from autodub.pipeline import accounts
from autodub.testing import dialogue
from autodub.testing.loopback import Faults
from autodub.testing.loopback.elevenlabs import ElevenLabsService

_SPECS = Path(__file__).resolve().parents[3] / "shared" / "specs"


@pytest.fixture(scope="module")
def talk(tmp_path_factory):
    """Six lines by two speakers."""
    return dialogue.build(tmp_path_factory.mktemp("talk"), lines=6, size=(160, 90))


@pytest.fixture(scope="module")
def alone(tmp_path_factory, talk):
    """A dub that nothing disturbs: result, what was billed, requests by kind, the voices that spoke."""
    folder = tmp_path_factory.mktemp("alone")
    with cloud(folder, talk, specs=_SPECS if _SPECS.is_dir() else None) as place:
        result = place.dub()
        spoken = [r.path.rsplit("/", 1)[1] for r in place.server.asked("elevenlabs", "speech")]
        left = list(place.voices.voices())
        return result, place.server.charged(), place.kinds(), spoken, left


def test_two_speakers_speak_in_voices_of_their_own(alone, talk):
    """Each speaker is cloned once, each line spoken in its speaker's clone, and the clones are deleted."""
    result, _, kinds, spoken, left = alone
    receipt = result.receipt
    assert kinds["clone"] == 2
    assert len(set(spoken)) == 2
    assert left == []
    assert receipt.line_count.left_out == 0
    assert not [d for d in receipt.degradations if d.what in ("voice", "clone", "speakers", "engine")]
    speakers = {line.speaker for line in receipt.lines}
    assert len(speakers) == 2
    true = {word.speaker for word in talk.words}
    assert len(true) == 2


def test_the_bill_is_what_was_charged(alone):
    """Items of the receipt's bill are what the providers charged, unit by unit."""
    result, charged, *_ = alone
    billed = {}
    for cost in result.receipt.costs:
        provider = cost.engine.rpartition(".")[2]
        billed[provider, cost.unit] = billed.get((provider, cost.unit), 0.0) + cost.amount
    for provider, units in charged.items():
        for unit, amount in units.items():
            assert billed.get((provider, unit), 0.0) == pytest.approx(amount, rel=0.01), (
                provider,
                unit,
                billed,
            )


@pytest.mark.slow
def test_the_estimate_is_near_the_bill(tmp_path):
    """What was foretold for a minute, before anything was spent, is within 15 % of what it cost."""
    with cloud(tmp_path, dialogue.build(tmp_path, size=(160, 90))) as place:
        result = place.dub()
        told = next(event for event in place.events if event.kind == "estimate")
        spent = sum(float(cost.dollars) for cost in result.receipt.costs if cost.dollars is not None)
        assert spent == pytest.approx(told.data["likely"], rel=0.15)
        assert told.data["low"] <= spent <= told.data["high"]


def test_nothing_is_asked_again_when_nothing_changed(tmp_path, talk, alone):
    """A second run sends no request and writes the same files; another language rents, hears no more."""
    with cloud(tmp_path, talk) as place:
        first = place.dub(keep_voices=True)
        before, kinds = len(place.server.requests), place.kinds()
        assert place.dub(keep_voices=True).digests == first.digests
        assert len(place.server.requests) == before
        place.dub("french", target="fr", keep_voices=True)
        after = place.kinds()
        assert after["transcription"] == kinds["transcription"] == 1
        assert after["clone"] == kinds["clone"] == 2
        assert after["speech"] > kinds["speech"]
        assert first.digests == alone[0].digests


_USUAL = ("429", "500", "timeout", "reset")
_ODD = ("429_after", "408", "502", "503", "cut", "concurrency")  # nonsense is asked for once more only


@pytest.mark.parametrize(("seed", "kinds"), [(1, _USUAL), (2, _USUAL), (4, _ODD)])
def test_random_faults_cost_nothing(tmp_path, talk, alone, seed, kinds):
    """With a fifth of all requests failing the dub is the same, and so is the bill."""
    faults = Faults(rate=0.2, seed=seed, kinds=kinds, hold=0.2, after=0.1)
    with cloud(tmp_path, talk, faults=faults) as place:
        result = place.dub()
        assert place.failed() > 0
        assert result.digests == alone[0].digests
        assert place.server.charged() == alone[1]
        assert place.server.repeated() == ()
        assert place.voices.voices() == ()


@pytest.mark.parametrize("setting", sorted(KEYS))
def test_a_wrong_key_is_told_by_the_name_of_its_setting(tmp_path, talk, setting):
    """A key that is not valid is asked with twice at most, is named, and is told before anything is spent."""
    with cloud(tmp_path, talk) as place:
        with pytest.raises(AutodubError) as caught:
            place.dub(environ=place.environ(**{setting: "no-such-key-0815"}))
        assert setting in str(caught.value)
        refused = [r for r in place.server.requests if r.fault == "invalid_key"]
        assert 1 <= len(refused) <= 2
        assert "no-such-key-0815" not in f"{caught.value}{place.events}"
        assert not place.server.charged()


def test_a_refusal_that_comes_late_stops_the_dub_all_the_same(tmp_path, talk, monkeypatch):
    """Nobody waits long for a look at an account; when it is refused later, nothing more is begun."""
    monkeypatch.setattr(accounts, "_PATIENCE", 0.0)
    with cloud(tmp_path, talk) as place:
        with pytest.raises(AutodubError) as caught:
            place.dub(environ=place.environ(ELEVENLABS_API_KEY="no-such-key-0815"))
        assert "ELEVENLABS_API_KEY" in str(caught.value)
        assert "speech" not in place.kinds()


class _Vanishing(ElevenLabsService):
    """Loses all cloned voices once, while the job is speaking."""

    def __init__(self, *, after):
        super().__init__()
        self._left = after
        self._guard = threading.Lock()

    def answer(self, request):
        if self.kind(request) == "speech":
            with self._guard:
                self._left -= 1
                if self._left == 0:
                    self.lose()
        return super().answer(request)


def test_a_voice_that_vanishes_is_made_again_once(tmp_path, talk, alone):
    """Voices deleted behind our back are cloned anew, each once; the dub is the same and nothing stays."""
    with cloud(tmp_path, talk, elevenlabs=_Vanishing(after=3)) as place:
        result = place.dub()
        assert 3 <= place.kinds()["clone"] <= 4
        assert result.digests == alone[0].digests
        assert place.server.charged() == alone[1]
        assert place.voices.voices() == ()


def test_an_empty_account_stops_the_job_and_a_top_up_resumes_it(tmp_path, talk, alone):
    """Credit that runs out ends the job with its name; afterwards only the rest is paid for."""
    wanted = alone[1]["elevenlabs"]["characters"]
    faults = Faults(hold=0.2, credit={"elevenlabs": {"characters": wanted * 0.6}})
    with cloud(tmp_path, talk, faults=faults) as place:
        with pytest.raises(NoCredit) as caught:
            place.dub()
        assert "ElevenLabs" in str(caught.value)
        spoken = place.kinds()["speech"]
        assert spoken > 0
        place.server.top_up("elevenlabs", "characters", 10 * wanted)
        assert place.dub().digests == alone[0].digests
        twice = place.server.repeated()  # what was being said when the job stopped
        assert len(twice) <= 4
        again = sum(request.charges["characters"] for request in twice)
        assert place.server.charged()["elevenlabs"]["characters"] == wanted + again
        assert place.voices.voices() == ()


def test_a_budget_is_not_exceeded(tmp_path, talk, alone):
    """Half the money stops the job before it is spent, by more than a call at most; the rest resumes it."""
    costs = [c for c in alone[0].receipt.costs if c.dollars]
    full = sum(Decimal(str(c.dollars)) for c in costs)
    with cloud(tmp_path, talk) as place:
        with pytest.raises(BudgetExceeded):
            place.dub(budget=full / 2)
        spoken = place.server.charged().get("elevenlabs", {}).get("characters", 0)
        assert spoken <= alone[1]["elevenlabs"]["characters"] / 2 + 40
        assert place.dub(budget=full * 2).digests == alone[0].digests
        assert place.server.charged() == alone[1]


def test_two_jobs_share_an_account(tmp_path, talk, alone):
    """Two dubs at once stay below the account's five lines at a time, and each is as if it were alone."""
    with cloud(tmp_path, talk, profile=LIVELY) as place, ThreadPoolExecutor(2) as pool:
        both = [pool.submit(place.dub, name, data=name) for name in ("one", "two")]
        for future in both:
            result = future.result()
            assert result.digests == alone[0].digests
            assert result.receipt.line_count.left_out == 0
        assert place.server.busiest("elevenlabs", "speech") <= 5
        assert not [r for r in place.server.requests if r.fault == "concurrency"]
        assert place.voices.voices() == ()


def test_a_killed_job_pays_again_for_calls_in_flight_only(tmp_path, talk, alone):
    """After kill -9 at any instant the same dub is finished; what was answered before is not bought again."""
    instants = random.Random(11)
    for number in range(2):
        folder = tmp_path / str(number)
        folder.mkdir()
        with cloud(folder, talk, profile=LIVELY) as place:
            child = place.start()
            wanted = instants.randint(1, sum(alone[2].values()) - 2)
            while child.poll() is None and sum(place.kinds().values()) < wanted:
                threading.Event().wait(0.01)
            assert child.poll() is None, child.stderr.read()
            kill(child)
            calls = (("openai", "translation"), ("elevenlabs", "speech"))
            flying = 1 + sum(max(1, place.server.busiest(*kind)) for kind in calls)
            assert place.dub().digests == alone[0].digests
            assert len(place.server.repeated()) <= flying
            assert place.voices.voices() == ()
