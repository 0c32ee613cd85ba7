"""Answers to interactions: acknowledged within three seconds, refused privately, never left unanswered.

A line to Discord that breaks once is tried once more. What an earlier, broken try did get done shows as
Discord's 40060 on the next one; on the very first it means that somebody else has the interaction.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, cast

import aiohttp
import discord

from bot.domain.request import InteractionKind, InteractionRecord
from bot.errors import DatabaseUnavailable, DuplicateInteraction, Refusal
from bot.jobs.interactions import Interactions
from bot.ui.i18n import N_, Texts, texts
from bot.ui.status import AMBER, GREY, add_text
from bot.ui.text import clean, escape

log = logging.getLogger(__name__)

ALREADY_ACKNOWLEDGED = 40060
LINE = (aiohttp.ClientError, TimeoutError, OSError)
"""What a broken line to Discord raises; whether the request arrived, nobody knows."""
TRIES = 2
HIDDEN_RETRY = 1.0
"""How long, in seconds, discord.py waits at least before it repeats by itself what a gateway answered 5xx."""
ORIGINAL = cast(int, "@original")
"""Discord takes this name for the id of an interaction's first reply."""
_BROKE = "kinora-broke"
"""In an interaction's `extras`: a first answer broke off, so it may have arrived."""
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


async def acknowledge(interaction: discord.Interaction[Any]) -> bool:
    """Show “thinking…” to everybody; return whether that is certainly this answer's doing."""
    interaction.extras[_THINKING] = True
    try:
        return await _first_answer(interaction, lambda: interaction.response.defer(thinking=True))
    except DuplicateInteraction:
        del interaction.extras[_THINKING]  # it is not ours
        raise


async def acknowledge_press(interaction: discord.Interaction[Any]) -> None:
    """Take note of a press; the message with the button stays as it is."""
    await _first_answer(interaction, interaction.response.defer)


async def answer_privately(
    interaction: discord.Interaction[Any], embed: discord.Embed, view: discord.ui.View | None = None
) -> None:
    """Answer for the first time, so that only this person sees it."""
    parts: dict[str, Any] = {"embed": embed} if view is None else {"embed": embed, "view": view}
    await _first_answer(interaction, lambda: interaction.response.send_message(**parts, ephemeral=True))


def acting(
    interaction: discord.Interaction[Any], interactions: Interactions, job_id: str, prompt: str
) -> AbstractAsyncContextManager[None]:
    """Acknowledge a command that is to become a job, once wherever it is heard."""
    return interactions.acting(
        record(interaction, "command"),
        job_id,
        prompt,
        lambda: acknowledge(interaction),
        lambda: _still_thinking(interaction),
    )


def record(interaction: discord.Interaction[Any], kind: InteractionKind) -> InteractionRecord:
    """Return what is written down of an interaction."""
    return InteractionRecord(
        id=interaction.id,
        kind=kind,
        token=interaction.token,
        requester_id=interaction.user.id,
        channel_id=interaction.channel_id,
        locale=str(interaction.locale),
        seen_at=time.time(),
    )


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
    except DuplicateInteraction:
        log.info("interaction %s is answered by somebody else", interaction.id)
    except (discord.HTTPException, *LINE) as error:
        log.warning("a refusal could not be shown (%s): %s", type(error).__name__, refusal.message)


async def _refused_first(interaction: discord.Interaction[Any], embed: discord.Embed) -> bool:
    """Try to refuse as the first answer; False: another one of ours may have been that already.

    Raises `DuplicateInteraction`.
    """
    another = _is_thinking(interaction) or interaction.extras.get(_BROKE)
    certain = await _first_answer(
        interaction, lambda: interaction.response.send_message(embed=embed, ephemeral=True)
    )
    return certain or not another


async def _still_thinking(interaction: discord.Interaction[Any]) -> bool:
    """Return whether nobody has put anything in place of the “thinking…”."""
    try:
        reply = await interaction.followup.fetch_message(ORIGINAL)
    except discord.NotFound:
        return False
    return bool(reply.flags.loading)


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


async def _first_answer(interaction: discord.Interaction[Any], answer: Callable[[], Awaitable[Any]]) -> bool:
    """Answer first; return whether it was certainly this answer that arrived.

    It may also have been an earlier one that broke off, or even somebody else's after that. Raises
    `DuplicateInteraction` when it was certainly somebody else's.
    """
    for n in range(TRIES):
        began = time.monotonic()
        try:
            await answer()
        except LINE:
            interaction.extras[_BROKE] = True
            if n == TRIES - 1:
                raise
        except discord.HTTPException as error:
            if error.code != ALREADY_ACKNOWLEDGED:
                raise
            if time.monotonic() - began > HIDDEN_RETRY:
                interaction.extras[_BROKE] = True
            if not interaction.extras.get(_BROKE):
                raise DuplicateInteraction(str(interaction.id)) from None
            return False
        else:
            return True
    raise AssertionError("unreachable")


async def _twice(request: Callable[[], Awaitable[Any]]) -> None:
    for n in range(TRIES):
        try:
            await request()
            return
        except LINE:
            if n == TRIES - 1:
                raise
