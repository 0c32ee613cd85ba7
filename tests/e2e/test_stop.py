"""A clean stop: nothing new, what is being paid reaches its commit, the rest waits for the next start."""

from __future__ import annotations

import asyncio

from sandbox.client import Person, Sandbox
from tests.support.kinora import Kinora
from tests.support.steps import an_image, animate, card_says, fault_hit, paid, video_in

SUBMIT = "^/v3/async/kling"


async def test_newcomers_are_told_while_a_payment_is_waited_for(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    await sandbox.faults.add("novita", "delay_after", method="POST", path=SUBMIT, seconds=4)
    card = await animate(mia, "stills")
    await paid(sandbox)
    stopping = asyncio.create_task(kinora.stop())
    await kinora.wait_for_log("stopping:")
    rosa = sandbox.person("rosa")
    await rosa.run("animate", "Lounge", {"prompt": "Too late"}, files={"image": ("still.png", an_image())})
    told = await rosa.wait_for_message("Lounge", lambda m: m.ephemeral)
    assert "being restarted" in told.text
    assert "Nothing was charged" in told.text
    assert "Too late" in told.text
    assert await stopping == 0
    await kinora.start()
    await video_in(mia, card.id)
    assert len(await sandbox.novita.payments()) == 1


async def test_a_command_that_was_acknowledged_is_not_lost(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    await sandbox.faults.add("cdn", "delay", seconds=2)
    asked = await mia.run(
        "animate", "stills", {"prompt": "Just in time"}, files={"image": ("still.png", an_image())}
    )
    await asked.wait_acknowledged()
    await fault_hit(sandbox)
    assert await kinora.stop() == 0
    await kinora.start()
    card = await asked.wait_response()
    await video_in(mia, card.id)
    await card_says(mia, card, "Done")


async def test_an_answer_that_does_not_come_is_not_waited_for_for_ever(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    await sandbox.faults.add("novita", "delay_after", method="POST", path=SUBMIT, seconds=600)
    card = await animate(mia, "stills")
    await paid(sandbox)
    assert await kinora.stop() == 0
    await sandbox.faults.clear()
    await kinora.start()
    await card_says(mia, card, "Unconfirmed")
    assert len(await sandbox.novita.payments()) == 1
