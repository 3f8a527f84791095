"""Linking speakers heard in parts of a programme: which voice of one part is which of another.

A long programme is diarized in parts; each part names its voices afresh. Voices are joined bottom-up by the
cosine distance of their mean embeddings, weighted by how long each was heard (average linkage).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_SAME_PART = 1.0
"""Added to the distance of two voices of one part: there they were found to differ."""


@dataclass(frozen=True, slots=True)
class Voiceprint:
    """A voice as one part of a programme heard it."""

    part: int
    embedding: tuple[float, ...]
    """Any length but zero; empty where too little was heard."""
    seconds: float
    """How long it speaks in its part."""


def link(
    voices: Sequence[Voiceprint], *, threshold: float, speakers: int | None = None, least: float = 0.0
) -> tuple[int, ...]:
    """For each voice the number of its speaker, counted from 0 in the order of the voices.

    ``threshold`` is the cosine distance up to which two voices are one speaker. ``speakers``, where known,
    is met exactly as far as there are voices. Without it a speaker heard for less than ``least`` seconds in
    all is taken for the nearest other one. Voices without an embedding go to the speaker heard longest in
    their part, else in all.
    """
    known = [at for at, voice in enumerate(voices) if voice.embedding]
    groups = _grouped([voices[at] for at in known], threshold, speakers, least)
    owner = {known[member]: number for number, group in enumerate(groups) for member in group}
    seconds: dict[tuple[int | None, int], float] = {}
    for at, number in owner.items():
        for part in (voices[at].part, None):
            seconds[part, number] = seconds.get((part, number), 0.0) + voices[at].seconds
    names: dict[int, int] = {}
    out = []
    for at, voice in enumerate(voices):
        mine = owner.get(at)
        if mine is None:
            near = [(s, -n) for (part, n), s in seconds.items() if part == voice.part]
            near = near or [(s, -n) for (part, n), s in seconds.items() if part is None]
            mine = -max(near)[1] if near else 0
        out.append(names.setdefault(mine, len(names)))
    return tuple(out)


def _grouped(
    voices: Sequence[Voiceprint], threshold: float, speakers: int | None, least: float
) -> list[list[int]]:
    """Indices of voices by speaker."""
    groups = [[at] for at in range(len(voices))]
    if len(voices) < 2:
        return groups
    vectors = np.array([voice.embedding for voice in voices], dtype=np.float64)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    weights = np.maximum([voice.seconds for voice in voices], 1e-3)
    parts = np.array([voice.part for voice in voices])
    apart = 1.0 - vectors @ vectors.T + _SAME_PART * (parts[:, None] == parts[None, :])
    distance, mass = apart.copy(), weights.copy()
    np.fill_diagonal(distance, np.inf)
    while len(groups) > max(1, speakers or 1):
        left, right = divmod(int(np.argmin(distance)), len(groups))
        if speakers is None and distance[left, right] > threshold:
            break
        groups, distance, mass = _merged(groups, distance, mass, (left, right))
    while speakers is None and len(groups) > 1 and mass.min() < least:
        small = int(np.argmin(mass))
        near = int(np.argmin(distance[small]))
        groups, distance, mass = _merged(groups, distance, mass, (small, near))
    return groups


def _merged(
    groups: list[list[int]],
    distance: npt.NDArray[np.float64],
    mass: npt.NDArray[np.float64],
    pair: tuple[int, int],
) -> tuple[list[list[int]], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Two groups made one; its distances are the mean of theirs, by seconds."""
    left, right = min(pair), max(pair)
    mean = (mass[left] * distance[left] + mass[right] * distance[right]) / (mass[left] + mass[right])
    distance[left], distance[:, left] = mean, mean
    distance[left, left] = np.inf
    mass[left] += mass[right]
    distance = np.delete(np.delete(distance, right, axis=0), right, axis=1)
    joined = [
        *groups[:left],
        sorted(groups[left] + groups[right]),
        *groups[left + 1 : right],
        *groups[right + 1 :],
    ]
    return joined, distance, np.delete(mass, right)
