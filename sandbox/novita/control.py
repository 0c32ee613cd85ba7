"""The control site's routes for Novita: settings, the clock, and what was ordered, paid and made."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from aiohttp import web

from sandbox.novita.errors import json_response
from sandbox.novita.site import Novita
from sandbox.novita.tasks import Task


def control_routes(novita: Novita) -> list[web.RouteDef]:
    """Return the routes, all below /novita."""

    async def settings(request: web.Request) -> web.Response:
        return json_response(novita.settings.as_json())

    async def change_settings(request: web.Request) -> web.Response:
        novita.change_settings(await _object(request))
        return json_response(novita.settings.as_json())

    async def clock(request: web.Request) -> web.Response:
        return json_response({"now": novita.clock.now()})

    async def move_clock(request: web.Request) -> web.Response:
        seconds = (await _object(request)).get("forward")
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds < 0:
            raise ValueError("forward must be a number of seconds, 0 or more.")
        novita.clock.forward(seconds)
        return json_response({"now": novita.clock.now()})

    async def tasks(request: web.Request) -> web.Response:
        return json_response({"tasks": [task.as_json() for task in novita.tasks]})

    async def task(request: web.Request) -> web.Response:
        return json_response(_task(novita, request).as_json())

    async def image(request: web.Request) -> web.Response:
        still = _task(novita, request).order.still
        return web.Response(body=still.data, content_type=f"image/{still.format.lower()}")

    async def video(request: web.Request) -> web.StreamResponse:
        film = _task(novita, request).film
        if film is None:
            raise LookupError("This task has no video (yet).")
        return web.FileResponse(film.path, headers={"Content-Type": "video/mp4"})

    async def sha256(request: web.Request) -> web.Response:
        film = _task(novita, request).film
        if film is None:
            raise LookupError("This task has no video (yet).")
        return json_response({"sha256": film.sha256, "bytes": film.size})

    async def payments(request: web.Request) -> web.Response:
        return json_response({"payments": [asdict(payment) for payment in novita.payments]})

    return [
        web.get("/novita/settings", settings),
        web.patch("/novita/settings", change_settings),
        web.get("/novita/clock", clock),
        web.post("/novita/clock", move_clock),
        web.get("/novita/tasks", tasks),
        web.get("/novita/tasks/{id}", task),
        web.get("/novita/tasks/{id}/image", image),
        web.get("/novita/tasks/{id}/video", video),
        web.get("/novita/tasks/{id}/sha256", sha256),
        web.get("/novita/payments", payments),
    ]


def _task(novita: Novita, request: web.Request) -> Task:
    for task in novita.tasks:
        if task.id == request.match_info["id"]:
            return task
    raise LookupError("There is no such task.")


async def _object(request: web.Request) -> dict[str, Any]:
    body = await request.json()
    if not isinstance(body, dict):
        raise ValueError("The body must be a JSON object.")
    return body
