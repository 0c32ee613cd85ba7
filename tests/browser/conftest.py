"""A real browser in front of the page: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import asyncio
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

from sandbox import client
from sandbox.client import Sandbox
from tests.browser.showcase import Showcase, showcase
from tests.kinora import REPOSITORY

CHROMIUM = os.environ.get("KINORA_CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
PICTURES = os.environ.get("KINORA_TEST_PICTURES")  # a folder: how each page looked at its test's end
AXE = "axe-core@4.10.3"
QUICK = {"queue_seconds": 0.1, "render_seconds": 0.5, "video_height": 240}

OpenPage = Callable[..., Awaitable[Any]]


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Any]:
    """The browser of this run; without one, what needs it is skipped."""
    playwright = pytest.importorskip("playwright.async_api", reason="Playwright is not installed")
    if not Path(CHROMIUM).is_file():
        pytest.skip(f"there is no Chromium at {CHROMIUM}; apt-get install chromium, or set KINORA_CHROMIUM")
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


# --- Kinora's own studio ------------------------------------------------------------------------------------


@asynccontextmanager
async def _studio(folder: Path) -> AsyncIterator[str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sandbox.studio", "--port", "0", "--no-browser"),
        cwd=REPOSITORY,
        env={**os.environ, "TMPDIR": str(folder)},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            found = re.search(r"(http://\S+)/app/", (await process.stdout.readline()).decode())
            assert found, "the studio did not say where it is"
            assert b"online" in await process.stdout.readline()
        yield found[1]
    finally:
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 0


@pytest.fixture(scope="session")
async def studio_url(chromium: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """`python -m sandbox.studio`, for the whole run."""
    async with _studio(tmp_path_factory.mktemp("studio")) as url:
        yield url


@pytest.fixture
async def studio(studio_url: str) -> AsyncIterator[Sandbox]:
    """The studio with a fresh world, quick renders and the bot online."""
    async with Sandbox(studio_url) as sandbox:
        await sandbox.reset()
        await sandbox.novita.settings(**QUICK)
        await sandbox.discord.guild(premium_tier=3)

        async def online() -> bool | None:
            bot = (await sandbox.get("/backstage"))["bot"]
            if not bot["running"]:
                await sandbox.send("/backstage/bot/start", {})
            sessions = (await sandbox.discord.state())["gateway"]["sessions"]
            return any(session["connected"] for session in sessions) or None

        await sandbox.wait(online, 30, "the bot to be online")
        yield sandbox


# --- a bot that shows everything ----------------------------------------------------------------------------


@pytest.fixture(scope="session")
async def plain_sandbox() -> AsyncIterator[Sandbox]:
    """A sandbox that runs no bot itself."""
    async with client.start() as sandbox:
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
