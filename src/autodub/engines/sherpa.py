"""Diarizer with neural speaker embeddings through sherpa-onnx: two ONNX files, no account, no torch.

The library takes a whole programme into memory and compares every second of it with every other, which for
two hours is gigabytes. So long programmes are heard in parts of some minutes, cut in pauses, each in a child
process, and the parts' voices are linked by their embeddings.
"""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from autodub.dubbing.chunking import chunks
from autodub.dubbing.linking import Voiceprint, link
from autodub.engines import hub
from autodub.engines.roles import EngineContext, EngineOptions, Info, Readiness, Work
from autodub.infra.child import Workers
from autodub.model.calls import Diarize
from autodub.model.errors import EngineCannot, Unreachable
from autodub.model.speech import Turn, Turns
from autodub.model.time import Span, touching

_FETCH = "autodub engines fetch diarizer.sherpa"
_INSTALL = "pip install 'autodub[sherpa]'"
_REPOSITORIES = {
    "segmentation": ("csukuangfj/sherpa-onnx-pyannote-segmentation-3-0", "model.onnx"),
    "embedding": ("csukuangfj/speaker-embedding-models", "wespeaker_en_voxceleb_resnet34_LM.onnx"),
}
"""pyannote's segmentation-3.0 (MIT, 6 MB) and WeSpeaker's ResNet34-LM (CC-BY-4.0, 26 MB)."""
_LEAST = 2.0
"""Seconds of speech below which somebody is not taken for a speaker of a programme in parts."""
_LOADING = 120.0


class SherpaOptions(EngineOptions):
    """Options of the sherpa diarizer."""

    segmentation: Path | None = Field(
        None, description="ONNX file of the segmentation; None = models/sherpa/segmentation/*.onnx."
    )
    embedding: Path | None = Field(
        None, description="ONNX file of the speaker embedding; None = models/sherpa/embedding/*.onnx."
    )
    threshold: float = Field(
        0.5,
        gt=0.0,
        lt=1.0,
        description="Distance from which two voices are two speakers; more = fewer speakers.",
    )
    minutes: int = Field(15, ge=1, le=60, description="Longest part of a programme heard at once.")
    threads: int = Field(0, ge=0, le=64, description="CPU threads; 0 = one per core.")


class _Settled(SherpaOptions):
    """The options with everything decided; what an answer is kept under."""

    weights: str = Field("", description="Which weights; nobody types this.")


