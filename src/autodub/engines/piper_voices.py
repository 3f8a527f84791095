"""Piper voices on disk: an ONNX network and a JSON file that says how to feed it.

The format is that of https://huggingface.co/rhasspy/piper-voices; only the files are read here, none of
Piper's own program is needed.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autodub.engines import hub
from autodub.model.errors import EngineCannot, UnknownLanguage
from autodub.model.language import Language

REPOSITORY = "rhasspy/piper-voices"
NAME = re.compile(
    r"(?P<code>(?P<family>[a-z]{2,3})_[A-Z]{2,3})-(?P<who>[\w+-]+)-(?P<quality>x_low|low|medium|high)"
)
_BEGIN, _PAD, _END = "^", "_", "$"
_BREAK = re.compile(r"([.!?…。！？,;:，；：、—–]+)(?=\s|$|[\"'»”)\]])|([。！？，；：、])")
_MARKS = {
    "…": ".",
    "。": ".",
    "！": "!",
    "？": "?",
    "，": ",",
    "、": ",",
    "；": ";",
    "：": ":",
    "—": ",",
    "–": ",",
}
_FINAL = ".!?"


@dataclass(frozen=True, slots=True)
class Model:
    """One network and what its JSON file says."""

    path: Path
    language: Language
    rate: int
    espeak: str
    """espeak-ng's name of the language its phonemes are in; empty = it reads letters."""
    ids: Mapping[str, Sequence[int]]
    speakers: tuple[tuple[str, int], ...]
    """(name, number) of each speaker; empty for one alone."""
    noise: float
    length: float
    width: float
    """Its own settings: noise, length of a phoneme, noise of the lengths."""

    @property
    def name(self) -> str:
        """File name without ending, such as ``es_ES-davefx-medium``."""
        return self.path.name.removesuffix(".onnx")

    def voices(self) -> tuple[tuple[str, int | None], ...]:
        """(id, number of the speaker) of every voice in it."""
        if not self.speakers:
            return ((self.name, None),)
        return tuple((f"{self.name}#{name}", number) for name, number in self.speakers)

    def feed(self, phonemes: str) -> list[int]:
        """Numbers of a sentence's phonemes, with the marks around and between them; unknown ones left out."""
        out = [*self.ids[_BEGIN], *self.ids[_PAD]]
        for phoneme in unicodedata.normalize("NFD", phonemes):
            if phoneme in self.ids:
                out += [*self.ids[phoneme], *self.ids[_PAD]]
        return [*out, *self.ids[_END]]


def find(folder: Path, name: str = "") -> tuple[Model, ...]:
    """Models below a folder (those of one name), by name. Raises EngineCannot for one that cannot be read."""
    found = sorted(folder.rglob("*.onnx")) if folder.is_dir() else []
    paths = {path.name: path for path in found if path.with_name(path.name + ".json").is_file()}
    return tuple(_read(path) for path in paths.values() if not name or path.name == f"{name}.onnx")


def mark(models: Sequence[Model]) -> str:
    """What tells these models from others of the same names."""
    return hub.revision(*(model.path for model in models))


def files(name: str) -> tuple[str, ...]:
    """Where a voice's files lie in the repository; with its model card, which has its licence."""
    match = NAME.fullmatch(name)
    if match is None:
        raise EngineCannot(
            f"“{name}” is no name of a Piper voice.",
            hint=f"They look like es_ES-davefx-medium; https://huggingface.co/{REPOSITORY} lists them.",
        )
    place = f"{match['family']}/{match['code']}/{match['who']}/{match['quality']}"
    return tuple(f"{place}/{file}" for file in (f"{name}.onnx", f"{name}.onnx.json", "MODEL_CARD"))


def sentences(text: str) -> list[list[tuple[str, str]]]:
    """A text as sentences of (clause, mark that ends it); marks are one of ``. ! ? , ; :``."""
    out: list[list[tuple[str, str]]] = [[]]
    at = 0
    for match in [*_BREAK.finditer(text), None]:
        clause = text[at : match.start() if match else len(text)]
        signs = (match[1] or match[2]) if match else ""
        sign = _MARKS.get(signs[:1], signs[:1])
        if "?" in signs or "？" in signs:
            sign = "?"
        if any(c.isalnum() for c in clause):
            out[-1].append((" ".join(clause.split()), sign))
        if out[-1] and sign in _FINAL and sign:
            out.append([])
        at = match.end() if match else len(text)
    return [sentence for sentence in out if sentence]


def _read(path: Path) -> Model:
    file = path.with_name(path.name + ".json")
    try:
        said: dict[str, Any] = json.loads(file.read_text("utf-8"))
        kind = _kind(said)
        ids = {str(key): tuple(int(n) for n in value) for key, value in said["phoneme_id_map"].items()}
        for needed in (_BEGIN, _PAD, _END):
            ids[needed]  # a KeyError names it
        many = int(said.get("num_speakers", 1)) > 1
        names = said.get("speaker_id_map") or {str(n): n for n in range(int(said.get("num_speakers", 1)))}
        inference = said.get("inference", {})
        code = said.get("language", {}).get("code") or path.name.partition("-")[0]
        return Model(
            path,
            Language(str(code).replace("_", "-")),
            _rate(said["audio"]["sample_rate"]),
            _espeak(said["espeak"]["voice"]) if kind == "espeak" else "",
            ids,
            tuple((str(name), int(number)) for name, number in names.items()) if many else (),
            _scale(inference.get("noise_scale", 0.667)),
            _scale(inference.get("length_scale", 1.0), least=0.1),
            _scale(inference.get("noise_w", 0.8)),
        )
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        RecursionError,
        UnknownLanguage,
    ) as error:
        raise EngineCannot(
            f"The voice {path.name} cannot be used: {file.name}: {error or type(error).__name__}.",
            hint="Fetch it again, or take it out of the folder.",
        ) from error


def _espeak(name: object) -> str:
    """A name of espeak-ng's, which takes others for the paths of files."""
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z][\w+-]{0,40}", name, re.ASCII):
        raise ValueError("its espeak.voice is no name of a voice")
    return name


def _rate(value: object) -> int:
    if not isinstance(value, int) or not 8_000 <= value <= 96_000:
        raise ValueError("its audio.sample_rate is not between 8000 and 96000")
    return value


def _scale(value: object, *, least: float = 0.0) -> float:
    if not isinstance(value, int | float) or not least <= value <= 10.0:
        raise ValueError(f"a scale of its inference is not between {least:g} and 10")
    return float(value)


def _kind(said: Mapping[str, Any]) -> str:
    kind = str(said.get("phoneme_type", "espeak"))
    if kind not in {"espeak", "text"}:
        raise ValueError(f"its phonemes ({kind}) need Piper's own program")
    return kind
