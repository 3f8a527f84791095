"""OpenAI's protocol on the wire: one question out, one reply in, and what its refusals mean.

Chat Completions, which other servers speak as well. The official SDK carries it; its own retries are off.
"""

from __future__ import annotations

import json
import re
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from autodub.dubbing.prompting import Prompt
from autodub.infra.http import Kind, Provider, failure, importing, unreachable
from autodub.model.errors import BadAnswer, EngineCannot, EngineError, Gone, Refused, Rejected, TooLong

NAME = "openai"
KEY = "OPENAI_API_KEY"
ENDPOINT = "OPENAI_BASE_URL"
HOME = "https://api.openai.com/v1"
_CONNECT = 10.0
"""Seconds to make a connection."""

WORDS = {
    "insufficient_quota": Kind.NO_CREDIT,
    "billing_hard_limit_reached": Kind.NO_CREDIT,
    "billing_not_active": Kind.NO_CREDIT,
    "invalid_api_key": Kind.REFUSED,
    "account_deactivated": Kind.REFUSED,
    "unsupported_country_region_territory": Kind.REFUSED,
    "model_not_found": Kind.GONE,
    "context_length_exceeded": Kind.TOO_LONG,
    "string_above_max_length": Kind.TOO_LONG,
    "exceed_context_size_error": Kind.TOO_LONG,  # llama.cpp
    "maximum context length": Kind.TOO_LONG,  # vLLM
    "request too large": Kind.TOO_LONG,  # one request above the tokens of a minute, sent as 429
    "content_policy_violation": Kind.REJECTED,
    "content_filter": Kind.REJECTED,
    "invalid_prompt": Kind.REJECTED,
    "rate_limit_exceeded": Kind.BUSY,
    "engine_overloaded": Kind.BUSY,
    "slow_down": Kind.BUSY,
}
PROVIDER = Provider("OpenAI", KEY, WORDS, ENDPOINT, "platform.openai.com/settings/organization/billing")

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model answered, and what that took."""

    text: str
    request: str
    """The provider's id of the request."""
    fresh: int
    """Tokens of the question that were read anew."""
    cached: int
    """Tokens of the question that came from the provider's cache of prompts."""
    written: int
    """Tokens of the answer, with those of reasoning."""
    ending: str
    """Why the model stopped: ``stop``, ``length``, ``content_filter``."""
    refusal: bool


def opened(*, endpoint: str, key: str, timeout: float, is_openai: bool) -> Any:
    """A client, once the key is seen to be one; only OpenAI itself always wants a key.

    Raises Refused for a key that is missing or cannot be sent, EngineCannot without the package, and
    Rejected for an address that is none.
    """
    if not key and is_openai:
        raise Refused(
            "OpenAI cannot be called without a key.",
            hint=f"Set {KEY} in the environment or under [secrets] in the config file.",
            engine=NAME,
        )
    if not re.fullmatch("[!-~]*", key):
        raise Refused(
            f"{KEY} holds characters that no key has.",
            hint=f"Set {KEY} to a key of your account.",
            engine=NAME,
        )
    try:
        return client(endpoint=endpoint, key=key, timeout=timeout)
    except ImportError as error:
        raise EngineCannot(
            "The openai package is not installed.", hint="pip install 'autodub[openai]'"
        ) from error


def client(*, endpoint: str, key: str, timeout: float) -> Any:
    """A client of the official SDK, without retries and settings of its own. Takes most of a second.

    Raises Rejected for an address that is none.
    """
    with importing():
        import httpx2
        import openai

    # A script goes to the server that was named, and to no other it may point to.
    http = openai.DefaultHttpxClient(follow_redirects=False)
    try:
        made = openai.OpenAI(
            api_key=key or "none",  # servers that want no key still want the header
            admin_api_key="",
            base_url=endpoint,
            max_retries=0,
            timeout=openai.Timeout(timeout, connect=_CONNECT),
            http_client=http,
        )
    except httpx2.InvalidURL as error:  # of an address in the settings
        http.close()
        raise unreachable(PROVIDER, error) from None
    weakref.finalize(made, http.close)  # connections are kept open as long as somebody may need them
    # The SDK reads these from the environment; what is not in our settings is not sent.
    made.organization = made.project = None
    with importing():
        _ = made.chat.completions.with_raw_response  # imported on first use, which would be in the way then
    return made


def body(prompt: Prompt, *, model: str, form: str) -> dict[str, Any]:
    """The part of a request that every server understands. ``form``: ``strict``, ``json`` or ``off``."""
    out: dict[str, Any] = {
        "model": model,
        "messages": [
            {"role": "system", "content": prompt.system},
            {"role": "user", "content": prompt.user},
        ],
    }
    if form == "strict":
        schema = {"name": prompt.name, "schema": dict(prompt.schema), "strict": True}
        out["response_format"] = {"type": "json_schema", "json_schema": schema}
    elif form == "json":
        out["response_format"] = {"type": "json_object"}
    return out


