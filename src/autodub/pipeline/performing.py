"""The performance: from lines of text to spoken lines, everything side by side that can be.

Translation begins at once; voices are chosen (and cloned) beside it; a line is spoken as soon as its
wording and its voice are there. A person's edits are applied to the finished performance.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass

from autodub.model.errors import NoCredit, Refused
from autodub.model.language import Language
from autodub.model.request import DubRequest
from autodub.model.speech import Term, Tone, Voice, Wording
from autodub.pipeline import revising
from autodub.pipeline.booth import Booth
from autodub.pipeline.listening import Heard
from autodub.pipeline.plan import Plan
from autodub.pipeline.project import Edits
from autodub.pipeline.revising import Revision
from autodub.pipeline.run import Run
from autodub.pipeline.speaking import Programme, Spoken, speak
from autodub.pipeline.translating import Brief, Wordings
from autodub.pipeline.voices import Cast, Parts, Speakers, choose_voices, clone_speakers, listen


@dataclass(frozen=True, slots=True)
class Performance:
    """A whole dub's speech, and how it came about."""

    now: Spoken
    """What is heard, a person's edits applied."""
    wordings: Mapping[str, str]
    """Line -> text it was spoken with before any edit."""
    offers: Mapping[str, tuple[Wording, ...]]
    """Line -> every wording it might have been spoken with before any edit, the natural one first."""
    failed: Mapping[str, str]
    """Line without a translation -> why."""
    cast: Cast
    tones: Mapping[str, Tone]
    """How the speakers sound, where that could be heard."""
    was_away: bool
    """True when a line failed in a way that may pass."""


def perform(
    run: Run,
    plan: Plan,
    *,
    request: DubRequest,
    heard: Heard,
    programme: Programme,
    edits: Edits,
    revision: Revision,
    glossary: tuple[Term, ...],
) -> Performance:
    """Translate and speak every line. Raises whatever stops the dub."""
    assert plan.spoken is not None, "whoever performs knows what is spoken"
    known = {line.speaker for line in heard.lines}
    parts = Parts(heard.lines, tuple(line for line in revision.lines if line.speaker not in known))
    cloning = run.beside(_clone, run, plan, heard, parts, edits, name="clone") if plan.clones else None
    with run.stage("listen", "listening to the speakers"):
        speakers = listen(run, parts, heard.soundtrack)
    casting = run.beside(_cast, run, plan, heard, speakers, cloning, edits, name="voices")
    brief = _brief(plan.spoken, plan, request, speakers, glossary)
    translator, synthesizer = plan.engines["translator"], plan.engines["synthesizer"]
    with Wordings(run, translator, heard.lines, brief) as wordings, Booth(run, synthesizer) as booth:
        wordings.start()
        if not wordings.is_kept():
            run.load_ahead(lambda: [translator.engine, synthesizer.engine])
        run.beside(_watch, run, wordings, plan.target, name="translate")
        cast: Cast = casting.result()
        with run.stage("speak", f"speaking {plan.target.name}"):
            base = now = speak(run, booth, wordings, cast.voices, programme, paced=frozenset(edits.voices))
            failed, passing = dict(wordings.failed), set(wordings.passing)
            if edits:
                changed = [line for line in revision.lines if line.id in revision.translate]
                texts = wordings.known() | {take.line.id: (take.wording,) for take in base.takes}
                with Wordings(run, translator, changed, brief) as again:
                    again.start()
                    fresh = again.known()
                failed |= again.failed
                passing |= again.passing
                for name in again.failed:
                    texts.pop(name, None)  # it may never have had one
                texts |= fresh | revising.texts(revision)
                now = revising.respeak(booth, base, revision, texts, cast.voices, programme)
        passing -= {take.line.id for take in now.takes} | revision.keep.keys()
        return Performance(
            now=now,
            wordings={take.line.id: take.wording.text for take in base.takes},
            offers={take.line.id: take.part.wordings for take in base.takes},
            failed=failed,
            cast=cast,
            tones=speakers.tones,
            was_away=bool(passing) or wordings.was_away or booth.was_away,
        )


def _clone(run: Run, plan: Plan, heard: Heard, parts: Parts, edits: Edits) -> dict[str, Voice]:
    with run.stage("clone", "cloning the speakers' voices"):
        return clone_speakers(
            run,
            plan.engines["cloner"],
            parts,
            heard.soundtrack,
            language=plan.target.tag,
            speech=heard.speech,
            edits=edits,
        )


def _cast(
    run: Run,
    plan: Plan,
    heard: Heard,
    speakers: Speakers,
    cloning: Future[dict[str, Voice]] | None,
    edits: Edits,
) -> Cast:
    with run.stage("voices", "choosing voices"):
        return choose_voices(
            run,
            speakers,
            heard.soundtrack,
            synthesizer=plan.engines["synthesizer"],
            matcher=None if plan.clones else plan.engines.get("cloner"),
            language=plan.target.tag,
            cloned=cloning.result() if cloning is not None else {},
            edits=edits,
            stood_in="synthesizer" in plan.stood_in,
        )


def _watch(run: Run, wordings: Wordings, target: Language) -> None:
    """Announce the translation as a stage of its own, though nobody waits for all of it."""
    with run.stage("translate", f"translating into {target.name}"):
        try:
            for line in wordings.lines:
                wordings.natural(line)
        except (NoCredit, Refused) as problem:  # before anybody waits for voices that nobody will need
            run.fail(problem)
            raise


def _brief(
    spoken: Language, plan: Plan, request: DubRequest, speakers: Speakers, glossary: tuple[Term, ...]
) -> Brief:
    return Brief(spoken, plan.target, glossary, request.style, speakers.hints)
