"""A stop or a crash at any time: the next start finishes every open job, and pays for none of them twice."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from sandbox.client import Person, Sandbox
from tests.support.kinora import ON_SQLITE, Kinora, NewKinora
from tests.support.steps import (
    animate,
    assert_same_video,
    card_says,
    fault_hit,
    is_video,
    job_of,
    paid,
    video_in,
)

Ending = Callable[[Kinora], Awaitable[int]]
ENDINGS = pytest.mark.parametrize(
    ("end", "code"), [(Kinora.stop, 0), (Kinora.kill, -9)], ids=["stopped", "crashed"]
)


@ENDINGS
async def test_in_mid_render(sandbox: Sandbox, kinora: Kinora, mia: Person, end: Ending, code: int) -> None:
    await sandbox.novita.settings(render_seconds=600)
    card = await animate(mia, "stills")
    await card_says(mia, card, "Rendering")
    assert await end(kinora) == code
    await sandbox.novita.settings(render_seconds=0.1)
    await kinora.start()
    await assert_same_video(sandbox, await video_in(mia, card.id))
    await card_says(mia, card, "Done")


@ENDINGS
async def test_while_the_bot_is_down_the_link_expires(
    sandbox: Sandbox, kinora: Kinora, mia: Person, end: Ending, code: int
) -> None:
    await sandbox.faults.add("novita", "error", method="GET", path="^/files/", status=500, times=0)
    card = await animate(mia, "stills")
    await card_says(mia, card, "Sending")
    assert await end(kinora) == code
    await sandbox.novita.forward(3700)
    await sandbox.faults.clear()
    await kinora.start()
    await assert_same_video(sandbox, await video_in(mia, card.id))


@ENDINGS
async def test_while_it_waits_for_its_turn(
    sandbox: Sandbox, new_kinora: NewKinora, mia: Person, end: Ending, code: int
) -> None:
    kinora = await new_kinora(KINORA_MAX_RENDERS="1").start()
    await sandbox.novita.settings(render_seconds=600)
    first = await animate(mia, "stills", "The first")
    await card_says(mia, first, "Rendering")
    second = await animate(mia, "stills", "The second")
    await mia.wait_for_message("stills", lambda m: m.id == second.id and "Number 1 in line" in m.text)
    assert await end(kinora) == code
    await sandbox.novita.settings(render_seconds=0.1)
    await kinora.start()
    await video_in(mia, first.id)
    await video_in(mia, second.id)
    assert [p["prompt"] for p in await sandbox.novita.payments()] == ["The first", "The second"]


async def test_a_crash_between_the_paid_request_and_its_answer_is_never_paid_again(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    await sandbox.faults.add("novita", "delay_after", method="POST", path="^/v3/async/", seconds=600)
    card = await animate(mia, "stills")
    await paid(sandbox)  # the request has arrived and is paid; the answer never comes
    await kinora.kill()
    await kinora.start()
    await card_says(mia, card, "Unconfirmed")
    verdict = await mia.wait_for_message(card.id, lambda m: "nobody can tell" in m.text)
    assert verdict.pings == ["mia"]
    assert job_of(card) in verdict.text
    assert "may have been charged" in verdict.text
    assert len(await sandbox.novita.payments()) == 1
    assert any("ERROR" in line and job_of(card) in line for line in kinora.log)


async def test_a_stop_waits_for_the_answer_to_the_paid_request(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    await sandbox.faults.add("novita", "delay_after", method="POST", path="^/v3/async/", seconds=2)
    card = await animate(mia, "stills")
    await paid(sandbox)
    assert await kinora.stop() == 0
    await kinora.start()
    await assert_same_video(sandbox, await video_in(mia, card.id))


async def test_a_crash_after_posting_does_not_post_again(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    # The video stands in the thread, but Discord's answer does not reach the bot before it dies.
    await sandbox.faults.add(
        "discord", "delay_after", method="POST", path=r"/channels/\d+/messages$", seconds=600
    )
    card = await animate(mia, "stills")
    await video_in(mia, card.id)
    await kinora.kill()
    await sandbox.faults.clear()
    await sandbox.discord.forward(3600)  # Discord's own memory of the nonce is long gone
    await kinora.start()
    await card_says(mia, card, "Done")
    assert len([m for m in await mia.messages(card.id) if is_video(m)]) == 1
    assert len(await sandbox.novita.payments()) == 1


@pytest.mark.parametrize("hours", [0, 1], ids=["at once", "after the token has died"])
async def test_a_crash_before_the_card_stands(
    sandbox: Sandbox, kinora: Kinora, mia: Person, hours: int
) -> None:
    path = r"/webhooks/\d+/[^/]+/messages/@original$"
    fault = await sandbox.faults.add("discord", "hang", method="PATCH", path=path, times=0)
    interaction = await mia.run(
        "animate", "stills", {"prompt": "Go"}, files={"image": "demo/pictures/paper-boat.jpg"}
    )
    await interaction.wait_acknowledged()
    await fault_hit(sandbox)
    await kinora.kill()
    await sandbox.faults.remove(fault)
    await sandbox.discord.forward(3600 * hours)
    await kinora.start()
    card = await mia.wait_for_message("stills", lambda m: m.embeds and not m.deferred)
    await assert_same_video(sandbox, await video_in(mia, card.id))


async def test_many_jobs_in_flight(sandbox: Sandbox, kinora: Kinora, mia: Person) -> None:
    await sandbox.discord.settings(rate_limits=False)  # the channel's limits are not what this is about
    await sandbox.novita.settings(render_seconds=600)
    people = [mia, sandbox.person("rosa")]
    cards = await asyncio.gather(*(animate(people[n % 2], "stills", f"Number {n}") for n in range(10)))
    for card in cards:
        await card_says(mia, card, "Rendering")
    await kinora.kill()
    await sandbox.novita.settings(render_seconds=0.1)
    await kinora.start()
    for card in cards:
        assert len([await video_in(mia, card.id)]) == 1
    for card in cards:
        await card_says(mia, card, "Done")
        assert len([m for m in await mia.messages(card.id) if is_video(m)]) == 1
    assert sorted(p["prompt"] for p in await sandbox.novita.payments()) == [f"Number {n}" for n in range(10)]


@ON_SQLITE
async def test_a_second_bot_on_the_same_file_is_refused_with_a_sentence(
    sandbox: Sandbox, kinora: Kinora, new_kinora: NewKinora
) -> None:
    second = new_kinora(DATABASE_URL=f"sqlite:///{kinora.folder}/data/kinora.db")
    await second.start(online=False)
    assert await second.wait() == 2
    assert "another Kinora is running" in second.text
