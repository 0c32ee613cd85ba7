"""SQLite and PostgreSQL side by side: `python -m bench.engines [--in-flight 1000 10000]`.

What is measured, for one process on SQLite and for a gateway and a worker on PostgreSQL, both as durable as
they ship:

- jobs written down a second, each in a transaction of its own that has reached the disk, sixteen at a time;
- CPU seconds of the bot's processes (and of PostgreSQL's) for a job from the command to its video, and the
  store's SQL statements for it (those that go through SQLAlchemy); on PostgreSQL all transactions of the
  database too, so Procrastinate's are in there;
- with thousands of renders in flight: how long a start takes until each job is driven again and has been
  polled, the polls and CPU a second at rest, memory (PSS, all processes and PostgreSQL together), and how
  soon fifty commands, one every tenth of a second, are acknowledged. Novita is a small server here that
  answers every poll with "still rendering", so that its cost is not in the numbers; Discord is the sandbox;
- how long a clean stop of the worker takes, and how long after kill -9 another one drives its jobs.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import psycopg
import sqlalchemy as sa

from bench.endless_novita import Novita, endless_novita
from bot.domain.job import Job, State
from bot.engines.postgres import PostgresEngine
from bot.store.rows import values_of
from bot.store.tables import jobs
from sandbox import client
from sandbox.client import Sandbox
from tests.support.jobs import Store, a_job
from tests.support.kinora import Kinora
from tests.support.postgres import Postgres
from tests.support.steps import an_image

ACCEPTED = 600
DRIVEN = 30
COMMANDS = 50
PEOPLE = ("mia", "rosa", "adam", "olivia")
LIMITS = {"KINORA_MAX_RENDERS": "100000", "KINORA_NOVITA_RPM": "60000", "KINORA_POLL_SECONDS": "3"}
MEGABYTE = 1_000_000
REST_SECONDS = 10.0
LONGEST = 300.0
DURABLE = ("fsync = on", "synchronous_commit = on", "full_page_writes = on")
QUEUE_ALL = """
INSERT INTO procrastinate_jobs (queue_name, task_name, args)
SELECT 'jobs', 'drive', jsonb_build_object('job_id', id, 'afresh', false) FROM jobs
"""
Row = dict[str, str]


# --- the bot's processes ------------------------------------------------------------------------------------


class Process(Kinora):
    """One process of the bot."""

    async def stop(self, number: signal.Signals = signal.SIGTERM, seconds: float = LONGEST) -> int:
        """Stop it, however long that takes."""
        return await super().stop(number, seconds)

    async def statements(self) -> int:
        """Ask how many statements there were."""
        since = len(self.log)
        self.send_signal(signal.SIGUSR1)
        return int((await self.wait_for_log("statements ", since)).split()[1])

    @property
    def cpu(self) -> float:
        """CPU seconds so far."""
        times = psutil.Process(self.pid).cpu_times()
        return float(times.user + times.system)

    @property
    def memory(self) -> int:
        """Its memory, with its share of what it shares, in bytes."""
        return int(psutil.Process(self.pid).memory_full_info().pss)


class Setup:
    """One engine: its database, and the processes on it."""

    def __init__(self, name: str, sandbox: Sandbox, folder: Path, url: str, server: Server | None) -> None:
        self.name = name
        self.url = url
        self.server = server
        self._roles = ("gateway", "worker") if server else ("all",)
        self._new = lambda: Process(
            sandbox, folder, {"DATABASE_URL": url} | LIMITS | self.environ, module="bench.counting_bot"
        )
        file = url.replace("sqlite:///", "sqlite:///file:", 1) + "?mode=ro&uri=true"
        self._reading = sa.create_engine(_psycopg(url) if server else file, isolation_level="AUTOCOMMIT")
        self.environ: dict[str, str] = {}
        self.processes: list[Process] = []

    @property
    def worker(self) -> Process:
        """The process that drives jobs."""
        return self.processes[-1]

    async def start(self) -> None:
        """Start every process."""
        self.processes = [self._new() for _ in self._roles]
        for process, role in zip(self.processes, self._roles, strict=True):
            await process.start(role, seconds=LONGEST)

    async def start_worker(self) -> None:
        """Start another in the worker's place."""
        self.processes[-1] = self._new()
        await self.worker.start(self._roles[-1], seconds=LONGEST)

    async def stop(self) -> None:
        """Stop every process."""
        await asyncio.gather(*(process.stop() for process in self.processes if process.running))

    async def kill(self) -> None:
        """End what is left of them."""
        await asyncio.gather(*(process.kill() for process in self.processes if process.running))
        self._reading.dispose()

    def cpu(self) -> float:
        """CPU seconds of the bot so far."""
        return sum(process.cpu for process in self.processes)

    def memory(self) -> int:
        """The memory of everything, in bytes."""
        return sum(p.memory for p in self.processes) + (self.server.memory() if self.server else 0)

    async def statements(self) -> int:
        """Count the store's statements so far."""
        return sum([await process.statements() for process in self.processes])

    async def read(self, query: str) -> int:
        """Read a number from the database, beside the bot."""
        return int((await asyncio.to_thread(self._read, query))[0])

    async def runs(self) -> set[str]:
        """List the runs that drive the renders now."""
        return set(await asyncio.to_thread(self._read, "SELECT run FROM jobs WHERE state = 'rendering'"))

    def _read(self, query: str) -> list[Any]:
        with self._reading.connect() as connection:
            return list(connection.execute(sa.text(query)).scalars())


