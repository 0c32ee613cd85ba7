"""A card as it should be: edited when it changed, and by the run that owns it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, cast

import discord
import pytest

from bot.errors import LeaseLost, TemporaryError
from bot.messaging import editor as editor_module
from bot.messaging.editor import OLD_SECONDS, Lane, MessageEditor
from tests.support.discord_wire import refused


class Card:
    """A message that counts its edits, and raises what is in `troubles` first."""

    def __init__(self, age: float = 0.0) -> None:
        self.id = discord.utils.time_snowflake(discord.utils.utcnow() - timedelta(seconds=age))
        self.looks: list[str | None] = []
        self.troubles: list[Exception] = []

    async def edit(self, *, embed: discord.Embed, view: discord.ui.View | None) -> None:
        if self.troubles:
            raise self.troubles.pop(0)
        self.looks.append(embed.title)


@pytest.fixture
def card() -> Card:
    return Card()


async def no_reply(_: discord.Embed, _view: discord.ui.View | None, _bare: bool) -> bool:
    """Edit nothing: the interaction's token has died."""
    return False


@pytest.fixture
async def editor(card: Card, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[MessageEditor]:
    monkeypatch.setattr(editor_module, "SETTLING", 0.001)
    editor = MessageEditor(cast(Any, card), Lane(), no_reply)
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


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Keep no turn for long, and list for how long it would have been kept."""
    monkeypatch.setattr(editor_module, "SETTLING", 0.001)
    kept: list[float] = []

    def pause(self: Lane, asked: float | None) -> float:
        kept.append(_pause(self, asked))
        return 0.0

    _pause = Lane.pause
    monkeypatch.setattr(Lane, "pause", pause)
    return kept


async def painted(editor: MessageEditor) -> None:
    """Wait until nothing is left to paint, but do not call it the end."""
    assert editor._task is not None
    await editor._task


def standing(title: str, text: str) -> discord.Embed:
    return discord.Embed(title=title, description=text)


@pytest.mark.parametrize(("age", "edits"), [(OLD_SECONDS - 60, 2), (OLD_SECONDS + 60, 0)])
async def test_a_card_older_than_an_hour_is_not_edited_for_progress(
    pauses: list[float], age: float, edits: int
) -> None:
    card = Card(age)
    editor = MessageEditor(cast(Any, card), Lane(), no_reply)
    editor.stands(standing("Rendering", "Started now"))
    for text in ("Halfway", "Nearly"):
        editor.want(standing("Rendering", text))
        await painted(editor)
    assert len(card.looks) == edits
    await editor.close()


async def test_an_old_cards_state_and_its_end_are_painted(pauses: list[float]) -> None:
    card = Card(OLD_SECONDS + 60)
    editor = MessageEditor(cast(Any, card), Lane(), no_reply)
    editor.stands(standing("Waiting", "Number 9 in line"))
    editor.want(standing("Rendering", "Started now"))
    await painted(editor)
    assert card.looks == ["Rendering"]
    editor.want(standing("Rendering", "The last word, under the same title"))
    await editor.settle()
    assert card.looks == ["Rendering", "Rendering"]


async def test_too_many_edits_of_old_messages_keep_the_whole_channel_waiting(pauses: list[float]) -> None:
    lane, cards = Lane(), [Card(OLD_SECONDS + 60), Card(OLD_SECONDS + 60)]
    first, second = (MessageEditor(cast(Any, card), lane, no_reply) for card in cards)
    cards[0].troubles = cards[1].troubles = [
        refused(429, 30046),
        KeyError("retry_after"),
        refused(429, 30046),
    ]
    first.want(look("Failed"))
    second.want(look("Done"))
    await asyncio.gather(first.settle(), second.settle())
    assert [card.looks for card in cards] == [["Failed"], ["Done"]]
    assert pauses == [6.0, 12.0, 24.0]


async def test_nobody_has_a_turn_during_the_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(editor_module, "SETTLING", 0.001)
    lane, card, paused = Lane(), Card(OLD_SECONDS + 60), asyncio.Event()

    def pause(_: float | None) -> float:
        paused.set()
        return 3600.0

    monkeypatch.setattr(lane, "pause", pause)
    card.troubles.append(refused(429, 30046))
    editor = MessageEditor(cast(Any, card), lane, no_reply)
    editor.want(look("Failed"))
    await paused.wait()
    await asyncio.sleep(0)
    assert lane.turn.locked()
    await editor.close()
    assert not lane.turn.locked()


def test_a_lanes_pause_is_bounded_and_forgotten() -> None:
    lane = Lane()
    assert [lane.pause(None) for _ in range(5)] == [6.0, 12.0, 24.0, 48.0, 60.0]
    assert lane.pause(90.0) == 90.0
    lane.edited()
    assert lane.pause(1.0) == 6.0
