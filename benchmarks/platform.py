"""The platform: killed, under load, and with a long queue.

``python -m benchmarks.platform kills [--times 20] [--jobs 10] [--postgres]`` kills a server in the middle of
jobs. ``queue [--queued 1000] [--past 5000] [--postgres]`` times the queue. ``load [--minutes 1]`` asks a
server from another process while jobs run: jobs of the embedded engines, which want every core there is, or,
with ``--clouds modern`` (or ``prototype``), jobs that wait for providers of known latency. Results go to
``bench/platform-*.json``.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from autodub.testing.loopback.profile import PROFILES

WISHES: dict[str, Any] = {"target": "es", "spoken": "en"}
_SAID = 29
"""Lines of the dialogue that the loopback providers know."""


def main() -> int:
    """Run one of them; the exit code says whether it went as it must."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("bench"))
    parser.add_argument("--postgres", action="store_true", help="on PostgreSQL instead of SQLite")
    what = parser.add_subparsers(dest="what", required=True)
    kills = what.add_parser("kills")
    kills.add_argument("--times", type=int, default=20)
    kills.add_argument("--jobs", type=int, default=10)
    kills.add_argument("--lines", type=int, default=8, help="of each job")
    kills.add_argument("--slots", type=int, default=3)
    kills.add_argument("--seed", type=int, default=1)
    queue = what.add_parser("queue")
    queue.add_argument("--queued", type=int, default=1_000)
    queue.add_argument("--past", type=int, default=5_000, help="jobs that are over")
    load = what.add_parser("load")
    load.add_argument("--minutes", type=float, default=1.0)
    load.add_argument("--jobs", type=int, default=4, help="that run at once")
    load.add_argument("--lines", type=int, default=20, help="of each job")
    load.add_argument("--rate", type=float, default=200.0, help="requests per second")
    load.add_argument("--streams", type=int, default=100)
    load.add_argument(
        "--clouds", choices=["prototype", "modern"], help="providers' latencies; 29 lines a job"
    )
    for one in (kills, queue, load):
        one.add_argument("--postgres", action="store_true", default=argparse.SUPPRESS)
    options = parser.parse_args()
    kind = "postgres" if options.postgres else "sqlite"
    folder: Path = options.folder
    report, good = {"kills": _kills, "queue": _queue, "load": _load}[options.what](options, folder, kind)
    (folder / f"platform-{options.what}-{kind}.json").write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report, indent=2))
    return 0 if good else 1


def clips(folder: Path, count: int, lines: int) -> list[tuple[Path, Path]]:
    """Different clips and their subtitles, made once."""
    from benchmarks import material

    made = []
    for seed in range(1, count + 1):
        place = folder / "clips" / f"platform-{lines}-{seed}"
        found = sorted(place.glob("*.mp4"))
        if not found:
            place.mkdir(parents=True, exist_ok=True)
            found = [material.clip(4, place, lines=lines, seed=seed).path]
        made.append((found[0], found[0].with_suffix(".srt")))
    return made


def _fresh(folder: Path, name: str) -> Path:
    place = folder / name
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    return place


def _kills(options: argparse.Namespace, folder: Path, kind: str) -> tuple[dict[str, Any], bool]:
    from benchmarks import platform_kills

    report = platform_kills.run(
        clips(folder, options.jobs, options.lines), _fresh(folder, f"platform-kills-{kind}"), kind=kind,
        times=options.times, slots=options.slots, seed=options.seed, wishes=WISHES,
        environ={"AUTODUB_USER_RUNNING": str(options.slots)},
    )  # fmt: skip
    return report, platform_kills.is_good(report)


def _queue(options: argparse.Namespace, folder: Path, kind: str) -> tuple[dict[str, Any], bool]:
    from benchmarks import platform_queue

    place = _fresh(folder, f"platform-queue-{kind}")
    report = platform_queue.run(place, kind=kind, queued=options.queued, past=options.past)
    return report, all(found["p99"] < 20 for found in report["ms"].values())


def _load(options: argparse.Namespace, folder: Path, kind: str) -> tuple[dict[str, Any], bool]:
    from benchmarks import platform_load, speed

    place = _fresh(folder, f"platform-load-{kind}")
    asked = {"kind": kind, "minutes": options.minutes, "rate": options.rate, "streams": options.streams}
    if options.clouds is None:
        made: list[tuple[Path, Path | None]] = [*clips(folder, options.jobs, options.lines)]
        return platform_load.run(made, place, **asked, wishes=WISHES)
    made = [(clip, None) for clip in _dialogues(folder, options.jobs)]
    with speed.world(options.clouds, _SAID, folder / "clips") as here:
        order = speed.request(here, place, PROFILES[options.clouds])
        environ = {
            k: v for k, v in order["environ"].items() if k not in ("AUTODUB_SITES", "AUTODUB_ADDRESSES")
        }
        engines = {role: name for role, name in order["engines"].items() if role != "separator"}
        wishes = WISHES | {"engines": engines, "options": order["options"]}
        report, good = platform_load.run(made, place, **asked, wishes=wishes, environ=environ)
    return {"clouds": options.clouds, **report}, good


def _dialogues(folder: Path, count: int) -> list[Path]:
    """The dialogue the loopback providers know, each time a little louder, so that no two are the same."""
    from autodub.testing import dialogue

    source = dialogue.build(folder / "clips", lines=_SAID).clip.path
    made = []
    for number in range(count):
        path = folder / "clips" / f"platform-dialogue-{number}{source.suffix}"
        if not path.exists():
            louder = ["-af", f"volume={number / 10}dB", "-c:v", "copy", "-c:a", "aac", "-b:a", "192k"]
            subprocess.run(["ffmpeg", "-v", "error", "-i", source, *louder, path], check=True)
        made.append(path)
    return made


if __name__ == "__main__":
    sys.exit(main())
