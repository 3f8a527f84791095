"""Hearing a voice before it is chosen: one sentence of ours, spoken once and kept a while for others who ask.

Only voices that cost nothing are heard so, and no words of a user's are spoken: what is kept is nobody's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from autodub.engines import registry
from autodub.engines.context import engine_context
from autodub.gateway.gateway import Gateway
from autodub.gateway.store import Store
from autodub.infra.settings import Settings
from autodub.jobs.catalogue import Catalogue
from autodub.jobs.deriving import PATIENCE, Check, Derived, Deriving, Unfinished
from autodub.jobs.records import Actor
from autodub.media import sound
from autodub.model.calls import Synthesize
from autodub.model.errors import EngineCannot, NotFound
from autodub.model.language import Language
from autodub.model.speech import Speech

OWNER = "previews"
"""Whose the sounds are."""
SENTENCES: Mapping[str, str] = {
    "ar": "مرحبا، هكذا يبدو صوتي.", "bg": "Здравейте, така звучи гласът ми.",
    "ca": "Hola, així sona la meva veu.", "cs": "Dobrý den, takhle zní můj hlas.",
    "da": "Hej, sådan lyder min stemme.", "de": "Guten Tag, so klingt meine Stimme.",
    "el": "Γεια σας, έτσι ακούγεται η φωνή μου.", "en": "Hello, this is what my voice sounds like.",
    "es": "Hola, así suena mi voz.", "fi": "Hei, tältä ääneni kuulostaa.",
    "fr": "Bonjour, voici comment sonne ma voix.", "he": "שלום, כך נשמע הקול שלי.",
    "hi": "नमस्ते, मेरी आवाज़ ऐसी है।", "hr": "Dobar dan, ovako zvuči moj glas.",
    "hu": "Jó napot, így szól a hangom.", "id": "Halo, beginilah suara saya.",
    "it": "Buongiorno, ecco come suona la mia voce.", "ja": "こんにちは、これが私の声です。",
    "ko": "안녕하세요, 제 목소리입니다.", "nl": "Goedendag, zo klinkt mijn stem.",
    "no": "Hei, slik høres stemmen min ut.", "pl": "Dzień dobry, tak brzmi mój głos.",
    "pt": "Olá, é assim que soa a minha voz.", "ro": "Bună ziua, așa sună vocea mea.",
    "ru": "Здравствуйте, так звучит мой голос.", "sk": "Dobrý deň, takto znie môj hlas.",
    "sv": "Hej, så här låter min röst.", "tr": "Merhaba, sesim böyle.",
    "uk": "Добрий день, так звучить мій голос.", "vi": "Xin chào, đây là giọng nói của tôi.",
    "zh": "你好，这就是我的声音。",
}  # fmt: skip
"""Primary language -> what is said."""
_COUNTING = "1, 2, 3, 4, 5."
"""In any other language."""


class Previewing:
    """Lets the voices of one server be heard. Safe for many threads."""

    def __init__(self, settings: Settings, store: Store, catalogue: Catalogue, deriving: Deriving) -> None:
        self._settings, self._store, self._catalogue = settings, store, catalogue
        self._deriving = deriving

    def hear(
        self, actor: Actor, target: Language, voice: str, *, engine: str | None = None,
        pitch: float | None = None, pace: float = 1.0, wait: float = PATIENCE,
    ) -> bytes:  # fmt: skip
        """A WAV of a stock voice, at a mean pitch (Hz) and pace of one's choice.

        Raises NotFound for a voice there is not, EngineCannot for one that costs money, Unfinished, and
        whatever the engine raises.
        """
        name, voices = self._catalogue.voices(target, engine)
        chosen = next((one for one in voices if one.id == voice), None)
        if chosen is None:
            raise NotFound(
                f"{name} has no such voice for {target.name}.", hint="GET /api/v1/voices lists what it has."
            )
        if not is_free(name):
            raise EngineCannot(
                f"The voices of {name} cost money, so they are not spoken only to be heard.",
                hint="Dub a few seconds with it: give the job `start` and `end`.",
            )
        wanted = replace(chosen, pace=1.0, pitch=chosen.pitch if pitch is None else round(pitch))
        asked = Synthesize(SENTENCES.get(target.primary, _COUNTING), wanted, round(pace, 2))
        place = f"preview {name} {target.tag} {voice} {wanted.pitch} {asked.rate}"

        def make(store: Store, scratch: Path, _: Check) -> tuple[Path, Mapping[str, Any]]:
            built = registry.build("synthesizer", name, {}, engine_context(self._settings))
            gateway = Gateway(store, redact=self._settings.redact, cancel=self._deriving.cancel)
            try:
                said: Speech = gateway.call(built, "synthesize", asked, stage="voices")
            finally:
                gateway.close()
            samples, rate = sound.load(store.blobs.path(said.audio.blob))
            sound.store(samples, rate, scratch / "voice.wav", subtype="PCM_16")
            return scratch / "voice.wav", {}

        def kept(_: Check) -> Derived:
            return self._deriving.kept(OWNER, place, make)

        blob = self._deriving.of(OWNER, place, kept, by=actor.id, wait=wait).blob
        try:
            return self._store.blobs.path(blob).read_bytes()
        except FileNotFoundError:  # swept this moment
            raise Unfinished(place) from None

    def sweep(self) -> None:
        """Let go of all that was spoken: there is no end of pitches, and it is soon spoken anew."""
        self._store.release(OWNER)


def is_free(synthesizer: str) -> bool:
    """Whether the voices of a synthesizer can be heard before they are chosen."""
    return not registry.load("synthesizer", synthesizer).describe().paid
