"""How the words compare with the source's: T13-T15, and T19 with word error rate."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import numpy as np

from autodub.quality.figures import Figure, figure, mean, share, undefined
from autodub.quality.runs import MeasuredLine

SHORT = 10
"""Sources of up to this many characters comply with any length."""


def characters(text: str) -> int:
    """Characters without white space."""
    return sum(not c.isspace() for c in text)


def length_complies(source: str, target: str) -> bool | None:
    """T13: is the target within 10 % of the source's characters? None for an empty source."""
    there = characters(source)
    if there == 0:
        return None
    return there <= SHORT or abs(characters(target) - there) <= 0.10 * there + 1e-9


def isochrony(target_seconds: float | None, source_seconds: float | None) -> float | None:
    """T15: squared relative difference of the lengths one duration model predicts for both texts."""
    if target_seconds is None or not source_seconds:
        return None
    return ((target_seconds - source_seconds) / source_seconds) ** 2


def words(text: str) -> list[str]:
    """Words for comparison: NFKC, lower case, no punctuation; apostrophes inside words stay."""
    plain = unicodedata.normalize("NFKC", text).casefold().replace("’", "'")
    return re.findall(r"[^\W_]+(?:'[^\W_]+)*", plain)


def wer(reference: str, hypothesis: str) -> float | None:
    """Word error rate: Levenshtein distance in words by the reference's words; None without any."""
    wanted, got = words(reference), words(hypothesis)
    if not wanted:
        return None
    row = np.arange(len(got) + 1)
    step = np.arange(len(got) + 1)
    heard = np.array(got, dtype=object)
    for i, word in enumerate(wanted, 1):
        best = np.empty_like(row)
        best[0] = i
        best[1:] = np.minimum(row[:-1] + (heard != word), row[1:] + 1)
        row = np.minimum.accumulate(best - step) + step  # insertions, all at once
    return float(row[-1]) / len(wanted)


def intelligibility(*, dub_wer: float | None, source_wer: float | None) -> Figure:
    """T19: ``(1 - WER_dub) / (1 - WER_src)``; not defined where the recogniser fails on the source."""
    if dub_wer is None or source_wer is None:
        return undefined("T19", "ratio", "no recogniser was run over the finished dub")
    if source_wer > 0.5:
        return undefined("T19", "ratio", f"the recogniser gets {source_wer:.0%} of the source's words wrong")
    return Figure("T19", (1 - dub_wer) / (1 - source_wer), "ratio")


def wording_figures(
    lines: Sequence[MeasuredLine], *, dub_wer: float | None = None, source_wer: float | None = None
) -> tuple[Figure, ...]:
    """T13, T14, T15 and T19 of the lines that were to be spoken."""
    lengths = [
        length_complies(line.fact.text, line.fact.spoken) if line.fact.spoken else None for line in lines
    ]
    phonemes = [_phonemes(line) for line in lines]
    spread = [isochrony(line.fact.predicted_seconds, line.fact.source_predicted_seconds) for line in lines]
    return (
        figure("T13", lengths, share, unit="share", reason="no text on one side"),
        figure("T14", phonemes, share, unit="share", reason="phonemes were not counted"),
        figure("T15", spread, mean, unit="ratio", reason="no length was predicted for both texts"),
        intelligibility(dub_wer=dub_wer, source_wer=source_wer),
    )


def _phonemes(line: MeasuredLine) -> bool | None:
    there, here = line.fact.source_phonemes, line.fact.phonemes
    return None if not there or here is None else abs(here - there) <= 0.20 * there + 1e-9
