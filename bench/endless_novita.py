"""A Novita whose renders never end, for thousands of them: `python -m bench.endless_novita`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web

from bot.domain.job import new_id
from tests.support.supervisor import Supervisor

LISTENING = "listening on port "


class Novita:
    """The server, from outside."""

    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self.url = url
        self._http = http

    async def seen(self, *, forget: bool = False) -> tuple[int, int]:
        """Count the tasks that were polled, and the polls."""
        query = {"forget": "1"} if forget else {}
        async with self._http.get(f"{self.url}/seen", params=query) as response:
            answer = await response.json()
        return answer["tasks"], answer["polls"]


@asynccontextmanager
async def endless_novita() -> AsyncIterator[Novita]:
    """Run it in a process of its own."""
    process = Supervisor("the endless Novita")
    await process.run(sys.executable, "-m", "bench.endless_novita")
    try:
        port = (await process.wait_for_log(LISTENING)).removeprefix(LISTENING)
        async with aiohttp.ClientSession() as http:
            yield Novita(f"http://127.0.0.1:{port}", http)
    finally:
        await process.close()


def main() -> None:
    """Serve; GET /seen tells how many tasks were polled, and how often."""
    polled: set[str] = set()
    polls = 0

    async def submit(request: web.Request) -> web.Response:
        await request.read()
        return web.json_response({"task_id": f"task-{new_id()}"})

    async def result(request: web.Request) -> web.Response:
        nonlocal polls
        polls += 1
        polled.add(request.query["task_id"])
        task = {"task_id": request.query["task_id"], "status": "TASK_STATUS_PROCESSING"}
        return web.json_response({"task": task, "videos": []})

    async def balance(_request: web.Request) -> web.Response:
        return web.json_response({"availableBalance": "1000000000"})

    async def seen(request: web.Request) -> web.Response:
        answer = web.json_response({"tasks": len(polled), "polls": polls})
        if "forget" in request.query:
            polled.clear()
        return answer

    async def serve() -> None:
        app = web.Application(client_max_size=64 * 2**20)
        app.router.add_get("/v3/async/task-result", result)
        app.router.add_post("/v3/async/{model}", submit)
        app.router.add_get("/openapi/v1/billing/balance/detail", balance)
        app.router.add_get("/seen", seen)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        print(f"{LISTENING}{runner.addresses[0][1]}", flush=True)
        await asyncio.Event().wait()

    asyncio.run(serve())


if __name__ == "__main__":
    main()
