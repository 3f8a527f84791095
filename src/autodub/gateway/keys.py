"""The identity of an answer: everything that can change it, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from functools import cache
from hashlib import sha256
from typing import Any, TypeVar, cast, get_type_hints

from autodub.engines.roles import EngineOptions
from autodub.gateway.accounts import account_of
from autodub.infra.codec import canonical
from autodub.model.calls import ListVoices, Moderation, Spans, Summary
from autodub.model.media import Blob, Source, Stems
from autodub.model.speech import Speech, Transcript, Translations, Turns, Voice, Voices

ANSWERS: dict[str, type] = {
    "download": Source,
    "detect": Spans,
    "separate": Stems,
    "transcribe": Transcript,
    "diarize": Turns,
    "translate": Translations,
    "list_voices": Voices,
    "synthesize": Speech,
    "clone": Voice,
    "summarize": Summary,
    "moderate": Moderation,
}
"""What each role's verb answers."""
_PLAIN = frozenset({str, int, float, bool, type(None)})
"""Most of what requests and answers hold; nothing lies inside."""
T = TypeVar("T")


def key(engine: Any, verb: str, request: object) -> str:
    """sha256 of the engine's name, role, version and options, the verb and the request.

    Which voices there are depends on the account as well.
    """
    info = engine.describe()
    options = getattr(engine, "options", None)
    if isinstance(options, EngineOptions):
        elsewhere = {name for name, verbs in options.serving.items() if verb not in verbs}
        options = options.model_dump(exclude=elsewhere)
    identity: tuple[object, ...]
    identity = (info.role, info.name, info.version, options, verb, type(request).__name__, request)
    if verb == "list_voices" and (account := account_of(engine)):
        identity = (*identity, account)
    return sha256(canonical(identity)).hexdigest()


def disproved(engine: Any, request: object) -> Iterator[str]:
    """Keys of lists of voices that are wrong, since a stock voice of the request is not there any more."""
    for voice in values(request, Voice):
        if voice.reference is None and hasattr(engine, "list_voices"):
            yield key(engine, "list_voices", ListVoices(voice.language))


def answer_type(engine: Any, verb: str) -> type[Any]:
    """What the verb answers: known for the roles, otherwise the method's return annotation.

    Raises TypeError when a verb of one's own does not say what it returns.
    """
    known = ANSWERS.get(verb)
    if known is not None:
        return known
    method = getattr(type(engine), verb)
    annotation = method.__annotations__.get("return")
    if isinstance(annotation, str):

        def bare() -> None: ...

        bare.__annotations__ = {"return": annotation}
        annotation = get_type_hints(bare, globalns=method.__globals__)["return"]
    if annotation in (None, Any):
        raise TypeError(f"{type(engine).__name__}.{verb} needs a return annotation to be kept")
    kind: type[Any] = annotation
    return kind


def values(value: object, kind: type[T]) -> list[T]:
    """Every value of that type inside a value, in order of its fields."""
    found: list[T] = []
    _collect(value, kind, found)
    return found


def _collect(value: object, kind: type[T], found: list[T]) -> None:
    if isinstance(value, kind):
        found.append(value)
    elif isinstance(value, (tuple, list)):
        for item in value:
            if type(item) not in _PLAIN:
                _collect(item, kind, found)
    else:
        for name in _names(cast("Any", type(value))):
            item = getattr(value, name)
            if type(item) not in _PLAIN:
                _collect(item, kind, found)


@cache
def _names(kind: Any) -> tuple[str, ...]:
    """Fields of a data class; none of anything else."""
    return tuple(field.name for field in fields(kind)) if is_dataclass(kind) else ()


def blobs(value: object) -> tuple[Blob, ...]:
    """Every file a value names, each once."""
    return tuple(dict.fromkeys(values(value, Blob)))
