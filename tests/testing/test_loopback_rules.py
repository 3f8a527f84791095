"""Requests are checked against the providers' own descriptions, and beyond what those say."""

import json
from pathlib import Path

import pytest

from autodub.testing.loopback import Request
from autodub.testing.loopback.forms import Part, parts
from autodub.testing.loopback.validate import Description

_SPECS = Path(__file__).resolve().parents[3] / "shared" / "specs"


@pytest.fixture(scope="module")
def described():
    """The providers' descriptions by name; skips where they are absent."""
    if not _SPECS.is_dir():
        pytest.skip("the providers' descriptions (../shared/specs) are not on this machine")
    names = ("deepgram", "openai", "elevenlabs")
    return {name: Description.read(_SPECS / name / "openapi.json") for name in names}


def request(method, address, body=None, *, kind="application/json", **headers):
    """A request as a client would send it."""
    path, _, query = address.partition("?")
    pairs = tuple(tuple(item.partition("=")[::2]) for item in query.split("&") if item)
    content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    told = {"content-type": kind} if content else {}
    return Request(method, path, pairs, told | {k.replace("_", "-"): v for k, v in headers.items()}, content)


def form(fields):
    """A multipart form of ``(name, filename, content)``."""
    lines = []
    for name, filename, content in fields:
        more = f'; filename="{filename}"' if filename else ""
        lines += [b"--b1", f'Content-Disposition: form-data; name="{name}"{more}'.encode(), b"", content]
    return b"\r\n".join([*lines, b"--b1--", b""])


def listen(query, **more):
    """A transcription request."""
    return request("POST", f"/v1/listen?{query}", b"RIFF", kind="audio/wav", authorization="Token k", **more)


GOOD = "model=nova-3&language=en&diarize_model=latest&utterances=true&utt_split=0.8&keyterm=A&keyterm=B"


def test_a_good_transcription_request_passes(described):
    """What an adapter ought to send is no violation."""
    assert described["deepgram"].check(listen(GOOD)) == []


@pytest.mark.parametrize(
    ("query", "told"),
    [
        (GOOD.replace("0.8", "abc"), "utt_split"),
        (GOOD.replace("latest", "v9"), "diarize_model"),
        (GOOD + "&volume=11", "volume is not described"),
        (GOOD + "&diarize=true", "old diarizer"),
        (GOOD + "&keywords=x", "keywords"),
        (GOOD + "&keyterm=a,b", "comma"),
        (GOOD.replace("nova-3", "nova-2"), "nova-3 only"),
        (GOOD.replace("language=en&", ""), "language"),
        (GOOD.replace("model=nova-3&", ""), "model"),
    ],
)
def test_a_bad_transcription_request_is_told(described, query, told):
    """Wrong values, unknown parameters and silent fallbacks are violations."""
    assert told in "; ".join(described["deepgram"].check(listen(query)))


def test_a_missing_key_or_wrong_address_is_told(described):
    """A request without its key's header, or to an operation that does not exist, is a violation."""
    bare = request("POST", f"/v1/listen?{GOOD}", b"RIFF", kind="audio/wav")
    assert "Authorization is missing" in "; ".join(described["deepgram"].check(bare))
    assert "no such operation" in described["deepgram"].check(request("POST", "/v2/listen"))[0]
    assert "no such operation" in described["elevenlabs"].check(request("GET", "/v1/text-to-speech/x"))[0]
    assert "body is missing" in "; ".join(
        described["elevenlabs"].check(request("POST", "/v1/text-to-speech/x", xi_api_key="k"))
    )
    assert "not described" in "; ".join(
        described["openai"].check(request("POST", "/chat/completions", b"x", kind="text/csv"))
    )


def speech(**changes):
    """A speech request."""
    body = {
        "text": "Hola", "model_id": "eleven_multilingual_v2", "seed": 7,
        "voice_settings": {"stability": 0.5, "speed": 1.1}, "previous_text": "Sí.",
    }  # fmt: skip
    return request("POST", "/v1/text-to-speech/abc?output_format=pcm_24000", body | changes, xi_api_key="k")


