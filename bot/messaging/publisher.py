"""Put a card, a video or a verdict in front of people, over Discord's REST alone: no gateway is needed.

Every message this sends carries the job's id as its nonce and in its footer, so that a repeat after a crash
finds the first one. Nothing here uses the interaction's token but the making of the card: the token dies
after 15 minutes.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, cast
from weakref import WeakValueDictionary

import aiohttp
import discord

from bot.domain.job import How, Job, Sending, Stage, State, Superseded, Waiting
from bot.domain.retry import Refused, Unreachable
from bot.files.videos import Films
from bot.jobs.notifier import Placed, Sent
from bot.messaging.upload_limits import UploadLimits
from bot.novita.models import Model
from bot.ui import status as cards

log = logging.getLogger(__name__)

ENTITY_TOO_LARGE = 40005
INVALID_TOKEN = 50027
THREAD_EXISTS = 160004
# Archived threads open again by themselves when somebody posts, unless they are locked.
DETOURS = {10003: "gone", 10008: "gone", 50083: "locked", 160005: "locked"}
HISTORY = 100
"""How far back, in messages, an earlier run's message is looked for."""
CUTS = 3
"""How often an upload beyond the least stated limit may break off before it counts as too large."""
SETTLING = 0.5
"""How long, in seconds, a card waits for its next change before it paints this one."""


class Delivery:
    """The road's front at Discord, for one bot account."""

    def __init__(self, client: discord.Client, models: Mapping[str, Model], films: Films) -> None:
        self._client = client
        self._models = models
        self._films = films
        self._limits = UploadLimits()
        self._cut: Counter[tuple[str, int]] = Counter()
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
            if found := await self._find(channel, lambda message: _is_card(message, job)):
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

    async def still_url(self, channel_id: int, card_id: int) -> str:
        """Sign a fresh address for the still that a card carries; raises `Unreachable` or `Refused`."""
        with _discord_errors():
            card = await self._channel(channel_id).fetch_message(card_id)
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
            found = await self._find(target, lambda message: _brings(message, job))
        if found is None:
            return None
        return Sent(target.id, found.id, How.ATTACHED if found.attachments else How.LINKED)

    async def video_url(self, job: Job) -> str | None:
        """Sign a fresh address for the video in the message that brought it; None when it is not there."""
        if job.target_id is None or job.video_message_id is None:
            return None
        with suppress(Refused), _discord_errors():
            message = await self._channel(job.target_id).fetch_message(job.video_message_id)
            for attachment in message.attachments:
                return attachment.url
        return None

    async def deliver(self, job: Job, video: Path) -> Sent:
        """Post the video, once, pinging the asker: attached, or made smaller, or as a link, in this order.

        Raises `Unreachable`, or `Refused` when this place takes no message at all.
        """
        if earlier := await self.delivered(job):
            return earlier
        place, stated = job.guild_id or 0, self._stated_limits(job)
        playable = await self._films.playable(video)
        size = (playable or video).stat().st_size
        fits = self._limits.allows(place, size, stated)
        if playable and fits and (sent := await self._attach(job, playable, How.ATTACHED)):
            return sent
        # One that fits but would not play is encoded afresh with room to spare; the others are made to fit.
        spare = [min(2 * size, max(stated, default=2 * size))]
        targets = spare if fits and not playable else self._limits.targets(place, size, stated)
        for limit in targets:
            self.show(job, Sending(because="fitting"))
            fitted = await self._films.fitted(video, limit)
            if fitted is None:
                break
            if sent := await self._attach(job, fitted, How.FITTED):
                return sent
        content, embed = cards.delivered(job, How.LINKED, self._models)
        with _discord_errors():
            return await self._post(job, job.id, content, embed, How.LINKED)

    async def _attach(self, job: Job, file: Path, how: How) -> Sent | None:
        """Post the video as a file; None when the place does not take one of this size."""
        size = file.stat().st_size
        content, embed = cards.delivered(job, how, self._models, size)
        with _discord_errors():
            try:
                # The name decides whether it plays, whatever Novita called it.
                attachment = discord.File(file, filename=f"kinora-{job.id}.mp4")
                return await self._post(job, job.id, content, embed, how, attachment)
            except discord.HTTPException as error:
                if error.status != 413 and error.code != ENTITY_TOO_LARGE:
                    raise
            except (aiohttp.ClientError, TimeoutError, OSError):
                # Edges cut what is far too large without an answer; once or twice it may just be the line.
                self._cut[job.id, size] += 1
                if self._cut[job.id, size] < CUTS or size <= min(self._stated_limits(job)):
                    raise
        log.info("job %s: %d bytes are more than Discord takes here", job.id, size)
        self._limits.refused(job.guild_id or 0, size)
        return None

    def _stated_limits(self, job: Job) -> list[int]:
        """List what Discord stated: with the command (the asker's Nitro included) and of the guild itself."""
        guild = self._client.get_guild(job.guild_id) if job.guild_id else None
        stated = [guild.filesize_limit] if guild else [discord.utils.DEFAULT_FILE_SIZE_LIMIT_BYTES]
        return [job.upload_limit, *stated] if job.upload_limit else stated

    async def elsewhere(self, job: Job) -> int | None:
        """Name the next place: the channel, the thread's channel, the asker's DM; None: none is left."""
        ways = [job.channel_id, job.parent_id, await self._direct(job.asker_id)]
        left = ways[ways.index(job.target_id) + 1 :] if job.target_id in ways else ways
        return next((way for way in left if way is not None), None)

    async def _direct(self, person_id: int) -> int | None:
        with suppress(Refused), _discord_errors():
            return int((await self._client.http.start_private_message(person_id))["id"])
        return None

    async def tell(self, job: Job) -> None:
        """Show on the card how the job ended, and say so to the asker unless the video itself did."""
        if job.state in (State.FAILED, State.UNCONFIRMED):
            await self._tell_asker(job)
        if job.card_id is not None:
            painter = self._painter(job)
            painter.want(cards.card(job, None, self._models))
            try:
                await painter.settle()
            finally:
                if not painter.busy:  # else this was cancelled, and `close` still has to end it
                    self._painters.pop(job.id, None)

    async def _tell_asker(self, job: Job) -> None:
        content, embed = cards.verdict(job, self._models)
        nonce = f"{job.id}-{(job.problem or job.state)[:10]}"
        place: Job | None = job
        while place is not None:
            target = self._channel(place.target_id or place.channel_id)
            try:
                with _discord_errors():
                    if not await self._find(target, lambda message: _says_the_end(message, job)):
                        await self._post(place, nonce, content, embed, view=_buttons(job))
                return
            except Refused as error:
                log.info("job %s: its end cannot be told there: %s", job.id, error)
                elsewhere = await self.elsewhere(place)
                place = replace(place, target_id=elsewhere) if elsewhere else None

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
        nonce: str,
        content: str,
        embed: cards.Embed,
        how: How = How.LINKED,
        file: discord.File | None = None,
        view: discord.ui.View | None = None,
    ) -> Sent:
        target = self._channel(job.target_id or job.channel_id)
        parts: dict[str, Any] = {"file": file, "view": view}
        if target.id == job.channel_id and job.card_id is not None:  # no thread: say which card this answers
            parts["reference"] = discord.MessageReference(
                message_id=job.card_id, channel_id=job.channel_id, fail_if_not_exists=False
            )
        sent: discord.Message = await target.send(
            content,
            embed=discord.Embed.from_dict(embed),
            nonce=nonce,
            allowed_mentions=discord.AllowedMentions(
                everyone=False, roles=False, replied_user=False, users=[discord.Object(job.asker_id)]
            ),
            **{name: part for name, part in parts.items() if part is not None},
        )
        return Sent(target.id, sent.id, how)

    async def _find(
        self, target: discord.PartialMessageable, wanted: Callable[[discord.Message], bool]
    ) -> discord.Message | None:
        """Look for a message an earlier run left: a nonce is remembered for a few minutes only."""
        me = self._client.user.id if self._client.user else 0
        with suppress(discord.Forbidden, discord.NotFound):  # posting there will say why
            async for message in target.history(limit=HISTORY):
                if message.author.id == me and wanted(message):
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

    @property
    def busy(self) -> bool:
        return self._task is not None and not self._task.done()

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
                    except Superseded:  # the card is another run's to paint
                        self._wanted = None
                        return
                    except Refused as error:
                        log.info("the card %s cannot be edited: %s", self._card.id, error)
                    self._painted = _look(embed)
            if self._wanted is embed:
                self._wanted = None


