"""Synthesizer and cloner that speak in anybody's voice on this machine: Chatterbox Multilingual (MIT).

The packages it pins exclude ours, so it runs in an environment of its own. Nothing is rented: a cloned voice
is a sample, handed over with every line.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from autodub.dubbing.splitting import pieces
from autodub.dubbing.text import clean
from autodub.engines import hub
from autodub.engines.environment import Environment, interpreter, missing
from autodub.engines.roles import EngineContext, EngineOptions, Info, Readiness, Work
from autodub.infra.child import Workers
from autodub.media import sound
from autodub.model.calls import Clone, ListVoices, Synthesize
from autodub.model.errors import EngineCannot, Gone, Rejected
from autodub.model.language import Language
from autodub.model.media import Audio
from autodub.model.speech import Speech, Voice, Voices

ENVIRONMENT = Environment(
    name="chatterbox",
    # The watermark's package still asks for pkg_resources, which setuptools dropped in version 81.
    packages=("chatterbox-tts==0.1.7", "setuptools==80.9.0"),
    module="chatterbox",
)
LANGUAGES = frozenset({
    "ar", "da", "de", "el", "en", "es", "fi", "fr", "he", "hi", "it", "ja", "ko", "ms", "nl", "no", "pl",
    "pt", "ru", "sv", "sw", "tr", "zh",
})  # fmt: skip
_NEARLY = {"nb": "no", "nn": "no"}
_REPOSITORY = "ResembleAI/chatterbox"
_FILES = (
    "ve.pt", "s3gen.pt", "conds.pt", "t3_mtl23ls_v2.safetensors", "grapheme_mtl_merged_expanded_v1.json",
    "Cangjie5_TC.json",
)  # fmt: skip
_NEEDED = tuple(name for name in _FILES if name not in {"conds.pt", "Cangjie5_TC.json"})
_FETCH = "autodub engines fetch synthesizer.chatterbox"
_LICENCE = "MIT (code and weights); always watermarked"
_OWN = "chatterbox"
"""The voice that comes with the weights."""
_LONGEST = 280
"""Characters said at once: the model stops after 40 s of speech."""
_LOADING = 600.0
_SAMPLE = 30.0
"""Seconds of a sample that are kept: the model listens to no more than its beginning."""


class ChatterboxOptions(EngineOptions):
    """Options of the chatterbox synthesizer and cloner."""

    model: Path | None = Field(
        None, description="Folder of the weights; None = models/chatterbox/multilingual."
    )
    voices: Path | None = Field(
        None, description="Folder of samples (WAV, FLAC) to speak like; None = models/chatterbox/voices."
    )
    device: Literal["auto", "cuda", "mps", "cpu"] = Field("auto", description="Where to compute.")
    exaggeration: float = Field(0.5, ge=0.0, le=2.0, description="How lively; 0.5 is neutral.")
    cfg_weight: float = Field(
        0.5, ge=0.0, le=1.0, description="How closely the sample's pace is followed; 0 takes off its accent."
    )
    temperature: float = Field(0.8, gt=0.0, le=2.0, description="How freely it draws; less is more even.")
    seed: int = Field(1, ge=1, le=2**31 - 16, description="Equal seeds give equal speech on one device.")
    least_seconds: float = Field(
        3.0, ge=1.0, le=30.0, description="Speech of a speaker a voice is cloned from at least, in seconds."
    )


class _Settled(ChatterboxOptions):
    """The options with everything decided; what an answer is kept under."""

    weights: str = Field("", description="Which weights; nobody types this.")


class _Local:
    """What synthesizer and cloner share: options, weights and readiness."""

    Options: ClassVar[type[EngineOptions]] = ChatterboxOptions
    environment: ClassVar[Environment] = ENVIRONMENT

    def __init__(self, options: ChatterboxOptions, context: EngineContext) -> None:
        self.context = context
        self.folder = hub.located(options.model or context.models / "chatterbox" / "multilingual")
        self.samples = hub.located(options.voices or context.models / "chatterbox" / "voices")
        device = options.device
        if device == "auto":
            device = "cuda" if hub.has_gpu() else "mps" if sys.platform == "darwin" else "cpu"
        mark = hub.revision(*(self.folder / name for name in _NEEDED)) if self._is_complete() else ""
        self.options: ChatterboxOptions = _Settled(
            **(options.model_dump() | {"device": device}), weights=mark
        )

    def readiness(self) -> Readiness:
        if interpreter(ENVIRONMENT, self.context) is None:
            return missing(ENVIRONMENT)
        if not self._is_complete():
            lost = next(name for name in _NEEDED if not (self.folder / name).is_file())
            return Readiness("needs download", f"there is no {lost} in {self.folder}", _FETCH)
        return Readiness("ready", f"weights in {self.folder}")

    def fetch(self, work: Work) -> Path:
        """Download the weights (3.2 GB); see ``hub.fetch`` for what it raises."""
        if self._is_complete():
            return self.folder
        if self.context.offline:
            raise EngineCannot("Weights cannot be fetched offline.", hint="Leave out --offline for once.")
        work.progress(0.0, f"fetching {_REPOSITORY}")
        hub.fetch(_REPOSITORY, self.folder, files=_FILES, engine="chatterbox")
        work.progress(1.0, f"{_REPOSITORY} is in {self.folder}")
        return self.folder

    def _is_complete(self) -> bool:
        return all((self.folder / name).is_file() for name in _NEEDED)


class Chatterbox(_Local):
    """Speaks 23 languages with the voice of a sample."""

    def __init__(self, options: ChatterboxOptions, context: EngineContext) -> None:
        super().__init__(options, context)
        self._lock = threading.Lock()
        self._workers: Workers | None = None
        # One thread of our own talks to the worker: the kernel ends a worker with the thread that began it.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="chatterbox")
        weakref.finalize(self, self._thread.shutdown, wait=False)

    @classmethod
    def describe(cls) -> Info:
        return Info(
            name="chatterbox",
            role="synthesizer",
            version="1+chatterbox-tts-0.1.7",
            summary="Chatterbox: natural speech in the voice of a sample, 23 languages; weights of 3.2 GB",
            languages=LANGUAGES,
            resource="gpu" if hub.has_gpu() else "cpu",
            needs_weights=True,
            licence=_LICENCE,
        )

    def prepare(self) -> None:
        """Start the worker and load the model, which takes the better part of a minute."""
        self._ask(None, check=lambda: None, deadline=_LOADING)

    def list_voices(self, request: ListVoices, work: Work) -> Voices:
        """The weights' own voice, and one per sample in the folder of voices."""
        _language(request.language)
        found: dict[str, Voice] = {}
        if (self.folder / "conds.pt").is_file():
            found[_OWN] = Voice("chatterbox", _OWN, request.language)
        for path in sorted(self.samples.iterdir()) if self.samples.is_dir() else ():
            if path.suffix.lower() in {".wav", ".flac"} and path.stem not in found:
                audio = _kept(path, work, seconds=_SAMPLE)
                found[path.stem] = Voice("chatterbox", path.stem, request.language, reference=audio)
        return Voices(tuple(found.values()))

    def synthesize(self, request: Synthesize, work: Work) -> Speech:
        """Speak one line; equal requests give equal sound on one device.

        Raises Rejected for text with nothing to say, Gone for a voice that is neither the weights' own nor
        has a sample, BadAnswer when the model does not get the line out.
        """
        text = clean(request.text)
        if not any(c.isalnum() for c in text):
            raise Rejected(
                "There is nothing to say in this text.", hint="Give the line words.", engine="chatterbox"
            )
        voice = request.voice
        if voice.reference is None and voice.id != _OWN:
            raise Gone(
                f"chatterbox has no voice called “{voice.id}”.",
                hint=f"Put a sample into {self.samples}, or leave the voice out.",
                engine="chatterbox",
            )
        language = _language(voice.language)
        path = work.scratch / "speech.wav"
        answer = self._ask(
            {
                "texts": list(pieces(text, longest=_LONGEST)),
                "language": language,
                "prompt": None if voice.reference is None else str(work.path(voice.reference.blob)),
                "exaggeration": self.options.exaggeration,
                "cfg_weight": self.options.cfg_weight,
                "temperature": self.options.temperature,
                "seed": self.options.seed,
                "out": str(path),
            },
            check=work.check,
            deadline=_LOADING + 2.0 * len(text),
        )
        if answer["device"] != self.options.device:
            work.progress(1.0, f"chatterbox computes on {answer['device']}")
        work.meter("characters", len(text))
        kept = work.keep(path)
        return Speech(sound.audio(kept, work.path(kept), "mono"))

    def _ask(self, request: Any, *, check: Callable[[], None], deadline: float) -> Any:
        """The worker's answer. It stays alive between calls, with the model loaded."""
        ready = self.readiness()
        if ready.state != "ready":
            raise EngineCannot(f"chatterbox cannot run: {ready.detail}.", hint=f"Do this once: {ready.fix}")
        with self._lock:
            if self._workers is None:
                settings = {"folder": str(self.folder), "device": self.options.device}
                self._workers = Workers(
                    "autodub.engines.chatterbox_worker",
                    engine="chatterbox",
                    arguments=[json.dumps(settings)],
                    python=interpreter(ENVIRONMENT, self.context),
                    environment={"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": str(os.cpu_count() or 1)},
                )
                weakref.finalize(self, self._workers.close)
            workers = self._workers
        return self._thread.submit(workers.call, request, deadline=deadline, check=check).result()


