"""A private place stays private, and where Kinora could post nothing is said before anything is paid."""

from __future__ import annotations

import pytest

from sandbox.client import Message, Person, Sandbox
from tests.support.kinora import ON_SQLITE, Kinora
from tests.support.steps import (
    an_image,
    animate,
    assert_same_video,
    card_says,
    is_video,
    job_of,
    video_in,
)

pytestmark = ON_SQLITE


async def refusal(sandbox: Sandbox, person: Person, channel: str) -> Message:
    """Run /animate where it is refused, and read why."""
    options, files = {"prompt": "A boat"}, {"image": ("still.png", an_image())}
    interaction = await person.run("animate", channel, options, files=files)
    answer = await interaction.wait_response()
    assert answer.ephemeral
    assert "Nothing was charged" in answer.text
    assert await sandbox.novita.payments() == []
    return answer


async def test_a_private_thread_that_kinora_is_not_in_is_refused_and_says_how_to_invite_it(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    thread = await sandbox.discord.start_thread("stills", "mia", "Secret boats", private=True)
    answer = await refusal(sandbox, mia, thread.id)
    assert "Mention @Kinora here to invite it" in answer.text
    state = await sandbox.discord.state()
    await mia.post(thread.id, f"<@{state['bot']['id']}>")
    await animate(mia, thread.id)
    await assert_same_video(sandbox, await video_in(mia, thread.id))


@pytest.mark.parametrize("what", ["locked", "deleted"])
async def test_from_a_private_thread_it_comes_by_direct_message_only(
    sandbox: Sandbox, kinora: Kinora, mia: Person, what: str
) -> None:
    thread = await sandbox.discord.start_thread("stills", "mia", "Secret boats", private=True)
    await mia.post(thread.id, f"<@{(await sandbox.discord.state())['bot']['id']}>")
    await sandbox.novita.settings(render_seconds=600)
    await mia.open_dm()
    card = await animate(mia, thread.id, "Nobody must read this")
    await card_says(mia, card, "Rendering")
    if what == "locked":
        await sandbox.discord.change_channel(thread.id, locked=True, archived=True)
    else:
        await sandbox.discord.delete_channel(thread.id)
    await sandbox.novita.forward(3600)
    await assert_same_video(sandbox, await video_in(mia, "dm"))
    assert not any("Nobody must read this" in message.text for message in await mia.messages("stills"))


@pytest.mark.parametrize("channel", ["Lounge", "Premiere"])
async def test_a_voice_chat_needs_connect(
    sandbox: Sandbox, kinora: Kinora, mia: Person, channel: str
) -> None:
    await sandbox.discord.overwrite(channel, "kinora", deny=["CONNECT"])
    assert "**Connect**" in (await refusal(sandbox, mia, channel)).text


async def test_a_server_with_the_commands_alone_gets_the_link_that_adds_the_bot(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    await sandbox.discord.remove_bot(commands_stay=True)
    answer = await refusal(sandbox, mia, "stills")
    state = await sandbox.discord.state()
    assert f"client_id={state['application_id']}&scope=bot+applications.commands" in answer.text
    assert f"guild_id={state['guilds'][0]['id']}" in answer.text


async def test_a_blocked_direct_message_is_tried_once(sandbox: Sandbox, kinora: Kinora, mia: Person) -> None:
    await mia.open_dm()
    await sandbox.novita.settings(render_seconds=600)
    card = await animate(mia, "dm")
    await card_says(mia, card, "Rendering")
    await mia.change(accepts_dms=False)
    await sandbox.novita.forward(3600)
    await card_says(mia, card, "Failed")
    posts = [
        exchange
        for exchange in await sandbox.wire()
        if exchange["method"] == "POST" and exchange["path"].endswith(f"/channels/{card.channel_id}/messages")
    ]
    assert len(posts) == 1
    assert not any(is_video(message) for message in await mia.messages("dm"))
    await mia.change(accepts_dms=True)
    await (await mia.run("show", "stills", {"job": job_of(card)})).wait_acknowledged()
    await assert_same_video(sandbox, await video_in(mia, "stills"))
