"""The line in front of Novita, over the store: whoever runs a job, the same decision."""

from __future__ import annotations

import asyncio
import itertools
import time

import pytest

from bot.domain.job import Job, State
from bot.jobs.admission import Admission
from tests.support.jobs import Store, a_job

PLENTY = 10_000


class People:
    """Jobs in line, each waiting in a task of its own."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.heard: list[tuple[str, int, bool]] = []
        self.names: dict[str, str] = {}
        self._clock = itertools.count(time.time())

    async def join(self, admission: Admission, name: str, guild: int | None = 1, person: int = 1) -> Joined:
        """Get in line; the ids are random, so jobs go by name here."""
        new = a_job(guild_id=guild, requester_id=person, created_at=float(next(self._clock)))
        job = await self.store.claim((await self.store.accept(new)).id)
        job = await self.store.update(job, queued_at=time.time())
        waiting = asyncio.create_task(
            admission.wait(job.id, lambda place, paused: self.heard.append((name, place, paused)))
        )
        return Joined(self.store, job, waiting)


class Joined:
    """One of them."""

    def __init__(self, store: Store, job: Job, waiting: asyncio.Task[None]) -> None:
        self.store, self.job, self.waiting = store, job, waiting

    async def in_turn(self) -> None:
        async with asyncio.timeout(20):
            await self.waiting

    async def leave(self) -> None:
        await self.store.fail(self.job, "input", "over")


@pytest.fixture
def people(store: Store) -> People:
    return People(store)


async def heard(people: People, what: tuple[str, int, bool]) -> None:
    async with asyncio.timeout(20):
        while what not in people.heard:  # noqa: ASYNC110 — a callback has no event
            await asyncio.sleep(0.01)


async def test_within_the_limit_and_the_place_is_told(store: Store, people: People) -> None:
    admission = Admission(store.queue, 2, PLENTY)
    first, second, third, fourth = [await people.join(admission, name) for name in "abcd"]
    await first.in_turn()
    await second.in_turn()
    await heard(people, ("c", 1, False))
    await heard(people, ("d", 2, False))
    await first.leave()
    admission.nudge()
    await third.in_turn()
    await heard(people, ("d", 1, False))
    assert not fourth.waiting.done()
    await second.leave()
    await fourth.in_turn()
    await admission.close()


async def test_nobody_goes_in_before_the_turn(store: Store, people: People) -> None:
    admission = Admission(store.queue, 0, PLENTY)
    one = await people.join(admission, "one")
    hears = asyncio.create_task(heard(people, ("one", 1, False)))
    await asyncio.wait({one.waiting, hears}, return_when=asyncio.FIRST_COMPLETED)
    assert not one.waiting.done()
    await hears
    one.waiting.cancel()
    await admission.close()


async def test_a_guilds_many_do_not_hold_up_anothers_first(store: Store, people: People) -> None:
    admission = Admission(store.queue, 1, PLENTY)
    many = [await people.join(admission, f"many-{n}") for n in range(4)]
    other = await people.join(admission, "other", guild=2, person=2)
    await many[0].in_turn()
    await heard(people, ("other", 1, False))
    await many[0].leave()
    await other.in_turn()
    assert not any(one.waiting.done() for one in many[1:])
    for one in many[1:]:
        one.waiting.cancel()
    await admission.close()


async def test_a_render_already_at_novita_counts_whoever_runs_it(store: Store, people: People) -> None:
    job = await store.claim((await store.accept(a_job())).id)
    job = await store.move(await store.move(job, State.SUBMITTING), State.RENDERING)
    admission = Admission(store.queue, 1, PLENTY)
    new = await people.join(admission, "new")
    await heard(people, ("new", 1, False))
    await store.move(job, State.FAILED)
    await new.in_turn()
    await admission.close()


async def test_one_who_gives_up_holds_nobody_up(store: Store, people: People) -> None:
    admission = Admission(store.queue, 1, PLENTY)
    first, second, third = [await people.join(admission, name) for name in "abc"]
    await first.in_turn()
    second.waiting.cancel()
    await second.leave()
    await first.leave()
    await third.in_turn()
    await admission.close()


async def test_no_more_begin_in_a_minute_than_the_account_may(store: Store, people: People) -> None:
    admission = Admission(store.queue, PLENTY, 3)
    joined = [await people.join(admission, name) for name in "abcd"]
    for one in joined[:3]:
        await one.in_turn()
        await one.leave()  # that the render is over makes room, but no turn
    await heard(people, ("d", 1, False))
    assert not joined[3].waiting.done()
    joined[3].waiting.cancel()
    await admission.close()


async def test_all_pause_when_novita_asks_for_it(store: Store, people: People) -> None:
    admission, elsewhere = Admission(store.queue, 5, PLENTY), Admission(store.queue, 5, PLENTY)
    await elsewhere.pause(4.0)
    await elsewhere.pause(0.1)  # somebody else's, and shorter: the longer one counts
    job = await people.join(admission, "job")
    await heard(people, ("job", 1, True))
    assert not job.waiting.done()
    await job.in_turn()  # the pause is over
    await admission.close()


async def test_a_turn_outlives_who_waited_for_it(store: Store, people: People) -> None:
    admission = Admission(store.queue, 1, PLENTY)
    first = await people.join(admission, "first")
    await first.in_turn()
    again = await store.claim(first.job.id)
    assert again.admission.turn_at is not None
    await admission.close()
