"""A world is a sandbox with the bots that live in it, and what can be asked about a job afterwards."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from sandbox.client import Interaction, Message, Person, Sandbox
from tests.reliability.page import Outcome
from tests.support.kinora import REPOSITORY, Kinora
from tests.support.postgres import Postgres
from tests.support.steps import is_video, title
from tests.support.warm import Warm

Json = dict[str, Any]
T = TypeVar("T")
QUICK = {"queue_seconds": 0.0, "render_seconds": 0.1, "video_height": 64}
UNDISTURBED = ("Traceback", "Unclosed", "never awaited", "ResourceWarning")


class Bot(Kinora):
    """A bot that can be told where to die."""

    def __init__(self, sandbox: Sandbox, folder: Path, **options: Any) -> None:
        super().__init__(sandbox, folder, KINORA_POLL_SECONDS="0.1", **options)

    async def start(
        self, *arguments: str, online: bool = True, dies_at: str = "", impatient: bool = False
    ) -> Bot:
        """Start a process; by default, wait until people can use it."""
        module = "bot"
        if dies_at:
            module, arguments = "tests.support.crashing", (dies_at,)
        elif impatient:
            module = "tests.support.impatient"
        await self._start(module, *arguments, online=online)
        return self

    async def ended(self, prompt: str, seconds: float = 60.0) -> Json:
        """Wait until the job with this prompt has ended and people know it; give its row."""

        def over() -> Json | None:
            return next((row for row in self.rows() if row["prompt"] == prompt and _over(row)), None)

        try:
            return await until(over, seconds)
        except TimeoutError:
            rows = [row for row in self.rows() if row["prompt"] == prompt]
            raise AssertionError(f"waited {seconds:g} s for the end of {rows}:\n{self.text}") from None


async def until(look: Callable[[], T | None], seconds: float = 60.0) -> T:
    """Look until something is there; `TimeoutError` when nothing comes."""
    async with asyncio.timeout(seconds):
        while not (found := look()):  # noqa: ASYNC110 — another process's file has no event
            await asyncio.sleep(0.02)
    return found


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
        """Let bots keep their ledgers there from now on."""
        if engine is not self._engine:
            await self.end_bots()
            self._engine = engine

    def bot(self, **options: Any) -> Bot:
        """Make a bot that is not started yet."""
        folder = self._folder / f"bot-{next(self._numbers)}"
        folder.mkdir()
        self._bots.append(Bot(self.sandbox, folder, engine=self._engine, warm=self._warm, **options))
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
            self.check(bot.text)

    def check(self, said: str) -> None:
        """Fail when a bot said what none should say."""
        for secret in ("discord_token", "novita_api_key"):
            assert self.sandbox.environment[secret] not in said
        for sign in UNDISTURBED:
            assert sign not in said, said

    # --- what became of a job

    async def paid(self, prompt: str) -> int:
        """Count the payments for a prompt."""
        return sum(payment["prompt"] == prompt for payment in await self.sandbox.novita.payments())

    async def outcome(self, row: Json) -> Outcome:
        """Say how a job ended, as everyone concerned has it."""
        card, others = await self.messages(row)
        return Outcome(
            paid=await self.paid(row["prompt"]),
            videos=videos(others),
            told=len(others) - videos(others),
            card=title(card) if card else "–",
            ledger=row["state"],
        )

    async def without_job(self, run: Interaction, prompt: str) -> Outcome:
        """Say what people see of a command that came to nothing."""
        state = await run.state()
        shown = [m for m in await self.mia.messages(str(state["channel_id"])) if m.author == "kinora"]
        # A card is no refusal: it may be that of a job on its way.
        words = [m for m in shown if m.embeds and title(m) == "Not started"]
        waiting = "“thinking…”" if any(m.deferred for m in shown) else "–"
        return Outcome(await self.paid(prompt), videos(shown), len(words), waiting, "no job")

    async def messages(self, row: Json) -> tuple[Message | None, list[Message]]:
        """Give a job's card, and everything else that Kinora posted about it, wherever that is."""
        places = {str(row["channel_id"]), str(row["card_id"]), str(row["target_id"])}
        seen = [m for place in places if place != "None" for m in await visible(self.mia, place)]
        card = next((m for m in seen if m.id == str(row["card_id"])), None)
        return card, [m for m in seen if row["id"] in m.text and m.id != str(row["card_id"])]


def videos(messages: list[Message]) -> int:
    """Count the messages that bring a video."""
    return sum(is_video(message) or "/files/" in message.content for message in messages)


async def visible(person: Person, place: str) -> list[Message]:
    """Read a place, if it is one that this person sees."""
    known = {channel.id for channel in await person.places()}
    return await person.messages(place) if place in known else []


@asynccontextmanager
async def new_sandbox(warm: Warm, folder: Path, module: str, **novita: Any) -> AsyncIterator[Sandbox]:
    """Fork a sandbox with quick renders and without Discord's rate limits, and end it."""
    flags = ["--discord-port=0", "--novita-port=0", "--control-port=0", f"--data={folder / 'sandbox'}"]
    process = await warm.start(module, *flags, cwd=str(REPOSITORY), environ=warm.environ)
    said: list[bytes] = []
    while not said or not said[-1].startswith(b"{"):
        said.append(await process.stdout.readline())
        assert said[-1], f"the sandbox did not start: {said}"
    listening = asyncio.create_task(process.stdout.read())
    environment = json.loads(said[-1])
    try:
        async with Sandbox(environment["control_url"]) as sandbox:
            sandbox.environment = environment
            await sandbox.novita.settings(**QUICK, **novita)
            await sandbox.discord.settings(rate_limits=False)
            yield sandbox
    finally:
        process.send_signal(signal.SIGTERM)
        await process.wait()
        await listening


@asynccontextmanager
async def new_world(warm: Warm, folder: Path, *, impatient: bool = False) -> AsyncIterator[World]:
    """Start a sandbox, and end it with every bot in it."""
    async with new_sandbox(warm, folder, "sandbox") as sandbox:
        world = World(sandbox, warm, folder, impatient)
        yield world
        await world.end_bots()
        assert [e["problems"] for e in await sandbox.wire() if e["problems"]] == []


class Worlds:
    """Some worlds side by side, for experiments that are mostly waiting; each has a world for itself."""

    def __init__(self, worlds: list[World]) -> None:
        self._free: dict[bool, asyncio.Queue[World]] = {True: asyncio.Queue(), False: asyncio.Queue()}
        for world in worlds:
            self._free[world.impatient].put_nowait(world)
        self._worlds = worlds

    async def use(self, engine: Postgres | None) -> None:
        """Let the bots of all of them keep their ledgers there."""
        await asyncio.gather(*(world.use(engine) for world in self._worlds))

    async def run(self, experiment: Callable[[World], Awaitable[T]], *, impatient: bool = False) -> T:
        """Run an experiment when there is a world for it, with a bot that is impatient or as it ships."""
        world = await self._free[impatient].get()
        try:
            return await experiment(world)
        finally:
            await world.sandbox.faults.clear()
            self._free[impatient].put_nowait(world)
