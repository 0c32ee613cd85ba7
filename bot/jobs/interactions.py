"""One command is one job: who has a command, and what becomes of one whose process died with it.

Two things decide. Within one database it is the row, which is there before the command is acknowledged.
Between databases, which two processes with one token may have by mistake, it is Discord's acknowledgement:
only one of them is told that it was first. What is not certain: an acknowledgement whose line broke, and that
Discord then calls given. It was this process's, unless another database has the command; so the reply is
watched for a while, and the command refused if such a database was noticed before.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial

from bot.domain.request import InteractionRecord, LostCommand
from bot.errors import N_, DatabaseUnavailable, DuplicateInteraction, Refusal
from bot.store.interactions import InteractionStore

log = logging.getLogger(__name__)

HEADSTART = 0.5
"""How long, in seconds, the acknowledgement waits for the row; a database that is away must not cost it."""
WATCH_SECONDS = 4.0
"""How long a reply is watched for somebody else's card."""
LOST_SECONDS = 150.0
"""How old a command's row is when nobody is at work on it any more: to fetch an image takes less."""
SWEEP_SECONDS = 30.0

Ask = Callable[[], Awaitable[bool]]


class Interactions:
    """Lets each command be acted on by one, and finds those that were lost on the way."""

    def __init__(self, store: InteractionStore) -> None:
        self._store = store

    @asynccontextmanager
    async def acting(
        self, interaction: InteractionRecord, job_id: str, prompt: str, acknowledge: Ask, untouched: Ask
    ) -> AsyncIterator[None]:
        """Acknowledge a command that is to become a job; what happens within makes it one, or refuses it.

        `acknowledge` returns whether it was certainly this one that did it, `untouched` whether the reply is
        still as that left it. Raises `DuplicateInteraction` when somebody else has the command.
        """
        begin = partial(self._store.begin, interaction, job_id, prompt)
        claim = asyncio.create_task(begin())
        try:
            await asyncio.wait({claim}, timeout=HEADSTART)
            if claim.done():
                claim.result()
            await self._acknowledge(claim, begin, acknowledge, untouched)
            yield
        except Exception:
            await asyncio.wait({claim})
            with suppress(DatabaseUnavailable):
                await self._store.release(interaction.id, job_id)
            raise

    async def _acknowledge(
        self,
        claim: asyncio.Task[None],
        again: Callable[[], Awaitable[None]],
        acknowledge: Ask,
        untouched: Ask,
    ) -> None:
        try:
            certain = await acknowledge()
        except DuplicateInteraction:
            if claim.done():  # by this database it was ours
                await self._note_rival()
            raise
        if certain:
            await self._claimed(claim, again)
            return
        await claim
        until = time.monotonic() + WATCH_SECONDS
        while time.monotonic() < until:
            if not await untouched():
                await self._note_rival()
                raise DuplicateInteraction("its reply is somebody else's")
            await asyncio.sleep(WATCH_SECONDS / 10)
        if await self._store.has_rival():
            raise Refusal(
                N_("The line to Discord broke, so Kinora cannot tell whether it has this command."),
                N_("If nothing shows up here within five minutes, it was not taken: please try again then."),
            )

    @staticmethod
    async def _claimed(claim: asyncio.Task[None], again: Callable[[], Awaitable[None]]) -> None:
        """Wait for the row; who has it without being acknowledged lets go of it."""
        try:
            await claim
        except DuplicateInteraction:
            await asyncio.sleep(HEADSTART)
            await again()

    async def _note_rival(self) -> None:
        log.error(
            "another Kinora on another database answers commands with this token: stop one of the two, or "
            "give both the same DATABASE_URL"
        )
        with suppress(DatabaseUnavailable):
            await self._store.note_rival()

    async def tell_lost(self, tell: Callable[[LostCommand], Awaitable[bool]], *, alone: bool) -> None:
        """Have people told of commands that were acknowledged and came to nothing, for as long as it runs.

        `alone`: no other process hears commands, so that what is found at the start is nobody's. `tell`
        returns whether that is done with.
        """
        older_than = 0.0 if alone else LOST_SECONDS
        while True:
            for command in await self._store.take_lost(older_than):
                log.warning("interaction %s was lost before it became a job", command.interaction.id)
                try:
                    if await tell(command):
                        await self._store.forget(command.interaction.id)
                except Exception:
                    log.exception("a lost command could not be told of; it is tried again")
            older_than = LOST_SECONDS
            await asyncio.sleep(SWEEP_SECONDS)