def _psycopg(url: str) -> str:
    return url.replace("postgresql:", "postgresql+psycopg:", 1)


class Server:
    """The PostgreSQL server's processes."""

    def __init__(self, postgres: Postgres) -> None:
        self.postgres = postgres
        with psycopg.connect(postgres.url("postgres"), autocommit=True) as admin:
            for setting in DURABLE:
                admin.execute(f"ALTER SYSTEM SET {setting}".encode())
            admin.execute("SELECT pg_reload_conf()")
            (file,) = admin.execute("SHOW data_directory").fetchone() or ("",)
        self._main = psutil.Process(int(Path(file, "postmaster.pid").read_text().split()[0]))

    def cpu(self) -> float:
        """CPU seconds of all its processes, ended ones included."""
        total = 0.0
        for process in (self._main, *self._main.children()):
            times = process.cpu_times()
            total += times.user + times.system
        ended = self._main.cpu_times()
        return float(total + ended.children_user + ended.children_system)

    def memory(self) -> int:
        """Their memory, in bytes."""
        return sum(p.memory_full_info().pss for p in (self._main, *self._main.children()))


# --- what is measured ---------------------------------------------------------------------------------------


async def accepting(setup: Setup) -> Row:
    """Write jobs down, sixteen at a time, each in a transaction of its own."""
    store = Store(setup.url)
    await store.open()
    if setup.server:
        enqueue_with_procrastinate(store, setup.url)
    waiting = [_job(number) for number in range(ACCEPTED)]

    async def write() -> None:
        while waiting:
            await store.accept(waiting.pop())

    began = time.monotonic()
    await asyncio.gather(*(write() for _ in range(16)))
    seconds = time.monotonic() - began
    await store.close()
    return {"jobs accepted a second": f"{ACCEPTED / seconds:,.0f}"}


def enqueue_with_procrastinate(store: Store, url: str) -> None:
    """Queue each job as the bot does."""
    PostgresEngine(store.database, store, None, url, works=False)  # type: ignore[arg-type]


