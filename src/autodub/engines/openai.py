"""A language model as translator: OpenAI's, or any server that speaks its protocol (Ollama, vLLM ...).

Lines are translated in small windows with the whole script as context, and reworded to other lengths
when the timing asks for it. Replies are held to a schema and checked line by line, so that neither a
refusal nor an error nor an instruction hidden in a transcript can reach a voice.

Which server is asked follows from the setting ``OPENAI_BASE_URL``. OpenAI's own gets everything its
protocol has; another one only the fields that all of them understand, and needs no key.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from importlib.util import find_spec
from typing import Any, ClassVar, Literal

from pydantic import Field

from autodub.dubbing.instructions import VERSION
from autodub.dubbing.prompting import Prompt, numbered, summarizing, translating
from autodub.dubbing.replies import read, read_summary
from autodub.engines import openai_wire as wire
from autodub.engines.openai_models import NEAR, PREFERRED, find
from autodub.engines.roles import EngineContext, EngineOptions, Info, Readiness, Work
from autodub.infra.http import account
from autodub.model.calls import Summarize, Summary, Translate
from autodub.model.errors import Gone, Refused, Rejected
from autodub.model.language import Language
from autodub.model.speech import Translation, Translations, Wording

LANES, FEW_LANES = 32, 4
_PER_LINE = 10.0
"""Seconds more that a window may take for each line after its first."""
_LONGEST = 600.0
_WRAPPING = 30
"""Tokens of a request besides its messages and its schema."""
_THINKING = {"none": 0, "unset": 0, "minimal": 100, "low": 500, "medium": 2_000, "high": 6_000,
             "xhigh": 12_000, "max": 24_000}  # fmt: skip
"""Tokens of reasoning to expect by effort; room is left for four times as many."""


class OpenAIOptions(EngineOptions):
    """Options of the openai translator."""

    model: str = Field(
        default=PREFERRED[0],
        min_length=1,
        max_length=200,
        description="Model to ask, as the server names it (better and dearer: gpt-6.1-terra, gpt-6.1-sol).",
    )
    effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max", "unset"] = Field(
        default="none",
        description="Reasoning before it answers: slower and dearer. unset = do not mention it, for models "
        "that do not reason. Not sent to compatible servers.",
    )
    temperature: float = Field(
        default=0.3,
        ge=-1,
        le=2,
        description="Freedom of choice among words, 0 to 2; below 0 = the model's own. Models that reason "
        "take none, so it is sent only with effort none or unset.",
    )
    seed: int = Field(default=7, ge=0, description="For the same answer again, as far as that goes.")
    timeout: float = Field(
        default=60.0,
        ge=5,
        le=600,
        exclude=True,
        description="Seconds to wait for one line; more lines get more.",
    )
    lanes: int | None = Field(
        default=None,
        ge=1,
        le=256,
        exclude=True,
        description="Requests at a time; none = 32, or 4 for a server that is not OpenAI's.",
    )
    structured: Literal["strict", "json", "off"] = Field(
        default="strict",
        description="How the server holds the reply to its form: by schema (strict), as any JSON (json), or "
        "not at all (off); for servers that lack the former.",
    )
    dialect: Literal["auto", "openai", "compatible"] = Field(
        default="auto",
        description="Fields to send: all of OpenAI's, or only those that compatible servers understand; auto "
        "= by the server's address.",
    )


class _Facts:
    """``describe`` of the class: the facts of OpenAI's own server; of an engine: those of the one it asks."""

    def __get__(self, engine: OpenAI | None, owner: type[OpenAI]) -> Callable[[], Info]:
        server, lanes = ("", LANES) if engine is None else (engine.server, engine.lanes)
        return lambda: _info(server, lanes)


def _info(server: str, lanes: int) -> Info:
    return Info(
        name="openai",
        role="translator",
        version=f"2+prompt-{VERSION}" + (f"+server-{server}" if server else ""),
        summary="OpenAI, or a server with its protocol: translation in context, in several lengths",
        resource="net",
        lanes=lanes,
        paid=True,
        licence="service",
        contextual=True,
        key=wire.KEY,
    )


