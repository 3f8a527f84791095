"""Latency profiles: how fast providers and the link to them are."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Profile:
    """Figures for one simulated world; seconds unless said otherwise.

    A request is answered after its fixed part plus its part per unit of work.
    """

    name: str
    uplink: float | None = None
    """Bit/s of the one link that all uploads share; None = as fast as it goes."""
    download: float = 0.0
    """A whole file of the benchmark's site."""
    download_sound: float = 0.0
    """Its sound alone."""
    separation: float = 0.0
    """Per minute of sound, by a simulated engine."""
    recognition: tuple[float, float] = (0.0, 0.0)
    """Per request, per second of sound."""
    translation: tuple[float, float] = (0.0, 0.0)
    """Per request, per token of output."""
    synthesis: tuple[float, float] = (0.0, 0.0)
    """Per request, per character."""
    crowding: float = 0.0
    """Synthesis grows by this fraction per other synthesis request in flight."""
    cloning: float = 0.0
    """Per voice."""


INSTANT = Profile("instant")
"""No latency at all: for tests of behaviour."""

PROTOTYPE = Profile(
    "prototype", uplink=16e6, download=10.0, download_sound=2.0, separation=15.0, recognition=(1.0, 0.025),
    translation=(1.5, 0.326), synthesis=(0.75, 0.028), crowding=0.10, cloning=2.0,
)  # fmt: skip
"""Calibrated to the figures the prototype was published with."""

MODERN = Profile(
    "modern", uplink=50e6, download=10.0, download_sound=2.0, separation=5.0, recognition=(1.0, 0.025),
    translation=(0.6, 0.0125), synthesis=(0.25, 0.006), crowding=0.02, cloning=2.0,
)  # fmt: skip
"""The same providers with fast models."""

PROFILES = {profile.name: profile for profile in (INSTANT, PROTOTYPE, MODERN)}
