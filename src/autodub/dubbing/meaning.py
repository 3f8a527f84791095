"""What a shorter wording must not lose: numbers, names, negations, and that a question is one.

Checks compare two texts of the same language and need no dictionary, so they see only what is marked
on the surface. They err on the strict side: what they refuse costs one choice of length, not a line.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

from autodub.dubbing.text import is_shouted

_NEGATIONS = {
    "ca": "no|ni|mai|cap|res|ningú|gens|sense|tampoc",
    "cs": r"ne\w*|nikdy|nic|nikdo|žádn\w*|bez",
    "da": "ikke|aldrig|ingen|intet|uden|nej",
    "de": r"nicht|nichts|nie|niemals|niemand\w*|kein\w*|ohne|nein|weder",
    "el": "δεν|δε|μην|μη|ποτέ|τίποτα|κανείς|χωρίς|όχι",
    "en": r"no|not|\w+n't|cannot|never|nothing|nobody|nowhere|none|neither|nor|without",
    "es": "no|nunca|jamás|nada|nadie|ningún|ninguna|ninguno|ni|sin|tampoco",
    "fi": r"ei|en|et|emme|ette|eivät|älä|älkää|koskaan|mitään|kukaan|ilman",
    "fr": r"n|ne|pas|jamais|rien|personne|aucun\w*|sans|non|ni",
    "gl": "non|nin|nunca|xamais|nada|ninguén|ningún|ningunha|sen|tampouco",
    "hr": r"ne|nije|nisam|nisu|nema|nikad\w*|ništa|nitko|nijed\w*|bez",
    "hu": r"nem|ne|soha|semmi\w*|senki\w*|nélkül|sem|nincs\w*",
    "id": "tidak|bukan|jangan|tak|belum|tanpa|tiada",
    "it": r"non|no|mai|niente|nulla|nessun\w*|né|senza|neanche|nemmeno|neppure",
    "nb": "ikke|aldri|ingen|ingenting|uten|nei",
    "nl": "niet|niets|nooit|niemand|geen|zonder|nee",
    "pl": r"nie|nigdy|nic|nikt|żad\w*|bez|ani",
    "pt": "não|nunca|jamais|nada|ninguém|nenhum|nenhuma|nem|sem|tampouco",
    "ro": r"nu|n|niciodată|nimic|nimeni|nicio|niciun\w*|fără|nici",
    "ru": r"не|нет|ни|никогда|ничего|никто|никак\w*|без|нельзя",
    "sv": "inte|aldrig|ingen|inget|inga|ingenting|utan|nej|ej",
    "tr": r"değil\w*|yok|hayır|asla|hiç\w*|\w+m[ae]z\w*|\w+m[ıiuü]yor\w*|\w+m[ae]d[ıi]\w*|\w*siz|\w*sız",
    "uk": r"не|ні|немає|ніколи|нічого|ніхто|без",
}
"""Words that deny, by language; verbs' endings too where those deny."""
_UNSPACED_NEGATIONS = {
    "zh": "不|没|沒|无|無|别|別|未|勿",
    "ja": "ない|ません|ぬ|ず(?:に|、|。|$)|なかった|無理|いえ",
    "ko": "안 |않|없|못|아니|말[고아]",
    "th": "ไม่|อย่า|มิ",
}
_COUNTS = {
    "ca": "dos|dues|tres|quatre|cinc|sis|set|vuit|nou|deu|onze|dotze|vint|trenta|quaranta|cinquanta|cent|mil",
    "de": "zwei|drei|vier|fünf|sechs|sieben|acht|neun|zehn|elf|zwölf|zwanzig|dreißig|vierzig|fünfzig|hundert"
    "|tausend",
    "en": "two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|twenty|thirty"
    "|forty|fifty|sixty|hundred|thousand|million|billion",
    "es": "dos|tres|cuatro|cinco|seis|siete|ocho|nueve|diez|once|doce|trece|catorce|quince|veinte|treinta"
    "|cuarenta|cincuenta|sesenta|cien|ciento|mil|millón|millones",
    "fr": "deux|trois|quatre|cinq|six|sept|huit|neuf|dix|onze|douze|treize|quatorze|quinze|vingt|trente"
    "|quarante|cinquante|soixante|cent|mille|million|millions",
    "it": "due|tre|quattro|cinque|sei|sette|otto|nove|dieci|undici|dodici|venti|trenta|quaranta|cinquanta"
    "|cento|mille|mila|milione|milioni",
    "nl": "twee|drie|vier|vijf|zes|zeven|acht|negen|tien|elf|twaalf|twintig|dertig|honderd|duizend",
    "pt": "dois|duas|três|quatro|cinco|seis|sete|oito|nove|dez|onze|doze|vinte|trinta|quarenta|cinquenta"
    "|cem|cento|mil|milhão|milhões",
}
"""Numbers as words, the commonest ones; one is left out, since it is an article in most languages."""
_CAPITAL_NOUNS = frozenset({"de", "lb"})
"""Languages that write every noun with a capital: there a capital alone marks no name."""
_THOUSANDS = re.compile(r"(?<=\d)[.,'\u202f\u00a0 ](?=\d{3}(?!\d))")
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_START = re.compile(r"(?:^|[.!?…:¿¡\"“«»(–—-])\s*[\"“«¿¡(]*\s*$")


