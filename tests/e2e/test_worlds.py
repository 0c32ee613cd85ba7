"""What Discord and Novita may turn out to be, where they do not grant what the sandbox usually does."""

from __future__ import annotations

import pytest

from sandbox.client import Json, Person, Sandbox
from tests.e2e.test_private import refusal
from tests.support.kinora import ON_SQLITE, Kinora
from tests.support.steps import animate, assert_same_video, card_says, is_video, job_of, message_of, video_in

pytestmark = ON_SQLITE

OPEN_DM = "/users/@me/channels"


async def test_an_image_is_fetched_from_its_address_as_it_is_written(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    await sandbox.discord.settings(escaped_links=True)
    card = await animate(mia, "stills")
    await assert_same_video(sandbox, await video_in(mia, card.id))


async def test_what_a_private_thread_promises_is_not_believed(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    await sandbox.discord.settings(favourable_app_permissions=True)
    thread = await sandbox.discord.start_thread("stills", "mia", "Secret boats", private=True)
    assert "Mention @Kinora here to invite it" in (await refusal(sandbox, mia, thread.id)).text


async def test_a_direct_message_that_was_opened_too_fast_is_opened_later(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    thread = await sandbox.discord.start_thread("stills", "mia", "Secret boats", private=True)
    await mia.post(thread.id, f"<@{(await sandbox.discord.state())['bot']['id']}>")
    await sandbox.novita.settings(render_seconds=600)
    card = await animate(mia, thread.id)
    await card_says(mia, card, "Rendering")
    await sandbox.discord.change_channel(thread.id, locked=True, archived=True)
    await mia.change(dm_refusal=40003)
    await sandbox.novita.forward(3600)

    async def refused() -> Json | None:
        wire = await sandbox.wire(side="discord")
        return next((e for e in wire if e["path"].endswith(OPEN_DM) and e["status"] == 403), None)

    await sandbox.wait(refused, 20, "the direct message to be refused")
    await mia.change(accepts_dms=True)
    await assert_same_video(sandbox, await video_in(mia, "dm"))
    assert not any(is_video(message) for message in await mia.messages("stills"))


@pytest.mark.parametrize("code", [50007, 50278])
async def test_who_takes_no_direct_message_is_written_to_once(
    sandbox: Sandbox, kinora: Kinora, mia: Person, code: int
) -> None:
    await mia.open_dm()
    await sandbox.novita.settings(render_seconds=600)
    card = await animate(mia, "dm")
    await card_says(mia, card, "Rendering")
    await mia.change(dm_refusal=code)
    await sandbox.novita.forward(3600)
    await card_says(mia, card, "Failed")
    refusals = [e["response_body"]["code"] for e in await sandbox.wire(side="discord") if e["status"] == 403]
    assert refusals == [code]


async def test_cards_that_grew_old_are_done_in_the_end_though_few_edits_are_taken(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    await sandbox.discord.settings(old_edits=1)
    await sandbox.novita.settings(render_seconds=600)
    cards = [await animate(mia, "stills", prompt) for prompt in ("One boat", "Another boat")]
    for card in cards:
        await card_says(mia, card, "Rendering")
    await sandbox.discord.forward(3601)
    await sandbox.novita.forward(3600)
    for card in cards:
        await video_in(mia, card.id)
    for card in cards:
        await card_says(mia, card, "Done")
    answers = [e["response_body"] for e in await sandbox.wire(side="discord") if e["status"] == 429]
    assert 30046 in [answer.get("code") for answer in answers]
    assert len(await sandbox.novita.payments()) == 2


async def test_a_ban_for_too_many_refusals_is_met_once_and_waited_out(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    await sandbox.novita.settings(render_seconds=600)
    card = await animate(mia, "stills")
    await card_says(mia, card, "Rendering")
    await sandbox.discord.settings(invalid_request_limit=2, ban_seconds=4)
    await sandbox.faults.add("discord", "error", path="/channels/", status=403, times=2)
    await sandbox.novita.forward(3600)
    await assert_same_video(sandbox, await video_in(mia, card.id))
    await card_says(mia, card, "Done")
    wire = await sandbox.wire(side="discord")
    (ban,) = [n for n, e in enumerate(wire) if e["status"] == 429]
    assert wire[ban]["fault"] == "ban"
    assert wire[ban + 1]["at"] - wire[ban]["at"] > 3
    await kinora.wait_for_log("Discord's edge bans this address")


async def test_a_key_without_the_right_to_a_model_fails_that_model_alone(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    await sandbox.novita.settings(forbidden_models=["kling-2.5-turbo-i2v"])
    card = await animate(mia, "stills")
    told = await message_of(mia, card.id, job_of(card), "What happened")
    assert "Nothing was charged" in told.text
    await kinora.wait_for_log("ACCESS_DENY")
    card = await animate(mia, "stills", model="kling-v3.0-std-i2v")
    await assert_same_video(sandbox, await video_in(mia, card.id))


async def test_pages_of_novitas_edge_in_place_of_results_are_waited_out(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    await sandbox.novita.settings(edge_status=403, edge_on="result")
    card = await animate(mia, "stills")

    async def met() -> bool | None:
        return any(e["status"] == 403 for e in await sandbox.wire(side="novita")) or None

    await sandbox.wait(met, 20, "a page of the edge's")
    await sandbox.novita.settings(edge_status=None)
    await assert_same_video(sandbox, await video_in(mia, card.id))


async def test_a_page_of_novitas_edge_in_place_of_the_order_leaves_it_in_doubt(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    await sandbox.novita.settings(edge_status=502, edge_on="submit")
    await card_says(mia, await animate(mia, "stills"), "Unconfirmed")
    assert await sandbox.novita.payments() == []
