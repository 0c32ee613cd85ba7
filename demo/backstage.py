"""Backstage: what the page's developer drawer does to the bot's process, and the jobs that it reads.

GET    /backstage                {"bot": state, "log": [lines]}
POST   /backstage/bot/{action}   start, stop, kill or restart → state
GET    /backstage/jobs           the bot's rows; see `contract.read_jobs`

`state` is {running, online, pid, status (of the last process's end), since}. Live, on /events:
{"type": "bot", "bot": state} and {"type": "bot_log", "line": text}.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

from aiohttp import web

from demo import contract
from demo.botprocess import BotProcess
from sandbox.house import House

ACTIONS = ("start", "stop", "kill", "restart")


class Backstage:
    """Supervises the bot for the page."""

    def __init__(self, house: House, folder: Path, **settings: str) -> None:
        self._bus = house.bus
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
            web.get("/backstage/jobs", self._show_jobs),
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
        if contract.says_online(line):
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

    async def _show_jobs(self, request: web.Request) -> web.Response:
        return web.json_response(await asyncio.to_thread(contract.read_jobs, self._folder / "bot"))
