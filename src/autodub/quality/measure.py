"""Measuring a finished dub: decode it, find its speech, compare it with its source, write the receipt."""

from __future__ import annotations

import dataclasses
import math
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from autodub.dubbing import channels, levels
from autodub.dubbing.levels import Cells
from autodub.media import voice_activity
from autodub.media.probe import probe
from autodub.media.sound import Reader
from autodub.model.media import MediaInfo
from autodub.model.speech import Transcript
from autodub.model.time import Span, intersection, merged, subtract
from autodub.quality import coverage
from autodub.quality.assembly import durations, length_figures, receipt
from autodub.quality.comparison import Comparison, altered_on_purpose, compare
from autodub.quality.coverage import coverage_figures
from autodub.quality.detect import Check, Heard, Progress, Sound, decoded, hear
from autodub.quality.facts import DubFacts
from autodub.quality.figures import Figure
from autodub.quality.independent import drift_of_runs, follow, measurable
from autodub.quality.receipt import Receipt
from autodub.quality.residual import residual_voice
from autodub.quality.runs import MeasuredLine, attribute
from autodub.quality.sameness import is_same_sound
from autodub.quality.sound_metrics import sound_figures, voice_figures
from autodub.quality.spectrum import spectrum_differences
from autodub.quality.stem import edge_levels
from autodub.quality.timing_metrics import timing_figures


@dataclass(frozen=True, slots=True)
class SourceSound:
    """A source's sound where it is already decoded: float32 mix at its own rate, and 16 kHz mono."""

    mix: Path
    speech: Path
    layout: str
    cells: Cells | None = None
    """Energies of the mix per 10 ms, where it was metered before."""


def measure(
    dub: Path,
    source: Path,
    *,
    facts: DubFacts | None = None,
    bed: Path | None = None,
    sound: SourceSound | None = None,
    info: MediaInfo | None = None,
    transcript: Transcript | None = None,
    start: int = 0,
    end: int | None = None,
    stream: int | None = None,
    dub_wer: float | None = None,
    source_wer: float | None = None,
    scratch: Path | None = None,
    check: Check | None = None,
    progress: Progress | None = None,
) -> Receipt:
    """Measure a finished dub from its file, decoded again.

    With ``facts`` (what the pipeline recorded) every figure that exists is taken; with ``bed`` (16 kHz
    mono of everything in the output but the dub) speech is detected on the delivered dub alone.
    Times are the picture's: where it starts later than the source's did, so does the programme.
    Without facts, a ``transcript`` of the source gives figures per line and no transcript figures for
    the file. ``sound`` saves decoding the source again, ``info`` looking into it; ``start``, ``end`` (ms)
    and ``stream`` say which part and sound stream of the source was dubbed. Temporary files go below
    ``scratch``.

    Raises UnsupportedSource when one of the files cannot be decoded, Cancelled through ``check``.
    """
    tell = progress or (lambda _: None)
    ask: Callable[[], None] = check or (lambda: None)
    with tempfile.TemporaryDirectory(prefix="measure-", dir=scratch) as folder:
        place = Path(folder)

        def part(low: float, high: float) -> Progress:
            return lambda fraction: tell(low + (high - low) * fraction)

        info = info or probe(source, check=check)
        finished = probe(dub, check=check)
        late = _picture_start(finished) - (_picture_start(info) if start == 0 else 0)
        out = decoded(
            dub, finished, place, name="dub", start=max(0, late), check=check, progress=part(0.0, 0.2)
        )
        if sound is None:
            known = decoded(source, info, place, name="source", start=start, end=end, stream=stream,
                check=check, progress=part(0.2, 0.35),
            )  # fmt: skip
            sound = SourceSound(known.mix, known.speech, known.stream.layout)
        ask()
        spoken = (
            facts.source_speech if facts else voice_activity.detect(sound.speech, progress=part(0.35, 0.5))
        )
        clips = [clip for fact in facts.lines if (clip := fact.clip)] if facts else []
        record = facts.sound if facts else None
        length = _length(sound.mix)
        beside = partial(
            compare, out.mix, sound.mix, layout=out.stream.layout, source_layout=sound.layout,
            gain=10 ** (record.gain_db / 20) if record else None, known=sound.cells, check=check,
        )  # fmt: skip
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="compare") as pool:
            # Where it is on record what was altered, the two readings have nothing to do with each other.
            comparing = pool.submit(beside, altered=record.altered) if record and record.altered else None
            heard = hear(out.speech, bed, place, clips=clips, check=check, progress=part(0.5, 0.75))
        comparison = comparing.result() if comparing is not None else beside(
            altered=altered_on_purpose(spoken, clips or heard.speech, limit=length),
            progress=part(0.75, 1.0),
        )  # fmt: skip
        lengths = durations(
            (min(info.duration, end or info.duration) - start, out.info),
            comparison,
            rate=out.stream.rate,
            picture_copied=facts.picture_copied if facts else None,
        )
        lines = _lines(facts, transcript, spoken=spoken, heard=heard, out=out)
        is_own = False
        if facts is not None:
            undubbed = coverage.undubbed(lines, speech=spoken)
        else:
            is_own = is_same_sound(out.speech, sound.speech, speech=spoken, check=check)
            undubbed = coverage.undubbed_file(source=spoken, dub=heard.speech, is_own=is_own)
        figures = _figures(
            lines, facts, bed, sound, spoken=spoken, heard=heard, comparison=comparison,
            length=length, is_own=is_own, dub_wer=dub_wer, source_wer=source_wer, ask=ask,
        )  # fmt: skip
    return receipt(
        (dub.name, source.name),
        facts or DubFacts("", "", out.stream.rate, comparison.source_frames),
        lines,
        (*figures, *length_figures(lengths)),
        lengths=lengths,
        spoken=spoken,
        heard=heard,
        comparison=comparison,
        undubbed=undubbed,
    )


