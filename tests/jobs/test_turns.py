"""Whose turn it is, as the store decides it: for all processes at once, in one transaction."""

from __future__ import annotations

import time

import pytest

from bot.domain.job import Job, State
from tests.support.jobs import Store, a_job

PLENTY = 10_000


async def in_line(store: Store) -> Job:
    job = await store.claim((await store.accept(a_job())).id)
    return await store.update(job, queued_at=time.time())


async def granted(store: Store, limit: int = PLENTY, per_minute: int = PLENTY) -> list[str]:
    line = await store.queue.advance(limit, per_minute)
    return [turn.job_id for turn in line.granted]


@pytest.mark.parametrize(("limit", "per_minute"), [(1, PLENTY), (PLENTY, 1)])
async def test_no_more_have_turns_than_the_account_may(store: Store, limit: int, per_minute: int) -> None:
    first, _second = await in_line(store), await in_line(store)
    assert await granted(store, limit, per_minute) == [first.id]
    assert await granted(store, limit, per_minute) == []


@pytest.mark.parametrize("state", [State.SUBMITTING, State.RENDERING])
async def test_a_render_at_novita_takes_up_room(store: Store, state: State) -> None:
    other = await store.claim((await store.accept(a_job())).id)
    other = await store.move(other, State.SUBMITTING)
    if state is State.RENDERING:
        other = await store.move(other, State.RENDERING)
    job = await in_line(store)
    assert await granted(store, limit=1) == []
    await store.fail(other, "input", "over")
    assert await granted(store, limit=1) == [job.id]


async def test_of_two_pauses_the_longer_counts(store: Store) -> None:
    await in_line(store)
    await store.queue.pause(600.0)
    await store.queue.pause(0.0)  # somebody else's, and shorter
    line = await store.queue.advance(PLENTY, PLENTY)
    assert line.granted == []
    assert 0 < line.paused <= 600
