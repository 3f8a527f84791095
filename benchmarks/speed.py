"""How long a dub takes: a two-speaker clip, voices cloned, against cloud providers of known latency.

``python -m benchmarks.speed [--quick] [--profile NAME]`` starts the loopback providers and a loopback
site as a program of their own, dubs a 60-second, 29-line clip (and, without ``--quick``, one of ten
minutes) for the first time, again, into a second language, with one line edited, and twice at once on one
account. It prints wall time, the computed critical path (see ``speed_paths``), stages, CPU, memory,
programs, requests and cost beside the prototype's figures, and keeps everything in ``bench/speed``.
Timings are this machine's; latencies are the profile's.
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
from benchmarks import harness, speed_paths

OUT = Path("bench/speed")
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
    first = request(here, folder, profile)
    french = request(here, folder, profile, target="fr", output=str(folder / "dub.fr.mp4"))
    rows, results = [], []

    def measure(what: str, order: dict[str, Any]) -> None:
        before = here.state()
        results.append(harness.run(order, folder, what.replace(" ", "-").replace(",", "")))
        rows.append(_row(what, profile, lines, results[-1], before, here.state()))
        _print(rows[-1])

    measure("first run", first)
    measure("again, unchanged", first)
    measure("second language", french)
    _edit(Path(harness_project(folder)))
    measure("one edited line", first)
    if lines < 100:
        rows.append(_two_at_once(here, folder, profile, alone=[results[0], results[2]]))
    return rows


def _two_at_once(
    here: World, folder: Path, profile: Profile, *, alone: list[dict[str, Any]]
) -> dict[str, Any]:
    """Two jobs from nothing, side by side on one account: each must end as it did ``alone``."""
    orders = []
    for target in ("es", "fr"):
        place = folder / f"beside-{target}"
        place.mkdir()
        wishes = {"target": target, "output": str(place / f"dub.{target}.mp4")}
        orders.append((request(here, place, profile, **wishes), place, "beside"))
    results = harness.run_all(orders)
    row = {
        "what": "two at once",
        "profile": profile.name,
        "wall_s": max(result["wall_s"] for result in results),
        "spoken": [result["receipt"]["line_count"] for result in results],
        "degradations": [result["receipt"]["degradations"] for result in results],
        "same_as_alone": [a["sha256"] == b["sha256"] for a, b in zip(results, alone, strict=True)],
    }
    print(f"\n{profile.name}, two at once: {row['wall_s']:.2f} s")
    for name in ("spoken", "same_as_alone", "degradations"):
        print(f"  {name}: {row[name]}")
    return row


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
    programs = dict(result["cpu_programs_s"])
    engines = {role: spent for role, spent in result["cpu_roles_s"].items() if role != "studio" and spent}
    process = result["cpu_self_s"] - sum(engines.values())
    engines["downloader"] = engines.get("downloader", 0.0) + programs.pop("yt-dlp", 0.0)
    row: dict[str, Any] = {
        "what": what,
        "profile": profile.name,
        "lines": lines,
        "wall_s": result["wall_s"],
        "cpu_own_s": process + sum(programs.values()),
        "cpu_process_s": process,
        "cpu_programs_s": {name: round(spent, 2) for name, spent in programs.items()},
        "cpu_engines_s": {role: round(spent, 2) for role, spent in engines.items()},
        "peak_mb": result["peak_tree_mb"],
        "programs": result["programs"],
        "requests": requests,
        "stages": {name: [round(at, 2) for at in span] for name, span in speed_paths.stages(result).items()},
        "speech_lanes": speed_paths.busy_lanes(result),
        "cost": receipt.get("bill"),
        "metrics": _figures(receipt),
    }
    if what == "first run":
        chains = speed_paths.chains(profile, result, asked, clip=_seconds(result))
        row["chains"] = chains
        row["critical_engines_s"] = speed_paths.least(chains, with_ours=False)
        row["critical_s"] = speed_paths.least(chains, with_ours=True)
        row["over_critical"] = result["wall_s"] / row["critical_s"]
        row["goal_s"] = GOALS[profile.name, lines]
        row["prototype"] = PROTOTYPE.get((profile.name, lines))
    return row


def _seconds(result: dict[str, Any]) -> float:
    """Length of the source."""
    return float(result["receipt"]["durations"]["source_ms"]) / 1000


def _figures(receipt: dict[str, Any]) -> dict[str, Any]:
    """The receipt's figures of timing."""
    wanted = ("T1.", "T6.", "T9.", "T10", "T18", "T20")
    return {m["id"]: m["value"] for m in receipt["metrics"] if m["id"].startswith(wanted)}


def _print(row: dict[str, Any]) -> None:
    print(f"\n{row['profile']}, {row['lines']} lines, {row['what']}: {row['wall_s']:.2f} s")
    if "critical_s" in row:
        print(
            f"  goal {row['goal_s']} s; critical path {row['critical_s']:.2f} s, of engines alone "
            f"{row['critical_engines_s']:.2f} s; {row['over_critical']:.2f} of the path; "
            f"prototype {row['prototype']}"
        )
        for name, chain in row["chains"].items():
            parts = ", ".join(f"{part} {seconds:.2f}" for part, seconds in chain.items())
            print(f"  {name} {sum(chain.values()):.2f}: {parts}")
    for name in ("stages", "speech_lanes", "requests", "programs", "metrics"):
        if row.get(name):
            print(f"  {name}: {row[name]}")
    if row["cost"]:
        print(f"  cost: ${row['cost']['total']:.4f}")
    print(
        f"  own CPU {row['cpu_own_s']:.2f} s ({row['cpu_process_s']:.2f} process, "
        f"{row['cpu_programs_s']}), engines {row['cpu_engines_s']}, peak {row['peak_mb']:.0f} MB"
    )


if __name__ == "__main__":
    main()
