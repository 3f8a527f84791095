"""Asking a finished job's translator for other wordings of a line, on the job's budget and account."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, insert, select

from autodub.dubbing.glossary import parse
from autodub.engines.context import engine_context
from autodub.gateway.gateway import Gateway
from autodub.gateway.store import Store
from autodub.infra import price_list
from autodub.jobs import audit, events
from autodub.jobs.affordable import TooLittle
from autodub.jobs.deriving import PATIENCE, Check, Derived
from autodub.jobs.engine_use import Uses
from autodub.jobs.foreseeing import Fitting
from autodub.jobs.notes import GLOSSARY
from autodub.jobs.quotas import Hold
from autodub.jobs.records import OVER, Actor, Job
from autodub.jobs.results import Result
from autodub.jobs.spec import JobSpec, asked
from autodub.jobs.tables import jobs, usage
from autodub.model.errors import BudgetExceeded, Conflict, NotFound
from autodub.model.job import Event
from autodub.pipeline.choosing import builder, named
from autodub.pipeline.project import Project
from autodub.pipeline.rewording import Told, price, question, reword

if TYPE_CHECKING:
    from autodub.jobs.platform import Platform


_HELD = 6
"""Times the expected price is set aside: three calls, each of twice the expected length. An answer of no use
is paid for, too, and asked for again."""
_GLANCE = 0.05
"""Seconds between two looks whether somebody else's question is answered."""


