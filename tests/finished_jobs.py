"""Jobs whose dub is finished already, written straight into a platform: for tests of what comes after it."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from autodub.jobs.platform import Platform
from autodub.jobs.records import LOCAL
from autodub.jobs.tables import jobs, projects
from autodub.pipeline.project import CastEntry, LineEntry, Project, Timing, VoiceEntry, Wording, dump

SECONDS = 60


def line(number: int, *, speaker: str = "S1", text: str = "") -> LineEntry:
    """A line as it was made: three seconds in every four, sounding a tenth later."""
    start, end = (number - 1) * 4000, (number - 1) * 4000 + 3000
    text, source = text or f"Frase número {number}.", f"Sentence number {number}."
    made = Wording(
        text=text, source=source, speaker=speaker, start_ms=start, end_ms=end, keep_original=False
    )  # fmt: skip
    timing = Timing(start_ms=start + 100, end_ms=end + 100, native_rate=1.0, stretch=1.0)
    return LineEntry(
        id=f"L{number:04}", speaker=speaker, start_ms=start, end_ms=end, source=source, text=text,
        timing=timing, made=made,
    )  # fmt: skip


def project(*lines: LineEntry) -> Project:
    """A project nobody touched: by default four lines, the last one of a second speaker."""
    lines = lines or (line(1), line(2), line(3), line(4, speaker="S2"))
    cast = {
        name: CastEntry(id=voice, pitch_hz=110.0, made=VoiceEntry(id=voice, pitch_hz=110.0))
        for name, voice in (("S1", "fake-1"), ("S2", "fake-2"))
    }
    return Project(
        source="Talk.mp4", source_sha256="a" * 64, spoken="en", target="es", voices=cast, lines=list(lines),
        made_lines={one.id: one.source for one in lines},
    )  # fmt: skip


def finished(
    platform: Platform, *, owner: str = LOCAL, made: Project | None = None, state: str = "completed",
    **values: Any,
) -> str:  # fmt: skip
    """The id of a job whose dub is finished, with its project as revision 1; ``values`` go into its row."""
    receipt = {
        "durations": {
            "source_ms": SECONDS * 1000, "source_samples": SECONDS * 16_000, "sample_rate_hz": 16_000,
        },
        "engines": [{"role": "synthesizer", "name": "fake"}],
    }  # fmt: skip
    with platform.store.blobs.scratch() as folder:
        file = Path(folder) / "receipt.json"
        file.write_text(json.dumps(receipt), encoding="utf-8")
        blob = platform.store.blobs.keep(file)
    files = {"receipt": {"name": "r.json", "digest": blob.digest, "size": blob.size, "suffix": blob.suffix}}
    job = secrets.token_hex(16)
    row = {
        "id": job, "owner": owner, "kind": "dub", "state": state, "priority": 0, "title": "Talk.mp4",
        "spec": json.dumps({"source": "https://youtube.com/watch?v=1", "target": "es"}), "created": 1.0,
        "queued": 1.0, "updated": 1.0, "attempt": 1, "crashes": 0, "stopping": "", "progress": 1.0,
        "stage": "", "message": "", "result": json.dumps({"files": files}), "revision": 1, "made": 1,
        "duration": float(SECONDS), "spent": 0, "events": 0, "seen": "{}",
    }  # fmt: skip
    first = {"job": job, "revision": 1, "text": dump(made or project()), "created": 1.0, "what": "made"}
    with platform.sql.writing() as connection:
        connection.execute(insert(jobs).values(**row | values))
        connection.execute(insert(projects).values(**first))
    return job
