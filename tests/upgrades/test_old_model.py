"""A job of the old file for a model that is gone today: nothing is charged, and one click renders it."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from bot.store.sqlite_import import import_sqlite
from sandbox.client import Message
from tests.reliability.worlds import Bot, World
from tests.support.postgres import Postgres
from tests.support.steps import an_image, animate, is_video, video_in
from tests.upgrades.make_old_database import OLD_DATABASE

OLD, STANDARD = "kling-2.5-turbo-i2v", "kling-v3.0-std-i2v"
WAITING = "accepted, no card"
INSTEAD = "Render with Kling 3.0 Standard · $0.42"


async def test_an_old_job_for_a_gone_model_ends_free_and_one_click_renders_it(
    world: World, engine: Postgres | None
) -> None:
    sandbox, mia, bot, place = world.sandbox, world.mia, world.bot(), await world.channel()
    await _put_under(bot, engine, await _with_one_waiting(world, bot.folder, place))
    paid_before = len(await sandbox.novita.payments())
    await sandbox.novita.settings(retired=[OLD])
    try:
        await bot.start()
        row = await bot.ended(WAITING)
        assert (row["state"], row["problem"], row["cost"]) == ("failed", "retired", "nothing")
        asked = await mia.wait_for_message(str(row["target_id"]), _offers)
        assert "Nothing was charged" in asked.text
        (button,) = [str(part["custom_id"]) for part in asked.controls if part["label"] == INSTEAD]
        assert len(await sandbox.novita.payments()) == paid_before
        await (await mia.click(asked, button)).wait_acknowledged()
        assert is_video(await video_in(mia, str(row["target_id"])))
        card = await animate(mia, place, "A plain one")
        await video_in(mia, card.id)
        payments = (await sandbox.novita.payments())[paid_before:]
        assert [(p["prompt"], p["model"]) for p in payments] == [
            (WAITING, STANDARD),
            ("A plain one", STANDARD),
        ]
    finally:
        await sandbox.novita.settings(retired=[])


def _offers(message: Message) -> bool:
    return INSTEAD in [part["label"] for part in message.controls]


async def _with_one_waiting(world: World, folder: Path, place: str) -> Path:
    """Copy the old file, without all its jobs but one, whose place and image stand in the sandbox."""
    file = Path(shutil.copy(OLD_DATABASE, folder / "old.db"))
    picture = await world.mia.post(place, "A boat", files={"image": ("boat.png", an_image())})
    guild = (await world.sandbox.discord.state())["guilds"][0]["id"]
    here = (int(picture.data["author"]["id"]), int(guild), int(place), picture.attachments[0].url)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("DELETE FROM jobs WHERE prompt != ?", (WAITING,))
        connection.execute("UPDATE jobs SET asker_id = ?, guild_id = ?, channel_id = ?, source_url = ?", here)
    return file


async def _put_under(bot: Bot, engine: Postgres | None, file: Path) -> None:
    await bot.make_database()
    if engine is None:
        shutil.copy(file, bot.folder / "data/kinora.db")
    else:
        await import_sqlite(f"sqlite:///{file}", bot.database_url)
