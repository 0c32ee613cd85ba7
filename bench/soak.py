"""Hundreds of jobs while everything goes wrong: is anything lost, or done twice?

Run with `python -m bench.soak [--jobs 1000] [--kills 50] [--seed N] [--minutes M]`. People run /animate all
over a server, faults hit every request of the road at random, and the bot is killed with -9 again and again.
At the end the faults stop, everything settles, and the sandbox's own records are held against the ledger's
rows. Prints a summary; exits 1 with all that is known of each offending job when something was lost or
doubled.

The seed decides every choice (who asks what and where, which fault on which request, how the bot ends). The
moments at which they meet are the machine's.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import itertools
import json
import random
import re
import sqlite3
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox import client
from sandbox.client import Json, Sandbox
from tests.support.kinora import ONLINE, Kinora
from tests.support.steps import an_image

PEOPLE = ("mia", "rosa", "adam", "olivia")
SEATS = 16
"""How many people are at it at once; a name may sit in several seats."""
MOST_OPEN = 48
"""How many jobs may be under way before people wait: more would only measure the machine."""
BALANCE = 10**10
SETTLE_SECONDS = 240.0
"""The bot's own pauses between tries grow to a minute."""
START_SECONDS = 60.0
UNFORESEEN = ("unexpected error", "never retrieved", "never awaited")
"""What the bot's log says of errors that nobody foresaw."""
AFTERMATH = 1.0
"""How long a killed bot's request may still be on its way; a new process takes longer to send one."""
IMAGES = [("png", "teal"), ("png", "maroon"), ("jpeg", "olive"), ("jpeg", "indigo")]


# --- what goes wrong ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Target:
    """One request of the road, and how often it is picked."""

    name: str
    side: str
    method: str
    path: str
    weight: int = 4
    errors: tuple[Json, ...] = tuple({"status": status} for status in (500, 502, 503, 504))
    upload: bool = False


_SERVER_ERRORS = Target.errors
TARGETS = (
    Target("acknowledge", "discord", "POST", r"/callback$", weight=1),
    Target("card", "discord", "PATCH", r"/messages/@original$", upload=True),
    Target("thread", "discord", "POST", r"/messages/\d+/threads$"),
    Target("post", "discord", "POST", r"/channels/\d+/messages$", weight=10, upload=True),
    Target("card's edit", "discord", "PATCH", r"/channels/\d+/messages/\d+$"),
    Target("history", "discord", "GET", r"/channels/\d+/messages$"),
    Target("card's still", "discord", "GET", r"/channels/\d+/messages/\d+$"),
    Target("gateway's address", "discord", "GET", r"/gateway$", weight=1),
    Target("log in", "discord", "GET", r"/users/@me$", weight=1),
    Target("application", "discord", "GET", r"/oauth2/applications/@me$", weight=1),
    Target("commands", "discord", "PUT", r"/commands$", weight=1),
    Target("still", "cdn", "GET", "", weight=2),
    Target(
        "submit",
        "novita",
        "POST",
        r"^/v3/async/kling",
        weight=6,
        upload=True,
        errors=(
            *_SERVER_ERRORS,
            *(
                {"reason": reason}
                for reason in ("RATE_LIMIT_EXCEEDED", "BILLING_FAILED", "BILLING_AUTH_FAILED")
            ),
            *({"reason": reason} for reason in ("CREATE_TASK_FAILED", "ILLEGAL_PROMPT")),
        ),
    ),
    Target(
        "poll",
        "novita",
        "GET",
        r"^/v3/async/task-result",
        weight=8,
        errors=(*_SERVER_ERRORS, {"reason": "GET_RESULT_FAILED"}, {"reason": "TASK_NOT_FOUND"}),
    ),
    Target("download", "novita", "GET", r"^/files/", weight=8, errors=(*_SERVER_ERRORS, {"status": 403})),
    Target("balance", "novita", "GET", r"/balance/", weight=1),
)
KINDS = (
    "drop_before",
    "drop_after",
    "error",
    "error_after",
    "rate_limit",
    "html",
    "delay",
    "delay_after",
    "truncate",
    "hang",
)
# A submit that was refused with one of these was certainly not taken; any other 5xx leaves that open.
DEFINITE = frozenset({"RATE_LIMIT_EXCEEDED", "BILLING_FAILED", "BILLING_AUTH_FAILED", "CREATE_TASK_FAILED"})


