"""T1-T20 against closed-form toy cases, undefined ones included."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodub.model.time import Span
from autodub.quality.facts import LineFact
from autodub.quality.figures import Figure, figure, mean, pearson, percentile
from autodub.quality.overlap import frames, match_pauses, miss_and_leak, overlap, segment_scores
from autodub.quality.runs import MeasuredLine, attribute, gaps
from autodub.quality.sync import drift_figures, running_median, theil_sen
from autodub.quality.tempo import duration_error, smoothness, tempos
from autodub.quality.timing_metrics import timing_figures
from autodub.quality.violations import violations
from autodub.quality.wording import intelligibility, isochrony, length_complies, wer

RATE = 48_000


def fact(number: int, start: int, end: int, **more: object) -> LineFact:
    """A spoken line whose clip was placed exactly on its source."""
    known: dict[str, object] = {
        "id": f"L{number:04}", "speaker": "A", "source": Span(start, end), "text": "one two three four",
        "spoken": "uno dos tres cuatro", "voice": "v", "rate_hz": RATE, "planned_start": start * 48,
        "placed_start": start * 48, "frames": (end - start) * 48,
    }  # fmt: skip
    return LineFact(**(known | more))  # type: ignore[arg-type]


def line(number: int, source: Span, dub: Span | None, **more: object) -> MeasuredLine:
    """A line with one run of speech on each side."""
    return MeasuredLine(
        fact(number, source.start, source.end, **more), (source,), (dub,) if dub else (), None
    )


def figures(lines: list[MeasuredLine], **more: object) -> dict[str, Figure]:
    """All timing figures of some lines, by id."""
    source = [run for one in lines for run in one.source_runs]
    dub = [run for one in lines for run in one.dub_runs]
    out = timing_figures(lines, source=source, dub=dub, duration=60_000, **more)  # type: ignore[arg-type]
    return {one.id: one for one in out}


def test_overlap_of_shifted_runs() -> None:
    """T1: one second shifted by half a second shares half a second of one and a half."""
    assert overlap([Span(0, 1000)], [Span(500, 1500)]) == pytest.approx(1 / 3)


def test_overlap_of_nothing_is_undefined() -> None:
    """T1: two silences have no overlap to speak of."""
    assert overlap([], []) is None
    assert overlap([Span(0, 10)], []) == 0


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 100)), max_size=8), st.integers(0, 1000))
def test_overlap_is_symmetric_and_bounded(pairs: list[tuple[int, int]], shift: int) -> None:
    """T1: symmetric, within 0..1, and 1 for equal sets."""
    a = [Span(s, s + d) for s, d in pairs]
    b = [span.shifted(shift) for span in a]
    value = overlap(a, b)
    assert value == overlap(b, a)
    assert value is None or 0 <= value <= 1
    assert overlap(a, a) in (None, 1.0)


def test_miss_and_leak_are_seconds_per_minute() -> None:
    """T2: two seconds missed and one leaked in half a minute are four and two per minute."""
    assert miss_and_leak([Span(0, 3000)], [Span(2000, 4000)], duration=30_000) == (4.0, 2.0)
    assert miss_and_leak([], [], duration=0) == (None, None)


def test_iwslt_scores_by_segment() -> None:
    """T3-T5: relative error, min/max and gross error per segment; a zero reference counts as one frame."""
    assert segment_scores([100, 0], [80, 1]) == [(0.2, 0.8, False), (0.0, 1.0, False)]
    assert segment_scores([100], [125]) == [(0.25, 0.8, True)]
    assert segment_scores([10, 10], [20]) == [(1.0, 0.0, True)] * 2


def test_iwslt_frames_split_at_pauses() -> None:
    """T3: segments are what lies between silences of 300 ms or more, in frames of 256/22050 s."""
    runs = [Span(0, 500), Span(799, 1000), Span(1300, 2300)]
    assert frames(runs) == (round(1 / 0.01161), round(1 / 0.01161))


def test_iwslt_over_the_file() -> None:
    """T3-T5 average over all segments of the file; T3 may turn negative."""
    got = figures([line(1, Span(0, 1000), Span(0, 3000)), line(2, Span(5000, 6000), None)])
    assert got["T3"].value == pytest.approx(1 - ((258 - 86) / 86 + 1) / 2)
    assert got["T4"].value == pytest.approx(86 / 258 / 2)
    assert got["T5"].value == 1.0


def test_onset_and_offset_errors() -> None:
    """T6: late is positive, percentiles are of absolute values, undetected lines are counted."""
    lines = [
        line(1, Span(0, 1000), Span(100, 1000)),
        line(2, Span(2000, 3000), Span(1900, 3300)),
        line(3, Span(4000, 5000), Span(4300, 5000)),
        line(4, Span(6000, 7000), None),
    ]
    got = figures(lines)
    assert got["T6.onset.median"] == Figure(
        "T6.onset.median", 100.0, "ms", 3, 1, "no dub speech detected in the line"
    )
    assert got["T6.onset.p50"].value == 100
    assert got["T6.onset.p95"].value == pytest.approx(280)
    assert got["T6.offset.p95"].value == pytest.approx(270)


def test_picture_tolerance_is_for_speakers_on_screen() -> None:
    """T7: only lines known to be on screen count; unknown ones are undefined, off-screen ones excluded."""
    onsets = (0, 125, 150, -60)
    lines = [
        line(i, Span(i * 2000, i * 2000 + 900), Span(i * 2000 + o + 100, i * 2000 + 950), on_screen=True)
        for i, o in enumerate(onsets)
    ]
    lines = [
        MeasuredLine(replace(one.fact, source=one.fact.source.shifted(100)), one.source_runs, one.dub_runs)
        for one in lines
    ]
    lines += [line(8, Span(20_000, 21_000), Span(20_000, 21_000)),
              line(9, Span(22_000, 23_000), Span(23_500, 24_000), on_screen=False)]  # fmt: skip
    got = figures(lines)
    assert got["T7.detectable"].value == pytest.approx(0.5)
    assert got["T7.acceptable"].value == pytest.approx(1.0)
    assert (got["T7.acceptable"].count, got["T7.acceptable"].undefined) == (4, 1)


def test_drift_of_a_straight_line() -> None:
    """T8: 3 ms a minute is found exactly, without error, and fails the gate by its whole size."""
    points = [(minute * 60_000, 10 + 3 * minute) for minute in range(20)]
    got = {one.id: one.value for one in drift_figures(points)}
    assert got["T8.slope"] == pytest.approx(3)
    assert got["T8.error"] == pytest.approx(0, abs=1e-6)
    assert got["T8.gate"] == pytest.approx(3)
    assert got["T8.running"] == 10 + 3 * 15


def test_drift_ignores_outliers_and_knows_its_noise() -> None:
    """T8: noise alone stays under the gate, and its standard error is near the least-squares one."""
    rng = np.random.default_rng(7)
    minutes = np.sort(rng.uniform(0, 5, 100))
    errors = rng.normal(0, 60, 100)
    errors[::17] = 4000
    fit = theil_sen(minutes.tolist(), errors.tolist())
    assert fit is not None
    assert abs(fit[0]) - 2 * fit[1] < 1
    assert 3 < fit[1] < 8


def test_drift_needs_three_points() -> None:
    """T8: two lines, or three at one instant, have no slope."""
    assert theil_sen([0, 1], [0, 1]) is None
    assert theil_sen([1, 1, 1], [0, 1, 2]) is None
    got = {one.id: one for one in drift_figures([(0, 5), (1, None)])}
    assert got["T8.slope"].value is None
    assert got["T8.slope"].undefined == 1
    assert got["T8.running"].value is None


def test_drift_of_few_lines_is_chance() -> None:
    """T8: seven lines have no drift, eight have."""
    points = [(60_000 * n, 10 * n) for n in range(8)]
    few, enough = ({one.id: one for one in drift_figures(points[:k])} for k in (7, 8))
    assert [few[f"T8.{part}"].value for part in ("slope", "error", "gate", "running")] == [None] * 4
    assert few["T8.gate"].reason == (
        "drift takes 8 lines at different times with detected speech, and there are 7"
    )
    assert few["T8.gate"].count == 7
    assert enough["T8.slope"].value == pytest.approx(10)
    assert enough["T8.running"].value == 35


def test_evenness_of_few_pairs_is_chance() -> None:
    """T10: seven pairs of lines have no evenness, eight have."""
    lines = [
        line(n, Span(2000 * n, 2000 * n + 1000), Span(2000 * n, 2000 * n + 1000), syllables=5.0)
        for n in range(9)
    ]
    few, enough = figures(lines[:8])["T10"], figures(lines)["T10"]
    assert (few.value, few.count, few.reason) == (None, 7, "it takes 8 values, and there are 7")
    assert (enough.value, enough.count) == (1, 8)


def test_pace_is_told_apart_from_evenness() -> None:
    """T9: even at a hurried pace is even; what was asked in all shows the hurry."""
    lines = [
        line(n, Span(2000 * n, 2000 * n + 1000), Span(2000 * n, 2000 * n + 1000), pace=1.25, native=1.1)
        for n in range(4)
    ]
    got = figures(lines)
    assert got["T9.natural"].value == 1
    assert got["T9.asked.natural"].value == 0
    assert got["T9.asked.p50"].value == pytest.approx(1.375)


def test_syllables_per_second_per_voice() -> None:
    """T9: over the time a line is heard, long pauses apart; per voice and in all."""
    paused = MeasuredLine(fact(1, 0, 3000, syllables=8.0), (Span(0, 3000),), (Span(0, 900), Span(1500, 2600)))
    other = line(2, Span(5000, 6000), Span(5000, 6000), syllables=6.0, voice="w")
    silent = line(3, Span(7000, 8000), None, syllables=6.0)
    got = figures([paused, other, silent])
    assert got["T9.syllables.min"].value == pytest.approx(4)
    assert got["T9.syllables.median"].value == pytest.approx(5)
    assert got["T9.syllables.max"].parts == {"v": pytest.approx(4), "w": pytest.approx(6)}
    assert got["T9.syllables.max"].undefined == 1


def test_rushed_by_a_hurried_voice_is_rushed() -> None:
    """T18: a line near its voice's pace is too fast where the pace itself is already a hurried one."""
    fast = line(1, Span(0, 2000), Span(0, 2000), native=1.1, pace=1.2)
    calm = line(2, Span(5000, 6000), Span(5000, 6000), native=1.1, pace=0.8)
    (found,) = violations([fast, calm])
    assert found.reason == (
        "Line L0001 is spoken at 1.32 times the engine's own speed, its voice's pace included."
    )
    both = line(1, Span(0, 2000), Span(0, 2000), native=1.3, pace=1.1)
    assert [v.kind for v in violations([both])] == ["rate"]


