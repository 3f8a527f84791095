"""Kill -9 of a server in the middle of jobs: every job finishes, with the same bytes, nothing is paid twice.

Jobs run once undisturbed. Then the same jobs run on a server whose whole process tree is killed at random
instants while they run, and started again; when they are over before enough kills were made, another round
begins in a fresh data directory. Somebody follows every job's stream of events through all of it.
"""

from __future__ import annotations

import contextlib
import hashlib
import random
import sqlite3
import statistics
import sys
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.server import OVER, Desk, Follower, Server, database

_FILES = ("media", "srt", "vtt")
"""What must be the same to the byte; receipts tell when and how long."""


@dataclass
class Round:
    """What became of the jobs of one data directory."""

    kills: int = 0
    completed: int = 0
    identical: int = 0
    again: list[str] = field(default_factory=list)
    """Engine and verb of answers that were kept before a kill and made again after it."""
    torn: int = 0
    """Files of the store whose content is not what their name says."""
    holes: int = 0
    """Jobs whose events, as kept or as streamed, are not 1, 2, 3 ... to the last."""
    breaks: int = 0
    """Streams that broke and were taken up again."""
    attempts: list[int] = field(default_factory=list)
    starts: list[float] = field(default_factory=list)
    """Seconds from starting the server until it answered."""
    errors: list[str] = field(default_factory=list)


