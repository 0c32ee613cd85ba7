"""What bots can show and ask, beyond what Kinora does: with a bot that uses everything."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sandbox.client import Sandbox
from tests.browser.conftest import OpenPage
from tests.browser.showcase import Showcase
from tests.browser.steps import NOTE, PICTURE, begin_command

pytestmark = pytest.mark.browser


async def run(page: Any, command: str) -> None:
    await page.get_by_role("combobox", name="Message #stills").click()
    await begin_command(page, command)
    await page.keyboard.press("Enter")


async def test_buttons_and_menus(sandbox: Sandbox, bot: Showcase, open_page: OpenPage) -> None:
    page = await open_page(sandbox)
    await run(page, "controls")
    await page.get_by_role("button", name="Count").click()
    await page.get_by_role("button", name="Counted 1").click()
    await page.get_by_role("button", name="Counted 2").wait_for()
    await page.get_by_role("button", name="Whisper").click()
    await page.locator(".message.ephemeral", has_text="psst").wait_for()
    await page.get_by_role("combobox", name="Pick two").press("Enter")
    for key in ("Enter", "ArrowDown", "ArrowDown", "Enter", "Escape"):
        await page.keyboard.press(key)
    await page.get_by_text("You picked A and C").wait_for()
    await page.get_by_role("button", name="Silence").click()
    await page.get_by_text("This interaction failed").wait_for()


async def test_a_modal_with_every_kind_of_field(sandbox: Sandbox, bot: Showcase, open_page: OpenPage) -> None:
    page = await open_page(sandbox)
    await run(page, "form")
    form = page.get_by_role("dialog", name="Tell us")
    await form.get_by_role("button", name="Submit").click()
    assert await form.get_by_text("This field is required.").count() == 3
    await page.get_by_label("Name").fill("Ada")
    await form.get_by_role("combobox", name="Mood").click()
    await page.get_by_role("option", name="Wild").click()
    await form.get_by_label("Large").check()
    await form.locator("input[type=file]").set_input_files([PICTURE, NOTE])
    await form.get_by_role("button", name="Submit").click()
    await page.get_by_text("Got Ada, Wild, Large, my_photo.png, notes.png").wait_for()
    assert await form.count() == 0


async def test_components_v2_and_the_lightbox(sandbox: Sandbox, bot: Showcase, open_page: OpenPage) -> None:
    page = await open_page(sandbox)
    await run(page, "layout")
    box = page.locator(".container.accented")
    await box.get_by_role("heading", name="A section").wait_for()
    assert await box.locator(".tile").count() == 2
    assert await box.get_by_role("link", name="Read on").get_attribute("href") == "https://example.org/"
    assert "5 bytes" in await box.inner_text()
    await box.get_by_role("button", name="Spoiler").click()
    await box.get_by_role("button", name="Open image: All red").click()
    large = page.get_by_role("dialog", name="Image: All red").locator("img")
    assert await large.evaluate("image => image.decode().then(() => image.naturalWidth)") == 320
    await page.keyboard.press("Escape")
    await large.wait_for(state="detached")


async def test_options_are_completed_by_the_bot(sandbox: Sandbox, bot: Showcase, open_page: OpenPage) -> None:
    page = await open_page(sandbox)
    await begin_command(page, "options")
    await page.keyboard.type("lon")
    await page.get_by_role("option", name="London").wait_for()
    await page.keyboard.press("Enter")
    await page.keyboard.type("7")
    await page.keyboard.press("Enter")
    await page.get_by_text("London 7 False None").wait_for()


async def test_apps_menus_on_messages_and_people(
    sandbox: Sandbox, bot: Showcase, open_page: OpenPage
) -> None:
    page = await open_page(sandbox)
    await sandbox.person("rosa").post("stills", "A fine day")
    await page.locator(".message", has_text="A fine day").focus()
    await page.keyboard.press("Shift+F10")
    await page.get_by_role("menu", name="Message").wait_for()
    for key in ("ArrowDown", "ArrowDown", "ArrowRight"):
        await page.keyboard.press(key)
    await page.get_by_role("menuitem", name="Quote").wait_for()
    await page.keyboard.press("Enter")
    await page.locator("blockquote", has_text="A fine day").wait_for()
    await page.locator(".member", has_text="Rosa").click()
    await page.get_by_role("menu", name="Rosa Regular").wait_for()
    await page.keyboard.press("ArrowRight")
    await page.get_by_role("menuitem", name="Greet").click()
    await page.locator(".message .mention", has_text="@Rosa Regular").wait_for()


async def test_a_bot_that_does_not_answer(sandbox: Sandbox, bot: Showcase, open_page: OpenPage) -> None:
    page = await open_page(sandbox)
    await run(page, "silence")
    await page.get_by_text("Sending command").wait_for()
    await page.get_by_text("The application did not respond").wait_for()
    await page.get_by_role("button", name="Dismiss message").click()
    assert await page.locator(".message").count() == 0


async def test_what_anybody_writes_is_never_markup_of_the_page(sandbox: Sandbox, open_page: OpenPage) -> None:
    page = await open_page(sandbox)
    hostile = (
        '<img src=x onerror="document.title=1"> [x](javascript:alert(1)) <script>document.title=1</script>'
    )
    await sandbox.person("rosa").post("stills", hostile)
    content = page.locator(".message .content")
    assert (await content.inner_text()).strip() == hostile
    assert await content.locator("a, img, script").count() == 0


async def test_the_page_is_live_again_after_its_connection_broke(
    sandbox: Sandbox, open_page: OpenPage
) -> None:
    page = await open_page(sandbox)
    rosa = sandbox.person("rosa")
    lines: list[Any] = []
    away = False

    async def between(line: Any) -> None:
        lines.append(line)
        if away:
            await line.close()
        else:
            line.connect_to_server()

    await page.route_web_socket("**/events", between)
    await page.reload()
    await page.wait_for_selector('#page[aria-busy="false"]')
    away = True
    await lines[-1].close()
    await page.get_by_text("The sandbox does not answer. Trying again…").wait_for()
    await rosa.post("stills", "Were you away?")
    away = False
    await page.get_by_text("Were you away?").wait_for()
    assert not await page.locator("#offline").is_visible()
    await rosa.post("stills", "And now?")
    await page.get_by_text("And now?").wait_for()


async def test_a_thread_opens_beside_its_channel(sandbox: Sandbox, open_page: OpenPage) -> None:
    page = await open_page(sandbox)
    await sandbox.discord.start_thread("stills", "rosa", "A thread of ours")
    await page.get_by_role("button", name="A thread of ours (thread)").click()
    await asyncio.gather(
        page.get_by_text("Started by").wait_for(),
        page.get_by_role("complementary", name="Thread").wait_for(),
    )


async def test_what_came_unseen_is_marked_as_new(sandbox: Sandbox, open_page: OpenPage) -> None:
    page = await open_page(sandbox)
    rosa = sandbox.person("rosa")
    await rosa.post("stills", "Seen")
    await page.get_by_text("Seen").wait_for()
    await page.get_by_role("button", name="news (announcement channel)").click()
    for words in ("Unseen", "Unseen too"):
        await rosa.post("stills", words)
    await page.get_by_role("button", name="stills (text channel), unread").click()
    news = page.locator(".divider-new")
    first = await news.evaluate("divider => divider.nextElementSibling.querySelector('.content').textContent")
    assert first == "Unseen"
    await page.keyboard.type("I see")
    await page.keyboard.press("Enter")
    await news.wait_for(state="detached")


# --- markdown -----------------------------------------------------------------------------------------------

MARKDOWN = [
    ("**bold** *it* _it_ __u__ ~~s~~", "<strong>bold</strong> <em>it</em> <em>it</em> <u>u</u> <s>s</s>"),
    ("***both***", "<strong><em>both</em></strong>"),
    (r"\*not\* \_this\_", "*not* _this_"),
    ("snake_case_name 2*3*4", "snake_case_name 2<em>3</em>4"),
    ("`a **b**`", '<code class="code">a **b**</code>'),
    ("# Head\ntext", '<h4 class="heading-1">Head</h4>text'),
    ("#no head", "#no head"),
    ("> one\n> two\nthree", "<blockquote>one<br>two</blockquote>three"),
    (">>> all\nof it", "<blockquote>all<br>of it</blockquote>"),
    ("- a\n  - b\n1. c", '<ul><li>a<ul><li>b</li></ul></li></ul><ol start="1"><li>c</li></ol>'),
    ("-# small", '<small class="subtext">small</small>'),
    ("<@1> <#9>", '<span class="mention mention-me">@Mia</span> <span class="mention"># unknown</span>'),
    ("a\n\nb", "a<br><br>b"),
]


async def test_markdown(sandbox: Sandbox, open_page: OpenPage) -> None:
    page = await open_page(sandbox)
    assert {text: await show(page, text) for text, _ in MARKDOWN} == dict(MARKDOWN)


async def test_times_links_and_code_blocks(sandbox: Sandbox, open_page: OpenPage) -> None:
    page = await open_page(sandbox)
    assert "in 5 minutes" in await show(page, "<t:${soon}:R>")
    link = await show(page, "[words](https://example.org/a_(b)) https://example.org/x.")
    assert 'href="https://example.org/a_(b)"' in link
    assert 'href="https://example.org/x"' in link
    assert link.endswith("</a>.")
    assert "href" not in await show(page, "[x](javascript:alert(1))")
    block = await show(page, "before\n```py\nx = 1\n```\nafter")
    assert block == 'before<br><pre class="code-block" tabindex="0"><code>x = 1</code></pre>after'


async def show(page: Any, text: str) -> str:
    """Turn text into HTML with the page's own module."""
    html: str = await page.evaluate(
        """async text => {
            const { markdown } = await import("/app/markdown.js");
            const soon = Math.round(Date.now() / 1000) + 330;
            const user = id => id === "1" ? { name: "Mia" } : null;
            const names = { me: "1", user, role: () => null, channel: () => null };
            const box = document.createElement("div");
            box.append(...markdown(text.replace("${soon}", soon), names));
            return box.innerHTML;
        }""",
        text,
    )
    return html
