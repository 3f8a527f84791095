"""The cloud chain while providers fail and processes are killed: every job finishes, nothing is paid twice.

``python -m benchmarks.faults [--jobs 30] [--rate 0.2] [--kills 50] [--lines 12] [--seed 1] [--quick]``.
First a dub that nothing disturbs: its bill and its bytes are what all others are compared with. Then
jobs with a part of all requests failing at random (429, 500, time-outs, resets), then kill -9 at random
instants and a resumption each. Prints tables; results go to ``bench/faults.json``, each as soon as it is
there, so that a run that is stopped has something to show.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from autodub.testing import dialogue
from autodub.testing.loopback import INSTANT, Faults, Loopback, Profile
from autodub.testing.loopback.__main__ import SERVICES, service
from benchmarks import harness
from benchmarks.kill import digests

KEYS = {f"{name}_API_KEY": f"{name.lower()}-bench-key" for name in ("DEEPGRAM", "OPENAI", "ELEVENLABS")}
LIVELY = Profile(
    "lively", recognition=(0.3, 0.0), translation=(0.3, 0.005), synthesis=(0.3, 0.004), cloning=0.5
)
"""Latency that lets calls overlap, so that a kill finds some in flight."""
_KEEPING = 0.3
"""Seconds after an answer in which a job may not have kept it yet."""

_STRUCK = (
    "seed", "finished", "requests", "failed", "repeated", "same_bill", "same_dub", "voices_left", "wall_s",
    "error",
)  # fmt: skip
_KILLED = ("after_s", "killed", "finished", "in_flight", "repeated", "same_dub", "voices_left", "error")


def main() -> int:
    """Run all; the exit code says whether everything held."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="three jobs, three kills")
    parser.add_argument("--jobs", type=int, default=30)
    parser.add_argument("--rate", type=float, default=0.2)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--lines", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path("bench"))
    options = parser.parse_args()
    if options.quick:
        options.jobs, options.kills = min(3, options.jobs), min(3, options.kills)
    folder: Path = options.folder
    folder.mkdir(parents=True, exist_ok=True)
    talk = dialogue.build(folder / "clips", lines=options.lines, size=(320, 180))
    base = undisturbed(talk, folder)
    print(
        f"undisturbed: {base['wall_s']:.1f} s, {base['requests']} requests, {base['charged']}",
        file=sys.stderr,
    )
    struck: list[dict[str, Any]] = []
    killed: list[dict[str, Any]] = []
    report = {"undisturbed": base, "faults": struck, "kills": killed}
    for number in range(options.jobs):
        struck.append(disturbed(talk, folder, base, rate=options.rate, seed=options.seed + number))
        _write(folder, report)
    instants = random.Random(options.seed)
    late = 0
    while len(killed) < options.kills:
        made = interrupted(talk, folder, base, after=instants.uniform(0.2, base["wall_s"] * 0.95))
        if made["killed"] or late > options.kills:
            killed.append(made)
            _write(folder, report)
        else:  # it was done before its instant came: draw another one
            late += 1
    _write(folder, report)
    show(f"{options.rate:.0%} of requests fail", struck, _STRUCK)
    show("kill -9 and resume", killed, _KILLED)
    good = all(t["finished"] and t["same_bill"] and t["same_dub"] and not t["repeated"] for t in struck)
    good &= all(t["finished"] and t["same_dub"] and t["repeated"] <= t["in_flight"] for t in killed)
    return 0 if good and not any(t["voices_left"] for t in struck + killed) else 1


def _write(folder: Path, report: dict[str, Any]) -> None:
    (folder / "faults.json").write_text(json.dumps(report, indent=2) + "\n")


@contextmanager
def world(
    talk: dialogue.Dialogue, *, profile: Profile = LIVELY, faults: Faults | None = None
) -> Iterator[tuple[Loopback, dict[str, Any]]]:
    """The providers, and the services by name."""
    services: dict[str, Any] = {name: service(name) for name in SERVICES}
    services["deepgram"].tell(talk.words, duration=talk.clip.duration)
    keys = {name: [KEYS[f"{name.upper()}_API_KEY"]] for name in services}
    with Loopback(services.values(), profile=profile, faults=faults or Faults(hold=0.5), keys=keys) as server:
        yield server, services
        if server.crashes:
            sys.exit(server.crashes[0])


