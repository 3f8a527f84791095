"""SentencePiece models (``*.spm``, ``*.model``) read into a ``tokenizers.Tokenizer``.

The sentencepiece package is not needed: the file is a small protocol buffer, of which five fields matter,
and the tokenizers library has the same segmentation (Unigram, Kudo 2018; BPE where the file says so).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autodub.model.errors import EngineCannot

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_NORMAL, _UNKNOWN, _BYTE = 1, 2, 6
_UNIGRAM, _BPE = 1, 2
_SPACE = "▁"


@dataclass(frozen=True, slots=True)
class Pieces:
    """What a SentencePiece file says."""

    pieces: tuple[tuple[str, float], ...]
    """(piece, log probability), by id."""
    kinds: tuple[int, ...]
    """1 normal, 2 unknown, 3 control, 4 user defined, 6 byte."""
    is_bpe: bool
    charsmap: bytes
    """Compiled normalisation rules; empty = none."""
    adds_prefix: bool
    """A space is put before the text."""

    @property
    def unknown(self) -> int:
        """Id of the piece for what is in no other."""
        return self.kinds.index(_UNKNOWN) if _UNKNOWN in self.kinds else 0


def load(path: Path) -> Pieces:
    """Read a SentencePiece file. Raises EngineCannot where it is none."""
    try:
        return _parse(path.read_bytes())
    except (OSError, ValueError, LookupError, struct.error) as error:
        raise EngineCannot(
            f"{path.name} cannot be read as a SentencePiece model: {error or 'it ends early'}.",
            hint=f"Fetch the model's files again; the file lies in {path.parent}.",
        ) from error


def tokenizer(pieces: Pieces) -> Any:
    """A ``tokenizers.Tokenizer`` that cuts text as the SentencePiece library does."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

    has_bytes = _BYTE in pieces.kinds
    if pieces.is_bpe:
        ids = {piece: at for at, (piece, _) in enumerate(pieces.pieces)}
        model: Any = models.BPE(
            ids,
            _merges(pieces, ids),
            unk_token=pieces.pieces[pieces.unknown][0],
            fuse_unk=True,
            byte_fallback=has_bytes,
        )
    else:
        model = models.Unigram(list(pieces.pieces), unk_id=pieces.unknown, byte_fallback=has_bytes)
    made = Tokenizer(model)
    rules: list[Any] = []
    if pieces.charsmap:
        rules.append(normalizers.Precompiled(pieces.charsmap))
    rules += [normalizers.Strip(), normalizers.Replace(Regex(" {2,}"), " ")]
    made.normalizer = normalizers.Sequence(rules)
    scheme: Any = "always" if pieces.adds_prefix else "never"
    made.pre_tokenizer = pre_tokenizers.Metaspace(_SPACE, prepend_scheme=scheme, split=False)
    made.decoder = decoders.Sequence(
        [decoders.Replace(_SPACE, " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    # Control pieces are not made known as special: text that spells <s> must stay text.
    return made


def _merges(pieces: Pieces, ids: dict[str, int]) -> list[tuple[str, str]]:
    """BPE merges in order of their rank: every piece as its parts, most probable pieces first."""
    found = []
    for piece, score in pieces.pieces:
        for cut in range(1, len(piece)):
            left, right = piece[:cut], piece[cut:]
            if left in ids and right in ids:
                found.append((-score, ids[left], ids[right], left, right))
    return [(left, right) for *_, left, right in sorted(found)]


def _parse(data: bytes) -> Pieces:
    pieces: list[tuple[str, float]] = []
    kinds: list[int] = []
    kind, charsmap, prefix = _UNIGRAM, b"", True
    for field, value in _fields(data):
        if field == 1:  # SentencePiece: piece, score, type
            inner = dict(_fields(_block(value)))
            if 1 not in inner:
                raise ValueError("a piece has no text")
            pieces.append(
                (_block(inner[1]).decode(), struct.unpack("<f", _block(inner[2]))[0] if 2 in inner else 0.0)
            )
            kinds.append(_number(inner.get(3, _NORMAL)))
        elif field == 2:  # TrainerSpec: model_type
            kind = _number(dict(_fields(_block(value))).get(3, _UNIGRAM))
        elif field == 3:  # NormalizerSpec: precompiled_charsmap, add_dummy_prefix
            inner = dict(_fields(_block(value)))
            charsmap = _block(inner.get(2, b""))
            prefix = bool(_number(inner.get(3, 1)))
    if not pieces:
        raise ValueError("it has no pieces")
    if kind not in (_UNIGRAM, _BPE):
        raise ValueError(f"models of type {kind} are not supported")
    return Pieces(tuple(pieces), tuple(kinds), kind == _BPE, charsmap, prefix)


def _fields(data: bytes) -> Iterator[tuple[int, bytes | int]]:
    """(number, value) of the fields of a protocol buffer message."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        field, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, at = _varint(data, at)
            yield field, value
            continue
        if kind == _BYTES:
            size, at = _varint(data, at)
        elif kind in (_FIXED32, _FIXED64):
            size = 4 if kind == _FIXED32 else 8
        else:
            raise ValueError(f"unknown field type {kind}")
        if at + size > len(data):
            raise ValueError("it ends early")
        yield field, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
        if shift > 63:
            raise ValueError("a number is too long")


def _block(value: bytes | int) -> bytes:
    if isinstance(value, int):
        raise ValueError("a number where text was expected")  # noqa: TRY004 - the file is bad, not the call
    return value


def _number(value: bytes | int) -> int:
    if isinstance(value, bytes):
        raise ValueError("text where a number was expected")  # noqa: TRY004 - as above
    return value
