"""When lines are spoken: nobody waits for a line that does not concern them."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any, cast

from autodub.dubbing.syllables import syllables
from autodub.gateway.cancel import Cancel
from autodub.model.media import Audio, Blob, Clip
from autodub.model.speech import Line, Voice, Wording
from autodub.model.time import Span
from autodub.pipeline.booth import Ask
from autodub.pipeline.speaking import Programme, Spoken, speak

VOICE = Voice("scripted", "one", "es")
ROOM, EVERY = 2000, 2400
"""Milliseconds of a line, and from one line to the next."""
FITS = "una frase que cabe muy bien aquí"
LONG = FITS + " y además sigue con otras cosas"


class Run:
    """As much of a dub as speaking asks for."""

    def __init__(self) -> None:
        self.gateway = self
        self.cancel = Cancel()

    def progress(self, *_: object) -> None:
        """Nobody listens."""


class Wordings:
    """Wordings that are all there; other lengths are the beginning of the natural one."""

    def __init__(self, texts: list[str]) -> None:
        self.lines = tuple(
            Line(f"L{i}", Span(at, at + ROOM), "source", "A")
            for i, at in enumerate(range(500, 500 + EVERY * len(texts), EVERY))
        )
        self.asks_further = True
        self.read: list[str] = []
        self._texts = dict(zip((line.id for line in self.lines), texts, strict=True))
        self._further: dict[str, tuple[Wording, ...]] = {}

    def of(self, line: Line) -> tuple[Wording, ...]:
        """All of a line."""
        self.read.append(line.id)
        return (Wording(self._texts[line.id]), *self._further.get(line.id, ()))

    def ask_further(self, wanted: dict[str, tuple[int, ...]]) -> None:
        """Make other lengths."""
        for name, lengths in wanted.items():
            words = self._texts[name].split()
            short = [self._short(words, count) for count in lengths]
            self._further[name] = tuple(Wording(text, loss=0.1) for text in dict.fromkeys(short))

    ask_again = ask_further

    @staticmethod
    def _short(words: list[str], count: int) -> str:
        for end in range(len(words), 1, -1):
            if syllables(" ".join(words[:end]), "es") <= count:
                return " ".join(words[:end])
        return words[0]


class Booth:
    """Speaks at once, save for the texts that are held back."""

    paid, joins, lanes, slowest, fastest = True, False, 5, 0.7, 1.2

    def __init__(self, hold: str = "") -> None:
        self.asked: list[str] = []
        self.hold = hold
        self.held: list[tuple[Ask, Future[Clip]]] = []

    def submit(self, ask: Ask) -> Future[Clip]:
        """Take a line; one that is not known by its natural wording lets those go that are held back."""
        self.asked.append(ask.text)
        done: Future[Clip] = Future()
        if ask.text == self.hold:
            self.held.append((ask, done))
            return done
        done.set_result(self._clip(ask))
        if LONG.startswith(ask.text) and ask.text not in (LONG, FITS):
            for held, waiting in self.held:
                waiting.set_result(self._clip(held))
            self.held.clear()
        return done

    def collect(self, said: list[Future[Clip]]) -> list[Clip]:
        """Wait, though not for ever."""
        return [one.result(timeout=30) for one in said]

    @staticmethod
    def _clip(ask: Ask) -> Clip:
        seconds = 0.17 * float(syllables(ask.text, "es")) / ask.rate
        return Clip(Audio(Blob(ask.text, 1, ".wav"), 24_000, 1, round(seconds * 24_000)), ask.rate)


def _speak(wordings: Wordings, booth: Booth) -> Spoken:
    programme = Programme(24_000, 24 * (EVERY * len(wordings.lines) + 1000))
    return speak(
        cast(Any, Run()), cast(Any, booth), cast(Any, wordings), {"A": VOICE}, programme
    )  # fmt: skip


def test_a_line_of_another_length_does_not_wait_for_the_last_that_fit() -> None:
    """It is spoken while the slowest of the others, in the last portion, still is."""
    texts = [*[FITS] * 8, f"{FITS} 8"]
    texts[4] = LONG
    wordings, booth = Wordings(texts), Booth(hold=texts[8])
    spoken = _speak(wordings, booth)
    assert not booth.held
    assert [take.line.id for take in spoken.takes] == [line.id for line in wordings.lines]
    assert spoken.takes[4].wording.text != LONG
    assert LONG not in booth.asked


def test_the_first_lines_wait_for_no_wording_but_their_own_and_the_next() -> None:
    """With paid voices speech begins as soon as the first portion is translated, not half of the script."""

    class Stops(Booth):
        def submit(self, ask: Ask) -> Future[Clip]:
            if not self.asked:
                self.read_before = len(set(wordings.read))
            return super().submit(ask)

    wordings = Wordings([FITS] * 30)
    booth = Stops()
    _speak(wordings, booth)
    assert booth.read_before == booth.lanes + 1
    assert len(booth.asked) == 30
