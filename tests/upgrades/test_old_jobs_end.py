"""The jobs in the old file come to their ends under today's bot: paid once at most, and nothing posted twice.

Of the file, only what Discord and Novita gave out is replaced: ids, links and times, by those of messages and
tasks that stand in the sandbox as that version's bot left them.
"""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bot.store.sqlite_import import import_sqlite
from sandbox.client import Message
from tests.reliability.worlds import Bot, World
from tests.support.postgres import Postgres
from tests.support.steps import an_image, count_videos, is_video, job_of, title
from tests.support.waiting import until
from tests.upgrades.make_old_database import OLD_DATABASE
from tests.upgrades.wire import Wire, buttons

Json = dict[str, Any]
DELIVERED, UNCONFIRMED = ("delivered", ""), ("unconfirmed", "unconfirmed")

ACCEPTED = [
    "accepted, no card",
    "accepted, no card, no thread",
    "accepted, in line",
    "accepted, in a thread",
    "accepted, in line, an older row's gap",
    "accepted, with a turn",
    "accepted, rendered again",
]
# How each of the other open jobs ends; how many videos it has then, and how many other messages but its card.
ENDS = {
    "submitting": (UNCONFIRMED, 0, 1),
    "rendering": (DELIVERED, 1, 0),
    "rendered": (DELIVERED, 1, 0),
    "rendered, and posted before a crash": (DELIVERED, 1, 0),
    "rendered, its thread is gone": (DELIVERED, 1, 0),
    "delivered, not told yet": (DELIVERED, 0, 0),
    "unconfirmed, not told yet": (UNCONFIRMED, 0, 1),
    "unconfirmed, told before a crash": (UNCONFIRMED, 0, 1),
    "failed, to be looked for, and there": (DELIVERED, 1, 0),
    "failed, to be looked for, and gone": (("failed", "lost"), 0, 2),
    "failed, not told yet": (("failed", "moderation"), 0, 0),  # but in a direct message
    "cancelled: rendered again": (("cancelled", "unconfirmed"), 0, 0),
} | dict.fromkeys(ACCEPTED, (DELIVERED, 1, 0))
AGAIN, LET_GO = "unconfirmed, to be rendered again", "unconfirmed, to be let go"
SHOWN = {"delivered attached", "failed, undelivered"}
GIVEN_UP = "rendering, lost at Novita"
TITLES = {"delivered": "Done", "unconfirmed": "Unconfirmed", "failed": "Failed", "cancelled": "Cancelled"}


async def test_every_open_job_ends_as_it_should(world: World, wire: Wire, engine: Postgres | None) -> None:
    bot = world.bot()
    old = await Old.make(world, wire, bot.folder)
    await old.put_under(bot, engine)
    before = {row["prompt"]: row for row in bot.rows()}
    still_open = {row["prompt"] for row in before.values() if not row["told"] or row["check_at"] is not None}
    assert still_open == {*ENDS, GIVEN_UP}
    paid_before = len(await world.sandbox.novita.payments())

    await bot.start()
    ended = {prompt: await bot.ended(prompt) for prompt in ENDS}
    await until(lambda: [row for row in bot.rows() if row["prompt"] == GIVEN_UP and row["told"]])
    for prompt, (end, count, others) in ENDS.items():
        row = ended[prompt]
        assert (row["state"], row["problem"]) == end, prompt
        card, said = await world.messages(row)
        seen = count_videos(said)
        assert (seen, len(said) - seen) == (count, others), (prompt, [m.text for m in said])
        assert card is not None, prompt
        assert title(card) == TITLES[row["state"]], prompt
    (direct,) = await world.mia.messages("dm")
    assert ended["failed, not told yet"]["id"] in direct.text
    assert ended["rendered, its thread is gone"]["detour"] == "gone"
    assert ended["rendered, and posted before a crash"]["how"] == "attached"
    assert await _paid(world, paid_before) == dict.fromkeys(ACCEPTED, 1)
    # What had ended is as it was, but for a token that had died, and was not spoken of again.
    after = {row["prompt"]: row for row in bot.rows()}
    for prompt in before.keys() - {*ENDS, GIVEN_UP}:
        assert {column: after[prompt][column] for column in before[prompt]} == before[prompt] | {
            "token": None
        }

    # One that Novita does not know is lost by its own word; one that was given up is looked for once more.
    assert (after[GIVEN_UP]["problem"], after[GIVEN_UP]["told"]) == ("task_lost", True)
    await bot.stop()
    bot.execute("UPDATE jobs SET check_at = 1 WHERE id = ?", after[GIVEN_UP]["id"])
    await bot.start()
    await bot.wait_for_log("jobs: 1 taken up again")
    row = await bot.ended(GIVEN_UP)
    _, said = await world.messages(row)
    assert (row["state"], row["problem"], len(said)) == ("failed", "lost", 2)

    # Another start finds nothing more to do, or to say.
    posted = await old.posted()
    await bot.kill()
    await bot.start()
    await bot.wait_for_log("jobs: 0 taken up again")
    assert await old.posted() == posted
    await _press_old_buttons(world, bot, old)
    await _show_old_jobs(world, bot, old)
    assert await _paid(world, paid_before) == dict.fromkeys([*ACCEPTED, AGAIN], 1)
    assert await bot.stop() == 0


