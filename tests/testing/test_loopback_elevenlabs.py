"""The simulated ElevenLabs: real speech, accounts that remember, limits that hold."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pytest

from autodub.media import sound
from autodub.media.pitch import pitch_of
from autodub.model.time import Span
from autodub.testing.loopback import INSTANT, MODERN, PROTOTYPE, Reply, Request
from autodub.testing.loopback.elevenlabs import ElevenLabsService, voice_id
from autodub.testing.loopback.faults import REFUSALS
from autodub.testing.loopback.speaking import Speaker, heard, timbre
from autodub.testing.studio import bursts

LINE = "Mañana vamos a la playa juntos."


def ask(
    service: ElevenLabsService, method: str, path: str, *, body: bytes = b"", account: str = "a1",
    query: tuple[tuple[str, str], ...] = (), kind: str = "application/json",
) -> Reply:  # fmt: skip
    """An answer without a server in between."""
    return service.answer(Request(method, path, query, {"content-type": kind}, body, account, 2, 5))


def say(
    service: ElevenLabsService, voice: str, text: str = LINE, *, account: str = "a1", **more: object
) -> Reply:
    """A line of speech at 24 kHz."""
    body = json.dumps({"text": text, "model_id": "eleven_multilingual_v2", **more}).encode()
    path, query = f"/v1/text-to-speech/{voice}", (("output_format", "pcm_24000"),)
    return ask(service, "POST", path, body=body, query=query, account=account)


def samples(reply: Reply) -> np.ndarray[Any, np.dtype[np.float32]]:
    """The sound of a reply."""
    assert reply.status == 200
    assert isinstance(reply.body, bytes)
    return np.frombuffer(reply.body, dtype="<i2").astype(np.float32) / 32768


def told(reply: Reply) -> Any:
    """The JSON of a reply."""
    assert isinstance(reply.body, bytes)
    return json.loads(reply.body)


def recording(pitch: float, tmp_path: Any) -> bytes:
    """A WAV of somebody who speaks at that pitch."""
    path = tmp_path / "sample.wav"
    sound.store(bursts((Span(0, 4000),), length=4000, pitch=pitch), 16_000, path)
    return bytes(path.read_bytes())


def clone(service: ElevenLabsService, sample: bytes, name: str = "autodub-1", account: str = "a1") -> Reply:
    """A voice cloned by form."""
    edge, out = "edge", io.BytesIO()
    out.write(f'--{edge}\r\ncontent-disposition: form-data; name="name"\r\n\r\n{name}\r\n'.encode())
    head = 'content-disposition: form-data; name="files"; filename="s.wav"\r\ncontent-type: audio/wav'
    out.write(f"--{edge}\r\n{head}\r\n\r\n".encode() + sample + f"\r\n--{edge}--\r\n".encode())
    return ask(
        service, "POST", "/v1/voices/add", body=out.getvalue(), account=account,
        kind=f"multipart/form-data; boundary={edge}",
    )  # fmt: skip


def test_thirty_one_characters_take_two_seconds() -> None:
    """The speech is real, at a natural tempo, and follows the speed that is asked for."""
    service, voice = ElevenLabsService(), voice_id("Marta")
    plain, slow, fast = (
        len(samples(say(service, voice, voice_settings={"speed": speed}))) / 24_000
        for speed in (1.0, 0.7, 1.2)
    )
    assert 1.8 < plain < 2.3
    assert slow == pytest.approx(plain / 0.7, rel=0.1)
    assert fast == pytest.approx(plain / 1.2, rel=0.1)


def test_every_voice_sounds_different_and_always_the_same() -> None:
    """Equal requests give equal bytes, other voices other ones."""
    voices = [voice_id(name) for name in ("Marta", "Diego", "Alice", "George")]
    first = [say(ElevenLabsService(), voice).body for voice in voices]
    assert len(set(first)) == 4
    assert [say(ElevenLabsService(), voice).body for voice in voices] == first


def test_a_clone_has_the_gender_of_its_sample(tmp_path: Any) -> None:
    """A low voice becomes a low one, a high voice a high one."""
    service = ElevenLabsService()
    heights = []
    for pitch in (100.0, 240.0):
        handle = told(clone(service, recording(pitch, tmp_path)))["voice_id"]
        found = pitch_of(samples(say(service, handle)), 24_000)
        assert found is not None
        heights.append(found.mean)
    assert heights[0] < 160 < heights[1]
    assert [voice.gender for voice in service.voices()] == ["male", "female"]


def test_a_sample_without_a_voice_is_refused(tmp_path: Any) -> None:
    """Bytes that are no sound, and silence, cannot be cloned."""
    silence = tmp_path / "silence.wav"
    sound.store(np.zeros(16_000, dtype=np.float32), 16_000, silence)
    for sample in (b"RIFFnothing", bytes(silence.read_bytes())):
        with pytest.raises(ValueError, match="sample"):
            heard(sample)
        assert clone(ElevenLabsService(), sample).status == 400


def test_accounts_do_not_share_voices(tmp_path: Any) -> None:
    """What one key cloned is unknown to another, and deleting works once."""
    service = ElevenLabsService()
    handle = told(clone(service, recording(120.0, tmp_path)))["voice_id"]
    assert say(service, handle).status == 200
    assert say(service, handle, account="a2").status == 400
    assert ask(service, "DELETE", f"/v1/voices/{handle}").status == 200
    assert told(ask(service, "DELETE", f"/v1/voices/{handle}"))["detail"]["status"] == "voice_not_found"


def test_slots_plans_and_losses(tmp_path: Any) -> None:
    """Slots run out, a plan may not clone, and voices can be deleted behind everybody's back."""
    service = ElevenLabsService(slots=1)
    sample = recording(120.0, tmp_path)
    assert clone(service, sample).status == 200
    assert told(clone(service, sample))["detail"]["status"] == "voice_limit_reached"
    assert (service.lose(), service.lose()) == (1, 0)
    service.clones = False
    assert told(clone(service, sample))["detail"]["status"] == "can_not_use_instant_voice_cloning"
    subscription = told(ask(service, "GET", "/v1/user/subscription"))
    assert (subscription["voice_slots_used"], subscription["voice_add_edit_counter"]) == (0, 1)


