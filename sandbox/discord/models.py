"""What Discord's world consists of, as plain data.

Identifiers are integers in here and strings on the wire; times are unix seconds (float).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, IntFlag
from pathlib import Path
from typing import Any

Json = dict[str, Any]

DISCORD_EPOCH_MS = 1_420_070_400_000
MIB = 1024 * 1024


class ChannelType(IntEnum):
    """https://docs.discord.com/developers/resources/channel#channel-object-channel-types."""

    TEXT = 0
    DM = 1
    VOICE = 2
    CATEGORY = 4
    ANNOUNCEMENT = 5
    ANNOUNCEMENT_THREAD = 10
    PUBLIC_THREAD = 11
    PRIVATE_THREAD = 12
    STAGE = 13
    FORUM = 15
    MEDIA = 16


THREAD_TYPES = frozenset(
    {ChannelType.ANNOUNCEMENT_THREAD, ChannelType.PUBLIC_THREAD, ChannelType.PRIVATE_THREAD}
)
VOICE_TYPES = frozenset({ChannelType.VOICE, ChannelType.STAGE})
FORUM_TYPES = frozenset({ChannelType.FORUM, ChannelType.MEDIA})


class MessageType(IntEnum):
    """The kinds of message this stand-in makes."""

    DEFAULT = 0
    THREAD_CREATED = 18
    REPLY = 19
    CHAT_INPUT_COMMAND = 20
    THREAD_STARTER_MESSAGE = 21
    CONTEXT_MENU_COMMAND = 23


class MessageFlag(IntFlag):
    """https://docs.discord.com/developers/resources/message#message-object-message-flags."""

    SUPPRESS_EMBEDS = 1 << 2
    HAS_THREAD = 1 << 5
    EPHEMERAL = 1 << 6
    LOADING = 1 << 7
    SUPPRESS_NOTIFICATIONS = 1 << 12
    IS_COMPONENTS_V2 = 1 << 15


class InteractionType(IntEnum):
    """What a person did."""

    COMMAND = 2
    COMPONENT = 3
    AUTOCOMPLETE = 4
    MODAL_SUBMIT = 5


@dataclass
class User:
    """An account: a person or the bot."""

    id: int
    username: str
    global_name: str | None
    avatar: str | None = None
    bot: bool = False
    locale: str = "en-US"
    premium_type: int = 0
    dm_refusal: int | None = None
    """The code that the bot's direct messages to them are refused with; None: they are taken."""


@dataclass
class Role:
    """A guild's role; the one with the guild's own id is @everyone."""

    id: int
    name: str
    permissions: int
    position: int
    color: int = 0
    hoist: bool = False
    managed: bool = False
    mentionable: bool = False
    bot_id: int | None = None


@dataclass
class Overwrite:
    """A permission overwrite: `type` 0 is a role's, 1 a member's."""

    id: int
    type: int
    allow: int = 0
    deny: int = 0


@dataclass
class Member:
    """A user in a guild."""

    user: User
    roles: list[int]
    joined_at: float
    nick: str | None = None
    timed_out_until: float | None = None


@dataclass
class Attachment:
    """An uploaded file; its bytes are at `path`, its address is signed anew each time it is shown."""

    id: int
    channel_id: int
    filename: str
    size: int
    path: Path
    content_type: str | None = None
    width: int | None = None
    height: int | None = None
    duration: float | None = None
    description: str | None = None
    title: str | None = None
    spoiler: bool = False
    ephemeral: bool = False


@dataclass
class Reference:
    """What a reply answers (type 0) or a thread starter shows."""

    channel_id: int
    message_id: int
    guild_id: int | None


