from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.domain.job import ENDED, TRANSITIONS, State
from bot.errors import DatabaseError, LeaseLost, TaskTaken
from bot.store.tables import metadata
from tests.support.jobs import Store, a_job
from tests.support.kinora import ON_SQLITE


async def test_a_row_comes_back_as_it_went_in(store: Store) -> None:
    job = await store.accept(a_job(guild_id=7, negative_prompt="blur", reply_token="t"))
    assert await store.get(job.id) == job
    assert await store.get("nobody") is None


async def test_who_was_overtaken_owns_the_job_no_longer(store: Store) -> None:
    early = await store.claim((await store.accept(a_job())).id)
    assert await store.owns(early)
    late = await store.claim(early.id)
    assert (await store.owns(early), await store.owns(late)) == (False, True)


async def test_a_list_of_jobs_has_nobody_elses(store: Store) -> None:
    mine = await store.accept(a_job(requester_id=1))
    await store.accept(a_job(requester_id=2))
    assert await store.jobs_of(1) == [mine]


async def test_text_that_no_database_takes_is_replaced(store: Store) -> None:
    job = await store.claim((await store.accept(a_job(prompt="half \ud83d an emoji"))).id)
    assert job.request.prompt == "half \ufffd an emoji"
    changed = await store.update(job, reason="a null \0, and \udc08")
    assert changed.outcome.reason == "a null \ufffd, and \ufffd"


async def test_it_is_there_after_a_restart(database_url: str) -> None:
    first = Store(database_url.replace("/kinora.db", "/deep/er/kinora.db"))
    await first.open()
    job = await first.accept(a_job())
    await first.close()
    second = Store(database_url.replace("/kinora.db", "/deep/er/kinora.db"))
    await second.open()
    assert await second.open_jobs() == [job.id]
    await second.close()


async def test_only_the_run_that_owns_a_job_can_write(store: Store) -> None:
    job = await store.accept(a_job())
    early = await store.claim(job.id)
    late = await store.claim(job.id)
    with pytest.raises(LeaseLost):
        await store.move(early, State.SUBMITTING)
    with pytest.raises(LeaseLost):
        await store.update(early, notified=True)
    moved = await store.move(late, State.SUBMITTING)
    with pytest.raises(LeaseLost):  # and only from the state it leaves
        await store.move(late, State.SUBMITTING)
    assert (await store.get(job.id)) == moved


async def test_a_task_is_one_jobs(store: Store) -> None:
    first, second = [
        await store.move(await store.claim((await store.accept(a_job())).id), State.SUBMITTING)
        for _ in range(2)
    ]
    first = await store.move(first, State.RENDERING, task_id="t-1")
    with pytest.raises(TaskTaken):
        await store.move(second, State.RENDERING, task_id="t-1")
    assert (await store.get(second.id)) == second  # as it was: still submitting, and without a task
    assert (await store.update(first, task_id="t-1")) == first  # its own, written down once more
    assert (await store.move(second, State.RENDERING, task_id="t-2")).task.task_id == "t-2"


async def test_there_are_no_transitions_but_the_drawn_ones(store: Store) -> None:
    job = await store.claim((await store.accept(a_job())).id)
    for to in set(State) - TRANSITIONS[State.ACCEPTED]:
        with pytest.raises(ValueError, match="no transition"):
            await store.move(job, to)


def test_a_payment_lies_behind_one_transition_only() -> None:
    assert [state for state in State if State.RENDERING in TRANSITIONS[state]] == [State.SUBMITTING]
    assert all(State.SUBMITTING not in TRANSITIONS[state] for state in ENDED)
    assert {State.DELIVERED, State.FAILED, State.CANCELLED, State.UNCONFIRMED} == ENDED


async def test_ended_jobs_stay_open_until_people_were_told(store: Store) -> None:
    job = await store.claim((await store.accept(a_job())).id)
    job = await store.move(job, State.FAILED, problem="input", reason="x")
    assert job.outcome.ended_at is not None
    assert await store.open_jobs() == [job.id]
    await store.update(job, notified=True)
    assert await store.open_jobs() == []


@ON_SQLITE
async def test_a_second_process_is_kept_off_the_file(store: Store, tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="another Kinora is running"):
        await Store(f"sqlite:///{tmp_path}/kinora.db").open()


async def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "kinora.db").write_bytes(b"this is a diary" * 1000)
    with pytest.raises(DatabaseError, match=r"kinora\.db cannot be used"):
        await Store(f"sqlite:///{tmp_path}/kinora.db").open()


@ON_SQLITE
async def test_commits_survive_a_power_cut(store: Store, tmp_path: Path) -> None:
    await store.accept(a_job())
    with closing(sqlite3.connect(tmp_path / "kinora.db")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    # Each connection says this for itself: 2 is FULL.
    assert [dict(row) for row in await pragma(store, "synchronous")] == [{"synchronous": 2}]


async def pragma(store: Store, name: str) -> Sequence[sa.RowMapping]:
    async with store.database.begin() as connection:
        found: Sequence[sa.RowMapping] = (
            (await connection.execute(sa.text(f"PRAGMA {name}"))).mappings().all()
        )
        return found


async def test_the_migrations_make_the_tables_the_code_describes(store: Store, database_url: str) -> None:
    engine = sa.create_engine(database_url.replace("postgresql:", "postgresql+psycopg:"))
    found = sa.inspect(engine)
    for table in metadata.sorted_tables:
        columns = [(column["name"], column["nullable"]) for column in found.get_columns(table.name)]
        assert sorted(columns) == sorted((column.name, column.nullable) for column in table.columns)
        indexes = {index["name"] for index in found.get_indexes(table.name)}
        assert indexes == {index.name for index in table.indexes}
    engine.dispose()