def ask(sdk: Any, request: Mapping[str, Any], *, timeout: float, secret: str) -> Reply:
    """One reply to one question. Raises EngineError; nothing in it holds the key or the text."""
    import openai

    try:
        answer = sdk.chat.completions.with_raw_response.create(
            **request, timeout=openai.Timeout(timeout, connect=_CONNECT)
        )
        headers, text = answer.headers, answer.http_response.text
    except openai.OpenAIError as error:
        raise translated(error, what="translation", secret=secret, model=str(request["model"])) from None
    return _reply(text, request=headers.get("x-request-id", ""))


def models(sdk: Any, *, timeout: float, secret: str) -> list[dict[str, Any]]:
    """Rows of the list of models that the account may use. Raises EngineError."""
    import openai

    try:
        answer = sdk.models.with_raw_response.list(timeout=openai.Timeout(timeout, connect=_CONNECT))
        rows = _at(_parsed(answer.http_response.text), "data", list)
    except openai.OpenAIError as error:
        raise translated(error, what="list of models", secret=secret) from None
    if rows is None:
        raise _bad("the list of models is not one")
    return [row for row in rows if isinstance(row, dict) and isinstance(row.get("id"), str)]


def translated(error: Any, *, what: str, secret: str, model: str = "") -> EngineError:
    """The error of our tree that an exception of the SDK stands for."""
    import openai

    if not isinstance(error, openai.APIStatusError):
        return unreachable(PROVIDER, error, what=what)
    found = failure(
        PROVIDER,
        status=error.status_code,
        headers=error.response.headers,
        body=error.response.content,
        what=what,
        secret=secret,
    )
    if isinstance(found, Gone) and model:
        return Gone(
            f"{found.message[:-1]} (model {model}).",
            hint="Run: autodub doctor. It names a model that is there; choose it with "
            f"--set translator.model=NAME, and check {ENDPOINT} if it is set.",
            engine=NAME,
        )
    if isinstance(found, Rejected):
        found.hint = next((hint for word, hint in _UNKNOWN.items() if word in found.message), found.hint)
    return found


_UNKNOWN = {
    "temperature": "Leave the temperature to the model: --set translator.temperature=-1",
    "reasoning_effort": "This model takes no such effort: --set translator.effort=unset, or another one.",
    "response_format": "This server holds no reply to a schema: --set translator.structured=json, or off.",
    "json_schema": "This server holds no reply to a schema: --set translator.structured=json, or off.",
}
"""Field that a model or server does not take, as its refusal names it -> what to do."""


def _reply(text: str, *, request: str) -> Reply:
    value = _parsed(text)
    choices = _at(value, "choices", list) or []
    first = choices[0] if choices else None
    message = _at(first, "message", dict)
    if message is None:
        raise _bad("there is no message in it")
    usage = _at(value, "usage", dict) or {}
    asked, written = _count(usage, "prompt_tokens"), _count(usage, "completion_tokens")
    cached = min(asked, _count(_at(usage, "prompt_tokens_details", dict) or {}, "cached_tokens"))
    return Reply(
        text=_at(message, "content", str) or "",
        request=request or str(_at(value, "id", str) or ""),
        fresh=asked - cached,
        cached=cached,
        written=written,
        ending=_at(first, "finish_reason", str) or "",
        refusal=bool(message.get("refusal")),
    )


def checked(reply: Reply) -> str:
    """The text of a reply that was finished. Raises TooLong or Rejected."""
    if reply.ending == "length":
        raise TooLong(
            "OpenAI's reply broke off at the most tokens it was allowed.",
            hint="It is asked for fewer lines at a time; a model that reasons less may help, too.",
            engine=NAME,
        )
    if reply.refusal or reply.ending == "content_filter":
        raise Rejected(
            "OpenAI's model refused to translate these lines.",
            hint="They are tried one by one. Reword the line that stays refused, or use another translator.",
            engine=NAME,
        )
    return reply.text


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise _bad("it is cut off or is no JSON" if text.strip() else "it is empty") from None


def _at(value: object, name: str, kind: type[Found]) -> Found | None:
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, kind) else None


def _count(value: Mapping[str, Any], name: str) -> int:
    found = value.get(name)
    return max(0, found) if isinstance(found, int) else 0


def _bad(why: str) -> BadAnswer:
    return BadAnswer(
        f"OpenAI's server gave an answer that makes no sense: {why}.",
        hint=f"Check that {ENDPOINT}, if it is set, is the address of a server with OpenAI's protocol.",
        engine=NAME,
    )
