"""Text on its way to a voice: cleaned, and checked for what must never be spoken."""

from __future__ import annotations

import re
import unicodedata

_QUOTES = str.maketrans(
    {
        "‘": "'",
        "’": "'",
        "‚": "'",
        "‛": "'",
        "`": "'",
        "´": "'",
        "“": '"',
        "”": '"',
        "„": '"',
        "‟": '"',
        "\u00a0": " ",
    }
)
_MARKUP = re.compile(r"</?[a-zA-Z][^<>]{0,80}>|\{\\[^}]{0,80}\}|&(?:nbsp|amp|lt|gt|quot|#\d{2,5});")
_BRACKETED = re.compile(r"\[[^\[\]]{0,80}\]|[♩-♬]+[^♩-♬]*[♩-♬]+|[♩-♬]+")
_MARKS = re.compile(r"(?<![\w*#@])[*#@~](?=[^\W\d_])")
_SPACED = re.compile(r"\s+([,.;:!?…%)\]}»”])")
_OPENED = re.compile(r"([(\[{«¿¡])\s+")
_REPEATED = re.compile(r"([,;:])(?:\s*[,;:])+")
_ERRORS = re.compile(
    "|".join(
        (
            r"traceback \(most recent",
            r"\b(?:http|status|error) (?:code )?[45]\d\d\b",
            r"\bexception:",
            r"\binternal server error\b",
            r"\b(?:api|rate|request|token|context)[ _-](?:limit|length|quota)\b.*\b(?:exceed|reached)",
            r"\b(?:invalid|missing|incorrect) api[ _-]?key\b",
            r"\bquota exceeded\b",
            r"\btoo many requests\b",
            r"\bunauthorized\b.*\bkey\b",
            r"\bas an ai\b",
            r"\blanguage model\b.*\b(?:cannot|can't|unable)",
            r"\bi(?:'m| am) sorry,? (?:but )?i (?:cannot|can't|am unable to) (?:assist|help with|translate)",
            r"\bi (?:cannot|can't) (?:assist with|translate|fulfill|comply with)\b",
            # What models say of a request: the noun tells them from people who are sorry.
            r"(?:cannot|can't|unable to) (?:assist|help|comply)(?: \w+)? with (?:this|that|your) request\b",
            r"(?:cannot|can't|unable to) (?:provide|give|produce) (?:a|any|the|this) translation\b",
            r"\bno puedo (?:\w+ ){1,4}con (?:esa|esta|su|tu) (?:solicitud|petición)\b",
            r"\bno puedo (?:traducir|proporcionar (?:una|la|esta) traducción)\b",
            r"\bje ne peux pas (?:[\w']+ ){1,4}(?:cette|votre|ta) demande\b",
            r"\bje ne peux pas (?:traduire|fournir (?:une|la|de) traduction)\b",
            r"\b(?:dieser|ihrer|deiner|diese|ihre|deine) anfrage (?:leider )?nicht\b",
            r"\bkann ich (?:leider )?nicht übersetzen\b",
            r"\bnon posso (?:\w+ ){1,4}(?:questa|tua|sua) richiesta\b",
            r"\bnão posso (?:\w+ ){1,4}(?:esse|este|seu) pedido\b",
            r"^\s*\[?error\]?\s*:",
            r"^\s*(?:translation|traducción|traduction|übersetzung|traduzione|tradução)\s*:",
            r"\bhere(?:'s| is| are) (?:the|your) translations?\b",
            r"^\s*(?:sure|certainly)[!,.] here(?:'s| is| are)\b",
            r"\btranslate (?:the following|each of these|each line)\b",
            r"^\s*(?:system|assistant|user):",
            r"\byou are a (?:professional|helpful) (?:translator|assistant)\b",
            r"^\s*```",
            r"^\s*[\[{]\s*\"\w+\"\s*:",
        )
    ),
    re.IGNORECASE | re.MULTILINE,
)


def clean(text: str) -> str:
    """Text for a synthesizer: one line, plain quotes, no markup, no translator's marks, normal spacing.

    Numbers stay digits: a synthesizer reads them in its own language, which is the right one.
    """
    text = unicodedata.normalize("NFC", text)
    text = _BRACKETED.sub(" ", _MARKUP.sub(" ", text)).translate(_QUOTES)
    text = "".join(" " if unicodedata.category(c) in {"Cc", "Zl", "Zp", "Cs", "Co"} else c for c in text)
    text = "".join(c for c in text if unicodedata.category(c) != "Cf" or c in "\u200c\u200d")
    text = _MARKS.sub("", text)
    text = _OPENED.sub(r"\1", _SPACED.sub(r"\1", " ".join(text.split())))
    return _REPEATED.sub(r"\1", text).strip(" ,;")


def is_speakable(text: str) -> bool:
    """Whether there is anything in a text to pronounce."""
    return any(c.isalnum() for c in clean(text))


def looks_like_error(text: str) -> bool:
    """Whether a reply is a program's error, a refusal or a prompt instead of a translation.

    Such text must never reach a voice. Only wordings that no ordinary speech has are listed.
    """
    return bool(_ERRORS.search(text.replace("’", "'")))


def same_words(left: str, right: str) -> bool:
    """Whether two texts say the same, capitals, accents and punctuation aside."""
    return _letters(left) == _letters(right)


_KIN = tuple(
    re.compile(family)
    for family in (
        "es|pt|gl|ca|it|fr|ro|oc|ast|an|co|sc", "da|nb|nn|no|sv|is|fo", "nl|de|af|lb|fy", "cs|sk|pl",
        "ru|uk|be|bg|mk|sr|hr|bs|sl", "id|ms", "hi|ur|mr|ne", "tr|az|tk", "zh|yue",
    )
)  # fmt: skip


def is_kin(source: str, target: str) -> bool:
    """Whether two languages (BCP-47 tags) are so near that a short sentence may be equal in both."""
    one, two = (tag.split("-")[0].lower() for tag in (source, target))
    return one == two or any(family.fullmatch(one) and family.fullmatch(two) for family in _KIN)


def is_untranslated(source: str, translated: str, *, kin: bool = True) -> bool:
    """Whether a translation is its source again.

    Short texts, names and numbers may well be equal in both languages; four ordinary words are not,
    nor are two different ones where the languages are no ``kin``. A capital at the beginning makes no name.
    """
    if not same_words(source, translated):
        return False
    words = re.findall(r"[^\W\d_]+", source)
    if source.isupper() or source.islower():
        return len(words) >= 4
    small = [word for word in words if word.islower()]
    ordinary = {word.lower() for word in (*small, *words[:1])}
    return len(small) >= 4 or (not kin and len(small) >= 1 and len(ordinary) >= 2)


def is_shouted(text: str) -> bool:
    """Whether a text is written in capitals throughout."""
    letters = [c for c in text if c.isalpha() and c.upper() != c.lower()]
    return len(letters) >= 4 and sum(c.isupper() for c in letters) > 0.8 * len(letters)


def _letters(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.casefold())
    return " ".join("".join(c if c.isalnum() else " " for c in plain if not unicodedata.combining(c)).split())
