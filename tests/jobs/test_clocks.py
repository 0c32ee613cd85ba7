"""Somebody sets the clock: within a process nobody notices, and what lies in the future does not count."""

from __future__ import annotations

import asyncio

import pytest
import sqlalchemy as sa

from bot.domain.fairness import Line
from bot.domain.job import Job, State
from bot.domain.retry import RETRY_SECONDS
from bot.errors import AnswerLost, TemporaryError
from bot.novita.codec import Kind, Pending, Problem, Repeat
from bot.store.coordination import Coordination
from bot.store.moments import put_moment
from bot.store.queue import LONGEST_PAUSE, PAUSED
from bot.store.tables import jobs, shared
from tests.support.jobs import Store, a_job
from tests.support.world import PATIENCE, TIMEOUT, World

HOUR = 3600.0
SET_BY = pytest.mark.parametrize("set_by", [HOUR, -HOUR, 30 * 24 * HOUR, -30 * 24 * HOUR])


async def now(store: Store) -> float:
    async with store.database.begin() as connection:
        return await store.database.clock(connection)


async def join(store: Store, person: int = 1) -> Job:
    job = await store.claim((await store.accept(a_job(guild_id=1, requester_id=person))).id)
    return await store.update(job, queued_at=await now(store))


async def write(store: Store, job: Job, **columns: object) -> None:
    async with store.database.begin() as connection:
        await connection.execute(jobs.update().where(jobs.c.id == job.id).values(columns))


async def granted(store: Store, per_minute: int = 1) -> list[str]:
    line: Line = await store.queue.advance(10, per_minute)
    return [turn.job_id for turn in line.granted]


# --- the line and the pause, on every database


async def test_turns_that_lie_in_the_future_fill_no_minute(store: Store) -> None:
    early = await join(store)
    assert await granted(store) == [early.id]
    job = await join(store, 2)
    assert await granted(store) == []  # one a minute
    await write(store, early, turn_at=await now(store) + HOUR)  # the clock is set back by an hour
    assert await granted(store) == [job.id]


async def test_turns_that_lie_in_the_future_put_nobody_behind(store: Store) -> None:
    early = await join(store, 1)
    await granted(store, 10)
    await write(store, early, turn_at=await now(store) + HOUR, turn_round=9, turn_lap=9)
    first, second = await join(store, 1), await join(store, 2)
    assert await granted(store, 10) == [first.id, second.id]


async def test_a_pause_that_was_made_in_the_future_holds_up_nobody(store: Store) -> None:
    job = await join(store)
    async with store.database.begin() as connection:
        later = await store.database.clock(connection) + 60
        await put_moment(store.database, connection, PAUSED, later + 30, later)
    assert await granted(store) == [job.id]


async def test_after_the_clock_was_set_back_a_new_pause_counts(store: Store) -> None:
    await join(store)
    async with store.database.begin() as connection:
        later = await store.database.clock(connection) + HOUR
        await put_moment(store.database, connection, PAUSED, later + 30, later)
    await store.queue.pause(20.0)
    line = await store.queue.advance(10, 10)
    assert (line.granted, 0 < line.paused <= 20) == ([], True)


@pytest.mark.parametrize(("seconds", "counts"), [(30.0, True), (LONGEST_PAUSE + 60, False)])
async def test_a_pause_of_an_earlier_version_counts_if_it_may_be_as_long(
    store: Store, seconds: float, counts: bool
) -> None:
    job = await join(store)
    async with store.database.begin() as connection:
        at = sa.literal(await store.database.clock(connection) + seconds, sa.Double)
        await store.database.put_shared(connection, PAUSED, at, "")
    assert await granted(store) == ([] if counts else [job.id])


async def test_a_reserved_moment_that_was_written_in_the_future_does_not_count(store: Store) -> None:
    coordination = Coordination(store.database)
    assert await coordination.reserve("identify", 5.0) == 0
    assert 0 < await coordination.reserve("identify", 5.0) <= 5
    async with store.database.begin() as connection:
        found = (await connection.execute(sa.select(shared.c.at).where(shared.c.key == "identify"))).scalar()
        later = await store.database.clock(connection) + HOUR
        await put_moment(store.database, connection, "identify", (found or 0) + HOUR, later)
    assert await coordination.reserve("identify", 5.0) == 0


# --- a run


async def waits(world: World, job: Job, entry: str, times: int = 1) -> asyncio.Task[Job]:
    """Run a job until it has come to an entry so often."""
    running = asyncio.create_task(world.run(job))
    async with asyncio.timeout(PATIENCE):
        for _ in range(times):
            hold = world.journal.hold(entry)
            await hold.reached.wait()
            hold.open.set()
    return running


@SET_BY
async def test_a_render_does_not_fail_for_a_clock_that_was_set(world: World, set_by: float) -> None:
    job = await world.accept()
    world.novita.on_result.extend([Pending(started=True)] * 10)
    running = await waits(world, job, "result …", 2)
    world.clock.set_by(set_by)
    assert (await running).state is State.DELIVERED
    assert world.notifier.of(job.id, "verdict") == []


@SET_BY
async def test_the_deadline_is_what_it_was_when_the_clock_was_set(world: World, set_by: float) -> None:
    job, began = await world.standing("rendering"), world.clock.monotonic()
    world.novita.on_result.extend([Pending(started=True)] * 10_000)
    hold = world.journal.hold("row: failed")
    running = await waits(world, job, "result …", 2)
    world.clock.set_by(set_by)
    async with asyncio.timeout(PATIENCE):
        await hold.reached.wait()
    assert 0 <= world.clock.monotonic() - began - TIMEOUT < 60
    hold.open.set()
    world.novita.on_result.clear()
    await running


@SET_BY
async def test_a_job_is_ordered_whatever_the_clock_says_meanwhile(world: World, set_by: float) -> None:
    runner = world.runner()
    await world.run(await world.accept(), runner)
    full = Problem(Kind.LOAD, Repeat.LATER, "RATE_LIMIT_EXCEEDED", 429, retry_after=300.0)
    world.novita.on_submit.append(full)
    job, began = await world.accept(reply_token="another"), world.clock.monotonic()
    hold = world.journal.hold("row: turn_at")
    running = asyncio.create_task(world.run(job, runner))
    async with asyncio.timeout(PATIENCE):
        await hold.reached.wait()
    world.clock.set_by(set_by)
    hold.open.set()
    assert (await running).state is State.DELIVERED
    assert world.clock.monotonic() - began < 2 * 300


@SET_BY
async def test_patience_is_an_hour_by_no_clock_that_is_set(world: World, set_by: float) -> None:
    job, began = await world.accept(), world.clock.monotonic()
    world.notifier.fail("post_card", TemporaryError("Discord answered 503"), times=10_000)
    running = await waits(world, job, "post_card …", 5)
    world.clock.set_by(set_by)
    assert (await running).outcome.problem == "not_started"
    assert 0 <= world.clock.monotonic() - began - RETRY_SECONDS < 120


async def test_a_late_look_comes_in_time_though_the_clock_was_set_back(world: World) -> None:
    job, began = await world.standing("rendering"), world.clock.monotonic()
    world.novita.on_result.extend([AnswerLost("Timeout")] * 3 + [Pending(started=True)] * 10_000)
    hold = world.journal.hold("row: notified")
    running = asyncio.create_task(world.run(job))
    async with asyncio.timeout(PATIENCE):
        await hold.reached.wait()
    world.novita.on_result.clear()
    world.clock.set_by(-24 * HOUR)
    hold.open.set()
    assert (await running).state is State.DELIVERED
    assert world.clock.monotonic() - began < 3 * TIMEOUT
