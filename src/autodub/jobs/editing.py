"""Editing a dub: its project, every revision of it, and making the dub again of what was changed.

A change is meant for one revision and becomes the next one; a change of an older revision is refused, so
that nobody's work is lost. The dub itself is made again only when somebody asks for it, and speaks only
what was changed. A project may be changed while its dub is being made: the result is stale then.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, delete, select

from autodub.dubbing import subtitles
from autodub.gateway.store import Store
from autodub.infra.sql import Sql
from autodub.jobs import audit, events
from autodub.jobs import editing_revisions as revisions
from autodub.jobs.catalogue import Catalogue
from autodub.jobs.content import Content
from autodub.jobs.editing_cues import texts_of
from autodub.jobs.editing_draft import Draft, Known
from autodub.jobs.editing_operations import Operation
from autodub.jobs.editing_projects import Projects
from autodub.jobs.editing_revisions import Revision
from autodub.jobs.editing_views import Lock, Transcript, differing, differing_voices, view
from autodub.jobs.records import OVER, Actor, Job
from autodub.jobs.results import Item, Result
from autodub.jobs.service import Jobs
from autodub.jobs.tables import jobs, locks
from autodub.model.errors import Conflict, NotFound, OldRevision
from autodub.model.job import Event
from autodub.model.language import Language
from autodub.pipeline.project import LineEntry, Project

_TOLD = 200
"""Lines an event names at most."""


@dataclass(frozen=True, slots=True)
class Edited:
    """What came of a change."""

    transcript: Transcript
    """The new revision, with the lines that were changed and no others."""
    lines: frozenset[str]
    """Lines that were changed, those that were taken out included."""


@dataclass(frozen=True, slots=True)
class _Facts:
    """What the receipt says of the dub as it was made."""

    limit: int
    """Milliseconds of programme."""
    synthesizer: str


class Editing:
    """The projects of a platform's jobs. Safe for many threads and processes at once."""

    def __init__(
        self, sql: Sql, own: Jobs, store: Store, catalogue: Catalogue, content: Content, *,
        clock: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        self._sql, self._jobs, self._store, self._catalogue = sql, own, store, catalogue
        self._content, self._clock = content, clock
        self._facts: dict[str, _Facts] = {}
        self._projects = Projects()

    def transcript(self, actor: Actor, job: str) -> Transcript:
        """The newest revision as people read it. Raises NotFound, and Conflict before there is one."""
        found = self._edited(actor, job)
        with self._sql.reading() as connection:
            project = self._read(connection, job, found.revision)
            return self._view(connection, found, project, found.revision, found.made)

    def project(self, actor: Actor, job: str, number: int | None = None) -> tuple[int, str]:
        """A revision, the newest by default, and its text as JSON."""
        found = self._edited(actor, job)
        number = found.revision if number is None else number
        with self._sql.reading() as connection:
            return number, revisions.text(connection, job, number)

    def pair(self, actor: Actor, job: str) -> tuple[Job, Project, Project]:
        """The newest revision, and the project as the result has it. Nobody may change them."""
        found = self._edited(actor, job)
        with self._sql.reading() as connection:
            project = self._read(connection, job, found.revision)
            made = self._result(found)
            if made is None:
                made = self._read(connection, job, revisions.kept_since(connection, job, found.made))
            return found, project, made

    def history(self, actor: Actor, job: str) -> list[Revision]:
        """All revisions that are kept, newest first."""
        self._edited(actor, job)
        with self._sql.reading() as connection:
            return revisions.history(connection, job)

    def apply(
        self, actor: Actor, job: str, operations: Sequence[Operation], *, revision: int | None
    ) -> Edited:
        """Change the project; all operations are one new revision, or none where nothing changes.

        ``revision`` is the one they are meant for; None: whichever is the newest. Raises OldRevision,
        Conflict for a locked line, NotFound, BadOption for what the dub would refuse, and ContentRefused.
        """
        found = self._at(actor, job, revision)
        with self._sql.reading() as connection:
            project = self._read(connection, job, found.revision)
        draft = Draft(project, self._known(found, project))
        return self._write(actor, found, draft.apply(operations), draft.touched, draft.voices)

    def retext(
        self, actor: Actor, job: str, data: bytes, *, of: Literal["text", "source"], revision: int | None
    ) -> Edited:
        """Give lines the texts of a subtitle file, by their times: of the dub, or of the source.

        Raises BadSubtitles naming the cue that fits no line, and what ``apply`` raises.
        """
        found = self._at(actor, job, revision)
        cues = subtitles.parse(data).segments
        with self._sql.reading() as connection:
            project = self._read(connection, job, found.revision)
        draft = Draft(project, self._known(found, project))
        changed = draft.apply(texts_of(cues, project.lines, of=of))
        return self._write(actor, found, changed, draft.touched, draft.voices)

    def restore(self, actor: Actor, job: str, number: int, *, revision: int | None) -> Edited:
        """Make an old revision the newest again. Raises Conflict where the transcript is another since."""
        found = self._at(actor, job, revision)
        with self._sql.reading() as connection:
            old = self._read(connection, job, number)
            present = self._read(connection, job, found.revision)
        if old.made_lines != present.made_lines:
            raise Conflict(
                f"Revision {number} is of another transcript.", hint="Restore one that was made since."
            )
        changed = differing(old, present)
        what = {line: {f"as in revision {number}"} for line in changed}
        sounds = {entry.id: entry.timing for entry in present.lines}
        lines = [  # where a line sounds is what the result has, whatever is restored
            entry.model_copy(update={"timing": sounds.get(entry.id)}) for entry in old.lines
        ]
        restored = old.model_copy(update={"lines": lines})
        return self._write(actor, found, restored, what, differing_voices(old, present))

    def lock(self, actor: Actor, job: str, line: str) -> Lock:
        """Keep everybody from changing a line. Raises Conflict when somebody else has locked it."""
        self._edited(actor, job)
        now = self._clock()

        def work(connection: Connection) -> Lock:
            held = revisions.locked(connection, job).get(line)
            if held is not None:
                if held.author != actor.id:
                    raise Conflict(f"Line {line} is locked by {held.name or held.author}.")
                return held
            # Through the job's row, so that nobody changes the line in the same moment.
            events.change(connection, job, Event("job.locked", data={"line": line}), at=now)
            number = connection.execute(select(jobs.c.revision).where(jobs.c.id == job)).scalar_one()
            if all(entry.id != line for entry in self._read(connection, job, number).lines):
                raise NotFound(f"There is no line {line}.", hint="The transcript lists the lines there are.")
            values = {"job": job, "line": line, "author": actor.id, "created": now}
            connection.execute(self._sql.insert(locks).values(**values).on_conflict_do_nothing())
            audit.record(self._sql, connection, actor, "job.locked", f"job:{job}", at=now)
            return revisions.locked(connection, job)[line]

        return self._sql.again(work)

    def unlock(self, actor: Actor, job: str, line: str) -> None:
        """Let a line be changed again: the job's owner and admins may, whoever locked it."""
        self._edited(actor, job)

        def work(connection: Connection) -> None:
            told = Event("job.unlocked", data={"line": line})
            where = locks.c.job == job, locks.c.line == line
            if connection.execute(delete(locks).where(*where)).rowcount:
                events.change(connection, job, told, at=self._clock())
                audit.record(
                    self._sql, connection, actor, "job.unlocked", f"job:{job}", at=self._clock()
                )  # fmt: skip

        self._sql.again(work)

    def regenerate(
        self, actor: Actor, job: str, operations: Sequence[Operation] = (), *, revision: int | None = None
    ) -> Job:
        """Make the dub again with all edits, after the operations. Raises Conflict while it is being made."""
        found = self._edited(actor, job)
        if found.state not in OVER:
            raise Conflict(
                f"The job is {found.state}.", hint="Wait until it is over; edits made meanwhile are kept."
            )
        if operations:
            self.apply(actor, job, operations, revision=revision)
        elif revision is not None:
            self._at(actor, job, revision)
        return self._jobs.queue_again(
            actor, job, of=("completed", "failed", "cancelled"), action="job.regenerated"
        )

    def _edited(self, actor: Actor, job: str) -> Job:
        found = self._jobs.get(actor, job)
        if not found.revision:
            raise Conflict("The job has no transcript yet.", hint="There is one once its dub is completed.")
        return found

    def _at(self, actor: Actor, job: str, revision: int | None) -> Job:
        found = self._edited(actor, job)
        if revision is not None and revision != found.revision:
            raise _outdated(revision, found.revision)
        return found

    def _write(
        self, actor: Actor, found: Job, project: Project, touched: Mapping[str, set[str]], voices: set[str]
    ) -> Edited:
        """Keep a project as the next revision, unless nothing was changed."""
        lines = frozenset(touched)
        if not touched and not voices:
            with self._sql.reading() as connection:
                same = self._view(connection, found, project, found.revision, found.made, only=lines)
            return Edited(same, lines)
        for entry in project.lines:
            if entry.id in lines:
                self._content.examine_text(entry.text, entry.source)
        number, now = found.revision + 1, self._clock()
        text, what = project.model_dump_json(), _what(touched, voices)
        told: dict[str, Any] = {
            "revision": number, "lines": sorted(lines)[:_TOLD], "count": len(lines),
            "voices": len(voices), "by": actor.id,
        }  # fmt: skip

        def work(connection: Connection) -> int:
            same = [jobs.c.revision == found.revision, jobs.c.stopping != "delete"]
            event = Event("job.edited", data=told)
            if events.change(connection, found.id, event, at=now, where=same, revision=number) is None:
                raise self._old(connection, found.id, found.revision)
            revisions.refuse_locked(connection, found.id, lines)
            revisions.add(connection, found.id, number, text, author=actor.id, what=what, at=now)
            data = {"revision": number, "lines": len(lines), "voices": len(voices)}
            audit.record(
                self._sql, connection, actor, "job.edited", f"job:{found.id}", at=now, data=data
            )  # fmt: skip
            made = select(jobs.c.made).where(jobs.c.id == found.id)
            return int(connection.execute(made).scalar_one())

        made = self._sql.again(work)
        self._projects.put(found.id, number, project, len(text))
        with self._sql.reading() as connection:
            return Edited(self._view(connection, found, project, number, made, only=lines), lines)

    def _read(self, connection: Connection, job: str, number: int) -> Project:
        """A revision; whoever changes it must change a copy."""
        return self._projects.get(job, number, lambda: revisions.text(connection, job, number))

    def _view(
        self, connection: Connection, found: Job, project: Project, number: int, made: int, *,
        only: frozenset[str] | None = None,
    ) -> Transcript:  # fmt: skip
        base = project
        if made != number:
            base = self._read(connection, found.id, revisions.kept_since(connection, found.id, made))
            project = self._sounding(found, project)
        locks = revisions.locked(connection, found.id)
        return view(found.id, number, made, project, base, locks, only=only)

    def _result(self, found: Job) -> Project | None:
        """The project as the result's own file has it; None where it is gone."""
        item = Result.model_validate(found.result or {}).files.get("project")
        if item is None:
            return None
        path = self._store.blobs.path(item.blob)
        try:
            return self._projects.get(item.digest, 0, lambda: path.read_text("utf-8"))
        except FileNotFoundError:
            return None

    def _sounding(self, found: Job, project: Project) -> Project:
        """A project with the times at which its lines sound in the result.

        A revision by a person has those that were known when they edited: the dub may have been made since.
        """
        result = self._result(found)
        if result is None:
            return project
        times = {entry.id: entry.timing for entry in result.lines}
        lines = [
            entry.model_copy(update={"timing": times[entry.id]})
            if entry.id in times and entry.timing != times[entry.id] else entry
            for entry in project.lines
        ]  # fmt: skip
        return project.model_copy(update={"lines": lines})

    def _old(self, connection: Connection, job: str, revision: int) -> NotFound | OldRevision:
        row = connection.execute(select(jobs.c.revision, jobs.c.stopping).where(jobs.c.id == job)).first()
        if row is None or row.stopping == "delete":
            return NotFound(f"There is no job {job}.", hint="It was deleted meanwhile.")
        return _outdated(revision, row.revision)

    def _known(self, found: Job, project: Project) -> Known:
        def earlier(line: str) -> LineEntry | None:
            with self._sql.reading() as connection:
                return revisions.earlier(connection, found.id, line)

        def has_voice(voice: str) -> bool:
            name, options = self._receipt(found).synthesizer, {}
            if found.spec.get("engines", {}).get("synthesizer") == name:
                options = found.spec.get("options", {}).get("synthesizer", {})
            _, voices = self._catalogue.voices(Language.parse(project.target), name, options=options)
            return any(one.id == voice for one in voices)

        return Known(lambda: self._receipt(found).limit, has_voice, earlier)

    def _receipt(self, found: Job) -> _Facts:
        """The facts of the dub as it was made. Raises Conflict when its files are gone."""
        item = Item.model_validate((found.result or {}).get("files", {}).get("receipt"))
        facts = self._facts.get(item.digest)
        if facts is None:
            try:
                receipt = json.loads(self._store.blobs.path(item.blob).read_text("utf-8"))
            except FileNotFoundError:
                raise Conflict("The files of this dub are gone.", hint="Regenerate it first.") from None
            lengths = receipt["durations"]
            sound = lengths["source_samples"] * 1000 // lengths["sample_rate_hz"]
            by_role = {engine["role"]: engine["name"] for engine in receipt["engines"]}
            facts = _Facts(min(lengths["source_ms"], sound), by_role["synthesizer"])
            if len(self._facts) >= 1000:
                self._facts.clear()
            self._facts[item.digest] = facts
        return facts


def _outdated(revision: int, present: int) -> OldRevision:
    return OldRevision(
        f"This was meant for revision {revision}; the project is at revision {present} now.",
        hint="Read the transcript again, and make the change there.",
        present=present,
    )


def _what(touched: Mapping[str, set[str]], voices: set[str]) -> str:
    """What was changed: names of lines and fields, no words."""
    parts = [f"{name}: {', '.join(sorted(fields))}" for name, fields in sorted(touched.items())]
    parts += ["voices"] if voices else []
    said = "; ".join(parts[:6])
    return f"{said}; and {len(parts) - 6} more" if len(parts) > 6 else said
