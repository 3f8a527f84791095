"""Who spoke when, without a trained model: clustering of cepstra, and giving words to speakers.

Speech is cut into units of a few seconds at changes of voice (ΔBIC, Chen and Gopalakrishnan 1998), units
are merged bottom-up while they fit one Gaussian better than two, and merging goes on until the voices left
are clearly different (symmetric Kullback-Leibler divergence). A last Viterbi pass puts the changes where
they fit best. It tells clearly different voices apart and, when in doubt, keeps one speaker: a monologue
must not fall apart.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from autodub.dubbing.clusters import Clusters, kept_voices
from autodub.model.speech import Turn, Word
from autodub.model.time import Span

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]

HOP = 10
"""Milliseconds between frames."""

_FAINT = 30.0  # dB under a span's loud frames: no voice in there
_CLEAR = 26.0  # dB between loud and faint frames of speech without a background
_UNIT = 300  # frames a unit has about
_SIDE = 100  # frames at least between two changes of voice
_LAMBDA = 0.5  # below 1: a change too many is merged again, a missed one spoils two units
_REACH = 300  # frames looked at on either side of one
_BLOCK = 10  # frames decided together
_SHARE = 0.1  # independent observations per frame
_SWITCH = 12.0  # log probability lost by changing the speaker inside a span
_SWITCH_PAUSE = 3.0  # the same between spans
_SNAP = 400  # ms a change may move to lie between two words
_JOIN = 300  # ms of pause a turn may contain


@dataclass(frozen=True, slots=True)
class Frames:
    """What the voice sounds like in one span of speech, every 10 ms."""

    span: Span
    cepstra: Floats
    """Shape (n, coefficients)."""
    level: Floats
    """Shape (n,): dB."""
    pitch: Floats
    """Shape (n,): fundamental in Hz, 0 where unvoiced."""

    @property
    def voice(self) -> npt.NDArray[np.bool_]:
        """Which frames are loud enough to tell something about the voice."""
        mask: npt.NDArray[np.bool_] = self.level > np.percentile(self.level, 85) - _FAINT
        return mask


def diarize(
    frames: Iterable[Frames], *, words: Sequence[Word] = (), speakers: int | None = None
) -> tuple[Turn, ...]:
    """Turns in time order, never overlapping, covering all spans; speakers are S1, S2 ... as they appear.

    ``speakers`` is the user's count: met exactly where the sound has that many units. ``words`` only
    place the changes between them.
    """
    spans = [frame for frame in frames if len(frame.cepstra)]
    units = [unit for span in spans for unit in _units(span)]
    usable = [(cepstra, pitch) for cepstra, pitch in units if len(cepstra) >= 30]
    voices: list[list[int]] = [list(range(len(usable)))]
    if len(usable) > 1 and speakers != 1:
        voices = kept_voices(Clusters.of(usable, doubt=_doubt(spans)), speakers)
    if len(voices) < 2:
        return _turns([(frame.span, 0, None) for frame in spans], words)
    models = [_gaussian([usable[unit][0] for unit in voice]) for voice in voices]
    return _turns(_decoded(spans, models), words)


def _doubt(spans: Sequence[Frames]) -> float:
    """How much a background may make one voice look like two: from the level range within spans."""
    ranges = [np.percentile(s.level, 90) - np.percentile(s.level, 5) for s in spans if len(s.level) > 50]
    return max(1.0, _CLEAR / max(1.0, float(np.median(ranges)))) if ranges else 1.0


def _units(frame: Frames) -> list[tuple[Floats, Floats]]:
    """(cepstra, voiced pitch) of the pieces of one span, each of one voice as far as can be seen."""
    cepstra, voice = frame.cepstra, frame.voice
    edges = [0, *_changes(cepstra), len(cepstra)]
    out = []
    for start, end in pairwise(edges):
        count = max(1, round((end - start) / _UNIT))
        for n in range(count):
            piece = slice(start + (end - start) * n // count, start + (end - start) * (n + 1) // count)
            pitch = frame.pitch[piece]
            out.append((cepstra[piece][voice[piece]], np.log(pitch[pitch > 0])))
    return out


def _changes(cepstra: Floats) -> list[int]:
    """Frames where the voice changes: peaks above 0 of ΔBIC (full covariances) of what lies around."""
    edges = np.arange(0, len(cepstra) + 1, _BLOCK)
    x = cepstra[: edges[-1]].astype(np.float64)
    d = x.shape[1]
    side, reach = _SIDE // _BLOCK, _REACH // _BLOCK
    middles = np.arange(side, len(edges) - side)
    if not len(middles):
        return []
    blocks = x.reshape(-1, _BLOCK, d)
    sums = np.concatenate([np.zeros((1, d)), blocks.sum(axis=1).cumsum(axis=0)])
    squares = np.concatenate([np.zeros((1, d, d)), (blocks.transpose(0, 2, 1) @ blocks).cumsum(axis=0)])
    prior = np.diag(x.var(axis=0) + 1e-3)

    def half(first: Indices, last: Indices) -> Doubles:
        n = edges[last] - edges[first].astype(np.float64)
        mean = (sums[last] - sums[first]) / n[:, None]
        spread = squares[last] - squares[first] - n[:, None, None] * mean[:, :, None] * mean[:, None, :]
        shrunk = (spread + 50 * prior) / (n + 50)[:, None, None]
        result: Doubles = n * np.linalg.slogdet(shrunk)[1]
        return result

    gains = []
    for part in np.array_split(middles, -(-len(middles) // 1000)):
        first, last = np.maximum(0, part - reach), np.minimum(len(edges) - 1, part + reach)
        penalty = _LAMBDA * 0.5 * (d + d * (d + 1) / 2) * np.log(edges[last] - edges[first])
        gains.append(0.5 * (half(first, last) - half(first, part) - half(part, last)) - penalty)
    gain = np.concatenate(gains)
    out = []
    while gain.max() > 0:
        best = int(np.argmax(gain))
        out.append(int(edges[middles[best]]))
        gain[max(0, best - side + 1) : best + side] = 0
    return sorted(out)


def _gaussian(units: Sequence[Floats]) -> tuple[Doubles, Doubles, float]:
    """(mean, inverse Cholesky factor, log normaliser) of a voice's frames."""
    count = sum(len(unit) for unit in units)
    mean = np.sum([unit.sum(axis=0, dtype=np.float64) for unit in units], axis=0) / count
    d = len(mean)
    square = np.zeros((d, d))
    for unit in units:
        square += unit.T.astype(np.float64) @ unit
    factor = np.linalg.cholesky(square / count - np.outer(mean, mean) + 1e-3 * np.eye(d))
    return mean, np.linalg.inv(factor), float(np.log(np.diagonal(factor)).sum())