def _footers(message: discord.Message) -> list[str]:
    return [embed.footer.text or "" for embed in message.embeds]


def _is_card(message: discord.Message, job: Job) -> bool:
    return any(attachment.filename.startswith(f"still-{job.id}.") for attachment in message.attachments)


def _brings(message: discord.Message, job: Job) -> bool:
    named = any(attachment.filename.startswith(f"kinora-{job.id}.") for attachment in message.attachments)
    return named or any(cards.is_delivery(footer, job.id) for footer in _footers(message))


def _says_the_end(message: discord.Message, job: Job) -> bool:
    return any(cards.is_verdict(footer, job) for footer in _footers(message))


def _buttons(job: Job) -> discord.ui.View | None:
    """Make a verdict's buttons; who answers them is found by their custom id, also after a restart."""
    if not (choices := cards.choices(job)):
        return None
    view = discord.ui.View(timeout=None)
    for custom_id, label in choices:
        view.add_item(discord.ui.Button(custom_id=custom_id, label=label))
    view.stop()  # so that discord.py does not keep it and answer in our place
    return view


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
        detour = DETOURS.get(error.code, "gone" if error.status == 404 else "forbidden")
        raise Refused(f"Discord answered {error.status}, code {error.code}", detour) from None
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise Unreachable(f"no connection to Discord ({type(error).__name__})") from None
