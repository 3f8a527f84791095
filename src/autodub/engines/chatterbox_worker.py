"""Worker process of the chatterbox synthesizer, run with the interpreter its pinned packages live in.

Started as ``python -m autodub.engines.chatterbox_worker`` with a JSON object: ``folder`` of the weights,
``device`` (auto, cuda, mps, cpu). A request is a JSON object: ``texts`` to be said one after the other,
``language``, ``prompt`` (a sound file or null), ``exaggeration``, ``cfg_weight``, ``temperature``, ``seed``
and ``out``, the WAV file to write; the answer has ``device`` and ``frames``. The request ``null`` only loads
the model. Every sound carries the library's inaudible watermark.
"""

from __future__ import annotations

import contextlib
import json
import random
import sys
import wave
from pathlib import Path
from typing import Any

import numpy as np

from autodub.infra.child import serve
from autodub.model.errors import BadAnswer, EngineCannot

_PAUSE = 0.15
"""Seconds of silence between two texts."""
_DRAWS = 3
"""Times a text is said before a length that cannot be right is reported."""
_KEPT = 16
"""Voices whose preparation is kept."""


class Speaker:
    """The model on its device, and the voices prepared for it."""

    def __init__(self, folder: Path, device: str) -> None:
        import torch  # type: ignore[import-not-found]

        self.torch = torch
        self.folder = folder
        self.device = _device(torch) if device == "auto" else device
        self.model: Any = None
        self.stock: Any = None
        self._voices: dict[tuple[str, float], Any] = {}
        self._load()

    def _load(self) -> None:
        from chatterbox.mtl_tts import ChatterboxMultilingualTTS  # type: ignore[import-not-found]

        self.model = None  # the memory is needed before the next one is there
        self._voices.clear()
        _keep_local(self.folder)
        try:
            self.model = ChatterboxMultilingualTTS.from_local(self.folder, self.device)
        except (OSError, RuntimeError, KeyError, ValueError) as error:
            if self._is_full(error):
                self._to_cpu()
                return
            raise EngineCannot(
                f"The chatterbox weights in {self.folder} cannot be loaded: {_first_line(error)}",
                hint="Fetch them again with: autodub engines fetch synthesizer.chatterbox",
            ) from error
        self.stock = self.model.conds

    def say(self, request: dict[str, Any]) -> dict[str, Any]:
        """Speak the texts into one file; on the CPU from then on when the GPU's memory is full."""
        try:
            return self._say(request)
        except RuntimeError as error:
            if not self._is_full(error):
                raise
        self._to_cpu()
        return self._say(request)

    def _say(self, request: dict[str, Any]) -> dict[str, Any]:
        self._use(request["prompt"], float(request["exaggeration"]))
        rate = int(self.model.sr)
        parts: list[Any] = []
        for text in request["texts"]:
            if parts:
                parts.append(np.zeros(round(_PAUSE * rate), dtype=np.float32))
            parts.append(self._spoken(text, request, rate))
        samples = np.concatenate(parts)
        with wave.open(request["out"], "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(rate)
            file.writeframes(np.rint(np.clip(samples, -1.0, 1.0) * 32767).astype("<i2").tobytes())
        return {"device": self.device, "frames": len(samples)}

    def _spoken(self, text: str, request: dict[str, Any], rate: int) -> Any:
        """One text; the model draws lots and now and then babbles or falls silent: then it draws again."""
        for draw in range(_DRAWS):
            self._seed(int(request["seed"]) + draw)
            sound = self.model.generate(
                text,
                language_id=request["language"],
                exaggeration=float(request["exaggeration"]),
                cfg_weight=float(request["cfg_weight"]),
                temperature=float(request["temperature"]),
            )
            samples = np.asarray(sound.detach().cpu().numpy(), dtype=np.float32).reshape(-1)
            seconds = len(samples) / rate
            if np.isfinite(samples).all() and 0.03 * len(text) - 0.5 < seconds < 2.0 + 0.25 * len(text):
                return samples
        raise BadAnswer(
            f"chatterbox said {seconds:.1f} seconds for {len(text)} characters, {_DRAWS} times over.",
            hint="Reword the line, or choose another synthesizer.",
        )

    def _use(self, prompt: str | None, exaggeration: float) -> None:
        """Speak with the voice of a sample from now on, or with the model's own."""
        if prompt is None:
            if self.stock is None:
                raise EngineCannot(
                    "These chatterbox weights have no voice of their own (conds.pt).",
                    hint="Fetch them again, or give each speaker a sample (cloning).",
                )
            self.model.conds = self.stock
            return
        key = (prompt, exaggeration)
        if key not in self._voices:
            self.model.prepare_conditionals(prompt, exaggeration=exaggeration)
            while len(self._voices) >= _KEPT:
                self._voices.pop(next(iter(self._voices)))
            self._voices[key] = self.model.conds
        self.model.conds = self._voices[key]

    def _seed(self, seed: int) -> None:
        random.seed(seed)
        np.random.seed(seed % (1 << 32))
        self.torch.manual_seed(seed)

    def _is_full(self, error: Exception) -> bool:
        return self.device != "cpu" and "out of memory" in str(error).lower()

    def _to_cpu(self) -> None:
        self.device, self.model = "cpu", None
        self._voices.clear()
        with contextlib.suppress(RuntimeError, AttributeError):
            self.torch.cuda.empty_cache()
        self._load()


def _keep_local(folder: Path) -> None:
    """Two things the library would fetch while it loads, for Chinese, whatever language is spoken.

    Its table of characters lies with the weights, but is looked for in a hub's cache; its word segmenter
    downloads a model, and without a network takes the whole library down.
    """
    from chatterbox.models.tokenizers import tokenizer  # type: ignore[import-not-found]

    converter = tokenizer.ChineseCangjieConverter
    segmenter = converter._init_segmenter

    def local(filename: str, **_: Any) -> str:
        return str(folder / filename)

    def patient(self: Any) -> None:
        try:
            segmenter(self)
        except OSError as error:
            self.segmenter = None
            print(f"Chinese is read without word boundaries: {_first_line(error)}", file=sys.stderr)  # noqa: T201

    tokenizer.hf_hub_download = local
    converter._init_segmenter = patient


def _device(torch: Any) -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


_loaded: list[Speaker] = []


def handle(request: Any) -> Any:
    """Answer one request."""
    if not _loaded:
        # With the first request, so that weights that cannot be loaded are an answer, not a crash.
        settings = json.loads(sys.argv[1])
        _loaded.append(Speaker(Path(settings["folder"]), settings["device"]))
    return {"device": _loaded[0].device} if request is None else _loaded[0].say(request)


if __name__ == "__main__":
    serve(handle)
