"""One command is one job, however often it comes and however many hear it; whoever loses it is silent."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from sandbox.client import Message, Person, Sandbox
from tests.e2e.test_every_answer import CALLBACK, DROPS
from tests.e2e.test_unconfirmed import button, unconfirmed
from tests.support.kinora import ON_POSTGRES, ON_SQLITE, Kinora, NewKinora
from tests.support.steps import an_image, animate, is_video, video_in, visible

SETTLED = 1.5
"""How long, in seconds, a loser is given to show itself."""


async def everything(person: Person) -> list[Message]:
    """Read all that a person sees anywhere, when whoever lost had time to say something."""
    await asyncio.sleep(SETTLED)
    return [message for place in await person.places() for message in await visible(person, place.id)]


async def assert_one_job(sandbox: Sandbox, person: Person, prompt: str) -> None:
    """A prompt was paid once, and shown once; nobody said anything else, and nobody is still thinking."""
    seen = await everything(person)
    assert [payment["prompt"] for payment in await sandbox.novita.payments()].count(prompt) == 1
    assert sum(is_video(message) and prompt in message.text for message in seen) == 1
    assert [message.text for message in seen if message.ephemeral or message.deferred] == []


# --- the same event more than once --------------------------------------------------------------------------


async def test_a_command_that_comes_three_times_is_one_job(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    await sandbox.discord.settings(interaction_copies=3)
    card = await animate(mia, "stills", "A boat, thrice")
    await video_in(mia, card.id)
    await assert_one_job(sandbox, mia, "A boat, thrice")
    assert len(kinora.rows()) == 1


async def test_whatever_else_comes_three_times_is_answered_once(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    card, question = await unconfirmed(sandbox, mia)
    await sandbox.faults.clear()
    await sandbox.discord.settings(interaction_copies=3)
    await (await mia.click(question, button(question, "Render again"))).wait_acknowledged()
    await mia.wait_for_message(card.id, is_video)
    assert not [message.text for message in await everything(mia) if message.ephemeral]
    assert len(await sandbox.novita.payments()) == 2

    before = len(await everything(mia))
    await (await mia.run("show", "Lounge", {"job": "nosuchjob234"})).wait_acknowledged()
    await mia.run(
        "animate", "Lounge", {"prompt": " "}, files={"image": ("image.png", an_image())}, unchecked=True
    )
    (done,) = [row for row in kinora.rows() if row["state"] == "delivered"]
    await (await mia.run("show", "Lounge", {"job": done["id"]})).wait_acknowledged()
    await mia.wait_for_message("Lounge", is_video)
    assert len(await mia.autocomplete("show", "Lounge", "job", "")) == 2
    assert len(await everything(mia)) == before + 3
    assert len(await sandbox.novita.payments()) == 2


async def test_a_command_that_comes_again_after_a_resume_is_one_job(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    await sandbox.discord.settings(replay_interactions=True)
    card = await animate(mia, "stills", "A boat, and again")
    refused = await mia.run("show", "Lounge", {"job": "nosuchjob234"})
    await refused.wait_acknowledged()
    await video_in(mia, card.id)
    await mia.delete(await mia.wait_for_message("Lounge", lambda m: m.ephemeral))
    await sandbox.discord.close_gateway(4000)
    await kinora.wait_for_log("online: back")
    await assert_one_job(sandbox, mia, "A boat, and again")
    assert len(kinora.rows()) == 1


# --- more than one that hears -------------------------------------------------------------------------------


@ON_POSTGRES
async def test_two_gateways_on_one_database_make_one_job_of_a_command(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    other = await kinora.aside().start()
    try:
        for number in range(5):
            card = await animate(mia, "stills", f"Boat {number}")
            await video_in(mia, card.id)
        for number in range(5):
            assert [p["prompt"] for p in await sandbox.novita.payments()].count(f"Boat {number}") == 1
        await assert_one_job(sandbox, mia, "Boat 4")
        assert len(kinora.rows()) == 5
        other.check()
    finally:
        await other.kill()


async def test_two_databases_make_one_job_of_a_command(
    sandbox: Sandbox, new_kinora: NewKinora, mia: Person
) -> None:
    one, other = await new_kinora().start(), await new_kinora().start()
    for number in range(5):
        card = await animate(mia, "stills", f"Boat {number}")
        await video_in(mia, card.id)
        await assert_one_job(sandbox, mia, f"Boat {number}")
    assert len(one.rows()) + len(other.rows()) == 5


def is_answer(message: Message, words: str) -> bool:
    """Tell whether a message is a card, or a refusal that gives the prompt back."""
    return bool(message.embeds) and words in message.text


@ON_SQLITE
@pytest.mark.parametrize("kind", DROPS)
async def test_of_two_databases_one_whose_acknowledgement_broke_off_does_not_guess(
    sandbox: Sandbox, new_kinora: NewKinora, mia: Person, kind: str
) -> None:
    await new_kinora().start()
    await new_kinora().start()
    for number in range(3):
        await sandbox.faults.add("discord", kind, path=CALLBACK, times=1)
        run = await mia.run(
            "animate", "stills", {"prompt": f"Boat {number}"}, files={"image": ("image.png", an_image())}
        )
        await run.wait_acknowledged()
        words = f"Boat {number}"
        answer = await mia.wait_for_message("stills", partial(is_answer, words=words))
        await sandbox.faults.clear()
        if answer.ephemeral:
            assert "cannot tell whether it has this command" in answer.text
            assert "Nothing was charged" not in answer.text
        else:
            await video_in(mia, answer.id)
        await asyncio.sleep(SETTLED)
        paid = [payment["prompt"] for payment in await sandbox.novita.payments()]
        assert paid.count(words) == (0 if answer.ephemeral else 1)
    assert paid
