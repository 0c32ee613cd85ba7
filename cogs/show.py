"""`/show`: bring a finished video again, or ask Novita once more for one that never came."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands
from discord.app_commands import locale_str
from discord.ext import commands

from bot.domain.job import Job, State
from bot.errors import Refusal
from bot.jobs.service import JobService, Reply
from bot.ui import replies, results
from bot.ui.destinations import destination
from bot.ui.i18n import N_, texts
from bot.ui.status import job_name

if TYPE_CHECKING:
    from bot.client import Kinora


class Show(commands.Cog):
    """`/show`."""

    def __init__(self, jobs: JobService) -> None:
        self._jobs = jobs

    @app_commands.command(name="show", description=locale_str("Bring one of your finished videos again"))
    @app_commands.describe(job=locale_str("The job's id; it stands under every card and video"))
    @app_commands.allowed_installs(guilds=True, users=False)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=False)
    async def show(self, interaction: discord.Interaction[Any], job: app_commands.Range[str, 1, 40]) -> None:
        """Bring a job's video, or say how the job ended."""
        destination(interaction, money=False)
        found = await self._jobs.find(job.strip().lower().removeprefix("job").strip())
        if found is None or found.requester.user_id != interaction.user.id:
            raise Refusal(
                N_("You have no such job."),
                N_("The id stands under each of your cards and videos: 12 letters and digits."),
                title=N_("Not found"),
            )
        await self._show(interaction, found)

    @show.autocomplete("job")
    async def own_jobs(
        self, interaction: discord.Interaction[Any], typed: str
    ) -> list[app_commands.Choice[str]]:
        """Offer one's own latest jobs."""
        private = texts(str(interaction.locale))
        jobs = await self._jobs.jobs_of(interaction.user.id)
        offered = [(job_name(job, private), job.id) for job in jobs]
        return [
            app_commands.Choice(name=name, value=job_id)
            for name, job_id in offered
            if typed.lower() in f"{name} {job_id}".lower()
        ]

    async def _show(self, interaction: discord.Interaction[Any], job: Job) -> None:
        private = texts(str(interaction.locale))
        if job.state is State.DELIVERED:
            await replies.acknowledge(interaction)
            await self._jobs.redeliver(
                job,
                Reply(
                    token=interaction.token,
                    guild_id=interaction.guild_id,
                    upload_limit=interaction.filesize_limit,
                    locale=str(interaction.guild_locale or interaction.locale),
                ),
            )
        elif self._jobs.may_turn_up(job):
            sentence = private.text(N_("Kinora asks Novita once more. If the video is there, it comes here."))
            await replies.answer_privately(interaction, replies.note(sentence))
            await self._jobs.look_again(job, interaction.channel_id or job.destination.channel_id)
        elif job.ended:
            models = self._jobs.models
            verdict = results.verdict(job, models, private, models.successor(job))
            await replies.answer_privately(interaction, verdict.embed, verdict.view)
        else:
            raise Refusal(
                N_("Job {job} is still on its way."),
                N_("Its card tells where it stands, and the video comes by itself."),
                title=N_("Not ready yet"),
                job=job.id,
            )


async def setup(bot: Kinora) -> None:
    """Add the cog; discord.py calls this when the extension is loaded."""
    await bot.add_cog(Show(bot.jobs))
