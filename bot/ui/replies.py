"""Answers to interactions: acknowledged within three seconds, refused privately, never left unanswered.

A line to Discord that breaks once is tried once more. What an earlier, broken try did get done shows as
Discord's 40060 on the next one.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import discord

from bot.errors import DatabaseUnavailable, Refusal
from bot.ui.i18n import N_, Texts, texts
from bot.ui.status import AMBER, GREY, add_text
from bot.ui.text import clean, escape

log = logging.getLogger(__name__)

ALREADY_ACKNOWLEDGED = 40060
LINE = (aiohttp.ClientError, TimeoutError, OSError)
"""What a broken line to Discord raises; whether the request arrived, nobody knows."""
TRIES = 2
_THINKING = "kinora-thinking"
"""In an interaction's `extras`: a “thinking…” was asked for, though its line may have broken."""


# --- embeds -------------------------------------------------------------------------------------------------


def refusal_embed(refusal: Refusal, texts: Texts, prompt: str = "") -> discord.Embed:
    """Return the answer to what cannot be done: what is wrong, what it cost if that was the topic, what to
    do, and the prompt back.
    """
    said = [texts.text(refusal.message, **refusal.values)]
    if refusal.money:
        said.append("\n" + texts.text(N_("**Nothing was charged.**")))
    if refusal.remedy:
        said.append(texts.text(refusal.remedy, **refusal.values))
    description = " ".join(said).replace(" \n", "\n")
    embed = discord.Embed(title=texts.text(refusal.title), description=description, colour=AMBER)
    if prompt := escape(clean(prompt)):
        add_text(embed, texts.text(N_("Your prompt, to copy")), prompt)
    return embed


def note(sentence: str) -> discord.Embed:
    """Return a plain remark."""
    return discord.Embed(description=sentence, colour=GREY)


def database_unavailable(error: DatabaseUnavailable, *, money: bool) -> Refusal:
    """Return the honest answer: the database does not answer, and whether the request may have been taken."""
    if error.begun:
        return Refusal(
            N_("Kinora's database stopped answering at this very moment."),
            N_("If nothing shows up here within five minutes, it was not taken: please try again then."),
        )
    return Refusal(
        N_("Kinora's database does not answer just now."), N_("Please try again in a minute."), money=money
    )


# --- answers ------------------------------------------------------------------------------------------------


async def acknowledge(interaction: discord.Interaction[Any]) -> None:
    """Show “thinking…” to everybody."""
    interaction.extras[_THINKING] = True
    await _first_answer(lambda: interaction.response.defer(thinking=True))


async def acknowledge_press(interaction: discord.Interaction[Any]) -> None:
    """Take note of a press; the message with the button stays as it is."""
    await _first_answer(interaction.response.defer)


async def answer_privately(interaction: discord.Interaction[Any], embed: discord.Embed) -> None:
    """Answer for the first time, so that only this person sees it."""
    await _first_answer(lambda: interaction.response.send_message(embed=embed, ephemeral=True))


async def replace_buttons(interaction: discord.Interaction[Any], embed: discord.Embed) -> None:
    """Put a remark in place of the buttons that were pressed, or say it privately where that cannot be."""
    embeds = [*(interaction.message.embeds if interaction.message else []), embed]
    try:
        await _twice(lambda: interaction.edit_original_response(embeds=embeds, view=None))
    except (discord.HTTPException, *LINE) as error:
        log.warning("buttons could not be replaced (%s)", type(error).__name__)
        await _twice(lambda: interaction.followup.send(embed=embed, ephemeral=True))


async def refuse(interaction: discord.Interaction[Any], refusal: Refusal, prompt: str = "") -> None:
    """Answer so that only this person sees it, in place of a public “thinking…” if there is one."""
    embed = refusal_embed(refusal, texts(str(interaction.locale)), prompt)
    try:
        if not interaction.response.is_done() and await _refused_first(interaction, embed):
            return
        # The first followup takes over the deferral's visibility, which is public: the deferral goes first.
        if _is_thinking(interaction):
            await _remove_thinking(interaction)
        await _twice(lambda: interaction.followup.send(embed=embed, ephemeral=True))
    except (discord.HTTPException, *LINE) as error:
        log.warning("a refusal could not be shown (%s): %s", type(error).__name__, refusal.message)


async def _refused_first(interaction: discord.Interaction[Any], embed: discord.Embed) -> bool:
    """Try to refuse as the first answer; False: something else was the first answer already."""
    for n in range(TRIES):
        try:
            await interaction.response.send_message(embed=embed, ephemeral=True)
        except discord.HTTPException as error:
            if error.code != ALREADY_ACKNOWLEDGED:
                raise
            # After a try that broke off, it is that one that arrived, unless a “thinking…” may have been.
            return n > 0 and not _is_thinking(interaction)
        except LINE:
            if n == TRIES - 1:
                raise
        else:
            return True
    return False


def _is_thinking(interaction: discord.Interaction[Any]) -> bool:
    """Return whether the original response is a “thinking…”, and not a message whose button was pressed."""
    return bool(interaction.extras.get(_THINKING))


async def _remove_thinking(interaction: discord.Interaction[Any]) -> None:
    for _ in range(TRIES):
        try:
            await interaction.delete_original_response()
            return
        except discord.NotFound:
            return
        except (discord.HTTPException, *LINE):
            continue  # better a refusal that others see than none at all


async def _first_answer(answer: Callable[[], Awaitable[Any]]) -> None:
    try:
        await _twice(answer)
    except discord.HTTPException as error:
        if error.code != ALREADY_ACKNOWLEDGED:  # else an earlier try did arrive
            raise


async def _twice(request: Callable[[], Awaitable[Any]]) -> None:
    for n in range(TRIES):
        try:
            await request()
            return
        except LINE:
            if n == TRIES - 1:
                raise
