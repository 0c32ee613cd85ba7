"""One run of the soak: the people, the faults and the endings, side by side."""

from __future__ import annotations

import asyncio
import itertools
import random
import sqlite3
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from sandbox import client
from sandbox.client import Json, Sandbox
from tests.soak.mishaps import TARGETS, pick_fault
from tests.soak.plan import (
    BALANCE,
    IMAGES,
    MOST_OPEN,
    PEOPLE,
    SEATS,
    SETTLE_SECONDS,
    START_SECONDS,
    Happened,
    Plan,
)
from tests.soak.records import Recorder, Rows
from tests.support.kinora import ONLINE, Kinora
from tests.support.steps import an_image


class Soak:
    """One run: the people, the faults and the endings, side by side."""

    def __init__(self, plan: Plan, sandbox: Sandbox, kinora: Kinora) -> None:
        self.plan = plan
        self.sandbox = sandbox
        self.kinora = kinora
        self.recorder = Recorder(sandbox)
        self.rows = Rows(kinora.folder / "data/kinora.db")
        self.happened = Happened()
        self._numbers = itertools.count(1)
        self._jobs = self._open = 0
        self._enough = asyncio.Event()
        self._progress = asyncio.Condition()
        self._hands_on = asyncio.Lock()
        """Held by whoever ends or starts the bot."""

    async def run(self) -> None:
        """Ask, break and kill until there are enough jobs, then let everything come to its end."""
        recording = asyncio.create_task(self.recorder.run())
        places = await self._furnish()
        await self.kinora.start()
        async with asyncio.timeout(60 * self.plan.minutes + SETTLE_SECONDS):
            async with asyncio.TaskGroup() as group:
                looking = [group.create_task(task()) for task in (self._count, self._watch)]
                breaking = [group.create_task(task()) for task in (self._break, self._storm, self._pace)]
                ending = group.create_task(self._end_again_and_again())
                people = [
                    group.create_task(self._sit(seat, places[PEOPLE[seat % len(PEOPLE)]]))
                    for seat in range(SEATS)
                ]
                await asyncio.wait([ending, *people])  # the last endings catch what is asked last
                for task in breaking:
                    task.cancel()
                await self._settle()
                for task in looking:
                    task.cancel()
        recording.cancel()
        await asyncio.gather(recording, return_exceptions=True)

    async def _furnish(self) -> dict[str, list[str]]:
        """Make places of every kind, enough that no channel's own pace rules; list them by person."""
        discord = self.sandbox.discord
        await discord.settings(rate_limits=False)
        await self.sandbox.novita.settings(
            queue_seconds=0.1, render_seconds=0.5, video_height=96, video_fps=12, balance=BALANCE
        )
        texts = [(await discord.create_channel(f"soak-{n}")).id for n in range(8)]
        voices = [(await discord.create_channel(f"Soak {n}", "voice")).id for n in range(6)]
        threads = [(await discord.start_thread("stills", "olivia", f"Thread {n}")).id for n in range(4)]
        posts = [(await discord.forum_post("showcase", "olivia", f"Post {n}")).id for n in range(4)]
        shared = [*texts * 2, *voices, *threads, *posts, "stills", "Lounge", "Premiere", "no-threads"]
        places = {}
        for name in PEOPLE:
            await self.sandbox.person(name).open_dm()
            places[name] = [*shared, "dm"]
        return places

    async def _count(self) -> None:
        """Keep the numbers of jobs up to date, and say when there are enough."""
        started = time.monotonic()
        while True:
            with suppress(sqlite3.OperationalError):  # a bot that was just killed is being replaced
                self._jobs, self._open = self.rows.count()
            late = time.monotonic() - started > 60 * self.plan.minutes
            async with self._progress:
                self._progress.notify_all()
            if self._jobs >= self.plan.jobs or late:
                self._enough.set()
            await asyncio.sleep(0.2)

    async def _until(self, true: Callable[[], bool]) -> None:
        async with self._progress:
            await self._progress.wait_for(true)

    # --- people

    async def _sit(self, seat: int, places: list[str]) -> None:
        """Run /animate, wait for the answer, breathe, and again."""
        rng = self.plan.choices(f"seat {seat}")
        name = PEOPLE[seat % len(PEOPLE)]
        await asyncio.sleep(rng.uniform(0, 1))
        while not self._enough.is_set():
            await self._until(lambda: self._open < MOST_OPEN or self._enough.is_set())
            kind, colour = rng.choice(IMAGES)
            fails = " fail-sandbox-render" if rng.random() < 0.02 else ""
            options = {
                "prompt": f"Soak {self.plan.seed}, number {next(self._numbers)}{fails}",
                "duration": rng.choice((5, 5, 5, 10)),
                "model": rng.choice(("kling-2.5-turbo-i2v",) * 4 + ("kling-v3.0-std-i2v",)),
            }
            files = {"image": (f"still.{kind}", an_image(400, 300, kind, colour))}
            run = await self.sandbox.person(name).run("animate", rng.choice(places), options, files=files)
            self.happened.asked += 1
            if not await self.recorder.acknowledged(run.id):
                self.happened.unanswered += 1
            await asyncio.sleep(rng.uniform(0.1, 1.5))

    # --- faults

    async def _break(self) -> None:
        """Put one fault after another in force, at most one waiting for each request."""
        rng = self.plan.choices("faults")
        latest: dict[str, int] = {}
        async with asyncio.TaskGroup() as later:
            while True:
                await asyncio.sleep(rng.expovariate(self.plan.faults_a_second))
                (target,) = rng.choices(TARGETS, [target.weight for target in TARGETS])
                chosen, patience = pick_fault(rng, target), rng.uniform(0.3, 2.5)
                there = {fault["id"]: fault for fault in await self.sandbox.faults.list()}
                if old := there.get(latest.get(target.name, 0)):
                    if old["hits"] < old["times"]:
                        continue
                    await self._remove(old)
                fault = await self.sandbox.faults.add(**chosen)
                latest[target.name] = fault["id"]
                if fault["kind"] == "hang":
                    later.create_task(self._let_go(fault, patience))

    async def _let_go(self, fault: Json, seconds: float) -> None:
        """End a hang a while after it hit."""
        await self.recorder.hit(fault, 60)
        await asyncio.sleep(seconds)
        await self._remove(fault)

    async def _remove(self, fault: Json) -> None:
        with suppress(client.Refused):
            await self.sandbox.faults.remove(fault)

    async def _storm(self) -> None:
        """Now and then Discord, its gateway or Novita is away as a whole, for a second or two."""
        rng = self.plan.choices("storms")
        discord = self.sandbox.discord
        gateway: dict[str, Callable[[], Awaitable[object]]] = {
            "gateway cut": lambda: discord.close_gateway(0),
            "gateway closed": lambda: discord.close_gateway(rng.choice((1001, 4000, 4009))),
            "gateway asks to reconnect": discord.reconnect,
            "session invalid": lambda: discord.invalidate(resumable=False),
            "session resumable": lambda: discord.invalidate(resumable=True),
            "gateway refuses": lambda: discord.refuse_gateway(1.5),
        }
        while True:
            await asyncio.sleep(rng.uniform(1, 6))
            name = rng.choice((*gateway, "Discord away", "Novita away", "CDN away"))
            kind, seconds = rng.choice(("drop_before", "hang", "html", "error")), rng.uniform(0.5, 2)
            self.happened.storms[name] += 1
            if name in gateway:
                await gateway[name]()
                continue
            status = {"status": 503} if kind in ("html", "error") else {}
            fault = await self.sandbox.faults.add(name.split()[0].lower(), kind, times=0, **status)
            await asyncio.sleep(seconds)
            await self._remove(fault)

    async def _pace(self) -> None:
        """Let renders take now 0.2 and now 4 seconds."""
        rng = self.plan.choices("pace")
        while True:
            await self.sandbox.novita.settings(render_seconds=round(rng.triangular(0.2, 4, 0.5), 2))
            await asyncio.sleep(rng.uniform(0.5, 2))

    # --- endings

    async def _end_again_and_again(self) -> None:
        """End the bot at random moments, spread over the run, and start it again each time."""
        rng = self.plan.choices("endings")
        endings: list[str] = []
        while (missing := self.plan.kills - sum(_KILLS[ending] for ending in endings)) > 0:
            ending = rng.choice(("kill", "kill", "aimed", "aimed", "aimed", "twice", "stop"))
            if _KILLS[ending] <= missing:
                endings.append(ending)
        for number, ending in enumerate(endings):
            due = self.plan.jobs * (number + rng.uniform(0.2, 1)) / (len(endings) + 0.5)
            await self._until(lambda due=due: self._jobs >= due or self._enough.is_set())  # type: ignore[misc]
            await asyncio.sleep(rng.uniform(0, 1.5))
            async with self._hands_on:
                await self._revive()
                await self._end(ending, rng)
                await self._start()

    async def _watch(self) -> None:
        """Start a bot that ended by itself again, as a server would; it is not forgotten."""
        while True:
            await asyncio.sleep(0.5)
            async with self._hands_on:
                await self._revive()

    async def _revive(self) -> None:
        if not self.kinora.running:
            self._trouble("the bot ended by itself", self.kinora.log[-15:])
            await self._start()

    async def _end(self, ending: str, rng: random.Random) -> None:
        early, late, target = rng.uniform(0.2, 2.5), rng.uniform(0, 0.3), rng.choice(_AIMS)
        if ending == "stop":
            started = time.monotonic()
            code = await self.kinora.stop()
            self.happened.stops.append(time.monotonic() - started)
            if code != 0:
                self._trouble(f"a clean stop exited with {code}")
        elif ending == "aimed":
            # The bot dies while this very request is on its way, or just after it was answered.
            kind = rng.choice(("delay", "delay_after"))
            fault = await self.sandbox.faults.add(
                target.side, kind, method=target.method, path=target.path, seconds=0.2
            )
            await self.recorder.hit(fault, 5)
            await asyncio.sleep(late)
            await self._kill()
            await self._remove(fault)
        else:
            await self._kill()
            if ending == "twice":
                await self.kinora.start(online=False)
                await asyncio.sleep(early)
                await self._kill()

    async def _kill(self) -> None:
        self.happened.kills.append(time.time())
        await self.kinora.kill()

    async def _start(self) -> None:
        since = len(self.kinora.log)
        await self.kinora.start(online=False)
        try:
            await self.kinora.wait_for_log(ONLINE, since, START_SECONDS)
        except (AssertionError, TimeoutError):
            self._trouble("the bot did not come online", self.kinora.log[since:][-15:])

    def _trouble(self, sentence: str, log: Sequence[str] = ()) -> None:
        self.happened.troubles.append("\n    ".join([f"{time.strftime('%H:%M:%S')} {sentence}", *log]))

    async def _settle(self) -> None:
        """Let the bot finish: no more faults, and a wait until people were told of every job's end."""
        await self.sandbox.faults.clear()
        await self.sandbox.novita.settings(render_seconds=0.2)
        deadline = time.monotonic() + SETTLE_SECONDS
        calm = 0
        while calm < 5 and time.monotonic() < deadline:
            # For a second, since an acknowledged command may be just about to become a job.
            calm = 0 if self.rows.count()[1] else calm + 1
            await asyncio.sleep(0.2)


_KILLS = {"kill": 1, "aimed": 1, "twice": 2, "stop": 0}
_AIMS = tuple(t for t in TARGETS if t.weight >= 4)
