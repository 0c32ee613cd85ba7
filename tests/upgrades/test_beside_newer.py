"""Beside a newer version, or after one: its states are left alone, its messages found, its word kept."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from bot.domain.job import State
from bot.errors import LeaseLost, OutdatedVersion
from bot.store.jobs import OLDEST_PAYING, PAYING_VERSION
from bot.store.tables import jobs
from sandbox.client import Message
from tests.reliability.worlds import World
from tests.support.jobs import Store, a_job, opened
from tests.support.steps import animate, card_says, count_videos, job_of, title
from tests.upgrades.wire import Wire, buttons

UNKNOWN = ["proposed", "kept for later"]


# --- states that this version does not know -----------------------------------------------------------------


@pytest.mark.parametrize("state", UNKNOWN)
async def test_the_store_leaves_a_state_alone_that_it_does_not_know(database_url: str, state: str) -> None:
    async with opened(database_url) as store:
        job = await store.claim((await store.accept(a_job(requester_id=7))).id)
        other = await store.accept(a_job(requester_id=7))
        assert not await store.is_newer(job.id)
        await _set(store, job.id, state=state)
        before = await _row(store, job.id)
        assert await store.open_jobs() == [other.id]
        assert await store.get(job.id) is None
        assert await store.jobs_of(7) == [other]
        assert await store.is_newer(job.id)
        assert not await store.is_newer(other.id)
        assert not await store.is_newer("nosuchjob234")
        for attempt in (
            store.claim(job.id),
            store.move(job, State.SUBMITTING),
            store.update(job, notified=True),
            store.fail(job, "lost", ""),
            store.decide(job.id, None),
            store.look_again(job.id, 1),
        ):
            with pytest.raises(LeaseLost):
                await attempt
        assert (await store.queue.advance(10, 10)).waiting == []
        assert await _row(store, job.id) == before


async def test_a_bot_leaves_a_state_alone_that_it_does_not_know(world: World) -> None:
    await world.sandbox.novita.settings(render_seconds=600)
    bot = await world.bot().start()
    place = await world.channel()
    prompts = {state: world.prompt() for state in UNKNOWN}
    cards = {state: await animate(world.mia, place, prompt) for state, prompt in prompts.items()}
    for card in cards.values():
        await card_says(world.mia, card, "Rendering")
    await bot.kill()
    for state, card in cards.items():
        bot.execute("UPDATE jobs SET state = ? WHERE id = ?", state, job_of(card))
    before = {row["id"]: row for row in bot.rows()}
    await world.sandbox.novita.settings(render_seconds=0.1)

    await bot.start()
    await bot.wait_for_log("jobs: 0 taken up again")
    for card in cards.values():
        run = await world.mia.run("show", place, {"job": job_of(card)})
        assert "You have no such job" in (await run.wait_response()).text
    assert await world.mia.autocomplete("show", place, "job", "") == []
    # What it does know, it does beside them.
    prompt = world.prompt()
    await animate(world.mia, place, prompt)
    assert (await bot.ended(prompt))["state"] == "delivered"
    assert {row["id"]: row for row in bot.rows() if row["id"] in before} == before
    assert await bot.stop() == 0


# --- messages of a later version ----------------------------------------------------------------------------


async def test_a_later_versions_video_is_found_by_its_buttons(world: World, wire: Wire) -> None:
    prompt, place = world.prompt(), await world.channel()
    bot = await world.bot().start(dies_at="after commit: rendered")
    card = await animate(world.mia, place, prompt)
    await bot.wait()
    # The next version posts it without an embed, under a name of its own, dies, and is taken back.
    job = job_of(card)
    await wire.post(
        card.id,
        {"content": "Here it is.", "nonce": job, "components": buttons(f"kinora:share:{job}")},
        {"paper-boat.mp4": b"\0" * 100},
    )
    await bot.start()
    row = await bot.ended(prompt)
    assert (row["state"], row["how"]) == ("delivered", "attached")
    assert [(m.content, len(m.attachments)) for m in await _said(world, card)] == [("Here it is.", 1)]
    assert await world.paid(prompt) == 1


async def test_a_later_versions_verdict_is_found_by_its_buttons(world: World, wire: Wire) -> None:
    prompt, place = world.prompt(fails=True), await world.channel()
    bot = await world.bot().start(dies_at="after commit: failed")
    card = await animate(world.mia, place, prompt)
    await bot.wait()
    job = job_of(card)
    message = {"content": "It failed.", "nonce": "n", "components": buttons(f"kinora:retry:{job}")}
    await wire.post(card.id, message)
    await bot.start()
    assert (await bot.ended(prompt))["state"] == "failed"
    assert [m.content for m in await _said(world, card)] == ["It failed."]


# --- the oldest version that is allowed to pay --------------------------------------------------------------


async def test_an_outdated_version_stops_before_the_paid_request(database_url: str) -> None:
    async with opened(database_url) as store:
        job = await store.claim((await store.accept(a_job())).id)
        for oldest, may in (("", True), ("1", True), ("new", True), ("2", False), ("10", False)):
            await _name_oldest(store, oldest)
            if may:
                await store.check_version()
                continue
            with pytest.raises(OutdatedVersion):
                await store.check_version()
            with pytest.raises(OutdatedVersion):
                await store.move(job, State.SUBMITTING)
        assert (await store.get(job.id)) == job
        await _name_oldest(store, str(PAYING_VERSION))
        assert (await store.move(job, State.SUBMITTING)).state is State.SUBMITTING


async def test_an_outdated_bot_accepts_and_says_that_it_does_not_pay(world: World) -> None:
    bot = await world.bot().start()
    place = await world.channel()
    insert = "INSERT INTO shared (key, at, text) VALUES (?, 0, ?)"
    bot.execute(insert, OLDEST_PAYING, str(PAYING_VERSION + 1))
    prompts = [world.prompt() for _ in range(2)]
    cards = [await animate(world.mia, place, prompt) for prompt in prompts]
    for card in cards:
        found = await world.mia.wait_for_message(
            place,
            lambda m, card=card: m.id == card.id and "newer version of Kinora has taken over" in m.text,  # type: ignore[misc]
            30,
        )
        assert title(found) == "Waiting"
        assert "Nothing is paid before" in found.text
    assert sum(" ERROR " in line and "too old to pay" in line for line in bot.log) == 1
    assert {row["state"] for row in bot.rows()} == {"accepted"}
    # What is paid already is finished, and everything else works.
    assert await bot.stop() == 0
    assert [await world.paid(prompt) for prompt in prompts] == [0, 0]

    bot.execute("DELETE FROM shared WHERE key = ?", OLDEST_PAYING)
    await bot.start()
    for prompt in prompts:
        row = await bot.ended(prompt)
        _, others = await world.messages(row)
        assert (row["state"], await world.paid(prompt), count_videos(others)) == ("delivered", 1, 1)


async def test_an_outdated_bot_still_finishes_what_is_paid(world: World) -> None:
    await world.sandbox.novita.settings(render_seconds=600)
    bot = await world.bot().start()
    prompt, place = world.prompt(), await world.channel()
    await card_says(world.mia, await animate(world.mia, place, prompt), "Rendering")
    insert = "INSERT INTO shared (key, at, text) VALUES (?, 0, ?)"
    bot.execute(insert, OLDEST_PAYING, str(PAYING_VERSION + 1))
    await world.sandbox.novita.settings(render_seconds=0.1)
    assert (await bot.ended(prompt))["state"] == "delivered"
    assert "too old" not in bot.text


# --- parts --------------------------------------------------------------------------------------------------


async def _said(world: World, card: Message) -> list[Message]:
    """List what the bot said in a card's thread; its first message there is the card's, and empty."""
    seen = await world.mia.messages(card.id)
    return [m for m in seen if m.author == "kinora" and (m.content or m.embeds or m.attachments)]


async def _set(store: Store, job_id: str, **values: Any) -> None:
    await store.database.write(jobs.update().where(jobs.c.id == job_id).values(values))


async def _row(store: Store, job_id: str) -> dict[str, Any]:
    (row,) = await store.database.read(sa.select(*jobs.c).where(jobs.c.id == job_id))
    return dict(row)


async def _name_oldest(store: Store, text: str) -> None:
    async def put(connection: Any) -> None:
        await store.database.put_shared(connection, OLDEST_PAYING, sa.literal(0.0, sa.Double), text)

    await store.database.transact(put)
