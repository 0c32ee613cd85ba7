"""The base of forms: like buttons, they run under the one error policy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from weakref import WeakValueDictionary

import discord

from bot.errors import Refusal
from bot.ui.components import client_of
from bot.ui.i18n import N_

_OPEN: WeakValueDictionary[str, Form] = WeakValueDictionary()
"""The forms that this process opened, by their custom ids."""
_TAKEN = "kinora-form"
"""In an interaction's `extras`: a form has it."""


class Form(discord.ui.Modal):
    """A modal whose submission always ends in a visible answer; subclasses write `submitted`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        _OPEN[self.custom_id] = self

    async def on_submit(self, interaction: discord.Interaction[Any], /) -> None:
        """Do what the form is for, under the one error policy."""
        interaction.extras[_TAKEN] = True
        await client_of(interaction).tree.guard(interaction, lambda: self.submitted(interaction))

    async def on_error(  # type: ignore[override]  # discord.py gives a modal's no item, unlike a view's
        self, interaction: discord.Interaction[Any], error: Exception, /
    ) -> None:
        """Answer what is raised before the form is read."""
        interaction.extras[_TAKEN] = True

        async def again() -> None:
            raise error

        await client_of(interaction).tree.guard(interaction, again)

    async def submitted(self, interaction: discord.Interaction[Any]) -> None:
        """Do what the form is for; the interaction has not been answered yet."""
        raise NotImplementedError


async def answer_forgotten(interaction: discord.Interaction[Any]) -> None:
    """Answer a form that this process does not know; discord.py would stay silent."""
    if interaction.type is not discord.InteractionType.modal_submit or interaction.extras.get(_TAKEN):
        return
    data: Mapping[str, Any] = interaction.data or {}
    form = _OPEN.get(str(data.get("custom_id") or ""))
    if form is None or form.is_finished():
        await client_of(interaction).tree.guard(interaction, _refuse_forgotten)


async def _refuse_forgotten() -> None:
    raise Refusal(
        N_("Kinora was restarted after this form was opened, and cannot take it any more."),
        N_("Please open it again."),
    )
