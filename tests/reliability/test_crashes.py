"""Kill -9 at every labelled point of the road, then start again: paid once, and the video arrives once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from sandbox.client import Interaction
from tests.reliability.page import Outcome, outcome_cells, settle
from tests.reliability.worlds import Bot, World
from tests.support.steps import an_image
from tests.support.waiting import until

SUBMIT = {"method": "POST", "path": "^/v3/async/"}
POST = {"method": "POST", "path": "/messages$"}
STORIES: dict[str, list[dict[str, Any]]] = {
    "a render": [],
    "Novita is busy at first": [{"side": "novita", "kind": "rate_limit", "retry_after": 0, **SUBMIT}],
    "the paid answer is lost": [{"side": "novita", "kind": "drop_after", **SUBMIT}],
    "the task fails": [],
    "the thread is locked": [
        {"side": "discord", "kind": "error", "status": 403, "reason": "50083", **POST},
    ],
    "it is ready after the deadline": [],
    "the video's link has died": [{"side": "novita", "kind": "error", "path": "^/files/", "status": 403}],
}


@dataclass(frozen=True)
class Crash:
    """One experiment: where the bot dies (twice, with `again`), in which story, and how it must end."""

    at: str
    end: str = "Done"
    paid: int = 1
    story: str = "a render"
    told: int = 0
    """How many messages tell of an end without a video; an end as such has one."""
    again: str = ""
    hour: bool = False
    """Whether an hour passes before the restart: nonces are forgotten and the interaction's token is dead."""

    @property
    def key(self) -> tuple[str]:
        """Name it, as on the page."""
        return (str(self),)

    def __str__(self) -> str:
        parts = [self.at, self.again and f"then {self.again}", self.hour and "an hour later"]
        return ", ".join(part for part in parts if part) + (
            "" if self.story == "a render" else f" ({self.story})"
        )


LIMBO: dict[str, Any] = {"end": "Unconfirmed", "paid": 0}
BUSY, LOST, FAILS, LOCKED, TARDY, DIED = list(STORIES)[1:]

ROAD = [
    Crash("before acknowledgement", "nothing", 0),
    Crash("answered acknowledgement", "nothing", 0),
    Crash("before commit: job", "nothing", 0),
    Crash("after commit: job"),
    Crash("before commit: claim"),
    Crash("after commit: claim"),
    Crash("before card"),
    Crash("half card"),
    Crash("answered card"),
    Crash("before thread"),
    Crash("answered thread"),
    Crash("before commit: card"),
    Crash("after commit: card"),
    Crash("before commit: submitting"),
    Crash("after commit: submitting", **LIMBO),
    Crash("before submit", **LIMBO),
    Crash("half submit", **LIMBO),
    Crash("answered submit", "Unconfirmed"),
    Crash("before commit: rendering", "Unconfirmed"),
    Crash("after commit: rendering"),
    Crash("before poll"),
    Crash("answered poll"),
    Crash("before card edit"),
    Crash("answered card edit"),
    Crash("before commit: rendered"),
    Crash("after commit: rendered"),
    Crash("before history"),
    Crash("before download"),
    Crash("half download"),
    Crash("before post"),
    Crash("half post"),
    Crash("answered post"),
    Crash("before commit: delivered"),
    Crash("after commit: delivered"),
    Crash("before commit: told"),
    Crash("after commit: told"),
]
DETOURS = [
    Crash("before commit: accepted", **LIMBO, story=BUSY),
    Crash("after commit: accepted", story=BUSY),
    Crash("before submit:2", **LIMBO, story=BUSY),
    Crash("before commit: unconfirmed", "Unconfirmed", story=LOST),
    Crash("after commit: unconfirmed", "Unconfirmed", story=LOST),
    Crash("before commit: failed", "Failed", story=FAILS),
    Crash("after commit: failed", "Failed", story=FAILS),
    Crash("before post", "Failed", story=FAILS),
    Crash("answered post", "Failed", story=FAILS),
    Crash("before commit: told", "Failed", story=FAILS),
    Crash("before commit: failed", story=TARDY),
    Crash("after commit: failed", told=1, story=TARDY),
    Crash("before commit: told", told=1, story=TARDY),
    Crash("after commit: told", told=1, story=TARDY),
    Crash("after commit: told", told=1, story=TARDY, again="before commit: rendered"),
    Crash("before commit: detour", story=LOCKED),
    Crash("after commit: detour", story=LOCKED),
    Crash("before commit: fresh link", story=DIED),
    Crash("after commit: fresh link", story=DIED),
]
LATE = [
    Crash(at, hour=True)
    for at in (
        "after commit: job",
        "before card",
        "answered card",
        "answered thread",
        "before commit: card",
        "half post",
        "answered post",
        "before commit: delivered",
        "before commit: told",
    )
] + [Crash("answered post", "Failed", story=FAILS, hour=True)]
TWICE = [
    Crash("answered card", again="answered card"),
    Crash("answered card", again="answered thread"),
    Crash("before commit: card", again="before commit: card", hour=True),
    Crash("after commit: submitting", **LIMBO, again="before commit: unconfirmed"),
    Crash("answered submit", "Unconfirmed", again="answered post"),
    Crash("after commit: rendering", again="answered poll"),
    Crash("before commit: rendered", again="half download"),
    Crash("half download", again="half post"),
    Crash("half post", again="answered post"),
    Crash("answered post", again="before commit: delivered"),
    Crash("answered post", again="before commit: told", hour=True),
    Crash("before commit: delivered", again="after commit: delivered"),
]
STARTS = [
    Crash("table made"),
    Crash("before version stamp"),
    Crash("before commit: tables"),
    Crash("after commit: tables"),
]
TWENTY = ("answered post, the fifth of twenty jobs in flight",)
DECISIONS = ("before commit: decision", "after commit: decision")
DECIDING = "{}, as its asker presses “Render again”"
DONE = Outcome(paid=1, videos=1, told=0, card="Done", row="delivered")
UNSURE = Outcome(paid=1, videos=0, told=1, card="Unconfirmed", row="unconfirmed")
IMAGE = {"image": ("still.png", an_image())}
ROWS = [*ROAD, *DETOURS, *LATE, *TWICE]
KEYS = [crash.key for crash in (*ROWS, *STARTS)]
KEYS += [TWENTY, *((DECIDING.format(at),) for at in DECISIONS)]


