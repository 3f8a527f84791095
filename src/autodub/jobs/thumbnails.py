"""Small pictures of what was uploaded, and of dubs: made when somebody asks first, kept with their film."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sqlalchemy import select

from autodub.gateway.store import Store
from autodub.infra.blobs import blob_named
from autodub.infra.sql import Sql
from autodub.jobs.deriving import PATIENCE, Check, Derived, Deriving
from autodub.jobs.records import Actor
from autodub.jobs.results import Result
from autodub.jobs.service import Jobs
from autodub.jobs.tables import uploads
from autodub.jobs.uploads import Uploads
from autodub.media.probe import probe
from autodub.media.thumbnails import Sheet, sheet
from autodub.model.errors import Conflict, NotFound
from autodub.model.media import Blob


class Thumbnails:
    """The thumbnails of one platform. Safe for many threads."""

    def __init__(self, sql: Sql, own: Jobs, sent: Uploads, deriving: Deriving) -> None:
        self._sql, self._jobs, self._uploads, self._deriving = sql, own, sent, deriving

    def of_upload(
        self, actor: Actor, upload: str, *, wait: float = PATIENCE
    ) -> tuple[Sheet, Blob] | None:  # fmt: skip
        """The pictures of an upload; None where it has none. Raises NotFound, Conflict, Unfinished."""
        found = self._uploads.get(actor, upload)
        if found.state != "ready":
            raise Conflict(f"The upload is {found.state}.", hint="Wait until it is ready.")
        if not found.info.get("video"):
            return None
        with self._sql.reading() as connection:
            wanted = select(uploads.c.blob, uploads.c.size).where(uploads.c.id == upload)
            row = connection.execute(wanted).one_or_none()
        if row is None or not row.blob:
            raise NotFound("There is no such upload any more.", hint="Upload the file again.")
        return self._made(f"upload:{upload}", blob_named(row.blob, row.size), by=actor.id, wait=wait)

    def of_job(self, actor: Actor, job: str, *, wait: float = PATIENCE) -> tuple[Sheet, Blob] | None:
        """The pictures of a finished dub, which are its source's. Raises NotFound, Unfinished."""
        found = self._jobs.get(actor, job)
        media = Result.model_validate(found.result or {}).files.get("media")
        if media is None:
            raise NotFound("The job has no film yet.", hint="Wait until it is completed.")
        return self._made(job, media.blob, by=actor.id, wait=wait)

    def _made(self, owner: str, film: Blob, *, by: str, wait: float) -> tuple[Sheet, Blob] | None:
        def make(store: Store, scratch: Path, check: Check) -> tuple[Path, Mapping[str, Any]]:
            if not store.blobs.has(film):
                raise NotFound("The film is gone.", hint="Retry the job: it is made again.")
            path, out = store.blobs.path(film), scratch / "sheet.jpg"
            found = sheet(path, probe(path, check=check), out, check=check)
            if found is None:
                out.touch()  # that there is no picture is known from now on
                return out, {}
            return out, asdict(found)

        name = f"thumbnails {film.digest}"

        def kept(_: Check) -> Derived:
            return self._deriving.kept(owner, name, make)

        done = self._deriving.of(owner, name, kept, by=by, wait=wait)
        if not done.facts:
            return None
        facts = dict(done.facts)
        return Sheet(**facts | {"times": tuple(facts["times"])}), done.blob
