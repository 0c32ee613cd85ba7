"""The rows of `57c1406.db`; runs on the code of that commit (see `make_old_database`), not on today's.

Every job goes the way it went then: accepted, claimed, moved and noted by that commit's ledger. Its prompt
says what it stands for, and today's tests find it by that.
"""

from __future__ import annotations

import asyncio
import dataclasses
import importlib
import itertools
import logging
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

# Modules that today's code has not got, or has under other names.
job_module: Any = importlib.import_module("bot.jobs.job")
ledger_module: Any = importlib.import_module("bot.jobs.ledger")
State = job_module.State
Cost = job_module.Cost
How = job_module.How

GUILD, CHANNEL, PARENT = 1323985325260800000, 1323985578721280000, 1323985580000000000
MIA, ROSA = 1323984570286080000, 1323984821944320000
MESSAGES = 1438000000000000000
BEGAN = 1_763_900_000.0
"""November 2025: everything in the file happened long ago, a second apart."""
URL = "https://cdn.discordapp.com/attachments/1/2/boat.png?ex=1&is=2&hm=3"
VIDEO = "https://novita-output.s3.amazonaws.com/one.mp4?X-Amz-Signature=abc"
HOSTILE = {
    "quotes": "O'Neill\"; DROP TABLE jobs; -- %s %(x)s {} \\n",
    "scripts": "日本語 \u202eright to left e\u0301 \0 \ufeff \U0001f9d1\u200d\U0001f680",
    "markdown": "@everyone <@1> ||x|| **b** `c` [a](https://example.org) > q\r\n# h\ttab",
    "long": "x" * 2500,
}
_IDS = (f"{n:012d}".translate(str.maketrans("01", "yz")) for n in itertools.count(100))
_MESSAGES = itertools.count(MESSAGES, 1 << 22)


def ticking() -> Iterator[float]:
    """Give the moments of a clock that goes on a second each time it is looked at."""
    return itertools.count(BEGAN, 1.0)


class Writer:
    """Takes jobs to where they are to stand, by the old ledger's own methods."""

    def __init__(self, ledger: Any) -> None:
        self.ledger = ledger

    async def accepted(self, prompt: str, **changes: Any) -> Any:
        """Accept a job, and claim it as a run does."""
        fields = {
            "id": next(_IDS),
            "state": State.ACCEPTED,
            "created_at": time.time(),
            "asker_id": MIA,
            "guild_id": GUILD,
            "channel_id": CHANNEL,
            "wants_thread": True,
            "model": "kling-2.5-turbo-i2v",
            "prompt": prompt,
            "duration": 5,
            "price": 3500,
            "still_done": "jpeg",
            "token": "aW50ZXJhY3Rpb246an-old-token",
            "source_url": URL,
            "upload_limit": 10 * 2**20,
        }
        job = await self.ledger.accept(job_module.Job(**fields | changes))
        return await self.ledger.claim(job.id)

    async def carded(self, prompt: str, **changes: Any) -> Any:
        """Also with its card, and in line."""
        job = await self.accepted(prompt, **changes)
        card = next(_MESSAGES)
        return await self.ledger.note(
            job,
            card_id=card,
            target_id=card if job.wants_thread else job.channel_id,
            token=None,
            source_url=None,
            queued_at=time.time(),
        )

    async def with_turn(self, prompt: str, **changes: Any) -> Any:
        """Also with its turn."""
        job = await self.carded(prompt, **changes)
        await self.ledger.line(limit=1000, per_minute=1000)
        return await self.ledger.claim(job.id)

    async def submitting(self, prompt: str, **changes: Any) -> Any:
        """With the paid request on its way."""
        job = await self.with_turn(prompt, **changes)
        return await self.ledger.move(job, State.SUBMITTING, submitted_at=time.time())

    async def rendering(self, prompt: str, **changes: Any) -> Any:
        """With a task at Novita's."""
        job = await self.submitting(prompt, **changes)
        return await self.ledger.move(
            job, State.RENDERING, task_id=f"task-of-{job.id}", submitted_at=time.time()
        )

    async def rendered(self, prompt: str, **changes: Any) -> Any:
        """With a video to fetch."""
        return await self._rendered(await self.rendering(prompt, **changes))

    async def _rendered(self, job: Any) -> Any:
        return await self.ledger.move(
            job,
            State.RENDERED,
            video_url=VIDEO,
            video_expires_at=time.time() + 3600,
            cost=Cost.PAID,
            problem="",
            reason="",
            told=False,
            check_at=None,
        )

    async def delivered(self, prompt: str, how: Any, told: bool = True, **changes: Any) -> Any:
        """With its video where it belongs."""
        job = await self.rendered(prompt, **changes)
        if job.detour:
            job = await self.ledger.note(job, target_id=job.channel_id, detour=job.detour)
        job = await self.ledger.move(
            job,
            State.DELIVERED,
            video_message_id=next(_MESSAGES),
            target_id=job.target_id,
            how=how,
        )
        return await self.ledger.note(job, told=True) if told else job

    async def unconfirmed(self, prompt: str, told: bool = True, **changes: Any) -> Any:
        """With the answer to the paid request lost."""
        job = await self.submitting(prompt, **changes)
        job = await self.ledger.move(
            job,
            State.UNCONFIRMED,
            problem="unconfirmed",
            reason="interrupted",
            cost=Cost.UNKNOWN,
            told=False,
        )
        return await self.ledger.note(job, told=True) if told else job

    async def failed(self, job: Any, problem: str, reason: str, told: bool, **changes: Any) -> Any:
        """End a job without its video."""
        job = await self.ledger.fail(job, problem, reason, **changes)
        return await self.ledger.note(job, told=True) if told else job


