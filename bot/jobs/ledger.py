"""The ledger: every job is a row, every step one guarded transaction. The only SQL there is.

A row is written by the run that owns it and from the state it leaves, or not at all, so that a process that
was paused and wakes up late changes nothing.
"""

from __future__ import annotations

import dataclasses
import fcntl
import itertools
import logging
import secrets
import time
from pathlib import Path
from typing import IO, Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from bot.jobs.job import ARROWS, ENDED, Cost, Job, State, Superseded

log = logging.getLogger(__name__)

MIGRATIONS = Path(__file__).parent / "migrations"

metadata = sa.MetaData()
jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("id", sa.String(25), primary_key=True),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("run", sa.String(40), nullable=False),
    sa.Column("created_at", sa.Double, nullable=False),
    sa.Column("asker_id", sa.BigInteger, nullable=False),
    sa.Column("guild_id", sa.BigInteger),
    sa.Column("channel_id", sa.BigInteger, nullable=False),
    sa.Column("wants_thread", sa.Boolean, nullable=False),
    sa.Column("model", sa.String(64), nullable=False),
    sa.Column("prompt", sa.Text, nullable=False),
    sa.Column("negative_prompt", sa.Text, nullable=False),
    sa.Column("cfg_scale", sa.Double, nullable=False),
    sa.Column("duration", sa.Integer, nullable=False),
    sa.Column("price", sa.BigInteger, nullable=False),
    sa.Column("still_done", sa.Text, nullable=False),
    sa.Column("token", sa.Text),
    sa.Column("source_url", sa.Text),
    sa.Column("card_id", sa.BigInteger),
    sa.Column("target_id", sa.BigInteger),
    sa.Column("submitted_at", sa.Double),
    sa.Column("task_id", sa.Text),
    sa.Column("video_url", sa.Text),
    sa.Column("video_expires_at", sa.Double),
    sa.Column("video_message_id", sa.BigInteger),
    sa.Column("how", sa.String(16), nullable=False),
    sa.Column("parent_id", sa.BigInteger),
    sa.Column("upload_limit", sa.BigInteger, nullable=False),
    sa.Column("detour", sa.String(32), nullable=False),
    sa.Column("origin_channel_id", sa.BigInteger),
    sa.Column("origin_card_id", sa.BigInteger),
    sa.Column("again_as", sa.String(25), nullable=False),
    sa.Column("check_at", sa.Double),
    sa.Column("ended_at", sa.Double),
    sa.Column("problem", sa.String(32), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("cost", sa.String(16), nullable=False),
    sa.Column("told", sa.Boolean, nullable=False),
)
sa.Index("jobs_open", jobs.c.told, jobs.c.created_at)
sa.Index("jobs_asker", jobs.c.asker_id, jobs.c.created_at)


class LedgerError(Exception):
    """The database cannot be used; the message says why and what to do."""