def test_running_median_of_nine() -> None:
    """T8: one wild line among nine does not move the running median."""
    assert running_median([0, 0, 0, 0, 900, 0, 0, 0, 0, 20]) == [0, 0]
    assert running_median([]) == []


def test_rate_is_native_times_stretch() -> None:
    """T9: pace asked of the voice times the stretcher's; the share in .90-1.15 counts both ends."""
    lines = [
        line(1, Span(0, 1000), Span(0, 1000), native=1.0, stretch=1.15),
        line(2, Span(2000, 3000), Span(2000, 3000), native=0.9),
        line(3, Span(4000, 5000), Span(4000, 5000), native=1.1, stretch=1.1),
        line(4, Span(6000, 7000), None, status="left out"),
    ]
    got = figures(lines)
    assert got["T9.natural"].value == pytest.approx(2 / 3)
    assert got["T9.p50"].value == pytest.approx(1.15)
    assert got["T9.stretched"].value == pytest.approx(2 / 3)


def test_tempo_against_the_voice() -> None:
    """Tempo is syllables per second against the voice's own mean, so an even voice is 1 throughout."""
    lines = [
        line(1, Span(0, 1000), Span(0, 1000), syllables=5.0),
        line(2, Span(2000, 4000), Span(2000, 4000), syllables=10.0),
        line(3, Span(5000, 6000), Span(5000, 6000), syllables=9.0, voice="w"),
        line(4, Span(7000, 8000), None, syllables=3.0),
    ]
    assert tempos(lines) == [1.0, 1.0, 1.0, None]


