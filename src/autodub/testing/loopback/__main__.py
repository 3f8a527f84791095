"""``python -m autodub.testing.loopback``: the three cloud APIs as a program of its own.

Prints one JSON line with the addresses, then serves until its standard input closes or it is
interrupted. ``GET /-/state`` answers what was asked and billed, ``POST /-/faults`` sets faults.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from importlib import import_module
from pathlib import Path

from autodub.testing.loopback.faults import Faults
from autodub.testing.loopback.messages import Service
from autodub.testing.loopback.profile import PROFILES
from autodub.testing.loopback.server import Loopback

SERVICES = {
    "deepgram": "autodub.testing.loopback.deepgram:DeepgramService",
    "openai": "autodub.testing.loopback.openai:OpenAIService",
    "elevenlabs": "autodub.testing.loopback.elevenlabs:ElevenLabsService",
}
"""Provider -> its module and class."""


def service(provider: str) -> Service:
    """A fresh provider by name."""
    module, _, name = SERVICES[provider].partition(":")
    made: Service = getattr(import_module(module), name)()
    return made


def main(arguments: list[str] | None = None) -> int:
    """Serve."""
    parser = argparse.ArgumentParser(prog="python -m autodub.testing.loopback", description=__doc__)
    parser.add_argument("--profile", choices=PROFILES, default="instant")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--provider", action="append", choices=SERVICES, help="default: all")
    parser.add_argument("--rate", type=float, default=0.0, help="part of requests that fail at random")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--specs", type=Path, help="folder of <provider>/openapi.json to check requests by")
    asked = parser.parse_args(arguments)
    made = [service(name) for name in asked.provider or SERVICES]
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    faults = Faults(rate=asked.rate, seed=asked.seed, hold=2.0)
    profile = PROFILES[asked.profile]
    with Loopback(made, profile=profile, faults=faults, specs=asked.specs, port=asked.port) as server:
        told = {"port": server.port, "control": f"http://127.0.0.1:{server.port}/-/"}
        print(json.dumps(told | {name: server.url(name) for name in server.services}), flush=True)  # noqa: T201
        threading.Thread(target=_until_closed, args=(ended,), daemon=True).start()
        ended.wait()
    return 0


def _until_closed(ended: threading.Event) -> None:
    """End with the program that started this one, were it killed."""
    sys.stdin.buffer.read()
    ended.set()


if __name__ == "__main__":
    sys.exit(main())
