"""Foreseeing how a text fits: by what the voice took for other texts, in the place its neighbours leave."""

from __future__ import annotations

import pytest

from autodub.pipeline.foreseeing import Foreseen, foresee, tempo
from autodub.pipeline.project import LineEntry, Project, Timing
from finished_jobs import line, project

SHORT, LONG = (
    "Hola.",
    "Una frase que no acaba nunca, con muchas palabras de más que nadie ha pedido jamás a nadie.",
)


def fit(
    text: str, found: Project | None = None, *, name: str = "L0002", made: Project | None = None
) -> Foreseen:
    """How a text fits a line of a project."""
    found = found or project()
    (one,), _ = foresee(found, made or found, name, [text], programme=60.0)
    return one


def lasting(entry: LineEntry, seconds: float, *, rate: float = 1.0, stretch: float = 1.0) -> LineEntry:
    """A line whose clip takes so long on the programme."""
    start = entry.start_ms + 100
    timing = Timing(start_ms=start, end_ms=start + round(seconds * 1000), native_rate=rate, stretch=stretch)
    return entry.model_copy(update={"timing": timing})


def test_the_text_as_it_is_takes_as_long_as_it_took() -> None:
    """What was measured outweighs every model, and in its place nothing is wrong with it."""
    found = fit("Frase número 2.")
    assert found.seconds == pytest.approx(3.0)
    assert (found.room, found.needed) == (3.0, pytest.approx(1.0))
    assert found.start == pytest.approx(4.0, abs=0.25)
    assert found.flags == ()


def test_longer_texts_take_longer_and_are_spoken_faster() -> None:
    """What does not fit at all says so; what is much too short does, too."""
    short, usual, long = fit(SHORT), fit("Frase número dos y media."), fit(LONG)
    assert short.seconds < usual.seconds < long.seconds
    assert long.rate > 1.1 > short.rate
    assert long.needed > 2
    assert {flag.word for flag in long.flags} & {"overlap", "emergency_rate", "too_long"}
    assert [flag.word for flag in short.flags] == ["short"]
    assert short.syllables == 2


def test_a_slow_voice_needs_more_time() -> None:
    """The tempo is that of the voice's own clips, whatever rate and stretch they were given."""
    lines = [line(number) for number in range(1, 9)]
    slow = project(*(lasting(one, 3.0) for one in lines))
    fast = project(*(lasting(one, 1.0) for one in lines))
    squeezed = project(*(lasting(one, 1.0, rate=1.5, stretch=2.0) for one in lines))
    new = line(9, text="Algo que nadie ha dicho todavía.").model_copy(update={"timing": None, "id": "L0009"})

    def seconds(found: Project) -> float:
        whole = found.model_copy(update={"lines": [*found.lines, new]})
        return fit(new.text, whole, name="L0009", made=found).seconds

    assert seconds(slow) > 2 * seconds(fast)
    assert seconds(squeezed) == pytest.approx(seconds(slow), rel=0.01)


def test_another_pace_and_another_voice_change_what_is_expected() -> None:
    """A faster pace takes less; a voice that another speaker has is known; one nobody has is not."""
    made = project()
    cast = made.voices["S1"]
    hurried = made.model_copy(update={"voices": made.voices | {"S1": cast.model_copy(update={"pace": 1.5})}})
    assert fit("Frase número 2.", hurried, made=made).seconds == pytest.approx(2.0, rel=0.1)
    other = made.model_copy(update={"voices": made.voices | {"S1": cast.model_copy(update={"id": "fake-2"})}})
    assert (tempo(other, made, "S1").clips, tempo(made, made, "S1").clips) == (1, 3)
    unknown = made.model_copy(update={"voices": made.voices | {"S1": cast.model_copy(update={"id": "x"})}})
    assert tempo(unknown, made, "S1").clips == tempo(made, made, "S7").clips == 0


def test_neighbours_give_way_as_far_as_they_can() -> None:
    """A long neighbour that was edited, too, takes room away; one that is kept original does not sound."""
    made = project(line(1), line(2), line(3))
    text = "Frase número dos y media."
    alone = fit(text, made)
    edited = [made.lines[0], made.lines[1], made.lines[2].model_copy(update={"start_ms": 6500})]
    crowded = fit(text, made.model_copy(update={"lines": edited}), made=made)
    assert crowded.end < alone.end
    silent = [*edited[:2], edited[2].model_copy(update={"keep_original": True})]
    assert fit(text, made.model_copy(update={"lines": silent}), made=made).end > crowded.end


def test_a_line_there_is_not_is_no_line() -> None:
    """Whoever asks is told by a KeyError."""
    with pytest.raises(KeyError):
        fit("Hola.", name="L0099")


def test_a_line_that_is_kept_original_can_be_tried() -> None:
    """As if it were spoken."""
    silent = line(2).model_copy(update={"keep_original": True, "timing": None})
    assert fit("Frase número dos.", project(line(1), silent, line(3))).seconds > 0.5


def test_among_hundreds_of_lines_only_those_near_are_planned(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that it can be asked while somebody types."""
    from autodub.pipeline import foreseeing

    planned = []
    real = foreseeing.plan

    def plan(slots: list[object], **given: float) -> object:
        planned.append(len(slots))
        return real(slots, **given)  # type: ignore[arg-type]

    monkeypatch.setattr(foreseeing, "plan", plan)
    found = project(*(line(number) for number in range(1, 501)))
    foresee(found, found, "L0250", ["Hola a todos."], programme=2000.0)
    assert planned == [17]
