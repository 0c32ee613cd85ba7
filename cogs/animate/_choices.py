"""What `/animate` offers while it is filled in (Discord: 25 choices of 100 characters)."""

from __future__ import annotations

from collections.abc import Mapping

from discord import app_commands

from bot.jobs.service import Model
from bot.ui.i18n import N_, Texts
from bot.ui.text import truncate

MOST, LONGEST = 25, 100


def models(
    choices: Mapping[str, Model], typed: str, texts: Texts, *, sound: bool
) -> list[app_commands.Choice[str]]:
    """Offer the models on offer now, with their resolution and what a second costs."""
    offered = [
        (
            name,
            texts.text(
                N_("{model} · {resolution} · {price} a second"),
                model=model.title,
                resolution=model.resolution,
                price=texts.money(model.price(1, sound)),
            ),
        )
        for name, model in choices.items()
    ]
    return [
        app_commands.Choice(name=truncate(said, LONGEST), value=name)
        for name, said in offered
        if typed.lower() in f"{name} {said}".lower()
    ][:MOST]


def durations(model: Model, typed: str, texts: Texts, *, sound: bool) -> list[app_commands.Choice[int]]:
    """Offer the durations of a model, with what each costs."""
    return [
        app_commands.Choice(
            name=texts.text(
                N_("{seconds} s · {price}"),
                seconds=seconds,
                price=texts.money(model.price(seconds, sound)),
            ),
            value=seconds,
        )
        for seconds in model.durations
        if str(seconds).startswith(typed.strip())
    ][:MOST]
