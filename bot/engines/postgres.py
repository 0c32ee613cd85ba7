"""Many processes share the jobs: the engine of a PostgreSQL database.

Procrastinate's queue says which process runs a job: a job's row in the queue is made in the transaction that
accepts the job, the worker that takes it runs the job to its end, and the rows of a worker whose heartbeat
stopped are queued again. Whether a job is then run twice does not matter: `JobRunner.run` sees to that.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from functools import partial
from typing import Any

import procrastinate
from procrastinate import JobContext
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job as Row
from procrastinate.jobs import Status
from procrastinate.manager import JobManager

from bot.domain.job import QueueLease, State
from bot.engines.local import LocalEngine
from bot.errors import DatabaseUnavailable
from bot.jobs.runner import JobRunner
from bot.store.coordination import Coordination
from bot.store.database import Database
from bot.store.jobs import JobStore
from bot.store.worker_rows import WorkerRows

log = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 5.0
STALLED_SECONDS = 15.0
"""How old a worker's last heartbeat is when its jobs are taken over."""
SWEEP_SECONDS = 5.0
SIGN_OFF_SECONDS = 1.0
IMAGE_SECONDS = 30.0
LEAVE_SECONDS = 5.0
"""For how long what only a newer version can run is left in the queue, before anybody takes it again."""
BITE = 500
"""How many jobs of dead workers are queued again before others may look too."""
QUEUE = "jobs"
TASK = "drive"
"""Rows of earlier versions have this name, so it stays."""
ORPHAN_SWEEPS = 12
MOST_JOBS = 20_000
"""How many jobs one worker runs at once; most of them sleep until it is time to ask Novita again."""


class _AtOnce(procrastinate.BaseRetryStrategy):
    """A job that a worker lets go of is queued again, for the others."""

    def get_retry_decision(self, *, exception: BaseException, job: Row) -> procrastinate.RetryDecision:
        return procrastinate.RetryDecision()


class _Rows(JobManager):
    """Procrastinate's rows; one that another worker has taken over by now is not this one's to finish."""

    def __init__(self, connector: procrastinate.BaseConnector, rows: WorkerRows) -> None:
        super().__init__(connector)
        self._rows = rows
        self._handed_back = False

    async def finish_job(self, job: Row, status: Status, delete_job: bool) -> None:
        await self._rows.remove(job.id or 0, job.worker_id or 0)

    async def hand_back(self, worker_ids: set[int]) -> None:
        """Queue all rows of a worker that is being stopped, at once: one by one is too slow for thousands."""
        await self._rows.hand_back(worker_ids, SIGN_OFF_SECONDS)
        self._handed_back = True

    async def retry_job(self, job: Row, *args: Any, **options: Any) -> None:
        if not self._handed_back:
            await super().retry_job(job, *args, **options)


def _queue(address: str) -> procrastinate.App:
    connector = procrastinate.PsycopgConnector(conninfo=address, min_size=1, max_size=4, timeout=10.0)
    return procrastinate.App(connector=connector)


async def _make_tables(app: procrastinate.App) -> None:
    # An upgrade of Procrastinate that changes its tables needs its migrations run; its pin is exact.
    if not await app.check_connection_async():
        await app.schema_manager.apply_schema_async()


async def make_queue(address: str) -> None:
    """Make the queue's tables, if they are not there yet."""
    app = _queue(address)
    async with app.open_async():
        await _make_tables(app)


