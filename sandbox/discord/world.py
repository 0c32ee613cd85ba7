"""The state of the stand-in: who and what there is, the clock, and the telling of what happened."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.discord.commands import Command
from sandbox.discord.errors import ApiError
from sandbox.discord.models import (
    DISCORD_EPOCH_MS,
    MIB,
    Channel,
    ChannelType,
    Guild,
    Interaction,
    Json,
    Member,
    Message,
    MessageFlag,
    Settings,
    User,
)
from sandbox.discord.permissions import NOTHING, Permission, can_see, permissions_in

NONCE_SECONDS = 300.0
UPLOAD_LIMIT_BY_TIER = {2: 50 * MIB, 3: 100 * MIB}


@dataclass
class Event:
    """Something that happened: a gateway event's name and data, and whom it concerns.

    `only` narrows the people (an ephemeral message). `intent` is the bit a session needs, 0 for none.
    """

    name: str
    data: Json
    intent: int = 0
    guild: Guild | None = None
    channel: Channel | None = None
    message: Message | None = None
    only: User | None = None
    to_bot: bool = True


@dataclass
class World:
    """Everything the stand-in knows. `bot` is the application's own user, with the application's id."""

    bot: User
    data_dir: Path
    base_url: str = ""
    settings: Settings = field(default_factory=Settings)
    users: dict[int, User] = field(default_factory=dict)
    guilds: dict[int, Guild] = field(default_factory=dict)
    channels: dict[int, Channel] = field(default_factory=dict)
    commands: dict[int, Command] = field(default_factory=dict)
    interactions: dict[int, Interaction] = field(default_factory=dict)
    tokens: dict[str, Interaction] = field(default_factory=dict)
    nonces: dict[tuple[int, int, str], tuple[float, int]] = field(default_factory=dict)
    listeners: list[Callable[[Event], None]] = field(default_factory=list)
    clock_shift: float = 0.0
    sessions_reset_at: float = 0.0
    token_reset: bool = False
    """Whether Discord has voided the bot's token, for want of session starts."""
    _last_id: int = 0

    # --- clocks and ids

    def now(self) -> float:
        """Read the clock that limits are measured on: unix seconds, moved by the control interface."""
        return time.time() + self.clock_shift

    def snowflake(self, at: float | None = None) -> int:
        """Make a new id, always larger than the one before unless a time (unix seconds) is given.

        Ids follow the real clock, as the bot's own clock does; see `now` for the other one.
        """
        ms = int((time.time() if at is None else at) * 1000) - DISCORD_EPOCH_MS
        new = ms << 22
        if at is None:
            new = max(new, self._last_id + 1)
            self._last_id = new
        return new

    # --- looking things up

    @property
    def application_id(self) -> int:
        """The application's id, which is also the bot user's."""
        return self.bot.id

    def guild(self, guild_id: int) -> Guild:
        """Find a guild the bot is in; 10004."""
        guild = self.guilds.get(guild_id)
        if guild is None or self.bot.id not in guild.members:
            raise ApiError(10004)
        return guild

    def channel(self, channel_id: int) -> Channel:
        """Find a channel; 10003."""
        try:
            return self.channels[channel_id]
        except KeyError:
            raise ApiError(10003) from None

    def guild_of(self, channel: Channel) -> Guild | None:
        """Find a channel's guild; None for a DM."""
        return self.guilds[channel.guild_id] if channel.guild_id is not None else None

    def parent_of(self, thread: Channel) -> Channel:
        """Find the channel a thread belongs to."""
        if thread.parent_id is None:
            raise ApiError(10003)
        return self.channel(thread.parent_id)

    def message(self, channel: Channel, message_id: int) -> Message:
        """Find a message that is not ephemeral; 10008."""
        message = channel.messages.get(message_id)
        if message is None or message.ephemeral_for is not None:
            raise ApiError(10008)
        return message

    def member(self, guild: Guild | None, user: User) -> Member | None:
        """Find someone's membership."""
        return guild.members.get(user.id) if guild else None

    def channels_of(self, guild: Guild, *, threads: bool = False) -> list[Channel]:
        """List a guild's channels, or its threads."""
        found = [c for c in self.channels.values() if c.guild_id == guild.id and c.is_thread == threads]
        return sorted(found, key=lambda c: (c.position, c.id))

    def threads_of(self, channel: Channel) -> list[Channel]:
        """List a channel's threads, oldest first."""
        found = [c for c in self.channels.values() if c.is_thread and c.parent_id == channel.id]
        return sorted(found, key=lambda c: c.id)

    def dm_with(self, user: User) -> Channel | None:
        """Find the DM between a person and the bot."""
        return next((c for c in self.channels.values() if c.recipient is user), None)

    def open_dm(self, user: User) -> Channel:
        """Find or open the DM between a person and the bot."""
        dm = self.dm_with(user)
        if dm is None:
            dm = Channel(self.snowflake(), ChannelType.DM, None, user.username, recipient=user)
            self.channels[dm.id] = dm
        return dm

    # --- rules

    def permissions(self, channel: Channel, user: User | None = None) -> int:
        """Compute what the bot (or someone else) may do in a channel."""
        return permissions_in(self, channel, user or self.bot)

    def require(self, channel: Channel, needed: Permission = NOTHING) -> None:
        """Insist that the bot sees a channel (50001) and may do what it is about to do (50013)."""
        bot_left = channel.guild_id is not None and self.bot.id not in self.guilds[channel.guild_id].members
        if bot_left or not can_see(self, channel, self.bot):
            raise ApiError(50001)
        if self.permissions(channel) & needed != needed:
            raise ApiError(50013)

    def upload_limit(self, guild: Guild | None, invoker: User | None = None) -> int:
        """Compute the largest file, in bytes: the guild's limit, or the invoker's own when that is higher."""
        limit = self.settings.default_upload_limit
        if guild is not None:
            limit = max(limit, UPLOAD_LIMIT_BY_TIER.get(guild.premium_tier, 0))
        if invoker is not None and invoker.premium_type:
            nitro = invoker.premium_type == 2
            own = self.settings.nitro_upload_limit if nitro else self.settings.basic_upload_limit
            limit = max(limit, own)
        return limit

    def people_who_see(self, event: Event) -> list[User]:
        """List the people (not the bot) who would notice an event."""
        if event.only is not None:
            return [event.only]
        if event.channel is not None:
            channel = event.channel
            return [u for u in self.users.values() if not u.bot and can_see(self, channel, u)]
        if event.guild is not None:
            return [m.user for m in event.guild.members.values() if not m.user.bot]
        return []

    # --- telling

    def tell(self, event: Event) -> None:
        """Hand an event to everyone who listens: the gateway and the control site."""
        for listener in self.listeners:
            listener(event)

    def remember_nonce(self, message: Message) -> None:
        """Keep a message's nonce for as long as Discord does."""
        if message.nonce is not None:
            key = (message.author.id, message.channel_id, str(message.nonce))
            self.nonces[key] = (self.now(), message.id)

    def find_nonce(self, author: User, channel: Channel, nonce: object) -> Message | None:
        """Find the message an author posted with a nonce within the last few minutes."""
        at, message_id = self.nonces.get((author.id, channel.id, str(nonce)), (0.0, 0))
        if self.now() - at > NONCE_SECONDS:
            return None
        return channel.messages.get(message_id)

    def visible(self, message: Message, user: User) -> bool:
        """Whether someone sees a message, given that they see its channel."""
        return message.ephemeral_for is None or message.ephemeral_for == user.id

    def is_ephemeral(self, message: Message) -> bool:
        """Whether a message is for one person only."""
        return bool(message.flags & MessageFlag.EPHEMERAL)
