"""Whose turn to render is next: decided in one place for every process, and written into the jobs' rows.

Moments in the future do not count: they were written before somebody set the clock back, and nobody is to
wait until the clock has been there once more.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.fairness import Line, Waiter, line_up
from bot.domain.job import State
from bot.domain.retry import MOST_RETRY_AFTER
from bot.store.database import Database
from bot.store.moments import get_moment, put_moment
from bot.store.tables import jobs

MINUTE = 60.0
FAIR_SECONDS = 3600.0
"""For how long a turn counts when it is decided whose is next."""
PAUSED = "novita paused until"
LONGEST_PAUSE = MOST_RETRY_AFTER + 1.0
"""A pause that is to last longer, in seconds, was made by another clock, by a version that does not say."""

HAS_TURN = sa.or_(
    jobs.c.state.in_([State.SUBMITTING, State.RENDERING]),
    sa.and_(jobs.c.state == State.ACCEPTED, jobs.c.turn_at.is_not(None)),
)
IN_LINE = sa.and_(jobs.c.state == State.ACCEPTED, jobs.c.turn_at.is_(None), jobs.c.queued_at.is_not(None))


class QueueStore:
    """The line of those who wait to render, over all processes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def advance(self, limit: int, per_minute: int) -> Line:
        """Let those in line have their turns, fairly, as far as there is room; return how it stands then.

        `limit` is how many may render at once, `per_minute` how many turns may begin in any minute.
        """

        async def admit(connection: AsyncConnection) -> Line:
            await self._database.lock(connection, "line")
            now = await self._database.clock(connection)
            waiting = await connection.execute(
                sa.select(jobs.c.id, jobs.c.guild_id, jobs.c.requester_id, jobs.c.created_at).where(IN_LINE)
            )
            taken = await connection.execute(
                sa.select(
                    jobs.c.guild_id,
                    jobs.c.requester_id,
                    sa.func.max(jobs.c.turn_round),
                    sa.func.max(jobs.c.turn_lap),
                )
                .where(jobs.c.turn_at.between(now - FAIR_SECONDS, now), jobs.c.turn_round.is_not(None))
                .group_by(jobs.c.guild_id, jobs.c.requester_id)
            )
            busy = await connection.execute(sa.select(sa.func.count()).select_from(jobs).where(HAS_TURN))
            latest = await connection.execute(
                sa.select(sa.func.count()).select_from(jobs).where(jobs.c.turn_at.between(now - MINUTE, now))
            )
            line = line_up(
                [Waiter(*row) for row in waiting],
                {(guild, user): (turn_round, lap) for guild, user, turn_round, lap in taken},
                room=min(limit - busy.scalar_one(), per_minute - latest.scalar_one()),
                paused=await self._paused_for(connection, now),
            )
            for turn in line.granted:
                await connection.execute(
                    jobs.update()
                    .where(jobs.c.id == turn.job_id, IN_LINE)
                    .values(turn_at=now, turn_round=turn.round, turn_lap=turn.lap)
                )
            return line

        return await self._database.transact(admit)

    async def pause(self, seconds: float) -> None:
        """Give nobody a turn for some seconds: the account's limit is hit, and it is one for all."""

        async def write(connection: AsyncConnection) -> None:
            await self._database.lock(connection, "line")
            now = await self._database.clock(connection)
            if seconds > await self._paused_for(connection, now):
                await put_moment(self._database, connection, PAUSED, now + seconds, now)

        await self._database.transact(write)

    async def _paused_for(self, connection: AsyncConnection, now: float) -> float:
        """Return for how many seconds more nobody gets a turn; 0 or less: they may."""
        seconds = await get_moment(self._database, connection, PAUSED, now) - now
        return seconds if seconds <= LONGEST_PAUSE else 0.0
