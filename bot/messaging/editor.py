"""Keeps cards as they should be: edits are coalesced, and those of one channel take turns."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

import discord

from bot.errors import LeaseLost, PermanentError, TemporaryError, TokenRefused
from bot.messaging.errors import discord_errors

log = logging.getLogger(__name__)

SETTLING = 0.5
"""How long, in seconds, a card waits for its next change before it paints this one."""


class MessageEditor:
    """Keeps one message as it should be: the latest look is painted, if it differs from the last.

    Discord lets a bot edit about one message a second in a channel. So the messages of a channel take turns
    in its lane, each paints what is true when its turn comes, and looks that passed meanwhile are never
    painted. `by_reply` paints through the interaction's token, if that lives, and tells whether it did.
    """

    def __init__(
        self,
        message: discord.PartialMessage,
        lane: asyncio.Lock,
        by_reply: Callable[[discord.Embed], Awaitable[bool]],
    ) -> None:
        self._message = message
        self._lane = lane
        self._by_reply = by_reply
        self._wanted: discord.Embed | None = None
        self._painted = ""
        self._final = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def stands(self, embed: discord.Embed) -> None:
        """Take note of how the message looks by itself."""
        self._painted = _look(embed)

    def want(self, embed: discord.Embed) -> None:
        """Have the message look like this, soon."""
        self._wanted = embed
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._paint())

    @property
    def busy(self) -> bool:
        """Return whether something is still to be painted."""
        return self._task is not None and not self._task.done()

    async def settle(self) -> None:
        """Return when the latest look stands; raises `TemporaryError` when it could not be painted."""
        self._final.set()
        if self._task is not None:
            await asyncio.shield(self._task)
        if self._wanted is not None:
            raise TemporaryError("the card could not be edited")

    async def close(self) -> None:
        """Stop painting."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _paint(self) -> None:
        while self._wanted is not None:
            with suppress(TimeoutError):  # what changes again at once is not worth an edit of its own
                await asyncio.wait_for(self._final.wait(), SETTLING)
            async with self._lane:
                embed = self._wanted
                if _look(embed) != self._painted:
                    try:
                        await self._edit(embed)
                    except TemporaryError:
                        return  # the next change, or the end, tries again
                    except LeaseLost:  # the card is another run's to paint
                        self._wanted = None
                        return
                    except PermanentError as error:
                        log.info("the message %s cannot be edited: %s", self._message.id, error)
                    self._painted = _look(embed)
            if self._wanted is embed:
                self._wanted = None

    async def _edit(self, embed: discord.Embed) -> None:
        try:
            with discord_errors():
                # Only the embed is named, so the image stays where it is.
                await self._message.edit(embed=embed)
        except TokenRefused:
            if not await self._by_reply(embed):
                raise


def _look(embed: discord.Embed) -> str:
    return json.dumps(embed.to_dict(), sort_keys=True)
