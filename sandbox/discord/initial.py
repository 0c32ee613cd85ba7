"""The initial world, with one guild: one of everything a bot has to cope with.

Ids of what is here from the beginning are the same in every run, so that they can be put in a configuration.
"""

from __future__ import annotations

import hashlib
from itertools import count
from pathlib import Path

from sandbox.discord.models import (
    DISCORD_EPOCH_MS,
    Channel,
    ChannelType,
    Guild,
    Member,
    Message,
    Overwrite,
    Role,
    Thread,
    User,
)
from sandbox.discord.permissions import EVERYONE, P
from sandbox.discord.world import World

FOUNDED = 1_735_732_800.0  # 2025-01-01 12:00 UTC

BOT_PERMISSIONS = (
    P.VIEW_CHANNEL
    | P.SEND_MESSAGES
    | P.EMBED_LINKS
    | P.ATTACH_FILES
    | P.READ_MESSAGE_HISTORY
    | P.SEND_MESSAGES_IN_THREADS
    | P.CREATE_PUBLIC_THREADS
)


def _ids() -> count[int]:
    first = (int(FOUNDED * 1000) - DISCORD_EPOCH_MS) << 22
    return count(first, 60_000 << 22)


def initial_world(data_dir: Path, base_url: str) -> World:
    """Build a fresh world with that guild in it."""
    ids = _ids()

    def user(name: str, shown: str, *, bot: bool = False, premium_type: int = 0) -> User:
        avatar = hashlib.sha256(name.encode()).hexdigest()[:32]
        return User(next(ids), name, shown, avatar, bot=bot, premium_type=premium_type)

    bot = user("kinora", "Kinora", bot=True)
    world = World(bot, data_dir, base_url)
    people = {
        "olivia": user("olivia", "Olivia Owner", premium_type=2),
        "adam": user("adam", "Adam Admin"),
        "mia": user("mia", "Mia Member"),
        "rosa": user("rosa", "Rosa Regular"),
    }
    world.users = {u.id: u for u in (bot, *people.values())}
    guild = _guild(world, next(ids), people["olivia"])
    roles = _roles(guild, ids, bot)
    for name, held in {"olivia": [], "adam": ["Admin"], "mia": [], "rosa": ["Creators"]}.items():
        guild.members[people[name].id] = Member(people[name], [roles[r].id for r in held], FOUNDED)
    guild.members[bot.id] = Member(bot, [roles["Kinora"].id], FOUNDED)
    _channels(world, guild, roles, ids)
    return world


def _guild(world: World, guild_id: int, owner: User) -> Guild:
    guild = Guild(
        guild_id, "Moving Pictures", owner.id, features=["COMMUNITY", "NEWS"], bot_joined_at=FOUNDED
    )
    guild.roles[guild_id] = Role(guild_id, "@everyone", int(EVERYONE), 0)
    world.guilds[guild_id] = guild
    return guild


def _roles(guild: Guild, ids: count[int], bot: User) -> dict[str, Role]:
    roles = [
        Role(next(ids), "Creators", 0, 1, color=0x57F287, hoist=True, mentionable=True),
        Role(next(ids), "Kinora", int(BOT_PERMISSIONS), 2, color=0x5865F2, managed=True, bot_id=bot.id),
        Role(next(ids), "Admin", int(P.ADMINISTRATOR), 3, color=0xED4245, hoist=True),
    ]
    guild.roles.update({role.id: role for role in roles})
    return {role.name: role for role in roles}


def _channels(world: World, guild: Guild, roles: dict[str, Role], ids: count[int]) -> None:
    everyone, kinora = guild.id, roles["Kinora"].id

    def channel(name: str, kind: ChannelType, parent: Channel | None = None, **given: object) -> Channel:
        position = sum(c.guild_id == guild.id for c in world.channels.values())
        made = Channel(
            next(ids), kind, guild.id, name, position=position, parent_id=parent.id if parent else None
        )
        for key, value in given.items():
            setattr(made, key, value)
        world.channels[made.id] = made
        return made

    def hide_from_everyone() -> dict[int, Overwrite]:
        allowed = Overwrite(roles["Creators"].id, 0, allow=int(P.VIEW_CHANNEL))
        return {everyone: Overwrite(everyone, 0, deny=int(P.VIEW_CHANNEL)), allowed.id: allowed}

    studio = channel("Studio", ChannelType.CATEGORY)
    channel("stills", ChannelType.TEXT, studio, topic="Pictures that want to move")
    read_only = Overwrite(everyone, 0, deny=int(P.SEND_MESSAGES))
    bot_posts = Overwrite(kinora, 0, allow=int(P.SEND_MESSAGES))
    writers = Overwrite(roles["Creators"].id, 0, allow=int(P.SEND_MESSAGES))
    news = {everyone: read_only, kinora: bot_posts, writers.id: writers}
    channel("news", ChannelType.ANNOUNCEMENT, studio, topic="What is new", overwrites=news)
    tags = [{"id": str(next(ids)), "name": "Loop", "moderated": False, "emoji_id": None, "emoji_name": "🔁"}]
    showcase = channel("showcase", ChannelType.FORUM, studio, topic="Show what you made", tags=tags)
    flat = Overwrite(kinora, 0, deny=int(P.CREATE_PUBLIC_THREADS | P.SEND_MESSAGES_IN_THREADS))
    channel("no-threads", ChannelType.TEXT, studio, overwrites={kinora: flat})

    talk = channel("Talk", ChannelType.CATEGORY)
    channel("Lounge", ChannelType.VOICE, talk)
    channel("Premiere", ChannelType.STAGE, talk)

    # Synced with its category: a channel made in a category starts with a copy of its overwrites.
    backroom = channel("Backroom", ChannelType.CATEGORY, overwrites=hide_from_everyone())
    channel("private", ChannelType.TEXT, backroom, overwrites=hide_from_everyone())
    _forum_post(world, guild, showcase, ids)


def _forum_post(world: World, guild: Guild, forum: Channel, ids: count[int]) -> None:
    rosa = next(u for u in world.users.values() if u.username == "rosa")
    post = Channel(next(ids), ChannelType.PUBLIC_THREAD, guild.id, "Paper boats", parent_id=forum.id)
    post.thread = Thread(rosa.id, FOUNDED, auto_archive_duration=10080, members={rosa.id: FOUNDED})
    message = Message(post.id, post.id, rosa, FOUNDED, "Three stills of paper boats. Who makes them sail?")
    post.messages[message.id] = message
    post.last_message_id = message.id
    forum.last_message_id = post.id
    world.channels[post.id] = post
