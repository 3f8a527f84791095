"""The price table that ships with Autodub, and an operator's own before it."""

from __future__ import annotations

from functools import cache
from importlib import resources
from pathlib import Path

from autodub.dubbing.prices import PriceTable, load
from autodub.model.errors import BadOption


@cache
def builtin() -> PriceTable:
    """The table of this release."""
    text = resources.files("autodub.dubbing").joinpath("prices.toml").read_text(encoding="utf-8")
    return load(text)


def table(path: Path | None) -> PriceTable:
    """The built-in table, with the rows of a file before it. Raises BadOption when that cannot be read."""
    if path is None:
        return builtin()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise BadOption(
            f"The price table {path} cannot be read ({reason}).",
            hint="Check the setting `prices` (AUTODUB_PRICES), or leave it out.",
        ) from None
    return builtin().merged(load(text, name=f"The price table {path}", is_own=True))
