"""Hearing voices over HTTP: spoken once by engines that cost nothing, in the language that is asked for."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy
import pytest
import soundfile
from flask.testing import FlaskClient

from autodub.engines import registry
from autodub.jobs.platform import Platform
from autodub.jobs.previewing import OWNER
from autodub.jobs.sweeper import Sweeper
from autodub.testing.fakes import FAKES


class Counting(FAKES["synthesizer"]):  # type: ignore[misc]
    """A fake that counts what it is asked."""

    asked: list[Any] = []  # noqa: RUF012

    def synthesize(self, request: Any, work: Any) -> Any:
        """Speak."""
        self.asked.append(request)
        return super().synthesize(request, work)


@pytest.fixture
def voices(client: FlaskClient) -> Iterator[list[str]]:
    """Ids of the fake's Spanish voices, and an engine that counts."""
    Counting.asked = []
    with registry.registered("synthesizer", "fake", Counting):
        found = client.get("/api/v1/voices?target=es&engine=fake").get_json()
        assert found["preview"] is True
        yield [one["id"] for one in found["voices"]]


def hear(client: FlaskClient, **body: Any) -> Any:
    """The answer to somebody who wants to hear a voice."""
    return client.post("/api/v1/voices/preview", json={"target": "es", "engine": "fake"} | body)


def test_a_voice_is_heard_and_spoken_once(client: FlaskClient, platform: Platform, voices: list[str]) -> None:
    """A sound that plays; asked again, also after a restart, nobody speaks."""
    first = hear(client, voice=voices[0])
    assert (first.status_code, first.mimetype) == (200, "audio/wav")
    samples, _ = soundfile.read(io.BytesIO(first.data))
    assert numpy.abs(samples).max() > 0.01
    assert Counting.asked[0].text == "Hola, así suena mi voz."
    platform.deriving.forget()
    assert hear(client, voice=voices[0]).data == first.data
    assert len(Counting.asked) == 1


def test_what_was_heard_does_not_pile_up(client: FlaskClient, platform: Platform, voices: list[str]) -> None:
    """It is swept now and then, whole, and spoken anew for whoever asks after that."""
    first = hear(client, voice=voices[0], pitch_hz=99.2)
    assert hear(client, voice=voices[0], pitch_hz=99.3).data == first.data
    assert len(Counting.asked) == 1
    Sweeper(platform).sweep()
    assert OWNER not in platform.store.owners()
    assert list(platform.store.blobs.files()) == []
    assert hear(client, voice=voices[0], pitch_hz=99).data == first.data
    assert len(Counting.asked) == 2


def test_the_end_of_the_process_waits_for_no_voice(platform: Platform, client: FlaskClient) -> None:
    """Who speaks for long is stopped, and whoever waits is told to ask again."""
    begun = threading.Event()

    class Slow(Counting):
        def synthesize(self, request: Any, work: Any) -> Any:
            begun.set()
            while True:
                work.check()

    with registry.registered("synthesizer", "fake", Slow), ThreadPoolExecutor(1) as pool:
        voice = client.get("/api/v1/voices?target=es&engine=fake").get_json()["voices"][0]["id"]
        waiting = pool.submit(hear, client, voice=voice)
        assert begun.wait(30)
        platform.deriving.close()
        assert waiting.result(30).status_code == 503


def test_pitch_and_pace_are_heard_as_well(client: FlaskClient, voices: list[str]) -> None:
    """Each is another sound, with what was wished for."""
    heard = {hear(client, voice=voices[0], **body).data for body in ({}, {"pace": 1.5}, {"pitch_hz": 99.0})}
    assert len(heard) >= 2
    assert [one.rate for one in Counting.asked] == [1.0, 1.5, 1.0]
    assert Counting.asked[2].voice.pitch == 99.0


def test_voices_there_are_not_are_not_found(client: FlaskClient, voices: list[str]) -> None:
    """Nor do wishes out of range come to an engine."""
    assert hear(client, voice="nobody").status_code == 404
    for wrong in ({"pace": 9}, {"pitch_hz": 5}, {"text": "mine"}, {"voice": "a\0b"}):
        assert hear(client, **{"voice": voices[0]} | wrong).status_code == 422
    assert Counting.asked == []


def test_nobody_pays_for_hearing(
    client: FlaskClient, voices: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An engine that costs money is not asked, and the list says so."""
    from dataclasses import replace

    paid = replace(Counting.describe(), paid=True)
    monkeypatch.setattr(Counting, "describe", classmethod(lambda _: paid))
    answer = hear(client, voice=voices[0])
    assert (answer.status_code, answer.get_json()["code"]) == (400, "engine_cannot")
    assert client.get("/api/v1/voices?target=es&engine=fake").get_json()["preview"] is False
    assert Counting.asked == []
