"""Put a card, a video or a verdict in front of people, over Discord's REST alone: no gateway is needed.

Every message this sends carries the job's id as its nonce, and in its footer or its buttons, so that a repeat
after a crash finds the first one. Nothing here uses an interaction's token but the first making of the card,
and a video that is asked for again: the token dies after 15 minutes.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast
from weakref import WeakValueDictionary

import aiohttp
import discord

from bot.domain.job import DeliveryMethod, Job, Sending, Stage, State, Waiting
from bot.errors import PermanentError
from bot.files.videos import Videos
from bot.jobs.notifier import PostedCard, PostedVideo, Reply
from bot.messaging.editor import MessageEditor
from bot.messaging.errors import THREAD_EXISTS, discord_errors, too_large
from bot.messaging.upload_limits import UploadLimits
from bot.novita.models import Model
from bot.ui import results, status
from bot.ui.components import is_button_of
from bot.ui.i18n import Texts, texts

log = logging.getLogger(__name__)

HISTORY = 100
"""How far back, in messages, an earlier run's message is looked for."""
CUTS = 3
"""How often an upload beyond the least stated limit may break off before it counts as too large."""
ORIGINAL = cast(int, "@original")
"""Discord takes this name for the id of an interaction's first reply."""

Post = Callable[[results.Message, discord.File | None], Awaitable[PostedVideo]]
Words = Callable[..., results.Message]


