"""`/show`: bring a finished video again, or ask Novita once more for one that never came."""

from __future__ import annotations

import discord
from discord import app_commands

from bot.client import Kinora
from bot.domain.job import How, Job, State, new_id
from bot.domain.retry import DatabaseAway
from bot.tree import Refusal, acknowledge, refuse, refuse_while_stopping
from bot.ui import status as cards
from cogs.animate import _checks as checks

MAY_TURN_UP = frozenset({"deadline", "lost", "task_lost", "video_gone", "undelivered"})
"""The ends after which Novita may still have the video."""


def command(bot: Kinora) -> app_commands.Command[None, ..., None]:  # type: ignore[type-var]
    """Build `/show`."""

    @app_commands.command(name="show", description="Bring one of your finished videos again")
    @app_commands.describe(job="The job's id; it stands under every card and video")
    @app_commands.allowed_installs(guilds=True, users=False)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=False)
    async def show(interaction: discord.Interaction, job: app_commands.Range[str, 1, 40]) -> None:
        try:
            refuse_while_stopping(bot)
            checks.place(interaction)
            found = await bot.find_job(job.strip().lower().removeprefix("job").strip())
            if found is None or found.asker_id != interaction.user.id:
                raise Refusal(
                    "You have no such job.",
                    "The id stands under each of your cards and videos: 12 letters and digits.",
                )
            await _show(bot, interaction, found)
        except Refusal as refusal:
            await refuse(interaction, refusal, "")

    @show.autocomplete("job")
    async def own_jobs(interaction: discord.Interaction, typed: str) -> list[app_commands.Choice[str]]:
        try:
            mine = await bot.jobs_of(interaction.user.id)
        except DatabaseAway:
            return []  # an id can still be typed
        offered = [(cards.job_name(job), job.id) for job in mine]
        return [
            app_commands.Choice(name=name, value=job_id)
            for name, job_id in offered
            if typed.lower() in f"{name} {job_id}".lower()
        ]

    return show


async def _show(bot: Kinora, interaction: discord.Interaction, job: Job) -> None:
    if job.state is State.DELIVERED:
        await acknowledge(interaction)
        await _bring_again(bot, interaction, job)
    elif job.state is State.FAILED and job.task_id and job.problem in MAY_TURN_UP:
        await interaction.response.send_message(
            embed=discord.Embed.from_dict(
                cards.note("Novita is asked once more. If it has the video, it comes here.")
            ),
            ephemeral=True,
        )
        await bot.look_again(job, interaction.channel_id or job.channel_id)
    elif job.ended:
        embed = cards.verdict(job, bot.models)[1]
        await interaction.response.send_message(embed=discord.Embed.from_dict(embed), ephemeral=True)
    else:
        raise Refusal(
            f"Job {job.id} is still on its way.",
            "Its card tells where it stands, and the video comes by itself.",
        )


async def _bring_again(bot: Kinora, interaction: discord.Interaction, job: Job) -> None:
    """Attach the video to the answer itself: an edit, so that it cannot come twice."""
    key = new_id()
    try:
        video = await bot.shelf.take(job, key)
        if video is None:
            raise Refusal(
                "The message with this video is gone, and Novita does not keep it any more.",
                "The render was paid once.",
            )
        fitted = await bot.shelf.fit(video, interaction.filesize_limit)
        if fitted is None:
            raise Refusal(
                "The video is larger than Discord takes here.", "Try it in another server, or a boosted one."
            )
        embed = cards.delivered(job, How.ATTACHED, bot.models)[1]
        embed["footer"]["text"] = embed["footer"]["text"].removesuffix(cards.DELIVERED_MARK)
        await interaction.edit_original_response(
            embed=discord.Embed.from_dict(embed),
            attachments=[discord.File(fitted, filename=f"again-{job.id}.mp4")],
        )
    finally:
        bot.shelf.put_back(key)


async def setup(bot: Kinora) -> None:
    """Add the command; discord.py calls this when the extension is loaded."""
    bot.tree.add_command(command(bot))
