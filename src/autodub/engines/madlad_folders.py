"""CTranslate2 translation models on disk: which languages they know, and how they want to be told.

Three kinds are understood, by what lies in their folder: MADLAD-400 (``<2es>`` before the text), Opus-MT
for several targets (``>>spa<<`` before the text) and Opus-MT for one pair (nothing before the text; the pair
is in tokenizer_config.json or in the folder's name).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from autodub.engines import hub, sentencepieces
from autodub.model.errors import EngineCannot, UnknownLanguage
from autodub.model.language import Language

DEFAULT = "madlad400-3b"
REPOSITORIES = {DEFAULT: "santhosh/madlad400-3b-ct2"}
"""Conversions that can be fetched as they are: google/madlad400-3b-mt in int8, 2.9 GB, Apache-2.0."""
FILES = (
    "config.json", "model.bin", "*vocabulary.*", "*.spm", "*.model",
    "tokenizer.json", "tokenizer_config.json",
)  # fmt: skip

_MADLAD = re.compile(r"<2([a-z]{2,3}(?:_[A-Za-z]{2,4})?)>")
_OPUS = re.compile(r">>([a-z]{2,3}(?:_[A-Za-z]{2,4})?)<<")
_PAIR = re.compile(r"(?:^|[-_/])([a-z]{2,3})[-_]([a-z]{2,3})(?:[-_](?:ct2|int8|float16|int8_float16))*$")
_EOS, _SPACE = "</s>", "▁"
_OTHER_NAMES = {"iw": "he", "jw": "jv", "in": "id", "ji": "yi", "tl": "fil", "cmn": "zh", "nb": "no"}


@dataclass(frozen=True, slots=True)
class Folder:
    """A model on disk."""

    path: Path
    kind: Literal["madlad", "opus", "pair"]
    targets: Mapping[str, str]
    """BCP-47 tag -> what stands before the text."""
    sources: frozenset[str] | None
    """Primary subtags; None = any."""

    def token(self, source: Language, target: Language) -> str | None:
        """What goes before the text for this pair (empty for nothing); None where it is not served."""
        if self.sources is not None and source.primary not in self.sources:
            return None
        wanted = [target.tag, f"{target.primary}-{target.script}" if target.script else "", target.primary]
        return next((self.targets[tag] for tag in wanted if tag in self.targets), None)


def folders(name: str, models: Path) -> list[Folder]:
    """The models meant by an option: all of ``models/madlad`` for ``auto``, else the one of that name.

    Pairs come before models of many languages: who puts a model for one pair there means it to be used.
    """
    paths: list[Path] = []
    if name == "auto":
        root = models / "madlad"
        paths = [path for path in sorted(root.iterdir()) if _is_model(path)] if root.is_dir() else []
        paths += [path for path in hub.snapshots(REPOSITORIES[DEFAULT])[:1] if _is_model(path)]
    else:
        places = [hub.located(name), hub.own_folder(models, "madlad", name)]
        found = repository(name)
        places += hub.snapshots(found) if found else []
        paths = [path for path in places if _is_model(path)][:1]
    known = [read(path) for path in paths]
    order = {"pair": 0, "opus": 1, "madlad": 2}
    return sorted(known, key=lambda folder: order[folder.kind])


def repository(name: str) -> str | None:
    """Where a name can be fetched from: a known one, or an ``owner/name`` as it is."""
    if name in REPOSITORIES:
        return REPOSITORIES[name]
    return name if hub.is_repository(name) else None


def read(path: Path) -> Folder:
    """What a folder's model can do. Raises EngineCannot where that cannot be found out."""
    words = _vocabulary(path, "source")
    for kind, pattern in (("madlad", _MADLAD), ("opus", _OPUS)):
        tags = {match[1]: word for word in words if (match := pattern.fullmatch(word))}
        if tags:
            sources = None if kind == "madlad" else _sources(path)
            return Folder(path, "madlad" if kind == "madlad" else "opus", _by_language(tags), sources)
    source, target = _pair(path)
    return Folder(path, "pair", {target: ""}, frozenset({Language(source).primary}))


class Tongue:
    """Text to a model's tokens and back."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        source, target = _tokenizers(folder.path)
        self._source, self._target = source, target
        words = _vocabulary(folder.path, "source")
        self._known = frozenset(words)
        pattern = _MADLAD if folder.kind == "madlad" else _OPUS
        self._marks = frozenset(word for word in words if pattern.fullmatch(word)) | {
            _EOS,
            "<s>",
            "<pad>",
            "<unk>",
        }
        config = _json(folder.path / "config.json")
        if not isinstance(config, dict):
            raise _unusable(folder.path, "its config.json is not a table")
        self._ends = _EOS in self._known and not config.get("add_source_eos", False)

    def encode(self, text: str, token: str) -> list[str]:
        """Tokens of a text for one target. Marks spelled out in the text are left out: they are no orders."""
        pieces = [
            p for p in self._source.encode(text, add_special_tokens=False).tokens if p not in self._marks
        ]
        head: list[str] = []
        if token:
            # MADLAD was trained on "<2es> text" as one string, whose first piece is a word boundary.
            head = [_SPACE, token] if self.folder.kind == "madlad" and _SPACE in self._known else [token]
        return [*head, *pieces, *([_EOS] if self._ends else [])]

    def decode(self, tokens: Sequence[str]) -> str:
        """Text of a model's tokens, without marks and unknowns, spaces made plain."""
        ids = [
            number
            for token in tokens
            if token not in self._marks and (number := self._target.token_to_id(token)) is not None
        ]
        return " ".join(self._target.decode(ids, skip_special_tokens=True).split())