class ChatterboxCloner(_Local):
    """Makes a voice of a speaker's sample; nothing is computed before a line is spoken."""

    @classmethod
    def describe(cls) -> Info:
        return Info(
            name="chatterbox",
            role="cloner",
            version="1+chatterbox-tts-0.1.7",
            summary="Chatterbox: the speakers' own voices on this machine; weights of 3.2 GB",
            languages=LANGUAGES,
            lanes=2,
            needs_weights=True,
            licence=_LICENCE,
            clones="chatterbox",
        )

    def clone(self, request: Clone, work: Work) -> Voice:
        """A voice with the speaker's sample. Raises Rejected when too little is heard of the speaker."""
        audio = request.sample
        if audio is None:
            audio = _cut(request, work)
        elif audio.duration > _SAMPLE * 1000:
            audio = _kept(work.path(audio.blob), work, seconds=_SAMPLE)
        seconds = 0.0 if audio is None else audio.duration / 1000
        work.meter("seconds", seconds)
        if audio is None or seconds < self.options.least_seconds:
            raise Rejected(
                f"Only {seconds:.1f} seconds of {request.name} alone can be heard; "
                f"{self.options.least_seconds:g} are needed to clone a voice.",
                hint="The stock voice is used as it is.",
                engine="chatterbox",
            )
        name = hashlib.sha256(f"{audio.blob.digest} chatterbox".encode()).hexdigest()[:16]
        base = request.base
        return Voice("chatterbox", f"clone-{name}", base.language, gender=base.gender, reference=audio)


