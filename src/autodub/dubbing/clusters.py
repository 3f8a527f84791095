"""Agglomerative clustering of speech units by what is left of them: counts, sums and squares.

A cluster is a Gaussian over cepstra (full covariance) and one over log pitch. Sums add up, so merging
never looks at a frame again. Many units are clustered in windows first, which keeps the cost linear.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

_WINDOW = 160  # units clustered at once
_LEFT = 12  # clusters a window may hand on
_PRIOR = 100.0  # frames the common covariance is worth
_PITCH_PRIOR = 20.0
_PITCH_WEIGHT = 0.3  # pitch follows the sentence, too: it only helps to decide
_SAME = 4.5  # divergence that stretches of one voice reach with plenty of speech
_SAME_SHORT = 24.0  # and its growth with 1 / seconds of the shorter one
_REPEATED = 0.15  # mean cepstra this close (standard deviations, rms) are one sound played twice
_FEWEST = 2.0  # seconds below which nothing counts as a speaker of its own
_SHARE = 0.01  # of all speech, likewise


@dataclass(slots=True)
class Clusters:
    """m clusters as sufficient statistics; merging adds rows up."""

    n: Doubles
    """Shape (m,): frames."""
    sums: Doubles
    """Shape (m, d)."""
    squares: Doubles
    """Shape (m, d, d)."""
    pitch: Doubles
    """Shape (m, 3): voiced frames, sum and sum of squares of log pitch."""
    within: Doubles
    """Shape (d, d): covariance inside units, toward which small clusters are drawn."""
    doubt: float
    """At least 1: how much further apart voices must be than in a quiet room. Music behind the speech
    changes as the bars go by, and so makes one voice look like several."""
    words: list[int]
    """For each unit the first unit that is the same sound, mostly itself."""
    lengths: list[float]
    """Frames of each unit."""
    members: list[list[int]]
    """Indices of the units in each cluster."""

    @classmethod
    def of(cls, units: Sequence[tuple[Floats, Floats]], *, doubt: float = 1.0) -> Clusters:
        """One cluster per unit, given as (cepstra (k, d), log pitch of voiced frames)."""
        n = np.array([len(c) for c, _ in units], np.float64)
        sums = np.array([c.sum(axis=0, dtype=np.float64) for c, _ in units])
        squares = np.array([c.T.astype(np.float64) @ c for c, _ in units])
        pitch = np.array(
            [(len(p), p.sum(dtype=np.float64), (p.astype(np.float64) ** 2).sum()) for _, p in units]
        )
        within = (squares.sum(axis=0) - np.einsum("i,ij,ik->jk", 1 / n, sums, sums)) / n.sum()
        within += 1e-3 * np.eye(len(within))
        return cls(
            n,
            sums,
            squares,
            pitch,
            within,
            doubt,
            _repeats(n, sums, within),
            n.tolist(),
            [[at] for at in range(len(units))],
        )

    def taken(self, rows: Sequence[int]) -> Clusters:
        """The clusters at ``rows`` only."""
        index = np.array(rows, np.intp)
        members = [list(self.members[row]) for row in rows]
        return Clusters(
            self.n[index],
            self.sums[index],
            self.squares[index],
            self.pitch[index],
            self.within,
            self.doubt,
            self.words,
            self.lengths,
            members,
        )

    def gains(self, row: int, others: npt.NDArray[np.intp]) -> Doubles:
        """ΔBIC of keeping ``row`` and each of ``others`` apart; negative = they are better merged."""
        d = self.sums.shape[1]
        n = self.n[row] + self.n[others]
        joint = n * self._logdet(
            n, self.sums[row] + self.sums[others], self.squares[row] + self.squares[others]
        )
        apart = self._own(np.array([row]))[0] + self._own(others)
        tone = _pitch_cost(self.pitch[row] + self.pitch[others])
        tone = tone - _pitch_cost(self.pitch[[row]]) - _pitch_cost(self.pitch[others])
        penalty = 0.5 * (d + d * (d + 1) / 2) * np.log(n)
        gain: Doubles = 0.5 * (joint - apart) + 0.5 * _PITCH_WEIGHT * tone - penalty
        return gain

    def divergence(self, a: int, b: int) -> float:
        """Symmetric Kullback-Leibler divergence of two clusters' cepstral Gaussians, nats."""
        n, mean = self.n[[a, b]], self.sums[[a, b]] / self.n[[a, b], None]
        left, right = self._covariance(n, self.sums[[a, b]], self.squares[[a, b]])
        inverse_left, inverse_right = np.linalg.inv(left), np.linalg.inv(right)
        shift = mean[0] - mean[1]
        spread = np.trace(left @ inverse_right) + np.trace(right @ inverse_left) - 2 * len(shift)
        return float(0.5 * (spread + shift @ (inverse_left + inverse_right) @ shift))

    def alike(self, a: int, b: int) -> bool:
        """Whether two clusters may well be one speaker; short ones must differ more to count as two."""
        seconds = min(self.fresh(a), self.fresh(b)) / 100
        return bool(self.divergence(a, b) <= self.doubt * _SAME + _SAME_SHORT / seconds)

    def fresh(self, row: int) -> float:
        """Frames of a cluster that are not a repetition.

        A sentence repeated (a jingle, a looped clip) says no more about a voice than once.
        """
        return sum(self.lengths[unit] for unit in {self.words[unit] for unit in self.members[row]})

    def merge(self, a: int, b: int) -> None:
        """Put cluster ``b`` into ``a``; row ``b`` stays but must not be used again."""
        for values in (self.n, self.sums, self.squares, self.pitch):
            values[a] += values[b]
        self.members[a] += self.members[b]

    def _own(self, rows: npt.NDArray[np.intp]) -> Doubles:
        result: Doubles = self.n[rows] * self._logdet(self.n[rows], self.sums[rows], self.squares[rows])
        return result

    def _covariance(self, n: Doubles, sums: Doubles, squares: Doubles) -> Doubles:
        mean = sums / n[:, None]
        spread = squares - n[:, None, None] * mean[:, :, None] * mean[:, None, :]
        result: Doubles = (spread + _PRIOR * self.within) / (n + _PRIOR)[:, None, None]
        return result

    def _logdet(self, n: Doubles, sums: Doubles, squares: Doubles) -> Doubles:
        factor = np.linalg.cholesky(self._covariance(n, sums, squares))
        result: Doubles = 2 * np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(axis=1)
        return result


