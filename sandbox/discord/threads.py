"""Making, changing and deleting threads and channels, for the bot and for the control interface."""

from __future__ import annotations

import time
from typing import Any

from sandbox.discord import present
from sandbox.discord.errors import ApiError
from sandbox.discord.forms import Form
from sandbox.discord.messages import Draft, Messages, says_something
from sandbox.discord.models import (
    Channel,
    ChannelType,
    Json,
    Message,
    MessageFlag,
    MessageType,
    Reference,
    Thread,
    User,
)
from sandbox.discord.permissions import P
from sandbox.discord.world import Event, World

ARCHIVE_MINUTES = (60, 1440, 4320, 10080)
GUILDS_INTENT = 1


def check_thread(payload: Any, *, types: tuple[int, ...] = ()) -> Json:
    """Check what a new thread is asked to be; 50035."""
    form = Form()
    if not isinstance(payload, dict):
        form.wrong((), "MODEL_TYPE_CONVERT", "Only dictionaries may be used in a ModelType")
        form.finish()
    checked: Json = payload
    form.string(("name",), checked.get("name"), low=1, high=100, required=True)
    _check_shared(form, checked)
    if types and checked.get("type") is not None:
        form.one_of(("type",), checked["type"], types)
    form.finish()
    return checked


def _check_shared(form: Form, payload: Json) -> None:
    if payload.get("auto_archive_duration") is not None:
        form.one_of(("auto_archive_duration",), payload["auto_archive_duration"], ARCHIVE_MINUTES)
    form.integer(("rate_limit_per_user",), payload.get("rate_limit_per_user"), low=0, high=21600)
    form.snowflakes(("applied_tags",), payload.get("applied_tags"))
    form.boolean(("invitable",), payload.get("invitable"))


