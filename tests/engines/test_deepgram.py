"""The Deepgram transcriber: what it sends, how it reads answers, what it makes of refusals."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodub.engines import deepgram_answer, deepgram_wire
from autodub.engines.deepgram import Deepgram, DeepgramOptions, spoken
from autodub.engines.deepgram_answer import Asked
from autodub.engines.roles import EngineContext
from autodub.gateway import keys
from autodub.gateway.accounts import Accounts
from autodub.gateway.cancel import Cancel
from autodub.gateway.gateway import Gateway
from autodub.gateway.retry import NO_RETRY, RetryPolicy
from autodub.media import sound
from autodub.model.calls import Transcribe
from autodub.model.errors import (
    BadAnswer,
    Busy,
    Cancelled,
    EngineCannot,
    EngineError,
    Gone,
    MediaError,
    NoCredit,
    Refused,
    Rejected,
    TooLong,
    Unreachable,
)
from autodub.model.media import Audio
from autodub.model.speech import Transcript, Word
from autodub.model.time import Span
from autodub.testing.loopback import Faults, Loopback, Reply, reply_json
from autodub.testing.loopback.deepgram import DeepgramService
from autodub.testing.studio import Studio, bursts

KEY = "3f5ad28c91e04b7786c2b1d0aa97e3c41f00beef"
SPECS = Path(__file__).resolve().parents[3] / "shared" / "specs"
SECONDS = 4
SAID = (
    Word("Hello,", Span(500, 900), 0.9, "anna"), Word("Ben.", Span(900, 1300), 0.8, "anna"),
    Word("Hi!", Span(1400, 1700), 0.7, "ben"), Word("How", Span(2800, 3000), 0.9, "anna"),
    Word("nice.", Span(3000, 3500), 0.9, "anna"),
)  # fmt: skip


class Scripted(DeepgramService):
    """The provider, with answers that can be spoilt before they are sent."""

    def __init__(self) -> None:
        super().__init__()
        self.tell(SAID, duration=SECONDS * 1000)
        self.spoil = lambda answer: answer
        self.fixed: Reply | None = None

    def answer(self, request):
        reply = super().answer(request)
        if request.path != "/v1/listen" or reply.status >= 400:
            return self.fixed or reply
        return self.fixed or Reply(
            reply.status,
            reply.headers,
            json.dumps(self.spoil(json.loads(reply.body))).encode(),
            reply.charges,
        )


class Bench:
    """A studio, a provider and an engine that talks to it."""

    def __init__(self, **options: Any) -> None:
        self.studio = Studio()
        self.service = Scripted()
        specs = SPECS if SPECS.is_dir() else None
        self.server = Loopback(
            [self.service], keys={"deepgram": [KEY]}, faults=Faults(), specs=specs, bodies=True
        )
        self.server.__enter__()
        self.engine = self.another(**options)

    def another(self, key: str = KEY, address: str = "", **options: Any) -> Deepgram:
        endpoint = address or self.server.url("deepgram")
        context = EngineContext(
            {"DEEPGRAM_API_KEY": key}, self.studio.folder, endpoints={"DEEPGRAM_BASE_URL": endpoint}
        )
        return Deepgram(DeepgramOptions(**options), context)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.server.stop()
        self.studio.__exit__(None, None, None)

    def speech(self) -> Audio:
        spans = [Span(500, 1300), Span(1400, 1700), Span(2800, 3500)]
        return self.studio.audio(bursts(spans, length=SECONDS * 1000), 16_000)

    def hear(self, engine: Deepgram | None = None, language: str | None = "en", **more: Any) -> Transcript:
        request = Transcribe(self.speech(), language, (), **more)
        found: Transcript = self.studio.call(engine or self.engine, "transcribe", request)
        return found

    def query(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for name, value in self.server.requests[-1].query:
            found.setdefault(name, []).append(value)
        return found


@pytest.fixture
def bench():
    """A provider that knows what is said in the bench's sound."""
    with Bench() as made:
        yield made
        assert not made.server.violations
        assert not made.server.crashes
        assert KEY not in repr(made.server.requests)


USUAL = {
    "model": ["nova-3"], "diarize_model": ["latest"], "utterances": ["true"], "utt_split": ["0.8"],
    "smart_format": ["true"], "punctuate": ["true"], "filler_words": ["false"],
    "profanity_filter": ["false"], "mip_opt_out": ["false"],
}  # fmt: skip


