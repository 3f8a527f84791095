"""ElevenLabs against the loopback server: what is sent, what comes back, and every way it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autodub.engines import registry
from autodub.engines.elevenlabs import ElevenLabs, ElevenLabsCloner
from autodub.engines.elevenlabs_client import cost
from autodub.engines.elevenlabs_models import model_of
from autodub.engines.elevenlabs_options import ElevenLabsOptions
from autodub.engines.elevenlabs_voices import clone_id, named
from autodub.engines.roles import Accounted, Ahead, EngineContext, Examined, Forgetful, Quoting
from autodub.gateway.gateway import Gateway
from autodub.infra.codec import canonical
from autodub.media import sound
from autodub.model.calls import Clone, Forget, ListVoices, Synthesize
from autodub.model.errors import (
    AutodubError,
    BadAnswer,
    BadOption,
    Busy,
    Cancelled,
    EngineCannot,
    EngineError,
    Full,
    Gone,
    NoCredit,
    Refused,
    Rejected,
    TooLong,
    Unreachable,
)
from autodub.model.media import Audio, Blob
from autodub.model.speech import Voice
from autodub.model.time import Span
from autodub.testing.loopback import Loopback, Reply, Request, reply_json
from autodub.testing.loopback.elevenlabs import ElevenLabsService
from autodub.testing.studio import Studio, bursts

KEY = "sk_loopback_0123456789abcdef"
SPECS = Path(__file__).parents[3] / "shared" / "specs"
LINE = "Mañana vamos a la playa juntos."


class Desk:
    """Stands in for the gateway's work: remembers what an engine reports, rents without a database."""

    def __init__(self, studio: Studio) -> None:
        self.store = studio.store.blobs
        self.folder = studio.folder / "scratch"
        self.folder.mkdir(exist_ok=True)
        self.metered: list[tuple[str, float]] = []
        self.lanes: list[int] = []
        self.references: list[str] = []
        self.rentals: dict[str, str] = {}
        self.dropped: list[tuple[str, str]] = []
        self.is_stopped = False

    @property
    def scratch(self) -> Path:
        return self.folder

    def path(self, blob: Blob) -> Path:
        return self.store.path(blob)

    def keep(self, path: Path) -> Blob:
        return self.store.keep(path)

    def progress(self, fraction: float, message: str = "") -> None:
        self.check()

    def check(self) -> None:
        if self.is_stopped:
            raise Cancelled("Stopped on request.")

    def meter(self, unit: str, amount: float) -> None:
        self.metered.append((unit, amount))

    def allow(self, lanes: int) -> None:
        self.lanes.append(lanes)

    def reference(self, name: str) -> None:
        self.references.append(name)

    def rent(self, identity: str, make: Callable[[str], str]) -> str:
        if identity not in self.rentals:
            self.rentals[identity] = make(f"autodub-{len(self.rentals)}-{identity}")
        return self.rentals[identity]

    def lost(self, identity: str, handle: str) -> None:
        self.dropped.append((identity, handle))
        self.rentals.pop(identity, None)


class Odd(ElevenLabsService):
    """The provider, but the next answers of a kind may be anything."""

    def __init__(self) -> None:
        super().__init__()
        self.replies: dict[str, list[Reply]] = {}

    def answer(self, request: Request) -> Reply:
        waiting = self.replies.get(self.kind(request))
        return waiting.pop(0) if waiting else super().answer(request)


class Scene:
    """A server, engines of one account, and a desk to ask them from."""

    def __init__(self, studio: Studio, server: Loopback, service: Odd) -> None:
        self.studio, self.server, self.service = studio, server, service
        self.desk = Desk(studio)

    def context(self, key: str = KEY) -> EngineContext:
        return EngineContext(
            {"ELEVENLABS_API_KEY": key} if key else {},
            self.studio.folder / "models",
            endpoints={"ELEVENLABS_BASE_URL": self.server.url("elevenlabs")},
        )

    def speaker(self, key: str = KEY, **options: str) -> ElevenLabs:
        engine: ElevenLabs = registry.build("synthesizer", "elevenlabs", options, self.context(key))
        return engine

    def cloner(self, key: str = KEY, **options: str) -> ElevenLabsCloner:
        engine: ElevenLabsCloner = registry.build("cloner", "elevenlabs", options, self.context(key))
        return engine

    def voice(self) -> Voice:
        return self.speaker().list_voices(ListVoices("es"), self.desk).voices[0]

    def sample(self, *, pitch: float = 120.0, seconds: int = 15) -> Audio:
        length = seconds * 1000
        return self.studio.audio(bursts((Span(0, length),), length=length, rate=24_000, pitch=pitch), 24_000)

    def clone(self, *, pitch: float = 120.0, is_clean: bool = True, name: str = "S1") -> Clone:
        sample = self.sample(pitch=pitch)
        base = Voice("elevenlabs", "LbStock", "es", "male")
        return Clone(base, sample, (), name, sample, is_clean=is_clean)

    def sent(self, kind: str = "speech") -> list[dict[str, Any]]:
        """JSON bodies of the requests of a kind."""
        return [json.loads(r.body or b"{}") for r in self.server.asked("elevenlabs", kind)]

    def reply(self, reply: Reply, *, kind: str = "speech") -> None:
        """The next answer of a kind."""
        self.service.replies.setdefault(kind, []).append(reply)


