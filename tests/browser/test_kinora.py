"""Kinora as a newcomer meets it: a picture of one's own, a video that plays, and a bot that survives."""

from __future__ import annotations

from io import BytesIO

import pytest
from PIL import Image

from sandbox.client import Sandbox
from tests.browser.conftest import OpenPage
from tests.browser.steps import NOTE, PICTURE, animate, assert_plays, begin_command, open_thread
from tests.support.steps import an_image

pytestmark = pytest.mark.browser


async def test_from_a_picture_of_ones_own_to_a_playing_video_with_the_keyboard_alone(
    demo: Sandbox, open_page: OpenPage
) -> None:
    page = await open_page(demo)
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
    assert len(await demo.novita.payments()) == 1


async def test_a_picture_may_be_dropped_on_the_page(demo: Sandbox, open_page: OpenPage) -> None:
    page = await open_page(demo)
    await begin_command(page)
    data = await page.evaluate_handle(
        """bytes => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(bytes)], "dropped.png", { type: "image/png" }));
            return data;
        }""",
        list(an_image()),
    )
    for event in ("dragenter", "dragover", "drop"):
        await page.dispatch_event("#chat", event, {"dataTransfer": data})
    await page.locator(".dropzone", has_text="dropped.png").wait_for()


async def test_a_refusal_is_seen_by_the_asker_only_and_can_be_put_away(
    demo: Sandbox, open_page: OpenPage
) -> None:
    mia, rosa = await open_page(demo), await open_page(demo, "rosa")
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
    assert await demo.novita.payments() == []


async def test_options_are_checked_before_anything_is_sent(demo: Sandbox, open_page: OpenPage) -> None:
    page = await open_page(demo)
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
    assert (await demo.get("/discord/interactions"))["interactions"] == []


async def test_a_bot_killed_while_it_renders_brings_the_video_all_the_same(
    demo: Sandbox, open_page: OpenPage
) -> None:
    await demo.novita.settings(render_seconds=300)
    page = await open_page(demo)
    await animate(page, PICTURE)
    await page.get_by_text("Rendering", exact=True).wait_for()
    await page.get_by_role("button", name="Backstage").click()
    await page.get_by_role("tab", name="Bot").click()
    await page.get_by_role("button", name="Kill").click()
    await page.get_by_text("Ended by signal 9", exact=True).wait_for()
    await page.get_by_text("Kinora is offline").wait_for()
    await page.get_by_role("button", name="Start", exact=True).click()
    await page.get_by_text("Online, process").wait_for()
    await page.get_by_role("tab", name="Novita").click()
    await page.get_by_role("button", name="Finish renders now").click()
    await page.get_by_role("tab", name="Jobs").click()
    jobs = page.get_by_role("tabpanel", name="Jobs")
    await jobs.locator("tr", has_text="delivered").first.wait_for(timeout=60_000)
    await page.get_by_role("button", name="Close backstage").click()
    video = await open_thread(page)
    await assert_plays(page, video)
    assert len(await demo.novita.payments()) == 1


async def test_trouble_is_one_click_away(demo: Sandbox, open_page: OpenPage) -> None:
    page = await open_page(demo)
    await page.get_by_role("button", name="Backstage").click()
    await page.get_by_role("tab", name="Faults").click()
    await page.locator(".fault-group", has_text="the paid order").get_by_role("button", name="Lose").click()
    await page.get_by_text("novita: Lose the answer (1 to go)").wait_for()
    await page.get_by_role("button", name="Lower the boost level").click()
    await page.get_by_text("Boost level 2").wait_for()
    await page.get_by_label("Create Public Threads").uncheck()
    bits = {c.name: c.data for c in await demo.person("mia").places()}["stills"]["bot_permissions"]
    await page.get_by_role("combobox", name="Message #stills").click()
    await animate(page, PICTURE)
    await page.get_by_text("Unconfirmed").first.wait_for(timeout=60_000)
    assert "CREATE_PUBLIC_THREADS" not in bits
    assert len(await demo.novita.payments()) == 1
    await page.get_by_role("tab", name="Wire").click()
    await page.locator(".wire-rows li", has_text="fault: drop_after").wait_for()


