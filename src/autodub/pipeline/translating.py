"""Translating: every line in, wordings for every line out, or a reason why not."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from autodub.dubbing.duration import Duration
from autodub.dubbing.fitting import budget
from autodub.dubbing.translation import Window, checked, windows
from autodub.model.calls import Translate
from autodub.model.errors import BadAnswer, EngineError, Rejected, TooLong
from autodub.model.language import Language
from autodub.model.speech import Line, Translations, Wording
from autodub.pipeline.plan import Chosen
from autodub.pipeline.run import Run

OF_ONE_WINDOW = (BadAnswer, Rejected, TooLong)
"""Failures that smaller windows may get past; any other one stops the dub, which can be resumed."""


@dataclass(frozen=True, slots=True)
class Translated:
    """What became of the lines."""

    wordings: dict[str, tuple[Wording, ...]]
    """Id of a line -> its wordings, natural one first."""
    failed: dict[str, str]
    """Id of a line that has no translation that may be spoken -> why."""


def translate(
    run: Run,
    chosen: Chosen,
    lines: Sequence[Line],
    *,
    spoken: Language,
    target: Language,
    needed: bool = True,
) -> Translated:
    """Translate all lines, several windows at a time. A bad line costs itself, never the dub.

    Raises EngineError when none of the lines could be translated, unless that is not ``needed``.
    """
    found = Translated({}, {})
    model = Duration.of(target.tag)

    def ask(window: Window) -> Translated:
        # Numbered within the window: the same text has the same identity wherever it stands.
        numbered = tuple(replace(line, id=str(n)) for n, line in enumerate(window.lines, start=1))
        budgets = tuple(budget(line, model) for line in numbered)
        request = Translate(numbered, spoken.tag, target.tag, window.before, window.after, budgets)
        try:
            reply: Translations = run.call(chosen.engine, "translate", request, stage="translate")
            reply = checked(numbered, reply, engine=chosen.info.name)
        except OF_ONE_WINDOW as problem:
            if len(window.lines) == 1:
                return Translated({}, {window.lines[0].id: problem.message})
            return _joined([ask(half) for half in _halves(window)])
        pairs = zip(window.lines, reply.lines, strict=True)
        return Translated({line.id: answer.wordings for line, answer in pairs}, {})

    todo = windows(lines)
    with ThreadPoolExecutor(max_workers=max(1, chosen.info.lanes), thread_name_prefix="translate") as pool:
        for done, part in enumerate(pool.map(ask, todo), start=1):
            found = _joined([found, part])
            run.progress("translate", done / len(todo), f"{done} of {len(todo)} parts")
    if needed and lines and not found.wordings:
        raise EngineError(
            f"The {chosen.info.name} translator could not translate a single line: "
            f"{next(iter(found.failed.values()))}",
            hint="Check the languages with --from and --to, or choose another --translator.",
        )
    return found


def _halves(window: Window) -> tuple[Window, Window]:
    middle = len(window.lines) // 2
    first, second = window.lines[:middle], window.lines[middle:]
    return (
        Window(first, window.before, tuple(line.text for line in second[:4])),
        Window(second, tuple(line.text for line in first[-4:]), window.after),
    )


def _joined(parts: Sequence[Translated]) -> Translated:
    wordings: dict[str, tuple[Wording, ...]] = {}
    failed: dict[str, str] = {}
    for part in parts:
        wordings |= part.wordings
        failed |= part.failed
    return Translated(wordings, failed)
