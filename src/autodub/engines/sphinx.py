"""Transcriber that needs no download: pocketsphinx with the English model in its wheel, on all cores.

It hears badly by today's measure (a third of the words wrong on read speech is usual) and knows neither
capitals nor full stops; it is what is left when there are no weights, no key and no subtitles.
"""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from autodub.dubbing.chunking import chunks, trimmed
from autodub.engines.roles import EngineContext, EngineOptions, Info, Readiness, Work
from autodub.infra.child import Workers
from autodub.model.calls import Transcribe
from autodub.model.errors import EngineCannot
from autodub.model.speech import Segment, Transcript, Word
from autodub.model.time import Span

_PAUSE = 600
"""Silence that ends an utterance, ms."""
_DEADLINE = 600.0
"""Seconds one piece of at most 27 s may take on a busy machine (usual: 4)."""


class SphinxOptions(EngineOptions):
    """Options of the sphinx transcriber."""

    hmm: Path | None = Field(
        None, description="Folder of an acoustic model; None = US English from the wheel."
    )
    lm: Path | None = Field(None, description="Language model file; None = US English from the wheel.")
    dictionary: Path | None = Field(
        None, description="Pronunciation dictionary; None = US English from the wheel."
    )
    language: str = Field("en", pattern=r"^[a-z]{2,3}$", description="Language of the model.")
    threads: int = Field(0, ge=0, le=64, description="Worker processes; 0 = one per core.")


class Sphinx:
    """Recognises English (or the language of the model given) with pocketsphinx."""

    Options: ClassVar[type[EngineOptions]] = SphinxOptions

    def __init__(self, options: SphinxOptions, context: EngineContext) -> None:
        self.options = options
        self.context = context

    @classmethod
    def describe(cls) -> Info:
        try:
            library = metadata.version("pocketsphinx")
        except metadata.PackageNotFoundError:
            library = "none"
        return Info(
            name="sphinx",
            role="transcriber",
            version=f"1+pocketsphinx-{library}",
            summary="pocketsphinx: English, no download, many errors; a last resort",
            languages=frozenset({"en"}),
            piecewise=True,
            licence="BSD-2-Clause",
        )

    def readiness(self) -> Readiness:
        if importlib.util.find_spec("pocketsphinx") is None:
            return Readiness("not installed", "pocketsphinx is missing", "pip install pocketsphinx")
        for path in self._models().values():
            if not Path(path).exists():
                return Readiness(
                    "needs download", f"no model at {path}", "Correct the options hmm, lm and dictionary."
                )
        return Readiness("ready", "English, with the model of its wheel")

    def transcribe(self, request: Transcribe, work: Work) -> Transcript:
        """What is said, one segment per utterance, words on a 10 ms grid.

        Raises EngineCannot for a language the model does not know, Unreachable when a worker dies.
        """
        language = self.options.language
        if request.language is not None and request.language.split("-")[0].lower() != language:
            raise EngineCannot(
                f"The sphinx transcriber knows only the language '{language}', not '{request.language}'.",
                hint="Use another transcriber (--transcriber whisper), or give subtitles with --subtitles.",
            )
        limit = request.speech.duration
        pieces = chunks(request.spans, limit=limit)
        path = str(work.path(request.speech.blob))
        count = self.options.threads or _cores()
        with Workers(
            "autodub.engines.sphinx_worker",
            count=max(1, min(count, len(pieces))),
            engine="sphinx",
            arguments=[json.dumps(self._models())],
        ) as workers:
            answers = workers.map(
                [[path, piece.heard.start, piece.heard.end] for piece in pieces],
                deadline=_DEADLINE,
                check=work.check,
                progress=lambda done, all_: work.progress(done / all_, f"{done} of {all_} pieces heard"),
            )
        work.meter("seconds", sum(piece.heard.duration for piece in pieces) / 1000)
        heard = [
            Word(text, span, confidence)
            for piece, found in zip(pieces, answers, strict=True)
            for text, start, end, confidence in found
            if piece.core.start <= (start + end) // 2 < piece.core.end
            for span in [trimmed(Span(start, end), request.spans)]
        ]
        notes = () if request.language else (f"The spoken language was not given; taken to be '{language}'.",)
        return Transcript(request.language or language, utterances(heard, limit=limit), notes)

    def _models(self) -> dict[str, str]:
        chosen = {"hmm": self.options.hmm, "lm": self.options.lm, "dict": self.options.dictionary}
        return {name: str(path) for name, path in chosen.items() if path is not None}


def utterances(heard: Iterable[Word], *, limit: int, pause: int = _PAUSE) -> tuple[Segment, ...]:
    """Words in one segment per utterance, with the capitals and full stops the recogniser lacks.

    Words are put in order and kept from overlapping and from passing ``limit`` ms. A pause of ``pause``
    ms ends an utterance, which a translator then sees as a sentence.
    """
    groups: list[list[Word]] = []
    last = 0
    for word in sorted(heard, key=lambda w: (w.span.start, w.span.end)):
        start, end = max(last, word.span.start), min(limit, word.span.end)
        if end - start < 10:
            continue
        placed = Word(word.text, Span(start, end), word.confidence)
        if groups and start - last < pause:
            groups[-1].append(placed)
        else:
            groups.append([placed])
        last = end
    return tuple(_sentence(group) for group in groups)


def _sentence(group: Sequence[Word]) -> Segment:
    out = []
    for at, word in enumerate(group):
        text = word.text
        if at == 0 or text == "i" or text.startswith("i'"):
            text = text[:1].upper() + text[1:]
        if at == len(group) - 1:
            text += "."
        out.append(Word(text, word.span, word.confidence))
    span = Span(out[0].span.start, out[-1].span.end)
    return Segment(span, " ".join(word.text for word in out), tuple(out))


def _cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
