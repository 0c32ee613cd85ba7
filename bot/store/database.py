"""Which database the rows live in, how it is opened, and how to bear with one that is away.

SQLite belongs to one process; PostgreSQL is shared by as many as there are. What differs between the two is
in here, and the statements of the store are the same on both.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import time
import zlib
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, TypeVar

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from bot import hardening
from bot.domain.retry import backoff
from bot.errors import DatabaseError, DatabaseUnavailable
from bot.store.file import OpenFile
from bot.store.outage import UNWELL, is_away, said
from bot.store.tables import shared

log = logging.getLogger(__name__)
T = TypeVar("T")

MIGRATIONS = Path(__file__).parent / "migrations"
CONNECTIONS = 8
BUSY_MS = 10_000
# A process that is paused in the middle of a transaction must not hold everybody's locks until it wakes.
POSTGRES_OPTIONS = "-c idle_in_transaction_session_timeout=10s -c statement_timeout=60s"
CONNECT_SECONDS = 5


class Database:
    """One database, by its URL; `shared` tells whether other processes use it too."""

    def __init__(self, url: str) -> None:
        self.shared = not url.startswith("sqlite:")
        self._url = url
        self._engine: AsyncEngine | None = None
        self._lock: IO[bytes] | None = None
        self._file: OpenFile | None = None
        self._away = False

    async def open(self) -> None:
        """Take the database for this process and bring its tables up to date.

        A server that is away is waited for, however long. Raises `DatabaseError` for what does not mend
        itself.
        """
        if self.shared:
            self._engine = _postgres(self._url)
            name = "the database"
        else:
            path = Path(self._url.removeprefix("sqlite:///"))
            self._lock = _lock(path)
            hardening.narrow_database(path)
            self._engine = _sqlite(self._url)
            name = str(path)
        tries = 0
        while True:
            try:
                async with self._engine.begin() as connection:
                    await self.lock(connection, "migrate")
                    await connection.run_sync(_migrate)
                break
            except sa.exc.SQLAlchemyError as error:
                if not (self.shared and is_away(error)):
                    await self.close()
                    raise DatabaseError(f"{name} cannot be used: {said(error)}") from None
                self._is_away(error)
            tries += 1
            await asyncio.sleep(min(backoff(tries), 5.0))
        self._is_away(None)
        if not self.shared:
            with suppress(FileNotFoundError):  # a path with options behind it is not looked after
                self._file = OpenFile(path)

    async def close(self) -> None:
        """Let go of the database."""
        if self._engine is not None:
            await self._engine.dispose()
        if self._file is not None:
            self._file.close()
            self._file = None
        if self._lock is not None:
            self._lock.close()

    def in_place(self) -> bool:
        """Return whether SQLite's file is still where it was; it is logged once when it is not.

        What is written into a file that was deleted or replaced, no later process will know.
        """
        return self._file is None or self._file.in_place()

    async def checkpoint(self) -> bool:
        """Bring what was erased out of SQLite's log too, which is emptied; False: a reader is in the way.

        Nobody waits for that reader: the connection is everybody's.
        """
        if self.shared or self._engine is None:
            return True
        async with self._engine.connect() as connection:
            file = (await connection.get_raw_connection()).driver_connection
            assert file is not None  # noqa: S101  # a connection that was just given out has one
            await file.execute("PRAGMA busy_timeout=0")
            try:
                busy, *_ = await (await file.execute("PRAGMA wal_checkpoint(TRUNCATE)")).fetchone()
            finally:
                await file.execute(f"PRAGMA busy_timeout={BUSY_MS}")
        return not busy

    def begin(self) -> Any:
        """Open a transaction."""
        if self._engine is None:
            raise DatabaseError("the database is not open")
        return self._engine.begin()

    async def transact(
        self,
        work: Callable[[AsyncConnection], Awaitable[T]],
        patience: float | None = None,
        *,
        leads_to_payment: bool = False,
    ) -> T:
        """Do `work` in one transaction; while the database is away, wait for it and do it again.

        An answer to a commit can be lost as well, so `work` must be safe to repeat after it was done. Waits
        for ever, or raises `DatabaseUnavailable` after `patience` seconds. What `leads_to_payment` also waits
        while the file is not in its place: a process that starts then would not know of what was paid.
        """
        deadline = None if patience is None else asyncio.get_running_loop().time() + patience
        tries, begun = 0, False
        while True:
            try:
                if leads_to_payment and not self.in_place():
                    raise _NotInPlace
                # A file answers, or fails; a server may also be silent.
                limit = asyncio.timeout_at(deadline if self.shared else None)
                async with limit, self.begin() as connection:
                    begun = True
                    done = await work(connection)
            except TimeoutError:
                if not limit.expired():  # it was the work that waited in vain, for another
                    raise
                raise DatabaseUnavailable(begun) from None
            except (*UNWELL, _NotInPlace) as error:
                tries += 1
                if not isinstance(error, _NotInPlace):  # which is logged, and the database does answer
                    self._is_away(error)
                delay = min(backoff(tries), 5.0)
                if deadline is not None and asyncio.get_running_loop().time() + delay > deadline:
                    raise DatabaseUnavailable(begun) from None
            else:
                self._is_away(None)
                return done
            await asyncio.sleep(delay)

    async def read(self, query: sa.Select[Any], patience: float | None = None) -> Sequence[sa.RowMapping]:
        """Return the rows of a query; raises `DatabaseUnavailable` after `patience` seconds, if given."""

        async def work(connection: AsyncConnection) -> Sequence[sa.RowMapping]:
            rows: Sequence[sa.RowMapping] = (await connection.execute(query)).mappings().all()
            return rows

        return await self.transact(work, patience)

    async def write(self, statement: sa.Executable, patience: float | None = None) -> None:
        """Execute one statement in a transaction of its own."""

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(statement)

        await self.transact(work, patience)

    def _is_away(self, error: Exception | None) -> None:
        """Log once that the database went away, and once that it is back."""
        if error is not None and not self._away:
            log.error("the database does not answer (%s); waiting for it", said(error))
        elif error is None and self._away:
            log.warning("the database is back")
        self._away = error is not None

    # --- what the two databases say differently

    async def lock(self, connection: AsyncConnection, name: str) -> None:
        """Be the only one in here until the transaction ends; SQLite's transactions are alone as they are."""
        if self.shared:
            await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_key(name))))

    async def try_lock(self, connection: AsyncConnection, name: str) -> bool:
        """Be the only one in here until the transaction ends, unless somebody is."""
        if not self.shared:
            return True
        taken = await connection.execute(sa.select(sa.func.pg_try_advisory_xact_lock(_key(name))))
        return bool(taken.scalar())

    @property
    def now(self) -> sa.ColumnElement[float]:
        """The time, in seconds since the epoch, by one clock for every process."""
        if self.shared:
            return sa.cast(sa.func.extract("epoch", sa.func.clock_timestamp()), sa.Double)
        return sa.literal(time.time(), sa.Double)

    async def clock(self, connection: AsyncConnection) -> float:
        """Read `now`."""
        return float((await connection.execute(sa.select(self.now))).scalar_one())

    async def get_shared(self, connection: AsyncConnection, key: str) -> tuple[float, str]:
        """Read what the processes tell each other under a key: a time (0: none) and a text."""
        found = await connection.execute(sa.select(shared.c.at, shared.c.text).where(shared.c.key == key))
        row = found.first()
        return (row.at, row.text) if row else (0.0, "")

    async def put_shared(
        self, connection: AsyncConnection, key: str, at: sa.ColumnElement[float], text: str
    ) -> None:
        """Write what the processes tell each other under a key."""
        statement = self.insert(shared).values(key=key, at=at, text=text)
        await connection.execute(
            statement.on_conflict_do_update(index_elements=["key"], set_={"at": at, "text": text})
        )

    def insert(self, table: sa.Table) -> postgresql.Insert | sqlite.Insert:
        """Begin an INSERT that may end in ON CONFLICT."""
        return postgresql.insert(table) if self.shared else sqlite.insert(table)


