"""Two people talking, with everything that is true about it known: the clip that speed is measured on.

A woman and a man (two voices of flite) speak short lines in turn over soft music; 29 lines take a
minute. The times of words come from the synthesizer's own phones. Equal arguments give equal clips.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from autodub.infra import process
from autodub.model.errors import MediaError
from autodub.model.speech import Word
from autodub.model.time import Span
from autodub.testing import clips
from autodub.testing.cards import Card

LINES_PER_MINUTE = 29
WOMAN, MAN = "slt", "rms"
_VERSION = 1
"""Change it when the same arguments would give another clip: kept ones are not used then."""
_FIRST = 600
"""ms before the first line, and after the last one."""
_LEAST_GAP = 220
"""ms between lines."""

SCRIPT: tuple[tuple[str, str], ...] = (
    (WOMAN, "Good morning, my friend."), (MAN, "Good morning. How are you?"),
    (WOMAN, "I am very well today."), (WOMAN, "Did you read my letter?"),
    (MAN, "Yes, I read it last night."), (MAN, "It was a great surprise."),
    (WOMAN, "So, what do you think?"), (MAN, "I think it is a good idea."),
    (MAN, "But we need more time."), (WOMAN, "We have three weeks."),
    (MAN, "That is not very long."), (WOMAN, "My brother can help us."),
    (WOMAN, "He has a big car."), (MAN, "And who pays for the house?"),
    (WOMAN, "My family will pay for it."), (MAN, "Then there is no problem."),
    (MAN, "When do we begin?"), (WOMAN, "We can begin on Monday."),
    (MAN, "I work on Monday."), (WOMAN, "What about Tuesday morning?"),
    (MAN, "Yes, Tuesday is better."), (WOMAN, "The train leaves at nine."),
    (MAN, "I will buy the tickets."), (WOMAN, "Do not forget your camera."),
    (MAN, "I never forget my camera."), (WOMAN, "You lost it last year."),
    (MAN, "That was a bad day."), (WOMAN, "See you on Tuesday, then."),
    (MAN, "Goodbye, and thank you."),
)  # fmt: skip
"""The first minute, line by line: voice and text."""

_WHO = {
    "He": "s", "She": "s", "Anna": "s", "Peter": "s", "My son": "s",
    "I": "", "We": "", "They": "", "You": "", "My parents": "",
}  # fmt: skip
"""Subjects, and the ending of their verbs."""
_DOES = (
    ("read", ("the letter", "long books", "the newspaper")),
    ("want", ("a new house", "the red car", "more coffee")),
    ("open", ("the window", "the old door", "the shop")),
    ("need", ("a black coat", "fresh bread", "three chairs")),
    ("paint", ("the kitchen", "a small boat", "the wall")),
    ("clean", ("the street", "the garden", "two glasses")),
    ("know", ("the song", "your brother", "that bridge")),
    ("see", ("the river", "five birds", "the mountains")),
    ("eat", ("an apple", "white cheese", "with friends")),
)


@dataclass(frozen=True, slots=True)
class Dialogue:
    """A clip, and what is said in it word by word."""

    clip: clips.KnownClip
    words: tuple[Word, ...]
    """In order, with the speaker's name; punctuation as it is written."""

    @property
    def lines(self) -> tuple[clips.KnownLine, ...]:
        """The lines, each with its speaker."""
        return self.clip.lines


def script(lines: int) -> tuple[tuple[str, str], ...]:
    """Voice and text of so many lines: the written minute first, then made-up sentences, no two alike."""
    return tuple(itertools.islice(itertools.chain(SCRIPT, _more()), lines))


def build(folder: Path, *, lines: int = LINES_PER_MINUTE, size: tuple[int, int] = (640, 360)) -> Dialogue:
    """The dialogue of so many lines in ``folder``; made once, found there the next time.

    Its length is a minute per 29 lines (more where so few do not fit). An ``.srt`` with the true text
    lies beside it. Raises EngineCannot or MediaError when flite or ffmpeg is missing or fails.
    """
    wanted = script(lines)
    told = json.dumps([_VERSION, wanted, size]).encode()
    path = folder / f"dialogue-{lines}-{sha256(told).hexdigest()[:8]}.mp4"
    kept = path.with_suffix(".json")
    if path.is_file() and kept.is_file():
        return _load(path, json.loads(kept.read_text("utf-8")))
    folder.mkdir(parents=True, exist_ok=True)
    voices = clips.Voices()
    placed, duration = _placed(wanted, voices, share=lines * 60_000 / LINES_PER_MINUTE)
    unfinished = path.with_name(f".{path.stem}.{os.getpid()}.mp4")
    clip = clips.build(
        placed, out=unfinished, duration=duration, voices=voices,
        cards=[Card("A dialogue", "two voices", seconds=15, hue=hue) for hue in (0.6, 0.75, 0.9)], size=size,
    )  # fmt: skip
    words = tuple(word for line in clip.lines for word in _words(line))
    path.with_suffix(".srt").write_text(clip.srt(), encoding="utf-8")
    unfinished.replace(path)
    dialogue = Dialogue(clips.KnownClip(path, duration, clip.lines), words)
    unfinished.with_suffix(".json").write_text(json.dumps(_told(dialogue)), encoding="utf-8")
    unfinished.with_suffix(".json").replace(kept)
    return dialogue


