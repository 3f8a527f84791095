"""espeak-ng as synthesizer: every language, no weights, exact speaking rate, a voice per speaker.

The program is GPL-3 and is only ever run as a separate process. Equal requests give equal samples.
"""

from __future__ import annotations

import re
import shutil
import threading
import unicodedata
from dataclasses import dataclass, replace
from functools import cache
from html import escape
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from autodub.engines import espeak_voices as table
from autodub.engines.roles import EngineContext, EngineOptions, Info, Readiness, Work
from autodub.infra import process
from autodub.media import pitch, sound, tone
from autodub.model.calls import ListVoices, Synthesize
from autodub.model.errors import AutodubError, EngineCannot, Gone, Rejected, Unreachable
from autodub.model.language import Language
from autodub.model.speech import Speech, Tone, Voice, Voices

Samples = npt.NDArray[np.float32]

_EXACT = 0.01
"""Relative error of length at which a rate counts as met."""
_ATTEMPTS = 4
_AUDIBLE = 1e-3


class EspeakOptions(EngineOptions):
    """Options of the espeak-ng synthesizer."""

    words_per_minute: int = Field(
        default=200,
        ge=80,
        le=300,
        description="Speed at rate 1; 200 gives about 7 syllables a second in Spanish.",
    )
    amplitude: int = Field(default=100, ge=10, le=200, description="Loudness espeak-ng speaks with.")
    match_limit: float = Field(
        default=9.0,
        ge=0.0,
        le=12.0,
        description="Most dB a band is moved when a voice is matched to a speaker.",
    )


@dataclass(frozen=True, slots=True)
class _Delivery:
    """How espeak-ng is told to speak, speed aside."""

    voice: str
    amplitude: int
    pitch: int = 50
    """``-p``; 50 is the voice's own."""
    range: int = 100
    """Percent of the voice's own pitch range."""


@dataclass(frozen=True, slots=True)
class _Match:
    """How to come near a speaker's tone."""

    settings: _Delivery
    residual: float
    """Semitones espeak-ng's own setting cannot reach."""
    gains: npt.NDArray[np.float64]
    """dB per third-octave band."""


