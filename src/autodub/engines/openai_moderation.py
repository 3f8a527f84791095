"""OpenAI's moderation: which texts are against its policy. The call is free of charge.

A server with OpenAI's protocol that ``OPENAI_BASE_URL`` names is asked instead, as for translations.
"""

from __future__ import annotations

import json
import threading
from importlib.util import find_spec
from typing import Any, ClassVar

from pydantic import Field

from autodub.engines import openai_wire as wire
from autodub.engines.roles import EngineContext, EngineOptions, Info, Readiness, Work
from autodub.infra.http import account
from autodub.model.calls import Moderate, Moderation
from autodub.model.errors import BadAnswer

_LANES = 8


class OpenAIModeratorOptions(EngineOptions):
    """Options of the openai moderator."""

    model: str = Field(
        "omni-moderation-latest", min_length=1, max_length=200, description="Model to ask."
    )  # fmt: skip
    timeout: float = Field(30.0, ge=0.1, le=600, exclude=True, description="Seconds to wait for an answer.")


class OpenAIModerator:
    """Looks at texts."""

    Options: ClassVar[type[EngineOptions]] = OpenAIModeratorOptions

    def __init__(self, options: OpenAIModeratorOptions, context: EngineContext) -> None:
        self.options: OpenAIModeratorOptions = options
        self._endpoint = (context.endpoints.get(wire.ENDPOINT) or wire.HOME).rstrip("/")
        self._key = context.secrets.get(wire.KEY, "").strip()
        self._lock = threading.Lock()
        self._client: Any = None

    @classmethod
    def describe(cls) -> Info:
        return Info(
            name=wire.NAME, role="moderator", version="1", resource="net", lanes=_LANES, licence="service",
            summary="OpenAI's moderation, free of charge: what is said goes there before it is translated",
            key=wire.KEY,
        )  # fmt: skip

    def readiness(self) -> Readiness:
        if find_spec("openai") is None:
            return Readiness("not installed", "its package is missing", "pip install 'autodub[openai]'")
        if not self._key and self._endpoint == wire.HOME:
            return Readiness("needs key", f"{wire.KEY} is not set", f"export {wire.KEY}=...")
        return Readiness("ready", f"{self.options.model} at {self._endpoint}")

    @property
    def account(self) -> str:
        """Endpoint and key as a digest."""
        return account(wire.NAME, endpoint=self._endpoint, key=self._key)

    def pool(self, verb: str) -> str:  # noqa: ARG002 - there is one verb
        """Moderation has limits of its own."""
        return "moderation"

    def prepare(self) -> None:
        """Import the SDK and open its client."""
        self._sdk()

    def moderate(self, request: Moderate, work: Work) -> Moderation:
        """What each text is against. Raises EngineError; nothing in it holds the key or a text."""
        asked = [text for text in request.texts if text.strip()]
        rows = iter(self._ask(asked, work) if asked else ())
        return Moderation(tuple(next(rows) if text.strip() else () for text in request.texts))

    def _ask(self, texts: list[str], work: Work) -> list[tuple[str, ...]]:
        import openai

        work.check()
        sdk = self._sdk()
        try:
            answer = sdk.moderations.with_raw_response.create(
                input=texts, model=self.options.model, timeout=self.options.timeout
            )
            text = answer.http_response.text
        except openai.OpenAIError as error:
            raise wire.translated(error, what="moderation", secret=self._key) from None
        work.reference(answer.headers.get("x-request-id", ""))
        work.meter("texts", len(texts))
        rows = _verdicts(text)
        if len(rows) != len(texts):
            raise _bad(f"there are {len(rows)} verdicts on {len(texts)} texts")
        return rows

    def _sdk(self) -> Any:
        with self._lock:
            if self._client is None:
                self._client = wire.opened(
                    endpoint=self._endpoint, key=self._key, timeout=self.options.timeout,
                    is_openai=self._endpoint == wire.HOME,
                )  # fmt: skip
            return self._client


def _verdicts(text: str) -> list[tuple[str, ...]]:
    """Categories found, one tuple per text."""
    try:
        results = json.loads(text)["results"]
        return [_names(bool(row["flagged"]), row["categories"]) for row in results]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _bad("it is no list of verdicts" if text.strip() else "it is empty") from error


def _names(flagged: bool, categories: dict[str, Any]) -> tuple[str, ...]:
    if not flagged:
        return ()
    return tuple(sorted(name for name, is_so in categories.items() if is_so)) or ("other",)


def _bad(why: str) -> BadAnswer:
    return BadAnswer(
        f"OpenAI's moderation gave an answer that makes no sense: {why}.",
        hint=f"Check that {wire.ENDPOINT}, if it is set, is the address of a server with moderations.",
        engine=wire.NAME,
    )
