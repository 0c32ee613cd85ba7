"""Tell people of a command that was acknowledged and then lost: privately while its token lives."""

from __future__ import annotations

import logging
from contextlib import suppress
from datetime import timedelta

import discord
from discord.http import Route

from bot.domain.request import InteractionRecord, LostCommand
from bot.errors import N_, PermanentError, Refusal, TemporaryError
from bot.messaging.errors import REPLY_REFUSALS, discord_errors
from bot.ui import replies
from bot.ui.i18n import texts

log = logging.getLogger(__name__)

EPHEMERAL = 64
"""The flag of a message that only one person sees."""
UNKNOWN_WEBHOOK = 10015
TOKEN_LIFE = timedelta(minutes=15)


class LostCommands:
    """Says that nothing was begun and nothing charged, and gives the prompt back."""

    def __init__(self, client: discord.Client) -> None:
        self._client = client

    async def tell(self, command: LostCommand) -> bool:
        """Tell the person; return whether that is done with: said, or nowhere to be said."""
        interaction = command.interaction
        refusal = Refusal(
            N_("Kinora was restarted just after it took your command, and lost it."),
            N_("Please run it again."),
            money=True,
        )
        embed = replies.refusal_embed(refusal, texts(interaction.locale), command.prompt)
        try:
            if interaction.token:
                with suppress(PermanentError), discord_errors(REPLY_REFUSALS):  # else the token has died
                    await self._privately(interaction, embed)
                    return True
            with discord_errors():
                await self._in_the_channel(interaction, embed)
        except TemporaryError as error:
            log.info("interaction %s was lost, which is told later (%s)", interaction.id, error)
            return False
        except PermanentError as error:
            log.warning("interaction %s was lost, which cannot be told there: %s", interaction.id, error)
        return True

    async def _privately(self, interaction: InteractionRecord, embed: discord.Embed) -> None:
        # The first followup takes over the deferral's visibility, which is public: the deferral goes first.
        base = f"/webhooks/{self._client.application_id}/{{webhook_token}}"
        original = Route("DELETE", f"{base}/messages/@original", webhook_token=interaction.token)
        with suppress(discord.NotFound):
            await self._client.http.request(original)
        followup = Route("POST", base, webhook_token=interaction.token)
        try:
            await self._client.http.request(followup, json={"embeds": [embed.to_dict()], "flags": EPHEMERAL})
        except discord.NotFound as error:
            age = discord.utils.utcnow() - discord.utils.snowflake_time(interaction.id)
            if error.code != UNKNOWN_WEBHOOK or age > TOKEN_LIFE:
                raise
            # It was never acknowledged, so Discord itself said that Kinora did not respond.

    async def _in_the_channel(self, interaction: InteractionRecord, embed: discord.Embed) -> None:
        channel = self._client.get_partial_messageable(interaction.channel_id or 0)
        await channel.send(
            f"<@{interaction.requester_id}>",
            embed=embed,
            nonce=f"{interaction.id}",
            allowed_mentions=discord.AllowedMentions(
                everyone=False, roles=False, users=[discord.Object(interaction.requester_id)]
            ),
        )
