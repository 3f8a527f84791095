"""The platform put together: one object per process that knows every part. The only place that does."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from pathlib import Path

from sqlalchemy import select

from autodub import __version__
from autodub.gateway.opening import LASTING, open_store
from autodub.infra import private, server_settings
from autodub.infra.server_settings import ServerSettings
from autodub.infra.settings import Settings
from autodub.infra.sql import Sql
from autodub.infra.tracing import Traces
from autodub.jobs import schema
from autodub.jobs.accounts import Accounts
from autodub.jobs.admission import Admission
from autodub.jobs.batches import Batches
from autodub.jobs.catalogue import Catalogue
from autodub.jobs.claiming import Claims
from autodub.jobs.comparing import Comparing
from autodub.jobs.consents import Consents
from autodub.jobs.content import Content
from autodub.jobs.deriving import Deriving
from autodub.jobs.doorbell import Doorbell, Queue
from autodub.jobs.editing import Editing
from autodub.jobs.erasing import Erasing
from autodub.jobs.exports import Exports
from autodub.jobs.foreseeing import Foreseeing
from autodub.jobs.glossaries import Glossaries
from autodub.jobs.keys import Keys
from autodub.jobs.looking import Looking
from autodub.jobs.metrics import Numbers
from autodub.jobs.notes import Notes
from autodub.jobs.previewing import OWNER, Previewing
from autodub.jobs.privacy import Privacy
from autodub.jobs.quotas import Quotas
from autodub.jobs.records import LOCAL, Actor
from autodub.jobs.rewording import Rewording
from autodub.jobs.service import Jobs
from autodub.jobs.sessions import Sessions
from autodub.jobs.signing import Signing
from autodub.jobs.stages import Stages
from autodub.jobs.tables import jobs, uploads, users
from autodub.jobs.thumbnails import Thumbnails
from autodub.jobs.uploads import Uploads
from autodub.jobs.usage import Consumption
from autodub.jobs.watching import Watching
from autodub.jobs.waveforms import Waveforms
from autodub.jobs.webhooks import Webhooks


class Platform:
    """Everything a server, a worker or a command needs of the platform."""

    def __init__(self, settings: Settings, server: ServerSettings) -> None:
        """Open the database, migrating it where that is due. Raises Unavailable (Excluded), OutputProblem."""
        settings = server_settings.limited(settings, server)
        self.settings, self.server = settings, server
        address = server.database.get_secret_value()
        private.folder(settings.data_dir)
        self.sql = Sql(address) if address else Sql.in_folder(settings.data_dir)
        with ExitStack() as unfinished:
            unfinished.callback(self.sql.close)
            schema.upgrade(self.sql)
            self.store = open_store(settings, patience=LASTING)
            """Kept answers and files, as nobody's: for reading results."""
            unfinished.callback(self.store.close)
            self._put_together(settings, server)
            unfinished.pop_all()

    def _put_together(self, settings: Settings, server: ServerSettings) -> None:
        self.claims = Claims(self.sql, server)
        self.queue = self._queue()
        self.accounts, self.keys = Accounts(self.sql), Keys(self.sql)
        self.sessions = Sessions(self.sql, server)
        self.quotas = Quotas(self.sql, server)
        self.content = Content(settings, server)
        self.consents = Consents(self.sql, server, self.store, self.queue)
        self.admission = Admission(
            self.sql, settings, server, self.quotas, self.content, self.consents, self.store
        )
        self.jobs = Jobs(self.sql, server, self.queue, self.admission)
        self.stages = Stages(self.sql, self.jobs)
        self.watching = Watching(self.sql, self.jobs, most=max(4, server.threads * 9 // 10))
        self.uploads = Uploads(self.sql, self.store, server, settings.data_dir / "uploads")
        self.deriving = Deriving(settings, self.store, self._is_there)
        self.notes = Notes(self.sql, self.folder, is_shared=bool(settings.store_database.get_secret_value()))
        self.exports = Exports(self.jobs, self.store, settings, self.notes, self.deriving)
        self.looking = Looking(settings, self.store, self.uploads)
        self.thumbnails = Thumbnails(self.sql, self.jobs, self.uploads, self.deriving)
        self.waveforms = Waveforms(self.jobs, self.exports, self.store, self.deriving)
        self.hooks = Webhooks(self.sql, server, self.queue)
        self.numbers = Numbers(self.sql, lease=server.lease)
        self.traces = Traces(server.traces, version=__version__)
        self.erasing = Erasing(self)
        self.privacy = Privacy(self)
        self.signing = Signing(server, self.store)
        self.catalogue = Catalogue(settings, self.store)
        self.previewing = Previewing(settings, self.store, self.catalogue, self.deriving)
        self.editing = Editing(self.sql, self.jobs, self.store, self.catalogue, self.content)
        self.comparing = Comparing(self.sql, self.editing)
        self.foreseeing = Foreseeing(self.editing, self.exports)
        self.rewording = Rewording(self)
        self.glossaries = Glossaries(self.sql, self.content)
        self.batches = Batches(self.sql, self.jobs, self.admission)
        self.consumption = Consumption(self.sql, self.quotas)
        self._local()

    @classmethod
    def open(cls, settings: Settings, **given: object) -> Platform:
        """The platform of the settings; ``given`` are server settings of the command line."""
        return cls(settings, server_settings.load(settings, given=given))

    def _queue(self) -> Queue:
        """What wakes workers: those of this machine, or through a broker those of all."""
        bell = Doorbell(self.bells)
        if not self.server.broker.get_secret_value():
            return bell
        from autodub.jobs.celery_queue import CeleryQueue

        return CeleryQueue(self.server.broker, bell, self.claims)

    @property
    def bells(self) -> Path:
        """Where the workers of this machine wait to be woken."""
        return self.settings.data_dir / "bells"

    @property
    def alive(self) -> Path:
        """Where the workers of this machine show that they live."""
        return self.settings.data_dir / "workers"

    def folder(self, job: str) -> Path:
        """A job's own folder: what it is given as files. Its results are in the store."""
        return self.settings.data_dir / "jobs" / job

    def is_ours(self) -> bool:
        """Whether no newer release has changed database or store so that this one must leave them alone.

        Raises Unavailable, OutputProblem.
        """
        return schema.is_usable(self.sql) and self.store.is_ours()

    def has_room(self) -> bool:
        """Whether the disk has room for another job."""
        return shutil.disk_usage(self.settings.data_dir).free >= self.server.spare

    def close(self) -> None:
        """Let go of the store and the database."""
        self.watching.close()
        self.deriving.close()
        self.traces.close()
        self.queue.close()
        self.store.close()
        self.sql.close()

    def _is_there(self, owner: str) -> bool:
        """Whether a job, or ``upload:<id>``, has not been deleted."""
        if owner == OWNER:
            return True
        upload = owner.removeprefix("upload:")
        if upload != owner:
            wanted = select(uploads.c.id).where(uploads.c.id == upload)
        else:
            wanted = select(jobs.c.id).where(jobs.c.id == owner, jobs.c.stopping != "delete")
        with self.sql.reading() as connection:
            return connection.execute(wanted).first() is not None

    def _local(self) -> None:
        """The one user there is without accounts."""
        with self.sql.reading() as connection:
            if connection.execute(select(users.c.id).where(users.c.id == LOCAL)).first():
                return
        import time

        row = {"id": LOCAL, "name": LOCAL, "role": "admin", "active": True, "created": time.time()}
        with self.sql.writing() as connection:
            connection.execute(self.sql.insert(users).values(**row).on_conflict_do_nothing())


LOCAL_ACTOR = Actor(LOCAL, LOCAL, "admin")
"""Who asks on a server without accounts."""