def test_everything_is_asked_for_explicitly(bench):
    """No default of the provider's is left to chance, and the old diarizer is never asked for."""
    bench.hear(terms=("Autodub", "Dr. Strange, PhD", "Autodub", " "))
    assert bench.query() == USUAL | {"language": ["en"], "keyterm": ["Autodub", "Dr. Strange PhD"]}
    sent = bench.server.requests[-1]
    assert sent.method == "POST"
    assert sent.path == "/v1/listen"
    assert sent.headers["content-type"] == "application/octet-stream"


def test_the_query_is_what_the_provider_describes(bench):
    """Every way of asking passes the provider's own description."""
    if not SPECS.is_dir():
        pytest.skip("the providers' descriptions (../shared/specs) are not on this machine")
    for options in (
        {"model": "nova-2"},
        {"diarize_model": "off"},
        {"diarize_model": "v1"},
        {"multilingual": True},
    ):
        bench.hear(bench.another(**options), "en", terms=("Autodub",))
    bench.hear(bench.another(codec="opus", utt_split=1.2, mip_opt_out=True), None)
    assert len(bench.server.requests) == 5
    assert bench.server.violations == ()


@pytest.mark.parametrize(
    ("options", "language", "asked"),
    [
        ({}, None, {"detect_language": ["true"]}),
        ({}, "es-MX", {"language": ["es"]}),
        ({"multilingual": True}, "en", {"language": ["multi"]}),
        ({"multilingual": True}, None, {"language": ["multi"]}),
        ({"diarize_model": "v2", "utt_split": 1.5}, "en", {"diarize_model": ["v2"], "utt_split": ["1.5"]}),
    ],
)
def test_options_reach_the_wire(options, language, asked):
    """Language, its detection, several languages and the diarizer are asked for as chosen."""
    with Bench(**options) as bench:
        bench.hear(language=language)
        assert {name: bench.query()[name] for name in asked} == asked
        assert len({"language", "detect_language"} & bench.query().keys()) == 1


def test_no_diarizer_means_no_speakers():
    """Switched off, the request does not name one, words have no speakers, and nobody complains."""
    with Bench(diarize_model="off") as bench:
        heard = bench.hear()
        assert "diarize_model" not in bench.query()
        assert {segment.speaker for segment in heard.segments} == {None}
        assert heard.notes == ()
        assert {use.unit for use in bench.studio.gateway.usage()} == {"seconds"}


@pytest.mark.parametrize(
    ("tag", "wanted"),
    [
        ("en", "en"), ("en-GB", "en-GB"), ("en-ZA", "en"), ("es-MX", "es"), ("es-419", "es-419"),
        ("pt-BR", "pt-BR"), ("nb", "no"), ("fil", "tl"), ("zh", "zh-CN"), ("zh-Hant", "zh-TW"),
        ("zh-TW", "zh-TW"), ("zh-HK", "zh-HK"), ("yue", "zh-HK"), ("sr-Latn", "sr"), ("de-AT", "de"),
    ],
)  # fmt: skip
def test_languages_are_named_as_the_provider_names_them(tag, wanted):
    """A region is only sent where there is a model for it: others would be refused."""
    assert spoken(tag) == wanted


def test_words_come_with_times_and_speakers(bench):
    """Segments end with an utterance, and where another person speaks inside one."""
    heard = bench.hear()
    told = [(s.speaker, s.text, s.span.start, s.span.end) for s in heard.segments]
    # Hello, Ben. Hi! is one utterance of the provider's: nobody pauses for 0.8 s in it.
    assert told == [
        ("S1", "Hello, Ben.", 500, 1300),
        ("S2", "Hi!", 1400, 1700),
        ("S1", "How nice.", 2800, 3500),
    ]
    words = [word for segment in heard.segments for word in segment.words]
    assert [word.text for word in words] == [word.text for word in SAID]
    assert [word.span for word in words] == [word.span for word in SAID]
    assert [word.confidence for word in words] == [0.9, 0.8, 0.7, 0.9, 0.9]
    assert heard.language == "en"
    assert heard.notes == ()


