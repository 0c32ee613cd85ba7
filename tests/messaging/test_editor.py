"""A card as it should be: edited when it changed, and by the run that owns it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import discord
import pytest

from bot.errors import LeaseLost, TemporaryError
from bot.messaging import editor as editor_module
from bot.messaging.editor import MessageEditor
from tests.support.discord_wire import refused


class Card:
    """A message that counts its edits, and raises what is in `troubles` first."""

    id = 1

    def __init__(self) -> None:
        self.looks: list[str | None] = []
        self.troubles: list[Exception] = []

    async def edit(self, *, embed: discord.Embed, view: discord.ui.View | None) -> None:
        if self.troubles:
            raise self.troubles.pop(0)
        self.looks.append(embed.title)


@pytest.fixture
def card() -> Card:
    return Card()


async def no_reply(embed: discord.Embed, view: discord.ui.View | None) -> bool:
    """Edit nothing: the interaction's token has died."""
    return False


@pytest.fixture
async def editor(card: Card, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[MessageEditor]:
    monkeypatch.setattr(editor_module, "SETTLING", 0.001)
    editor = MessageEditor(cast(Any, card), asyncio.Lock(), no_reply)
    yield editor
    await editor.close()


def look(title: str) -> discord.Embed:
    return discord.Embed(title=title)


async def test_what_looks_as_it_should_is_not_edited(card: Card, editor: MessageEditor) -> None:
    editor.stands(look("waiting"))
    editor.want(look("waiting"))
    await editor.settle()
    assert card.looks == []
    editor.want(look("done"))
    await editor.settle()
    editor.want(look("done"))
    await editor.settle()
    assert card.looks == ["done"]


async def test_only_the_latest_look_is_painted(card: Card, editor: MessageEditor) -> None:
    for title in ("waiting", "rendering", "done"):
        editor.want(look(title))
    await editor.settle()
    assert card.looks == ["done"]


async def test_a_bad_day_is_told_and_the_next_try_paints(card: Card, editor: MessageEditor) -> None:
    card.troubles.append(refused(503, 0))
    editor.want(look("done"))
    with pytest.raises(TemporaryError):
        await editor.settle()
    editor.want(look("done"))
    await editor.settle()
    assert card.looks == ["done"]


async def test_a_run_that_was_overtaken_leaves_the_card_to_the_other(
    card: Card, editor: MessageEditor
) -> None:
    card.troubles.append(LeaseLost("job"))
    editor.want(look("done"))
    await editor.settle()  # nothing is left to paint, and nothing went wrong
    assert card.looks == []


async def test_a_card_that_is_gone_is_not_tried_for_ever(card: Card, editor: MessageEditor) -> None:
    card.troubles.append(refused(404, 10008))
    editor.want(look("done"))
    await editor.settle()
    assert card.looks == []