def test_smoothness_compares_with_the_same_speaker() -> None:
    """T10: only lines with an earlier line of their speaker count; a doubled tempo scores nothing."""
    lines = [
        line(1, Span(0, 1000), Span(0, 1000), syllables=4.0),
        line(2, Span(2000, 3000), Span(2000, 3000), syllables=9.0, speaker="B"),
        line(3, Span(4000, 5000), Span(4000, 5000), syllables=3.0),
        line(4, Span(6000, 7000), Span(6000, 7000), syllables=6.0),
        line(5, Span(8000, 9000), None, syllables=6.0),
    ]
    assert smoothness(lines) == [pytest.approx(0.75), 0.0, None]
    assert figures(lines[:2])["T10"].value is None


def test_fluency_needs_every_phrase() -> None:
    """T11: one hurried phrase spoils the sentence; the strict form has tighter bounds."""
    lines = [
        line(1, Span(0, 1000), Span(0, 1000), phrase_rates=(1.0, 1.3)),
        line(2, Span(2000, 3000), Span(2000, 3000), phrase_rates=(1.0, 1.5)),
        line(3, Span(4000, 5000), Span(4000, 5000), native=0.85),
    ]
    got = figures(lines)
    assert got["T11"].value == pytest.approx(2 / 3)
    assert got["T11.strict"].value == pytest.approx(1 / 3)


