"""Who may do what, computed as Discord computes it.

https://docs.discord.com/developers/topics/permissions
"""

from __future__ import annotations

from enum import IntFlag
from typing import Protocol

from sandbox.discord.models import Channel, ChannelType, Guild, Member, Overwrite, User


class Directory(Protocol):
    """What decides who may do what: the bot, the guilds with their members, and the clock of timeouts."""

    bot: User
    guilds: dict[int, Guild]

    def parent_of(self, thread: Channel) -> Channel:
        """Find the channel a thread belongs to."""
        ...

    def now(self) -> float:
        """Read the clock, in unix seconds."""
        ...


class Permission(IntFlag):
    """The permission bits; the names are Discord's."""

    CREATE_INSTANT_INVITE = 1 << 0
    KICK_MEMBERS = 1 << 1
    BAN_MEMBERS = 1 << 2
    ADMINISTRATOR = 1 << 3
    MANAGE_CHANNELS = 1 << 4
    MANAGE_GUILD = 1 << 5
    ADD_REACTIONS = 1 << 6
    VIEW_AUDIT_LOG = 1 << 7
    PRIORITY_SPEAKER = 1 << 8
    STREAM = 1 << 9
    VIEW_CHANNEL = 1 << 10
    SEND_MESSAGES = 1 << 11
    SEND_TTS_MESSAGES = 1 << 12
    MANAGE_MESSAGES = 1 << 13
    EMBED_LINKS = 1 << 14
    ATTACH_FILES = 1 << 15
    READ_MESSAGE_HISTORY = 1 << 16
    MENTION_EVERYONE = 1 << 17
    USE_EXTERNAL_EMOJIS = 1 << 18
    VIEW_GUILD_INSIGHTS = 1 << 19
    CONNECT = 1 << 20
    SPEAK = 1 << 21
    MUTE_MEMBERS = 1 << 22
    DEAFEN_MEMBERS = 1 << 23
    MOVE_MEMBERS = 1 << 24
    USE_VAD = 1 << 25
    CHANGE_NICKNAME = 1 << 26
    MANAGE_NICKNAMES = 1 << 27
    MANAGE_ROLES = 1 << 28
    MANAGE_WEBHOOKS = 1 << 29
    MANAGE_GUILD_EXPRESSIONS = 1 << 30
    USE_APPLICATION_COMMANDS = 1 << 31
    REQUEST_TO_SPEAK = 1 << 32
    MANAGE_EVENTS = 1 << 33
    MANAGE_THREADS = 1 << 34
    CREATE_PUBLIC_THREADS = 1 << 35
    CREATE_PRIVATE_THREADS = 1 << 36
    USE_EXTERNAL_STICKERS = 1 << 37
    SEND_MESSAGES_IN_THREADS = 1 << 38
    USE_EMBEDDED_ACTIVITIES = 1 << 39
    MODERATE_MEMBERS = 1 << 40
    VIEW_CREATOR_MONETIZATION_ANALYTICS = 1 << 41
    USE_SOUNDBOARD = 1 << 42
    CREATE_GUILD_EXPRESSIONS = 1 << 43
    CREATE_EVENTS = 1 << 44
    USE_EXTERNAL_SOUNDS = 1 << 45
    SEND_VOICE_MESSAGES = 1 << 46
    SET_VOICE_CHANNEL_STATUS = 1 << 48
    SEND_POLLS = 1 << 49
    USE_EXTERNAL_APPS = 1 << 50
    PIN_MESSAGES = 1 << 51
    BYPASS_SLOWMODE = 1 << 52


P = Permission
NOTHING = Permission(0)
ALL = sum(permission.value for permission in Permission)

WHEN_TIMED_OUT = P.VIEW_CHANNEL | P.READ_MESSAGE_HISTORY
NEEDS_SENDING = P.MENTION_EVERYONE | P.SEND_TTS_MESSAGES | P.ATTACH_FILES | P.EMBED_LINKS

EVERYONE = (
    P.VIEW_CHANNEL
    | P.SEND_MESSAGES
    | P.SEND_MESSAGES_IN_THREADS
    | P.CREATE_PUBLIC_THREADS
    | P.CREATE_PRIVATE_THREADS
    | P.EMBED_LINKS
    | P.ATTACH_FILES
    | P.ADD_REACTIONS
    | P.READ_MESSAGE_HISTORY
    | P.USE_APPLICATION_COMMANDS
    | P.USE_EXTERNAL_EMOJIS
    | P.CREATE_INSTANT_INVITE
    | P.CHANGE_NICKNAME
    | P.CONNECT
    | P.SPEAK
    | P.STREAM
    | P.USE_VAD
    | P.SEND_POLLS
    | P.SEND_VOICE_MESSAGES
)

