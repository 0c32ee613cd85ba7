"""A Novita that takes images in one way only, which nobody documents: the bot finds out, and remembers."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from sandbox.client import Person, Sandbox
from tests.support.kinora import ON_SQLITE, Kinora, NewKinora
from tests.support.steps import animate, card_says, video_in

MODEL = "kling-2.5-turbo-i2v"
SUBMIT = "^/v3/async/kling"


async def submits(sandbox: Sandbox) -> list[dict[str, Any]]:
    """List the paid requests that reached Novita."""
    return [e for e in await sandbox.wire(side="novita") if e["method"] == "POST"]


@pytest.mark.parametrize(
    ("way", "reason", "tries"),
    [("base64", "INVALID_REQUEST_BODY", 1), ("data_uri", "INVALID_REQUEST_BODY", 2)],
)
async def test_the_image_arrives_however_it_is_taken(
    sandbox: Sandbox, kinora: Kinora, mia: Person, way: str, reason: str, tries: int
) -> None:
    await sandbox.novita.settings(
        encodings={MODEL: [way]}, encoding_refusal=reason, refuse_cfg_scale=True, retired=[]
    )
    await video_in(mia, (await animate(mia, "stills")).id)
    (task,) = await sandbox.novita.tasks()
    assert (task["image"]["encoding"], len(await submits(sandbox))) == (way, tries)


async def test_an_address_is_the_cards_own_and_what_worked_is_remembered_across_a_restart(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    await sandbox.novita.settings(encodings={MODEL: ["url"]})
    card = await animate(mia, "stills")
    await video_in(mia, card.id)
    (task,) = await sandbox.novita.tasks()
    assert len(await submits(sandbox)) == 3
    (carried,) = [file for file in card.attachments if file.filename.startswith("still-")]
    assert task["image"]["sha256"] == hashlib.sha256(await carried.read()).hexdigest()
    await kinora.kill()
    await kinora.start()
    await video_in(mia, (await animate(mia, "stills", "Another boat")).id)
    assert [e["status"] for e in await submits(sandbox)] == [400, 400, 200, 200]
    assert len(await sandbox.novita.payments()) == 2


async def test_an_answer_lost_in_the_second_try_is_never_followed_by_a_third(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    await sandbox.novita.settings(encodings={MODEL: ["url"]})
    await sandbox.faults.add("novita", "drop_after", method="POST", path=SUBMIT, skip=1)
    card = await animate(mia, "stills")
    await card_says(mia, card, "Unconfirmed")
    await kinora.kill()
    await kinora.start()
    await card_says(mia, card, "Unconfirmed")
    assert len(await submits(sandbox)) == 2


@ON_SQLITE
async def test_an_encoding_for_a_model_that_is_none_stops_the_start(new_kinora: NewKinora) -> None:
    kinora = await new_kinora(KINORA_IMAGE_ENCODINGS="kling-9=url").start(online=False)
    assert await kinora.wait() == 2
    assert "KINORA_IMAGE_ENCODINGS names kling-9" in kinora.log[-1]
