"""What a first run needs and takes long to load: loaded beside the download, and not one line later.

A second run needs none of it, so the modules that use these load them where they are used.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable

from autodub.engines.roles import EngineContext
from autodub.model.request import DubRequest
from autodub.pipeline.choosing import likely

LIBRARIES = (  # in the order in which a dub comes to need them
    "soundfile",
    "soxr",
    "onnxruntime",
    "autodub.pipeline.performing",
    "pyworld",
    "scipy.fft",
    "scipy.ndimage",
    "scipy.cluster.hierarchy",
    "scipy.optimize",
    "autodub.pipeline.delivering",
)


def load(request: DubRequest, context: EngineContext) -> Iterable[object]:
    """Load the libraries; the answer are the engines that will probably be asked."""
    load_libraries()
    return likely(request, context)


def load_libraries() -> None:
    """Load everything that can be had; whoever needs what cannot says so then."""
    for name in LIBRARIES:
        try:
            importlib.import_module(name)
        except ImportError:
            continue