def pick_fault(rng: random.Random, target: Target) -> Json:
    """Choose one fault for a request."""
    kind = rng.choice((*KINDS, "reset_upload") if target.upload else KINDS)
    fault: Json = {"side": target.side, "kind": kind, "method": target.method, "path": target.path}
    fault |= {"times": rng.choice((1, 1, 1, 2)), "skip": rng.randrange(3)}
    match kind:
        case "error":
            fault |= rng.choice(target.errors)
        case "error_after" | "html":
            fault |= rng.choice(_SERVER_ERRORS)
        case "rate_limit":
            fault["retry_after"] = round(rng.uniform(0.1, 1.5), 2)
        case "delay" | "delay_after":
            fault["seconds"] = round(rng.uniform(0.2, 2.5), 2)
    return fault


# --- what is seen -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Seen:
    """One exchange on the wire, as little of it as can be kept for all of them."""

    at: float
    side: str
    method: str
    path: str
    status: int | None
    fault: str | None
    reason: str
    marks: frozenset[str]
    """What it is about: ids in its path, the nonce, the prompt."""

    @property
    def is_submit(self) -> bool:
        """Whether it is the paid request."""
        return self.side == "novita" and self.method == "POST"

    @property
    def ambiguous(self) -> bool:
        """Whether a submit's sender cannot know what became of it."""
        if self.status is None or self.fault == "truncate":
            return True
        return self.status >= 500 and self.reason not in DEFINITE

    def __str__(self) -> str:
        said = self.status if self.status is not None else "no answer"
        trouble = f"  [{self.fault}]" if self.fault else ""
        return f"{_clock(self.at)} {self.side} {self.method} {self.path} → {said} {self.reason}{trouble}"


def _clock(at: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(at)) + f"{at % 1:.3f}"[1:]


def seen(exchange: Json) -> Seen:
    """Cut an exchange of the journal down to what is kept of it."""
    sent, got = exchange["request_body"], exchange["response_body"]
    sent = sent if isinstance(sent, dict) else {}
    sent = sent.get("payload_json", sent)
    marks = set(re.findall(r"\d{15,}|[0-9a-f]{8}-[0-9a-f-]{27}", exchange["path"]))
    if isinstance(sent, dict):
        marks |= {str(sent[name]) for name in ("nonce", "prompt") if sent.get(name)}
    return Seen(
        at=exchange["at"],
        side=exchange["side"],
        method=exchange["method"],
        path=re.sub(r"/[\w-]{60,}|\?.*", "…", exchange["path"]),
        status=exchange["status"],
        fault=exchange["fault"],
        reason=str(got.get("reason", "")) if isinstance(got, dict) else "",
        marks=frozenset(marks),
    )


class Recorder:
    """Follows the sandbox's live events: the wire, the answers to commands, the faults that hit."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.wire: list[Seen] = []
        self._sandbox = sandbox
        self._answered: dict[str, asyncio.Future[bool]] = {}
        self._hit: dict[int, asyncio.Event] = defaultdict(asyncio.Event)

    async def run(self) -> None:
        """Follow until cancelled."""
        async for event in self._sandbox.events():
            match event["type"]:
                case "exchange":
                    self._note(event["exchange"])
                case "fault":
                    self._hit[event["fault"]["id"]].set()
                case "discord" if event["event"] == "INTERACTION_STATE":
                    self._answer(event["data"])

    async def acknowledged(self, interaction_id: str) -> bool:
        """Wait for a command's first answer; False when it did not come within Discord's 3 seconds."""
        answer = self._answered.setdefault(interaction_id, asyncio.get_running_loop().create_future())
        with suppress(TimeoutError):
            async with asyncio.timeout(10):
                return await answer
        state = await self._sandbox.get(f"/discord/interactions/{interaction_id}")
        return bool(state["acknowledged"])

    async def hit(self, fault: Json, seconds: float) -> bool:
        """Wait for a fault to meet a request."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                return await self._hit[fault["id"]].wait()
        return False

    def _note(self, exchange: Json) -> None:
        if exchange["side"] != "gateway":
            self.wire.append(seen(exchange))

    def _answer(self, state: Json) -> None:
        if state["acknowledged"] or state["failed"]:
            new = asyncio.get_running_loop().create_future
            answer = self._answered.get(state["interaction_id"])
            if answer is None:
                answer = self._answered[state["interaction_id"]] = new()
            if not answer.done():
                answer.set_result(bool(state["acknowledged"]))


