"""Translating: every line in, wordings for every line out as they are needed, or a reason why not.

Natural wordings are asked for first, in small windows side by side; other lengths only for the lines
whose timing needs them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Self

from autodub.dubbing.duration import Duration
from autodub.dubbing.fitting import budget
from autodub.dubbing.glossary import occurring
from autodub.dubbing.numerals import localized
from autodub.dubbing.text import is_kin
from autodub.dubbing.translation import Window, checked, growing, window, windows
from autodub.dubbing.wording import survivors
from autodub.engines.roles import Summarizer
from autodub.model.calls import Draft, Summarize, Summary, Translate
from autodub.model.errors import (
    AutodubError,
    BadAnswer,
    Busy,
    Cancelled,
    CircuitOpen,
    EngineError,
    Rejected,
    TooLong,
    Unreachable,
)
from autodub.model.language import Language
from autodub.model.speech import Hint, Line, Style, Term, Translation, Translations, Wording
from autodub.pipeline.choosing import Chosen
from autodub.pipeline.listening import passes
from autodub.pipeline.run import Run

OF_ONE_WINDOW = (BadAnswer, Rejected, TooLong)
"""Failures that smaller windows may get past; any other one stops the dub, which can be resumed."""
AWAY = (Busy, CircuitOpen, Unreachable)
"""Failures of a translator that does not answer now."""
_TOLD = 12_000
"""Characters of a script up to which it is told to the translator as a whole; above, a summary is."""

_JOINED = 1500
"""Milliseconds between two lines of a speaker up to which a synthesizer is told of the other one."""


@dataclass(frozen=True, slots=True)
class Brief:
    """What a translator is told besides the lines."""

    spoken: Language
    target: Language
    glossary: tuple[Term, ...] = ()
    style: Style = field(default_factory=Style)
    speakers: tuple[Hint, ...] = ()


class Wordings:
    """The wordings of a script's lines; those asked for are under way at once.

    Use it as a context manager: leaving drops what is not under way yet.
    """

    def __init__(self, run: Run, chosen: Chosen, lines: Sequence[Line], brief: Brief) -> None:
        self._run, self._chosen, self._brief = run, chosen, brief
        self.lines = tuple(lines)
        self.failed: dict[str, str] = {}
        """Id of a line that has no translation that may be spoken -> why."""
        self.passing: set[str] = set()
        """Those of them for a reason that may pass."""
        self.was_away = False
        """True once other lengths were not to be had for such a reason."""
        self.asks_further = chosen.info.contextual
        """Whether a line can be had in other lengths."""
        self._model = Duration.of(brief.target.tag)
        self._natural: dict[str, Wording] = {}
        self._further: dict[str, tuple[Wording, ...]] = {}
        self._waiting: dict[str, Future[None]] = {}
        self._script: tuple[str, ...] = ()
        self._summary = ""
        self._pool = run.pool(chosen.info.lanes, name="translate")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, problem: BaseException | None, _trace: object) -> None:
        # What is under way is paid for: unless somebody wants to stop at once, it is waited for and kept.
        is_stopped = problem is not None and not isinstance(problem, AutodubError)
        is_stopped = is_stopped or isinstance(problem, Cancelled)
        self._pool.shutdown(wait=not is_stopped, cancel_futures=True)

    def start(self) -> None:
        """Ask for the natural wording of every line."""
        if not self.asks_further:
            for one in windows(self.lines):
                self._submit(one, self._translate)
            return
        self._script, self._summary = self._told()
        parts = growing(len(self.lines), lanes=self._chosen.info.lanes)
        for part in parts:
            self._submit(window(self.lines, part), self._translate)

    def is_kept(self) -> bool:
        """Whether the beginning was translated in an earlier run, as most of the rest will have been."""
        if not self.asks_further or not self.lines:
            return True
        first = window(self.lines, growing(len(self.lines), lanes=self._chosen.info.lanes)[0])
        request = self._request(first, _numbered(first.lines), drafts=())
        return self._run.is_kept(self._chosen.engine, "translate", request)

    def ask_further(self, wanted: Mapping[str, tuple[int, ...]]) -> None:
        """Ask for lines in other lengths: id of a line -> syllables that each further wording should have."""
        new = [line for line in self.lines if line.id in wanted and line.id not in self._further]
        for line in new:
            self._further[line.id] = ()
        self._ask_lengths(new, wanted, mark="+")

    def ask_again(self, wanted: Mapping[str, tuple[int, ...]]) -> None:
        """Ask once more for lines of which no wording fits; to be called once, when `of` has answered."""
        self._ask_lengths([line for line in self.lines if line.id in wanted], wanted, mark="++")

    def around(self, i: int) -> tuple[str, str]:
        """What the same speaker says right before and after line ``i``, as it is naturally said; waits."""
        out = []
        for k in (i - 1, i + 1):
            near = self.lines[k] if 0 <= k < len(self.lines) else None
            is_joined = near is not None and near.speaker == self.lines[i].speaker and (
                max(near.span.start, self.lines[i].span.start)
                - min(near.span.end, self.lines[i].span.end)
                <= _JOINED
            )  # fmt: skip
            natural = self.natural(near) if near is not None and is_joined else None
            out.append(natural.text if natural is not None else "")
        return out[0], out[1]

    def natural(self, line: Line) -> Wording | None:
        """The natural wording of a line; waits for it. None when it has none, and ``failed`` says why."""
        self._wait(line.id)
        return self._natural.get(line.id)

    def of(self, line: Line) -> tuple[Wording, ...]:
        """Every wording of a line that may be spoken, the natural one first; waits for those asked for."""
        natural = self.natural(line)
        self._wait("+" + line.id)
        self._wait("++" + line.id)
        return () if natural is None else (natural, *self._further.get(line.id, ()))

    def known(self) -> dict[str, tuple[Wording, ...]]:
        """Every wording of every line; waits for all."""
        return {line.id: found for line in self.lines if (found := self.of(line))}

    def require_any(self) -> None:
        """Raise EngineError when not one line could be translated; waits for all of them."""
        if self.lines and all(self.natural(line) is None for line in self.lines):
            raise EngineError(
                f"The {self._chosen.info.name} translator could not translate a single line: "
                f"{next(iter(self.failed.values()))}",
                hint="Check the languages with --from and --to, or choose another --translator.",
            )

    # --- Inside --------------------------------------------------------------------------------------

    def _wait(self, name: str) -> None:
        waiting = self._waiting.get(name)
        if waiting is not None:
            waiting.result()

    def _submit(self, one: Window, work: Callable[[Window], None], *, mark: str = "") -> None:
        future = self._pool.submit(work, one)
        for line in one.lines:
            self._waiting[mark + line.id] = future

    def _ask_lengths(self, new: Sequence[Line], wanted: Mapping[str, tuple[int, ...]], *, mark: str) -> None:
        for part in growing(len(new), lanes=self._chosen.info.lanes):
            some = [new[i] for i in part]
            at = self.lines.index(some[0])
            around = window(self.lines, range(at, at + 1))
            self._submit(
                Window(tuple(some), around.before, around.after),
                lambda one: self._reword(one, wanted),
                mark=mark,
            )

    def _told(self) -> tuple[tuple[str, ...], str]:
        """The script, or a summary of it where it is long."""
        script = tuple(line.text for line in self.lines)
        if sum(len(text) for text in script) <= _TOLD:
            return script, ""
        if not isinstance(self._chosen.engine, Summarizer):
            return (), ""
        try:
            found: Summary = self._run.call(
                self._chosen.engine,
                "summarize",
                Summarize(script, self._brief.spoken.tag),
                stage="translate",
            )
        except OF_ONE_WINDOW as problem:
            self._run.degrade("translator", "lines are translated without a summary", problem.message)
            return (), ""
        return (), found.text

    def _translate(self, one: Window) -> None:
        # Numbered within the window: the same text has the same identity wherever it stands.
        numbered = _numbered(one.lines)
        kin = is_kin(self._brief.spoken.tag, self._brief.target.tag)
        try:
            reply = checked(
                numbered, self._ask(one, numbered, drafts=()), engine=self._chosen.info.name, kin=kin
            )
        except OF_ONE_WINDOW as problem:
            if len(one.lines) == 1:
                self.failed[one.lines[0].id] = problem.message
                if passes(problem):
                    self.passing.add(one.lines[0].id)
            else:
                for half in _halves(one):
                    self._translate(half)
            return
        for line, answer in zip(one.lines, reply.lines, strict=True):
            self._natural[line.id], *others = self._readable(line, answer.wordings)
            if others:
                self._further[line.id] = tuple(others)
        done = len(self._natural) + len(self.failed)
        self._run.progress("translate", done / len(self.lines), f"{done} of {len(self.lines)} lines")

    def _reword(self, one: Window, wanted: Mapping[str, tuple[int, ...]]) -> None:
        """Other lengths are a wish: where there are none, the natural wording does."""
        numbered = _numbered(one.lines)
        drafts = tuple(
            Draft(number.id, self._natural[line.id].text, wanted[line.id])
            for number, line in zip(numbered, one.lines, strict=True)
        )
        try:
            reply = self._ask(one, numbered, drafts=drafts)
        except (*OF_ONE_WINDOW, *AWAY) as problem:
            self.was_away |= passes(problem)
            return
        by_id = {answer.line: answer for answer in reply.lines}
        for number, line in zip(numbered, one.lines, strict=True):
            answer: Translation | None = by_id.get(number.id)
            if answer is not None:
                good = survivors(
                    line,
                    self._natural[line.id],
                    (*self._further.get(line.id, ()), *self._readable(line, answer.wordings)),
                    glossary=self._brief.glossary,
                    language=self._brief.target.tag,
                )
                self._further[line.id] = good[1:]

    def _readable(self, line: Line, wordings: Sequence[Wording]) -> tuple[Wording, ...]:
        """Wordings with their numbers as the voice's language writes them."""
        said, to = self._brief.spoken.tag, self._brief.target.tag
        return tuple(
            replace(w, text=localized(w.text, original=line.text, source=said, target=to)) for w in wordings
        )

    def _request(self, one: Window, numbered: tuple[Line, ...], *, drafts: tuple[Draft, ...]) -> Translate:
        brief = self._brief
        if not self.asks_further:
            return Translate(numbered, brief.spoken.tag, brief.target.tag)
        names = {line.speaker for line in numbered}
        return Translate(
            numbered,
            brief.spoken.tag,
            brief.target.tag,
            one.before,
            one.after,
            tuple(budget(line, self._model) for line in numbered),
            self._script,
            self._summary,
            occurring(brief.glossary, [line.text for line in numbered]),
            brief.style,
            tuple(hint for hint in brief.speakers if hint.speaker in names),
            drafts,
        )

    def _ask(self, one: Window, numbered: tuple[Line, ...], *, drafts: tuple[Draft, ...]) -> Translations:
        request = self._request(one, numbered, drafts=drafts)
        reply: Translations = self._run.call(self._chosen.engine, "translate", request, stage="translate")
        return reply


def _numbered(lines: Sequence[Line]) -> tuple[Line, ...]:
    return tuple(replace(line, id=str(n)) for n, line in enumerate(lines, start=1))


def _halves(one: Window) -> tuple[Window, Window]:
    middle = len(one.lines) // 2
    first, second = one.lines[:middle], one.lines[middle:]
    return (
        Window(first, one.before, tuple(line.text for line in second[:4])),
        Window(second, tuple(line.text for line in first[-4:]), one.after),
    )
