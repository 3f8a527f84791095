"""Receipt, verdict, risk and the HTML page, built from values alone."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, replace
from html.parser import HTMLParser

import pytest
from pydantic import TypeAdapter

from autodub.model.job import Degradation
from autodub.model.speech import Tone, Voice
from autodub.model.time import Span
from autodub.quality.coverage import coverage_figures, undubbed, undubbed_file
from autodub.quality.definitions import DEFINITIONS
from autodub.quality.facts import (
    CallFact,
    CostFact,
    DubFacts,
    EngineFact,
    LineFact,
    SoundFact,
    StageFact,
    ToneFact,
    WindowFact,
)  # fmt: skip
from autodub.quality.figures import Figure, undefined
from autodub.quality.receipt import Curves, Durations, Method, Receipt, count_lines, judge, row, verdict
from autodub.quality.report import report, shown
from autodub.quality.report_charts import clock, loudness, row_length, timeline
from autodub.quality.risk import flagged
from autodub.quality.runs import MeasuredLine
from autodub.quality.timing_metrics import timing_figures
from autodub.quality.violations import violations

EVIL = "<script>alert('x')</script> & \"quotes\""


def line(number: int, *, late: int = 0, heard: bool = True, **more: object) -> MeasuredLine:
    """A line of one second every two seconds."""
    start = 2000 * number
    known: dict[str, object] = {
        "id": f"L{number:04}", "speaker": "A", "source": Span(start, start + 1000), "text": EVIL,
        "spoken": EVIL, "rate_hz": 48_000, "planned_start": start * 48, "placed_start": start * 48,
        "frames": 48_000,
    }  # fmt: skip
    fact = LineFact(**(known | more))  # type: ignore[arg-type]
    dub = (Span(start + late, start + 1000 + late),) if heard else ()
    return MeasuredLine(fact, (fact.source,), dub, late)


def receipt_of(lines: list[MeasuredLine], *, seconds: int = 60) -> Receipt:
    """A receipt of some lines."""
    source = tuple(run for one in lines for run in one.source_runs)
    dub = tuple(run for one in lines for run in one.dub_runs)
    figures = timing_figures(lines, source=source, dub=dub, duration=seconds * 1000)
    metrics = judge([*figures, Figure("B1", -200.0, "dB"), undefined("B2", "dB", "nothing was removed")])
    found = violations(lines)
    outcome, summary = verdict(metrics)
    return Receipt(
        source=f"{EVIL}.mp4", dub="dub.mp4", source_language="en", target_language="es", verdict=outcome,
        summary=summary,
        durations=Durations(seconds * 1000, seconds * 1000, 0, 0.0, 48_000, 48_000, 48_000, True, True),
        line_count=count_lines(lines), metrics=metrics,
        undefined={metric.id: metric.reason for metric in metrics if metric.value is None},
        violations=found, flagged=flagged(lines, found), degradations=(Degradation("voice", EVIL, EVIL),),
        engines=(EngineFact("synthesizer", EVIL, "1", why=EVIL),), stages=(StageFact("render", 0.0),),
        calls=(CallFact("synthesize", 3, 1),), costs=(CostFact("espeak", "characters", 10.0),), notes=(EVIL,),
        method=Method("the finished file", "a detector", 0, float("-inf")),
        lines=tuple(row(one) for one in lines),
        curves=Curves(source, dub, 1000, tuple([-20.0, None] * (seconds // 2)), tuple([-21.0] * seconds)),
    )  # fmt: skip


class Page(HTMLParser):
    """Collects tags, and checks that they close in order."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in {"meta", "rect", "path"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in {"rect", "path"}:
            return
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def parsed(receipt: Receipt) -> tuple[str, Page]:
    """The page as text and parsed."""
    html, page = report(receipt), Page()
    page.feed(html)
    assert page.open == []
    return html, page


