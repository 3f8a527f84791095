"""Progress on stderr."""

from __future__ import annotations

import io

from autodub.cli import progress
from autodub.model.job import STAGES, Event


class Clock:
    """A clock that is set by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def lines(*timed: tuple[float, Event]) -> list[str]:
    """What the plain view prints for events at given times."""
    stream, clock = io.StringIO(), Clock()
    view = progress.Lines(stream, clock=clock)
    for now, event in timed:
        clock.now = now
        view(event)
    return stream.getvalue().splitlines()


def test_every_stage_has_a_name() -> None:
    """Whatever the pipeline does has a word for people."""
    assert set(progress.NAMES) == set(STAGES)


def test_plain_lines_are_occasional() -> None:
    """Without a terminal a stage is announced, reported on every ten seconds, and closed with its time."""
    events = [(t, Event("stage.progress", "speak", fraction=t / 40)) for t in range(1, 40)]
    out = lines((0, Event("stage.started", "speak")), *events, (40, Event("stage.finished", "speak")))
    assert out[0] == "Speaking ..."
    assert out[1] == "Speaking: 25%, about 30 s left"
    assert out[-1] == "Speaking: done in 40 s"
    assert len(out) == 5


def test_short_stages_are_not_closed_with_a_line() -> None:
    """A stage of less than a second does not get a second line."""
    assert lines((0, Event("stage.started", "open")), (0.4, Event("stage.finished", "open"))) == [
        "Opening ..."
    ]


def test_decisions_are_told() -> None:
    """Engines chosen, degradations and retries get a line of their own; other events none."""
    out = lines(
        (0, Event("engine.chosen", message="translator: apertium (ready)")),
        (0, Event("engine.chosen", message="transcriber: sphinx (whisper needs download; ready)")),
        (0, Event("engine.chosen", message="transcriber: subtitles (subtitles were given)")),
        (0, Event("degraded", message="one voice for all (no diarizer)")),
        (0, Event("call.retried", message="the server was busy")),
        (0, Event("call.finished", message="x")),
    )
    assert out == [
        "Using translator: apertium",
        "Using transcriber: sphinx, because whisper needs a download",
        "Using transcriber: subtitles, because subtitles were given",
        "Note: one voice for all (no diarizer)",
        "Trying again: the server was busy",
    ]


def test_hostile_messages_are_escaped() -> None:
    """A message with control characters cannot act on a terminal."""
    assert lines((0, Event("degraded", message="\x1b[2J\nx"))) == ["Note: \\x1b[2J\\nx"]


def test_a_finished_stage_promises_nothing() -> None:
    """Time left is told only where the pace is known."""
    assert progress.left(10, 1.0) == ""
    assert progress.left(0.5, 0.5) == ""
    assert progress.left(10, 0.001) == ""
    assert progress.left(10, 0.5) == ", about 10 s left"


def test_bars_draw_every_stage() -> None:
    """On a terminal every stage gets a bar, and notes go above them, literally."""
    stream = io.StringIO()
    stream.isatty = lambda: True  # type: ignore[method-assign]
    with progress.shown(stream) as view:
        view(Event("stage.started", "translate"))
        view(Event("stage.progress", "translate", "line 3 of 6", 0.5))
        view(Event("stage.finished", "translate"))
        view(Event("degraded", message="no [bold]music[/bold]"))
        view(Event("account.blocked", "speak", "the account is empty"))
        view.say("Stopping ...")
    shown = stream.getvalue()
    assert "Translating" in shown
    assert "no [bold]music[/bold]" in shown
    assert "Not asked any more: the account is empty" in shown
    assert "Stopping ..." in shown


def test_quiet_says_only_what_must_be_said() -> None:
    """Quiet progress shows no events, but still says that it is stopping."""
    stream = io.StringIO()
    with progress.shown(stream, quiet=True) as view:
        view(Event("stage.started", "speak"))
        view.say("Stopping ...")
    assert stream.getvalue() == "Stopping ...\n"


def test_the_same_sentence_is_not_repeated_over_and_over() -> None:
    """A sentence is said once in ten seconds, then with how often it came; the rest is told at the end."""
    stream, clock = io.StringIO(), Clock()
    view = progress.Lines(stream, clock=clock)
    again = Event("call.retried", "translate", message="nobody answers")
    for tenth in range(125):
        clock.now = tenth / 10
        view(again)
    view(Event("call.retried", "speak", message="the server was busy"))
    view.close()
    view.close()
    assert stream.getvalue().splitlines() == [
        "Trying again: nobody answers",
        "Trying again: nobody answers (100 times)",
        "Trying again: the server was busy",
        "Trying again: nobody answers (24 times)",
    ]


def test_bars_do_not_repeat_a_sentence_either() -> None:
    """Above the bars, too, a flood of retries is two lines: the first, and how many followed."""
    stream = io.StringIO()
    with progress.bars(stream) as view:
        for _ in range(50):
            view(Event("call.retried", "translate", message="nobody answers"))
        view.close()
    told = [line for line in stream.getvalue().splitlines() if line.startswith("Trying again")]
    assert told == ["Trying again: nobody answers", "Trying again: nobody answers (49 times)"]
