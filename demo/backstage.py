"""Backstage: what the page's developer drawer does to the bot's process, and the ledger that it reads.

GET    /backstage                {"bot": state, "log": [lines]}
POST   /backstage/bot/{action}   start, stop, kill or restart → state
GET    /backstage/ledger         {"columns": [names], "rows": [[values]]}, the newest job first

`state` is {running, online, pid, status (of the last process's end), since}. Live, on /events:
{"type": "bot", "bot": state} and {"type": "bot_log", "line": text}.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from aiohttp import web

from demo.botprocess import BotProcess, level_and_words
from sandbox.house import House

ACTIONS = ("start", "stop", "kill", "restart")
MOST_ROWS = 100
SECRET_COLUMNS = ("token", "source_url")


class Backstage:
    """Supervises the bot for the page."""

    def __init__(self, house: House, folder: Path, **settings: str) -> None:
        self._bus = house.bus
        self._ledger = folder / "bot" / "data" / "kinora.db"
        self._since = time.time()
        self._acting = asyncio.Lock()
        self._watching: asyncio.Task[None] | None = None
        self._house, self._folder, self._settings = house, folder, settings
        self.bot: BotProcess

    def routes(self) -> list[web.RouteDef]:
        """List the routes, for the control site."""
        return [
            web.get("/backstage", self._show),
            web.post("/backstage/bot/{action}", self._act),
            web.get("/backstage/ledger", self._show_ledger),
        ]

    async def __aenter__(self) -> Backstage:
        log = self._folder / "bot.log"
        where = self._house.environment()
        self.bot = BotProcess(self._folder / "bot", log, where, self._hear, **self._settings)
        await self.bot.__aenter__()
        self._watch()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._watching is not None:
            self._watching.cancel()
        await self.bot.stop()

    # --- the bot

    def _state(self) -> dict[str, Any]:
        bot = self.bot
        return {
            "running": bot.running,
            "online": bot.online,
            "pid": bot.pid,
            "status": bot.status,
            "since": self._since,
        }

    async def _show(self, request: web.Request) -> web.Response:
        return web.json_response({"bot": self._state(), "log": self.bot.last_words(500)})

    async def _act(self, request: web.Request) -> web.Response:
        action = request.match_info["action"]
        if action not in ACTIONS:
            raise LookupError(f"There is no action {action!r}; there are {', '.join(ACTIONS)}.")
        async with self._acting:
            if action == "kill":
                await self.bot.kill()
            if action in ("stop", "restart"):
                await self.bot.stop()
            if action in ("start", "restart"):
                if self.bot.running:
                    raise ValueError("The bot runs already.")
                await self.bot.start()
                self._watch()
        self._tell()
        return web.json_response(self._state())

    def _hear(self, line: str) -> None:
        self._bus.publish({"type": "bot_log", "line": line})
        if level_and_words(line)[1].startswith("online: "):
            # The process itself takes note right after it has told this line.
            asyncio.get_running_loop().call_soon(self._tell)

    def _watch(self) -> None:
        async def until_the_end(ended: asyncio.Task[None]) -> None:
            await asyncio.wait({ended})
            self._tell()

        if self._watching is not None:
            self._watching.cancel()
        self._watching = asyncio.create_task(until_the_end(self.bot.ended))
        self._tell()

    def _tell(self) -> None:
        self._since = time.time()
        self._bus.publish({"type": "bot", "bot": self._state()})

    # --- the ledger

    async def _show_ledger(self, request: web.Request) -> web.Response:
        columns, rows = await asyncio.to_thread(read_ledger, self._ledger)
        return web.json_response({"columns": columns, "rows": rows})


def read_ledger(path: Path) -> tuple[list[str], list[list[object]]]:
    """Read the newest jobs from the bot's SQLite file as they stand, without touching it."""
    if not path.exists():
        return [], []
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=2)) as database:
        try:
            # Only a name that this file defines itself goes into the statement.
            found = database.execute("SELECT * FROM jobs ORDER BY created_at DESC LIMIT ?", (MOST_ROWS,))
        except sqlite3.OperationalError:  # just being made
            return [], []
        columns = [column[0] for column in found.description]
        rows = [list(row) for row in found]
    for name in SECRET_COLUMNS:
        if name in columns:
            index = columns.index(name)
            for row in rows:
                row[index] = "<hidden>" if row[index] else row[index]
    return columns, rows
