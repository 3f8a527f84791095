"""Synchrony, sound and cost of dubs of clips whose line times are known: 1, 10 and 120 minutes.

``python -m benchmarks.synchrony [--quick] [--minutes 1 10 120] [--media FOLDER]`` dubs each clip
three times: cold; with the answers of all engines kept but everything else made again (what this
costs is Autodub's own); and unchanged. Results go to ``bench/synchrony.json`` and ``.md``.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from autodub.model.time import Span
from autodub.testing.clips import KnownClip
from benchmarks import harness, material

ENGINE_PROGRAMS = ("espeak-ng", "apertium", "flite", "python")


@dataclass(frozen=True, slots=True)
class Row:
    """One figure, what is asked of it, and whether it is met; None = reported only."""

    name: str
    value: float | str | None
    unit: str
    wanted: str = ""
    met: bool | None = None


def main() -> int:
    """Run what the command line asks for; the exit code says whether every bound was met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one minute only")
    parser.add_argument("--minutes", type=int, nargs="+", default=[1, 10, 120])
    parser.add_argument("--folder", type=Path, default=Path("bench"))
    options = parser.parse_args()
    folder: Path = options.folder
    folder.mkdir(parents=True, exist_ok=True)
    tables: dict[str, list[Row]] = {}
    own: dict[float, float] = {}
    for minutes in [1] if options.quick else options.minutes:
        tables[f"{minutes} min"] = measured(minutes, folder, own)
        (folder / "synchrony.json").write_text(
            json.dumps({name: [asdict(row) for row in rows] for name, rows in tables.items()}, indent=2)
            + "\n"
        )
        page = markdown(tables) + further(own)
        (folder / "synchrony.md").write_text(page, encoding="utf-8")
    print(page)
    missed = [f"{name}: {row.name}" for name, rows in tables.items() for row in rows if row.met is False]
    for line in missed:
        print(f"not met: {line}")
    return 1 if missed else 0


def measured(minutes: int, folder: Path, own_cpu: dict[float, float]) -> list[Row]:
    """Build the clip, dub it three times, and put the figures in rows.

    ``own_cpu`` gets the clip's minutes and the CPU seconds that all but the engines took.
    """
    say(f"{minutes} min: building the clip")
    clip = material.clip(minutes, folder)
    data = folder / f"data-{minutes}"
    remove(data)
    out = clip.path.with_name(f"{clip.path.stem}.es.mp4")
    for old in clip.path.parent.glob(f"{out.stem}.*"):
        old.unlink()
    request = {
        "source": str(clip.path), "target": "es", "spoken": "en", "output": str(out),
        "subtitles": str(clip.path.with_suffix(".srt")), "data_dir": str(data),
    }  # fmt: skip
    say(f"{minutes} min: {len(clip.lines)} lines, dubbing")
    cold = harness.run(request, folder, f"cold-{minutes}")
    say(f"{minutes} min: own cost")
    forget_own_steps(data)
    own = harness.run(request, folder, f"own-{minutes}")
    say(f"{minutes} min: second run")
    second = second_run(request)
    receipt = cold["receipt"]
    own_cpu[clip.duration / 60_000] = own["cpu_self_s"] + own["cpu_children_s"]
    return [
        *synchrony(receipt, clip),
        *by_energy(receipt, out),
        *sound(receipt, clip.path, out),
        *cost(cold, own, second, minutes=clip.duration / 60_000),
    ]


def synchrony(receipt: dict[str, Any], clip: KnownClip) -> list[Row]:
    """Figures of timing, from the receipt, and against what is known of the clip."""
    value = figures(receipt)
    count = receipt["line_count"]
    onsets = known_onsets(receipt, clip)
    placed = [abs(error) for error in onsets]
    return [
        Row("Lines", count["total"], "", "", None),
        bounded("Lines spoken and heard", count["heard"], "", "all", lambda v: v == count["total"]),
        bounded("Placed against planned, most", value("T8.samples"), "samples", "= 0", lambda v: v == 0),
        bounded("Onset to plan, p50 (10 ms grid)", value("R1.onset.p50"), "ms", "<= 40", lambda v: v <= 40),
        bounded("Onset to plan, p95 (10 ms grid)", value("R1.onset.p95"), "ms", "<= 120", lambda v: v <= 120),
        Row("Onset against the known time, median", percentile(onsets, 50), "ms"),
        Row("Onset against the known time, p95 of size", percentile(placed, 95), "ms"),
        Row("Onset against detected source speech, p95", value("T6.onset.p95"), "ms"),
        bounded("Drift beyond doubt (T8)", value("T8.gate"), "ms/min", "<= 1", lambda v: v <= 1),
        bounded("Violations (T18)", value("T18"), "", "= 0", lambda v: v == 0),
        bounded("Speech overlap (T1)", value("T1.file"), "", ">= .80", lambda v: v >= 0.80),
        bounded("Lines at pace .90-1.15 (T9)", value("T9.natural"), "", ">= .95", lambda v: v >= 0.95),
        bounded("Evenness (T10)", value("T10"), "", ">= .95", lambda v: v >= 0.95),
    ]  # fmt: skip


