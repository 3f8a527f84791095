"""What this server can do: languages, engines with their options, stock voices. Never a key or a path."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from flask import Response, jsonify
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, Field

from autodub.engines import registry
from autodub.jobs.previewing import is_free
from autodub.model.errors import AutodubError, UnknownLanguage
from autodub.model.language import Language
from autodub.model.request import ROLES
from autodub.pipeline.catalogue import EngineState, LanguageState
from autodub.web.identity import actor, needs, platform
from autodub.web.problems import Problem, discreet

blueprint = APIBlueprint(
    "catalogue", __name__, url_prefix="/api/v1", abp_security=[{"key": []}, {"session": []}],
    abp_responses=dict.fromkeys((400, 401, 403, 404, 422, 429), Problem),
)  # fmt: skip
_LANGUAGES = Tag(name="Languages", description="What can be recognised, translated and spoken.")
_ENGINES = Tag(name="Engines", description="Who does it, and what they can be told.")
_VOICES = Tag(name="Voices", description="Who speaks.")


class LanguageName(BaseModel):
    """A language."""

    tag: str
    name: str


class LanguagesOf(BaseModel):
    """What one engine does with which languages."""

    engine: str
    languages: list[LanguageName] | None = Field(description="Null: any.")


class PairsOf(LanguagesOf):
    """What one translator translates."""

    pairs: dict[str, list[str]] | None = Field(
        description="Source -> targets; null: every language into every other."
    )


class LanguagesShape(BaseModel):
    """What the engines that are ready can do."""

    recognised: list[LanguagesOf]
    translated: list[PairsOf]
    spoken: list[LanguagesOf]


class OptionShape(BaseModel):
    """One option of an engine."""

    name: str
    kind: str = Field(description="What may be given, in words.")
    default: str
    description: str
    admin: bool = Field(
        description="Whether only an admin may set it: it reaches the server's files or accounts."
    )


class EngineShape(BaseModel):
    """One engine."""

    role: str
    name: str
    version: str
    summary: str
    state: str = Field(description="ready, needs key, needs download, needs worker, not installed")
    detail: str = Field(description="Why; only for admins.")
    fix: str = Field(description="What makes it ready; only for admins.")
    languages: list[str] | None = Field(description="Primary language subtags; null: any.")
    options: list[OptionShape]
    schema_: dict[str, Any] = Field(
        serialization_alias="schema", description="JSON Schema of its options, for forms."
    )


class EnginesShape(BaseModel):
    """Every engine, by role."""

    engines: list[EngineShape]


class EnginesQuery(BaseModel):
    """Which engines are listed."""

    role: str | None = Field(None, pattern="^(" + "|".join(ROLES) + ")$")


class VoicesQuery(BaseModel):
    """Whose voices, for which language."""

    target: str = Field(min_length=2, max_length=40, description="Language to speak: a tag or a name.")
    engine: str | None = Field(
        None, pattern=r"^[a-z0-9_.-]{1,60}$",
        description="Synthesizer; the first that is ready and speaks the language otherwise.",
    )  # fmt: skip


class VoiceShape(BaseModel):
    """One stock voice."""

    id: str
    gender: str
    pitch_hz: float | None


class VoicesShape(BaseModel):
    """The stock voices of a synthesizer for a language."""

    engine: str
    language: LanguageName
    voices: list[VoiceShape]
    preview: bool = Field(description="Whether they can be heard before they are chosen: they cost nothing.")


@blueprint.get("/languages", tags=[_LANGUAGES], responses={200: LanguagesShape}, summary="List languages")
@needs("read")
def languages() -> Response:
    """What can be recognised, translated and spoken with the engines that are ready here."""
    states = platform().catalogue.languages()
    found = LanguagesShape(
        recognised=[_languages(state) for state in states if state.role == "transcriber"],
        translated=[_pairs(state) for state in states if state.role == "translator"],
        spoken=[_languages(state) for state in states if state.role == "synthesizer"],
    )
    return jsonify(found.model_dump())


@blueprint.get("/engines", tags=[_ENGINES], responses={200: EnginesShape}, summary="List engines")
@needs("read")
def engines(query: EnginesQuery) -> Response:
    """Every engine with its state and its options; looked at once a minute at most."""
    states = [one for one in platform().catalogue.engines() if query.role in (None, one.role)]
    found = EnginesShape(engines=[_engine(state, is_admin=actor().is_admin) for state in states])
    return jsonify(found.model_dump(by_alias=True))


@blueprint.get(
    "/voices", tags=[_VOICES], responses={200: VoicesShape, 500: Problem, 502: Problem, 503: Problem},
    summary="List voices",
)  # fmt: skip
@needs("read")
def voices(query: VoicesQuery) -> Response:
    """The stock voices of a language, as the synthesizer has them now."""
    target = Language.parse(query.target)
    try:
        name, found = platform().catalogue.voices(target, query.engine)
    except AutodubError as error:
        error.message, error.hint = discreet(error.message), discreet(error.hint)
        raise
    shape = VoicesShape(
        engine=name, language=LanguageName(tag=target.tag, name=target.name),
        voices=[VoiceShape(id=one.id, gender=one.gender, pitch_hz=one.pitch) for one in found],
        preview=is_free(name),
    )  # fmt: skip
    return jsonify(shape.model_dump())


def _engine(state: EngineState, *, is_admin: bool) -> EngineShape:
    engine, schema = None, {}
    with suppress(AutodubError):  # its package is missing, which its state says
        engine = registry.load(state.role, state.name)
        schema = engine.Options.model_json_schema()
    return EngineShape(
        role=state.role, name=state.name, version=state.version, summary=state.summary,
        state=state.readiness.state, detail=discreet(state.readiness.detail) if is_admin else "",
        fix=discreet(state.readiness.fix) if is_admin else "",
        languages=None if state.languages is None else list(state.languages),
        options=[
            OptionShape(
                name=one.name, kind=one.kind, default=discreet(one.default), description=one.description,
                admin=engine is not None and registry.is_reserved(engine, one),
            )
            for one in state.options
        ],
        schema_=schema,
    )  # fmt: skip


def _languages(state: LanguageState) -> LanguagesOf:
    return LanguagesOf(engine=state.name, languages=_names(state))


def _pairs(state: LanguageState) -> PairsOf:
    pairs = None if state.pairs is None else {one: list(found) for one, found in state.pairs.items()}
    return PairsOf(engine=state.name, languages=_names(state), pairs=pairs)


def _names(state: LanguageState) -> list[LanguageName] | None:
    if state.languages is None:
        return None
    found = [LanguageName(tag=tag, name=_name(tag)) for tag in state.languages]
    return sorted(found, key=lambda one: one.name)


def _name(tag: str) -> str:
    try:
        return Language(tag).name
    except UnknownLanguage:  # an engine may know a language that we have no name for
        return tag
