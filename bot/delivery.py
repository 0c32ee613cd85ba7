"""Put a card, a video or a verdict in front of people, over Discord's REST alone: no gateway is needed.

Every message this sends carries the job's id as its nonce and in its footer, so that a repeat after a crash
finds the first one. Nothing here uses the interaction's token but the making of the card: the token dies
after 15 minutes.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, cast
from weakref import WeakValueDictionary

import aiohttp
import discord

from bot import cards
from bot.jobs.drive import Placed, Refused, Sent, Unreachable
from bot.jobs.job import Job, Stage, State, Waiting
from bot.novita.models import Model

log = logging.getLogger(__name__)

ENTITY_TOO_LARGE = 40005
INVALID_TOKEN = 50027
THREAD_EXISTS = 160004
HISTORY = 100
"""How far back, in messages, an earlier run's message is looked for."""
SETTLING = 0.5
"""How long, in seconds, a card waits for its next change before it paints this one."""


class Delivery:
    """The road's front at Discord, for one bot account."""

    def __init__(self, client: discord.Client, models: Mapping[str, Model]) -> None:
        self._client = client
        self._models = models
        self._painters: dict[str, _Painter] = {}
        self._lanes: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()

    # --- the card -------------------------------------------------------------------------------------------

    async def place(self, job: Job, still: Callable[[], Awaitable[Path]]) -> Placed:
        """Make the card stand and its thread exist; raises `Unreachable` or `Refused`."""
        card_id = job.card_id
        if card_id is None:
            look = cards.card(job, Waiting(), self._models)
            card_id = await self._make_card(job, await still(), discord.Embed.from_dict(look))
            self._painter(replace(job, card_id=card_id)).stands(look)
        with _discord_errors():
            return Placed(card_id, await self._thread(job, card_id) if job.wants_thread else job.channel_id)

    async def _make_card(self, job: Job, still: Path, embed: discord.Embed) -> int:
        if job.token is not None:
            # An edit, so repeating it after a crash changes nothing.
            webhook = discord.Webhook.partial(
                self._client.application_id or 0, job.token, client=self._client
            )
            with suppress(Refused), _discord_errors():
                message = await webhook.edit_message(
                    cast(int, "@original"),  # Discord takes this name for the id
                    embed=embed,
                    attachments=[discord.File(still, filename=cards.still_name(job))],
                    allowed_mentions=discord.AllowedMentions.none(),
                )
                return message.id
        # The token has died, or somebody deleted the reply: the card stands in the channel on its own.
        channel = self._channel(job.channel_id)
        with _discord_errors():
            if found := await self._find(job, channel, skip=None):
                return found.id
            sent = await channel.send(
                embed=embed,
                file=discord.File(still, filename=cards.still_name(job)),
                nonce=f"{job.id}-card",
                allowed_mentions=discord.AllowedMentions.none(),
            )
            return sent.id

    async def _thread(self, job: Job, card_id: int) -> int:
        """Start the card's thread; where that is not allowed, the channel itself is the place."""
        try:
            thread = await self._client.http.start_thread_with_message(
                job.channel_id, card_id, name=cards.thread_name(job), auto_archive_duration=1440
            )
            return int(thread["id"])
        except discord.HTTPException as error:
            if error.code == THREAD_EXISTS:
                return card_id  # a thread from a message has that message's id
            if error.status in (400, 403, 404):
                log.info("job %s: no thread here (%s), so the channel it is", job.id, error.code)
                return job.channel_id
            raise

    async def still_url(self, job: Job) -> str:
        """Sign a fresh address for the still that the card carries; raises `Unreachable` or `Refused`."""
        with _discord_errors():
            card = await self._channel(job.channel_id).fetch_message(job.card_id or 0)
        for attachment in card.attachments:
            return attachment.url
        raise Refused("the card's still was removed")

    def show(self, job: Job, stage: Stage) -> None:
        """Bring the card up to date, soon, if anything on it changed."""
        self._painter(job).want(cards.card(job, stage, self._models))

    # --- the end --------------------------------------------------------------------------------------------

    async def delivered(self, job: Job) -> Sent | None:
        """Find the video that an earlier run posted; raises `Unreachable` or `Refused`."""
        target = self._channel(job.target_id or job.channel_id)
        with _discord_errors():
            found = await self._find(job, target, skip=job.card_id)
        return Sent(target.id, found.id, linked=not found.attachments) if found else None

    async def deliver(self, job: Job, video: Path) -> Sent:
        """Post the video, once, pinging the asker; raises `Unreachable` or `Refused`."""
        if earlier := await self.delivered(job):
            return earlier
        target = self._channel(job.target_id or job.channel_id)
        with _discord_errors():
            try:
                content, embed = cards.delivered(job, self._models)
                file = discord.File(video, filename=f"kinora-{job.id}.mp4")
                return Sent(target.id, await self._post(job, target, content, embed, file), linked=False)
            except discord.HTTPException as error:
                if error.status != 413 and error.code != ENTITY_TOO_LARGE:
                    raise
            log.info("job %s: the file is larger than Discord takes here, so its link is sent", job.id)
            content, embed = cards.linked(job, self._models)
            return Sent(target.id, await self._post(job, target, content, embed, None), linked=True)

    async def tell(self, job: Job) -> None:
        """Show on the card how the job ended, and say so to the asker unless the video itself did."""
        if job.state is not State.DELIVERED:
            target = self._channel(job.target_id or job.channel_id)
            with _discord_errors():
                if not await self._find(job, target, skip=job.card_id):
                    content, embed = cards.verdict(job, self._models)
                    await self._post(job, target, content, embed, None)
        if job.card_id is not None:
            painter = self._painter(job)
            painter.want(cards.card(job, None, self._models))
            try:
                await painter.settle()
            finally:
                self._painters.pop(job.id, None)

    async def close(self) -> None:
        """Stop painting."""
        painters = list(self._painters.values())
        self._painters.clear()
        for painter in painters:
            await painter.close()

    # --- Discord --------------------------------------------------------------------------------------------

    async def _post(
        self,
        job: Job,
        target: discord.PartialMessageable,
        content: str,
        embed: cards.Embed,
        file: discord.File | None,
    ) -> int:
        parts: dict[str, Any] = {}
        if file is not None:
            parts["file"] = file
        if target.id == job.channel_id and job.card_id is not None:  # no thread: say which card this answers
            parts["reference"] = discord.MessageReference(
                message_id=job.card_id, channel_id=job.channel_id, fail_if_not_exists=False
            )
        sent: discord.Message = await target.send(
            content,
            embed=discord.Embed.from_dict(embed),
            nonce=job.id,
            allowed_mentions=discord.AllowedMentions(
                everyone=False, roles=False, replied_user=False, users=[discord.Object(job.asker_id)]
            ),
            **parts,
        )
        return sent.id

    async def _find(
        self, job: Job, target: discord.PartialMessageable, skip: int | None
    ) -> discord.Message | None:
        """Look for a message an earlier run left: a nonce is remembered for a few minutes only."""
        me = self._client.user.id if self._client.user else 0
        with suppress(discord.Forbidden, discord.NotFound):  # posting there will say why
            async for message in target.history(limit=HISTORY):
                marks = [embed.footer.text or "" for embed in message.embeds]
                marks += [attachment.filename for attachment in message.attachments]
                mine = message.author.id == me and message.id != skip
                if mine and any(job.id in mark for mark in marks):
                    return message
        return None

    def _channel(self, channel_id: int) -> discord.PartialMessageable:
        return self._client.get_partial_messageable(channel_id)

    def _painter(self, job: Job) -> _Painter:
        painter = self._painters.get(job.id)
        if painter is None:
            lane = self._lanes.setdefault(job.channel_id, asyncio.Lock())
            card = self._channel(job.channel_id).get_partial_message(job.card_id or 0)
            painter = self._painters[job.id] = _Painter(card, lane)
        return painter


