"""The bot, dying on purpose: `python -m tests.support.crashing LABEL:N` dies the N-th time it gets there.

The product has no hooks for this. Its seams are wrapped from outside, then the bot runs as it ships, and at
the point it is ended with SIGKILL: nothing is flushed, no `finally` runs, the kernel closes the sockets.

Points of the database are "before commit: WHAT" (the statement was executed, its transaction is open) and
"after commit: WHAT"; a move's WHAT is the state it leads to. Points of a request are "before REQUEST"
(nothing of it was sent), "half REQUEST" (half of its body is on the wire) and "answered REQUEST" (the answer
has arrived, and the bot has not yet looked at it). `REQUESTS` names the requests.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextvars import ContextVar
from typing import Any

import aiohttp
import alembic.op
import sqlalchemy as sa
from alembic.runtime.migration import HeadMaintainer

from bot.__main__ import main as run_bot
from bot.store.database import Database
from bot.store.jobs import JobStore

REQUESTS = {
    "acknowledgement": r"POST .*/interactions/\d+/[^/]+/callback$",
    "card": r"PATCH .*/webhooks/\d+/[^/]+/messages/@original$",
    "thread": r"POST .*/channels/\d+/messages/\d+/threads$",
    "card edit": r"PATCH .*/channels/\d+/messages/\d+$",
    "card read": r"GET .*/channels/\d+/messages/\d+$",
    "history": r"GET .*/channels/\d+/messages$",
    "post": r"POST .*/channels/\d+/messages$",
    "submit": r"POST .*/v3/async/",
    "poll": r"GET .*/v3/async/task-result$",
    "download": r"GET .*/files/",
}
NOTES = {
    "card_id": "card",
    "fallback_reason": "detour",
    "check_at": "lost",
    "video_url": "fresh link",
    "notified": "told",
}
"""How a write that moves nothing is named, by the first of its columns that is listed."""

_commit: ContextVar[str] = ContextVar("commit", default="")
_downloading: ContextVar[bool] = ContextVar("downloading", default=False)


class Point:
    """The place where the process dies, and how often it may still pass there."""

    def __init__(self, text: str) -> None:
        label, _, count = text.rpartition(":")
        self.label, self.left = (label, int(count)) if count.isdecimal() else (text, 1)

    def reached(self, label: str) -> None:
        """Die, if this is the place and the time."""
        if label == self.label:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def wrap_store(point: Point) -> None:
    """Put points around every commit."""

    def around(method: Any, what: Callable[..., str]) -> Any:
        async def wrapped(self: Any, *args: Any, **kwargs: Any) -> Any:
            name = what(*args, **kwargs)
            token = _commit.set(name)
            try:
                result = await method(self, *args, **kwargs)
            finally:
                _commit.reset(token)
            point.reached(f"after commit: {name}")
            return result

        return wrapped

    def noted(_job: object, **changes: object) -> str:
        if state := changes.get("state"):
            return str(state)
        return next((name for column, name in NOTES.items() if column in changes), "/".join(changes))

    JobStore.accept = around(JobStore.accept, lambda *_: "job")  # type: ignore[method-assign]
    JobStore.claim = around(JobStore.claim, lambda *_: "claim")  # type: ignore[method-assign]
    JobStore.update = around(JobStore.update, noted)  # type: ignore[method-assign]
    JobStore.decide = around(JobStore.decide, lambda *_: "decision")  # type: ignore[method-assign]
    Database.open = around(Database.open, lambda: "tables")  # type: ignore[method-assign]

    @sa.event.listens_for(sa.engine.Engine, "commit")
    def committing(_connection: sa.Connection) -> None:
        point.reached(f"before commit: {_commit.get()}")


def wrap_migrations(point: Point) -> None:
    """Put points between the steps of a migration."""
    create_table, stamp = alembic.op.create_table, HeadMaintainer.update_to_step

    def created(*args: Any, **kwargs: Any) -> Any:
        table = create_table(*args, **kwargs)
        point.reached("table made")
        return table

    def stamping(self: HeadMaintainer, step: Any) -> None:
        point.reached("before version stamp")
        stamp(self, step)

    alembic.op.create_table = created
    HeadMaintainer.update_to_step = stamping  # type: ignore[method-assign]


def wrap_requests(point: Point) -> None:
    """Put points into every HTTP request, whoever makes it."""
    trace = aiohttp.TraceConfig(trace_config_ctx_factory=lambda **_: {"left": 0})  # type: ignore[arg-type]

    def name(params: Any) -> str:
        line = f"{params.method} {params.url.with_query(None)}"
        return next((name for name, pattern in REQUESTS.items() if re.search(pattern, line)), "")

    async def starting(_session: object, _context: object, params: Any) -> None:
        _downloading.set(name(params) == "download")
        point.reached(f"before {name(params)}")

    async def headed(_session: object, body: dict[str, int], params: Any) -> None:
        body["left"] = int(params.headers.get("Content-Length", 0)) // 2

    async def sent(_session: object, body: dict[str, int], params: Any) -> None:
        passed, body["left"] = body["left"] > 0, body["left"] - len(params.chunk)
        if passed and body["left"] <= 0:
            point.reached(f"half {name(params)}")

    async def answered(_session: object, _context: object, params: Any) -> None:
        point.reached(f"answered {name(params)}")

    trace.on_request_start.append(starting)
    trace.on_request_headers_sent.append(headed)  # type: ignore[arg-type]
    trace.on_request_chunk_sent.append(sent)  # type: ignore[arg-type]
    trace.on_request_end.append(answered)
    make = aiohttp.ClientSession.__init__

    def traced(self: aiohttp.ClientSession, *args: Any, trace_configs: Any = None, **kwargs: Any) -> None:
        make(self, *args, trace_configs=[*(trace_configs or []), trace], **kwargs)

    aiohttp.ClientSession.__init__ = traced  # type: ignore[method-assign]


def wrap_downloads(point: Point) -> None:
    """Put a point into the middle of a video's download."""
    whole = aiohttp.StreamReader.iter_chunked

    async def halved(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for chunk in chunks:
            yield chunk[: len(chunk) // 2]
            point.reached("half download")  # asked for more, so the first half is on disk
            yield chunk[len(chunk) // 2 :]

    def iter_chunked(self: aiohttp.StreamReader, size: int) -> Any:
        chunks = whole(self, size)
        return halved(chunks) if _downloading.get() else chunks

    aiohttp.StreamReader.iter_chunked = iter_chunked  # type: ignore[assignment, method-assign]


def main(text: str) -> int:
    """Run the bot until it gets to the point; gives the exit code if it never does."""
    point = Point(text)
    for wrap in (wrap_store, wrap_migrations, wrap_requests, wrap_downloads):
        wrap(point)
    return run_bot([])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
