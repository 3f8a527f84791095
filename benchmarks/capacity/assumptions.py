"""What others publish: ``assumptions.toml``, read."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

PATH = Path(__file__).with_name("assumptions.toml")


@dataclass(frozen=True, slots=True)
class Plan:
    """What a plan of ElevenLabs includes."""

    plan: str
    concurrency: int
    """Requests at once."""
    credits: int
    """Characters a month."""
    dollars: float
    """A month."""

    @property
    def clones(self) -> bool:
        """Whether voices may be cloned: with every plan that is paid for."""
        return self.dollars > 0


@cache
def table() -> dict[str, Any]:
    """The whole file."""
    return tomllib.loads(PATH.read_text("utf-8"))


@cache
def plans() -> dict[str, Plan]:
    """Name -> plan, smallest first."""
    return {row["plan"]: Plan(**row) for row in table()["elevenlabs"]}


def gpu_seconds() -> float:
    """Of one GPU, to separate a minute of sound: the row that is used."""
    return float(next(row["seconds"] for row in table()["gpu_seconds"] if row.get("used")))
