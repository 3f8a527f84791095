"""What a job must pass before it is queued: everything that can be refused is refused here, at no cost."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, func, select

from autodub.engines import registry
from autodub.engines.context import engine_context
from autodub.gateway.store import Store
from autodub.infra.addresses import Networks, permit
from autodub.infra.blobs import blob_named
from autodub.infra.server_settings import ServerSettings
from autodub.infra.settings import Settings
from autodub.infra.sql import Sql
from autodub.jobs import affordable
from autodub.jobs.audit import Deed
from autodub.jobs.consents import Consents
from autodub.jobs.content import Content
from autodub.jobs.feasible import Feasible, Given
from autodub.jobs.quotas import Quotas
from autodub.jobs.records import Actor, Job, Resource
from autodub.jobs.spec import UNSENT, JobSpec, asked
from autodub.jobs.tables import glossaries, jobs, uploads
from autodub.model.errors import (
    BadOption,
    Forbidden,
    NotFound,
    QuotaExceeded,
    UnknownLanguage,
)
from autodub.model.language import Language

_UNTITLED = "video"
_OF_KIND = {
    "subtitles": (
        "it is a file of subtitles, and there is nothing to dub in it",
        "Give it as `subtitles`, and the recording they belong to as `upload` or `source`.",
    ),
    "media": ("it is a recording, not subtitles", "Give it as `upload`; subtitles end in .srt or .vtt."),
}
"""Kind of an upload that was given as the other one -> what is wrong, and how to fix it."""


class Admission:
    """The rules of one server."""

    def __init__(
        self, sql: Sql, settings: Settings, server: ServerSettings, quotas: Quotas, content: Content,
        consents: Consents, store: Store, *, clock: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        self._sql, self._settings, self._server, self._quotas = sql, settings, server, quotas
        self._content, self._consents, self._store, self._clock = content, consents, store, clock
        self._feasible = Feasible(settings, looks=server.check_engines, moderator=server.moderation)

    def examined(self, actor: Actor, spec: JobSpec, *, kind: str) -> JobSpec:
        """The request with everything checked that needs nobody else. Raises RequestError.

        Uploads that are ``UNSENT`` are taken to be what the request says of them.
        """
        target = Language.parse(spec.target)
        if spec.spoken is not None and Language.parse(spec.spoken).primary == target.primary:
            raise UnknownLanguage(
                f"Source and target are both {target.name}.",
                hint="Give another `target`, or in `spoken` what is really spoken.",
            )
        if spec.source is not None:
            allowed = engine_context(self._settings).fetching
            permit(spec.source, sites=allowed.sites, networks=Networks.of(allowed.addresses))
        self._engines(actor, spec)
        self._content.examine_text(spec.title or "", spec.tone, spec.instructions, *spec.terms)
        with self._sql.reading() as connection:
            if kind == "dub":
                self._consents.admit(connection, actor, spec)
            seconds, given = self._belongings(connection, actor, spec)
        if kind == "dub":
            self._quotas.check(actor.id, seconds=seconds)
        found = spec.model_copy(update={"target": target.tag})
        self._feasible.examine(found, given, is_admin=actor.is_admin)
        if kind == "dub":
            with self._sql.reading() as connection:
                affordable.check(connection, actor, found)
        return found

    def possible(self, actor: Actor, job: Job) -> None:
        """Raise RequestError for a job that could not be made now: an engine it needs may be gone.

        Conflict for one that a newer release submitted.
        """
        self._feasible.examine(asked(job), Given(), is_admin=actor.is_admin)

    def resource(self, spec: JobSpec) -> Resource:
        """What binds such a job."""
        return self._feasible.resource(spec)

    def _engines(self, actor: Actor, spec: JobSpec) -> None:
        context = engine_context(self._settings)
        for role, name in spec.engines.items():
            registry.load(role, name)
        for role, options in spec.options.items():
            if role not in spec.engines:
                raise BadOption(
                    f"Options are given for the {role}, but no {role} is named.",
                    hint=f"Name it in `engines.{role}`, too: it is its options that count.",
                )
            own = registry.beyond(registry.load(role, spec.engines[role]), options)
            if own is not None and not actor.is_admin:  # asked before anything looks where a path leads
                raise Forbidden(
                    f"The option {own} of {role}.{spec.engines[role]} reaches the server's files or account.",
                    hint="Only an admin may set it like this; names of models may be given by everybody.",
                )
            registry.build(role, spec.engines[role], options, context)

    def _belongings(self, connection: Connection, actor: Actor, spec: JobSpec) -> tuple[float, Given]:
        """Check what the request names of the user's own.

        Returns seconds to be dubbed, 0 where nobody knows yet, and what is known of its upload.
        """
        seconds, given = 0.0, Given()
        for upload, kind in ((spec.upload, "media"), (spec.subtitles, "subtitles")):
            if upload is None or upload == UNSENT:
                continue
            info = self._upload(connection, actor, upload, kind)
            if kind == "media":
                given = Given.of(info)
                whole = float(info.get("seconds") or 0)
                if whole and (spec.start or 0) >= whole:
                    raise BadOption(
                        f"The range starts at {spec.start:g} s, but the upload ends at {whole:g} s.",
                        hint="Give a smaller `start`.",
                    )
                seconds = max(0.0, min(whole, spec.end or whole) - (spec.start or 0))
        if spec.glossary is not None:
            mine = select(glossaries.c.text).where(
                glossaries.c.id == spec.glossary, glossaries.c.owner == actor.id
            )
            text = connection.execute(mine).scalar()
            if text is None:
                raise NotFound(f"There is no glossary {spec.glossary}.", hint="Make it first.")
            self._content.examine_text(text)  # what it says is spoken
        return seconds, given

    def _upload(self, connection: Connection, actor: Actor, upload: str, kind: str) -> dict[str, Any]:
        """What an upload of the actor's holds. Raises NotFound; BadOption where it is not fit."""
        mine = select(uploads).where(uploads.c.id == upload, uploads.c.owner == actor.id)
        row = connection.execute(mine).one_or_none()
        if row is None:
            raise NotFound(f"There is no upload {upload}.", hint="Upload the file first.")
        if row.state == "ready" and row.kind == kind:
            info: dict[str, Any] = json.loads(row.info)
            return info
        if row.state == "receiving":
            why, fix = "it is not complete", "Send the rest of it first."
        elif row.state == "ready":
            why, fix = _OF_KIND[row.kind]
        else:
            why, fix = row.why or "it was refused", "Upload another file."
        raise BadOption(f"The upload {upload} cannot be used: {why}.", hint=fix)

    def room(self, actor: Actor, *, fresh: int) -> None:
        """Raise QuotaExceeded when with ``fresh`` more jobs too many of one user's would wait."""
        with self._sql.reading() as connection:
            self.counted(connection, actor, fresh=fresh)

    def counted(self, connection: Connection, actor: Actor, *, fresh: int, are_in: bool = False) -> None:
        """Raise QuotaExceeded when with ``fresh`` more jobs too many of one user's would wait.

        ``are_in``: they are in the queue already, in this transaction.
        """
        if not fresh:
            return
        waiting = connection.execute(
            select(func.count()).where(jobs.c.owner == actor.id, jobs.c.state == "queued")
        ).scalar_one()
        others = waiting - fresh if are_in else waiting
        if others + fresh > self._server.queued:
            raise QuotaExceeded(
                f"{others} of your jobs are waiting, and {self._server.queued} may.",
                hint="Wait until some are done, or cancel some.",
            )

    def title(self, connection: Connection, spec: JobSpec) -> str:
        """What a job is called: as the user says, else by its upload or address."""
        if spec.title:
            return spec.title
        if spec.upload:
            name = connection.execute(select(uploads.c.name).where(uploads.c.id == spec.upload)).scalar()
            return str(name or _UNTITLED)
        return str(spec.source)[:300]

    def kept(self, connection: Connection, actor: Actor, job: str, spec: JobSpec, *, at: float) -> list[Deed]:
        """Keep what was stated with a job; what is to be recorded of it. Raises NotFound for a lost upload.

        From here on an upload stays as long as the job does: whoever removes one looks for jobs that use it.
        """
        deeds = self._consents.kept(connection, actor, job, spec, at=at)
        for upload in filter(None, (spec.upload, spec.subtitles)):
            mine = select(uploads.c.blob, uploads.c.size).where(uploads.c.id == upload)
            mine = mine.where(uploads.c.owner == actor.id).with_for_update()  # nobody deletes it meanwhile
            row = connection.execute(mine).one_or_none()
            if not row or not row.blob or not self._store.blobs.has(blob_named(row.blob, row.size)):
                raise NotFound(f"There is no upload {upload}.", hint="Upload the file again.")
        return deeds

    def again(self, connection: Connection, actor: Actor, job: Job) -> None:
        """Raise QuotaExceeded, ConsentMissing or Forbidden for a job that may not be queued again.

        It waits among its owner's jobs, whoever asks.
        """
        self._consents.again(connection, actor, job)
        self.counted(connection, Actor(job.owner), fresh=1)
