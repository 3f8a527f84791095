"""A separation worker whose model is numpy, and which runs out of memory or goes mad when told to.

Its speech is a moving average within each window, so that what a window sees matters at its edges. Settings:
``short`` = how many openings or batches find no memory, in a file counted down; ``mode`` = what goes wrong.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from autodub.engines.estimator import serve_model
from autodub.model.errors import EngineCannot


class Model:
    """Moving average over 63 frames."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.settings = settings
        self.mode = settings.get("mode", "")
        if self.mode == "refuse":
            raise EngineCannot("No such weights.", hint="Get some.")
        self.rate = settings.get("rate", 16_000)
        self.channels = settings.get("channels", 2)
        self.normal = bool(settings.get("normal", True))
        self.length = int(settings.get("length", 16_000) * settings["part"])
        self.device = "cuda" if settings["device"] == "auto" else settings["device"]
        if "log" in settings:
            with Path(settings["log"]).open("a", encoding="utf-8") as log:
                log.write(json.dumps([os.getpid(), dict(settings)]) + "\n")

    def estimate(self, windows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """The speech in the windows."""
        limits = self.settings.get("memory", {})
        if self.device in limits and windows.size > limits[self.device]:
            raise RuntimeError(f"CUDA out of memory. Tried to allocate {windows.size} on {self.device}")
        if windows.size > self.settings.get("killed", {}).get(self.device, windows.size):
            os.kill(os.getpid(), 9)
        if self.mode == "nan":
            return windows * np.nan
        if self.mode == "short":
            return windows[:, :, :10]
        if self.mode == "crash":
            raise RuntimeError("the model is broken")
        if self.mode == "die":
            os.kill(os.getpid(), 9)
        if self.mode == "hang":
            time.sleep(60)
        kernel = np.ones(63) / 63
        out = [[np.convolve(channel, kernel, "same") for channel in window] for window in windows]
        return np.array(out, dtype=np.float32)


if __name__ == "__main__":
    serve_model(Model)
