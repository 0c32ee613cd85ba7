"""Every fault the sandbox can make, on every request of the road, once and three times in a row.

A request's faults are one test: its experiments run at once, each in a sandbox of its own.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest

from sandbox.client import Interaction
from tests.reliability.page import Outcome, settle, writing
from tests.reliability.worlds import Bot, World, Worlds
from tests.support.steps import an_image

Json = dict[str, Any]
MESSAGE, MESSAGES = r"/channels/\d+/messages/\d+$", r"/channels/\d+/messages$"
ACKNOWLEDGE, IMAGE, PAY = "acknowledge", "download the still", "the paid request"
VERDICT, READ = "tell the verdict", "read the card"
TAKE_BACK, SAY_NO = "refuse: take back “thinking…”", "refuse: say why"
START = ("start: log in", "start: sync the commands", "start: check the key")
REQUESTS: dict[str, Json] = {
    ACKNOWLEDGE: {"side": "discord", "method": "POST", "path": "/callback$"},
    IMAGE: {"side": "cdn", "method": "GET"},
    "make the card": {"side": "discord", "method": "PATCH", "path": "/@original$"},
    "start the thread": {"side": "discord", "method": "POST", "path": "/threads$"},
    READ: {"side": "discord", "method": "GET", "path": MESSAGE},
    PAY: {"side": "novita", "method": "POST", "path": "^/v3/async/"},
    "poll": {"side": "novita", "method": "GET", "path": "/task-result$"},
    "edit the card": {"side": "discord", "method": "PATCH", "path": MESSAGE},
    "look for an earlier video": {"side": "discord", "method": "GET", "path": MESSAGES},
    "download the video": {"side": "novita", "method": "GET", "path": "^/files/"},
    "post the video": {"side": "discord", "method": "POST", "path": MESSAGES},
    VERDICT: {"side": "discord", "method": "POST", "path": MESSAGES},
    TAKE_BACK: {"side": "discord", "method": "DELETE", "path": "/@original$"},
    SAY_NO: {"side": "discord", "method": "POST", "path": r"/webhooks/\d+/[^/]+$"},
    START[0]: {"side": "discord", "method": "GET", "path": "/users/@me$"},
    START[1]: {"side": "discord", "method": "PUT", "path": "/commands$"},
    START[2]: {"side": "novita", "method": "GET", "path": "/balance/"},
}
BUSY, SILENCE = "429, again in 1 s", "silence"
KINDS: dict[str, Json] = {
    "line cut before it acted": {"kind": "drop_before"},
    "line cut after it acted": {"kind": "drop_after"},
    "upload reset": {"kind": "reset_upload"},
    "half an answer": {"kind": "truncate"},
    SILENCE: {"kind": "hang"},
    "500": {"kind": "error", "status": 500},
    "503": {"kind": "error", "status": 503},
    "500 after it acted": {"kind": "error_after", "status": 500},
    "an HTML page, 502": {"kind": "html", "status": 502},
    BUSY: {"kind": "rate_limit", "retry_after": 1},
    "slow to act": {"kind": "delay", "seconds": 0.3},
    "slow to answer": {"kind": "delay_after", "seconds": 0.3},
}
GAVE_UP = ("could not be shown", "was answered too late")
"""What the bot logs when a command ends and nobody hears of it."""
SLOW = ("slow to act", "slow to answer")
BRIEF = ("line cut before it acted", "line cut after it acted", BUSY)


@dataclass(frozen=True)
class Fault:
    """One experiment: a request meets a fault, so many times in a row."""

    request: str
    kind: str
    times: int

    @property
    def key(self) -> tuple[str, ...]:
        """Name it, as on the page."""
        return self.request, self.kind + (", three times" if self.times > 1 else "")

    @property
    def arranged(self) -> Json:
        """Say it in the sandbox's words."""
        return {**REQUESTS[self.request], **KINDS[self.kind], "times": self.times}


F = TypeVar("F", bound=Fault)


def faults(request: str) -> list[Fault]:
    """List a request's experiments; what is not repeated when it fails cannot fail three times."""
    often = [BUSY] if request == PAY else [kind for kind in KINDS if kind not in SLOW]
    return [Fault(request, kind, 1) for kind in KINDS] + [Fault(request, kind, 3) for kind in often]


