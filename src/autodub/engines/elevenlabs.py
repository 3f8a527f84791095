"""ElevenLabs: speech in stock voices of the account and in clones of the speakers.

Requires ``elevenlabs`` and an account's key. The engines ask for raw PCM, so that a clip is exactly
as long as its speech.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from autodub.engines import elevenlabs_account as account
from autodub.engines import elevenlabs_voices as account_voices
from autodub.engines.elevenlabs_client import KEY, NAME, NO_MODEL, Client, cost, heed
from autodub.engines.elevenlabs_cloning import ElevenLabsCloner
from autodub.engines.elevenlabs_models import model_of
from autodub.engines.elevenlabs_options import ElevenLabsOptions
from autodub.engines.roles import EngineContext, EngineOptions, Info, Readiness, Work
from autodub.media import sound
from autodub.model.calls import ListVoices, Synthesize
from autodub.model.errors import (
    BadAnswer,
    EngineCannot,
    Gone,
    Refused,
    Rejected,
    TooLong,
)
from autodub.model.language import Language
from autodub.model.speech import Speech, Voice, Voices

_SLOWEST, _FASTEST = 0.7, 1.2
"""Speeds that are documented to sound well; others are not sent."""
_CONTEXT = 400
"""Characters of context sent on either side."""
_LONGEST = 3.0
"""Seconds of sound per character beyond which an answer is nonsense, on top of a minute."""
_TELLING, _DENSEST = 20, 35
"""From so many characters on, so many a second are more than anybody says: the sound was cut short."""
_CHUNK = 1 << 16
_VERSION = "2"


__all__ = ["ElevenLabs", "ElevenLabsCloner"]


class _Facts:
    """``describe`` of the class: the facts of the default options; of an engine: those of its own."""

    def __get__(self, engine: ElevenLabs | None, owner: type[ElevenLabs]) -> Callable[[], Info]:
        options = ElevenLabsOptions() if engine is None else engine.options
        return lambda: _info(options)


def _info(options: ElevenLabsOptions) -> Info:
    model = model_of(options.model_id)
    return Info(
        name=NAME,
        role="synthesizer",
        version=_VERSION,
        summary="ElevenLabs: natural voices in 29 languages and more; an account and its key",
        languages=model.languages,
        resource="net",
        lanes=options.lanes,
        paid=True,
        licence="commercial service",
        rates=(_SLOWEST, _FASTEST),
        joins=options.stitch and model.has_context,
        key=KEY,
        characters=model.characters,
    )


class ElevenLabs:
    """Speaks with ElevenLabs."""

    Options: ClassVar[type[EngineOptions]] = ElevenLabsOptions
    describe = _Facts()

    def __init__(self, options: ElevenLabsOptions, context: EngineContext) -> None:
        self.options: ElevenLabsOptions = options
        self.context = context
        self._client = Client(context, timeout=options.timeout)
        self._facts = model_of(options.model_id)

    def readiness(self) -> Readiness:
        return self._client.readiness(f"speaks with {self.options.model_id}")

    def prepare(self) -> None:
        """Import the SDK and open its connections; nothing is sent."""
        self._client.prepare()

    @property
    def account(self) -> str:
        return self._client.account

    def pool(self, verb: str) -> str:
        return "speech" if verb == "synthesize" else "voices"

    @property
    def model(self) -> str:
        return self.options.model_id

    def quote(self, verb: str, request: object) -> Mapping[str, float]:
        """Characters a line will be billed at; everything else costs nothing."""
        if verb != "synthesize" or not isinstance(request, Synthesize):
            return {}
        return {"characters": float(len(_plain(request.text)))}

    def examine(self) -> Readiness:
        """Credit and model, asked of the provider; what a narrow key may not read is left out."""
        found = [account.credit(self._client), account.model(self._client, self.options.model_id)]
        return Readiness("ready", "; ".join(filter(None, found)) or "the key works")

    def list_voices(self, request: ListVoices, work: Work) -> Voices:
        """The account's voices for a language, those known to speak it first.

        Raises Refused where the key may not list voices, and EngineCannot where there is none.
        """
        language = Language(request.language)
        if self._facts.languages is not None and language.primary not in self._facts.languages:
            raise EngineCannot(
                f"{self.options.model_id} does not speak {language.name}.",
                hint="Choose another --set synthesizer.model_id, such as eleven_v3, or another synthesizer.",
            )
        chosen = account_voices.named(self.options.voices)
        if chosen:
            return Voices(tuple(Voice(NAME, name, language.tag, gender=gender) for name, gender in chosen))
        try:
            voices = list(account_voices.listed(self._client, work))
        except Refused as error:
            if error.whole_account:
                raise
            raise account_voices.listing_refused(error) from None
        is_free = (
            any(account_voices.from_library(v) for v in voices) and account.tier(self._client, work) == "free"
        )
        offer = account_voices.Offer(
            language, self.options.model_id, is_free, self.options.own_prefix, self.options.clones
        )
        offered = account_voices.offered(voices, offer)
        if not offered:
            raise EngineCannot(
                "The ElevenLabs account has no voice that may be cast.",
                hint="Add voices to “My Voices” there, or name some with --set synthesizer.voices=ID,ID.",
            )
        return Voices(offered)

    def synthesize(self, request: Synthesize, work: Work) -> Speech:
        """Speak one line. Rates beyond 0.7 .. 1.2 are held at these bounds.

        Raises TooLong before anything is sent, Gone for a voice the account does not have (any more):
        a cloned one is made again when it is asked for the next time.
        """
        text = _plain(request.text)
        if not any(c.isalnum() for c in text):
            raise Rejected("There is nothing to say in this text.", hint="Give the line words.", engine=NAME)
        if len(text) > self._facts.characters:
            raise TooLong(
                f"{self.options.model_id} speaks at most {self._facts.characters} characters at once, "
                f"and this line has {len(text)}.",
                hint="Split the line.",
                engine=NAME,
            )
        voice = request.voice
        if voice.reference is None and not account_voices.is_id(voice.id):
            raise _no_voice(voice.id)
        handle = voice.id
        if voice.reference is not None:
            handle = work.rent(voice.id, lambda name: account_voices.add(self._client, name, voice, work))
        try:
            return self._spoken(request, text, handle, work)
        except Gone as error:
            if error.message == NO_MODEL:
                raise
            if voice.reference is None:
                raise _no_voice(voice.id) from None
            work.lost(voice.id, handle)
            raise Gone(
                "The cloned voice is not in the ElevenLabs account any more.",
                hint="It is cloned again when it is needed the next time.",
                engine=NAME,
            ) from None

    def _spoken(self, request: Synthesize, text: str, handle: str, work: Work) -> Speech:
        rate = int(self.options.output_rate)
        headers, content = self._client.ask(
            lambda sdk: self._convert(sdk, request, text, handle, work), what="a line of speech", work=work
        )
        heed(headers, work)
        work.meter("characters", cost(headers, characters=len(text), each=self._facts.credits))
        kind = headers.get("content-type", "").lower()
        wrong = ""
        if not content:
            wrong = "nothing"
        elif kind.startswith(("text/", "application/json")):
            wrong = "text instead of sound"
        elif len(content) % 2:
            wrong = "half a sample"
        elif len(text) >= _TELLING and len(content) / 2 / rate < len(text) / _DENSEST:
            wrong = "less sound than the text takes"
        if wrong:
            raise BadAnswer(f"ElevenLabs answered with {wrong}.", hint="It is asked once more.", engine=NAME)
        samples = np.frombuffer(content, dtype="<i2").astype(np.float32) / 32768
        path = work.scratch / "speech.wav"
        sound.store(samples, rate, path, subtype="PCM_16")
        kept = work.keep(path)
        return Speech(sound.audio(kept, work.path(kept), "mono"))

    def _convert(
        self, sdk: Any, request: Synthesize, text: str, handle: str, work: Work
    ) -> tuple[dict[str, str], bytes]:
        """Send a line; the reply's headers (names in lower case) and sound."""
        most = 2 * int(self.options.output_rate) * (60 + _LONGEST * len(text))
        content = bytearray()
        with sdk.text_to_speech.with_raw_response.convert(
            handle,
            text=text,
            model_id=self.options.model_id,
            output_format=f"pcm_{self.options.output_rate}",
            seed=self.options.seed,
            voice_settings=self._settings(request.rate * request.voice.pace),
            apply_text_normalization=self.options.text_normalization,
            request_options=self._client.options(chunk_size=_CHUNK),
            **self._context(request),
        ) as reply:
            headers = {name.lower(): value for name, value in reply.headers.items()}
            for piece in reply.data:
                work.check()
                content += piece
                if len(content) > most:
                    raise BadAnswer(
                        "ElevenLabs' answer goes on and on.", hint="It is asked once more.", engine=NAME
                    )
        return headers, bytes(content)

    def _settings(self, rate: float) -> Any:
        from elevenlabs.types.voice_settings import VoiceSettings

        stability = self.options.stability
        if self._facts.steps:
            stability = min(self._facts.steps, key=lambda step: abs(step - stability))
        settings: dict[str, Any] = {
            "stability": stability,
            "similarity_boost": self.options.similarity_boost,
            "speed": round(min(max(rate, _SLOWEST), _FASTEST), 4),
        }
        if self._facts.has_style:
            settings |= {"style": self.options.style, "use_speaker_boost": self.options.use_speaker_boost}
        return VoiceSettings(**settings)

    def _context(self, request: Synthesize) -> dict[str, str]:
        """Fields of a request that not every model takes."""
        more: dict[str, str] = {}
        if self._facts.takes_language:
            primary = Language(request.voice.language).primary
            more["language_code"] = {"nb": "no", "nn": "no"}.get(primary, primary)
        if self.describe().joins:
            before, after = _plain(request.before)[-_CONTEXT:], _plain(request.after)[:_CONTEXT]
            more |= {"previous_text": before} if before else {}
            more |= {"next_text": after} if after else {}
        return more


def _plain(text: str) -> str:
    """Text without what a model takes for an instruction: tags, breaks, controls."""
    kept = "".join(" " if c in "<>[]" or unicodedata.category(c) in _SPACING else c for c in text)
    return " ".join("".join(c for c in kept if unicodedata.category(c) != "Cf" or c in _JOINERS).split())


_SPACING = frozenset({"Cc", "Cs", "Co", "Zl", "Zp"})
_JOINERS = "\u200c\u200d"
"""Part of the spelling in Persian, Hindi and others; other signs without a width stand inside words, too."""


def _no_voice(name: str) -> Gone:
    return Gone(
        f"The ElevenLabs account has no voice “{name[:60]}”.",
        hint="Choose another voice for this speaker; `autodub voices` lists them.",
        engine=NAME,
    )