def test_duration_compliance() -> None:
    """T12: within a fifth of the source's length, detected."""
    lines = [line(1, Span(0, 1000), Span(0, 1200)), line(2, Span(2000, 3000), Span(2000, 3210))]
    assert figures(lines)["T12"].value == 0.5


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [("twelve chars x", "twelve chars x", True), ("a" * 20, "b" * 22, True), ("a" * 20, "b" * 23, False),
     ("short", "very much longer", True), (" ", "x", None)],
)  # fmt: skip
def test_length_compliance(source: str, target: str, expected: bool | None) -> None:
    """T13: a tenth more or fewer characters, spaces apart; short sources always comply."""
    assert length_complies(source, target) is expected


def test_phoneme_compliance() -> None:
    """T14: a fifth more or fewer phonemes; lines nobody counted are undefined."""
    lines = [
        line(1, Span(0, 1000), Span(0, 1000), source_phonemes=10.0, phonemes=12.0),
        line(2, Span(2000, 3000), Span(2000, 3000), source_phonemes=10.0, phonemes=13.0),
        line(3, Span(4000, 5000), Span(4000, 5000)),
    ]
    got = figures(lines)["T14"]
    assert (got.value, got.count, got.undefined) == (0.5, 2, 1)


def test_isochrony() -> None:
    """T15: the squared relative difference of two predicted lengths; undefined without both."""
    assert isochrony(1.2, 1.0) == pytest.approx(0.04)
    assert isochrony(1.2, 0.0) is None
    assert isochrony(None, 1.0) is None


def test_pauses_match_one_to_one_and_nearest_first() -> None:
    """T16: one dub pause serves one source pause, the nearest within 300 ms of centres."""
    source = [Span(1000, 1400), Span(1500, 1900)]
    dub = [Span(1450, 1850), Span(5000, 5400)]
    assert match_pauses(source, dub) == ((source[1], dub[0]),)
    assert match_pauses([Span(0, 400)], [Span(300, 700)]) == ((Span(0, 400), Span(300, 700)),)
    assert match_pauses([Span(0, 400)], [Span(301, 701)]) == ()


