"""From predictions to placed clips: every step, and the whole loop with a made-up synthesizer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from timing_tables import programme, slot

from autodub.dubbing import fitting, pausing
from autodub.dubbing.duration import Duration
from autodub.dubbing.fitting import Setting, Take
from autodub.dubbing.timing import Choice, Fit, Slot, plan, refit
from autodub.model.media import Audio, Blob, Clip
from autodub.model.speech import Line, Phrase, Wording
from autodub.model.time import Span

ENGINE = {"slowest": 0.7, "fastest": 1.3}


def clip(
    seconds: float, *, native: float = 1.0, pauses: Sequence[tuple[int, int]] = (), rate: int = 22050
) -> Clip:
    """A clip of a length, with silences in ms."""
    audio = Audio(Blob("", 0, ".wav"), rate, 1, round(seconds * rate))
    return Clip(audio, native, tuple(Span(a, b) for a, b in pauses))


def line(start: int, end: int, *pauses: tuple[int, int], speaker: str = "A", name: str = "L1") -> Line:
    """A source line with phrases around the given silences (ms)."""
    edges = [start, *(edge for pause in pauses for edge in pause), end]
    phrases = tuple(Phrase(Span(a, b), "x") for a, b in zip(edges[::2], edges[1::2], strict=True))
    return Line(name, Span(start, end), "x", speaker, phrases)


def settled(slots: list[Slot], clips: list[Clip], lines: list[Line], length: float) -> tuple[Setting, ...]:
    """The slots after their clips were spoken, settled."""
    spoken = [fitting.spoken(s, c, choice=0) for s, c in zip(slots, clips, strict=True)]
    return fitting.settle(spoken, clips, lines, programme=length)


@pytest.mark.parametrize("count", [0, 1, 4, 5, 60, 1000])
def test_chunks_cover_every_line_once_and_grow(count: int) -> None:
    """Portions of 4, 4, 8, 16, 32, 64, 64 ... lines, in order, none missing."""
    parts = list(fitting.chunks(count))
    assert [i for part in parts for i in part] == list(range(count))
    assert [len(part) for part in parts[:-1]] == [4, 4, *(min(64, 8 * 2**k) for k in range(len(parts)))][
        : max(0, len(parts) - 1)
    ]


def test_the_horizon_sees_both_ways() -> None:
    """A chunk is planned with what was just spoken and with what comes, within the programme."""
    assert fitting.horizon(100, range(4, 12)) == range(44)
    assert fitting.horizon(100, range(60, 99)) == range(52, 100)


def test_crosstalk_gets_a_side_of_its_own() -> None:
    """Somebody who talks over another is on the next side, everybody else on side 0."""
    lines = [
        line(0, 5000),
        line(2000, 3000, speaker="B"),
        line(2500, 3500, speaker="C"),
        line(4990, 6000, speaker="B"),
        line(5500, 7000, speaker="B"),
    ]
    assert fitting.sides(lines) == (0, 1, 2, 0, 0)


def test_a_budget_leaves_out_pauses_and_fits_when_filled() -> None:
    """Text of as many syllables as the budget says takes as long as the line without its pauses."""
    model = Duration.of("es")
    found = fitting.budget(line(1000, 6000, (2500, 3500)), model)
    assert found.seconds == pytest.approx(4.0)
    text = "ma " * found.syllables
    assert model.predict(fitting.features(text, "es"))[0] == pytest.approx(4.0, rel=0.08)
    assert fitting.budget(line(0, 50), model).syllables == 1


def test_a_slot_predicts_its_wordings() -> None:
    """Times become seconds, and longer texts longer choices; a quantile plans more cautiously."""
    wordings = (Wording("Buenos días a todos ustedes"), Wording("Buenos días", 0.35))
    found = fitting.slot(line(1500, 3250), wordings, Duration.of("es"), on_screen=True, timeline=1)
    assert (found.start, found.end, found.on_screen, found.timeline) == (1.5, 3.25, True, 1)
    assert [c.loss for c in found.choices] == [0, 0.35]
    assert found.choices[0].seconds > 1.5 * found.choices[1].seconds
    careful = fitting.slot(line(1500, 3250), wordings, Duration.of("es"), quantile=0.7)
    assert careful.choices[0].seconds > found.choices[0].seconds


def test_a_spoken_line_is_measured_and_teaches_its_other_wordings() -> None:
    """The spoken wording has its measured length and is decided; the others are corrected by its error."""
    found = fitting.spoken(slot(1, 3, 2.0, 1.5), clip(2.2, native=1.1), choice=0)
    assert [c.seconds for c in found.choices] == pytest.approx([2.2, 1.65])
    assert (found.locked_choice, found.native) == (0, 1.1)


def test_a_voice_learns_its_length_at_native_rate_one() -> None:
    """A clip asked for at 1.25 counts as 1.25 times as long as it is."""
    text = "Una frase de ejemplo para el modelo."
    model = Duration.of("es")
    assert fitting.learned(model, text, clip(2.0, native=1.25)) == fitting.learned(model, text, clip(2.5))


@pytest.mark.parametrize(
    ("rate", "native"), [(1.0, 1.0), (1.234, 1.2), (1.118, 1.12), (0.88, 0.95), (1.004, 1.0)]
)
def test_native_rates_are_rounded_and_within_the_engine(rate: float, native: float) -> None:
    """Rates come in steps of 0.01, within what the engine can do, and never below 0.95."""
    assert fitting.native_rate(slot(0, 1, 1.0), Fit(0, 0, rate), slowest=0.8, fastest=1.2) == native


def test_lines_the_stretcher_would_bend_are_spoken_again() -> None:
    """Outside 0.93 to 1.10 a clip is asked for at its new native rate; inside it is left alone."""
    slots = [replace(slot(t, t + 2, 2.0), native=1.05) for t in (0, 5, 10)]
    fits = [Fit(0, 0, 1.08), Fit(0, 5, 1.12), Fit(0, 10, 0.91)]
    assert fitting.retakes(slots, fits, **ENGINE) == {1: Take(0, 1.18), 2: Take(0, 0.96)}


def test_a_line_too_long_at_any_rate_takes_a_shorter_wording() -> None:
    """Beyond 1.15 the longest wording that fits at a natural rate replaces the spoken one."""
    lines = [slot(0, 2, 2.6, 2.1, 1.4), slot(5, 7, 2.0)]
    take = fitting.retakes(lines, [Fit(0, 0, 1.25), Fit(0, 5, 1.0)], **ENGINE)
    assert take == {0: Take(1, pytest.approx(1.01, abs=0.011))}
    hopeless = [slot(0, 2, 5.0, 4.5, 4.0)]
    assert fitting.retakes(hopeless, [Fit(0, 0, 1.3, overlap=0.4)], **ENGINE)[0].choice == 2


def test_a_shorter_wording_need_not_fill_what_the_longer_one_ran_over() -> None:
    """A line said anew in fewer words gets the rate its own length needs, not its old place to fill."""
    lines = [slot(0, 1.5, 2.6, 1.6), slot(6, 8, 2.0)]
    taken = {0: Take(1, 0.8), 1: Take(0, 0.97)}
    found = fitting.rerated(lines, taken, programme=10, **ENGINE)
    assert found[0].choice == 1
    assert 1.0 <= found[0].native <= 1.07
    assert found[1] == taken[1]


def test_a_line_is_tight_when_no_rate_would_do() -> None:
    """Too fast, into its neighbour or far beyond its end is tight; one syllable share puts it right."""
    long = slot(0, 2, 3.0)
    fits = [Fit(0, 0, 1.25), Fit(0, 0, 1.1, overlap=0.3), Fit(0, 0, 1.1)]
    assert [fitting.is_tight(long, fit) for fit in fits] == [True, True, True]
    assert not fitting.is_tight(slot(0, 2, 2.2), Fit(0, 0, 1.1))
    for fit in fits:
        share = fitting.fitting_share(long, fit)
        assert 0.5 < share < 1
        assert not fitting.is_tight(slot(0, 2, 3.0 * share), Fit(0, 0, 1.1))


def test_a_clip_spoken_too_fast_is_eased_to_a_natural_rate() -> None:
    """What came out shorter than expected at a high rate is slowed to 1.15, not left as it is."""
    hasty = replace(slot(1, 2.5, 1.70), native=1.19)
    found = fitting.settle([hasty], [clip(1.70)], [line(1000, 2500)], programme=10)
    assert found[0].fit.rate * 1.19 == pytest.approx(1.15, abs=1e-6)


def test_an_engine_at_its_limit_is_not_asked_again() -> None:
    """Where the engine cannot go nearer, a second synthesis would change nothing."""
    spoken = replace(slot(0, 2, 2.0), native=1.2)
    assert fitting.retakes([spoken], [Fit(0, 0, 1.2)], slowest=0.8, fastest=1.2) == {}
    assert fitting.retakes([replace(spoken, locked_rate=1.2)], [Fit(0, 0, 1.2)], **ENGINE) == {}


def test_small_stretches_are_dropped() -> None:
    """Clips within five per cent of their place are not touched by the stretcher at all."""
    slots = [slot(t, t + 2, 2.0) for t in (1, 3.1, 5.2, 12)]
    clips = [clip(2.08), clip(2.04), clip(1.95), clip(2.1)]
    lines = [line(round(s.start * 1000), round(s.end * 1000)) for s in slots]
    assert [s.fit.rate for s in settled(slots, clips, lines, 20)] == [1.0] * 4


def test_no_clip_is_slowed_below_the_limit() -> None:
    """A clip that fills half of its line keeps its pace."""
    (found,) = settled([slot(1, 5, 2.0)], [clip(2.0)], [line(1000, 5000)], 10)
    assert found.fit.rate * 1.0 >= 0.95 - 1e-9
    assert found.end == pytest.approx(found.fit.start + 2.0 / found.fit.rate)


def test_snapping_never_makes_clips_overlap() -> None:
    """Where unstretched clips would run into each other they stay stretched."""
    slots = [slot(2.0 * i, 2.0 * i + 2, 2.0) for i in range(30)]
    clips = [clip(2.09) for _ in slots]
    lines = [line(round(s.start * 1000), round(s.end * 1000)) for s in slots]
    found = settled(slots, clips, lines, 60.0)
    assert max(s.fit.overlap for s in found) <= 0.02
    assert all(a.end <= b.fit.start + 0.02 for a, b in pairwise(found))


def test_pauses_are_shortened_before_speech_is_stretched() -> None:
    """A clip too long by what its pauses can spare is not stretched at all."""
    slots = [slot(1, 3, 2.0), slot(3.02, 5, 1.98), slot(5.02, 8, 2.98)]
    lines = [line(1000, 3000), line(3020, 5000), line(5020, 8000)]
    clips = [clip(2.5, pauses=[(600, 1000), (1500, 1800)]), clip(1.98), clip(2.98)]
    found = settled(slots, clips, lines, 8.5)[0]
    assert found.fit.rate == 1.0
    assert -0.4601 <= sum(put for _, put in found.edits) < -0.1
    without = settled(slots, [clip(2.5), *clips[1:]], lines, 8.5)[0]
    assert without.fit.rate > 1.05


def test_short_clips_get_the_pauses_of_the_source() -> None:
    """The second phrase of a short clip waits for the second phrase of the source."""
    slots = [slot(1, 6, 3.0)]
    (found,) = settled(slots, [clip(3.0, pauses=[(1400, 1600)])], [line(1000, 6000, (2500, 3500))], 10)
    ((at, put),) = found.edits
    assert at == pytest.approx(1.5)
    resumes = found.fit.start + 1.6 / found.fit.rate + put / found.fit.rate
    assert resumes == pytest.approx(3.5, abs=0.05)
    assert found.end == pytest.approx(found.fit.start + (3.0 + put) / found.fit.rate)
    assert found.end <= 6.0


def test_clips_without_pauses_stay_whole() -> None:
    """Nothing is ever put into the middle of a phrase."""
    (found,) = settled([slot(1, 6, 3.0)], [clip(3.0)], [line(1000, 6000, (2500, 3500))], 10)
    assert found.edits == ()


def test_cuts_leave_every_pause_its_share() -> None:
    """Pauses are shortened in proportion to what they can spare and keep 120 ms."""
    pauses = [(0.5, 0.9), (1.5, 1.6), (2.0, 2.22)]
    assert pausing.excess(pauses) == pytest.approx(0.38)
    assert pausing.cuts(pauses, 0.19) == (
        (pytest.approx(0.63), pytest.approx(-0.14)),
        (pytest.approx(2.085), pytest.approx(-0.05)),
    )
    assert sum(put for _, put in pausing.cuts(pauses, 9.0)) == pytest.approx(-0.38)
    assert pausing.cuts([], 1.0) == pausing.cuts(pauses, 0.0) == ()


@settings(deadline=None, max_examples=80)
@given(
    st.lists(st.floats(0.05, 1.0), max_size=5),
    st.lists(st.floats(0.3, 1.5), max_size=4),
    st.floats(0.8, 1.3),
    st.floats(0.0, 3.0),
)
def test_insertions_stay_within_what_there_is(
    pauses: list[float], source: list[float], rate: float, spare: float
) -> None:
    """Silence is only put into pauses, in order, never more than there is room for."""
    own, at = [], 0.0
    for length in pauses:
        own.append((at + 0.8, at + 0.8 + length))
        at = own[-1][1]
    theirs, at = [], 10.0
    for length in source:
        theirs.append((at + 0.9, at + 0.9 + length))
        at = theirs[-1][1]
    edits = pausing.insertions(own, theirs, start=10.0, rate=rate, spare=spare)
    places = [place for place, _ in edits]
    assert places == sorted(set(places))
    assert all(any(a <= place <= b for a, b in own) for place in places)
    assert all(put > 0 for _, put in edits)
    assert sum(put for _, put in edits) / rate <= spare + 1e-9


@pytest.mark.parametrize("rate", [16000, 22050, 24000, 44100, 48000])
def test_placing_is_exact_to_the_sample(rate: int) -> None:
    """Lines at 5, 10, 15 and 20 s begin at exactly these samples, at any rate of programme or clip."""
    slots = [slot(t, t + 2, 2.0) for t in (5, 10, 15, 20)]
    lines = [line(t * 1000, t * 1000 + 2000) for t in (5, 10, 15, 20)]
    clips = [clip(2.0, rate=r) for r in (16000, 22050, 24000, 48000)]
    for found, own, t in zip(settled(slots, clips, lines, 30), clips, (5, 10, 15, 20), strict=True):
        placed = fitting.place("L1", own, found, rate=rate, frames=30 * rate)
        assert (placed.start, placed.frames, placed.stretch) == (t * rate, 2 * rate, 1.0)


def test_a_placement_counts_its_edits() -> None:
    """Cuts and pauses are scaled by the stretch, and the frames add up."""
    setting = Setting(Fit(0, 1.0, 1.25), 2.5, ((0.5, 0.25), (1.0, -0.1)))
    placed = fitting.place("L1", clip(2.0, rate=16000), setting, rate=48000, frames=480000)
    assert placed.pauses == ((19200, 9600), (38400, -3840))
    assert placed.frames == 76800 + 9600 - 3840


def test_rounding_does_not_carry_a_clip_past_the_end() -> None:
    """A clip that ends with the programme ends with its last sample."""
    setting = Setting(Fit(0, 8.00004, 1.0), 10.0)
    placed = fitting.place("L1", clip(2.0, rate=48000), setting, rate=48000, frames=480000)
    assert placed.start + placed.frames == 480000


@pytest.mark.parametrize(
    ("setting", "native", "words"),
    [
        (Setting(Fit(0, 1.0, 1.0), 3.0), 1.0, []),
        (Setting(Fit(0, 1.0, 1.0, overlap=0.3), 3.0), 1.0, ["overlap"]),
        (Setting(Fit(0, 1.0, 1.02, overlap=0.01), 3.0), 1.0, []),
        (Setting(Fit(0, 1.0, 1.1), 3.0), 1.1, ["fast"]),
        (Setting(Fit(0, 1.0, 1.3), 3.0), 1.0, ["emergency_rate"]),
        (Setting(Fit(0, 2.0, 1.0), 3.0), 1.0, ["late"]),
        (Setting(Fit(0, 0.5, 1.0), 3.0), 1.0, ["early"]),
        (Setting(Fit(0, 1.0, 1.0), 3.8), 1.0, ["too_long"]),
        (Setting(Fit(0, 1.0, 1.0), 2.2), 1.0, ["short"]),
    ],
)
def test_flags_say_what_did_not_fit(setting: Setting, native: float, words: list[str]) -> None:
    """Each departure has its word and a sentence with its size."""
    found = fitting.flags(replace(slot(1, 3, 2.0), native=native), setting)
    assert [flag.word for flag in found] == words
    assert all(flag.reason.endswith(".") for flag in found)


def test_a_hopeless_line_is_flagged_and_everything_is_placed() -> None:
    """A line three times too long between neighbours ends as placements and flags, not as an error."""
    slots = [slot(1, 3, 6.0), slot(3.05, 5, 1.95), slot(5.05, 7, 1.95)]
    lines = [line(round(s.start * 1000), round(s.end * 1000)) for s in slots]
    clips = [clip(s.choices[0].seconds) for s in slots]
    found = settled(slots, clips, lines, 7.5)
    assert {f.word for f in fitting.flags(slots[0], found[0])} >= {"too_long"}
    for own, setting in zip(clips, found, strict=True):
        placed = fitting.place("L1", own, setting, rate=48000, frames=360000)
        assert placed.start >= 0
        assert placed.start + placed.frames <= 360000


@pytest.mark.parametrize("wordings", [1, 3])
def test_the_whole_loop_keeps_its_promises(wordings: int) -> None:
    """A hundred lines predicted with 8 % error end up in time, steady, unstretched mostly, and apart."""
    truth, length = programme(100, seed=11, ratio=1.05)
    truth = [replace(s, choices=s.choices[:wordings], on_screen=None) for s in truth]
    random = np.random.default_rng(12)
    slots = []
    for s in truth:
        off = np.exp(random.normal(0, 0.08, len(s.choices)))
        guessed = (Choice(c.seconds * float(o), c.loss) for c, o in zip(s.choices, off, strict=True))
        slots.append(replace(s, choices=tuple(guessed)))
    lines = [line(round(s.start * 1000), round(s.end * 1000), speaker=s.speaker) for s in slots]
    clips: dict[int, Clip] = {}

    def speak(i: int, choice: int, native: float) -> None:
        clips[i] = clip(truth[i].choices[choice].seconds / native, native=native)
        slots[i] = fitting.spoken(slots[i], clips[i], choice=choice)

    for chunk in fitting.chunks(len(slots)):
        near = fitting.horizon(len(slots), chunk)
        fits = dict(zip(near, plan(slots[near.start : near.stop], programme=length), strict=True))
        for i in chunk:
            speak(i, fits[i].choice, fitting.native_rate(slots[i], fits[i], **ENGINE))
    again = fitting.retakes(slots, refit(slots, programme=length), **ENGINE)
    for i, take in again.items():
        speak(i, take.choice, take.native)
    found = fitting.settle(slots, [clips[i] for i in range(len(slots))], lines, programme=length)

    assert len(again) < 40
    total = np.array([s.native * x.fit.rate for s, x in zip(slots, found, strict=True)])
    assert total.max() <= 1.30 + 1e-6
    assert total.min() >= 0.95 - 0.011
    assert np.mean(total <= 1.15 + 1e-6) > (0.9 if wordings == 1 else 0.97)
    assert np.mean([x.fit.rate == 1.0 for x in found]) > 0.7
    assert max(x.fit.overlap for x in found) <= 0.02
    placed = [
        fitting.place("L", clips[i], x, rate=48000, frames=round(length * 48000)) for i, x in enumerate(found)
    ]
    for x, p in zip(found, placed, strict=True):
        assert abs(p.start - x.fit.start * 48000) <= 1
        assert abs(p.start + p.frames - x.end * 48000) <= 4
    assert all(a.start + a.frames <= b.start + 960 for a, b in pairwise(placed))