class Threads:
    """Keeps a world's threads and channels."""

    def __init__(self, world: World, messages: Messages) -> None:
        self.world = world
        self.messages = messages

    def _make(self, parent: Channel, kind: ChannelType, number: int, owner: User, payload: Json) -> Channel:
        now = time.time()
        minutes = payload.get("auto_archive_duration") or 4320
        thread = Thread(owner.id, now, auto_archive_duration=minutes, members={owner.id: now})
        thread.invitable = bool(payload.get("invitable", True))
        channel = Channel(number, kind, parent.guild_id, payload["name"], parent_id=parent.id, thread=thread)
        channel.rate_limit_per_user = payload.get("rate_limit_per_user") or 0
        self.world.channels[number] = channel
        return channel

    def from_message(self, parent: Channel, message: Message, owner: User, payload: Json) -> Channel:
        """Start a thread from a message; 160004 when there is one already."""
        if message.thread_id is not None or message.id in self.world.channels:
            raise ApiError(160004)
        announcement = parent.type is ChannelType.ANNOUNCEMENT
        kind = ChannelType.ANNOUNCEMENT_THREAD if announcement else ChannelType.PUBLIC_THREAD
        channel = self._make(parent, kind, message.id, owner, payload)
        message.thread_id = channel.id
        message.flags |= MessageFlag.HAS_THREAD
        self.messages.tell_thread("THREAD_CREATE", channel, newly_created=True)
        self.messages.tell("MESSAGE_UPDATE", parent, message)
        starter = Message(
            self.world.snowflake(),
            channel.id,
            message.author,
            time.time(),
            type=MessageType.THREAD_STARTER_MESSAGE,
            reference=Reference(parent.id, message.id, parent.guild_id),
        )
        self.messages.add(channel, starter)
        return channel

    def start(self, parent: Channel, kind: ChannelType, owner: User, payload: Json) -> Channel:
        """Start a thread without a message; the channel is told of a public one."""
        channel = self._make(parent, kind, self.world.snowflake(), owner, payload)
        self.messages.tell_thread("THREAD_CREATE", channel, newly_created=True)
        if kind is not ChannelType.PRIVATE_THREAD:
            notice = Message(
                self.world.snowflake(),
                parent.id,
                owner,
                time.time(),
                content=channel.name,
                type=MessageType.THREAD_CREATED,
                reference=Reference(channel.id, 0, parent.guild_id),
            )
            self.messages.add(parent, notice)
        return channel

    async def forum_post(
        self, forum: Channel, owner: User, payload: Json, draft: Draft
    ) -> tuple[Channel, Message]:
        """Start a forum post: a thread whose first message has its id; 50006 for an empty one."""
        if not says_something(draft, [*draft.body.files]):
            raise ApiError(50006)
        channel = self._make(forum, ChannelType.PUBLIC_THREAD, self.world.snowflake(), owner, payload)
        if channel.thread is not None:
            channel.thread.applied_tags = [int(t) for t in payload.get("applied_tags") or []]
        self.messages.tell_thread("THREAD_CREATE", channel, newly_created=True)
        message = await self.messages.post(channel, owner, draft, message_id=channel.id)
        forum.last_message_id = channel.id
        return channel, message

    def edit_as_bot(self, channel: Channel, payload: Json) -> None:
        """Change a thread as the bot may: 50083 for an archived one, 50013 for what needs MANAGE_THREADS."""
        thread = channel.thread
        if thread is None:
            raise ApiError(50024)
        bits = self.world.permissions(channel)
        moderator = bool(bits & P.MANAGE_THREADS)
        own = thread.owner_id == self.world.bot.id
        if not moderator:
            if payload.get("locked") is not None and bool(payload["locked"]) != thread.locked:
                raise ApiError(50013)
            wakes_up = payload.get("archived") is False and thread.archived
            if wakes_up and thread.locked:
                raise ApiError(50083)
            may = own or (wakes_up and bits & P.SEND_MESSAGES_IN_THREADS and set(payload) == {"archived"})
            if not may:
                raise ApiError(50013)
        if thread.archived and payload.get("archived") is not False:
            raise ApiError(50083)
        self.edit(channel, payload)

    def edit(self, channel: Channel, payload: Json) -> None:
        """Change a thread, whoever asks."""
        thread = channel.thread
        if thread is None:
            raise ApiError(50024)
        form = Form()
        form.string(("name",), payload.get("name"), low=1, high=100)
        _check_shared(form, payload)
        for key in ("archived", "locked"):
            form.boolean((key,), payload.get(key))
        form.finish()
        channel.name = payload.get("name") or channel.name
        channel.rate_limit_per_user = payload.get("rate_limit_per_user") or channel.rate_limit_per_user
        thread.auto_archive_duration = payload.get("auto_archive_duration") or thread.auto_archive_duration
        if payload.get("locked") is not None:
            thread.locked = payload["locked"]
        if payload.get("invitable") is not None:
            thread.invitable = payload["invitable"]
        if payload.get("archived") is not None and payload["archived"] != thread.archived:
            thread.archived, thread.archived_at = payload["archived"], time.time()
        if payload.get("applied_tags") is not None:
            thread.applied_tags = [int(t) for t in payload["applied_tags"]]
        self.messages.tell_thread("THREAD_UPDATE", channel)

    def delete(self, channel: Channel) -> None:
        """Delete a channel with its threads, or a thread; the message a thread came from stays."""
        if not channel.is_thread:
            for thread in self.world.threads_of(channel):
                self.delete(thread)
        self.world.channels.pop(channel.id, None)
        self.messages.forget_files(channel)
        guild = self.world.guild_of(channel)
        if channel.is_thread:
            data: Json = {
                "id": str(channel.id),
                "guild_id": str(channel.guild_id),
                "parent_id": str(channel.parent_id),
                "type": int(channel.type),
            }
            self._forget_in_starter(channel)
            self.world.tell(Event("THREAD_DELETE", data, GUILDS_INTENT, guild))
        else:
            data = present.channel(self.world, channel)
            self.world.tell(Event("CHANNEL_DELETE", data, GUILDS_INTENT, guild))

    def _forget_in_starter(self, thread: Channel) -> None:
        parent = self.world.channels.get(thread.parent_id or 0)
        starter = parent.messages.get(thread.id) if parent else None
        if parent is not None and starter is not None:
            starter.thread_id = None
            starter.flags &= ~MessageFlag.HAS_THREAD
            self.messages.tell("MESSAGE_UPDATE", parent, starter)

    def tell_channel(self, name: str, channel: Channel) -> None:
        """Tell of a channel's making or change."""
        guild = self.world.guild_of(channel)
        self.world.tell(Event(name, present.channel(self.world, channel), GUILDS_INTENT, guild))
