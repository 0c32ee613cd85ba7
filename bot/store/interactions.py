"""Interactions: each is acted on once, whoever hears it and however often; and which of them were lost.

A command's row is there before anything slow begins, under the id of the job that it is to become, with its
token. Accepting the job takes the token out; a row that keeps one is of a command that came to nothing, and
`erasure.py` puts `SPENT` in its place once it has died.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.request import InteractionRecord, LostCommand
from bot.errors import DuplicateInteraction
from bot.store.database import Database, inserted
from bot.store.rows import storable
from bot.store.tables import drafts, interactions

REMEMBER_INTERACTIONS = 7 * 86_400.0
"""How long, in seconds, an interaction is known; its token lives for 15 minutes."""
SPENT = "spent"
"""What stands in place of a token that has died, in a row whose person is yet to be told."""
RIVAL = "another database hears the commands"
"""The key of the shared table that says when a process on another database was last noticed."""
RIVAL_SECONDS = 86_400.0
PEOPLE_WAIT = 8.0
"""How long, in seconds, the database is waited for while somebody sees “thinking…”."""
UNANSWERED = 2.0
"""How long it is waited for before the first answer, for which Discord gives three seconds."""


class InteractionStore:
    """The interactions table, as far as no job is made in the same transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, interaction: InteractionRecord, job_id: str, prompt: str) -> None:
        """Write down that a command is being acted on, and is to become a job.

        Raises `DuplicateInteraction`, or `DatabaseUnavailable`.
        """

        async def insert(connection: AsyncConnection) -> None:
            await act_once(self._database, connection, interaction, job_id, interaction.token)
            draft = {
                "id": _draft_id(interaction.id),
                "requester_id": interaction.requester_id,
                "channel_id": interaction.channel_id or 0,
                "request": {"prompt": prompt},
                "images": [],
                "expires_at": interaction.seen_at + REMEMBER_INTERACTIONS,
            }
            await connection.execute(self._database.insert(drafts).values(draft).on_conflict_do_nothing())

        await self._database.transact(insert, PEOPLE_WAIT)

    async def release(self, interaction_id: int, job_id: str) -> None:
        """Forget a command that became no job, and that was answered; or that somebody else has."""
        mine = sa.and_(interactions.c.id == interaction_id, interactions.c.job_id == job_id)

        async def delete(connection: AsyncConnection) -> None:
            gone = interactions.delete().where(mine, interactions.c.token != "").returning(interactions.c.id)
            if (await connection.execute(gone)).first() is not None:
                await connection.execute(_draft_of(interaction_id))

        await self._database.transact(delete, UNANSWERED)

    async def take_lost(self, older_than: float) -> list[LostCommand]:
        """Take away the commands that nobody goes on with: none becomes a job any more.

        They are `older_than` so many seconds. Who takes them tells people, and then calls `forget`; what is
        not forgotten is taken again, after as long.
        """
        now = self._database.now
        lost = sa.and_(interactions.c.token != "", interactions.c.seen_at <= now - older_than)
        taken = interactions.update().where(lost).values(job_id=None, seen_at=now).returning(*interactions.c)

        async def take(connection: AsyncConnection) -> list[LostCommand]:
            rows = (await connection.execute(taken)).mappings().all()
            names = [_draft_id(row["id"]) for row in rows]
            found = await connection.execute(drafts.select().where(drafts.c.id.in_(names)))
            prompts = {row["id"]: str(row["request"].get("prompt", "")) for row in found.mappings()}
            fields = InteractionRecord.__dataclass_fields__
            return [
                LostCommand(
                    InteractionRecord(**{name: _alive(row[name]) for name in fields}),
                    prompts.get(_draft_id(row["id"]), ""),
                )
                for row in rows
            ]

        return await self._database.transact(take)

    async def forget(self, interaction_id: int) -> None:
        """Write down that people were told of a lost command."""

        async def write(connection: AsyncConnection) -> None:
            mine = interactions.c.id == interaction_id
            await connection.execute(interactions.update().where(mine).values(token=""))
            await connection.execute(_draft_of(interaction_id))

        await self._database.transact(write)

    async def note_rival(self) -> None:
        """Write down that a process on another database acknowledged a command that was ours by this one."""

        async def write(connection: AsyncConnection) -> None:
            await self._database.put_shared(connection, RIVAL, self._database.now, "")

        await self._database.transact(write, PEOPLE_WAIT)

    async def has_rival(self) -> bool:
        """Return whether a process on another database was noticed within a day."""

        async def read(connection: AsyncConnection) -> bool:
            at, _ = await self._database.get_shared(connection, RIVAL)
            return at > await self._database.clock(connection) - RIVAL_SECONDS

        return await self._database.transact(read, PEOPLE_WAIT)


async def act_once(
    database: Database,
    connection: AsyncConnection,
    interaction: InteractionRecord,
    job_id: str,
    token: str = "",
) -> None:
    """Write down that an interaction becomes a job, unless it becomes another one.

    Without a `token` the job is there: the command cannot be lost any more. Raises `DuplicateInteraction`.
    """
    old = interactions.c.seen_at < database.now - REMEMBER_INTERACTIONS
    await connection.execute(interactions.delete().where(old))
    values = storable(vars(interaction) | {"token": token, "job_id": job_id})
    statement = database.insert(interactions).values(values).on_conflict_do_nothing()
    if await inserted(connection, statement.returning(interactions.c.id)):
        return
    acted = sa.select(interactions.c.job_id).where(interactions.c.id == interaction.id).with_for_update()
    if (await connection.execute(acted)).scalar() != job_id:
        raise DuplicateInteraction(str(interaction.id))
    if not token:
        accepted = interactions.update().where(interactions.c.id == interaction.id).values(token="")
        await connection.execute(accepted)
        await connection.execute(_draft_of(interaction.id))


def _alive(value: Any) -> Any:
    return "" if value == SPENT else value


def _draft_id(interaction_id: int) -> str:
    return str(interaction_id)


def _draft_of(interaction_id: int) -> sa.Delete:
    return drafts.delete().where(drafts.c.id == _draft_id(interaction_id))
