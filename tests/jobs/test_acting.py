"""One command is one job: who has a command by its row, by the acknowledgement, and when that is unsure."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from bot.domain.request import InteractionRecord, LostCommand
from bot.errors import DuplicateInteraction, Refusal
from bot.jobs import interactions as interactions_module
from bot.jobs.interactions import Interactions
from bot.store.interactions import InteractionStore
from bot.store.tables import drafts, interactions
from tests.support.jobs import Store, a_job

COMMAND = InteractionRecord(2**60, "command", "a token", 5, 6, "en-GB", time.time())
Answer = Callable[[], Awaitable[bool]]


def says(*answers: bool) -> Answer:
    left = list(answers)

    async def answer() -> bool:
        return left.pop(0) if len(left) > 1 else left[0]

    return answer


async def others() -> bool:
    raise DuplicateInteraction("1")


@pytest.fixture
def log(store: Store) -> InteractionStore:
    return InteractionStore(store.database)


@pytest.fixture
def acting(log: InteractionStore, monkeypatch: pytest.MonkeyPatch) -> Interactions:
    monkeypatch.setattr(interactions_module, "WATCH_SECONDS", 0.3)
    return Interactions(log)


async def rows(store: Store) -> list[tuple[str | None, str]]:
    found = await store.database.read(interactions.select())
    return [(row["job_id"], row["token"]) for row in found]


async def draft_count(store: Store) -> int:
    return len(await store.database.read(drafts.select()))


async def accepts(acting: Interactions, store: Store, acknowledge: Answer, untouched: Answer) -> str:
    job = a_job()
    async with acting.acting(COMMAND, job.id, "a boat", acknowledge, untouched):
        assert await rows(store) == [(job.id, "a token")]  # whatever dies now, it is known
        await store.accept(job, COMMAND)
    return job.id


async def test_a_command_becomes_one_job_and_leaves_no_token(acting: Interactions, store: Store) -> None:
    job_id = await accepts(acting, store, says(True), says(False))
    assert await rows(store) == [(job_id, "")]
    assert await draft_count(store) == 0
    with pytest.raises(DuplicateInteraction):
        await accepts(acting, store, says(True), says(True))
    assert await store.open_jobs() == [job_id]


async def test_the_loser_of_a_row_does_not_even_acknowledge(acting: Interactions, store: Store) -> None:
    asked: list[str] = []

    async def acknowledge() -> bool:
        asked.append("acknowledged")
        return True

    entered = asyncio.Event()

    async def holds() -> None:
        async with acting.acting(COMMAND, "one", "a boat", acknowledge, says(True)):
            entered.set()
            await asyncio.Event().wait()

    holding = asyncio.create_task(holds())
    await entered.wait()
    with pytest.raises(DuplicateInteraction):
        async with acting.acting(COMMAND, "another", "a boat", acknowledge, says(True)):
            raise AssertionError("not reached")
    assert asked == ["acknowledged"]
    assert await rows(store) == [("one", "a token")]
    holding.cancel()
    await asyncio.gather(holding, return_exceptions=True)


async def test_what_is_refused_is_not_lost(acting: Interactions, store: Store, log: InteractionStore) -> None:
    with pytest.raises(Refusal):
        async with acting.acting(COMMAND, "one", "a boat", says(True), says(True)):
            raise Refusal("No.")
    assert await rows(store) == []
    assert await draft_count(store) == 0
    assert await log.take_lost(0) == []


async def test_what_somebody_else_acknowledged_is_theirs_and_noted(
    acting: Interactions, store: Store, log: InteractionStore
) -> None:
    assert not await log.has_rival()
    with pytest.raises(DuplicateInteraction):
        await accepts(acting, store, others, says(True))
    assert await log.has_rival()
    assert await rows(store) == []


async def test_an_unsure_acknowledgement_is_ours_unless_somebody_elses_card_appears(
    acting: Interactions, store: Store
) -> None:
    with pytest.raises(DuplicateInteraction):
        await accepts(acting, store, says(False), says(True, True, False))
    assert await store.open_jobs() == []


async def test_an_unsure_acknowledgement_that_nobody_contests_is_ours(
    acting: Interactions, store: Store
) -> None:
    job_id = await accepts(acting, store, says(False), says(True))
    assert await store.open_jobs() == [job_id]


async def test_an_unsure_acknowledgement_is_refused_where_another_database_was_noticed(
    acting: Interactions, store: Store, log: InteractionStore
) -> None:
    await log.note_rival()
    with pytest.raises(Refusal, match="cannot tell"):
        await accepts(acting, store, says(False), says(True))
    assert await store.open_jobs() == []
    assert await rows(store) == []


async def test_a_lost_command_is_taken_once_and_becomes_no_job_any_more(
    store: Store, log: InteractionStore
) -> None:
    job = a_job()
    await log.begin(COMMAND, job.id, "a boat")
    await log.begin(COMMAND, job.id, "a boat")  # an answer to its commit was lost
    assert await log.take_lost(3600) == []  # somebody may be at work on it
    (lost,) = await log.take_lost(0)
    assert (lost.interaction.id, lost.interaction.token, lost.prompt) == (COMMAND.id, "a token", "a boat")
    with pytest.raises(DuplicateInteraction):
        await store.accept(job, COMMAND)
    assert await log.take_lost(60) == []  # it is being told
    await log.forget(COMMAND.id)
    assert await log.take_lost(0) == []
    assert await draft_count(store) == 0


async def test_people_are_told_until_it_arrives(
    acting: Interactions, log: InteractionStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interactions_module, "SWEEP_SECONDS", 0.01)
    monkeypatch.setattr(interactions_module, "LOST_SECONDS", 0.0)
    await log.begin(COMMAND, "one", "a boat")
    told: list[str] = []

    async def tell(command: LostCommand) -> bool:
        told.append(command.prompt)
        if len(told) == 1:
            raise RuntimeError("a bug")
        return len(told) == 3

    telling = asyncio.create_task(acting.tell_lost(tell, alone=True))
    await asyncio.sleep(0.5)
    telling.cancel()
    assert told == ["a boat"] * 3


async def test_a_press_is_one_decision(store: Store) -> None:
    first, second = [await store.accept(a_job(state="unconfirmed")) for _ in range(2)]
    await store.decide(first.id, a_job(), COMMAND)
    with pytest.raises(DuplicateInteraction):
        await store.decide(second.id, a_job(), COMMAND)
