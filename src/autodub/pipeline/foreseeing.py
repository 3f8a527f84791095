"""Foreseeing how a text would fit its line, before anybody speaks it: by the rules the dub itself goes by.

Nothing but a project is needed: how long its lines came out teaches what a voice's tempo is, as it taught
the dub. The line is planned with its neighbours, as an edit is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from autodub.dubbing.duration import Duration
from autodub.dubbing.fitting import Flag, Setting, flags, sides
from autodub.dubbing.syllables import features, syllables
from autodub.dubbing.timing import Choice, Fit, Slot, plan
from autodub.model.speech import Line
from autodub.model.time import Span
from autodub.pipeline.project import LineEntry, Project, Timing
from autodub.pipeline.revising import NEIGHBOURS

_Models = Callable[[str], Duration]


@dataclass(frozen=True, slots=True)
class Foreseen:
    """How one text would fit. Times are seconds."""

    text: str
    syllables: float
    seconds: float
    """Expected length at the voice's pace."""
    spread: float
    """Standard deviation around it."""
    room: float
    """Length of the original line."""
    start: float
    """Where it would begin, and end."""
    end: float
    rate: float
    """How fast it would be spoken there, as a factor of the voice's pace."""
    overlap: float
    """Seconds it would run into a later line."""
    flags: tuple[Flag, ...]
    """What would not fit, worst first."""

    @property
    def needed(self) -> float:
        """Rate that would fill the original's room exactly; above 1 is faster than the voice's pace."""
        return self.seconds / max(self.room, 0.01)


def foresee(
    project: Project, made: Project, line: str, texts: Sequence[str], *, programme: float
) -> tuple[tuple[Foreseen, ...], int]:
    """How each text would fit a line of a project; and how many clips of the voice that is known from.

    ``made`` is the project the result was made of, ``programme`` its length in seconds. Raises KeyError for
    a line there is not.
    """
    entries = sorted(project.lines, key=lambda one: (one.start_ms, one.end_ms, one.id))
    at = next((place for place, entry in enumerate(entries) if entry.id == line), None)
    if at is None:
        raise KeyError(line)
    before = {entry.id: entry for entry in made.lines}
    said = [
        entry
        for place, entry in enumerate(entries)
        if place == at or (entry.text and not entry.keep_original)
    ]
    at = next(place for place, entry in enumerate(said) if entry.id == line)
    lines = [Line(one.id, Span(one.start_ms, one.end_ms), one.source, one.speaker) for one in said]
    side = sides(lines)
    tempos: dict[str, Duration] = {}

    def model(speaker: str) -> Duration:
        if speaker not in tempos:
            tempos[speaker] = tempo(project, made, speaker)
        return tempos[speaker]

    first = max(0, at - 2 * NEIGHBOURS)
    slots = [
        _slot(
            said[place], before.get(said[place].id), model, side[place], is_free=abs(place - at) <= NEIGHBOURS
        )
        for place in range(first, min(len(said), at + 2 * NEIGHBOURS + 1))
    ]
    voice = model(said[at].speaker)
    factor = _known(project, made, said[at], before.get(line), voice)
    found = tuple(
        _foreseen(text, said[at], voice, factor, slots, at - first, side[at], programme) for text in texts
    )
    return found, voice.clips


def tempo(project: Project, made: Project, speaker: str) -> Duration:
    """What the result's clips tell of the tempo of a speaker's present voice, at its present pace."""
    cast = project.voices.get(speaker)
    model = Duration.of(project.target)
    if cast is None:
        return model
    for entry in made.lines:
        voice = made.voices.get(entry.speaker)
        if voice is None or voice.id != cast.id or entry.timing is None or not entry.text:
            continue
        seconds = _measured(entry.timing) * entry.timing.native_rate * voice.pace / cast.pace
        model = model.updated(features(entry.text, project.target), seconds)
    return model


def _slot(entry: LineEntry, before: LineEntry | None, model: _Models, side: int, *, is_free: bool) -> Slot:
    """A line as it sounds in the result, or, where it was changed since, as it is expected to."""
    start, end, timing = entry.start_ms / 1000, entry.end_ms / 1000, before.timing if before else None
    is_same = before is not None and (entry.text, entry.speaker) == (before.text, before.speaker)
    if timing is None or not is_same:
        tempo_of = model(entry.speaker)
        seconds = tempo_of.predict(features(entry.text, tempo_of.language))[0]
        return Slot(start, end, entry.speaker, (Choice(seconds),), timeline=side, locked_choice=0)
    found = Slot(
        start, end, entry.speaker, (Choice(_measured(timing)),), timeline=side, locked_choice=0,
        native=timing.native_rate,
    )  # fmt: skip
    if is_free:
        return found
    return replace(found, locked_start=timing.start_ms / 1000, locked_rate=timing.stretch)


def _foreseen(
    text: str, entry: LineEntry, voice: Duration, factor: float, slots: Sequence[Slot], at: int, side: int,
    programme: float,
) -> Foreseen:  # fmt: skip
    seconds, spread = (factor * value for value in voice.predict(features(text, voice.language)))
    mine = Slot(
        entry.start_ms / 1000, entry.end_ms / 1000, entry.speaker, (Choice(seconds),), timeline=side,
        locked_choice=0,
    )  # fmt: skip
    fit: Fit = plan([*slots[:at], mine, *slots[at + 1 :]], programme=programme)[at]
    fit = replace(fit, rate=max(1.0, fit.rate))  # what would drag is left short instead
    end = fit.start + seconds / fit.rate
    return Foreseen(
        text, round(syllables(text, voice.language), 1), seconds, spread,
        (entry.end_ms - entry.start_ms) / 1000, fit.start, end, fit.rate, fit.overlap,
        flags(mine, Setting(fit, end)),
    )  # fmt: skip


def _known(
    project: Project, made: Project, entry: LineEntry, before: LineEntry | None, voice: Duration
) -> float:
    """What the line's own clip taught about it: its length against what is expected of its text.

    1 where the line was not spoken yet by its present voice.
    """
    if before is None or before.timing is None or before.speaker != entry.speaker:
        return 1.0
    now, then = project.voices.get(entry.speaker), made.voices.get(entry.speaker)
    if now is None or then is None or (now.id, now.pace) != (then.id, then.pace):
        return 1.0
    expected = voice.predict(features(before.text, voice.language))[0]
    return _measured(before.timing) * before.timing.native_rate / expected


def _measured(timing: Timing) -> float:
    """Seconds of a clip as it was synthesised."""
    return max(0.05, (timing.end_ms - timing.start_ms) / 1000 * timing.stretch)
