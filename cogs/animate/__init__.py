"""`/animate`: an image and a prompt become a video."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cogs.animate._cog import Animate

if TYPE_CHECKING:
    from bot.client import Kinora


async def setup(bot: Kinora) -> None:
    """Add the cog; discord.py calls this when the extension is loaded."""
    await bot.add_cog(Animate(bot.jobs))
