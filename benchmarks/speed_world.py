"""The loopback providers and a site with the benchmark's clip, as a program: ``PROFILE LINES CLIPS``.

Prints one JSON line with the addresses, and serves until its standard input closes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from autodub.testing import dialogue
from autodub.testing.loopback.__main__ import SERVICES, service
from autodub.testing.loopback.profile import PROFILES, Profile
from autodub.testing.loopback.server import Loopback
from autodub.testing.site import Site


def _seconds(profile: Profile) -> dict[str, float]:
    """How long each file takes to come down: the picture alone takes what the sound leaves of the whole."""
    sound, whole = profile.download_sound, profile.download
    return {"sound.m4a": sound, "picture.mp4": whole - sound, "whole.mp4": whole}


def main(profile_name: str, lines: int, clips: Path) -> None:
    """Serve."""
    profile = PROFILES[profile_name]
    clip = dialogue.build(clips, lines=lines)
    services = {name: service(name) for name in SERVICES}
    services["deepgram"].tell(clip.words, duration=clip.clip.duration)  # type: ignore[attr-defined]
    with (
        Loopback(list(services.values()), profile=profile) as server,
        Site(clip.clip.path, clips / f"site-{lines}", seconds=_seconds(profile)) as site,
    ):
        told = {"control": f"http://127.0.0.1:{server.port}/-/", "clip": site.url("talk")}
        print(json.dumps(told | {name: server.url(name) for name in services}), flush=True)
        sys.stdin.buffer.read()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
