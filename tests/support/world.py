"""A job's whole road in milliseconds: the real runner and store, and doubles around them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bot.domain.fairness import Line
from bot.domain.job import Job
from bot.files.images import Images
from bot.files.videos import Videos
from bot.jobs.admission import Admission
from bot.jobs.encodings import Encodings
from bot.jobs.offer import Offer
from bot.jobs.runner import JobRunner, RunnerConfig
from bot.jobs.submission import Submission
from bot.novita.models import CATALOGUE, DEFAULT_MODEL
from bot.store.coordination import Coordination
from bot.store.queue import QueueStore
from bot.store.tables import jobs
from tests.support.clock import VirtualClock
from tests.support.files import FakeDownloader, FakePool
from tests.support.jobs import Store, a_job
from tests.support.journal import Journal
from tests.support.notifier import FakeNotifier, FakeOperator
from tests.support.novita import FakeNovita

PATIENCE = 30.0
"""How long, in seconds of real time, a run may take before it is taken to hang."""
TIMEOUT = 900.0
"""The render timeout, in seconds of the virtual clock."""


class RecordingStore(Store):
    """A store that notes what a run writes: the state it moves to, else the columns."""

    def __init__(self, url: str, journal: Journal) -> None:
        super().__init__(url)
        self.journal = journal

    async def update(self, job: Job, **changes: object) -> Job:
        """Write, and note it."""
        what = changes.get("state") or " ".join(sorted(changes))
        async with self.journal.step(f"row: {what}"):
            return await super().update(job, **changes)


class RecordingQueue(QueueStore):
    """A line that notes when somebody's turn comes."""

    def __init__(self, store: RecordingStore) -> None:
        super().__init__(store.database)
        self._journal = store.journal

    async def advance(self, limit: int, per_minute: int) -> Line:
        """Let those in line have their turns."""
        line = await super().advance(limit, per_minute)
        self._journal.entries.extend("turn" for _ in line.granted)
        return line


class World:
    """What outlives a process: the database, Discord and Novita; `runner` makes a process's runner."""

    def __init__(self, store: RecordingStore, clock: VirtualClock, folder: Path) -> None:
        self.store = store
        self.clock = clock
        self.folder = folder
        self.journal = store.journal
        self.notifier = FakeNotifier(self.journal)
        self.operator = FakeOperator()
        self.novita = FakeNovita(self.journal)
        self.encodings = Encodings(Coordination(store.database), {})
        self.discord_files = FakeDownloader("image", self.journal)
        self.novita_files = FakeDownloader("video", self.journal)
        self.pool = FakePool()
        self.images = Images(folder, self.discord_files, self.pool)
        self.videos = Videos(folder, self.novita_files, self.pool)
        self.a_model = CATALOGUE[DEFAULT_MODEL]
        self._admissions: list[Admission] = []

    def runner(self, limit: int = 10, **config: Any) -> JobRunner:
        """Make the runner of a process that just started."""
        admission = Admission(RecordingQueue(self.store), limit, 10_000)
        self._admissions.append(admission)
        chosen = replace(RunnerConfig(Offer(CATALOGUE), poll_seconds=2.0, render_timeout=TIMEOUT), **config)
        return JobRunner(
            self.store,
            self.novita,
            self.notifier,
            self.operator,
            Submission(self.store, self.novita, self.notifier, self.operator, self.encodings),
            self.images,
            self.videos,
            admission,
            chosen,
        )

    async def accept(self, **changes: Any) -> Job:
        """Accept an ordinary job: a command in a channel, whose card gets a thread."""
        plain = {
            "wants_thread": True,
            "guild_id": 7,
            "reply_token": "token",
            "source_url": "https://cdn.invalid/source.png",
        }
        return await self.store.accept(a_job(**plain | changes))

    async def standing(self, state: str, *, end: bool = False, **changes: Any) -> Job:
        """Have a job whose card and thread stand, and that an earlier process left in some state.

        With `end`, its card has an end image too.
        """
        job = await self.accept(reply_token=None, source_url=None)
        posted = await self.notifier.post_card(job, self._two_images if end else self._an_image)
        values = {"state": state, "card_id": posted.card_id, "target_id": posted.target_id, "queued_at": 1.0}
        if state != "accepted":
            values |= {"task_id": "task-1", "submitted_at": self.clock.now}
        if state in ("rendered", "delivered"):
            values |= {"video_url": "https://novita.invalid/early.mp4", "charge": "paid"}
        if end:
            values |= {"options": {"end_image": {"format": "png", "changes": []}}}
        await self.write(job.id, **values | changes)
        self.journal.entries.clear()
        return await self.row(job.id)

    async def _an_image(self) -> list[Path]:
        path = self.folder / "somebody's image"
        path.write_bytes(b"an image")
        return [path]

    async def _two_images(self) -> list[Path]:
        return await self._an_image() * 2

    async def run(self, job: Job, runner: JobRunner | None = None) -> Job:
        """Run a job in a new process, or in that of `runner`; return how it stands then."""
        async with asyncio.timeout(PATIENCE):
            await (runner or self.runner()).run(job.id)
        return await self.row(job.id)

    async def row(self, job_id: str) -> Job:
        """Return a job as it stands."""
        job = await self.store.get(job_id)
        assert job is not None
        return job

    async def write(self, job_id: str, **columns: Any) -> None:
        """Change a row behind everybody's back; the columns by their keys."""
        async with self.store.database.begin() as connection:
            await connection.execute(jobs.update().where(jobs.c.id == job_id).values(columns))

    async def execute(self, statement: str, **values: Any) -> None:
        """Execute a statement of SQL."""
        async with self.store.database.begin() as connection:
            await connection.execute(sa.text(statement), values)

    async def select(self, query: str, **values: Any) -> list[dict[str, Any]]:
        """Read rows with a query of SQL."""
        async with self.store.database.begin() as connection:
            return [dict(row) for row in (await connection.execute(sa.text(query), values)).mappings()]

    async def close(self) -> None:
        """End what the processes left running."""
        for admission in self._admissions:
            await admission.close()


@asynccontextmanager
async def a_world(url: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """Make a world around a database, for a while."""
    clock = VirtualClock()
    clock.install(monkeypatch)
    store = RecordingStore(url, Journal())
    await store.open()
    folder.mkdir(exist_ok=True)
    world = World(store, clock, folder)
    try:
        yield world
    finally:
        await world.close()
        await store.close()
