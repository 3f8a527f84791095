"""What a finished job has to show, as its row keeps it: names of files of the store, and figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from autodub.dubbing.cost import Estimate, money
from autodub.model.media import Blob
from autodub.pipeline.estimating import Foretold
from autodub.pipeline.making import Made
from autodub.quality.receipt import Receipt


class Item(BaseModel):
    """One file of a result."""

    model_config = ConfigDict(frozen=True)

    name: str
    """What it is called when it is downloaded."""
    digest: str
    size: int
    suffix: str

    @property
    def blob(self) -> Blob:
        """The file of the store."""
        return Blob(self.digest, self.size, self.suffix)


class Result(BaseModel):
    """The files and figures of a finished job."""

    model_config = ConfigDict(frozen=True)

    files: Mapping[str, Item] = {}
    """Kind (``media``, ``srt``, ``vtt``, ``receipt``, ``report``, ``project`` ...) -> file."""
    summary: str = ""
    """What was made, in a sentence or two for people."""
    verdict: str = ""
    """The receipt's: ``lead``, ``floor``, ``below`` ..."""
    seconds: float = 0.0
    """Of programme."""
    spoken: str = ""
    """Tag of the source's language; empty where nobody speaks, and of estimates."""
    figures: Mapping[str, Any] = {}
    """Metric -> value, of the receipt."""
    degradations: list[str] = []
    reused: bool = False
    estimate: Mapping[str, Any] | None = None


def of_dub(made: Made) -> Result:
    """The result of a dub."""
    receipt = made.receipt
    return Result(
        files={kind: _item(name, blob) for kind, (name, blob) in made.files.items()},
        summary=_lines(receipt),
        verdict=receipt.verdict,
        seconds=receipt.durations.source_ms / 1000,
        spoken="" if receipt.source_language == "und" else receipt.source_language,
        figures={metric.id: metric.value for metric in receipt.metrics},
        degradations=[f"{one.message} ({one.reason})" for one in receipt.degradations],
        reused=made.reused,
    )


def of_estimate(foretold: Foretold) -> Result:
    """The result of an estimate."""
    cost = foretold.cost
    return Result(
        summary=_price(cost),
        seconds=foretold.duration / 1000,
        estimate={
            "speech_seconds": foretold.speech / 1000,
            "engines": dict(foretold.engines),
            "dollars": None
            if cost is None
            else {"low": float(cost.low), "likely": float(cost.likely), "high": float(cost.high)},
            "items": []
            if cost is None
            else [
                {"engine": c.engine, "unit": c.unit, "amount": c.amount, "dollars": float(c.dollars or 0)}
                for c in cost.charges
            ],
            "prices_of": None if cost is None else cost.dated,
            "unpriced": [] if cost is None else list(cost.unpriced),
        },
    )


def _lines(receipt: Receipt) -> str:
    """A dub in a sentence for people; the receipt's own follows it."""
    lines = receipt.line_count
    if not lines.total:
        return receipt.summary
    flagged = len(receipt.flagged)
    doubt = f", {flagged} of them worth a listen" if flagged else ""
    return f"{lines.spoken} of {lines.total} lines are spoken{doubt}. {receipt.summary}"


def _price(cost: Estimate | None) -> str:
    if cost is None:
        return "It would cost nothing: none of its engines is paid."
    return f"It would cost about {money(cost.likely)} ({money(cost.low)} to {money(cost.high)})."


def _item(name: str, blob: Blob) -> Item:
    return Item(name=name, digest=blob.digest, size=blob.size, suffix=blob.suffix)
