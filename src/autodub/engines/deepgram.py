"""Transcriber and diarizer in the cloud: Deepgram, through its official SDK."""

from __future__ import annotations

import importlib.util
import math
import threading
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field

from autodub.engines import deepgram_answer, deepgram_wire
from autodub.engines.deepgram_wire import DEEPGRAM, LARGEST
from autodub.engines.roles import EngineContext, EngineOptions, Info, Readiness, Work
from autodub.infra import http
from autodub.model.calls import Transcribe
from autodub.model.errors import BadAnswer, EngineCannot, Gone, Refused, Rejected, TooLong
from autodub.model.language import Language
from autodub.model.speech import Transcript

_TERM_TOKENS = 500
"""Tokens of all key terms of a request together."""
_REGIONS: Mapping[str, frozenset[str]] = {
    "de": frozenset({"CH"}),
    "en": frozenset({"AU", "GB", "IN", "NZ", "US"}),
    "es": frozenset({"419"}),
    "fr": frozenset({"CA"}),
    "nl": frozenset({"BE"}),
    "pt": frozenset({"BR", "PT"}),
}
"""Regions that have a model or a spelling of their own; others would be refused."""
_CALLED = {"nb": "no", "nn": "no", "fil": "tl", "yue": "zh-HK"}


class DeepgramOptions(EngineOptions):
    """Options of the deepgram transcriber."""

    model: str = Field(
        "nova-3", pattern=r"^[A-Za-z0-9_.:-]{1,100}$", description="Model, such as nova-3 or nova-2."
    )
    diarize_model: Literal["latest", "v1", "v2", "off"] = Field(
        "latest", description="Which model tells the speakers apart; off = none does."
    )
    multilingual: bool = Field(
        False, description="Several languages are spoken in turn (about ten are known, at a higher price)."
    )
    utt_split: float = Field(0.8, ge=0.1, le=10, description="Seconds of silence that end an utterance.")
    smart_format: bool = Field(True, description="Write numbers, dates and addresses as one reads them.")
    punctuate: bool = Field(True, description="Write punctuation and capitals; a dub needs them.")
    profanity_filter: bool = Field(False, description="Leave out or mask swear words.")
    codec: Literal["flac", "opus"] = Field(
        "flac", description="How the sound is sent: flac loses nothing, opus takes a quarter of the room."
    )
    # What follows changes no answer, so it is no part of what an answer is kept under.
    timeout: float = Field(
        900.0, ge=10, le=3600, exclude=True, description="Seconds to wait for an answer, once all is sent."
    )
    mip_opt_out: bool = Field(
        False, exclude=True, description="Keep the sound out of model training; may change the price."
    )


