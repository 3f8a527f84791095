"""The audit log, for admins."""

from __future__ import annotations

from dataclasses import asdict
from http import HTTPStatus
from typing import Any

from flask import Response, jsonify, stream_with_context
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, Field

from autodub.jobs import audit
from autodub.jobs.audit import Filter
from autodub.web.identity import needs, platform
from autodub.web.problems import Problem

blueprint = APIBlueprint(
    "audit", __name__, url_prefix="/api/v1/admin",
    abp_tags=[Tag(name="Audit", description="Who did what to what, from where.")],
    abp_security=[{"key": []}, {"session": []}],
    abp_responses=dict.fromkeys((400, 401, 403, 404, 422, 429), Problem),
)  # fmt: skip


class EntryShape(BaseModel):
    """One row: its digest covers everything in it, and the digest of the row before."""

    number: int
    at: float = Field(description="Seconds since 1970 (UTC).")
    actor: str = Field(description="Id of a user, or `system`.")
    action: str = Field(examples=["job.submitted"])
    subject: str = Field(examples=["job:0123456789abcdef0123456789abcdef"])
    address: str = Field(description="Where from; empty once the user was erased.")
    data: dict[str, Any]
    previous: str
    digest: str


class HeadShape(BaseModel):
    """The end of the chain. Kept elsewhere it shows later that nothing was cut off."""

    number: int
    digest: str


class AuditPage(BaseModel):
    """Some rows, oldest first."""

    entries: list[EntryShape]
    after: int | None = Field(description="Send it back for the next page; null at the end.")
    head: HeadShape


class FilterQuery(BaseModel):
    """Which rows."""

    actor: str | None = Field(None, max_length=40)
    action: str | None = Field(
        None, max_length=64, description="A whole action, or its beginning with a dot: `job.`"
    )
    subject: str | None = Field(None, max_length=100)
    since: float | None = Field(None, description="Seconds since 1970 (UTC).")
    until: float | None = Field(None, description="Not any more at this time.")

    def wanted(self) -> Filter:
        """As the log is asked."""
        return Filter(self.actor, self.action, self.subject, self.since, self.until)


class PageQuery(FilterQuery):
    """Which rows, and how many."""

    after: int = Field(0, ge=0, le=1 << 62, description="As the page before said.")
    limit: int = Field(100, ge=1, le=1000)


class VerifiedShape(BaseModel):
    """Whether the chain holds."""

    holds: bool
    count: int = Field(description="Rows found whole, from the first.")
    first_bad: int | None = Field(description="Number of the first row that is missing or was changed.")
    why: str
    head: HeadShape


_LINES: dict[str | int | HTTPStatus, Any] = {
    200: {"description": "JSON, one row per line", "content": {"application/x-ndjson": {}}}
}


@blueprint.get("/audit", responses={200: AuditPage}, summary="Read the audit")
@needs("admin")
def read(query: PageQuery) -> Response:
    """Rows in their order, by who, what, on what and when."""
    sql = platform().sql
    found = list(audit.entries(sql, query.wanted(), after=query.after, limit=query.limit + 1))
    head = audit.head(sql)
    page = AuditPage(
        entries=[EntryShape.model_validate(entry.as_json()) for entry in found[: query.limit]],
        after=found[query.limit - 1].number if len(found) > query.limit else None,
        head=HeadShape(number=head.number, digest=head.digest),
    )
    return jsonify(page.model_dump())


@blueprint.get("/audit/export", responses=_LINES, summary="Export the audit")
@needs("admin")
def export(query: FilterQuery) -> Response:
    """All rows that are wanted, one JSON object per line, sent as they are read."""
    lines = stream_with_context(audit.export(platform().sql, query.wanted()))
    answer = Response(lines, content_type="application/x-ndjson")
    answer.headers["Content-Disposition"] = 'attachment; filename="audit.jsonl"'
    answer.headers["Cache-Control"] = "no-store"
    return answer


@blueprint.get("/audit/verify", responses={200: VerifiedShape}, summary="Check the audit")
@needs("admin")
def verify() -> Response:
    """Whether every row is there and as it was written.

    An end that was cut off only `autodub audit verify --expect` can find, by a head that was kept elsewhere.
    """
    found = audit.verify(platform().sql)
    return jsonify(
        VerifiedShape(
            holds=found.first_bad is None, count=found.count, first_bad=found.first_bad, why=found.why,
            head=HeadShape(**asdict(found.head)),
        ).model_dump()
    )  # fmt: skip
