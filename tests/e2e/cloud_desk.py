"""Dubs by cloud engines against the loopback server, and what they asked for and paid."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from autodub.infra import settings
from autodub.model.request import DubRequest
from autodub.pipeline.dub import dub
from autodub.testing.loopback import INSTANT, Faults, Loopback
from autodub.testing.loopback.deepgram import DeepgramService, Truth
from autodub.testing.loopback.elevenlabs import ElevenLabsService
from autodub.testing.loopback.openai import OpenAIService

ENGINES = {
    "transcriber": "deepgram",
    "translator": "openai",
    "synthesizer": "elevenlabs",
    "cloner": "elevenlabs",
}
KEYS = {
    "DEEPGRAM_API_KEY": "dg-e2e-7b1e44a90c",
    "OPENAI_API_KEY": "sk-e2e-51f02c77ab",
    "ELEVENLABS_API_KEY": "xi-e2e-9a30de1f26",
}
PROVIDERS = {"DEEPGRAM": "deepgram", "OPENAI": "openai", "ELEVENLABS": "elevenlabs"}
# Real latency, so that calls overlap and a kill finds some in flight.
LIVELY = replace(
    INSTANT, name="lively", recognition=(0.2, 0.0), translation=(0.2, 0.0), synthesis=(0.25, 0.0), cloning=0.3
)
_SCRIPT = """
import json, sys
from pathlib import Path
from autodub.infra import settings
from autodub.model.request import DubRequest
from autodub.pipeline.dub import dub
order = json.loads(sys.stdin.readline())
environ, data = order.pop("environ"), Path(order.pop("data_dir"))
dub(DubRequest(**order), settings=settings.load(environ=environ, data_dir=data))
"""


@dataclass(frozen=True)
class Result:
    """A finished dub."""

    dubbed: object
    digests: dict

    @property
    def receipt(self):
        return self.dubbed.receipt


class Cloud:
    """The three providers, and a desk to dub at."""

    def __init__(self, folder, talk, *, profile=INSTANT, specs=None, elevenlabs=None, faults=None):
        self.folder, self.talk = folder, talk
        self.voices = elevenlabs or ElevenLabsService()
        truth = Truth(talk.words, talk.clip.duration)
        self.server = Loopback(
            [DeepgramService([truth]), OpenAIService(), self.voices], profile=profile,
            faults=faults or Faults(hold=0.2, after=0.1), specs=specs,
            keys={PROVIDERS[name.removesuffix("_API_KEY")]: [key] for name, key in KEYS.items()},
        )  # fmt: skip
        self.events = []

    def environ(self, **keys):
        """What the environment holds: keys and addresses."""
        where = {f"{name}_BASE_URL": self.server.url(provider) for name, provider in PROVIDERS.items()}
        where["OPENAI_BASE_URL"] += "/v1"
        return KEYS | where | keys

    def order(self, name="dub", **wishes):
        """Fields of a request."""
        usual = {
            "source": str(self.talk.clip.path), "target": "es", "spoken": "en", "engines": ENGINES,
            "options": {"cloner": {"least_seconds": "1"}}, "clone_voices": True,
            "output": str(self.folder / f"{name}.mp4"),
        }  # fmt: skip
        return usual | wishes

    def dub(self, name="dub", *, data="data", environ=None, **wishes):
        """Dub the talk, in this process."""
        dubbed = dub(
            DubRequest(**self.order(name, **wishes)),
            settings=settings.load(environ=environ or self.environ(), data_dir=self.folder / data),
            listener=self.events.append,
        )
        return Result(dubbed, digests(dubbed.output))

    def start(self, name="dub", *, data="data", **wishes):
        """Dub the talk in a process of its own."""
        child = subprocess.Popen(
            [sys.executable, "-c", _SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True, start_new_session=True,
            env=os.environ | {"HOME": str(self.folder)},
        )  # fmt: skip
        order = self.order(name, **wishes) | {"environ": self.environ(), "data_dir": str(self.folder / data)}
        child.stdin.write(json.dumps(order) + "\n")
        child.stdin.flush()
        return child

    def kinds(self):
        """How many requests of each kind were answered well."""
        found = {}
        for request in self.server.requests:
            if 200 <= request.status < 300 and not request.fault:
                found[request.kind] = found.get(request.kind, 0) + 1
        return found

    def failed(self):
        """How many requests went wrong."""
        return sum(1 for request in self.server.requests if request.fault)


@contextmanager
def cloud(folder, talk, **settings):
    """A cloud that is gone afterwards; nobody broke its rules, and no key is in what it recorded or told."""
    made = Cloud(folder, talk, **settings)
    with made.server:
        yield made
        server = made.server
        assert not server.crashes, server.crashes[0]
        assert not server.violations, "; ".join(sorted(set(server.violations)))
        told = repr(server.requests) + repr(made.events)
        assert not [name for name, key in KEYS.items() if key in told]


def digests(output: Path):
    """What was written, by content."""
    files = [output, output.with_suffix(".srt"), output.with_suffix(".vtt")]
    return {path.suffix: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def kill(child):
    """The hard way, and wait until it is over for the server, too."""
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    child.stdin.close()
    child.stderr.close()
    time.sleep(0.3)
