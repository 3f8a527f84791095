"""The loopback clouds and a site with several clips, as a program: ``PROFILE FOLDER LINES...``.

Prints one JSON line with the addresses, and serves until its standard input closes.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from autodub.testing import dialogue
from autodub.testing.loopback.__main__ import SERVICES, service
from autodub.testing.loopback.profile import PROFILES
from autodub.testing.loopback.server import Loopback
from autodub.testing.site import Site


def main(profile_name: str, folder: Path, lines: Sequence[int]) -> None:
    """Serve. Clips of other numbers of lines share no sound, so that no job's answers do for another one."""
    profile = PROFILES[profile_name]
    services = {name: service(name) for name in SERVICES}
    seconds = {"sound.m4a": profile.download_sound, "picture.mp4": profile.download - profile.download_sound}
    with ExitStack() as open_now:
        links = {}
        for number in lines:
            clip = dialogue.build(folder, lines=number)
            services["deepgram"].tell(clip.words, duration=clip.clip.duration)  # type: ignore[attr-defined]
            site = open_now.enter_context(Site(clip.clip.path, folder / f"site-{number}", seconds=seconds))
            links[number] = {
                "url": site.url("talk"), "seconds": clip.clip.duration / 1000,
                "bytes": clip.clip.path.stat().st_size,
            }  # fmt: skip
        server = open_now.enter_context(Loopback(list(services.values()), profile=profile))
        told = {"control": f"http://127.0.0.1:{server.port}/-/", "links": links}
        print(json.dumps(told | {name: server.url(name) for name in services}), flush=True)
        sys.stdin.buffer.read()


@contextlib.contextmanager
def running(profile: str, folder: Path, lines: Sequence[int]) -> Iterator[tuple[dict[str, Any], int]]:
    """What the program printed, and its process id, while it serves."""
    argv = [sys.executable, "-m", "benchmarks.capacity.world", profile, str(folder), *map(str, lines)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            told = process.stdout.readline()
            if not told:
                sys.exit("the loopback world did not start")
            yield json.loads(told), process.pid
        finally:
            process.kill()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), [int(word) for word in sys.argv[3:]])
