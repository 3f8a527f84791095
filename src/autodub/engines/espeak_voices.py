"""The voices of espeak-ng: which are worth hearing, how high they speak, how languages are called.

Pitches and the two curves were measured on espeak-ng 1.51 with WORLD's DIO over a Spanish passage;
they hold for other languages within 3 %.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Variant:
    """One way espeak-ng can colour any language."""

    id: str
    """Name after the ``+``; ``standard`` is the language's own voice."""
    gender: str
    pitch: float
    """Mean fundamental at the default pitch setting, Hz."""
    speaks_at: float
    """Mean fundamental it is offered at, Hz, so that the voices of one film differ."""


VARIANTS: tuple[Variant, ...] = (
    Variant("standard", "male", 102, 102),
    Variant("f2", "female", 196, 200),
    Variant("m3", "male", 105, 120),
    Variant("f5", "female", 206, 186),
    Variant("m8", "male", 86, 88),
    Variant("Annie", "female", 236, 236),
    Variant("m7", "male", 107, 132),
    Variant("f4", "female", 180, 172),
    Variant("Michael", "male", 107, 107),
    Variant("aunty", "female", 172, 157),
    Variant("ed", "male", 126, 126),
    Variant("belinda", "female", 230, 218),
    Variant("pablo", "male", 111, 96),
    Variant("Andrea", "female", 244, 250),
    Variant("Mike", "male", 91, 81),
    Variant("f3", "female", 209, 225),
    Variant("miguel", "male", 112, 114),
    Variant("linda", "female", 230, 210),
    Variant("robert", "male", 97, 100),
    Variant("f1", "female", 182, 180),
)
"""In the order casting meets them: neighbours differ in gender, then clearly in spectrum and height."""

_PITCH_SETTING = np.array([0, 10, 25, 40, 50, 60, 75, 90, 99], dtype=float)
_PITCH_FACTOR = np.array([0.673, 0.715, 0.803, 0.910, 1.0, 1.100, 1.284, 1.505, 1.662])
_SPEED = np.array(
    [80, 100, 120, 140, 160, 180, 200, 220, 240, 260, 280, 300, 340, 380, 420, 450], dtype=float
)
_LENGTH = np.array(
    [
        2.314,
        1.953,
        1.632,
        1.395,
        1.231,
        1.100,
        1.0,
        0.914,
        0.845,
        0.793,
        0.745,
        0.707,
        0.634,
        0.580,
        0.532,
        0.467,
    ]
)
SLOWEST, FASTEST = 80, 450
"""Words a minute espeak-ng understands."""


def pitch_setting(factor: float) -> int:
    """The ``-p`` that multiplies a voice's fundamental by ``factor``; clipped to what there is."""
    return round(float(np.interp(factor, _PITCH_FACTOR, _PITCH_SETTING)))


def pitch_factor(setting: int) -> float:
    """What a ``-p`` multiplies the fundamental by."""
    return float(np.interp(setting, _PITCH_SETTING, _PITCH_FACTOR))


def speed_for(length: float, words_per_minute: float) -> float:
    """The ``-s`` that makes a text ``length`` times as long as at ``words_per_minute``, on average."""
    reference = float(np.interp(words_per_minute, _SPEED, _LENGTH))
    return float(np.interp(-length * reference, -_LENGTH, _SPEED))


NARROWEST, WIDEST = 50, 200
"""Percent of a voice's own pitch range that still sound like speech."""

CODES = {
    "en": "en-us", "es": "es", "fr": "fr-fr", "zh": "cmn", "zh-hk": "yue", "no": "nb", "nn": "nb",
    "pt-pt": "pt", "es-es": "es", "es-001": "es", "hy-hyw": "hyw", "ckb": "ku",
}  # fmt: skip
"""Tags (lower case) that espeak-ng calls otherwise."""

LATIN_AMERICA = frozenset({
    "AR", "BO", "CL", "CO", "CR", "CU", "DO", "EC", "GT", "HN", "MX", "NI", "PA", "PE", "PR", "PY", "SV",
    "UY", "VE",
})  # fmt: skip
"""Regions whose Spanish is espeak-ng's ``es-419``."""

LANGUAGES = frozenset({
    "af", "am", "an", "ar", "as", "az", "ba", "be", "bg", "bn", "bs", "ca", "cs", "cv", "cy", "da", "de",
    "el", "en", "eo", "es", "et", "eu", "fa", "fi", "fr", "ga", "gd", "gn", "gu", "haw", "he", "hi", "hr",
    "ht", "hu", "hy", "ia", "id", "io", "is", "it", "ja", "ka", "kk", "kl", "kn", "ko", "kok", "ku", "ky",
    "la", "lb", "lt", "lv", "mi", "mk", "ml", "mr", "ms", "mt", "my", "nb", "ne", "nl", "nn", "no", "om",
    "or", "pa", "pap", "pl", "pt", "qu", "ro", "ru", "sd", "si", "sk", "sl", "sq", "sr", "sv", "sw", "ta",
    "te", "th", "tk", "tn", "tr", "tt", "ug", "uk", "ur", "uz", "vi", "yue", "zh",
})  # fmt: skip
"""Primary subtags served by espeak-ng 1.51, under the names Autodub uses."""

PASSAGES = {
    "es": "El sol salió por encima de las montañas, y los pájaros empezaron a cantar "
    "en los árboles del parque. ¿Quién puede decir que no es hermoso? Ayer fuimos todos juntos a comer.",
    "en": "The sun rose over the mountains, and the birds began to sing in the trees of the park. "
    "Who can say that it is not beautiful? Yesterday we all went out to eat together.",
    "fr": "Le soleil s'est levé sur les montagnes, et les oiseaux ont commencé à chanter "
    "dans les arbres du parc. Qui peut dire que ce n'est pas beau ? "
    "Hier, nous sommes tous allés manger ensemble.",
    "de": "Die Sonne ging über den Bergen auf, und die Vögel begannen in den Bäumen des Parks zu singen. "
    "Wer kann sagen, dass es nicht schön ist? Gestern gingen wir alle zusammen essen.",
    "it": "Il sole sorse sopra le montagne, e gli uccelli cominciarono a cantare "
    "sugli alberi del parco. Chi può dire che non è bello? Ieri siamo andati tutti insieme a mangiare.",
    "pt": "O sol nasceu por cima das montanhas, e os pássaros começaram a cantar nas árvores do parque. "
    "Quem pode dizer que não é bonito? Ontem fomos todos juntos comer.",
    "ca": "El sol va sortir per sobre de les muntanyes, i els ocells van començar a cantar "
    "als arbres del parc. Qui pot dir que no és bonic? Ahir vam anar tots junts a menjar.",
}
"""What a voice says to be measured."""
NUMBERS = "1 2 3. 4 5 6 7. 8 9 10, 11 12. 13 14 15. 16 17 18 19, 20 30 40. 50 60 70. 80 90 100."
"""What a voice of any other language says: every language reads its own numbers."""