def test_a_good_speech_request_passes(described):
    """What an adapter ought to send is no violation."""
    assert described["elevenlabs"].check(speech()) == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"voice_settings": {"stability": 5}}, "stability"),
        ({"voice_settings": {"speed": -3}}, "speed"),
        ({"voice_settings": {"loudness": 1}}, "loudness is not described"),
        ({"seed": -1}, "seed"),
        ({"text": ""}, "text is empty"),
        ({"text": None}, "body.text"),
        ({"tempo": 2}, "tempo is not described"),
        ({"model_id": "eleven_v3"}, "previous_text"),
        ({"model_id": ""}, "no model"),
        ({"language_code": "es"}, "language_code"),
        ({"previous_request_ids": ["a", "b", "c", "d"]}, "previous_request_ids"),
        ({"apply_text_normalization": "perhaps"}, "apply_text_normalization"),
    ],
)
def test_a_bad_speech_request_is_told(described, changes, told):
    """Values out of bounds, unknown fields and fields that a model refuses are violations."""
    assert told in "; ".join(described["elevenlabs"].check(speech(**changes)))


def test_a_sound_format_nobody_makes_is_told(described):
    """A value that the description does not list is a violation."""
    wrong = request(
        "POST", "/v1/text-to-speech/abc?output_format=wav_96000",
        {"text": "Hola", "model_id": "eleven_v3"}, xi_api_key="k",
    )  # fmt: skip
    assert "output_format" in described["elevenlabs"].check(wrong)[0]


def test_forms_are_read_and_checked(described):
    """Fields of a form arrive with names and bytes; missing and unknown ones are violations."""
    kind = "multipart/form-data; boundary=b1"
    good = form(
        [("name", "", b"Anna"), ("files", "a.wav", b"\r\n--x\r\nRIFF"), ("labels", "", b'{"a": "b"}')]
    )
    sent = request("POST", "/v1/voices/add", good, kind=kind, xi_api_key="k")
    assert parts(sent)[1] == Part("files", b"\r\n--x\r\nRIFF", "a.wav", "")
    assert described["elevenlabs"].check(sent) == []
    bad = form(
        [("files", "a.wav", b"RIFF"), ("colour", "", b"red"), ("remove_background_noise", "", b"maybe")]
    )
    told = "; ".join(
        described["elevenlabs"].check(request("POST", "/v1/voices/add", bad, kind=kind, xi_api_key="k"))
    )
    assert "name is missing" in told
    assert "colour is not described" in told
    assert "remove_background_noise" in told
    assert parts(request("POST", "/v1/voices/add", b"RIFF", kind="audio/wav")) == []


SHAPE = {
    "type": "object", "properties": {"lines": {"type": "array", "items": {"$ref": "#/$defs/L"}}},
    "required": ["lines"], "additionalProperties": False,
    "$defs": {"L": {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"],
                    "additionalProperties": False}},
}  # fmt: skip


def chat(schema=SHAPE, **changes):
    """A translation request."""
    body = {
        "model": "gpt-6-luna", "messages": [{"role": "user", "content": "Hello"}], "reasoning_effort": "none",
        "temperature": 0.3, "store": False,
        "response_format": {"type": "json_schema",
                            "json_schema": {"name": "lines", "schema": schema, "strict": True}},
    }  # fmt: skip
    return request("POST", "/v1/chat/completions", body | changes, authorization="Bearer k")


def test_a_good_translation_request_passes(described):
    """What an adapter ought to send is no violation, below /v1 or not."""
    assert described["openai"].check(chat()) == []
    assert described["openai"].check(request("GET", "/models", authorization="Bearer k")) == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"temperature": 9}, "temperature"),
        ({"reasoning_effort": "enormous"}, "reasoning_effort"),
        ({"reasoning_effort": "high"}, "temperature is taken with"),
        ({"response_format": {"type": "json_schema"}}, "json_schema"),
        ({"messages": []}, "messages"),
        ({"mood": "good"}, "mood is not described"),
        ({"schema": {**SHAPE, "additionalProperties": True}}, "additional properties"),
        ({"schema": {**SHAPE, "required": []}}, "does not require"),
        ({"schema": {**SHAPE, "$defs": {"L": {"type": "object", "properties": {"id": {}}}}}}, "schema.L"),
    ],
)
def test_a_bad_translation_request_is_told(described, changes, told):
    """Wrong values, unknown fields and inner schemas that are not strict are violations."""
    assert told in "; ".join(described["openai"].check(chat(**changes)))


def test_a_key_that_the_description_does_not_ask_for_is_missed(described):
    """OpenAI's description forgets its key; the rules do not."""
    bare = request("GET", "/models")
    assert "Authorization" in described["openai"].check(bare)[0]
