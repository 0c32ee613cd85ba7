"""The ledger: every job is a row, every step one guarded transaction. The only SQL there is.

A row is written by the run that owns it and from the state it leaves, or not at all, so that a process that
was paused and wakes up late changes nothing. What is written on the road waits for a database that is away;
what people wait for gives up after a while.
"""

from __future__ import annotations

import dataclasses
import itertools
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.job import ARROWS, ENDED, Cost, Job, State, Superseded, Ticket
from bot.domain.polling import Line, Waiter, line_up
from bot.store.database import Database, LedgerError
from bot.store.tables import jobs, queue, shared

__all__ = ["Ledger", "LedgerError"]

log = logging.getLogger(__name__)
T = TypeVar("T")

PEOPLE_WAIT = 8.0
"""How long, in seconds, the database is waited for while somebody sees “thinking…”."""
UNANSWERED = 2.0
"""How long it is waited for before the first answer, for which Discord gives three seconds."""
MINUTE = 60.0
FAIR_SECONDS = 3600.0
"""For how long a turn counts when it is decided whose is next."""
ORPHANED_AFTER = 60.0

PAUSED = "novita paused until"

OPEN = sa.or_(jobs.c.told.is_(False), jobs.c.check_at.is_not(None))
HAS_TURN = sa.or_(
    jobs.c.state.in_([State.SUBMITTING, State.RENDERING]),
    sa.and_(jobs.c.state == State.ACCEPTED, jobs.c.turn_at.is_not(None)),
)
IN_LINE = sa.and_(jobs.c.state == State.ACCEPTED, jobs.c.turn_at.is_(None), jobs.c.queued_at.is_not(None))

Enlist = Callable[[AsyncConnection, str, bool], Awaitable[None]]
"""Puts a job into the engine's queue, in the transaction that makes it one to be driven, maybe afresh."""