class Publisher:
    """The jobs' `Notifier` at Discord, for one bot account."""

    def __init__(self, client: discord.Client, models: Mapping[str, Model], videos: Videos) -> None:
        self._client = client
        self._models = models
        self._videos = videos
        self._limits = UploadLimits()
        self._cut: Counter[tuple[str, int]] = Counter()
        self._editors: dict[str, MessageEditor] = {}
        self._lanes: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()

    # --- the card -------------------------------------------------------------------------------------------

    async def post_card(self, job: Job, image: Callable[[], Awaitable[Path]]) -> PostedCard:
        """Make the card stand and its thread exist; raises `TemporaryError` or `PermanentError`."""
        there = job.destination
        card_id = there.card_id
        if card_id is None:
            embed = status.status_card(job, Waiting(), self._models, _public(job))
            card_id = await self._make_card(job, await image(), embed)
            self._editor(replace(job, destination=replace(there, card_id=card_id))).stands(embed)
        with discord_errors():
            return PostedCard(
                card_id, await self._thread(job, card_id) if there.wants_thread else there.channel_id
            )

    async def _make_card(self, job: Job, image: Path, embed: discord.Embed) -> int:
        if job.requester.reply_token is not None:
            # An edit, so repeating it after a crash changes nothing.
            with suppress(PermanentError), discord_errors():
                message = await self._webhook(job.requester.reply_token).edit_message(
                    ORIGINAL,
                    embed=embed,
                    attachments=[discord.File(image, filename=status.image_name(job))],
                    allowed_mentions=discord.AllowedMentions.none(),
                )
                return message.id
        # The token has died, or somebody deleted the reply: the card stands in the channel on its own.
        channel = self._channel(job.destination.channel_id)
        with discord_errors():
            if found := await self._find(channel, lambda message: _is_card(message, job)):
                return found.id
            sent = await channel.send(
                embed=embed,
                file=discord.File(image, filename=status.image_name(job)),
                nonce=f"{job.id}-card",
                allowed_mentions=discord.AllowedMentions.none(),
            )
            return sent.id

    async def _thread(self, job: Job, card_id: int) -> int:
        """Start the card's thread; where that is not allowed, the channel itself is the place."""
        channel_id = job.destination.channel_id
        try:
            thread = await self._client.http.start_thread_with_message(
                channel_id, card_id, name=status.thread_name(job), auto_archive_duration=1440
            )
            return int(thread["id"])
        except discord.HTTPException as error:
            if error.code == THREAD_EXISTS:
                return card_id  # a thread from a message has that message's id
            if error.status in (400, 403, 404):
                log.info("job %s: no thread here (%s), so the channel it is", job.id, error.code)
                return channel_id
            raise

    async def image_url(self, channel_id: int, message_id: int) -> str:
        """Sign a fresh address for the image that a card carries; raises like all the others."""
        with discord_errors():
            card = await self._channel(channel_id).fetch_message(message_id)
        for attachment in card.attachments:
            return attachment.url
        raise PermanentError("the card's image was removed")

    def update_card(self, job: Job, stage: Stage) -> None:
        """Bring the card up to date, soon, if anything on it changed."""
        self._editor(job).want(status.status_card(job, stage, self._models, _public(job)))

    # --- the video ------------------------------------------------------------------------------------------

    async def find_video(self, job: Job) -> PostedVideo | None:
        """Find the video that an earlier run posted; raises `TemporaryError` or `PermanentError`."""
        place = self._channel(job.destination.place_id)
        with discord_errors():
            found = await self._find(place, lambda message: _brings(message, job))
        if found is None:
            return None
        method = DeliveryMethod.ATTACHED if found.attachments else DeliveryMethod.LINKED
        return PostedVideo(place.id, found.id, method)

    async def video_url(self, job: Job) -> str | None:
        """Sign a fresh address for the video in the message that brought it; None when it is not there."""
        if job.destination.target_id is None or job.outcome.video_message_id is None:
            return None
        with suppress(PermanentError), discord_errors():
            channel = self._channel(job.destination.target_id)
            message = await channel.fetch_message(job.outcome.video_message_id)
            for attachment in message.attachments:
                return attachment.url
        return None

    async def deliver(self, job: Job, video: Path) -> PostedVideo:
        """Post the video, once, pinging the requester: attached, or made smaller, or as a link.

        Raises `TemporaryError`, or `PermanentError` when this place takes no message at all.
        """
        if earlier := await self.find_video(job):
            return earlier

        async def post(message: results.Message, file: discord.File | None) -> PostedVideo:
            sent = await self._post(job, job.id, message, file)
            return PostedVideo(sent.channel.id, sent.id, DeliveryMethod.LINKED)

        stated = self._stated_limits(job.destination.guild_id, job.destination.upload_limit)
        upload = _Upload(
            job,
            job.destination.guild_id or 0,
            stated,
            _public(job),
            results.video_message,
            results.video_name(job),
            post,
        )
        return await self._attach_or_link(upload, video)

    async def redeliver(self, job: Job, video: Path, reply: Reply) -> None:
        """Fill in a reply with the video, in the same order; raises `PermanentError` when none works."""

        async def post(message: results.Message, file: discord.File | None) -> PostedVideo:
            if file is None and not job.task.video_url:
                raise PermanentError("the file is too large, and there is no link that lives", "too_large")
            # An edit, so that it cannot come twice.
            sent = await self._webhook(reply.token).edit_message(
                ORIGINAL,
                content=message.content,
                embed=message.embed,
                attachments=[file] if file else [],
                allowed_mentions=discord.AllowedMentions.none(),
            )
            return PostedVideo(0, sent.id, DeliveryMethod.LINKED)

        stated = self._stated_limits(reply.guild_id, reply.upload_limit)
        language, name = texts(reply.locale), f"again-{job.id}.mp4"
        upload = _Upload(job, reply.guild_id or 0, stated, language, results.redelivered_message, name, post)
        await self._attach_or_link(upload, video)

    async def _attach_or_link(self, upload: _Upload, video: Path) -> PostedVideo:
        """Bring a video as a file, or made smaller, or as a link."""
        playable = await self._videos.playable(video)
        size = (playable or video).stat().st_size
        fits = self._limits.allows(upload.place, size, upload.stated)
        if playable and fits and (sent := await self._attach(upload, playable, DeliveryMethod.ATTACHED)):
            return sent
        # One that fits but would not play is encoded afresh with room to spare; the others are made to fit.
        spare = [min(2 * size, max(upload.stated, default=2 * size))]
        targets = spare if fits and not playable else self._limits.targets(upload.place, size, upload.stated)
        for limit in targets:
            if not upload.job.ended:
                self.update_card(upload.job, Sending(because="fitting"))
            fitted = await self._videos.fitted(video, limit)
            if fitted is None:
                break
            if sent := await self._attach(upload, fitted, DeliveryMethod.FITTED):
                return sent
        with discord_errors():
            return await upload.post(self._words(upload, DeliveryMethod.LINKED), None)

    async def _attach(self, upload: _Upload, file: Path, method: DeliveryMethod) -> PostedVideo | None:
        """Post the video as a file; None when the place does not take one of this size."""
        job, size = upload.job, file.stat().st_size
        message = self._words(upload, method, size)
        with discord_errors():
            try:
                attachment = discord.File(file, filename=upload.filename)
                return replace(await upload.post(message, attachment), method=method)
            except discord.HTTPException as error:
                if not too_large(error):
                    raise
            except (aiohttp.ClientError, TimeoutError, OSError):
                # Edges cut what is far too large without an answer; once or twice it may just be the line.
                self._cut[job.id, size] += 1
                if self._cut[job.id, size] < CUTS or size <= min(upload.stated):
                    raise
        log.info("job %s: %d bytes are more than Discord takes here", job.id, size)
        self._limits.refused(upload.place, size)
        return None

    def _words(self, upload: _Upload, method: DeliveryMethod, size: int = 0) -> results.Message:
        return upload.words(upload.job, method, self._models, upload.texts, size)

    def _stated_limits(self, guild_id: int | None, upload_limit: int) -> list[int]:
        """List what Discord stated: with the command (the requester's Nitro included), and of the guild."""
        guild = self._client.get_guild(guild_id) if guild_id else None
        stated = [guild.filesize_limit] if guild else [discord.utils.DEFAULT_FILE_SIZE_LIMIT_BYTES]
        return [upload_limit, *stated] if upload_limit else stated

    async def fallback(self, job: Job) -> int | None:
        """Return the next place: the channel, the thread's channel, the requester's DM; None: none left."""
        there = job.destination
        ways = [there.channel_id, there.parent_channel_id, await self._direct(job.requester.user_id)]
        left = ways[ways.index(there.target_id) + 1 :] if there.target_id in ways else ways
        return next((way for way in left if way is not None), None)

    async def _direct(self, user_id: int) -> int | None:
        with suppress(PermanentError), discord_errors():
            return int((await self._client.http.start_private_message(user_id))["id"])
        return None

    # --- the end --------------------------------------------------------------------------------------------

    async def notify(self, job: Job) -> None:
        """Show on the card how the job ended, and say so to the requester unless the video itself did."""
        said = job.state not in (State.FAILED, State.UNCONFIRMED) or await self._tell_requester(job)
        if job.destination.card_id is not None:
            editor = self._editor(job)
            editor.want(status.status_card(job, None, self._models, _public(job)))
            try:
                said = await editor.settle() or said
            finally:
                if not editor.busy:  # else this was cancelled, and `close` still has to end it
                    self._editors.pop(job.id, None)
        if not said:
            raise PermanentError("no place takes it")

    async def _tell_requester(self, job: Job) -> bool:
        nonce = f"{job.id}-{(job.outcome.problem or job.state)[:10]}"
        place: Job | None = job
        while place is not None:
            target = self._channel(place.destination.place_id)
            message = results.verdict(job, self._models, _public(job))
            try:
                with discord_errors():
                    if not await self._find(target, lambda found: _says_the_end(found, job)):
                        await self._post(place, nonce, message)
                return True
            except PermanentError as error:
                log.info("job %s: its end cannot be told there: %s", job.id, error)
                fallback = await self.fallback(place)
                destination = replace(place.destination, target_id=fallback)
                place = replace(place, destination=destination) if fallback else None
        return False

    async def close(self) -> None:
        """Stop editing."""
        editors = list(self._editors.values())
        self._editors.clear()
        for editor in editors:
            await editor.close()

    # --- Discord --------------------------------------------------------------------------------------------

    async def _post(
        self, job: Job, nonce: str, message: results.Message, file: discord.File | None = None
    ) -> discord.Message:
        there = job.destination
        target = self._channel(there.place_id)
        parts: dict[str, Any] = {"file": file, "view": message.view}
        if target.id == there.channel_id and there.card_id is not None:  # no thread: it answers the card
            parts["reference"] = discord.MessageReference(
                message_id=there.card_id, channel_id=there.channel_id, fail_if_not_exists=False
            )
        return await target.send(
            message.content,
            embed=message.embed,
            nonce=nonce,
            allowed_mentions=discord.AllowedMentions(
                everyone=False, roles=False, replied_user=False, users=[discord.Object(job.requester.user_id)]
            ),
            **{name: part for name, part in parts.items() if part is not None},
        )

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

    def _webhook(self, token: str) -> discord.Webhook:
        """Return what an interaction's first reply is edited through."""
        return discord.Webhook.partial(self._client.application_id or 0, token, client=self._client)

    def _channel(self, channel_id: int) -> discord.PartialMessageable:
        return self._client.get_partial_messageable(channel_id)

    def _editor(self, job: Job) -> MessageEditor:
        editor = self._editors.get(job.id)
        if editor is None:
            channel_id = job.destination.channel_id
            lane = self._lanes.setdefault(channel_id, asyncio.Lock())
            card = self._channel(channel_id).get_partial_message(job.destination.card_id or 0)
            editor = self._editors[job.id] = MessageEditor(card, lane)
        return editor