class Rows:
    """The ledger's file, read from outside while the bot writes it."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def read(self, query: str) -> list[Json]:
        """Read rows; nothing is ever written."""
        with closing(sqlite3.connect(f"file:{self._file}?mode=ro", uri=True, timeout=10)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(query)]

    def count(self) -> tuple[int, int]:
        """Count the jobs, and those whose end people have not been told."""
        (row,) = self.read("SELECT count(*) AS jobs, coalesce(sum(told = 0), 0) AS open FROM jobs")
        return row["jobs"], row["open"]


# --- the run ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Plan:
    """How much of it there is."""

    jobs: int = 1000
    kills: int = 50
    seed: int = 0
    minutes: float = 25.0
    faults_a_second: float = 4.0

    def choices(self, topic: str) -> random.Random:
        """Give a topic its own stream of choices, so that one topic's pace does not change another's."""
        return random.Random(f"{self.seed} {topic}")  # noqa: S311


@dataclass
class Happened:
    """What the driver did, beside what the sandbox recorded."""

    asked: int = 0
    unanswered: int = 0
    kills: list[float] = field(default_factory=list)
    stops: list[float] = field(default_factory=list)
    """How long each clean stop took, in seconds."""
    troubles: list[str] = field(default_factory=list)
    """What the bot's process did that it never should."""
    storms: Counter[str] = field(default_factory=Counter)


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


# --- what came of it ----------------------------------------------------------------------------------------


@dataclass
class Evidence:
    """Everything the verdict is found from: the ledger's rows, and what the sandbox saw from outside."""

    rows: list[Json]
    payments: list[Json]
    tasks: dict[str, Json]
    spent: int
    """What left Novita's balance, in 1/10000 USD."""
    messages: dict[str, list[Json]]
    """The bot's messages, by the job they are about."""
    sha256: dict[str, str]
    """Of each delivered file, by its message's id."""
    wire: list[Seen]
    kills: list[float]


async def gather(soak: Soak) -> Evidence:
    """Collect the evidence."""
    sandbox = soak.sandbox
    messages: dict[str, list[Json]] = defaultdict(list)
    digests = {}
    for message in await _bots_messages(sandbox):
        if job := _job_of(message):
            messages[job].append(message)
        for attachment in message["attachments"]:
            if attachment["filename"].endswith(".mp4"):
                digests[message["id"]] = hashlib.sha256(await sandbox.download(attachment["url"])).hexdigest()
    return Evidence(
        rows=soak.rows.read("SELECT * FROM jobs ORDER BY created_at"),
        payments=await sandbox.novita.payments(),
        tasks={task["id"]: task for task in await sandbox.novita.tasks()},
        spent=BALANCE - (await sandbox.novita.settings())["balance"],
        messages=dict(messages),
        sha256=digests,
        wire=soak.recorder.wire,
        kills=soak.happened.kills,
    )


async def _bots_messages(sandbox: Sandbox) -> list[Json]:
    found: dict[str, Json] = {}
    for name in PEOPLE:
        for place in await sandbox.person(name).places():
            # The owner sees all of the server; of everybody else only the DM is left to read.
            if name == "olivia" or place.data["type"] == _DM:
                path = f"/discord/people/{name}/channels/{place.id}/messages"
                for message in (await sandbox.get(path, limit=1_000_000))["messages"]:
                    found[message["id"]] = message
    return [message for message in found.values() if message["author"].get("bot")]


_DM = 1


def _job_of(message: Json) -> str | None:
    names = [attachment["filename"] for attachment in message["attachments"]]
    footers = [(embed.get("footer") or {}).get("text", "") for embed in message["embeds"]]
    for text in (*names, *footers):
        if match := re.search(r"(?:^kinora-|^still-|^job )([2-9a-z]{12})\b", text):
            return match[1]
    return None


@dataclass(frozen=True)
class Violation:
    """Something that must never be: of what sort, of which job (None: of the whole), in a sentence."""

    sort: str
    job: str | None
    sentence: str