def _tokenizers(path: Path) -> tuple[Any, Any]:
    """(tokenizer of the source, of the target). Raises EngineCannot where the folder has none."""
    from tokenizers import Tokenizer

    pair = [path / "source.spm", path / "target.spm"]
    if all(file.is_file() for file in pair):
        return _pieces(pair[0]), _pieces(pair[1])
    shared = sorted(file for kind in ("spm", "model") for file in path.glob(f"*.{kind}") if file.is_file())
    if shared:
        both = _pieces(shared[0])
        return both, both
    if (path / "tokenizer.json").is_file():
        try:
            both = Tokenizer.from_file(str(path / "tokenizer.json"))
        except Exception as error:  # the library has no other class for a bad file
            raise _unusable(path, f"its tokenizer.json cannot be read: {error}") from error
        return both, both
    raise _unusable(path, "it has no tokenizer (tokenizer.json, *.spm or *.model)")


def _pieces(file: Path) -> Any:
    pieces = sentencepieces.load(file)
    try:
        return sentencepieces.tokenizer(pieces)
    except Exception as error:  # as above
        raise _unusable(file.parent, f"its {file.name} makes no tokenizer: {error}") from error


def _is_model(path: Path) -> bool:
    return (path / "model.bin").is_file()


def _vocabulary(path: Path, side: str) -> list[str]:
    for name in (f"{side}_vocabulary", "shared_vocabulary", "vocabulary"):
        if (path / f"{name}.json").is_file():
            words = _json(path / f"{name}.json")
            return [str(word) for word in words] if isinstance(words, list) else []
        if (path / f"{name}.txt").is_file():
            try:
                return (path / f"{name}.txt").read_text("utf-8").split("\n")
            except (OSError, UnicodeDecodeError) as error:
                raise _unusable(path, f"its {name}.txt cannot be read: {error}") from error
    raise _unusable(path, "it has no vocabulary")


def _by_language(tags: Mapping[str, str]) -> dict[str, str]:
    """BCP-47 tag -> mark. A mark without a script is the language's own where there are several."""
    out: dict[str, str] = {}
    for tag, mark in sorted(tags.items(), key=lambda item: (len(item[0]), item[0])):
        language = _language(tag)
        if language is not None:
            out.setdefault(language.tag, mark)
            if language.tag == f"{language.primary}-Hans":
                out.setdefault(language.primary, mark)
    return out


def _language(tag: str) -> Language | None:
    """The language a model's tag means; None for those our table does not have."""
    first, _, rest = tag.partition("_")
    for name in (first, _OTHER_NAMES.get(first, "")):
        try:
            return Language(f"{name}-{rest}" if rest else name)
        except UnknownLanguage:
            continue
    return None


def _sources(path: Path) -> frozenset[str] | None:
    """Source of an Opus-MT model for several targets, where its name tells one; else any."""
    try:
        source, _ = _pair(path)
    except EngineCannot:
        return None
    return frozenset({source})


def _pair(path: Path) -> tuple[str, str]:
    config = _json(path / "tokenizer_config.json") if (path / "tokenizer_config.json").is_file() else {}
    if not isinstance(config, dict):
        raise _unusable(path, "its tokenizer_config.json is not a table")
    given = (config.get("source_lang"), config.get("target_lang"))
    match = _PAIR.search(path.name.lower())
    for names in (given, match.groups() if match else ()):
        languages = [_language(str(name).replace("-", "_")) for name in names if name]
        if len(languages) == 2 and languages[0] is not None and languages[1] is not None:
            return languages[0].primary, languages[1].tag
    raise _unusable(
        path,
        "neither its tokenizer_config.json nor its name (such as opus-mt-en-es) says which pair it is for",
    )


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _unusable(path.parent, f"its {path.name} cannot be read: {error}") from error


def _unusable(path: Path, why: str) -> EngineCannot:
    return EngineCannot(
        f"The translation model in {path} cannot be used: {why}.",
        hint="Convert it with ct2-transformers-converter, --copy_files for its tokenizer; or fetch it again.",
    )


def listed(known: Iterable[Folder]) -> str:
    """Names of models, for people."""
    return ", ".join(folder.path.name for folder in known)
