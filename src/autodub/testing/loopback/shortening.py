"""Wordings of fewer syllables made without a model: what a stand-in for one says when asked to be brief.

Deterministic. Fillers, intensifiers and ordinary adjectives go first, then trailing clauses and
phrases; never a name, a number, a negation or a question. The other way round, fillers make a
translation as wordy as those of an expanding pair of languages.
"""

from __future__ import annotations

import re

from autodub.dubbing.meaning import lost
from autodub.dubbing.syllables import syllables

_LEAST = 2
"""Words that always remain."""
_BRIEFER = {
    "es": {"ahora mismo": "ya", "por supuesto": "claro", "sin embargo": "pero", "en este momento": "ahora",
           "de acuerdo": "bien", "a causa de": "por", "alrededor de": "unos", "tal vez": "quizá"},
    "fr": {"en ce moment": "là", "bien sûr": "oui", "peut-être": "sans doute", "à cause de": "pour"},
    "it": {"in questo momento": "ora", "a causa di": "per", "va bene": "bene"},
    "pt": {"neste momento": "agora", "por causa de": "por", "com certeza": "claro"},
}  # fmt: skip
_FILLERS = {
    "ca": "molt|realment|bastant|també|ja|tot|encara|potser|bé|ara|avui|sempre|"
    "gran|bo|bona|nou|nova|petit|petita",
    "es": "muy|realmente|bastante|también|ya|todo|toda|todos|todas|aún|todavía|"
    "quizá|bien|ahora|aquí|allí|entonces|siempre|solo|sólo|casi|tan|más|"
    "hoy|pues|gran|grande|grandes|nuevo|nueva|"
    "nuevos|nuevas|pequeño|pequeña|viejo|vieja|bonito|bonita|hermoso|hermosa|"
    "largo|larga|mismo|misma|propio|propia|yo|tú|él|ella|nosotros|ellos|"
    "usted|ustedes|este|esta|estos|estas|ese|esa",
    "fr": "très|vraiment|assez|aussi|déjà|tout|toute|encore|bien|maintenant|ici|"
    "là|alors|toujours|seulement|presque|grand|grande|petit|petite|nouveau|"
    "nouvelle|vieux|vieille|beau|belle|bon|bonne|juste|même",
    "it": "molto|davvero|abbastanza|anche|già|tutto|tutta|ancora|bene|adesso|ora|"
    "qui|lì|allora|sempre|solo|quasi|grande|grandi|nuovo|nuova|piccolo|"
    "piccola|vecchio|vecchia|bello|bella|buono|buona|io|noi|loro",
    "pt": "muito|realmente|bastante|também|já|todo|toda|ainda|bem|agora|aqui|ali"
    "|então|sempre|só|quase|tão|mais|hoje|grande|grandes|novo|nova|pequeno"
    "|pequena|velho|velha|bonito|bonita|bom|boa|eu|ele|ela|nós|eles",
}
"""What may be left out anywhere, adverbs in -mente and -ment besides."""
_PADDING = {
    "ca": ("realment", "també", "encara", "avui"),
    "es": ("realmente", "también", "todavía", "siempre"),
    "fr": ("vraiment", "aussi", "encore", "toujours"),
    "it": ("davvero", "anche", "ancora", "sempre"),
    "pt": ("realmente", "também", "ainda", "sempre"),
}
"""Words that change little and can go again, for wordy translations."""
_JOINS = {
    "ca": "i|que|perquè|quan|si|però|amb|per a|per|a|en|de",
    "es": "y|e|o|que|porque|cuando|si|pero|mientras|con|para|por|a|en|de|del|desde|hasta|sobre",
    "fr": "et|ou|que|parce que|quand|si|mais|avec|pour|par|à|au|en|dans|de|du|des|sur",
    "it": "e|o|che|perché|quando|se|ma|con|per|a|al|in|nel|nella|di|del|della|da|su",
    "pt": "e|ou|que|porque|quando|se|mas|com|para|por|a|ao|em|no|na|de|do|da|sobre",
}


def shortened(natural: str, *, wanted: int, source: str, language: str) -> str | None:
    """The wording nearest to ``wanted`` syllables; None where nothing shorter keeps the meaning."""
    primary = language.split("-")[0]
    whole = syllables(natural, language)
    best: str | None = None
    text = natural
    for _ in range(60):
        steps = [
            step
            for step in _steps(text, primary)
            if _is_sound(natural, step, source=source, language=language)
        ]
        steps = [step for step in steps if syllables(step, language) < syllables(text, language)]
        if not steps or syllables(text, language) <= wanted:
            break
        # Small things first: the step that stays closest to what is wanted, from above if possible.
        text = min(steps, key=lambda step: (abs(syllables(step, language) - wanted), -len(step), step))
        if best is None or abs(syllables(text, language) - wanted) < abs(syllables(best, language) - wanted):
            best = text
    return best if best is not None and syllables(best, language) < whole else None


def lengthened(text: str, *, share: float, language: str) -> str:
    """The text with fillers, about ``share`` times as long as it is; as it is in an unknown language."""
    words = _PADDING.get(language.split("-")[0], ())
    wanted = share * syllables(text, language)
    ending = re.search(r"[.!?…]*[»\"']*$", text)
    final = ending[0] if ending else ""
    body = text[: len(text) - len(final)]
    for word in words:
        longer = f"{body} {word}"
        if syllables(longer, language) > wanted + 1:
            continue
        body = longer
    return body + final


def _steps(text: str, language: str) -> list[str]:
    """Texts with one thing less."""
    out = []
    for long, short in _BRIEFER.get(language, {}).items():
        out.append(re.sub(rf"(?i)(?<!\w){long}(?!\w)", short, text, count=1))
    fillers = _FILLERS.get(language)
    pattern = rf"(?i)(?<!\w)(?:{fillers}|\w{{3,}}ment[eo]?)(?!\w)" if fillers else r"(?!)"
    out.extend(text[: match.start()] + text[match.end() :] for match in re.finditer(pattern, text))
    ending = re.search(r"[.!?…]*[»\"']*$", text)
    final = ending[0] if ending else ""
    joins = _JOINS.get(language)
    clause = rf"[,;:]\s|\s(?:{joins})\s" if joins else r"[,;:，、；]\s?"
    body = text[: len(text) - len(final)]
    for match in re.finditer(clause, body):
        out.append(body[: match.start()] + final)
        if match[0][0] in ",;:":
            out.append(body[match.end() :] + final)
    return [_neat(step, text) for step in out if step != text]


def _neat(step: str, text: str) -> str:
    step = re.sub(r"\s+([,.;:!?…])|([¿¡])\s+", r"\1\2", " ".join(step.split()))
    step = re.sub(r"([,;:])(?=[.!?…])|^[,;:.\s]+", "", re.sub(r"([,;:])[,;:]+", r"\1", step))
    for mark, closing in (("¿", "?"), ("¡", "!")):
        if mark in text and closing in step and mark not in step:
            step = mark + step
    at = next((i for i, c in enumerate(step) if c.isalpha()), None)
    if at is not None and text.lstrip("¿¡\"'«")[:1].isupper():
        step = step[:at] + step[at].upper() + step[at + 1 :]
    return step


def _is_sound(natural: str, step: str, *, source: str, language: str) -> bool:
    return len(step.split()) >= _LEAST and not lost(natural, step, source=source, language=language)
