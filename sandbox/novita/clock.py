"""The stand-in's own time: real time that can be moved forward."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable


class Clock:
    """Unix time plus what it was moved forward by."""

    def __init__(self) -> None:
        self._forward = 0.0
        self._changed = asyncio.Event()

    def now(self) -> float:
        """Return the time in Unix seconds."""
        return time.time() + self._forward

    def forward(self, seconds: float) -> None:
        """Move the time forward at once."""
        self._forward += seconds
        self.poke()

    def reset(self) -> None:
        """Return to real time."""
        self._forward = 0.0
        self.poke()

    def poke(self) -> None:
        """Let everyone who waits look again: the time, a setting or the queue has changed."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def until(self, ready: Callable[[], bool], deadline: Callable[[], float] | None = None) -> None:
        """Wait until `ready()`; it is asked after each poke and, if given, at the deadline (Unix seconds)."""
        while not ready():
            changed = self._changed
            seconds = None if deadline is None else max(0.0, deadline() - self.now())
            try:
                await asyncio.wait_for(changed.wait(), seconds)
            except TimeoutError:
                continue

    async def until_time(self, deadline: Callable[[], float]) -> None:
        """Wait until the time that `deadline()` says, which may change with the settings."""
        await self.until(lambda: self.now() >= deadline(), deadline)
