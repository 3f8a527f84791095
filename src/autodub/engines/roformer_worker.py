"""Worker process of the roformer separator: BS-RoFormer and Mel-Band RoFormer through audio-separator.

Settings of ``open``: ``checkpoint`` (``*.ckpt``), ``config`` (its ``*.yaml``), ``device``, ``part`` and
``threads``. Only the package's models are used, not its own reading, cutting and writing of files.
"""

from __future__ import annotations

import importlib.util
import inspect
import sys
import types
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from autodub.engines.estimator import choose, is_memory, serve_model
from autodub.model.errors import EngineCannot

_SPEECH = ("vocals", "speech", "dialog", "dialogue")
_KINDS = {True: ("bs_roformer", "BSRoformer"), False: ("mel_band_roformer", "MelBandRoformer")}
"""Module and class, by whether the settings list bands by their frequencies."""
_REST = ("instrumental", "other", "no_vocals", "music", "background")


def speech(instruments: list[str], target: str | None) -> tuple[int, bool]:
    """(number of the stem that is taken, whether it is the speech or all but the speech).

    Raises EngineCannot for a model that knows no speech (drums, reverberation ...).
    """
    names = [name.lower() for name in ([target] if target else instruments)]
    for number, name in enumerate(names):
        if name in _SPEECH:
            return number, True
    if len(names) == 1 and names[0] in _REST and any(name.lower() in _SPEECH for name in instruments):
        return 0, False
    raise EngineCannot(
        f"The model separates {', '.join(names) or 'nothing'}, but no speech.",
        hint="Choose a model that gives vocals, speech or dialogue.",
    )


class Model:
    """One RoFormer."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        torch = self._torch = import_module("torch")
        torch.set_num_threads(max(1, settings["threads"]))
        checkpoint = Path(settings["checkpoint"])
        config = _config(Path(settings["config"]))
        audio, training = config.get("audio") or {}, config.get("training") or {}
        self._stem, self._is_speech = speech(
            list(training.get("instruments") or ["vocals"]), training.get("target_instrument")
        )
        self.rate = int(audio.get("sample_rate") or config["model"].get("sample_rate") or 44_100)
        self.channels = 2 if config["model"].get("stereo") else 1
        self.normal = bool((config.get("inference") or {}).get("normalize"))
        hop = int(config["model"].get("stft_hop_length") or audio.get("hop_length") or 441)
        frames = int((config.get("inference") or {}).get("dim_t") or audio.get("dim_t") or 801)
        whole = int(audio.get("chunk_size") or hop * (frames - 1))
        self.length = max(1, int(whole * settings["part"]) // hop) * hop  # all of which comes back
        self.device = choose(settings["device"], torch)
        self._model = _loaded(checkpoint, config).to(self.device).eval()

    def estimate(self, windows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """The speech in windows ``(n, channels, length)``."""
        out = np.empty_like(windows)
        with self._torch.inference_mode():
            for number, window in enumerate(windows):  # several at once gain nothing
                sound = self._torch.from_numpy(window[np.newaxis]).to(self.device)
                stems = self._model(sound).float().cpu().numpy()
                stem = stems[0, self._stem] if stems.ndim == 4 else stems[0]
                stem = np.pad(stem, ((0, 0), (0, max(0, self.length - stem.shape[1]))))[:, : self.length]
                out[number] = stem if self._is_speech else window - stem
        return out


def _config(path: Path) -> dict[str, Any]:
    """A model's settings, as people publish them: YAML with Python's tuples in it."""
    yaml = import_module("yaml")
    safe: Any = type("Loader", (yaml.SafeLoader,), {})
    safe.add_constructor(
        "tag:yaml.org,2002:python/tuple", lambda loader, node: tuple(loader.construct_sequence(node))
    )
    try:
        config = safe(path.read_text(encoding="utf-8")).get_single_data()
    except (yaml.YAMLError, OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from error
    if not isinstance(config, dict) or not isinstance(config.get("model"), dict):
        raise _unreadable(path, ValueError("it has no section 'model'"))
    return config


def _loaded(checkpoint: Path, config: dict[str, Any]) -> Any:
    spec = importlib.util.find_spec("audio_separator")
    if spec is None or spec.submodule_search_locations is None:
        raise EngineCannot(
            "The package audio-separator is missing.", hint="Do this once: autodub engines install roformer"
        )
    # The package's front door imports ONNX, a web client and more that a RoFormer has no use for.
    inner = types.ModuleType("audio_separator.separator")
    inner.__path__ = [f"{place}/separator" for place in spec.submodule_search_locations]
    sys.modules.setdefault("audio_separator.separator", inner)
    module, kind = _KINDS["freqs_per_bands" in config["model"]]
    build = getattr(import_module(f"audio_separator.separator.uvr_lib_v5.roformer.{module}"), kind)
    known = inspect.signature(build).parameters
    try:
        model = build(**{name: value for name, value in config["model"].items() if name in known})
        state = import_module("torch").load(checkpoint, map_location="cpu", weights_only=True)
        for inside in ("state_dict", "model"):
            state = state.get(inside, state)
        model.load_state_dict(state)
    except Exception as error:  # unpickling and building from somebody's settings may raise anything
        if is_memory(error):
            raise
        raise _unreadable(checkpoint, error) from error
    return model


def _unreadable(path: Path, error: BaseException) -> EngineCannot:
    reason = " ".join(str(error).split())[:200]
    return EngineCannot(
        f"The RoFormer model {path.name} cannot be loaded: {reason or type(error).__name__}.",
        hint="It takes a checkpoint (*.ckpt) and the *.yaml that was published with it.",
    )


if __name__ == "__main__":
    serve_model(Model)
