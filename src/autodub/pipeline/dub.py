"""The dub, from top to bottom: open, plan, hear, translate, cast, speak, produce, measure, deliver.

Every slow step is a gateway call, so whatever was finished before a crash, a stop or an edit is
answered from the store, and the same request always ends in the same files.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from autodub.engines import registry
from autodub.engines.local import path_of as local_path
from autodub.engines.roles import EngineContext
from autodub.gateway.cancel import Cancel
from autodub.gateway.gateway import Gateway, nobody
from autodub.gateway.store import Store
from autodub.infra.settings import Settings
from autodub.model.calls import Download
from autodub.model.errors import BadSubtitles, OutputProblem
from autodub.model.job import Event, Listener
from autodub.model.media import Source
from autodub.model.request import DubRequest
from autodub.pipeline import finished, project
from autodub.pipeline.finished import Finished
from autodub.pipeline.names import path_of, refuse_unwritable
from autodub.pipeline.outputs import Outputs, outputs_for
from autodub.pipeline.plan import Plan, languages, make_plan, refuse_same
from autodub.pipeline.run import Run
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
    try:
        stop = (cancel or Cancel()).child()  # what fails here must not stop the caller's other dubs
        gateway = Gateway(store, listener=listener, cancel=stop, redact=settings.redact)
        run = Run(gateway, listener)
        context = engine_context(settings)
        target, _ = languages(request)
        with run.stage("open", "looking at the source"):
            source = open_source(run, request, context)
        part = (request.start or 0, request.end)
        outputs = outputs_for(Path(source.path), target.tag, request.output, part=part)
        plan = make_plan(request, source, outputs, context)
        _refuse_stranger(store, outputs, request)
        edits = project.read(outputs.project, source_sha256=source.digest, target=plan.target.tag)
        key = finished.identity(plan, request, edits, subtitles=_digest(store, request.subtitles))
        done = finished.find(store, key)
        is_new = done is None
        if done is None:
            for role, chosen in plan.engines.items():
                run.chosen(role, chosen.info.name, chosen.why)
            for note in plan.notes:
                run.degrade(note.what, note.message, note.reason)
            done = _make(run, plan, request, edits)
            run.unchanged(source)
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
    finally:
        store.close()


def engine_context(settings: Settings) -> EngineContext:
    """What engines are given of the settings."""
    return EngineContext(settings.secret_values(), settings.models_dir, settings.offline)


def open_source(run: Run, request: DubRequest, context: EngineContext) -> Source:
    """Fetch or open the source. A file of this machine is known by its content, not by its name."""
    name = request.engines.get("downloader", "auto")
    name = "local" if name == "auto" else name
    engine = registry.build("downloader", name, request.options.get("downloader", {}), context)
    address, digest = request.source, ""
    path = local_path(address) if name == "local" else path_of(address)
    if os.path.isfile(path):  # noqa: PTH113 - a name too long for the system is no file, not an error
        # Absolute, since an answer may be used again from another folder.
        address, digest = str(path.absolute()), run.gateway.store.digest(path)
    source: Source = run.call(engine, "download", Download(address, digest), stage="open")
    return source


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


def _make(run: Run, plan: Plan, request: DubRequest, edits: project.Edits) -> Finished:
    # Imported here: an unchanged dub is delivered without any of it.
    from autodub.pipeline import delivering, facts, revising
    from autodub.pipeline.booth import Booth
    from autodub.pipeline.listening import hear
    from autodub.pipeline.speaking import Part, Programme, speak
    from autodub.pipeline.translating import translate
    from autodub.pipeline.voices import choose_voices

    delivering.rehearse(run, plan, request)
    heard = hear(run, plan, request)
    mix = heard.soundtrack.mix
    programme = Programme(mix.rate, mix.frames)
    spoken = heard.spoken
    if spoken is None or (not heard.lines and not edits):
        return delivering.untouched(run, plan, request, heard, programme)
    refuse_same(spoken, plan.target)

    revision = revising.revise(heard.lines, edits, path=plan.outputs.project, limit=mix.duration)
    known = {line.speaker for line in heard.lines}
    added = [line for line in revision.lines if line.speaker not in known]
    cast = choose_voices(
        run, plan, [*heard.lines, *added], heard.soundtrack, bound=edits.voices, match=request.match_voices
    )
    with run.stage("translate", f"translating into {plan.target.name}"):
        translator = plan.engines["translator"]
        translated = translate(run, translator, heard.lines, spoken=spoken, target=plan.target)
    with run.stage("speak", f"speaking {plan.target.name}"):
        booth = Booth(run, plan.engines["synthesizer"])
        parts = [
            Part(
                line,
                translated.wordings[line.id],
                cast.voices[line.speaker],
                is_paced=line.speaker in edits.voices,
            )
            for line in heard.lines
            if line.id in translated.wordings
        ]
        base = now = speak(run, booth, parts, programme)
        wordings = {take.line.id: take.wording.text for take in base.takes}
        if edits:
            changed = [line for line in revision.lines if line.id in revision.translate]
            again = translate(run, translator, changed, spoken=spoken, target=plan.target, needed=False)
            translated.failed.update(again.failed)
            texts = translated.wordings | {take.line.id: (take.wording,) for take in base.takes}
            for name in again.failed:
                texts.pop(name, None)  # it may never have had one
            texts |= again.wordings | revising.texts(revision)
            now = revising.respeak(booth, base, revision, texts, cast.voices, programme)
    kept = facts.kept_lines(
        revision,
        now,
        {**translated.failed, **now.failed},
        made=heard.lines,
        speech=heard.speech,
        limit=mix.duration,
    )
    if booth.was_away:
        run.is_settled = False
    for item in kept:
        if not item.by_choice:
            run.degrade("line", f"{item.line.id} keeps its original sound", item.reason)
    record = facts.project(
        plan.source, plan, spoken=spoken, made=heard.lines, wordings=wordings, now=now, kept=kept,
        edits=edits, voices=cast.own, rate=programme.rate,
    )  # fmt: skip
    return delivering.deliverables(
        run, plan, request, heard, programme, now, kept, cast, record, language=spoken
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