def test_page_is_self_contained_and_escaped() -> None:
    """No script, no address, every text of the user escaped."""
    html, page = parsed(receipt_of([line(1), line(2, late=800), line(3, heard=False)]))
    assert not {"script", "link", "img", "iframe"} & set(page.tags)
    assert not re.search(r"(?:src|href)=|https?://|url\(", html)
    assert EVIL in page.text
    assert "<script" not in html


def test_page_names_silent_lines_and_verdict() -> None:
    """A line that is not heard is on the page with its reason, and the verdict is not good."""
    _, page = parsed(receipt_of([line(1), line(2, heard=False)]))
    assert "Line L0002 is not heard" in page.text
    assert "Needs a look" in page.text
    assert "bit for bit" in page.text


def test_page_of_nothing_to_dub() -> None:
    """A programme without lines has a page too."""
    _, page = parsed(receipt_of([], seconds=0))
    assert "Speech over time" in page.text
    assert "Lines worth a look" not in page.text


def test_page_of_a_long_programme_stays_small() -> None:
    """Two hours and 1,500 lines fit in a page under a megabyte, 24 rows of speech at most."""
    lines = [line(number * 2, late=400) for number in range(1500)]
    html, page = parsed(receipt_of(lines, seconds=7200))
    assert len(html) < 1_000_000
    assert html.count('class="lane"') <= 24
    assert "1300 more are in the receipt." in page.text


@pytest.mark.parametrize(
    ("duration", "rows"), [(0, 1), (22_000, 2), (60_000, 4), (120_000, 4), (600_000, 10), (7_200_000, 24)]
)
def test_timeline_rows(duration: int, rows: int) -> None:
    """Rows have round lengths and there are never too many."""
    assert timeline([], [], duration=duration).count('class="lane"') == rows
    assert row_length(100 * 3_600_000) % 3_600_000 == 0


def test_run_over_a_row_break_is_drawn_in_both() -> None:
    """Speech that crosses the end of a row continues in the next."""
    drawn = timeline([Span(14_000, 16_000)], [], duration=30_000)
    assert drawn.count('class="s"') == 2


def test_silent_curves_draw_nothing() -> None:
    """A programme of silence has no loudness picture."""
    assert loudness([None, None], [None], step=1000, duration=2000) == ""


def test_values_for_people() -> None:
    """Units are written out; an undefined value is a dash."""
    assert shown(0.954, "share") == "95.4 %"
    assert shown(1.0, "share") == "100 %"
    assert shown(-200.0, "dB", metric="B1") == "bit for bit"
    assert shown(None, "ms") == "–"
    assert (clock(59_600), clock(3_723_000)) == ("1:00", "1:02:03")


def test_receipt_json_has_no_infinity() -> None:
    """Infinite and missing values become null; spans become pairs."""
    data = json.loads(receipt_of([line(1)]).to_json())
    assert data["method"]["residue_db"] is None
    assert data["lines"][0]["source_ms"] == [2000, 3000]
    assert next(iter(data)) == "format"


def test_undefined_metrics_keep_their_reason() -> None:
    """Every metric without a value is listed with why."""
    receipt = receipt_of([line(1)])
    assert receipt.undefined["B2"] == "nothing was removed"
    assert all(receipt.undefined.values())
    assert receipt.metric("T8.slope").undefined == 1
    assert receipt.value("no such metric") is None


def test_verdict_ranks_lead_floor_and_below() -> None:
    """The worst gated figure decides; undefined ones do not count as met."""
    good, enough = Figure("T1.file", 0.85, "ratio"), Figure("T1.file", 0.75, "ratio")
    bad, none = Figure("T1.file", 0.5, "ratio"), undefined("T10", "ratio", "no pairs")
    assert verdict(judge([good, none]))[0] == "lead"
    assert verdict(judge([enough]))[0] == "floor"
    assert verdict(judge([bad, good])) == ("below", "1 of 2 bounds are not met: Speech overlap.")
    assert verdict(judge([none]))[0] == "undefined"