def _language(tag: str) -> str:
    primary = Language(tag).primary
    name = _NEARLY.get(primary, primary)
    if name not in LANGUAGES:
        raise EngineCannot(
            f"chatterbox does not speak {Language(tag).name}.", hint="Choose another synthesizer or language."
        )
    return name


def _kept(path: Path, work: Work, *, seconds: float) -> Audio:
    """The beginning of a sound file in the store, mono, 16 bit."""
    with sound.Reader(path) as reader:
        samples, rate = reader.read(0, round(seconds * reader.rate)), reader.rate
    return _stored(samples.mean(axis=1), rate, work)


def _cut(request: Clone, work: Work) -> Audio | None:
    """A sample from the 16 kHz programme, best spans first; None where there is none."""
    import numpy as np

    left = round(_SAMPLE * 16_000)
    parts = []
    with sound.Reader(work.path(request.speech.blob)) as reader:
        for span in request.spans:
            part = reader.read(span.start * 16, min(span.duration * 16, left))[:, 0]
            parts.append(part)
            left -= len(part)
            if left <= 0:
                break
    return _stored(np.concatenate(parts), 16_000, work) if parts else None


def _stored(samples: Any, rate: int, work: Work) -> Audio:
    path = work.scratch / "sample.wav"
    sound.store(samples, rate, path, subtype="PCM_16")
    blob = work.keep(path)
    return sound.audio(blob, work.path(blob), "mono")
