"""The control site: what a developer, a test or a page does to the sandbox from outside. JSON over HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

from aiohttp import WSCloseCode, web

from sandbox.bus import Bus
from sandbox.faults import Faults
from sandbox.journal import Journal

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "::1")
LARGEST_UPLOAD = 600 * 2**20  # above every upload limit of Discord's, which the Discord site enforces itself


class ControlSite:
    """What is shared by all stand-ins (faults, journal, live events, reset), and the routes they bring.

    `environment` gives the sandbox's addresses and secrets, `reset` puts everything back to its beginning.
    """

    def __init__(
        self,
        routes: Iterable[web.RouteDef],
        *,
        bus: Bus,
        journal: Journal,
        faults: Faults,
        environment: Callable[[], dict[str, str]],
        reset: Callable[[], Awaitable[None]],
    ) -> None:
        self._routes = list(routes)
        self._bus, self._journal, self._faults = bus, journal, faults
        self._environment, self._reset = environment, reset
        self._front_page = ""
        self._listeners: set[web.WebSocketResponse] = set()

    def add(self, routes: Iterable[web.RouteDef], front_page: str = "") -> None:
        """Offer more routes, from the next `app` on; `front_page` is the path where browsers go from /."""
        self._routes += routes
        self._front_page = front_page or self._front_page

    def app(self) -> web.Application:
        """Return the control site's application."""
        site = web.Application(middlewares=[_errors_as_json, _from_here_only], client_max_size=LARGEST_UPLOAD)
        site.add_routes(
            [
                web.get("/", self._index),
                web.get("/faults", self._list_faults),
                web.post("/faults", self._add_fault),
                web.delete("/faults", self._clear_faults),
                web.delete(r"/faults/{id:\d+}", self._remove_fault),
                web.get("/wire", self._wire),
                web.get("/events", self._events),
                web.post("/reset", self._start_over),
                *self._routes,
            ]
        )
        site.on_shutdown.append(self._close_sockets)
        return site

    async def _index(self, request: web.Request) -> web.Response:
        if self._front_page and "text/html" in request.headers.get("Accept", ""):
            raise web.HTTPFound(self._front_page)
        routes = {f"{route.method} {_path(route)}" for route in request.app.router.routes()}
        return web.json_response(
            {
                **self._environment(),
                "wire_is_checked": self._journal.checker is not None,
                "endpoints": sorted((r for r in routes if not r.startswith("HEAD")), key=_by_path),
            }
        )

    async def _start_over(self, request: web.Request) -> web.Response:
        await self._reset()
        return web.json_response({})

    # --- faults

    async def _list_faults(self, request: web.Request) -> web.Response:
        return web.json_response({"faults": [fault.as_json() for fault in self._faults.list()]})

    async def _add_fault(self, request: web.Request) -> web.Response:
        body = await request.json()
        if not isinstance(body, dict):
            raise ValueError("A fault is a JSON object.")
        return web.json_response(self._faults.add(**body).as_json())

    async def _clear_faults(self, request: web.Request) -> web.Response:
        self._faults.clear()
        return web.json_response({})

    async def _remove_fault(self, request: web.Request) -> web.Response:
        try:
            fault = self._faults.remove(int(request.match_info["id"]))
        except KeyError:
            raise LookupError("There is no such fault.") from None
        return web.json_response(fault.as_json())

    # --- what happened, and what happens

    async def _wire(self, request: web.Request) -> web.Response:
        exchanges = self._journal.since(int(request.query.get("since", 0)))
        # Thousands of exchanges take a while to write down, and the loop serves the bot meanwhile.
        text = await asyncio.to_thread(lambda: json.dumps({"exchanges": [e.as_dict() for e in exchanges]}))
        return web.json_response(text=text)

    async def _events(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(heartbeat=30)
        await socket.prepare(request)
        self._listeners.add(socket)
        try:
            await self._tell_events(socket)
        finally:
            self._listeners.discard(socket)
        return socket

    async def _close_sockets(self, site: web.Application) -> None:
        for socket in list(self._listeners):
            await socket.close(code=WSCloseCode.GOING_AWAY)

    async def _tell_events(self, socket: web.WebSocketResponse) -> None:
        """Send everything that happens from now on, bus events and exchanges, until the listener leaves."""
        events, exchanges = self._bus.subscribe(), self._journal.subscribe()

        async def tell_events() -> None:
            while True:
                await socket.send_str(json.dumps(await events.get()))

        async def tell_exchanges() -> None:
            while True:
                exchange = (await exchanges.get()).as_dict()
                await socket.send_str(json.dumps({"type": "exchange", "exchange": exchange}))

        tellers = [asyncio.create_task(tell_events()), asyncio.create_task(tell_exchanges())]
        try:
            async for _ in socket:  # nothing is expected from the listener; this ends when it leaves
                pass
        finally:
            for teller in tellers:
                teller.cancel()
            await asyncio.gather(*tellers, return_exceptions=True)
            self._bus.unsubscribe(events)
            self._journal.unsubscribe(exchanges)


@web.middleware
async def _from_here_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn away other web pages in the visitor's browser: by another name (rebinding) or another origin."""
    headers = request.headers
    if urlsplit(f"//{request.host}").hostname not in LOOPBACK_NAMES:
        raise web.HTTPForbidden(reason="This site answers to its loopback address only.")
    if headers.get("Origin", f"http://{request.host}") != f"http://{request.host}":
        raise web.HTTPForbidden(reason="Another web page may not do this.")
    visit = request.method == "GET" and headers.get("Sec-Fetch-Mode") == "navigate"
    if headers.get("Sec-Fetch-Site") in ("cross-site", "same-site") and not visit:
        raise web.HTTPForbidden(reason="Another web page may not do this.")
    return await handler(request)


@web.middleware
async def _errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer mistakes with {"error": sentence}: ValueError 400, LookupError 404."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return _error(error.status, error.reason)
    except json.JSONDecodeError as error:
        return _error(400, f"The body is not JSON: {error}.")
    except ValueError as error:
        return _error(400, str(error))
    except LookupError as error:
        if type(error) is not LookupError:
            raise  # a KeyError or an IndexError is a mistake of the sandbox's own
        return _error(404, str(error))


def _error(status: int, sentence: str) -> web.Response:
    return web.json_response({"error": sentence}, status=status)


def _path(route: web.AbstractRoute) -> str:
    return route.resource.canonical if route.resource else ""


def _by_path(endpoint: str) -> Any:
    return endpoint.split(" ", 1)[::-1]
