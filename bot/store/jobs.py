"""Jobs: every one is a row, every step of it one guarded transaction.

A row is written by the run that owns it and from the state it leaves, or not at all, so that a process that
was paused and wakes up late changes nothing. What a run writes waits for a database that is away;
what people wait for gives up after a while. Rows in a state that this version does not know are a newer
version's, and left alone.
"""

from __future__ import annotations

import itertools
import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain import places
from bot.domain.job import ENDED, NOWHERE, TRANSITIONS, Charge, Job, QueueLease, State
from bot.domain.request import InteractionRecord
from bot.errors import LeaseLost, OutdatedVersion, TaskTaken
from bot.store.database import Database, inserted
from bot.store.interactions import PEOPLE_WAIT, UNANSWERED, act_once
from bot.store.rows import job_of, storable, values_of
from bot.store.tables import jobs, publications, queue, tasks

log = logging.getLogger(__name__)

PAYING_VERSION = 1
"""Counted up by a version that older ones must not pay beside; compared with what the database names."""
OLDEST_PAYING = "oldest version allowed to pay"
"""The key of the shared table that names it."""

KNOWN = jobs.c.state.in_(list(State))
UNTOLD = sa.and_(jobs.c.notified.is_(False), jobs.c.fallback_reason != NOWHERE)
OPEN = sa.and_(KNOWN, sa.or_(UNTOLD, jobs.c.check_at.is_not(None)))

Enqueue = Callable[[AsyncConnection, str, bool], Awaitable[None]]
"""Puts a job into the engine's queue, in the transaction that makes it one to be run, maybe afresh."""


