"""Everything that can go wrong, as one tree.

::

    AutodubError
      RequestError          the user can fix it before anything is spent
        UnsupportedSource   the file or address cannot be dubbed (missing, empty, not media, no sound)
        UnknownLanguage     no such language, or source and target are the same
        UnknownEngine       no engine of that name for that role
        BadOption           an engine option is unknown or out of range
        BadSubtitles        the subtitle file cannot be read as one
        BadProject          the project file beside the output cannot be read
        EngineCannot        the engine named cannot do this (language, missing data, missing key)
        OutputProblem       the output cannot be written (permission, no room, would overwrite the source)
        NotFound            no such job, file, user ... or none that this user may see
        Conflict            the state of things does not allow it (a job under way, a line that is locked)
          OldRevision       an edit of a revision that is not the newest; ``present`` is that
        Unauthenticated     nobody is logged in, or the key is not (or no longer) good
        Forbidden           this user may not
        ConsentMissing      a voice is to be cloned, and nobody stated that it may
        ContentRefused      what is said in the source is against the operator's policy
        QuotaExceeded       the user's minutes or money of this month are used up
        TooMany             asked too often; ``retry_after`` seconds
        TooLarge            a file has more bytes than the operator allows
      EngineError           an engine failed; ``transient`` says whether trying again makes sense
        Unreachable         no answer, crash, time-out                       (transient)
        Busy                told to slow down; ``retry_after`` seconds       (transient)
        Rejected            this request cannot succeed
        Refused             key, permission or plan
        NoCredit            the account is empty
        TooLong             text or audio must be split
        BadAnswer           answered with nonsense                           (transient once)
        Gone                a voice or file vanished
        Full                no slot left at the account
      CircuitOpen           the engine failed so often that it is not asked any more
      BudgetExceeded        the job would cost more than allowed
      Cancelled             somebody asked to stop
      Unavailable           the platform's database or queue does not answer
      MediaError            ffmpeg said no; carries the command and its last lines

Each class has a stable ``code``; each error a sentence for people and a ``hint`` that says how to
fix it. Nothing in a message may carry a secret.
"""

from __future__ import annotations

from typing import ClassVar


class AutodubError(Exception):
    """Anything Autodub reports to a person: a sentence, a hint, and a stable code."""

    code: ClassVar[str] = "error"

    def __init__(self, message: str, *, hint: str = "") -> None:
        # A reason quoted at the end of a sentence may have brought a full stop of its own.
        message = message[:-1] if message.endswith("..") and not message.endswith("...") else message
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class RequestError(AutodubError):
    """The user can fix it; nothing was spent."""

    code = "bad_request"


class UnsupportedSource(RequestError):
    """The source cannot be dubbed."""

    code = "unsupported_source"


class UnknownLanguage(RequestError):
    """No such language, or a pair that makes no sense."""

    code = "unknown_language"


class UnknownEngine(RequestError):
    """No engine of that name for that role."""

    code = "unknown_engine"


class BadOption(RequestError):
    """An option is unknown or out of range."""

    code = "bad_option"


class BadSubtitles(RequestError):
    """The subtitle file cannot be read as one."""

    code = "bad_subtitles"


class BadProject(RequestError):
    """The project file beside the output cannot be read."""

    code = "bad_project"


class EngineCannot(RequestError):
    """The engine cannot do what is asked of it."""

    code = "engine_cannot"


class OutputProblem(RequestError):
    """The output cannot be written."""

    code = "output_problem"


class NotFound(RequestError):
    """Nothing of that name, or nothing that this user may see."""

    code = "not_found"


class Conflict(RequestError):
    """The state of things does not allow it."""

    code = "conflict"


class OldRevision(Conflict):
    """Somebody, or a dub, has changed the project since."""

    code = "old_revision"

    def __init__(self, message: str, *, hint: str = "", present: int) -> None:
        super().__init__(message, hint=hint)
        self.present = present
        """The newest revision."""


class Unauthenticated(RequestError):
    """Nobody is logged in, or the key is not good."""

    code = "unauthenticated"


class Forbidden(RequestError):
    """This user may not."""

    code = "forbidden"


class ConsentMissing(RequestError):
    """A voice is to be cloned, and nobody stated that it may."""

    code = "consent_missing"


class ContentRefused(RequestError):
    """What is said in the source is against the operator's policy."""

    code = "content_refused"


class QuotaExceeded(RequestError):
    """The user's minutes or money are used up."""

    code = "quota_exceeded"


class TooMany(RequestError):
    """Asked too often."""

    code = "too_many"

    def __init__(self, message: str, *, hint: str = "", retry_after: float | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after
        """Seconds after which asking again makes sense."""


class TooLarge(RequestError):
    """A file has more bytes than the operator allows."""

    code = "too_large"


class EngineError(AutodubError):
    """An engine failed."""

    code = "engine_failed"
    transient: ClassVar[bool] = False

    def __init__(
        self, message: str, *, hint: str = "", engine: str = "", retry_after: float | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.engine = engine
        self.retry_after = retry_after
        """Seconds the engine asked us to wait, if it did."""


class Unreachable(EngineError):
    """No answer: crash, hang, network."""

    code = "unreachable"
    transient = True


class Busy(EngineError):
    """Told to slow down."""

    code = "busy"
    transient = True


class Rejected(EngineError):
    """This request cannot succeed."""

    code = "rejected"


class Refused(EngineError):
    """Key, permission or plan."""

    code = "refused"

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        engine: str = "",
        retry_after: float | None = None,
        whole_account: bool = True,
    ) -> None:
        super().__init__(message, hint=hint, engine=engine, retry_after=retry_after)
        self.whole_account = whole_account
        """False when the key is good and only this kind of call is not allowed (permission, plan)."""


class NoCredit(EngineError):
    """The account is empty."""

    code = "no_credit"


class TooLong(EngineError):
    """Text or audio must be split."""

    code = "too_long"


class BadAnswer(EngineError):
    """An answer that fails our checks; worth asking once more."""

    code = "bad_answer"
    transient = True


class Gone(EngineError):
    """A voice, model or file vanished."""

    code = "gone"


class Full(EngineError):
    """No slot left at the account."""

    code = "full"


class CircuitOpen(AutodubError):
    """The engine failed so often that it is not asked any more."""

    code = "circuit_open"

    def __init__(self, message: str, *, hint: str = "", engine: str = "") -> None:
        super().__init__(message, hint=hint)
        self.engine = engine
        """``role.name`` of the engine that was to be asked."""


class BudgetExceeded(AutodubError):
    """The job would cost more than allowed."""

    code = "budget_exceeded"


class Cancelled(AutodubError):
    """Somebody asked to stop; finished work is kept."""

    code = "cancelled"


class Unavailable(AutodubError):
    """The platform's database or queue does not answer."""

    code = "unavailable"


class MediaError(AutodubError):
    """ffmpeg said no."""

    code = "media_failed"

    def __init__(self, message: str, *, hint: str = "", command: tuple[str, ...] = (), log: str = "") -> None:
        super().__init__(message, hint=hint)
        self.command = command
        self.log = log
        """The program's last lines."""
