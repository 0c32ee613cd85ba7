"""Every interaction ends in a visible answer, also when the answer's line drops, or Discord refuses it."""

from __future__ import annotations

import pytest

from sandbox.client import Message, Person, Sandbox
from tests.e2e.test_show import answer, bytes_of, delivered
from tests.e2e.test_unconfirmed import button, unconfirmed
from tests.support.kinora import ON_SQLITE, Kinora
from tests.support.steps import card_says, job_of

pytestmark = ON_SQLITE  # what is asked of the database is as everywhere
REPLY = r"/webhooks/\d+/[^/]+/messages/@original$"
CALLBACK = r"/interactions/\d+/[^/]+/callback$"
NOISE = ("Traceback", "could not be acknowledged")


def quiet(kinora: Kinora) -> bool:
    """Tell whether the log has neither a traceback nor the old, false sentence."""
    return not any(noise in kinora.text for noise in NOISE)


async def thinking(person: Person, channel: str) -> list[Message]:
    """List the answers that never came."""
    return [message for message in await person.messages(channel) if message.deferred]


@pytest.mark.parametrize("kind", ["drop_before", "drop_after"])
async def test_a_shown_video_comes_although_its_line_drops_once(
    sandbox: Sandbox, kinora: Kinora, mia: Person, kind: str
) -> None:
    card, video = await delivered(mia)
    await sandbox.faults.add("discord", kind, method="PATCH", path=REPLY)
    again = await answer(mia, "Lounge", job_of(card))
    assert await bytes_of(again) == await bytes_of(video)
    assert await thinking(mia, "Lounge") == []
    assert quiet(kinora), kinora.text


async def test_a_shown_video_that_is_too_large_comes_smaller(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    await sandbox.novita.settings(video_bytes=2_000_000)
    card, video = await delivered(mia)
    await sandbox.faults.add("discord", "error", method="PATCH", path=REPLY, status=413, reason="40005")
    again = await answer(mia, "Lounge", job_of(card))
    assert "made smaller" in again.text
    (smaller,), (whole,) = again.attachments, video.attachments
    assert smaller.size < whole.size
    assert again.pings == []


@pytest.mark.parametrize("kind", ["drop_before", "drop_after"])
async def test_a_first_answer_whose_line_drops_once(
    sandbox: Sandbox, kinora: Kinora, mia: Person, kind: str
) -> None:
    await sandbox.faults.add("discord", kind, method="POST", path=CALLBACK)
    told = await answer(mia, "Lounge", "nosuchjob234")
    assert told.ephemeral
    assert "You have no such job" in told.text
    assert quiet(kinora), kinora.text


@pytest.mark.parametrize("kind", ["drop_before", "drop_after"])
@pytest.mark.parametrize("path", [CALLBACK, REPLY])
async def test_a_press_whose_answer_drops_once_is_answered_and_acted_on_once(
    sandbox: Sandbox, kinora: Kinora, mia: Person, kind: str, path: str
) -> None:
    card, asked = await unconfirmed(sandbox, mia)
    await sandbox.faults.add("discord", kind, path=path)
    await mia.click(asked, button(asked, "Let it go"))
    answered = await mia.wait_for_message(asked.channel_id, lambda m: m.id == asked.id and not m.controls)
    assert "Let go" in answered.text
    await card_says(mia, card, "Cancelled")
    assert len(await sandbox.novita.payments()) == 1
    assert quiet(kinora), kinora.text


async def test_what_a_press_may_not_do_is_said_privately_and_not_about_money(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    _, asked = await unconfirmed(sandbox, mia)
    rosa = sandbox.person("rosa")
    before = {message.id for message in await rosa.messages(asked.channel_id)}
    await rosa.click(asked, button(asked, "Render again"))
    told = await rosa.wait_for_message(asked.channel_id, lambda m: m.id not in before and m.ephemeral)
    assert "can decide this" in told.text
    assert "Nothing was charged" not in told.text
    assert len(await sandbox.novita.payments()) == 1