@dataclass
class Message:
    """A message; `ephemeral_for` names the only person who sees it."""

    id: int
    channel_id: int
    author: User
    timestamp: float
    content: str = ""
    type: int = MessageType.DEFAULT
    flags: int = 0
    edited_timestamp: float | None = None
    embeds: list[Json] = field(default_factory=list)
    components: list[Json] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    mentions: list[int] = field(default_factory=list)
    mention_roles: list[int] = field(default_factory=list)
    mention_everyone: bool = False
    notified: list[int] = field(default_factory=list)
    reference: Reference | None = None
    tts: bool = False
    pinned: bool = False
    nonce: str | int | None = None
    thread_id: int | None = None
    position: int | None = None
    interaction: Interaction | None = None
    ephemeral_for: int | None = None
    allowed_mentions: Json | None = None
    born: float = 0.0
    """When it was posted, on the clock of the limits."""

    @property
    def loading(self) -> bool:
        """Whether this is still the "thinking…" of a deferred reply."""
        return bool(self.flags & MessageFlag.LOADING)


@dataclass
class Thread:
    """What a thread has beyond a channel."""

    owner_id: int
    created_at: float
    archived: bool = False
    archived_at: float = 0.0
    auto_archive_duration: int = 1440
    locked: bool = False
    invitable: bool = True
    message_count: int = 0
    total_message_sent: int = 0
    members: dict[int, float] = field(default_factory=dict)
    applied_tags: list[int] = field(default_factory=list)


@dataclass
class Channel:
    """A channel, category, thread or DM. `overwrites` is empty for threads: they follow their parent."""

    id: int
    type: ChannelType
    guild_id: int | None
    name: str
    position: int = 0
    parent_id: int | None = None
    topic: str | None = None
    nsfw: bool = False
    rate_limit_per_user: int = 0
    overwrites: dict[int, Overwrite] = field(default_factory=dict)
    recipient: User | None = None
    thread: Thread | None = None
    tags: list[Json] = field(default_factory=list)
    last_message_id: int | None = None
    messages: dict[int, Message] = field(default_factory=dict)

    @property
    def is_thread(self) -> bool:
        """Whether this is a thread or a forum post."""
        return self.type in THREAD_TYPES

    @property
    def is_voice(self) -> bool:
        """Whether this is a voice or a stage channel."""
        return self.type in VOICE_TYPES

    @property
    def holds_messages(self) -> bool:
        """Whether messages can be posted straight into it."""
        return self.type not in FORUM_TYPES and self.type is not ChannelType.CATEGORY


@dataclass
class Guild:
    """A server."""

    id: int
    name: str
    owner_id: int
    roles: dict[int, Role] = field(default_factory=dict)
    members: dict[int, Member] = field(default_factory=dict)
    premium_tier: int = 0
    preferred_locale: str = "en-US"
    features: list[str] = field(default_factory=list)
    bot_joined_at: float = 0.0
    commands_only: bool = False
    """Whether the app was added with its commands and without its bot."""


@dataclass
class Interaction:
    """Something a person did that the bot has to answer. `born` is on the clock of the limits."""

    id: int
    token: str
    type: InteractionType
    user: User
    channel: Channel
    guild: Guild | None
    data: Json
    at: float
    born: float
    name: str
    source: Message | None = None
    parent: Interaction | None = None
    acknowledged_at: float | None = None
    callback_type: int | None = None
    failed: bool = False
    ephemeral: bool = False
    response: Message | None = None
    responded: bool = False
    modal: Json | None = None
    choices: list[Json] | None = None
    followups: list[int] = field(default_factory=list)


@dataclass
class Settings:
    """What the control interface may change about the stand-in's behaviour."""

    default_upload_limit: int = 10 * MIB
    nitro_upload_limit: int = 500 * MIB
    basic_upload_limit: int = 50 * MIB
    privileged_intents: list[str] = field(default_factory=list)
    heartbeat_interval: float = 41.25
    identify_interval: float = 0.0
    refuse_gateway_until: float = 0.0
    rate_limits: bool = True
    shards: int = 1
    interaction_copies: int = 1
    replay_interactions: bool = False
    old_edits: int = 3
    invalid_request_limit: int = 10_000
    ban_seconds: float = 3_600.0
    favourable_app_permissions: bool = False
    escaped_links: bool = False
    sessions_remaining: int = 1_000
