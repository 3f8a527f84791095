"""Glossaries: terms that must be said in a certain way, kept by name."""

from __future__ import annotations

from typing import Annotated, Self

from flask import Response, jsonify
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from autodub.jobs.glossaries import LARGEST, Glossary, written
from autodub.model.speech import Term
from autodub.web.identity import actor, needs, platform
from autodub.web.problems import Problem

blueprint = APIBlueprint(
    "glossaries", __name__, url_prefix="/api/v1",
    abp_tags=[Tag(name="Glossaries", description="Terms that must be said in a certain way.")],
    abp_security=[{"key": []}, {"session": []}],
    abp_responses=dict.fromkeys((400, 401, 403, 404, 409, 422, 429), Problem),
)  # fmt: skip
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
Text = Annotated[str, StringConstraints(max_length=LARGEST)]


class GlossaryPath(BaseModel):
    """Which glossary."""

    glossary: str = Field(pattern=r"^[0-9a-f]{32}$", description="Id of the glossary.")


class TargetQuery(BaseModel):
    """In which language the terms are wanted."""

    target: str | None = Field(
        None, min_length=2, max_length=40, description="Language whose terms are listed; all text otherwise."
    )


class TermShape(BaseModel):
    """One term."""

    model_config = ConfigDict(extra="forbid")

    source: str = Field(min_length=1, max_length=200, description="As it is said in the source's language.")
    target: str = Field(
        default="", max_length=200, description="As it must be said; empty: it stays as it is."
    )  # fmt: skip
    case_sensitive: bool = False


class _Content(BaseModel):
    model_config = ConfigDict(extra="forbid")

    text: Text | None = Field(None, description="The glossary in the format of docs/GLOSSARY.md.")
    terms: list[TermShape] | None = Field(None, max_length=5000, description="Its terms, instead of text.")

    def content(self) -> str | None:
        """The text that is meant; None where nothing is given."""
        if self.terms is None:
            return self.text
        return written([Term(one.source, one.target, one.case_sensitive) for one in self.terms])

    @model_validator(mode="after")
    def _not_both(self) -> Self:
        if self.text is not None and self.terms is not None:
            raise ValueError("give either text or terms")
        return self


class NewGlossary(_Content):
    """A glossary to keep."""

    name: Name = Field(description="What it is called; no two of yours alike.")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if self.text is None and self.terms is None:
            raise ValueError("give either text or terms")
        return self


class GlossaryPatch(_Content):
    """New values; what is left out stays as it is."""

    name: Name | None = None


class GlossaryShape(BaseModel):
    """A glossary. Times are seconds since 1970 (UTC)."""

    id: str
    name: str
    created: float
    updated: float
    targets: list[str] | None = Field(
        description="Languages it has columns for; null: one translation, for any language."
    )


class GlossaryWhole(GlossaryShape):
    """A glossary with what is in it."""

    text: str
    terms: list[TermShape] | None = Field(
        description="Its terms, where it has one translation or a `target` was asked for."
    )


class GlossaryList(BaseModel):
    """Your glossaries, by name."""

    glossaries: list[GlossaryShape]


@blueprint.get("/glossaries", responses={200: GlossaryList}, summary="List glossaries")
@needs("read")
def listed() -> Response:
    """Your glossaries, by name."""
    found = [_shape(one) for one in platform().glossaries.list(actor())]
    return jsonify(GlossaryList(glossaries=found).model_dump())


@blueprint.post("/glossaries", responses={201: GlossaryWhole}, summary="Make a glossary")
@needs("jobs")
def create(body: NewGlossary) -> Response:
    """Keep a glossary; a line that cannot be used is named."""
    made = platform().glossaries.create(actor(), body.name, body.content() or "")
    answer = jsonify(_whole(made, None).model_dump())
    answer.status_code = 201
    answer.headers["Location"] = f"/api/v1/glossaries/{made.id}"
    return answer


@blueprint.get("/glossaries/<glossary>", responses={200: GlossaryWhole}, summary="Read a glossary")
@needs("read")
def look(path: GlossaryPath, query: TargetQuery) -> Response:
    """Its text, and its terms for a language."""
    found = platform().glossaries.get(actor(), path.glossary)
    return jsonify(_whole(found, query.target).model_dump())


@blueprint.patch("/glossaries/<glossary>", responses={200: GlossaryWhole}, summary="Change a glossary")
@needs("jobs")
def change(path: GlossaryPath, body: GlossaryPatch) -> Response:
    """Rename it, or give it other terms. Dubs that are made after this use the new ones."""
    changed = platform().glossaries.change(actor(), path.glossary, name=body.name, text=body.content())
    return jsonify(_whole(changed, None).model_dump())


@blueprint.delete("/glossaries/<glossary>", responses={204: None}, summary="Delete a glossary")
@needs("jobs")
def delete(path: GlossaryPath) -> Response:
    """Remove it; refused while a job that is not over uses it."""
    platform().glossaries.delete(actor(), path.glossary)
    return Response(status=204)


def _shape(one: Glossary) -> GlossaryShape:
    targets = one.targets
    return GlossaryShape(
        id=one.id, name=one.name, created=one.created, updated=one.updated,
        targets=None if targets is None else list(targets),
    )  # fmt: skip


def _whole(one: Glossary, target: str | None) -> GlossaryWhole:
    terms = None
    if target is not None or one.targets is None:
        terms = [
            TermShape(source=term.source, target=term.target, case_sensitive=term.is_case_sensitive)
            for term in one.terms(target)
        ]
    return GlossaryWhole(**_shape(one).model_dump(), text=one.text, terms=terms)
