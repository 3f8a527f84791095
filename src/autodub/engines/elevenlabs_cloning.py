"""ElevenLabs as cloner: instant cloning from a minute or two of speech."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from autodub.engines import elevenlabs_account as account
from autodub.engines import elevenlabs_voices as account_voices
from autodub.engines.elevenlabs_client import KEY, NAME, Client
from autodub.engines.elevenlabs_options import ElevenLabsClonerOptions
from autodub.engines.roles import EngineContext, EngineOptions, Info, Readiness, Work
from autodub.media import sound
from autodub.model.calls import Clone, Forget
from autodub.model.errors import Rejected
from autodub.model.media import Audio
from autodub.model.speech import Voice
from autodub.model.time import Span

_VERSION = "1"
_FALLBACK = 90_000
"""Milliseconds of a sample that is cut here, where none was."""


class ElevenLabsCloner:
    """Clones speakers at ElevenLabs (instant cloning); the voices are rented and given back."""

    Options: ClassVar[type[EngineOptions]] = ElevenLabsClonerOptions

    def __init__(self, options: ElevenLabsClonerOptions, context: EngineContext) -> None:
        self.options: ElevenLabsClonerOptions = options
        self.context = context
        self._client = Client(context, timeout=options.timeout)

    @classmethod
    def describe(cls) -> Info:
        return Info(
            name=NAME,
            role="cloner",
            version=_VERSION,
            summary="ElevenLabs instant cloning: the speakers' own voices; an account and its key",
            resource="net",
            lanes=2,
            licence="commercial service",
            clones=NAME,
            key=KEY,
        )

    def readiness(self) -> Readiness:
        return self._client.readiness("clones voices")

    def prepare(self) -> None:
        """Import the SDK and open its connections; nothing is sent."""
        self._client.prepare()

    @property
    def account(self) -> str:
        return self._client.account

    def pool(self, verb: str) -> str:  # noqa: ARG002 - cloning and deleting count alike
        return "voices"

    def examine(self) -> Readiness:
        """Whether the plan clones, and has room for another voice. Raises Refused or Full where not."""
        return Readiness("ready", account.slots(self._client) or "the key works")

    def clone(self, request: Clone, work: Work) -> Voice:
        """A voice made from the sample, rented at the account. Raises Rejected when the sample is short.

        Raises Refused where the plan does not clone or the voice would need verification, and Full where
        the account has no slot left.
        """
        sample = request.sample if request.sample is not None else _cut(request, work)
        seconds = sample.frames / sample.rate
        if seconds < self.options.least_seconds:
            raise Rejected(
                f"Only {seconds:.1f} seconds of {request.name} alone can be heard; "
                f"{self.options.least_seconds:g} are needed to clone a voice.",
                hint="The speaker gets a stock voice.",
                engine=NAME,
            )
        choice = self.options.remove_background_noise
        isolated = choice == "on" or (choice == "auto" and not request.is_clean)
        voice = Voice(
            NAME,
            account_voices.clone_id(sample, isolated=isolated),
            request.base.language,
            gender=request.base.gender,
            reference=sample,
        )

        def make(name: str) -> str:
            handle = account_voices.add(self._client, name, voice, work)
            work.meter("voices", 1)
            return handle

        work.rent(voice.id, make)
        return voice

    def forget(self, request: Forget, work: Work) -> None:
        """Delete a voice; one that is gone already is no error."""
        account_voices.delete(self._client, request.handle, work)

    def rented(self, prefix: str, work: Work) -> Mapping[str, str]:
        """Ids by name of cloned voices whose name begins so."""
        return account_voices.cloned(self._client, prefix, work)


def _cut(request: Clone, work: Work) -> Audio:
    """A sample from the sound that recognition hears, where no better one was cut."""
    path = work.scratch / "sample.wav"
    with sound.Reader(work.path(request.speech.blob)) as reader:
        rate = reader.rate
        with sound.Writer(path, rate=rate, channels=1, subtype="PCM_16") as writer:
            left = _FALLBACK
            for span in request.spans:
                part = Span(span.start, min(span.end, span.start + left))
                first, last = (round(at * rate / 1000) for at in (part.start, part.end))
                writer.write(reader.read(first, last - first).mean(axis=1))
                left -= part.duration
                work.check()
    blob = work.keep(path)
    return sound.audio(blob, work.path(blob), "mono")
