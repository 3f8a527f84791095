"""Spectral separator: removes the voice with what the pauses teach about the background. No weights."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from autodub.engines.roles import EngineContext, EngineOptions, Info, Readiness, Work
from autodub.media import sound
from autodub.media.spectral_cap import cap
from autodub.model.calls import Separate
from autodub.model.media import Stems

_NO_GAPS = (
    "People speak without a pause, so nothing could be learned about the background; "
    "the original voice is lowered by 15 dB instead of being taken out."
)


class SpectralOptions(EngineOptions):
    """Options of the spectral separator."""

    window_s: float = Field(
        default=8.0,
        ge=1.0,
        le=60.0,
        description="How far around a moment the background is learned, seconds: longer for steady sound, "
        "shorter for music that changes.",
    )
    makeup_db: float = Field(
        default=1.25,
        ge=0.0,
        le=6.0,
        description="Gain that gives back what capping takes from the background, dB.",
    )
    erode_ms: int = Field(
        default=80,
        ge=0,
        le=1000,
        description="Distance from speech at which learning starts, milliseconds: longer in echoing rooms.",
    )


class Spectral:
    """Separator without weights: a cap per frequency learned in the gaps between speech.

    Far below neural separators (the old voice stays as a faint ghost, effects during speech are lost),
    but it runs anywhere and never touches a sample outside speech.
    """

    Options: ClassVar[type[EngineOptions]] = SpectralOptions

    def __init__(self, options: SpectralOptions, context: EngineContext) -> None:
        self._options = options
        self._context = context

    @property
    def options(self) -> SpectralOptions:
        return self._options

    @classmethod
    def describe(cls) -> Info:
        return Info(
            name="spectral",
            role="separator",
            version="2",
            summary="Learns the background in the gaps between speech; needs nothing, keeps a faint ghost.",
            licence="Apache-2.0",
        )

    def readiness(self) -> Readiness:
        return Readiness("ready", "needs nothing but the programme itself")

    def separate(self, request: Separate, work: Work) -> Stems:
        """The background of the mix; it is the mix itself where nobody speaks."""
        path = work.scratch / "background.wav"
        done = cap(
            work.path(request.mix.blob),
            path,
            spans=request.spans,
            layout=request.mix.layout,
            window=self._options.window_s,
            makeup=self._options.makeup_db,
            erode=self._options.erode_ms,
            progress=work.progress,
        )
        notes = () if done.learned else (_NO_GAPS,)
        for note in notes:
            work.progress(1.0, note)
        blob = work.keep(path)
        background = sound.audio(blob, work.path(blob), request.mix.layout)
        return Stems(background=background, notes=notes)
