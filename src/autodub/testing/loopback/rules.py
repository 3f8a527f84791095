"""What the descriptions do not say, or say too loosely: found by reading documents and live answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from autodub.testing.loopback.messages import Request

_SPEED = (0.7, 1.2)
"""Bounds of the speaking speed that every document of ElevenLabs agrees on."""
_SEED = 2**32 - 1


def deepgram(request: Request) -> Iterator[str]:
    """Whatever is left out falls back to an old English model."""
    if request.path != "/v1/listen":
        return
    query: dict[str, list[str]] = {}
    for name, value in request.query:
        query.setdefault(name, []).append(value)
    if "model" not in query:
        yield "no model is named: the default is the oldest one"
    if "language" not in query and "detect_language" not in query:
        yield "no language is named: the default is English"
    if "diarize" in query:
        yield "diarize pins the old diarizer: diarize_model is meant"
    if "keywords" in query and query.get("model", [""])[0].startswith("nova-3"):
        yield "keywords do not work with nova-3: keyterm is meant"
    if "keyterm" in query and not query.get("model", [""])[0].startswith("nova-3"):
        yield "keyterm works with nova-3 only"
    if any("," in term for term in query.get("keyterm", ())):
        yield "a keyterm may hold no comma"


def openai(request: Request) -> Iterator[str]:
    """Strict schemas must be strict all the way down; thinking models take no temperature."""
    if not request.headers.get("authorization", "").startswith("Bearer "):
        yield "header Authorization is missing"
    if request.method != "POST":
        return
    body = _object(request)
    shape = _of(_of(body, "response_format"), "json_schema")
    if shape.get("strict") is True:
        yield from _loose(shape.get("schema"), "schema")
    if body.get("temperature") is not None and body.get("reasoning_effort") not in (None, "none"):
        yield "temperature is taken with reasoning_effort none only"
    if request.path.endswith("/responses") and body.get("store") is not False:
        yield "store is not false: answers would be kept for 30 days"


def _loose(schema: object, where: str) -> Iterator[str]:
    """Where an inner schema is not strict: every property required, no others allowed."""
    if not isinstance(schema, dict):
        return
    if "properties" in schema:
        if schema.get("additionalProperties") is not False:
            yield f"{where} does not forbid additional properties"
        if set(schema.get("required", ())) != set(schema["properties"]):
            yield f"{where} does not require all its properties"
    for name, inner in schema.items():
        if name in ("properties", "$defs", "definitions") and isinstance(inner, dict):
            for key, value in inner.items():
                yield from _loose(value, f"{where}.{key}")
        elif name in ("anyOf", "allOf", "oneOf") and isinstance(inner, list):
            for value in inner:
                yield from _loose(value, where)
        elif name == "items":
            yield from _loose(inner, f"{where}[]")


def elevenlabs(request: Request) -> Iterator[str]:
    """Bounds that the description lacks, and models that refuse fields."""
    if request.method != "POST" or not request.path.startswith("/v1/text-to-speech/"):
        return
    body = _object(request)
    speed = _of(body, "voice_settings").get("speed")
    if isinstance(speed, (int, float)) and not _SPEED[0] <= speed <= _SPEED[1]:
        yield f"voice_settings.speed is {speed:g}, outside {_SPEED[0]} to {_SPEED[1]}"
    seed = body.get("seed")
    if isinstance(seed, int) and not 0 <= seed <= _SEED:
        yield f"seed is {seed}, outside 0 to {_SEED}"
    model = str(body.get("model_id") or "")
    if not model:
        yield "no model is named"
    if model == "eleven_v3":
        for name in ("previous_text", "next_text", "previous_request_ids", "next_request_ids"):
            if body.get(name):
                yield f"{name} is refused by eleven_v3"
    if model == "eleven_multilingual_v2" and body.get("language_code"):
        yield "language_code is not supported by eleven_multilingual_v2"
    for name in ("previous_request_ids", "next_request_ids"):
        if len(body.get(name) or ()) > 3:
            yield f"{name} holds more than 3"
    if not str(body.get("text") or "").strip():
        yield "the text is empty"


def _object(request: Request) -> dict[str, Any]:
    try:
        found = request.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _of(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = value.get(name)
    return found if isinstance(found, dict) else {}


RULES: Mapping[str, Callable[[Request], Iterator[str]]] = {
    "deepgram": deepgram,
    "openai": openai,
    "elevenlabs": elevenlabs,
}
"""Provider -> what else is wrong with a request."""