def test_bounds_are_inclusive() -> None:
    """A value exactly on its bound meets it."""
    assert DEFINITIONS["T1.file"].standing(0.80) == "lead"
    assert DEFINITIONS["T18"].standing(0) == "lead"
    assert DEFINITIONS["T18"].standing(1) == "below"
    assert DEFINITIONS["T2.miss"].standing(9) == "reported"


def test_every_definition_is_complete() -> None:
    """Each has a name and a sentence, and bounds only with a sense; lead is never laxer than floor."""
    for name, known in DEFINITIONS.items():
        assert known.id == name
        assert known.name
        assert known.text.endswith((".", ")."))
        assert bool(known.sense) == (known.floor is not None or known.lead is not None)
        if known.floor is not None and known.lead is not None:
            assert known.standing(known.lead) == "lead"
            assert (known.lead >= known.floor) == (known.sense == "at least") or known.lead == known.floor


def test_risk_orders_the_worst_first() -> None:
    """A silent line outranks a late one, which outranks a hurried one; good lines are not flagged."""
    lines = [line(1), line(2, stretch=1.18), line(3, late=900), line(4, heard=False)]
    got = flagged(lines, violations(lines))
    assert [flag.line for flag in got] == ["L0004", "L0003", "L0002"]
    assert got[0].risk == 1.0
    assert "0.90 s late" in " ".join(got[1].reasons)


def test_kept_lines_are_counted_not_blamed() -> None:
    """Every input line is accounted for; a line that keeps the original is no violation."""
    lines = [line(1), line(2, heard=False, status="kept original", reason="It is sung."),
             line(3, heard=False, status="left out", reason="The voice refused.")]  # fmt: skip
    count = count_lines(lines)
    assert (count.total, count.spoken, count.kept_original, count.left_out, count.heard) == (3, 1, 1, 1, 1)
    assert [v.line for v in violations(lines)] == ["L0003"]
    assert flagged(lines, violations(lines))[1].reasons == ("The original is kept: It is sung.",)


def test_kept_by_choice_is_no_doubt() -> None:
    """What a person wanted left alone counts neither against the dub nor among the lines to look at."""
    lines = [line(n) for n in range(1, 4)]
    chosen = line(4, heard=False, status="kept original", reason="kept by a person", by_choice=True)
    failed = line(5, heard=False, status="kept original", reason="The voice refused.")
    unread = line(6, heard=False, status="kept original", reason="not understood", text="")
    speech = [run for one in (*lines, chosen, failed, unread) for run in one.source_runs]
    share, time = coverage_figures([*lines, chosen, failed, unread], speech=speech, limit=60_000)
    assert (share.value, share.count, share.undefined) == (0.75, 4, 2)
    assert share.reason == "1 not spoken because a person wanted it so; 1 without a text"
    assert time.value == pytest.approx(3 / 5)
    assert [flag.line for flag in flagged([chosen, failed], ())] == ["L0005"]
    assert coverage_figures([chosen], speech=chosen.source_runs, limit=60_000)[0].value is None


def test_nothing_dubbed_is_said_and_not_praised() -> None:
    """However good the other figures, a verdict on nothing is that there is nothing."""
    kept = [line(n, heard=False, status="kept original", by_choice=True) for n in (1, 2)]
    speech = kept[0].source_runs
    sentence = undubbed(kept, speech=speech)
    assert sentence == "Nothing was dubbed: all 2 lines keep the original because a person wanted it so."
    assert verdict(judge([Figure("T1.file", 1.0, "ratio")]), undubbed=sentence) == ("nothing", sentence)
    assert (
        undubbed([], speech=speech) == "Nothing was dubbed: none of the speech in the source was understood."
    )
    assert undubbed([line(1)], speech=speech) == ""
    assert "no speech is heard in the source" in undubbed_file(source=(), dub=(), is_own=False)
    assert undubbed_file(source=(), dub=speech, is_own=False) == ""
    _, page = parsed(replace(receipt_of([line(1)]), verdict="nothing", summary=sentence))
    assert "Nothing to judge" in page.text


