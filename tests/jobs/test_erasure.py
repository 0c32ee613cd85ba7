"""Tokens that open replies are gone from the rows once they have died, and soon from the bytes."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
import time
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.domain.job import Job
from bot.domain.request import InteractionRecord
from bot.store.erasure import Erasure
from bot.store.interactions import InteractionStore
from bot.store.tables import interactions, jobs
from tests.support.jobs import Store, a_job
from tests.support.kinora import ON_SQLITE

TOKEN = "aW50ZXJhY3Rpb246-a-token-that-opens-a-reply"


def seen(seconds_ago: float, number: int = 0) -> InteractionRecord:
    """Return a command that was run so long ago, by its id."""
    snowflake = (int((time.time() - seconds_ago - 1_420_070_400) * 1000) << 22) + number
    return InteractionRecord(snowflake, "command", TOKEN, 5, 6, "en-GB", time.time())


def bytes_of(database_url: str) -> bytes:
    path = Path(database_url.removeprefix("sqlite:///"))
    return b"".join(file.read_bytes() for file in path.parent.glob(path.name + "*"))


async def test_a_token_that_has_died_is_erased_and_its_command_still_told_of(store: Store) -> None:
    commands = InteractionStore(store.database)
    await commands.begin(seen(16 * 60), "old", "The old one")
    await commands.begin(seen(60), "young", "The young one")
    await Erasure(store.database).erase()
    kept = await store.database.read(sa.select(interactions.c.token).order_by(interactions.c.id))
    assert [row["token"] == TOKEN for row in kept] == [False, True]
    lost = await commands.take_lost(0)
    assert sorted((one.prompt, one.interaction.token) for one in lost) == [
        ("The old one", ""),
        ("The young one", TOKEN),
    ]


async def test_a_jobs_token_that_has_died_is_erased_wherever_the_job_stands(store: Store) -> None:
    async def accepted(seconds_ago: float) -> Job:
        return await store.accept(a_job(reply_token=TOKEN, created_at=time.time() - seconds_ago))

    old, young = await accepted(16 * 60), await accepted(60)
    await Erasure(store.database).erase()
    rows = await store.database.read(sa.select(jobs.c.id, jobs.c.reply_token))
    assert {row["id"]: row["reply_token"] for row in rows} == {old.id: None, young.id: TOKEN}


@ON_SQLITE
async def test_what_was_erased_is_in_none_of_the_files_bytes(store: Store, database_url: str) -> None:
    commands = InteractionStore(store.database)
    for number in range(100):
        interaction = seen(60, number)
        await commands.begin(interaction, f"job-{number}", "Go")
        job = await store.accept(a_job(id=f"job-{number}", reply_token=TOKEN), interaction)
        await store.update(await store.claim(job.id), reply_token=None)
    assert bytes_of(database_url).count(TOKEN.encode()) > 100
    await Erasure(store.database).erase()
    assert bytes_of(database_url).count(TOKEN.encode()) == 0


@ON_SQLITE
async def test_nobody_waits_for_a_reader_who_is_in_the_way(store: Store, database_url: str) -> None:
    await store.accept(a_job())
    path = database_url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM jobs").fetchone()
        await store.accept(a_job())
        async with asyncio.timeout(5):  # half of what a statement waits for a lock
            assert not await store.database.checkpoint()
        await store.accept(a_job())
        reader.execute("COMMIT")
    assert await store.database.checkpoint()


async def test_a_file_that_others_could_read_is_narrowed_with_all_beside_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "folder" / "kinora.db"
    first = Store(f"sqlite:///{path}")
    await first.open()
    assert modes(path.parent) == {0o600}
    assert caplog.text == ""
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    await first.close()
    for file in path.parent.iterdir():
        file.chmod(0o644)
    second = Store(f"sqlite:///{path}")
    await second.open()
    await second.accept(a_job())
    assert modes(path.parent) == {0o600}
    assert "others could read kinora.db, kinora.db.lock; now only their owner can" in caplog.text
    await second.close()


def modes(folder: Path) -> set[int]:
    return {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}
