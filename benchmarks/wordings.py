"""What several wordings of a line are worth: the same dub with them and without, side by side.

``python -m benchmarks.wordings [--quick] [--wordy SHARE]`` dubs the two-speaker clip of 29 lines (and,
without ``--quick``, the one of 290) with cloned voices into Spanish and French against the loopback
providers without latency: once by a translator that rewords lines when asked, once by one that never
does. ``--wordy`` makes its natural wordings that much longer, as those of an expanding pair are.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autodub.testing import dialogue
from autodub.testing.loopback import INSTANT, Loopback
from autodub.testing.loopback.deepgram import DeepgramService, Truth
from autodub.testing.loopback.elevenlabs import ElevenLabsService
from autodub.testing.loopback.openai import OpenAIService
from benchmarks import harness

OUT = Path("bench/wordings")
LANGUAGES = ("es", "fr")
FIGURES = (
    "T1.file", "T1.mean", "T1.median", "T6.onset.p95", "T6.offset.median", "T6.offset.p95", "T9.natural",
    "T9.p5", "T9.p50", "T9.p95", "T9.stretched", "T10", "T18", "T20.mape", "T20.p90",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Setup:
    """Providers that dub one clip."""

    clip: dialogue.Dialogue
    server: Loopback
    translator: OpenAIService
    folder: Path

    def dub(self, language: str, *, rewords: bool) -> dict[str, Any]:
        """Dub the clip; figures and what was asked for."""
        self.translator.rewords = rewords
        name = f"{language}-{'several' if rewords else 'one'}"
        before = len(self.server.requests)
        result = harness.run(self._order(language, name), self.folder, name)
        asked = Counter(request.kind for request in self.server.requests[before:])
        return _row(result) | {f"asked {kind}": count for kind, count in sorted(asked.items())}

    def _order(self, language: str, name: str) -> dict[str, Any]:
        providers = ("deepgram", "openai", "elevenlabs")
        keys = {f"{one.upper()}_API_KEY": f"loopback-{one}" for one in providers}
        places = {f"{one.upper()}_BASE_URL": self.server.url(one) for one in providers}
        return {
            "source": str(self.clip.clip.path),
            "target": language,
            "spoken": "en",
            "clone_voices": True,
            "keep_voices": True,
            "output": str(self.folder / f"{name}.mp4"),
            # Not shared between the two: an answer kept by one would be given to the other.
            "data_dir": str(self.folder / f"data-{name.partition('-')[2]}"),
            "engines": {
                "transcriber": "deepgram", "translator": "openai", "synthesizer": "elevenlabs",
                "separator": "spectral",
            },
            "options": {"translator": {"dialect": "openai"}},
            "environ": keys | places,
        }  # fmt: skip


@contextmanager
def setup(lines: int, folder: Path, *, wordiness: float = 1.0) -> Iterator[Setup]:
    """The providers while they serve."""
    clip = dialogue.build(OUT / "clips", lines=lines)
    translator = OpenAIService()
    translator.wordiness = wordiness
    hearing = DeepgramService([Truth(clip.words, clip.clip.duration)])
    with Loopback([hearing, translator, ElevenLabsService()], profile=INSTANT) as server:
        yield Setup(clip, server, translator, folder)


def _row(result: dict[str, Any]) -> dict[str, Any]:
    receipt = result["receipt"]
    values = {figure["id"]: figure["value"] for figure in receipt["metrics"]}
    project = json.loads(Path(result["project"]).read_text("utf-8"))
    flagged = Counter(flag for line in project["lines"] for flag in line["timing"]["flags"])
    kept = {name: values.get(name) for name in FIGURES}
    return kept | {"flags": dict(flagged), "cost": receipt["bill"]["total"], "wall_s": result["wall_s"]}


def main() -> None:
    """Dub, and print the two columns of each language."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the 60-second clip only")
    parser.add_argument(
        "--wordy", type=float, default=1.0, help="length of natural wordings, 1 = as they are"
    )
    parser.add_argument("--languages", nargs="+", default=list(LANGUAGES))
    asked = parser.parse_args()
    found: dict[str, Any] = {}
    for lines in (29,) if asked.quick else (29, 290):
        folder = OUT / f"{lines}-{asked.wordy:g}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        with setup(lines, folder, wordiness=asked.wordy) as here:
            for language in asked.languages:
                one, several = (here.dub(language, rewords=which) for which in (False, True))
                found[f"{lines} {language}"] = {"one": one, "several": several}
                _print(f"{lines} lines, {language}, natural x {asked.wordy:g}", one, several)
    (OUT / f"wordings-{asked.wordy:g}.json").write_text(json.dumps(found, indent=1), encoding="utf-8")


def _print(title: str, one: dict[str, Any], several: dict[str, Any]) -> None:
    print(f"\n{title:34} {'one':>24} {'several':>24}")
    for name in dict.fromkeys([*one, *several]):
        print(f"{name:34} {_told(one.get(name)):>24} {_told(several.get(name)):>24}")


def _told(value: object) -> str:
    if isinstance(value, dict):
        return " ".join(f"{name}:{count}" for name, count in value.items()) or "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