def test_page_groups_kept_lines_by_reason() -> None:
    """Lines that keep the original are listed with why, the first few by name."""
    kept = [line(n, heard=False, status="kept original", reason="kept by a person") for n in range(1, 11)]
    _, page = parsed(receipt_of([*kept, line(20)]))
    assert "10 of 11 lines are not spoken" in page.text
    assert "Kept by a person." in page.text
    assert "L0008 and 2 more" in page.text
    assert "Lines kept" not in parsed(receipt_of([line(1)]))[1].text


def test_words_of_the_plan_become_sentences() -> None:
    """No flag of the plan is shown as its bare word, and none repeats what the file shows already."""

    def said(flag: str, *, late: int = 0, longer: int = 0, **more: object) -> tuple[str, ...]:
        one = line(1, late=late, flags=(flag,), **more)
        run = one.dub_runs[0]
        one = replace(one, dub_runs=(Span(run.start, run.end + longer),))
        return tuple(reason for flag in flagged([one], ()) for reason in flag.reasons)

    assert said("short", longer=-600)[-1] == "Ends 0.6 s before the original does."
    assert said("too_long", longer=700) == ("Ends 0.70 s after the original; a shorter wording would fit.",)
    assert said("too_long", longer=400) == ("Ends 0.4 s after the original does.",)
    assert said("late", late=200) == ("Starts 0.2 s after the original, behind a long line.",)
    assert said("overlap", overlap_ms=300) == ("Runs 0.3 s into a later line.",)
    assert said("fast", native=1.2) == ("Spoken at 1.20 times the voice's pace.",)
    assert said("sung_line") == ("Marked while it was made: sung line.",)


def test_length_prediction_is_no_bound() -> None:
    """How well lengths were guessed says nothing about the dub: it cannot spoil the verdict."""
    metrics = judge([Figure("T1.file", 0.9, "ratio"), Figure("T20.mape", 0.5, "share"),
                     Figure("T8.samples", 3.0, "samples")])  # fmt: skip
    assert verdict(metrics) == ("lead", "All 1 bounds of timing and sound are met with the better target.")


def test_facts_survive_json() -> None:
    """The record of a dub is the same after a trip through JSON."""
    tone = Tone(120.0, 2.0, tuple(range(20)))
    facts = DubFacts(
        "en", "es", 48_000, 96_000,
        lines=(replace(line(1).fact, edges_db=(-60.0, -50.0), pauses=(Span(1, 2),), flags=("hurried",)),),
        source_speech=(Span(0, 10),), engines=(EngineFact("synthesizer", "espeak", "1"),),
        degradations=(Degradation("voice", "a", "b"),), stages=(StageFact("render", 1.5, 0.5),),
        calls=(CallFact("synthesize", 1, 2),), costs=(CostFact("espeak", "characters", 3.0),),
        sound=SoundFact(null_db=-200.0, windows=(WindowFact(0, None, 10.0),), altered=(Span(1, 2),)),
        voices=(Voice("espeak", "es", "es"),), tones=(ToneFact("A", tone, None),), picture_copied=True,
    )  # fmt: skip
    adapter = TypeAdapter(DubFacts)
    assert adapter.validate_json(adapter.dump_json(facts)) == facts
    assert json.loads(json.dumps(asdict(facts)))["lines"][0]["flags"] == ["hurried"]


def test_a_note_is_no_shortfall() -> None:
    """What is on record, such as a consent, has a heading of its own and blames nobody."""
    page = report(replace(receipt_of([line(1)]), degradations=(), notes=("They agreed.",)))
    assert "Done less well" not in page
    assert "<h2>Notes</h2><p>They agreed.</p>" in page
