"""Autodub: the same video, speaking another language, in time with the picture.

Three lines dub a film::

    from autodub import dub
    dubbed = dub("clip.mp4", to="es")
    print(dubbed.output, dubbed.receipt.summary)

Everything public is named in ``__all__`` and loaded when first used, so that importing the package
costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autodub.api import dub, measure
    from autodub.model.errors import AutodubError, Cancelled, EngineError, MediaError, RequestError
    from autodub.model.job import Event
    from autodub.model.language import Language
    from autodub.model.request import DubRequest
    from autodub.pipeline.dub import Dubbed
    from autodub.quality.receipt import Receipt

__version__ = "0.1.0"

__all__ = [
    "AutodubError",
    "Cancelled",
    "DubRequest",
    "Dubbed",
    "EngineError",
    "Event",
    "Language",
    "MediaError",
    "Receipt",
    "RequestError",
    "__version__",
    "dub",
    "measure",
]

_HOMES = {
    "AutodubError": "model.errors",
    "Cancelled": "model.errors",
    "DubRequest": "model.request",
    "Dubbed": "pipeline.dub",
    "EngineError": "model.errors",
    "Event": "model.job",
    "Language": "model.language",
    "MediaError": "model.errors",
    "Receipt": "quality.receipt",
    "RequestError": "model.errors",
    "dub": "api",
    "measure": "api",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'autodub' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"autodub.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
