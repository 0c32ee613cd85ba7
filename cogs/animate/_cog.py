"""The command itself: check, acknowledge, prepare the image, accept the job. The engine does the rest."""

from __future__ import annotations

import logging
from dataclasses import asdict
from typing import Any

import discord
from discord import app_commands
from discord.app_commands import locale_str
from discord.ext import commands

from bot.domain.job import Destination, Job, new_id, new_job
from bot.domain.request import RenderRequest, Requester, SourceImage
from bot.errors import ImageRejected, ImageUnreachable, MediaPoolError, Refusal
from bot.jobs.service import JobService, Model
from bot.ui import replies
from bot.ui.destinations import destination, options, prove_access
from bot.ui.i18n import N_, texts
from cogs.animate import _checks as checks
from cogs.animate import _choices

log = logging.getLogger(__name__)


OPTIONAL = ("end_image", "sound")
"""The options that are there only where a configured model has them."""
DESCRIPTIONS = {
    "image": locale_str("The image: JPEG, PNG, WebP, HEIC, AVIF, GIF or BMP, up to 25 MB"),
    "prompt": locale_str("What should happen in the video"),
    "duration": locale_str("How long the video is"),
    "model": locale_str("Which model renders it"),
    "end_image": locale_str("The image that the video ends with"),
    "sound": locale_str("Whether the video comes with sound, which has a price of its own"),
    "negative_prompt": locale_str("What should not be in the video"),
    "cfg_scale": locale_str("How closely to follow the prompt, 0 to 1 (0.5)"),
}


class Animate(commands.Cog):
    """`/animate`, with the models and prices on offer while it is filled in."""

    def __init__(self, jobs: JobService) -> None:
        self._jobs = jobs
        configured = jobs.models.configured
        there = {"end_image": any(model.end_image for model in configured)}
        there["sound"] = any(model.makes_sound for model in configured)
        for name in OPTIONAL:
            if not there[name]:  # this cog's own copy of the command
                self.animate._params.pop(name, None)

    @app_commands.command(
        name="animate",
        description=locale_str("Bring an image to life: an image and a prompt become a video"),
        extras={"pays": True},
    )
    @app_commands.describe(**DESCRIPTIONS)
    @app_commands.allowed_installs(guilds=True, users=False)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=False)
    async def animate(
        self,
        interaction: discord.Interaction[Any],
        image: discord.Attachment,
        prompt: app_commands.Range[str, 1, 2500],
        duration: int | None = None,
        model: str | None = None,
        end_image: discord.Attachment | None = None,
        sound: bool = False,
        negative_prompt: app_commands.Range[str, 0, 2500] = "",
        cfg_scale: app_commands.Range[float, 0.0, 1.0] = 0.5,
    ) -> None:
        """Accept a job, or refuse it privately before anything is paid."""
        choices = self._jobs.models.choices
        chosen = checks.model(choices, model)
        checks.features(choices, chosen, end_image=end_image is not None, sound=sound)
        seconds = duration if duration is not None else checks.default_duration(chosen)
        request = checks.request(chosen, prompt, seconds, negative_prompt, cfg_scale, sound)
        await prove_access(interaction)
        place = destination(interaction, money=True)
        checks.attachment(image)
        if end_image is not None:
            checks.attachment(end_image, end=True)
        job_id = new_id()
        async with replies.acting(interaction, self._jobs.interactions, job_id, prompt):
            job = await self._job(job_id, interaction, (image, end_image), chosen, request, place)
            await self._jobs.accept(job, replies.record(interaction, "command"))

    @animate.autocomplete("model")
    async def models(
        self, interaction: discord.Interaction[Any], typed: str
    ) -> list[app_commands.Choice[str]]:
        """Offer the models on offer now."""
        sound = interaction.namespace.sound is True
        return _choices.models(self._jobs.models.choices, typed, texts(str(interaction.locale)), sound=sound)

    @animate.autocomplete("duration")
    async def durations(
        self, interaction: discord.Interaction[Any], typed: str
    ) -> list[app_commands.Choice[int]]:
        """Offer the durations of the model chosen so far."""
        choices, form = self._jobs.models.choices, interaction.namespace
        model = choices.get(str(form.model)) or self._jobs.models.default
        if model is None:
            return []
        sound = form.sound is True
        return _choices.durations(model, str(typed), texts(str(interaction.locale)), sound=sound)

    async def _job(
        self,
        job_id: str,
        interaction: discord.Interaction[Any],
        images: tuple[discord.Attachment, discord.Attachment | None],
        model: Model,
        request: RenderRequest,
        place: Destination,
    ) -> Job:
        image, end_image = images
        source, held = await self._source(job_id, image, model), options(interaction)
        if end_image is not None:
            try:
                end = await self._source(job_id, end_image, model, end=True)
            except BaseException:
                self._jobs.drop_images(job_id)  # the first is held already, for a job that is not to be
                raise
            held = {**held, "end_image": asdict(end)}
        requester = Requester(
            interaction.user.id,
            str(interaction.locale),
            tuple(role.id for role in getattr(interaction.user, "roles", ())),
            interaction.token,
        )
        return new_job(request, source, requester, place, job_id=job_id, options=held)

    async def _source(
        self, job_id: str, image: discord.Attachment, model: Model, *, end: bool = False
    ) -> SourceImage:
        try:
            prepared = await self._jobs.prepare_image(job_id, image.url, model, end=end)
        except ImageRejected as rejected:
            log.info("an image was refused: %s %s", rejected.rule, rejected.actual)
            raise checks.image_refusal(rejected, end=end) from None
        except (ImageUnreachable, MediaPoolError) as error:
            log.warning("an image could not be fetched or opened: %s", error)
            raise Refusal(
                N_("The end image could not be fetched from Discord.")
                if end
                else N_("The image could not be fetched from Discord."),
                N_("Please attach it again."),
                money=True,
            ) from None
        return SourceImage(image.url, prepared.format, prepared.changes)