class Sherpa:
    """Tells speakers apart with two small neural networks."""

    Options: ClassVar[type[EngineOptions]] = SherpaOptions

    def __init__(self, options: SherpaOptions, context: EngineContext) -> None:
        self.context = context
        self._files = {
            "segmentation": _file(options.segmentation, self._folder("segmentation")),
            "embedding": _file(options.embedding, self._folder("embedding")),
        }
        found = [file for file in self._files.values() if file is not None]
        self.options: SherpaOptions = _Settled(
            **options.model_dump(), weights=hub.revision(*found) if len(found) == 2 else ""
        )

    @classmethod
    def describe(cls) -> Info:
        try:
            library = metadata.version("sherpa-onnx")
        except metadata.PackageNotFoundError:
            library = "none"
        return Info(
            name="sherpa",
            role="diarizer",
            version=f"1+sherpa-onnx-{library}",
            summary="sherpa-onnx: speakers told apart by neural embeddings, on any CPU; weights of 32 MB",
            needs_weights=True,
            licence="Apache-2.0 (sherpa-onnx); weights MIT (segmentation), CC-BY-4.0 (embedding)",
        )

    def readiness(self) -> Readiness:
        if importlib.util.find_spec("sherpa_onnx") is None:
            return Readiness("not installed", "sherpa-onnx is missing", _INSTALL)
        given = {"segmentation": self.options.segmentation, "embedding": self.options.embedding}
        for name, path in self._files.items():
            if path is None:
                named = given[name]
                if named is not None:
                    fix = f"Correct the option {name}, or leave it out and run: {_FETCH}"
                    return Readiness("needs download", f"there is no {name} model at {named}", fix)
                return Readiness("needs download", f"no {name} model in {self._folder(name)}", _FETCH)
        return Readiness("ready", ", ".join(str(path) for path in self._files.values()))

    def fetch(self, work: Work) -> Path:
        """Download both models (32 MB); see ``hub.fetch`` for what it raises."""
        root = self.context.models / "sherpa"
        for number, (name, (repository, file)) in enumerate(_REPOSITORIES.items()):
            if self._files[name] is not None:
                continue
            if self.context.offline:
                raise EngineCannot("Weights cannot be fetched offline.", hint="Leave out --offline for once.")
            work.progress(number / 2, f"fetching {repository}")
            hub.fetch(repository, self._folder(name), files=[file], engine="sherpa")
        work.progress(1.0, f"the models are in {root}")
        return root

    def diarize(self, request: Diarize, work: Work) -> Turns:
        """Turns in time order; speakers are named S1, S2 ... as they appear.

        Every span has a turn: where the networks hear nobody it is the nearest speaker's, with margin 0.
        Margins are silhouettes of the library's clustering. Raises EngineCannot for a count below one, for
        missing models and for models the library does not take.
        """
        speakers = request.speakers
        if speakers is not None and speakers < 1:
            raise EngineCannot(
                f"There cannot be {speakers} speakers.", hint="Give --speakers 1 or more, or leave it out."
            )
        if request.speech.rate != 16_000 or request.speech.channels != 1:
            raise EngineCannot(
                "The sherpa diarizer hears 16 kHz mono sound only.",
                hint="Hand it the speech of a soundtrack.",
            )
        spans = sorted(request.spans)
        if speakers == 1 or not spans:
            return Turns(tuple(Turn(span, "S1") for span in spans))
        ready = self.readiness()
        if ready.state != "ready":
            raise EngineCannot(f"sherpa cannot run: {ready.detail}.", hint=f"Do this once: {ready.fix}")
        longest = self.options.minutes * 60_000
        parts = chunks(
            spans, limit=request.speech.duration, shortest=longest // 2, longest=longest, silence=60_000
        )
        answers = self._heard([part.heard for part in parts], request, work)
        found = [
            (part, Span(start, end), voice, sure)
            for part, (chunk, answer) in enumerate(zip(parts, answers, strict=True))
            for start, end, voice, sure in answer["turns"]
            if chunk.core.start <= (start + end) // 2 < chunk.core.end
        ]
        names = self._named(found, answers, speakers)
        turns = [
            Turn(span, names[part, voice], None if sure is None else max(0.0, sure))
            for part, span, voice, sure in sorted(found, key=lambda turn: (turn[1].start, turn[1].end))
            if any(span.overlap(spoken) for spoken in touching(spans, span))
        ]
        return Turns(_covering(spans, turns))

    def _heard(self, parts: Sequence[Span], request: Diarize, work: Work) -> list[Any]:
        """The worker's answer for each part."""
        settings = {name: str(path) for name, path in self._files.items()}
        threads = self.options.threads or os.cpu_count() or 1
        path = str(work.path(request.speech.blob))
        # With parts the count of the whole says nothing about one of them: they are linked to it afterwards.
        count = request.speakers if len(parts) == 1 else None
        with Workers(
            "autodub.engines.sherpa_worker",
            engine="sherpa",
            arguments=[json.dumps({**settings, "threads": threads})],
        ) as workers:
            try:
                workers.call(None, deadline=_LOADING, check=work.check)
            except Unreachable as problem:
                raise EngineCannot(
                    f"sherpa-onnx cannot load its models: {problem.message}",
                    hint=f"Fetch them again ({_FETCH}), or correct the options segmentation and embedding.",
                ) from problem
            answers = workers.map(
                [
                    {
                        "path": path,
                        "start": part.start,
                        "end": part.end,
                        "speakers": count,
                        "threshold": self.options.threshold,
                    }
                    for part in parts
                ],
                deadline=120 + 4 * max(part.duration for part in parts) / 1000,
                check=work.check,
                progress=lambda done, all_: work.progress(done / all_, f"{done} of {all_} parts heard"),
            )
        work.meter("seconds", sum(part.duration for part in parts) / 1000)
        return answers

    def _named(
        self,
        found: Sequence[tuple[int, Span, str, float | None]],
        answers: Sequence[Any],
        speakers: int | None,
    ) -> dict[tuple[int, str], str]:
        """A name for every voice of every part, S1 for who speaks first."""
        seconds: dict[tuple[int, str], float] = {}
        for part, span, voice, _ in sorted(found, key=lambda turn: turn[1].start):
            seconds[part, voice] = seconds.get((part, voice), 0.0) + span.duration / 1000
        prints = [
            Voiceprint(part, tuple(answers[part]["voices"].get(voice, ())), length)
            for (part, voice), length in seconds.items()
        ]
        least = _LEAST if len(answers) > 1 else 0.0
        numbers = link(prints, threshold=self.options.threshold, speakers=speakers, least=least)
        return {key: f"S{number + 1}" for key, number in zip(seconds, numbers, strict=True)}

    def _folder(self, name: str) -> Path:
        return self.context.models / "sherpa" / name


def _file(given: Path | None, folder: Path) -> Path | None:
    if given is not None:
        return given if (given := hub.located(given)).is_file() else None
    return next((path for path in sorted(folder.glob("*.onnx")) if path.is_file()), None)


def _covering(spans: Sequence[Span], turns: Sequence[Turn]) -> tuple[Turn, ...]:
    """The turns, and one with margin 0 for every span that none of them touches."""
    if not turns:
        return tuple(Turn(span, "S1", 0.0) for span in spans)
    starts = [turn.span.start for turn in turns]
    extra = []
    reach = 0  # end of what was said so far
    at = 0
    for span in spans:
        while at < len(turns) and starts[at] < span.end:
            reach = max(reach, turns[at].span.end)
            at += 1
        if reach <= span.start:
            near = min(
                turns[max(0, at - 1) : at + 1],
                key=lambda turn: max(turn.span.start - span.end, span.start - turn.span.end),
            )
            extra.append(Turn(span, near.speaker, 0.0))
    return tuple(sorted([*turns, *extra], key=lambda turn: (turn.span.start, turn.span.end)))
