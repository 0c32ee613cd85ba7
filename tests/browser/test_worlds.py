"""Worlds: each can be made, told and unmade backstage; and a command with all that a render takes."""

from __future__ import annotations

import re
from typing import Any

import pytest

from sandbox.client import Sandbox
from tests.browser.conftest import OpenPage
from tests.browser.showcase import Showcase
from tests.browser.steps import PICTURE, begin_command

pytestmark = pytest.mark.browser


async def open_worlds(page: Any) -> Any:
    await page.get_by_role("button", name="Backstage", exact=True).click()
    await page.get_by_role("tab", name="Worlds").click()
    panel = page.get_by_role("tabpanel", name="Worlds")
    await panel.get_by_role("switch").first.wait_for()
    return panel


async def state(sandbox: Sandbox) -> dict[str, Any]:
    """All that worlds change, but what only counts upwards."""
    discord = await sandbox.discord.state()
    [guild] = discord["guilds"]
    mia = next(p for p in (await sandbox.get("/discord/people"))["people"] if p["name"] == "mia")
    return {
        "novita": await sandbox.novita.settings(),
        "discord": discord["settings"],
        "install": (guild["bot_is_member"], guild["commands_only"]),
        "banned": discord["banned_for"] > 0,
        "faults": [(f["side"], f["kind"]) for f in await sandbox.faults.list()],
        "dms": mia["dm_refusal"],
    }


async def test_every_world_is_made_and_unmade_by_its_switch(sandbox: Sandbox, open_page: OpenPage) -> None:
    before = await state(sandbox)
    panel = await open_worlds(await open_page(sandbox))
    switches = panel.get_by_role("switch")
    worlds: dict[str, dict[str, Any]] = {}
    for number in range(await switches.count()):
        switch = switches.nth(number)
        name = await switch.evaluate(
            "it => document.getElementById(it.getAttribute('aria-labelledby')).textContent"
        )
        await switch.click()
        await panel.get_by_role("switch", name=name, exact=True, checked=True).wait_for()
        worlds[name] = await state(sandbox)
        await switch.press("Space")
        await panel.get_by_role("switch", name=name, exact=True, checked=False).wait_for()
        assert await state(sandbox) == before, name
    assert [name for name, made in worlds.items() if made == before] == []
    assert "kling-2.5-turbo-i2v" in worlds["2.5 is gone"]["novita"]["retired"]
    assert set(map(tuple, worlds["Images as addresses only"]["novita"]["encodings"].values())) == {("url",)}
    assert worlds["Novita's edge answers"]["novita"]["edge_status"] == 502
    assert worlds["Added without its bot"]["install"] == (False, True)
    assert worlds["This address is banned"]["banned"]
    assert worlds["Opened too fast"]["dms"] == 40003
    assert worlds["Discord's edge answers"]["faults"] == [("discord", "html")]


async def test_what_others_made_shows_and_one_button_unmakes_it_all(
    sandbox: Sandbox, open_page: OpenPage
) -> None:
    before = await state(sandbox)
    await sandbox.person("mia").change(dm_refusal=50278)
    await sandbox.discord.settings(invalid_request_limit=3, escaped_links=True)
    panel = await open_worlds(await open_page(sandbox))
    await panel.get_by_text("3 of them are in force.").wait_for()
    for name in ("No server in common", "Three wrong requests are a ban"):
        assert await panel.get_by_role("switch", name=name, checked=True).count() == 1
    await sandbox.discord.ban(60)  # while the page looks on
    await panel.get_by_role("switch", name="This address is banned", checked=True).wait_for()
    await panel.get_by_role("button", name="Back to normal").click()
    await panel.get_by_text("All is as usual.").wait_for()
    assert await state(sandbox) == before


