"""What making a dub needs and takes long to load: loaded beside the download, or beside the first wait.

An unchanged dub needs none of it, so the modules that use these load them where they are used.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable

from autodub.engines.roles import EngineContext
from autodub.model.request import DubRequest
from autodub.pipeline.choosing import likely

ALWAYS = (  # in the order in which a dub comes to need them
    "autodub.pipeline.performing",
    "highspy",
    "soundfile",
    "soxr",
    "autodub.pipeline.delivering",
    "scipy.fft",
    "scipy.ndimage",
    "onnxruntime",
)
FIRST = ("soundfile", "soxr", "onnxruntime", "pyworld", "scipy.cluster.hierarchy")
"""What only listening to a source needs, or needs sooner."""


def load(request: DubRequest, context: EngineContext) -> Iterable[object]:
    """Load the libraries; the answer are the engines that will probably be asked."""
    load_libraries(FIRST + ALWAYS)
    return likely(request, context)


def load_libraries(names: Iterable[str] = ALWAYS) -> None:
    """Load whatever of it can be had; whoever needs what cannot says so then."""
    for name in names:
        try:
            importlib.import_module(name)
        except ImportError:
            continue