@pytest.mark.parametrize("crash", ROWS, ids=str)
async def test_a_crash_costs_nobody_anything(world: World, crash: Crash) -> None:
    prompt = world.prompt(fails=crash.story == FAILS)
    await _arrange(world, crash)
    settings: dict[str, Any] = {"KINORA_RENDER_TIMEOUT_MINUTES": "0.01"} if crash.story == TARDY else {}
    bot = await world.bot(**settings).start(dies_at=crash.at)
    channel = await world.channel()
    run = await world.mia.run("animate", channel, {"prompt": prompt}, files=IMAGE)
    assert await bot.wait() == -9, bot.text
    await world.sandbox.novita.settings(render_seconds=0.1)
    if crash.again:
        await bot.start(dies_at=crash.again, online=False)
        assert await bot.wait() == -9, bot.text
    if crash.hour:
        await world.sandbox.discord.forward(3600)
    await bot.start()
    settle("crashes", crash.key, *outcome_cells(await _outcome(world, bot, crash, run, prompt)))


async def test_twenty_jobs_in_flight(world: World) -> None:
    """Some wait, some render, some are being delivered, some are being paid for when the bot dies."""
    await world.sandbox.novita.settings(render_seconds=600)
    prompts = [world.prompt() for _ in range(20)]
    bot = await world.bot(KINORA_MAX_RENDERS="12").start(dies_at="answered post:5")
    for prompt in prompts:
        run = await world.mia.run("animate", await world.channel(), {"prompt": prompt}, files=IMAGE)
        await run.wait_response()
    await world.sandbox.novita.settings(render_seconds=0.1)
    assert await bot.wait() == -9
    await bot.start()
    for prompt in prompts:
        outcome = await world.outcome(await bot.ended(prompt))
        # Only what was being paid for at that moment may be in doubt.
        assert outcome in (DONE, UNSURE, replace(UNSURE, paid=0)), bot.text
    assert len(bot.rows()) == len(prompts)
    settle("crashes", TWENTY, "≤ 1 each", "≤ 1 each", "≤ 1 each", "Done or Unconfirmed", "20 ended")


@pytest.mark.parametrize("at", DECISIONS)
async def test_a_crash_while_a_person_decides(world: World, at: str) -> None:
    prompt = world.prompt()
    await world.sandbox.faults.add("novita", "drop_before", **SUBMIT)
    bot = await world.bot().start(dies_at=at)
    await world.mia.run("animate", await world.channel(), {"prompt": prompt}, files=IMAGE)
    _, (verdict,) = await world.messages(await bot.ended(prompt))
    await world.mia.click(verdict, verdict.controls[0]["custom_id"])
    assert await bot.wait() == -9
    await bot.start()
    undecided = at.startswith("before")
    if undecided:  # and the buttons still work
        await world.mia.click(verdict, verdict.controls[0]["custom_id"])
    await until(lambda: len(bot.rows()) == 2 and all(row["told"] for row in bot.rows()))
    first, second = sorted(bot.rows(), key=lambda row: row["created_at"])
    assert (first["state"], first["again_as"]) == ("cancelled", second["id"])
    outcome = await world.outcome(second)
    # Where the buttons were, it now says which job comes of them; death can only take that sentence away.
    assert outcome == replace(DONE, told=int(undecided))
    settle("crashes", (DECIDING.format(at),), *outcome_cells(outcome))


async def _arrange(world: World, crash: Crash) -> None:
    for fault in STORIES[crash.story]:
        await world.sandbox.faults.add(**fault)
    # Large enough to be uploaded in several pieces. What is tardy is ready once the bot has died.
    seconds = 600.0 if crash.story == TARDY else 0.1
    await world.sandbox.novita.settings(video_bytes=200_000, render_seconds=seconds)


async def _outcome(world: World, bot: Bot, crash: Crash, run: Interaction, prompt: str) -> Outcome:
    if crash.end == "nothing":
        assert bot.rows() == []
        outcome = await world.without_job(run, prompt)
        # Only what was acknowledged was lost: of the rest Discord itself says that nobody responded.
        told = int(crash.at != "before acknowledgement")
        assert outcome == Outcome(paid=0, videos=0, told=told, card="–", row="no job"), bot.text
        return outcome
    outcome = await world.outcome(await bot.ended(prompt))
    done = crash.end == "Done"
    state = "delivered" if done else crash.end.lower()
    assert outcome == Outcome(crash.paid, int(done), crash.told or int(not done), crash.end, state), bot.text
    return outcome


@pytest.mark.parametrize("crash", STARTS, ids=str)
async def test_a_crash_of_the_first_start_leaves_nothing_half_made(world: World, crash: Crash) -> None:
    prompt = world.prompt()
    bot = await world.bot(empty=True).start(dies_at=crash.at, online=False)
    assert await bot.wait() == -9, bot.text
    await bot.start()
    channel = await world.channel()
    run = await world.mia.run("animate", channel, {"prompt": prompt}, files=IMAGE)
    settle("crashes", crash.key, *outcome_cells(await _outcome(world, bot, crash, run, prompt)))
