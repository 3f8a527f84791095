"""The loopback providers and a site with the benchmark's clip, as a program: ``PROFILE LINES CLIPS``.

Prints one JSON line with the addresses, and serves until its standard input closes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from autodub.testing import dialogue
from autodub.testing.loopback.__main__ import SERVICES, service
from autodub.testing.loopback.profile import PROFILES
from autodub.testing.loopback.server import Loopback
from autodub.testing.site import Site


def main(profile_name: str, lines: int, clips: Path) -> None:
    """Serve."""
    profile = PROFILES[profile_name]
    clip = dialogue.build(clips, lines=lines)
    services = {name: service(name) for name in SERVICES}
    services["deepgram"].tell(clip.words, duration=clip.clip.duration)  # type: ignore[attr-defined]
    with (
        Loopback(list(services.values()), profile=profile) as server,
        Site(clip.clip.path, whole=profile.download, sound=profile.download_sound) as site,
    ):
        told = {"control": f"http://127.0.0.1:{server.port}/-/", "clip": site.page}
        print(json.dumps(told | {name: server.url(name) for name in services}), flush=True)
        sys.stdin.buffer.read()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
