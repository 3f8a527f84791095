"""The dub, from top to bottom: open, plan, hear, translate, cast, speak, produce, measure, deliver.

Every slow step is a gateway call, so whatever was finished before a crash, a stop or an edit is
answered from the store, and the same request always ends in the same files.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from autodub.engines.context import engine_context
from autodub.engines.roles import EngineContext, Translator
from autodub.gateway.cancel import Cancel
from autodub.gateway.gateway import nobody
from autodub.gateway.store import Store
from autodub.infra.settings import Settings
from autodub.model.errors import BadSubtitles, Cancelled, OutputProblem
from autodub.model.job import Event, Listener
from autodub.model.request import DubRequest
from autodub.model.speech import Term
from autodub.pipeline import ahead, finished, project, spending
from autodub.pipeline.finished import Finished
from autodub.pipeline.names import path_of, refuse_unwritable
from autodub.pipeline.opening import Opened, captions, open_source, output_name
from autodub.pipeline.outputs import Outputs, outputs_for
from autodub.pipeline.plan import Plan, languages, make_plan, refuse_same
from autodub.pipeline.run import Run
from autodub.pipeline.standby import sticky
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
    refuse_unwritable(request)
    store = Store(settings.data_dir)
    stop = (cancel or Cancel()).child()  # what fails here must not stop the caller's other dubs
    with contextlib.ExitStack() as unfinished:
        unfinished.callback(store.close)
        run = Run(spending.gateway(store, request, settings, listener=listener, cancel=stop), listener)
        unfinished.pop_all()
    try:
        return _dub(run, request, engine_context(settings), listener)
    except BaseException as problem:
        stop.request()  # nothing beside may go on
        run.tell_rented()
        if isinstance(problem, Cancelled) and run.failure is not None:
            raise run.failure from None
        raise
    finally:
        run.close()
        run.gateway.close()
        store.close()


def _dub(run: Run, request: DubRequest, context: EngineContext, listener: Listener) -> Dubbed:
    store = run.gateway.store
    target, _ = languages(request)
    with run.stage("open", "looking at the source"):
        load = partial(run.load_ahead, partial(ahead.load, request, context))
        opened = open_source(run, request, context, meanwhile=load)
    part = (request.start or 0, request.end)
    outputs = outputs_for(output_name(opened.sound), target.tag, request.output, part=part)
    plan = make_plan(request, opened.sound, outputs, context)
    _refuse_stranger(store, outputs, request)
    glossary = _glossary(request, target.tag)
    edits = project.read(outputs.project, source_sha256=opened.sound.digest, target=plan.target.tag)
    key = finished.identity(
        plan, request, edits, subtitles=_digest(store, request.subtitles), glossary=glossary,
        downloader=None if opened.is_here else opened.downloader,
    )  # fmt: skip
    done = finished.find(store, key)
    is_new = done is None
    if done is None:
        for role, chosen in plan.engines.items():
            run.chosen(role, chosen.info.name, chosen.why)
        for note in plan.notes:
            run.degrade(note.what, note.message, note.reason)
        done = _make(run, plan, request, context, opened, edits, glossary)
        run.unchanged(opened.sound)
        if run.is_settled:
            finished.keep(store, key, done)
    if not finished.deliver(store, done, outputs.media, read=edits.digest):
        listener(
            Event(
                "degraded", message=f"{outputs.project.name} was changed meanwhile and is left as it is; "
                "run the same command again to use it", data={"what": "project"},
            )
        )  # fmt: skip
    listener(Event("job.finished", message=str(outputs.media), data={"reused": not is_new}))
    return _dubbed(done, outputs, reused=not is_new)


def _make(
    run: Run,
    plan: Plan,
    request: DubRequest,
    context: EngineContext,
    opened: Opened,
    edits: project.Edits,
    glossary: tuple[Term, ...],
) -> Finished:
    # Imported here: an unchanged dub is delivered without any of it.
    from autodub.pipeline import delivering, facts, revising
    from autodub.pipeline.listening import Separation, find_speech, hear, is_decoded
    from autodub.pipeline.performing import perform
    from autodub.pipeline.speaking import Programme

    if not is_decoded(run, plan) or not plan.outputs.project.exists():  # so hardly anything is kept yet
        run.load_ahead(lambda: [chosen.engine for chosen in plan.engines.values()])
    run.beside(ahead.load_libraries, name="libraries")
    rehearsal = (
        run.beside(delivering.rehearse, run, plan, request, name="rehearse") if opened.is_here else None
    )
    written = captions(run, opened, plan.spoken.tag) if plan.captions and plan.spoken else None
    found = find_speech(run, plan)
    if rehearsal is not None:
        rehearsal.result()  # an output that cannot be written is refused before anything is spent
    spending.tell_estimate(run, plan, request, found)
    listened = partial(
        hear, run, found=found, request=request, separation=Separation(run, plan), captions=written
    )
    plan, heard = sticky(run, plan, request, context, listened)
    mix = heard.soundtrack.mix
    programme = Programme(mix.rate, mix.frames)
    spoken = heard.spoken
    if spoken is None or (not heard.lines and not edits):
        return delivering.untouched(
            run, delivering.with_picture(run, plan, opened), request, heard, programme
        )
    refuse_same(spoken, plan.target)
    if plan.spoken is None:  # known now for the first time: nothing is cloned for a pair nobody translates
        translator: Translator = plan.engines["translator"].engine
        translator.route(spoken.tag, plan.target.tag)
    plan = replace(plan, spoken=spoken)

    revision = revising.revise(heard.lines, edits, path=plan.outputs.project, limit=mix.duration)
    performed = partial(
        perform, run, request=request, heard=heard, programme=programme, edits=edits, revision=revision,
        glossary=glossary,
    )  # fmt: skip
    plan, show = sticky(run, plan, request, context, performed)
    kept = facts.kept_lines(
        revision, show.now, {**show.failed, **show.now.failed}, made=heard.lines, speech=heard.speech,
        limit=mix.duration,
    )  # fmt: skip
    if show.was_away:
        run.is_settled = False
    for item in kept:
        if not item.by_choice:
            run.degrade("line", f"{item.line.id} keeps its original sound", item.reason)
    record = facts.project(
        opened.sound, plan, spoken=spoken, made=heard.lines, wordings=show.wordings, now=show.now, kept=kept,
        edits=edits, voices=show.cast.own, rate=programme.rate,
    )  # fmt: skip
    run.return_voices(plan, keep=request.keep_voices)
    return delivering.deliverables(
        run, delivering.with_picture(run, plan, opened), request, heard, programme, show, kept, record,
        language=spoken,
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


def _digest(store: Store, subtitles: str | None) -> str:
    if subtitles is None:
        return ""
    path = path_of(subtitles)
    try:
        path.open("rb").close()
    except OSError as problem:
        raise BadSubtitles(
            f"The subtitle file {path} cannot be read ({problem.strerror}).", hint="Check the path."
        ) from problem
    return store.digest(path)


def _glossary(request: DubRequest, target: str) -> tuple[Term, ...]:
    if request.glossary is None:
        return ()
    from autodub.pipeline.names import read_glossary

    return read_glossary(request.glossary, target)


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
