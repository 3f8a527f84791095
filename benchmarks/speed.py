"""How long a dub takes: a two-speaker clip, voices cloned, against cloud providers of known latency.

``python -m benchmarks.speed [--quick] [--profile NAME]`` starts the loopback providers and a loopback
site as a program of their own, dubs a 60-second, 29-line clip (and, without ``--quick``, one of ten
minutes), and prints wall time, stages, the computed critical path, CPU, memory, programs, requests and
cost beside the prototype's figures. Timings are this machine's; latencies are the profile's.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autodub.testing import dialogue
from autodub.testing.loopback.profile import PROFILES, Profile
from benchmarks import harness

OUT = Path("bench/speed")
LANES = 5
"""Synthesis requests an account serves at once, in both profiles."""
PROTOTYPE = {
    ("prototype", 29): {"wall": 62.6 + 10 + 15, "cpu": 16.0, "programs": "86 to 117"},
    ("modern", 29): {"wall": 32.1 + 10 + 15, "cpu": 16.0, "programs": "86 to 117"},
    ("prototype", 290): {"wall": 591 + 10 + 150, "cpu": 117.0, "programs": "592"},
}
"""What the prototype took on a 2-core machine, download and separation added (project brief, 2026)."""
GOALS = {("prototype", 29): 30, ("modern", 29): 15, ("prototype", 290): 170, ("modern", 290): 65}
"""Seconds of a first run."""


@dataclass(frozen=True, slots=True)
class World:
    """The providers and the site while they run."""

    addresses: dict[str, str]

    def state(self) -> dict[str, Any]:
        """What was asked and billed so far."""
        with urllib.request.urlopen(self.addresses["control"] + "state") as answer:
            found: dict[str, Any] = json.load(answer)
        return found


@contextmanager
def world(profile: str, lines: int, folder: Path) -> Iterator[World]:
    """The loopback world as a program of its own, so that its work is not counted as ours."""
    command = [sys.executable, "-m", "benchmarks.speed_world", profile, str(lines), str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            told = process.stdout.readline()
            if not told:
                sys.exit("the loopback world did not start")
            yield World(json.loads(told))
        finally:
            process.kill()


def request(here: World, folder: Path, profile: Profile, **wishes: Any) -> dict[str, Any]:
    """The order of a dub of the site's clip."""
    return {
        "source": here.addresses["clip"],
        "target": "es",
        "spoken": "en",
        "clone_voices": True,
        "keep_voices": True,
        "output": str(folder / "dub.es.mp4"),
        "data_dir": str(folder / "data"),
        "engines": {
            "transcriber": "deepgram",
            "translator": "openai",
            "synthesizer": "elevenlabs",
            "separator": "simulated",
        },
        "options": {"translator": {"dialect": "openai"}},
        "separation": profile.separation,
        "environ": {
            "DEEPGRAM_API_KEY": "loopback-deepgram",
            "OPENAI_API_KEY": "loopback-openai",
            "ELEVENLABS_API_KEY": "loopback-elevenlabs",
            "DEEPGRAM_BASE_URL": here.addresses["deepgram"],
            "OPENAI_BASE_URL": here.addresses["openai"],
            "ELEVENLABS_BASE_URL": here.addresses["elevenlabs"],
            "AUTODUB_SITES": "127.0.0.1",
            "AUTODUB_ADDRESSES": "127.0.0.1/32",
        },
    } | wishes


def critical_path(profile: Profile, result: dict[str, Any], asked: list[dict[str, Any]]) -> dict[str, float]:
    """Least seconds that the world alone allows for what was really asked of it, by chain.

    Three chains run side by side: sound, upload, recognition, the first translation (or a clone, if that
    takes longer) and speech; sound and separation; the whole file. Speech takes its lanes' share of all
    requests, each slowed by the others in flight. Work of our own is not in it.
    """
    seconds = result["receipt"]["durations"]["source_ms"] / 1000
    link = profile.uplink or float("inf")
    heard = [one for one in asked if one["kind"] == "transcription"]
    cloned = [one for one in asked if one["kind"] == "clone"]
    worded = [
        profile.translation[0] + profile.translation[1] * one["charges"].get("tokens_out", 0)
        for one in asked
        if one["kind"] == "translation"
    ]
    spoken = [
        (profile.synthesis[0] + profile.synthesis[1] * one["charges"].get("characters", 0))
        * (1 + profile.crowding * (LANES - 1))
        for one in asked
        if one["kind"] == "speech"
    ]
    clone = profile.cloning + sum(8 * one["size"] for one in cloned) / link if cloned else 0.0
    recognition = profile.recognition[0] + profile.recognition[1] * seconds
    upload = sum(8 * one["size"] for one in heard) / link
    return {
        "speech": profile.download_sound
        + upload
        + recognition
        + max(min(worded, default=0.0), clone)
        + sum(spoken) / LANES,
        "separation": profile.download_sound + profile.separation * seconds / 60,
        "picture": profile.download,
    }


