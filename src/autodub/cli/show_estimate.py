"""What a dub would cost, for people and for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from autodub.cli.text import duration, safe

if TYPE_CHECKING:
    from autodub.pipeline.estimating import Foretold


def as_json(foretold: Foretold) -> dict[str, Any]:
    """Amounts in US dollars; zero everywhere when no engine costs money."""
    cost = foretold.cost
    return {
        "title": foretold.title,
        "duration_s": foretold.duration / 1000,
        "speech_s": foretold.speech / 1000,
        "engines": dict(foretold.engines),
        "estimate": {
            "low": float(cost.low) if cost else 0.0,
            "likely": float(cost.likely) if cost else 0.0,
            "high": float(cost.high) if cost else 0.0,
            "currency": "USD",
            "prices_of": cost.dated if cost else None,
            "unpriced": list(cost.unpriced) if cost else [],
            "items": [
                {
                    "engine": charge.engine,
                    "unit": charge.unit,
                    "amount": round(charge.amount, 1),
                    "dollars": None if charge.dollars is None else float(charge.dollars),
                }
                for charge in (cost.charges if cost else ())
            ],
        },
    }


def show(foretold: Foretold) -> None:
    """Print the range, then the items it consists of."""
    from autodub.dubbing.cost import money

    cost = foretold.cost
    heard = f"{duration(foretold.speech / 1000)} of speech in {duration(foretold.duration / 1000)}"
    click.echo(f"{safe(foretold.title)}: {heard}")
    click.echo("Engines: " + ", ".join(f"{role} {safe(name)}" for role, name in foretold.engines))
    if cost is None:
        click.echo("It would cost nothing: none of these engines is paid.")
        return
    click.echo(
        f"It would cost about {money(cost.likely)} ({money(cost.low)} to {money(cost.high)}, prices of "
        f"{cost.dated}), less what is kept from earlier runs."
    )
    for charge in cost.charges:
        price = "" if charge.dollars is None else f", {money(charge.dollars)}"
        click.echo(f"  {safe(charge.engine)}: {charge.amount:,.0f} {charge.unit.replace('_', ' ')}{price}")
    for engine in cost.unpriced:
        click.echo(f"  {safe(engine)}: its price is not known (see docs/CLOUD.md for a table of your own)")
