"""A stand-in for Discord: REST v10, gateway and CDN on one site, and people to use the bot."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from aiohttp import web

from sandbox.bus import Bus
from sandbox.discord.admin import AdminRoutes
from sandbox.discord.cdn import Cdn
from sandbox.discord.edge import edge_middleware
from sandbox.discord.faults import answer
from sandbox.discord.gateway import Gateway
from sandbox.discord.initial import initial_world
from sandbox.discord.people import PeopleRoutes
from sandbox.discord.rest import Context, api_middleware
from sandbox.discord.routes_application import ApplicationRoutes
from sandbox.discord.routes_channels import ChannelRoutes
from sandbox.discord.routes_webhooks import WebhookRoutes
from sandbox.discord.world import Event, World
from sandbox.faults import Faults
from sandbox.journal import Journal

__all__ = ["Discord"]

MAX_JSON_REQUEST = 8 * 2**20


class Discord:
    """The Discord site and its part of the control site.

    Set `base_url` (such as http://127.0.0.1:8710, without a path) once the site's port is known.
    """

    def __init__(
        self, *, token: str, data_dir: Path, journal: Journal, faults: Faults, bus: Bus | None = None
    ) -> None:
        self._data_dir = data_dir
        self._journal, self._faults, self._bus = journal, faults, bus
        data_dir.mkdir(parents=True, exist_ok=True)
        self._base_url = ""
        self._cdn = Cdn(lambda: self.world)
        self._context = Context(initial_world(data_dir, ""), self._cdn, token)
        self._gateway = Gateway(lambda: self.world, token, journal)
        self._listen()

    @property
    def world(self) -> World:
        """The present world; `reset` replaces it."""
        return self._context.world

    @property
    def base_url(self) -> str:
        """The Discord site's own address."""
        return self._base_url

    @base_url.setter
    def base_url(self, url: str) -> None:
        self._base_url = self.world.base_url = url.rstrip("/")

    def app(self) -> web.Application:
        """Build the Discord site: REST, gateway and CDN, behind the journal and the faults."""
        guard: Any = api_middleware(lambda: self._context)
        faulty = self._faults.middleware("discord", answer)
        edge: Any = edge_middleware(lambda: self.world, lambda: self._context.edge)
        middlewares = [self._journal.middleware("discord"), edge, faulty, guard]
        app = web.Application(middlewares=middlewares, client_max_size=MAX_JSON_REQUEST)
        routes = [
            ApplicationRoutes(self._context, self._gateway.starts).routes(),
            ChannelRoutes(self._context).routes(),
            WebhookRoutes(self._context).routes(),
            self._gateway.routes(),
            self._cdn.routes(),
        ]
        app.add_routes([route for group in routes for route in group])
        return app

    def control_routes(self) -> list[web.RouteDef]:
        """List the control site's routes below /discord; see `sandbox.discord.people` and `.admin`."""
        people = PeopleRoutes(self._context)
        return [*people.routes(), *AdminRoutes(self._context, self._gateway).routes()]

    async def reset(self) -> None:
        """Put a fresh world in place; live gateway sessions end and cannot be resumed.

        Registered commands stay: they are the application's, and a bot registers them only when it starts.
        """
        self._gateway.close_all(4000, "The sandbox was reset.", resumable=False)
        await self._forget()
        fresh = initial_world(self._data_dir, self._base_url)
        fresh.commands = self.world.commands
        self._context.renew(fresh)
        self._listen()

    async def close(self) -> None:
        """End the gateway's connections and delete what was uploaded."""
        await self._gateway.stop()
        await self._forget()

    async def _forget(self) -> None:
        self._context.interactions.close()
        files = [a.path for a in self._cdn.files.values()]
        self._cdn.files.clear()
        await asyncio.to_thread(_delete, files)

    def _listen(self) -> None:
        self.world.listeners = [self._gateway.on_event, self._publish]

    def _publish(self, event: Event) -> None:
        """Tell the control site's listeners, with the names of the people who notice."""
        if self._bus is None:
            return
        people = [u.username for u in self.world.people_who_see(event)]
        told: dict[str, Any] = {
            "type": "discord",
            "event": event.name,
            "people": people,
            "data": event.data,
        }
        if event.message is not None:
            told["pings"] = [self.world.users[u].username for u in event.message.notified]
        self._bus.publish(told)


def _delete(paths: list[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