async def _press_old_buttons(world: World, bot: Bot, old: Old) -> None:
    """Decide what an earlier version asked, by its buttons."""
    for prompt, action in ((LET_GO, "letgo"), (AGAIN, "again")):
        asked = old.asked[prompt]
        press = await world.mia.click(asked, f"kinora:{action}:{job_of(asked)}")
        await press.wait_acknowledged()
        answered = await _answered(world, asked)
        assert ("Rendered again, as job" if action == "again" else "Let go.") in answered.text
    settled, new = sorted(await _ended_with(bot, AGAIN, 2), key=lambda row: row["created_at"])
    assert (settled["state"], settled["again_as"], new["state"]) == ("cancelled", new["id"], "delivered")
    _, said = await world.messages(new)
    assert count_videos(said) == 1
    (let_go,) = await _ended_with(bot, LET_GO, 1)
    assert (let_go["state"], let_go["again_as"]) == ("cancelled", "")


async def _answered(world: World, asked: Message) -> Message:
    def without_buttons(message: Message) -> bool:
        return message.id == asked.id and not message.controls

    return await world.mia.wait_for_message(asked.channel_id, without_buttons, 30)


async def _show_old_jobs(world: World, bot: Bot, old: Old) -> None:
    """Ask for a video that an earlier version brought, and for one that it could bring nowhere."""
    rows = {row["prompt"]: row for row in bot.rows()}
    run = await world.mia.run("show", old.place, {"job": rows["delivered attached"]["id"]})
    shown = await run.wait_response(30)
    assert is_video(shown)
    run = await world.mia.run("show", old.place, {"job": rows["failed, undelivered"]["id"]})
    assert "asks Novita once more" in (await run.wait_response()).text
    job_id = rows["failed, undelivered"]["id"]
    await world.mia.wait_for_message(old.place, lambda m: is_video(m) and job_id in m.text, 30)


async def _ended_with(bot: Bot, prompt: str, count: int) -> list[Json]:
    def look() -> list[Json] | None:
        rows = [row for row in bot.rows() if row["prompt"] == prompt and row["told"]]
        return rows if len(rows) == count else None

    return await until(look)


async def _paid(world: World, since: int) -> dict[str, int]:
    return dict(Counter(payment["prompt"] for payment in (await world.sandbox.novita.payments())[since:]))


