"""Kill -9 at random instants: every resumed dub finishes, with the same output, and pays for nothing twice.

``python -m benchmarks.kill [--times 50] [--lines 30] [--seed 1]``. Each trial starts a dub in a
fresh data directory, kills it at a random instant of an uninterrupted run's length, notes which
answers the index holds, and runs the dub again. Results go to ``bench/kill.json``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks import harness, material


def main() -> int:
    """Run the trials; the exit code says whether all went well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="five times")
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--lines", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path("bench"))
    options = parser.parse_args()
    folder: Path = options.folder
    folder.mkdir(parents=True, exist_ok=True)
    clip = material.clip(4, folder, lines=options.lines)
    whole, wanted = uninterrupted(clip.path, folder)
    print(f"{len(clip.lines)} lines; an uninterrupted run takes {whole:.1f} s", file=sys.stderr)
    instants = random.Random(options.seed)
    trials = []
    late = 0
    while len(trials) < (5 if options.quick else options.times):
        made = trial(clip.path, folder, after=instants.uniform(0, whole), wanted=wanted)
        print(f"{len(trials) + 1:3d}: {made}", file=sys.stderr, flush=True)
        if made["killed"] or late > options.times:
            trials.append(made)
        else:  # it was done before its instant came: draw another one
            late += 1
    report = {
        "trials": len(trials),
        "killed while running": sum(t["killed"] for t in trials),
        "finished": sum(t["finished"] for t in trials),
        "identical": sum(t["identical"] for t in trials),
        "kept answers made again": sum(t["again"] for t in trials),
        "files left half-written under a final name": sum(t["torn"] for t in trials),
        "answers kept at the kill, least and most": [
            min(t["kept"] for t in trials), max(t["kept"] for t in trials)
        ],
    }  # fmt: skip
    (folder / "kill.json").write_text(json.dumps(report | {"each": trials}, indent=2) + "\n")
    print(json.dumps(report, indent=2))
    bad = report["kept answers made again"] or report["files left half-written under a final name"]
    return 0 if report["finished"] == report["identical"] == len(trials) and not bad else 1


def uninterrupted(source: Path, folder: Path) -> tuple[float, dict[str, str]]:
    """Wall seconds of a run that nobody disturbs, and the digests of what it writes."""
    request = fresh(source, folder / "kill-whole")
    began = time.monotonic()
    harness.run(request, folder, "kill-whole")
    return time.monotonic() - began, digests(Path(request["output"]))


def trial(source: Path, folder: Path, *, after: float, wanted: dict[str, str]) -> dict[str, Any]:
    """Kill one dub after so many seconds, and resume it."""
    request = fresh(source, folder / "kill-trial")
    command, _ = harness.order(request, folder, "kill-trial")
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        child.wait(after)
    except subprocess.TimeoutExpired:
        child.send_signal(signal.SIGKILL)
        child.wait()
    killed = child.returncode == -signal.SIGKILL
    time.sleep(0.3)  # its children, killed with it, may still be closing files
    out = Path(request["output"])
    torn = sum(digest != wanted.get(name) for name, digest in digests(out).items())
    kept = kept_keys(Path(request["data_dir"]))
    log = Path(request["log"])
    log.unlink(missing_ok=True)
    command, _ = harness.order(request, folder, "kill-trial")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    made = {line.split()[1] for line in log.read_text().splitlines()} if log.exists() else set()
    return {
        "after_s": round(after, 2), "killed": killed, "kept": len(kept), "made": len(made),
        "finished": done.returncode == 0, "identical": digests(out) == wanted,
        "again": len(kept & made), "torn": torn, "error": done.stderr[-300:],
    }  # fmt: skip


def fresh(source: Path, folder: Path) -> dict[str, Any]:
    """An order whose data directory and output do not exist yet; the output's name is always the same."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return {
        "source": str(source), "target": "es", "spoken": "en", "output": str(folder / "dub.mp4"),
        "subtitles": str(source.with_suffix(".srt")), "data_dir": str(folder / "data"),
        "log": str(folder / "made.log"),
    }  # fmt: skip


def digests(out: Path) -> dict[str, str]:
    """Digests of the dub and its subtitles; what is not there is left out."""
    files = [out, out.with_suffix(".srt"), out.with_suffix(".vtt")]
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in files if p.exists()}


def kept_keys(data: Path) -> set[str]:
    """Keys of every answer in the index."""
    index_path = data / "index.sqlite"
    if not index_path.exists():
        return set()
    with closing(sqlite3.connect(index_path)) as index:
        try:
            return {key for (key,) in index.execute("SELECT key FROM answers")}
        except sqlite3.OperationalError:  # killed before the table was made
            return set()


if __name__ == "__main__":
    sys.exit(main())
