"""Make the pictures of the web app in docs/images.

Run as ``.venv/bin/python scripts/screenshots.py``. A clip of the test kit is dubbed with the embedded engines
by a server over a data directory of its own. Needs Chromium, the Python package playwright, and the built web
app (make setup).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from autodub.testing import dialogue

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")


def picture(page: Page, name: str, height: int) -> None:
    """Write what the page shows as a WebP file below 150 kB."""
    page.set_viewport_size({"width": 1440, "height": height})
    page.evaluate("scrollTo(0, 0)")
    page.mouse.move(0, 0)
    page.wait_for_timeout(500)  # the drawing follows the size of the window
    taken = page.screenshot(animations="disabled")
    target = IMAGES / f"{name}.webp"
    argv = ["ffmpeg", "-v", "error", "-y", "-i", "-", "-c:v", "libwebp", "-quality", "88", str(target)]
    subprocess.run(argv, input=taken, check=True)
    assert target.stat().st_size < 150_000, target
    print(target.name, target.stat().st_size)


def new_dub(page: Page, clip: Path) -> None:
    """Choose the clip, its subtitles and Spanish; the price is told."""
    page.get_by_label("Choose a file, or drop it here").set_input_files(clip)
    expect(page.get_by_role("slider", name="From")).to_be_visible()
    page.locator("main").get_by_text("Subtitles of your own").click()
    page.get_by_label("Choose subtitles, or drop them here").set_input_files(clip.with_suffix(".srt"))
    page.get_by_text(clip.with_suffix(".srt").name).first.wait_for()
    page.locator("main").get_by_text("Subtitles of your own").click()
    page.get_by_role("combobox", name="Dub into").click()
    page.keyboard.type("Spanish")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    expect(page.get_by_text("Every engine runs on this server; nobody is paid.")).to_be_visible()


def main(folder: Path) -> None:
    """Dub the clip in a browser, and take a picture at each place."""
    made = dialogue.build(folder / "made", lines=8, size=(640, 360)).clip.path
    clip = folder / "A talk in the morning.mp4"
    shutil.copy(made, clip)
    shutil.copy(made.with_suffix(".srt"), clip.with_suffix(".srt"))
    argv = [sys.executable, "-m", "autodub", "serve", "--port", "0", "--data-dir", str(folder / "data")]
    server = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert server.stdout is not None
        address = server.stdout.readline().split("listens at ")[1].split()[0]
        expect.set_options(timeout=60_000)
        with sync_playwright() as started:
            browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            page = browser.new_page(base_url=address, color_scheme="light", locale="en-GB")
            page.goto("/")
            new_dub(page, clip)
            picture(page, "new-dub", 1000)
            page.get_by_role("button", name="Dub into Spanish").click()
            page.get_by_role("heading", name="How good it is").wait_for(timeout=180_000)
            page.get_by_role("heading", name="Figures").wait_for()
            picture(page, "result", 1488)
            page.get_by_role("link", name="Open the studio").click()
            page.get_by_text("I am very well today.").first.click()
            expect(page.locator("main .skeleton, main [aria-busy=true]")).to_have_count(0)
            picture(page, "studio", 900)
            browser.close()
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as made:
        main(Path(made))
