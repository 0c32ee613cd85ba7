"""When to ask next, how long to back off, and whose turn it is."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

USHER_SECONDS = 3.0


def next_poll(elapsed: float, base: float, chance: float | None = None) -> float:
    """Say how many seconds to wait before the next poll of a task that has been rendering for `elapsed`
    seconds.

    A tenth of the time already waited, so that the person loses at most that, between `base` and five times
    it; `chance` (0…1) spreads polls by a fifth, so that jobs that started together do not ask together.
    """
    chance = random.random() if chance is None else chance  # noqa: S311 — spreading load needs no secrecy
    return min(max(elapsed / 10, base), 5 * base) * (0.9 + 0.2 * chance)


def backoff(attempt: int, retry_after: float | None = None, chance: float | None = None) -> float:
    """Say how many seconds to wait after failure number `attempt` (from 1): doubling from 1 to 60, jittered.

    A `retry_after` the other side named is honoured as it is, up to ten minutes, with a little added.
    """
    chance = random.random() if chance is None else chance  # noqa: S311
    if retry_after is not None:
        return min(retry_after, 600.0) + 0.5 * chance
    ceiling = min(60.0, 2.0 ** min(attempt - 1, 6))
    return ceiling * (0.5 + 0.5 * chance)


def expected_at(submitted_at: float, typical: float, duration: int) -> float:
    """Estimate when a render is ready; `typical` is for 5 s, a longer clip takes somewhat longer."""
    return submitted_at + typical * (0.5 + duration / 10)


def revised(expected: float, eta: float | None, now: float) -> float:
    """Follow Novita's own estimate (`eta`, seconds from now) when it differs by enough to matter."""
    if not eta or abs(now + eta - expected) < max(15.0, (expected - now) / 5):
        return expected
    return now + eta


class Turns:
    """Lets at most `limit` jobs render at once, first come, first served; pauses if Novita asks."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._rendering: set[str] = set()
        self._line: dict[str, tuple[asyncio.Future[None], Callable[[int], None]]] = {}
        self._paused_until = 0.0
        self._usher: asyncio.Task[None] | None = None

    async def wait(self, job_id: str, moved: Callable[[int], None]) -> None:
        """Return when it is this job's turn; `moved` hears its place in the line, from 1, as it changes."""
        if job_id in self._rendering:
            return
        turn = asyncio.get_running_loop().create_future()
        self._line[job_id] = (turn, moved)
        self._advance()
        if not turn.done():
            moved(len(self._line))
            self._wake_usher()
        try:
            await turn
        except asyncio.CancelledError:
            self.leave(job_id)
            raise
        finally:
            self._line.pop(job_id, None)

    def take(self, job_id: str) -> None:
        """Count a job that Novita already has, whatever the limit."""
        self._rendering.add(job_id)

    def leave(self, job_id: str) -> None:
        """Give the place to the next in line."""
        self._rendering.discard(job_id)
        self._advance()

    def pause(self, seconds: float) -> None:
        """Let nobody in for some seconds: the account's rate limit is hit, and it is one for all jobs."""
        self._paused_until = max(self._paused_until, asyncio.get_running_loop().time() + seconds)
        self._wake_usher()

    def _advance(self) -> None:
        if asyncio.get_running_loop().time() < self._paused_until:
            return
        for job_id, (turn, _) in list(self._line.items()):
            if len(self._rendering) >= self._limit:
                return
            if not turn.done():
                self._rendering.add(job_id)
                turn.set_result(None)

    def _wake_usher(self) -> None:
        if self._usher is None or self._usher.done():
            self._usher = asyncio.create_task(self._ush())

    async def _ush(self) -> None:
        """Tell everyone in line where they stand, not oftener than people can read, until nobody waits."""
        told: dict[str, int] = {}
        while self._line:
            pause = self._paused_until - asyncio.get_running_loop().time()
            await asyncio.sleep(min(USHER_SECONDS, pause) if pause > 0 else USHER_SECONDS)
            self._advance()
            waiting = [(job, moved) for job, (turn, moved) in self._line.items() if not turn.done()]
            for position, (job_id, moved) in enumerate(waiting, start=1):
                if told.get(job_id) != position:
                    told[job_id] = position
                    moved(position)

    async def close(self) -> None:
        """Stop telling."""
        if self._usher is not None:
            self._usher.cancel()
            await asyncio.gather(self._usher, return_exceptions=True)
