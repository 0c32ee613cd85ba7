"""Put a card, a video or a verdict in front of people, over Discord's REST alone: no gateway is needed.

Every message this sends carries the job's id as its nonce, and in its footer or its buttons, so that a repeat
after a crash finds the first one. An interaction's token makes the card first, fills in a video that is asked
for again, and stands in while Discord refuses the bot's own: it dies after 15 minutes.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from weakref import WeakValueDictionary

import discord

from bot.domain import places
from bot.domain.job import DeliveryMethod, Job, Sending, Stage, State, Waiting
from bot.errors import AccessRefused, MalformedMessage, PermanentError, UnseenMessage
from bot.files.videos import Videos
from bot.jobs.notifier import PostedCard, PostedVideo, Reply
from bot.jobs.offer import Offer
from bot.messaging import sending
from bot.messaging.editor import Lane, MessageEditor
from bot.messaging.errors import NO_THREADS_HERE, REPLY_REFUSALS, THREAD_EXISTS, discord_errors, is_refusal
from bot.messaging.history import History, brings, is_about_same, is_card, says_the_end
from bot.messaging.replies import Replies
from bot.messaging.uploads import Upload, Uploads
from bot.ui import results, status
from bot.ui.components import card_buttons
from bot.ui.i18n import Texts, texts

log = logging.getLogger(__name__)

NONCE_SECONDS = 120.0
"""How long Discord certainly remembers a nonce: "a few minutes", as it says."""


class Publisher:
    """The jobs' `Notifier` at Discord, for one bot account."""

    def __init__(self, client: discord.Client, models: Offer, videos: Videos) -> None:
        self._client = client
        self._models = models
        self._uploads = Uploads(videos)
        self._history = History(client)
        self._replies = Replies(client)
        self._begun: dict[tuple[str, int], float] = {}
        self._refused: defaultdict[str, set[int]] = defaultdict(set)
        self._editors: dict[str, MessageEditor] = {}
        self._lanes: WeakValueDictionary[int, Lane] = WeakValueDictionary()

    # --- the card -------------------------------------------------------------------------------------------

    async def post_card(self, job: Job, images: Callable[[], Awaitable[Sequence[Path]]]) -> PostedCard:
        """Make the card stand and its thread exist; raises `TemporaryError` or `PermanentError`."""
        there = job.destination
        card_id = there.card_id
        if card_id is None:
            embed = status.status_card(job, Waiting(), self._models, _public(job))
            card_id = await self._make_card(job, await images(), embed)
            self._editor(replace(job, destination=replace(there, card_id=card_id))).stands(embed)
        with discord_errors():
            return PostedCard(
                card_id, await self._thread(job, card_id) if there.wants_thread else there.channel_id
            )

    async def _make_card(self, job: Job, images: Sequence[Path], embed: discord.Embed) -> int:
        image, also = images[0], {status.end_image_name(job): end for end in images[1:]}
        name, nobody = status.image_name(job), discord.AllowedMentions.none()
        if job.requester.reply_token is not None:
            # An edit, so repeating it after a crash changes nothing.
            with suppress(PermanentError):
                card = results.Message("", embed)
                token = job.requester.reply_token
                card_id = await self._replies.fill_in(token, card, nobody, image, name, also)
                self._replies.keep(job)
                return card_id
        # The token has died, or somebody deleted the reply: the card stands in the channel on its own.
        channel_id = job.destination.channel_id
        with discord_errors():
            if found := await self._history.find(job, channel_id, lambda message: is_card(message, job)):
                return found.id
            card = results.Message("", embed)
            nonce = f"{job.id}-card"
            return await sending.send(self._client, channel_id, nonce, card, nobody, image, name, also=also)

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
            if error.code == NO_THREADS_HERE or is_refusal(error):
                log.info("job %s: no thread here (%s), so the channel it is", job.id, error.code)
                return channel_id
            raise

    async def image_url(self, channel_id: int, message_id: int, *, end: bool = False) -> str:
        """Sign a fresh address for an image that a card carries; raises like all the others."""
        with discord_errors():
            card = await self._channel(channel_id).fetch_message(message_id)
        for attachment in card.attachments:
            if status.is_end_image(attachment.filename) is end:
                return attachment.url
        raise PermanentError("the card's image was removed")

    def update_card(self, job: Job, stage: Stage) -> None:
        """Bring the card up to date, soon, if anything on it changed."""
        self._editor(job).want(status.status_card(job, stage, self._models, _public(job)))

    # --- the video ------------------------------------------------------------------------------------------

    async def find_video(self, job: Job) -> PostedVideo | None:
        """Find the video that an earlier run posted.

        Raises `TemporaryError`, `PermanentError`, or `UnseenMessage` when one was begun and nobody can look.
        """
        return await self._look(job, maybe_there=places.begun(job))

    async def _look(self, job: Job, *, maybe_there: bool) -> PostedVideo | None:
        place_id = job.destination.place_id
        with discord_errors():
            found = await self._history.find(job, place_id, lambda message: brings(message, job))
            if found is not None:
                method = DeliveryMethod.ATTACHED if found.attachments else DeliveryMethod.LINKED
                return PostedVideo(place_id, found.id, method)
            if maybe_there and not await self._history.can_read(job, place_id):
                raise UnseenMessage(f"an earlier try was begun in {place_id}, whose history cannot be read")
        return None

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

        Raises `TemporaryError`, `PermanentError` when this place takes no message at all, or `UnseenMessage`.
        """
        place_id, now = job.destination.place_id, time.monotonic()
        begun = self._begun.setdefault((job.id, place_id), now)
        if earlier := await self._look(job, maybe_there=now - begun > NONCE_SECONDS):
            return earlier

        async def post(message: results.Message, file: Path | None) -> PostedVideo:
            message_id = await self._post(job, job.id, message, file, results.video_name(job))
            return PostedVideo(place_id, message_id, DeliveryMethod.LINKED)

        stated = self._stated_limits(job.destination.guild_id, job.destination.upload_limit)
        words = partial(self._words, results.video_message, job, _public(job))
        fitting = partial(self.update_card, job, Sending(because="fitting"))
        upload = Upload(job, job.destination.guild_id or 0, stated, words, post, fitting=fitting)
        return await self._uploads.bring(upload, video)

    async def redeliver(self, job: Job, video: Path, reply: Reply) -> None:
        """Fill in a reply with the video, in the same order; raises `PermanentError` when none works."""

        async def post(message: results.Message, file: Path | None) -> PostedVideo:
            if file is None and not job.task.video_url:
                raise PermanentError("the file is too large, and there is no link that lives", "too_large")
            nobody, name = discord.AllowedMentions.none(), f"again-{job.id}.mp4"
            # An edit, so that it cannot come twice.
            message_id = await self._replies.edit(reply.token, message, nobody, file, name)
            return PostedVideo(0, message_id, DeliveryMethod.LINKED)

        stated = self._stated_limits(reply.guild_id, reply.upload_limit)
        words = partial(self._words, results.redelivered_message, job, texts(reply.locale))
        upload = Upload(job, reply.guild_id or 0, stated, words, post, REPLY_REFUSALS)
        await self._uploads.bring(upload, video)

    def _words(
        self,
        words: Callable[..., results.Message],
        job: Job,
        language: Texts,
        method: DeliveryMethod,
        size: int,
    ) -> results.Message:
        return words(job, method, self._models, language, size)

    def _stated_limits(self, guild_id: int | None, upload_limit: int) -> list[int]:
        """List what Discord stated: with the command (the requester's Nitro included), and of the guild."""
        guild = self._client.get_guild(guild_id) if guild_id else None
        stated = [guild.filesize_limit] if guild else [discord.utils.DEFAULT_FILE_SIZE_LIMIT_BYTES]
        return [upload_limit, *stated] if upload_limit else stated

    async def fallback(self, job: Job) -> int | None:
        """Return the next place, of those not tried yet, the requester's DM last; None: none is left."""
        return await self._next_place(job)

    async def _next_place(self, job: Job, refused: Collection[int] = ()) -> int | None:
        for place_id in places.left(job, refused):
            return place_id
        if not places.may_go_direct(job):
            return None
        direct = await self._direct(job.requester.user_id)
        known = {*places.tried(job), *refused, job.destination.place_id}
        return None if direct in known else direct

    async def _direct(self, user_id: int) -> int | None:
        with suppress(PermanentError), discord_errors():
            return int((await self._client.http.start_private_message(user_id))["id"])
        return None

    # --- the end --------------------------------------------------------------------------------------------

    async def notify(self, job: Job) -> None:
        """Show on the card how the job ended, and say so to the requester unless the video itself did.

        What content rules refused is taken off the card before anything else, and told privately only.
        """
        if job.withheld:
            shown = await self._show_the_end(job)
            await self._withdraw_earlier(job)
            await self._rename_thread(job)
            said = await self._tell_privately(job) or shown
        else:
            said = _needs_no_verdict(job) or await self._tell_requester(job)
            said = await self._show_the_end(job) or said
        self._forget(job)
        if not said:
            raise PermanentError("no place takes it")

    async def _show_the_end(self, job: Job) -> bool:
        """Paint the card for the last time; return whether it stands so."""
        if job.destination.card_id is None:
            return False
        editor, language = self._editor(job), _public(job)
        buttons = card_buttons(job, language, self._models.successor(job))
        editor.want(status.status_card(job, None, self._models, language), buttons, bare=job.withheld)
        try:
            return await editor.settle()
        finally:
            if not editor.busy:  # else this was cancelled, and `close` still has to end it
                self._editors.pop(job.id, None)

    async def _withdraw_earlier(self, job: Job) -> None:
        """Take the same off what stands of the job that this one renders again: its card and its question."""
        source, there = job.source, job.destination
        if source.channel_id is None or source.message_id is None:
            return
        with suppress(PermanentError), discord_errors():  # else it is gone, or out of reach
            card = await self._channel(source.channel_id).fetch_message(source.message_id)
            await card.edit(embeds=status.withdrawn(card.embeds, _public(job)), attachments=[])
            since = replace(job, destination=replace(there, card_id=None))
            asked = await self._history.find(
                since, there.channel_id, lambda found: is_about_same(found, card)
            )
            if asked is not None:
                await asked.edit(embeds=status.withdrawn(asked.embeds, _public(job)))

    async def _rename_thread(self, job: Job) -> None:
        """Take the prompt out of the name of the thread that was begun for the job, or for the one before."""
        there = job.destination
        thread_id = there.card_id if there.wants_thread else there.channel_id
        if thread_id is None or not (there.wants_thread or thread_id == job.source.message_id):
            return
        try:
            with discord_errors():
                await self._client.http.edit_channel(thread_id, name=status.neutral_name(job))
        except PermanentError as error:
            log.info("job %s: its thread cannot be renamed: %s", job.id, error)

    async def _tell_privately(self, job: Job) -> bool:
        """Tell the requester alone: by the command's token while that lives, else by direct message.

        A process that died just after the first does the second as well: nobody can look for the first.
        """
        language = texts(job.requester.locale or job.destination.guild_locale)
        verdict, there = results.verdict(job, self._models, language), job.destination
        if there.guild_id is not None and await self._replies.follow_up(
            job, verdict, _requester_only(job), privately=True
        ):
            return True
        place_id = there.channel_id if there.guild_id is None else await self._direct(job.requester.user_id)
        if place_id is None:
            return False
        try:
            await self._tell(replace(job, destination=replace(there, target_id=place_id)), verdict)
        except PermanentError as error:
            log.info("job %s: its requester cannot be told: %s", job.id, error)
            return False
        return True

    def _forget(self, job: Job) -> None:
        """Drop what is remembered of a job that has ended and is told of."""
        self._refused.pop(job.id, None)
        self._replies.forget(job)
        self._uploads.forget(job.id)
        for key in [key for key in self._begun if key[0] == job.id]:
            del self._begun[key]

    async def _tell_requester(self, job: Job) -> bool:
        """Say how a job ended in the first place that takes it, if one does; none is asked twice."""
        refused, verdict = self._refused[job.id], self._verdict(job)
        target: int | None = job.destination.place_id
        if target in refused | places.tried(job):
            target = await self._next_place(job, refused)
        while target is not None:
            try:
                await self._tell(
                    replace(job, destination=replace(job.destination, target_id=target)), verdict
                )
                return True
            except AccessRefused:
                if not await self._replies.follow_up(job, verdict, _requester_only(job)):
                    raise
                return True
            except PermanentError as error:
                log.info("job %s: its end cannot be told there: %s", job.id, error)
                refused.add(target)
                target = await self._next_place(job, refused)
        return False

    async def _tell(self, job: Job, verdict: results.Message) -> None:
        nonce = f"{job.id}-{(job.outcome.problem or job.state)[:10]}"
        place_id = job.destination.place_id
        with discord_errors():
            if await self._history.find(job, place_id, lambda found: says_the_end(found, job)):
                return
        try:
            with discord_errors():
                await self._post(job, nonce, verdict)
        except MalformedMessage as error:
            log.error("job %s: Discord finds fault with its verdict (%s); it goes plain", job.id, error)
            with discord_errors():
                await self._post(job, nonce, results.plain_message(verdict, job))

    def _verdict(self, job: Job) -> results.Message:
        return results.verdict(job, self._models, _public(job), self._models.successor(job))

    async def close(self) -> None:
        """Stop editing."""
        editors = list(self._editors.values())
        self._editors.clear()
        for editor in editors:
            await editor.close()

    # --- Discord --------------------------------------------------------------------------------------------

    async def _post(
        self, job: Job, nonce: str, message: results.Message, file: Path | None = None, name: str = ""
    ) -> int:
        """Post where the job's messages go; return the message's id. Raises discord.py's errors."""
        there = job.destination
        # Without a thread it answers the card.
        card_id = there.card_id if there.place_id == there.channel_id else None
        return await sending.send(
            self._client, there.place_id, nonce, message, _requester_only(job), file, name, reply_to=card_id
        )

    def _channel(self, channel_id: int) -> discord.PartialMessageable:
        return self._client.get_partial_messageable(channel_id)

    def _editor(self, job: Job) -> MessageEditor:
        editor = self._editors.get(job.id)
        if editor is None:
            channel_id = job.destination.channel_id
            lane = self._lanes.setdefault(channel_id, Lane())
            card = self._channel(channel_id).get_partial_message(job.destination.card_id or 0)
            editor = self._editors[job.id] = MessageEditor(card, lane, partial(self._replies.paint, job.id))
        return editor


def _needs_no_verdict(job: Job) -> bool:
    """Return whether the requester knows: by the video, or as it was they who had it rendered anew."""
    return job.state not in (State.FAILED, State.UNCONFIRMED) or bool(job.outcome.again_as)


def _public(job: Job) -> Texts:
    """Return the language of what everybody there reads."""
    return texts(job.destination.guild_locale)


def _requester_only(job: Job) -> discord.AllowedMentions:
    return discord.AllowedMentions(
        everyone=False, roles=False, replied_user=False, users=[discord.Object(job.requester.user_id)]
    )