@pytest.fixture
def scene() -> Iterator[Scene]:
    """A fresh provider; every request that its own description forbids fails the test."""
    service = Odd()
    specs = SPECS if (SPECS / "elevenlabs").is_dir() else None
    with Studio() as studio, Loopback([service], specs=specs, bodies=True) as server:
        yield Scene(studio, server, service)
        assert server.crashes == ()
        assert server.violations == ()


def refused(problem: Callable[[], object]) -> AutodubError:
    """The error a call ends with."""
    with pytest.raises(AutodubError) as caught:
        problem()
    return caught.value


# --- what is sent ------------------------------------------------------------------------------------


def test_a_line_is_spoken_in_pcm_of_its_own_length(scene: Scene) -> None:
    """The clip is mono at 24 kHz, about two seconds for 31 characters, and holds speech."""
    speech = scene.speaker().synthesize(Synthesize(LINE, scene.voice()), scene.desk)
    samples, rate = sound.load(scene.studio.store.blobs.path(speech.audio.blob))
    assert (rate, samples.shape[1]) == (24_000, 1)
    assert 1.7 < len(samples) / rate < 2.4
    assert float(np.abs(samples).max()) > 0.1


def test_everything_is_said_explicitly(scene: Scene) -> None:
    """Model, format, seed, settings and normalisation are in every request; nothing is left to defaults."""
    scene.speaker(seed="7").synthesize(Synthesize(LINE, scene.voice(), 1.1), scene.desk)
    (sent,) = scene.sent()
    assert sent == {
        "text": LINE,
        "model_id": "eleven_multilingual_v2",
        "seed": 7,
        "apply_text_normalization": "auto",
        "voice_settings": {
            "stability": 0.5, "similarity_boost": 0.75, "style": 0.0, "use_speaker_boost": True, "speed": 1.1,
        },
    }  # fmt: skip
    assert scene.server.asked("elevenlabs", "speech")[0].query == (("output_format", "pcm_24000"),)


@pytest.mark.parametrize(("rate", "pace", "sent"), [(0.5, 1.0, 0.7), (2.0, 1.0, 1.2), (1.1, 0.9, 0.99)])
def test_speed_stays_within_its_bounds(scene: Scene, rate: float, pace: float, sent: float) -> None:
    """A rate the provider does not render well is held at the bound that the engine's facts name."""
    voice = replace(scene.voice(), pace=pace)
    scene.speaker().synthesize(Synthesize(LINE, voice, rate), scene.desk)
    assert scene.sent()[0]["voice_settings"]["speed"] == pytest.approx(sent)
    assert ElevenLabs.describe().rates == (0.7, 1.2)


def test_context_is_sent_where_the_model_takes_it(scene: Scene) -> None:
    """What is said before and after goes along with v2, not when it is switched off, and never with v3."""
    request = Synthesize(LINE, scene.voice(), before="Buenos días. " * 60, after="Hasta luego.")
    for options in ({}, {"stitch": "false"}, {"model_id": "eleven_v3"}):
        engine = scene.speaker(**options)
        engine.synthesize(request, scene.desk)
        assert engine.describe().joins is (not options)
    joined, *others = scene.sent()
    assert joined["next_text"] == "Hasta luego."
    assert joined["previous_text"].endswith("Buenos días.")
    assert len(joined["previous_text"]) <= 400
    assert all("next_text" not in sent and "previous_text" not in sent for sent in others)


def test_empty_context_is_left_out(scene: Scene) -> None:
    """The first line of a film has nothing before it, and says so by silence."""
    scene.speaker().synthesize(Synthesize(LINE, scene.voice()), scene.desk)
    assert not {"previous_text", "next_text"} & set(scene.sent()[0])


@pytest.mark.parametrize(
    ("model", "language", "sent"),
    [
        ("eleven_multilingual_v2", "es-MX", None),
        ("eleven_flash_v2_5", "es-MX", "es"),
        ("eleven_flash_v2_5", "nb", "no"),
        ("eleven_v3", "es", "es"),
    ],
)
def test_the_language_is_told_where_the_model_takes_it(
    scene: Scene, model: str, language: str, sent: str | None
) -> None:
    """Two-letter codes for the models that know the field; v2 hears the language from the text."""
    voice = replace(scene.voice(), language=language)
    scene.speaker(model_id=model).synthesize(Synthesize(LINE, voice), scene.desk)
    assert scene.sent()[0].get("language_code") == sent