async def inserted(connection: AsyncConnection, statement: sa.Executable) -> bool:
    """Return whether a row was inserted: by what it returns, for PostgreSQL's count of rows is not known."""
    return (await connection.execute(statement)).first() is not None


def _key(name: str) -> int:
    """Return the number by which PostgreSQL knows an advisory lock."""
    return zlib.crc32(f"kinora {name}".encode())


class _NotInPlace(Exception):
    """The file is not in its place."""


# --- SQLite -------------------------------------------------------------------------------------------------


def _sqlite(url: str) -> AsyncEngine:
    # One connection: SQLite has one writer, and waiting in line here is cheaper than meeting at its lock.
    engine = create_async_engine(
        url.replace("sqlite:", "sqlite+aiosqlite:", 1),
        pool_size=1,
        max_overflow=0,
        pool_timeout=None,
        hide_parameters=True,
    )
    sa.event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    sa.event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def _lock(path: Path) -> IO[bytes]:
    """Keep a second process off the same file: two bots on one file would each think a job theirs."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock_path = path.with_name(path.name + ".lock")
        for file in (lock_path, path):
            file.touch(mode=0o600)  # what SQLite makes beside its file gets the same rights
        lock = lock_path.open("ab")
    except OSError as error:
        raise DatabaseError(
            f"{path} cannot be written: {error.strerror}. Check the folder's owner."
        ) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise DatabaseError(
            f"another Kinora is running on {path}: stop it first, or give this one another file"
        ) from None
    return lock


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # Python's sqlite3 begins no transaction before CREATE TABLE by itself, and a crash in a migration would
    # leave half of it. So it begins none at all, and `_begin_sqlite` begins every one.
    connection.isolation_level = None
    cursor = connection.cursor()
    # FULL: a commit has reached the disk before the paid request leaves, also through a power cut.
    # secure_delete: what is erased, such as a reply token, is overwritten in the file.
    for pragma in ("journal_mode=WAL", "synchronous=FULL", f"busy_timeout={BUSY_MS}", "secure_delete=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


# --- PostgreSQL ---------------------------------------------------------------------------------------------


def _postgres(url: str) -> AsyncEngine:
    _, _, rest = url.partition("://")
    return create_async_engine(
        f"postgresql+psycopg://{rest}",
        pool_size=CONNECTIONS,
        max_overflow=0,
        pool_timeout=30,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={"connect_timeout": CONNECT_SECONDS, "options": POSTGRES_OPTIONS},
    )


# --- migrations ---------------------------------------------------------------------------------------------


def _migrate(connection: sa.Connection) -> None:
    """Bring the tables up to this version; those of a newer one are left as they are.

    Migrations only ever add, so an older version works beside a newer one while they take turns.
    """
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    if _is_newer(config, connection):
        log.warning("the database is of a newer version of Kinora; going on with it as it is")
        return
    command.upgrade(config, "head")


def _is_newer(config: Config, connection: sa.Connection) -> bool:
    if not sa.inspect(connection).has_table("alembic_version"):
        return False
    found = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalars().all()
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    return bool(set(found) - known)