def _more() -> Iterator[tuple[str, str]]:
    every = [
        f"{who} {verb}{ending} {what}."
        for (who, ending), (verb, objects) in itertools.product(_WHO.items(), _DOES)
        for what in objects
    ]
    choice = random.Random(29)  # noqa: S311 - varied, not secret
    choice.shuffle(every)
    for text in every:
        yield choice.choice((WOMAN, MAN)), text


def _placed(
    wanted: Sequence[tuple[str, str]], voices: clips.Voices, *, share: float
) -> tuple[list[clips.SpokenLine], int]:
    """The lines with starts such that they fill a clip of ``share`` ms, in pauses of varying length.

    Also the clip's length: whole frames of 40 ms.
    """
    spoken = [clips.SpokenLine(text, 0, voice) for voice, text in wanted]
    lengths = [len(voices.sound(line)) * 1000 // clips.RATE + 1 for line in spoken]
    least = 2 * _FIRST + sum(lengths) + _LEAST_GAP * (len(wanted) - 1)
    duration = 40 * math.ceil(max(share, least) / 40)
    spare = duration - least
    choice = random.Random(7)  # noqa: S311 - varied, not secret
    weights = [choice.uniform(0.2, 1.0) for _ in wanted[1:]] or [1.0]
    gaps = [_LEAST_GAP + int(spare * weight / sum(weights)) for weight in weights]
    placed, at = [], _FIRST
    for (voice, text), length, gap in zip(wanted, lengths, [*gaps, 0], strict=False):
        placed.append(clips.SpokenLine(text, at, voice))
        at += length + gap
    return placed, duration


def _words(line: clips.KnownLine) -> Iterator[Word]:
    """The words of a line, at the times of their phones."""
    phones = [
        (name, float(end))
        for name, _, end in (item.partition(":") for item in _flite("-psdur", line.text, voice=line.speaker))
    ]
    starts = [0.0, *(end for _, end in phones[:-1])]
    sounding = [(start, end) for start, (name, end) in zip(starts, phones, strict=True) if name != "pau"]
    written = line.text.split()
    counts = [_phones(re.sub(r"[^\w']", "", word), line.speaker) for word in written]
    # A word alone may be spoken with other phones than in its sentence: then the shares are scaled.
    scale = len(sounding) / sum(counts)
    edges = [round(sum(counts[:number]) * scale) for number in range(len(counts) + 1)]
    first, last = sounding[0][0], sounding[-1][1]
    stretch = line.span.duration / (last - first)
    for word, begin, end in zip(written, edges, edges[1:], strict=False):
        times = (sounding[begin][0], sounding[max(begin, end - 1)][1])
        start, stop = (line.span.start + round((time - first) * stretch) for time in times)
        yield Word(word, Span(start, stop), 0.99, line.speaker)


_COUNTED: dict[tuple[str, str], int] = {}


def _phones(word: str, voice: str) -> int:
    """How many phones a word has when it is spoken alone."""
    if (word, voice) not in _COUNTED:
        _COUNTED[word, voice] = sum(name != "pau" for name in _flite("-ps", word, voice=voice))
    return _COUNTED[word, voice]


def _flite(option: str, text: str, *, voice: str) -> Iterable[str]:
    argv = [process.find("flite", package="flite"), "-voice", voice, option, "-t", text, "none"]
    result = process.run(argv, deadline=60)
    if result.code != 0:
        raise MediaError(f"The voice {voice} could not tell the phones of {text!r}.", log=result.stderr)
    return result.stdout.decode().split()


def _told(dialogue: Dialogue) -> dict[str, object]:
    def rows(items: Iterable[clips.KnownLine | Word]) -> list[tuple[str, int, int, str | None]]:
        return [(item.text, item.span.start, item.span.end, item.speaker) for item in items]

    return {"duration": dialogue.clip.duration, "lines": rows(dialogue.lines), "words": rows(dialogue.words)}


def _load(path: Path, told: Mapping[str, Any]) -> Dialogue:
    lines = tuple(clips.KnownLine(text, Span(start, end), who) for text, start, end, who in told["lines"])
    words = tuple(Word(text, Span(start, end), 0.99, who) for text, start, end, who in told["words"])
    return Dialogue(clips.KnownClip(path, int(told["duration"]), lines), words)
