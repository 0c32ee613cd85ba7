"""Who calls `drive`: three verbs, start, put, stop; and `enlist`, for a queue that lives in the database.

On SQLite, this process drives every job itself. On PostgreSQL, Procrastinate's queue says which process does:
a job's row in the queue is made in the transaction that accepts the job, the worker that takes it drives the
job to its end, and the rows of a worker whose heartbeat stopped are queued again. Whether a job is then
driven twice does not matter: `drive` sees to that.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from functools import partial
from typing import Any, Protocol

import procrastinate
from procrastinate import JobContext
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job as Row
from procrastinate.jobs import Status
from procrastinate.manager import JobManager

from bot.domain.job import State, Ticket
from bot.domain.retry import DatabaseAway
from bot.jobs.runner import Road
from bot.store.jobs import Ledger

log = logging.getLogger(__name__)

STOP_SECONDS = 8.0
RETRY_SECONDS = 15.0

HEARTBEAT_SECONDS = 5.0
STALLED_SECONDS = 15.0
"""How old a worker's last heartbeat is when its jobs are taken over."""
SWEEP_SECONDS = 5.0
SIGN_OFF_SECONDS = 1.0
STILL_SECONDS = 30.0
BITE = 500
"""How many jobs of dead workers are queued again before others may look too."""
QUEUE = "jobs"
ORPHAN_SWEEPS = 12
MOST_JOBS = 20_000
"""How many jobs one worker drives at once; most of them sleep until it is time to ask Novita again."""


class Engine(Protocol):
    """What the rest of the bot knows of an engine."""

    async def start(self) -> int:
        """Take up every open job where it stands; says how many there are."""

    def put(self, job_id: str) -> None:
        """Have a job driven that was just written down."""

    def wake(self, job_id: str) -> None:
        """Have a job driven afresh, also one that sleeps until it is time to look again."""

    async def stop(self) -> None:
        """Let go of every job where it stands, once the paid requests on their way are written down."""


class LocalEngine:
    """Drives each job as an asyncio task of this process."""

    def __init__(self, ledger: Ledger, road: Road) -> None:
        self._ledger = ledger
        self._road = road
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._tickets: dict[str, Ticket] = {}
        self._stopped = False

    async def start(self) -> int:
        """Take up every open job where it stands; says how many."""
        open_jobs = await self._ledger.open_jobs()
        for job_id in open_jobs:
            self.put(job_id)
        return len(open_jobs)

    def put(self, job_id: str, ticket: Ticket | None = None) -> None:
        """Drive a job, unless it is being driven already; after `stop` it waits for the next start.

        The latest `ticket` counts, also for a drive that is already under way.
        """
        if ticket is not None:
            self._tickets[job_id] = ticket
        if job_id not in self._tasks and not self._stopped:
            task = asyncio.create_task(self._drive(job_id), name=f"job {job_id}")
            self._tasks[job_id] = task
            task.add_done_callback(lambda _: self._forget(job_id))

    def _forget(self, job_id: str) -> None:
        self._tasks.pop(job_id, None)
        self._tickets.pop(job_id, None)

    def wake(self, job_id: str, ticket: Ticket | None = None) -> None:
        """Drive a job afresh, also one that sleeps until it is time to look again."""
        if running := self._tasks.get(job_id):
            running.cancel()
            running.add_done_callback(lambda _: self.put(job_id, ticket))
        else:
            self.put(job_id, ticket)

    def drives(self, job_id: str) -> bool:
        """Tell whether a job is being driven here."""
        return job_id in self._tasks

    async def ended(self, job_id: str) -> bool:
        """Wait for the end of a job's drive; False: it did not come there, for this engine is stopped."""
        while (running := self._tasks.get(job_id)) is not None:
            await asyncio.wait([running])
            if not running.cancelled():
                return True
        return False

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
                await self._road.drive(job_id, self._tickets.get(job_id))
                return
            except Exception:
                log.exception("job %s stopped on an unexpected error; it is taken up again", job_id)
            await asyncio.sleep(RETRY_SECONDS)


# --- PostgreSQL: many processes -----------------------------------------------------------------------------


class _AtOnce(procrastinate.BaseRetryStrategy):
    """A job that a worker lets go of is queued again, for the others."""

    def get_retry_decision(self, *, exception: BaseException, job: Row) -> procrastinate.RetryDecision:
        return procrastinate.RetryDecision()


