"""Making a dub, from top to bottom: open, plan, hear, translate, cast, speak, produce, measure.

Every slow step is a gateway call, so whatever was finished before a crash, a stop or an edit is
answered from the store, and the same request always ends in the same files. What is made stays in the
store; to write it beside the source is the affair of :mod:`autodub.pipeline.dub`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from autodub.engines.context import engine_context
from autodub.engines.roles import EngineContext, Translator
from autodub.gateway.cancel import Cancel
from autodub.gateway.gateway import nobody
from autodub.gateway.opening import open_store
from autodub.gateway.store import Store
from autodub.infra.settings import Settings
from autodub.model.errors import AutodubError, BadSubtitles, Cancelled
from autodub.model.job import Event, Listener
from autodub.model.media import Blob, Source
from autodub.model.request import DubRequest
from autodub.model.speech import Term
from autodub.pipeline import ahead, finished, project, spending
from autodub.pipeline import policy as policies
from autodub.pipeline.accounts import Looks
from autodub.pipeline.finished import Finished
from autodub.pipeline.names import discreet, path_of, refuse_unwritable
from autodub.pipeline.opening import Opened, captions, open_source, output_name
from autodub.pipeline.outputs import Outputs, outputs_named
from autodub.pipeline.plan import Plan, languages, make_plan, refuse_same
from autodub.pipeline.policy import Policy
from autodub.pipeline.run import Run
from autodub.pipeline.standby import sticky
from autodub.quality.receipt import Receipt


@dataclass(frozen=True, slots=True)
class Made:
    """A finished dub in the store, delivered nowhere."""

    name: str
    """What its file would be called, such as ``Talk.es.mp4``."""
    done: Finished
    receipt: Receipt
    reused: bool
    """True when nothing had changed since an earlier run."""

    @property
    def files(self) -> Mapping[str, tuple[str, Blob]]:
        """Kind -> (name, file).

        Kinds are ``media``, ``srt``, ``vtt``, ``receipt``, ``report``, ``project`` and ``dialogue``.
        """
        media = Path(self.name)
        named = {kind: (path.name, blob) for kind, (path, blob) in finished.named(self.done, media).items()}
        if self.done.dialogue is not None:
            named["dialogue"] = (f"{media.stem}.dialogue.flac", self.done.dialogue)
        return named


def make(
    request: DubRequest,
    *,
    settings: Settings,
    listener: Listener = nobody,
    cancel: Cancel | None = None,
    edits_text: str | None = None,
    owner: str | None = None,
    policy: Policy | None = None,
) -> Made:
    """Dub a source into the store of the data directory, and write no file anywhere else.

    ``edits_text`` is the text of a project file as a person edited it. ``owner`` is whose everything is that
    is used or made, until ``Store.release``; the finished files stay until then whatever is pruned. Of
    ``request.output`` only the name counts: its ending says what kind of file is made. ``policy`` is asked
    before anything that was said is translated, and before a voice is cloned.

    Raises RequestError (BadProject for edits that cannot be understood) before anything is spent, and any
    other AutodubError later. After any failure the same request goes on where this one stopped.
    """
    asked = running(request, settings=settings, listener=listener, cancel=cancel, owner=owner, policy=policy)
    with asked as (run, context):
        opened, plan = begin(run, request, context, place=lambda source: _names(source, request))
        edits = project.Edits()
        if edits_text is not None:
            edits = project.parse(
                edits_text, path=plan.outputs.project, source_sha256=opened.sound.digest,
                target=plan.target.tag,
            )  # fmt: skip
        done, is_new = complete(run, plan, request, context, opened, edits, is_first=edits_text is None)
        if owner is not None:
            for blob in finished.blobs(done):
                run.gateway.store.pin(owner, blob)
        name = plan.outputs.media.name
        listener(Event("job.finished", message=name, data={"reused": not is_new}))
        return Made(name, done, replace(done.measured, dub=name), reused=not is_new)


def _names(source: Source, request: DubRequest) -> Outputs:
    target, _ = languages(request)
    part = (request.start or 0, request.end)
    return outputs_named(output_name(source, request.title), target.tag, request.output, part=part)


@contextlib.contextmanager
def running(
    request: DubRequest,
    *,
    settings: Settings,
    listener: Listener,
    cancel: Cancel | None,
    owner: str | None = None,
    policy: Policy | None = None,
) -> Iterator[tuple[Run, EngineContext]]:
    """A dub under way: its store and its door to the engines, closed at the end, whatever that is."""
    refuse_unwritable(request)
    store = open_store(settings, owner=owner)
    stop = (cancel or Cancel()).child()  # what fails here must not stop the caller's other dubs
    with contextlib.ExitStack() as unfinished:
        unfinished.callback(store.close)
        door = spending.gateway(
            store, request, settings, listener=listener, cancel=stop, is_elsewhere=owner is not None,
            user=policy.user if policy is not None else "",
        )  # fmt: skip
        run = Run(door, listener, policy=policy)
        unfinished.pop_all()
    try:
        yield run, engine_context(settings)
    except BaseException as problem:
        stop.request()  # nothing beside may go on
        run.tell_rented()
        cause = problem
        if isinstance(problem, Cancelled) and run.failure is not None:
            cause = run.failure
        if isinstance(cause, AutodubError):
            hide = discreet(request, settings, is_elsewhere=owner is not None)
            cause.message, cause.hint = hide(cause.message), hide(cause.hint)
            cause.args = (cause.message,)
        if cause is not problem:
            raise cause from None
        raise
    finally:
        run.close()
        run.gateway.close()
        store.close()


def begin(
    run: Run, request: DubRequest, context: EngineContext, *, place: Callable[[Source], Outputs]
) -> tuple[Opened, Plan]:
    """Look at the source and plan, spending nothing; ``place`` says where its dub goes."""
    languages(request)
    with run.stage("open", "looking at the source"):
        load = partial(run.load_ahead, partial(ahead.load, request, context))
        opened = open_source(run, request, context, meanwhile=load)
    return opened, make_plan(request, opened.sound, place(opened.sound), context)


def complete(
    run: Run,
    plan: Plan,
    request: DubRequest,
    context: EngineContext,
    opened: Opened,
    edits: project.Edits,
    *,
    is_first: bool,
) -> tuple[Finished, bool]:
    """The finished dub, and whether it was made now; ``is_first`` where hardly anything of it is kept yet."""
    run.policy.lasts(plan.length / 1000)
    store = run.gateway.store
    glossary = _glossary(request, plan.target.tag)
    key = finished.identity(
        plan, request, edits, subtitles=_digest(store, request.subtitles), glossary=glossary,
        downloader=None if opened.is_here else opened.downloader, policy=run.policy.identity,
    )  # fmt: skip
    done = finished.find(store, key)
    if done is not None:
        return done, False
    for role, chosen in plan.engines.items():
        run.chosen(role, chosen.info.name, chosen.why)
    for note in plan.notes:
        run.degrade(note.what, note.message, note.reason)
    done = _make(run, plan, request, context, opened, edits, glossary, is_first=is_first)
    run.unchanged(opened.sound)
    if run.is_settled:
        finished.keep(store, key, done)
    return done, True


def _make(
    run: Run,
    plan: Plan,
    request: DubRequest,
    context: EngineContext,
    opened: Opened,
    edits: project.Edits,
    glossary: tuple[Term, ...],
    *,
    is_first: bool,
) -> Finished:
    # Imported here: an unchanged dub is delivered without any of it.
    from autodub.pipeline import delivering, facts, revising
    from autodub.pipeline.listening import Separation, find_speech, hear, is_decoded
    from autodub.pipeline.performing import perform
    from autodub.pipeline.speaking import Programme

    is_new = not is_decoded(run, plan)
    looks = Looks(run, plan) if is_new else None  # else its accounts have answered before
    if is_first or is_new:
        run.load_ahead(lambda: [chosen.engine for chosen in plan.engines.values()])
    if not edits:  # an edited line is waited for as soon as it is asked for: time enough then
        run.beside(_load_libraries, looks, name="libraries", is_left=True)
    rehearsal = (
        run.beside(delivering.rehearse, run, plan, request, name="rehearse") if opened.is_here else None
    )
    written = captions(run, opened, plan.spoken.tag) if plan.captions and plan.spoken else None
    found = find_speech(run, plan)
    if rehearsal is not None:
        rehearsal.result()  # an output that cannot be written is refused before anything is spent
    spending.tell_estimate(run, plan, request, found)
    if looks is not None:
        looks.settle()
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
    policies.examine(run, heard.lines, revision)
    if not revision.keep:  # nearly always every line is dubbed; else it is made again when that is known
        run.beside(partial(delivering.survey, run, heard, keep=()), name="survey")
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
        edits=edits, voices=show.cast.own, rate=programme.rate, title=request.title,
    )  # fmt: skip
    run.return_voices(plan, keep=request.keep_voices)
    return delivering.deliverables(
        run, delivering.with_picture(run, plan, opened), request, heard, programme, show, kept, record,
        language=spoken,
    )  # fmt: skip


def _load_libraries(looks: Looks | None) -> None:
    """Load what a dub comes to need, after what looks at the accounts: a wrong key is told of first."""
    if looks is not None:
        looks.wait_for_libraries()
    ahead.load_libraries()


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
