"""The duration model: what it knows at first, how it learns, and how well it does on real synthesis."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pytest

from autodub.dubbing.duration import SYLLABLE_RATES, Duration, syllable_rate
from autodub.dubbing.syllables import Features, features

SENTENCES = """La imprenta cambió para siempre la forma en que viajan las ideas.
¿Adónde vas?
No lo sé.
Después de la guerra, mucha gente dejó la ciudad y nunca volvió.
El tren sale a las 10 de la mañana.
Muchas gracias por venir esta noche.
En 1998 compramos 3 casas, dos coches y un barco.
Nadie sabe lo que pasará mañana, pero esperamos lo mejor.
El agua hierve a 100 grados.
Primero, abre la puerta. Segundo, cierra la ventana.
La reunión, que estaba prevista para el lunes, se ha aplazado hasta el jueves.
Tenemos que hablar del presupuesto; es demasiado pequeño.
¡Qué día tan bonito!
Los resultados fueron sorprendentes: casi todos fallaron.
Me llamo Pedro y tengo cuarenta y dos años.
Corrió, saltó, cayó y se levantó otra vez.
La ciencia es mucho más una manera de pensar que un conjunto de conocimientos.
¿Cuánto cuesta este libro?
Espera un momento, por favor.
Nací en un pueblo pequeño cerca del río.
El presidente de la empresa dijo que nada cambiaría este año.
Buenos días, señoras y señores.
Tardará unos 25 minutos en llegar.
Las artes y los oficios representados en la exposición eran muy distintos entre sí.
Ya veremos.
No hay nada que temer.
Este es, sin ninguna duda, el lugar más bonito del mundo.
Los primeros libros impresos imitaban con cuidado la escritura de los monjes.
Ella vende ciento cincuenta conchas al día.
Mi hermano trabaja en una fábrica de papel desde hace muchos años.
Fue el mejor de los tiempos, fue el peor de los tiempos.
¿Puedes ayudarme con la maleta?
Los alumnos llegaron tarde porque había mucha nieve en la carretera.
Cada palabra cuenta cuando el tiempo es corto.
""".splitlines()  # fmt: skip

MIDDLING = features("El perro marrón salta sobre la valla, y nadie lo ve.", "es")


def speak(text: str) -> float:
    """Seconds espeak-ng takes from the first to the last audible sample of a Spanish sentence."""
    command = ["espeak-ng", "-v", "es", "-s", "200", "--stdout", text]
    wave = subprocess.run(command, capture_output=True, check=True).stdout
    samples = np.abs(np.frombuffer(wave[44:], dtype="<i2").astype(np.float32))
    audible = np.flatnonzero(samples > samples.max() * 10 ** (-45 / 20))
    return float(audible[-1] - audible[0]) / 22050 + 0.06


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")
def test_real_speech_is_predicted_within_eight_percent() -> None:
    """After ten clips of a voice the mean error of predictions made before synthesis is at most 8 %."""
    model, errors, surprises = Duration.of("es"), [], []
    for text in SENTENCES:
        counted, seconds = features(text, "es"), speak(text)
        expected, deviation = model.predict(counted)
        errors.append(abs(expected - seconds) / seconds)
        surprises.append((seconds - expected) / deviation)
        model = model.updated(counted, seconds)
    assert np.mean(errors[:10]) < 0.20
    assert np.mean(errors[10:]) <= 0.08
    assert np.percentile(errors[10:], 90) <= 0.18
    assert 0.5 < np.std(surprises[10:]) < 1.6  # the spread it claims is the spread there is


def voice(features: Features, *, pace: float = 1.0) -> float:
    """A made-up voice that follows the model exactly."""
    f = features
    return (0.1 + 0.12 * f.syllables + 0.01 * f.letters + 0.2 * f.commas + 0.3 * f.stops) / pace


def trained(texts: list[str], *, pace: float = 1.0, language: str = "es") -> Duration:
    """A model that heard the made-up voice say the texts."""
    model = Duration.of(language)
    for text in texts:
        counted = features(text, language)
        model = model.updated(counted, voice(counted, pace=pace))
    return model


def test_an_unheard_voice_speaks_at_the_rate_of_its_language() -> None:
    """Without clips the language's syllable rate decides, and unknown languages get a typical one."""
    twenty = Features(20, 0, 0, 0, 0)
    assert Duration.of("ja").predict(twenty)[0] == pytest.approx(20 / 8.0 + 0.1)
    assert Duration.of("th").predict(twenty)[0] > 1.5 * Duration.of("es-419").predict(twenty)[0]
    assert min(SYLLABLE_RATES.values()) < syllable_rate("tlh") < max(SYLLABLE_RATES.values())


def test_one_clip_sets_the_pace() -> None:
    """A voice 25 % slower than its language is known to be slow after a single clip."""
    model = Duration.of("es")
    before = model.predict(MIDDLING)[0]
    other = features("Una frase completamente distinta para el mismo hablante.", "es")
    after = model.updated(other, model.predict(other)[0] * 1.25).predict(MIDDLING)[0]
    assert 1.12 * before < after < 1.28 * before


def test_a_voice_that_follows_the_model_is_learned() -> None:
    """After thirty sentences a regular voice is predicted to 2 %."""
    model = trained(SENTENCES[:30], pace=0.8)
    for text in SENTENCES[30:]:
        counted = features(text, "es")
        assert model.predict(counted)[0] == pytest.approx(voice(counted, pace=0.8), rel=0.02)
    assert model.clips == 30


def test_learning_makes_it_surer() -> None:
    """The spread of predictions shrinks with every clip of a regular voice."""
    spreads = [trained(SENTENCES[:n]).predict(MIDDLING)[1] for n in (0, 1, 5, 20)]
    assert spreads == sorted(spreads, reverse=True)


@pytest.mark.parametrize("factor", [0.05, 0.3, 3.0, 20.0])
def test_a_wrong_measure_does_not_spoil_the_model(factor: float) -> None:
    """One clip measured absurdly long or short moves predictions by less than 4 %."""
    model = trained(SENTENCES[:15])
    spoiled = model.updated(MIDDLING, voice(MIDDLING) * factor)
    assert spoiled.predict(MIDDLING)[0] == pytest.approx(model.predict(MIDDLING)[0], rel=0.04)


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf")])
def test_what_is_no_measure_is_not_learned(seconds: float) -> None:
    """A clip without a length teaches nothing."""
    model = trained(SENTENCES[:3])
    assert model.updated(MIDDLING, seconds) is model


def test_quantiles_are_ordered() -> None:
    """The median is the expectation, and higher quantiles are longer."""
    model = trained(SENTENCES[:5])
    lengths = [model.quantile(MIDDLING, q) for q in (0.1, 0.5, 0.7, 0.95)]
    assert lengths == sorted(lengths)
    assert lengths[1] == pytest.approx(model.predict(MIDDLING)[0])


def test_no_text_takes_no_or_negative_time() -> None:
    """Even a badly taught model gives every text a positive length."""
    model = Duration.of("es")
    for _ in range(10):
        model = model.updated(Features(1, 2, 0, 0, 0), 3.0).updated(Features(60, 150, 2, 1, 0), 1.0)
    for counted in (Features(0, 0, 0, 0, 0), Features(1, 2, 0, 0, 0), Features(80, 200, 0, 0, 0)):
        assert model.predict(counted)[0] > 0
        assert model.quantile(counted, 0.001) > 0