def test_the_call_is_metered_by_the_answer(bench):
    """Seconds and diarized seconds as the provider bills them, and no more than was quoted."""
    bench.hear()
    metered = {use.unit: use.amount for use in bench.studio.gateway.usage()}
    assert metered == bench.server.charged()["deepgram"] == {"seconds": 4.0, "diarized_seconds": 4.0}
    quoted = bench.engine.quote("transcribe", Transcribe(bench.speech(), "en", ()))
    assert quoted == metered
    assert bench.engine.quote("examine", None) == {}


@pytest.mark.parametrize(("codec", "magic", "most"), [("flac", b"fLaC", 70_000), ("opus", b"OggS", 40_000)])
def test_the_sound_is_sent_compressed(codec, magic, most):
    """A container the provider knows, with its length told, smaller than the samples."""
    with Bench(codec=codec) as bench:
        assert bench.hear().segments
        sent = bench.server.requests[-1]
        assert sent.body[:4] == magic
        assert sent.size < most < SECONDS * 32_000
        assert sent.headers["content-length"] == str(sent.size)
        assert "transfer-encoding" not in sent.headers


def test_a_language_is_detected(bench):
    """What the provider detects becomes a tag of ours; doubt is noted."""
    bench.service.truths[0] = type(bench.service.truths[0])(SAID, SECONDS * 1000, "pt-BR")
    assert bench.hear(language=None).language == "pt-BR"

    def doubt(answer):
        answer["results"]["channels"][0]["language_confidence"] = 0.31
        return answer

    bench.service.spoil = doubt
    heard = bench.hear(bench.another(model="nova-3-general"), None)
    assert "31%" in heard.notes[0]
    assert "'pt-BR'" in heard.notes[0]


def test_several_languages_are_told_by_the_most_spoken():
    """With code switching the language of most words counts, which costs more per second."""
    with Bench(multilingual=True) as bench:

        def switch(answer):
            for word, tag in zip(
                answer["results"]["channels"][0]["alternatives"][0]["words"], ["en", "es", "es", "es", "en"],
                strict=True,
            ):  # fmt: skip
                word["language"] = tag
            return answer

        bench.service.spoil = switch
        assert bench.hear(language=None).language == "es"
        metered = {use.unit for use in bench.studio.gateway.usage()}
        assert metered == {"multilingual_seconds", "diarized_seconds"}


def test_a_missing_diarizer_and_an_older_model_are_noted(bench):
    """What the provider silently does less than asked is said."""
    bench.service.is_diarizing = False
    bench.service.is_outdated = True
    heard = bench.hear(language=None)
    assert any("speakers" in note for note in heard.notes)
    assert any("nova-2" in note and "nova-3" in note for note in heard.notes)
    assert {segment.speaker for segment in heard.segments} == {None}


def test_terms_beyond_the_limit_are_counted(bench):
    """About 500 tokens of terms are sent; how many were not is noted. An older model takes none."""
    terms = tuple(f"Wolfeschlegelsteinhausen{number}" for number in range(100))
    heard = bench.hear(terms=terms)
    sent = bench.query()["keyterm"]
    assert sent == list(terms[: len(sent)])
    assert 40 <= len(sent) <= 70
    assert f"{100 - len(sent)} of 100" in heard.notes[0]
    heard = bench.hear(bench.another(model="nova-2"), terms=("Autodub",))
    assert "keyterm" not in bench.query()
    assert "1 of 1" in heard.notes[0]


def test_silence_is_a_valid_answer(bench):
    """No words are no error, whether the language was to be detected or not; no sound is not even sent."""
    bench.service.truths.clear()
    silence = bench.studio.audio(np.zeros(16_000, dtype=np.float32), 16_000)
    for language in (None, "de"):
        heard = bench.studio.call(bench.engine, "transcribe", Transcribe(silence, language, ()))
        assert heard == Transcript(language or "en", ())
    assert len(bench.server.requests) == 2
    nothing = bench.studio.audio(np.zeros(0, dtype=np.float32), 16_000)
    heard = bench.studio.call(bench.engine, "transcribe", Transcribe(nothing, "de", ()))
    assert heard.segments == ()
    assert len(bench.server.requests) == 2