def test_v3_takes_only_three_stabilities(scene: Scene) -> None:
    """The nearest one is sent, and none of the settings the model does not have."""
    scene.speaker(model_id="eleven_v3", stability="0.7").synthesize(
        Synthesize(LINE, scene.voice()), scene.desk
    )
    settings = scene.sent()[0]["voice_settings"]
    assert settings["stability"] == 0.5
    assert "style" not in settings


def test_markup_is_only_text(scene: Scene) -> None:
    """Tags, breaks and controls in a line never reach a model that would obey them."""
    hostile = '<break time="3s"/> [laughs] Hola\x00\u200b <phoneme>mundo</phoneme>'
    scene.speaker().synthesize(Synthesize(hostile, scene.voice()), scene.desk)
    text = scene.sent()[0]["text"]
    assert not set("<>[]\x00\u200b") & set(text)
    assert "Hola" in text


def test_the_output_rate_is_an_option(scene: Scene) -> None:
    """16 kHz is asked for and kept as such."""
    speech = scene.speaker(output_rate="16000").synthesize(Synthesize(LINE, scene.voice()), scene.desk)
    assert speech.audio.rate == 16_000


# --- what comes back ---------------------------------------------------------------------------------


def test_a_reply_is_metered_and_remembered(scene: Scene) -> None:
    """Characters are billed from the header, the request's id kept, the account's lanes passed on."""
    voice = scene.voice()
    scene.desk.references.clear()
    scene.speaker().synthesize(Synthesize(LINE, voice), scene.desk)
    assert scene.desk.metered == [("characters", float(len(LINE)))]
    assert scene.desk.lanes == [5]
    assert len(scene.desk.references) == 1


def test_half_price_models_are_metered_in_characters(scene: Scene) -> None:
    """Flash answers with credits, of which a character costs half; price lists count characters."""
    engine = scene.speaker(model_id="eleven_flash_v2_5")
    request = Synthesize(LINE, scene.voice())
    engine.synthesize(request, scene.desk)
    assert scene.desk.metered[0][1] == pytest.approx(len(LINE), abs=2)
    assert engine.quote("synthesize", request) == {"characters": float(len(LINE))}
    assert engine.quote("list_voices", ListVoices("es")) == {}


@pytest.mark.parametrize(
    ("headers", "each", "billed"),
    [
        ({"Character-Cost": "31"}, 1.0, 31),
        ({"character-cost": "16"}, 0.5, 32),
        ({"character-cost": "31"}, 0.5, 31),
        ({"x-character-count": "29"}, 1.0, 29),
        ({"character-cost": "nan", "x-character-count": "28"}, 1.0, 28),
        ({"character-cost": "-3"}, 1.0, 31),
        ({}, 0.5, 31),
    ],
)
def test_the_cost_is_read_from_whichever_header_tells(
    headers: Mapping[str, str], each: float, billed: float
) -> None:
    """Credits first, then characters, then our own count; nonsense is passed over."""
    assert cost(headers, characters=31, each=each) == billed


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(200, {"content-type": "audio/pcm"}, b""), "nothing"),
        (Reply(200, {"content-type": "audio/pcm"}, b"\0\1" * 20_000 + b"\0"), "half a sample"),
        (Reply(200, {"content-type": "audio/pcm"}, b"\0\1" * 2000), "less sound than the text takes"),
        (Reply(200, {"content-type": "text/html"}, b"<html>Log in to this network</html>."), "text instead"),
        (reply_json({"audio": "none"}), "text instead"),
    ],
)
def test_an_answer_that_is_no_speech_is_noticed(scene: Scene, reply: Reply, words: str) -> None:
    """Empty, odd, short or textual answers are bad ones, worth asking once more."""
    voice = scene.voice()
    scene.reply(reply)
    error = refused(lambda: scene.speaker().synthesize(Synthesize(LINE, voice), scene.desk))
    assert isinstance(error, BadAnswer)
    assert words in error.message


def test_an_endless_answer_ends(scene: Scene) -> None:
    """A body that goes on and on is given up, not collected until memory is full."""
    voice = scene.voice()
    scene.reply(Reply(200, {}, (b"\0\1" * 65_536 for _ in range(400))))
    error = refused(lambda: scene.speaker().synthesize(Synthesize("Sí.", voice), scene.desk))
    assert isinstance(error, BadAnswer)


def test_a_request_to_stop_ends_a_download(scene: Scene) -> None:
    """Somebody who stops a dub does not wait for the rest of a line."""
    voice = scene.voice()
    scene.desk.is_stopped = True
    with pytest.raises(Cancelled):
        scene.speaker().synthesize(Synthesize(LINE, voice), scene.desk)


