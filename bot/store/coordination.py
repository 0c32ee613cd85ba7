"""What the processes agree on: moments they reserve, things they remember, work only one of them does."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store.database import Database
from bot.store.moments import get_moment, put_moment
from bot.store.tables import shared

T = TypeVar("T")


class Coordination:
    """Agreements of all processes on one database, by name."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def reserve(self, key: str, every: float) -> float:
        """Take the next of the moments that lie `every` seconds apart; return how many seconds it is away."""

        async def take(connection: AsyncConnection) -> float:
            await self._database.lock(connection, key)
            now = await self._database.clock(connection)
            at = max(now, await get_moment(self._database, connection, key, now))
            await put_moment(self._database, connection, key, at + every, now)
            return at - now

        return await self._database.transact(take)

    async def recall(self, key: str) -> str:
        """Return what was remembered under a key; empty: nothing."""
        found = await self._database.read(sa.select(shared.c.text).where(shared.c.key == key))
        return str(found[0]["text"]) if found else ""

    async def remember(self, key: str, text: str) -> None:
        """Remember something for every process, and for the next start."""

        async def write(connection: AsyncConnection) -> None:
            await self._database.put_shared(connection, key, self._database.now, text)

        await self._database.transact(write)

    async def claim(self, key: str, text: str) -> bool:
        """Remember something; return whether it is new, so that of all processes one acts on it."""
        mine = f"{text} {secrets.token_hex(4)}"

        async def write(connection: AsyncConnection) -> bool:
            await self._database.lock(connection, key)
            _, found = await self._database.get_shared(connection, key)
            if found != mine and found.rpartition(" ")[0] == text:
                return False
            # Should the answer to the commit be lost, this finds its own.
            await self._database.put_shared(connection, key, self._database.now, mine)
            return True

        return await self._database.transact(write)

    async def alone(self, name: str, work: Callable[[], Awaitable[T]], *, wait: bool = True) -> T | None:
        """Do what only one process may do at a time; without `wait`, not at all (None) while another does it.

        A process that dies or is paused meanwhile lets the others in, at the latest after ten seconds.
        """

        async def locked(connection: AsyncConnection) -> T | None:
            if wait:
                await self._database.lock(connection, name)
            elif not await self._database.try_lock(connection, name):
                return None
            return await work()

        if self._database.shared:
            return await self._database.transact(locked)
        return await work()  # there is only this process
