"""The bot as it ships, and a command more, which opens a form: `python -m tests.support.with_form`."""

from __future__ import annotations

import sys
from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from bot import client
from bot.__main__ import main as run_bot
from bot.ui import replies
from bot.ui.modals import Form


class Asking(Form):
    """Asks for a word, and says it back."""

    word: discord.ui.TextInput[Any] = discord.ui.TextInput(label="A word", custom_id="word")

    async def submitted(self, interaction: discord.Interaction[Any]) -> None:
        """Say it back."""
        await replies.answer_privately(interaction, replies.note(f"You said {self.word.value}."))


@app_commands.command(description="Open a form")
async def form(interaction: discord.Interaction[Any]) -> None:
    """Open it."""
    await interaction.response.send_modal(Asking(title="A form"))


async def setup(bot: commands.Bot) -> None:
    """Add the command; discord.py calls this when the extension is loaded."""
    bot.tree.add_command(form)


def main(arguments: list[str]) -> int:
    """Run the bot with that command."""
    client.COGS = (*client.COGS, "tests.support.with_form")
    return run_bot(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