def test_nothing_to_say_is_not_sent(scene: Scene) -> None:
    """A line of dots, and one that is too long for the model, cost nothing."""
    voice = scene.voice()
    engine = scene.speaker(model_id="eleven_v3")
    assert isinstance(refused(lambda: engine.synthesize(Synthesize("… —", voice), scene.desk)), Rejected)
    assert engine.describe().characters == 3000
    error = refused(lambda: engine.synthesize(Synthesize("a" * 3001, voice), scene.desk))
    assert isinstance(error, TooLong)
    assert "3000" in error.message
    assert scene.sent() == []


# --- refusals ----------------------------------------------------------------------------------------


def told(status: int, detail: object, **headers: str) -> Reply:
    """A refusal with this detail."""
    return reply_json({"detail": detail}, status=status, headers=headers)


@pytest.mark.parametrize(
    ("reply", "kind", "whole"),
    [
        (told(401, {"status": "invalid_api_key", "message": "x"}), Refused, True),
        (told(401, {"status": "detected_unusual_activity", "message": "x"}), Refused, True),
        (told(401, {"status": "missing_permissions", "message": "x"}), Refused, False),
        (told(401, {"code": "unauthorized", "status": "missing_permissions"}), Refused, False),
        (told(401, {"status": "quota_exceeded", "message": "x"}), NoCredit, None),
        (told(400, {"code": "quota_exceeded", "message": "x"}), NoCredit, None),
        (told(402, {"code": "insufficient_credits", "message": "x"}), NoCredit, None),
        (told(402, "payment_required"), NoCredit, None),
        (told(402, {"code": "paid_plan_required", "message": "x"}), Refused, False),
        (told(402, {"code": "payment_required", "message": "No library voices."}), Refused, False),
        (told(403, {"status": "only_for_creator+", "message": "x"}), Refused, False),
        (told(400, {"status": "voice_limit_reached", "message": "10 / 10"}), Full, None),
        (told(400, {"status": "max_character_limit_exceeded", "message": "x"}), TooLong, None),
        (told(400, {"status": "unsupported_model", "message": "x"}), Rejected, None),
        (told(422, [{"loc": ["body", "text"], "msg": "required", "type": "missing"}]), Rejected, None),
        (told(429, {"status": "too_many_concurrent_requests", "message": "x"}), Busy, None),
        (told(429, {"code": "rate_limit_exceeded", "message": "x"}), Busy, None),
        (told(500, {"code": "internal_error", "message": "x"}), Unreachable, None),
        (told(503, {"status": "maintenance", "message": "x"}), Unreachable, None),
        (Reply(502, {"content-type": "text/html"}, b"<html>Bad Gateway</html>"), Unreachable, None),
        (Reply(302, {"location": "http://127.0.0.1:9/else"}, b""), Rejected, None),
        (Reply(500, {"content-type": "application/json"}, b'{"detail": {"sta'), Unreachable, None),
        (Reply(500, {}, b"\xff\xfe\x00"), EngineError, None),
        (told(404, {"status": "voice_not_found", "message": "x"}), Gone, None),
        (told(400, {"code": "bad_request", "status": "voice_does_not_exist", "message": "x"}), Gone, None),
    ],
)  # fmt: skip
def test_refusals_are_told_apart_by_their_words(
    scene: Scene, reply: Reply, kind: type[EngineError], whole: bool | None
) -> None:
    """Each documented word, in either place, is its own class of failure, whatever the status says."""
    voice = scene.voice()
    scene.reply(reply)
    error = refused(lambda: scene.speaker().synthesize(Synthesize(LINE, voice), scene.desk))
    assert isinstance(error, kind)
    assert error.message
    assert error.hint
    assert getattr(error, "whole_account", None) is whole
    assert len(scene.sent()) == 1


def test_a_stock_voice_that_is_gone_is_named(scene: Scene) -> None:
    """The error says which voice it was; nothing is rented or lost."""
    voice = Voice("elevenlabs", "LbNobody", "es")
    error = refused(lambda: scene.speaker().synthesize(Synthesize(LINE, voice), scene.desk))
    assert isinstance(error, Gone)
    assert "LbNobody" in error.message
    assert scene.desk.dropped == []


@pytest.mark.parametrize("name", ["../../v1/voices", "a?b=c", "", "id/with-timestamps", "ñ"])
def test_a_voice_id_never_becomes_another_address(scene: Scene, name: str) -> None:
    """What a project file calls a voice is checked before it is made part of an address."""
    request = Synthesize(LINE, Voice("elevenlabs", name, "es"))
    assert isinstance(refused(lambda: scene.speaker().synthesize(request, scene.desk)), Gone)
    assert scene.server.requests == ()


def test_a_model_that_is_gone_costs_no_voice(scene: Scene) -> None:
    """A cloned voice is not made again when it is the model that vanished."""
    voice = scene.cloner().clone(scene.clone(), scene.desk)
    scene.server.faults.fail_next("elevenlabs", "speech", "model_gone")
    error = refused(lambda: scene.speaker().synthesize(Synthesize(LINE, voice), scene.desk))
    assert isinstance(error, Gone)
    assert "model" in error.message
    assert scene.desk.dropped == []


