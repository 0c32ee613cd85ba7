"""Waiting for one's turn to render, and hearing how the line moves; the store decides whose turn it is."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from bot.store.queue import QueueStore

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
"""How often the line is looked at while somebody of this process stands in it."""
TELL_SECONDS = 3.0
"""How long a place that was told stands on the card at least, so that people can read it."""
REST = 4
"""How many times as long as a look took to rest after it, so that a long line does not eat a core."""
MOST_REST = 0.3
"""The longest such rest, in seconds: a turn that is free is not left lying."""


class Told(NamedTuple):
    """The place that was told, whether Novita took nobody then, and when that was."""

    place: int
    paused: bool
    at: float


NOTHING = Told(0, False, float("-inf"))

Moved = Callable[[int, bool], None]
"""Hears a job's place in the line, from 1, and whether Novita takes nobody at the moment."""


class Admission:
    """At most `limit` renders at once, and `per_minute` begun in any minute, over all processes."""

    def __init__(self, queue: QueueStore, limit: int, per_minute: int) -> None:
        self._queue = queue
        self._limit = limit
        self._per_minute = per_minute
        self._line: dict[str, tuple[asyncio.Future[None], Callable[[int, bool], None]]] = {}
        self._nudged = asyncio.Event()
        self._lookout: asyncio.Task[None] | None = None

    async def wait(self, job_id: str, moved: Moved) -> None:
        """Return when it is the turn of a job that stands in line."""
        turn = asyncio.get_running_loop().create_future()
        context = contextvars.copy_context()  # the lookout is everybody's, what it tells is this job's
        self._line[job_id] = turn, lambda place, paused: context.run(moved, place, paused)
        self.nudge()
        if self._lookout is None or self._lookout.done():
            self._lookout = asyncio.create_task(self._look_out(), context=contextvars.Context())
        try:
            await turn
        finally:
            self._line.pop(job_id, None)

    def nudge(self) -> None:
        """Have the line looked at: somebody joined it, or a render is over."""
        self._nudged.set()

    async def pause(self, seconds: float) -> None:
        """Let nobody in for some seconds, in no process: the account's limit is hit."""
        await self._queue.pause(seconds)

    async def close(self) -> None:
        """Stop looking."""
        if self._lookout is not None:
            self._lookout.cancel()
            await asyncio.gather(self._lookout, return_exceptions=True)

    async def _look_out(self) -> None:
        """Look at the line, for as long as somebody of this process stands in it."""
        told: dict[str, Told] = {}
        while self._line:
            self._nudged.clear()
            began = time.monotonic()
            try:
                await self._look(told)
            except Exception:
                log.exception("the line could not be looked at; again in a moment")
                self._nudged.clear()
            await asyncio.sleep(min(REST * (time.monotonic() - began), MOST_REST))
            with suppress(TimeoutError):
                await asyncio.wait_for(self._nudged.wait(), LOOK_SECONDS)

    async def _look(self, told: dict[str, Told]) -> None:
        ours = list(self._line)
        line = await self._queue.advance(self._limit, self._per_minute)
        places = {job_id: place for place, job_id in enumerate(line.waiting, start=1)}
        for job_id in ours:
            turn, moved = self._line.get(job_id, (None, None))
            if turn is None or moved is None or turn.done():
                continue
            if job_id not in places:  # through whichever process: it has its turn, or it is not ours any more
                turn.set_result(None)
                continue
            now, (place, paused, at) = time.monotonic(), told.get(job_id, NOTHING)
            news = place != places[job_id] and now - at >= TELL_SECONDS
            if news or paused != (line.paused > 0):
                told[job_id] = Told(places[job_id], line.paused > 0, now)
                moved(*told[job_id][:2])
