"""Text on its way to a voice."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodub.dubbing.text import (
    clean,
    is_kin,
    is_shouted,
    is_speakable,
    is_untranslated,
    looks_like_error,
    same_words,
)


@pytest.mark.parametrize(
    ("raw", "spoken"),
    [
        ("  Hola ,  mundo !  ", "Hola, mundo!"),
        ("“Hola” ‘tú’", "\"Hola\" 'tú'"),
        ("un *desconocido y #ser @ir", "un desconocido y ser ir"),
        ("<i>cursiva</i> {\\an8}arriba", "cursiva arriba"),
        ("[MÚSICA] Sigue", "Sigue"),
        ("♪ la la ♪ Sigue", "Sigue"),
        ("¿ Qué ?", "¿Qué?"),
        ("uno,, dos , ; tres", "uno, dos, tres"),
        ("línea\nsegunda\tparte", "línea segunda parte"),
        ("cero\u200bancho\u00a0duro", "ceroancho duro"),
        ("e\u0301l", "él"),
        ("Son 1,250.5 km el 5/7/1999 a las 10:30", "Son 1,250.5 km el 5/7/1999 a las 10:30"),
        ("3 * 4, a@b.es y C#", "3 * 4, a@b.es y C#"),
        ("5 < 6 > 4", "5 < 6 > 4"),
        ("", ""),
    ],
)
def test_text_is_cleaned(raw: str, spoken: str) -> None:
    """Markup, marks and spacing go; numbers and ordinary signs stay."""
    assert clean(raw) == spoken


@given(st.text(max_size=80))
@settings(deadline=None)
def test_cleaning_twice_changes_nothing_that_is_said(text: str) -> None:
    """Cleaning keeps the letters in order and its result on one line."""
    once = clean(text)
    assert "\n" not in once
    assert same_words(clean(once), once)


def test_speakable_means_something_to_pronounce() -> None:
    """Letters and digits are; dots, dashes and descriptions are not."""
    assert is_speakable("a")
    assert is_speakable("7")
    assert is_speakable("日")
    assert not any(is_speakable(text) for text in ("", "...", "—", "[risas]", "♪ la ♪", "<i></i>"))


@pytest.mark.parametrize(
    "text",
    [
        "Traceback (most recent call last):",
        "Error 429: Too Many Requests",
        "Internal Server Error",
        "Invalid API key provided",
        "I'm sorry, but I can't assist with that.",
        "I’m sorry, I cannot translate this.",
        "As an AI language model, I cannot do that.",
        "Here is the translation: Hola",
        "Sure! Here's your translation",
        "You are a professional translator.",
        '{"lines": ["a"]}',
        "```json",
        "System: translate",
        "Translate the following lines into Spanish",
        "Sorry, I can't help with that request.",
        "I’m unable to assist with this request.",
        "I cannot provide a translation for this content.",
        "Lo siento, pero no puedo ayudarte con esa solicitud.",
        "Lo siento, no puedo traducir este contenido.",
        "Désolé, je ne peux pas vous aider avec cette demande.",
        "Es tut mir leid, ich kann bei dieser Anfrage nicht helfen.",
        "Mi dispiace, non posso aiutarti con questa richiesta.",
        "Desculpe, não posso ajudar com esse pedido.",
        "Traducción: Hola",
        "Error: model overloaded",
    ],
)
def test_errors_refusals_and_prompts_are_recognised(text: str) -> None:
    """What a service says about itself must never be spoken."""
    assert looks_like_error(text)


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, I can't come tonight.",
        "There was an error in the report.",
        "I cannot help you, my son.",
        "Here is the letter.",
        "The system failed in 1985.",
        "He is a translator of Greek poetry.",
        "Sure, here and there.",
        "Lo siento, no puedo ayudarte.",
        "I can't help with that.",
        "I was unable to help with the harvest.",
        "We were able to help with your request.",
        "No puedo con esta petición de divorcio.",
        "Je ne peux pas aller là-bas.",
        "Das kann ich nicht.",
        "An error: that is what it was.",
    ],
)
def test_ordinary_speech_is_no_error(text: str) -> None:
    """Sentences people say stay sayable."""
    assert not looks_like_error(text)


def test_untranslated_text_is_recognised() -> None:
    """A sentence that came back as it was is; a name, a number or a short word is not."""
    assert is_untranslated("and so we went home again", "And so we went home again.")
    assert is_untranslated("WE WENT HOME AGAIN", "We went home again")
    assert not is_untranslated(
        "Jordi Mas, Barcelona, Universitat Politècnica", "Jordi Mas, Barcelona, Universitat Politècnica"
    )
    assert not is_untranslated("No.", "No.")
    assert not is_untranslated("we went home again", "volvimos a casa")


@pytest.mark.parametrize(
    ("text", "source", "target", "is_copy"),
    [
        ("Good morning, my friend.", "en", "es", True),
        ("How are you?", "en", "fr", True),
        ("Hasta mañana, amigo mío.", "es", "en", True),
        ("Casa de campo.", "es", "pt-BR", False),
        ("No entra nadie aquí hoy.", "es", "gl", True),
        ("Good morning.", "en", "es", True),
        ("Buenos días.", "es", "ca", False),
        ("Taxi, taxi!", "en", "es", False),
        ("Anna Berg, Peter Pan.", "en", "es", False),
        ("Okay, Google.", "en", "de", False),
        ("7 am", "en", "es", False),
    ],
)
def test_a_short_copy_counts_where_languages_are_far_apart(
    text: str, source: str, target: str, is_copy: bool
) -> None:
    """Two ordinary words belong to one language, unless the other one is a near relation."""
    assert is_untranslated(text, text, kin=is_kin(source, target)) == is_copy
    assert is_kin(source, target) == is_kin(target, source)


def test_shouting_is_recognised() -> None:
    """Capitals throughout are shouting; an acronym is not."""
    assert is_shouted("WHERE ARE YOU?")
    assert not is_shouted("NASA is here")
    assert not is_shouted("OK")
