"""What the doubles did, in order; a run can be held, or its process made to die, at any entry."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Died(BaseException):
    """The process is gone: no `except` of the code's own hears of it."""


class Hold:
    """A stop at one entry: `reached` is set when somebody stands at it, who goes on once it is `open`."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.open = asyncio.Event()


class Journal:
    """One list for all the doubles of a test; every step has two entries, `name …` and, once done, `name`."""

    def __init__(self) -> None:
        self.entries: list[str] = []
        self.dies_at: int | None = None
        """The entry, counted from 1, at which the process dies."""
        self._holds: dict[str, Hold] = {}

    @property
    def done(self) -> list[str]:
        """List the steps that were done."""
        return [entry for entry in self.entries if not entry.endswith("…")]

    def count(self, entry: str) -> int:
        """Count how often something was done (or, as `name …`, begun)."""
        return self.entries.count(entry)

    def hold(self, entry: str) -> Hold:
        """Have the next who comes to an entry stop there."""
        self._holds[entry] = hold = Hold()
        return hold

    async def note(self, entry: str) -> None:
        """Write an entry; here one is held, or dies."""
        self.entries.append(entry)
        if self.dies_at is not None and len(self.entries) >= self.dies_at:
            raise Died(entry)
        if hold := self._holds.pop(entry, None):
            hold.reached.set()
            await hold.open.wait()

    @asynccontextmanager
    async def step(self, name: str) -> AsyncIterator[None]:
        """Note that something begins and, unless it raises, that it was done."""
        await self.note(f"{name} …")
        yield
        await self.note(name)
