"""Linking the voices of a programme's parts into speakers."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from autodub.dubbing.linking import Voiceprint, link

ANN, BEN, CAT = (1.0, 0.0, 0.1), (0.0, 1.0, 0.1), (0.1, 0.1, 1.0)


def near(vector: tuple[float, ...], by: float) -> tuple[float, ...]:
    """Almost the same voice."""
    return tuple(x + by for x in vector)


def test_the_same_voice_in_two_parts_is_one_speaker() -> None:
    """Parts name voices afresh; likeness joins them, difference keeps them apart."""
    voices = [
        Voiceprint(0, ANN, 60),
        Voiceprint(0, BEN, 50),
        Voiceprint(1, near(BEN, 0.05), 40),
        Voiceprint(1, near(ANN, 0.05), 30),
        Voiceprint(2, CAT, 20),
    ]
    assert link(voices, threshold=0.5) == (0, 1, 1, 0, 2)


def test_a_known_count_is_met() -> None:
    """The user's count decides, even against the threshold, down to one."""
    voices = [Voiceprint(0, ANN, 60), Voiceprint(0, BEN, 50), Voiceprint(1, CAT, 5), Voiceprint(1, BEN, 9)]
    assert len(set(link(voices, threshold=0.5, speakers=2))) == 2
    assert link(voices, threshold=0.5, speakers=1) == (0, 0, 0, 0)
    assert len(set(link(voices, threshold=0.01, speakers=9))) == 4


def test_voices_of_one_part_stay_two() -> None:
    """Two voices that a part told apart are not joined because they are alike."""
    voices = [Voiceprint(0, ANN, 60), Voiceprint(0, near(ANN, 0.01), 60), Voiceprint(1, ANN, 60)]
    assert link(voices, threshold=0.5) == (0, 1, 0)


def test_somebody_hardly_heard_is_the_nearest_speaker() -> None:
    """Without a count a voice of a second in all is no speaker of its own."""
    voices = [Voiceprint(0, ANN, 60), Voiceprint(0, BEN, 50), Voiceprint(1, near(BEN, 0.9), 1.0)]
    assert link(voices, threshold=0.01, least=2.0) == (0, 1, 1)
    assert link(voices, threshold=0.01) == (0, 1, 2)


def test_a_voice_too_short_to_know() -> None:
    """Without an embedding a voice goes to who speaks most around it."""
    voices = [Voiceprint(0, ANN, 60), Voiceprint(0, BEN, 90), Voiceprint(0, (), 0.3), Voiceprint(7, (), 0.2)]
    assert link(voices, threshold=0.5) == (0, 1, 1, 1)
    assert link([Voiceprint(0, (), 0.2), Voiceprint(1, (), 0.2)], threshold=0.5) == (0, 0)
    assert link([], threshold=0.5) == ()


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 4), st.integers(1, 6), st.integers(0, 10_000))
def test_any_cast_is_found_again(people: int, parts: int, seed: int) -> None:
    """Well separated voices, each with a little noise, are linked without a mistake, whatever their order."""
    rng = np.random.default_rng(seed)
    faces = np.linalg.qr(rng.normal(size=(16, people)))[0].T
    said = [(part, who) for part in range(parts) for who in rng.permutation(people)]
    voices = [
        Voiceprint(part, tuple(faces[who] + rng.normal(0, 0.03, 16)), float(rng.uniform(5, 50)))
        for part, who in said
    ]
    found = link(voices, threshold=0.5)
    assert len(set(zip(found, (who for _, who in said), strict=True))) == people
    assert list(dict.fromkeys(found)) == sorted(set(found))
