"""Synthesizer with Piper voices: small neural networks for some forty languages, fast on any CPU.

The networks are run by ONNX Runtime, their phonemes come from espeak-ng, which is only ever a program of its
own; Piper itself (GPL-3) is not needed.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import threading
from importlib import metadata
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from autodub.dubbing.text import clean
from autodub.engines import hub
from autodub.engines import piper_voices as files
from autodub.engines.roles import EngineContext, EngineOptions, Info, Readiness, Work
from autodub.infra import process
from autodub.media import sound, tone
from autodub.model.calls import ListVoices, Synthesize
from autodub.model.errors import BadAnswer, EngineCannot, Gone, Rejected
from autodub.model.language import Language
from autodub.model.speech import Speech, Voice, Voices

Samples = npt.NDArray[np.float32]

LANGUAGES = frozenset({
    "ar", "bg", "ca", "cs", "cy", "da", "de", "el", "en", "es", "eu", "fa", "fi", "fr", "he", "hi", "hu",
    "id", "is", "it", "ka", "kk", "lb", "lv", "ml", "ne", "nl", "no", "pl", "pt", "ro", "ru", "sk", "sl",
    "sq", "sr", "sv", "sw", "te", "tr", "uk", "ur", "vi",
})  # fmt: skip
"""Primary subtags that voices exist for; which of them are on this machine is another matter."""
_FETCH = "autodub engines fetch synthesizer.piper --set voice=es_ES-davefx-medium"
_PAUSE = 0.2
"""Seconds between two sentences at rate 1."""
_LOADED = 4
_OFFERED = 24
"""Voices offered of one language; some networks hold hundreds."""
_MEASURED = 8
"""Of these, how many are listened to, to learn how high they speak."""
_PASSAGE = "1 2 3, 4 5 6 7. 8 9 10, 11 12 13 14."
_WOMAN = 165.0
"""Mean fundamental from which a voice counts as a woman's, Hz."""


class PiperOptions(EngineOptions):
    """Options of the piper synthesizer."""

    voice: str = Field(
        "",
        pattern=r"^[\w+-]*$",
        description="Name of a voice, such as es_ES-davefx-medium: what is fetched, and used alone; "
        "empty = all that are there.",
    )
    voices: Path | None = Field(
        None, description="Folder of voices (*.onnx with *.onnx.json); None = models/piper."
    )
    threads: int = Field(0, ge=0, le=64, description="CPU threads; 0 = one per core.")


class _Settled(PiperOptions):
    """The options with everything decided; what an answer is kept under."""

    weights: str = Field("", description="Which voices; nobody types this.")


