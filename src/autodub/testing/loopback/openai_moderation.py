"""OpenAI's moderation on this machine: texts are flagged for the words they hold."""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, cast

from autodub.testing.loopback.messages import Reply, Request, reply_json

CATEGORIES = (
    "harassment", "harassment/threatening", "hate", "hate/threatening", "illicit", "illicit/violent",
    "self-harm", "self-harm/instructions", "self-harm/intent", "sexual", "sexual/minors", "violence",
    "violence/graphic",
)  # fmt: skip
FLAGS: Mapping[str, str] = {"murder": "violence", "dynamite": "illicit/violent"}
"""Word -> category, to begin with."""
MODELS = ("omni-moderation-latest", "omni-moderation-2024-09-26")


def is_one(request: Request) -> bool:
    """Whether a request asks for a moderation."""
    return request.method == "POST" and request.path.removeprefix("/v1") == "/moderations"


def answer(request: Request, flags: Mapping[str, str], *, headers: Mapping[str, str]) -> Reply:
    """One result per text, in order."""
    try:
        body = cast(dict[str, Any], request.json())
        model, given = body.get("model", MODELS[0]), body["input"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return _refused(f"Invalid body: {type(error).__name__}")
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) and text for text in texts):
        return _refused("Invalid value for 'input': it must hold texts that are not empty.")
    if model not in MODELS:
        return _refused(f"Invalid value for 'model': {model!r}.")
    value = {
        "id": f"modr-{sha256(request.body).hexdigest()[:24]}", "model": model,
        "results": [_result(text, flags) for text in texts],
    }  # fmt: skip
    return reply_json(value, headers=headers)


def _result(text: str, flags: Mapping[str, str]) -> dict[str, Any]:
    found = {flags[word] for word in re.findall(r"\w+", text.lower()) if word in flags}
    return {
        "flagged": bool(found),
        "categories": {name: name in found for name in CATEGORIES},
        "category_scores": {name: 0.98 if name in found else 0.0001 for name in CATEGORIES},
        "category_applied_input_types": {name: ["text"] for name in CATEGORIES},
    }


def _refused(message: str) -> Reply:
    error = {"message": message, "type": "invalid_request_error", "param": "input", "code": None}
    return reply_json({"error": error}, status=400)