def _repeats(n: Doubles, sums: Doubles, within: Doubles) -> list[int]:
    """For each unit the index of the first that is the same sound: as long, with the same mean cepstra.

    No two of 24 read sentences come this close; repetitions do unless music lies under them.
    """
    means = sums / n[:, None] / np.sqrt(np.diagonal(within))
    out: list[int] = []
    for at, mean in enumerate(means):
        near = np.abs(n[:at] - n[at]) < 0.15 * n[at]
        apart = np.sqrt(np.mean((means[:at] - mean) ** 2, axis=1))
        same = np.flatnonzero(near & (apart < _REPEATED))
        out.append(out[same[0]] if len(same) else at)
    return out


def _pitch_cost(pitch: Doubles) -> Doubles:
    n = pitch[:, 0]
    spread = pitch[:, 2] - pitch[:, 1] ** 2 / np.maximum(n, 1)
    cost: Doubles = n * np.log((spread + _PITCH_PRIOR * 0.01) / (n + _PITCH_PRIOR))
    return cost


def kept_voices(units: Clusters, speakers: int | None) -> list[list[int]]:
    """Unit indices per voice, the voice heard first coming first.

    Without ``speakers`` merging stops when no two voices are alike; with it, at that count.
    """
    clusters = units
    while len(clusters.n) > _WINDOW:
        before = len(clusters.n)
        rows: list[Clusters] = []
        for start in range(0, before, _WINDOW):
            window = clusters.taken(range(start, min(before, start + _WINDOW)))
            rows.append(_merged(window, count=max(_LEFT, speakers or 0), far=False))
        clusters = _stacked(rows)
        if len(clusters.n) >= before:
            break
    clusters = _merged(clusters, count=speakers, far=speakers is not None)
    return sorted(clusters.members, key=min)


def _stacked(parts: Sequence[Clusters]) -> Clusters:
    return Clusters(
        np.concatenate([part.n for part in parts]),
        np.concatenate([part.sums for part in parts]),
        np.concatenate([part.squares for part in parts]),
        np.concatenate([part.pitch for part in parts]),
        parts[0].within,
        parts[0].doubt,
        parts[0].words,
        parts[0].lengths,
        [members for part in parts for members in part.members],
    )


def _merged(clusters: Clusters, *, count: int | None, far: bool) -> Clusters:
    """Merge the most alike pair again and again, down to ``count`` clusters (None: 1).

    Unless ``far``, only pairs that may be one speaker are merged. Clusters with too little speech to be a
    speaker do not count and join the nearest in the end, unless too few would be left.
    """
    size = len(clusters.n)
    fewest = max(_FEWEST * 100, _SHARE * clusters.n.sum())
    cost = np.full((size, size), np.inf)
    for row in range(size - 1):
        cost[row, row + 1 :] = clusters.gains(row, np.arange(row + 1, size))
    alive = list(range(size))
    wanted = count or 1
    best: tuple[Clusters, list[int]] | None = None
    while True:
        big = sum(clusters.n[row] >= fewest for row in alive)
        if far and big == wanted and best is None and len(alive) > wanted:
            best = (clusters.taken(range(size)), list(alive))
        if len(alive) <= wanted:
            break
        a, b = (int(i) for i in np.unravel_index(np.argmin(cost), cost.shape))
        if not np.isfinite(cost[a, b]):
            break
        if not far and not clusters.alike(a, b):
            cost[a, b] = np.inf
            continue
        clusters.merge(a, b)
        alive.remove(b)
        cost[b, :] = cost[:, b] = np.inf
        others = np.array([row for row in alive if row != a], np.intp)
        if len(others):
            gains = clusters.gains(a, others)
            cost[np.minimum(a, others), np.maximum(a, others)] = gains
    if best is not None and any(clusters.n[row] < fewest for row in alive):
        clusters, alive = best
    return _absorbed(clusters, alive, fewest, wanted if far else 1)


def _absorbed(clusters: Clusters, alive: list[int], fewest: float, wanted: int) -> Clusters:
    """Put clusters with hardly any speech into the nearest one, as long as ``wanted`` are left."""
    for row in sorted(alive, key=lambda row: float(clusters.n[row])):
        if len(alive) <= wanted or clusters.n[row] >= fewest:
            break
        others = np.array([other for other in alive if other != row], np.intp)
        clusters.merge(int(others[np.argmin(clusters.gains(row, others))]), row)
        alive.remove(row)
    return clusters.taken(alive)