def test_one_word_is_a_transcript(bench):
    """A single word is a segment of its own."""
    bench.service.truths.clear()
    bench.service.tell(SAID[:1], duration=SECONDS * 1000)
    heard = bench.hear()
    assert [(s.text, s.speaker, len(s.words)) for s in heard.segments] == [("Hello,", "S1", 1)]


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("400", Rejected), ("401", Refused), ("402", NoCredit), ("403", Refused), ("404", Gone),
        ("408", EngineError), ("413", TooLong), ("422", Rejected), ("429", Busy), ("500", Unreachable),
        ("503", Unreachable), ("504", TooLong), ("missing_permission", Refused),
    ],
)  # fmt: skip
def test_refusals_are_told_apart(bench, fault, kind):
    """Every refusal is one request and the right error, without the key."""
    bench.server.faults.fail_next("deepgram", "transcription", fault)
    with pytest.raises(kind) as caught:
        bench.hear()
    assert len(bench.server.requests) == 1
    assert KEY not in f"{caught.value!r} {caught.value.hint}"
    if isinstance(caught.value, Refused):
        assert caught.value.whole_account is (fault == "401")


def test_refusals_that_are_no_text_keep_their_status(bench):
    """Bytes that are no UTF-8 (a proxy's page) do not hide what the status says."""
    bench.service.fixed = Reply(503, {"retry-after": "3"}, b"\xff\xfe<html>\xe4</html>")
    with pytest.raises(Unreachable) as caught:
        bench.hear()
    assert caught.value.retry_after == 3.0
    bench.service.fixed = Reply(307, {"location": "http://127.0.0.1:9/v1/listen"})
    with pytest.raises(Rejected, match="307") as moved:
        bench.hear()
    assert "DEEPGRAM_BASE_URL" in moved.value.hint


def test_a_language_it_does_not_know_is_hinted_at(bench):
    """A refusal that speaks of the language says what to choose instead."""
    bench.service.fixed = reply_json(
        {"err_code": "Bad Request", "err_msg": "Bad Request: No such model/language/tier combination found."},
        status=400,
    )
    with pytest.raises(Rejected) as caught:
        bench.hear(language="sw")
    assert "'sw'" in caught.value.hint


@pytest.mark.parametrize("fault", ["truncated", "empty", "cut"])
def test_half_an_answer_is_none(bench, fault):
    """JSON that breaks off is worth asking again, and nobody's words are in the message."""
    bench.server.faults.fail_next("deepgram", "transcription", fault)
    with pytest.raises((BadAnswer, Unreachable)) as caught:
        bench.hear()
    assert caught.value.transient
    assert "Hello" not in str(caught.value)
    assert bench.hear().segments


def drop(*path):
    """Spoils an answer by removing a field."""

    def spoil(answer):
        node = answer
        for step in path[:-1]:
            node = node[step]
        del node[path[-1]]
        return answer

    return spoil


ALTERNATIVE = ("results", "channels", 0, "alternatives", 0)


@pytest.mark.parametrize(
    "spoil",
    [
        drop("results"), drop("results", "channels"), drop("results", "channels", 0),
        drop(*ALTERNATIVE), drop(*ALTERNATIVE, "words"), drop(*ALTERNATIVE, "words", 0, "start"),
        lambda answer: [], lambda answer: None, lambda answer: 7, lambda answer: {"request_id": "later"},
        lambda answer: answer | {"results": {"channels": "none"}},
        lambda answer: answer | {"results": {"channels": [{"alternatives": [{"words": ["x"]}]}]}},
    ],
)  # fmt: skip
def test_odd_answers_are_bad_answers(bench, spoil):
    """Fields that are missing or of another kind never crash."""
    bench.service.spoil = spoil
    with pytest.raises(BadAnswer):
        bench.hear()


def test_an_answer_that_cannot_be_read_is_paid_for(bench):
    """The provider has listened to all of it: the bill says so, for each time it was asked."""
    bench.service.spoil = drop("results")
    gateway = Gateway(bench.studio.gateway.store, accounts=Accounts(), retry=RetryPolicy(base=0.0))
    with pytest.raises(BadAnswer):
        gateway.call(bench.engine, "transcribe", Transcribe(bench.speech(), "en", ()))
    assert {use.unit: use.amount for use in gateway.usage()} == {
        "seconds": 2.0 * SECONDS, "diarized_seconds": 2.0 * SECONDS
    }  # fmt: skip


