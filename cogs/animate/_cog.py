"""The command itself: check, acknowledge, prepare the image, accept the job. The engine does the rest."""

from __future__ import annotations

import logging
import time
from typing import Any

import discord
from discord import app_commands
from discord.app_commands import locale_str
from discord.ext import commands

from bot.domain.job import Destination, Job, new_id, new_job
from bot.domain.request import InteractionRecord, RenderRequest, Requester, SourceImage
from bot.errors import ImageRejected, ImageUnreachable, MediaPoolError, Refusal
from bot.jobs.service import JobService, Model
from bot.ui import replies
from bot.ui.destinations import destination, options, prove_access
from bot.ui.i18n import N_, texts
from cogs.animate import _checks as checks

log = logging.getLogger(__name__)


DESCRIPTIONS = {
    "image": locale_str("The image: JPEG, PNG, WebP, HEIC, AVIF, GIF or BMP, up to 25 MB"),
    "prompt": locale_str("What should happen in the video"),
    "negative_prompt": locale_str("What should not be in the video"),
    "cfg_scale": locale_str("How closely to follow the prompt, 0 to 1 (0.5)"),
}


class Animate(commands.Cog):
    """`/animate`, with the models and prices on offer among its choices."""

    def __init__(self, jobs: JobService) -> None:
        self._jobs = jobs
        _offer(jobs)

    @app_commands.command(
        name="animate",
        description=locale_str("Bring an image to life: an image and a prompt become a video"),
        extras={"pays": True},
    )
    @app_commands.allowed_installs(guilds=True, users=False)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=False)
    async def animate(
        self,
        interaction: discord.Interaction[Any],
        image: discord.Attachment,
        prompt: app_commands.Range[str, 1, 2500],
        duration: int | None = None,
        negative_prompt: app_commands.Range[str, 0, 2500] = "",
        cfg_scale: app_commands.Range[float, 0.0, 1.0] = 0.5,
        model: str | None = None,
    ) -> None:
        """Accept a job, or refuse it privately before anything is paid."""
        chosen = checks.model(self._jobs.models, model or self._jobs.default_model.name)
        seconds = duration if duration is not None else checks.default_duration(chosen)
        request = checks.request(chosen, prompt, seconds, negative_prompt, cfg_scale)
        await prove_access(interaction)
        place = destination(interaction, money=True)
        checks.attachment(image)
        await replies.acknowledge(interaction)
        job = await self._job(interaction, image, chosen, request, place)
        await self._jobs.accept(job, _record(interaction))

    async def _job(
        self,
        interaction: discord.Interaction[Any],
        image: discord.Attachment,
        model: Model,
        request: RenderRequest,
        place: Destination,
    ) -> Job:
        job_id = new_id()
        try:
            prepared = await self._jobs.prepare_image(job_id, image.url, model)
        except ImageRejected as rejected:
            log.info("an image was refused: %s %s", rejected.rule, rejected.actual)
            raise checks.image_refusal(rejected) from None
        except (ImageUnreachable, MediaPoolError) as error:
            log.warning("an image could not be fetched or opened: %s", error)
            raise Refusal(
                N_("The image could not be fetched from Discord."), N_("Please attach it again."), money=True
            ) from None
        source = SourceImage(image.url, prepared.format, prepared.changes)
        requester = Requester(
            interaction.user.id,
            str(interaction.locale),
            tuple(role.id for role in getattr(interaction.user, "roles", ())),
            interaction.token,
        )
        return new_job(request, source, requester, place, job_id=job_id, options=options(interaction))


def _record(interaction: discord.Interaction[Any]) -> InteractionRecord:
    """Write down which command this was; its token is in the job's row, and only there."""
    return InteractionRecord(
        id=interaction.id,
        kind="command",
        token="",
        requester_id=interaction.user.id,
        channel_id=interaction.channel_id,
        locale=str(interaction.locale),
        seen_at=time.time(),
    )


def _offer(jobs: JobService) -> None:
    """Put the models and prices on offer into the command's choices, before it is sent to Discord."""
    default, english = jobs.default_model, texts()
    durations = [
        app_commands.Choice(
            name=english.text(
                N_("{seconds} s · about {price}"),
                seconds=seconds,
                price=english.money(default.price(seconds)),
            ),
            value=seconds,
        )
        for seconds in default.durations
    ]
    models = [
        app_commands.Choice(
            name=english.text(
                N_("{model} · {price} a second"), model=model.title, price=english.money(model.price(1))
            ),
            value=name,
        )
        for name, model in jobs.models.items()
    ]
    app_commands.choices(duration=durations)(Animate.animate)
    app_commands.choices(model=models)(Animate.animate)
    # All at once: discord.py takes back the description of every option that such a call does not name.
    app_commands.describe(
        **DESCRIPTIONS,
        duration=english.text(N_("How long the video is; the price is for {model}"), model=default.title),
        model=english.text(N_("Which model renders it ({model})"), model=default.title),
    )(Animate.animate)
