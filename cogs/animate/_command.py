"""The command itself: acknowledge, check, prepare the still, accept the job. The engine does the rest."""

from __future__ import annotations

import logging
import time
from typing import Any

import discord
from discord import app_commands

from bot.client import Kinora
from bot.domain.job import Job, State, new_id
from bot.files.images import StillUnreachable
from bot.media.pool import WorkshopError
from bot.media.values import StillRefused
from bot.novita.codec import Order
from bot.novita.models import DEFAULT_MODEL, Model
from bot.tree import Refusal, acknowledge, refuse, refuse_while_stopping
from bot.ui import status as cards
from cogs.animate import _checks as checks

log = logging.getLogger(__name__)


def command(bot: Kinora) -> app_commands.Command[Any, ..., None]:
    """Build `/animate` with the catalogue's models and prices in its choices."""
    default = bot.models[DEFAULT_MODEL]
    durations = [
        app_commands.Choice(
            name=f"{seconds} s · about {cards.dollars(default.price(seconds))}", value=seconds
        )
        for seconds in default.durations
    ]
    models = [
        app_commands.Choice(name=f"{model.title} · {cards.dollars(model.price(1))} a second", value=name)
        for name, model in bot.models.items()
    ]

    @app_commands.command(
        name="animate", description="Bring a still to life: an image and a prompt become a video"
    )
    @app_commands.describe(
        image=f"The still: {cards.SUPPORTED}, up to 25 MB",
        prompt="What should happen in the picture",
        duration=f"How long the video is; the price is for {default.title}",
        negative_prompt="What should not be in the video",
        cfg_scale="How closely to follow the prompt, 0 to 1 (0.5)",
        model=f"Which model renders it ({default.title})",
    )
    @app_commands.choices(duration=durations)
    @app_commands.choices(model=models)
    @app_commands.allowed_installs(guilds=True, users=False)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=False)
    async def animate(
        interaction: discord.Interaction,
        image: discord.Attachment,
        prompt: app_commands.Range[str, 1, 2500],
        duration: int = default.durations[0],
        negative_prompt: app_commands.Range[str, 0, 2500] = "",
        cfg_scale: app_commands.Range[float, 0.0, 1.0] = 0.5,
        model: str = DEFAULT_MODEL,
    ) -> None:
        try:
            refuse_while_stopping(bot)
            chosen = checks.model(bot.models, model)
            order = checks.order(chosen, prompt, duration, negative_prompt, cfg_scale)
            wants_thread = checks.place(interaction)
            checks.attachment(image)
            await acknowledge(interaction)
            async with bot.accepting():
                await _accept(bot, interaction, image, chosen, order, wants_thread)
        except Refusal as refusal:
            await refuse(interaction, refusal, prompt)

    return animate


async def _accept(
    bot: Kinora,
    interaction: discord.Interaction,
    image: discord.Attachment,
    model: Model,
    order: Order,
    wants_thread: bool,
) -> None:
    job_id = new_id()
    try:
        still = await bot.stills.prepare(job_id, image.url, model)
    except StillRefused as refused:
        log.info("a still was refused: %s %s", refused.rule, refused.actual)
        raise checks.still_refusal(refused) from None
    except (StillUnreachable, WorkshopError) as error:
        log.warning("a still could not be fetched or opened: %s", error)
        raise Refusal("The picture could not be fetched from Discord.", "Please attach it again.") from None
    await bot.accept(
        Job(
            id=job_id,
            state=State.ACCEPTED,
            created_at=time.time(),
            asker_id=interaction.user.id,
            guild_id=interaction.guild_id,
            channel_id=interaction.channel_id or 0,
            parent_id=getattr(interaction.channel, "parent_id", None),
            upload_limit=interaction.filesize_limit,
            wants_thread=wants_thread,
            model=model.name,
            prompt=order.prompt,
            negative_prompt=order.negative_prompt,
            cfg_scale=order.cfg_scale,
            duration=order.duration,
            price=model.price(order.duration),
            still_done=" ".join((still.format, *still.done)),
            token=interaction.token,
            source_url=image.url,
        )
    )