class JobStore:
    """The jobs table, and what is written in the same transactions: interactions and publications."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._tokens = (f"{secrets.token_hex(6)}-{n}" for n in itertools.count(1))
        self.enqueue: Enqueue | None = None

    # --- what people do: each raises `DatabaseUnavailable` when nobody can wait any longer

    async def accept(self, job: Job, interaction: InteractionRecord | None = None) -> Job:
        """Write a new job down, and the interaction that asked for it; it exists from when this returns.

        Raises `DuplicateInteraction` when that interaction has been acted on already.
        """

        async def insert(connection: AsyncConnection) -> None:
            if interaction is not None:
                await act_once(self._database, connection, interaction, job.id)
            await self._insert(connection, job)

        await self._database.transact(insert, PEOPLE_WAIT, leads_to_payment=True)
        return job

    async def decide(
        self, job_id: str, again: Job | None, interaction: InteractionRecord | None = None
    ) -> Job:
        """Settle an unconfirmed job as a person said: let it go, or also render it again as another job.

        One transaction, so that of two people who decide at once one wins; raises `LeaseLost` for the other,
        and `DuplicateInteraction` when the press that asked for it has been acted on already.
        """
        token = next(self._tokens)
        changes = {
            "state": State.CANCELLED,
            "fencing_token": token,
            "notified": False,
            "again_as": again.id if again else "",
        }
        undecided = sa.or_(jobs.c.state == State.UNCONFIRMED, jobs.c.fencing_token == token)

        async def settle(connection: AsyncConnection) -> Job:
            if interaction is not None:
                await act_once(self._database, connection, interaction, again.id if again else job_id)
            settled = await _change(connection, undecided, job_id, changes)
            # Afresh: a run may be telling that it is unconfirmed, and its last word must not be the card's.
            await self._enqueue(connection, job_id, afresh=True)
            if again is not None:
                await self._insert(connection, again)
            return settled

        return await self._database.transact(settle, PEOPLE_WAIT, leads_to_payment=again is not None)

    async def render_instead(
        self, job_id: str, new: Job, interaction: InteractionRecord | None = None
    ) -> Job:
        """Have a job whose model was gone rendered by another model, as a new job, once.

        One transaction, so that of two presses one wins; raises `LeaseLost` for the other, and
        `DuplicateInteraction` when the press that asked for it has been acted on already.
        """
        token = next(self._tokens)
        changes = {"fencing_token": token, "notified": False, "again_as": new.id}
        retired = sa.and_(jobs.c.state == State.FAILED, jobs.c.problem == "retired")
        once = sa.and_(retired, sa.or_(jobs.c.again_as == "", jobs.c.fencing_token == token))

        async def settle(connection: AsyncConnection) -> Job:
            if interaction is not None:
                await act_once(self._database, connection, interaction, new.id)
            settled = await _change(connection, once, job_id, changes)
            await self._enqueue(connection, job_id, afresh=True)
            await self._insert(connection, new)
            return settled

        return await self._database.transact(settle, PEOPLE_WAIT)

    async def look_again(self, job_id: str, target_id: int) -> Job:
        """Have a failed job looked for now, and brought to `target_id`; raises `LeaseLost`."""
        changes = {
            "check_at": time.time(),
            "target_id": target_id,
            "fallback_reason": "",
            "notified": True,
            "fencing_token": next(self._tokens),
        }

        async def change(connection: AsyncConnection) -> Job:
            job = await _change(connection, jobs.c.state == State.FAILED, job_id, changes)
            job = await _change(connection, sa.true(), job_id, {"options": places.anew(job)})
            await self._enqueue(connection, job_id, afresh=True)
            return job

        return await self._database.transact(change, PEOPLE_WAIT)

    async def get(self, job_id: str, patience: float | None = UNANSWERED) -> Job | None:
        """Return one job, or None; for people, one that a newer version knows is none."""
        found = await self._database.read(jobs.select().where(jobs.c.id == job_id, KNOWN), patience)
        return job_of(found[0]) if found else None

    async def is_newer(self, job_id: str) -> bool:
        """Return whether a job is in a state that only a newer version knows."""
        query = sa.select(jobs.c.id).where(jobs.c.id == job_id, ~KNOWN)
        return bool(await self._database.read(query))

    async def jobs_of(self, user_id: int, limit: int = 25) -> list[Job]:
        """List somebody's latest jobs, newest first."""
        query = jobs.select().where(jobs.c.requester_id == user_id, KNOWN)
        query = query.order_by(jobs.c.created_at.desc()).limit(limit)
        return [job_of(row) for row in await self._database.read(query, UNANSWERED)]

    # --- what a run does: each waits for the database, however long it is away

    async def claim(self, job_id: str, lease: QueueLease | None = None) -> Job:
        """Make the caller the job's only owner: writes by any earlier run fail from now on.

        Raises `LeaseLost` for one whose `lease` is not good any more: its worker was paused, say, and the job
        given to another.
        """
        token = next(self._tokens)
        guard = sa.true() if lease is None else _in_hand(lease)

        async def change(connection: AsyncConnection) -> Job:
            return await _change(connection, guard, job_id, {"fencing_token": token})

        return await self._database.transact(change)

    async def move(self, job: Job, to: State, **changes: object) -> Job:
        """Take one transition, with what is learned on it, in one transaction; raises `LeaseLost`.

        Into `submitting` also raises `OutdatedVersion` when the database lets only newer versions pay.
        """
        if to not in TRANSITIONS[job.state]:
            raise ValueError(f"no transition leads from {job.state} to {to}")
        if to in ENDED:
            changes["ended_at"] = time.time()
        return await self.update(job, state=to, **changes)

    async def fail(
        self, job: Job, problem: str, reason: str, charge: Charge = Charge.NOTHING, **changes: object
    ) -> Job:
        """Take the transition to the end without a video; `reason` may be untrusted text."""
        log.warning("job %s failed: %s (%s)", job.id, problem, reason)
        ending = {"problem": problem, "reason": reason[:500], "charge": charge, "notified": False}
        return await self.move(job, State.FAILED, **ending, **changes)

    async def update(self, job: Job, **changes: object) -> Job:
        """Write down something learned, whether it moves the job or not; raises `LeaseLost`.

        A `task_id` that another job has raises `TaskTaken`.
        """
        states, values = [job.state], storable(changes)
        to = State(str(changes["state"])) if "state" in changes else None

        async def change(connection: AsyncConnection) -> Job:
            if to is State.SUBMITTING:
                await self._check_version(connection)
            guard = sa.and_(jobs.c.state.in_(states), jobs.c.fencing_token == job.fencing_token)
            # Should the answer to the commit be lost, this run finds its own write and does it once more.
            if to is not None and to not in states:
                states.append(to)
            changed = await _change(connection, guard, job.id, values)
            if task_id := values.get("task_id"):
                await self._take_task(connection, task_id, job.id)
            await self._publish(connection, changed, changes)
            return changed

        return await self._database.transact(change, leads_to_payment=to is State.SUBMITTING)

    async def check_version(self) -> None:
        """Raise `OutdatedVersion` when the database lets only newer versions pay."""
        await self._database.transact(self._check_version)

    async def owns(self, job: Job) -> bool:
        """Return whether the job is still this run's."""
        mine = sa.and_(jobs.c.id == job.id, jobs.c.fencing_token == job.fencing_token)
        return bool(await self._database.read(sa.select(jobs.c.id).where(mine)))

    async def open_jobs(self) -> list[str]:
        """List the jobs that are not ended, not told of, or to be looked for again; oldest first."""
        query = sa.select(jobs.c.id).where(OPEN).order_by(jobs.c.created_at)
        return [row["id"] for row in await self._database.read(query)]

    # --- parts

    async def _take_task(self, connection: AsyncConnection, task_id: str, job_id: str) -> None:
        statement = self._database.insert(tasks).values(task_id=task_id, job_id=job_id)
        if await inserted(connection, statement.on_conflict_do_nothing().returning(tasks.c.job_id)):
            return
        owner = sa.select(tasks.c.job_id).where(tasks.c.task_id == task_id)
        if (await connection.execute(owner)).scalar() != job_id:
            raise TaskTaken(task_id)

    async def _insert(self, connection: AsyncConnection, job: Job) -> None:
        """Write a new job down and queue it, unless that was done and only its answer lost."""
        statement = self._database.insert(jobs).values(values_of(job)).on_conflict_do_nothing()
        if await inserted(connection, statement.returning(jobs.c.id)):
            await self._enqueue(connection, job.id)

    async def _enqueue(self, connection: AsyncConnection, job_id: str, afresh: bool = False) -> None:
        if self.enqueue is not None:
            await self.enqueue(connection, job_id, afresh)

    async def _check_version(self, connection: AsyncConnection) -> None:
        _, oldest = await self._database.get_shared(connection, OLDEST_PAYING)
        if oldest.isdecimal() and int(oldest) > PAYING_VERSION:
            raise OutdatedVersion(f"the database lets only version {oldest} and newer pay")

    async def _publish(self, connection: AsyncConnection, job: Job, changes: dict[str, object]) -> None:
        """Write down a message that shows the job, in the transaction that learns of it."""
        for kind, column, channel_id in (
            ("card", "card_id", job.destination.channel_id),
            ("video", "video_message_id", job.destination.target_id),
        ):
            if changes.get(column) is not None:
                values = {
                    "channel_id": channel_id,
                    "message_id": changes[column],
                    "kind": kind,
                    "job_id": job.id,
                    "posted_at": time.time(),
                }
                statement = self._database.insert(publications).values(values).on_conflict_do_nothing()
                await connection.execute(statement)


async def _change(
    connection: AsyncConnection, guard: sa.ColumnElement[bool], job_id: str, changes: dict[str, Any]
) -> Job:
    if changes.get("notified") is False:  # there is something new to tell, and maybe a place for it
        reason = sa.case((jobs.c.fallback_reason == NOWHERE, ""), else_=jobs.c.fallback_reason)
        changes = {"fallback_reason": reason} | changes
    statement = jobs.update().where(jobs.c.id == job_id, KNOWN, guard).values(changes).returning(*jobs.c)
    row = (await connection.execute(statement)).mappings().first()
    if row is None:
        raise LeaseLost(job_id)
    return job_of(row)


def _in_hand(lease: QueueLease) -> sa.ColumnElement[bool]:
    return sa.exists().where(
        queue.c.id == lease.row_id,
        queue.c.worker_id == lease.worker_id,
        sa.cast(queue.c.status, sa.Text) == "doing",
    )
