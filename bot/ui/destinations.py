"""Where a command may be used: asked before anything is paid, so that its video has a place to go."""

from __future__ import annotations

from typing import Any

import discord

from bot.domain.job import Destination
from bot.errors import Refusal
from bot.ui.i18n import N_, Texts

THREADABLE = {discord.ChannelType.text, discord.ChannelType.news}
THREADS = {
    discord.ChannelType.public_thread,
    discord.ChannelType.private_thread,
    discord.ChannelType.news_thread,
}


def destination(interaction: discord.Interaction[Any], *, money: bool) -> Destination:
    """Return where messages about a job from here go; raises `Refusal` when none could be posted here."""
    return Destination(
        channel_id=interaction.channel_id or 0,
        guild_id=interaction.guild_id,
        guild_locale=str(interaction.guild_locale or interaction.locale),
        parent_channel_id=getattr(interaction.channel, "parent_id", None),
        wants_thread=_wants_thread(interaction, money),
        upload_limit=interaction.filesize_limit,
    )


def _wants_thread(interaction: discord.Interaction[Any], money: bool) -> bool:
    kind = interaction.channel.type if interaction.channel is not None else None
    only_theirs = interaction.is_user_integration() and not interaction.is_guild_integration()
    if kind is discord.ChannelType.group or (interaction.guild_id is not None and only_theirs):
        raise Refusal(
            N_("Kinora is not a member here, so it could not bring the video later."),
            N_("Use the command in a server that has Kinora, or in a direct message with it."),
            money=money,
        )
    if interaction.guild_id is None:  # a direct message with the bot: no threads, no permissions
        return False
    allowed = interaction.app_permissions
    _check_permissions(interaction, kind in THREADS, money)
    thread = interaction.channel
    if isinstance(thread, discord.Thread) and thread.locked and not allowed.manage_threads:
        raise Refusal(
            N_("This thread is locked, so Kinora could not post the video in it."),
            N_("Use the command in another thread or channel, or ask a moderator to unlock this one."),
            money=money,
        )
    return kind in THREADABLE and allowed.create_public_threads and allowed.send_messages_in_threads


def _check_permissions(interaction: discord.Interaction[Any], in_thread: bool, money: bool) -> None:
    missing = _missing(interaction.app_permissions, in_thread)
    if not missing:
        return

    def permissions(texts: Texts) -> str:
        return texts.all_of([f"**{texts.text(name)}**" for name in missing])

    raise Refusal(
        N_("Kinora is not allowed all that it needs in this thread: {permissions}.")
        if in_thread
        else N_("Kinora is not allowed all that it needs in this channel: {permissions}."),
        N_(
            "Someone who manages the server can allow it: Edit Channel → Permissions → add Kinora → allow "
            "{permissions}."
        ),
        money=money,
        permissions=permissions,
    )


def _missing(allowed: discord.Permissions, in_thread: bool) -> list[str]:
    # Send Messages has no effect inside threads: Send Messages in Threads does.
    needed = {
        N_("View Channel"): allowed.view_channel,
        N_("Send Messages in Threads") if in_thread else N_("Send Messages"): (
            allowed.send_messages_in_threads if in_thread else allowed.send_messages
        ),
        N_("Embed Links"): allowed.embed_links,
        N_("Attach Files"): allowed.attach_files,
        N_("Read Message History"): allowed.read_message_history,
    }
    return [name for name, granted in needed.items() if not granted]
