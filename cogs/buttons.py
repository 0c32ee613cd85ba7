"""The buttons under Kinora's messages; what each does is in `bot.ui.components`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import discord
from discord.ext import commands

from bot.ui.components import BUTTONS, answer_unknown
from bot.ui.modals import answer_forgotten

if TYPE_CHECKING:
    from bot.client import Kinora


class Buttons(commands.Cog):
    """Has every kind of button answered for as long as it is loaded, and those of other versions refused."""

    def __init__(self, bot: commands.Bot) -> None:
        self._bot: commands.Bot = bot

    async def cog_load(self) -> None:
        """Answer presses from now on."""
        self._bot.add_dynamic_items(*_kinds())

    async def cog_unload(self) -> None:
        """Answer none any more."""
        self._bot.remove_dynamic_items(*_kinds())

    @commands.Cog.listener()
    async def on_interaction(self, interaction: discord.Interaction[Any]) -> None:
        """Look at every press and form for one that nothing else answers."""
        await answer_unknown(interaction)
        await answer_forgotten(interaction)


def _kinds() -> list[Any]:
    return list(BUTTONS)


async def setup(bot: Kinora) -> None:
    """Add the cog; discord.py calls this when the extension is loaded."""
    await bot.add_cog(Buttons(bot))
