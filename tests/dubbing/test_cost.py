"""Bills from what was metered, estimates from what is known before."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodub.dubbing.cost import (
    Engaged,
    Expected,
    amounts,
    bill,
    characters,
    estimate,
    money,
)
from autodub.dubbing.prices import PriceTable
from autodub.infra.price_list import builtin
from autodub.model.usage import Usage

MODELS = {
    "transcriber.deepgram": "nova-3",
    "translator.openai": "gpt-6-luna",
    "synthesizer.elevenlabs": "eleven_multilingual_v2",
}
ENGAGED = tuple(Engaged(engine, model) for engine, model in MODELS.items())
MINUTE = Expected(seconds=60, speech=48, speakers=2, source="en", target="es")


def test_a_worked_minute():
    """900 characters, a minute of sound, two speakers: about ten cents, nine of them speech."""
    usage = (
        Usage("transcriber.deepgram", "transcribe", "seconds", 60),
        Usage("transcriber.deepgram", "transcribe", "diarized_seconds", 60),
        Usage("translator.openai", "translate", "tokens_in", 2000),
        Usage("translator.openai", "translate", "tokens_out", 1500),
        Usage("synthesizer.elevenlabs", "synthesize", "characters", 900),
    )
    total = bill(usage, builtin(), models=MODELS)
    assert total.total == Decimal("0.0043") + Decimal("0.0020") + Decimal("0.00095") + Decimal("0.09")
    assert total.dated == "2026-11-22"
    assert total.unpriced == ()


def test_what_was_kept_is_an_item_of_nothing():
    """Answers from an earlier run stand on the bill with their amount and no money."""
    usage = (
        Usage("synthesizer.elevenlabs", "synthesize", "characters", 100),
        Usage("synthesizer.elevenlabs", "synthesize", "characters", 800, cached=True),
    )
    new, kept = bill(usage, builtin(), models=MODELS).charges
    assert (new.dollars, new.cached) == (Decimal("0.01"), False)
    assert (kept.amount, kept.dollars, kept.cached) == (800, 0, True)


def test_free_engines_and_free_units_are_not_on_the_bill():
    """What costs nothing is consumption, not cost."""
    usage = (
        Usage("synthesizer.espeak", "synthesize", "characters", 900),
        Usage("translator.openai", "translate", "requests", 3),
    )
    assert bill(usage, builtin(), models=MODELS).charges == ()


def test_a_model_without_a_price_is_named():
    """Nobody is told that something is free because its price is not known."""
    usage = (Usage("translator.openai", "translate", "tokens_out", 9),) * 2
    total = bill(usage, builtin(), models={"translator.openai": "my-own"})
    assert total.unpriced == ("translator.openai",)
    assert [charge.dollars for charge in total.charges] == [None, None]
    assert total.total == 0


def test_an_estimate_is_a_range_around_its_items():
    """Low, likely and high in order, the likely one itemised, speech the largest item."""
    known = estimate(MINUTE, ENGAGED, builtin())
    assert known.low < known.likely < known.high
    assert known.likely == sum(charge.dollars for charge in known.charges)
    assert max(known.charges, key=lambda charge: charge.dollars).unit == "characters"
    assert Decimal("0.05") < known.likely < Decimal("0.15")


def test_a_disagreement_about_prices_is_in_the_upper_end():
    """Where one source names more, the high end is by that source."""
    heard = estimate(MINUTE, [Engaged("transcriber.deepgram", "nova-3")], builtin())
    assert heard.high == Decimal("0.0077") + Decimal("0.0044")
    assert heard.likely == heard.low == Decimal("0.0063")


def test_engines_without_a_price_are_left_out_and_named():
    """An estimate that leaves something out says so."""
    known = estimate(MINUTE, [Engaged("translator.openai", "own")], builtin())
    assert (known.likely, known.unpriced) == (0, ("translator.openai",))


def test_what_is_not_asked_for_is_not_estimated():
    """Without telling speakers apart there is no such item, and clones cost only where they are made."""
    assert "diarized_seconds" not in amounts("transcriber", Expected(60, 48, 2, "en", "es", diarized=False))
    assert amounts("cloner", MINUTE) == {}
    assert amounts("cloner", Expected(60, 48, 2, "en", "es", cloned=True)) == {"voices": 2}
    assert amounts("separator", MINUTE) == {}


ORDINARY = {
    "es": ("Buenos días a todos y gracias por haber venido hoy a pesar de la lluvia.", 4.2),
    "de": ("Guten Morgen zusammen, und danke, dass ihr heute trotz des Regens gekommen seid.", 4.3),
    "fr": ("Bonjour à tous et merci d’être venus aujourd’hui malgré la pluie.", 3.6),
    "en": ("Good morning everyone, and thank you for coming today in spite of the rain.", 4.0),
}


@pytest.mark.parametrize("language", sorted(ORDINARY))
def test_characters_follow_the_language(language):
    """A sentence of ordinary length is foretold within a quarter from the time it takes to say."""
    text, seconds = ORDINARY[language]
    assert characters(seconds, language) == pytest.approx(len(text), rel=0.25)


def test_the_benchmark_is_foretold_within_fifteen_percent():
    """29 lines in 42.5 s of a minute cost 745 characters, 21 827 tokens in and 254 out when it was dubbed."""
    known = estimate(
        Expected(60.0, 42.5, speakers=2, source="en", target="es", cloned=True), ENGAGED, builtin()
    )
    assert float(known.likely) == pytest.approx(0.0831, rel=0.05)
    spoken = amounts("synthesizer", Expected(60.0, 42.5, 2, "en", "es", cloned=True))
    assert spoken["characters"] == pytest.approx(745, rel=0.1)


def test_a_known_text_is_believed():
    """Where the words are there already, slow speech costs less than the clock says."""
    heard = amounts("synthesizer", MINUTE)["characters"]
    slow = amounts("synthesizer", replace(MINUTE, said=300))["characters"]
    assert slow < heard / 2
    assert (
        amounts("translator", replace(MINUTE, said=300))["tokens_out"]
        < amounts("translator", MINUTE)["tokens_out"]
    )


def test_few_lines_are_foretold_with_more_doubt():
    """Of ten seconds nobody knows how much will be said; of two hours rather well."""
    short = estimate(Expected(12, 9, 2, "en", "es"), ENGAGED, builtin())
    long = estimate(Expected(7200, 5000, 2, "en", "es"), ENGAGED, builtin())
    assert short.low / short.likely < long.low / long.likely
    assert short.high / short.likely > long.high / long.likely


def test_dense_scripts_have_fewer_characters():
    """The same speech is shorter on paper in Chinese than in German; an unknown language is typical."""
    assert characters(60, "zh") < characters(60, "de") / 2
    assert characters(60, "es-MX") == characters(60, "es")
    assert characters(60, "xx") > 0


@settings(deadline=None, max_examples=60)
@given(st.floats(0, 20_000), st.floats(0, 1), st.integers(1, 20), st.sampled_from(["es", "zh", "xx"]))
def test_an_estimate_is_never_upside_down(seconds, share, speakers, target):
    """Whatever the programme: 0 <= low <= likely <= high, and twice the programme is never cheaper."""
    expected = Expected(seconds, seconds * share, speakers, "en", target)
    known = estimate(expected, ENGAGED, builtin())
    assert 0 <= known.low <= known.likely <= known.high
    twice = estimate(Expected(2 * seconds, 2 * seconds * share, speakers, "en", target), ENGAGED, builtin())
    assert twice.likely >= known.likely


def test_without_a_table_nothing_is_known():
    """An empty table prices nothing, and says of every engine that it does not."""
    known = estimate(MINUTE, ENGAGED, PriceTable())
    assert (known.likely, set(known.unpriced)) == (0, set(MODELS))


@pytest.mark.parametrize(
    ("dollars", "said"), [("0", "$0.00"), ("0.0123", "$0.0123"), ("0.25", "$0.25"), ("12.3456", "$12.35")]
)
def test_money_for_people(dollars, said):
    """Cents, and finer where cents say nothing; the same for both kinds of number."""
    assert money(Decimal(dollars)) == money(float(dollars)) == said
