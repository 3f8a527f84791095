"""What every engine of a role must do, as test classes to inherit.

::

    class TestMyTranscriber(TranscriberContract):
        def engine(self, options, context):
            return MyTranscriber(MyTranscriber.Options(**options), context)

A suite makes its own sounds and store; override ``samples`` where the engine needs real speech.
An engine that is not ready on this machine is skipped, with the reason it gives itself.
"""

from autodub.testing.contracts.engine import EngineContract
from autodub.testing.contracts.hearing import (
    DetectorContract,
    DiarizerContract,
    DownloaderContract,
    SeparatorContract,
    TranscriberContract,
)
from autodub.testing.contracts.moderating import ModeratorContract
from autodub.testing.contracts.speaking import ClonerContract, SynthesizerContract, TranslatorContract

__all__ = [
    "ClonerContract",
    "DetectorContract",
    "DiarizerContract",
    "DownloaderContract",
    "EngineContract",
    "ModeratorContract",
    "SeparatorContract",
    "SynthesizerContract",
    "TranscriberContract",
    "TranslatorContract",
]