@pytest.mark.parametrize("key", ["", "sk_ümläut", "sk with space", "sk\nX-Evil: 1"])
def test_a_key_that_cannot_be_one_is_never_sent(scene: Scene, key: str) -> None:
    """The setting is named; the key is in no message, and no request goes out."""
    engine = scene.speaker(key)
    error = refused(lambda: engine.synthesize(Synthesize(LINE, Voice("elevenlabs", "LbX", "es")), scene.desk))
    assert isinstance(error, Refused)
    assert "ELEVENLABS_API_KEY" in error.message
    assert not key or key not in f"{error!r} {error.hint}"
    assert scene.server.requests == ()


def test_a_key_never_leaks_even_if_the_server_repeats_it(scene: Scene) -> None:
    """A refusal that quotes the key is told without it, with no cause that still holds it."""
    voice = scene.voice()
    scene.reply(told(401, {"status": "invalid_api_key", "message": f"The key {KEY} is wrong."}))
    error = refused(lambda: scene.speaker().synthesize(Synthesize(LINE, voice), scene.desk))
    assert KEY not in f"{error!r} {error} {error.hint} {error.__cause__!r}"
    assert error.__suppress_context__


def test_an_address_that_is_none_is_refused(scene: Scene) -> None:
    """The setting is named before anything is tried."""
    context = replace(scene.context(), endpoints={"ELEVENLABS_BASE_URL": "ftp://example"})
    engine = registry.build("synthesizer", "elevenlabs", {}, context)
    error = refused(lambda: engine.list_voices(ListVoices("es"), scene.desk))
    assert isinstance(error, BadOption)
    assert "ELEVENLABS_BASE_URL" in error.message


def test_redirects_are_not_followed_with_the_key(scene: Scene) -> None:
    """An answer that leads elsewhere is an error: the key goes to nobody but the address that was set."""
    scene.reply(Reply(307, {"location": scene.server.url("elevenlabs") + "/v1/models"}, b""), kind="voices")
    error = refused(lambda: scene.speaker().list_voices(ListVoices("es"), scene.desk))
    assert isinstance(error, Rejected)
    assert len(scene.server.requests) == 1


# --- voices ------------------------------------------------------------------------------------------


def test_voices_of_the_language_come_first(scene: Scene) -> None:
    """All the account's voices are offered, those known to speak the language before the others."""
    voices = scene.speaker().list_voices(ListVoices("es-MX"), scene.desk).voices
    assert len(voices) == 8
    assert {voice.language for voice in voices} == {"es-MX"}
    assert [voice.gender for voice in voices[:3]] == ["female", "male", "female"]
    german = scene.speaker().list_voices(ListVoices("de"), scene.desk).voices
    assert german[0].gender == "male"
    assert german[0].id not in {voice.id for voice in voices[:3]}


def page(voices: list[dict[str, Any]], following: str | None = None) -> Reply:
    """A page of the list of voices."""
    return reply_json(
        {"voices": voices, "has_more": following is not None, "total_count": 9, "next_page_token": following}
    )


def entry(name: str, /, **more: object) -> dict[str, Any]:
    """A voice as the provider lists it."""
    return {"voice_id": name, "name": name, "category": "premade", "labels": {}} | more


def test_every_page_is_read_and_a_repeated_one_ends_it(scene: Scene) -> None:
    """Pages are followed by their token; a server that repeats itself does not hold us for ever."""
    for reply in (page([entry("a")], "1"), page([entry("b")], "2"), page([entry("b"), entry("c")], "2")):
        scene.reply(reply, kind="voices")
    voices = scene.speaker().list_voices(ListVoices("es"), scene.desk).voices
    assert [voice.id for voice in voices] == ["a", "b", "c"]
    assert [dict(r.query).get("next_page_token") for r in scene.server.requests] == [None, "1", "2"]


def test_voices_that_may_not_speak_are_left_out(scene: Scene) -> None:
    """Our own clones, other people's clones, banned, unverified and unfinished voices are not cast."""
    scene.reply(
        page([
            entry("ours", category="cloned", name="autodub-1"),
            entry("labelled", category="cloned", name="x", labels={"made_by": "autodub"}),
            entry("boss", category="cloned", name="The boss"),
            entry("banned", safety_control="BAN"),
            entry("unverified", category="generated",
                  voice_verification={"requires_verification": True, "is_verified": False}),
            entry("raw", category="professional",
                  fine_tuning={"state": {"eleven_multilingual_v2": "queued"}}),
            entry("bad id!"),
            entry("good", labels={"gender": "Female"}),
        ]),
        kind="voices",
    )  # fmt: skip
    voices = scene.speaker().list_voices(ListVoices("es"), scene.desk).voices
    assert [(voice.id, voice.gender) for voice in voices] == [("good", "female")]


