"""Everything that is kept about one user, as one ZIP that is made while it is sent."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import IO, TYPE_CHECKING, Any, cast

from sqlalchemy import Select, select

from autodub.infra.blobs import blob_named
from autodub.jobs import audit
from autodub.jobs.naming import safe_name
from autodub.jobs.results import Result
from autodub.jobs.tables import (
    batches,
    clones,
    consents,
    deliveries,
    events,
    glossaries,
    hooks,
    jobs,
    keys,
    locks,
    projects,
    sessions,
    uploads,
    usage,
    users,
)
from autodub.model.media import Blob

if TYPE_CHECKING:
    from autodub.jobs.platform import Platform

_BLOCK = 1 << 18
_TOGETHER = 200
_TEXTS = 4
"""Projects of films have megabytes each."""
_WHEN = (1980, 1, 1, 0, 0, 0)
"""The time of every entry: what is in it has times of its own."""
_README = """\
What this Autodub server keeps about one user.

profile.json        the account
jobs.jsonl          dubs: what was asked, what came of it
events.jsonl        what happened to them
projects/           the texts of dubs, every revision
batches.jsonl       groups of dubs
uploads.jsonl       names and sizes of uploaded files
consents.jsonl      statements that voices may be cloned
clones.jsonl        what was cloned on them, by digest
glossaries/         glossaries
usage.jsonl         minutes and money, by attempt
keys.jsonl          keys: names and scopes; the keys themselves are kept nowhere
sessions.jsonl      logins that are open
webhooks.jsonl      addresses that are told of dubs, and deliveries.jsonl what they were told
audit.jsonl         what you did here, and what was done to your account
media/              uploads and results, where they were asked for

Times are seconds since 1970 (UTC), money is US dollars.
"""
_SECRET: Mapping[str, frozenset[str]] = {
    "users": frozenset({"password"}), "keys": frozenset({"digest"}), "sessions": frozenset({"digest"}),
    "hooks": frozenset({"secret"}), "jobs": frozenset({"asked", "holder", "lease", "crashes"}),
}  # fmt: skip
"""What lets somebody in, or says something about the server and not about the user."""
_JSON = frozenset({"spec", "result", "error", "seen", "data", "info", "body"})
"""Columns that hold JSON."""


def export(platform: Platform, user: str, *, media: bool) -> Iterator[bytes]:
    """The ZIP in pieces, in bounded memory; with ``media`` the files as well."""
    out = _Out()
    with zipfile.ZipFile(cast("IO[bytes]", out), "w") as archive:
        for name, pieces, is_packed in _entries(platform, user, media=media):
            entry = zipfile.ZipInfo(name, _WHEN)
            entry.compress_type = zipfile.ZIP_STORED if is_packed else zipfile.ZIP_DEFLATED
            with archive.open(entry, "w", force_zip64=True) as file:
                for piece in pieces:
                    file.write(piece)
                    if found := out.taken():
                        yield found
            yield out.taken()
    yield out.taken()


class _Out:
    """A file that is only ever written on, and emptied in between."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: bytes, /) -> int:
        """Take a piece."""
        self._pieces.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing waits."""

    def taken(self) -> bytes:
        """What was written since the last time."""
        found, self._pieces = b"".join(self._pieces), []
        return found


def _entries(
    platform: Platform, user: str, *, media: bool
) -> Iterator[tuple[str, Iterable[bytes], bool]]:  # fmt: skip
    """Name, content and whether it is compressed by itself, of everything."""
    rows = _Rows(platform)
    yield "README.txt", [_README.encode()], False
    profile = next(rows.of(select(users).where(users.c.id == user)), {})
    yield "profile.json", [_text(profile) + b"\n"], False
    mine = select(jobs.c.id).where(jobs.c.owner == user)
    lists: dict[str, Select[Any]] = {
        "jobs": select(jobs).where(jobs.c.owner == user),
        "events": select(events).where(events.c.job.in_(mine)),
        "locks": select(locks).where(locks.c.job.in_(mine)),
        "batches": select(batches).where(batches.c.owner == user),
        "uploads": select(uploads).where(uploads.c.owner == user),
        "consents": select(consents).where(consents.c.owner == user),
        "clones": select(clones).where(clones.c.owner == user),
        "usage": select(usage).where(usage.c.owner == user),
        "keys": select(keys).where(keys.c.owner == user),
        "sessions": select(sessions).where(sessions.c.owner == user),
        "webhooks": select(hooks).where(hooks.c.owner == user),
        "deliveries": select(deliveries).join(hooks).where(hooks.c.owner == user),
    }
    for name, wanted in lists.items():
        yield f"{name}.jsonl", (_text(row) + b"\n" for row in rows.of(wanted)), False
    told = (_text(entry.as_json()) + b"\n" for entry in audit.about(platform.sql, user))
    yield "audit.jsonl", told, False
    for row in rows.of(select(projects).where(projects.c.job.in_(mine)), together=_TEXTS):
        yield f"projects/{row['job']}/{row['revision']}.json", [str(row["text"]).encode()], False
    for row in rows.of(select(glossaries).where(glossaries.c.owner == user)):
        yield f"glossaries/{row['id']}.csv", [str(row["text"]).encode()], False
    if media:
        yield from _media(platform, rows, user)


def _media(platform: Platform, rows: _Rows, user: str) -> Iterator[tuple[str, Iterable[bytes], bool]]:
    """Uploads and results that are still there."""
    blobs = platform.store.blobs
    held = uploads.c.blob.is_not(None)
    for row in rows.of(select(uploads).where(uploads.c.owner == user, held)):
        blob = blob_named(str(row["blob"]), int(row["size"]))
        if blobs.has(blob):
            yield (
                f"media/uploads/{row['id']}/{safe_name(str(row['name']), otherwise='upload')}",
                _read(blobs.open, blob),
                True,
            )
    done = select(jobs).where(jobs.c.owner == user, jobs.c.result.is_not(None))
    for row in rows.of(done):
        for item in Result.model_validate(row["result"]).files.values():
            if blobs.has(item.blob):
                yield (
                    f"media/jobs/{row['id']}/{safe_name(item.name, otherwise='result')}",
                    _read(blobs.open, item.blob),
                    True,
                )


class _Rows:
    """Rows as they are exported, read in portions."""

    def __init__(self, platform: Platform) -> None:
        self._sql = platform.sql

    def of(self, wanted: Select[Any], *, together: int = _TOGETHER) -> Iterator[dict[str, Any]]:
        """Each row by its columns, without secrets; so many ``together`` are in memory."""
        table = wanted.get_final_froms()[0]
        table = getattr(table, "left", table)
        order = list(table.primary_key)
        hidden = _SECRET.get(str(getattr(table, "name", "")), frozenset())
        at = 0
        while True:
            with self._sql.reading() as connection:
                found = connection.execute(wanted.order_by(*order).limit(together).offset(at)).all()
            for row in found:
                yield {
                    name: json.loads(value) if name in _JSON and value else value
                    for name, value in row._asdict().items()
                    if name not in hidden
                }
            if len(found) < together:
                return
            at += len(found)


def _read(opened: Callable[[Blob], IO[bytes]], blob: Blob) -> Iterator[bytes]:
    with opened(blob) as file:
        while block := file.read(_BLOCK):
            yield block


def _text(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, default=_plain).encode("utf-8", "surrogatepass")


def _plain(value: object) -> object:
    return float(value) if isinstance(value, Decimal) else str(value)
