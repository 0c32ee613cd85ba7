"""Where a command may be used: asked before anything is paid, so that its video has a place to go."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
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
VOICES = {discord.ChannelType.voice, discord.ChannelType.stage_voice}
WITHOUT_MESSAGES = {discord.ChannelType.forum, discord.ChannelType.media}
"""Channels that take posts only, so that no message can go there in place of one in a thread."""
UNKNOWN_CHANNEL, MISSING_ACCESS = 10003, 50001
PROOF_SECONDS = 1.5
"""How long to wait for a proof, of the three seconds that Discord gives for the first answer."""
PERMISSIONS = 309238811648
"""What Kinora asks for when it is added; the README's link has the same."""
INSTALL_LINK = (
    "https://discord.com/oauth2/authorize?client_id={application}&scope=bot+applications.commands"
    f"&permissions={PERMISSIONS}&guild_id={{guild}}"
)


def destination(interaction: discord.Interaction[Any], *, money: bool) -> Destination:
    """Return where messages about a job from here go; raises `Refusal` when none could be posted here."""
    return Destination(
        channel_id=interaction.channel_id or 0,
        guild_id=interaction.guild_id,
        guild_locale=str(interaction.guild_locale or interaction.locale),
        parent_channel_id=_parent_id(interaction),
        wants_thread=_wants_thread(interaction, money),
        upload_limit=interaction.filesize_limit,
    )


def options(interaction: discord.Interaction[Any]) -> Mapping[str, Any]:
    """Return what else a job remembers of where it was asked for: see `bot.domain.places`."""
    return {"interaction": interaction.id, "private": _is_private(interaction)}


async def prove_access(interaction: discord.Interaction[Any]) -> None:
    """Make sure that Kinora can get into a private thread before anything is paid there; raises `Refusal`.

    The command arrives all the same, and whether its permissions tell is not documented.
    """
    if interaction.guild_id is None or not _is_private(interaction):
        return
    if interaction.app_permissions.manage_threads and interaction.channel is not None:
        return
    try:
        async with asyncio.timeout(PROOF_SECONDS):
            await interaction.client.fetch_channel(interaction.channel_id or 0)
    except discord.HTTPException as error:
        if error.code not in (UNKNOWN_CHANNEL, MISSING_ACCESS):
            raise
        raise Refusal(
            N_("Kinora is not in this private thread, so it could not post the video in it."),
            N_("Mention @Kinora here to invite it, then run the command again."),
            money=True,
        ) from None


def _is_private(interaction: discord.Interaction[Any]) -> bool:
    """Return whether nobody else may learn of it: also where Discord does not say what a place is."""
    kind = interaction.channel.type if interaction.channel is not None else None
    return kind in (None, discord.ChannelType.private, discord.ChannelType.private_thread)


def _parent_id(interaction: discord.Interaction[Any]) -> int | None:
    """Return a thread's channel, if it takes messages."""
    parent = getattr(interaction.channel, "parent", None)
    if parent is not None and parent.type in WITHOUT_MESSAGES:
        return None
    return getattr(interaction.channel, "parent_id", None) if _is_thread(interaction) else None


def _is_thread(interaction: discord.Interaction[Any]) -> bool:
    return interaction.channel is not None and interaction.channel.type in THREADS


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
    _check_membership(interaction, interaction.guild_id, money)
    _check_permissions(interaction, kind in THREADS, money)
    thread = interaction.channel
    if isinstance(thread, discord.Thread) and thread.locked and not allowed.manage_threads:
        raise Refusal(
            N_("This thread is locked, so Kinora could not post the video in it."),
            N_("Use the command in another thread or channel, or ask a moderator to unlock this one."),
            money=money,
        )
    return kind in THREADABLE and allowed.create_public_threads and allowed.send_messages_in_threads


def _check_membership(interaction: discord.Interaction[Any], guild_id: int, money: bool) -> None:
    """Refuse where the app was added without its bot: permissions look fine there, and every post fails."""
    if interaction.client.get_guild(guild_id) is None:
        raise Refusal(
            N_("Only Kinora's commands were added to this server, not its bot, so it could post nothing."),
            N_("Someone who manages the server can add it in full: {link}"),
            money=money,
            link=INSTALL_LINK.format(application=interaction.application_id, guild=guild_id),
        )


def _check_permissions(interaction: discord.Interaction[Any], in_thread: bool, money: bool) -> None:
    kind = interaction.channel.type if interaction.channel is not None else None
    missing = _missing(interaction.app_permissions, in_thread, kind in VOICES)
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


def _missing(allowed: discord.Permissions, in_thread: bool, in_voice: bool) -> list[str]:
    # Send Messages has no effect inside threads: Send Messages in Threads does.
    needed = {
        N_("View Channel"): allowed.view_channel,
        # The chat of a voice or stage channel is closed to whoever may not join it.
        N_("Connect"): allowed.connect or not in_voice,
        N_("Send Messages in Threads") if in_thread else N_("Send Messages"): (
            allowed.send_messages_in_threads if in_thread else allowed.send_messages
        ),
        N_("Embed Links"): allowed.embed_links,
        N_("Attach Files"): allowed.attach_files,
        N_("Read Message History"): allowed.read_message_history,
    }
    return [name for name, granted in needed.items() if not granted]