def test_what_can_be_done_without_may_be_missing(bench):
    """No metadata, no utterances, no punctuation: words and speakers are enough."""

    def bare(answer):
        words = answer["results"]["channels"][0]["alternatives"][0]["words"]
        for word in words:
            del word["punctuated_word"], word["confidence"]
        return {"results": {"channels": [{"alternatives": [{"words": words}]}]}}

    bench.service.spoil = bare
    heard = bench.hear()
    assert [segment.text for segment in heard.segments] == ["hello ben", "hi", "how nice"]
    assert {use.amount for use in bench.studio.gateway.usage()} == {4.0}


def test_a_key_it_does_not_know_is_refused_at_once(bench):
    """One request; the hint names the variable."""
    wrong = bench.another(key="0" * 40)
    with pytest.raises(Refused) as caught:
        bench.hear(wrong)
    assert caught.value.whole_account
    assert "DEEPGRAM_API_KEY" in caught.value.hint
    assert len(bench.server.requests) == 1
    assert "0" * 40 not in repr(caught.value)


@pytest.mark.parametrize("key", ["schlüssel-mit-umlaut", "two\nlines-of-a-key"])
def test_a_key_that_cannot_be_sent_is_not(bench, key):
    """Letters that no header may hold are refused without a request, and not repeated."""
    with pytest.raises(Refused) as caught:
        bench.hear(bench.another(key=key))
    assert key not in str(caught.value)
    assert not bench.server.requests


def test_without_a_key_it_says_so():
    """Readiness and error name the setting; loading ahead is harmless."""
    engine = Deepgram(DeepgramOptions(), EngineContext({}, Path()))
    assert engine.readiness().state == "needs key"
    assert "DEEPGRAM_API_KEY" in engine.readiness().detail
    engine.prepare()
    with pytest.raises(EngineCannot, match="key"):
        engine.examine()


def test_an_address_that_is_none_is_the_operators_to_correct(bench):
    """No request is tried again for it, and the setting is named."""
    with pytest.raises(Rejected) as caught:
        bench.hear(bench.another(address="nonsense"))
    assert "DEEPGRAM_BASE_URL" in caught.value.hint


def test_the_version_in_an_address_may_be_given_or_not(bench):
    """An address that ends in /v1 is the same address."""
    other = bench.another(address=bench.server.url("deepgram") + "/v1/")
    assert other.account == bench.engine.account
    assert bench.hear(other).segments


def test_an_account_is_examined_before_it_is_used(bench):
    """A good key is ready, a wrong one refused, a model that is gone named; narrow keys are good enough."""
    assert bench.engine.examine().state == "ready"
    assert {request.path for request in bench.server.requests} == {"/v1/projects", "/v1/models"}
    with pytest.raises(Refused):
        bench.another(key="0" * 40).examine()
    with pytest.raises(Gone, match="nova-1") as caught:
        bench.another(model="nova-1").examine()
    assert "nova-3" in caught.value.hint
    bench.server.faults.fail_next("deepgram", "account", "missing_permission")
    assert bench.engine.examine().state == "ready"
    bench.server.faults.fail_next("deepgram", "account", "404")
    assert bench.engine.examine().state == "ready"
    bench.server.faults.fail_next("deepgram", "account", "503")
    with pytest.raises(Unreachable):
        bench.engine.examine()


def test_options_that_change_no_answer_do_not_ask_again(bench):
    """Patience and privacy are no part of what an answer is kept under; the model is."""
    request = Transcribe(bench.speech(), "en", ())
    usual = keys.key(bench.engine, "transcribe", request)
    assert keys.key(bench.another(timeout=60, mip_opt_out=True), "transcribe", request) == usual
    assert keys.key(bench.another(key="another-key-0000"), "transcribe", request) == usual
    assert keys.key(bench.another(model="nova-2"), "transcribe", request) != usual


def test_a_request_to_stop_is_heard_while_sending(bench):
    """The upload ends with the next piece, and nothing is left in flight."""
    stop = Cancel()
    engine = bench.engine
    request = Transcribe(bench.speech(), "en", ())

    def listen(event):
        if event.kind == "stage.progress":
            stop.request()

    gateway = Gateway(bench.studio.store, listener=listen, retry=NO_RETRY, cancel=stop)
    with pytest.raises(Cancelled):
        gateway.call(engine, "transcribe", request, stage="transcribe")


