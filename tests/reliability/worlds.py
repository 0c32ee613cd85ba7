"""A world is a sandbox with the bots that live in it, and what can be asked about a job afterwards."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self, TypeVar

from sandbox.client import Interaction, Message, Sandbox
from tests.reliability.page import Outcome
from tests.support.kinora import Kinora
from tests.support.postgres import Postgres
from tests.support.sandbox import new_sandbox
from tests.support.steps import count_videos, title, visible
from tests.support.waiting import until
from tests.support.warm import Warm

Json = dict[str, Any]
T = TypeVar("T")


class Bot(Kinora):
    """A bot that can be told where to die."""

    async def start(
        self,
        *arguments: str,
        online: bool = True,
        module: str | None = None,
        seconds: float = 30.0,
        dies_at: str = "",
        impatient: bool = False,
    ) -> Self:
        """Start a process; by default, wait until people can use it."""
        if dies_at:
            module, arguments = "tests.support.crashing", (dies_at,)
        elif impatient:
            module = "tests.support.impatient"
        return await super().start(*arguments, online=online, module=module, seconds=seconds)

    async def ended(self, prompt: str, seconds: float = 60.0) -> Json:
        """Wait until the job with this prompt has ended and people know it; give its row."""

        def over() -> Json | None:
            return next((row for row in self.rows() if row["prompt"] == prompt and _over(row)), None)

        try:
            return await until(over, seconds)
        except TimeoutError:
            rows = [row for row in self.rows() if row["prompt"] == prompt]
            raise AssertionError(f"waited {seconds:g} s for the end of {rows}:\n{self.text}") from None


def _over(row: Json) -> bool:
    return bool(row["told"]) and row["check_at"] is None


class World:
    """One sandbox, and bots on folders of their own."""

    def __init__(self, sandbox: Sandbox, warm: Warm, folder: Path, impatient: bool) -> None:
        self.impatient = impatient
        self.sandbox = sandbox
        self.mia = sandbox.person("mia")
        self._warm = warm
        self._folder = folder
        self._bots: list[Bot] = []
        self._resident: Bot | None = None
        self._wired = 0
        self._numbers = itertools.count(1)
        self._engine: Postgres | None = None

    async def use(self, engine: Postgres | None) -> None:
        """Let bots keep their jobs there from now on."""
        if engine is not self._engine:
            await self.end_bots()
            self._engine = engine

    def bot(self, *, empty: bool = False, **environ: str) -> Bot:
        """Make a bot that is not started yet; with `empty`, on a database without tables."""
        folder = self._folder / f"bot-{next(self._numbers)}"
        folder.mkdir()
        environ = {"KINORA_POLL_SECONDS": "0.1"} | environ
        self._bots.append(
            Bot(self.sandbox, folder, environ, engine=self._engine, warm=self._warm, empty=empty)
        )
        return self._bots[-1]

    async def resident(self) -> Bot:
        """Give the bot that stays here from one experiment to the next."""
        if self._resident is None:
            self._resident = await self.bot().start(impatient=self.impatient)
        return self._resident

    def prompt(self, *, fails: bool = False) -> str:
        """Make a prompt that nobody has used here, so that payments can be told apart."""
        return f"{'fail-sandbox-render' if fails else 'go'} {next(self._numbers)}"

    def keep(self, bot: Bot) -> None:
        """Let a bot that was started for an experiment stay."""
        self._resident = bot

    async def now(self) -> int:
        """Mark this moment on the wire."""
        self._wired = max((e["id"] for e in await self.sandbox.wire(self._wired)), default=self._wired)
        return self._wired

    async def requests(self, request: Json, since: int) -> list[Json]:
        """List the requests of a kind that came after a moment."""
        return [
            exchange
            for exchange in await self.sandbox.wire(since, side=request["side"])
            if exchange["method"] == request["method"]
            and re.search(request.get("path", ""), exchange["path"].partition("?")[0])
        ]

    async def channel(self, kind: str = "text") -> str:
        """Make a channel where nothing has happened yet."""
        return (await self.sandbox.discord.create_channel(f"place-{next(self._numbers)}", kind)).id

    async def end_bots(self) -> None:
        """End every bot; none may have printed a secret, a traceback or a warning."""
        bots, self._bots, self._resident = self._bots, [], None
        for bot in bots:
            await bot.close()
        for bot in bots:
            bot.check()

    # --- what became of a job

    async def paid(self, prompt: str) -> int:
        """Count the payments for a prompt."""
        return sum(payment["prompt"] == prompt for payment in await self.sandbox.novita.payments())

    async def outcome(self, row: Json) -> Outcome:
        """Say how a job ended, as everyone concerned has it."""
        card, others = await self.messages(row)
        return Outcome(
            paid=await self.paid(row["prompt"]),
            videos=count_videos(others),
            told=len(others) - count_videos(others),
            card=title(card) if card else "–",
            row=row["state"],
        )

    async def without_job(self, run: Interaction, prompt: str) -> Outcome:
        """Say what people see of a command that came to nothing."""
        state = await run.state()
        shown = [m for m in await self.mia.messages(str(state["channel_id"])) if m.author == "kinora"]
        # A card is no refusal: it may be that of a job on its way.
        words = [m for m in shown if m.embeds and title(m) == "Not started"]
        waiting = "“thinking…”" if any(m.deferred for m in shown) else "–"
        return Outcome(await self.paid(prompt), count_videos(shown), len(words), waiting, "no job")

    async def messages(self, row: Json) -> tuple[Message | None, list[Message]]:
        """Give a job's card, and everything else that Kinora posted about it, wherever that is."""
        places = {str(row["channel_id"]), str(row["card_id"]), str(row["target_id"])}
        seen = [m for place in places if place != "None" for m in await visible(self.mia, place)]
        card = next((m for m in seen if m.id == str(row["card_id"])), None)
        return card, [m for m in seen if row["id"] in m.text and m.id != str(row["card_id"])]


@asynccontextmanager
async def new_world(warm: Warm, folder: Path, *, impatient: bool = False) -> AsyncIterator[World]:
    """Start a sandbox, and end it with every bot in it."""
    async with new_sandbox(warm, folder, "sandbox") as sandbox:
        world = World(sandbox, warm, folder, impatient)
        yield world
        await world.end_bots()
        assert [e["problems"] for e in await sandbox.wire() if e["problems"]] == []


@asynccontextmanager
async def lent(world: World, engine: Postgres | None) -> AsyncIterator[World]:
    """Lend a world for one test, without any bots or faults before or after."""
    await world.use(engine)
    yield world
    await world.sandbox.faults.clear()
    await world.end_bots()


class Worlds:
    """Some worlds side by side, for experiments that are mostly waiting; each has a world for itself."""

    def __init__(self, worlds: list[World]) -> None:
        self._free: dict[bool, asyncio.Queue[World]] = {True: asyncio.Queue(), False: asyncio.Queue()}
        for world in worlds:
            self._free[world.impatient].put_nowait(world)
        self._worlds = worlds

    async def use(self, engine: Postgres | None) -> None:
        """Let the bots of all of them keep their jobs there."""
        await asyncio.gather(*(world.use(engine) for world in self._worlds))

    async def run(self, experiment: Callable[[World], Awaitable[T]], *, impatient: bool = False) -> T:
        """Run an experiment when there is a world for it, with a bot that is impatient or as it ships."""
        world = await self._free[impatient].get()
        try:
            return await experiment(world)
        finally:
            await world.sandbox.faults.clear()
            self._free[impatient].put_nowait(world)