TITLES = {"delivered": "Done", "failed": "Failed", "unconfirmed": "Unconfirmed", "cancelled": "Cancelled"}


def check(evidence: Evidence) -> list[Violation]:
    """Hold every job, every payment and the money as a whole against the invariants."""
    by_prompt: dict[str, list[Json]] = defaultdict(list)
    for row in evidence.rows:
        by_prompt[row["prompt"]].append(row)
    paid: dict[str, list[Json]] = defaultdict(list)
    for payment in evidence.payments:
        paid[payment["prompt"]].append(payment)
    found = [
        Violation("lost", None, f"{prompt!r} was paid, and no job knows of it")
        for prompt in paid
        if prompt not in by_prompt
    ]
    for prompt, rows in by_prompt.items():
        if len(rows) > 1:
            found.append(Violation("doubled", rows[0]["id"], f"{prompt!r} became {len(rows)} jobs"))
    excuses = _Excuses(evidence)
    for row in evidence.rows:
        payments, said = paid[row["prompt"]], evidence.messages.get(row["id"], [])
        problems = [
            *_about_money(row, payments),
            *_about_the_end(row, payments, evidence.tasks, excuses),
            *_about_the_video(row, payments, said, evidence),
            *_about_the_card(row, said),
        ]
        found += [Violation(sort, row["id"], sentence) for sort, sentence in problems]
    return found + _about_all_the_money(evidence)


Problems = Iterable[tuple[str, str]]


def _about_money(row: Json, payments: list[Json]) -> Problems:
    """Each job is paid at most once, and what it says it cost is so."""
    if len(payments) > 1:
        yield "doubled", f"it was paid {len(payments)} times"
    if row["cost"] == "paid" and not payments:
        yield "money", "it says it was paid, and it was not"
    if row["cost"] == "nothing" and payments:
        yield "money", "it says it cost nothing, and it was paid"
    if any(payment["price"] != row["price"] for payment in payments):
        yield "money", f"its price is {row['price']}, and {payments[0]['price']} was taken"
    if row["task_id"] and [row["task_id"]] != [payment["task_id"] for payment in payments]:
        yield "money", f"its task {row['task_id']} is not the one that was paid"


def _about_the_end(row: Json, payments: list[Json], tasks: dict[str, Json], excuses: _Excuses) -> Problems:
    """Each job has ended and said so; what was rendered reached people; `unconfirmed` has its reason."""
    if row["state"] not in TITLES:
        yield "lost", f"it is still {row['state']}"
    elif not row["told"]:
        yield "lost", f"it is {row['state']}, and nobody was told"
    if row["state"] == "unconfirmed" and not excuses.has(row):
        yield "lost", f"it is unconfirmed ({row['reason']}), and nothing happened to its submit"
    rendered = [payment for payment in payments if tasks[payment["task_id"]]["video"]]
    if row["state"] in ("failed", "cancelled") and rendered:
        yield "lost", f"its paid video exists, and it {row['state']}: {row['problem']} ({row['reason']})"


def _about_the_video(row: Json, payments: list[Json], said: list[Json], evidence: Evidence) -> Problems:
    """One video for each delivered job, with the bytes that Novita made for it; none for any other."""
    videos = [message for message in said if _is_video(message, row)]
    wanted = 1 if row["state"] == "delivered" else 0
    if len(videos) > wanted:
        yield "doubled", f"{len(videos)} videos stand in Discord where {wanted} should"
    if len(videos) < wanted:
        yield "lost", "it says it was delivered, and there is no video of it"
    for message in videos:
        file = evidence.sha256.get(message["id"])
        made = [evidence.tasks[payment["task_id"]]["video"] for payment in payments]
        if file and file not in [film["sha256"] for film in made if film]:
            yield "lost", "the delivered file is not what Novita made for it"


def _is_video(message: Json, row: Json) -> bool:
    if any(attachment["filename"] == f"kinora-{row['id']}.mp4" for attachment in message["attachments"]):
        return True
    return bool(row["task_id"]) and f"/files/{row['task_id']}/" in message["content"]


