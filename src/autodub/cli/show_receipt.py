"""A receipt on a terminal: the verdict, the figures that matter most, and what was degraded and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from autodub.cli.text import because, duration, packed, printed, safe

if TYPE_CHECKING:
    from rich.console import Console

    from autodub.quality.receipt import Metric, Receipt

HEADLINES = (
    "L1", "R1.onset.p95", "T1.file", "T6.onset.p95", "T8.gate", "T9.natural", "T10", "T18",
    "D1.sound", "B1", "B2", "M5.loudness", "M5.clipped",
)  # fmt: skip
"""Figures shown on the terminal; all of them are in the receipt and the report."""
_LABEL = 12
"""Columns before what a row of facts says."""
_COLOURS = {"lead": "green", "floor": "yellow", "below": "red"}


def as_json(receipt: Receipt) -> dict[str, Any]:
    """The receipt as plain values."""
    return receipt.as_dict()


def show(receipt: Receipt) -> None:
    """Print the receipt."""
    from rich.console import Console

    console = Console(highlight=False, markup=False)
    console.print(f"{safe(receipt.dub)} against {safe(receipt.source)}", soft_wrap=True)
    body(receipt, console)


def body(receipt: Receipt, console: Console, *, reused: bool = False) -> None:
    """Print lines, engines, degradations, figures and stages: what a dub and a measurement share.

    ``reused``: times and bill were those of an earlier run, so neither is told as if it were this one's.
    """
    from rich.table import Table

    count = receipt.line_count
    verb = "spoken" if receipt.engines else "heard"  # without a record, only what is heard is known
    parts = [f"{count.spoken} of {count.total} lines {verb}" if count.total else "none are known"]
    parts += [f"{count.kept_original} kept in the original"] if count.kept_original else []
    parts += [f"{count.left_out} left out"] if count.left_out else []
    parts += [_worth(receipt)] if receipt.flagged else []
    facts = Table.grid(padding=(0, 2))
    facts.add_column(no_wrap=True)
    facts.add_column(overflow="fold")
    facts.add_row("Lines", ", ".join(parts))
    for number, engine in enumerate(receipt.engines):
        taken = f"{safe(engine.role)}: {safe(engine.name)}{safe(because(engine.why))}"
        facts.add_row("" if number else "Engines", taken)
    for number, degradation in enumerate(receipt.degradations):
        sentence = f"{safe(degradation.message)}: {safe(degradation.reason)}"
        facts.add_row("" if number else "Degraded", sentence)
    for number, note in enumerate(receipt.notes):
        facts.add_row("" if number else "Notes", safe(note))
    if receipt.stages and not reused:
        stages = (f"{safe(s.stage)} {duration(s.seconds)}" for s in receipt.stages)
        facts.add_row("Time", packed(stages, columns=console.width - _LABEL))
    cost = _cost(receipt)
    for number, item in enumerate(["nothing this time"] if cost and reused else cost):
        facts.add_row("" if number else "Cost", safe(item))
    printed(console, facts)
    printed(console, _figures(receipt))
    for reason, names in _unmeasured(receipt).items():
        printed(console, f"Not measured: {', '.join(names)} ({reason}).")
    printed(console, safe(receipt.summary))


def _cost(receipt: Receipt) -> list[str]:
    """The bill in a sentence, then its items; nothing where no engine costs money."""
    from autodub.dubbing.cost import money
    from autodub.quality.report_cost import said

    if receipt.bill is None:
        return []
    items = []
    for cost in receipt.costs:
        if cost.dollars is not None:
            kept = f", {cost.kept:,.0f} kept from earlier" if cost.kept else ""
            unit = cost.unit.replace("_", " ")
            items.append(f"{cost.engine} {cost.verb}: {cost.amount:,.0f} {unit}, {money(cost.dollars)}{kept}")
    return [said(receipt.bill), *items]


def _worth(receipt: Receipt) -> str:
    """Which lines a person should listen to, riskiest first."""
    from autodub.quality.report import some

    names = some([flag.line for flag in receipt.flagged], most=5)
    return f"{len(receipt.flagged)} worth a listen: {safe(names)}"


def _unmeasured(receipt: Receipt) -> dict[str, list[str]]:
    """Reason -> ids of the headline figures that do not exist for it."""
    found: dict[str, list[str]] = {}
    for name in HEADLINES:
        metric = receipt.metric(name)
        if metric is not None and metric.value is None and metric.reason:
            found.setdefault(safe(metric.reason), []).append(metric.id)
    return found


def _figures(receipt: Receipt) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    table.add_column("figure")
    table.add_column("value", justify="right")
    table.add_column("bound", justify="right")
    for name in HEADLINES:
        metric = receipt.metric(name)
        if metric is not None:
            value = Text(shown(metric), style=_COLOURS.get(metric.standing, ""))
            table.add_row(f"{metric.name} [{metric.id}]", value, bound(metric))
    return table


def shown(metric: Metric) -> str:
    """A value with its unit; a dash where it could not be measured."""
    from autodub.quality import report

    if metric.value is None:
        return "-"
    return report.shown(metric.value, metric.unit, metric=metric.id)


def bound(metric: Metric) -> str:
    """What is asked of the figure; empty where nothing is."""
    from autodub.quality import report

    wanted = metric.floor if metric.floor is not None else metric.lead
    if wanted is None or not metric.sense:
        return ""
    return f"{metric.sense} {report.asked(wanted, metric.unit)}"
