"""Keeps cards as they should be: edits are coalesced, and those of one channel take turns."""

from __future__ import annotations

import asyncio
import contextvars
import json
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import discord

from bot.errors import AccessRefused, LeaseLost, PermanentError, TemporaryError
from bot.messaging.errors import discord_errors

log = logging.getLogger(__name__)

SETTLING = 0.5
"""How long, in seconds, a card waits for its next change before it paints this one."""


_Look = tuple[discord.Embed, discord.ui.View | None]


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
        by_reply: Callable[[discord.Embed, discord.ui.View | None], Awaitable[bool]],
    ) -> None:
        self._message = message
        self._lane = lane
        self._by_reply = by_reply
        self._wanted: _Look | None = None
        self._context = contextvars.copy_context()
        """Whose look it is: the fence asks for the run that wanted it, not for one that painted before."""
        self._painted = ""
        self._refused = False
        self._final = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def stands(self, embed: discord.Embed) -> None:
        """Take note of how the message looks by itself."""
        self._painted = _written((embed, None))

    def want(self, embed: discord.Embed, view: discord.ui.View | None = None) -> None:
        """Have the message look like this, with these buttons, soon."""
        self._wanted, self._context = (embed, view), contextvars.copy_context()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._paint())

    @property
    def busy(self) -> bool:
        """Return whether something is still to be painted."""
        return self._task is not None and not self._task.done()

    async def settle(self) -> bool:
        """Return when the latest look stands (False: Discord refused it); raises `TemporaryError`."""
        self._final.set()
        if self._task is not None:
            await asyncio.shield(self._task)
        if self._wanted is not None:
            raise TemporaryError("the card could not be edited")
        return not self._refused

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
                look, context = self._wanted, self._context
                if _written(look) != self._painted:
                    self._refused = False
                    try:
                        await asyncio.create_task(self._edit(*look), context=context)
                    except TemporaryError:
                        return  # the next change, or the end, tries again
                    except LeaseLost:
                        # The card is another run's to paint, maybe of one that has asked meanwhile.
                        if self._wanted is look:
                            self._wanted = None
                        continue
                    except PermanentError as error:
                        log.info("the message %s cannot be edited: %s", self._message.id, error)
                        self._refused = True
                    self._painted = _written(look)
            if self._wanted is look:
                self._wanted = None

    async def _edit(self, embed: discord.Embed, view: discord.ui.View | None) -> None:
        try:
            with discord_errors():
                # Attachments are not named, so the image stays where it is.
                await self._message.edit(embed=embed, view=view)
        except AccessRefused:
            if not await self._by_reply(embed, view):
                raise


def _written(look: _Look) -> str:
    embed, view = look
    buttons: list[Any] = view.to_components() if view else []
    return json.dumps([embed.to_dict(), buttons], sort_keys=True)
