"""Separator: the Demucs family through demucs-infer, in a child process."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from autodub.engines import checkpoints, environment, hub, separating
from autodub.engines.checkpoints import Checkpoint
from autodub.engines.environment import Environment
from autodub.engines.roles import EngineContext, EngineOptions, Info, Readiness, Work
from autodub.model.calls import Separate
from autodub.model.errors import EngineCannot
from autodub.model.media import Stems

_FETCH = "autodub engines fetch demucs"
_META = "https://dl.fbaipublicfiles.com/demucs/hybrid_transformer/"
_CINEMA = "https://github.com/ZFTurbo/MVSEP-CDX23-Cinematic-Sound-Demixing/releases/download/v.1.0.0/"
MODELS: dict[str, tuple[Checkpoint, ...]] = {
    "htdemucs": (
        Checkpoint(
            "955717e8-8726e21a.th",
            f"{_META}955717e8-8726e21a.th",
            "8726e21a993978c7ba086d3872e7608d7d5bfca646ca4aca459ffda844faa8b4",
        ),
    ),
    # Of its four models, one per stem, only the one for vocals is needed.
    "htdemucs_ft": (
        Checkpoint(
            "04573f0d-f3cf25b2.th",
            f"{_META}04573f0d-f3cf25b2.th",
            "f3cf25b222c4eed7cd49dd8b2c9597d50c18bd154090f7b919cfa5f93cf22c49",
        ),
    ),
    "cdx23_dnr": tuple(
        Checkpoint(f"{name}-{digest[:8]}.th", f"{_CINEMA}97d170e1-{digest[:8]}.th", digest)
        for name, digest in (
            ("cdx23a", "a778de4a72b90482a578bfb6ea6bf41462785d9136c11802c67a864a40f29434"),
            ("cdx23b", "dbb4db154df7e45a5cb72d1659c48937e757f6d6b0eef8ca4199e6e38f8d8f37"),
            ("cdx23c", "e41a54684d3cd6794ee2bb59183ffeb11a9a3d42db873a6a08a9829ac3ef4cfe"),
        )
    ),
}
"""Weights by model name, as their makers publish them (state of 2026-07)."""


class DemucsOptions(EngineOptions):
    """Options of the demucs separator."""

    folders: ClassVar[frozenset[str]] = frozenset({"model"})

    model: str = Field(
        "htdemucs",
        min_length=1,
        description="htdemucs (music and speech), htdemucs_ft (the same, fine-tuned), cdx23_dnr (dialogue, "
        "music and effects of films; its makers state no licence for the weights), or a folder with *.th "
        "files, which are programs too: only from people you trust.",
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = Field("auto", description="Where to compute.")
    segment: float = Field(
        0.0,
        ge=0.0,
        le=60.0,
        description="Seconds the model sees at once; 0 or more than it was trained with = as trained.",
    )
    overlap: float = Field(0.25, ge=0.1, le=0.75, description="Share of a window that is cross-faded.")
    shifts: int = Field(
        1, ge=1, le=10, description="Passes over shifted windows that are averaged: better and slower."
    )
    jobs: int = Field(
        0, ge=0, le=16, description="Windows at once; 0 = one on a CPU, four on a graphics card."
    )


class _Settled(DemucsOptions):
    """The options with everything decided; what an answer is kept under."""

    weights: str = Field("", description="Which weights of that name; nobody types this.")


class Demucs:
    """Takes the voice out with a neural model; the background is the mix minus the voice."""

    Options: ClassVar[type[EngineOptions]] = DemucsOptions
    environment: ClassVar[Environment] = Environment(
        "demucs", ("demucs-infer==4.4.0", "torch==2.13.0"), "demucs_infer"
    )

    def __init__(
        self,
        options: DemucsOptions,
        context: EngineContext,
        *,
        worker: str = "autodub.engines.demucs_worker",
    ) -> None:
        self.context = context
        self._worker = worker
        self._folder = _local(options.model, context.models)
        files: list[Path] = []
        if self._folder is not None:
            files = sorted([*self._folder.glob("*.th"), *self._folder.glob("*.yaml")])
        settled = options.model_dump(exclude={"weights"})
        self.options: DemucsOptions = _Settled(**settled, weights=hub.revision(*files))

    @classmethod
    def describe(cls) -> Info:
        try:
            library = f"demucs-infer=={metadata.version('demucs-infer')}"
        except metadata.PackageNotFoundError:
            library = cls.environment.packages[0]
        return Info(
            name="demucs",
            role="separator",
            version=f"1+{library.replace('==', '-')}",
            summary="Demucs: takes the voice out of music and noise; needs PyTorch and weights of 80 MB",
            resource="gpu" if hub.has_gpu() or _is_apple() else "cpu",
            needs_weights=True,
            licence="MIT (weights of cdx23_dnr: not stated)",
        )

    def readiness(self) -> Readiness:
        python = environment.interpreter(self.environment, self.context)
        if python is None:
            return environment.missing(self.environment)
        if self._folder is not None:
            return Readiness("ready", f"model {self.options.model} in {self._folder}")
        if self.options.model in MODELS:
            return Readiness("needs download", f"model {self.options.model} is not on this machine", _FETCH)
        return Readiness(
            "needs download",
            f"there is no Demucs model at {self.options.model}",
            f"Give a folder with *.th files as the option model, or one of {', '.join(MODELS)}.",
        )

    def fetch(self, work: Work) -> Path:
        """Download the weights; what ``checkpoints.fetch`` raises, or EngineCannot offline."""
        if self._folder is not None:
            return self._folder
        wanted = MODELS.get(self.options.model)
        if wanted is None:
            ready = self.readiness()
            raise EngineCannot(f"There is nothing to fetch: {ready.detail}.", hint=ready.fix)
        if self.context.offline:
            raise EngineCannot("Weights cannot be fetched offline.", hint="Leave out --offline for once.")
        folder = _own(self.options.model, self.context.models)
        for number, checkpoint in enumerate(wanted):
            said = f"fetching {checkpoint.name} ({number + 1} of {len(wanted)})"
            checkpoints.fetch(
                checkpoint,
                folder,
                engine="demucs",
                progress=lambda part, at=number, text=said: work.progress((at + part) / len(wanted), text),  # type: ignore[misc]
            )
        work.progress(1.0, f"model {self.options.model} is in {folder}")
        return folder

    def separate(self, request: Separate, work: Work) -> Stems:
        """The background of the mix; it is the mix itself where nobody speaks.

        Raises EngineCannot when package or weights are missing or cannot be used, Rejected when memory
        does not suffice even on the CPU, Unreachable when the worker dies.
        """
        python = environment.interpreter(self.environment, self.context)
        if python is None or self._folder is None:
            ready = self.readiness()
            raise EngineCannot(f"Demucs cannot run: {ready.detail}.", hint=f"Do this once: {ready.fix}")
        recipe = separating.Recipe(
            engine="demucs",
            module=self._worker,
            python=python,
            settings={"folder": str(self._folder), "segment": self.options.segment},
            device=self.options.device,
            overlap=self.options.overlap,
            shifts=self.options.shifts,
            jobs=self.options.jobs,
        )
        return separating.separate(request, work, recipe)


def _own(name: str, models: Path) -> Path:
    return hub.own_folder(models, "demucs", name)


def _local(name: str, models: Path) -> Path | None:
    """The folder with all of a model's weights; None when they are not here."""
    wanted = MODELS.get(name)
    if wanted is not None:
        own = _own(name, models)
        return own if all((own / one.name).is_file() for one in wanted) else None
    folder = hub.located(name)
    return folder.absolute() if folder.is_dir() and any(folder.glob("*.th")) else None


def _is_apple() -> bool:
    """Whether this is a Mac with a graphics processor PyTorch can use."""
    import platform

    return sys.platform == "darwin" and platform.machine() == "arm64"