def lost(natural: str, shorter: str, *, source: str, language: str) -> str:
    """What a wording lost against the natural one, as a word; empty when nothing is missing.

    ``number`` (also one in digits that nobody said), ``name``, ``negation`` (also one too many) or
    ``question``. ``source`` is the original text, ``language`` the BCP-47 tag of both wordings.
    """
    primary = language.replace("_", "-").split("-")[0].lower()
    before, after = numbers(natural, primary), numbers(shorter, primary)
    if before - after or any(number.isdigit() for number in after - before):
        return "number"
    if denies(natural, primary) != denies(shorter, primary):
        return "negation"
    if _asks(natural, primary) != _asks(shorter, primary):
        return "question"
    heard = _folded_words(shorter)
    if any(not _heard(name, heard) for name in names(natural, source=source, language=primary)):
        return "name"
    return ""


def numbers(text: str, language: str) -> Counter[str]:
    """Numbers of a text with how often each occurs; digits without thousands marks, and number words."""
    found = Counter(re.findall(r"\d+", _THOUSANDS.sub("", text)))
    words = _COUNTS.get(language)
    if words:
        found.update(re.findall(rf"(?<!\w)(?:{words})(?!\w)", text.casefold()))
    return found


def denies(text: str, language: str) -> bool:
    """Whether a text holds a negation; False for languages whose negations are not known here."""
    low = text.casefold().replace("’", "'")
    if language in _UNSPACED_NEGATIONS:
        return bool(re.search(_UNSPACED_NEGATIONS[language], low))
    words = _NEGATIONS.get(language)
    return bool(words and re.search(rf"(?<!\w)(?:{words})(?!\w)", low))


def names(text: str, *, source: str, language: str) -> tuple[str, ...]:
    """Words of a text that look like names: capitals inside a sentence, or a capital kept from the source."""
    if is_shouted(text):
        return ()
    parts = [part for word in _WORD.findall(source) for part in (word, *re.split("['’-]", word))]
    original = {_folded(part) for part in parts if part[:1].isupper()}
    inside = language not in _CAPITAL_NOUNS
    out = []
    for match in _WORD.finditer(text):
        word = match[0]
        if len(word) < 2 or not word[0].isupper():
            continue
        begins = bool(_START.search(text[: match.start()]))
        if (inside and not begins) or _folded(word) in original:
            out.append(word)
    return tuple(dict.fromkeys(out))


def _heard(name: str, words: frozenset[str]) -> bool:
    """Whether a name is among the words, perhaps with another ending."""
    folded = _folded(name)
    stem = folded if len(folded) < 5 else folded[:-1]
    return any(word == folded or (len(folded) >= 3 and word.startswith(stem)) for word in words)


def _asks(text: str, language: str) -> bool:
    return any(mark in text for mark in ("?？؟;\u037e" if language == "el" else "?？؟"))


def _folded_words(text: str) -> frozenset[str]:
    return frozenset(_folded(word) for word in _WORD.findall(text))


def _folded(word: str) -> str:
    plain = unicodedata.normalize("NFKD", word.casefold())
    return "".join(c for c in plain if not unicodedata.combining(c))
