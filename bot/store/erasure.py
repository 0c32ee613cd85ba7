"""Erase what opens replies once it opens nothing: in the rows, and in the bytes of the file."""

from __future__ import annotations

import asyncio
import logging

import sqlalchemy as sa

from bot.store.database import Database
from bot.store.interactions import SPENT
from bot.store.tables import interactions, jobs

log = logging.getLogger(__name__)

ERASE_SECONDS = 20.0
TOKEN_LIFE = 15 * 60.0
"""How long, in seconds, Discord takes an interaction's token."""
_DISCORD_EPOCH = 1_420_070_400.0


class Erasure:
    """Goes over the rows again and again; harmless in several processes at once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self) -> None:
        """Erase for as long as it runs, every `ERASE_SECONDS`."""
        while True:
            try:
                await self.erase()
            except Exception as error:
                log.warning("what was erased leaves the database later (%s)", type(error).__name__)
            await asyncio.sleep(ERASE_SECONDS)

    async def erase(self) -> None:
        """Erase dead tokens from the rows, and what was erased before from the file.

        A lost command keeps its row, and with it its place among those that people are yet to be told of.
        """
        now = await self._database.transact(self._database.clock)
        # By its id, which holds milliseconds since Discord's epoch: each try to tell renews `seen_at`.
        oldest = int((now - TOKEN_LIFE - _DISCORD_EPOCH) * 1000) << 22
        holds_one = interactions.c.token.not_in(("", SPENT))
        await self._database.write(
            interactions.update().where(holds_one, interactions.c.id < oldest).values(token=SPENT)
        )
        dead = sa.and_(jobs.c.reply_token.is_not(None), jobs.c.created_at < now - TOKEN_LIFE)
        await self._database.write(jobs.update().where(dead).values(reply_token=None))
        await self._database.checkpoint()