def main() -> None:
    """Run what was asked for, print a table, and keep it in ``bench/speed``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the 60-second clip only")
    parser.add_argument("--profile", choices=["prototype", "modern"], action="append")
    asked = parser.parse_args()
    rows = []
    for lines in (29,) if asked.quick else (29, 290):
        clip = dialogue.build(OUT / "clips", lines=lines)
        for name in asked.profile or ["prototype", "modern"]:
            folder = OUT / f"{name}-{lines}"
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            with world(name, lines, clip.clip.path.parent) as here:
                rows += _measured(here, folder, PROFILES[name], lines)
    (OUT / "speed.json").write_text(json.dumps(rows, indent=1), encoding="utf-8")


def _measured(here: World, folder: Path, profile: Profile, lines: int) -> list[dict[str, Any]]:
    rows = []
    orders = {
        "first run": request(here, folder, profile),
        "again, unchanged": request(here, folder, profile),
        "second language": request(here, folder, profile, target="fr", output=str(folder / "dub.fr.mp4")),
    }
    for what, order in orders.items():
        before = here.state()
        result = harness.run(order, folder, what.replace(" ", "-").replace(",", ""))
        rows.append(_row(what, profile, lines, result, before, here.state()))
        _print(rows[-1])
    _edit(Path(harness_project(folder)))
    before = here.state()
    result = harness.run(request(here, folder, profile), folder, "one-edited-line")
    rows.append(_row("one edited line", profile, lines, result, before, here.state()))
    _print(rows[-1])
    return rows


def harness_project(folder: Path) -> str:
    """The project file of the first dub."""
    return str(folder / "dub.es.project.json")


def _edit(project: Path) -> None:
    """Change the words of one line, as a person would."""
    record = json.loads(project.read_text("utf-8"))
    line = record["lines"][len(record["lines"]) // 2]
    line["text"] = line["text"].rstrip(".") + ", claro."
    project.write_text(json.dumps(record, ensure_ascii=False, indent=2), encoding="utf-8")


def _row(
    what: str,
    profile: Profile,
    lines: int,
    result: dict[str, Any],
    before: dict[str, Any],
    after: dict[str, Any],
) -> dict[str, Any]:
    receipt = result["receipt"]
    asked = after["requests"][len(before["requests"]) :]
    requests = dict(Counter(f"{one['provider']} {one['kind']}" for one in asked))
    row: dict[str, Any] = {
        "what": what,
        "profile": profile.name,
        "lines": lines,
        "wall_s": result["wall_s"],
        "cpu_s": result["cpu_self_s"] + result["cpu_children_s"],
        "cpu_self_s": result["cpu_self_s"],
        "peak_mb": result["peak_tree_mb"],
        "programs": result["programs"],
        "requests": requests,
        "stages": {stage["stage"]: round(stage["seconds"], 2) for stage in receipt["stages"]},
        "cost": receipt.get("bill"),
        "metrics": _figures(receipt),
    }
    if what == "first run":
        row["critical"] = critical_path(profile, result, asked)
        row["goal_s"] = GOALS[profile.name, lines]
        row["prototype"] = PROTOTYPE.get((profile.name, lines))
    return row


def _figures(receipt: dict[str, Any]) -> dict[str, Any]:
    """The receipt's figures of timing."""
    wanted = ("T1.", "T6.", "T9.", "T10", "T18", "T20")
    return {m["id"]: m["value"] for m in receipt["metrics"] if m["id"].startswith(wanted)}


def _print(row: dict[str, Any]) -> None:
    print(f"\n{row['profile']}, {row['lines']} lines, {row['what']}: {row['wall_s']:.2f} s")
    for name in ("goal_s", "critical", "prototype", "stages", "requests", "programs", "metrics"):
        if row.get(name):
            print(f"  {name}: {row[name]}")
    print(f"  CPU {row['cpu_s']:.1f} s ({row['cpu_self_s']:.1f} own process), peak {row['peak_mb']:.0f} MB")


if __name__ == "__main__":
    main()
