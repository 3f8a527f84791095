"""How smooth the studio is with many lines: frames a second while its timeline and its list are moved.

A real Chromium shows the built app; the dub is a made one whose answers are given in the browser, so that
only the page is measured. ``python -m benchmarks.studio [--lines 500] [--json OUT]``; needs playwright.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, Route, sync_playwright

JOB = "5" * 32
_FRAMES = """
async ({what, pixels, frames}) => {
  const place = document.querySelector(what === 'list' ? '[role=listbox]' : '.scroller');
  const name = what === 'list' ? 'scrollTop' : 'scrollLeft';
  const frame = () => new Promise(requestAnimationFrame);
  place[name] = 0;
  await frame(); await frame();
  const times = [];
  let last = await frame();
  let way = pixels;
  for (let at = 0; at < frames; at++) {
    const before = place[name];
    place[name] += way;
    if (place[name] === before) way = -way;
    const now = await frame();
    times.push(now - last);
    last = now;
  }
  return times;
}
"""
_TYPING = """
async (letters) => {
  const field = document.querySelector('.editor textarea');
  const frame = () => new Promise(requestAnimationFrame);
  field.focus();
  const times = [];
  for (const letter of letters) {
    await frame();
    const began = performance.now();
    field.value += letter;
    field.dispatchEvent(new InputEvent('input', {bubbles: true}));
    await frame();
    await new Promise((resolve) => setTimeout(resolve));
    times.push(performance.now() - began);
  }
  return times;
}
"""


def lines_of(count: int) -> list[dict[str, Any]]:
    """Lines as a transcript has them: five speakers, a little over four seconds each."""
    out = []
    for number in range(count):
        start = round(number * 4.1, 3)
        text = f"Esta es la línea número {number} de un programa bastante largo, con algunas palabras más."
        fields = {
            "speaker": f"S{number % 5 + 1}", "start": start, "end": round(start + 3.4, 3),
            "source": f"This is line number {number} of a rather long programme, with some more words.",
            "text": text, "keep_original": False,
        }  # fmt: skip
        flags = ["too_long"] if number % 9 == 0 else ["fast"] if number % 13 == 0 else []
        timing = {"start": start, "end": start + 3.5, "rate": 1.08, "stretch": 1.0, "flags": flags}
        own = {"id": f"L{number + 1:04d}", "note": "", "timing": timing, "locked": None, "made": fields}
        out.append(fields | own | {"edited": False, "stale": number % 7 == 0, "added": False})
    return out


def answers(count: int) -> dict[str, Any]:
    """Path behind the job's own -> what is answered."""
    lines, seconds = lines_of(count), count * 4.1 + 2
    voice = {"voice": "pablo", "pitch_hz": None, "pace": 1.0}
    speakers = [
        {"name": f"S{n}", "voice": voice, "made": voice, "lines": count // 5, "edited": False, "stale": False}
        for n in range(1, 6)
    ]
    loud = [int(60 + 50 * math.sin(n / 7) * math.sin(n / 90)) for n in range(int(seconds * 50))]
    job = {
        "id": JOB, "kind": "dub", "state": "completed", "title": "A long programme", "target": "es",
        "spoken": "en", "progress": 1, "events": 0, "updated": 1, "created": 1, "finished": 2,
        "seconds": seconds, "revision": 1,
        "start": None, "end": None, "stopping": False, "files": {},
    }  # fmt: skip
    return {
        "": job,
        "/transcript": {
            "job": JOB, "revision": 1, "made": 1, "stale": True, "spoken": "en", "target": "es",
            "lines": lines, "speakers": speakers, "removed": [],
        },
        "/peaks": {"track": "source", "rate": 50, "seconds": seconds, "most": 127, "peaks": loud},
        "/files/project": {"lines": [_entry(line) for line in lines]},
        "/files/receipt": {},
        "/revisions": {"revision": 1, "made": 1, "revisions": []},
    }  # fmt: skip


def _entry(line: dict[str, Any]) -> dict[str, Any]:
    """A line as the project beside a dub has it."""
    times = {f"{edge}_ms": round(line["timing"][edge] * 1000) for edge in ("start", "end")}
    return {"id": line["id"], "timing": times | {"native_rate": 1.08, "stretch": 1.0, "flags": []}}


def mock(page: Page, count: int) -> None:
    """Answer everything about the job in the browser; what is changed is taken as it comes."""
    known = answers(count)

    def answer(route: Route) -> None:
        path = route.request.url.split(f"/jobs/{JOB}", 1)[1].split("?")[0]
        if path in known and route.request.method == "GET":
            route.fulfill(json=known[path])
        elif path == "/events":
            route.fulfill(status=204)
        else:
            route.abort()

    page.route(f"**/api/v1/jobs/{JOB}**", answer)


def figures(times: list[float]) -> dict[str, float]:
    """Frames a second, and the longest frames, of times in milliseconds."""
    ordered = sorted(times)
    mean = sum(times) / len(times)
    late = ordered[min(len(ordered) - 1, math.ceil(len(ordered) * 0.95) - 1)]
    return {"fps": round(1000 / mean, 1), "p95_ms": round(late, 1), "worst_ms": round(ordered[-1], 1)}


def measure(address: str, count: int, chromium: str) -> dict[str, Any]:
    """All figures of a studio with so many lines."""
    out: dict[str, Any] = {"lines": count}
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1440, "height": 900}, locale="en-GB")
        mock(page, count)
        page.goto(f"{address}/jobs/{JOB}/studio")
        page.locator("[role=option]").first.wait_for()
        page.locator(".wave").nth(1).wait_for(state="attached")
        page.wait_for_timeout(1500)
        moves = {"timeline": 14, "timeline, fast": 120}
        for name, pixels in moves.items():
            given = {"what": "timeline", "pixels": pixels, "frames": 240}
            out[name] = figures(page.evaluate(_FRAMES, given))
        for _ in range(8):
            page.get_by_role("button", name="Zoom out").click()
        page.wait_for_timeout(800)
        out["timeline, zoomed out"] = figures(
            page.evaluate(_FRAMES, {"what": "timeline", "pixels": 6, "frames": 240})
        )
        out["list"] = figures(page.evaluate(_FRAMES, {"what": "list", "pixels": 40, "frames": 240}))
        typed = sorted(page.evaluate(_TYPING, "and some more words"))
        out["letter"] = {"median_ms": round(typed[len(typed) // 2], 1), "worst_ms": round(typed[-1], 1)}
        browser.close()
    return out


def main() -> None:
    """Start a server, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=500)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        parser.error("Chromium is not here")
    with tempfile.TemporaryDirectory() as data:
        argv = [sys.executable, "-m", "autodub", "serve", "--port", "0", "--slots", "0", "--data-dir", data]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
            assert server.stdout is not None
            address = server.stdout.readline().split("listens at ")[1].split()[0].rstrip("/")
            try:
                found = measure(address, given.lines, chromium)
            finally:
                server.terminate()
    for name, values in found.items():
        print(f"{name:22} {values}")
    if given.json:
        given.json.write_text(json.dumps(found, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
