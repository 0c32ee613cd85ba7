"""The sandbox with four servers instead of one, each on a shard of its own when there are four."""

from __future__ import annotations

import sys
from pathlib import Path

import sandbox.discord
from sandbox.__main__ import main as run_sandbox
from sandbox.discord.initial import BOT_PERMISSIONS, FOUNDED, initial_world
from sandbox.discord.models import Channel, ChannelType, Guild, Member, Role
from sandbox.discord.permissions import EVERYONE
from sandbox.discord.world import World

GUILDS = 4
PLACES = 3
"""How many channels each server has for the tests; they are called `SERVER-NUMBER`, counted from 0."""


def world_of_four(data_dir: Path, base_url: str) -> World:
    """Build the initial world with more servers, and the people of the first in each."""
    world = initial_world(data_dir, base_url)
    (first,) = world.guilds.values()
    for number in range(GUILDS):
        # Discord's rule: a server's shard is its id without the lowest 22 bits, modulo the number of shards.
        guild = first if number == 0 else _another(world, first, first.id + (number << 22))
        for place in range(PLACES):
            channel = Channel(guild.id + 100 + place, ChannelType.TEXT, guild.id, f"{number}-{place}")
            world.channels[channel.id] = channel
    return world


def _another(world: World, first: Guild, guild_id: int) -> Guild:
    guild = Guild(guild_id, f"Server {guild_id}", first.owner_id, bot_joined_at=FOUNDED)
    guild.roles[guild_id] = Role(guild_id, "@everyone", int(EVERYONE), 0)
    bots = Role(guild_id + 1, "Kinora", int(BOT_PERMISSIONS), 1, managed=True, bot_id=world.bot.id)
    guild.roles[bots.id] = bots
    for user in world.users.values():
        guild.members[user.id] = Member(user, [bots.id] if user is world.bot else [], FOUNDED)
    world.guilds[guild_id] = guild
    return guild


def main() -> int:
    """Run the sandbox in that world."""
    sandbox.discord.initial_world = world_of_four  # type: ignore[attr-defined]
    return run_sandbox()


if __name__ == "__main__":
    sys.exit(main())
