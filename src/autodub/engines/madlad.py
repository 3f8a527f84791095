"""Translator without a network: MADLAD-400 or Opus-MT models through CTranslate2, from folders on disk."""

from __future__ import annotations

import importlib.util
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import Field

from autodub.dubbing.looping import looped
from autodub.dubbing.splitting import pieces
from autodub.dubbing.text import is_speakable
from autodub.dubbing.translation import problems
from autodub.engines import hub
from autodub.engines import madlad_folders as models
from autodub.engines.roles import EngineContext, EngineOptions, Info, Readiness, Work
from autodub.model.calls import Translate
from autodub.model.errors import BadAnswer, EngineCannot
from autodub.model.language import Language
from autodub.model.speech import Line, Translation, Translations, Wording

_FETCH = "autodub engines fetch translator.madlad"
_BATCH = 16  # sentences decoded together: between two of them a wish to stop is heard at the latest
_POLL = 0.1  # seconds
_SHORTER, _SHORTEST = 0.92, 0.6  # length of another wording, in parts of the natural one
_BASE_LOSS, _WORST_LOSS = 0.1, 0.5
_UNSPACED = {"zh", "ja", "th", "lo", "km", "my"}


class MadladOptions(EngineOptions):
    """Options of the madlad translator."""

    folders: ClassVar[frozenset[str]] = frozenset({"model"})

    model: str = Field(
        "auto",
        min_length=1,
        description="Folder, name below models/madlad or hub owner/name of a CTranslate2 model; auto = every "
        "model that is there, one made for the pair first.",
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="Where to compute.")
    compute_type: Literal["auto", "int8", "int8_float16", "float16", "bfloat16", "float32"] = Field(
        "auto", description="Arithmetic; auto = int8_float16 on a GPU, int8 on a CPU."
    )
    beam_size: int = Field(4, ge=1, le=16, description="Beam width; 1 is fastest.")
    alternatives: int = Field(
        3, ge=0, le=8, description="Other wordings looked at per line; only good shorter ones are offered."
    )
    longest: int = Field(
        128, ge=16, le=480, description="Tokens translated at once; longer lines are split at sentence ends."
    )
    threads: int = Field(0, ge=0, le=128, description="CPU threads; 0 = one per core.")


class _Settled(MadladOptions):
    """The options with everything decided; what an answer is kept under."""

    weights: str = Field("", description="Which weights; nobody types this.")


@dataclass(frozen=True, slots=True)
class _Hypothesis:
    text: str
    score: float
    """Mean log probability per token."""


