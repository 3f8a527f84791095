"""The ElevenLabs engines against a provider and a wire that misbehave."""

from dataclasses import replace
from typing import ClassVar

from wire_specs import SPECS

from autodub.model.calls import Clone, Forget, Synthesize
from autodub.model.errors import Full, Gone, Refused, TooLong
from autodub.model.speech import Voice
from autodub.model.time import Span
from autodub.testing.contracts import ClonerContract, SynthesizerContract
from autodub.testing.contracts.wire import WireContract
from autodub.testing.loopback.elevenlabs import ElevenLabsService
from autodub.testing.studio import bursts

_RATE = 44_100


class ElevenLabsWire(WireContract):
    """What both engines share."""

    name, provider = "elevenlabs", "elevenlabs"
    key, endpoint = "ELEVENLABS_API_KEY", "ELEVENLABS_BASE_URL"
    specs = SPECS

    def service(self):
        return ElevenLabsService()


class TestElevenLabs(ElevenLabsWire, SynthesizerContract):
    """The synthesizer."""

    kind = "speech"
    errors: ClassVar = {
        "voice_gone": (Gone,),
        "missing_permission": (Refused,),
        "truncated": (),  # half of raw samples is well-formed sound: lengths tell, see "cut"
    }

    def plain(self, studio):
        return Synthesize(self.text, Voice(self.name, "LbAVoiceOfTheAccount", self.language))

    def test_a_missing_permission_leaves_the_key_good(self):
        """A key that may not do one thing is not bad for everything."""
        with self.asking() as (studio, engine, request):
            self.server.faults.fail_next(self.provider, self.kind, "missing_permission")
            got = self.ask(studio, engine, request)
            assert isinstance(got.error, Refused)
            assert not got.error.whole_account

    def test_ten_thousand_characters_are_spoken_or_too_long(self):
        """The model's own limit is known before anything is sent."""
        with self.ready() as (studio, engine):
            limit = engine.describe().characters
            over = replace(self.request(studio), text="Una casa. " * (limit // 10 + 1))
            got = self.ask(studio, engine, over)
            assert isinstance(got.error, TooLong), got.words
            assert got.sent == 0


class TestElevenLabsCloner(ElevenLabsWire, ClonerContract):
    """The cloner."""

    kind = "clone"
    length = 30_000
    spans = (Span(500, 14_000), Span(15_000, 29_000))
    errors: ClassVar = {
        "voices_full": (Full,),
        "no_cloning": (Refused,),
        "missing_permission": (Refused,),
        "404": (),
    }

    def request(self, studio):
        return Clone(self.base(), self.speech(studio), self.spans, "S1", sample=self.sample(studio))

    def sample(self, studio, length=25_000):
        """Somebody's voice."""
        return studio.audio(bursts((Span(0, length),), length=length, rate=_RATE), _RATE)

    def another(self, studio, request, number):
        """Another sample: what was rented before an answer was lost is found again, not made again."""
        return replace(request, sample=self.sample(studio, 20_000 + 100 * number))

    def test_a_plan_without_cloning_leaves_the_key_good(self):
        """Speech goes on with stock voices when the plan does not clone."""
        with self.asking() as (studio, engine, request):
            self.server.faults.fail_next(self.provider, self.kind, "no_cloning")
            got = self.ask(studio, engine, request)
            assert isinstance(got.error, Refused)
            assert not got.error.whole_account

    def test_a_clone_whose_answer_was_lost_is_found_again(self):
        """A voice that was made although the answer never came is taken over, not made twice."""
        with self.asking() as (studio, engine, request):
            self.server.faults.fail_next(self.provider, self.kind, "cut")
            assert self.ask(studio, engine, request).error is not None
            got = self.ask(studio, engine, request)
            assert got.error is None, got.words
            assert got.sent == 0
            assert len(studio.gateway.effect(engine, "rented", "autodub")) == 1

    def test_a_voice_is_forgotten_twice_without_harm(self):
        """Deleting a voice that is gone already is no error."""
        with self.asking() as (studio, engine, request):
            assert self.ask(studio, engine, request).error is None
            handles = studio.gateway.effect(engine, "rented", "autodub")
            assert len(handles) == 1
            for _ in range(2):
                studio.gateway.effect(engine, "forget", Forget(next(iter(handles.values()))))
            assert studio.gateway.effect(engine, "rented", "autodub") == {}
