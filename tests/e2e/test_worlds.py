"""What Discord may turn out to be, where Kinora has to do without what the sandbox usually grants."""

from __future__ import annotations

from sandbox.client import Json, Person, Sandbox
from tests.e2e.test_private import refusal
from tests.support.kinora import ON_SQLITE, Kinora
from tests.support.steps import animate, assert_same_video, card_says, is_video, video_in

pytestmark = ON_SQLITE

OPEN_DM = "/users/@me/channels"


async def test_an_image_is_fetched_from_its_address_as_it_is_written(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    await sandbox.discord.settings(escaped_links=True)
    card = await animate(mia, "stills")
    await assert_same_video(sandbox, await video_in(mia, card.id))


async def test_what_a_private_thread_promises_is_not_believed(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    await sandbox.discord.settings(favourable_app_permissions=True)
    thread = await sandbox.discord.start_thread("stills", "mia", "Secret boats", private=True)
    assert "Mention @Kinora here to invite it" in (await refusal(sandbox, mia, thread.id)).text


async def test_a_direct_message_that_was_opened_too_fast_is_opened_later(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    thread = await sandbox.discord.start_thread("stills", "mia", "Secret boats", private=True)
    await mia.post(thread.id, f"<@{(await sandbox.discord.state())['bot']['id']}>")
    await sandbox.novita.settings(render_seconds=600)
    card = await animate(mia, thread.id)
    await card_says(mia, card, "Rendering")
    await sandbox.discord.change_channel(thread.id, locked=True, archived=True)
    await mia.change(dm_refusal=40003)
    await sandbox.novita.forward(3600)

    async def refused() -> Json | None:
        wire = await sandbox.wire(side="discord")
        return next((e for e in wire if e["path"].endswith(OPEN_DM) and e["status"] == 403), None)

    await sandbox.wait(refused, 20, "the direct message to be refused")
    await mia.change(accepts_dms=True)
    await assert_same_video(sandbox, await video_in(mia, "dm"))
    assert not any(is_video(message) for message in await mia.messages("stills"))
