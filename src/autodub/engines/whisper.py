"""Transcriber: Whisper through faster-whisper, with weights from a folder or fetched from the hub once."""

from __future__ import annotations

import importlib.util
import os
import threading
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from autodub.dubbing.chunking import Chunk, chunks, trimmed
from autodub.engines import whisper_weights as weights
from autodub.engines.roles import EngineContext, EngineOptions, Info, Readiness, Work
from autodub.media.sound import Reader
from autodub.model.calls import Transcribe
from autodub.model.errors import EngineCannot, Rejected
from autodub.model.speech import Segment, Transcript, Word
from autodub.model.time import Span

_FETCH = "autodub engines fetch transcriber.whisper"
_NO_SPEECH, _UNSURE = 0.6, -1.0  # Whisper's own limits for "this is silence"
_LOOP = 2.4  # compression ratio above which text is a stuck loop


class WhisperOptions(EngineOptions):
    """Options of the whisper transcriber."""

    folders: ClassVar[frozenset[str]] = frozenset({"model"})

    model: str = Field(
        "auto",
        min_length=1,
        description="Model name (tiny ... large-v3-turbo), folder or hub owner/name; auto = the best one "
        "on this machine, else large-v3-turbo with a GPU and small without.",
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="Where to compute.")
    compute_type: Literal["auto", "int8", "int8_float16", "float16", "bfloat16", "float32"] = Field(
        "auto", description="Arithmetic; auto = float16 on a GPU, int8 on a CPU."
    )
    beam_size: int = Field(5, ge=1, le=20, description="Beam width; 1 is fastest.")
    hotwords: str = Field("", max_length=500, description="Names and terms to expect, separated by spaces.")
    threads: int = Field(0, ge=0, le=128, description="CPU threads; 0 = one per core.")


class _Settled(WhisperOptions):
    """The options with everything decided; what an answer is kept under."""

    weights: str = Field("", description="Which weights of that name; nobody types this.")


