"""One process runs every job itself: the engine of a SQLite database."""

from __future__ import annotations

import asyncio
import logging

from bot.domain.job import QueueLease
from bot.errors import OutdatedVersion
from bot.jobs.runner import JobRunner
from bot.store.jobs import JobStore

log = logging.getLogger(__name__)

STOP_SECONDS = 8.0
RETRY_SECONDS = 15.0


class LocalEngine:
    """Runs each job as an asyncio task of this process; `alone`: nobody else can, so none is let go of."""

    def __init__(self, store: JobStore, runner: JobRunner, *, alone: bool = True) -> None:
        self._store = store
        self._runner = runner
        self._alone = alone
        self._tasks: dict[str, asyncio.Task[bool]] = {}
        self._leases: dict[str, QueueLease] = {}
        self._stopped = False

    async def start(self) -> int:
        """Take up every open job where it stands; return how many."""
        open_jobs = await self._store.open_jobs()
        for job_id in open_jobs:
            self.submit(job_id)
        return len(open_jobs)

    def submit(self, job_id: str, lease: QueueLease | None = None) -> None:
        """Run a job, unless that is being done already; after `stop` it waits for the next start.

        The latest `lease` counts, also for a run that is already under way.
        """
        if lease is not None:
            self._leases[job_id] = lease
        if job_id not in self._tasks and not self._stopped:
            task = asyncio.create_task(self._run(job_id), name=f"job {job_id}")
            self._tasks[job_id] = task
            task.add_done_callback(lambda _: self._forget(job_id))

    def _forget(self, job_id: str) -> None:
        self._tasks.pop(job_id, None)
        self._leases.pop(job_id, None)

    def reschedule(self, job_id: str, lease: QueueLease | None = None) -> None:
        """Run a job afresh, also one that sleeps until it is time to look again."""
        if running := self._tasks.get(job_id):
            running.cancel()
            running.add_done_callback(lambda _: self.submit(job_id, lease))
        else:
            self.submit(job_id, lease)

    def runs(self, job_id: str) -> bool:
        """Return whether a job is being run here."""
        return job_id in self._tasks

    async def ended(self, job_id: str) -> bool | None:
        """Wait for the end of a job's run: False for one that only a newer version can go on with.

        None: it did not come there, for this engine is stopped.
        """
        while (running := self._tasks.get(job_id)) is not None:
            await asyncio.wait([running])
            if not running.cancelled():
                return running.result()
        return None

    async def stop(self) -> None:
        """Let go of every job where it stands, once the paid requests on their way are written down."""
        if self._stopped:
            return
        self._stopped = True
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        await self._runner.drain(STOP_SECONDS)

    async def _run(self, job_id: str) -> bool:
        """Run to the end; what nobody foresaw is logged and tried again later, for the job is not over.

        Return False for a job that is left to a newer version, elsewhere.
        """
        while True:
            try:
                await self._runner.run(job_id, self._leases.get(job_id))
                return True
            except OutdatedVersion:
                if not self._alone:
                    return False
            except Exception:
                log.exception("job %s stopped on an unexpected error; it is taken up again", job_id)
            await asyncio.sleep(RETRY_SECONDS)
