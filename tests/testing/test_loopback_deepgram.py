"""The simulated Deepgram: told words, real recognition, refusals in the provider's shapes."""

import io
import json
import shutil
import subprocess

import numpy as np
import pytest
import soundfile

from autodub.model.speech import Word
from autodub.model.time import Span
from autodub.testing.loopback import FAULTS, MODERN, Request
from autodub.testing.loopback.deepgram import DeepgramService
from autodub.testing.loopback.deepgram_hearing import Undecodable, decode, likeness
from autodub.testing.studio import bursts

EARLY = (Span(200, 900), Span(1000, 1600))
LATE = (Span(2400, 3000), Span(3200, 3800))
USUAL = (
    ("model", "nova-3"),
    ("language", "en"),
    ("diarize_model", "latest"),
    ("utterances", "true"),
    ("punctuate", "true"),
)


def words(spans, *speakers):
    """A word per span."""
    return tuple(
        Word(f"Word{number}.", span, 0.9, who)
        for number, (span, who) in enumerate(zip(spans, speakers, strict=True))
    )


def packed(samples, kind="FLAC", subtype="PCM_16", rate=16_000):
    """Samples as a file of some kind."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=kind, subtype=subtype)
    return file.getvalue()


def listen(service, body, query=USUAL):
    """Status and JSON of a request, and what it charges."""
    reply = service.answer(Request("POST", "/v1/listen", tuple(query), {"authorization": "Token k"}, body))
    return reply.status, json.loads(reply.body), reply.charges


def heard(answer):
    """Texts and speakers of an answer."""
    found = answer["results"]["channels"][0]["alternatives"][0]["words"]
    return [(word.get("punctuated_word"), word.get("speaker")) for word in found]


@pytest.fixture
def service():
    """A provider that was told of two sounds of one length."""
    made = DeepgramService()
    made.tell(words(EARLY, "a", "b"), duration=4000)
    made.tell(words(LATE, "b", "b"), duration=4000, language="fr")
    return made


@pytest.mark.parametrize(("kind", "subtype"), [("FLAC", "PCM_16"), ("WAV", "PCM_16"), ("OGG", "OPUS")])
def test_a_sound_is_known_by_length_and_loudness(service, kind, subtype):
    """Of two truths of one length the one counts whose words are where it is loud."""
    for spans, speakers in ((EARLY, [0, 1]), (LATE, [0, 0])):
        status, answer, charges = listen(service, packed(bursts(spans, length=4000), kind, subtype))
        assert status == 200
        assert heard(answer) == [("Word0.", speakers[0]), ("Word1.", speakers[1])]
        assert answer["metadata"]["duration"] == pytest.approx(4.0, abs=0.02)
        assert answer["metadata"]["diarize_info"]["arch"] == "v2"
        assert charges["seconds"] == charges["diarized_seconds"] == pytest.approx(4.0, abs=0.02)


def test_what_is_not_asked_for_is_not_answered(service):
    """Speakers, utterances, punctuation and the language come only on request; the old switch is old."""
    body = packed(bursts(LATE, length=4000))
    _, bare, charges = listen(service, body, [("model", "nova-3"), ("language", "en")])
    assert heard(bare) == [(None, None), (None, None)]
    assert "utterances" not in bare["results"]
    assert "detected_language" not in bare["results"]["channels"][0]
    assert set(charges) == {"seconds"}
    _, full, _ = listen(
        service, body, [("model", "nova-3"), ("detect_language", "true"), ("diarize", "true")]
    )
    assert full["metadata"]["diarize_info"]["arch"] == "v1"
    assert full["results"]["channels"][0]["detected_language"] == "fr"
    _, several, charges = listen(service, body, [("model", "nova-3"), ("language", "multi")])
    assert several["results"]["channels"][0]["alternatives"][0]["languages"] == ["fr"]
    assert "multilingual_seconds" in charges


def test_an_utterance_may_carry_two_people(service):
    """Without a pause both are in one piece, under the name of the first, as in life."""
    body = packed(bursts(EARLY, length=4000))
    _, answer, _ = listen(service, body)
    assert [(u["speaker"], len(u["words"])) for u in answer["results"]["utterances"]] == [(0, 2)]
    _, answer, _ = listen(service, body, [*USUAL, ("utt_split", "0.05")])
    assert len(answer["results"]["utterances"]) == 2


def test_a_sound_nobody_told_of_is_recognised(service):
    """Real recognition of real speech, by one speaker, once per sound."""
    if shutil.which("flite") is None:
        pytest.skip("flite is not installed")
    made = subprocess.run(
        ["flite", "-voice", "slt", "-t", "good morning my friend", "-o", "/dev/stdout"],
        capture_output=True, check=True,
    ).stdout  # fmt: skip
    samples, rate = soundfile.read(io.BytesIO(made))
    body = packed(np.concatenate([np.zeros(rate // 2), samples, np.zeros(rate // 2)]), rate=rate)
    _, answer, _ = listen(service, body)
    text = answer["results"]["channels"][0]["alternatives"][0]["transcript"].lower()
    assert "my friend" in text
    assert {speaker for _, speaker in heard(answer)} == {0}
    assert listen(service, body)[1] == answer


def test_silence_has_no_words(service):
    """Silence of a known length is not mistaken for what was told of that length."""
    status, answer, _ = listen(service, packed(np.zeros(64_000)))
    assert status == 200
    assert heard(answer) == []
    assert answer["results"]["utterances"] == []


@pytest.mark.parametrize(
    "query",
    [
        [("model", "nova-1")], [("model", "nova-2"), ("keyterm", "x")],
        [("model", "nova-3"), ("diarize_model", "v9")], [("model", "nova-3"), ("utt_split", "abc")],
    ],
)  # fmt: skip
def test_a_bad_request_is_refused(service, query):
    """Unknown models and values are 400, as is what is no sound."""
    status, answer, charges = listen(service, packed(np.zeros(16_000)), query)
    assert status == 400
    assert charges == {}
    assert answer["request_id"]


def test_what_is_no_sound_is_refused(service):
    """Bytes of another kind are told as the provider tells them."""
    status, answer, _ = listen(service, b"no sound at all")
    assert status == 400
    assert "corrupt or unsupported data" in answer["err_msg"]
    with pytest.raises(Undecodable):
        decode(b"")


def test_accounts_can_be_looked_at(service):
    """Projects and models are lists; anything else is not there."""
    for path, name in (("/v1/projects", "projects"), ("/v1/models", "stt")):
        reply = service.answer(Request("GET", path, (), {}, b""))
        assert json.loads(reply.body)[name]
    assert service.answer(Request("GET", "/v1/nothing", (), {}, b"")).status == 404


def test_latency_grows_with_the_sound(service):
    """A second, and 25 ms for each second of sound; none for what is no transcription."""
    ask = Request("POST", "/v1/listen", (), {}, packed(np.zeros(64_000)))
    assert service.seconds(ask, MODERN, others=3) == pytest.approx(1.1)
    assert service.seconds(Request("GET", "/v1/projects", (), {}, b""), MODERN, others=0) == 0.0
    assert service.seconds(Request("POST", "/v1/listen", (), {}, b"x"), MODERN, others=0) == 0.0


def test_keys_come_in_two_schemes(service):
    """Token and Bearer carry keys, anything else carries none."""
    for value, key in (("Token abc", "abc"), ("bearer abc", "abc"), ("Basic abc", ""), ("", "")):
        assert service.key_of(Request("GET", "/", (), {"authorization": value}, b"")) == key


def test_refusals_come_in_three_shapes(service):
    """Every fault has a status of its own kind; among the bodies are two JSON shapes and plain text."""
    shapes = set()
    for fault in FAULTS[: FAULTS.index("timeout")]:
        reply = service.refusal(fault)
        if fault[:3].isdigit():
            assert reply.status == int(fault[:3])
        assert 400 <= reply.status < 600
        is_json = reply.headers["content-type"] == "application/json"
        shapes.add(next(iter(json.loads(reply.body))) if is_json else "text")
    assert shapes == {"err_code", "category", "text"}


def test_likeness_is_about_when_it_is_loud():
    """Right words are like a sound, misplaced ones are not, and nothing is like silence."""
    sound = decode(packed(bursts(EARLY, length=4000)))
    assert likeness(sound, words(EARLY, "a", "a")) > 0.7
    assert likeness(sound, words(LATE, "a", "a")) < 0
    silence = decode(packed(np.zeros(64_000)))
    assert likeness(silence, ()) == 1.0
    assert likeness(silence, words(EARLY, "a", "a")) == 0.0