def by_energy(receipt: dict[str, Any], out: Path) -> list[Row]:
    """Rendered against planned once more, without the detector that clips are placed by.

    The receipt's figure has the detector's grid of 10 ms, and clips are placed on that grid: it
    reads 0 for anything smaller. Here an onset is the first of 1 ms frames (5 ms means) that is 4 dB
    above what is usual in the 80 ms to 250 ms before the planned onset.
    """
    command = ["ffmpeg", "-v", "error", "-i", str(out), "-map", "0:a:0", "-ac", "1", "-ar", "16000",
               "-f", "s16le", "-"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, check=True)
    samples = np.frombuffer(done.stdout, np.int16)
    errors = []
    sought = [row for row in receipt["lines"] if row["rendered_against_planned_ms"] is not None]
    for row in sought:
        planned = row["dub_ms"][0] - row["rendered_against_planned_ms"]
        first = (planned - 250) * 16
        if first < 0 or first + 8000 > len(samples):
            continue
        frames = (samples[first : first + 8000].astype(np.float64) / 32768).reshape(-1, 16)
        level = 10 * np.log10(np.convolve(np.mean(frames**2, axis=1), np.ones(5) / 5, "same") + 1e-12)
        above = np.flatnonzero(level[100:] > np.percentile(level[:170], 90) + 4)
        if len(above):
            errors.append(abs(float(above[0]) - 150))
    return [
        bounded("The same by energy alone, p50", percentile(errors, 50), "ms", "<= 40", lambda v: v <= 40),
        bounded("The same by energy alone, p95", percentile(errors, 95), "ms", "<= 120", lambda v: v <= 120),
        Row("Lines whose onset energy shows", f"{len(errors)} of {len(sought)}", ""),
    ]  # fmt: skip


def sound(receipt: dict[str, Any], source: Path, out: Path) -> list[Row]:
    """Figures of length, picture and sound."""
    value = figures(receipt)
    same = packets(source) == packets(out)
    frames = receipt["durations"]["difference_picture_frames"]
    return [
        bounded("Length against the source", frames, "frames", "<= 1", lambda v: abs(v) <= 1),
        Row("Picture packets", "identical" if same else "different", "", "identical", same),
        bounded("Null test before encoding (B1)", value("B1"), "dB", "<= -90", lambda v: v <= -90),
        bounded("Programme loudness error", value("M5.loudness"), "LU", "<= 0.5", lambda v: v <= 0.5),
        bounded("Clipped samples", value("M5.clipped"), "", "= 0", lambda v: v == 0),
        Row("Original voice left (B2)", value("B2"), "dB"),
    ]


def cost(cold: dict[str, Any], own: dict[str, Any], second: float, *, minutes: float) -> list[Row]:
    """Figures of time, memory and programs."""
    per_minute = (own["cpu_self_s"] + own["cpu_children_s"]) / minutes
    programs = {name: n for name, n in cold["programs"].items() if name not in ENGINE_PROGRAMS}
    return [
        Row("Dubbing time, cold, of the clip's length", cold["wall_s"] / 60 / minutes, ""),
        bounded("Own CPU per minute", per_minute, "s", "<= 1.5", lambda v: v <= 1.5),
        Row("  of it in ffmpeg and the like", own["cpu_children_s"] / minutes, "s"),
        bounded("Peak memory without engines", own["peak_tree_mb"], "MB", "<= 400", lambda v: v <= 400),
        Row("Peak memory, cold", cold["peak_tree_mb"], "MB"),
        Row("Programs started that are no engines", sum(programs.values()), "", str(programs), None),
        bounded("Second run beyond interpreter start", second, "s", "<= 1.0", lambda v: v <= 1.0),
    ]


