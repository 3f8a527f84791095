"""How long a voice will take to say a text: a linear model per voice that learns from every clip.

seconds = c0 + c1*syllables + c2*letters + c3*commas + c4*stops + c5*digits, fitted by recursive
least squares on relative errors. The prior knows the language's syllable rate and leaves the voice's
own pace wide open, so the first clip mostly sets the pace and later ones the details. A clip that
fits badly counts less, as under Student's t (Lange, Little and Taylor 1989), and a wrong measure
cannot spoil the model.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from autodub.dubbing.syllables import Features

SYLLABLE_RATES = {
    "ar": 6.3, "bg": 6.8, "bn": 6.8, "ca": 7.1, "cs": 6.6, "da": 6.2, "de": 6.0, "el": 7.3, "en": 6.2,
    "es": 7.7, "et": 6.8, "eu": 7.7, "fa": 6.5, "fi": 7.2, "fr": 6.9, "gl": 7.6, "he": 6.3, "hi": 6.8,
    "hr": 7.1, "hu": 5.9, "id": 6.9, "it": 7.1, "ja": 8.0, "ko": 7.1, "lt": 6.8, "lv": 6.6, "ms": 6.9,
    "nb": 6.2, "nl": 6.0, "no": 6.2, "pl": 6.8, "pt": 7.2, "ro": 7.0, "ru": 6.6, "sk": 6.6, "sl": 6.8,
    "sr": 7.1, "sv": 6.2, "sw": 6.9, "ta": 6.9, "te": 7.2, "th": 4.7, "tr": 7.0, "uk": 6.6, "vi": 5.3,
    "yue": 5.6, "zh": 5.6,
}  # fmt: skip
"""Syllables per second of read speech without pauses, by primary language.

Rounded after Pellegrino, Coupé and Marsico (Language 87, 2011) and Coupé et al. (Science Advances 5,
2019: Thai 4.7, Vietnamese 5.3, Spanish 7.7, Japanese 8.0, about 39 bit/s everywhere); a language
they did not record has the rate of a relative. One clip of a voice outweighs this table.
"""
TYPICAL_RATE = 6.6

_PRIOR_REST = (0.10, 0.0, 0.0, 0.18, 0.35, 0.0)
"""Seconds for the onset and per syllable, letter, comma, stop and digit before anything was heard.

Syllables come from the language."""
_PRIOR_SPREAD = (0.15, 0.02, 0.012, 0.12, 0.20, 0.05)
"""Standard deviations of the same, s."""
_PACE_SPREAD = 0.30
"""Relative standard deviation of a voice's overall pace."""
_NOISE = 0.07
"""Relative error of a well-known voice, until its own is known."""
_FLOOR = 0.05
"""Error of the shortest clips that no model explains, s."""
_NOISE_WORTH = 6.0
"""Clips' worth of belief in that."""
_GROSS = 3.0
"""Standard deviations beyond which an error says something about the measure, not the voice."""
_FREEDOM = 4.0
"""Degrees of freedom of the t distribution."""

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Duration:
    """What is known about a voice's tempo. ``Duration.of(language)`` starts one."""

    language: str
    clips: int
    """Clips it has learned from."""
    mean: tuple[float, ...]
    """Seconds per feature."""
    covariance: tuple[tuple[float, ...], ...]
    """Of the mean, s²."""
    noise: float
    """Relative standard deviation of a clip around its prediction."""

    @classmethod
    def of(cls, language: str) -> Duration:
        """The model of a voice that has not been heard yet."""
        mean = _prior(language)
        covariance = np.diag(np.square(_PRIOR_SPREAD)) + _PACE_SPREAD**2 * np.outer(mean, mean)
        return cls(language, 0, tuple(mean.tolist()), _nested(covariance), _NOISE)

    def predict(self, features: Features) -> tuple[float, float]:
        """Expected seconds at native rate 1, and the standard deviation of a clip around it."""
        x = _vector(features)
        least = 0.3 * float(x @ _prior(self.language))  # a few odd clips cannot make a text take no time
        seconds = max(least, float(x @ np.array(self.mean)))
        variance = float(x @ np.array(self.covariance) @ x) + self._scatter(seconds)
        return seconds, variance**0.5

    def quantile(self, features: Features, q: float) -> float:
        """Seconds that a clip stays below with probability ``q``; half the expectation at least."""
        seconds, deviation = self.predict(features)
        return max(0.5 * seconds, seconds + NormalDist().inv_cdf(q) * deviation)

    def updated(self, features: Features, seconds: float) -> Duration:
        """The model after a clip of this text took ``seconds``, trimmed, brought to native rate 1."""
        if not seconds > 0 or not np.isfinite(seconds):
            return self
        x, covariance = _vector(features), np.array(self.covariance)
        expected, deviation = self.predict(features)
        error = seconds - float(x @ np.array(self.mean))
        own = self._scatter(expected)
        # Weight of the clip under a t distribution: 1.25 where it is expected, towards 0 far away.
        surprise = (seconds - expected) ** 2 / deviation**2
        weight = (_FREEDOM + 1) / (_FREEDOM + surprise)
        gain = covariance @ x / (float(x @ covariance @ x) + own / weight)
        mean = np.array(self.mean) + gain * error
        covariance = covariance - np.outer(gain, x @ covariance)
        worth = _NOISE_WORTH + self.clips
        news = (min(surprise, _GROSS**2) - 1) * own / deviation**2
        noise = self.noise * (1 + news / worth) ** 0.5
        return Duration(
            self.language,
            self.clips + 1,
            tuple(mean.tolist()),
            _nested((covariance + covariance.T) / 2),
            float(np.clip(noise, 0.01, 0.3)),
        )

    def _scatter(self, seconds: float) -> float:
        return (self.noise * seconds) ** 2 + _FLOOR**2


def syllable_rate(language: str) -> float:
    """Syllables per second that speakers of a language (BCP-47 tag) read at."""
    return SYLLABLE_RATES.get(language.replace("_", "-").split("-")[0].lower(), TYPICAL_RATE)


def _prior(language: str) -> Vector:
    prior = np.array(_PRIOR_REST)
    prior[1] = 1 / syllable_rate(language)
    return prior


def _vector(f: Features) -> Vector:
    return np.array([1.0, f.syllables, f.letters, f.commas, f.stops, f.digits])


def _nested(matrix: Vector) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(row) for row in matrix.tolist())