def _picture_start(info: MediaInfo) -> int:
    """When the picture starts, ms: a container without edit lists starts it later to make room."""
    return next((video.start for video in info.video if not video.is_still), 0)


def _length(mix: Path) -> int:
    with Reader(mix) as reader:
        return round(reader.frames * 1000 / reader.rate)


def _lines(
    facts: DubFacts | None,
    transcript: Transcript | None,
    *,
    spoken: Sequence[Span],
    heard: Heard,
    out: Sound,
) -> tuple[MeasuredLine, ...]:
    """Every line with the speech detected for it, its level and its edges as delivered."""
    if facts is None:
        return follow(transcript, source=spoken, dub=heard.speech) if transcript else ()
    lines = attribute(facts.lines, source=spoken, dub=heard.speech)
    if heard.delivered is None or heard.stem is None:
        return tuple(
            dataclasses.replace(
                line, source_lufs=line.fact.source_lufs, edges_db=line.fact.edges_db or (None, None)
            )
            for line in lines
        )
    cells = heard.delivered.dub
    on_bus = channels.bus_gain(out.stream.layout, out.stream.channels)
    heard_energy = [_energy(line.dub_runs, cells) for line in lines]
    loudness = levels.line_levels(
        [energy for energy, _ in heard_energy],
        [seconds for _, seconds in heard_energy],
        [line.fact.speaker for line in lines],
    )
    edges = edge_levels(
        heard.stem,
        [None if line.fact.edges_db else line.fact.clip for line in lines],
        bed=heard.delivered.bed,
        residue_db=heard.delivered.alignment.residue_db,
    )
    return tuple(
        dataclasses.replace(
            line,
            source_lufs=line.fact.source_lufs,
            dub_lufs=level + on_bus if line.dub_runs and math.isfinite(level) else None,
            edges_db=line.fact.edges_db or edge,
        )
        for line, level, edge in zip(lines, loudness, edges, strict=True)
    )


def _energy(runs: Sequence[Span], cells: levels.Cells) -> tuple[float, float]:
    """Energy and seconds of the cells under some runs; looks at no more of the programme than they span."""
    if not runs:
        return 0.0, 0.0
    first = runs[0].start // levels.CELL_MS
    part = cells[first : runs[-1].end // levels.CELL_MS + 1]
    mask = levels.covered([run.shifted(-first * levels.CELL_MS) for run in runs], len(part))
    per_second = 1000 // levels.CELL_MS
    return float(part[mask].sum()) / per_second, float(mask.sum()) / per_second


def _figures(
    lines: Sequence[MeasuredLine],
    facts: DubFacts | None,
    bed: Path | None,
    sound: SourceSound,
    *,
    spoken: Sequence[Span],
    heard: Heard,
    comparison: Comparison,
    length: int,
    is_own: bool,
    dub_wer: float | None,
    source_wer: float | None,
    ask: Callable[[], None],
) -> tuple[Figure, ...]:
    delivered, record = heard.delivered, facts.sound if facts else None
    kept = merged(line.fact.source for line in lines if line.fact.status == "kept original")
    timing = timing_figures(
        lines, source=subtract(spoken, kept), dub=subtract(heard.speech, kept), duration=length,
        dub_wer=dub_wer, source_wer=source_wer,
    )  # fmt: skip
    if facts is None and not lines:
        drift = {figure.id: figure for figure in drift_of_runs(spoken, heard.speech)}
        timing = tuple(drift.get(figure.id, figure) for figure in timing)
    residual = None
    if delivered is not None and bed is not None:
        gain = 10 ** (record.gain_db / 20) if record else 1.0
        away = intersection(spoken, record.altered) if record else spoken
        residual = residual_voice(sound.speech, bed, away, gain=gain, check=ask)
    tones = facts.tones if facts else ()
    figures = (
        *coverage_figures(lines, speech=spoken, limit=length, is_own=is_own),
        *timing,
        *sound_figures(
            comparison, sound=record, lines=lines, dub=delivered.dub if delivered else None,
            bed=delivered.bed if delivered else None, speech=heard.speech, residual=residual,
        ),
        *voice_figures(tones, spectrum_differences(heard.stem, lines, tones)),
    )  # fmt: skip
    return figures if facts else measurable(figures, lines)
