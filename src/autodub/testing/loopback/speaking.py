"""Real speech for simulated providers, from espeak-ng: distinct voices, the speed asked for, raw PCM."""

from __future__ import annotations

import io
import threading
from collections import OrderedDict
from dataclasses import dataclass
from hashlib import sha256

import numpy as np

from autodub.infra import process
from autodub.media import pitch, sound

NATURAL = 175
"""espeak-ng's words per minute at speed 1: 31 characters of Spanish take two seconds."""
_VARIANTS = {
    "male": ("m1", "m2", "m3", "m4", "m5", "m7"),
    "female": ("f1", "f2", "f3", "f4", "f5"),
}
_CODES = {"no": "nb", "zh": "cmn", "fil": "id"}
"""espeak-ng's names of languages that providers call otherwise (or, for Filipino, what is near it)."""
_HEARD = 4.0
"""Seconds of a sample that are listened to."""
_KEPT = 256
"""Sounds that are remembered."""


@dataclass(frozen=True, slots=True)
class Timbre:
    """How a simulated voice sounds."""

    variant: str
    """espeak-ng's variant."""
    height: int = 50
    """espeak-ng's pitch setting, 0..99."""


def timbre(identity: str, *, gender: str) -> Timbre:
    """A voice of that gender that differs with the identity."""
    number = int.from_bytes(sha256(identity.encode()).digest()[:4], "big")
    variants = _VARIANTS.get(gender, _VARIANTS["female" if number % 2 else "male"])
    return Timbre(variants[number // 2 % len(variants)], 40 + number // 64 % 21)


def heard(sample: bytes) -> str:
    """Gender of whoever speaks in a sound file, by its pitch. Raises ValueError where nobody does."""
    import soundfile

    try:
        with soundfile.SoundFile(io.BytesIO(sample)) as file:
            rate = int(file.samplerate)
            samples = file.read(round(_HEARD * rate), dtype="float32", always_2d=True).mean(axis=1)
    except soundfile.LibsndfileError as error:
        raise ValueError("the sample is no sound") from error
    found = pitch.pitch_of(np.ascontiguousarray(samples, dtype=np.float32), rate)
    if found is None:
        raise ValueError("nobody is heard in the sample")
    return "male" if found.mean < 160 else "female"


class Speaker:
    """Speaks; equal requests give equal bytes. May be used by many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[object, ...], bytes] = OrderedDict()

    def pcm(self, text: str, voice: Timbre, *, language: str, speed: float, rate: int) -> bytes:
        """Signed 16-bit mono samples, little-endian. ``speed`` 1 is natural, above is faster."""
        key = (text, voice, language, round(speed, 4), rate)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        made = _say(text, voice, language=language, speed=speed, rate=rate)
        with self._lock:
            self._kept[key] = made
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return made


def _say(text: str, voice: Timbre, *, language: str, speed: float, rate: int) -> bytes:
    name = f"{_CODES.get(language, language)}+{voice.variant}"
    argv = [
        process.find("espeak-ng", package="espeak-ng"), "--stdout", "--stdin", "-b", "1", "-v", name,
        "-s", str(round(NATURAL * speed)), "-p", str(voice.height),
    ]  # fmt: skip
    result = process.run(argv, deadline=60, stdin=text.encode())
    if result.code != 0 or len(result.stdout) <= 44:
        raise RuntimeError(f"espeak-ng failed with status {result.code}")
    own = int.from_bytes(result.stdout[24:28], "little")
    samples = np.frombuffer(result.stdout, dtype="<i2", offset=44).astype(np.float32)
    resampled = sound.resample(samples, own, rate)
    return np.clip(np.round(resampled), -32768, 32767).astype("<i2").tobytes()