async def driving(setup: Setup, sandbox: Sandbox) -> Row:
    """Drive jobs from the command to the video; what each costs."""
    setup.environ = {"KINORA_POLL_SECONDS": "3"}
    await sandbox.novita.settings(queue_seconds=1, render_seconds=8, video_height=120)
    await setup.start()
    transactions = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
    before = await setup.statements(), setup.cpu(), setup.server.cpu() if setup.server else 0.0
    committed = await setup.read(transactions) if setup.server else 0
    for number in range(DRIVEN):
        await _ask(sandbox, number)
    await _until(setup, f"SELECT count(*) = {DRIVEN} FROM jobs WHERE told")  # noqa: S608
    sent, cpu = await setup.statements() - before[0], setup.cpu() - before[1]
    rows = {
        "CPU a job, bot": f"{cpu / DRIVEN * 1000:,.0f} ms",
        "statements a job": f"{sent / DRIVEN:,.1f}",
    }
    if setup.server:
        await asyncio.sleep(1.5)  # its statistics are told now and then
        committed = await setup.read(transactions) - committed
        rows["CPU a job, PostgreSQL"] = f"{(setup.server.cpu() - before[2]) / DRIVEN * 1000:,.0f} ms"
        rows["all transactions a job"] = f"{committed / DRIVEN:,.1f}"
    await setup.stop()
    return rows


async def in_flight(setup: Setup, sandbox: Sandbox, endless: Novita, count: int) -> AsyncIterator[Row]:
    """Start with many renders in flight, have people ask meanwhile, and end the worker in both ways."""
    await _fill(setup, count)
    setup.environ = {"NOVITA_API_URL": endless.url}
    earlier, began = await setup.runs(), time.monotonic()
    await setup.start()
    yield {"start to all driven": await _driven(setup, earlier, began)}
    yield {"start to all polled": await _polled(endless, count, began)}
    await asyncio.sleep(REST_SECONDS)
    cpu, (_, polls) = setup.cpu(), await endless.seen()
    server = setup.server.cpu() if setup.server else 0.0
    await asyncio.sleep(REST_SECONDS)
    yield {"CPU at rest, bot": f"{(setup.cpu() - cpu) / REST_SECONDS:.0%} of a core"}
    if setup.server:
        yield {"CPU at rest, PostgreSQL": f"{(setup.server.cpu() - server) / REST_SECONDS:.0%} of a core"}
    yield {"polls a second": f"{((await endless.seen())[1] - polls) / REST_SECONDS:,.0f}"}
    asked = []
    for number in range(COMMANDS):
        asked.append(asyncio.create_task(_ask(sandbox, number)))
        await asyncio.sleep(0.1)
    seconds = sorted([await one for one in asked])
    yield {"acknowledged, median": f"{statistics.median(seconds) * 1000:,.0f} ms"}
    yield {"acknowledged, 99 %": f"{seconds[int(len(seconds) * 0.99)] * 1000:,.0f} ms"}
    yield {"memory in all": f"{setup.memory() / MEGABYTE:,.0f} MB"}

    earlier, began = await setup.runs(), time.monotonic()
    code = await setup.worker.stop()
    yield {"clean stop": f"{time.monotonic() - began:.1f} s" + (f" (exit {code})" if code else "")}
    await setup.start_worker()
    yield {"SIGTERM to all driven again": await _driven(setup, earlier, began)}
    await endless.seen(forget=True)
    earlier, began = await setup.runs(), time.monotonic()
    await setup.worker.kill()
    await setup.start_worker()
    yield {"kill -9 to all driven again": await _driven(setup, earlier, began)}
    yield {"kill -9 to all polled again": await _polled(endless, count, began)}
    await setup.stop()


# --- parts --------------------------------------------------------------------------------------------------


def _job(number: int, state: State = State.ACCEPTED) -> Job:
    rendering = state is State.RENDERING
    return a_job(
        state=state,
        created_at=time.time() - 200,
        requester_id=number % 997,
        guild_id=number % 499,
        channel_id=10**17 + number // 10,
        card_id=10**17 + number,
        target_id=10**17 + number,
        prompt="A boat drifts away from the jetty while the sun goes down behind it",
        # As they would stand: begun at any time within the last quarter of an hour.
        submitted_at=time.time() - random.uniform(0, 900) if rendering else None,  # noqa: S311
        task_id=f"task-{number}" if rendering else None,
        turn_at=time.time() - 200 if rendering else None,
    )


