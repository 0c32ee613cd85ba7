"""Time that passes only when somebody sleeps, and then at once."""

from __future__ import annotations

import asyncio
import importlib
import time
from collections.abc import Awaitable
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest

T = TypeVar("T")

MODULES = (
    "bot.domain.job",
    "bot.domain.retry",
    "bot.engines.local",
    "bot.files.images",
    "bot.jobs.admission",
    "bot.jobs.redelivery",
    "bot.jobs.retries",
    "bot.jobs.runner",
    "bot.jobs.submission",
    "bot.store.database",
    "bot.store.jobs",
)
"""All that look at a clock or sleep on a job's road."""


class VirtualClock:
    """The clock of the modules on a job's road while it is installed; everybody else keeps the real one.

    A sleep moves it on and returns at once, so an hour of patience takes no time, and whoever looks at the
    clock before and after sees the hour. `slept` are the naps, in order. `set_by` sets the wall's clock, of
    which the monotonic one takes no notice.
    """

    def __init__(self) -> None:
        self.now = time.time()
        self.off = 0.0
        self.slept: list[float] = []

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Put this clock into `MODULES` for the rest of the test."""
        clock = SimpleNamespace(time=self.time, monotonic=self.monotonic)
        loop = _Asyncio(self)
        for name in MODULES:
            module = importlib.import_module(name)
            for attribute, replacement in (("time", clock), ("asyncio", loop)):
                if hasattr(module, attribute):
                    monkeypatch.setattr(module, attribute, replacement)

    def time(self) -> float:
        """Return the time on the wall."""
        return self.now + self.off

    def monotonic(self) -> float:
        """Return the time that nobody sets."""
        return self.now

    def set_by(self, seconds: float) -> None:
        """Have somebody set the wall's clock forward, or back."""
        self.off += seconds

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds

    async def sleep(self, seconds: float) -> None:
        """Let time pass, and others have their turns."""
        self.slept.append(seconds)
        wakes = self.now + seconds
        await asyncio.sleep(0)
        self.now = max(self.now, wakes)


class _Asyncio:
    """The module `asyncio`, but for its ways to wait for a time."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self.sleep = clock.sleep

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)

    async def wait_for(self, awaitable: Awaitable[T], timeout: float) -> T:
        """Give what is waited for a moment of real time, and then say that the whole of it passed."""
        try:
            return await asyncio.wait_for(awaitable, min(timeout, 0.001))
        except TimeoutError:
            self._clock.advance(timeout)
            raise
