"""A look at dubs before their files are sent: whether they would be taken, as far as that can be known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from autodub.jobs.batches import BatchRefused, Refusal
from autodub.jobs.records import Actor
from autodub.jobs.spec import UNSENT, JobSpec
from autodub.model.errors import RequestError

if TYPE_CHECKING:
    from autodub.jobs.platform import Platform


@dataclass(frozen=True, slots=True)
class Coming:
    """A file that is still to be sent."""

    name: str
    size: int
    """Bytes."""


def check(
    platform: Platform, actor: Actor, sources: Sequence[Mapping[str, Any] | Coming], targets: Sequence[str],
    wishes: Mapping[str, Any],
) -> None:  # fmt: skip
    """Raise RequestError where submitting every source in every target would; nothing is kept.

    Raises BatchRefused where some jobs would be refused and others not, ValidationError for fields that do
    not go together.
    """
    problems: list[RequestError] = []
    refusals: list[Refusal] = []
    for s, source in enumerate(sources):
        for t, target in enumerate(targets):
            fields = {"upload": UNSENT} if isinstance(source, Coming) else dict(source)
            spec = JobSpec.model_validate({**wishes, **fields, "target": target})
            try:
                if isinstance(source, Coming):
                    platform.uploads.foresee(actor, source.name, size=source.size, kind="media")
                platform.admission.examined(actor, spec, kind="dub")
            except RequestError as problem:
                problems.append(problem)
                refusals.append(Refusal(s, t, problem.message))
    if not refusals:
        platform.admission.room(actor, fresh=len(sources) * len(targets))
        return
    whole = len(sources) * len(targets)
    if len(refusals) == whole and len({one.why for one in refusals}) == 1:
        raise problems[0]  # what concerns all of them is said once, as what it is
    raise BatchRefused(refusals, whole)
