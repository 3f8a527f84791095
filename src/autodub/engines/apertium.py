"""apertium as translator: rule-based, no weights, over several languages where no direct data is installed.

Rough, but always there. One child process per step of the route and call, however many lines: the
lines travel as sentences of one stream, set apart by blanks that apertium carries through unchanged.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import shutil
import threading
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from autodub.dubbing.text import is_shouted
from autodub.engines.apertium_routes import DEBIAN, Direction, directions, reachable, route
from autodub.engines.roles import EngineContext, EngineOptions, Info, Readiness, Work
from autodub.infra import process
from autodub.model.calls import Translate
from autodub.model.errors import AutodubError, BadAnswer, EngineCannot, Unreachable
from autodub.model.language import Language
from autodub.model.speech import Translation, Translations, Wording

SHORTER_LOSS = 0.12
_FINAL = re.compile(r"[\s.!?…,;:–—-]*[\"'»)]*\s*$")
_SEPARATOR = re.compile(r"\[\n(\d+)\n\]")
_UNKNOWN = re.compile(r"(?<!\\)[*#@](?=[^\W\d_])")
_SPECIAL = re.compile(r"([\\\[\]{}^$/<>@])")
_OPENERS = {
    "en": "oh|well|so|now|okay|ok|look|listen|anyway|you know|you see|i mean|actually|basically|frankly"
    "|honestly|of course|in fact",
    "es": "bueno|pues|mira|oye|entonces|o sea|en fin|la verdad",
    "fr": "eh bien|bon|alors|enfin|écoute|tu sais|vous savez",
}
_ASIDES = {
    "en": "you know|you see|i mean|actually|really|of course|of sorts|in fact|so to speak|as it were",
    "es": "o sea|sabes|claro",
    "fr": "tu sais|vous savez|quoi|hein",
}
_FILLERS = {
    language: re.compile(
        rf"^(?:(?:{_OPENERS[language]})\s*,\s+)+|,\s+(?:{_ASIDES[language]})(?=\s*[,.!?;])", re.IGNORECASE
    )
    for language in _OPENERS
}
"""Words that carry a conversation, not a meaning: what a shorter wording leaves out."""


class ApertiumOptions(EngineOptions):
    """Options of the apertium translator."""

    shorter: bool = Field(
        default=True, description="Also offer a wording without fillers (well, you know) where there are any."
    )


class Apertium:
    """Translates with apertium."""

    Options: ClassVar[type[EngineOptions]] = ApertiumOptions

    def __init__(self, options: ApertiumOptions, context: EngineContext) -> None:
        self.options: ApertiumOptions = options
        self.context = context
        self._lock = threading.Lock()
        self._installed: tuple[Direction, ...] | None = None

    @classmethod
    def describe(cls) -> Info:
        return Info(
            name="apertium",
            role="translator",
            version=f"2+data-{_data()}",
            summary="Apertium: rule-based translation without weights, also by way of a third language",
            lanes=2,
            licence="GPL-2.0-or-later (separate program)",
        )

    def readiness(self) -> Readiness:
        fix = "sudo apt-get install apertium apertium-eng-spa"
        if shutil.which("apertium") is None:
            return Readiness("not installed", "apertium is not on the path", fix)
        count = len(self._steps())
        if not count:
            return Readiness("not installed", "apertium is installed, but no language pair", fix)
        return Readiness("ready", f"{count} directions are installed")

    def route(self, source: str, target: str) -> str:
        """Steps between two languages (``eng-cat > cat-ita``). Raises EngineCannot naming packages."""
        return " > ".join(step.mode for step in self._route(source, target))

    def pairs(self) -> dict[str, tuple[str, ...]]:
        """Primary subtag of each source -> the targets that the installed data lead to."""
        return reachable(self._steps())

    def translate(self, request: Translate, work: Work) -> Translations:
        """One natural wording per line, and a shorter one where fillers can go; unknown words stay."""
        steps = self._route(request.source, request.target)
        source, target = Language(request.source), Language(request.target)
        texts = [line.text for line in request.lines]
        shorter: dict[int, str] = {}
        for at, text in enumerate(texts):
            less = without_fillers(text, source) if self.options.shorter else None
            if less is not None:
                shorter[at] = less
        work.meter("characters", sum(map(len, texts)))
        wanted = texts + list(shorter.values())
        spoken, unknown = self._through(wanted, steps, work, english=source.primary == "en")
        work.meter("unknown_words", sum(unknown[: len(texts)]))
        finished = [finish(before, after, target) for before, after in zip(wanted, spoken, strict=True)]
        brief = dict(zip(shorter, finished[len(texts) :], strict=True))
        lines = []
        for at, line in enumerate(request.lines):
            wordings = [Wording(finished[at])]
            if at in brief and len(brief[at]) < len(finished[at]):
                wordings.append(Wording(brief[at], SHORTER_LOSS))
            lines.append(Translation(line.id, tuple(wordings)))
        return Translations(tuple(lines))

    def _through(
        self, texts: Sequence[str], steps: Sequence[Direction], work: Work, *, english: bool
    ) -> tuple[list[str], list[int]]:
        """Texts after every step, and how many of each text's words the first step did not know."""
        current = [prepare(text, english=english) for text in texts]
        unknown = [0] * len(texts)
        for number, step in enumerate(steps):
            work.progress(number / len(steps), step.mode)
            pending = [at for at, text in enumerate(current) if any(c.isalpha() for c in text)]
            for at, (text, count) in zip(
                pending, self._step([current[i] for i in pending], step, work), strict=True
            ):
                # What a step cannot turn into anything stays as it is: a line is never blank.
                current[at] = text if any(c.isalnum() for c in text) else current[at]
                if number == 0:
                    unknown[at] = count
        return current, unknown

    def _step(self, texts: Sequence[str], step: Direction, work: Work) -> list[tuple[str, int]]:
        """Every text translated once, with its count of unknown words, by one process.

        Where apertium moves or loses a separator the texts are tried again in halves.
        """
        if not texts:
            return []
        stream = "".join(f"{encode(text)}[\n{at}\n]" for at, text in enumerate(texts))
        argv = [process.find("apertium", package="apertium"), "-n", "-f", "none", step.mode]
        result = process.run(argv, deadline=60 + len(texts) / 2, stdin=stream.encode(), check=work.check)
        if result.code != 0:
            raise Unreachable(
                f"apertium {step.mode} failed with status {result.code}: {result.stderr.strip()[-200:]}",
                hint="Run it by hand on a sentence to see what is missing.",
                engine="apertium",
            )
        parts = _SEPARATOR.split(result.stdout.decode("utf-8", "replace"))
        if [int(number) for number in parts[1::2]] == list(range(len(texts))):
            return [decode(part) for part in parts[: 2 * len(texts) : 2]]
        if len(texts) == 1:
            raise BadAnswer(
                f"apertium {step.mode} gave back something else than one line.",
                hint="Reword the line in the project file.",
                engine="apertium",
            )
        half = len(texts) // 2
        return [*self._step(texts[:half], step, work), *self._step(texts[half:], step, work)]

    def _route(self, source: str, target: str) -> tuple[Direction, ...]:
        """The steps to take. Raises EngineCannot, naming the packages that would provide the best way."""
        begin, goal = Language(source), Language(target)
        steps = self._steps()
        found = route(steps, begin, goal)
        if found:
            return found
        pairs = {(step.source, step.target) for step in steps}
        offered = [step for step in DEBIAN if (step.source, step.target) not in pairs]
        wanted = route([*steps, *offered], begin, goal)
        if not wanted:
            raise EngineCannot(
                f"apertium has no data that lead from {begin.name} to {goal.name}.",
                hint="\n".join(filter(None, ("Choose another translator or target.", self._offer(begin)))),
            )
        packages = " ".join(sorted({step.package for step in wanted if step.package}))
        way = " > ".join([begin.name, *(Language(step.target).name for step in wanted)])
        raise EngineCannot(
            f"apertium cannot translate from {begin.name} to {goal.name}: data for {way} are not installed.",
            hint="\n".join(
                filter(None, (f"Install them: sudo apt-get install {packages}", self._offer(begin)))
            ),
        )

    def _offer(self, begin: Language) -> str:
        """Which targets are there already, as a sentence; empty for none."""
        names = sorted(Language(tag).name for tag in self.pairs().get(begin.primary, ()))
        return f"What is installed leads from {begin.name} to {', '.join(names)}." if names else ""

    def _steps(self) -> tuple[Direction, ...]:
        with self._lock:
            if self._installed is None:
                program = process.find("apertium", package="apertium apertium-eng-spa")
                result = process.run([program, "-l"], deadline=30)
                self._installed = directions(result.stdout.decode("utf-8", "replace"))
            return self._installed


