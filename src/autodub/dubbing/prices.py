"""What units of paid work cost: a dated table, and an operator's own rows before it. Reading is pure."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from fnmatch import fnmatchcase
from typing import Any

from autodub.model.errors import BadOption
from autodub.model.usage import Price

_FIELDS = {"engine", "model", "unit", "dollars", "per", "high", "checked", "note"}
_EXAMPLE = (
    'A row looks like: [[price]], then engine = "translator.openai", model = "my-model", '
    'unit = "tokens_out", dollars = "0.60", per = 1000000'
)


@dataclass(frozen=True, slots=True)
class Row:
    """One price with what is known about it."""

    price: Price
    """Its ``model`` may hold ``*`` for any ending."""
    high: Decimal
    """The highest price any source names, US dollars per ``price.per`` units."""
    checked: str
    """ISO date on which somebody looked."""
    note: str = ""
    """Where it is from."""
    is_own: bool = False
    """True when the operator set it."""


@dataclass(frozen=True, slots=True)
class PriceTable:
    """Prices by engine, model and unit."""

    rows: tuple[Row, ...] = ()
    dated: str = ""
    """ISO date of the table; of the older one where two were merged."""

    def row(self, engine: str, model: str, unit: str) -> Row | None:
        """The row that holds for a unit: an own one first, then the one that names the model best."""
        found = [row for row in self._of(engine, model) if row.price.unit == unit]
        return max(found, key=lambda row: (row.is_own, len(row.price.model)), default=None)

    def knows(self, engine: str, model: str) -> bool:
        """Whether anything is known about what a model costs."""
        return bool(self._of(engine, model))

    def dollars(
        self, engine: str, model: str, unit: str, amount: float, *, is_high: bool = False
    ) -> Decimal | None:
        """What an amount costs; None where the model is unknown, 0 for a unit nobody is billed for."""
        row = self.row(engine, model, unit)
        if row is None:
            return Decimal(0) if self.knows(engine, model) else None
        each = row.high if is_high else row.price.dollars
        return Decimal(repr(float(amount))) * each / row.price.per

    def cost(self, engine: str, model: str, amounts: Mapping[str, float]) -> Decimal | None:
        """What several units cost together; None where the model is unknown and something is consumed."""
        charges = [self.dollars(engine, model, unit, amount) for unit, amount in amounts.items() if amount]
        if any(charge is None for charge in charges):
            return None
        return sum((charge for charge in charges if charge is not None), Decimal(0))

    def merged(self, own: PriceTable) -> PriceTable:
        """This table with an operator's rows before its own."""
        return PriceTable(own.rows + self.rows, min(d for d in (self.dated, own.dated or self.dated)))

    def _of(self, engine: str, model: str) -> list[Row]:
        return [
            row
            for row in self.rows
            if row.price.engine == engine and (not row.price.model or fnmatchcase(model, row.price.model))
        ]


def own(prices: tuple[Price, ...], *, dated: str = "") -> PriceTable:
    """An operator's prices as a table."""
    return PriceTable(tuple(Row(price, price.dollars, dated, "own", is_own=True) for price in prices), dated)


def load(text: str, *, name: str = "The price table", is_own: bool = False) -> PriceTable:
    """Read a table. Raises BadOption with the place of whatever is not as it must be."""
    try:
        table = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise BadOption(f"{name} is not valid TOML ({error}).", hint=_EXAMPLE) from None
    unknown = table.keys() - {"dated", "price"}
    rows = table.get("price", [])
    if unknown or not isinstance(rows, list):
        what = f"has an unknown entry {min(unknown)!r}" if unknown else "must hold [[price]] rows"
        raise BadOption(f"{name} {what}.", hint=_EXAMPLE)
    dated = _day(table.get("dated", ""), f"{name} needs a date that is one", needed=not is_own)
    return PriceTable(
        tuple(
            _row(row, f"Row {number} of {_lower(name)}", dated, is_own) for number, row in enumerate(rows, 1)
        ),
        dated,
    )


def _row(row: Any, where: str, dated: str, is_own: bool) -> Row:
    if not isinstance(row, dict) or row.keys() - _FIELDS:
        unknown = sorted(row.keys() - _FIELDS) if isinstance(row, dict) else []
        raise BadOption(f"{where} has unknown fields ({', '.join(unknown)}).", hint=_EXAMPLE)
    texts = {field: row.get(field, "") for field in ("engine", "model", "unit", "note")}
    for field, text in texts.items():
        if not isinstance(text, str) or (field in ("engine", "unit") and not text):
            raise BadOption(f"{where} needs a text as {field}.", hint=_EXAMPLE)
    if texts["engine"].count(".") != 1:
        raise BadOption(
            f"{where} names its engine as {texts['engine']!r}.",
            hint="Write role.name, such as translator.openai.",
        )
    per = row.get("per", 1)
    if isinstance(per, bool) or not isinstance(per, int) or per < 1:
        raise BadOption(f"{where} needs a whole number of 1 or more as per.", hint=_EXAMPLE)
    dollars = _money(row.get("dollars"), f"{where} needs dollars of 0 or more")
    high = _money(row.get("high", dollars), f"{where} needs a high of 0 or more")
    price = Price(texts["engine"], texts["model"], texts["unit"], dollars, per)
    checked = _day(row.get("checked", dated), f"{where} needs a date as checked", needed=False)
    return Row(price, max(high, dollars), checked, texts["note"], is_own)


def _money(value: object, problem: str) -> Decimal:
    try:
        money = (
            Decimal(value) if isinstance(value, (str, int, Decimal)) and not isinstance(value, bool) else None
        )
    except InvalidOperation:
        money = None
    if money is None or not money.is_finite() or money < 0:
        raise BadOption(f"{problem}.", hint=_EXAMPLE)
    return money


def _day(value: object, problem: str, *, needed: bool) -> str:
    if value == "" and not needed:
        return ""
    try:
        return value.isoformat() if isinstance(value, date) else date.fromisoformat(str(value)).isoformat()
    except ValueError:
        raise BadOption(f"{problem} ({value}).", hint='Such as: dated = "2026-11-22"') from None


def _lower(name: str) -> str:
    return name[:1].lower() + name[1:] if name.startswith("The ") else name