def figures(receipt: dict[str, Any]) -> Callable[[str], float | None]:
    """Look-up of a receipt's figures by id."""
    values = {metric["id"]: metric["value"] for metric in receipt["metrics"]}
    return lambda name: values.get(name)


def known_onsets(receipt: dict[str, Any], clip: KnownClip) -> list[float]:
    """Per line: detected dub onset minus the known onset of the line it stands for, ms."""
    errors = []
    for line in receipt["lines"]:
        if line["dub_ms"] is None:
            continue
        span = Span(*line["source_ms"])
        known = max(clip.lines, key=lambda k: k.span.overlap(span))
        first = min((k for k in clip.lines if k.span.overlap(span) > 0), key=lambda k: k.span, default=known)
        if abs(first.span.start - span.start) < 300:  # the line begins where a known line begins
            errors.append(line["dub_ms"][0] - first.span.start)
    return errors


def bounded(name: str, value: float | None, unit: str, wanted: str, holds: Callable[[float], bool]) -> Row:
    """A row with a bound; a figure that could not be measured does not meet it."""
    return Row(name, value, unit, wanted, value is not None and holds(value))


def percentile(values: list[float], q: float) -> float | None:
    """Percentile with linear interpolation; None of nothing."""
    return float(np.percentile(values, q)) if values else None


def packets(path: Path) -> str:
    """Digest of the picture's packets, as they lie in the container."""
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-map", "0:v", "-c", "copy", "-f", "streamhash",
               "-hash", "sha256", "-"]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def forget_own_steps(data: Path) -> None:
    """Remove the kept answers of everything that is not an engine, and the record of the finished dub."""
    from autodub.engines import registry
    from autodub.model.request import ROLES

    engines = {f"{role}.{name}" for role in ROLES for name in registry.names(role)}
    engines -= {f"downloader.{name}" for name in registry.names("downloader")}
    with closing(sqlite3.connect(data / "index.sqlite")) as index, index:
        marks = ",".join("?" * len(engines))
        index.execute(f"DELETE FROM answers WHERE engine NOT IN ({marks})", sorted(engines))


def second_run(request: dict[str, Any]) -> float:
    """Wall seconds of an unchanged second run from the command line, less those of an empty interpreter."""
    program = str(Path(sys.executable).with_name("autodub"))
    command = [program, "dub", request["source"], "--to", request["target"], "--from", request["spoken"],
               "-o", request["output"], "--subtitles", request["subtitles"],
               "--data-dir", request["data_dir"], "--json"]  # fmt: skip
    timed(command)  # the options differ in spelling from the library's: let this be the first of its kind
    return timed(command) - timed([sys.executable, "-c", "pass"])


def timed(command: list[str]) -> float:
    """Best of three wall times, seconds."""
    best = float("inf")
    for _ in range(3):
        began = time.monotonic()
        subprocess.run(command, capture_output=True, check=True)
        best = min(best, time.monotonic() - began)
    return best


def markdown(tables: dict[str, list[Row]]) -> str:
    """All figures as one table: a row per figure, a column per clip."""
    names = list(tables)
    lines = ["| figure | wanted | " + " | ".join(names) + " |", "|---|---|" + "---|" * len(names)]
    for index, row in enumerate(next(iter(tables.values()))):
        cells = []
        for rows in tables.values():
            mark = {True: "", False: " **not met**", None: ""}[rows[index].met]
            cells.append(f"{shown(rows[index].value)} {rows[index].unit}".strip() + mark)
        lines.append(f"| {row.name} | {row.wanted} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def further(own: dict[float, float]) -> str:
    """What one more minute costs, start-up aside: from the shortest clip to the longest."""
    if len(own) < 2:
        return ""
    short, long = min(own), max(own)
    each = (own[long] - own[short]) / (long - short)
    return (
        f"\nOwn CPU per further minute, from {short:.0f} to {long:.0f} min: {each:.2f} s (wanted <= 1.5).\n"
    )


def shown(value: float | str | None) -> str:
    """A value as text."""
    if value is None:
        return "not measured"
    return value if isinstance(value, str) else f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def remove(folder: Path) -> None:
    """Remove a folder and all in it, if it is there."""
    import shutil

    shutil.rmtree(folder, ignore_errors=True)


def say(text: str) -> None:
    """Tell how far the benchmark is."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