class Whisper:
    """Recognises some hundred languages, with word times."""

    Options: ClassVar[type[EngineOptions]] = WhisperOptions

    def __init__(
        self,
        options: WhisperOptions,
        context: EngineContext,
        *,
        load: Callable[..., Any] | None = None,
    ) -> None:
        self.context = context
        if options.model == "auto":
            gpu = options.device != "cpu" and weights.has_gpu()
            names = weights.PREFERRED_GPU if gpu else weights.PREFERRED_CPU
            # Named here, because the model is part of what an answer is kept under.
            chosen = weights.first_local(names, context.models) or names[0]
            options = options.model_copy(update={"model": chosen})
        # The same of "auto": an answer is kept under what was really used, and found again only by that.
        folder = weights.local(options.model, context.models)
        device = options.device
        if device == "auto":
            device = "cuda" if _has_cuda(is_here=folder is not None) else "cpu"
        kind = options.compute_type
        if kind == "auto":
            kind = "float16" if device == "cuda" else "int8"
        settled = options.model_dump() | {"device": device, "compute_type": kind}
        self.options: WhisperOptions = _Settled(**settled, weights=weights.revision(folder))
        self._load = load
        self._loaded: Any = None
        self._lock = threading.Lock()

    @classmethod
    def describe(cls) -> Info:
        try:
            library = metadata.version("faster-whisper")
        except metadata.PackageNotFoundError:
            library = "none"
        return Info(
            name="whisper",
            role="transcriber",
            version=f"1+faster-whisper-{library}",
            summary="Whisper (faster-whisper): about a hundred languages; needs weights of 75 MB to 3 GB",
            resource="gpu" if weights.has_gpu() else "cpu",
            needs_weights=True,
            piecewise=True,
            licence="MIT",
        )

    def readiness(self) -> Readiness:
        if importlib.util.find_spec("faster_whisper") is None:
            return Readiness("not installed", "faster-whisper is missing", "pip install faster-whisper")
        found = weights.local(self.options.model, self.context.models)
        if found is not None:
            return Readiness("ready", f"model {self.options.model} in {found}")
        if weights.repository(self.options.model) is None:
            return Readiness(
                "needs download",
                f"there is no model at {self.options.model}",
                "Give the folder of a CTranslate2 Whisper model as the option model.",
            )
        return Readiness("needs download", f"model {self.options.model} is not on this machine", _FETCH)

    def fetch(self, work: Work) -> Path:
        """Download the weights; see ``whisper_weights.fetch`` for what it raises."""
        found = weights.local(self.options.model, self.context.models)
        if found is not None:
            return found
        if self.context.offline:
            raise EngineCannot("Weights cannot be fetched offline.", hint="Leave out --offline for once.")
        work.progress(0.0, f"fetching model {self.options.model}")
        folder = weights.fetch(self.options.model, self.context.models)
        work.progress(1.0, f"model {self.options.model} is in {folder}")
        return folder

    def transcribe(self, request: Transcribe, work: Work) -> Transcript:
        """What is said, with word times. Never touches the network.

        Raises EngineCannot when the weights are missing or cannot be loaded, Rejected for a language the
        model does not know.
        """
        model = self._model()
        limit = request.speech.duration
        pieces = chunks(request.spans, limit=limit, shortest=10_000, longest=28_000, silence=3_000)
        language = request.language.split("-")[0].lower() if request.language else None
        known = tuple(model.supported_languages)
        if language is not None and language not in known:
            raise Rejected(
                f"The Whisper model {self.options.model} cannot hear the language '{request.language}'.",
                hint="Correct --from, or use a model for many languages (one without .en), or subtitles.",
                engine="whisper",
            )
        segments: list[Segment] = []
        dropped = 0
        with Reader(work.path(request.speech.blob)) as reader:

            def sound(piece: Chunk) -> Any:
                return reader.read(piece.heard.start * 16, piece.heard.duration * 16)[:, 0]

            if language is None and len(known) == 1:
                language = known[0]
            elif language is None:
                longest = sorted(pieces, key=lambda piece: -piece.heard.duration)[:3]
                language = _detected(model, [sound(piece) for piece in longest])
            for at, piece in enumerate(pieces):
                found, lost = self._heard(model, sound(piece), language, piece, request.spans, work)
                segments += found
                dropped += lost
                work.progress((at + 1) / len(pieces), f"{at + 1} of {len(pieces)} pieces heard")
        work.meter("seconds", sum(piece.heard.duration for piece in pieces) / 1000)
        notes = [f"{dropped} stretches of text where nobody speaks were left out."] if dropped else []
        loops = sum(_stuck(segment.text) for segment in segments)
        if loops:
            notes.append(f"{loops} segments repeat themselves; the recogniser may have been stuck there.")
        return Transcript(request.language or language, _ordered(segments, limit), tuple(notes))

    def _heard(
        self, model: Any, sound: Any, language: str, piece: Chunk, speech: Sequence[Span], work: Work
    ) -> tuple[list[Segment], int]:
        """(segments of one piece on the programme's clock, how many were made up in silence)."""
        lazy, _ = model.transcribe(
            sound,
            language=language,
            beam_size=self.options.beam_size,
            hotwords=self.options.hotwords or None,
            word_timestamps=True,
            vad_filter=False,
            condition_on_previous_text=False,
        )
        out: list[Segment] = []
        dropped = 0
        for heard in lazy:  # the work happens here
            work.check()
            words = [_word(word, piece.heard.start) for word in heard.words or ()]
            if words:
                words = [w for w in words if w.text and _in_core(w.span, piece)]
                if not words:
                    continue  # the neighbouring piece has them
                span = Span(words[0].span.start, max(w.span.end for w in words))
                text = " ".join(" ".join(w.text for w in words).split())
            else:
                at = piece.heard.start
                span = Span(
                    at + round(heard.start * 1000),
                    at + max(round(heard.end * 1000), round(heard.start * 1000)),
                )
                text = heard.text.strip()
            silent = heard.no_speech_prob > _NO_SPEECH and heard.avg_logprob < _UNSURE
            if not text:
                continue
            if silent or not any(span.overlap(s) for s in speech):
                dropped += 1
                continue
            words = [Word(w.text, trimmed(w.span, speech), w.confidence) for w in words]
            out.append(Segment(span, text, tuple(words)))
        return out, dropped

    def _model(self) -> Any:
        with self._lock:
            if self._loaded is None:
                self._loaded = self._load_model()
            return self._loaded

    def _load_model(self) -> Any:
        folder = weights.local(self.options.model, self.context.models)
        if folder is None and self._load is None:
            ready = self.readiness()
            raise EngineCannot(f"Whisper cannot run: {ready.detail}.", hint=f"Do this once: {ready.fix}")
        import ctranslate2  # type: ignore[import-untyped]

        # Whisper draws lots when it is stuck; a fresh engine must draw the same ones.
        ctranslate2.set_random_seed(1)
        load = self._load or _faster_whisper()
        try:
            return load(
                str(folder or self.options.model),
                device=self.options.device,
                compute_type=self.options.compute_type,
                cpu_threads=self.options.threads or os.cpu_count() or 1,
                local_files_only=True,
            )
        except (RuntimeError, ValueError, OSError) as error:
            raise EngineCannot(
                f"The Whisper model {self.options.model} cannot be loaded: {error}",
                hint="Try --set whisper.device=cpu, --set whisper.compute_type=float32, or fetch it again.",
            ) from error