class Rewording:
    """Asks for other wordings for one platform's jobs. Safe for many threads."""

    def __init__(self, platform: Platform, *, clock: Callable[[], float] = time.time) -> None:
        self._platform, self._clock = platform, clock

    def ask(
        self, actor: Actor, job: str, line: str, lengths: Sequence[float], *, wait: float = PATIENCE
    ) -> Fitting:
        """All wordings of a line, those that the translator gives now among them, and how they would fit.

        ``lengths`` are relative to what the line says. The same question is asked once. Raises NotFound,
        Conflict while the job is being made, EngineCannot, TooLittle, QuotaExceeded, Unfinished, and
        whatever the translator raises.
        """
        here = self._platform
        found, project, _ = here.editing.pair(actor, job)
        entry = next((one for one in project.lines if one.id == line), None)
        if entry is None:
            raise NotFound(f"There is no line {line}.", hint="The transcript lists the lines there are.")
        if found.state not in OVER:
            raise Conflict(f"The job is {found.state}.", hint="Wait until it is over.")
        # What a dub is told besides, such as a glossary, is its owner's: no other job's answer is this one's.
        wish = json.dumps([job, found.made, line, entry.text, entry.source, sorted(lengths)])
        place = f"wordings {sha256(wish.encode()).hexdigest()[:32]}"

        def make(store: Store, scratch: Path, check: Check) -> tuple[Path, Mapping[str, Any]]:
            with self._alone(found, store, check):
                texts = self._asked(actor, found, project, line, lengths, store)
            out = scratch / "wordings.json"
            out.write_text(json.dumps(texts, ensure_ascii=False), "utf-8")
            return out, {}

        def kept(_: Check) -> Derived:
            return here.deriving.kept(job, place, make)

        done = here.deriving.of(job, place, kept, by=actor.id, wait=wait)
        try:
            more: list[str] = json.loads(here.store.blobs.path(done.blob).read_text("utf-8"))
        except FileNotFoundError:
            raise NotFound("These wordings are gone.", hint="Ask again.") from None
        return here.foreseeing.wordings(actor, job, line, more=more)

    def _asked(
        self, actor: Actor, job: Job, project: Project, line: str, lengths: Sequence[float], store: Store
    ) -> list[str]:
        here = self._platform
        spec = asked(job)
        name = self._translator(job)
        if spec.engines.get("translator") != name:  # its options are of another one
            spec = spec.model_copy(update={"options": {}})
        request = spec.request("", title=None, subtitles=None, glossary=None, budget=self._budget(job, spec))
        build = builder(request, engine_context(here.settings))
        engine = named("translator", name, build, why="as the dub was made", by_user=True).engine
        told = Told(self._glossary(job, project.target), request.style)
        wish = question(engine, project, line, lengths, told)
        prices = price_list.table(here.settings.prices)
        held = here.quotas.hold(job.owner, price(engine, wish, prices) * _HELD)
        limits = (request.budget, None if held is None else held.dollars)
        cap = min((one for one in limits if one is not None), default=None)
        gateway = Gateway(
            store, redact=here.settings.redact, prices=prices, cap=cap, cancel=here.deriving.cancel
        )
        texts: tuple[str, ...] = ()
        try:
            texts = reword(gateway, engine, wish, told)
        except BudgetExceeded as problem:  # its advice is for who runs dubs by hand
            raise TooLittle(
                "Other wordings would cost more than the job's `budget` and your month have left.",
                hint="Write another wording yourself.",
            ) from problem
        finally:  # also an answer of no use was paid for
            dollars = gateway.bill().total
            gateway.close()
            self._charge(actor, job, line, Decimal(dollars), count=len(texts), engine=name, held=held)
        return list(texts)

    @contextmanager
    def _alone(self, job: Job, store: Store, check: Check) -> Iterator[None]:
        """Where money is limited its owner's questions are asked one by one: each knows what is left."""
        if self._budget(job, asked(job)) is None:
            yield
            return
        lock = store.flight(f"wordings-{job.owner}")  # free again when its holder is killed
        while not lock.take():
            check()
            time.sleep(_GLANCE)
        try:
            yield
        finally:
            lock.free(remove=True)

    def _budget(self, job: Job, spec: JobSpec) -> Decimal | None:
        """What is left of the job's own limits and of its owner's month; None = no limit."""
        here = self._platform
        whole = [limit for limit in (spec.budget, here.server.job_dollars or None) if limit is not None]
        with here.sql.reading() as connection:
            spent = connection.execute(select(jobs.c.spent).where(jobs.c.id == job.id)).scalar() or 0
        limits = [max(Decimal(0), limit - Decimal(spent)) for limit in whole]
        left = here.quotas.month(job.owner).dollars_left
        return min([*limits, *([] if left is None else [left])], default=None)

    def _translator(self, job: Job) -> str:
        """Who translated the dub. Raises Conflict where nobody knows any more."""
        item = Result.model_validate(job.result or {}).files.get("receipt")
        try:
            text = "{}" if item is None else self._platform.store.blobs.path(item.blob).read_text("utf-8")
        except FileNotFoundError:
            text = "{}"
        for engine in json.loads(text).get("engines", []):
            if engine["role"] == "translator":
                return str(engine["name"])
        raise Conflict("Nobody knows who translated this dub.", hint="Regenerate it first.")

    def _glossary(self, job: Job, target: str) -> Any:
        """The glossary as the dub was made with it."""
        text = self._platform.notes.read(job.id, GLOSSARY)
        return () if text is None else parse(text.removeprefix("\ufeff"), target=target)

    def _charge(
        self, actor: Actor, job: Job, line: str, dollars: Decimal, *, count: int, engine: str,
        held: Hold | None,
    ) -> None:  # fmt: skip
        """Tell of it, and put what it cost on the owner's account."""
        now = self._clock()
        uses = Uses()
        uses.call({"role": "translator", "engine": engine, "dollars": dollars}, is_answer=bool(count))
        told = Event("job.reworded", data={"line": line, "count": count, "dollars": float(dollars)})

        def work(connection: Connection) -> None:
            idle = [jobs.c.state != "processing"]  # a running job's own count would take no notice
            number = events.change(connection, job.id, told, at=now, where=idle, spent=jobs.c.spent + dollars)
            if dollars:
                row = {"owner": job.owner, "at": now, "seconds": 0.0, "dollars": dollars, "compute": 0.0,
                       "engines": uses.text()}  # fmt: skip
                of = job.id if number is not None else secrets.token_hex(16)
                connection.execute(insert(usage).values(id=secrets.token_hex(16), job=of, **row))
            self._platform.quotas.release(connection, held)
            audit.record(
                self._platform.sql, connection, actor, "job.reworded", f"job:{job.id}", at=now,
                data={"line": line},
            )  # fmt: skip

        self._platform.sql.again(work)
