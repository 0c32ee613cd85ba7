"""The control site: what a developer, a test or a page does to the sandbox from outside. JSON over HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from aiohttp import WSCloseCode, web

from sandbox import web as web_page

if TYPE_CHECKING:
    from sandbox.house import House

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "::1")
LARGEST_UPLOAD = 600 * 2**20  # above every upload limit of Discord's, which the Discord site enforces itself


def app(house: House) -> web.Application:
    """Return the control site's application."""
    site = web.Application(middlewares=[_errors_as_json, _from_here_only], client_max_size=LARGEST_UPLOAD)
    site.add_routes(_house_routes(house))
    site.add_routes(_event_routes(house, site))
    site.add_routes(house.novita.control_routes())
    site.add_routes(house.discord.control_routes())
    site.add_routes(web_page.routes(house))
    site.add_routes(house.more_routes)
    return site


def _house_routes(house: House) -> list[web.RouteDef]:
    async def index(request: web.Request) -> web.Response:
        if "text/html" in request.headers.get("Accept", ""):
            raise web.HTTPFound("/app/")
        routes = {f"{route.method} {_path(route)}" for route in request.app.router.routes()}
        return web.json_response(
            {
                **house.environment(),
                "wire_is_checked": house.journal.checker is not None,
                "endpoints": sorted((r for r in routes if not r.startswith("HEAD")), key=_by_path),
            }
        )

    async def add_fault(request: web.Request) -> web.Response:
        body = await request.json()
        if not isinstance(body, dict):
            raise ValueError("A fault is a JSON object.")
        return web.json_response(house.faults.add(**body).as_json())

    async def list_faults(request: web.Request) -> web.Response:
        return web.json_response({"faults": [fault.as_json() for fault in house.faults.list()]})

    async def clear_faults(request: web.Request) -> web.Response:
        house.faults.clear()
        return web.json_response({})

    async def remove_fault(request: web.Request) -> web.Response:
        try:
            fault = house.faults.remove(int(request.match_info["id"]))
        except KeyError:
            raise LookupError("There is no such fault.") from None
        return web.json_response(fault.as_json())

    async def wire(request: web.Request) -> web.Response:
        since = int(request.query.get("since", 0))
        exchanges = house.journal.since(since)
        # Thousands of exchanges take a while to write down, and the loop serves the bot meanwhile.
        text = await asyncio.to_thread(lambda: json.dumps({"exchanges": [e.as_dict() for e in exchanges]}))
        return web.json_response(text=text)

    async def reset(request: web.Request) -> web.Response:
        await house.reset()
        return web.json_response({})

    return [
        web.get("/", index),
        web.get("/faults", list_faults),
        web.post("/faults", add_fault),
        web.delete("/faults", clear_faults),
        web.delete(r"/faults/{id:\d+}", remove_fault),
        web.get("/wire", wire),
        web.post("/reset", reset),
    ]


def _event_routes(house: House, site: web.Application) -> list[web.RouteDef]:
    listeners: set[web.WebSocketResponse] = set()

    async def events(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(heartbeat=30)
        await socket.prepare(request)
        listeners.add(socket)
        try:
            await _tell_events(house, socket)
        finally:
            listeners.discard(socket)
        return socket

    async def close_sockets(site: web.Application) -> None:
        for socket in list(listeners):
            await socket.close(code=WSCloseCode.GOING_AWAY)

    site.on_shutdown.append(close_sockets)
    return [web.get("/events", events)]


async def _tell_events(house: House, socket: web.WebSocketResponse) -> None:
    """Send everything that happens from now on, bus events and exchanges, until the listener leaves."""
    events, exchanges = house.bus.subscribe(), house.journal.subscribe()

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
        house.bus.unsubscribe(events)
        house.journal.unsubscribe(exchanges)


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
