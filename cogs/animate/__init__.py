"""`/animate`: an image and a prompt become a video."""

from __future__ import annotations

from bot.client import Kinora
from cogs.animate._command import command


async def setup(bot: Kinora) -> None:
    """Add the command; discord.py calls this when the extension is loaded."""
    bot.tree.add_command(command(bot))