async def test_everybody_sees_what_they_may(demo: Sandbox, open_page: OpenPage) -> None:
    page = await open_page(demo)
    assert await page.get_by_role("button", name="private (private text channel)").count() == 0
    await page.get_by_role("button", name="news (announcement channel)").click()
    await page.get_by_text("You do not have permission to send messages in this channel.").wait_for()
    await page.get_by_role("button", name="switch person").click()
    await page.get_by_role("menuitemradio", name="Adam Admin").click()
    await page.get_by_role("button", name="private (private text channel)").click()
    await page.get_by_role("combobox", name="Message #private").fill("**Only** for us")
    await page.keyboard.press("Enter")
    await page.locator(".message strong", has_text="Only").wait_for()


async def test_a_picture_is_one_click_away(demo: Sandbox, open_page: OpenPage) -> None:
    page = await open_page(demo)
    async with page.expect_file_chooser() as chooser:
        await page.get_by_role("button", name="A picture of your own").click()
    await (await chooser.value).set_files([PICTURE])
    await page.locator(".dropzone", has_text="my photo.png").wait_for()
    await page.keyboard.type("It moves")  # the focus is on what is missing
    assert await page.get_by_role("combobox", name="prompt: ").inner_text() == "It moves"
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="The paper boat").click()
    await page.locator(".dropzone", has_text="paper-boat.jpg").wait_for()
    await page.get_by_role("button", name="Send message").first.click()
    await (await open_thread(page)).wait_for()


async def test_on_a_phone_the_sides_are_drawers(demo: Sandbox, open_page: OpenPage) -> None:
    page = await open_page(demo, viewport={"width": 390, "height": 780}, has_touch=True)
    assert not await page.get_by_role("navigation", name="Channels").is_visible()
    await page.get_by_role("button", name="Show channels").click()
    await page.get_by_role("button", name="showcase (forum)").click()
    await page.get_by_role("button", name="Paper boats").last.click()
    await page.get_by_text("Who makes them sail?").last.wait_for()
    wide = await page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 390
    picture = Image.open(BytesIO(await page.screenshot()))
    assert picture.width == 390


async def test_an_order_whose_answer_was_lost_is_decided_by_its_asker(
    demo: Sandbox, open_page: OpenPage
) -> None:
    mia, rosa = await open_page(demo), await open_page(demo, "rosa")
    await demo.faults.add("novita", "drop_after", method="POST", path="^/v3/async/kling")
    await animate(mia, PICTURE)
    for page in (mia, rosa):
        await page.locator("#chat .embed", has_text="Unconfirmed").wait_for(timeout=60_000)
        await page.locator(".thread-box").click()
    await rosa.get_by_role("button", name="Let it go").click()
    await rosa.locator(".ephemeral", has_text="it is their render").wait_for()
    await mia.get_by_role("button", name="Render again").click()
    await mia.locator("#thread").get_by_text("Rendered again").first.wait_for()
    await mia.locator("#thread .message.pinged video").wait_for(timeout=60_000)
    assert await mia.get_by_role("button", name="Let it go").count() == 0
    assert len(await demo.novita.payments()) == 2


async def test_an_order_in_doubt_may_be_let_go(demo: Sandbox, open_page: OpenPage) -> None:
    page = await open_page(demo)
    await demo.faults.add("novita", "drop_after", method="POST", path="^/v3/async/kling")
    await animate(page, PICTURE)
    await page.locator("#chat .embed", has_text="Unconfirmed").wait_for(timeout=60_000)
    await page.locator(".thread-box").click()
    await page.get_by_role("button", name="Let it go").click()
    await page.locator("#chat .embed", has_text="Let go.").wait_for()
    assert await page.get_by_role("button", name="Render again").count() == 0
    assert len(await demo.novita.payments()) == 1


async def test_a_refused_prompt_is_left_on_nobody_elses_page(demo: Sandbox, open_page: OpenPage) -> None:
    mia, rosa = await open_page(demo), await open_page(demo, "rosa")
    await animate(mia, PICTURE, "A forbidden-sandbox-word boat")
    await mia.locator(".ephemeral", has_text="content rules refused the prompt").wait_for(timeout=60_000)
    await rosa.locator(".thread-box .thread-name", has_text="Kinora ").wait_for()
    assert await rosa.get_by_text("forbidden-sandbox-word").count() == 0
