"""A worker's lease: good while its row in the queue is this worker's, and being done.

Here the queue's table is made by hand, beside a SQLite file; `tests/scale` has Procrastinate's own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.domain.job import QueueLease
from bot.errors import LeaseLost
from tests.support.jobs import Store, a_job, opened

LEASE = QueueLease(row_id=1, worker_id=7)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """A store with a queue beside it, as far as the store looks at that."""
    async with opened(f"sqlite:///{tmp_path}/kinora.db") as store:
        async with store.database.begin() as connection:
            await connection.execute(
                sa.text("CREATE TABLE procrastinate_jobs (id INTEGER, worker_id INTEGER, status TEXT)")
            )
        yield store


@pytest.mark.parametrize(
    ("row", "good"),
    [
        ((1, 7, "doing"), True),
        ((1, 8, "doing"), False),  # given to another, while this one slept
        ((2, 7, "doing"), False),  # another job's
        ((1, 7, "todo"), False),  # queued again
        ((1, None, "todo"), False),
        (None, False),  # done, and gone
    ],
)
async def test_a_lease_is_good_while_its_row_is_this_workers_and_being_done(
    store: Store, row: tuple[int, int | None, str] | None, good: bool
) -> None:
    if row is not None:
        async with store.database.begin() as connection:
            statement = sa.text("INSERT INTO procrastinate_jobs VALUES (:id, :worker, :status)")
            await connection.execute(statement, dict(zip(("id", "worker", "status"), row, strict=True)))
    job = await store.claim((await store.accept(a_job())).id)
    if good:
        assert (await store.claim(job.id, LEASE)).fencing_token != job.fencing_token
    else:
        with pytest.raises(LeaseLost):
            await store.claim(job.id, LEASE)
        assert await store.owns(job)
