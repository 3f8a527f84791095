"""Separator: RoFormer models through audio-separator, in a process and an environment of their own."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from autodub.engines import environment, hub, separating
from autodub.engines.environment import Environment
from autodub.engines.roles import EngineContext, EngineOptions, Info, Readiness, Work
from autodub.model.calls import Separate
from autodub.model.errors import EngineCannot
from autodub.model.media import Stems


class RoformerOptions(EngineOptions):
    """Options of the roformer separator."""

    folders: ClassVar[frozenset[str]] = frozenset({"model"})

    model: str = Field(
        "vocals",
        min_length=1,
        description="Folder with one *.ckpt and the *.yaml published with it, such as a BS-RoFormer for "
        "vocals or a model for dialogue, music and effects; a bare name is a folder in MODELS/roformer.",
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = Field("auto", description="Where to compute.")
    overlap: float = Field(0.5, ge=0.1, le=0.75, description="Share of a window that is cross-faded.")
    shifts: int = Field(
        1, ge=1, le=10, description="Passes over shifted windows that are averaged: better and slower."
    )


class _Settled(RoformerOptions):
    """The options with everything decided; what an answer is kept under."""

    weights: str = Field("", description="Which weights of that name; nobody types this.")


class Roformer:
    """Takes the voice out with a RoFormer: better than Demucs on music, several times slower."""

    Options: ClassVar[type[EngineOptions]] = RoformerOptions
    environment: ClassVar[Environment] = Environment(
        "roformer", ("audio-separator==0.47.1", "torch==2.13.0"), "audio_separator"
    )

    def __init__(
        self,
        options: RoformerOptions,
        context: EngineContext,
        *,
        worker: str = "autodub.engines.roformer_worker",
    ) -> None:
        self.context = context
        self._worker = worker
        self._files = _local(options.model, context.models)
        settled = options.model_dump(exclude={"weights"})
        self.options: RoformerOptions = _Settled(**settled, weights=hub.revision(*(self._files or ())))

    @classmethod
    def describe(cls) -> Info:
        try:
            library = f"audio-separator=={metadata.version('audio-separator')}"
        except metadata.PackageNotFoundError:
            library = cls.environment.packages[0]
        return Info(
            name="roformer",
            role="separator",
            version=f"1+{library.replace('==', '-')}",
            summary="RoFormer (audio-separator): for checkpoints you bring; check the licence of each",
            resource="gpu" if hub.has_gpu() else "cpu",
            needs_weights=True,
            licence="MIT (weights: as their makers say, often nothing or non-commercial)",
        )

    def readiness(self) -> Readiness:
        if environment.interpreter(self.environment, self.context) is None:
            return environment.missing(self.environment)
        if self._files is None:
            place = self.context.models / "roformer" / "vocals"
            return Readiness(
                "needs download",
                f"there is no RoFormer model at {self.options.model}",
                f"Put one *.ckpt and the *.yaml published with it into {place}, or name their folder as "
                "the option model.",
            )
        return Readiness("ready", f"model {self._files[0]}")

    def separate(self, request: Separate, work: Work) -> Stems:
        """The background of the mix; it is the mix itself where nobody speaks. Raises as ``Demucs`` does."""
        python = environment.interpreter(self.environment, self.context)
        if python is None or self._files is None:
            ready = self.readiness()
            raise EngineCannot(f"RoFormer cannot run: {ready.detail}.", hint=f"Do this once: {ready.fix}")
        recipe = separating.Recipe(
            engine="roformer",
            module=self._worker,
            python=python,
            settings={"checkpoint": str(self._files[0]), "config": str(self._files[1])},
            device=self.options.device,
            overlap=self.options.overlap,
            shifts=self.options.shifts,
            jobs=1,
        )
        return separating.separate(request, work, recipe)


def _local(name: str, models: Path) -> tuple[Path, Path] | None:
    """(checkpoint, settings) of a model; None where there is not exactly one of each."""
    for folder in (hub.located(name), hub.own_folder(models, "roformer", name)):
        found = [
            sorted(path for path in folder.glob(f"*.{kind}") if path.is_file()) for kind in ("ckpt", "yaml")
        ]
        if all(len(files) == 1 for files in found):
            return found[0][0].absolute(), found[1][0].absolute()
    return None