def test_pause_score_over_the_file() -> None:
    """T16: F1 pools all pauses; a line without any on either side is left out and counted."""
    both = MeasuredLine(
        fact(1, 0, 3000), (Span(0, 1000), Span(1400, 3000)), (Span(0, 1100), Span(1500, 3000))
    )
    only_source = MeasuredLine(fact(2, 5000, 8000), (Span(5000, 6000), Span(6400, 8000)), (Span(5000, 8000),))
    none = line(3, Span(9000, 9900), Span(9000, 9900))
    got = figures([both, only_source, none])
    assert got["T16.f1"].value == pytest.approx(2 * 1 / (2 + 0 + 1))
    assert got["T16.f1"].undefined == 1
    assert got["T16.count"].value == pytest.approx(2 / 3)
    assert figures([none])["T16.f1"].value is None


def test_prosody_transfer() -> None:
    """T17: a dub that speeds up with its source correlates perfectly; two lines say nothing."""
    lines = [
        line(i, Span(i * 3000, i * 3000 + 1000), Span(i * 3000, i * 3000 + 2000),
             source_syllables=float(3 + i), syllables=float(10 + 4 * i))
        for i in range(4)
    ]  # fmt: skip
    assert figures(lines)["T17.rate"].value == pytest.approx(1)
    assert figures(lines[:2])["T17.rate"].value is None
    assert figures(lines)["T17.pauses"].value is None


def test_correlation_of_a_constant_is_undefined() -> None:
    """Pearson r does not exist where one side never changes."""
    assert pearson([(1, 5), (2, 5), (3, 5)]) is None
    assert pearson([(1, 3), (2, 2), (3, 1)]) == pytest.approx(-1)


def test_violations_are_named_per_line() -> None:
    """T18: overlap, cut, rate and silence are each found, with the line and a sentence."""
    lines = [
        line(1, Span(0, 1000), Span(0, 1000), frames=1021 * 48),
        line(2, Span(1000, 2000), Span(1000, 2000), native=1.2, stretch=1.1),
        MeasuredLine(fact(3, 3000, 4000), (), (Span(3000, 4000),), edges_db=(-60.0, -20.0)),
        line(4, Span(5000, 6000), None),
        line(5, Span(7000, 8000), None, status="left out", reason="the synthesizer refused it."),
        line(6, Span(9000, 9900), None, status="kept original"),
    ]
    found = violations(lines)
    assert [(v.line, v.kind) for v in found] == [
        ("L0002", "overlap"), ("L0002", "rate"), ("L0003", "cut"), ("L0004", "silent"), ("L0005", "silent"),
    ]  # fmt: skip
    assert found[4].reason == "Line L0005 is not heard: the synthesizer refused it."
    assert figures(lines)["T18"].value == 5
    assert figures(lines)["T18.cut"].undefined == 6


def test_crosstalk_of_the_source_may_stay() -> None:
    """T18: two speakers who talk at once in the source may do so in the dub, one speaker may not."""
    lines = [line(1, Span(0, 1000), Span(0, 1000)), line(2, Span(700, 1700), Span(700, 1700), speaker="B")]
    assert violations(lines) == ()
    assert len(violations([lines[0], line(2, Span(700, 1700), Span(700, 1700))])) == 1


def test_twenty_milliseconds_of_overlap_are_allowed() -> None:
    """T18: exactly 20 ms pass."""
    lines = [
        line(1, Span(0, 1000), Span(0, 1000), frames=1020 * 48),
        line(2, Span(1000, 2000), Span(1000, 2000)),
    ]
    assert violations(lines) == ()


@pytest.mark.parametrize(
    ("reference", "hypothesis", "expected"),
    [("a b c d", "a b c d", 0), ("a b c d", "a x c", 0.5), ("a b", "z a b c", 1.0), ("", "a", None),
     ("Don’t  stop!", "don't stop", 0), ("a b c", "", 1.0)],
)  # fmt: skip
def test_word_error_rate(reference: str, hypothesis: str, expected: float | None) -> None:
    """T19: substitutions, deletions and insertions by the reference's words, punctuation and case apart."""
    assert wer(reference, hypothesis) == expected