class Piper:
    """Speaks with Piper voices."""

    Options: ClassVar[type[EngineOptions]] = PiperOptions

    def __init__(self, options: PiperOptions, context: EngineContext) -> None:
        self.context = context
        self.folder = hub.located(options.voices or context.models / "piper")
        self._models: tuple[files.Model, ...] = ()
        self._broken: EngineCannot | None = None
        try:
            self._models = files.find(self.folder, options.voice)
        except EngineCannot as problem:  # told by readiness and by every call; a survey must not fail
            self._broken = problem
        self.options: PiperOptions = _Settled(**options.model_dump(), weights=files.mark(self._models))
        self._lock = threading.Lock()
        self._sessions: dict[Path, Any] = {}

    @classmethod
    def describe(cls) -> Info:
        try:
            library = metadata.version("onnxruntime")
        except metadata.PackageNotFoundError:
            library = "none"
        return Info(
            name="piper",
            role="synthesizer",
            version=f"1+onnxruntime-{library}",
            summary="Piper voices: natural speech on any CPU, some forty languages; weights of 20 to 110 MB",
            languages=LANGUAGES,
            needs_weights=True,
            rates=(0.8, 1.3),
            licence="MIT (ONNX Runtime), espeak-ng GPL-3.0-or-later (separate program); each voice its own, "
            "in its MODEL_CARD",
        )

    def readiness(self) -> Readiness:
        if importlib.util.find_spec("onnxruntime") is None:
            return Readiness("not installed", "onnxruntime is missing", "pip install onnxruntime")
        if shutil.which("espeak-ng") is None:
            return Readiness("not installed", "espeak-ng is missing", "sudo apt-get install espeak-ng")
        if self._broken is not None:
            return Readiness("needs download", self._broken.message.rstrip("."), self._broken.hint)
        if not self._models:
            what = f"the voice {self.options.voice} is not" if self.options.voice else "there is no voice"
            fix = _FETCH.rpartition("=")[0] + f"={self.options.voice}" if self.options.voice else _FETCH
            return Readiness("needs download", f"{what} in {self.folder}", fix)
        known = sorted({model.language.name for model in self._models})
        return Readiness("ready", f"{len(self._models)} voices: {', '.join(known)}")

    def fetch(self, work: Work) -> Path:
        """Download the voice named by the option; see ``hub.fetch`` for what it raises."""
        name = self.options.voice
        if not name:
            raise EngineCannot(
                "Which voice is to be fetched? Their licences differ, so none is the usual one.",
                hint=f"Name one: {_FETCH}. https://huggingface.co/{files.REPOSITORY} lists them.",
            )
        if self._models:
            return self._models[0].path.parent
        wanted = files.files(name)
        if self.context.offline:
            raise EngineCannot("Voices cannot be fetched offline.", hint="Leave out --offline for once.")
        work.progress(0.0, f"fetching {name}")
        hub.fetch(files.REPOSITORY, self.folder, files=wanted, engine="piper", whole=False)
        if not (self.folder / wanted[0]).is_file():
            raise Rejected(
                f"There is no Piper voice called {name}.",
                hint=f"https://huggingface.co/{files.REPOSITORY} lists them.",
                engine="piper",
            )
        work.progress(1.0, f"{name} is in {self.folder}; its licence is in {self.folder / wanted[2]}")
        return (self.folder / wanted[0]).parent

    def speaks(self, language: str) -> bool:
        """Whether there is a voice for a language (BCP-47 tag) on this machine."""
        wanted = Language(language).primary
        return any(model.language.primary == wanted for model in self._models)

    def list_voices(self, request: ListVoices, work: Work) -> Voices:
        """Voices of a language, those of the same region first; the first ones with pitch and gender heard.

        Raises EngineCannot where there is none on this machine.
        """
        self._demand_ready()
        wanted = Language(request.language)
        models = [model for model in self._models if model.language.primary == wanted.primary]
        if not models:
            raise EngineCannot(
                f"There is no Piper voice for {wanted.name} in {self.folder}.",
                hint=f"Fetch one: {_FETCH.rpartition('=')[0]}={wanted.primary}_...; "
                f"https://huggingface.co/{files.REPOSITORY} lists them.",
            )
        models.sort(key=lambda model: model.language.tag != wanted.tag)
        listed = [(model, name, number) for model in models for name, number in model.voices()][:_OFFERED]
        out = []
        for at, (model, name, number) in enumerate(listed):
            work.progress(at / len(listed), f"listening to {name}")
            pitch = self._pitch(model, number, work) if at < _MEASURED else None
            gender = "unknown" if pitch is None else "female" if pitch >= _WOMAN else "male"
            out.append(Voice("piper", name, request.language, gender=gender, pitch=pitch))
        return Voices(tuple(out))

    def synthesize(self, request: Synthesize, work: Work) -> Speech:
        """Speak one line, ``rate`` times as fast as the voice by itself.

        Raises Rejected for text with nothing to say, Gone for a voice that is not there any more.
        """
        text = clean(request.text)
        if not any(c.isalnum() for c in text):
            raise Rejected(
                "There is nothing to say in this text.", hint="Give the line words.", engine="piper"
            )
        self._demand_ready()
        known = {name: (model, number) for model in self._models for name, number in model.voices()}
        if request.voice.id not in known:
            raise Gone(
                f"There is no Piper voice called “{request.voice.id}” in {self.folder}.",
                hint="Fetch it again, or leave the voice out.",
                engine="piper",
            )
        model, number = known[request.voice.id]
        samples = self._said(text, model, number, request.rate * request.voice.pace, work)
        work.meter("characters", len(text))
        path = work.scratch / "speech.wav"
        sound.store(samples, model.rate, path)
        kept = work.keep(path)
        return Speech(sound.audio(kept, work.path(kept), "mono"))

    def _said(self, text: str, model: files.Model, number: int | None, rate: float, work: Work) -> Samples:
        """The sentences of a text, one after the other."""
        session = self._session(model)
        rate = max(rate, 0.05)
        parts: list[Samples] = []
        for clauses in files.sentences(text):
            work.check()
            if parts:
                parts.append(np.zeros(round(_PAUSE / rate * model.rate), dtype=np.float32))
            numbers = model.feed(self._phonemes(clauses, model, work))
            feed: dict[str, Any] = {
                "input": np.array([numbers], dtype=np.int64),
                "input_lengths": np.array([len(numbers)], dtype=np.int64),
                "scales": np.array([model.noise, model.length / rate, model.width], dtype=np.float32),
            }
            if number is not None:
                feed["sid"] = np.array([number], dtype=np.int64)
            try:
                spoken = session.run(None, feed)[0]
            except Exception as error:  # the library's errors have no common class of their own
                raise BadAnswer(
                    f"The Piper voice {model.name} failed: {_first_line(error)}.",
                    hint="Fetch it again, or choose another voice.",
                    engine="piper",
                ) from error
            parts.append(np.clip(np.asarray(spoken, dtype=np.float32).reshape(-1), -1.0, 1.0))
        return np.concatenate(parts)

    def _phonemes(self, clauses: list[tuple[str, str]], model: files.Model, work: Work) -> str:
        """A sentence in phonemes, its marks kept; or in letters, for a voice that reads those."""
        out = []
        for clause, mark in clauses:
            if model.espeak:
                clause = self._ipa(clause, model.espeak, work)
            out.append(f"{clause}{mark}")
        return " ".join(out)

    def _ipa(self, clause: str, voice: str, work: Work) -> str:
        program = process.find("espeak-ng", package="espeak-ng")
        plain = re.sub(r"[\[\]<>{}|\\]", " ", clause)  # nothing espeak-ng could take for an instruction
        argv = [program, "-v", voice, "--ipa", "-q", "-b", "1", "--stdin"]
        result = process.run(argv, deadline=30, stdin=plain.encode(), check=work.check)
        if result.code != 0:
            raise EngineCannot(
                f"espeak-ng cannot read for the voice's language {voice}: {result.stderr.strip()[-200:]}",
                hint="Check that `espeak-ng --voices` lists it, or choose another voice.",
            )
        spoken = " ".join(result.stdout.decode("utf-8", "replace").split())
        return re.sub(r"\([a-z-]+\)", "", spoken)  # where it changes the language within a sentence

    def _pitch(self, model: files.Model, number: int | None, work: Work) -> float | None:
        """How high a voice speaks, Hz; None where that cannot be heard."""
        heard = tone.tone_of(self._said(_PASSAGE, model, number, 1.0, work), model.rate)
        return None if heard is None else round(heard.pitch, 1)

    def _session(self, model: files.Model) -> Any:
        with self._lock:
            if model.path not in self._sessions:
                while len(self._sessions) >= _LOADED:
                    self._sessions.pop(next(iter(self._sessions)))
                self._sessions[model.path] = self._loaded(model)
            return self._sessions[model.path]

    def _loaded(self, model: files.Model) -> Any:
        import onnxruntime

        onnxruntime.set_seed(1)  # the networks draw lots; a fresh engine draws the same ones
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.options.threads
        options.log_severity_level = 3
        try:
            session = onnxruntime.InferenceSession(
                str(model.path), sess_options=options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # as above
            raise EngineCannot(
                f"The Piper voice {model.name} cannot be loaded: {_first_line(error)}",
                hint="Fetch it again, or take it out of the folder.",
            ) from error
        wanted = {"input", "input_lengths", "scales"} | ({"sid"} if model.speakers else set())
        if {given.name for given in session.get_inputs()} != wanted:
            raise EngineCannot(
                f"{model.path.name} is no Piper voice: its inputs are not {', '.join(sorted(wanted))}.",
                hint="Take it out of the folder.",
            )
        return session

    def _demand_ready(self) -> None:
        ready = self.readiness()
        if ready.state != "ready":
            raise EngineCannot(f"piper cannot run: {ready.detail}.", hint=f"Do this once: {ready.fix}")


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
