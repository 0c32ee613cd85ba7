"""A real browser in front of the page: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from sandbox.client import Sandbox
from tests.browser.showcase import Showcase, showcase
from tests.support import REPOSITORY
from tests.support.supervisor import Supervisor

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM = os.environ.get("KINORA_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
PICTURES = os.environ.get("KINORA_TEST_PICTURES")  # a folder: how each page looked at its test's end
AXE = "axe-core@4.10.3"
READY = re.compile("The bot is online|No bot runs here")
QUICK = {"queue_seconds": 0.1, "render_seconds": 0.5, "video_height": 240}

OpenPage = Callable[..., Awaitable[Any]]


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Any]:
    """The browser of this run; without one, what needs it is skipped."""
    playwright = pytest.importorskip("playwright.async_api", reason="no Playwright: make test-browser")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium: apt-get install chromium, or name one with KINORA_CHROMIUM")
    async with playwright.async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        await browser.close()


@pytest.fixture
async def open_page(chromium: Any) -> AsyncIterator[OpenPage]:
    """Opens the page of a sandbox. Nothing may be complained of in its console until the test's end."""
    complaints: list[str] = []
    contexts: list[Any] = []

    async def opened(sandbox: Sandbox, place: str = "mia", **options: Any) -> Any:
        context = await chromium.new_context(**{"viewport": {"width": 1280, "height": 800}} | options)
        contexts.append(context)
        context.set_default_timeout(20_000)
        page = await context.new_page()
        page.on("console", lambda m: complaints.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        # With a listener from the start, no file chooser opens before Playwright looks for it.
        page.on("filechooser", lambda _: None)
        await page.goto(f"{sandbox.control_url}/app/#{place}")
        await page.wait_for_selector('#page[aria-busy="false"]')
        return page

    yield opened
    for number, context in enumerate(contexts):
        if PICTURES:
            await context.pages[0].screenshot(path=f"{PICTURES}/{number}.png")
        await context.close()
    # What the sandbox refuses is asked for on purpose; the browser notes it all the same.
    assert [c for c in complaints if "status of 400" not in c] == []


# --- make demo ----------------------------------------------------------------------------------------------


@asynccontextmanager
async def demo_running(folder: Path, *flags: str) -> AsyncIterator[str]:
    """Run `make demo`'s program as a visitor does; give its control site's address once a bot may be used."""
    demo = Supervisor("the demo")
    await demo.run(
        *(sys.executable, "-m", "demo", "--port", "0", "--no-browser", *flags),
        cwd=REPOSITORY,
        env={**os.environ, "TMPDIR": str(folder)},
    )
    try:
        address = await demo.wait_for_log("/app/", seconds=60)
        await demo.wait_for_line(READY.match, "whether a bot may be used", seconds=60)
        found = re.search(r"(http://\S+)/app/", address)
        assert found, "the demo did not say where it is"
        yield found[1]
    finally:
        assert await demo.stop(signal.SIGINT) == 0


@pytest.fixture(scope="session")
async def demo_url(chromium: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """`python -m demo`, for the whole run."""
    async with demo_running(tmp_path_factory.mktemp("demo")) as url:
        yield url


@pytest.fixture
async def demo(demo_url: str) -> AsyncIterator[Sandbox]:
    """That demo with a fresh world, quick renders and the bot online."""
    async with Sandbox(demo_url) as sandbox:
        # A bot whose session is taken from it waits five seconds; a new one is there sooner.
        await sandbox.send("/backstage/bot/kill", {})
        await sandbox.reset()
        await sandbox.novita.settings(**QUICK)
        await sandbox.discord.guild(premium_tier=3)
        await sandbox.send("/backstage/bot/start", {})

        async def online() -> bool | None:
            return (await sandbox.get("/backstage"))["bot"]["online"] or None

        await sandbox.wait(online, 30, "the bot to be online")
        yield sandbox


# --- a bot that shows everything ----------------------------------------------------------------------------


@pytest.fixture(scope="session")
async def plain_sandbox(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Sandbox]:
    """The page in front of a sandbox that runs no bot itself."""
    async with demo_running(tmp_path_factory.mktemp("plain"), "--no-bot") as url, Sandbox(url) as sandbox:
        yield sandbox


@pytest.fixture
async def sandbox(plain_sandbox: Sandbox) -> Sandbox:
    """That sandbox with a fresh world."""
    await plain_sandbox.reset()
    return plain_sandbox


@pytest.fixture
async def bot(chromium: Any, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Showcase]:
    """The showcase bot, online."""
    async with showcase(sandbox, monkeypatch) as running:
        yield running


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The source of axe-core, from the npm registry; without it, what needs it is skipped."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed, so axe-core cannot be had")
    folder = tmp_path_factory.mktemp("axe")
    got = subprocess.run(
        [npm, "pack", AXE, "--silent", "--pack-destination", str(folder)], capture_output=True, timeout=60
    )
    if got.returncode != 0:
        pytest.skip("axe-core cannot be had from the npm registry")
    with tarfile.open(next(folder.glob("*.tgz"))) as package:
        source = package.extractfile("package/axe.min.js")
        assert source is not None
        return source.read().decode()