def test_clones_made_by_hand_are_offered_on_request(scene: Scene) -> None:
    """Somebody who cloned voices for this may cast them, but never those that a dub rented."""
    clones = [entry("mine", category="cloned"), entry("ours", category="cloned", name="autodub-2")]
    scene.reply(page(clones), kind="voices")
    voices = scene.speaker(clones="true").list_voices(ListVoices("es"), scene.desk).voices
    assert [voice.id for voice in voices] == ["mine"]


def test_a_free_plan_gets_no_library_voices(scene: Scene) -> None:
    """They would be refused at the first line; a paid plan gets them, and one that cannot say does too."""
    shared = entry("shared", category="professional", is_owner=False)
    for tier, permissions, wanted in (
        ("free", scene.service.permissions, ["own"]),
        ("starter", scene.service.permissions, ["shared", "own"]),
        ("free", scene.service.permissions - {"user_read"}, ["shared", "own"]),
    ):
        scene.service.tier, scene.service.permissions = tier, permissions
        scene.reply(page([shared, entry("own")]), kind="voices")
        voices = scene.speaker().list_voices(ListVoices("es"), scene.desk).voices
        assert [voice.id for voice in voices] == wanted


def test_a_key_that_may_not_list_voices_is_told_how_to_go_on(scene: Scene) -> None:
    """Permission and option are named, the key is good for the rest, and named voices need no list."""
    scene.service.permissions = frozenset({"text_to_speech"})
    error = refused(lambda: scene.speaker().list_voices(ListVoices("es"), scene.desk))
    assert isinstance(error, Refused)
    assert not error.whole_account
    assert "voices" in error.message
    assert "synthesizer.voices" in error.hint
    before = len(scene.server.requests)
    voices = scene.speaker(voices="Ab1:female, Cd2").list_voices(ListVoices("es"), scene.desk).voices
    assert [(voice.id, voice.gender) for voice in voices] == [("Ab1", "female"), ("Cd2", "unknown")]
    assert len(scene.server.requests) == before


def test_an_account_without_voices_says_so(scene: Scene) -> None:
    """Nothing to cast is told before any line is asked for."""
    scene.reply(page([]), kind="voices")
    assert isinstance(
        refused(lambda: scene.speaker().list_voices(ListVoices("es"), scene.desk)), EngineCannot
    )


def test_a_list_that_is_none_is_a_bad_answer(scene: Scene) -> None:
    """A JSON value of another shape, or half of one, is nonsense and not a crash."""
    for reply in (reply_json([]), reply_json({"voices": "none"}), Reply(200, {}, b'{"voices": [')):
        scene.reply(reply, kind="voices")
        error = refused(lambda: scene.speaker().list_voices(ListVoices("es"), scene.desk))
        assert isinstance(error, BadAnswer)


def test_a_language_the_model_does_not_speak_is_refused_before_anything(scene: Scene) -> None:
    """Hungarian is beyond v2 and within flash, and the facts of each engine say so."""
    assert isinstance(
        refused(lambda: scene.speaker().list_voices(ListVoices("hu"), scene.desk)), EngineCannot
    )
    assert scene.server.requests == ()
    flash = scene.speaker(model_id="eleven_flash_v2_5")
    assert flash.list_voices(ListVoices("hu"), scene.desk).voices
    assert "hu" in (flash.describe().languages or ())
    assert "hu" not in (ElevenLabs.describe().languages or ())


@pytest.mark.parametrize("text", ["a b", "../x", "abc:robot", "ok,n o"])
def test_voices_named_wrongly_are_told(scene: Scene, text: str) -> None:
    """An option that holds no ids is refused when the engine is built."""
    assert isinstance(refused(lambda: scene.speaker(voices=text)), BadOption)
    with pytest.raises(ValueError, match="voice"):
        named(text)


# --- cloning -----------------------------------------------------------------------------------------


def test_two_speakers_become_two_voices_that_sound_like_them(scene: Scene) -> None:
    """Each sample is its own rented voice; the engine's id is ours, never the provider's."""
    voices = [scene.cloner().clone(scene.clone(pitch=pitch), scene.desk) for pitch in (110.0, 230.0)]
    assert len({voice.id for voice in voices}) == 2
    assert all(voice.id.startswith("clone-") and voice.reference for voice in voices)
    assert sorted(owned.gender for owned in scene.service.voices()) == ["female", "male"]
    assert not set(scene.desk.rentals.values()) & {voice.id for voice in voices}
    assert scene.desk.metered == [("voices", 1), ("voices", 1)]


def test_equal_samples_are_one_voice(scene: Scene) -> None:
    """The id is made from the sample, so a second dub of the same scene rents nothing."""
    first = scene.cloner().clone(scene.clone(), scene.desk)
    second = scene.cloner().clone(scene.clone(name="someone else"), scene.desk)
    assert first == second
    assert len(scene.service.voices()) == 1