class Madlad:
    """Translates with a CTranslate2 model."""

    Options: ClassVar[type[EngineOptions]] = MadladOptions

    def __init__(
        self, options: MadladOptions, context: EngineContext, *, load: Callable[..., Any] | None = None
    ) -> None:
        self.context = context
        self._load = load
        self._lock = threading.Lock()
        self._loaded: dict[Path, tuple[Any, models.Tongue]] = {}
        self._broken: EngineCannot | None = None
        self._folders: list[models.Folder] = []
        try:
            self._folders = models.folders(options.model, context.models)
        except EngineCannot as problem:  # told by readiness and by every call; a survey must not fail
            self._broken = problem
        device = options.device
        if device == "auto":
            device = "cuda" if self._folders and _has_cuda() else "cpu"
        kind = options.compute_type
        if kind == "auto":
            kind = "int8_float16" if device == "cuda" else "int8"
        files = [folder.path / "model.bin" for folder in self._folders]
        settled = options.model_dump() | {"device": device, "compute_type": kind}
        self.options: MadladOptions = _Settled(**settled, weights=hub.revision(*files))

    @classmethod
    def describe(cls) -> Info:
        try:
            library = metadata.version("ctranslate2")
        except metadata.PackageNotFoundError:
            library = "none"
        return Info(
            name="madlad",
            role="translator",
            version=f"1+ctranslate2-{library}",
            summary="MADLAD-400 (400 languages) or Opus-MT through CTranslate2; weights of 0.1 to 3 GB",
            resource="gpu" if hub.has_gpu() else "cpu",
            needs_weights=True,
            licence="MIT (CTranslate2); weights Apache-2.0 (MADLAD-400), CC-BY-4.0 (Opus-MT)",
        )

    def readiness(self) -> Readiness:
        if importlib.util.find_spec("ctranslate2") is None or importlib.util.find_spec("tokenizers") is None:
            return Readiness(
                "not installed", "ctranslate2 or tokenizers is missing", "pip install faster-whisper"
            )
        if self._broken is not None:
            return Readiness("needs download", self._broken.message.rstrip("."), self._broken.hint)
        if self._folders:
            return Readiness("ready", f"models: {models.listed(self._folders)}")
        name = self.options.model
        if name == "auto" or models.repository(name):
            fix = _FETCH if name == "auto" else f"{_FETCH} --set model={name}"
            return Readiness(
                "needs download", f"no translation model in {self.context.models / 'madlad'}", fix
            )
        return Readiness(
            "needs download",
            f"there is no translation model at {name}",
            "Give the folder of a CTranslate2 model, made with: ct2-transformers-converter --model "
            "Helsinki-NLP/opus-mt-en-es --quantization int8 --copy_files source.spm target.spm "
            f"tokenizer_config.json --output_dir {self.context.models / 'madlad' / 'opus-mt-en-es'}",
        )

    def fetch(self, work: Work) -> Path:
        """Download MADLAD-400 3B (2.9 GB), or the model named; see ``hub.fetch`` for what it raises."""
        if self._folders:
            return self._folders[0].path
        name = models.DEFAULT if self.options.model == "auto" else self.options.model
        found = models.repository(name)
        if found is None:
            raise EngineCannot(f"There is no translation model at {name}.", hint=self.readiness().fix)
        if self.context.offline:
            raise EngineCannot("Weights cannot be fetched offline.", hint="Leave out --offline for once.")
        work.progress(0.0, f"fetching {found}")
        folder = hub.own_folder(self.context.models, "madlad", name)
        hub.fetch(found, folder, files=models.FILES, engine="madlad")
        work.progress(1.0, f"{found} is in {folder}")
        return folder

    def prepare(self) -> None:
        """Load the model where there is but one, or the library."""
        if len(self._folders) == 1:
            self._model(self._folders[0])
        elif self._load is None:
            import ctranslate2  # type: ignore[import-untyped]  # noqa: F401 - takes a while

    def route(self, source: str, target: str) -> str:
        """Which model serves a pair, for people. Raises EngineCannot, naming what to install."""
        folder, token = self._chosen(Language(source), Language(target))
        return f"{folder.path.name} {token}".strip()

    def pairs(self) -> dict[str, tuple[str, ...]] | None:
        """Primary subtag of each source -> targets; None where a model takes any source."""
        out: dict[str, set[str]] = {}
        for folder in self._folders:
            if folder.sources is None:
                return None
            for source in folder.sources:
                out.setdefault(source, set()).update(Language(tag).primary for tag in folder.targets)
        return {source: tuple(sorted(targets)) for source, targets in sorted(out.items())}

    def translate(self, request: Translate, work: Work) -> Translations:
        """One natural wording per line, and shorter ones the model also thinks good.

        Raises EngineCannot for a pair no model serves, BadAnswer where the model says nothing or is stuck.
        """
        source, target = Language(request.source), Language(request.target)
        folder, token = self._chosen(source, target)
        translator, tongue = self._model(folder)
        cut = [self._cut(line.text, tongue, token) for line in request.lines]
        flat = [(at, text) for at, texts in enumerate(cut) for text in texts]
        work.meter("characters", sum(len(line.text) for line in request.lines))
        found = self._all([tongue.encode(text, token) for _, text in flat], translator, tongue, work)
        answers: list[list[list[_Hypothesis]]] = [[] for _ in request.lines]
        for (at, text), hypotheses in zip(flat, found, strict=True):
            if not hypotheses:
                raise BadAnswer(
                    f"{folder.path.name} has no translation for {request.lines[at].id}: “{text[:60]}”.",
                    hint="Reword the line, or choose another translator.",
                    engine="madlad",
                )
            answers[at].append(hypotheses)
        glue = "" if target.primary in _UNSPACED else " "
        lines = [_translated(line, parts, glue) for line, parts in zip(request.lines, answers, strict=True)]
        return Translations(tuple(lines))

    def _cut(self, text: str, tongue: models.Tongue, token: str) -> tuple[str, ...]:
        """What is translated by itself: the whole line, or parts the model can take; nothing of silence."""
        text = " ".join(text.split())
        if not any(c.isalpha() for c in text):
            return ()
        return pieces(text, longest=self.options.longest, measure=lambda t: len(tongue.encode(t, token)))

    def _all(
        self, sources: Sequence[list[str]], translator: Any, tongue: models.Tongue, work: Work
    ) -> list[list[_Hypothesis]]:
        """Hypotheses of every source, best first; empty where there is nothing that could be said."""
        out: list[list[_Hypothesis]] = [[] for _ in sources]
        order = sorted(range(len(sources)), key=lambda at: len(sources[at]))  # little padding
        with _Background() as background:
            for start in range(0, len(order), _BATCH):
                work.progress(start / max(1, len(order)), f"{start} of {len(order)} sentences translated")
                batch = order[start : start + _BATCH]
                given = [sources[at] for at in batch]
                results = background.run(partial(self._decode, translator, given), work)
                stuck = [n for n, result in enumerate(results) if _is_stuck(given[n], result.hypotheses[0])]
                if stuck:
                    again = [given[n] for n in stuck]
                    careful = background.run(partial(self._decode, translator, again, careful=True), work)
                    for n, result in zip(stuck, careful, strict=True):
                        results[n] = result
                for at, result, tokens in zip(batch, results, given, strict=True):
                    out[at] = _hypotheses(result, tokens, tongue)
        return out

    def _decode(self, translator: Any, sources: list[list[str]], *, careful: bool = False) -> list[Any]:
        """``careful`` forbids repeating three tokens, for sentences the model got stuck in."""
        longest = max(len(tokens) for tokens in sources)
        count = 1 if careful else min(self.options.beam_size, self.options.alternatives + 1)
        return list(
            translator.translate_batch(
                sources,
                beam_size=self.options.beam_size,
                num_hypotheses=count,
                max_input_length=0,
                max_decoding_length=2 * longest + 16,
                return_scores=True,
                disable_unk=True,
                **({"no_repeat_ngram_size": 3, "repetition_penalty": 1.3} if careful else {}),
            )
        )

    def _chosen(self, source: Language, target: Language) -> tuple[models.Folder, str]:
        if self._broken is not None:
            raise self._broken
        for folder in self._folders:
            token = folder.token(source, target)
            if token is not None:
                return folder, token
        if not self._folders:
            ready = self.readiness()
            raise EngineCannot(f"madlad cannot translate: {ready.detail}.", hint=f"Do this once: {ready.fix}")
        raise EngineCannot(
            f"No model ({models.listed(self._folders)}) translates from {source.name} to {target.name}.",
            hint=f"Fetch one for 400 languages: {_FETCH} --set model={models.DEFAULT}",
        )

    def _model(self, folder: models.Folder) -> tuple[Any, models.Tongue]:
        with self._lock:
            if folder.path not in self._loaded:
                self._loaded[folder.path] = (self._translator(folder), models.Tongue(folder))
            return self._loaded[folder.path]

    def _translator(self, folder: models.Folder) -> Any:
        load = self._load
        if load is None:
            from ctranslate2 import Translator

            load = Translator
        try:
            return load(
                str(folder.path),
                device=self.options.device,
                compute_type=self.options.compute_type,
                intra_threads=self.options.threads or os.cpu_count() or 1,
            )
        except (RuntimeError, ValueError, OSError) as error:
            raise EngineCannot(
                f"The translation model {folder.path.name} cannot be loaded: {error}",
                hint="Try --set madlad.device=cpu, --set madlad.compute_type=float32, or fetch it again.",
            ) from error


