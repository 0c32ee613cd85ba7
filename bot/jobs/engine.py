"""Who calls `drive`: three verbs, start, put, stop."""

from __future__ import annotations

import asyncio
import logging

from bot.jobs.drive import Road
from bot.jobs.ledger import Ledger

log = logging.getLogger(__name__)

STOP_SECONDS = 8.0
RETRY_SECONDS = 15.0


class LocalEngine:
    """Drives each job as an asyncio task of this process."""

    def __init__(self, ledger: Ledger, road: Road) -> None:
        self._ledger = ledger
        self._road = road
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._stopped = False

    async def start(self) -> int:
        """Take up every open job where it stands; says how many."""
        open_jobs = await self._ledger.open_jobs()
        for job_id in open_jobs:
            self.put(job_id)
        return len(open_jobs)

    def put(self, job_id: str) -> None:
        """Drive a job, unless it is being driven already; after `stop` it waits for the next start."""
        if job_id not in self._tasks and not self._stopped:
            task = asyncio.create_task(self._drive(job_id), name=f"job {job_id}")
            self._tasks[job_id] = task
            task.add_done_callback(lambda _: self._tasks.pop(job_id, None))

    def wake(self, job_id: str) -> None:
        """Drive a job afresh, also one that sleeps until it is time to look again."""
        if running := self._tasks.get(job_id):
            running.cancel()
            running.add_done_callback(lambda _: self.put(job_id))
        else:
            self.put(job_id)

    async def stop(self) -> None:
        """Let go of every job where it stands, once the paid requests on their way are written down."""
        if self._stopped:
            return
        self._stopped = True
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        if self._road.payments.under_way:
            log.info("waiting for %d paid requests to be answered", len(self._road.payments.under_way))
            _, unanswered = await asyncio.wait(self._road.payments.under_way, timeout=STOP_SECONDS)
            for payment in unanswered:  # found in `submitting` by the next start, which asks a person
                payment.cancel()
            await asyncio.gather(*unanswered, return_exceptions=True)

    async def _drive(self, job_id: str) -> None:
        """Drive to the end; what nobody foresaw is logged and tried again later, for the job is not over."""
        while True:
            try:
                await self._road.drive(job_id)
                return
            except Exception:
                log.exception("job %s stopped on an unexpected error; it is taken up again", job_id)
            await asyncio.sleep(RETRY_SECONDS)