@dataclass(frozen=True)
class _Upload:
    """One video on its way into a place (by which upload limits are remembered): its words, name and post."""

    job: Job
    place: int
    stated: list[int]
    texts: Texts
    words: Words
    filename: str
    post: Post


def _public(job: Job) -> Texts:
    """Return the language of what everybody there reads."""
    return texts(job.destination.guild_locale)


def _footers(message: discord.Message) -> list[str]:
    return [embed.footer.text or "" for embed in message.embeds]


def _custom_ids(message: discord.Message) -> list[str]:
    """List the custom ids of a message's components, at any depth: later versions may nest them."""
    found: list[str] = []
    left: list[Any] = list(message.components)
    while left:
        part = left.pop()
        found.append(getattr(part, "custom_id", None) or "")
        left += [*getattr(part, "children", ()), *filter(None, [getattr(part, "accessory", None)])]
    return found


def _is_card(message: discord.Message, job: Job) -> bool:
    return any(status.is_image_of(attachment.filename, job.id) for attachment in message.attachments)


def _brings(message: discord.Message, job: Job) -> bool:
    """Return whether a message brings a job's video, of this version or of a later one, with buttons."""
    if any(results.is_video_of(attachment.filename, job.id) for attachment in message.attachments):
        return True
    if any(results.is_video_message(footer, job.id) for footer in _footers(message)):
        return True
    buttons = any(is_button_of(custom_id, job.id) for custom_id in _custom_ids(message))
    return buttons and any(attachment.filename.endswith(".mp4") for attachment in message.attachments)


def _says_the_end(message: discord.Message, job: Job) -> bool:
    if results.verdict_footer(job) in _footers(message):
        return True
    # A later version's verdict carries its job's buttons, and no card or video is one.
    buttons = any(is_button_of(custom_id, job.id) for custom_id in _custom_ids(message))
    return buttons and not message.attachments and not message.embeds
