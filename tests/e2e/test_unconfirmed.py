"""When the answer to the paid call is lost: only the asker decides, once, also after a restart."""

from __future__ import annotations

import asyncio

import pytest

from sandbox.client import Message, Person, Sandbox
from tests.support.kinora import Kinora
from tests.support.steps import animate, card_says, is_video, job_of

SUBMIT = "^/v3/async/kling"


async def unconfirmed(sandbox: Sandbox, person: Person, channel: str = "stills") -> tuple[Message, Message]:
    """Lose the answer to the paid call; give the card and the question."""
    await sandbox.faults.add("novita", "drop_after", method="POST", path=SUBMIT)
    card = await animate(person, channel, "A boat in doubt")
    place = card.id if channel == "stills" else channel
    asked = await person.wait_for_message(place, lambda m: len(m.controls) == 2 and job_of(card) in m.text)
    await card_says(person, card, "Unconfirmed")
    return card, asked


def button(message: Message, words: str) -> str:
    """Find a button by what it says."""
    return next(str(c["custom_id"]) for c in message.controls if words in c["label"])


async def test_the_question_is_plain(sandbox: Sandbox, kinora: Kinora, mia: Person) -> None:
    card, asked = await unconfirmed(sandbox, mia)
    assert asked.pings == ["mia"]
    assert "nobody can tell whether it was taken and paid" in asked.text
    assert "may have been charged" in asked.text
    assert [c["label"] for c in asked.controls] == [
        "Render again (may cost a second time: $0.35)",
        "Let it go",
    ]
    assert any(" ERROR " in line and job_of(card) in line for line in kinora.log)


@pytest.mark.parametrize("channel", ["stills", "Lounge"])
async def test_render_again_orders_a_new_job_with_the_same_image(
    sandbox: Sandbox, kinora: Kinora, mia: Person, channel: str
) -> None:
    card, asked = await unconfirmed(sandbox, mia, channel)
    await kinora.kill()
    await kinora.start()  # the buttons are none of this process's making
    await (await mia.click(asked, button(asked, "Render again"))).wait_acknowledged()
    video = await mia.wait_for_message(asked.channel_id, is_video)
    assert job_of(video) != job_of(card)
    assert "A boat in doubt" in video.text
    assert video.pings == ["mia"]
    settled = await card_says(mia, card, "Cancelled")
    assert f"Rendered again as job {job_of(video)}" in settled.text
    answered = await mia.wait_for_message(asked.channel_id, lambda m: m.id == asked.id and not m.controls)
    assert f"Rendered again, as job {job_of(video)}" in answered.text
    first, second = await sandbox.novita.payments()
    assert first["image_sha256"] == second["image_sha256"]


async def test_let_it_go_orders_nothing(sandbox: Sandbox, kinora: Kinora, mia: Person) -> None:
    card, asked = await unconfirmed(sandbox, mia)
    await (await mia.click(asked, button(asked, "Let it go"))).wait_acknowledged()
    assert "Let go" in (await card_says(mia, card, "Cancelled")).text
    answered = await mia.wait_for_message(asked.channel_id, lambda m: m.id == asked.id and not m.controls)
    assert "Let go" in answered.text
    assert len(await sandbox.novita.payments()) == 1


async def test_nobody_else_decides(sandbox: Sandbox, kinora: Kinora, mia: Person) -> None:
    _, asked = await unconfirmed(sandbox, mia)
    adam = sandbox.person("adam")
    for words in ("Render again", "Let it go"):
        await (await adam.click(asked, button(asked, words))).wait_acknowledged()
        told = await adam.wait_for_message(asked.channel_id, lambda m: m.ephemeral)
        assert "can decide this" in told.text
        assert told.pings == []
        await adam.delete(told)
    assert len(await sandbox.novita.payments()) == 1


async def test_of_many_presses_one_counts(sandbox: Sandbox, kinora: Kinora, mia: Person) -> None:
    card, asked = await unconfirmed(sandbox, mia)
    again, let_go = button(asked, "Render again"), button(asked, "Let it go")
    presses = await asyncio.gather(*(mia.click(asked, again if n % 2 else let_go) for n in range(6)))
    for press in presses:
        await press.wait_acknowledged()
    settled = await card_says(mia, card, "Cancelled")
    ordered = "Rendered again" in settled.text
    if ordered:
        await mia.wait_for_message(card.id, is_video)
    assert len(await sandbox.novita.payments()) == 1 + ordered


CARD_EDIT = r"/channels/\d+/messages/\d+$"


@pytest.mark.parametrize("words", ["Render again", "Let it go"])
async def test_a_press_while_the_card_is_being_painted_is_the_cards_last_word(
    sandbox: Sandbox, kinora: Kinora, mia: Person, words: str
) -> None:
    await sandbox.faults.add("novita", "drop_after", method="POST", path=SUBMIT)
    await sandbox.faults.add("discord", "delay", method="PATCH", path=CARD_EDIT, seconds=1, times=0)
    card = await animate(mia, "stills", "A boat in doubt")
    asked = await mia.wait_for_message(card.id, lambda m: len(m.controls) == 2 and job_of(card) in m.text)
    await (await mia.click(asked, button(asked, words))).wait_acknowledged()
    if words == "Render again":
        await mia.wait_for_message(card.id, is_video)
    settled = await card_says(mia, card, "Cancelled")
    assert ("Rendered again" if words == "Render again" else "Let go") in settled.text
    await asyncio.sleep(1.5)
    await card_says(mia, card, "Cancelled")
    (job, *_) = [row for row in kinora.rows() if row["id"] == job_of(card)]
    assert job["told"]
    assert len(await sandbox.novita.payments()) == (2 if words == "Render again" else 1)


@pytest.mark.parametrize("words", ["Render again", "Let it go"])
async def test_a_question_whose_message_was_deleted_is_asked_again_by_show(
    sandbox: Sandbox, kinora: Kinora, mia: Person, words: str
) -> None:
    card, asked = await unconfirmed(sandbox, mia)
    await sandbox.discord.delete_message(asked)
    await (await mia.run("show", "Lounge", {"job": job_of(card)})).wait_acknowledged()
    again = await mia.wait_for_message("Lounge", lambda m: m.ephemeral and len(m.controls) == 2)
    await (await mia.click(again, button(again, words))).wait_acknowledged()
    decided = await mia.wait_for_message("Lounge", lambda m: m.id == again.id and not m.controls)
    assert ("Rendered again" if words == "Render again" else "Let go") in decided.text
    if words == "Render again":
        await mia.wait_for_message(card.id, is_video)
    await card_says(mia, card, "Cancelled")
    assert len(await sandbox.novita.payments()) == (2 if words == "Render again" else 1)
