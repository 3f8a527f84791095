"""OpenAI on this machine: chat completions with real translations by apertium, and the list of models.

What a language model would say is made from the question itself: natural wordings by apertium (the
whole script at once, since one start of it costs more than a hundred lines), further ones by leaving
things out, a summary from the first sentences. Tokens are characters by four, rounded up.
"""

from __future__ import annotations

import json
import re
import shutil
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

from autodub.dubbing.instructions import SUMMARY
from autodub.engines.apertium import Apertium, ApertiumOptions
from autodub.engines.roles import EngineContext, Work
from autodub.model.calls import Translate
from autodub.model.errors import AutodubError
from autodub.model.speech import Line
from autodub.model.time import Span
from autodub.testing.loopback import openai_moderation as moderation
from autodub.testing.loopback.messages import Reply, Request, reply_json
from autodub.testing.loopback.profile import Profile
from autodub.testing.loopback.rules import openai as rules
from autodub.testing.loopback.shortening import lengthened, shortened

MODELS: Mapping[str, str | None] = {
    "gpt-6-luna": None,
    "gpt-6.1-terra": None,
    "gpt-6.1-sol": None,
    "gpt-5-mini": "2026-12-11",
    "gpt-4o": "2027-01-14",
    "gpt-realtime": None,
    "text-embedding-3-small": None,
}
"""Models the account has -> the day they are shut down; state of 2026-11-22."""
ODDITIES = ("refusal", "filtered", "length", "unknown_id", "missing", "blank", "copy", "fenced", "error_text")
"""Ways in which a well-formed answer may be wrong, or merely odd (``fenced``)."""
_PAIR = re.compile(r"from .*?\(([a-z]{2,3}(?:-\w+)*)\) to .*?\(([a-z]{2,3}(?:-\w+)*)\)\. Voices")
_CACHED_FROM, _CACHED_BY = 1024, 128
"""Tokens from which a repeated beginning comes from the prompt cache, and in which steps."""
_KEPT = 2_000
"""Answers and prompts remembered."""


class _Watch:
    """All that apertium asks of the work it is called with: nobody cancels here, and nothing is billed."""

    def check(self) -> None: ...

    def progress(self, fraction: float, message: str = "") -> None: ...

    def meter(self, unit: str, amount: float) -> None: ...