class Ledger:
    """The rows of the database that a URL names."""

    def __init__(self, url: str) -> None:
        self._database = Database(url)
        self.shared = self._database.shared
        self._runs = (f"{secrets.token_hex(6)}-{n}" for n in itertools.count(1))
        self.enlist: Enlist | None = None

    async def open(self) -> None:
        """Take the database for this process and bring its tables up to date; raises `LedgerError`."""
        await self._database.open()

    async def close(self) -> None:
        """Let go of the database."""
        await self._database.close()

    # --- what people do: each raises `DatabaseAway` when nobody can wait any longer

    async def accept(self, job: Job) -> Job:
        """Write a new job down; it exists from the moment this returns."""

        async def insert(connection: AsyncConnection) -> None:
            await self._insert(connection, job)

        await self._database.transact(insert, PEOPLE_WAIT)
        return job

    async def decide(self, job_id: str, again: Job | None) -> Job:
        """Settle an unconfirmed job as a person said: let it go, or also order it again as another job.

        One transaction, so that of two people who decide at once one wins; raises `Superseded` for the other.
        """
        run = next(self._runs)
        changes = {
            "state": State.CANCELLED,
            "run": run,
            "told": False,
            "again_as": again.id if again else "",
        }
        undecided = sa.or_(jobs.c.state == State.UNCONFIRMED, jobs.c.run == run)

        async def settle(connection: AsyncConnection) -> Job:
            settled = await _change(connection, undecided, job_id, changes)
            await self._enlist(connection, job_id)
            if again is not None:
                await self._insert(connection, again)
            return settled

        return await self._database.transact(settle, PEOPLE_WAIT)

    async def look_again(self, job_id: str, target_id: int) -> Job:
        """Have a failed job looked for now, and brought to `target_id`; raises `Superseded`."""
        run = next(self._runs)
        changes = {"check_at": time.time(), "target_id": target_id, "detour": "", "told": True, "run": run}

        async def change(connection: AsyncConnection) -> Job:
            job = await _change(connection, jobs.c.state == State.FAILED, job_id, changes)
            await self._enlist(connection, job_id, afresh=True)
            return job

        return await self._database.transact(change, PEOPLE_WAIT)

    async def get(self, job_id: str, patience: float | None = UNANSWERED) -> Job | None:
        """Read one job."""
        found = await self._read(jobs.select().where(jobs.c.id == job_id), patience)
        return _job(found[0]) if found else None

    async def jobs_of(self, person_id: int, limit: int = 25) -> list[Job]:
        """List somebody's latest jobs, newest first."""
        query = jobs.select().where(jobs.c.asker_id == person_id)
        query = query.order_by(jobs.c.created_at.desc()).limit(limit)
        return [_job(row) for row in await self._read(query, UNANSWERED)]

    # --- what the road does: each waits for the database, however long it is away

    async def claim(self, job_id: str, ticket: Ticket | None = None) -> Job:
        """Make the caller the job's only owner: writes by any earlier run fail from now on.

        Raises `Superseded` for one whose `ticket` is not good any more: its worker was paused, say, and the
        job given to another.
        """
        run = next(self._runs)
        guard = sa.true() if ticket is None else _in_hand(ticket)

        async def change(connection: AsyncConnection) -> Job:
            return await _change(connection, guard, job_id, {"run": run})

        return await self._database.transact(change)

    async def move(self, job: Job, to: State, **changes: object) -> Job:
        """Take one arrow, with what is learned on it, in one transaction; raises `Superseded`."""
        if to not in ARROWS[job.state]:
            raise ValueError(f"no arrow leads from {job.state} to {to}")
        if to in ENDED:
            changes["ended_at"] = time.time()
        return await self.note(job, state=to, **changes)

    async def fail(
        self, job: Job, problem: str, reason: str, cost: Cost = Cost.NOTHING, **changes: object
    ) -> Job:
        """Take the arrow to the end without a video; `reason` may be untrusted text."""
        log.warning("job %s failed: %s (%s)", job.id, problem, reason)
        return await self.move(
            job,
            State.FAILED,
            problem=problem,
            reason=_storable(reason[:500]),
            cost=cost,
            told=False,
            **changes,
        )

    async def note(self, job: Job, **changes: object) -> Job:
        """Write down something learned, whether it moves the job or not; raises `Superseded`."""
        states = [job.state]

        async def change(connection: AsyncConnection) -> Job:
            guard = sa.and_(jobs.c.state.in_(states), jobs.c.run == job.run)
            # Should the answer to the commit be lost, this run finds its own write and does it once more.
            if "state" in changes and changes["state"] not in states:
                states.append(State(str(changes["state"])))
            return await _change(connection, guard, job.id, changes)

        return await self._database.transact(change)

    async def owns(self, job: Job) -> bool:
        """Tell whether the job is still this run's."""
        return bool(await self._read(sa.select(jobs.c.id).where(jobs.c.id == job.id, jobs.c.run == job.run)))

    async def open_jobs(self) -> list[str]:
        """List the jobs that are not ended, not told of, or to be looked for again; oldest first."""
        query = sa.select(jobs.c.id).where(OPEN).order_by(jobs.c.created_at)
        return [row["id"] for row in await self._read(query)]

    # --- turns: whose render is next, decided in one place for every process

    async def line(self, limit: int, per_minute: int) -> Line:
        """Let those in line have their turns, fairly, as far as there is room; say how the line stands then.

        `limit` is how many may render at once, `per_minute` how many turns may begin in any minute.
        """

        async def usher(connection: AsyncConnection) -> Line:
            await self._database.lock(connection, "line")
            now = await self._clock(connection)
            waiting = await connection.execute(
                sa.select(jobs.c.id, jobs.c.guild_id, jobs.c.asker_id, jobs.c.created_at).where(IN_LINE)
            )
            taken = await connection.execute(
                sa.select(
                    jobs.c.guild_id,
                    jobs.c.asker_id,
                    sa.func.max(jobs.c.turn_round),
                    sa.func.max(jobs.c.turn_lap),
                )
                .where(jobs.c.turn_at > now - FAIR_SECONDS, jobs.c.turn_round.is_not(None))
                .group_by(jobs.c.guild_id, jobs.c.asker_id)
            )
            busy = await connection.execute(sa.select(sa.func.count()).select_from(jobs).where(HAS_TURN))
            latest = await connection.execute(
                sa.select(sa.func.count()).select_from(jobs).where(jobs.c.turn_at > now - MINUTE)
            )
            line = line_up(
                [Waiter(*row) for row in waiting],
                {(guild, person): (turn_round, lap) for guild, person, turn_round, lap in taken},
                room=min(limit - busy.scalar_one(), per_minute - latest.scalar_one()),
                paused=await _moment(connection, PAUSED) - now,
            )
            for turn in line.granted:
                await connection.execute(
                    jobs.update()
                    .where(jobs.c.id == turn.job_id, IN_LINE)
                    .values(turn_at=now, turn_round=turn.round, turn_lap=turn.lap)
                )
            return line

        return await self._database.transact(usher)

    async def pause_line(self, seconds: float) -> None:
        """Give nobody a turn for some seconds: the account's limit is hit, and it is one for all."""
        until = self._database.now + seconds
        statement = self._database.insert(shared).values(key=PAUSED, at=until, text="")
        longer = sa.case((statement.excluded.at > shared.c.at, statement.excluded.at), else_=shared.c.at)
        statement = statement.on_conflict_do_update(index_elements=["key"], set_={"at": longer})
        await self._write(statement)

    # --- what the processes agree on

    async def reserve(self, key: str, every: float) -> float:
        """Take the next of the moments that lie `every` seconds apart; say how many seconds it is away."""

        async def take(connection: AsyncConnection) -> float:
            await self._database.lock(connection, key)
            now = await self._clock(connection)
            moment = max(now, await _moment(connection, key))
            await self._put(connection, key, sa.literal(moment + every, sa.Double), "")
            return moment - now

        return await self._database.transact(take)

    async def recall(self, key: str) -> str:
        """Read what was remembered under a key; empty: nothing."""
        found = await self._read(sa.select(shared.c.text).where(shared.c.key == key))
        return str(found[0]["text"]) if found else ""

    async def remember(self, key: str, text: str) -> None:
        """Remember something for every process, and for the next start."""

        async def write(connection: AsyncConnection) -> None:
            await self._put(connection, key, self._database.now, text)

        await self._database.transact(write)

    async def alone(self, name: str, work: Callable[[], Awaitable[T]], *, wait: bool = True) -> T | None:
        """Do what only one process may do at a time; without `wait`, not at all (None) while another does it.

        A process that dies or is paused meanwhile lets the others in, at the latest after ten seconds.
        """

        async def locked(connection: AsyncConnection) -> T | None:
            if wait:
                await self._database.lock(connection, name)
            elif not await self._database.try_lock(connection, name):
                return None
            return await work()

        if self.shared:
            return await self._database.transact(locked)
        return await work()  # there is only this process

    # --- the queue of a shared database: only what Procrastinate leaves to us

    async def enlist_orphans(self) -> int | None:
        """Queue the open jobs that are in no queue; says how many, None while another process does that.

        There should be none: this is for rows that were moved here, and for what nobody foresaw.
        """
        queued = sa.exists().where(
            _status().in_(["todo", "doing"]), queue.c.args.op("->>")("job_id") == jobs.c.id
        )
        overdue = jobs.c.created_at < self._database.now - ORPHANED_AFTER
        orphans = sa.select(jobs.c.id).where(OPEN, overdue, ~queued)

        async def sweep(connection: AsyncConnection) -> int | None:
            if not await self._database.try_lock(connection, "orphans"):
                return None
            found = list((await connection.execute(orphans)).scalars())
            for job_id in found:
                await self._enlist(connection, job_id)
            return len(found)

        return await self._database.transact(sweep)

    async def unqueue(self, row_id: int, worker_id: int) -> None:
        """Take a row out of Procrastinate's queue, unless it is another worker's by now."""
        statement = queue.delete().where(queue.c.id == row_id, queue.c.worker_id == worker_id)
        await self._write(statement)

    async def hand_back(self, worker_ids: Collection[int], patience: float) -> None:
        """Queue again all that some workers have; raises `DatabaseAway` after `patience` seconds."""
        statement = (
            queue.update()
            .where(queue.c.worker_id.in_(worker_ids), _status() == "doing")
            .values(status=sa.text("'todo'"), worker_id=None)
        )
        await self._write(statement, patience)

    # --- parts

    async def _read(self, query: sa.Select[Any], patience: float | None = None) -> Sequence[sa.RowMapping]:
        async def read(connection: AsyncConnection) -> Sequence[sa.RowMapping]:
            rows: Sequence[sa.RowMapping] = (await connection.execute(query)).mappings().all()
            return rows

        return await self._database.transact(read, patience)

    async def _write(self, statement: sa.Executable, patience: float | None = None) -> None:
        async def write(connection: AsyncConnection) -> None:
            await connection.execute(statement)

        await self._database.transact(write, patience)

    async def _clock(self, connection: AsyncConnection) -> float:
        return float((await connection.execute(sa.select(self._database.now))).scalar_one())

    async def _insert(self, connection: AsyncConnection, job: Job) -> None:
        """Write a new job down and queue it, unless that was done and only its answer lost."""
        values = {name: _storable(value) for name, value in dataclasses.asdict(job).items()}
        statement = self._database.insert(jobs).values(values).on_conflict_do_nothing()
        if (await connection.execute(statement)).rowcount:
            await self._enlist(connection, job.id)

    async def _enlist(self, connection: AsyncConnection, job_id: str, afresh: bool = False) -> None:
        if self.enlist is not None:
            await self.enlist(connection, job_id, afresh)

    async def _put(
        self, connection: AsyncConnection, key: str, at: sa.ColumnElement[float], text: str
    ) -> None:
        statement = self._database.insert(shared).values(key=key, at=at, text=text)
        await connection.execute(
            statement.on_conflict_do_update(index_elements=["key"], set_={"at": at, "text": text})
        )


async def _moment(connection: AsyncConnection, key: str) -> float:
    """Read the time under a key of the shared table; 0: there is none."""
    found = await connection.execute(sa.select(shared.c.at).where(shared.c.key == key))
    return found.scalar() or 0.0


async def _change(
    connection: AsyncConnection, guard: sa.ColumnElement[bool], job_id: str, changes: dict[str, Any]
) -> Job:
    statement = jobs.update().where(jobs.c.id == job_id, guard).values(changes).returning(*jobs.c)
    row = (await connection.execute(statement)).mappings().first()
    if row is None:
        raise Superseded(job_id)
    return _job(row)


def _job(row: sa.RowMapping) -> Job:
    return Job(**{**row, "state": State(row["state"]), "cost": Cost(row["cost"])})


def _status() -> sa.ColumnElement[str]:
    return sa.cast(queue.c.status, sa.Text)


def _in_hand(ticket: Ticket) -> sa.ColumnElement[bool]:
    return sa.exists().where(
        queue.c.id == ticket.row_id, queue.c.worker_id == ticket.worker_id, _status() == "doing"
    )


def _storable(value: Any) -> Any:
    """PostgreSQL's text takes any character but the null."""
    return value.replace("\0", "\ufffd") if isinstance(value, str) else value