class Espeak:
    """Speaks with espeak-ng."""

    Options: ClassVar[type[EngineOptions]] = EspeakOptions

    def __init__(self, options: EspeakOptions, context: EngineContext) -> None:
        self.options: EspeakOptions = options
        self.context = context
        self._lock = threading.Lock()
        self._known: tuple[frozenset[str], frozenset[str]] | None = None
        self._tones: dict[_Delivery, Tone] = {}

    @classmethod
    def describe(cls) -> Info:
        return Info(
            name="espeak",
            role="synthesizer",
            version=f"2+espeak-ng-{_program()}",
            summary="espeak-ng: plain but clear speech in about 100 languages, without weights",
            languages=table.LANGUAGES,
            lanes=2,
            rates=(0.7, 1.5),
            licence="GPL-3.0-or-later (separate program)",
        )

    def readiness(self) -> Readiness:
        if shutil.which("espeak-ng") is None:
            return Readiness(
                "not installed", "espeak-ng is not on the path", "sudo apt-get install espeak-ng"
            )
        return Readiness("ready", "espeak-ng is installed")

    def list_voices(self, request: ListVoices, work: Work) -> Voices:
        """Voices of a language, both genders in turn. Raises EngineCannot where espeak-ng has none."""
        self._code(request.language, work)
        return Voices(
            tuple(
                Voice("espeak", v.id, request.language, gender=v.gender, pitch=float(v.speaks_at))
                for v in table.VARIANTS
                if self._has(v.id, work)
            )
        )

    def synthesize(self, request: Synthesize, work: Work) -> Speech:
        """Speak one line at ``rate`` times the voice's pace: length scales as 1/rate within 2 % or 20 ms.

        Raises Rejected for text with nothing to say and Gone for a voice espeak-ng does not have.
        """
        text = _plain(request.text)
        if not any(c.isalnum() for c in text):
            raise Rejected(
                "There is nothing to say in this text.", hint="Give the line words.", engine="espeak"
            )
        voice = request.voice
        if not self._has(voice.id, work):
            raise Gone(
                f"espeak-ng has no voice called “{voice.id}”.",
                hint="Choose one that `espeak-ng --voices=variant` lists, or leave the voice out.",
                engine="espeak",
            )
        settings = _Delivery(voice=self._name(voice, work), amplitude=self.options.amplitude)
        matched = self._matched(voice, settings, work) if voice.tone is not None else None
        if matched is not None:
            settings = matched.settings
        elif voice.pitch is not None:
            variant = next((v for v in table.VARIANTS if v.id == voice.id), None)
            base = variant.pitch if variant else self._tone_at(settings, voice, work).pitch
            settings = replace(settings, pitch=table.pitch_setting(voice.pitch / base))
        samples, rate = self._at_rate(text, settings, request.rate * voice.pace, work)
        if float(np.abs(samples).max(initial=0)) < _AUDIBLE:
            raise Rejected(
                f"espeak-ng says nothing for this text in {voice.language}.",
                hint="Check that the text is in that language.",
                engine="espeak",
            )
        if matched is not None:
            work.check()
            if abs(matched.residual) > 1:
                samples = tone.shift(samples, rate, by=matched.residual)
            samples = tone.equalize(samples, rate, matched.gains)
        work.meter("characters", len(text))
        path = work.scratch / "speech.wav"
        sound.store(samples[:, np.newaxis], rate, path)
        kept = work.keep(path)
        return Speech(sound.audio(kept, work.path(kept), "mono"))

    def _at_rate(self, text: str, settings: _Delivery, factor: float, work: Work) -> tuple[Samples, int]:
        """Speech ``factor`` times as fast as at the base speed, by measuring and correcting.

        espeak-ng's words a minute do not scale length exactly, nor equally for every text.
        """
        base = float(self.options.words_per_minute)
        samples, rate = self._say(text, settings, base, work)
        if abs(factor - 1) < _EXACT / 2:
            return samples, rate
        target = _spoken_length(samples) / max(factor, 0.05)
        speed = table.speed_for(1 / max(factor, 0.05), base)
        best: tuple[float, Samples] = (np.inf, samples)
        for _ in range(_ATTEMPTS):
            samples, rate = self._say(text, settings, speed, work)
            length = max(_spoken_length(samples), 1)
            error = abs(np.log(length / target)) if target > 0 else 0.0
            if error < best[0]:
                best = (error, samples)
            following = float(
                np.clip(speed * length / target if target > 0 else speed, table.SLOWEST, table.FASTEST)
            )
            if error < _EXACT or round(following) == round(speed):
                break
            speed = following
        return best[1], rate

    def _say(self, text: str, settings: _Delivery, speed: float, work: Work) -> tuple[Samples, int]:
        """Run the program once; text goes in by standard input, never by argument."""
        path = work.scratch / "espeak.wav"
        argv = [
            process.find("espeak-ng", package="espeak-ng"),
            "-v", settings.voice,
            "-s", str(round(speed)),
            "-p", str(settings.pitch),
            "-a", str(settings.amplitude),
            "-b", "1",
            "--stdin",
            "-w", str(path),
        ]  # fmt: skip
        if settings.range != 100:
            argv.append("-m")
            text = f'<speak><prosody range="{settings.range}%">{escape(text)}</prosody></speak>'
        result = process.run(argv, deadline=30 + len(text) / 20, stdin=text.encode(), check=work.check)
        if result.code != 0 or not path.exists():
            raise Unreachable(
                f"espeak-ng failed with status {result.code}: {result.stderr.strip()[-200:]}",
                hint="Run `espeak-ng test` to see whether it is installed properly.",
                engine="espeak",
            )
        samples, rate = sound.load(path)
        path.unlink()
        return np.ascontiguousarray(samples[:, 0]), rate

    def _matched(self, voice: Voice, settings: _Delivery, work: Work) -> _Match:
        """How to speak like a tone: pitch and range by espeak-ng itself, found by trying; the rest after."""
        assert voice.tone is not None
        wanted = voice.tone
        height = voice.pitch or wanted.pitch
        reached = self._tone_at(settings, voice, work)
        for _ in range(_ATTEMPTS - 1):
            factor = table.pitch_factor(settings.pitch) * height / reached.pitch
            span = settings.range * wanted.pitch_spread / max(reached.pitch_spread, 0.1)
            better = replace(
                settings,
                pitch=table.pitch_setting(factor),
                range=round(float(np.clip(span, table.NARROWEST, table.WIDEST))),
            )
            if better == settings:
                break
            settings = better
            reached = self._tone_at(settings, voice, work)
        gains = tone.correction(reached, wanted, limit=self.options.match_limit)
        return _Match(settings, pitch.semitones(height, reached.pitch), gains)

    def _tone_at(self, settings: _Delivery, voice: Voice, work: Work) -> Tone:
        """How a voice sounds with these settings, measured on a passage once."""
        with self._lock:
            kept = self._tones.get(settings)
        if kept is not None:
            return kept
        passage = table.PASSAGES.get(Language(voice.language).primary, table.NUMBERS)
        samples, rate = self._say(passage, settings, float(self.options.words_per_minute), work)
        measured = tone.tone_of(samples, rate)
        if measured is None:
            raise Rejected(
                f"The voice {voice.id} has no pitch that could be matched.",
                hint="Choose another voice for this speaker.",
                engine="espeak",
            )
        with self._lock:
            self._tones[settings] = measured
        return measured

    def _name(self, voice: Voice, work: Work) -> str:
        code = self._code(voice.language, work)
        return code if voice.id == "standard" else f"{code}+{voice.id}"

    def _has(self, variant: str, work: Work) -> bool:
        return variant == "standard" or variant in self._installed(work)[1]

    def _code(self, tag: str, work: Work) -> str:
        """espeak-ng's name of a language. Raises EngineCannot where it has none."""
        language = Language(tag)
        codes = self._installed(work)[0]
        wanted = [language.tag.lower()]
        if language.primary == "es" and language.region in table.LATIN_AMERICA:
            wanted.append("es-419")
        wanted += [table.CODES[t] for t in (language.tag.lower(), language.primary) if t in table.CODES]
        wanted.append(language.primary)
        for code in wanted:
            if code in codes:
                return code
        raise EngineCannot(
            f"espeak-ng has no voice for {language.name}.", hint="Choose another synthesizer or language."
        )

    def _installed(self, work: Work) -> tuple[frozenset[str], frozenset[str]]:
        """Language codes and variants of the installed program, asked once."""
        with self._lock:
            if self._known is None:
                program = process.find("espeak-ng", package="espeak-ng")
                codes: set[str] = set()
                listing = process.run([program, "--voices"], deadline=30, check=work.check)
                for row in listing.stdout.decode("utf-8", "replace").splitlines()[1:]:
                    codes.add(row.split()[1])
                variants = process.run([program, "--voices=variant"], deadline=30, check=work.check)
                if listing.code != 0:
                    raise EngineCannot(
                        f"espeak-ng is installed but does not start (exit status {listing.code}).",
                        hint="Try `espeak-ng --voices`; a limit on file sizes (ulimit -f) also ends it.",
                    )
                names = re.findall(r"!v/(\S+)", variants.stdout.decode("utf-8", "replace"))
                self._known = (frozenset(codes), frozenset(names))
            return self._known


def _program() -> str:
    """Version of the installed program; answers of another one are not its own."""
    program = shutil.which("espeak-ng")
    return "none" if program is None else _version(program, Path(program).stat().st_mtime_ns)


@cache
def _version(program: str, changed: int) -> str:  # noqa: ARG001 - an upgrade is asked again
    try:
        result = process.run([program, "--version"], deadline=30)
    except AutodubError:  # it does not start: readiness and calls say so, a version need not
        return "unknown"
    found = re.search(r"\d+(?:\.\d+)+\S*", result.stdout.decode("utf-8", "replace"))
    return found[0] if found else "unknown"


def _plain(text: str) -> str:
    """Text without anything espeak-ng could take for an instruction (``[[phonemes]]``, markup, controls)."""
    kept = "".join(
        " " if c in "[]<>{}|\\" or unicodedata.category(c) in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"} else c
        for c in text
    )
    return " ".join(kept.split())


def _spoken_length(samples: Samples) -> int:
    """Samples from the first to the last audible one."""
    level = np.abs(samples)
    heard = np.flatnonzero(level > max(0.01 * float(level.max(initial=0)), _AUDIBLE))
    return int(heard[-1] - heard[0] + 1) if len(heard) else 0
