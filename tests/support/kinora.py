"""The bot as it ships: `python -m bot` in a process of its own, against the sandbox."""

from __future__ import annotations

import asyncio
import copy
import functools
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Self

import psycopg
import pytest

from bot.app import migrate
from bot.settings import Settings
from sandbox.client import Sandbox
from tests.support import REPOSITORY
from tests.support.postgres import Postgres, Reader, age
from tests.support.supervisor import Supervisor
from tests.support.warm import Warm, cold

ONLINE = "online: "
DISTURBED = ("Traceback", "Unclosed", "never awaited", "ResourceWarning")
"""What no bot should ever print."""
# Every test of bots is run on both engines, but for those that say otherwise with one of these.
ON_SQLITE = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
ON_POSTGRES = pytest.mark.parametrize("engine", ["postgres"], indirect=True)


class Kinora(Supervisor):
    """One bot process after another, on one data folder.

    With a server as its `engine`, the bot gets a database of its own there, and a SQLite file in its folder
    otherwise; with `empty`, one without tables. With `warm`, its processes are forked, otherwise started
    afresh. `environ` are its settings beside those that point it at the sandbox; `module` is what runs as the
    bot.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        folder: Path,
        environ: Mapping[str, str] | None = None,
        *,
        engine: Postgres | None = None,
        warm: Warm | None = None,
        empty: bool = False,
        module: str = "bot",
    ) -> None:
        super().__init__("the bot")
        self.folder = folder
        self._engine, self._warm, self._empty, self._module = engine, warm, empty, module
        self._owned: Reader | None = None
        self._secrets = [sandbox.environment[name] for name in ("discord_token", "novita_api_key")]
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
            "KINORA_PROBE_ROUND": "0",  # else a probe could take the fault that a test sets for a render
            **(environ or {}),
        }

    def change(self, **environ: str) -> None:
        """Change settings for the next start."""
        self._environ.update(environ)

    def aside(self) -> Self:
        """Return a second process on the same folder and settings, beside this one."""
        other = copy.copy(self)
        other.log, other._process, other._line = [], None, asyncio.Condition()
        other._owned = None
        return other

    async def start(
        self, *arguments: str, online: bool = True, module: str | None = None, seconds: float = 30.0
    ) -> Self:
        """Start a process; by default, wait until people can use it."""
        since = len(self.log)
        await self.make_database()
        start = self._warm.start if self._warm else cold
        self.adopt(
            await start(module or self._module, *arguments, cwd=str(self.folder), environ=self._environ)
        )
        if online:
            await self.wait_for_log(ONLINE, since, seconds)
        return self

    async def make_database(self) -> None:
        """Make the bot's database before its first start; later ones find that time has passed in it."""
        if self._engine is None:
            if not self._empty and self.database_url == f"sqlite:///{self._file}" and not self._file.exists():
                self._file.parent.mkdir(mode=0o700, exist_ok=True)
                shutil.copy(await _sqlite_template(), self._file)
        elif self._owned is not None:
            # As if whoever died here had been dead for long: how soon that is found out is tested elsewhere.
            await age(self._owned.url)
        elif "DATABASE_URL" not in self._environ:
            url = await self._engine.database(empty=self._empty)
            self._environ["DATABASE_URL"], self._owned = url, Reader(url)

    def check(self, since: int = 0) -> None:
        """Fail when it printed a secret, a traceback, or a warning of something left open."""
        said = "\n".join(self.log[since:])
        for sign in (*self._secrets, *DISTURBED):
            assert sign not in said, said

    @property
    def database_url(self) -> str:
        """The URL of its database."""
        return self._environ.get("DATABASE_URL", f"sqlite:///{self._file}")

    @property
    def _file(self) -> Path:
        return self.folder / "data/kinora.db"

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

    def rows(self) -> list[dict[str, Any]]:
        """Read the ledger, as anybody may beside a running bot."""
        if self._owned is not None:
            return self._owned.rows()
        if not self._file.exists():
            return []
        with closing(sqlite3.connect(f"file:{self._file}?mode=ro", uri=True, timeout=10)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute("select * from jobs")]

    async def close(self) -> None:
        """End the process, if there is one, and give back the database."""
        await super().close()
        if self._owned is not None and self._engine is not None:
            self._owned.close()
            await self._engine.drop(self._owned.url)
            self._owned = None


NewKinora = Callable[..., Kinora]


_MAKING = asyncio.Lock()


@functools.cache
def _templates() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="kinora-template-")


async def _sqlite_template() -> Path:
    """Return a file with today's tables, made once: to make them is half of a start."""
    file = Path(_templates().name) / "kinora.db"
    async with _MAKING:  # many worlds begin at once, and Alembic does one thing at a time
        if not file.exists():
            await migrate(Settings("", "", database_url=f"sqlite:///{file}"))
    return file
