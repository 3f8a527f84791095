"""The pocketsphinx transcriber."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodub.engines.roles import EngineContext
from autodub.engines.sphinx import Sphinx, SphinxOptions, utterances
from autodub.media import sound
from autodub.media.voice_activity import detect
from autodub.model.calls import Transcribe
from autodub.model.errors import EngineCannot
from autodub.model.speech import Word
from autodub.model.time import Span
from autodub.testing.contracts import TranscriberContract
from autodub.testing.studio import Studio

LIBRIVOX = Path("/usr/share/pocketsphinx/test/data/librivox")


class TestSphinx(TranscriberContract):
    """Sphinx keeps the contract of a transcriber."""

    def engine(self, options: Mapping[str, str], context: EngineContext) -> Any:
        return Sphinx(SphinxOptions(**options), context)

    def test_another_language_is_refused(self) -> None:
        """It says that it knows only English and what to do instead."""
        with self.ready() as (studio, engine), pytest.raises(EngineCannot, match="'de'") as caught:
            studio.call(engine, "transcribe", Transcribe(self.speech(studio), "de", self.spans))
        assert "--subtitles" in caught.value.hint

    def test_a_broken_model_is_named(self) -> None:
        """A dictionary that is none is reported with its path, not as a crash."""
        with Studio() as studio:
            bad = studio.folder / "bad.dict"
            assert Sphinx(SphinxOptions(dictionary=bad), studio.context).readiness().state == "needs download"
            bad.write_bytes(b"\x00\xff no words \x00")
            engine = Sphinx(SphinxOptions(hmm=bad), studio.context)
            with pytest.raises(EngineCannot, match=re.escape("bad.dict")):
                studio.call(engine, "transcribe", self.request(studio))


def errors(reference: list[str], heard: list[str]) -> int:
    """Levenshtein distance of two word lists."""
    row = np.arange(len(heard) + 1)
    for at, word in enumerate(reference, 1):
        last, row = row, np.full(len(heard) + 1, at)
        for n, other in enumerate(heard, 1):
            row[n] = min(last[n] + 1, row[n - 1] + 1, last[n - 1] + (word != other))
    return int(row[-1])


def test_read_english_is_heard() -> None:
    """Of five read sentences at most 40 % of the words are wrong; words are ordered and inside the sound."""
    if not LIBRIVOX.is_dir():
        pytest.skip("needs the Debian package pocketsphinx-testdata")
    text = (LIBRIVOX / "transcription").read_text(encoding="utf-8")
    reference = re.sub(r"<s>|</s>|\(.*?\)", " ", text).split()
    pause = np.zeros(12_000, np.float32)
    parts = [x for p in sorted(LIBRIVOX.glob("*.wav")) for x in (sound.load(p)[0][:, 0], pause)]
    with Studio() as studio:
        audio = studio.audio(np.concatenate(parts), 16_000)
        spans = detect(studio.store.blobs.path(audio.blob))
        engine = Sphinx(SphinxOptions(threads=2), studio.context)
        found = studio.call(engine, "transcribe", Transcribe(audio, None, spans))
    words = [word for segment in found.segments for word in segment.words]
    heard = [re.sub(r"[^a-z']", "", word.text.lower()) for word in words]
    assert errors(reference, heard) <= 0.4 * len(reference)
    assert found.language == "en"
    assert any("not given" in note for note in found.notes)
    assert len(found.segments) >= 5
    for segment in found.segments:
        assert segment.text[0].isupper()
        assert segment.text.endswith(".")
        assert segment.text == " ".join(word.text for word in segment.words)
        assert "(" not in segment.text
        assert "<" not in segment.text
    assert all(0 <= (word.confidence or 0) <= 1 for word in words)
    assert words[0].span.start >= 0
    assert words[-1].span.end <= audio.duration
    assert all(left.span.end <= right.span.start for left, right in pairwise(words))
    assert sum(any(word.span.overlap(span) for span in spans) for word in words) >= 0.95 * len(words)


def test_sentences_from_words() -> None:
    """A pause of 0.6 s ends a sentence; I and the first letter are capitals."""
    times = [(0, 300), (320, 600), (650, 900), (1500, 1800), (1850, 2000)]
    words = [Word(t, Span(*s)) for t, s in zip(["so", "i", "i'm", "in", "here"], times, strict=True)]
    segments = utterances(words, limit=5000)
    assert [segment.text for segment in segments] == ["So I I'm.", "In here."]
    assert [segment.span for segment in segments] == [Span(0, 900), Span(1500, 2000)]


@settings(deadline=None, max_examples=80)
@given(st.lists(st.tuples(st.integers(0, 9000), st.integers(0, 900)), max_size=30), st.integers(0, 10_000))
def test_words_never_overlap_nor_leave_the_sound(times: list[tuple[int, int]], limit: int) -> None:
    """Whatever times come in, words go out ordered, disjoint and inside."""
    segments = utterances([Word("a", Span(a, a + n)) for a, n in times], limit=limit)
    words = [word.span for segment in segments for word in segment.words]
    assert all(0 <= span.start < span.end <= limit for span in words)
    assert all(left.end <= right.start for left, right in pairwise(words))