def _about_the_card(row: Json, said: list[Json]) -> Problems:
    """One card, which shows the end; beside it one message with the video, or with why there is none."""
    cards = [
        message for message in said if any(a["filename"].startswith("still-") for a in message["attachments"])
    ]
    if len(cards) != 1:
        yield "doubled" if cards else "lost", f"it has {len(cards)} cards"
    for card in cards:
        title = card["embeds"][0].get("title") if card["embeds"] else "nothing"
        if title != TITLES.get(row["state"]):
            yield "card", f"its card says {title}, and it is {row['state']}"
    others = len(said) - len(cards)
    if others != 1:
        yield "doubled" if others else "lost", f"{others} messages tell how it ended"


def _about_all_the_money(evidence: Evidence) -> list[Violation]:
    """Money reserved is money owed.

    What left Novita's balance is at least the prices of the jobs that say they were paid, and at most those
    and the prices of the jobs that say they may have been.
    """
    prices: Counter[str] = Counter()
    for row in evidence.rows:
        prices[row["cost"]] += row["price"]
    found = []
    if evidence.spent != sum(payment["price"] for payment in evidence.payments):
        found.append(Violation("money", None, f"{evidence.spent} left the balance, and the payments differ"))
    if not prices["paid"] <= evidence.spent <= prices["paid"] + prices["unknown"]:
        sentence = f"{evidence.spent} left the balance; paid {prices['paid']}, unknown {prices['unknown']}"
        found.append(Violation("money", None, sentence))
    return found


class _Excuses:
    """Which jobs may be unconfirmed: something really happened to their submit."""

    def __init__(self, evidence: Evidence) -> None:
        submits = [exchange for exchange in evidence.wire if exchange.is_submit]
        self._kills = evidence.kills
        self._own: dict[str, list[Seen]] = defaultdict(list)
        for submit in submits:
            for mark in submit.marks:
                self._own[mark].append(submit)
        left = [row for row in evidence.rows if row["state"] == "unconfirmed" and not self._known(row)]
        self._cut_off = self._shared_out([submit for submit in submits if not submit.marks], left)

    def has(self, row: Json) -> bool:
        """Find a lost answer, a kill while the job was submitting, or a submit that was cut off."""
        return self._known(row) or row["id"] in self._cut_off

    def _known(self, row: Json) -> bool:
        own = self._own[row["prompt"]]
        if row["reason"] != "interrupted":
            return any(submit.ambiguous for submit in own)
        last = max(own, key=lambda submit: submit.at, default=None)
        sent = last.at if last else row["created_at"]
        # A busy sandbox notes late that a dead process's request broke off; an answered one it notes at once.
        aftermath = 4 * AFTERMATH if last and last.status is None else AFTERMATH
        return any(sent - aftermath <= kill <= _end_of(row) for kill in self._kills)

    def _shared_out(self, submits: list[Seen], rows: list[Json]) -> set[str]:
        """A submit whose body never arrived names no job: give each to the first job to end after it."""
        excused: set[str] = set()
        for submit in sorted(submits, key=lambda submit: submit.at):
            able = [
                row
                for row in rows
                if row["id"] not in excused and row["created_at"] <= submit.at <= _end_of(row)
            ]
            if able:
                excused.add(min(able, key=_end_of)["id"])
        return excused


def _end_of(row: Json) -> float:
    return float(row["ended_at"] or time.time())


# --- the report ---------------------------------------------------------------------------------------------


