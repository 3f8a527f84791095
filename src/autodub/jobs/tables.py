"""The platform's tables. Times are seconds since 1970 (UTC), money US dollars, JSON is kept as text.

Every change of this module needs a migration in ``migrations/versions``; a test compares the two. One that
older releases need not know of (new tables, columns with a default) says so: ``additive = True``. Any other,
and one that makes values mean something else, shuts them out of the database.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

ID = String(40)
MONEY = Numeric(14, 6, asdecimal=True)


def _owner(*, index: bool = True) -> Column[str]:
    return Column("owner", ID, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=index)


def _job() -> Column[str]:
    return Column("job", ID, ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False, index=True)


users = Table(
    "users",
    metadata,
    Column("id", ID, primary_key=True),
    Column("name", String(200), nullable=False, unique=True),  # lower case; an e-mail address or any word
    Column("password", String(300), nullable=True),  # Argon2; None: cannot log in with one
    Column("role", String(16), nullable=False),  # user, admin
    Column("active", Boolean, nullable=False),
    Column("created", Float, nullable=False),
    Column("minutes", Float, nullable=True),  # quota per calendar month; None = the setting's
    Column("dollars", MONEY, nullable=True),
    Column("running", Integer, nullable=True),  # jobs at once; None = the setting's
    Column("leaving", Float, nullable=True),  # since when everything of this user is being erased
    Column("turn", Float, nullable=True),  # when a job of theirs last began, also one that is gone
)

sessions = Table(  # of browsers
    "sessions",
    metadata,
    Column("digest", String(64), primary_key=True),  # sha256 of the cookie's secret
    _owner(),
    Column("created", Float, nullable=False),
    Column("used", Float, nullable=False),
    Column("expires", Float, nullable=False),
    Column("agent", String(200), nullable=False),
)

keys = Table(
    "keys",
    metadata,
    Column("id", ID, primary_key=True),
    _owner(),
    Column("name", String(100), nullable=False),
    Column("digest", String(64), nullable=False, unique=True),  # sha256 of the key, which is shown once
    Column("hint", String(16), nullable=False),  # its first characters
    Column("scopes", Text, nullable=False),  # words with spaces between
    Column("created", Float, nullable=False),
    Column("used", Float, nullable=True),
    Column("expires", Float, nullable=True),
    Column("revoked", Float, nullable=True),
)

batches = Table(
    "batches",
    metadata,
    Column("id", ID, primary_key=True),
    _owner(),
    Column("name", String(200), nullable=False),
    Column("created", Float, nullable=False),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", ID, primary_key=True),
    _owner(index=False),
    Column("batch", ID, ForeignKey("batches.id", ondelete="SET NULL"), nullable=True, index=True),
    Column("idempotency", String(200), nullable=True),
    Column("asked", String(64), nullable=True),  # digest of the request that came with that key
    Column("kind", String(16), nullable=False),  # dub, estimate
    Column("resource", String(8), nullable=False, default="cpu"),  # net, cpu, gpu: what binds it
    Column("state", String(16), nullable=False),
    Column("priority", Integer, nullable=False),
    Column("title", String(300), nullable=False),
    Column("spec", Text, nullable=False),  # JSON of autodub.jobs.spec.JobSpec
    Column("format", Integer, nullable=False, server_default="1"),  # what a worker must know to do it
    Column("created", Float, nullable=False),
    Column("queued", Float, nullable=False),  # when it last entered the queue
    Column("started", Float, nullable=True),
    Column("finished", Float, nullable=True),
    Column("updated", Float, nullable=False),
    Column("expires", Float, nullable=True),  # when retention removes it; None = never
    Column("attempt", Integer, nullable=False),  # times a worker has taken it
    Column("crashes", Integer, nullable=False),  # times a worker died with it, in a row
    Column("holder", ID, nullable=True),  # the worker that has it
    Column("lease", Float, nullable=True),  # until when
    Column("stopping", String(16), nullable=False),  # "", cancel, delete
    Column("progress", Float, nullable=False),  # 0..1 of the whole job
    Column("stage", String(32), nullable=False),
    Column("message", Text, nullable=False),
    Column("error", Text, nullable=True),  # JSON: code, message, hint
    Column("result", Text, nullable=True),  # JSON of autodub.jobs.results.Result
    Column("revision", Integer, nullable=False),  # of the project, as a person left it
    Column("made", Integer, nullable=False),  # the revision that the result was made of
    Column("duration", Float, nullable=True),  # seconds of programme
    Column("spent", MONEY, nullable=False),  # dollars, all attempts together
    # Of its owner's month, while it runs: seconds of programme it will count for, and what it may have
    # spent at its end that no row of usage has.
    Column("reserved_seconds", Float, nullable=True),
    Column("reserved_dollars", MONEY, nullable=True),
    Column("events", BigInteger, nullable=False),  # number of the last event
    Column("seen", Text, nullable=False),  # JSON of what metrics need of a finished job: seconds by stage
    Column("trace", String(64), nullable=True),  # traceparent of the request that submitted it
    UniqueConstraint("owner", "idempotency"),
    Index("ix_jobs_claim", "state", "owner", "priority", "queued"),
    Index("ix_jobs_list", "owner", "created"),
    Index("ix_jobs_news", "owner", "updated"),
    Index("ix_jobs_stopping", "stopping"),
    Index("ix_jobs_holder", "holder"),
    Index("ix_jobs_expires", "expires"),
)

projects = Table(  # the editable text of a dub, every revision
    "projects",
    metadata,
    Column("job", ID, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("text", Text, nullable=False),
    Column("created", Float, nullable=False),
    Column("author", ID, nullable=True),  # None: made by a dub
    Column("what", String(300), nullable=False),  # what was changed, without words of the dub
)

notes = Table(  # what a worker notes of a job for other machines, where there are some
    "notes",
    metadata,
    Column("job", ID, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("name", String(40), primary_key=True),
    Column("text", Text, nullable=False),
)

locks = Table(  # lines a person locked against changes
    "locks",
    metadata,
    Column("job", ID, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("line", String(64), primary_key=True),
    Column("author", ID, nullable=False),
    Column("created", Float, nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("job", ID, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("number", BigInteger, primary_key=True),  # 1, 2, 3 ... of its job, without holes
    Column("at", Float, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("stage", String(32), nullable=False),
    Column("message", Text, nullable=False),
    Column("fraction", Float, nullable=True),
    Column("data", Text, nullable=False),  # JSON
)

workers = Table(
    "workers",
    metadata,
    Column("id", ID, primary_key=True),
    Column("host", String(200), nullable=False),
    Column("process", Integer, nullable=False),
    Column("slots", Integer, nullable=False),
    Column("started", Float, nullable=False),
    Column("seen", Float, nullable=False),
    Column("resources", String(100), nullable=False, server_default="net cpu gpu"),  # what it serves
    Column("format", Integer, nullable=False, server_default="1"),  # the newest of jobs that it knows
)

uploads = Table(
    "uploads",
    metadata,
    Column("id", ID, primary_key=True),
    _owner(),
    Column("name", String(300), nullable=False),  # as the user called it; never a path
    Column("kind", String(16), nullable=False),  # media, subtitles
    Column("size", BigInteger, nullable=False),
    Column("received", BigInteger, nullable=False),
    Column("blob", String(100), nullable=True),  # digest + suffix, once it is complete and was examined
    Column("info", Text, nullable=False),  # JSON: duration, streams
    Column("state", String(16), nullable=False),  # receiving, ready, refused
    Column("why", Text, nullable=False),
    Column("created", Float, nullable=False),
    Column("expires", Float, nullable=False),
)

glossaries = Table(
    "glossaries",
    metadata,
    Column("id", ID, primary_key=True),
    _owner(),
    Column("name", String(100), nullable=False),
    Column("text", Text, nullable=False),
    Column("created", Float, nullable=False),
    Column("updated", Float, nullable=False),
    UniqueConstraint("owner", "name"),
)

consents = Table(  # statements that a voice may be cloned; they outlive the job
    "consents",
    metadata,
    Column("id", ID, primary_key=True),
    _owner(),
    Column("job", ID, nullable=True, index=True),
    Column("who", String(300), nullable=False),  # whose voice it is, as stated
    Column("statement", Text, nullable=False),
    Column("address", String(64), nullable=False),
    Column("created", Float, nullable=False),
    Column("withdrawn", Float, nullable=True),
)

clones = Table(  # voices that were cloned, and on whose word; they stay as proof when the job goes
    "clones",
    metadata,
    Column("job", ID, primary_key=True),
    Column("speaker", String(100), primary_key=True),
    _owner(),
    Column("consent", ID, ForeignKey("consents.id", ondelete="CASCADE"), nullable=True, index=True),
    Column("sample", String(64), nullable=False, index=True),  # sha256 of the sound it was made of
    Column("engine", String(100), nullable=False),  # role.name of the cloner
    Column("voice", String(300), nullable=False),  # its identity; empty while it is being made
    Column("created", Float, nullable=False),
)

usage = Table(  # what a finished attempt consumed; rows stay when the job goes
    "usage",
    metadata,
    Column("id", ID, primary_key=True),
    _owner(),
    Column("job", ID, nullable=False, index=True),
    Column("at", Float, nullable=False, index=True),
    Column("seconds", Float, nullable=False),  # of programme dubbed
    Column("dollars", MONEY, nullable=False),
    Column("compute", Float, nullable=False),  # wall seconds of a slot
    Column("engines", Text, nullable=False, server_default="[]"),  # JSON: what each engine did
    Column("told", BigInteger, nullable=False, server_default="0"),  # number of the last event in it
)

holds = Table(  # money of a month that is set aside for single calls; jobs have theirs in their row
    "holds",
    metadata,
    Column("id", ID, primary_key=True),
    _owner(),
    Column("dollars", MONEY, nullable=False),
    Column("until", Float, nullable=False),  # when it is anybody's again, should whoever asked be gone
)

hooks = Table(
    "hooks",
    metadata,
    Column("id", ID, primary_key=True),
    _owner(),
    Column("url", Text, nullable=False),
    Column("kinds", Text, nullable=False),  # words with spaces between
    Column("secret", Text, nullable=False),  # signs; shown once
    Column("active", Boolean, nullable=False),
    Column("failing", Float, nullable=True),  # since when nothing has arrived; None = the last one did
    Column("why", Text, nullable=False),  # why it was switched off; empty where a person did
    Column("created", Float, nullable=False),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", ID, primary_key=True),
    Column("hook", ID, ForeignKey("hooks.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("job", ID, nullable=False, index=True),  # empty for a test
    Column("kind", String(32), nullable=False),
    Column("body", Text, nullable=False),
    Column("state", String(16), nullable=False),  # waiting, sent, failed
    Column("tries", Integer, nullable=False),
    Column("due", Float, nullable=False),
    Column("status", Integer, nullable=True),
    Column("trouble", Text, nullable=False),
    Column("created", Float, nullable=False),
    Index("ix_deliveries_due", "state", "due"),
)

audit = Table(  # append-only; each row's digest covers the one before it
    "audit",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Float, nullable=False),
    Column("actor", ID, nullable=False),  # user id, or "system"
    Column("action", String(64), nullable=False),
    Column("subject", String(100), nullable=False),  # job:..., user:..., key:...
    Column("address", String(64), nullable=False),  # digest of where from; see audit_addresses
    Column("data", Text, nullable=False),  # JSON; never words of the dub, never a secret
    Column("previous", String(64), nullable=False),
    Column("digest", String(64), nullable=False),
)

audit_addresses = Table(  # where from; may be forgotten without breaking the chain
    "audit_addresses",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("address", String(64), nullable=False),
    Column("salt", String(32), nullable=False),
)

compatibility = Table(  # one row: who may use the database
    "compatibility",
    metadata,
    Column("lowest", String(32), primary_key=True),  # the revision that a release must know
)

counters = Table(  # metrics that outlive a process
    "counters",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("labels", String(300), primary_key=True),
    Column("value", Float, nullable=False),
)