def _data() -> str:
    """What tells one installation from another: of the program and of every mode that is installed."""
    program = shutil.which("apertium")
    if program is None:
        return "none"
    modes = Path(program).resolve().parents[1] / "share" / "apertium" / "modes"
    stamps = tuple(path.stat().st_mtime_ns if path.exists() else 0 for path in (Path(program), modes))
    return _fingerprint(program, modes, stamps)


@cache
def _fingerprint(program: str, modes: Path, stamps: tuple[int, ...]) -> str:
    """Hash of the modes' names, sizes and times; ``stamps`` changes when a package comes or goes."""
    seen = [f"{program} {stamps[0]}"]
    for mode in sorted(modes.glob("*.mode")) if stamps[1] else ():
        state = mode.stat()
        seen.append(f"{mode.name} {state.st_size} {state.st_mtime_ns}")
    if len(seen) == 1:  # modes kept elsewhere: their names at least
        with contextlib.suppress(AutodubError):  # it does not start: calls say so, a version need not
            seen.append(process.run([program, "-l"], deadline=30).stdout.decode("utf-8", "replace"))
    return hashlib.sha256("\n".join(seen).encode()).hexdigest()[:12]


def prepare(text: str, *, english: bool) -> str:
    """A text as apertium understands it best: plain quotes, no shouting, one sentence end."""
    text = " ".join(text.replace("’", "'").replace("‘", "'").replace("“", '"').replace("”", '"').split())
    if is_shouted(text):
        text = text.lower()
        text = text[:1].upper() + text[1:]
    if english:
        text = re.sub(r"\bi(?='(?:m|ll|ve|d)\b|\s|$)", "I", text)
    return text


