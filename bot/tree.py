"""The command tree: one check before every interaction, and one table of what is answered to which error."""

from __future__ import annotations

import errno
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import discord
from discord import app_commands

from bot.errors import N_, DatabaseUnavailable, DuplicateInteraction, Refusal
from bot.jobs.service import restarting
from bot.ui import replies

log = logging.getLogger(__name__)

Call = Callable[[discord.Interaction[Any]], Awaitable[None]]
UNKNOWN_INTERACTION = 10062
DISK = frozenset(
    {errno.ENOENT, errno.EACCES, errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE}
)
"""What files answer, and lines do not: both are `OSError`."""
PAYS = "pays"
"""In a command's `extras`: whether it may cost something, so that a refusal says that nothing was charged."""


class KinoraTree(app_commands.CommandTree[Any]):
    """Runs commands, buttons and forms so that each ends in a visible answer, whatever it raises."""

    async def interaction_check(self, interaction: discord.Interaction[Any], /) -> bool:
        """Refuse everything new while the bot is being stopped."""
        if self.client.jobs.stopping:
            raise restarting(money=_pays(interaction))
        return True

    async def _call(self, interaction: discord.Interaction[Any]) -> None:
        """Run a command; discord.py itself lets errors of checks, and of what it parses, escape."""
        call = super()._call
        if interaction.type is discord.InteractionType.autocomplete:
            await self._complete(interaction, call)
        else:
            await self._run(interaction, lambda: call(interaction))

    async def _complete(self, interaction: discord.Interaction[Any], call: Call) -> None:
        """Offer what a command completes to, and nothing on any error: one can still type."""
        try:
            await call(interaction)
        except Exception as error:  # not the completion's own: that one discord.py only logs (`bot.logs`)
            _refusal(interaction, error)
        if not interaction.response.is_done():
            with suppress(discord.HTTPException, *replies.LINE):
                await interaction.response.autocomplete([])

    async def guard(
        self, interaction: discord.Interaction[Any], action: Callable[[], Awaitable[None]]
    ) -> None:
        """Run what a button or a form is for under the same check and the same table."""

        async def checked() -> None:
            await self.interaction_check(interaction)
            await action()

        await self._run(interaction, checked)

    async def _run(
        self, interaction: discord.Interaction[Any], action: Callable[[], Awaitable[None]]
    ) -> None:
        async with self.client.jobs.answering():  # which a stop waits for
            try:
                await action()
            except Exception as error:
                await self._answer(interaction, error)

    async def on_error(
        self, interaction: discord.Interaction[Any], error: app_commands.AppCommandError, /
    ) -> None:
        """Answer an error of a command."""
        await self._answer(interaction, error)

    async def _answer(self, interaction: discord.Interaction[Any], error: Exception) -> None:
        """Answer an error as the table says."""
        if self.client.is_closed():
            log.warning("interaction %s was cut off by the stop (%s)", interaction.id, type(error).__name__)
            return
        refusal = _refusal(interaction, error)
        if refusal is None:
            return
        try:
            await replies.refuse(interaction, refusal, _prompt(interaction))
        except Exception:  # a sentence with a hole, say: nothing has been sent then
            log.exception("a refusal could not be put into words: %s", refusal.message)
            with suppress(Exception):
                await replies.refuse(interaction, _try_again(interaction))


def _refusal(interaction: discord.Interaction[Any], error: Exception) -> Refusal | None:
    """Return what to answer to any error (None: nothing), and log it, by the first that fits of:

    1. a `Refusal`: its own words;
    2. the database away: that, and whether the request may have been taken;
    3. an interaction acted on already (elsewhere, or before): nothing, somebody else answers;
    4. an interaction Discord has forgotten: nothing, nobody would hear it;
    5. a command that Discord knows in another form: to reload;
    6. a line to Discord that broke, or that refused the answer: that it did not work, in one log line;
    7. anything else: that it is our fault, with a traceback in the log.
    """
    while isinstance(inner := getattr(error, "original", None), Exception):
        error = inner
    match error:
        case Refusal():
            return error
        case DatabaseUnavailable():
            return replies.database_unavailable(error, money=_pays(interaction))
        case DuplicateInteraction():
            log.info("interaction %s was acted on already", interaction.id)
            return None
        case discord.NotFound(code=code) if code == UNKNOWN_INTERACTION:
            log.warning("interaction %s was answered too late: Discord has forgotten it", interaction.id)
            return None
        case app_commands.CommandSignatureMismatch() | app_commands.CommandNotFound():
            log.warning("a command as Discord knows it differs from this version: %s", type(error).__name__)
            return Refusal(
                N_("This command has changed since Discord last loaded it."),
                N_("Reload Discord, then try again."),
                money=_pays(interaction),
            )
        case discord.HTTPException(status=status, code=code):
            log.warning("an answer was refused by Discord (HTTP %s, code %s)", status, code)
        case _ if isinstance(error, replies.LINE) and getattr(error, "errno", None) not in DISK:
            log.warning("the line to Discord broke during an answer (%s)", type(error).__name__)
        case _:
            log.error("an interaction failed", exc_info=error)
    return _try_again(interaction)


def _try_again(interaction: discord.Interaction[Any]) -> Refusal:
    return Refusal(
        N_("Something went wrong on Kinora's side."),
        N_("Please try again in a minute."),
        money=_pays(interaction),
    )


def _pays(interaction: discord.Interaction[Any]) -> bool:
    """Return whether what was asked for may cost something."""
    if interaction.type is not discord.InteractionType.application_command:
        return False
    command = interaction.command
    return command is not None and bool(command.extras.get(PAYS))


def _prompt(interaction: discord.Interaction[Any]) -> str:
    """Return the prompt that a command came with, so that nobody has to write it again."""
    if interaction.type is not discord.InteractionType.application_command:
        return ""
    return str(getattr(interaction.namespace, "prompt", None) or "")
