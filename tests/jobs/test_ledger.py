from __future__ import annotations

import itertools
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.jobs.job import ARROWS, ENDED, Job, State, Superseded, new_id
from bot.jobs.ledger import Ledger, LedgerError
from bot.jobs.tables import metadata
from tests.kinora import ON_SQLITE


def a_job(**changes: object) -> Job:
    fields: dict[str, object] = {
        "id": new_id(),
        "state": State.ACCEPTED,
        "created_at": time.time(),
        "asker_id": 2**60 + 1,
        "channel_id": 2**60 + 2,
        "model": "kling-2.5-turbo-i2v",
        "prompt": "a cat 🐈 yawns",
        "duration": 5,
        "price": 3500,
    }
    return Job(**{**fields, **changes})  # type: ignore[arg-type]


async def test_a_row_comes_back_as_it_went_in(ledger: Ledger) -> None:
    job = await ledger.accept(a_job(guild_id=7, negative_prompt="blur", token="t"))
    assert await ledger.get(job.id) == job
    assert await ledger.get("nobody") is None


async def test_it_is_there_after_a_restart(database_url: str) -> None:
    first = Ledger(database_url.replace("/kinora.db", "/deep/er/kinora.db"))
    await first.open()
    job = await first.accept(a_job())
    await first.close()
    second = Ledger(database_url.replace("/kinora.db", "/deep/er/kinora.db"))
    await second.open()
    assert await second.open_jobs() == [job.id]
    await second.close()


async def test_only_the_run_that_owns_a_job_can_write(ledger: Ledger) -> None:
    job = await ledger.accept(a_job())
    early = await ledger.claim(job.id)
    late = await ledger.claim(job.id)
    with pytest.raises(Superseded):
        await ledger.move(early, State.SUBMITTING)
    with pytest.raises(Superseded):
        await ledger.note(early, told=True)
    moved = await ledger.move(late, State.SUBMITTING)
    with pytest.raises(Superseded):  # and only from the state it leaves
        await ledger.move(late, State.SUBMITTING)
    assert (await ledger.get(job.id)) == moved


async def test_there_are_no_arrows_but_the_drawn_ones(ledger: Ledger) -> None:
    job = await ledger.claim((await ledger.accept(a_job())).id)
    for to in set(State) - ARROWS[State.ACCEPTED]:
        with pytest.raises(ValueError, match="no arrow"):
            await ledger.move(job, to)


def test_a_payment_lies_behind_one_arrow_only() -> None:
    towards = [(a, b) for a, b in itertools.product(State, State) if b is State.RENDERING and b in ARROWS[a]]
    assert towards == [(State.SUBMITTING, State.RENDERING)]
    assert all(State.SUBMITTING not in ARROWS[state] for state in ENDED)
    assert {State.DELIVERED, State.FAILED, State.CANCELLED, State.UNCONFIRMED} == ENDED


async def test_ended_jobs_stay_open_until_people_were_told(ledger: Ledger) -> None:
    job = await ledger.claim((await ledger.accept(a_job())).id)
    job = await ledger.move(job, State.FAILED, problem="input", reason="x")
    assert job.ended_at is not None
    assert await ledger.open_jobs() == [job.id]
    await ledger.note(job, told=True)
    assert await ledger.open_jobs() == []


@ON_SQLITE
async def test_a_second_process_is_kept_off_the_file(ledger: Ledger, tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="another Kinora is running"):
        await Ledger(f"sqlite:///{tmp_path}/kinora.db").open()


async def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "kinora.db").write_bytes(b"this is a diary" * 1000)
    with pytest.raises(LedgerError, match=r"kinora\.db cannot be used"):
        await Ledger(f"sqlite:///{tmp_path}/kinora.db").open()


@ON_SQLITE
async def test_commits_survive_a_power_cut(ledger: Ledger, tmp_path: Path) -> None:
    await ledger.accept(a_job())
    with closing(sqlite3.connect(tmp_path / "kinora.db")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


async def test_the_migrations_make_the_tables_the_code_describes(ledger: Ledger, database_url: str) -> None:
    engine = sa.create_engine(database_url.replace("postgresql:", "postgresql+psycopg:"))
    found = sa.inspect(engine)
    for table in metadata.sorted_tables:
        columns = [(column["name"], column["nullable"]) for column in found.get_columns(table.name)]
        assert sorted(columns) == sorted((column.name, column.nullable) for column in table.columns)
        indexes = {index["name"] for index in found.get_indexes(table.name)}
        assert indexes == {index.name for index in table.indexes}
    engine.dispose()
