"""Values to text and back: the identity of a request, and the stored form of an answer.

Two spellings of the same JSON. ``canonical`` is for hashing: keys sorted, defaults written out, and
numbers that compare equal spelled alike (``1.0`` as ``1``). ``dump`` is for keeping: it reads back
with ``load`` as an equal value, floats exact. Infinities are values (the level of silence), NaN is not.
"""

from __future__ import annotations

import json
import math
from collections.abc import Hashable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from numbers import Integral, Real
from pathlib import PurePath
from typing import Any, TypeVar, cast

from pydantic import BaseModel, TypeAdapter

T = TypeVar("T")
_EXACT = 2**53  # the largest float below which every whole number is itself


def canonical(value: object) -> bytes:
    """The one spelling of a value, for hashing. Raises TypeError for what has none, ValueError for NaN."""
    plain = _plain(value, numbers_alike=True)
    return _json(plain, sort_keys=True).encode("utf-8", "surrogatepass")


def dump(value: object) -> str:
    """A value as JSON text that ``load`` reads back. Raises TypeError and ValueError as ``canonical``."""
    return _json(_plain(value, numbers_alike=False), sort_keys=False)


def load(kind: type[T], text: str) -> T:
    """Read back what ``dump`` wrote. Raises ValueError when the text is not a value of that type."""
    value: T = _adapter(cast("Hashable", kind)).validate_json(
        text.encode("utf-8", "surrogatepass"), strict=True
    )
    return value


def _json(plain: object, *, sort_keys: bool) -> str:
    return json.dumps(plain, ensure_ascii=False, sort_keys=sort_keys, separators=(",", ":"))


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


@cache
def _names(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


def _plain(value: Any, *, numbers_alike: bool) -> object:
    """Nested dictionaries, lists and numbers of a value; written for speed on long transcripts."""
    kind = type(value)
    if kind is str or kind is bool or value is None or kind is int:
        return value
    if kind is float:
        if math.isnan(value):
            raise ValueError("not a number")
        if numbers_alike and value.is_integer() and abs(value) < _EXACT:
            return int(value)
        return value
    if kind is tuple or kind is list:
        return [_plain(item, numbers_alike=numbers_alike) for item in value]
    if is_dataclass(kind):
        return {name: _plain(getattr(value, name), numbers_alike=numbers_alike) for name in _names(kind)}
    return _rare(value, numbers_alike=numbers_alike)


def _rare(value: Any, *, numbers_alike: bool) -> object:
    if isinstance(value, BaseModel):
        return _plain(value.model_dump(), numbers_alike=numbers_alike)
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise TypeError("a mapping needs text keys to be stored")
        return {key: _plain(item, numbers_alike=numbers_alike) for key, item in value.items()}
    if isinstance(value, AbstractSet):
        items = [_plain(item, numbers_alike=numbers_alike) for item in value]
        return sorted(items, key=lambda item: _json(item, sort_keys=True))
    if isinstance(value, Enum):
        return _plain(value.value, numbers_alike=numbers_alike)
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Integral):  # numpy's, too
        return int(value)
    if isinstance(value, Real):
        return _plain(float(value), numbers_alike=numbers_alike)
    raise TypeError(f"a {type(value).__name__} cannot be stored as an answer or be part of a request")
