"""A cluster: killed, cut, emptied, slow, and how much it does.

``python -m benchmarks.cluster kills [--jobs 30] [--workers 3]`` kills its parts at random while jobs of
three users run. ``throughput [--jobs 24]`` has jobs done by engines that take no time, on 1, 2 and 3 workers,
and with a slow network. ``partition [--seconds 60]`` cuts one worker off from the database. ``emptied``
empties Redis again and again. Results go to ``bench/cluster-*.json``; ``make setup`` installs what is needed.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any


def main() -> int:
    """Run one of them; the exit code says whether it went as it must."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("bench"))
    what = parser.add_subparsers(dest="what", required=True)
    kills = what.add_parser("kills")
    kills.add_argument("--jobs", type=int, default=30)
    kills.add_argument("--workers", type=int, default=3)
    kills.add_argument("--seed", type=int, default=1)
    kills.add_argument("--pause", type=float, default=6.0, help="seconds between two kills at most")
    kills.add_argument("--durable", action="store_true", help="a database that would outlive a loss of power")
    throughput = what.add_parser("throughput")
    throughput.add_argument("--jobs", type=int, default=24)
    throughput.add_argument("--workers", type=int, nargs="*", default=[1, 2, 3])
    throughput.add_argument(
        "--delay", type=float, default=0.2, help="seconds there and back, in the slow run"
    )
    partition = what.add_parser("partition")
    partition.add_argument("--seconds", type=float, default=60.0)
    emptied = what.add_parser("emptied")
    emptied.add_argument("--jobs", type=int, default=12)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    # A folder that the database's user reaches, too.
    place = Path(tempfile.mkdtemp(prefix="bench-cluster-"))
    place.chmod(0o755)
    good = False
    try:
        report, good = _RUNS[options.what](options, place)
    finally:
        if not good:
            _keep_logs(place, options.folder / f"cluster-{options.what}-logs")
        shutil.rmtree(place, ignore_errors=True)
    (options.folder / f"cluster-{options.what}.json").write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report, indent=2))
    return 0 if good else 1


def _keep_logs(place: Path, to: Path) -> None:
    """What can tell why it did not go well."""
    shutil.rmtree(to, ignore_errors=True)
    to.mkdir(parents=True)
    for log in (*place.rglob("logs/*.log"), *place.rglob("answers.log"), *place.rglob("server.log")):
        shutil.copy(log, to / "-".join(log.relative_to(place).parts))


def _kills(options: argparse.Namespace, place: Path) -> tuple[dict[str, Any], bool]:
    from benchmarks import cluster_kills

    report = cluster_kills.run(
        place, options.folder / "clips", jobs=options.jobs, workers=options.workers, seed=options.seed,
        pause=options.pause, durable=options.durable,
    )  # fmt: skip
    return report, cluster_kills.is_good(report)


def _throughput(options: argparse.Namespace, place: Path) -> tuple[dict[str, Any], bool]:
    from benchmarks import cluster_throughput

    report = cluster_throughput.run(place, jobs=options.jobs, workers=options.workers, delay=options.delay)
    return report, all(found["completed"] == options.jobs for found in report["runs"])


def _partition(options: argparse.Namespace, place: Path) -> tuple[dict[str, Any], bool]:
    from benchmarks import cluster_partition

    report = cluster_partition.partition(place, seconds=options.seconds)
    return report, cluster_partition.is_good(report)


def _emptied(options: argparse.Namespace, place: Path) -> tuple[dict[str, Any], bool]:
    from benchmarks import cluster_partition

    report = cluster_partition.emptied(place, jobs=options.jobs)
    return report, cluster_partition.is_good(report)


_RUNS = {"kills": _kills, "throughput": _throughput, "partition": _partition, "emptied": _emptied}


if __name__ == "__main__":
    sys.exit(main())
