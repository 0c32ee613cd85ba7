"""`make pictures`: tell a short story on the page with the real bot, and keep the README's pictures of it."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.async_api import async_playwright

from sandbox.client import Sandbox
from tests.browser.conftest import CHROMIUM, FLAGS, demo_running
from tests.browser.steps import begin_command, open_thread
from tests.support import REPOSITORY

IMAGE = REPOSITORY / "demo/pictures/paper-boat.jpg"
PICTURES = REPOSITORY / "docs/pictures"
LARGEST = 200_000  # bytes; a README is read over slow lines, too
SCREEN = {"width": 1280, "height": 760}
PAUSE_IN_THE_MIDST = """video => new Promise(done => video.addEventListener("timeupdate", () => {
    if (video.currentTime > 2) done(video.pause());
}))"""
PROMPT = "The paper boat sails away"


async def keep(page: Any, name: str) -> None:
    """Write what the page shows as a small WebP, as sharp as the limit allows."""
    await page.mouse.move(0, 0)
    await page.evaluate("document.fonts.ready")
    shot = Image.open(BytesIO(await page.screenshot(scale="device")))
    path = PICTURES / f"{name}.webp"
    for quality in (90, 80, 70, 60):
        shot.convert("RGB").save(path, "WEBP", quality=quality, method=6)
        if path.stat().st_size < LARGEST:
            break
    print(f"{path.relative_to(REPOSITORY)}: {path.stat().st_size / 1000:.0f} kB")


async def tell(sandbox: Sandbox, page: Any) -> None:
    """Play the story, and stop for a picture where it is worth one."""
    await sandbox.person("rosa").post("stills", "Folded this morning. Can it sail?", files={"file": IMAGE})
    await page.get_by_text("Can it sail?").wait_for()

    await begin_command(page)
    await page.set_input_files(".command-form input[type=file]", IMAGE)
    await page.keyboard.type(PROMPT)
    await keep(page, "compose")

    await sandbox.novita.settings(queue_seconds=0.5, render_seconds=24)
    await page.keyboard.press("Enter")
    await page.locator(".embed", has_text="Started").wait_for()
    await page.get_by_role("button", name="Backstage").click()
    await page.get_by_role("tab", name="Bot").click()
    await page.get_by_role("button", name="Kill").click()
    await page.get_by_text("Ended by signal 9", exact=True).wait_for()
    await page.get_by_role("button", name="Start", exact=True).click()
    await page.get_by_text("taken up again").wait_for()
    await page.get_by_text("Online, process").wait_for()
    await page.locator(".embed", has_text="Started").wait_for()
    await keep(page, "backstage")
    await page.get_by_role("button", name="Close backstage").click()

    video = await open_thread(page)
    await page.get_by_role("button", name="Play video").last.click()
    await video.evaluate(PAUSE_IN_THE_MIDST)
    await keep(page, "finished")


async def main() -> int:
    """Make the pictures; return the exit status."""
    if CHROMIUM is None:
        print("There is no Chromium: apt-get install chromium, or name one with KINORA_CHROMIUM.")
        return 1
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="kinora-pictures-") as folder:
        async with demo_running(Path(folder)) as url, Sandbox(url) as sandbox, async_playwright() as driver:
            browser = await driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            page = await browser.new_page(
                viewport={"width": SCREEN["width"], "height": SCREEN["height"]},
                device_scale_factor=2,
                color_scheme="dark",
            )
            await page.goto(f"{url}/app/#mia")
            await page.wait_for_selector('#page[aria-busy="false"]')
            await tell(sandbox, page)
            await browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