async def test_the_clocks_are_moved(sandbox: Sandbox, open_page: OpenPage) -> None:
    panel = await open_worlds(await open_page(sandbox))
    before = (await sandbox.get("/novita/clock"))["now"]
    for button in ("Discord's clock: 2 hours later", "Discord's clock: 15 minutes later"):
        await panel.get_by_role("button", name=button).click()
    await panel.get_by_text("2 h 15 min ahead").wait_for()
    assert (await sandbox.get("/discord/clock"))["shift"] == 2.25 * 3600
    await panel.get_by_role("button", name="Novita's clock: A day later").click()
    await panel.get_by_text("1 d ahead").wait_for()
    assert (await sandbox.get("/novita/clock"))["now"] - before >= 86_400


# --- a command with all that a render takes


async def add_option(page: Any, name: str) -> None:
    await page.get_by_role("button", name=re.compile("more option")).click()
    await page.get_by_role("menuitem", name=re.compile(f"^{name}")).click()


async def test_completions_of_numbers_follow_the_other_options(
    sandbox: Sandbox, bot: Showcase, open_page: OpenPage
) -> None:
    page = await open_page(sandbox)
    await begin_command(page, "render")
    await page.set_input_files(".command-form input[type=file]", PICTURE)
    await add_option(page, "duration")
    await page.get_by_role("option", name="10 seconds").wait_for()
    assert await page.get_by_role("option").count() == 2
    await add_option(page, "model")
    await page.get_by_role("option", name="Kling 3.0").click()
    await add_option(page, "sound")
    await page.get_by_role("option", name="True").click()
    await page.keyboard.type("1")  # the focus is on what has no value yet
    await page.get_by_role("option", name="15 seconds with sound").click()
    await add_option(page, "end_image")
    await page.locator(".command-form input[type=file]").nth(1).set_input_files(PICTURE | {"name": "end.png"})
    await page.keyboard.press("Enter")
    await page.get_by_text("my_photo.png end.png 'kling-3.0' 15 True").wait_for()


async def test_a_typed_number_is_sent_as_one_and_other_words_are_not_sent(
    sandbox: Sandbox, bot: Showcase, open_page: OpenPage
) -> None:
    page = await open_page(sandbox)
    await begin_command(page, "render")
    await page.set_input_files(".command-form input[type=file]", PICTURE)
    await add_option(page, "duration")
    await page.keyboard.type("long")
    await page.keyboard.press("Enter")
    await page.get_by_text("Not a valid integer.").wait_for()
    await page.get_by_role("combobox", name="duration: ").fill("7")
    await page.keyboard.press("Enter")
    await page.get_by_text("my_photo.png None None 7 False").wait_for()


async def test_completions_that_do_not_come_are_told(
    sandbox: Sandbox, bot: Showcase, open_page: OpenPage
) -> None:
    page = await open_page(sandbox)
    await begin_command(page, "silence")
    await add_option(page, "about")
    await sandbox.wait(lambda: asked(sandbox), 10, "the bot to be asked")
    await sandbox.discord.forward(4)
    await page.get_by_text("Loading options failed.").wait_for()


async def asked(sandbox: Sandbox) -> bool | None:
    return any(i["type"] == 4 for i in (await sandbox.get("/discord/interactions"))["interactions"]) or None


async def test_two_files_dropped_at_once_are_two_options(
    sandbox: Sandbox, bot: Showcase, open_page: OpenPage
) -> None:
    page = await open_page(sandbox)
    await begin_command(page, "render")
    await drop(page, ".command-form", ["first.png", "last.png"])
    await drop(page, ".dropzone-item:nth-child(2) .dropzone", ["other.png"])
    await page.keyboard.press("Enter")
    await page.get_by_text("first.png other.png None None False").wait_for()


async def drop(page: Any, where: str, names: list[str]) -> None:
    """Drop files in the midst of an element."""
    await page.evaluate(
        """([where, names]) => {
            const target = document.querySelector(where);
            const box = target.getBoundingClientRect();
            const dataTransfer = new DataTransfer();
            for (const name of names) dataTransfer.items.add(new File(["no picture"], name));
            const [clientX, clientY] = [box.x + box.width / 2, box.y + box.height / 2];
            const fields = { dataTransfer, clientX, clientY, bubbles: true, cancelable: true };
            target.dispatchEvent(new DragEvent("drop", fields));
        }""",
        [where, names],
    )
