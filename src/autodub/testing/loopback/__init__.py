"""The three cloud APIs on this machine: a server that speaks them as their official SDKs expect.

::

    with Loopback([DeepgramService(), ElevenLabsService()], profile=MODERN) as server:
        endpoints = {"DEEPGRAM_BASE_URL": server.url("deepgram")}

Each provider is a module here with a class that implements `Service`; the server adds what they all
share: one slow link, latency, caps on requests in flight, faults on demand, checks of every request
against the provider's own description, and a record of what a real provider would have billed.
Also a program: ``python -m autodub.testing.loopback``.
"""

from __future__ import annotations

from autodub.testing.loopback.faults import FAULTS, Faults
from autodub.testing.loopback.messages import Recording, Reply, Request, Service, reply_json
from autodub.testing.loopback.profile import INSTANT, MODERN, PROFILES, PROTOTYPE, Profile
from autodub.testing.loopback.server import Loopback

__all__ = [
    "FAULTS",
    "INSTANT",
    "MODERN",
    "PROFILES",
    "PROTOTYPE",
    "Faults",
    "Loopback",
    "Profile",
    "Recording",
    "Reply",
    "Request",
    "Service",
    "reply_json",
]
