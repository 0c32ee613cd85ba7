"""Cloudflare's ban stops every request to Discord for as long as it says."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from bot.messaging.gate import BanGate


class Edge:
    """A server that answers with what is next, and counts what reaches it."""

    def __init__(self) -> None:
        self.heard = 0
        self.answers: list[web.Response] = []
        self.url = ""

    async def handle(self, _request: web.Request) -> web.Response:
        """Answer."""
        self.heard += 1
        return self.answers.pop(0) if self.answers else web.json_response({})


@pytest.fixture
async def edge() -> AsyncIterator[Edge]:
    edge, app = Edge(), web.Application()
    app.router.add_route("*", "/{tail:.*}", edge.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    edge.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    yield edge
    await runner.cleanup()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(trace_configs=[BanGate().trace(None)]) as session:
        yield session


async def test_a_ban_lets_nothing_out_until_it_ends(
    edge: Edge, session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = web.Response(status=429, text="<html>", content_type="text/html", headers={"Retry-After": "90"})
    edge.answers.append(page)
    async with session.post(edge.url) as response:
        assert response.status == 429
    for path in ("channels/1/messages", "interactions/2/callback"):
        with pytest.raises(aiohttp.ConnectionTimeoutError):
            await session.get(edge.url + path)
    assert edge.heard == 1
    later = time.monotonic() + 91
    monkeypatch.setattr("bot.messaging.gate.time.monotonic", lambda: later)
    async with session.get(edge.url) as response:
        assert response.status == 200


async def test_a_rate_limit_of_discords_own_stops_nobody(edge: Edge, session: aiohttp.ClientSession) -> None:
    limit = web.json_response({"retry_after": 90.0}, status=429, headers={"Retry-After": "90"})
    edge.answers.append(limit)
    for status in (429, 200):
        async with session.get(edge.url) as response:
            assert response.status == status
