"""ElevenLabs' voices: those of the account, and clones that are rented."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from elevenlabs_scene import LINE, Scene, opened, refused

from autodub.engines.elevenlabs import ElevenLabs
from autodub.engines.elevenlabs_voices import clone_id, named
from autodub.gateway.gateway import Gateway
from autodub.model.calls import Forget, ListVoices, Synthesize
from autodub.model.errors import (
    BadAnswer,
    BadOption,
    EngineCannot,
    Full,
    Gone,
    Refused,
    Rejected,
)
from autodub.model.time import Span
from autodub.testing.loopback import Reply, reply_json


@pytest.fixture
def scene() -> Iterator[Scene]:
    """A fresh provider and its engines."""
    with opened() as found:
        yield found


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