class _Background:
    """One thread to decode in, so that a wish to stop is heard while the library computes."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="madlad")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def run(self, task: Callable[[], list[Any]], work: Work) -> list[Any]:
        future = self._pool.submit(task)
        while not wait([future], timeout=_POLL).done:
            work.check()
        return future.result()


def _has_cuda() -> bool:
    if not hub.has_gpu() or importlib.util.find_spec("ctranslate2") is None:
        return False
    import ctranslate2

    return bool(ctranslate2.get_cuda_device_count())


def _is_stuck(source: Sequence[str], tokens: Sequence[str]) -> bool:
    """Whether an output goes round in a circle, or on and on, where its source does not."""
    return (looped(tokens) is not None and looped(source) is None) or len(tokens) >= 2 * len(source) + 16


def _hypotheses(result: Any, source: Sequence[str], tongue: models.Tongue) -> list[_Hypothesis]:
    out: list[_Hypothesis] = []
    for tokens, score in zip(result.hypotheses, result.scores, strict=True):
        if _is_stuck(source, tokens):
            at = looped(tokens)
            if out or at is None:
                continue  # another wording is no loss; a best one without an end is no translation
            tokens = tokens[:at]  # the circle is cut after its first round
        text = tongue.decode(tokens)
        if is_speakable(text):
            out.append(_Hypothesis(text, float(score)))
        elif not out:
            return []
    return out


def _translated(line: Line, parts: Sequence[Sequence[_Hypothesis]], glue: str) -> Translation:
    """A line's wordings from its parts' hypotheses; others than the best only of lines in one part."""
    if not parts:
        return Translation(line.id, (Wording(" ".join(line.text.split())),))
    natural = glue.join(part[0].text for part in parts)
    wordings = [Wording(natural)]
    for other in parts[0][1:] if len(parts) == 1 else ():
        loss = round(_BASE_LOSS + max(0.0, parts[0][0].score - other.score), 3)
        if loss <= _WORST_LOSS and _will_do(line, natural, other.text):
            wordings.append(Wording(other.text, loss))
    return Translation(line.id, tuple(wordings))


def _will_do(line: Line, natural: str, text: str) -> bool:
    """Whether another wording is worth having: shorter, not by leaving half out, and passing every check."""
    if not _SHORTEST * len(natural) <= len(text) <= _SHORTER * len(natural):
        return False
    if text.rstrip("\"'»”)")[-1:] != natural.rstrip("\"'»”)")[-1:]:  # a question must stay one
        return False
    return not problems([line], Translations((Translation(line.id, (Wording(text),)),)))