def _has_cuda(*, is_here: bool) -> bool:
    """Whether the library can compute on a GPU; asked of itself only where there is one and it would run."""
    if not weights.has_gpu():
        return False
    if not is_here or importlib.util.find_spec("ctranslate2") is None:
        return True
    import ctranslate2

    return bool(ctranslate2.get_cuda_device_count())


def _faster_whisper() -> Callable[..., Any]:
    from faster_whisper import WhisperModel

    model: Callable[..., Any] = WhisperModel
    return model


def _detected(model: Any, sounds: Sequence[Any]) -> str:
    """The language most likely over several pieces; English where nothing is said."""
    scores: dict[str, float] = {}
    for sound in sounds:
        _, _, probabilities = model.detect_language(sound)
        for language, probability in probabilities:
            scores[language] = scores.get(language, 0.0) + probability * len(sound)
    return max(scores, key=lambda language: scores[language]) if scores else "en"


def _word(word: Any, at: int) -> Word:
    start = at + max(0, round(word.start * 1000))
    return Word(
        word.word.strip(), Span(start, max(start, at + round(word.end * 1000))), round(word.probability, 4)
    )


def _in_core(span: Span, piece: Chunk) -> bool:
    return piece.core.start <= (span.start + span.end) // 2 < piece.core.end


def _stuck(text: str) -> bool:
    """Whether a text compresses so well that it must be a loop."""
    import zlib

    data = text.encode()
    return len(data) > 60 and len(data) / len(zlib.compress(data)) > _LOOP


def _ordered(segments: Sequence[Segment], limit: int) -> tuple[Segment, ...]:
    """Segments in time order, their words ordered, disjoint and inside the sound."""
    out = []
    last = 0
    for segment in sorted(segments, key=lambda s: (s.span.start, s.span.end)):
        words = []
        for word in segment.words:
            start = min(max(last, word.span.start), limit)
            end = min(max(start, word.span.end), limit)
            last = end
            words.append(Word(word.text, Span(start, end), word.confidence))
        if words:
            span = Span(words[0].span.start, words[-1].span.end)
        else:
            span = Span(min(segment.span.start, limit), min(segment.span.end, limit))
        out.append(Segment(span, segment.text, tuple(words)))
    return tuple(out)