def chosen(request: str) -> list[Fault]:
    """List those that are run: all of them for the page, else those that take no more than a few seconds."""
    return [f for f in faults(request) if f.times == 1 or f.kind in BRIEF or writing()]


def expected(fault: Fault) -> tuple[str, str]:
    """Say how the card and the row must have it in the end."""
    if fault.request == PAY and fault.kind not in (BUSY, *SLOW):
        return "Unconfirmed", "unconfirmed"  # it may have been paid, so it is never sent again
    return ("Failed", "failed") if fault.request == VERDICT else ("Done", "delivered")


@pytest.mark.parametrize("request_", REQUESTS)
async def test_a_fault_costs_nobody_anything(worlds: Worlds, request_: str) -> None:
    await at_once(worlds, chosen(request_), _meet)


async def at_once(worlds: Worlds, faults: Sequence[F], meet: Callable[[World, F], Awaitable[None]]) -> None:
    """Make experiments at once, each in a world of its own, and say of all what went wrong."""
    results = await asyncio.gather(
        *(
            worlds.run(lambda world, fault=fault: meet(world, fault), impatient=fault.kind == SILENCE)  # type: ignore[misc]
            for fault in faults
        ),
        return_exceptions=True,
    )
    problems = [
        f"{fault.key}: {result!r}"
        for fault, result in zip(faults, results, strict=True)
        if isinstance(result, BaseException)
    ]
    assert not problems, "\n\n".join(problems)


async def _meet(world: World, fault: Fault) -> None:
    prompt = world.prompt(fails=fault.request == VERDICT)
    said = len((await world.resident()).log)
    seen = await world.now()
    if fault.request in (ACKNOWLEDGE, IMAGE, TAKE_BACK, SAY_NO):
        outcome = await _before_there_is_a_job(world, fault, prompt)
        assert outcome.paid == outcome.videos == (outcome.card == "Done")
        assert outcome.told <= (1 + fault.times if fault.request == SAY_NO else 1)
    else:
        outcome = await _job(world, fault, prompt)
        done = outcome.card == "Done"
        assert (outcome.card, outcome.row) == expected(fault)
        assert outcome.paid == 1 if outcome.card != "Unconfirmed" else outcome.paid <= 1
        assert (outcome.videos, outcome.told) == (done, not done)
    (arranged,) = await world.sandbox.faults.list()
    assert arranged["hits"] >= 1
    await _assert_polite(world, fault, seen)
    if fault.request != ACKNOWLEDGE:
        (await world.resident()).check(said)
    cells = [outcome.paid, outcome.videos, outcome.told, outcome.card]
    settle("faults", fault.key, arranged["hits"], *cells)


async def _job(world: World, fault: Fault, prompt: str) -> Outcome:
    """Let a job meet the fault, and wait for its end."""
    bot = await world.resident()
    channel = await world.channel()
    if fault.request == READ:  # which happens after a restart only
        await world.end_bots()
        bot = await world.bot().start(dies_at="before commit: submitting")
        await _animate(world, channel, prompt)
        assert await bot.wait() == -9
        await world.sandbox.faults.add(**fault.arranged)
        world.keep(await bot.start(impatient=world.impatient))
    elif fault.request in START:
        await world.end_bots()
        await world.sandbox.faults.add(**fault.arranged)
        bot = await world.resident()
        await _animate(world, channel, prompt)
    else:
        await world.sandbox.faults.add(**fault.arranged)
        await _animate(world, channel, prompt)
    return await world.outcome(await bot.ended(prompt))


async def _animate(world: World, channel: str, prompt: str, image: bytes = b"") -> Interaction:
    files = {"image": ("still.png", image or an_image())}
    return await world.mia.run("animate", channel, {"prompt": prompt}, files=files)


async def _before_there_is_a_job(world: World, fault: Fault, prompt: str) -> Outcome:
    """Let a command meet the fault, and wait for what people get: a video, or words, or nothing at all."""
    bot, channel = await world.resident(), await world.channel()
    said, seen = len(bot.log), await world.now()
    await world.sandbox.faults.add(**fault.arranged)
    run = await _animate(
        world, channel, prompt, b"no picture" if fault.request in (TAKE_BACK, SAY_NO) else b""
    )
    async with asyncio.timeout(60):
        while True:
            if row := next((row for row in bot.rows() if row["prompt"] == prompt and row["told"]), None):
                return await world.outcome(row)
            # First whether it is over, then what there is to see: the other way round misses the last.
            gave_up = any(words in line for line in bot.log[said:] for words in GAVE_UP)
            passed = fault.request != SAY_NO or await _passed(world, fault, seen)
            outcome = await world.without_job(run, prompt)
            if gave_up or (outcome.told and passed):
                return outcome
            await asyncio.sleep(0.1)


