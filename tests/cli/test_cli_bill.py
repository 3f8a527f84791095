"""What a dub cost, on the terminal."""

import pytest
from test_cli_show import dubbed, receipt, shown

from autodub.cli import show_dub
from autodub.quality.facts import BillFact, CostFact


@pytest.fixture(autouse=True)
def _wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("FORCE_COLOR", raising=False)


def test_the_bill_and_its_items_are_printed(capsys):
    """One line with the total beside the estimate, then what it was for; what was kept cost nothing."""
    out = shown(
        receipt(
            bill=BillFact(0.12, "2026-11-22", (), 0.1, 0.08, 0.2),
            costs=(
                CostFact("synthesizer.elevenlabs", "characters", 1200.0, 300.0, "synthesize", 0.12),
                CostFact("separator.spectral", "seconds", 60.0),
            ),
        ),
        capsys,
    )
    assert "Cost" in out
    assert "$0.12; estimated at $0.10" in out
    assert "synthesizer.elevenlabs synthesize: 1,200 characters, $0.12, 300 kept from earlier" in out
    assert "spectral synth" not in out


def test_nothing_is_said_of_money_where_none_is_spent(capsys):
    """A dub by engines of this machine has no line about cost."""
    assert "Cost" not in shown(receipt(), capsys)


def test_a_dub_that_was_there_costs_nothing_again(tmp_path, capsys):
    """What an earlier run paid is not shown as if it were paid again."""
    paid = receipt(bill=BillFact(0.12, "2026-11-22", (), 0.1, 0.08, 0.2))
    show_dub.show(dubbed(tmp_path, receipt=paid, reused=True))
    out = capsys.readouterr().out
    assert [line.split() for line in out.splitlines() if "Cost" in line] == [
        ["Cost", "nothing", "this", "time"]
    ]
    assert "$" not in out
