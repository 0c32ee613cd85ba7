"""What is paid is brought however long a side was away, and nobody is said to know who was not told."""

from __future__ import annotations

import asyncio

import pytest

from sandbox.client import Message, Person, Sandbox
from tests.support.kinora import ON_POSTGRES, Kinora, NewKinora
from tests.support.steps import animate, assert_same_video, card_says, count_videos, job_of, video_in

SLEEPY = "tests.support.soon_slow"
RESULT = "^/v3/async/task-result"
ASLEEP = "minutes at most"


def told(kinora: Kinora, card: Message) -> bool:
    """Read whether people are said to know how a job ended."""
    (row,) = [row for row in kinora.rows() if row["id"] == job_of(card)]
    return bool(row["told"])


async def asleep(sandbox: Sandbox, kinora: Kinora, mia: Person, side: str) -> Message:
    """Have a paid job for which a side was away until it is tried only now and then."""
    await kinora.start(module=SLEEPY)
    await sandbox.novita.settings(render_seconds=600)
    card = await animate(mia, "stills")
    await card_says(mia, card, "Rendering")
    if side == "discord":  # this thread's, for as long as a stand-in for all of Discord would be in the way
        await sandbox.faults.add(
            "discord", "error", path=rf"/channels/{card.id}/messages$", status=503, times=0
        )
    else:
        await sandbox.faults.add("novita", "error", method="GET", path=RESULT, status=502, times=0)
    await sandbox.novita.settings(render_seconds=0.1)
    await kinora.wait_for_log(ASLEEP)
    assert not told(kinora, card)
    return card


@pytest.mark.parametrize("side", ["discord", "novita"])
async def test_the_next_success_takes_up_what_slept(
    sandbox: Sandbox, new_kinora: NewKinora, mia: Person, side: str
) -> None:
    kinora = new_kinora()
    card = await asleep(sandbox, kinora, mia, side)
    await sandbox.faults.clear()
    other = await animate(sandbox.person("rosa"), "stills")
    await video_in(mia, other.id)
    video = await video_in(mia, card.id)
    assert video.pings == ["mia"]
    await card_says(mia, card, "Done")
    assert count_videos(await mia.messages(card.id)) == 1
    assert len(await sandbox.novita.payments()) == 2


@pytest.mark.parametrize("side", ["discord", "novita"])
async def test_a_restart_takes_up_what_slept(
    sandbox: Sandbox, new_kinora: NewKinora, mia: Person, side: str
) -> None:
    kinora = new_kinora()
    card = await asleep(sandbox, kinora, mia, side)
    await kinora.kill()
    await sandbox.faults.clear()
    await kinora.start(module=SLEEPY)
    await assert_same_video(sandbox, await video_in(mia, card.id))
    await card_says(mia, card, "Done")


async def test_told_is_what_the_card_tells_and_not_what_nobody_sees(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    await sandbox.novita.settings(render_seconds=600)
    cards = [await animate(mia, "Lounge"), await animate(mia, "stills")]
    for card in cards:
        await card_says(mia, card, "Rendering")
    await mia.change(accepts_dms=False)
    await sandbox.discord.overwrite("Lounge", "kinora", deny=["SEND_MESSAGES"])  # its card can be edited
    await sandbox.discord.delete_channel("stills")
    await sandbox.novita.forward(3600)
    await card_says(mia, cards[0], "Failed")
    await kinora.wait_for_log(f"job {job_of(cards[1])}: nobody can be told of its end")
    async with asyncio.timeout(20):
        while [row for row in kinora.rows() if not row["told"] and row["detour"] != "nowhere"]:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert told(kinora, cards[0])
    await kinora.kill()
    since = len(kinora.log)
    await kinora.start()
    await kinora.wait_for_log("jobs: 0 taken up again", since)  # it is over all the same
    assert not told(kinora, cards[1])


async def owners_messages(sandbox: Sandbox) -> list[str]:
    """Read what the application's owner was told."""
    owner = sandbox.person("olivia")
    return [message.content for message in await owner.messages(await owner.open_dm())]


async def the_owner_hears(sandbox: Sandbox, words: str) -> None:
    owner = sandbox.person("olivia")
    await owner.wait_for_message(await owner.open_dm(), lambda message: words in message.content)


async def test_a_refused_key_is_told_to_the_owner_once_and_what_is_paid_waits(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    await sandbox.faults.add(
        "novita", "error", method="GET", path=RESULT, reason="INVALID_API_KEY", status=401, times=3
    )
    cards = [await animate(mia, "stills"), await animate(mia, "stills")]
    for card in cards:
        await video_in(mia, card.id)
    await the_owner_hears(sandbox, "NOVITA_API_KEY")
    assert len(await owners_messages(sandbox)) == 1
    assert any("ERROR" in line and "check NOVITA_API_KEY" in line for line in kinora.log)
    assert len(await sandbox.novita.payments()) == 2


async def test_a_refused_token_is_an_error_and_what_is_paid_waits(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    await sandbox.novita.settings(render_seconds=600)
    card = await animate(mia, "stills")
    await card_says(mia, card, "Rendering")
    await sandbox.faults.add("discord", "error", path=rf"/channels/{card.id}/messages$", status=401, times=3)
    await sandbox.novita.settings(render_seconds=0.1)
    await assert_same_video(sandbox, await video_in(mia, card.id))
    assert any("ERROR" in line and "check DISCORD_TOKEN" in line for line in kinora.log)
    await the_owner_hears(sandbox, "DISCORD_TOKEN")  # it was one place that answered so


@ON_POSTGRES
async def test_a_worker_tells_the_owner_too(sandbox: Sandbox, new_kinora: NewKinora, mia: Person) -> None:
    gateway = await new_kinora().start("gateway")
    worker = gateway.aside()
    await worker.start("worker")
    try:
        await sandbox.faults.add(
            "novita", "error", method="GET", path=RESULT, reason="INVALID_API_KEY", status=401, times=2
        )
        card = await animate(mia, "stills")
        await video_in(mia, card.id)
        await the_owner_hears(sandbox, "NOVITA_API_KEY")
        assert any("ERROR" in line and "check NOVITA_API_KEY" in line for line in worker.log)
    finally:
        await worker.close()
        worker.check()
