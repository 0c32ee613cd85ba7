"""Where a command may be used: asked before anything is paid, of Discord's word on the bot's permissions."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import discord
import pytest

from bot.errors import Refusal
from bot.ui.destinations import destination
from bot.ui.i18n import texts

CHANNEL, PARENT, GUILD = 7, 6, 8
NEEDED = {
    "view_channel": "View Channel",
    "send_messages": "Send Messages",
    "embed_links": "Embed Links",
    "attach_files": "Attach Files",
    "read_message_history": "Read Message History",
}
THREADS = ("create_public_threads", "send_messages_in_threads")
ALL = (*NEEDED, *THREADS)


def an_interaction(
    *allowed: str,
    kind: discord.ChannelType = discord.ChannelType.text,
    channel: Any = None,
    guild_id: int | None = GUILD,
    member: bool = True,
) -> discord.Interaction[Any]:
    """Make a command's interaction, as far as the place is looked at."""
    made = SimpleNamespace(
        channel_id=CHANNEL,
        guild_id=guild_id,
        guild=SimpleNamespace(id=guild_id, unavailable=False) if guild_id and member else None,
        guild_locale=discord.Locale.german,
        locale=discord.Locale.british_english,
        channel=channel or SimpleNamespace(type=kind, parent_id=None),
        filesize_limit=10,
        app_permissions=discord.Permissions(**dict.fromkeys(allowed, True)),
        user=SimpleNamespace(id=42),
        client=SimpleNamespace(get_guild=lambda _id: object() if member else None, application_id=9),
        is_user_integration=lambda: not member,
        is_guild_integration=lambda: member,
    )
    return cast(discord.Interaction[Any], made)


def a_thread(*, locked: bool) -> discord.Thread:
    thread = discord.Thread.__new__(discord.Thread)
    thread.id, thread.parent_id, thread.locked, thread.archived = CHANNEL, PARENT, locked, False
    thread._type = discord.ChannelType.public_thread
    return thread


def test_with_all_permissions_the_video_gets_a_thread() -> None:
    there = destination(an_interaction(*ALL), money=True)
    assert (there.channel_id, there.guild_id, there.wants_thread) == (CHANNEL, GUILD, True)
    assert (there.guild_locale, there.upload_limit) == ("de", 10)


@pytest.mark.parametrize("missing", NEEDED)
def test_each_missing_permission_is_refused_by_name(missing: str) -> None:
    with pytest.raises(Refusal) as caught:
        destination(an_interaction(*(name for name in ALL if name != missing)), money=True)
    refusal = caught.value
    assert refusal.money  # so that it says that nothing was charged
    said = texts().text(refusal.message, **refusal.values)
    assert [name for name in NEEDED.values() if f"**{name}**" in said] == [NEEDED[missing]]


@pytest.mark.parametrize("missing", THREADS)
def test_a_thread_needs_both_permissions(missing: str) -> None:
    there = destination(an_interaction(*(name for name in ALL if name != missing)), money=True)
    assert not there.wants_thread


def test_inside_a_thread_its_own_permission_counts() -> None:
    thread = a_thread(locked=False)
    allowed = [name for name in ALL if name != "send_messages"]
    there = destination(an_interaction(*allowed, channel=thread), money=True)
    assert (there.parent_channel_id, there.wants_thread) == (PARENT, False)
    with pytest.raises(Refusal, match="thread"):
        destination(an_interaction(*NEEDED, channel=thread), money=True)


def test_a_locked_thread_is_refused_unless_the_bot_may_unlock_it() -> None:
    thread = a_thread(locked=True)
    with pytest.raises(Refusal, match="locked"):
        destination(an_interaction(*ALL, channel=thread), money=True)
    destination(an_interaction(*ALL, "manage_threads", channel=thread), money=True)


def test_where_the_bot_is_no_member_nothing_is_paid() -> None:
    with pytest.raises(Refusal):
        destination(an_interaction(*ALL, member=False), money=True)
    with pytest.raises(Refusal):
        destination(an_interaction(*ALL, kind=discord.ChannelType.group, guild_id=None), money=True)


def test_a_direct_message_needs_no_permission() -> None:
    there = destination(an_interaction(kind=discord.ChannelType.private, guild_id=None), money=True)
    assert (there.channel_id, there.wants_thread) == (CHANNEL, False)
