"""A real CTranslate2 transformer of some 100 KB that translates word by word from a list, no training needed.

Embeddings are one-hot words beside one-hot positions. The only attention with weights is the decoder's look
at the source: position i looks at source position i + offset, and what it sees there is passed through the
word list. So the whole path (tokenizer, encoder, beam search, decoding) runs on weights that make sense.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ctranslate2.specs import TransformerSpec
from ctranslate2.specs.model_spec import LayerSpec

WORDS = {
    "▁The": "▁La", "▁house": "▁casa", "▁is": "▁es", "▁big": "▁grande", "▁I": "▁Yo", "▁have": "▁tengo",
    "▁two": "▁dos", "▁cats": "▁gatos", "▁and": "▁y", "▁you": "▁tú", "▁Good": "▁Buenos", "▁morning": "▁días",
    "▁House": "▁Casa",
}  # fmt: skip
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,?!¿¡'-áéíóúñ<>|/:;()"
POSITIONS = 160


def vocabulary(marks: Sequence[str], words: Mapping[str, str] = WORDS) -> list[str]:
    """All pieces, special ones first."""
    listed = dict.fromkeys([*words.keys(), *words.values(), "▁", *LETTERS])
    return ["<s>", "</s>", "<unk>", *marks, *(word for word in listed if word not in marks)]


def make(
    folder: Path,
    *,
    marks: Sequence[str] = ("<2es>", "<2fr>"),
    offset: int = 2,
    words: Mapping[str, str] = WORDS,
    spm: Sequence[str] = ("spiece.model",),
    seed: int | None = None,
) -> Path:
    """Write a model; ``offset`` = tokens before the text. With ``seed`` its attention is noise."""
    folder.mkdir(parents=True, exist_ok=True)
    names = vocabulary(marks, words)
    ids = {name: at for at, name in enumerate(names)}
    width = -(-(len(names) + POSITIONS) // 8) * 8
    spec = TransformerSpec.from_config((1, 1), 1, pre_norm=True)
    for part in (spec.encoder, spec.decoder):
        _zero(part, width)
        part.scale_embeddings = False
        part.position_encodings.encodings = np.eye(POSITIONS, width, len(names), dtype=np.float32)
    table = np.eye(len(names), width, dtype=np.float32)
    spec.encoder.embeddings[0].weight = table
    spec.decoder.embeddings.weight = table
    spec.decoder.projection.weight = table
    spec.decoder.projection.bias = np.zeros(len(names), np.float32)
    look = spec.decoder.layer[0].attention.linear  # query; key and value; output
    at = np.arange(POSITIONS)
    query = np.zeros((width, width), np.float32)
    query[len(names) + np.minimum(at + offset, POSITIONS - 1), len(names) + at] = 30.0
    key = np.zeros((width, width), np.float32)
    key[len(names) + at, len(names) + at] = 30.0
    value = np.zeros((width, width), np.float32)
    for name, number in ids.items():
        value[ids[words.get(name, name)], number] = 10.0
    look[0].weight, look[2].weight = query, np.eye(width, dtype=np.float32)
    look[1].weight = np.concatenate([key, value])
    if seed is not None:
        rng = np.random.default_rng(seed)
        look[2].weight = rng.normal(0, 1, (width, width)).astype(np.float32)
    spec.config.decoder_start_token = "<s>"
    spec.register_source_vocabulary(names)
    spec.register_target_vocabulary(names)
    spec.validate()
    spec.save(str(folder))
    for name in spm:
        (folder / name).write_bytes(sentencepiece(names))
    return folder


def sentencepiece(names: Sequence[str]) -> bytes:
    """A SentencePiece Unigram model of these pieces, longer ones being likelier."""
    out = b""
    for name in names:
        kind = {"<unk>": 2, "<s>": 3, "</s>": 3}.get(name, 4 if name.startswith(("<2", ">>")) else 1)
        score = struct.pack("<f", -1.0 if len(name) > 1 else -10.0)
        body = _field(1, name.encode()) + b"\x15" + score + b"\x18" + bytes([kind])
        out += _field(1, body)
    return out + _field(2, b"\x18\x01") + _field(3, _field(1, b"identity"))


def as_json(folder: Path) -> Path:
    """The same tokenizer as a tokenizer.json in the place of the SentencePiece file."""
    from autodub.engines import sentencepieces

    (file,) = folder.glob("*.model")
    sentencepieces.tokenizer(sentencepieces.load(file)).save(str(folder / "tokenizer.json"))
    file.unlink()
    return folder


def name_pair(folder: Path, source: str, target: str) -> Path:
    """Say in tokenizer_config.json which pair a model is for, as Marian's own files do."""
    text = json.dumps({"source_lang": source, "target_lang": target})
    (folder / "tokenizer_config.json").write_text(text, encoding="utf-8")
    return folder


def _field(number: int, data: bytes) -> bytes:
    size = len(data)
    length = bytes([size]) if size < 128 else bytes([size & 0x7F | 0x80, size >> 7])
    return bytes([number << 3 | 2]) + length + data


def _zero(spec: LayerSpec, width: int, name: str = "") -> None:
    """Layers that pass on what they get: no attention, no feed-forward, plain normalisation."""
    kind = type(spec).__name__
    if kind == "LayerNormSpec":
        spec.gamma, spec.beta = np.ones(width, np.float32), np.zeros(width, np.float32)
    elif kind == "LinearSpec" and name != "projection":
        spec.weight, spec.bias = np.zeros((width, width), np.float32), np.zeros(width, np.float32)
    elif kind == "MultiHeadAttentionSpec":
        _zero(spec.layer_norm, width)
        for at, linear in enumerate(spec.linear):
            rows = width
            if len(spec.linear) == 2 and at == 0:
                rows = 3 * width
            elif len(spec.linear) == 3 and at == 1:
                rows = 2 * width
            linear.weight, linear.bias = np.zeros((rows, width), np.float32), np.zeros(rows, np.float32)
    else:
        children: dict[str, Any] = vars(spec)
        for key, value in children.items():
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, LayerSpec):
                    _zero(child, width, key)
