"""The bot as it ships: `python -m bot` in a process of its own, against the sandbox."""

from __future__ import annotations

import asyncio
import copy
import os
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from sandbox.client import Sandbox
from tests.postgres import Postgres, Reader, age
from tests.reliability.warm import Warm, cold

REPOSITORY = Path(__file__).parent.parent
ONLINE = "online: in"
# Every test of bots is run on both engines, but for those that say otherwise with one of these.
ON_SQLITE = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
ON_POSTGRES = pytest.mark.parametrize("engine", ["postgres"], indirect=True)


class Kinora:
    """One bot process after another, on one data folder; `log` is everything they all printed.

    With a server as its `engine`, the bot gets a database of its own there, and a SQLite file in its folder
    otherwise. With `warm`, its processes are forked, otherwise started afresh.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        folder: Path,
        *,
        engine: Postgres | None = None,
        warm: Warm | None = None,
        empty: bool = False,
        **environ: str,
    ) -> None:
        self.folder = folder
        self.log: list[str] = []
        self._engine, self._warm, self._empty = engine, warm, empty
        self._owned: Reader | None = None
        self._environ = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(REPOSITORY),
            "PYTHONWARNINGS": "default,ignore::DeprecationWarning:discord.player",
            "DISCORD_TOKEN": sandbox.environment["discord_token"],
            "NOVITA_API_KEY": sandbox.environment["novita_api_key"],
            "DISCORD_API_URL": sandbox.environment["discord_api_url"],
            "NOVITA_API_URL": sandbox.environment["novita_api_url"],
            "KINORA_POLL_SECONDS": "0.2",
            "KINORA_NOVITA_RPM": "60000",
            **environ,
        }
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._line = asyncio.Condition()

    def change(self, **environ: str) -> None:
        """Change settings for the next start."""
        self._environ.update(environ)

    def aside(self) -> Kinora:
        """Give a second process on the same folder and settings, beside this one."""
        other = copy.copy(self)
        other.log, other._process, other._line = [], None, asyncio.Condition()
        other._owned = None
        return other

    @property
    def running(self) -> bool:
        """Tell whether a process is there."""
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int:
        """The process's id."""
        assert self._process is not None
        return self._process.pid

    @property
    def text(self) -> str:
        """Everything printed so far."""
        return "\n".join(self.log)

    async def start(self, *arguments: str, online: bool = True) -> Kinora:
        """Start a process; by default, wait until people can use it."""
        await self._start("bot", *arguments, online=online)
        return self

    async def _start(self, module: str, *arguments: str, online: bool) -> None:
        since = len(self.log)
        await self._make_database()
        how = {"cwd": str(self.folder), "environ": self._environ}
        self._process = await (self._warm.start if self._warm else cold)(module, *arguments, **how)
        assert self._process is not None
        self._reader = asyncio.create_task(self._read(self._process))
        if online:
            await self.wait_for_log(ONLINE, since)

    async def _make_database(self) -> None:
        """Make the bot's database before its first start; later ones find that time has passed in it."""
        if self._owned is not None:
            # As if whoever died here had been dead for long: how soon that is found out is tested elsewhere.
            await age(self._owned.url)
        elif self._engine is not None and "DATABASE_URL" not in self._environ:
            url = await self._engine.database(empty=self._empty)
            self._environ["DATABASE_URL"], self._owned = url, Reader(url)

    @property
    def database_url(self) -> str:
        """The URL of its database."""
        return self._environ.get("DATABASE_URL", f"sqlite:///{self.folder}/data/kinora.db")

    def rows(self) -> list[dict[str, Any]]:
        """Read the ledger, as anybody may beside a running bot."""
        if self._owned is not None:
            return self._owned.rows()
        file = self.folder / "data/kinora.db"
        if not file.exists():
            return []
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=10)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute("select * from jobs")]

    def execute(self, statement: str, *values: object) -> None:
        """Change the database from outside, as another version does; a value's place is a question mark."""
        url = self.database_url
        if not url.startswith("sqlite:"):
            with psycopg.connect(url, autocommit=True) as server:
                server.execute(statement.replace("?", "%s").encode(), values)
            return
        file = self.folder / url.removeprefix("sqlite:///")
        with closing(sqlite3.connect(file, timeout=10)) as connection, connection:
            connection.execute(statement, values)

    async def close(self) -> None:
        """End the process, if there is one, and give back the database."""
        if self.running:
            await self.kill()
        if self._owned is not None and self._engine is not None:
            self._owned.close()
            await self._engine.drop(self._owned.url)
            self._owned = None

    async def wait_for_log(self, words: str, since: int = 0, seconds: float = 30.0) -> str:
        """Wait for a line with these words; fails when the process ends without it."""

        def found() -> str | None:
            return next((line for line in self.log[since:] if words in line), None)

        async with self._line, asyncio.timeout(seconds):
            while (line := found()) is None:
                assert self._reader is not None
                assert not self._reader.done(), f"the bot ended without saying {words!r}:\n{self.text}"
                await self._line.wait()
        return line

    async def wait(self, seconds: float = 30.0) -> int:
        """Wait for the process to end by itself; give its exit code."""
        assert self._process is not None
        assert self._reader is not None
        async with asyncio.timeout(seconds):
            await asyncio.shield(self._reader)
            return await self._process.wait()

    async def stop(self) -> int:
        """Stop it as an operator does; give its exit code."""
        return await self._end(signal.SIGTERM)

    async def kill(self) -> int:
        """End it as a crash does."""
        return await self._end(signal.SIGKILL)

    async def _end(self, how: signal.Signals) -> int:
        assert self._process is not None
        if self._process.returncode is None:
            self._process.send_signal(how)
        return await self.wait()

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            async with self._line:
                self.log.append(line.decode(errors="replace").rstrip())
                self._line.notify_all()
        async with self._line:
            self._line.notify_all()


NewKinora = Callable[..., Kinora]