def test_the_name_is_the_rental_and_the_upload_is_compressed(scene: Scene) -> None:
    """The voice carries the unique name it was rented under, our label, and half the bytes of PCM."""
    request = scene.clone()
    scene.cloner().clone(request, scene.desk)
    (owned,) = scene.service.voices()
    assert owned.name.startswith("autodub-0-clone-")
    assert owned.labels == {"made_by": "autodub", "gender": "male"}
    assert request.sample is not None
    assert owned.size < 0.7 * request.sample.blob.size


@pytest.mark.parametrize(
    ("choice", "is_clean", "isolated"),
    [("auto", True, False), ("auto", False, True), ("on", True, True), ("off", False, False)],
)
def test_noise_is_removed_where_there_is_some(
    scene: Scene, choice: str, is_clean: bool, isolated: bool
) -> None:
    """By itself the provider is asked to clean what is not clean, and the id says so for the next time."""
    cloner = scene.cloner(remove_background_noise=choice)
    voice = cloner.clone(scene.clone(is_clean=is_clean), scene.desk)
    assert scene.service.voices()[0].is_isolated is isolated
    assert voice.reference is not None
    assert voice.id == clone_id(voice.reference, isolated=isolated)


def test_a_short_sample_is_refused_with_its_seconds(scene: Scene) -> None:
    """Ten seconds are needed, unless the option says otherwise; nothing was sent."""
    sample = scene.sample(seconds=6)
    request = replace(scene.clone(), sample=sample)
    error = refused(lambda: scene.cloner().clone(request, scene.desk))
    assert isinstance(error, Rejected)
    assert "6.0 seconds" in error.message
    assert scene.server.requests == ()
    assert scene.cloner(least_seconds="5").clone(request, scene.desk).reference == sample


def test_without_a_sample_one_is_cut_from_the_speech(scene: Scene) -> None:
    """The spans of the recognised sound are joined where nobody cut anything better."""
    request = replace(scene.clone(), sample=None, spans=(Span(0, 6000), Span(7000, 13_000)))
    voice = scene.cloner().clone(request, scene.desk)
    assert voice.reference is not None
    assert voice.reference.duration == pytest.approx(12_000, abs=2)


def test_a_deleted_clone_is_made_again_once(scene: Scene) -> None:
    """The line fails with Gone, the rental is reported lost, and the next attempt speaks with a new voice."""
    voice = scene.cloner().clone(scene.clone(is_clean=False), scene.desk)
    first = scene.desk.rentals[voice.id]
    assert scene.service.lose() == 1
    engine = scene.speaker()
    assert isinstance(refused(lambda: engine.synthesize(Synthesize(LINE, voice), scene.desk)), Gone)
    assert scene.desk.dropped == [(voice.id, first)]
    assert engine.synthesize(Synthesize(LINE, voice), scene.desk).audio.frames > 0
    assert scene.desk.rentals[voice.id] != first
    assert scene.service.voices()[0].is_isolated
    assert len(scene.server.asked("elevenlabs", "clone")) == 2


def test_the_gateway_makes_a_lost_voice_again_by_itself(scene: Scene) -> None:
    """Deleted between two lines: one more clone, both lines spoken and paid once, nothing left at the end."""
    cloner, speaker = scene.cloner(), scene.speaker()
    gateway = Gateway(scene.studio.store)
    ask = gateway.call
    voice = ask(cloner, "clone", scene.clone())
    ask(speaker, "synthesize", Synthesize(LINE, voice))
    scene.service.lose()
    assert ask(speaker, "synthesize", Synthesize("Hasta mañana, amigos.", voice)).audio.frames > 0
    assert ask(speaker, "synthesize", Synthesize(LINE, voice)).audio.frames > 0
    assert len(scene.server.asked("elevenlabs", "clone")) == 2
    assert scene.server.charged()["elevenlabs"]["characters"] == len(LINE) + len("Hasta mañana, amigos.")
    gateway.give_back(cloner)
    gateway.close()
    assert scene.service.voices() == ()


def test_a_voice_that_needs_verification_is_deleted_again(scene: Scene) -> None:
    """It could never speak: the slot is free again and the speaker gets another voice."""
    scene.service.verification = True
    error = refused(lambda: scene.cloner().clone(scene.clone(), scene.desk))
    assert isinstance(error, Refused)
    assert not error.whole_account
    assert scene.service.voices() == ()
    assert scene.desk.rentals == {}


def test_full_accounts_and_small_plans_are_told_apart(scene: Scene) -> None:
    """No slot left is Full; a plan without cloning is Refused, and leaves the key good for speech."""
    scene.service.slots = 0
    assert isinstance(refused(lambda: scene.cloner().clone(scene.clone(), scene.desk)), Full)
    scene.service.clones = False
    error = refused(lambda: scene.cloner().clone(scene.clone(), scene.desk))
    assert isinstance(error, Refused)
    assert not error.whole_account