def order(talk: dialogue.Dialogue, server: Loopback, folder: Path) -> dict[str, Any]:
    """An order of the cloud chain whose data directory does not exist yet."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    addresses = {f"{name.upper()}_BASE_URL": server.url(name) for name in SERVICES}
    addresses["OPENAI_BASE_URL"] += "/v1"
    return {
        "source": str(talk.clip.path), "target": "es", "spoken": "en", "output": str(folder / "dub.mp4"),
        "data_dir": str(folder / "data"), "environ": KEYS | addresses, "clone_voices": True,
        "options": {"cloner": {"least_seconds": "1"}},
        "engines": {"transcriber": "deepgram", "translator": "openai", "synthesizer": "elevenlabs",
                    "cloner": "elevenlabs", "separator": "spectral"},
    }  # fmt: skip


def undisturbed(talk: dialogue.Dialogue, folder: Path) -> dict[str, Any]:
    """What all others are compared with."""
    with world(talk) as (server, _):
        asked = order(talk, server, folder / "faults-base")
        began = time.monotonic()
        harness.run(asked, folder, "faults-base")
        return {
            "wall_s": time.monotonic() - began, "charged": server.charged(), "requests": len(server.requests),
            "digests": digests(Path(asked["output"])),
        }  # fmt: skip


def disturbed(
    talk: dialogue.Dialogue, folder: Path, base: dict[str, Any], *, rate: float, seed: int
) -> dict[str, Any]:
    """One job with random faults."""
    with world(talk, profile=INSTANT, faults=Faults(rate=rate, seed=seed, hold=0.5)) as (server, services):
        asked = order(talk, server, folder / "faults-job")
        began = time.monotonic()
        command, _ = harness.order(asked, folder, "faults-job")
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        made = {
            "seed": seed, "wall_s": round(time.monotonic() - began, 1), "error": done.stderr[-300:],
            "failed": sum(bool(request.fault) for request in server.requests),
        } | outcome(done.returncode, server, services, asked, base)  # fmt: skip
    print(made, file=sys.stderr, flush=True)
    return made


def interrupted(
    talk: dialogue.Dialogue, folder: Path, base: dict[str, Any], *, after: float
) -> dict[str, Any]:
    """Kill one job after so many seconds, and resume it."""
    with world(talk) as (server, services):
        asked = order(talk, server, folder / "faults-kill")
        command, _ = harness.order(asked, folder, "faults-kill")
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            child.wait(after)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
            child.wait()
        at = server.clock()
        time.sleep(0.5)
        flying = sum(r.began <= at and r.ended >= at - _KEEPING for r in server.requests)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        made = {
            "after_s": round(after, 2), "killed": child.returncode == -signal.SIGKILL, "in_flight": flying,
            "error": done.stderr[-300:],
        } | outcome(done.returncode, server, services, asked, base)  # fmt: skip
    print(made, file=sys.stderr, flush=True)
    return made


def outcome(
    code: int, server: Loopback, services: dict[str, Any], asked: dict[str, Any], base: dict[str, Any]
) -> dict[str, Any]:
    """How a job ended, and what it cost."""
    return {
        "finished": code == 0,
        "requests": len(server.requests),
        "repeated": len(server.repeated()),
        "charged": server.charged(),
        "same_bill": server.charged() == base["charged"],
        "same_dub": digests(Path(asked["output"])) == base["digests"],
        "voices_left": len(services["elevenlabs"].voices()),
    }


def show(title: str, rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> None:
    """A table, with sums of what can be counted."""
    if not rows:
        return
    print(f"\n{title}: {sum(row['finished'] for row in rows)} of {len(rows)} finished")
    print("  ".join(f"{name:>11}" for name in columns))
    for row in rows:
        print("  ".join(f"{str(row[name]).strip()[-60:]:>11}" for name in columns))
    sums = {name: sum(row[name] for row in rows) for name in columns if isinstance(rows[0][name], int)}
    print("sum: " + ", ".join(f"{name} {value}" for name, value in sums.items() if name != "seed"))


if __name__ == "__main__":
    sys.exit(main())
