"""Values to text and back."""

import math
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodub.infra import codec
from autodub.model.calls import Synthesize
from autodub.model.speech import Segment, Tone, Transcript, Voice, Word
from autodub.model.time import Span

_floats = st.floats(allow_nan=False, allow_infinity=False)
_texts = st.text(max_size=20)
_spans = st.tuples(st.integers(0, 10**7), st.integers(0, 10**5)).map(lambda pair: Span(pair[0], sum(pair)))
_words = st.builds(Word, _texts, _spans, st.none() | _floats, st.none() | _texts)
_segments = st.builds(Segment, _spans, _texts, st.lists(_words, max_size=4).map(tuple), st.none() | _texts)
_transcripts = st.builds(
    Transcript,
    _texts,
    st.lists(_segments, max_size=4).map(tuple),
    st.lists(_texts, max_size=2).map(tuple),
)


@settings(deadline=None, max_examples=60)
@given(_transcripts)
def test_any_transcript_reads_back_equal(value):
    """Every text (any Unicode), span and float survives exactly."""
    assert codec.load(Transcript, codec.dump(value)) == value


@settings(deadline=None, max_examples=60)
@given(_floats)
def test_floats_are_exact(number):
    """A float reads back as the same bits."""
    back = codec.load(Tone, codec.dump(Tone(number, 0.1 + 0.2, (number,)))).pitch
    assert back == number
    assert math.copysign(1, back) == math.copysign(1, number)


@settings(deadline=None, max_examples=60)
@given(_floats, _floats)
def test_different_numbers_are_different_keys(one, two):
    """Two requests are spelled alike exactly when their numbers are equal."""
    voice = Voice("e", "v", "es")
    same = codec.canonical(Synthesize("a", voice, one)) == codec.canonical(Synthesize("a", voice, two))
    assert same == (one == two)


def test_text_that_is_half_a_character_survives():
    """A lone surrogate (a file name that is not UTF-8) neither crashes the key nor loses itself silently."""
    assert codec.canonical("a\udcff") != codec.canonical("a")


def test_canonical_sorts_and_writes_out_defaults():
    """Order of keys does not matter; a default is spelled as if it had been given."""
    assert codec.canonical({"b": 1, "a": 2.0}) == b'{"a":2,"b":1}'
    assert codec.canonical(Span(1, 2)) == b'{"end":2,"start":1}'
    assert codec.canonical(frozenset({"b", "a"})) == b'["a","b"]'
    assert b'"tone":null' in codec.canonical(Voice("e", "v", "es"))


def test_values_of_libraries_become_plain():
    """Library numbers, paths and enums are stored as what they mean."""

    class Colour(Enum):
        RED = "red"

    values = (np.float32(0.5), np.int64(3), np.float64(0.25), Path("/a"), Colour.RED)
    assert codec.canonical(values) == b'[0.5,3,0.25,"/a","red"]'


@pytest.mark.parametrize("value", [object(), b"bytes", {1: 2}, {"a": object()}, print])
def test_what_has_no_spelling_is_refused(value):
    """Anything that is not a value is a TypeError, not a guess."""
    with pytest.raises(TypeError):
        codec.canonical(value)


@pytest.mark.parametrize("value", [math.nan, np.float32("nan"), (1.0, math.nan)])
def test_what_is_no_number_is_refused(value):
    """NaN never gets into the store."""
    with pytest.raises(ValueError):
        codec.dump(value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        '{"start":1}',
        '{"start":"1","end":2}',
        '{"start":1.5,"end":2}',
        '{"start":2,"end":1}',
        '{"start":1,"end":2',
        "[1,2]",
        '{"start":null,"end":2}',
    ],
)
def test_damaged_text_is_noticed(text):
    """Missing, mistyped, cut-off and impossible values are a ValueError."""
    with pytest.raises(ValueError):
        codec.load(Span, text)


def test_nested_values_and_mappings():
    """Any frozen dataclass can be stored, its mappings included."""

    @dataclass(frozen=True, slots=True)
    class Note:
        names: dict[str, Any]
        at: tuple[int, ...] = (1, 2)

    note = Note({"a": 1, "b": None})
    assert codec.load(Note, codec.dump(note)) == note


def test_the_level_of_silence_survives() -> None:
    """Minus infinity decibels is a value and reads back as itself."""
    assert codec.load(tuple[float, float], codec.dump((-math.inf, 1.5))) == (-math.inf, 1.5)
