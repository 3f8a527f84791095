"""Every figure's definition by its id."""

from __future__ import annotations

from autodub.quality import sound_definitions, timing_definitions
from autodub.quality.definition import Definition
from autodub.quality.figures import Figure

DEFINITIONS = {row.id: row for row in (*timing_definitions.ROWS, *sound_definitions.ROWS)}


def define(figure: Figure) -> Definition:
    """The definition of a figure. KeyError for a figure nobody defined."""
    return DEFINITIONS[figure.id]
