"""Kinora as a newcomer meets it: a picture of one's own, a video that plays, and a bot that survives."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from sandbox.client import Sandbox
from tests.browser.conftest import OpenPage
from tests.e2e.steps import still

pytestmark = pytest.mark.browser

PICTURE = {"name": "my photo.png", "mimeType": "image/png", "buffer": still()}
NOTE = {"name": "notes.png", "mimeType": "image/png", "buffer": b"These are words, whatever the name says."}


async def begin_command(page: Any, name: str = "animate") -> None:
    """Take a command from the picker, by keys alone."""
    await page.keyboard.type(f"/{name[:3]}")
    await page.get_by_role("option", name=f"/{name}").wait_for()
    await page.keyboard.press("Enter")
    await page.get_by_role("group", name=f"Command {name}").wait_for()


async def animate(page: Any, file: dict[str, object], prompt: str = "The boat drifts away") -> None:
    await begin_command(page)
    await page.set_input_files(".command-form input[type=file]", file)
    await page.get_by_role("combobox", name="prompt: ").fill(prompt)
    await page.keyboard.press("Enter")


async def open_thread(page: Any) -> Any:
    """Wait until the video has pinged, and go where it is."""
    await page.locator(".thread-box .badge").wait_for(timeout=60_000)
    await page.locator(".thread-box").click()
    return page.locator("#thread .message.pinged video")


async def assert_plays(page: Any, video: Any) -> None:
    """Play it with the button on it; a frame in the midst of it must show something."""
    await page.get_by_role("button", name="Play video").last.click()
    await video.evaluate(
        """video => new Promise(done => video.addEventListener("timeupdate", function seen() {
            if (video.readyState < 2 || video.currentTime < 0.3) return;
            video.removeEventListener("timeupdate", seen);
            done();
        }))"""
    )
    colours = await video.evaluate(
        """video => {
            const canvas = document.createElement("canvas");
            [canvas.width, canvas.height] = [64, 36];
            const context = canvas.getContext("2d");
            context.drawImage(video, 0, 0, 64, 36);
            const pixels = new Uint32Array(context.getImageData(0, 0, 64, 36).data.buffer);
            return new Set(pixels).size;
        }"""
    )
    assert colours > 10


async def test_from_a_picture_of_ones_own_to_a_playing_video_with_the_keyboard_alone(
    studio: Sandbox, open_page: OpenPage
) -> None:
    page = await open_page(studio)
    await begin_command(page)
    async with page.expect_file_chooser() as chooser:
        await page.keyboard.press("Enter")  # the focus is on the first option, which is a file
    await (await chooser.value).set_files([PICTURE])
    await page.keyboard.type("The boat drifts away")  # the next option has the focus now
    await page.keyboard.press("Enter")
    card = page.locator("#chat .message", has=page.locator(".used-command", has_text="animate"))
    await card.get_by_role("button", name="Open image").wait_for()
    video = await open_thread(page)
    await assert_plays(page, video)
    assert len(await studio.novita.payments()) == 1


async def test_a_picture_may_be_dropped_on_the_page(studio: Sandbox, open_page: OpenPage) -> None:
    page = await open_page(studio)
    await begin_command(page)
    data = await page.evaluate_handle(
        """bytes => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(bytes)], "dropped.png", { type: "image/png" }));
            return data;
        }""",
        list(still()),
    )
    for event in ("dragenter", "dragover", "drop"):
        await page.dispatch_event("#chat", event, {"dataTransfer": data})
    await page.locator(".dropzone", has_text="dropped.png").wait_for()


async def test_a_refusal_is_seen_by_the_asker_only_and_can_be_put_away(
    studio: Sandbox, open_page: OpenPage
) -> None:
    mia, rosa = await open_page(studio), await open_page(studio, "rosa")
    await animate(mia, NOTE, "A wave")
    private = mia.locator(".message.ephemeral")
    await private.get_by_text("Nothing was charged.").wait_for()
    assert "Only you can see this" in await private.inner_text()
    await rosa.get_by_role("combobox", name="Message #stills").fill("Did anything happen?")
    await rosa.keyboard.press("Enter")
    await mia.get_by_text("Did anything happen?").wait_for()
    assert await rosa.locator(".message").count() == 1
    await private.get_by_role("button", name="Dismiss message").click()
    await private.wait_for(state="detached")
    assert await studio.novita.payments() == []


async def test_options_are_checked_before_anything_is_sent(studio: Sandbox, open_page: OpenPage) -> None:
    page = await open_page(studio)
    await begin_command(page)
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await page.get_by_text("This option is required. Specify a value.").wait_for()
    assert await page.locator(".pill.wrong").count() == 2
    await page.get_by_role("button", name="more options").click()
    await page.get_by_role("menuitem", name="cfg_scale").click()
    await page.keyboard.type("7")
    await page.keyboard.press("Enter")
    await page.set_input_files(".command-form input[type=file]", PICTURE)
    await page.get_by_role("combobox", name="prompt: ").fill("A wave")
    await page.keyboard.press("Enter")
    await page.get_by_text("This must be at most 1.").wait_for()
    assert (await studio.get("/discord/interactions"))["interactions"] == []


async def test_a_bot_killed_while_it_renders_brings_the_video_all_the_same(
    studio: Sandbox, open_page: OpenPage
) -> None:
    await studio.novita.settings(render_seconds=300)
    page = await open_page(studio)
    await animate(page, PICTURE)
    await page.get_by_text("Rendering", exact=True).wait_for()
    await page.get_by_role("button", name="Backstage").click()
    await page.get_by_role("tab", name="Bot").click()
    await page.get_by_role("button", name="Kill").click()
    await page.get_by_text("Ended by signal 9").wait_for()
    await page.get_by_text("Kinora is offline").wait_for()
    await page.get_by_role("button", name="Start", exact=True).click()
    await page.get_by_text("Online, process").wait_for()
    await page.get_by_role("tab", name="Novita").click()
    await page.get_by_role("button", name="Finish renders now").click()
    await page.get_by_role("tab", name="Ledger").click()
    await page.locator("#panel-4 tr", has_text="delivered").first.wait_for(timeout=60_000)
    await page.get_by_role("button", name="Close backstage").click()
    video = await open_thread(page)
    await assert_plays(page, video)
    assert len(await studio.novita.payments()) == 1


async def test_trouble_is_one_click_away(studio: Sandbox, open_page: OpenPage) -> None:
    page = await open_page(studio)
    await page.get_by_role("button", name="Backstage").click()
    await page.get_by_role("tab", name="Faults").click()
    await page.locator(".fault-group", has_text="the paid order").get_by_role("button", name="Lose").click()
    await page.get_by_text("novita: Lose the answer (1 to go)").wait_for()
    await page.get_by_role("button", name="Lower the boost level").click()
    await page.get_by_text("Boost level 2").wait_for()
    await page.get_by_label("Create Public Threads").uncheck()
    bits = {c.name: c.data for c in await studio.person("mia").places()}["stills"]["bot_permissions"]
    await page.get_by_role("combobox", name="Message #stills").click()
    await animate(page, PICTURE)
    await page.get_by_text("Unconfirmed").first.wait_for(timeout=60_000)
    assert "CREATE_PUBLIC_THREADS" not in bits
    assert len(await studio.novita.payments()) == 1
    await page.get_by_role("tab", name="Wire").click()
    await page.locator(".wire-rows li", has_text="fault: drop_after").wait_for()


async def test_everybody_sees_what_they_may(studio: Sandbox, open_page: OpenPage) -> None:
    page = await open_page(studio)
    assert await page.get_by_role("button", name="private (private text channel)").count() == 0
    await page.get_by_role("button", name="news (announcement channel)").click()
    await page.get_by_text("You do not have permission to send messages in this channel.").wait_for()
    await page.get_by_role("button", name="switch person").click()
    await page.get_by_role("menuitemradio", name="Adam Admin").click()
    await page.get_by_role("button", name="private (private text channel)").click()
    await page.get_by_role("combobox", name="Message #private").fill("**Only** for us")
    await page.keyboard.press("Enter")
    await page.locator(".message strong", has_text="Only").wait_for()


async def test_the_sample_picture_is_one_click_away(studio: Sandbox, open_page: OpenPage) -> None:
    page = await open_page(studio)
    await page.get_by_role("button", name="Try it with the paper boat").click()
    await page.locator(".dropzone", has_text="paper-boat.jpg").wait_for()
    await page.get_by_role("button", name="Send message").first.click()
    await (await open_thread(page)).wait_for()


async def test_on_a_phone_the_sides_are_drawers(studio: Sandbox, open_page: OpenPage) -> None:
    page = await open_page(studio, viewport={"width": 390, "height": 780}, has_touch=True)
    assert not await page.get_by_role("navigation", name="Channels").is_visible()
    await page.get_by_role("button", name="Show channels").click()
    await page.get_by_role("button", name="showcase (forum)").click()
    await page.get_by_role("button", name="Paper boats").last.click()
    await page.get_by_text("Who makes them sail?").last.wait_for()
    wide = await page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 390
    picture = Image.open(BytesIO(await page.screenshot()))
    assert picture.width == 390