@dataclass
class Report:
    """The verdict and its numbers."""

    plan: Plan
    evidence: Evidence
    happened: Happened
    violations: list[Violation]
    unforeseen: list[str]
    """Lines of the bot's log that tell of an error nobody foresaw."""
    seconds: float

    @property
    def good(self) -> bool:
        """Whether nothing was lost, doubled or unforeseen."""
        return not (self.violations or self.unforeseen or self.happened.troubles)

    def outcomes(self) -> Counter[str]:
        """Count the jobs by how they ended."""
        return Counter(
            row["state"] + (f", {row['problem']}" if row["state"] == "failed" else "")
            for row in self.evidence.rows
        )

    def summary(self) -> str:
        """Show what happened in a calm table."""
        rows, happened = self.evidence.rows, self.happened
        faults = Counter(seen.fault for seen in self.evidence.wire if seen.fault)
        hit = Counter(seen.side for seen in self.evidence.wire if seen.fault)
        sorts = Counter(violation.sort for violation in self.violations)
        lines = [
            ("seed", str(self.plan.seed)),
            (
                "asked",
                f"{happened.asked} times, {happened.asked - len(rows)} never accepted (bot away, or a fault)",
            ),
            ("jobs", f"{len(rows)}"),
            ("bot ended", f"{len(happened.kills)} kills, {len(happened.stops)} clean stops"),
            ("faults", f"{faults.total()}: {_listed(hit)}"),
            ("", _listed(faults)),
            ("storms", f"{happened.storms.total()}: {_listed(happened.storms)}"),
            ("outcomes", _listed(self.outcomes())),
            ("payments", f"{len(self.evidence.payments)}, ${self.evidence.spent / 10_000:,.2f}"),
            *((sort, str(sorts[sort])) for sort in ("lost", "doubled", "money", "card")),
            ("bot's own errors", str(len(self.unforeseen) + len(happened.troubles))),
            ("duration", f"{self.seconds / 60:.1f} minutes"),
        ]
        return "\n".join(f"{name:18}{value}" for name, value in lines)

    def details(self) -> str:
        """Tell all that is known of each offending job."""
        parts = [*self.happened.troubles, *self.unforeseen]
        jobs = {row["id"]: row for row in self.evidence.rows}
        for job in dict.fromkeys(violation.job for violation in self.violations):
            parts.append(f"\njob {job}" if job else "\nin all")
            parts += [f"  {v.sort}: {v.sentence}" for v in self.violations if v.job == job]
            if job:
                parts += [f"  {line}" for line in self._story(jobs[job])]
        return "\n".join(parts)

    def _story(self, row: Json) -> list[str]:
        names = ("id", "card_id", "task_id", "prompt")
        marks = {str(row[name]) for name in names if row[name]} | {f"{row['id']}-card"}
        if row["target_id"] != row["channel_id"]:
            marks.add(str(row["target_id"]))
        told = {name: value for name, value in row.items() if value not in (None, "", 0)}
        wire = [(exchange.at, str(exchange)) for exchange in self.evidence.wire if marks & exchange.marks]
        kills = [
            (kill, f"{_clock(kill)} -- the bot is killed")
            for kill in self.happened.kills
            if row["created_at"] <= kill <= _end_of(row) + 5
        ]
        return [json.dumps(told, default=str), *(line for _, line in sorted([*wire, *kills]))]


def _listed(counts: Counter[Any]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.most_common())


async def soak(plan: Plan, folder: Path) -> Report:
    """Do one run in an empty folder."""
    report: Report | None = None
    # The recorder keeps what matters of the wire, so the sandbox itself need not.
    flags = ("--data", str(folder / "sandbox"), "--seed", str(plan.seed), "--journal", "500")
    try:
        async with client.start(*flags) as sandbox:
            report = await _soak(plan, folder, sandbox)
    except RuntimeError as error:
        if report is None:
            raise
        print(error, file=sys.stderr)  # an hour's result is not lost for a sandbox that ends slowly
    return report


async def _soak(plan: Plan, folder: Path, sandbox: Sandbox) -> Report:
    started = time.monotonic()
    kinora = Kinora(sandbox, folder, {"KINORA_MAX_RENDERS": "24"})
    run = Soak(plan, sandbox, kinora)
    try:
        await run.run()
        evidence = await gather(run)
        await kinora.stop()
    finally:
        if kinora.running:
            await kinora.kill()
    unforeseen = [line for line in kinora.log if any(sign in line for sign in UNFORESEEN)]
    (folder / "bot.log").write_text(kinora.text)
    return Report(plan, evidence, run.happened, check(evidence), unforeseen, time.monotonic() - started)


def _plan(arguments: Sequence[str]) -> Plan:
    parser = argparse.ArgumentParser(
        prog="python -m bench.soak", description="Is anything lost, or done twice?"
    )
    parser.add_argument("--jobs", type=int, default=Plan.jobs)
    parser.add_argument("--kills", type=int, default=Plan.kills)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--minutes", type=float, default=Plan.minutes, help="ask no longer than this")
    return Plan(**vars(parser.parse_args(arguments)))


def main(arguments: Sequence[str]) -> int:
    """Run, report; 1 when an invariant broke."""
    plan = _plan(arguments)
    with tempfile.TemporaryDirectory() as folder:
        report = asyncio.run(soak(plan, Path(folder)))
    print(report.summary())
    if not report.good:
        print(report.details())
    return 0 if report.good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
