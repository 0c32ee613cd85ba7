"""`/show`: a finished video again, at any time, for the one whose it is."""

from __future__ import annotations

import hashlib

import pytest

from sandbox.client import Message, Person, Sandbox
from tests.support.kinora import Kinora
from tests.support.steps import animate, card_says, job_of, video_in


async def delivered(person: Person, prompt: str = "The boat drifts away") -> tuple[Message, Message]:
    """Have a video; give the card and the message that brought it."""
    card = await animate(person, "stills", prompt)
    video = await video_in(person, card.id)
    await card_says(person, card, "Done")
    return card, video


async def answer(person: Person, channel: str, job: str) -> Message:
    """Run /show and give the answer."""
    before = {message.id for message in await person.messages(channel)}
    await (await person.run("show", channel, {"job": job})).wait_acknowledged()
    return await person.wait_for_message(channel, lambda m: m.id not in before and not m.deferred)


async def bytes_of(message: Message) -> str:
    """Hash a message's video."""
    (file,) = message.attachments
    return hashlib.sha256(await file.read()).hexdigest()


async def test_it_comes_again_wherever_it_is_asked_for(sandbox: Sandbox, kinora: Kinora, mia: Person) -> None:
    card, video = await delivered(mia)
    await mia.open_dm()
    for channel in ("Lounge", card.id, "dm"):
        again = await answer(mia, channel, job_of(card))
        assert await bytes_of(again) == await bytes_of(video)
        assert again.pings == ([] if channel != "dm" else ["mia"])  # a DM notifies by being one
    assert len(await sandbox.novita.payments()) == 1


async def test_after_the_message_was_deleted_novita_is_asked(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    card, video = await delivered(mia)
    expected = await bytes_of(video)
    await sandbox.discord.delete_message(video)
    await sandbox.novita.forward(7200)  # the first link has long died
    assert await bytes_of(await answer(mia, "Lounge", job_of(card))) == expected


async def test_when_nobody_has_it_any_more_that_is_said(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    card, video = await delivered(mia)
    await sandbox.discord.delete_message(video)
    await sandbox.novita.settings(task_retention=1)
    await sandbox.novita.forward(7200)
    told = await answer(mia, "Lounge", job_of(card))
    assert told.ephemeral
    assert "Novita does not keep it any more" in told.text


async def test_it_shows_ones_own_only(sandbox: Sandbox, kinora: Kinora, mia: Person) -> None:
    card, _ = await delivered(mia)
    for person, job in ((sandbox.person("rosa"), job_of(card)), (mia, "nosuchjob234")):
        told = await answer(person, "Lounge", job)
        assert told.ephemeral
        assert "You have no such job" in told.text


@pytest.mark.parametrize(("prompt", "says"), [("fail-sandbox-render", "could not finish the render")])
async def test_a_failed_job_tells_again_how_it_ended(
    sandbox: Sandbox, kinora: Kinora, mia: Person, prompt: str, says: str
) -> None:
    card = await animate(mia, "stills", prompt)
    await card_says(mia, card, "Failed")
    told = await answer(mia, "Lounge", job_of(card))
    assert told.ephemeral
    assert says in told.text


async def test_one_on_its_way_is_not_hurried(sandbox: Sandbox, kinora: Kinora, mia: Person) -> None:
    await sandbox.novita.settings(render_seconds=600)
    card = await animate(mia, "stills")
    told = await answer(mia, "Lounge", job_of(card))
    assert told.ephemeral
    assert "still on its way" in told.text


async def test_ones_own_jobs_are_offered_while_typing(sandbox: Sandbox, kinora: Kinora, mia: Person) -> None:
    card, _ = await delivered(mia, "A very special boat")
    (offered,) = await mia.autocomplete("show", "Lounge", "job", "special")
    assert offered["value"] == job_of(card)
    assert "A very special boat" in offered["name"]
    assert await sandbox.person("rosa").autocomplete("show", "Lounge", "job", "") == []


async def test_one_person_cannot_ask_for_many_at_once(sandbox: Sandbox, kinora: Kinora, mia: Person) -> None:
    card, _ = await delivered(mia)
    rosa = sandbox.person("rosa")
    hers = await animate(rosa, "stills")
    await card_says(rosa, hers, "Done")
    await sandbox.faults.add("cdn", "hang", times=2)
    for _ in range(2):
        await (await mia.run("show", "Lounge", {"job": job_of(card)})).wait_acknowledged()
    await (await mia.run("show", "Lounge", {"job": job_of(card)})).wait_acknowledged()
    told = await mia.wait_for_message("Lounge", lambda m: m.ephemeral)
    assert "many videos again just now" in told.text
    assert "Nothing was charged" not in told.text
    assert (await answer(rosa, card.id, job_of(hers))).attachments  # the others are not concerned
    await sandbox.faults.clear()
    await mia.wait_for_message("Lounge", lambda m: bool(m.attachments), 60)
