"""Whether everybody can use the page: axe-core finds nothing serious, in dark and in light."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.client import Sandbox
from tests.browser.conftest import OpenPage
from tests.browser.showcase import Showcase
from tests.browser.steps import PICTURE, animate, begin_command, open_thread
from tests.browser.test_discord import run

pytestmark = pytest.mark.browser


async def assert_accessible(page: Any, axe: str) -> None:
    await page.evaluate(axe)
    found = await page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    serious = [
        f"{problem['id']}: {node['html'][:200]} {node['failureSummary']}"
        for problem in found["violations"]
        if problem["impact"] in ("serious", "critical")
        for node in problem["nodes"]
    ]
    assert serious == []


@pytest.mark.parametrize("scheme", ["dark", "light"])
async def test_kinora(demo: Sandbox, open_page: OpenPage, axe: str, scheme: str) -> None:
    page = await open_page(demo, color_scheme=scheme, reduced_motion="reduce")
    await assert_accessible(page, axe)
    await animate(page, {"name": "a.png", "mimeType": "image/png", "buffer": b"no picture"})
    await page.locator(".message.ephemeral").wait_for()
    await animate(page, PICTURE)
    await open_thread(page)
    await assert_accessible(page, axe)
    await page.get_by_role("button", name="Backstage").click()
    for tab in ("Wire", "Novita", "Faults", "Worlds", "Bot", "Jobs"):
        await page.get_by_role("tab", name=tab).click()
        await page.wait_for_load_state("networkidle")
        await assert_accessible(page, axe)


@pytest.mark.parametrize("scheme", ["dark", "light"])
async def test_everything_else(
    sandbox: Sandbox, bot: Showcase, open_page: OpenPage, axe: str, scheme: str
) -> None:
    page = await open_page(sandbox, color_scheme=scheme, reduced_motion="reduce")
    await run(page, "layout")
    await run(page, "controls")
    await page.get_by_role("button", name="Count").wait_for()
    await run(page, "form")
    await page.get_by_role("dialog").wait_for()
    await assert_accessible(page, axe)
    await page.keyboard.press("Escape")
    await page.get_by_role("combobox", name="Message #stills").click()
    await begin_command(page, "options")
    await page.keyboard.press("Enter")
    await assert_accessible(page, axe)
    await page.get_by_role("button", name="showcase (forum)").click()
    await page.locator(".post").click()
    await page.get_by_role("button", name="switch person").click()
    await assert_accessible(page, axe)
