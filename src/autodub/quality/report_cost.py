"""What a dub cost and what was asked of engines, for the report."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from autodub.dubbing.cost import money
from autodub.quality.facts import BillFact
from autodub.quality.receipt import Receipt


def said(bill: BillFact) -> str:
    """The bill in one sentence: total, estimate, date of the prices, what has no price."""
    parts = [money(bill.total)]
    if bill.expected is not None:
        ends = ""
        if bill.expected_low is not None and bill.expected_high is not None:
            ends = f", {money(bill.expected_low)} to {money(bill.expected_high)}"
        parts.append(f"estimated at {money(bill.expected)}{ends}")
    parts.append(f"prices of {bill.dated or 'an unknown day'}")
    if bill.unpriced:
        parts.append(f"without {', '.join(bill.unpriced)}, whose price is not known")
    return "; ".join(parts)


def cost(receipt: Receipt) -> str:
    """The itemised bill as a section; empty where nothing costs money."""
    if receipt.bill is None:
        return ""
    rows = "".join(
        f'<tr><td class="text">{escape(_name(c.engine, c.verb))}</td>'
        f'<td class="n">{c.amount:,.0f}</td><td class="text">{escape(c.unit.replace("_", " "))}</td>'
        f'<td class="n soft">{f"{c.kept:,.0f}" if c.kept else ""}</td>'
        f'<td class="n">{money(c.dollars)}</td></tr>'
        for c in receipt.costs
        if c.dollars is not None
    )
    head = '<th>for</th><th class="n">now</th><th></th><th class="n">kept</th><th class="n">cost</th>'
    table = (
        f'<table class="counts"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>' if rows else ""
    )
    return f"<section><h2>Cost</h2><p>{escape(said(receipt.bill))}.</p>{table}</section>"


def calls(receipt: Receipt) -> str:
    """Engine calls and what was consumed, folded away."""
    counts = _counts(
        ("call", "made", "kept", "tried again"),
        ((c.verb, c.made, c.kept, c.retried) for c in receipt.calls if c.made or c.kept or c.sent),
    )
    units = _counts(
        ("consumed", "now", "kept"),
        ((f"{_name(c.engine, c.verb)}, {c.unit}", c.amount, c.kept) for c in receipt.costs),
    )
    if not counts and not units:
        return ""
    made, kept = sum(c.made for c in receipt.calls), sum(c.kept for c in receipt.calls)
    again = sum(c.retried for c in receipt.calls)
    retried = f", {again} tried again" if again else ""
    return (
        f"<details><summary>{made} calls made, {kept} answered from an earlier run{retried}</summary>"
        f"{counts}{units}</details>"
    )


def _name(engine: str, verb: str) -> str:
    return f"{engine}.{verb}" if verb else engine


def _counts(heads: tuple[str, ...], rows: Iterable[tuple[str | float, ...]]) -> str:
    body = "".join(
        f'<tr><td class="text">{escape(str(row[0]).replace("_", " "))}</td><td class="n">{row[1]:g}</td>'
        + "".join(f'<td class="n soft">{number:g}</td>' for number in row[2:])
        + "</tr>"
        for row in rows
    )
    if not body:
        return ""
    head = f"<th>{heads[0]}</th>" + "".join(f'<th class="n">{name}</th>' for name in heads[1:])
    return f'<table class="counts"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
