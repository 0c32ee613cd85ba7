"""The two buttons under an unconfirmed job: only its asker decides, once."""

from __future__ import annotations

import re
from typing import Any, Self

import discord
from discord.ui import Button, DynamicItem

from bot.client import Kinora
from bot.domain.job import ID_LENGTH, Job, State, Superseded
from bot.domain.retry import DatabaseAway
from bot.tree import Refusal, database_away, refuse, refuse_while_stopping
from bot.ui import status as cards

_JOB = rf"(?P<job>[0-9a-z]{{{ID_LENGTH}}})"


class _Decision(DynamicItem[Button[discord.ui.View]], template=r"kinora:never"):
    """One of the buttons; it holds the job's id only, and reads everything else when it is pressed."""

    again: bool
    begins: str

    def __init__(self, job_id: str) -> None:
        super().__init__(Button(custom_id=self.begins + job_id, label="…"))
        self.job_id = job_id

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction, item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """Read the job's id off the button."""
        return cls(match["job"])

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Settle the job, and say so in place of the buttons."""
        bot: Kinora = interaction.client
        try:
            refuse_while_stopping(bot)
            job = await self._undecided(bot, interaction)
            await interaction.response.defer()
            new = await bot.decide(job, again=self.again)
        except Refusal as refusal:
            await refuse(interaction, refusal, "")
        except DatabaseAway as error:
            await refuse(interaction, database_away(error), "", replace=False)
        except Superseded:
            await refuse(interaction, Refusal("This was decided a moment ago."), "", replace=False)
        else:
            embed = discord.Embed.from_dict(cards.decided(job, new))
            await interaction.edit_original_response(embeds=[*_embeds(interaction), embed], view=None)

    async def _undecided(self, bot: Kinora, interaction: discord.Interaction) -> Job:
        job = await bot.find_job(self.job_id)
        if job is None:
            raise Refusal("Kinora knows no such job any more.")
        if job.asker_id != interaction.user.id:
            raise Refusal(f"Only <@{job.asker_id}> can decide this: it is their render.")
        if job.state is not State.UNCONFIRMED:
            raise Refusal("This is decided already.", "The card tells how the job stands.")
        return job


class RenderAgain(_Decision, template=cards.AGAIN + _JOB):
    """Order the same render once more, as a new job."""

    again, begins = True, cards.AGAIN


class LetGo(_Decision, template=cards.LET_GO + _JOB):
    """Leave it at that."""

    again, begins = False, cards.LET_GO


def _embeds(interaction: discord.Interaction) -> list[discord.Embed]:
    return list(interaction.message.embeds) if interaction.message else []


async def setup(bot: Kinora) -> None:
    """Answer the buttons, those of earlier starts too; discord.py calls this on loading."""
    bot.add_dynamic_items(RenderAgain, LetGo)
