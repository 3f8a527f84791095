"""Worker process of the demucs separator: the Demucs family through demucs-infer and PyTorch.

Settings of ``open``: ``folder`` with the weights (``*.th``; a ``*.yaml`` names a bag of them), ``device``
(``auto``, ``cpu``, ``cuda``, ``mps``), ``segment`` (seconds, 0 = as trained), ``part`` (share of the window
that is left when memory ran out), ``threads`` and ``jobs`` (windows at once on a CPU).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from autodub.engines.estimator import choose, is_memory, serve_model
from autodub.model.errors import EngineCannot

_SPEECH = ("vocals", "speech", "dialog", "dialogue")
"""What models call the stem with the voice."""


def stem(sources: Iterable[str]) -> int:
    """Number of the stem with the voice. Raises EngineCannot when the model has none."""
    names = list(sources)
    found = next((names.index(name) for name in _SPEECH if name in names), None)
    if found is None:
        raise EngineCannot(
            f"The model separates {', '.join(names)}, but no speech.",
            hint="Choose a model with vocals or speech, such as htdemucs.",
        )
    return found


def verified(path: Path) -> Path:
    """A file of weights whose content is as its name says: ``SIGNATURE-FIRST8OFSHA256.th``."""
    _, dash, mark = path.stem.partition("-")
    if dash and not hashlib.sha256(path.read_bytes()).hexdigest().startswith(mark):
        raise EngineCannot(
            f"The weights {path.name} are damaged.",
            hint=f"Delete {path} and fetch them again: autodub engines fetch demucs",
        )
    return path


class Model:
    """One model or a bag of them, of which only those run that know about speech."""

    normal = True

    def __init__(self, settings: Mapping[str, Any]) -> None:
        torch = self._torch = import_module("torch")
        bag = import_module("demucs_infer.apply").BagOfModels
        self._apply = import_module("demucs_infer.apply").apply_model
        torch.set_num_threads(max(1, settings["threads"]))
        self._jobs = settings["jobs"]
        model = _load(Path(settings["folder"]))
        members = list(model.models) if isinstance(model, bag) else [model]
        weights = list(model.weights) if isinstance(model, bag) else [[1.0] * len(model.sources)]
        self._stem = stem(model.sources)
        self._members = [
            (float(weight[self._stem]), member)
            for weight, member in zip(weights, members, strict=True)
            if weight[self._stem]
        ]
        self.rate, self.channels = int(model.samplerate), int(model.audio_channels)
        trained = min(float(member.segment) for _, member in self._members)
        wanted = min(trained, settings["segment"] or trained) * settings["part"]
        self.length = max(1, int(wanted * self.rate))
        self.device = choose(settings["device"], torch)
        for _, member in self._members:
            if getattr(member, "use_train_segment", False) and wanted < trained:
                from fractions import Fraction

                member.segment = Fraction(self.length, self.rate)  # or it pads to what it was trained on
            member.to(self.device).eval()

    def estimate(self, windows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """The speech in windows ``(n, channels, length)``."""
        if self.device != "cpu" or self._jobs == 1 or len(windows) == 1:
            step = len(windows) if self.device != "cpu" else 1
            parts = [self._one(windows[at : at + step]) for at in range(0, len(windows), step)]
        else:
            with ThreadPoolExecutor(self._jobs) as pool:
                parts = list(pool.map(self._one, np.split(windows, len(windows))))
        return np.concatenate(parts)

    def _one(self, windows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        with self._torch.inference_mode():
            sound = self._torch.from_numpy(windows).to(self.device)
            total = sum(weight for weight, _ in self._members)
            out = 0.0
            for weight, member in self._members:
                stems = self._apply(member, sound, shifts=0, split=False, device=self.device)
                out = out + stems[:, self._stem] * (weight / total)
            return np.asarray(out.float().cpu().numpy(), dtype=np.float32)  # type: ignore[attr-defined]


def _load(folder: Path) -> Any:
    """The model in a folder: the bag of its one ``.yaml``, else all its ``.th`` files alike."""
    import_module("demucs_infer")  # lets weights saved under the package's old name be read
    repositories = import_module("demucs_infer.repo")
    load = import_module("demucs_infer.states").load_model
    bags, files = sorted(folder.glob("*.yaml")), sorted(folder.glob("*.th"))
    try:
        if bags:
            for file in files:
                verified(file)
            return repositories.BagOnlyRepo(folder, repositories.LocalRepo(folder)).get_model(bags[0].stem)
        models = [load(verified(file)) for file in files]
    # SystemExit is the library's way to say that something is missing; unpickling may raise anything.
    except (Exception, SystemExit) as error:
        if isinstance(error, EngineCannot) or is_memory(error):
            raise
        raise _unreadable(folder, error) from error
    if not models:
        raise EngineCannot(
            f"There are no weights (*.th) in {folder}.", hint="Fetch them, or name another folder."
        )
    return models[0] if len(models) == 1 else import_module("demucs_infer.apply").BagOfModels(models)


def _unreadable(folder: Path, error: BaseException) -> EngineCannot:
    reason = str(error).strip().splitlines()
    return EngineCannot(
        f"The weights in {folder} cannot be loaded: {reason[0] if reason else type(error).__name__}.",
        hint="They must be files of Demucs (*.th); fetch them again, or name another folder.",
    )


if __name__ == "__main__":
    serve_model(Model)