def test_credit_is_counted_and_runs_out() -> None:
    """Each line costs its characters until there is too little left, then nothing more."""
    service = ElevenLabsService(limit=40)
    reply = say(service, voice_id("Marta"))
    assert reply.headers["character-cost"] == str(len(LINE))
    assert reply.charges == {"characters": float(len(LINE))}
    assert reply.headers["maximum-concurrent-requests"] == "5"
    assert reply.headers["current-concurrent-requests"] == "2"
    empty = say(service, voice_id("Marta"))
    assert (empty.status, told(empty)["detail"]["status"], empty.charges) == (401, "quota_exceeded", {})
    assert told(ask(service, "GET", "/v1/user/subscription"))["character_count"] == len(LINE)


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"text": " "}, 400),
        ({"text": "a" * 10_001}, 400),
        ({"model_id": "eleven_v1_gone"}, 400),
        ({"model_id": "eleven_v3", "previous_text": "Hola."}, 400),
        ({"voice_settings": {"stability": 5}}, 422),
    ],
)
def test_bad_requests_get_what_they_deserve(more: dict[str, object], status: int) -> None:
    """Empty, long, unknown and unsupported are refused as the provider does."""
    assert say(ElevenLabsService(), voice_id("Marta"), **more).status == status


def test_the_list_has_pages() -> None:
    """Ten a page by default; the token leads to the rest."""
    service = ElevenLabsService()
    first = told(ask(service, "GET", "/v2/voices", query=(("page_size", "5"),)))
    second = told(
        ask(
            service,
            "GET",
            "/v2/voices",
            query=(("page_size", "5"), ("next_page_token", first["next_page_token"])),
        )
    )
    ids = [voice["voice_id"] for voice in (*first["voices"], *second["voices"])]
    assert (first["has_more"], second["has_more"], len(set(ids))) == (True, False, 8)
    assert ask(service, "GET", "/v2/voices", query=(("page_size", "500"),)).status == 422


def test_latency_follows_the_profile() -> None:
    """Thirty-one characters alone and among four others, and a clone, in each world."""
    service = ElevenLabsService()
    body = json.dumps({"text": LINE}).encode()
    line = Request("POST", "/v1/text-to-speech/x", (), {}, body)
    alone = 0.75 + 0.028 * 31
    assert service.seconds(line, PROTOTYPE, others=0) == pytest.approx(alone)
    assert service.seconds(line, PROTOTYPE, others=4) == pytest.approx(1.4 * alone)
    assert service.seconds(line, MODERN, others=0) == pytest.approx(0.25 + 0.006 * 31)
    assert service.seconds(line, INSTANT, others=4) == 0
    assert service.seconds(Request("POST", "/v1/voices/add", (), {}, b""), MODERN, others=0) == 2.0
    assert service.seconds(Request("GET", "/v2/voices", (), {}, b""), PROTOTYPE, others=0) == 0


def test_it_can_refuse_in_every_way() -> None:
    """Each fault has a status and a body."""
    service = ElevenLabsService()
    for fault in REFUSALS:
        reply = service.refusal(fault)
        assert reply.status >= 400
        assert reply.body


def test_a_speaker_remembers_a_bounded_number_of_lines() -> None:
    """Repeated lines are not spoken again; memory does not grow for ever."""
    speaker = Speaker()
    voice = timbre("x", gender="female")
    first = speaker.pcm("Sí.", voice, language="es", speed=1.0, rate=24_000)
    assert speaker.pcm("Sí.", voice, language="es", speed=1.0, rate=24_000) is first
    assert speaker.pcm("Sí.", voice, language="es", speed=1.0, rate=48_000) is not first
    with pytest.raises(RuntimeError):
        speaker.pcm("Sí.", voice, language="xx-none", speed=1.0, rate=24_000)
