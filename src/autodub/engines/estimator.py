"""A separation model in a process of its own: what its worker answers, whatever the model is.

Requests are ``{"open": settings}``, answered with the model's facts, and ``{"input": path, "output": path,
"count": n}``: ``n`` windows of little-endian float32 lie in the one file, and the speech in them is
written to the other in the same shape, ``(n, channels, length)``. Where memory runs out the answer is
``{"memory": reason}``. Imports nothing but numpy, so that any interpreter can run it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from autodub.infra.child import serve
from autodub.model.errors import EngineCannot, OutputProblem

_SIGNS = (
    "out of memory",
    "alloc_failed",
    "can't allocate memory",
    "cannot allocate memory",
    "not enough memory",
)


def is_memory(error: BaseException) -> bool:
    """Whether an error means that the device or the machine has no memory left."""
    return isinstance(error, MemoryError) or any(sign in str(error).lower() for sign in _SIGNS)


def choose(wanted: str, torch: Any) -> str:
    """The device to compute on. Raises EngineCannot when the one named is not there."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if wanted == "auto":
        return next(name for name, is_there in there.items() if is_there)
    if not there.get(wanted):
        raise EngineCannot(
            f"There is no {wanted} device for PyTorch {torch.__version__} on this machine.",
            hint="Leave out the option device, or install a PyTorch built for the device.",
        )
    return wanted


class Loaded(Protocol):
    """A model that is ready to answer."""

    rate: int
    channels: int
    length: int
    """Frames of a window."""
    device: str
    """Where it computes."""
    normal: bool
    """Whether it was trained on programmes brought to mean 0 and standard deviation 1."""

    def estimate(self, windows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """The speech in each of the windows ``(n, channels, length)``."""
        ...


def serve_model(load: Callable[[Mapping[str, Any]], Loaded]) -> None:
    """A worker's main loop around ``load(settings)``."""
    models: list[Loaded] = []

    def handle(request: Mapping[str, Any]) -> dict[str, Any]:
        try:
            if "open" in request:
                models[:] = []
                models.append(load(request["open"]))
                model = models[0]
                return {
                    "rate": model.rate,
                    "channels": model.channels,
                    "length": model.length,
                    "device": model.device,
                    "normal": model.normal,
                }
            if not models:
                raise EngineCannot("The model has not been opened.", hint="This is a fault of Autodub.")
            model = models[0]
            shape = (request["count"], model.channels, model.length)
            windows = np.fromfile(request["input"], dtype="<f4").reshape(shape)
            speech = np.ascontiguousarray(model.estimate(windows), dtype="<f4")
        except (MemoryError, RuntimeError) as error:
            if is_memory(error):
                return {"memory": (str(error).strip().splitlines() or ["MemoryError"])[0][:200]}
            raise
        try:
            speech.tofile(request["output"])
        except OSError as error:  # numpy's own: it does not say why
            raise OutputProblem(
                "There is no room left on the disk for the speech that was found.", hint="Make room."
            ) from error
        return {}

    serve(handle)
