"""A cluster: one sandbox, one database, and the bot's processes, each in a role of its own."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import psycopg
from psycopg.rows import dict_row

from sandbox.client import Interaction, Message, Sandbox
from tests.scale.house import GUILDS, PLACES
from tests.scale.process import STOPPED
from tests.soak import checks, records
from tests.soak.plan import BALANCE
from tests.support.kinora import Kinora
from tests.support.sandbox import new_sandbox
from tests.support.steps import an_image, count_videos, visible
from tests.support.waiting import until
from tests.support.warm import Warm

Json = dict[str, Any]
IMAGE = {"image": ("still.png", an_image(400, 300))}
SETTLED = 60.0


class Process(Kinora):
    """One process of the cluster, in one role."""

    def __init__(
        self, sandbox: Sandbox, folder: Path, environ: Mapping[str, str], *, warm: Warm, role: str
    ) -> None:
        super().__init__(sandbox, folder, environ, warm=warm, module="tests.scale.process")
        self.role = role

    async def start(
        self, *arguments: str, online: bool = True, module: str | None = None, seconds: float = 30.0
    ) -> Self:
        """Start it in its role, or to do something else; by default, wait until it is of use."""
        return await super().start(
            *(arguments or (self.role,)), online=online, module=module, seconds=seconds
        )

    async def stopped_itself(self, seconds: float = 30.0) -> None:
        """Wait until it has stopped at its point."""
        await self.wait_for_log(STOPPED, seconds=seconds)


class Cluster:
    """The processes, and what can be seen of their work from outside."""

    def __init__(self, sandbox: Sandbox, warm: Warm, folder: Path, url: str) -> None:
        self.sandbox = sandbox
        self.url = url
        self.recorder = records.Recorder(sandbox)
        self.mishaps: list[float] = []
        """When something was done to a process."""
        self._warm = warm
        self._folder = folder
        self._processes: list[Process] = []
        self._connected: psycopg.Connection[Json] | None = None
        self._numbers = itertools.count(1)

    def process(self, role: str, **environ: str) -> Process:
        """Make a process that is not started yet."""
        folder = self._folder / f"{role}-{next(self._numbers)}"
        folder.mkdir()
        environ = {"DATABASE_URL": self.url, "KINORA_POLL_SECONDS": "0.1"} | environ
        self._processes.append(Process(self.sandbox, folder, environ, warm=self._warm, role=role))
        return self._processes[-1]

    async def start(self, *roles: str, **environ: str) -> list[Process]:
        """Start processes side by side."""
        return list(await asyncio.gather(*(self.process(role, **environ).start() for role in roles)))

    async def animate(
        self, prompt: str, person: str = "mia", guild: int = 0, place: int = 0, **options: object
    ) -> Interaction:
        """Have somebody run /animate in one of the servers."""
        assert guild < GUILDS
        assert place < PLACES
        asked = self.sandbox.person(person)
        return await asked.run("animate", f"{guild}-{place}", {"prompt": prompt, **options}, files=IMAGE)

    # --- what became of it

    def rows(self, query: str = "SELECT * FROM jobs ORDER BY created_at") -> list[Json]:
        """Read the database, as anybody may beside running bots."""
        return list(self._connection().execute(query))

    def execute(self, statement: str) -> None:
        """Change the database from outside, such as the time of what happened."""
        self._connection().execute(statement)

    def _connection(self) -> psycopg.Connection[Json]:
        """Connect once: tests look often, and a connection is a process of the server's."""
        if self._connected is None:
            self._connected = psycopg.connect(
                self.url, autocommit=True, row_factory=dict_row, prepare_threshold=None
            )
        return self._connected

    def row(self, prompt: str) -> Json | None:
        """Read the job with this prompt."""
        return next((row for row in self.rows() if row["prompt"] == prompt), None)

    async def until(self, prompt: str, true: Callable[[Json], object], seconds: float = SETTLED) -> Json:
        """Wait until something is so of the job with this prompt; give its row."""

        def look() -> Json | None:
            row = self.row(prompt)
            return row if row and true(row) else None

        try:
            return await until(look, seconds)
        except TimeoutError:
            raise AssertionError(f"waited {seconds:g} s; {self.row(prompt)}\n{self.log}") from None

    async def ended(self, prompt: str, seconds: float = SETTLED) -> Json:
        """Wait until the job with this prompt has ended and people know it; give its row."""
        return await self.until(prompt, lambda row: row["told"] and row["check_at"] is None, seconds)

    async def all_ended(self, count: int, seconds: float = SETTLED) -> list[Json]:
        """Wait until that many jobs have ended and people know it."""

        def look() -> list[Json] | None:
            rows = self.rows()
            return rows if len(rows) >= count and all(row["told"] for row in rows) else None

        try:
            return await until(look, seconds)
        except TimeoutError:
            left = [row for row in self.rows() if not row["told"]]
            raise AssertionError(f"{len(left)} jobs are left: {left}\n{self.log}") from None

    async def messages(self, row: Json) -> tuple[Message | None, list[Message]]:
        """Give a job's card, and everything else that the bot posted about it."""
        olivia = self.sandbox.person("olivia")
        seen = [
            message
            for place in {row["channel_id"], row["card_id"], row["target_id"]} - {None}
            for message in await visible(olivia, str(place))
        ]
        card = next((message for message in seen if message.id == str(row["card_id"])), None)
        return card, [m for m in seen if row["id"] in m.text and m.id != str(row["card_id"])]

    async def outcome(self, row: Json) -> tuple[int, int, str]:
        """Say how a job ended: how many payments, how many videos, and what its card says."""
        card, others = await self.messages(row)
        paid = sum(payment["prompt"] == row["prompt"] for payment in await self.sandbox.novita.payments())
        return paid, count_videos(others), card.embeds[0]["title"] if card else "–"

    async def now(self) -> int:
        """Mark this moment on the wire."""
        return max((exchange["id"] for exchange in await self.sandbox.wire()), default=0)

    async def check(self) -> None:
        """Hold everything against the invariants of the soak: nothing lost, doubled, or wrongly told."""
        seen = SimpleNamespace(
            sandbox=self.sandbox,
            rows=SimpleNamespace(read=self.rows),
            recorder=self.recorder,
            happened=SimpleNamespace(kills=self.mishaps),
        )
        violations = checks.check(await checks.gather(seen))  # type: ignore[arg-type]
        assert violations == [], "\n".join([*map(str, violations), self.log])

    @property
    def log(self) -> str:
        """Everything that every process printed."""
        return "\n".join(f"--- {process.role}\n{process.text}" for process in self._processes)

    def mishap(self) -> None:
        """Note that something is done to a process now."""
        self.mishaps.append(time.time())

    async def end(self) -> None:
        """End every process; none may have printed a secret, a traceback or a warning."""
        if self._connected is not None:
            self._connected.close()
        for process in self._processes:
            if process.running:
                process.wake()
                await process.kill()
        for process in self._processes:
            process.check()


@asynccontextmanager
async def new_cluster(warm: Warm, folder: Path, url: str) -> AsyncIterator[Cluster]:
    """Start a sandbox with four servers, and end it with every process of the bot."""
    async with new_sandbox(warm, folder, "tests.scale.house", balance=BALANCE) as sandbox:
        cluster = Cluster(sandbox, warm, folder, url)
        recording = asyncio.create_task(cluster.recorder.run())
        try:
            yield cluster
        finally:
            recording.cancel()
            with suppress(asyncio.CancelledError):
                await recording
            await cluster.end()