def encode(text: str) -> str:
    """A text as one sentence of apertium's stream format."""
    body = _FINAL.sub("", text) or text
    ending = _FINAL.search(text)
    mark = next((c for c in "?!" if ending and c in ending[0]), ".")
    return _SPECIAL.sub(r"\\\1", body) + mark


def decode(part: str) -> tuple[str, int]:
    """A translated sentence as plain text without apertium's marks, and how many words bore one."""
    text, count = _UNKNOWN.subn("", part)
    text = re.sub(r"\\(.)", r"\1", text)
    text = re.sub(r"\s+([,.;:!?…»)])", r"\1", " ".join(text.split()))
    return text.strip(), count


def finish(source: str, translated: str, target: Language) -> str:
    """A translation with its source's first capital and final punctuation, ¿ and ¡ where they belong."""
    ending = _FINAL.search(source)
    final = "".join(ending[0].split()) if ending else ""
    body = _FINAL.sub("", translated) or translated
    body = body.lstrip(" ,;:.")
    if target.primary not in {"es", "ast", "an", "gl"}:
        body = re.sub(r"[¿¡]", "", body)
    text = body + final
    opening = source.lstrip("\"'([¿¡«- ")[:1]
    for at, letter in enumerate(text):
        if letter.isalpha():
            text = text[:at] + (letter.upper() if opening.isupper() else letter) + text[at + 1 :]
            break
    if target.primary in {"es", "ast"}:
        text = opened(text)
    return text


def opened(text: str) -> str:
    """Spanish with ¿ and ¡ before what ends in ? and !."""

    def mark(match: re.Match[str]) -> str:
        lead, body, end = match[1], match[2], match[3]
        sign = "¿" if "?" in end else "¡"
        return match[0] if sign in body else f"{lead}{sign}{body.lstrip('¿¡')}{end}"

    return re.sub(r"(\s*[\"'(«–—-]*\s*)([^.!?…]*[^\W_][^.!?…]*)([!?]+)", mark, text)


def without_fillers(text: str, source: Language) -> str | None:
    """The text without words that carry no meaning; None where there are none or too little would remain."""
    pattern = _FILLERS.get(source.primary)
    if pattern is None:
        return None
    brief = " ".join(pattern.sub("", text).split())
    if brief == " ".join(text.split()) or len(brief.split()) < 2:
        return None
    return brief[:1].upper() + brief[1:] if text[:1].isupper() else brief