async def _fill(setup: Setup, count: int) -> None:
    """Put jobs that render into the store, and on PostgreSQL into the queue."""
    store = Store(setup.url)
    await store.open()
    await store.close()
    rows = [values_of(_job(number, State.RENDERING)) for number in range(count)]
    engine = sa.create_engine(_psycopg(setup.url))
    with engine.begin() as connection:
        connection.execute(jobs.delete())
        if rows:
            connection.execute(jobs.insert(), rows)
        if setup.server:
            connection.execute(sa.text("DELETE FROM procrastinate_jobs"))
            connection.execute(sa.text(QUEUE_ALL))
    engine.dispose()


async def _ask(sandbox: Sandbox, number: int) -> float:
    """Run /animate; give how many seconds its acknowledgement took."""
    person = sandbox.person(PEOPLE[number % len(PEOPLE)])
    options = {"prompt": f"Number {number}"}
    asked = await person.run("animate", "stills", options, files={"image": ("still.png", an_image())})
    return float((await asked.wait_acknowledged())["seconds_to_acknowledge"])


async def _until(setup: Setup, query: str) -> None:
    async with asyncio.timeout(LONGEST):
        while not await setup.read(query):  # noqa: ASYNC110 — another process's database has no event
            await asyncio.sleep(0.1)


async def _driven(setup: Setup, earlier: set[str], began: float) -> str:
    """Wait until every render is driven by a run that is not one of the earlier."""
    async with asyncio.timeout(LONGEST):
        while earlier & await setup.runs():  # noqa: ASYNC110
            await asyncio.sleep(0.3)
    return f"{time.monotonic() - began:.1f} s"


async def _polled(endless: Novita, count: int, began: float) -> str:
    async with asyncio.timeout(LONGEST):
        while (await endless.seen())[0] < count:  # noqa: ASYNC110
            await asyncio.sleep(0.2)
    return f"{time.monotonic() - began:.1f} s"


# --- all of it ----------------------------------------------------------------------------------------------


async def bench(counts: list[int], folder: Path) -> None:
    """Measure both engines; print each number as it comes, and all of them side by side at the end."""
    postgres = Postgres(folder / "postgres")
    server = Server(postgres)
    table: dict[str, Row] = {}
    try:
        async with client.start("--data", str(folder / "sandbox"), "--journal", "500") as sandbox:
            await sandbox.discord.settings(rate_limits=False)
            for name in ("SQLite", "PostgreSQL"):
                place = folder / name
                place.mkdir()
                url = await postgres.database() if name == "PostgreSQL" else f"sqlite:///{place}/kinora.db"
                setup = Setup(name, sandbox, place, url, server if name == "PostgreSQL" else None)
                async for rows in _all(setup, sandbox, counts):
                    for row, value in rows.items():
                        print(f"{name:12}{row:48}{value}", flush=True)
                        table.setdefault(row, {})[name] = value
    finally:
        postgres.close()
    print(f"\n{'':48}{'SQLite':>22}{'PostgreSQL':>22}")
    for row, values in table.items():
        print(f"{row:48}{values.get('SQLite', '–'):>22}{values.get('PostgreSQL', '–'):>22}")


async def _all(setup: Setup, sandbox: Sandbox, counts: list[int]) -> AsyncIterator[Row]:
    try:
        yield await accepting(setup)
        await _fill(setup, 0)
        yield await driving(setup, sandbox)
        for count in counts:
            async with endless_novita() as endless:
                async for rows in in_flight(setup, sandbox, endless, count):
                    yield {f"{count:,} in flight: {name}": value for name, value in rows.items()}
    finally:
        await setup.kill()


def main(arguments: Sequence[str]) -> int:
    """Measure, and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.engines", description="Two engines side by side.")
    parser.add_argument("--in-flight", type=int, nargs="*", default=[1_000, 10_000])
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(bench(chosen.in_flight, Path(folder)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
