"""Keeps cards as they should be: edits are coalesced, and those of one channel take turns."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import discord

from bot.errors import AccessRefused, LeaseLost, PermanentError, TemporaryError, TooManyOldEdits
from bot.messaging.errors import discord_errors

log = logging.getLogger(__name__)

SETTLING = 0.5
"""How long, in seconds, a card waits for its next change before it paints this one."""
OLD_SECONDS = 3600.0
"""From what age on Discord lets a message be edited a few times only, all those of a channel together."""
PAUSES = (6.0, 60.0)
"""The least and the longest wait, in seconds, after too many of these edits."""


class Lane:
    """The turns of one channel's messages."""

    def __init__(self) -> None:
        self.turn = asyncio.Lock()
        self._pause = 0.0

    def pause(self, asked: float | None) -> float:
        """Return for how many seconds to keep the turn after too many edits: longer each time."""
        least, longest = PAUSES
        self._pause = min(longest, max(least, 2 * self._pause))
        return max(self._pause, asked or 0.0)

    def edited(self) -> None:
        """Take note that Discord lets messages be edited here."""
        self._pause = 0.0


_Look = tuple[discord.Embed, discord.ui.View | None]


class MessageEditor:
    """Keeps one message as it should be: the latest look is painted, if it differs from the last.

    Discord lets a bot edit about one message a second in a channel. So the messages of a channel take turns
    in its lane, each paints what is true when its turn comes, and looks that passed meanwhile are never
    painted. A message older than an hour is painted only when its title changes, which is where the job
    stands, and at the end: such edits are few, for all messages of a channel together. `by_reply` paints
    through the interaction's token, if that lives, and tells whether it did.
    """

    def __init__(
        self,
        message: discord.PartialMessage,
        lane: Lane,
        by_reply: Callable[[discord.Embed, discord.ui.View | None, bool], Awaitable[bool]],
    ) -> None:
        self._message = message
        self._lane = lane
        self._by_reply = by_reply
        self._wanted: _Look | None = None
        self._bare = False
        self._context = contextvars.copy_context()
        """Whose look it is: the fence asks for the run that wanted it, not for one that painted before."""
        self._painted: _Look | None = None
        self._refused = False
        self._final = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def stands(self, embed: discord.Embed) -> None:
        """Take note of how the message looks by itself."""
        self._painted = embed, None

    def want(self, embed: discord.Embed, view: discord.ui.View | None = None, *, bare: bool = False) -> None:
        """Have the message look like this, with these buttons, soon; `bare`: from now on without any file."""
        self._bare = self._bare or bare
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
            async with self._lane.turn:
                look, context = self._wanted, self._context
                if self._differs(look):
                    self._refused = False
                    try:
                        await asyncio.create_task(self._edit(*look), context=context)
                        self._lane.edited()
                    except TooManyOldEdits as error:
                        await asyncio.sleep(self._lane.pause(error.retry_after))  # and so does the whole lane
                        continue
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
                    self._painted = look
            if self._wanted is look:
                self._wanted = None

    def _differs(self, look: _Look) -> bool:
        """Return whether the message is to be edited for this look."""
        if self._painted is None:
            return True
        if self._final.is_set() or not self._is_old():
            return _written(look) != _written(self._painted)
        return look[0].title != self._painted[0].title

    def _is_old(self) -> bool:
        age = discord.utils.utcnow() - discord.utils.snowflake_time(self._message.id)
        return age.total_seconds() > OLD_SECONDS

    async def _edit(self, embed: discord.Embed, view: discord.ui.View | None) -> None:
        # Attachments are not named, so the image stays where it is, unless it is to go.
        files: dict[str, Any] = {"attachments": []} if self._bare else {}
        try:
            with discord_errors():
                await self._message.edit(embed=embed, view=view, **files)
        except KeyError:  # discord.py reads `retry_after` in every 429, and Discord may leave it out
            raise TooManyOldEdits("Discord answered 429 without saying for how long") from None
        except (AccessRefused, PermanentError) as error:
            # The image of a bare one comes off by whatever way there is, also where the bot may not go.
            by_reply = self._bare or isinstance(error, AccessRefused)
            if not by_reply or not await self._by_reply(embed, view, self._bare):
                raise


def _written(look: _Look) -> list[Any]:
    embed, view = look
    return [embed.to_dict(), view.to_components() if view else []]
