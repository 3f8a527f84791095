"""A real server, a real browser, and a page on which nothing may go wrong."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from autodub.web import pages

playwright = pytest.importorskip("playwright.sync_api", reason="the Python package playwright is not here")
from beside import Dubs, dub  # noqa: E402
from playwright.sync_api import Browser, Page, expect, sync_playwright  # noqa: E402
from real_site import AXE, Site, Witness, violations  # noqa: E402

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
Opening = Callable[..., Page]
expect.set_options(timeout=20_000)  # milliseconds: a state is waited for on a machine that does much besides


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """This system's own Chromium; the tests are skipped where it is absent, or the app was not built."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        pytest.skip("Chromium is not here: apt-get install chromium, or name it as CHROMIUM")
    if not (pages.FOLDER / "index.html").is_file():
        pytest.skip("the web app is not built here: make setup, with Node.js 20.19 or newer")
    with sync_playwright() as started:
        opened = started.chromium.launch(
            executable_path=found,
            args=["--no-sandbox", "--disable-dev-shm-usage", "--autoplay-policy=no-user-gesture-required"],
        )
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Site]]:
    """Start servers, each over a data directory of its own; options as ``autodub serve`` has them."""
    started: list[Site] = []

    def start(*options: str, prepare: Callable[[Site], None] = lambda _: None) -> Site:
        site = Site(tmp_path_factory.mktemp("site"), *options)
        started.append(site)
        prepare(site)
        return site.start()

    yield start
    for site in started:  # nobody needs what they would still put in order, which takes a second for each
        site.stop(signal.SIGKILL)


@pytest.fixture(scope="session")
def site(serving: Callable[..., Site]) -> Site:
    """A server without accounts that runs jobs, for all tests of a process: leave nothing that disturbs."""
    return serving("--slots", "1")


@pytest.fixture(scope="session")
def accounts(serving: Callable[..., Site]) -> Site:
    """A server where people sign in: the admin ``ada`` and the user ``ben``; it runs no jobs."""

    def prepare(site: Site) -> None:
        site.add("ada", "--admin")
        site.add("ben")

    return serving("--accounts", "--slots", "0", prepare=prepare)


@pytest.fixture(scope="session")
def dubs(serving: Callable[..., Site], tmp_path_factory: pytest.TempPathFactory) -> Dubs:
    """Made by the embedded engines, where a user has ten minutes a month."""

    def limit(site: Site) -> None:
        site.environ["AUTODUB_MINUTES"] = "10"

    site, folder = serving("--slots", "1", prepare=limit), tmp_path_factory.mktemp("dubs")
    return Dubs(site, dub(site, folder, "=First"), dub(site, folder, "Second"))


@pytest.fixture
def opening(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., tuple[Page, Witness]]]:
    """Open pages in browsers that know nothing yet; keywords as Playwright's ``new_context`` has them."""
    witnesses: list[Witness] = []
    with ExitStack() as stack:

        def open_(site: Site, path: str | None = "/", **options: Any) -> tuple[Page, Witness]:
            known = {"locale": "en-GB", "viewport": {"width": 1280, "height": 800}, "base_url": site.address}
            context = browser.new_context(**(known | options))
            stack.callback(context.close)
            context.set_default_timeout(20_000)
            page, witness = context.new_page(), Witness(site.address)
            witnesses.append(witness)
            witness.watch(page)
            if path is not None:
                page.goto(path)
                page.locator("main h1").wait_for()
            return page, witness

        yield open_
    for witness in witnesses:
        witness.check()


@pytest.fixture
def page(opening: Callable[..., tuple[Page, Witness]], site: Site) -> Page:
    """The app of a server without accounts. The test fails for anything on the console and any other host."""
    return opening(site)[0]


@pytest.fixture
def axe() -> Callable[[Page], None]:
    """Assert that a page as it stands has nothing that keeps people out."""
    if not AXE.is_file():
        pytest.skip("axe-core is not here: make setup, with Node.js 20.19 or newer")

    def check(page: Page) -> None:
        found = violations(page)
        assert not found, "\n".join(found)

    return check