def _decoded(
    spans: Sequence[Frames], models: Sequence[tuple[Doubles, Doubles, float]]
) -> list[tuple[Span, int, float | None]]:
    """(span, voice, margin) of every stretch, by the best path through blocks of 100 ms."""
    blocks: list[tuple[Span, Doubles]] = []
    penalty: list[float] = []
    for frame in spans:
        likelihood = np.stack(
            [
                -0.5 * np.sum(((frame.cepstra - mean) @ whiten.T) ** 2, axis=1) - norm
                for mean, whiten, norm in models
            ],
            axis=1,
        ) * (_SHARE * frame.voice[:, None])
        count = len(likelihood)
        edges = [*range(0, max(1, count - _BLOCK // 2), _BLOCK), count]
        for n, (start, end) in enumerate(pairwise(edges)):
            left = frame.span.start + start * HOP
            right = frame.span.end if end == count else frame.span.start + end * HOP
            blocks.append((Span(left, right), likelihood[start:end].sum(axis=0)))
            penalty.append(_SWITCH if n else _SWITCH_PAUSE)
    path = _best_path(np.array([block[1] for block in blocks]), penalty)
    out: list[tuple[Span, int, float | None]] = []
    first = 0
    for at in range(1, len(blocks) + 1):
        if at < len(blocks) and path[at] == path[first] and penalty[at] == _SWITCH:
            continue
        score = np.sum([block[1] for block in blocks[first:at]], axis=0)
        lead = float(score[path[first]] - np.max(np.delete(score, path[first])))
        margin = max(0.0, min(1.0, float(np.tanh(lead / 20))))
        out.append((Span(blocks[first][0].start, blocks[at - 1][0].end), path[first], round(margin, 3)))
        first = at
    return out


def _best_path(likelihood: Doubles, penalty: Sequence[float]) -> list[int]:
    """Viterbi path; changing the state before block n costs ``penalty[n]``."""
    score = likelihood[0].copy()
    back = np.zeros(likelihood.shape, np.int32)
    states = np.arange(likelihood.shape[1])
    for at in range(1, len(likelihood)):
        best = int(np.argmax(score))
        change = score[best] - penalty[at] > score
        back[at] = np.where(change, best, states)
        score = np.where(change, score[best] - penalty[at], score) + likelihood[at]
    path = [int(np.argmax(score))]
    for at in range(len(likelihood) - 1, 0, -1):
        path.append(int(back[at][path[-1]]))
    return path[::-1]


def _turns(stretches: Sequence[tuple[Span, int, float | None]], words: Sequence[Word]) -> tuple[Turn, ...]:
    """Stretches as turns: changes put between words, short pauses of one speaker bridged, voices named."""
    gaps = sorted((a.span.end + b.span.start) // 2 for a, b in pairwise(words))
    placed: list[tuple[Span, int, float | None]] = []
    for span, voice, margin in stretches:
        start = span.start
        if placed and placed[-1][1] != voice and placed[-1][0].end == start:
            before = placed[-1][0]
            near = min(
                gaps[max(0, (i := bisect_left(gaps, start)) - 1) : i + 1],
                key=lambda g: abs(g - start),
                default=start,
            )
            if abs(near - start) <= _SNAP and before.start < near < span.end:
                start = near
                placed[-1] = (Span(before.start, near), placed[-1][1], placed[-1][2])
        placed.append((Span(start, span.end), voice, margin))
    names: dict[int, str] = {}
    out: list[Turn] = []
    for span, voice, margin in placed:
        name = names.setdefault(voice, f"S{len(names) + 1}")
        if out and out[-1].speaker == name and span.start - out[-1].span.end <= _JOIN:
            last = out[-1]
            known = [(m, s.duration) for m, s in ((last.margin, last.span), (margin, span)) if m is not None]
            mean = (
                round(sum(m * s for m, s in known) / max(1, sum(s for _, s in known)), 3) if known else None
            )
            out[-1] = Turn(Span(last.span.start, span.end), name, mean)
        else:
            out.append(Turn(span, name, margin))
    return tuple(out)