def run(
    clips: list[tuple[Path, Path]], folder: Path, *, kind: str, times: int, slots: int, seed: int,
    wishes: dict[str, Any], environ: dict[str, str] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Kill a server ``times`` times over jobs of these clips and subtitles; what became of it."""
    instants = random.Random(seed)
    with database(kind) as address:
        whole, wanted = _undisturbed(clips, folder / "whole", address, slots, wishes, environ)
        print(f"{kind}: undisturbed, {len(clips)} jobs take {whole:.1f} s", file=sys.stderr, flush=True)
        rounds: list[Round] = []
        while (done := sum(one.kills for one in rounds)) < times:
            # Each kill takes up to a third of the work away that is under way, so that many fit into a round.
            pauses = iter(lambda: instants.uniform(0.05, 2.2) * whole / len(clips), None)
            with database(kind) as fresh:
                server = Server(
                    folder / f"round-{len(rounds) + 1}", database=fresh, slots=slots, environ=environ
                )
                rounds.append(_round(server, clips, wishes, wanted, pauses, most=times - done))
            print(f"{kind}: {rounds[-1]}", file=sys.stderr, flush=True)
    jobs = len(clips) * len(rounds)
    return {
        "database": kind,
        "kills": sum(one.kills for one in rounds),
        "rounds": len(rounds),
        "jobs": jobs,
        "completed": sum(one.completed for one in rounds),
        "with the same bytes as undisturbed": sum(one.identical for one in rounds),
        "kept answers made again": sum(len(one.again) for one in rounds),
        "files of the store that are not whole": sum(one.torn for one in rounds),
        "jobs whose events have a hole or a double": sum(one.holes for one in rounds),
        "streams that broke and went on": sum(one.breaks for one in rounds),
        "attempts of a job, most": max(max(one.attempts) for one in rounds),
        "undisturbed_s": round(whole, 1),
        "start_s, median": round(statistics.median(s for one in rounds for s in one.starts), 2),
        "errors": [error for one in rounds for error in one.errors],
    }


def is_good(report: dict[str, Any]) -> bool:
    """Whether nothing was lost, doubled or paid twice."""
    bad = ("kept answers made again", "files of the store that are not whole")
    bad += ("jobs whose events have a hole or a double",)
    same = report["completed"] == report["with the same bytes as undisturbed"] == report["jobs"]
    return same and not any(report[name] for name in bad)


def _undisturbed(
    clips: list[tuple[Path, Path]], folder: Path, address: str, slots: int, wishes: dict[str, Any],
    environ: dict[str, str] | None,
) -> tuple[float, list[dict[str, str]]]:  # fmt: skip
    server = Server(folder, database=address, slots=slots, environ=environ)
    server.start()
    try:
        with closing(Desk(server)) as desk:
            began = time.monotonic()
            jobs = _submit(desk, clips, wishes)
            desk.until_over(jobs)
            whole = time.monotonic() - began
            bad = [found["error"] for job in jobs if (found := desk.job(job))["state"] != "completed"]
            if bad:
                sys.exit(f"undisturbed, jobs failed: {bad}")
            return whole, [_digests(desk, job) for job in jobs]
    finally:
        server.stop()


def _round(
    server: Server, clips: list[tuple[Path, Path]], wishes: dict[str, Any], wanted: list[dict[str, str]],
    pauses: Any, *, most: int,
) -> Round:  # fmt: skip
    found = Round()
    kept: set[str] = set()
    seen = 0
    found.starts.append(server.start())
    try:
        desk = Desk(server)
        jobs = _submit(desk, clips, wishes)
        followers = [Follower(server, job) for job in jobs]
        while found.kills < most:
            _until_running(desk, jobs)
            time.sleep(next(pauses))
            if all(state in OVER for state in desk.states(jobs)):
                break
            desk.close()
            server.kill()
            found.kills += 1
            time.sleep(0.3)  # programs that die with it may still be closing files
            again, seen = _again(server, kept, seen)
            found.again += again
            kept = _kept(server.data)
            found.starts.append(server.start())
            desk = Desk(server)
        desk.until_over(jobs)
        for follower in followers:
            follower.join(60)
        found.again += _again(server, kept, seen)[0]
        for job, follower, bytes_ in zip(jobs, followers, wanted, strict=True):
            state = desk.job(job)
            found.attempts.append(state["attempt"])
            found.completed += state["state"] == "completed"
            found.errors += [str(state["error"])] if state["error"] else []
            found.identical += state["state"] == "completed" and _digests(desk, job) == bytes_
            numbers = [event["number"] for event in desk.events(job)]
            whole = list(range(1, state["events"] + 1))
            if not numbers == follower.numbers == whole:
                found.holes += 1
                found.errors.append(
                    f"{job}: {len(whole)} events; as JSON {_odd(numbers, whole)}; "
                    f"as a stream, over: {follower.is_over}, {_odd(follower.numbers, whole)}"
                )
            found.breaks += follower.breaks
        desk.close()
    finally:
        server.stop()
    found.torn = _torn(server.data)
    return found


def _submit(desk: Desk, clips: list[tuple[Path, Path]], wishes: dict[str, Any]) -> list[str]:
    return [
        desk.submit(upload=desk.upload(clip), **({"subtitles": desk.upload(said)} if said else {}), **wishes)
        for clip, said in clips
    ]


def _until_running(desk: Desk, jobs: list[str]) -> None:
    """Until a worker has a job, or all are over."""
    while True:
        states = desk.states(jobs)
        if "processing" in states or all(state in OVER for state in states):
            return
        time.sleep(0.05)


def _digests(desk: Desk, job: str) -> dict[str, str]:
    return {kind: hashlib.sha256(desk.file(job, kind)).hexdigest() for kind in _FILES}


def _kept(data: Path) -> set[str]:
    """Keys of every answer in the index."""
    none_yet = contextlib.suppress(sqlite3.OperationalError)  # killed before the table was made
    with none_yet, closing(sqlite3.connect(data / "index.sqlite")) as index:
        return {key for (key,) in index.execute("SELECT key FROM answers")}
    return set()


def _again(server: Server, kept: set[str], seen: int) -> tuple[list[str], int]:
    """Answers made since line ``seen`` of the log that had been kept before; how many lines there are now."""
    if not server.answers.exists():
        return [], 0
    lines = server.answers.read_text().splitlines()
    made = (line.split(" ", 2) for line in lines[seen:])
    return [what for _, key, what in made if key in kept], len(lines)


def _odd(numbers: list[int], whole: list[int]) -> str:
    """How numbers differ from what they should be."""
    if numbers == whole:
        return "whole"
    missing, doubled = sorted(set(whole) - set(numbers)), len(numbers) - len(set(numbers))
    return f"{len(numbers)}, without {missing[:5]}, {doubled} twice, sorted: {numbers == sorted(numbers)}"


def _torn(data: Path) -> int:
    from autodub.infra.blobs import Blobs

    blobs = Blobs(data)
    try:
        return len(blobs.verify())
    finally:
        blobs.close()
