"""Jobs for tests: any column of the row by its key, and the rest as an ordinary one has it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

from bot.domain.job import Destination, Job, new_job
from bot.domain.request import RenderRequest, Requester, SourceImage
from bot.store.database import Database
from bot.store.jobs import JobStore
from bot.store.queue import QueueStore
from bot.store.rows import job_of, values_of
from bot.store.tables import jobs


def a_job(**changes: Any) -> Job:
    """Make a job that was accepted just now; `changes` are columns by their keys."""
    plain = new_job(
        RenderRequest("kling-2.5-turbo-i2v", "a cat 🐈 yawns", 5, 3500),
        SourceImage(),
        Requester(2**60 + 1),
        Destination(2**60 + 2),
    )
    values = values_of(plain) | changes
    unknown = values.keys() - set(jobs.columns.keys())
    assert not unknown, f"no such columns: {unknown}"
    return job_of(cast(Any, {column.name: values[column.key] for column in jobs.columns}))


class Store(JobStore):
    """A job store with its database, opened and closed as one; `queue` is the line on the same database."""

    def __init__(self, url: str) -> None:
        self.database = Database(url)
        self.queue = QueueStore(self.database)
        super().__init__(self.database)

    async def open(self) -> None:
        """Open the database."""
        await self.database.open()

    async def close(self) -> None:
        """Close it."""
        await self.database.close()


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Store]:
    """Open a store for a while."""
    store = Store(url)
    await store.open()
    try:
        yield store
    finally:
        await store.close()
