"""A second release for tests: the code that is here, with one more migration and a newer form of jobs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from autodub.jobs import schema, spec

NEEDS_NEWER = {"tone": "playful"}
"""A wish of a job that only the second release knows."""
_MIGRATION = '''"""One more column."""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{before}"
additive = {additive}


def upgrade() -> None:
    op.add_column("jobs", sa.Column("mood_{revision}", sa.Text(), nullable=False, server_default="calm"))
'''


def release(folder: Path, *, revision: str = "9998", before: str = "", additive: bool = True) -> Path:
    """A folder with the one migration that this release has more: after ``before``, or the newest."""
    folder.mkdir(parents=True, exist_ok=True)
    text = _MIGRATION.format(revision=revision, before=before or schema.newest(), additive=additive)
    (folder / f"{revision}_more.py").write_text(text)
    return folder


def patches(folder: Path) -> list[tuple[object, str, Any]]:
    """What makes the code that is here the second release."""

    def upward(asked: dict[str, Any]) -> dict[str, Any]:
        return {name.replace("former_title", "title"): value for name, value in asked.items()}

    return [
        (schema, "VERSIONS", (*schema.VERSIONS, folder)), (spec, "FORMAT", 2), (spec, "SINCE", {"tone": 2}),
        (spec, "UPWARD", {1: upward}),
    ]  # fmt: skip


@contextmanager
def running(folder: Path) -> Iterator[None]:
    """This process is of the second release for a while."""
    with pytest.MonkeyPatch.context() as patch:
        for place, name, value in patches(folder):
            patch.setattr(place, name, value)
        yield


def migrated(folder: Path, open_: Callable[[], Any]) -> None:
    """The second release opens a database, which is brought to its tables, and closes it."""
    with running(folder):
        open_().close()
