"""How far a job is: one number from the progress of its stages."""

from __future__ import annotations

from autodub.model.job import Event

_WEIGHTS = {
    "dub": {
        "open": 3, "picture": 2, "decode": 2, "detect": 3, "transcribe": 18, "diarize": 4, "separate": 18,
        "listen": 2, "clone": 3, "voices": 1, "translate": 10, "speak": 22, "render": 8, "measure": 4,
    },
    "estimate": {"open": 60, "decode": 15, "detect": 25},
}  # fmt: skip
"""About how long the stages of a dub take, in hundredths."""
_HEARD = ("open", "decode", "detect", "transcribe", "diarize", "listen")
_OVER = {
    "decode": ("open",),
    "detect": ("open", "decode"),
    "transcribe": ("open", "decode", "detect"),
    "translate": _HEARD,
    "speak": (*_HEARD, "voices", "clone"),
    "render": (*_HEARD, "voices", "clone", "separate", "translate", "speak"),
    "measure": tuple(stage for stage in _WEIGHTS["dub"] if stage != "measure"),
}
"""Stage -> stages that are over once it begins, whether they were needed or not."""


class Progress:
    """The whole from its stages; never goes back."""

    def __init__(self, kind: str) -> None:
        self._weights = _WEIGHTS[kind]
        self._done: dict[str, float] = {}
        self.whole = 0.0
        self.stage = ""
        self.message = ""
        self._running: dict[str, str] = {}
        """Stage under way -> what it said last; the one that spoke last is the last."""
        self.seconds: dict[str, float] = {}
        """Wall seconds by stage."""

    def see(self, event: Event) -> None:
        """Take an event of the pipeline."""
        if event.kind not in ("stage.started", "stage.progress", "stage.finished"):
            return
        if event.kind == "stage.finished":
            self._done[event.stage] = 1.0
            self._running.pop(event.stage, None)
            if self.stage == event.stage and self._running:  # one beside it goes on
                self.stage, self.message = list(self._running.items())[-1]
            took = float(event.data.get("seconds") or 0)
            self.seconds[event.stage] = self.seconds.get(event.stage, 0.0) + took
        else:
            before = self._running.pop(event.stage, "")
            self.stage, self.message = event.stage, event.message or before
            self._running[event.stage] = self.message
            self._done[event.stage] = max(self._done.get(event.stage, 0.0), event.fraction or 0.0)
            self._done |= dict.fromkeys(_OVER.get(event.stage, ()), 1.0)
        total = sum(self._weights.values())
        done = sum(self._weights.get(stage, 0) * part for stage, part in self._done.items())
        self.whole = max(self.whole, min(0.99, done / total))
