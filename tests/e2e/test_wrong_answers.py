"""Discord, or what stands before it, answers with the wrong thing: the video comes all the same, once."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.client import Message, Person, Sandbox
from tests.support.kinora import ON_SQLITE, Kinora
from tests.support.steps import (
    animate,
    assert_same_video,
    card_says,
    fault_hit,
    is_video,
    job_of,
    message_of,
    title,
    video_in,
)

pytestmark = ON_SQLITE
CHANNELS = r"/channels/"
POSTS = r"/channels/\d+/messages$"


async def rendering(sandbox: Sandbox, person: Person, channel: str) -> Message:
    """Have a render that will not end by itself."""
    await sandbox.novita.settings(render_seconds=600)
    return await card_says(person, await animate(person, channel), "Rendering")


@pytest.mark.parametrize(
    "fault",
    [
        *({"kind": "html", "status": status} for status in (400, 403, 404, 405)),
        {"kind": "error", "status": 403, "reason": "40333"},
        {"kind": "error", "status": 403},
        {"kind": "error", "status": 404},
    ],
    ids=str,
)
async def test_what_no_listed_code_says_is_waited_out(
    sandbox: Sandbox, kinora: Kinora, mia: Person, fault: dict[str, Any]
) -> None:
    card = await rendering(sandbox, mia, "stills")
    await sandbox.faults.add("discord", path=CHANNELS, times=4, **fault)
    await sandbox.novita.forward(3600)
    await assert_same_video(sandbox, await video_in(mia, card.id))
    await card_says(mia, card, "Done")


async def test_a_message_that_discord_finds_fault_with_comes_plain_with_its_file(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    await sandbox.faults.add("discord", "error", method="POST", path=POSTS, status=400, reason="50035")
    card = await animate(mia, "stills")
    video = await video_in(mia, card.id)
    assert (video.embeds, video.pings) == ([], ["mia"])
    assert f"job {job_of(card)}" in video.content
    await assert_same_video(sandbox, video)
    await card_says(mia, card, "Done")
    await kinora.wait_for_log("finds fault")


async def test_one_that_is_refused_in_every_form_ends_undelivered_and_not_for_ever(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    await sandbox.faults.add(
        "discord", "error", method="POST", path=POSTS, status=400, reason="50035", times=3
    )
    card = await animate(mia, "stills")
    await kinora.wait_for_log("Discord takes its video in no form")
    told = await message_of(mia, card.id, job_of(card), "Discord takes it nowhere")
    assert "The render was paid" in told.text


async def test_a_ban_by_the_edge_stops_every_request_of_the_process(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    card = await rendering(sandbox, mia, "stills")
    await sandbox.faults.add("discord", "html", path=POSTS, method="POST", status=429, retry_after=6, times=1)
    before = len(await sandbox.wire())
    await sandbox.novita.forward(3600)
    await fault_hit(sandbox)
    await assert_same_video(sandbox, await video_in(mia, card.id))
    exchanges = (await sandbox.wire())[before:]
    banned = next(n for n, exchange in enumerate(exchanges) if exchange["status"] == 429)
    then = exchanges[banned + 1 :]
    assert then
    assert all(exchange["at"] - exchanges[banned]["at"] > 5 for exchange in then)


async def test_it_is_found_again_behind_more_than_a_hundred_messages(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    card = await rendering(sandbox, mia, "Lounge")
    await sandbox.faults.add("discord", "delay_after", method="POST", path=POSTS, seconds=600)
    await sandbox.novita.forward(3600)
    await video_in(mia, "Lounge")
    await kinora.kill()
    await sandbox.faults.clear()
    for n in range(120):
        await mia.post("Lounge", f"message {n}")
    await sandbox.discord.forward(3600)  # no nonce is remembered any more
    await kinora.start()

    async def done() -> object:
        return any(m.id == card.id and title(m) == "Done" for m in await mia.messages("Lounge", 500)) or None

    await sandbox.wait(done, 30, "the card to be done", {"discord"})
    assert len([m for m in await mia.messages("Lounge", 500) if is_video(m)]) == 1


async def test_where_the_history_cannot_be_read_the_requester_is_asked(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    card = await rendering(sandbox, mia, "Lounge")
    await sandbox.discord.overwrite("Lounge", "kinora", deny=["READ_MESSAGE_HISTORY"])
    await sandbox.faults.add(
        "discord", "delay_after", method="POST", path=POSTS, seconds=600, skip=1
    )  # the first is refused for its reference
    await sandbox.novita.forward(3600)
    await video_in(mia, "Lounge")  # without the reference that needs the history
    await kinora.kill()
    await sandbox.faults.clear()
    await sandbox.discord.forward(3600)
    await kinora.start()
    told = await message_of(mia, "Lounge", job_of(card), "Is the video there?")
    assert told.pings == ["mia"]
    assert len([m for m in await mia.messages("Lounge") if is_video(m)]) == 1


async def test_the_commands_token_stands_in_for_one_that_discord_refuses(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    await sandbox.novita.settings(render_seconds=600)
    card = await animate(mia, "Lounge", "fail-sandbox-render")
    await card_says(mia, card, "Rendering")
    await sandbox.faults.add("discord", "error", path=CHANNELS, status=401, times=0)
    await sandbox.novita.forward(3600)
    told = await message_of(mia, "Lounge", job_of(card), "What happened")
    assert told.pings == ["mia"]
    await card_says(mia, card, "Failed")
