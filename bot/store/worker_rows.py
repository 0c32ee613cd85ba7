"""Procrastinate's rows in a shared database: only what it leaves to us."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store.database import Database
from bot.store.jobs import OPEN, JobStore
from bot.store.tables import jobs, queue

ORPHANED_AFTER = 60.0
_STATUS = sa.cast(queue.c.status, sa.Text)


class WorkerRows:
    """The queue's rows of one database."""

    def __init__(self, database: Database, store: JobStore) -> None:
        self._database = database
        self._store = store

    async def enqueue_orphans(self) -> int | None:
        """Queue the open jobs that are in no queue; return how many, None while another process does that.

        There should be none: this is for rows that were imported, and for what nobody foresaw.
        """
        queued = sa.exists().where(
            _STATUS.in_(["todo", "doing"]), queue.c.args.op("->>")("job_id") == jobs.c.id
        )
        overdue = jobs.c.created_at < self._database.now - ORPHANED_AFTER
        orphans = sa.select(jobs.c.id).where(OPEN, overdue, ~queued)

        async def sweep(connection: AsyncConnection) -> int | None:
            if not await self._database.try_lock(connection, "orphans"):
                return None
            found = list((await connection.execute(orphans)).scalars())
            for job_id in found:
                if self._store.enqueue is not None:
                    await self._store.enqueue(connection, job_id, False)
            return len(found)

        return await self._database.transact(sweep)

    async def remove(self, row_id: int, worker_id: int) -> None:
        """Take a row out of the queue, unless it is another worker's by now."""
        await self._database.write(queue.delete().where(queue.c.id == row_id, queue.c.worker_id == worker_id))

    async def leave(self, row_id: int, worker_id: int, seconds: float) -> None:
        """Queue a row again that this worker has, for whoever looks after some seconds."""
        later = sa.func.now() + sa.func.make_interval(0, 0, 0, 0, 0, 0, seconds)
        statement = (
            queue.update()
            .where(queue.c.id == row_id, queue.c.worker_id == worker_id, _STATUS == "doing")
            .values(status=sa.text("'todo'"), worker_id=None, scheduled_at=later)
        )
        await self._database.write(statement)

    async def hand_back(self, worker_ids: Collection[int], patience: float) -> None:
        """Queue again all that some workers have; raises `DatabaseUnavailable` after `patience` seconds."""
        statement = (
            queue.update()
            .where(queue.c.worker_id.in_(worker_ids), _STATUS == "doing")
            .values(status=sa.text("'todo'"), worker_id=None)
        )
        await self._database.write(statement, patience)
