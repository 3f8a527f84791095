"""Glossaries: terms that must be said in a certain way, or left as they are.

A file has one entry per line. Three layouts are told apart by themselves::

    # comment                        term,translation           term,es,fr,pt-BR
    Autodub                          stream,flujo               stream,flujo,flux,fluxo
    stream = flujo                   Autodub,!                  Autodub,!,!,!

The first is ``term = translation``; the others are CSV or TSV (RFC 4180 quoting, also with
semicolons). An empty translation, ``!``, or the term itself means: leave it as it is. Where columns
are headed by languages the one of the target is taken, and an empty cell says nothing about the term.
A term of capitals only (``IT``, ``NATO``) is told from the ordinary word by its capitals; in two-column
files a third column headed ``case`` with ``yes`` says so for any other.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache

from autodub.dubbing.text import same_words
from autodub.model.errors import BadOption, UnknownLanguage
from autodub.model.language import Language
from autodub.model.speech import Term

MOST = 5_000
"""Entries a glossary may have."""
LONGEST = 200
"""Characters a term or a translation may have."""
_KEEP = "!"
_MARKS = {"\t": "a tab", "=": "an equals sign", ",": "a comma", ";": "a semicolon"}
"""What may stand between a term and its translation, and what people call it."""
_SOURCE = {"term", "source", "word", "original", "from"}
_TARGET = {"translation", "target", "to", "meaning"}
_CASE = {"case", "case sensitive", "case_sensitive", "exact"}
_YES = {"yes", "y", "true", "1", "x"}
_NO = {"", "no", "n", "false", "0"}
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")
"""Scripts that set no blank between words: Thai, Lao, Burmese, Khmer, Japanese, Chinese."""

Row = tuple[int, list[str]]
"""Number of the line, and its cells."""


def parse(text: str, *, target: str, source: str | None = None) -> tuple[Term, ...]:
    """The terms of a glossary file for a target language (BCP-47 tag), in their order.

    ``source`` is the language of the original; a column headed by it holds the terms, otherwise the
    first one does. Raises BadOption naming the line that is wrong.
    """
    rows = _rows(text.removeprefix("\ufeff"))
    if not rows:
        return ()
    at, (term, translation, case) = 1, (0, 1, 2)
    heads = [cell.casefold() for cell in rows[0][1]]
    columns = _languages(rows[0][1])
    if columns is not None:
        term, translation = _column(columns, source) or 0, _wanted(columns, target)
        case = -1
    elif len(heads) > 1 and heads[0] in _SOURCE and heads[1] in _TARGET:
        case = next((i for i, head in enumerate(heads) if head in _CASE), 2)
    else:
        at = 0
    found: dict[str, tuple[int, Term]] = {}
    for number, cells in rows[at:]:
        if len(cells) > max(len(heads), 3):
            raise _bad(number, "it has more columns than the first line")
        if columns is not None and not any(cells[translation : translation + 1]):
            if not any(cells[1:]):
                raise _bad(number, "it has a term and nothing else", "Write ! where it stays as it is.")
            continue
        entry = _entry(number, cells, term, translation, case)
        key = entry.source if entry.is_case_sensitive else entry.source.casefold()
        known = found.setdefault(key, (number, entry))
        if known[1].target != entry.target:
            raise _bad(number, f"line {known[0]} says something else about the same term")
    if len(found) > MOST:
        raise BadOption(
            f"The glossary has {len(found)} entries; {MOST} is the most.",
            hint="Leave out what does not occur in this video.",
        )
    return tuple(entry for _, entry in found.values())


def targets(text: str) -> tuple[str, ...] | None:
    """Languages (BCP-47 tags) a glossary has columns of translations for; None where any will do.

    Raises BadOption naming the line that is wrong.
    """
    rows = _rows(text.removeprefix("\ufeff"))
    columns = _languages(rows[0][1]) if rows else None
    return None if columns is None else tuple(column.tag for column in columns[1:] if column is not None)


def occurring(terms: Sequence[Term], texts: Iterable[str]) -> tuple[Term, ...]:
    """The terms that occur in any of the texts (of the source's language), in the glossary's order."""
    joined = "\n".join(_plain(text) for text in texts)
    return tuple(term for term in terms if _pattern(term.source, term.is_case_sensitive).search(joined))


def keeps(term: Term, text: str) -> bool:
    """Whether a translation says the term as it must be said.

    What stays as it is must stay to the letter, capitals aside; a translation may be inflected.
    """
    if same_words(term.source, term.target):
        return bool(_exact(term.target).search(_plain(text)))
    return bool(_pattern(term.target, False).search(_plain(text)) or _inflected(term.target, _plain(text)))


def _entry(number: int, cells: list[str], term: int, translation: int, case: int) -> Term:
    cells = [" ".join(unicodedata.normalize("NFC", cell).split()) for cell in cells]
    source = cells[term] if term < len(cells) else ""
    target = cells[translation] if translation < len(cells) else ""
    if not any(c.isalnum() for c in source):
        raise _bad(number, "it has no term", "Write term = translation, or the term alone to keep it.")
    if target in {"", _KEEP}:
        target = source
    elif not any(c.isalnum() for c in target):
        raise _bad(number, f"{target!r} cannot be spoken", "Write ! to leave a term as it is.")
    if max(len(source), len(target)) > LONGEST:
        raise _bad(number, f"it is longer than {LONGEST} characters")
    said = cells[case].casefold() if 0 <= case < len(cells) else ""
    if said not in _YES | _NO:
        raise _bad(number, f"{cells[case]!r} is neither yes nor no", "Put a term with a comma in quotes.")
    capitals = source.isupper() and sum(c.isalpha() for c in source) > 1
    return Term(source, target, is_case_sensitive=said in _YES or (capitals and said != "no"))


def _rows(text: str) -> list[Row]:
    """The file's lines as cells, without comments and blank lines."""
    lines = [
        (number, line)
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    for number, line in lines:
        if any(unicodedata.category(c) == "Cc" and c != "\t" for c in line):
            raise _bad(number, "it holds control characters", "Save the glossary as plain text in UTF-8.")
    mark = _mark([line for _, line in lines])
    if any(mark in line for _, line in lines):
        for number, line in lines:
            _refuse_other(number, line, mark)
    return [(number, _cells(number, line, mark)) for number, line in lines]


def _refuse_other(number: int, line: str, mark: str) -> None:
    """A line without the file's sign but with another one was meant in another layout."""
    if mark in line or (mark != "=" and line.lstrip().startswith('"')):
        return
    other = next((sign for sign in _MARKS if sign in line), None)
    if other is not None:
        term = line.strip()
        alone = f"{term} = {_KEEP}" if mark == "=" else f'"{term}"{mark}{_KEEP}'
        raise _bad(
            number,
            f"it has {_MARKS[other]} where other lines have {_MARKS[mark]}",
            f"Write every line in the same way; a term that is to stay as it is: {alone}",
        )


def _mark(lines: Sequence[str]) -> str:
    """What stands between term and translation: the sign that most lines hold; tab before the others."""
    counts = {mark: sum(mark in line for line in lines) for mark in _MARKS}
    return max(counts, key=lambda mark: (counts[mark], mark == "\t", mark == "=", mark == ","))


def _cells(number: int, line: str, mark: str) -> list[str]:
    if mark == "=":
        return [cell.strip() for cell in line.split("=", 1)]
    try:
        cells = next(csv.reader([line], delimiter=mark, strict=True, skipinitialspace=True))
    except csv.Error as error:
        raise _bad(number, f"its quotes do not match ({error})") from error
    while len(cells) > 1 and not cells[-1].strip():
        cells.pop()
    return [cell.strip() for cell in cells]


def _languages(cells: Sequence[str]) -> list[Language | None] | None:
    """Language of every column after the first, where all of them are headed by one; else None.

    The first one may be headed by a word (``term``) or by a language, too.
    """
    if len(cells) < 2:
        return None
    columns: list[Language | None] = []
    for cell in cells:
        try:
            columns.append(Language(cell))
        except UnknownLanguage:
            columns.append(None)
    first = columns[0] is not None or cells[0].casefold() in _SOURCE
    return columns if first and None not in columns[1:] else None


def _wanted(columns: Sequence[Language | None], target: str) -> int:
    found = _column(columns, target)
    if found is not None:
        return found
    there = ", ".join(column.tag for column in columns[1:] if column)
    raise BadOption(
        f"The glossary has columns for {there}, and none for {Language(target).name}.",
        hint=f"Add a column headed {target}, or dub without this glossary.",
    )


def _column(columns: Sequence[Language | None], tag: str | None) -> int | None:
    """The column of a language: that very one, then the plain one, then any of its regions."""
    if tag is None:
        return None
    wanted = Language(tag)
    ranked = [
        (column != wanted, column.tag != wanted.primary, at)
        for at, column in enumerate(columns)
        if column is not None and column.primary == wanted.primary
    ]
    return min(ranked)[-1] if ranked else None


def _bad(number: int, why: str, hint: str = "") -> BadOption:
    return BadOption(
        f"Line {number} of the glossary cannot be used: {why}.",
        hint=hint or "An entry is one line, such as: stream = flujo",
    )


def _plain(text: str) -> str:
    """A text as terms are looked up in it: composed characters, plain apostrophes, single blanks."""
    return " ".join(unicodedata.normalize("NFC", text).replace("’", "'").split())


@lru_cache(maxsize=2 * MOST)
def _pattern(term: str, is_case_sensitive: bool) -> re.Pattern[str]:
    """Finds a term as a word, also with a short ending of its own (plural, case)."""
    body = r"\s+".join(re.escape(word) for word in _plain(term).split())
    flags = 0 if is_case_sensitive else re.IGNORECASE
    if _UNSPACED.search(term):
        return re.compile(body, flags)
    ending = r"(?:'?[^\W\d_]{0,2})" if len(term) >= 4 and term[-1].isalpha() else "(?:'?s)?"
    return re.compile(rf"(?<!\w){body}{ending}(?!\w)", flags)


@lru_cache(maxsize=2 * MOST)
def _exact(term: str) -> re.Pattern[str]:
    body = r"\s+".join(re.escape(word) for word in _plain(term).split())
    if _UNSPACED.search(term):
        return re.compile(body, re.IGNORECASE)
    return re.compile(rf"(?<!\w){body}(?:'?s)?(?!\w)", re.IGNORECASE)


def _inflected(term: str, text: str) -> bool:
    """Whether every word of the term occurs in order with another ending of up to three letters."""
    words = re.findall(r"\w+", term.casefold())
    if not words:
        return False
    stems = [word if len(word) < 5 else word[: max(4, len(word) - 2)] for word in words]
    body = r"\W+(?:\w{1,3}\W+)?".join(
        re.escape(stem) + (r"\w{0,4}" if len(stem) >= 4 else r"\w{0,2}") for stem in stems
    )
    return bool(re.search(rf"(?<!\w){body}(?!\w)", text.casefold()))
