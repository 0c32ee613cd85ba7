"""What is written with a job, in its own transactions: who asked for it, and the messages that show it."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from bot.domain.job import State, new_id
from bot.domain.request import InteractionRecord
from bot.errors import DuplicateInteraction, LeaseLost
from bot.store.interactions import REMEMBER_INTERACTIONS
from bot.store.tables import interactions, jobs, publications
from tests.support.commits import lose_answers
from tests.support.jobs import Store, a_job


def an_interaction(number: int = 1, **changes: Any) -> InteractionRecord:
    plain = InteractionRecord(2**60 + number, "command", "t", 5, 6, "en-GB", time.time())
    return replace(plain, **changes)


async def rows(store: Store, query: Any) -> Any:
    return await store.database.read(query)


async def count(store: Store, table: sa.Table) -> int:
    return len(await rows(store, table.select()))


async def published(store: Store) -> list[tuple[Any, ...]]:
    p = publications.c
    query = sa.select(p.kind, p.channel_id, p.message_id, p.job_id).order_by(p.message_id)
    return [tuple(row.values()) for row in await rows(store, query)]


# --- interactions


async def test_an_interaction_becomes_one_job(store: Store) -> None:
    job = await store.accept(a_job(), an_interaction())
    with pytest.raises(DuplicateInteraction):
        await store.accept(a_job(), an_interaction())
    assert (await store.open_jobs(), await count(store, jobs)) == ([job.id], 1)
    (row,) = await rows(store, interactions.select())
    assert (row["job_id"], row["kind"], row["locale"], row["channel_id"]) == (job.id, "command", "en-GB", 6)


async def test_the_same_job_may_be_written_down_again(store: Store) -> None:
    job = await store.accept(a_job(), an_interaction())
    await store.accept(job, an_interaction())
    assert (await count(store, jobs), await count(store, interactions)) == (1, 1)


async def test_an_acceptance_whose_answer_was_lost_is_one(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    queued: list[str] = []

    async def enqueue(_connection: object, job_id: str, _afresh: bool) -> None:
        queued.append(job_id)

    store.enqueue = enqueue
    lost = lose_answers(store.database, monkeypatch)
    job = await store.accept(a_job(), an_interaction())
    assert lost
    assert await store.open_jobs() == [job.id]
    assert queued == [job.id]
    assert (await count(store, jobs), await count(store, interactions)) == (1, 1)


async def test_an_acceptance_that_fails_leaves_neither_job_nor_interaction(store: Store) -> None:
    class NoQueueError(Exception):
        """What an engine's queue may raise in the store's transaction."""

    async def enqueue(*_: object) -> None:
        raise NoQueueError

    store.enqueue = enqueue
    with pytest.raises(NoQueueError):
        await store.accept(a_job(), an_interaction())
    assert (await count(store, jobs), await count(store, interactions)) == (0, 0)
    store.enqueue = None
    await store.accept(a_job(), an_interaction())  # so it can still become one


async def test_a_refused_duplicate_leaves_no_job(store: Store) -> None:
    await store.accept(a_job(), an_interaction())
    job = a_job()
    with pytest.raises(DuplicateInteraction):
        await store.accept(job, an_interaction())
    assert await store.get(job.id) is None


async def test_interactions_are_forgotten_when_they_are_old(store: Store) -> None:
    now = time.time()
    await store.accept(a_job(), an_interaction(1, seen_at=now - REMEMBER_INTERACTIONS - 60))
    await store.accept(a_job(), an_interaction(2, seen_at=now - REMEMBER_INTERACTIONS + 60))
    await store.accept(a_job(), an_interaction(3))
    assert {row["id"] - 2**60 for row in await rows(store, interactions.select())} == {2, 3}


async def test_a_job_that_no_interaction_asked_for_needs_none(store: Store) -> None:
    await store.accept(a_job())
    assert await count(store, interactions) == 0


# --- publications


async def test_a_card_and_a_video_are_published_with_the_row(store: Store) -> None:
    job = await store.claim((await store.accept(a_job(channel_id=10))).id)
    job = await store.update(job, card_id=11, target_id=20)
    assert await published(store) == [("card", 10, 11, job.id)]
    job = await store.move(await store.move(job, State.SUBMITTING), State.RENDERING, task_id="t")
    job = await store.move(job, State.RENDERED, video_url="u")
    assert len(await published(store)) == 1
    await store.move(job, State.DELIVERED, video_message_id=21, target_id=30)
    assert await published(store) == [("card", 10, 11, job.id), ("video", 30, 21, job.id)]


async def test_a_run_that_was_overtaken_publishes_nothing(store: Store) -> None:
    early = await store.claim((await store.accept(a_job(channel_id=10))).id)
    await store.claim(early.id)
    with pytest.raises(LeaseLost):
        await store.update(early, card_id=11, target_id=20)
    assert await published(store) == []


async def test_a_publication_whose_answer_was_lost_is_one(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await store.claim((await store.accept(a_job(channel_id=10))).id)
    lost = lose_answers(store.database, monkeypatch)
    await store.update(job, card_id=11, target_id=20)
    assert lost
    assert await published(store) == [("card", 10, 11, job.id)]


# --- the answers to a run's own writes


async def test_a_transition_whose_answer_was_lost_is_taken_once(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await store.claim((await store.accept(a_job())).id)
    lost = lose_answers(store.database, monkeypatch)
    job = await store.move(job, State.SUBMITTING, submitted_at=1.0)
    assert (lost, job.state) == (["answer"], State.SUBMITTING)
    assert (await store.move(job, State.RENDERING, task_id="t")).task.task_id == "t"


async def test_a_claim_whose_answer_was_lost_still_owns(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await store.accept(a_job())
    lose_answers(store.database, monkeypatch)
    job = await store.claim(job.id)
    assert await store.owns(job)
    assert (await store.move(job, State.SUBMITTING)).state is State.SUBMITTING


async def test_a_decision_whose_answer_was_lost_is_one(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    job, again = await store.accept(a_job(state="unconfirmed", notified=True)), a_job()
    lost = lose_answers(store.database, monkeypatch)
    settled = await store.decide(job.id, again)
    assert (lost, settled.state, settled.outcome.again_as) == (["answer"], State.CANCELLED, again.id)
    assert set(await store.open_jobs()) == {job.id, again.id}


# --- settling


async def test_a_decision_takes_the_job_away_from_whoever_runs_it(store: Store) -> None:
    early = await store.claim((await store.accept(a_job(state="unconfirmed"))).id)
    await store.decide(early.id, None)
    with pytest.raises(LeaseLost):
        await store.update(early, notified=True)
    assert await store.open_jobs() == [early.id]  # people are to be told


async def test_looking_again_takes_the_job_away_from_whoever_sleeps_on_it(store: Store) -> None:
    early = await store.claim((await store.accept(a_job(state="failed", problem="deadline"))).id)
    job = await store.look_again(early.id, 77)
    assert (job.destination.target_id, job.destination.fallback_reason) == (77, "")
    assert job.outcome.notified
    assert await store.open_jobs() == [job.id]
    with pytest.raises(LeaseLost):
        await store.update(early, check_at=None)


@pytest.mark.parametrize("state", [state for state in State if state is not State.FAILED])
async def test_only_a_failed_job_is_looked_for_again(store: Store, state: State) -> None:
    job = await store.accept(a_job(state=state))
    with pytest.raises(LeaseLost):
        await store.look_again(job.id, 77)
    assert await store.get(job.id) == job


@pytest.mark.parametrize("state", [state for state in State if state is not State.UNCONFIRMED])
async def test_only_an_unconfirmed_job_is_decided_on(store: Store, state: State) -> None:
    job, again = await store.accept(a_job(state=state)), a_job()
    with pytest.raises(LeaseLost):
        await store.decide(job.id, again)
    assert (await store.get(job.id), await store.get(again.id)) == (job, None)


async def test_nobody_claims_a_job_that_is_not_there(store: Store) -> None:
    with pytest.raises(LeaseLost):
        await store.claim(new_id())