class _Rows(JobManager):
    """Procrastinate's rows; one that another worker has taken over by now is not this one's to finish."""

    def __init__(self, connector: procrastinate.BaseConnector, ledger: Ledger) -> None:
        super().__init__(connector)
        self._ledger = ledger
        self._handed_back = False

    async def finish_job(self, job: Row, status: Status, delete_job: bool) -> None:
        await self._ledger.unqueue(job.id or 0, job.worker_id or 0)

    async def hand_back(self, worker_ids: set[int]) -> None:
        """Queue all rows of a worker that is being stopped, at once: one by one is too slow for thousands."""
        await self._ledger.hand_back(worker_ids, SIGN_OFF_SECONDS)
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
    """Lets Procrastinate say which of many processes drives a job; `works` says whether this is one of them.

    A drive is a task of this process's `LocalEngine`, not of Procrastinate's worker: the worker ends whenever
    the database restarts, and the paid request of a drive must not end with it.
    """

    def __init__(self, ledger: Ledger, road: Road, address: str, *, works: bool) -> None:
        self._ledger = ledger
        self._road = road
        self._local = LocalEngine(ledger, road)
        self._works = works
        self._tasks: list[asyncio.Task[None]] = []
        self._worker_ids: set[int] = set()
        self._app = _queue(address)
        self._rows = self._app.job_manager = _Rows(self._app.connector, ledger)
        self._drive = self._app.task(name="drive", queue=QUEUE, retry=_AtOnce(), pass_context=True)(
            self._driving
        )
        ledger.enlist = self._enlist

    async def start(self) -> int:
        """Make the queue's tables if they are not there yet, and take up jobs; says how many are open."""
        await self._app.open_async()
        await self._ledger.alone("queue tables", partial(_make_tables, self._app))
        if self._works:
            # Whoever died long ago is not waited for; the worker's first look then finds what it left.
            await self._take_over()
            self._tasks = [asyncio.create_task(self._work()), asyncio.create_task(self._sweep())]
        return len(await self._ledger.open_jobs())

    def put(self, job_id: str) -> None:
        """Do nothing for the job, which is queued; its still is not needed here if others drive it."""
        asyncio.get_running_loop().call_later(STILL_SECONDS, self._drop_still, job_id)

    def _drop_still(self, job_id: str) -> None:
        if not self._local.drives(job_id):
            self._road.stills.drop(job_id)

    def wake(self, job_id: str) -> None:
        """Do nothing: the queue has it, and whoever sleeps on it elsewhere will find itself superseded."""

    async def stop(self) -> None:
        """Let go of every job, payments written down, and hand them to the other workers."""
        await self._local.stop()
        with suppress(DatabaseAway):  # then its heart stops, and they are found so
            await self._rows.hand_back(self._worker_ids)
        for task in self._tasks:
            task.cancel()
        if self._tasks:  # a worker cannot sign off while the database is away
            await asyncio.wait(self._tasks, timeout=SIGN_OFF_SECONDS)
        with suppress(Exception):
            await asyncio.wait_for(self._app.close_async(), SIGN_OFF_SECONDS)

    async def _enlist(self, connection: Any, job_id: str, afresh: bool) -> None:
        """Queue a job in the ledger's own transaction."""
        raw = (await connection.get_raw_connection()).driver_connection
        await self._drive.configure(connection=raw).defer_async(job_id=job_id, afresh=afresh)

    async def _driving(self, context: JobContext, job_id: str, afresh: bool = False) -> None:
        """Have a job driven here; Procrastinate counts it as this worker's for as long."""
        ticket = Ticket(context.job.id or 0, context.job.worker_id or 0)
        self._worker_ids.add(ticket.worker_id)
        await self._let_pay(job_id)
        if afresh:
            self._local.wake(job_id, ticket)
        else:
            self._local.put(job_id, ticket)
        if not await self._local.ended(job_id):
            await asyncio.Event().wait()  # stopped: it is let go of when the paid requests are written down

    async def _let_pay(self, job_id: str) -> None:
        """Leave a job alone for a while that another run may just be paying for.

        That run may be alive: the database was away, say, and so was its heartbeat. Should it be dead, then
        its asker hears a little later that nobody can tell what became of the order.
        """
        while not self._local.drives(job_id):
            job = await self._ledger.get(job_id, patience=None)
            if job is None or job.state is not State.SUBMITTING:
                return
            if time.time() > (job.submitted_at or 0) + 2 * STALLED_SECONDS:
                return
            await asyncio.sleep(min(1.0, STALLED_SECONDS))

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
        """Queue again what dead workers drove, and once in a while what is in no queue at all."""
        sweeps = 0
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            try:
                await self._take_over()
                if sweeps % ORPHAN_SWEEPS == 0 and (orphans := await self._ledger.enlist_orphans()):
                    log.warning("%d open jobs were in no queue", orphans)
                sweeps += 1
            except Exception as error:
                log.warning("dead workers are looked for later (%s)", type(error).__name__)

    async def _take_over(self) -> None:
        """Queue again what the dead drove, in bites: nobody may be alone in there for long."""
        bitten: int | None = BITE
        while bitten == BITE:
            bitten = await self._ledger.alone("sweep", self._bite, wait=False)

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
