"""What is seen of a soak: the wire, and the rows."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import time
from collections import defaultdict
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from sandbox.client import Json, Sandbox
from tests.soak.mishaps import DEFINITE


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
