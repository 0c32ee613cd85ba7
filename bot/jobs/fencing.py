"""The last look before something leaves that cannot be taken back: is the job still this run's?

The store's guard keeps a process that was paused, and whose jobs others took over, from writing. This keeps
it from paying and posting: once a connection is there and before a byte is sent, and again while a long body
is on its way, the database is asked. Only reading requests pass unasked.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from types import SimpleNamespace
from typing import Any

import aiohttp

from bot.domain.job import Job
from bot.errors import LeaseLost

READING = frozenset({"GET", "HEAD", "OPTIONS"})
STALE = 3.0
"""How many seconds an answer of the database's is believed; dead workers' jobs are taken over much later."""
AWAY = 15.0
"""How many seconds to wait for the database's answer before a request that was not begun yet."""

_running: ContextVar[Job | None] = ContextVar("running", default=None)


def set_job(job: Job) -> None:
    """Set which job, in which run, everything is for that this task does from now on."""
    _running.set(job)


class Fence:
    """Asks `owns` for every writing request made for a job, and raises `LeaseLost` into it."""

    def __init__(self, owns: Callable[[Job], Awaitable[bool]]) -> None:
        self._owns = owns

    def trace(self) -> aiohttp.TraceConfig:
        """Return the hooks for a session of aiohttp's."""
        trace = aiohttp.TraceConfig()
        trace.on_request_start.append(self._starting)
        # Called, whatever its name, with a connection at hand and before anything is written to it. What is
        # raised here closes the connection; raised from the hooks of connecting, it would leak it.
        trace.on_request_headers_sent.append(self._connected)
        trace.on_request_chunk_sent.append(self._sending)
        return trace

    async def _starting(
        self, _session: object, request: SimpleNamespace, params: aiohttp.TraceRequestStartParams
    ) -> None:
        request.job = None if params.method in READING else _running.get()

    async def _connected(self, _session: object, request: SimpleNamespace, _params: Any) -> None:
        if request.job is not None:
            try:
                async with asyncio.timeout(AWAY):
                    await self._ask(request)
            except TimeoutError:  # nothing was sent, and this is the error that says so
                raise aiohttp.ConnectionTimeoutError("the database does not answer") from None

    async def _sending(self, _session: object, request: SimpleNamespace, _params: Any) -> None:
        if request.job is not None and time.monotonic() - request.asked > STALE:
            await self._ask(request)

    async def _ask(self, request: SimpleNamespace) -> None:
        while True:
            began = time.monotonic()
            if not await self._owns(request.job):
                raise LeaseLost(request.job.id)
            request.asked = time.monotonic()
            if request.asked - began < STALE:  # else this process was paused between the question and here
                return
