"""Around a translator: what it is asked at once, how long an answer may be, whether it will do."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from autodub.dubbing.text import is_speakable, is_untranslated, looks_like_error
from autodub.model.errors import BadAnswer
from autodub.model.speech import Line, Phrase, Translation, Translations


@dataclass(frozen=True, slots=True)
class Window:
    """Lines asked for together, with the text around them as context."""

    lines: tuple[Line, ...]
    before: tuple[str, ...]
    after: tuple[str, ...]


def windows(
    lines: Sequence[Line], *, most: int = 40, characters: int = 4_000, context: int = 4
) -> tuple[Window, ...]:
    """Consecutive lines, at most ``most`` and ``characters`` together (a longer line stands alone)."""
    cuts = [0]
    size = 0
    for at, line in enumerate(lines):
        if at > cuts[-1] and (at - cuts[-1] >= most or size + len(line.text) > characters):
            cuts.append(at)
            size = 0
        size += len(line.text)
    cuts.append(len(lines))
    return tuple(window(lines, range(a, b), context=context) for a, b in itertools.pairwise(cuts) if b > a)


def growing(count: int, *, lanes: int, most: int = 8) -> tuple[range, ...]:
    """``count`` lines cut into windows for ``lanes`` requests at a time.

    The first round asks for one line each, so that speaking can begin; while those lines are spoken,
    later rounds have time for larger windows, which cost less context.
    """
    out: list[range] = []
    at = 0
    while at < count:
        size = min(most, 1 << (len(out) // max(1, lanes)))
        out.append(range(at, min(count, at + size)))
        at += size
    return tuple(out)


def window(lines: Sequence[Line], part: range, *, context: int = 4) -> Window:
    """The lines of ``part`` with the text around them."""
    return Window(
        tuple(lines[part.start : part.stop]),
        tuple(line.text for line in lines[max(0, part.start - context) : part.start]),
        tuple(line.text for line in lines[part.stop : part.stop + context]),
    )


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a translation."""

    line: str
    kind: str
    """``missing``, ``unasked``, ``double``, ``blank``, ``error``, ``untranslated`` or ``number``."""
    message: str

    @property
    def fatal(self) -> bool:
        """Whether it must not be spoken; a changed number may be, and is shown for review."""
        return self.kind != "number"


def problems(lines: Sequence[Line], reply: Translations, *, kin: bool = True) -> tuple[Problem, ...]:
    """Everything wrong with a reply; empty when n lines went in and n good ones came out.

    ``kin``: the languages are so near that short sentences may be equal in both.
    """
    answers: dict[str, Translation] = {}
    out: list[Problem] = []
    asked = {line.id for line in lines}
    for answer in reply.lines:
        if answer.line not in asked:
            out.append(Problem(answer.line, "unasked", f"{answer.line} was not asked for"))
        elif answer.line in answers:
            out.append(Problem(answer.line, "double", f"{answer.line} was answered twice"))
        else:
            answers[answer.line] = answer
    for line in lines:
        given = answers.get(line.id)
        if given is None or not given.wordings:
            out.append(Problem(line.id, "missing", f"{line.id} was not translated"))
            continue
        out.extend(p for wording in given.wordings for p in _wrong(line, wording.text, kin=kin))
    return tuple(out)


def checked(lines: Sequence[Line], reply: Translations, *, engine: str, kin: bool = True) -> Translations:
    """The reply in the order of the lines, without shorter wordings that will not do.

    ``kin``: the languages are so near that short sentences may be equal in both.
    Raises BadAnswer when a line is missing, blank, untranslated or no translation at all.
    """
    by_line = {answer.line: answer for answer in reversed(reply.lines)}
    kept: list[Translation] = []
    bad: list[Problem] = []
    for line in lines:
        answer = by_line.get(line.id, Translation(line.id, ()))
        good = tuple(w for w in answer.wordings if not any(p.fatal for p in _wrong(line, w.text, kin=kin)))
        if not good or good[0] != answer.wordings[0]:
            bad.extend(p for p in problems([line], Translations((answer,)), kin=kin) if p.fatal)
        kept.append(Translation(line.id, good))
    bad.extend(p for p in problems(lines, reply, kin=kin) if p.kind == "unasked")
    if bad:
        more = f", and {len(bad) - 3} more" if len(bad) > 3 else ""
        raise BadAnswer(
            f"{engine} did not translate as asked: {'; '.join(p.message for p in bad[:3])}{more}.",
            hint="It is asked once more; otherwise choose another translator.",
            engine=engine,
        )
    return Translations(tuple(kept))


def _wrong(line: Line, text: str, *, kin: bool) -> list[Problem]:
    if not is_speakable(text):
        return [Problem(line.id, "blank", f"{line.id} came back blank")] if is_speakable(line.text) else []
    if looks_like_error(text) and not looks_like_error(line.text):
        return [Problem(line.id, "error", f"{line.id} came back as an error or a refusal")]
    if is_untranslated(line.text, text, kin=kin):
        return [Problem(line.id, "untranslated", f"{line.id} came back untranslated")]
    if _numbers(line.text) - _numbers(text):
        return [Problem(line.id, "number", f"{line.id} lost a number")]
    return []


def _numbers(text: str) -> Counter[str]:
    """Numbers of two digits or more in a text, thousands marks taken out."""
    return Counter(
        n for n in re.findall(r"\d+", re.sub(r"(?<=\d)[.,\u202f\u00a0 ](?=\d{3}\b)", "", text)) if len(n) > 1
    )


def spread(text: str, phrases: Sequence[Phrase]) -> tuple[str, ...]:
    """A translation shared out over its line's phrases, in order, for pauses and subtitles.

    Cuts follow the phrases' share of the source's text, and prefer punctuation nearby. With fewer
    words than phrases the last ones stay empty. The parts joined by spaces are the text.
    """
    words = text.split()
    if len(phrases) < 2 or len(words) < 2:
        return (" ".join(words), *[""] * (len(phrases) - 1))[: max(1, len(phrases))]
    ends = [0]
    for word in words:
        ends.append(ends[-1] + len(word) + 1)
    weights = [max(1, len(phrase.text)) for phrase in phrases]
    cuts = [0]
    done = 0
    for number, weight in enumerate(weights[:-1], start=1):
        done += weight
        ideal = ends[-1] * done / sum(weights)
        room = range(
            min(cuts[-1] + 1, len(words)), max(cuts[-1] + 2, len(words) - (len(phrases) - number) + 1)
        )
        options = [at for at in room if at <= len(words)] or [len(words)]
        cuts.append(
            min(options, key=lambda at: (abs(ends[at] - ideal) - _bonus(words[at - 1], ends[-1]), at))
        )
    cuts.append(len(words))
    return tuple(" ".join(words[a:b]) for a, b in itertools.pairwise(cuts))


def _bonus(word: str, length: int) -> float:
    """Characters a cut may lie astray to stand after this word."""
    last = word.rstrip("\"'”’»)")[-1:]
    share = 0.2 if last in ".!?…" else 0.15 if last in ",;:—" else 0.0
    return share * length