class OpenAIService:
    """One OpenAI; translations are remembered, so that latency and not apertium sets the pace."""

    name = "openai"

    def __init__(self, *, cap: int | None = None, models: Mapping[str, str | None] = MODELS) -> None:
        self.caps: Mapping[str, int] = {} if cap is None else {"translation": cap}
        self.models = dict(models)
        self.rewords = True
        """False has it answer every question for other lengths with none."""
        self.wordiness = 1.0
        """How long its natural wordings are, next to apertium's."""
        self.flags = dict(moderation.FLAGS)
        """Word -> category that a text with it is flagged for."""
        self._apertium = Apertium(
            ApertiumOptions(shorter=False), EngineContext(secrets={}, models=Path(), offline=True)
        )
        self._lock = threading.Lock()
        self._said: dict[tuple[str, str, str], str] = {}
        self._answers: dict[str, tuple[Reply, int]] = {}
        self._beginnings: dict[str, set[str]] = {}
        self._odd: deque[str] = deque()

    @staticmethod
    def is_possible() -> bool:
        """Whether apertium is installed."""
        return shutil.which("apertium") is not None

    def misbehave(self, *oddities: str) -> None:
        """Let the next answers be wrong, one each; see `ODDITIES`, empty = let one pass."""
        for oddity in oddities:
            if oddity and oddity not in ODDITIES:
                raise ValueError(f"no such oddity: {oddity}")
        self._odd.extend(oddities)

    def key_of(self, request: Request) -> str:
        """The bearer token."""
        kind, _, key = request.headers.get("authorization", "").partition(" ")
        return key.strip() if kind.lower() == "bearer" else ""

    def kind(self, request: Request) -> str:
        """``translation`` (summaries, too), ``moderation`` or ``models``."""
        if request.method != "POST":
            return "models"
        return "moderation" if moderation.is_one(request) else "translation"

    def answer(self, request: Request) -> Reply:
        """A chat completion, a moderation, or the list of models."""
        if request.method == "GET" and request.path.removeprefix("/v1") == "/models":
            rows = [
                {"id": name, "object": "model", "created": 1_760_000_000, "owned_by": "system",
                 "shutdown_date": end}
                for name, end in self.models.items()
            ]  # fmt: skip
            return reply_json({"object": "list", "data": rows}, headers=_headers(request))
        if self.kind(request) == "moderation":
            return moderation.answer(request, self.flags, headers=_headers(request))
        if request.method != "POST" or request.path.removeprefix("/v1") != "/chat/completions":
            return _error(404, f"Invalid URL ({request.method} {request.path})", kind="invalid_request_error")
        reply = self._completed(request)[0]
        if reply.status == 200 and self._odd:
            return self._spoilt(request, reply)
        return reply

    def seconds(self, request: Request, profile: Profile, *, others: int) -> float:  # noqa: ARG002 - no crowding
        """A fixed part, and one per token of output."""
        if self.kind(request) != "translation":
            return 0.0
        begin, per_token = profile.translation
        return begin + per_token * self._completed(request)[1]

    def refusal(self, fault: str) -> Reply:
        """OpenAI's own body for a fault."""
        status, message, kind, code = _REFUSALS.get(fault, (0, "", "", None))
        if not status:
            status = int(fault) if fault.isdigit() else 400
            message, kind = "The request could not be processed.", "invalid_request_error"
        return _error(status, message, kind=kind, code=code)

    def _completed(self, request: Request) -> tuple[Reply, int]:
        """The answer to a request and its tokens of output; made once for the same question.

        A question that was paid for twice is answered alike, but its cached tokens are counted anew.
        """
        try:
            body = cast(dict[str, Any], request.json())
            asked = _question(body)
        except (ValueError, KeyError, TypeError, IndexError) as error:
            return _error(400, f"Invalid body: {type(error).__name__}", kind="invalid_request_error"), 0
        wrong = next((said for said in rules(request) if "Authorization" not in said), "")
        if wrong:
            return _error(400, f"Invalid request: {wrong}", kind="invalid_request_error"), 0
        if body["model"] not in self.models:
            message = f"The model `{body['model']}` does not exist or you do not have access to it."
            return _error(404, message, kind="invalid_request_error", code="model_not_found"), 0
        manner = f"{request.account} {self.rewords} {self.wordiness}"
        digest = sha256(request.body + manner.encode()).hexdigest()
        with self._lock:
            if digest not in self._answers:
                if len(self._answers) >= _KEPT:
                    self._answers.clear()
                try:
                    text = self._text(*asked)
                except (AutodubError, ValueError, KeyError, TypeError) as error:
                    return _error(400, f"Cannot be answered: {error}", kind="invalid_request_error"), 0
                self._answers[digest] = self._counted(request, body, text)
            return self._answers[digest]

    def _counted(self, request: Request, body: Any, text: str) -> tuple[Reply, int]:
        """The completion with its usage."""
        prompt = "".join(str(message["content"]) for message in body["messages"])
        shape = json.dumps(body.get("response_format") or "", separators=(",", ":"), ensure_ascii=False)
        asked, written = _tokens(shape) + _tokens(prompt), _tokens(text)
        cached = self._repeated(request.account, shape + prompt)
        most = body.get("max_completion_tokens") or body.get("max_tokens") or written
        is_cut = written > most
        written = min(written, most)
        value = _completion(request, body["model"], text[: 4 * written] if is_cut else text)
        value["choices"][0]["finish_reason"] = "length" if is_cut else "stop"
        value["usage"] = {
            "prompt_tokens": asked,
            "completion_tokens": written,
            "total_tokens": asked + written,
            "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
        }
        charges = {"tokens_in": asked - cached, "tokens_cached": cached, "tokens_out": written}
        billed = {unit: float(amount) for unit, amount in charges.items() if amount}
        return reply_json(value, headers=_headers(request), charges=billed), written

    def _repeated(self, account: str, prompt: str) -> int:
        """Tokens at the beginning of a prompt that an earlier one had, too."""
        known = self._beginnings.setdefault(account, set())
        found = 0
        for count in range(_CACHED_FROM, _tokens(prompt) + 1, _CACHED_BY):
            mark = sha256(prompt[: 4 * count].encode()).hexdigest()
            if mark in known:
                found = count
            known.add(mark)
        if len(known) > 50 * _KEPT:
            known.clear()
        return found

    def _text(self, system: str, question: dict[str, Any]) -> str:
        """What the model writes."""
        if "lines" not in question:
            sentences = re.findall(r"[^.!?]+[.!?]+", " ".join(question["script"]))[:3]
            return _json({SUMMARY: " ".join(" ".join(sentences).split()) or "A conversation."})
        pair = _PAIR.search(system)
        if pair is None:
            raise ValueError("no languages in the instructions")
        source, target = pair[1], pair[2]
        lines = question["lines"]
        if lines and "draft" in lines[0]:
            return _json({str(line["id"]): _further(line, target) if self.rewords else [] for line in lines})
        texts = [line["text"] for line in lines]
        self._translate([*question.get("script", ()), *texts], source, target)
        return _json({str(line["id"]): self._natural(source, target, line["text"]) for line in lines})

    def _natural(self, source: str, target: str, text: str) -> str:
        said = self._said[source, target, text]
        return said if self.wordiness <= 1 else lengthened(said, share=self.wordiness, language=target)

    def _translate(self, texts: Sequence[str], source: str, target: str) -> None:
        new = [t for t in dict.fromkeys(texts) if (source, target, t) not in self._said]
        if not new:
            return
        lines = tuple(Line(str(at), Span(0, 1), text, "") for at, text in enumerate(new))
        reply = self._apertium.translate(Translate(lines, source, target), cast(Work, _Watch()))
        for text, translation in zip(new, reply.lines, strict=True):
            self._said[source, target, text] = translation.wordings[0].text

    def _spoilt(self, request: Request, reply: Reply) -> Reply:
        """An answer that is not what was asked for, at the usual price."""
        with self._lock:
            oddity = self._odd.popleft() if self._odd else ""
        value = json.loads(cast(bytes, reply.body))
        choice = value["choices"][0]
        message = choice["message"]
        text = json.loads(message["content"])
        first = next(iter(text))
        if oddity == "refusal":
            message.update(content=None, refusal="I'm sorry, but I can't help with that.")
        elif oddity == "filtered":
            message["content"], choice["finish_reason"] = "", "content_filter"
        elif oddity == "length":
            message["content"] = message["content"][: len(message["content"]) // 2]
            choice["finish_reason"] = "length"
        elif oddity == "unknown_id":
            message["content"] = _json({"99": text.pop(first), **text})
        elif oddity == "missing":
            del text[first]
            message["content"] = _json(text)
        elif oddity == "blank":
            message["content"] = _json({**text, first: " … "})
        elif oddity == "copy":
            lines = _question(request.json())[1]["lines"]
            message["content"] = _json({str(line["id"]): line["text"] for line in lines})
        elif oddity == "error_text":
            message["content"] = _json({**text, first: "I'm sorry, but I cannot translate this."})
        elif oddity == "fenced":
            message["content"] = f"Here you are:\n```json\n{message['content']}\n```\nAnything else?"
        return reply_json(value, headers=reply.headers, charges=reply.charges)


def _question(body: Any) -> tuple[str, dict[str, Any]]:
    """Instructions and data of a request. Raises ValueError and its like when it is not one of ours."""
    system, user = body["messages"]
    question = json.loads(user["content"])
    if system["role"] not in {"system", "developer"} or not isinstance(question, dict):
        raise ValueError("not a question about a script")
    return system["content"], question


def _further(line: Mapping[str, Any], language: str) -> list[str]:
    """A draft said with about as many syllables as asked; fewer wordings where nothing can go."""
    found = [
        shortened(line["draft"], wanted=count, source=line["text"], language=language)
        for count in line["syllables"]
    ]
    return list(dict.fromkeys(text for text in found if text))


def _completion(request: Request, model: str, text: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{sha256(request.body).hexdigest()[:24]}",
        "object": "chat.completion",
        "created": 1_760_000_000,
        "model": model,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text, "refusal": None, "annotations": []},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "service_tier": "default",
    }


