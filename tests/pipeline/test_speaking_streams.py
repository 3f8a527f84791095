"""Lines are spoken while others are still being translated, and the result does not depend on luck."""

from __future__ import annotations

import random
import threading
import time

import pytest

from autodub.engines import registry
from autodub.engines.roles import Info
from autodub.model.calls import Translate
from autodub.model.errors import BadAnswer, Unreachable
from autodub.model.speech import Translation, Translations, Wording
from autodub.testing.fakes import FakeTranslator

NUMBERS = ("uno", "dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho")
LONG = " con todas las palabras que caben en una frase demasiado larga"


def _contextual(log, *, luck: random.Random | None = None, long: tuple[str, ...] = ("1",)):
    """A translator that says some lines too long, and shorter when asked."""
    lock = threading.Lock()

    class Contextual(FakeTranslator):
        @classmethod
        def describe(cls) -> Info:
            return Info("contextual", "translator", "1", "", lanes=8, contextual=True)

        def translate(self, request: Translate, work) -> Translations:
            with lock:
                log.append(request)
            if luck is not None:
                time.sleep(luck.random() * 0.05)
            if request.drafts:
                return Translations(
                    tuple(
                        Translation(d.line, tuple(Wording(_cut(d.text, n)) for n in d.syllables))
                        for d in request.drafts
                    )
                )
            known = [line for line in request.script if line]
            answers = []
            for line in request.lines:
                number = known.index(line.text)
                text = f"Bueno, {NUMBERS[number]}"
                answers.append(
                    Translation(line.id, (Wording(text + (LONG if str(number) in long else "") + "."),))
                )
            return Translations(tuple(answers))

    return Contextual


def _cut(text: str, syllables: int) -> str:
    words = text.rstrip(".").split()
    return " ".join(words[: max(3, round(syllables / 2.2))]) + "."


def _dub(stage, kind, **wishes):
    with registry.registered("translator", "contextual", kind):
        return stage.dub(engines=stage.engines | {"translator": "contextual"}, **wishes)


def test_other_lengths_are_asked_only_of_lines_that_need_them(stage):
    """A line that fits is never worded anew; one that does not is spoken in a wording that fits better."""
    log: list[Translate] = []
    dubbed = _dub(stage, _contextual(log))
    drafts = [draft for request in log for draft in request.drafts]
    assert drafts
    assert all(LONG in draft.text for draft in drafts)
    spoken = {line["id"]: line["spoken"] for line in dubbed.receipt.as_dict()["lines"]}
    assert any(text.startswith("Bueno, dos con") for text in spoken.values())
    assert not any(text.endswith(LONG + ".") for text in spoken.values())


def test_natural_wordings_are_asked_for_with_their_room_and_the_whole_script(stage):
    """Each request holds the script, a syllable budget per line, and nothing of other requests."""
    log: list[Translate] = []
    _dub(stage, _contextual(log, long=()))
    assert log
    for request in log:
        assert len(request.budgets) == len(request.lines)
        assert all(budget.syllables > 0 for budget in request.budgets)
        assert {line.text for line in request.lines} <= set(request.script)
        assert not request.drafts


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_order_of_answers_changes_nothing(stage, tmp_path, film, seed):
    """With answers in any order the dub is the same file, and the same lines were asked for."""
    outputs, asked = [], []
    for attempt in range(2):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        place = type(stage)(folder, film)
        log: list[Translate] = []
        luck = random.Random(seed * 10 + attempt)
        dubbed = _dub(place, _contextual(log, luck=luck))
        outputs.append(dubbed.output.read_bytes())
        asked.append(sorted(repr(request) for request in log))
    assert outputs[0] == outputs[1]
    assert asked[0] == asked[1]


def _stubborn(log):
    """A translator whose other lengths are all still too long, until it is asked a second time."""

    class Stubborn(_contextual(log)):
        def translate(self, request: Translate, work) -> Translations:
            reply = super().translate(request, work)
            asked = sum(bool(one.drafts) for one in log)
            if not request.drafts or asked > 1:
                return reply
            wordy = " con todas las palabras que caben en una frase bastante larga"
            drafts = {draft.line: draft.text.split(LONG)[0] for draft in request.drafts}
            return Translations(
                tuple(Translation(line, (Wording(text + wordy + "."),)) for line, text in drafts.items())
            )

    return Stubborn


def test_a_line_that_fits_in_no_length_is_asked_for_once_more(stage):
    """One further number of syllables is asked for, worked out from the room; the line is spoken in it."""
    log: list[Translate] = []
    dubbed = _dub(stage, _stubborn(log))
    first, *more = [draft for request in log for draft in request.drafts]
    assert len(more) == 1
    assert more[0].text == first.text
    assert len(more[0].syllables) == 1
    spoken = [line["spoken"] for line in dubbed.receipt.as_dict()["lines"]]
    assert not any("larga" in text for text in spoken), (spoken, more)
    assert any(text.startswith("Bueno, dos con") for text in spoken)


def test_a_translator_that_is_gone_when_asked_for_other_lengths_loses_nothing(stage):
    """Other lengths are a wish: the natural wordings are spoken, and a later run asks once more."""
    log: list[Translate] = []
    there = threading.Event()

    class Leaving(_contextual(log)):
        def translate(self, request: Translate, work) -> Translations:
            if request.drafts and not there.is_set():
                raise Unreachable("no answer")
            return super().translate(request, work)

    first = _dub(stage, Leaving)
    assert all(line.status == "spoken" for line in first.receipt.lines)
    assert any(LONG in line.spoken for line in first.receipt.lines)
    there.set()
    count = len(log)
    second = _dub(stage, Leaving)
    assert not any(LONG in line.spoken for line in second.receipt.lines)
    assert all(request.drafts for request in log[count:])


def test_a_line_that_was_answered_with_nonsense_is_asked_for_again_by_the_next_run(stage):
    """Nonsense may pass: the line keeps its sound and is listed, and the same command asks once more."""
    log: list[Translate] = []
    there = threading.Event()

    class Confused(_contextual(log, long=())):
        def translate(self, request: Translate, work) -> Translations:
            reply = super().translate(request, work)
            if there.is_set() or not any(line.span.start == 5500 for line in request.lines):
                return reply
            raise BadAnswer("this is nonsense")

    first = _dub(stage, Confused)
    assert [line.status for line in first.receipt.lines].count("kept original") == 1
    there.set()
    second = _dub(stage, Confused)
    assert not second.reused
    assert all(line.status == "spoken" for line in second.receipt.lines)
    assert _dub(stage, Confused).reused
