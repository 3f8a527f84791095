"""The bill on the receipt: in JSON, in the report, in a sentence; and receipts from before there was one."""

import json
from dataclasses import replace

from pydantic import TypeAdapter
from test_receipt_report import line, receipt_of

from autodub.quality import report
from autodub.quality.facts import BillFact, CallFact, CostFact, DubFacts
from autodub.quality.report_cost import calls, cost, said

BILL = BillFact(0.0931, "2026-11-22", (), 0.1, 0.085, 0.16)
COSTS = (
    CostFact("synthesizer.elevenlabs", "characters", 900.0, 120.0, "synthesize", 0.09),
    CostFact("transcriber.deepgram", "diarized_seconds", 60.0, 0.0, "transcribe", 0.0031),
    CostFact("separator.spectral", "seconds", 60.0, 0.0, "separate"),
)


def _receipt(**changes):
    values = {
        "bill": BILL,
        "costs": COSTS,
        "calls": (CallFact("synthesizer.elevenlabs.synthesize", 29, 4, 33, 4, 0),),
    }
    return replace(receipt_of([line(1)]), **(values | changes))


def test_the_bill_is_in_the_json():
    """Total, estimate, date of the prices and every item, as plain numbers."""
    plain = json.loads(_receipt().to_json())
    assert plain["bill"]["total"] == 0.0931
    assert plain["bill"]["dated"] == "2026-11-22"
    assert plain["costs"][0] == {
        "engine": "synthesizer.elevenlabs",
        "unit": "characters",
        "amount": 900.0,
        "kept": 120.0,
        "verb": "synthesize",
        "dollars": 0.09,
    }
    assert plain["calls"][0]["retried"] == 4


def test_the_report_itemises_what_costs_money():
    """Paid items with their price; engines of this machine are consumption, not cost."""
    page = report.report(_receipt())
    section = cost(_receipt())
    assert section in page
    assert "synthesizer.elevenlabs.synthesize" in section
    assert "$0.0900" in section
    assert "diarized seconds" in section
    assert "spectral" not in section
    assert "29 calls made, 4 answered from an earlier run, 4 tried again" in calls(_receipt())
    assert "spectral" in calls(_receipt())


def test_a_dub_without_paid_engines_has_no_bill():
    """Nothing is said about money where none is spent."""
    assert cost(_receipt(bill=None)) == ""
    assert "<h2>Cost</h2>" not in report.report(_receipt(bill=None))


def test_the_sentence_says_what_is_known():
    """Estimate and unknown prices are named where there are any."""
    assert said(BILL) == "$0.0931; estimated at $0.10, $0.0850 to $0.16; prices of 2026-11-22"
    bare = BillFact(2.5, "", ("translator.openai",))
    assert said(bare) == (
        "$2.50; prices of an unknown day; without translator.openai, whose price is not known"
    )


def test_names_cannot_become_markup():
    """Engine names and units are text in the page."""
    evil = _receipt(costs=(CostFact("<b>", "<i>", 1.0, 0.0, "<u>", 1.0),), bill=replace(BILL, dated="<s>"))
    assert not {"<b>", "<i>", "<u>", "<s>"} & set(cost(evil).split('"'))
    assert "&lt;b&gt;" in cost(evil)


def test_records_from_before_there_was_a_bill_are_read():
    """A record of an older release has neither a bill nor counts of tries, and is read all the same."""
    adapter = TypeAdapter(DubFacts)
    facts = DubFacts("en", "es", 48_000, 1, costs=COSTS, calls=(CallFact("a.b.c", 1, 2),), bill=BILL)
    plain = json.loads(adapter.dump_json(facts))
    assert adapter.validate_json(json.dumps(plain)) == facts
    del plain["bill"]
    for item in plain["costs"]:
        del item["verb"], item["dollars"]
    for item in plain["calls"]:
        del item["sent"], item["retried"], item["failed"]
    old = adapter.validate_json(json.dumps(plain), strict=True)
    assert (old.bill, old.calls[0].sent, old.costs[0].dollars) == (None, 0, None)