def _headers(request: Request) -> dict[str, str]:
    return {"x-request-id": f"req_{sha256(request.body + request.path.encode()).hexdigest()[:24]}"}


def _error(status: int, message: str, *, kind: str, code: str | None = None) -> Reply:
    return reply_json(
        {"error": {"message": message, "type": kind, "param": None, "code": code}}, status=status
    )


def _tokens(text: str) -> int:
    return -(-len(text) // 4)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


_KEY = (401, "Incorrect API key provided: sk-****0000. You can find your API key in your account.",
        "invalid_request_error", "invalid_api_key")  # fmt: skip
_SLOW = (429, "Rate limit reached for gpt-6-luna on requests per min (RPM): Limit 500, Used 500.",
         "requests", "rate_limit_exceeded")  # fmt: skip
_QUOTA = (429, "You exceeded your current quota, please check your plan and billing details.",
          "insufficient_quota", "insufficient_quota")  # fmt: skip
_PERMISSION = (403, "You have insufficient permissions for this operation. Missing scopes: model.request.",
               "invalid_request_error", "missing_scope")  # fmt: skip
_REFUSALS: Mapping[str, tuple[int, str, str, str | None]] = {
    "400": (400, "Unsupported value: 'temperature' does not support 0.3 with this model.",
            "invalid_request_error", "unsupported_value"),
    "401": _KEY,
    "invalid_key": _KEY,
    "402": (402, "Billing hard limit has been reached.", "billing_error", "billing_hard_limit_reached"),
    "403": _PERMISSION,
    "missing_permission": _PERMISSION,
    "no_cloning": _PERMISSION,
    "404": (404, "The model `gpt-4` does not exist or you do not have access to it.",
            "invalid_request_error", "model_not_found"),
    "model_gone": (404, "The model `gpt-4` has been deprecated, learn more in our list of deprecations.",
                   "invalid_request_error", "model_not_found"),
    "voice_gone": (404, "Not found.", "invalid_request_error", None),
    "408": (408, "Request timed out.", "timeout", None),
    "413": (413, "Request too large.", "invalid_request_error", "request_too_large"),
    "422": (422, "Unprocessable entity.", "invalid_request_error", None),
    "429": _SLOW,
    "429_after": _SLOW,
    "concurrency": _SLOW,
    "quota": _QUOTA,
    "500": (500, "The server had an error while processing your request. Sorry about that!",
            "server_error", None),
    "502": (502, "Bad gateway.", "server_error", None),
    "503": (503, "The engine is currently overloaded, please try again later.", "server_error", None),
    "504": (504, "Gateway timeout.", "server_error", None),
}  # fmt: skip
"""Fault -> status, message, type and code, in OpenAI's own words."""
