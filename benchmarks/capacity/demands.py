"""What one job asks for: the measured figures for a video of some length, and the product's own portions."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from autodub.dubbing.fitting import chunks
from autodub.dubbing.translation import growing
from autodub.testing.dialogue import LINES_PER_MINUTE

MEASURED = Path(__file__).with_name("measured.json")
STAGES: Mapping[str, tuple[str, ...]] = {
    "unpack": ("downloader.ytdlp.download/setpriv",),
    "fetch": ("downloader.",),
    "beside": ("beside",),
    "decode": ("studio.studio.decode",),
    "detect": ("detector.",),
    "separate": ("separator.",),
    "hear": ("transcriber.", "diarizer."),
    "listen": ("studio.studio.listen",),
    "sample": ("studio.studio.sample", "cloner."),
    "translate": ("translator.",),
    "speak": ("synthesizer.", "studio.studio.trim"),
    "encode": ("studio.studio.produce/",),
}
"""Stage -> beginnings of the verbs whose CPU seconds are its own; the first that fits has them."""
WINDOWS = ("render", "measure")
"""Stages that have all that is used while they last. What is left over is spent on the requests to clouds."""
BOOTH = 5
"""Lines of a job that are spoken at once: the option ``lanes`` of the product's ElevenLabs engine."""
TRANSLATIONS = 32
"""Requests that a worker keeps under way at OpenAI (``engines.openai.LANES``)."""
SPEAKERS = 2
_SPEECH_BYTES = 48_000 / 15
"""Bytes of sound (24 kHz, 16 bit) that come back for a character: 15 are said in a second."""


@dataclass(frozen=True, slots=True)
class Demand:
    """One job's."""

    minutes: float
    lines: int
    cpu: Mapping[str, float]
    """Stage -> CPU seconds of the worker: those of STAGES and WINDOWS, and ``request`` for each of them."""
    database: float
    """CPU seconds of PostgreSQL."""
    transactions: float
    answering: float
    """CPU seconds of the processes that answer people."""
    reworded: int
    """Lines that are asked for in another length."""
    spoken: int
    """Requests for speech, lines that are spoken twice included."""
    characters: float
    """Of one such request."""
    tokens: float
    """Of output, by line translated."""
    charges: Mapping[str, float]
    """``provider unit`` -> amount that is billed."""
    heard_bytes: float
    """Sent to the recogniser."""
    clone_bytes: float
    speech_bytes: float
    """Sound that comes back."""
    objects: float
    """Files put into the store."""
    stored_bytes: float
    """What they weigh, but for the source and the finished video."""

    @property
    def worker(self) -> float:
        """CPU seconds in all, without the separator's."""
        once = math.fsum(s for stage, s in self.cpu.items() if stage not in ("separate", "request"))
        return once + self.cpu["request"] * (self.requests + self.spoken)

    @property
    def requests(self) -> int:
        """Requests for translations."""
        return len(growing(self.lines, lanes=TRANSLATIONS)) + len(growing(self.reworded, lanes=TRANSLATIONS))

    @property
    def portions(self) -> int:
        """Portions in which the lines are spoken."""
        return sum(1 for _ in chunks(self.lines, least=BOOTH))


@lru_cache
def measured() -> dict[str, Any]:
    """What ``measure`` kept."""
    found: dict[str, Any] = json.loads(MEASURED.read_text("utf-8"))
    return found


@lru_cache(maxsize=512)
def demand(minutes: float) -> Demand:
    """Of a video of so many minutes: on the line through the short and the long jobs that were measured."""
    short, long = measured()["short"], measured()["long"]

    def at(value: Any) -> float:
        """The line through ``value(job)``, nowhere below 0 or falling with length."""
        low, high = value(short), value(long)
        slope = max(0.0, (high - low) / (long["minutes"] - short["minutes"]))
        return float(max(0.0, low + slope * (minutes - short["minutes"])))

    lines = max(1, round(minutes * LINES_PER_MINUTE))
    cpu = {stage: at(lambda job, s=stage: _of_stage(job, s)) for stage in STAGES}
    cpu |= {stage: at(lambda job, s=stage: job["cpu_windows_s"][s]) for stage in WINDOWS}
    cpu["render"] = max(0.0, cpu["render"] - cpu["encode"])  # programs encode beside the mixing

    def asked(kind: str, unit: str) -> float:
        return at(lambda job: job["requests"].get(kind, {}).get(unit, 0.0))

    spoken = max(lines, round(asked("elevenlabs speech", "requests")))
    characters = asked("elevenlabs speech", "characters")
    windows = len(growing(lines, lanes=TRANSLATIONS))
    reworded = max(0, round(asked("openai translation", "requests")) - windows)
    requests = windows + len(growing(reworded, lanes=TRANSLATIONS)) + spoken
    cpu["request"] = max(0.0, at(lambda job: job["cpu_s"]["worker"]) - math.fsum(cpu.values())) / requests
    return Demand(
        minutes=minutes, lines=lines, cpu=cpu,
        database=at(lambda job: job["cpu_s"]["database"]),
        transactions=at(lambda job: job["transactions"]),
        answering=at(lambda job: job["cpu_s"]["answering"]),
        reworded=reworded,
        spoken=spoken, characters=characters / spoken,
        tokens=asked("openai translation", "tokens_out") / lines,
        charges={
            f"{kind.partition(' ')[0]} {unit}": asked(kind, unit)
            for kind in ("deepgram transcription", "openai translation", "elevenlabs speech")
            for unit in {*short["requests"].get(kind, {}), *long["requests"].get(kind, {})}
            - {"requests", "bytes"}
        },
        heard_bytes=asked("deepgram transcription", "bytes"),
        clone_bytes=asked("elevenlabs clone", "bytes"),
        speech_bytes=characters * _SPEECH_BYTES,
        objects=at(lambda job: math.fsum(count for count, _ in job["objects"].values())),
        stored_bytes=at(lambda job: math.fsum(size for end, (_, size) in job["objects"].items()
                                        if end not in _MEDIA)),
    )  # fmt: skip


_MEDIA = (".mp4", ".m4a")
"""Source and finished video: what they weigh is the source's affair."""


def _of_stage(job: Mapping[str, Any], stage: str) -> float:
    return math.fsum(s for verb, s in job["cpu_verbs_s"].items() if _stage_of(verb) == stage)


def _stage_of(verb: str) -> str:
    fits = (stage for stage, begins in STAGES.items() if verb.startswith(begins))
    return next(fits, "")
