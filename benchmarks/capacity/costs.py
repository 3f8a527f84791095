"""What a day costs: providers at the product's own prices, machines by the hour, the store by its bytes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal

from autodub.infra.price_list import builtin
from benchmarks.capacity import assumptions
from benchmarks.capacity.demands import demand
from benchmarks.capacity.paper import MONTH
from benchmarks.capacity.simulation import Fleet

MODELS = {
    "Deepgram": ("transcriber.deepgram", "nova-3"),
    "OpenAI": ("translator.openai", "gpt-6-luna"),
    "ElevenLabs": ("synthesizer.elevenlabs", "eleven_multilingual_v2"),
}
"""Provider -> the product's engine and its default model."""
ANSWERING_FULL = 0.5
"""How full the cores that answer people may be in the busiest hour."""


@dataclass(frozen=True, slots=True)
class Costs:
    """US dollars a day."""

    providers: dict[str, float]
    workers: float
    gpus: float
    database: float
    """PostgreSQL, and the machines that answer people."""
    store: float

    @property
    def day(self) -> float:
        """In all."""
        return sum(self.providers.values()) + self.machines + self.store

    @property
    def machines(self) -> float:
        """All that is paid by the hour."""
        return self.workers + self.gpus + self.database


def providers(minutes: float, *, is_high: bool = False) -> dict[str, float]:
    """Provider -> dollars that one video costs; ``is_high`` by the highest prices any source names."""
    found = {}
    for provider, (engine, model) in MODELS.items():
        amounts = {
            name.partition(" ")[2]: amount
            for name, amount in demand(minutes).charges.items()
            if name.partition(" ")[0] == provider.lower()
        }
        charges = [builtin().dollars(engine, model, u, n, is_high=is_high) for u, n in amounts.items()]
        if not charges or None in charges:
            raise ValueError(f"{provider}: {model} has no price, or nothing was charged: {amounts}")
        found[provider] = float(sum((one for one in charges if one is not None), Decimal(0)))
    return found


def source_bytes(minutes: float) -> float:
    """Of a video; its dub weighs the same."""
    return float(assumptions.table()["workload"]["source_mbit"]) * 1e6 / 8 * 60 * minutes


def stored_bytes(minutes: float) -> float:
    """What a video leaves in the store until its time is over: source, dub and everything in between."""
    return demand(minutes).stored_bytes + 2 * source_bytes(minutes)


def store(minutes: float) -> float:
    """Dollars that one video costs there: kept, put, read once, and its dub downloaded once."""
    price = assumptions.table()["store"]
    objects = demand(minutes).objects
    kept = stored_bytes(minutes) / 1e9 * price["dollars_gb_month"] * price["retention_days"] / MONTH
    asked = objects / 1000 * (price["dollars_put_1000"] + price["dollars_get_1000"])
    return float(kept + asked + source_bytes(minutes) / 1e9 * price["dollars_gb_out"])


def answering(videos: float, minutes: float) -> int:
    """Machines that answer people, two at least so that one may fail, from 1,000 videos a day on."""
    known = assumptions.table()
    rate = videos / 86_400 * float(known["workload"]["peak"])
    cores = rate * demand(minutes).answering / ANSWERING_FULL
    return max(1 if videos < 1000 else 2, math.ceil(cores / float(known["worker"]["cores"])))


def of_day(fleet: Fleet, videos: float, *, minutes: float = 1.0) -> Costs:
    """A day of a fleet that is always on."""
    known = assumptions.table()
    machine = 24 * known["worker"]["dollars_hour"]
    others = fleet.database / known["worker"]["cores"] + answering(videos, minutes)
    if fleet.workers == 1:  # everything on one machine
        others = 0
    return Costs(
        {name: dollars * videos for name, dollars in providers(minutes).items()},
        fleet.workers * machine, fleet.gpus * 24 * known["gpu"]["dollars_hour"], others * machine,
        store(minutes) * videos if fleet.workers > 1 else 0.0,
    )  # fmt: skip