class Ledger:
    """The rows of one database."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._engine: AsyncEngine | None = None
        self._lock: IO[bytes] | None = None
        self._runs = (f"{secrets.token_hex(6)}-{n}" for n in itertools.count(1))

    async def open(self) -> None:
        """Take the database for this process and bring its tables up to date; raises `LedgerError`."""
        path = Path(self._url.removeprefix("sqlite:///"))
        self._lock = _lock(path)
        # One connection: SQLite has one writer, and waiting in line here is cheaper than meeting at its lock.
        self._engine = create_async_engine(
            self._url.replace("sqlite:", "sqlite+aiosqlite:", 1),
            pool_size=1,
            max_overflow=0,
            pool_timeout=None,
        )
        sa.event.listen(self._engine.sync_engine, "connect", _prepare_sqlite)
        sa.event.listen(self._engine.sync_engine, "begin", _begin_sqlite)
        try:
            async with self._engine.begin() as connection:
                await connection.run_sync(_migrate)
        except sa.exc.DatabaseError as error:
            await self.close()
            raise LedgerError(f"{path} cannot be used as the ledger: {error.orig}") from None

    async def close(self) -> None:
        """Let go of the database."""
        if self._engine is not None:
            await self._engine.dispose()
        if self._lock is not None:
            self._lock.close()

    def _begin(self) -> Any:
        if self._engine is None:
            raise LedgerError("the ledger is not open")
        return self._engine.begin()

    async def accept(self, job: Job) -> Job:
        """Write a new job down; it exists from the moment this returns."""
        async with self._begin() as connection:
            await connection.execute(jobs.insert().values(dataclasses.asdict(job)))
        return job

    async def claim(self, job_id: str) -> Job:
        """Make the caller the job's only owner: writes by any earlier run fail from now on."""
        async with self._begin() as connection:
            return await _change(connection, sa.true(), job_id, {"run": next(self._runs)})

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
            job, State.FAILED, problem=problem, reason=reason[:500], cost=cost, told=False, **changes
        )

    async def note(self, job: Job, **changes: object) -> Job:
        """Write down something learned without moving; raises `Superseded`."""
        guard = sa.and_(jobs.c.state == job.state, jobs.c.run == job.run)
        async with self._begin() as connection:
            return await _change(connection, guard, job.id, changes)

    async def get(self, job_id: str) -> Job | None:
        """Read one job."""
        async with self._begin() as connection:
            row = (await connection.execute(jobs.select().where(jobs.c.id == job_id))).mappings().first()
        return _job(row) if row is not None else None

    async def look_again(self, job_id: str, target_id: int) -> Job:
        """Have a failed job looked for now, and brought to `target_id`; raises `Superseded`."""
        changes = {"check_at": time.time(), "target_id": target_id, "detour": "", "told": True}
        async with self._begin() as connection:
            return await _change(
                connection, jobs.c.state == State.FAILED, job_id, {**changes, "run": next(self._runs)}
            )

    async def jobs_of(self, person_id: int, limit: int = 25) -> list[Job]:
        """List somebody's latest jobs, newest first."""
        query = jobs.select().where(jobs.c.asker_id == person_id)
        query = query.order_by(jobs.c.created_at.desc()).limit(limit)
        async with self._begin() as connection:
            return [_job(row) for row in (await connection.execute(query)).mappings()]

    async def decide(self, job_id: str, again: Job | None) -> Job:
        """Settle an unconfirmed job as a person said: let it go, or also order it again as another job.

        One transaction, so that of two people who decide at once one wins; raises `Superseded` for the other.
        """
        guard = jobs.c.state == State.UNCONFIRMED
        changes = {
            "state": State.CANCELLED,
            "run": next(self._runs),
            "told": False,
            "again_as": again.id if again else "",
        }
        async with self._begin() as connection:
            settled = await _change(connection, guard, job_id, changes)
            if again is not None:
                await connection.execute(jobs.insert().values(dataclasses.asdict(again)))
        return settled

    async def open_jobs(self) -> list[str]:
        """List the jobs that are not ended, not told of, or to be looked for again; oldest first."""
        unfinished = sa.or_(jobs.c.told.is_(False), jobs.c.check_at.is_not(None))
        query = sa.select(jobs.c.id).where(unfinished).order_by(jobs.c.created_at)
        async with self._begin() as connection:
            return list((await connection.execute(query)).scalars())


async def _change(
    connection: AsyncConnection, guard: sa.ColumnElement[bool], job_id: str, changes: dict[str, object]
) -> Job:
    statement = jobs.update().where(jobs.c.id == job_id, guard).values(changes).returning(*jobs.c)
    row = (await connection.execute(statement)).mappings().first()
    if row is None:
        raise Superseded(job_id)
    return _job(row)


def _job(row: sa.RowMapping) -> Job:
    return Job(**{**row, "state": State(row["state"]), "cost": Cost(row["cost"])})


def _lock(path: Path) -> IO[bytes]:
    """Keep a second process off the same file: two bots on one ledger would each think a job theirs."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.with_name(path.name + ".lock").open("ab")
    except OSError as error:
        raise LedgerError(f"{path} cannot be written: {error.strerror}. Check the folder's owner.") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise LedgerError(
            f"another Kinora is running on {path}: stop it first, or give this one another file"
        ) from None
    return lock


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # Python's sqlite3 begins no transaction before CREATE TABLE by itself, and a crash in a migration would
    # leave half of it. So it begins none at all, and `_begin_sqlite` begins every one.
    connection.isolation_level = None
    cursor = connection.cursor()
    # FULL: a commit has reached the disk before the paid request leaves, also through a power cut.
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=10000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _migrate(connection: sa.Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
