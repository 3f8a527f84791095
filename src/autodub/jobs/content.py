"""What may not be dubbed: prohibited words, and what a moderator finds, looked for before translation.

Refusals name the rule and the time, never a word: they are kept where words of a dub must not be.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import accumulate

from autodub.engines.context import engine_context
from autodub.infra.server_settings import ServerSettings
from autodub.infra.settings import Settings
from autodub.model.calls import Moderate, Moderation
from autodub.model.errors import BadOption, ContentRefused
from autodub.model.request import DubRequest
from autodub.model.speech import Line
from autodub.pipeline.choosing import builder, named
from autodub.pipeline.run import Run

_TOGETHER = 32
"""Lines a moderator is asked about at once."""
_HINT = "Ask the operator of this server what may be dubbed here."
_JOINED = (
    (0x0E00, 0x0EFF), (0x0F00, 0x0FFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x19E0, 0x19FF),
    (0x2E80, 0x30FF), (0x3400, 0x9FFF), (0xA9E0, 0xA9FF), (0xAA60, 0xAA7F), (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)  # fmt: skip
"""Thai, Lao, Tibetan, Burmese, Khmer, Chinese and Japanese: written without spaces between words."""


@dataclass(frozen=True, slots=True)
class Word:
    """One prohibited word or phrase."""

    number: int
    """Its place in the list, from 1: what a refusal calls it by."""
    text: str
    """As ``plain`` has it."""
    begins: bool
    """Whether a word must begin where it begins."""
    ends: bool

    def at(self, text: str) -> int:
        """Where it first stands in a plain text; -1: nowhere."""
        found = text.find(self.text)
        while found >= 0:
            after = found + len(self.text)
            is_cut = self.begins and found and _is_letter(text[found - 1])
            is_cut = is_cut or (self.ends and after < len(text) and _is_letter(text[after]))
            if not is_cut:
                return found
            found = text.find(self.text, found + 1)
        return -1


class Content:
    """The content policy of one server."""

    def __init__(self, settings: Settings, server: ServerSettings) -> None:
        """Read the list of words. Raises BadOption when its file cannot be read."""
        self._settings = settings
        self._words = tuple(_words([*server.prohibited, *_listed(server)]))
        self._moderator = server.moderation

    @property
    def identity(self) -> str:
        """A digest of the rules; empty when there are none."""
        if not self._words and not self._moderator:
            return ""
        told = "\n".join([self._moderator, *(f"{word.begins}{word.ends}{word.text}" for word in self._words)])
        return sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:32]

    def examine_text(self, *texts: str) -> None:
        """Look for prohibited words in what a person wrote. Raises ContentRefused."""
        for text in texts:
            searched = plain(text)
            for word in self._words:
                if word.at(searched) >= 0:
                    raise ContentRefused(
                        f"This text is against the content policy of this server (prohibited word no. "
                        f"{word.number}).",
                        hint=_HINT,
                    )

    def examine(self, run: Run, lines: Sequence[Line]) -> None:
        """Look at what is said: prohibited words first, then the moderator's verdict.

        Raises ContentRefused, and whatever stops the moderator: what nobody looked at is not dubbed.
        """
        self._search(lines)
        if self._moderator and lines:
            with run.stage("examine", "looking at what is said"):
                self._moderate(run, lines)

    def _search(self, lines: Sequence[Line]) -> None:
        """A phrase may begin in one line and end in the next, so lines are searched as one text."""
        texts = [plain(line.text) for line in lines]
        whole = " ".join(texts)
        ends = list(accumulate(len(text) + 1 for text in texts))
        for word in self._words:
            place = word.at(whole)
            if place >= 0:
                line = next(line for line, end in zip(lines, ends, strict=True) if place < end)
                raise _refused(line, f"prohibited word no. {word.number}")

    def _moderate(self, run: Run, lines: Sequence[Line]) -> None:
        build = builder(DubRequest(source="", target="en"), engine_context(self._settings))
        chosen = named("moderator", self._moderator, build, why="the operator's wish", by_user=True)
        for first in range(0, len(lines), _TOGETHER):
            some = lines[first : first + _TOGETHER]
            asked = Moderate(tuple(line.text for line in some))
            verdict: Moderation = run.call(chosen.engine, "moderate", asked, stage="examine")
            for line, found in zip(some, verdict.found, strict=True):
                if found:
                    raise _refused(line, ", ".join(found))


def plain(text: str) -> str:
    """A text as it is searched: forms and cases folded, invisible signs taken out, single blanks."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    shown = "".join(sign for sign in folded if unicodedata.category(sign) != "Cf")
    return " ".join(shown.split())


def _words(texts: Iterable[str]) -> Iterator[Word]:
    """Words as an operator writes them: ``*`` at an end lets a longer word be meant, too."""
    for number, text in enumerate(texts, start=1):
        kept = plain(text)
        bare = kept.strip("*").strip()
        if not bare:
            continue
        begins = not kept.startswith("*") and _is_letter(bare[0])
        ends = not kept.endswith("*") and _is_letter(bare[-1])
        yield Word(number, bare, begins, ends)


def _is_letter(sign: str) -> bool:
    """Whether a sign belongs to a word that is told apart from the next by a blank."""
    code = ord(sign)
    is_joined = any(first <= code <= last for first, last in _JOINED)
    return not is_joined and (sign.isalnum() or unicodedata.category(sign)[0] == "M")


def _listed(server: ServerSettings) -> list[str]:
    """The words of the file: one on a line, ``#`` begins a remark."""
    if server.prohibited_file is None:
        return []
    try:
        lines = server.prohibited_file.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise BadOption(
            f"The list of prohibited words cannot be read ({why}).",
            hint="Check the setting prohibited_file (AUTODUB_PROHIBITED_FILE).",
        ) from None
    return [line for line in (line.strip() for line in lines) if line and not line.startswith("#")]


def _refused(line: Line, rule: str) -> ContentRefused:
    minutes, seconds = divmod(line.span.start // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    return ContentRefused(
        f"What is said at {hours}:{minutes:02}:{seconds:02} is against the content policy of this server "
        f"({rule}).",
        hint=_HINT,
    )
