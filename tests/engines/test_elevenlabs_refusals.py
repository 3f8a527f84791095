"""Every way ElevenLabs refuses, and what its account says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from elevenlabs_scene import KEY, LINE, Scene, opened, refused

from autodub.engines import registry
from autodub.engines.elevenlabs import ElevenLabs, ElevenLabsCloner
from autodub.engines.elevenlabs_models import model_of
from autodub.engines.elevenlabs_options import ElevenLabsOptions
from autodub.engines.roles import Accounted, Ahead, Examined, Forgetful, Quoting
from autodub.infra.codec import canonical
from autodub.model.calls import ListVoices, Synthesize
from autodub.model.errors import (
    BadOption,
    Busy,
    EngineError,
    Full,
    Gone,
    NoCredit,
    Refused,
    Rejected,
    TooLong,
    Unreachable,
)
from autodub.model.speech import Voice
from autodub.testing.loopback import Reply, reply_json


@pytest.fixture
def scene() -> Iterator[Scene]:
    """A fresh provider and its engines."""
    with opened() as found:
        yield found


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
    context = replace(scene.context(), endpoints={"ELEVENLABS_BASE_URL": "http://[::1"})
    engine = registry.build("synthesizer", "elevenlabs", {}, context)
    error = refused(lambda: engine.list_voices(ListVoices("es"), scene.desk))
    assert isinstance(error, Rejected)
    assert "ELEVENLABS_BASE_URL" in error.hint


def test_redirects_are_not_followed_with_the_key(scene: Scene) -> None:
    """An answer that leads elsewhere is an error: the key goes to nobody but the address that was set."""
    scene.reply(Reply(307, {"location": scene.server.url("elevenlabs") + "/v1/models"}, b""), kind="voices")
    error = refused(lambda: scene.speaker().list_voices(ListVoices("es"), scene.desk))
    assert isinstance(error, Rejected)
    assert len(scene.server.requests) == 1


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
