"""Writes ONNX files byte by byte: enough of the format for models of a few hundred bytes in tests.

Field numbers are those of onnx.proto3 (ONNX, Apache-2.0).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

FLOAT, INT64 = 1, 7


def node(kind: str, inputs: str, outputs: str, **attributes: Any) -> bytes:
    """A step of the graph; names are separated by spaces."""
    body = b"".join(_text(1, name) for name in inputs.split())
    body += b"".join(_text(2, name) for name in outputs.split()) + _text(4, kind)
    for name, value in attributes.items():
        body += _bytes(5, _text(1, name) + _attribute(value))
    return body


def constant(name: str, value: Any) -> bytes:
    """A tensor that is part of the model: float32, or int64 for whole numbers."""
    array = np.asarray(value)
    array = array.astype("<i8" if array.dtype.kind in "iu" else "<f4")
    kind = INT64 if array.dtype.kind == "i" else FLOAT
    dims = b"".join(_int(1, size) for size in array.shape)
    return dims + _int(2, kind) + _text(8, name) + _bytes(9, array.tobytes())


def value(name: str, kind: int, shape: Sequence[int | str]) -> bytes:
    """An input or output; a text in the shape is a size that varies."""
    dims = b"".join(_bytes(1, _text(2, d) if isinstance(d, str) else _int(1, d)) for d in shape)
    return _text(1, name) + _bytes(2, _bytes(1, _int(1, kind) + _bytes(2, dims)))


def save(
    path: Path,
    *,
    nodes: Sequence[bytes],
    constants: Sequence[bytes],
    inputs: Sequence[bytes],
    outputs: Sequence[bytes],
    metadata: Mapping[str, Any] | None = None,
) -> Path:
    """Write a model (opset 13)."""
    graph = b"".join(_bytes(1, step) for step in nodes) + _text(2, "tiny")
    graph += b"".join(_bytes(5, tensor) for tensor in constants)
    graph += b"".join(_bytes(11, given) for given in inputs) + b"".join(_bytes(12, out) for out in outputs)
    model = _int(1, 8) + _bytes(8, _text(1, "") + _int(2, 13)) + _bytes(7, graph)
    for key, said in (metadata or {}).items():
        model += _bytes(14, _text(1, key) + _text(2, str(said)))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model)
    return path


def _attribute(given: Any) -> bytes:
    if isinstance(given, float):
        return b"\x15" + struct.pack("<f", given) + _int(20, 1)
    if isinstance(given, int):
        return _int(3, given) + _int(20, 2)
    return b"".join(_int(8, number) for number in given) + _int(20, 7)


def _varint(number: int) -> bytes:
    number &= (1 << 64) - 1
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def _int(field: int, number: int) -> bytes:
    return _varint(field << 3) + _varint(number)


def _bytes(field: int, data: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def _text(field: int, text: str) -> bytes:
    return _bytes(field, text.encode())