@settings(deadline=None, max_examples=60)
@given(st.lists(st.sampled_from("ab"), min_size=1, max_size=8), st.lists(st.sampled_from("ab"), max_size=8))
def test_word_error_rate_is_the_edit_distance(a: list[str], b: list[str]) -> None:
    """T19: equal to the textbook dynamic programme."""
    table = [[i + j if i * j == 0 else 0 for j in range(len(b) + 1)] for i in range(len(a) + 1)]
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            table[i][j] = min(
                table[i - 1][j] + 1, table[i][j - 1] + 1, table[i - 1][j - 1] + (a[i - 1] != b[j - 1])
            )
    assert wer(" ".join(a), " ".join(b)) == table[-1][-1] / len(a)


def test_intelligibility() -> None:
    """T19: relative to the source; undefined when nobody listened or the recogniser fails on the source."""
    assert intelligibility(dub_wer=0.28, source_wer=0.1).value == pytest.approx(0.8)
    assert intelligibility(dub_wer=0.1, source_wer=0.6).value is None
    assert (
        intelligibility(dub_wer=None, source_wer=None).reason == "no recogniser was run over the finished dub"
    )


def test_prediction_error_is_at_the_voice_own_pace() -> None:
    """T20: a clip spoken at 1.25 is compared after undoing the 1.25; per voice and in all."""
    one = line(1, Span(0, 1000), Span(0, 1000), predicted_seconds=1.1, clip_seconds=0.8, native=1.25)
    two = line(2, Span(2000, 3000), Span(2000, 3000), predicted_seconds=2.0, clip_seconds=1.0, voice="w")
    assert duration_error(one) == pytest.approx(0.1)
    got = figures([one, two, line(3, Span(4000, 5000), None)])["T20.mape"]
    assert got.value == pytest.approx(0.55)
    assert got.parts == {"v": pytest.approx(0.1), "w": pytest.approx(1.0)}
    assert got.undefined == 1


def test_speech_goes_to_the_clip_it_lies_in() -> None:
    """A run that spans two touching clips is shared out, and hides the second one's own onset."""
    facts = [fact(1, 0, 1000), fact(2, 1000, 2000), fact(3, 5000, 6000)]
    got = attribute(facts, source=[Span(0, 2000)], dub=[Span(30, 1950), Span(4960, 5900)])
    assert [one.dub for one in got] == [Span(30, 1000), Span(1000, 1950), Span(5000, 5900)]
    assert [one.onset_error for one in got] == [30, None, -40]


def test_clip_without_speech_has_no_onset() -> None:
    """A clip in which nothing is heard has neither times nor an error."""
    (got,) = attribute([fact(1, 1000, 2000)], source=[], dub=[Span(0, 500)])
    assert (got.dub, got.onset, got.seconds, got.onset_error) == (None, None, None, None)


def test_placement_off_by_one_sample_shows() -> None:
    """T8: structure is judged in samples, not in detected milliseconds."""
    assert figures([line(1, Span(0, 1000), Span(0, 1000), placed_start=1)])["T8.samples"].value == 1


def test_no_lines_are_no_figures() -> None:
    """A programme without lines has figures that say so, and no violations."""
    got = figures([])
    assert got["T1.file"].value is None
    assert got["T6.onset.p95"].reason == "there is nothing to measure"
    assert (got["T18"].value, got["T18"].reason) == (None, "no line was to be spoken")


def test_percentiles_interpolate() -> None:
    """Percentiles are linear between neighbours; a figure of nothing finite is undefined."""
    assert percentile([0, 10], 95) == pytest.approx(9.5)
    assert figure("x", [float("inf")], mean, unit="dB", reason="silence").value is None
    assert gaps([Span(0, 10), Span(20, 30)], least=10) == (Span(10, 20),)
