"""The dub of a source, beside it: made in the store (:mod:`autodub.pipeline.making`), then delivered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from autodub.gateway.cancel import Cancel
from autodub.gateway.gateway import nobody
from autodub.gateway.store import Store
from autodub.infra.settings import Settings
from autodub.model.errors import OutputProblem
from autodub.model.job import Event, Listener
from autodub.model.media import Source
from autodub.model.request import DubRequest
from autodub.pipeline import finished, project
from autodub.pipeline.finished import Finished
from autodub.pipeline.making import begin, complete, running
from autodub.pipeline.opening import output_name
from autodub.pipeline.outputs import Outputs, outputs_for
from autodub.pipeline.plan import languages
from autodub.quality.receipt import Receipt


@dataclass(frozen=True, slots=True)
class Dubbed:
    """A finished dub: where its files are, and how good it is."""

    output: Path
    subtitles: tuple[Path, ...]
    receipt_path: Path
    report: Path
    project: Path
    receipt: Receipt
    reused: bool
    """True when nothing had changed since an earlier run."""


def dub(
    request: DubRequest, *, settings: Settings, listener: Listener = nobody, cancel: Cancel | None = None
) -> Dubbed:
    """Dub a source. Raises RequestError before anything is spent, and any other AutodubError later.

    After any failure the same request goes on where this one stopped.
    """
    with running(request, settings=settings, listener=listener, cancel=cancel) as (run, context):
        store = run.gateway.store
        opened, plan = begin(run, request, context, place=partial(_beside, request))
        outputs = plan.outputs
        _refuse_stranger(store, outputs, request)
        edits = project.read(outputs.project, source_sha256=opened.sound.digest, target=plan.target.tag)
        is_first = not outputs.project.exists()
        done, is_new = complete(run, plan, request, context, opened, edits, is_first=is_first)
        if not finished.deliver(store, done, outputs.media, read=edits.digest):
            listener(
                Event(
                    "degraded", message=f"{outputs.project.name} was changed meanwhile and is left as it is; "
                    "run the same command again to use it", data={"what": "project"},
                )
            )  # fmt: skip
        listener(Event("job.finished", message=str(outputs.media), data={"reused": not is_new}))
        return _dubbed(done, outputs, reused=not is_new)


def _beside(request: DubRequest, source: Source) -> Outputs:
    """Where the dub of a source goes. Raises OutputProblem where it cannot."""
    target, _ = languages(request)
    given = [request.subtitles] if source.url else [request.subtitles, source.path]
    return outputs_for(
        output_name(source, request.title), target.tag, request.output,
        part=(request.start or 0, request.end), given=given,
    )  # fmt: skip


def _refuse_stranger(store: Store, outputs: Outputs, request: DubRequest) -> None:
    """Raise OutputProblem rather than write over a file that Autodub did not make."""
    media = outputs.media
    if request.overwrite or not media.exists() or outputs.project.exists():
        return
    if finished.making_of(store, store.digest(media)) is None:
        raise OutputProblem(
            f"{media} is there already, and Autodub did not make it.",
            hint="Give another name with -o, or --overwrite it.",
        )


def _dubbed(done: Finished, outputs: Outputs, *, reused: bool) -> Dubbed:
    subtitles: Mapping[Path, object] = {outputs.srt: done.srt, outputs.vtt: done.vtt}
    return Dubbed(
        output=outputs.media,
        subtitles=tuple(path for path, blob in subtitles.items() if blob is not None),
        receipt_path=outputs.receipt,
        report=outputs.report,
        project=outputs.project,
        receipt=replace(done.measured, dub=outputs.media.name),
        reused=reused,
    )