class Old:
    """The old file, with what stands at Discord and Novita put into it."""

    def __init__(self, world: World, wire: Wire, file: Path) -> None:
        self.place = ""
        self.asked: dict[str, Message] = {}
        """The questions under unconfirmed jobs, by the jobs' prompts."""
        self._world = world
        self._wire = wire
        self._file = file
        self._places: set[str] = set()

    @classmethod
    async def make(cls, world: World, wire: Wire, folder: Path) -> Old:
        """Copy the file, and let everything stand that its jobs need."""
        old = cls(world, wire, Path(shutil.copy(OLD_DATABASE, folder / "old.db")))
        old.place = await world.channel()
        await old._fill()
        return old

    async def put_under(self, bot: Bot, engine: Postgres | None) -> None:
        """Make the file a bot's database, imported where that is a server's."""
        await bot.make_database()
        if engine is None:
            (bot.folder / "data").mkdir(exist_ok=True)
            shutil.copy(self._file, bot.folder / "data/kinora.db")
        else:
            await import_sqlite(f"sqlite:///{self._file}", bot.database_url)

    async def posted(self) -> Counter[str]:
        """Count what the bot said here, by its text."""
        seen = [message for place in self._places for message in await self._world.mia.messages(place)]
        return Counter(m.text for m in seen if m.author == "kinora")

    # --- what stands at Discord and Novita

    async def _fill(self) -> None:
        picture = await self._world.mia.post(self.place, "A boat", files={"image": ("boat.png", an_image())})
        state = await self._world.sandbox.discord.state()
        with self._changed() as connection:
            connection.execute("UPDATE jobs SET asker_id = ?", (int(picture.data["author"]["id"]),))
            guild = state["guilds"][0]["id"]
            connection.execute("UPDATE jobs SET guild_id = ? WHERE guild_id IS NOT NULL", (int(guild),))
            connection.execute("UPDATE jobs SET channel_id = ?", (int(self.place),))
            connection.execute(
                "UPDATE jobs SET source_url = ? WHERE source_url IS NOT NULL", (picture.attachments[0].url,)
            )
        self._places.add(self.place)
        for row in self._rows():
            if row["card_id"] is not None and row["prompt"] in {*ENDS, GIVEN_UP, AGAIN, LET_GO, *SHOWN}:
                await self._stand(row)
        await self._render_again()

    async def _stand(self, row: Json) -> None:
        """Let a job's card stand, with its thread, its task and its messages."""
        job_id, prompt = row["id"], row["prompt"]
        place = self.place
        changes: Json = {}
        if prompt == "accepted, in a thread":
            first = await self._world.mia.post(self.place, "A thread")
            place = str((await self._wire.thread(self.place, first.id, "A thread"))["id"])
            changes = {"channel_id": int(place), "parent_id": int(self.place)}
        suffix = "png" if "png" in row["still_done"].split() else "jpg"
        files = {f"still-{job_id}.{suffix}": an_image(kind="png" if suffix == "png" else "jpeg")}
        card = await self._wire.post(place, _embed(f"job {job_id}"), files)
        thread = str(card["id"] if row["wants_thread"] else place)
        if row["wants_thread"]:
            await self._wire.thread(place, card["id"], prompt)
        self._places |= {place, thread}
        changes |= {"card_id": int(card["id"]), "target_id": int(thread)}
        if row["task_id"] and prompt not in {GIVEN_UP, "failed, to be looked for, and gone"}:
            changes |= await self._task(row)
        footer = f"job {job_id}" + (f" · task {changes['task_id']}" if "task_id" in changes else "")
        if prompt in {"rendered, and posted before a crash", "delivered attached"}:
            video = await self._wire.post(
                thread, _embed(f"{footer} · delivered"), {f"kinora-{job_id}.mp4": await self._video(changes)}
            )
            if row["state"] == "delivered":
                changes["video_message_id"] = int(video["id"])
        elif prompt in {AGAIN, LET_GO, "unconfirmed, told before a crash"}:
            choices = buttons(f"kinora:again:{job_id}", f"kinora:letgo:{job_id}")
            message = _embed(f"{footer} · unconfirmed") | {"components": choices}
            posted = await self._wire.post(thread, message)
            self.asked[prompt] = await self._world.mia.wait_for_message(
                thread, lambda m: m.id == str(posted["id"])
            )
        elif prompt == "rendered, its thread is gone":
            await self._world.sandbox.discord.delete_channel(thread)
            self._places.discard(thread)
        self._change(job_id, changes)

    async def _task(self, row: Json) -> Json:
        """Let a job's task be rendered, and, if the job knows of its video, give a link to that."""
        task_id = await self._wire.order(row["prompt"])
        await self._world.sandbox.novita.wait_for_task(
            lambda task: task["id"] == task_id and task["status"] == "TASK_STATUS_SUCCEED", 30
        )
        changes: Json = {"task_id": task_id}
        if row["video_url"]:
            (video,) = (await self._wire.result(task_id))["videos"]
            changes |= {"video_url": video["video_url"], "video_expires_at": time.time() + 3600}
        return changes

    async def _video(self, changes: Json) -> bytes:
        return await self._world.sandbox.download(changes["video_url"])

    async def _render_again(self) -> None:
        """Let the job that renders another's image again find that one's card, and its place."""
        rows = {row["prompt"]: row for row in self._rows()}
        other = rows["cancelled: rendered again"]
        self._change(
            rows["accepted, rendered again"]["id"],
            {
                "channel_id": other["target_id"],
                "parent_id": other["channel_id"],
                "origin_channel_id": other["channel_id"],
                "origin_card_id": other["card_id"],
            },
        )

    # --- the file

    def _rows(self) -> list[Json]:
        with self._changed() as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute("SELECT * FROM jobs")]

    def _change(self, job_id: str, changes: Json) -> None:
        with self._changed() as connection:
            for column, value in changes.items():
                statement = f"UPDATE jobs SET {column} = ? WHERE id = ?"  # noqa: S608
                connection.execute(statement, (value, job_id))

    @contextmanager
    def _changed(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self._file)
        with connection:
            yield connection
        connection.close()


def _embed(footer: str) -> Json:
    """Make a message as that version's: an embed, and the job's id in its footer."""
    return {"embeds": [{"title": "An old one", "description": ">>> …", "footer": {"text": footer}}]}
