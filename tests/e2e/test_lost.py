"""A command that was acknowledged, and whose process then died with it: its person hears of it, once."""

from __future__ import annotations

from sandbox.client import Message, Person, Sandbox
from tests.support.kinora import Kinora
from tests.support.steps import an_image, animate, fault_hit, video_in

LOST = "lost it"
FILES = {"image": ("still.png", an_image())}


async def lost(sandbox: Sandbox, kinora: Kinora, person: Person, place: str) -> None:
    """Have a command acknowledged, and the bot killed while it fetches the image."""
    await sandbox.faults.add("cdn", "hang")
    run = await person.run("animate", place, {"prompt": "A boat that was lost"}, files=FILES)
    await run.wait_acknowledged()
    await fault_hit(sandbox)
    await kinora.kill()
    await sandbox.faults.clear()


async def told(person: Person, place: str) -> Message:
    """Wait until somebody is told."""
    return await person.wait_for_message(place, lambda m: LOST in m.text)


async def test_it_is_said_privately_with_the_prompt_while_the_token_lives(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    await lost(sandbox, kinora, mia, "stills")
    await kinora.start()
    answer = await told(mia, "stills")
    assert answer.ephemeral
    assert "Nothing was charged" in answer.text
    assert "A boat that was lost" in answer.text
    assert not [m.text for m in await mia.messages("stills") if m.deferred]
    assert kinora.rows() == []


async def test_afterwards_it_is_said_in_the_channel(sandbox: Sandbox, kinora: Kinora, mia: Person) -> None:
    await lost(sandbox, kinora, mia, "stills")
    await sandbox.discord.forward(16 * 60)
    await kinora.start()
    answer = await told(mia, "stills")
    assert not answer.ephemeral
    assert answer.pings == ["mia"]
    assert "A boat that was lost" in answer.text


async def test_it_is_said_once_and_of_nothing_else(sandbox: Sandbox, kinora: Kinora, mia: Person) -> None:
    card = await animate(mia, "stills", "A boat that arrives")
    await video_in(mia, card.id)
    await mia.run("animate", "Lounge", {"prompt": "No picture"}, files={"image": ("x.png", b"no picture")})
    refused = await mia.wait_for_message("Lounge", lambda m: m.ephemeral)
    assert LOST not in refused.text
    await lost(sandbox, kinora, mia, "stills")
    await kinora.start()
    await mia.delete(await told(mia, "stills"))
    await kinora.wait_for_log("was lost before")
    await kinora.stop()
    await kinora.start()
    again = await animate(mia, "stills", "A boat afterwards")
    await video_in(mia, again.id)
    for place in await mia.places():
        assert not [m.text for m in await mia.messages(place.id) if LOST in m.text]
    assert sum("was lost before" in line for line in kinora.log) == 1
    assert [p["prompt"] for p in await sandbox.novita.payments()] == [
        "A boat that arrives",
        "A boat afterwards",
    ]
