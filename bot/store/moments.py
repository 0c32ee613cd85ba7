"""Moments that lie ahead, as the processes tell each other, through clocks that somebody sets."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store.database import Database


async def get_moment(database: Database, connection: AsyncConnection, key: str, now: float) -> float:
    """Read a moment that lies ahead (0: none).

    One that was written later than `now` counts for nothing: the clock has been set back since.
    """
    at, written = await database.get_shared(connection, key)
    return 0.0 if written and float(written) > now else at


async def put_moment(
    database: Database, connection: AsyncConnection, key: str, at: float, now: float
) -> None:
    """Write a moment that lies ahead, and when it was written; earlier versions wrote only the first."""
    await database.put_shared(connection, key, sa.literal(at, sa.Double), repr(now))
