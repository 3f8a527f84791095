"""Speakers from frames: made-up voices as Gaussians, so that the truth is known."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodub.dubbing.diarization import Frames, diarize
from autodub.model.speech import Turn, Word
from autodub.model.time import Span, intersection, total

DIMENSION = 19


class Voice:
    """A source of frames: sounds (phones) that last 80 ms, drawn from a voice's own set."""

    def __init__(self, seed: int, *, shift: float = 1.5, pitch: float = 120.0) -> None:
        own = np.random.default_rng(seed)
        base = np.random.default_rng(99).normal(0, 2, (40, DIMENSION))
        self.phones = base + own.normal(0, shift, DIMENSION)
        self.pitch = pitch

    def frames(self, span: Span, rng: np.random.Generator) -> Frames:
        """The voice speaking in a span."""
        count = span.duration // 10
        which = np.repeat(rng.integers(0, 40, count // 8 + 1), 8)[:count]
        cepstra = (self.phones[which] + rng.normal(0, 1, (count, DIMENSION))).astype(np.float32)
        pitch = (self.pitch * np.exp(rng.normal(0, 0.1, count))).astype(np.float32)
        level = (-30 + rng.normal(0, 8, count)).astype(np.float32)
        return Frames(span, cepstra, level, pitch)


def talk(
    voices: Sequence[Voice], plan: Sequence[tuple[int, int]], *, seed: int = 0
) -> tuple[list[Frames], list[Turn]]:
    """Spans of (voice, ms) with pauses of 500 ms, and the true turns."""
    rng = np.random.default_rng(seed)
    at, frames, truth = 0, [], []
    for who, length in plan:
        span = Span(at, at + length)
        frames.append(voices[who].frames(span, rng))
        truth.append(Turn(span, "ab cd ef"[who]))
        at += length + 500
    return frames, truth


ANNA, BEN, CLEO = Voice(1, pitch=210), Voice(2, pitch=110), Voice(3, pitch=190)


def right(truth: Sequence[Turn], turns: Sequence[Turn]) -> float:
    """Share of speech whose found speaker always meets the same true one."""
    shared: dict[str, dict[str, int]] = {}
    for turn in turns:
        for true in truth:
            shared.setdefault(turn.speaker, {}).setdefault(true.speaker, 0)
            shared[turn.speaker][true.speaker] += turn.span.overlap(true.span)
    return sum(max(row.values()) for row in shared.values()) / total(turn.span for turn in truth)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("lengths", [[3000] * 3, [3000] * 12, [700] * 10, [20_000] * 3])
def test_a_monologue_stays_one_speaker(seed: int, lengths: list[int]) -> None:
    """One voice is one speaker, however its speech is cut, and says nothing about certainty."""
    frames, _ = talk([ANNA], [(0, length) for length in lengths], seed=seed)
    turns = diarize(frames)
    assert {turn.speaker for turn in turns} == {"S1"}
    assert all(turn.margin is None for turn in turns)


def test_two_voices_taking_turns() -> None:
    """Two voices are told apart, turn by turn, named in order of appearance, and surely."""
    frames, truth = talk([ANNA, BEN], [(n % 2, 3000) for n in range(8)])
    turns = diarize(frames)
    assert [turn.speaker for turn in turns] == ["S1", "S2"] * 4
    assert [turn.span for turn in turns] == [turn.span for turn in truth]
    assert all(turn.margin is not None and turn.margin > 0.9 for turn in turns)


def test_turns_do_not_follow_parity() -> None:
    """A A B A B B stays that: who speaks is heard, not counted off."""
    plan = [0, 0, 1, 0, 1, 1]
    frames, _ = talk([ANNA, BEN], [(who, 3000) for who in plan])
    assert [turn.speaker for turn in diarize(frames)] == [f"S{who + 1}" for who in plan]


def test_three_voices() -> None:
    """Three voices in any order are three speakers."""
    plan = [(n, 4000) for n in (0, 1, 2, 1, 0, 2, 2, 0)]
    frames, truth = talk([ANNA, BEN, CLEO], plan)
    turns = diarize(frames)
    assert len({turn.speaker for turn in turns}) == 3
    assert right(truth, turns) > 0.98


def test_a_change_inside_a_span_is_found_and_put_between_words() -> None:
    """Without a pause the change is found within 0.3 s; with words it lies exactly between two of them."""
    rng = np.random.default_rng(0)
    parts = [voice.frames(Span(0, 5000), rng) for voice in (ANNA, BEN, ANNA, BEN)]
    joined = Frames(
        Span(1000, 21_000),
        np.concatenate([part.cepstra for part in parts]),
        np.concatenate([part.level for part in parts]),
        np.concatenate([part.pitch for part in parts]),
    )
    turns = diarize([joined])
    assert [turn.speaker for turn in turns] == ["S1", "S2", "S1", "S2"]
    for turn, expected in zip(turns[1:], (6000, 11_000, 16_000), strict=True):
        assert abs(turn.span.start - expected) <= 300
    words = [Word("w", Span(start, start + 400)) for start in range(1000, 21_000, 450)]
    gaps = {(a.span.end + b.span.start) // 2 for a, b in itertools.pairwise(words)}
    assert {turn.span.start for turn in diarize([joined], words=words)[1:]} <= gaps


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_the_users_count_is_kept(count: int) -> None:
    """The user's number of speakers is met, whatever the voices are like."""
    frames, _ = talk([ANNA, BEN], [(n % 2, 3000) for n in range(12)])
    assert len({turn.speaker for turn in diarize(frames, speakers=count)}) == count


def test_a_count_beyond_the_speech_is_no_crash() -> None:
    """Asked for more speakers than there is speech, it gives what there is."""
    frames, _ = talk([ANNA], [(0, 400), (0, 200)])
    assert len({turn.speaker for turn in diarize(frames, speakers=9)}) <= 2


def test_a_looped_clip_is_one_speaker() -> None:
    """The same sentences repeated forty times do not make several people of one."""
    rng = np.random.default_rng(0)
    sentences = [ANNA.frames(Span(0, length), rng) for length in (2500, 3500, 3000)]
    frames, at = [], 0
    for n in range(120):
        one = sentences[n % 3]
        span = Span(at, at + one.span.duration)
        noise = rng.normal(0, 0.05, one.cepstra.shape).astype(np.float32)
        frames.append(Frames(span, one.cepstra + noise, one.level, one.pitch))
        at = span.end + 400
    assert len({turn.speaker for turn in diarize(frames)}) == 1


def test_many_units_are_clustered_in_windows() -> None:
    """Forty minutes of two voices (over 700 units) are two speakers."""
    frames, truth = talk([ANNA, BEN], [(n // 3 % 2, 3000) for n in range(720)])
    turns = diarize(frames)
    assert len({turn.speaker for turn in turns}) == 2
    assert right(truth, turns) > 0.99


def test_nothing_said() -> None:
    """No span, or spans too short for a frame, give no turn."""
    empty = np.zeros(0, np.float32)
    assert diarize([]) == ()
    assert diarize([Frames(Span(0, 5), np.zeros((0, 19), np.float32), empty, empty)]) == ()


def test_digital_silence_in_spans_is_survived() -> None:
    """Spans of exact zeros (constant cepstra) are one speaker, not a crash."""
    count = 400
    flat = [
        Frames(
            Span(n * 5000, n * 5000 + 4000),
            np.ones((count, 19), np.float32),
            np.full(count, -120, np.float32),
            np.zeros(count, np.float32),
        )
        for n in range(4)
    ]
    assert {turn.speaker for turn in diarize(flat)} == {"S1"}


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(2, 60)), min_size=1, max_size=8), st.integers(0, 9))
def test_turns_cover_the_spans(plan: list[tuple[int, int]], seed: int) -> None:
    """Turns are in order, disjoint, and cover every span, whatever is in it."""
    frames, _ = talk([ANNA, BEN], [(who, 50 * length) for who, length in plan], seed=seed)
    turns = diarize(frames, speakers=2 if seed % 2 else None)
    spans = [frame.span for frame in frames]
    assert total(intersection(spans, [turn.span for turn in turns])) == total(spans)
    for left, right_ in itertools.pairwise(turns):
        assert left.span.end <= right_.span.start
        assert left.speaker != right_.speaker or right_.span.start > left.span.end