class Deepgram:
    """Recognises some forty languages with word times, and tells speakers apart."""

    Options: ClassVar[type[EngineOptions]] = DeepgramOptions

    def __init__(self, options: DeepgramOptions, context: EngineContext) -> None:
        self.options = options
        self.context = context
        self._key = context.secrets.get(DEEPGRAM.key, "").strip()
        self._base = deepgram_wire.base_address(context.endpoints)
        self._opened: Any = None
        self._lock = threading.Lock()

    @classmethod
    def describe(cls) -> Info:
        return Info(
            name="deepgram",
            role="transcriber",
            version="1",
            summary="Deepgram: nova-3 in the cloud, word times and speakers; needs a key",
            resource="net",
            lanes=8,
            paid=True,
            diarizes=True,
            licence="commercial service",
            key=DEEPGRAM.key,
        )

    def readiness(self) -> Readiness:
        if importlib.util.find_spec("deepgram") is None:
            return Readiness("not installed", "deepgram-sdk is missing", "pip install 'autodub[deepgram]'")
        if not self._key:
            return Readiness(
                "needs key",
                f"{DEEPGRAM.key} is not set",
                f"export {DEEPGRAM.key}=... (or [secrets] in the file)",
            )
        return Readiness("ready", f"model {self.options.model} at {self._host()}")

    @property
    def account(self) -> str:
        """Whose limits the calls count against."""
        return http.account("deepgram", endpoint=self._base, key=self._key)

    def pool(self, verb: str) -> str:
        """One limit for all that is transcribed."""
        return "transcription" if verb == "transcribe" else "account"

    @property
    def model(self) -> str:
        """The model as the price table names it."""
        return self.options.model

    def quote(self, verb: str, request: object) -> Mapping[str, float]:
        """Seconds of sound, and the same again for telling speakers apart, which is charged on top."""
        if verb != "transcribe" or not isinstance(request, Transcribe):
            return {}
        return self._billed(request.speech.duration / 1000)

    def prepare(self) -> None:
        """Import the SDK and make a client of it."""
        if self._key:
            self._client()

    def examine(self) -> Readiness:
        """Ask with the key: a wrong one raises Refused, a model that is gone raises Gone.

        Keys that may only transcribe, and servers of one's own, need not answer such questions.
        """
        client = self._client()
        once: Any = {"timeout": 10.0, "max_retries": 0}
        try:
            deepgram_wire.asked(lambda: client.manage.v1.projects.list(request_options=once), what="account")
            found = deepgram_wire.asked(
                lambda: client.manage.v1.models.list(request_options=once), what="models"
            )
        except Refused as error:
            if error.whole_account:
                raise
            return Readiness("ready", "the key is good, but may not look at the account")
        except Gone:
            return Readiness("ready", f"{self._host()} answers, but tells nothing about the account")
        offered = {
            str(name)
            for model in found.stt or ()
            for name in (model.name, model.canonical_name, model.architecture)
            if name
        }
        if offered and self.options.model not in offered:
            raise Gone(
                f"Deepgram does not offer the model {self.options.model}.",
                hint="Set the option model to one of: " + ", ".join(sorted(offered)[:20]) + ".",
            )
        return Readiness("ready", f"the key is good, and there is a model {self.options.model}")

    def transcribe(self, request: Transcribe, work: Work) -> Transcript:
        """What is said, one segment per utterance and speaker (``S1``, ``S2`` ... as they come).

        Speaker numbers hold within one answer only, so a programme is always sent whole. Raises TooLong
        when it is too large for that, and what ``http.failure`` makes of a refusal.
        """
        if not request.speech.frames:
            return Transcript(request.language or "en", ())
        terms, left_out = self._terms(request.terms)
        path = deepgram_wire.compress(
            work.path(request.speech.blob), work.scratch, codec=self.options.codec, check=work.check
        )
        size = path.stat().st_size
        if size > LARGEST:
            raise TooLong(
                f"Deepgram takes files up to {LARGEST / 1e9:g} GB; this one has {size / 1e9:.1f}.",
                hint="Set the option codec to opus, dub a shorter range, or use another transcriber.",
            )
        client = self._client()
        try:
            with deepgram_wire.Upload(
                path, progress=lambda part: work.progress(0.3 * part, "sending the sound")
            ) as sound:
                answer = self._answer(client, sound, request, terms)
            heard = deepgram_answer.read(
                answer.data,
                deepgram_answer.Asked(
                    limit=request.speech.duration,
                    model=self.options.model,
                    language=request.language,
                    wants_speakers=self.options.diarize_model != "off",
                ),
            )
        except BadAnswer:  # it has listened to all of it all the same
            self._meter(work, request.speech.duration / 1000)
            raise
        work.reference(heard.request or str(answer.headers.get("dg-request-id", "")))
        self._meter(work, heard.seconds)
        if not left_out:
            return heard.transcript
        note = f"Deepgram was not told of {left_out} of {len(request.terms)} terms: {self._limit()}."
        told = heard.transcript
        return Transcript(told.language, told.segments, (*told.notes, note))

    def _answer(
        self, client: Any, sound: deepgram_wire.Upload, request: Transcribe, terms: Sequence[str]
    ) -> Any:
        options = self.options
        # All is said explicitly: what is left out falls back to an old English model.
        asked: dict[str, Any] = {
            "model": options.model,
            "utterances": True,
            "utt_split": options.utt_split,
            "smart_format": options.smart_format,
            "punctuate": options.punctuate,
            "profanity_filter": options.profanity_filter,
            "filler_words": False,
            "mip_opt_out": options.mip_opt_out,
        }
        if options.diarize_model != "off":
            asked["diarize_model"] = options.diarize_model
        if options.multilingual:
            asked["language"] = "multi"
        elif request.language is not None:
            asked["language"] = spoken(request.language)
        else:
            asked["detect_language"] = True
        if terms:
            asked["keyterm"] = list(terms)
        transcribe = client.listen.v1.media.with_raw_response.transcribe_file
        try:
            return deepgram_wire.asked(
                lambda: transcribe(request=sound, request_options={"max_retries": 0}, **asked),
                what="transcription",
            )
        except Rejected as error:
            if request.language is not None and "language" in error.message.lower():
                error.hint = (
                    f"If {options.model} does not know '{request.language}', choose an older model "
                    "(option model) or another transcriber."
                )
            raise

    def _terms(self, wanted: Sequence[str]) -> tuple[list[str], int]:
        """(terms that can be told, how many cannot)."""
        terms: dict[str, None] = {}
        room = _TERM_TOKENS if self.options.model.startswith("nova-3") else 0
        for at, term in enumerate(wanted):
            text = " ".join(term.replace(",", " ").split())
            # Tokens are not ours to count: words, or three bytes each, whichever are more.
            room -= max(len(text.split()), math.ceil(len(text.encode()) / 3))
            if room < 0:
                return list(terms), len(wanted) - at
            if text:
                terms[text] = None
        return list(terms), 0

    def _limit(self) -> str:
        if self.options.model.startswith("nova-3"):
            return f"it takes about {_TERM_TOKENS} tokens of them"
        return f"the model {self.options.model} takes none"

    def _meter(self, work: Work, seconds: float) -> None:
        for unit, amount in self._billed(seconds).items():
            work.meter(unit, amount)

    def _billed(self, seconds: float) -> dict[str, float]:
        heard = "multilingual_seconds" if self.options.multilingual else "seconds"
        return {heard: seconds} | (
            {} if self.options.diarize_model == "off" else {"diarized_seconds": seconds}
        )

    def _client(self) -> Any:
        if not self._key:
            raise EngineCannot(
                "Deepgram cannot be asked without a key.",
                hint=f"Set {DEEPGRAM.key} in the environment or under [secrets] in the config file.",
            )
        with self._lock:
            if self._opened is None:
                self._opened = deepgram_wire.client(
                    key=self._key, base=self._base, timeout=self.options.timeout
                )
            return self._opened

    def _host(self) -> str:
        return self._base.partition("://")[2].rpartition("@")[2].partition("/")[0] or self._base


def spoken(tag: str) -> str:
    """Deepgram's name of a language: the region only where it has a model for it."""
    language = Language(tag)
    primary, region = language.primary, language.region
    if primary == "zh":
        if region == "HK":
            return "zh-HK"
        return "zh-TW" if region == "TW" or language.script == "Hant" else "zh-CN"
    if region in _REGIONS.get(primary, ()):
        return f"{primary}-{region}"
    return _CALLED.get(primary, primary)
