"""The base of forms: like buttons, they run under the one error policy."""

from __future__ import annotations

from typing import Any

import discord

from bot.ui.components import client_of


class Form(discord.ui.Modal):
    """A modal whose submission always ends in a visible answer; subclasses write `submitted`."""

    async def on_submit(self, interaction: discord.Interaction[Any], /) -> None:
        """Do what the form is for, under the one error policy."""
        await client_of(interaction).tree.guard(interaction, lambda: self.submitted(interaction))

    async def on_error(self, interaction: discord.Interaction[Any], error: Exception, /) -> None:
        """Answer what is raised before the form is read."""

        async def again() -> None:
            raise error

        await client_of(interaction).tree.guard(interaction, again)

    async def submitted(self, interaction: discord.Interaction[Any]) -> None:
        """Do what the form is for; the interaction has not been answered yet."""
        raise NotImplementedError