# What works in a DM: there is nobody who could take it away.
IN_DM = (
    P.VIEW_CHANNEL
    | P.SEND_MESSAGES
    | P.SEND_TTS_MESSAGES
    | P.EMBED_LINKS
    | P.ATTACH_FILES
    | P.READ_MESSAGE_HISTORY
    | P.MENTION_EVERYONE
    | P.USE_EXTERNAL_EMOJIS
    | P.ADD_REACTIONS
    | P.USE_APPLICATION_COMMANDS
    | P.SEND_VOICE_MESSAGES
    | P.SEND_POLLS
)


def parse(names: list[str]) -> int:
    """Turn Discord's permission names into their bits; ValueError names an unknown one."""
    bits = 0
    for name in names:
        try:
            bits |= Permission[name.upper()]
        except KeyError:
            raise ValueError(f"{name!r} is no permission of Discord's") from None
    return bits


def names(bits: int) -> list[str]:
    """Turn permission bits into Discord's names."""
    return [p.name for p in P if p.name and bits & p]


def guild_permissions(guild: Guild, member: Member) -> int:
    """Compute what a member may do in the guild, before any channel's overwrites."""
    if member.user.id == guild.owner_id:
        return ALL
    bits = guild.roles[guild.id].permissions
    for role_id in member.roles:
        if role := guild.roles.get(role_id):
            bits |= role.permissions
    return ALL if bits & P.ADMINISTRATOR else bits


def _overwritten(bits: int, overwrites: dict[int, Overwrite], guild: Guild, member: Member) -> int:
    if everyone := overwrites.get(guild.id):
        bits = bits & ~everyone.deny | everyone.allow
    roles = [overwrites[r] for r in member.roles if r in overwrites]
    for overwrite in roles:
        bits &= ~overwrite.deny
    for overwrite in roles:
        bits |= overwrite.allow
    if own := overwrites.get(member.user.id):
        bits = bits & ~own.deny | own.allow
    return bits


def permissions_in(directory: Directory, channel: Channel, user: User) -> int:
    """Compute a user's effective permissions in a channel, thread or DM; 0 when they cannot see it."""
    if channel.guild_id is None:
        concerned = channel.recipient is not None and user.id in (channel.recipient.id, directory.bot.id)
        return int(IN_DM) if concerned else 0
    guild = directory.guilds[channel.guild_id]
    member = guild.members.get(user.id)
    if member is None:
        return 0
    bits = guild_permissions(guild, member)
    if bits == ALL:
        return ALL
    place = directory.parent_of(channel) if channel.is_thread else channel
    bits = _overwritten(bits, place.overwrites, guild, member)
    if member.timed_out_until and member.timed_out_until > directory.now():
        bits &= WHEN_TIMED_OUT
    return _without_implied(bits, channel, user)


def app_permissions(directory: Directory, channel: Channel, *, favourable: bool = False) -> int:
    """Compute what an interaction says the app may do; without a bot in the guild, nearly @everyone's.

    https://github.com/discord/discord-api-docs/issues/5316. `favourable`: in a private thread it is said as
    if the bot were invited, which is not documented either way.
    """
    if favourable and channel.type is ChannelType.PRIVATE_THREAD:
        return app_permissions(directory, directory.parent_of(channel))
    guild = directory.guilds[channel.guild_id] if channel.guild_id is not None else None
    if guild is None or directory.bot.id in guild.members:
        return permissions_in(directory, channel, directory.bot)
    return guild.roles[guild.id].permissions | P.ATTACH_FILES | P.EMBED_LINKS


def _without_implied(bits: int, channel: Channel, user: User) -> int:
    """Take away what a denied permission implies: https://docs.discord.com/developers/topics/permissions#implicit-permissions."""
    if not bits & P.VIEW_CHANNEL:
        return 0
    thread = channel.thread
    if channel.type is ChannelType.PRIVATE_THREAD and thread is not None:
        invited = user.id in thread.members or bits & P.MANAGE_THREADS
        if not invited:
            return 0
    sending = P.SEND_MESSAGES_IN_THREADS if channel.is_thread else P.SEND_MESSAGES
    if not bits & sending:
        bits &= ~NEEDS_SENDING
    return bits


def can_see(directory: Directory, channel: Channel, user: User) -> bool:
    """Whether a user sees a channel and what is said in it."""
    bits = permissions_in(directory, channel, user)
    needed = P.VIEW_CHANNEL | (P.CONNECT if channel.is_voice else NOTHING)
    return bits & needed == needed