async def write(writer: Writer) -> None:
    """Write every kind of row."""
    ledger = writer.ledger
    await writer.accepted("accepted, no card")
    await writer.accepted("accepted, no card, no thread", wants_thread=False, still_done="png")
    await writer.with_turn("accepted, with a turn")

    await writer.submitting("submitting")
    await writer.rendering("rendering", negative_prompt="blur; rain", cfg_scale=0.7, duration=10, price=7000)
    await writer.rendering("rendering, lost at Novita")
    await writer.rendered("rendered")
    await writer.rendered("rendered, and posted before a crash")
    await writer.rendered("rendered, its thread is gone", wants_thread=True)

    await writer.delivered("delivered attached", How.ATTACHED)
    await writer.delivered("delivered fitted", How.FITTED, still_done="png 16bit")
    await writer.delivered("delivered as a link after a detour", How.LINKED, detour="gone")
    await writer.delivered("delivered, not told yet", How.ATTACHED, told=False)
    await writer.delivered("delivered in a DM", How.ATTACHED, guild_id=None, wants_thread=False)

    await writer.unconfirmed("unconfirmed, to be let go")
    await writer.unconfirmed("unconfirmed, to be rendered again", still_done="png")
    await writer.unconfirmed("unconfirmed, not told yet", told=False)
    await writer.unconfirmed("unconfirmed, told before a crash", told=False)

    deadline = {"cost": Cost.UNKNOWN, "check_at": time.time() + 1800}
    job = await writer.rendering("failed, to be looked for, and there")
    await writer.failed(job, "deadline", "30 minutes", told=True, **deadline)
    job = await writer.rendering("failed, to be looked for, and gone")
    await writer.failed(job, "deadline", "30 minutes", told=False, **deadline)
    job = await writer.rendering("failed, lost for good")
    job = await writer.failed(job, "deadline", "30 minutes", told=True, **deadline)
    job = await ledger.note(job, check_at=None, problem="lost", told=False)
    await ledger.note(job, told=True)
    job = await writer.rendered("failed, undelivered")
    await writer.failed(job, "undelivered", "50001 Missing Access", told=True, cost=Cost.PAID)
    job = await writer.with_turn("failed, not told yet")
    await writer.failed(job, "moderation", "ILLEGAL_PROMPT: @everyone <b>no</b>", told=False)
    job = await writer.accepted("failed without a card", wants_thread=False)
    await writer.failed(job, "still_refused", "too_small", told=True)

    job = await writer.unconfirmed("cancelled: let go")
    await ledger.note(await ledger.decide(job.id, None), told=True)
    job = await writer.unconfirmed("cancelled: rendered again", still_done="png scaled:1024x1024")
    # Such a job has its card in the other's thread, and its still on the other's card.
    again = job_module.rendered_again(job)
    again = dataclasses.replace(again, id=next(_IDS), prompt="accepted, rendered again")
    await ledger.decide(job.id, again)

    for name, text in HOSTILE.items():
        job = await writer.rendering(
            f"hostile {name} {text}"[:2500], asker_id=ROSA, negative_prompt=text, model=f"m-{name}"
        )
        await writer.failed(job, "task_failed", text, told=True, cost=Cost.UNKNOWN)

    # Last, so that nobody gives them a turn.
    await writer.carded("accepted, in line", still_done="png converted_from:webp flattened scaled:1280x720")
    await writer.carded(
        "accepted, in a thread",
        wants_thread=False,
        parent_id=PARENT,
        still_done="jpeg reencoded rotated cmyk",
    )
    job = await writer.carded("accepted, in line, an older row's gap")
    await ledger.note(job, queued_at=None)  # what rows of before 0002 have


async def main(path: str) -> None:
    """Write the file, and leave it as one file without a log beside it."""
    ledger = ledger_module.Ledger(f"sqlite:///{path}")
    await ledger.open()
    await write(Writer(ledger))
    await ledger.pause_line(60)
    await ledger.remember("commands of 1323983563407360000", "an earlier version's commands")
    await ledger.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA journal_mode=DELETE")
        connection.execute("VACUUM")


if __name__ == "__main__":
    logging.disable()
    time.time = ticking().__next__
    asyncio.run(main(sys.argv[1]))