def test_a_long_programme_is_compressed_and_sent_in_pieces(tmp_path):
    """An hour of silence takes no more memory than a minute."""
    peaks = []
    for minutes in (2, 60):
        path = tmp_path / f"{minutes}.wav"
        with sound.Writer(path, rate=16_000, channels=1, subtype="PCM_16") as writer:
            block = np.zeros(16_000 * 60, dtype=np.float32)
            for _ in range(minutes):
                writer.write(block)
        tracemalloc.start()
        packed = deepgram_wire.compress(path, tmp_path, codec="flac", check=lambda: None)
        with deepgram_wire.Upload(packed, progress=lambda part: None) as body:
            sent = sum(len(piece) for piece in body)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert sent == packed.stat().st_size
        assert sound.Reader(packed).frames == minutes * 60 * 16_000
    assert peaks[1] < peaks[0] + 1_000_000
    assert peaks[1] < 16_000_000


def test_too_large_a_file_is_not_even_sent(bench, monkeypatch):
    """Beyond the provider's limit nothing goes over the wire; the hint says what helps."""
    monkeypatch.setattr("autodub.engines.deepgram.LARGEST", 1000)
    with pytest.raises(TooLong) as caught:
        bench.hear()
    assert "opus" in caught.value.hint
    assert not bench.server.requests


def test_sound_that_is_none_is_told_as_such(tmp_path):
    """A damaged file and a folder that is gone are told, not crashed over."""
    path = tmp_path / "bad.wav"
    path.write_bytes(b"no sound")
    with pytest.raises(MediaError):
        deepgram_wire.compress(path, tmp_path, codec="flac", check=lambda: None)
    good = tmp_path / "good.wav"
    sound.store(np.zeros(1600, dtype=np.float32), 16_000, good)
    with pytest.raises(MediaError, match="compressed"):
        deepgram_wire.compress(good, tmp_path / "gone", codec="flac", check=lambda: None)


NUMBER = st.none() | st.integers(-5, 40) | st.floats(-5, 40) | st.just(float("nan")) | st.just(1e300)


@settings(deadline=None, max_examples=200)
@given(
    rows=st.lists(
        st.tuples(
            st.text(min_size=1, max_size=4), st.floats(-2, 40), NUMBER, NUMBER,
            st.none() | st.integers(0, 3) | st.just("A"),
        ),
        max_size=12,
    ),
    starts=st.lists(NUMBER, max_size=4),
)  # fmt: skip
def test_words_are_put_in_order(rows, starts):
    """Whatever times come: words stay, in order, inside the sound, and nobody speaks over themselves."""
    words: list[Mapping[str, object]] = [
        {"word": text, "start": start, "end": end, "confidence": sure, "speaker": who}
        for text, start, end, sure, who in rows
    ]
    answer = {
        "results": {
            "channels": [{"alternatives": [{"words": words}]}],
            "utterances": [{"start": start} for start in starts],
        }
    }
    limit = 30_000
    heard = deepgram_answer.read(answer, Asked(limit, "nova-3", "en", wants_speakers=True)).transcript
    found = [word for segment in heard.segments for word in segment.words]
    said = [text for text, *_ in rows if text.strip() and not text.isspace()]
    assert len(found) <= len(said)
    assert sum(len(word.text) > 0 for word in found) == len(found)
    assert [word.span.start for word in found] == sorted(word.span.start for word in found)
    for word in found:
        assert 0 <= word.span.start <= word.span.end <= limit
        assert word.confidence is None or 0 <= word.confidence <= 1
    for word, following in pairwise(found):
        if word.speaker == following.speaker:
            assert word.span.end <= following.span.start
    for segment in heard.segments:
        assert {word.speaker for word in segment.words} == {segment.speaker}
        assert segment.text.strip()
    names = list(dict.fromkeys(word.speaker for word in found if word.speaker))
    assert names == [f"S{number}" for number in range(1, len(names) + 1)]


@settings(deadline=None, max_examples=150)
@given(
    answer=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["results", "channels", "alternatives", "words", "word", "start", "metadata", "utterances",
                 "duration", "model_info", "languages", "detected_language"]
            ),
            inner, max_size=4,
        ),
        max_leaves=12,
    )
)  # fmt: skip
def test_no_answer_crashes_the_reader(answer):
    """Arbitrary JSON is a transcript or a bad answer."""
    try:
        heard = deepgram_answer.read(answer, Asked(1000, "nova-3", None, wants_speakers=True))
    except BadAnswer:
        return
    assert heard.transcript.language
    assert heard.seconds >= 0