async def _passed(world: World, fault: Fault, since: int) -> bool:
    """Tell whether such a request has got through, so that it is not repeated."""
    asked = await world.requests(REQUESTS[fault.request], since)
    return any(e["status"] and e["status"] < 300 and (not e["fault"] or fault.kind in SLOW) for e in asked)


async def _assert_polite(world: World, fault: Fault, since: int) -> None:
    """The paid request is sent once unless it was refused; a 429's Retry-After is waited out."""
    asked = await world.requests(REQUESTS[fault.request], since)
    if fault.request == PAY and fault.kind != BUSY:
        assert len(asked) == 1
    assert len(asked) <= 40
    if fault.kind == BUSY:
        for refused, again in itertools.pairwise(asked):
            assert not refused["fault"] or again["at"] - refused["at"] >= 1


# --- a whole side is away -----------------------------------------------------------------------------------

NOVITA_AWAY = Fault("everything at Novita, while it renders", "line cut until five have failed", 1)
DISCORD_AWAY = Fault("everything at Discord, while it renders", "503 until five have failed", 1)
GATEWAY_AWAY = Fault("the gateway, from the render to the end", "closed, and refused afterwards", 1)
KEYS = [fault.key for request in REQUESTS for fault in faults(request)]
KEYS += [away.key for away in (NOVITA_AWAY, DISCORD_AWAY, GATEWAY_AWAY)]
DONE = Outcome(paid=1, videos=1, told=0, card="Done", row="delivered")


async def _rendering(world: World, prompt: str) -> Bot:
    """Get a job to where it renders, for as long as the experiment takes."""
    await world.sandbox.novita.settings(render_seconds=600)
    bot = await world.bot().start()
    await _animate(world, await world.channel(), prompt)
    await world.sandbox.novita.wait_for_task(lambda task: task["prompt"] == prompt)
    return bot


async def _settle_away(world: World, bot: Bot, prompt: str, away: Fault) -> None:
    outcome = await world.outcome(await bot.ended(prompt))
    assert outcome == DONE
    settle("faults", away.key, "–", outcome.paid, outcome.videos, outcome.told, outcome.card)


async def test_novita_may_be_away(world: World) -> None:
    prompt = world.prompt()
    bot = await _rendering(world, prompt)
    await world.sandbox.faults.add("novita", "drop_before", method="GET", times=0)
    await _hits(world, 5)
    (row,) = bot.rows()
    await world.mia.wait_for_message(
        str(row["channel_id"]),
        lambda m: m.id == str(row["card_id"]) and "Novita does not answer" in m.text,
    )
    await world.sandbox.novita.settings(render_seconds=0.1)
    await world.sandbox.faults.clear()
    await _settle_away(world, bot, prompt, NOVITA_AWAY)


async def test_discord_may_be_away(world: World) -> None:
    prompt = world.prompt()
    bot = await _rendering(world, prompt)
    await world.sandbox.faults.add("discord", "error", status=503, times=0)
    await world.sandbox.novita.settings(render_seconds=0.1)
    await _hits(world, 5)
    await world.sandbox.faults.clear()
    await _settle_away(world, bot, prompt, DISCORD_AWAY)


async def _hits(world: World, least: int) -> None:
    async def look() -> object:
        return any(fault["hits"] >= least for fault in await world.sandbox.faults.list()) or None

    await world.sandbox.wait(look, 30, f"{least} requests to fail", {"fault"})


async def test_the_gateway_may_be_away(world: World) -> None:
    prompt = world.prompt()
    bot = await _rendering(world, prompt)
    await world.sandbox.discord.refuse_gateway(3600)
    await world.sandbox.discord.close_gateway(0)
    await world.sandbox.novita.settings(render_seconds=0.1)
    await _settle_away(world, bot, prompt, GATEWAY_AWAY)
    assert (await world.sandbox.discord.state())["gateway"]["connections"] == 0
    await world.sandbox.discord.refuse_gateway(0)