def test_a_clone_without_an_id_is_a_bad_answer(scene: Scene) -> None:
    """Whatever the provider says instead, nothing is recorded as rented."""
    for body in ({}, {"voice_id": ""}, {"voice_id": "../x"}, []):
        scene.reply(reply_json(body), kind="clone")
        assert isinstance(refused(lambda: scene.cloner().clone(scene.clone(), scene.desk)), BadAnswer)
    assert scene.desk.rentals == {}


def test_rented_voices_are_found_and_forgotten(scene: Scene) -> None:
    """Names lead to handles; deleting twice is no error, and other people's voices stay."""
    cloner = scene.cloner()
    cloner.clone(scene.clone(pitch=110.0), scene.desk)
    cloner.clone(scene.clone(pitch=220.0), scene.desk)
    found = cloner.rented("autodub-", scene.desk)
    assert set(found.values()) == set(scene.desk.rentals.values())
    assert all(name.startswith("autodub-") for name in found)
    assert cloner.rented("somebody-", scene.desk) == {}
    for handle in found.values():
        cloner.forget(Forget(handle), scene.desk)
        cloner.forget(Forget(handle), scene.desk)
    assert cloner.rented("autodub-", scene.desk) == {}
    assert len(scene.speaker().list_voices(ListVoices("es"), scene.desk).voices) == 8


# --- the account -------------------------------------------------------------------------------------


def test_engines_of_one_account_share_its_name_and_not_its_key(scene: Scene) -> None:
    """Synthesizer and cloner are one account with limits of their own; another key is another account."""
    speaker, cloner = scene.speaker(), scene.cloner()
    assert speaker.account == cloner.account
    assert speaker.account.startswith("elevenlabs:")
    assert KEY not in speaker.account
    assert scene.speaker("sk_other").account != speaker.account
    assert (speaker.pool("synthesize"), cloner.pool("clone")) == ("speech", "voices")
    assert isinstance(speaker, (Accounted, Quoting, Ahead, Examined))
    assert isinstance(cloner, (Accounted, Ahead, Examined, Forgetful))


def test_what_does_not_change_speech_is_not_part_of_its_identity() -> None:
    """Patience and lanes may be changed without speaking, and paying, again."""
    usual = ElevenLabsOptions()
    assert canonical(usual) == canonical(ElevenLabsOptions(timeout=30, lanes=2))
    assert canonical(usual) != canonical(ElevenLabsOptions(seed=2))


def test_facts_follow_the_options(scene: Scene) -> None:
    """An engine's facts are those of its own model and lanes; the class has those of the defaults."""
    engine = scene.speaker(model_id="eleven_v3", lanes="9")
    assert (engine.describe().lanes, engine.describe().joins) == (9, False)
    assert (ElevenLabs.describe().lanes, ElevenLabs.describe().joins) == (5, True)
    assert ElevenLabsCloner.describe().clones == ElevenLabs.describe().name


def test_a_model_is_known_by_its_family() -> None:
    """Dated versions behave as their family; of an unknown model nothing is assumed that could be refused."""
    assert model_of("eleven_flash_v2_5_2026").takes_language
    assert not model_of("eleven_flash_v2").takes_language
    unknown = model_of("someone_elses")
    assert not unknown.has_context
    assert not unknown.has_style


def test_readiness_names_what_is_missing(scene: Scene) -> None:
    """Without a key the setting is named; with one nothing is asked of the provider."""
    for engine in (scene.speaker(""), scene.cloner("")):
        found = engine.readiness()
        assert found.state == "needs key"
        assert "ELEVENLABS_API_KEY" in found.fix
        engine.prepare()
    assert scene.speaker().readiness().state == "ready"
    assert scene.server.requests == ()


def test_examining_tells_credit_slots_and_model(scene: Scene) -> None:
    """What is left is said in figures; an empty account, a full one and a gone model are errors."""
    assert "1000000 of 1000000 credits" in scene.speaker().examine().detail
    assert "10 of 10 voice slots" in scene.cloner().examine().detail
    error = refused(lambda: scene.speaker(model_id="eleven_v1_gone").examine())
    assert isinstance(error, Gone)
    assert "eleven_multilingual_v2" in error.hint
    scene.service.limit = 0
    assert isinstance(refused(lambda: scene.speaker().examine()), NoCredit)
    scene.service.slots = 0
    assert isinstance(refused(lambda: scene.cloner().examine()), Full)
    scene.service.clones = False
    assert isinstance(refused(lambda: scene.cloner().examine()), Refused)


def test_a_narrow_key_is_good_enough(scene: Scene) -> None:
    """A key that may only speak is examined without a failure; a wrong one is told at once."""
    scene.service.permissions = frozenset({"text_to_speech"})
    assert scene.speaker().examine().state == "ready"
    assert scene.cloner().examine().state == "ready"
    scene.server.faults.fail_next("elevenlabs", "account", "invalid_key")
    error = refused(lambda: scene.speaker().examine())
    assert isinstance(error, Refused)
    assert error.whole_account
