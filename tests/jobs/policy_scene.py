"""A platform whose jobs are carried out here and now, by engines that need nothing."""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import insert

from autodub.engines import registry
from autodub.engines.roles import EngineContext, Info, Work
from autodub.gateway.cancel import Cancel
from autodub.jobs.platform import LOCAL_ACTOR, Platform
from autodub.jobs.records import Actor, Job
from autodub.jobs.runner import Runner
from autodub.jobs.spec import JobSpec
from autodub.jobs.tables import uploads
from autodub.media import sound
from autodub.model.calls import Clone, Forget, Transcribe
from autodub.model.speech import Segment, Transcript, Voice
from autodub.testing.fakes import FAKES, FakeCloner, FakeSynthesizer, FakeTranscriber, FakeTranslator
from autodub.testing.script import Script

RATE, SECONDS = 16_000, 11
ON_SQLITE = pytest.mark.parametrize("address", [""], ids=["sqlite"])
"""For tests that carry out jobs and whose questions to the database others ask of both kinds."""
WHO = {"who": "Jane Doe", "statement": "Jane Doe agreed in writing."}


class Scene:
    """One platform, its engines, and what those were asked."""

    def __init__(self, platform: Platform, folder: Path) -> None:
        self.platform, self.folder = platform, folder
        self.texts = ["The keeper walked down.", "He went to the harbour alone."]
        """What is said in the source, one text in every five seconds."""
        self.scripts = {"translator": Script(), "synthesizer": Script(), "cloner": Script()}
        self.account: dict[str, str] = {}
        """Cloned voices at the provider: name -> handle."""
        self.when_rented: Callable[[str], None] = lambda _: None
        """Called when the provider has made a voice."""
        self.cancel = Cancel()

    def asked(self, role: str) -> list[Any]:
        """What reached an engine."""
        return self.scripts[role].requests

    def upload(self, actor: Actor = LOCAL_ACTOR, *, seed: int = 7, name: str = "Talk.wav") -> str:
        """A sound that was uploaded."""
        samples = 0.004 * np.random.default_rng(seed).standard_normal(SECONDS * RATE)
        for start in (0.5, 5.5):
            at = round(start * RATE)
            samples[at : at + 4 * RATE] += 0.1 * np.sin(np.arange(4 * RATE) * 2 * np.pi * 180 / RATE)
        path = self.folder / f"{secrets.token_hex(4)}.wav"
        sound.store(samples.astype(np.float32), RATE, path)
        upload = secrets.token_hex(16)
        blob = self.platform.store.blobs.keep(path)
        self.platform.store.pin(f"upload:{upload}", blob)
        row = {
            "id": upload, "owner": actor.id, "name": name, "kind": "media", "size": blob.size,
            "received": blob.size, "blob": blob.digest + blob.suffix, "info": "{}", "state": "ready",
            "why": "", "created": 1.0, "expires": 4e9,
        }  # fmt: skip
        with self.platform.sql.writing() as connection:
            connection.execute(insert(uploads).values(**row))
        return upload

    def spec(self, upload: str, **wishes: Any) -> JobSpec:
        """A dub of an upload, by the engines of this scene."""
        engines = {role: "fake" for role in FAKES if role != "cloner"}
        asked: dict[str, Any] = {"upload": upload, "target": "es", "spoken": "en", "engines": engines}
        if wishes.get("clone_voices"):
            asked["engines"] = engines | {"cloner": "own"}
        return JobSpec.model_validate(asked | wishes)

    def submit(self, actor: Actor = LOCAL_ACTOR, *, upload: str | None = None, **wishes: Any) -> Job:
        """A job in the queue."""
        with self.engines():
            spec = self.spec(upload or self.upload(actor), **wishes)
            return self.platform.jobs.submit(actor, spec)[0]

    def run(self, job: Job | None = None) -> Job:
        """Claim the next job, and carry it out; how it stands then."""
        taken = self.platform.claims.next("worker")
        assert taken is not None
        assert job is None or taken.id == job.id
        with self.engines():
            Runner(self.platform).run(taken, self.cancel, why=lambda: "cancel")
        return self.platform.jobs.get(Actor(taken.owner, role="admin"), taken.id)

    def dub(self, actor: Actor = LOCAL_ACTOR, **wishes: Any) -> Job:
        """A job from submission to its end."""
        return self.run(self.submit(actor, **wishes))

    def everything_told(self) -> str:
        """All that is kept of jobs where no word of a dub may be: events and audit."""
        with self.platform.sql.reading() as connection:
            found = [
                connection.exec_driver_sql(f"SELECT * FROM {table}").all()
                for table in ("events", "audit", "audit_addresses", "usage")
            ]
        return repr(found)

    @contextlib.contextmanager
    def engines(self) -> Iterator[None]:
        """Have the engines of this scene."""
        scene = self

        class Heard(FakeTranscriber):
            def _transcribe(self, request: Transcribe, work: Work) -> Transcript:
                spans = zip(request.spans, scene.texts, strict=False)
                return Transcript("en", tuple(Segment(span, text) for span, text in spans))

        class Said(FakeTranslator):
            def __init__(self, options: Any, context: EngineContext) -> None:
                super().__init__(options, context, script=scene.scripts["translator"])

        class Spoken(FakeSynthesizer):
            def __init__(self, options: Any, context: EngineContext) -> None:
                super().__init__(options, context, script=scene.scripts["synthesizer"])

        class Own(FakeCloner):
            def __init__(self, options: Any, context: EngineContext) -> None:
                super().__init__(options, context, script=scene.scripts["cloner"])

            @classmethod
            def describe(cls) -> Info:
                return Info("own", "cloner", "1", "", clones="fake")

            def clone(self, request: Clone, work: Work) -> Voice:
                return self._play(request, work, self._made)

            def _made(self, request: Clone, work: Work) -> Voice:
                assert request.sample is not None
                identity = f"clone-{request.sample.blob.digest[:12]}"
                work.rent(identity, self._rented)
                return Voice("fake", identity, request.base.language, reference=request.sample)

            def _rented(self, name: str) -> str:
                scene.account[name] = f"handle-{name}"
                scene.when_rented(name)
                return scene.account[name]

            def forget(self, request: Forget, work: Work) -> None:
                for name in [name for name, handle in scene.account.items() if handle == request.handle]:
                    del scene.account[name]

            def rented(self, prefix: str, work: Work) -> Mapping[str, str]:
                return {name: handle for name, handle in scene.account.items() if name.startswith(prefix)}

        kinds = FAKES | {"transcriber": Heard, "translator": Said, "synthesizer": Spoken}
        with contextlib.ExitStack() as stack:
            for role, kind in kinds.items():
                stack.enter_context(registry.registered(role, "fake", kind))
            stack.enter_context(registry.registered("cloner", "own", Own))
            yield


def lines_of(scene: Scene, job: Job) -> list[dict[str, Any]]:
    """The lines of a finished job's project."""
    from autodub.jobs.tables import projects

    with scene.platform.sql.reading() as connection:
        text = connection.execute(
            projects.select().where(projects.c.job == job.id).order_by(projects.c.revision.desc())
        ).first()
    assert text is not None
    found: list[dict[str, Any]] = json.loads(text.text)["lines"]
    return found