class _Painter:
    """Keeps one card as it should be: the latest look is painted, if it differs from the last.

    Discord lets a bot edit about one message a second in a channel. So the cards of a channel take turns in
    its lane, each paints what is true when its turn comes, and looks that passed meanwhile are never painted.
    """

    def __init__(self, card: discord.PartialMessage, lane: asyncio.Lock) -> None:
        self._card = card
        self._lane = lane
        self._wanted: cards.Embed | None = None
        self._painted = ""
        self._final = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def stands(self, embed: cards.Embed) -> None:
        self._painted = _look(embed)

    def want(self, embed: cards.Embed) -> None:
        self._wanted = embed
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._paint())

    async def settle(self) -> None:
        """Return when the latest look stands; raises `Unreachable` when it could not be painted."""
        self._final.set()
        if self._task is not None:
            await asyncio.shield(self._task)
        if self._wanted is not None:
            raise Unreachable("the card could not be edited")

    async def close(self) -> None:
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
                        with _discord_errors():
                            # Only the embed is named, so the still stays where it is.
                            await self._card.edit(embed=discord.Embed.from_dict(embed))
                    except Unreachable:
                        return  # the next change, or the end, tries again
                    except Refused as error:
                        log.info("the card %s cannot be edited: %s", self._card.id, error)
                    self._painted = _look(embed)
            if self._wanted is embed:
                self._wanted = None


def _look(embed: cards.Embed) -> str:
    return json.dumps(embed, sort_keys=True)


@contextmanager
def _discord_errors() -> Iterator[None]:
    """Sort Discord's refusals from its bad days.

    discord.py repeats 500, 502, 504 and 429 by itself, but neither a 503 nor an upload whose connection was
    reset.
    """
    try:
        yield
    except discord.RateLimited as error:
        raise Unreachable("rate limited", error.retry_after) from None
    except discord.HTTPException as error:
        if error.code != INVALID_TOKEN and (error.status >= 500 or error.status in (401, 429)):
            raise Unreachable(f"Discord answered {error.status}") from None
        raise Refused(f"Discord answered {error.status}, code {error.code}") from None
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise Unreachable(f"no connection to Discord ({type(error).__name__})") from None