class PostgresEngine:
    """Lets Procrastinate say which of many processes runs a job; `works` says whether this is one of them.

    A run is a task of this process's `LocalEngine`, not of Procrastinate's worker: the worker ends whenever
    the database restarts, and the paid request of a run must not end with it.
    """

    def __init__(
        self, database: Database, store: JobStore, runner: JobRunner, address: str, *, works: bool
    ) -> None:
        self._store = store
        self._runner = runner
        self._coordination = Coordination(database)
        self._queue_rows = WorkerRows(database, store)
        self._local = LocalEngine(store, runner, alone=False)
        self._works = works
        self._tasks: list[asyncio.Task[None]] = []
        self._worker_ids: set[int] = set()
        self._app = _queue(address)
        self._rows = self._app.job_manager = _Rows(self._app.connector, self._queue_rows)
        self._drive = self._app.task(name=TASK, queue=QUEUE, retry=_AtOnce(), pass_context=True)(
            self._driving
        )
        store.enqueue = self._enqueue

    async def start(self) -> int:
        """Make the queue's tables if they are not there yet, and take up jobs; return how many are open."""
        await self._app.open_async()
        await self._coordination.alone("queue tables", partial(_make_tables, self._app))
        if self._works:
            # Whoever died long ago is not waited for; the worker's first look then finds what it left.
            await self._take_over()
            self._tasks = [asyncio.create_task(self._work()), asyncio.create_task(self._sweep())]
        return len(await self._store.open_jobs())

    def submit(self, job_id: str) -> None:
        """Do nothing for the job, which is queued; its image is not needed here if others run it."""
        asyncio.get_running_loop().call_later(IMAGE_SECONDS, self._drop_image, job_id)

    def _drop_image(self, job_id: str) -> None:
        if not self._local.runs(job_id):
            self._runner.forget(job_id)

    def reschedule(self, job_id: str) -> None:
        """Do nothing: the queue has it, and whoever sleeps on it elsewhere will lose its lease."""

    async def stop(self) -> None:
        """Let go of every job, submissions written down, and hand them to the other workers."""
        await self._local.stop()
        with suppress(DatabaseUnavailable):  # then its heart stops, and they are found so
            await self._rows.hand_back(self._worker_ids)
        for task in self._tasks:
            task.cancel()
        if self._tasks:  # a worker cannot sign off while the database is away
            await asyncio.wait(self._tasks, timeout=SIGN_OFF_SECONDS)
        with suppress(Exception):
            await asyncio.wait_for(self._app.close_async(), SIGN_OFF_SECONDS)

    async def _enqueue(self, connection: Any, job_id: str, afresh: bool) -> None:
        """Queue a job in the store's own transaction."""
        raw = (await connection.get_raw_connection()).driver_connection
        await self._drive.configure(connection=raw).defer_async(job_id=job_id, afresh=afresh)

    async def _driving(self, context: JobContext, job_id: str, afresh: bool = False) -> None:
        """Have a job run here; Procrastinate counts it as this worker's for as long."""
        lease = QueueLease(context.job.id or 0, context.job.worker_id or 0)
        self._worker_ids.add(lease.worker_id)
        ended: bool | None = False
        if await self._let_pay(job_id):
            if afresh:
                self._local.reschedule(job_id, lease)
            else:
                self._local.submit(job_id, lease)
            ended = await self._local.ended(job_id)
        if ended is None:
            await asyncio.Event().wait()  # stopped: it is let go of when the paid requests are written down
        if not ended or await self._store.is_newer(job_id):
            # The row is how a newer version's worker hears of it, so it is not taken out of the queue here.
            await self._queue_rows.leave(lease.row_id, lease.worker_id, LEAVE_SECONDS)

    async def _let_pay(self, job_id: str) -> bool:
        """Leave a job alone for a while that another run may just be paying for.

        That run may be alive: the database was away, say, and so was its heartbeat. Should it be dead, then
        its requester hears a little later that nobody can tell what became of the order. Return False for a
        job in a state that only a newer version knows.
        """
        longest = 2 * STALLED_SECONDS
        began = time.monotonic()
        while not self._local.runs(job_id):
            job = await self._store.get(job_id, patience=None)
            if job is None:
                return not await self._store.is_newer(job_id)
            if job.state is not State.SUBMITTING:
                break
            # By the wall's clock it may be done for already; but if that was set back, it never would be.
            if max(time.time() - (job.task.submitted_at or 0), time.monotonic() - began) > longest:
                break
            await asyncio.sleep(min(1.0, STALLED_SECONDS))
        return True

    async def _work(self) -> None:
        """Keep a worker running; Procrastinate's ends when the database restarts."""
        while True:
            try:
                await self._app.run_worker_async(
                    queues=[QUEUE],
                    concurrency=MOST_JOBS,
                    install_signal_handlers=False,
                    fetch_job_polling_interval=SWEEP_SECONDS,
                    abort_job_polling_interval=3600.0,
                    update_heartbeat_interval=HEARTBEAT_SECONDS,
                    stalled_worker_timeout=STALLED_SECONDS,
                    shutdown_graceful_timeout=0.0,
                )
            except Exception as error:
                log.warning("the worker ended (%s) and is started again", type(error).__name__)
            await asyncio.sleep(1.0)

    async def _sweep(self) -> None:
        """Queue again what dead workers ran, and once in a while what is in no queue at all."""
        sweeps = 0
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            try:
                await self._take_over()
                if sweeps % ORPHAN_SWEEPS == 0 and (orphans := await self._queue_rows.enqueue_orphans()):
                    log.warning("%d open jobs were in no queue", orphans)
                sweeps += 1
            except Exception as error:
                log.warning("dead workers are looked for later (%s)", type(error).__name__)

    async def _take_over(self) -> None:
        """Queue again what the dead ran, in bites: nobody may be alone in there for long."""
        bitten: int | None = BITE
        while bitten == BITE:
            bitten = await self._coordination.alone("sweep", self._bite, wait=False)

    async def _bite(self) -> int:
        stalled = await self._rows.get_stalled_jobs(queue=QUEUE, seconds_since_heartbeat=STALLED_SECONDS)
        rows = list(stalled)[:BITE]
        if rows:
            log.warning("jobs: %d of a worker that is gone are queued again", len(rows))
        await asyncio.gather(*map(self._queue_again, rows))
        return len(rows)

    async def _queue_again(self, row: Row) -> None:
        with suppress(ConnectorException):  # it has ended meanwhile
            await self._rows.retry_job(row)
