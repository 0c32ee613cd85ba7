"""Say no privately: what is wrong, that nothing was charged, what to do, and the person's prompt back."""

from __future__ import annotations

import logging

import aiohttp
import discord
from discord import app_commands
from discord.ext import commands

from bot.client import Kinora
from bot.domain.retry import DatabaseAway
from bot.ui import status as cards

log = logging.getLogger(__name__)


ALREADY_ACKNOWLEDGED = 40060
NETWORK = (discord.HTTPException, aiohttp.ClientError, TimeoutError, OSError)


class Refusal(Exception):
    """A request that cannot be taken: `sentence` says what is wrong, `remedy` what to do."""

    def __init__(self, sentence: str, remedy: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.remedy = remedy


def refuse_while_stopping(bot: Kinora) -> None:
    """Take nothing new while the bot is being stopped."""
    if bot.stopping:
        raise Refusal("Kinora is being restarted just now.", "Please try again in a minute.")


def database_away(error: DatabaseAway) -> Refusal:
    """Say honestly that the database does not answer, and whether the request may have been taken."""
    if error.begun:
        return Refusal(
            "Kinora's database stopped answering at this very moment.",
            "Should nothing show up here within five minutes, it was not taken: please try again then.",
        )
    return Refusal("Kinora's database does not answer just now.", "Please try again in a minute.")


async def refuse(
    interaction: discord.Interaction, refusal: Refusal, prompt: str, *, replace: bool = True
) -> None:
    """Answer so that only the asker sees it, in place of a public “thinking…” if there is one.

    `replace` is False where the first answer was no “thinking…”, and stays.
    """
    embed = discord.Embed.from_dict(cards.refusal(refusal.sentence, refusal.remedy, prompt))
    try:
        if not interaction.response.is_done() and await _answered_first(interaction, embed):
            return
        # The first followup takes over the deferral's visibility, which is public: the deferral goes first.
        if replace:
            await _remove_deferral(interaction)
        await interaction.followup.send(embed=embed, ephemeral=True)
    except NETWORK as error:
        log.warning(
            "a refusal could not be shown to the asker (%s): %s", type(error).__name__, refusal.sentence
        )


async def acknowledge(interaction: discord.Interaction) -> None:
    """Show “thinking…”; a broken line is tried once more, since the first try may not have arrived."""
    for last in (False, True):
        try:
            await interaction.response.defer(thinking=True)
            return
        except discord.HTTPException as error:
            if error.code == ALREADY_ACKNOWLEDGED:  # the first try did arrive
                return
            raise
        except (aiohttp.ClientError, TimeoutError, OSError):
            if last:
                raise


async def _answered_first(interaction: discord.Interaction, embed: discord.Embed) -> bool:
    try:
        await interaction.response.send_message(embed=embed, ephemeral=True)
    except discord.HTTPException as error:
        if error.code != ALREADY_ACKNOWLEDGED:
            raise
        return False
    return True


async def _remove_deferral(interaction: discord.Interaction) -> None:
    for _ in range(2):
        try:
            await interaction.delete_original_response()
            return
        except discord.NotFound:
            return
        except NETWORK:
            continue  # better a refusal that others see than none at all


async def on_error(interaction: discord.Interaction, error: app_commands.AppCommandError) -> None:
    """Answer what went wrong in a command: first what Discord sent does not fit, then our own faults."""
    prompt = getattr(interaction.namespace, "prompt", None) or ""
    if isinstance(error, app_commands.CommandSignatureMismatch | app_commands.CommandNotFound):
        log.warning("a command as Discord knows it does not match this version: %s", type(error).__name__)
        sentence, remedy = (
            "This command has changed since Discord last loaded it.",
            "Reload Discord, then try again.",
        )
    elif isinstance(away := getattr(error, "original", None), DatabaseAway):
        await refuse(interaction, database_away(away), str(prompt))
        return
    elif isinstance(getattr(error, "original", None), NETWORK):
        # Too late, or the line to Discord broke: nobody hears an answer, and nothing was begun.
        log.warning("a command could not be acknowledged (%s)", type(error.original).__name__)  # type: ignore[attr-defined]
        return
    else:
        log.error("a command failed", exc_info=error)
        sentence, remedy = "Something went wrong on Kinora's side.", "Please try again in a minute."
    await refuse(interaction, Refusal(sentence, remedy), str(prompt))


async def setup(bot: commands.Bot) -> None:
    """Let every command's error end here; discord.py calls this when the extension is loaded."""
    bot.tree.on_error = on_error  # type: ignore[method-assign]