class OpenAI:
    """Translates and summarizes by a language model."""

    Options: ClassVar[type[EngineOptions]] = OpenAIOptions
    describe = _Facts()

    def __init__(self, options: OpenAIOptions, context: EngineContext) -> None:
        self.options: OpenAIOptions = options
        self._endpoint = (context.endpoints.get(wire.ENDPOINT) or wire.HOME).rstrip("/")
        self._key = context.secrets.get(wire.KEY, "").strip()
        # The letters alone: an address that is none is told when it is asked, not here.
        host = self._endpoint.partition("://")[2].partition("/")[0].partition(":")[0].lower()
        is_home = host == "openai.com" or host.endswith(".openai.com")
        self._is_openai = options.dialect == "openai" or (options.dialect == "auto" and is_home)
        # Elsewhere any model may answer to any name: what one server said is not what another would say.
        self.server = "" if is_home else sha256(self._endpoint.encode()).hexdigest()[:8]
        self.lanes = options.lanes or (LANES if self._is_openai else FEW_LANES)
        self._lock = threading.Lock()
        self._client: Any = None

    def readiness(self) -> Readiness:
        if find_spec("openai") is None:
            return Readiness("not installed", "its package is missing", "pip install 'autodub[openai]'")
        if not self._key and self._is_openai:
            return Readiness("needs key", f"{wire.KEY} is not set", f"export {wire.KEY}=...")
        where = "OpenAI" if self._is_openai else self._endpoint
        return Readiness("ready", f"{self.options.model} at {where}")

    @property
    def account(self) -> str:
        """Endpoint and key as a digest."""
        return account(wire.NAME, endpoint=self._endpoint, key=self._key)

    def pool(self, verb: str) -> str:  # noqa: ARG002 - every verb is a question to the model
        """Limits are per model."""
        return self.options.model

    @property
    def model(self) -> str:
        """The model that is paid for."""
        return self.options.model

    def route(self, source: str, target: str) -> str:
        """Any pair, in one step."""
        return f"{Language(source).tag} > {Language(target).tag}, {self.options.model}"

    def prepare(self) -> None:
        """Import the SDK and open its client, which takes most of a second."""
        self._sdk()

    def quote(self, verb: str, request: object) -> Mapping[str, float]:  # noqa: ARG002 - the request says it
        """Tokens a call is likely to take, reasoning included."""
        prompt = _prompt(request)
        if prompt is None:
            return {}
        thought = _THINKING[self.options.effort] if self._is_openai else 0
        return {"tokens_in": float(prompt.size + _WRAPPING), "tokens_out": float(prompt.expected + thought)}

    def translate(self, request: Translate, work: Work) -> Translations:
        """Natural wordings, or further ones of the drafts. Raises EngineError."""
        prompt = _prompt(request)
        if prompt is None:  # not a word in any of them
            return Translations(tuple(_unasked(line.id, line.text, request) for line in request.lines))
        text = self._ask(prompt, work, lines=len(numbered(request.lines)))
        return read(request, text, engine="OpenAI")

    def summarize(self, request: Summarize, work: Work) -> Summary:
        """What a script is about. Raises EngineError."""
        prompt = _prompt(request)
        if prompt is None:
            raise Rejected("There is nothing to summarize.", hint="Check the transcript.", engine=wire.NAME)
        return read_summary(self._ask(prompt, work, lines=6), engine="OpenAI")

    def examine(self) -> Readiness:
        """Ask for the list of models: is the model there, and how long. Raises Refused, Gone, Unreachable."""
        try:
            rows = wire.models(self._sdk(), timeout=10.0, secret=self._key)
        except Refused as error:
            if error.whole_account:
                raise
            return Readiness("ready", f"{self.options.model}; the key may not list the models")
        except Gone:
            return Readiness("ready", f"{self.options.model}; the server lists no models")
        model = self.options.model
        found = find(model, rows, today=datetime.now(UTC).date())
        fix = f"--set translator.model={found.instead}" if found.instead else ""
        if not found.is_there:
            ended = f": it was shut down on {found.ends.isoformat()}" if found.ends else ""
            raise Gone(
                f"The server has no model {model}{ended}.",
                hint=f"Use {found.instead}: {fix}" if fix else "Choose another: --set translator.model=NAME",
                engine=wire.NAME,
            )
        if found.ends and found.ends - datetime.now(UTC).date() <= NEAR:
            return Readiness("ready", f"{model} will be shut down on {found.ends.isoformat()}", fix)
        return Readiness("ready", f"{model} is there")

    def _ask(self, prompt: Prompt, work: Work, *, lines: int) -> str:
        work.check()
        timeout = min(_LONGEST, self.options.timeout + _PER_LINE * (lines - 1))
        reply = wire.ask(self._sdk(), self._request(prompt), timeout=timeout, secret=self._key)
        work.reference(reply.request)
        work.meter("tokens_in", reply.fresh)
        work.meter("tokens_cached", reply.cached)
        work.meter("tokens_out", reply.written)
        return wire.checked(reply)

    def _request(self, prompt: Prompt) -> dict[str, Any]:
        options = self.options
        request = wire.body(prompt, model=options.model, form=options.structured)
        request["seed"] = options.seed
        if options.temperature >= 0 and (options.effort in {"none", "unset"} or not self._is_openai):
            request["temperature"] = options.temperature
        if not self._is_openai:
            return request | {"max_tokens": prompt.room}
        request |= {"store": False, "max_completion_tokens": prompt.room + 4 * _THINKING[options.effort]}
        if options.effort != "unset":
            request["reasoning_effort"] = options.effort
        return request

    def _sdk(self) -> Any:
        with self._lock:
            if self._client is None:
                self._client = wire.opened(
                    endpoint=self._endpoint, key=self._key, timeout=self.options.timeout,
                    is_openai=self._is_openai,
                )  # fmt: skip
            return self._client


def _prompt(request: object) -> Prompt | None:
    """The question of a request; None where there is nothing to ask."""
    if isinstance(request, Translate):
        return translating(request) if numbered(request.lines) else None
    if isinstance(request, Summarize):
        return summarizing(request) if any(text.strip() for text in request.script) else None
    raise TypeError(type(request).__name__)


def _unasked(line: str, text: str, request: Translate) -> Translation:
    return Translation(line, () if request.drafts else (Wording(text),))
