"""What neural separators share: the model in a child process, and less asked of it when memory runs out."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from autodub.engines.roles import Work
from autodub.infra.child import Killed, Workers
from autodub.media import separation, sound
from autodub.media.separation import Asked, Sight, Windows
from autodub.model.calls import Separate
from autodub.model.errors import BadAnswer, OutputProblem, Rejected
from autodub.model.media import Stems

_LOADING, _ANSWERING = 900.0, 1800.0
"""Seconds opening a model (from a slow disk) and one batch of windows (on a slow CPU) may take."""
_AT_ONCE = 4
"""Windows a graphics card is given at once; more gain little."""
_LEAST = 0.25
"""Share of the trained window below which a model is not worth asking."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Which model separates, and how."""

    engine: str
    module: str
    """Of the worker, which calls ``estimator.serve_model``."""
    python: Path
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What the worker's loader is told besides ``device``, ``part``, ``threads`` and ``jobs``."""
    device: str = "auto"
    overlap: float = 0.25
    shifts: int = 1
    jobs: int = 0
    """Windows at once; 0 = one on a CPU, four on a graphics card."""


@dataclass(frozen=True, slots=True)
class _Step:
    """How much is asked of which device."""

    device: str
    part: float = 1.0
    """Share of the trained window."""
    jobs: int = 0

    def less(self, device: str) -> _Step | None:
        """What to try when memory ran out on ``device``; None when nothing is left."""
        if self.jobs != 1 and not (device == "cpu" and self.jobs == 0):
            return replace(self, jobs=1)
        if self.part > _LEAST:
            return replace(self, part=self.part / 2)
        return _Step("cpu", jobs=1) if device != "cpu" else None


class _NoMemory(Exception):
    """The worker said that memory ran out."""


def separate(request: Separate, work: Work, recipe: Recipe) -> Stems:
    """The background of the mix by a model; notes say what had to be done less well.

    Raises Rejected when memory does not suffice even for short windows on the CPU, OutputProblem when the
    disk is full, BadAnswer when the model answers with nonsense, and what ``Workers.map`` raises.
    """
    path = work.scratch / "background.wav"
    step = _Step(recipe.device, jobs=recipe.jobs)
    full: set[str] = set()
    while True:
        with _Model(recipe, step, work) as model:
            try:
                model.run(request, path)
                notes = _notes(full, model.device, step.part)
                break
            except _NoMemory as reason:
                full.add(model.device)
                less = step.less(model.device)
                if less is None:
                    raise Rejected(
                        f"There is not enough memory to separate with {recipe.engine}: {reason}.",
                        hint="Use a smaller model, close other programs, or --separator spectral.",
                        engine=recipe.engine,
                    ) from None
                work.progress(0.0, f"memory ran out on {model.device}; asking for less")
                step = less
    for note in notes:
        work.progress(1.0, note)
    blob = work.keep(path)
    return Stems(sound.audio(blob, work.path(blob), request.mix.layout), notes)


def _notes(full: set[str], device: str, part: float) -> tuple[str, ...]:
    """What memory running out on some devices cost in the end."""
    notes = []
    if device not in full and full:
        cards = " and ".join(sorted(full))
        notes.append(
            f"Memory ran out on the graphics card ({cards}); the voice was taken out on the CPU instead, "
            "which takes longer."
        )
    if part < 1.0:
        notes.append(
            f"Memory ran out on {device}; the model was shown {part:.0%} of its usual window at a time, "
            "which it does less well."
        )
    return tuple(notes)


class _Model:
    """A worker with the model in it, and the two files windows travel in."""

    def __init__(self, recipe: Recipe, step: _Step, work: Work) -> None:
        self._recipe, self._step, self._work = recipe, step, work
        self.device = step.device
        self._files = [work.scratch / name for name in ("windows.f32", "speech.f32")]
        threads = max(1, _cores() // max(1, step.jobs))
        self._opening = {
            **recipe.settings,
            "device": step.device,
            "part": step.part,
            "jobs": max(1, step.jobs),
            "threads": threads,
        }
        self._workers = Workers(
            recipe.module,
            engine=recipe.engine,
            python=recipe.python,
            environment={
                "OMP_NUM_THREADS": str(threads),
                "OMP_WAIT_POLICY": "PASSIVE",  # spinning threads starve what runs beside
                "PYTORCH_ENABLE_MPS_FALLBACK": "1",
            },
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._workers.close()
        for file in self._files:
            file.unlink(missing_ok=True)

    def run(self, request: Separate, path: Path) -> None:
        """Write the background. Raises _NoMemory."""
        self._work.progress(0.0, f"loading the {self._recipe.engine} model")
        facts = self._ask({"open": self._opening}, _LOADING)
        try:
            self.device = str(facts["device"])
            sight = Sight(
                int(facts["rate"]), int(facts["channels"]), int(facts["length"]), bool(facts["normal"])
            )
        except (KeyError, TypeError, ValueError) as error:
            raise self._nonsense("facts that make no sense") from error
        separation.separate(
            self._work.path(request.mix.blob),
            path,
            spans=request.spans,
            layout=request.mix.layout,
            sight=sight,
            asked=Asked(
                self._recipe.overlap,
                self._recipe.shifts,
                self._step.jobs or (1 if self.device == "cpu" else _AT_ONCE),
            ),
            estimate=self._estimate,
            progress=self._progress,
        )

    def _progress(self, done: int, whole: int) -> None:
        self._work.progress(done / whole, f"{done} of {whole} windows on {self.device}")

    def _estimate(self, windows: Windows) -> Windows:
        try:
            np.asarray(windows, dtype="<f4").tofile(self._files[0])
        except OSError as error:  # numpy's own: it does not say why
            raise OutputProblem(
                "There is no room left on the disk for the windows of a separation.", hint="Make room."
            ) from error
        source, target = (str(file) for file in self._files)
        try:
            self._ask({"input": source, "output": target, "count": len(windows)}, _ANSWERING)
        except Killed as error:  # the model was loaded, so it was the windows that were too much
            raise _NoMemory("the system killed the worker") from error
        try:
            speech = np.fromfile(self._files[1], dtype="<f4").reshape(windows.shape)
        except (OSError, ValueError) as error:
            raise self._nonsense("speech of another length") from error
        if not np.isfinite(speech).all():
            raise self._nonsense("samples that are not numbers")
        return speech

    def _ask(self, question: Mapping[str, Any], deadline: float) -> Any:
        answer = self._workers.call(question, deadline=deadline, check=self._work.check)
        if isinstance(answer, dict) and "memory" in answer:
            raise _NoMemory(answer["memory"])
        return answer

    def _nonsense(self, what: str) -> BadAnswer:
        return BadAnswer(
            f"The {self._recipe.engine} model answered with {what}.",
            hint="Its weights may be damaged or not meant for it; fetch them again.",
            engine=self._recipe.engine,
        )


def _cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
