"""The whole sandbox: Discord, Novita and the control site, served on loopback."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import web

from sandbox.bus import Bus
from sandbox.control import ControlSite
from sandbox.discord import Discord
from sandbox.faults import Faults
from sandbox.journal import KEPT, Journal
from sandbox.novita import Novita, control_routes

HOST = "127.0.0.1"
# A made-up secret that opens only the sandbox. Its first part is the bot's id: some clients expect that.
DEFAULT_TOKEN = "MTMyMzk4NDA2Njk2OTYwMDAwMA.sandbox.opens-nothing"  # noqa: S105
DEFAULT_KEY = "sk_sandbox"
# Requests that hang on purpose must not hold up the end.
_GRACE_SECONDS = 1.0


class House:
    """Three sites in one process and what they share: the journal, the faults and the event bus.

    A port of 0 is any free one; with `any_port`, so is one that is taken.
    `openapi` is Discord's OpenAPI document, against which its wire is then held.
    `data_dir` is where uploads and MP4s lie; it must exist.
    """

    def __init__(
        self,
        *,
        data_dir: Path,
        token: str = DEFAULT_TOKEN,
        key: str = DEFAULT_KEY,
        discord_port: int = 0,
        novita_port: int = 0,
        control_port: int = 0,
        any_port: bool = False,
        openapi: Path | None = None,
        seed: int | None = None,
        journal_kept: int = KEPT,
    ) -> None:
        if seed is not None:
            random.seed(seed)
        self.token = token
        self.key = key
        self.discord_api_url = ""
        self.novita_api_url = ""
        self.control_url = ""
        self.bus = Bus()
        self.faults = Faults(self.bus)
        self.journal = Journal(kept=journal_kept)
        if openapi is not None:
            from sandbox.openapi import Checker  # needs the development requirements

            self.journal.checker = Checker(openapi).check
        self.discord = Discord(
            token=token,
            data_dir=data_dir / "discord",
            journal=self.journal,
            faults=self.faults,
            bus=self.bus,
        )
        self.novita = Novita(
            key=key, data_dir=data_dir / "novita", journal=self.journal, faults=self.faults, bus=self.bus
        )
        self.control = ControlSite(
            [*control_routes(self.novita), *self.discord.control_routes()],
            bus=self.bus,
            journal=self.journal,
            faults=self.faults,
            environment=self.environment,
            reset=self.reset,
        )
        """The control site; what is added to it before `start` is served, too."""
        self._ports = (discord_port, novita_port, control_port)
        self._any_port = any_port
        self._runners: list[web.AppRunner] = []

    async def start(self) -> None:
        """Serve the three sites; their addresses are known afterwards. OSError when a port is taken."""
        discord_port, novita_port, control_port = self._ports
        try:
            self.discord.base_url = await self._serve(self.discord.app(), discord_port)
            self.discord_api_url = f"{self.discord.base_url}/api/v10"
            self.novita.image_hosts = frozenset({urlsplit(self.discord.base_url).netloc})
            self.novita_api_url = await self._serve(self.novita.app(), novita_port)
            self.control_url = await self._serve(self.control.app(), control_port)
        except (OSError, asyncio.CancelledError):
            await self.stop()
            raise

    async def stop(self) -> None:
        """End everything: connections, renders, processes."""
        self.faults.clear()
        await self.discord.close()
        for runner in reversed(self._runners):
            await runner.cleanup()
        self._runners.clear()
        await self.novita.close()  # last: a submit still under way would begin a render

    async def reset(self) -> None:
        """Return to a fresh world with default settings and no faults; ports, token and key stay."""
        self.faults.clear()
        self.journal.forget()
        await self.discord.reset()
        await self.novita.reset()
        self.bus.publish({"type": "reset"})

    def environment(self) -> dict[str, str]:
        """Return what a bot needs to know to live here."""
        return {
            "discord_api_url": self.discord_api_url,
            "novita_api_url": self.novita_api_url,
            "control_url": self.control_url,
            "discord_token": self.token,
            "novita_api_key": self.key,
        }

    async def _serve(self, app: web.Application, port: int) -> str:
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=_GRACE_SECONDS)
        self._runners.append(runner)
        await runner.setup()
        try:
            await web.TCPSite(runner, HOST, port).start()
        except OSError:
            if not self._any_port:
                raise
            await web.TCPSite(runner, HOST, 0).start()
        return f"http://{HOST}:{runner.addresses[0][1]}"
