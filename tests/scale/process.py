"""The bot as it ships, with a quick heart, and stopped on purpose: `python -m tests.scale.process ROLE`.

Without KINORA_SLOW_HEART=1, heartbeats and what hangs together with them are many times as fast as in the
product, in about the same proportions. With KINORA_PAYING_VERSION=N it is of that version where the database
names the oldest that may pay. With KINORA_STOP_AT=LABEL:N, the process stops itself (SIGSTOP) the N-th time
it gets there, and says so; who wakes it (SIGCONT) finds it in the middle of what it was doing. The points
around commits are those of `tests.support.crashing`. Those of a request (named as there) are

"connected REQUEST": a connection is there, nothing of the request was sent, the database was not asked yet;
"checked REQUEST": the same, and the database was asked, and had nothing against it;
"half REQUEST": half of its body is on the wire.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from typing import Any

import aiohttp

from bot import client
from bot.__main__ import main as run_bot
from bot.engines import local, postgres
from bot.jobs import fencing
from bot.store import database, jobs, worker_rows
from tests.support import crashing

STOPPED = "stopped at "
STALLED_SECONDS = 2.0
SWEEP_SECONDS = 0.4
LEAVE_SECONDS = 0.5


class Stop(crashing.Point):
    """The place where the process stops."""

    def reached(self, label: str) -> None:
        """Stop, if this is the place and the time."""
        if label == self.label:
            self.left -= 1
            if self.left == 0:
                print(STOPPED + label, flush=True)
                os.kill(os.getpid(), signal.SIGSTOP)


def wrap_requests(stop: Stop) -> None:
    """Put points around the fence's own, in every HTTP session."""
    before, after = (aiohttp.TraceConfig(trace_config_ctx_factory=lambda **_: {}) for _ in range(2))  # type: ignore[arg-type]

    async def starting(_session: object, request: dict[str, Any], params: Any) -> None:
        line = f"{params.method} {params.url.with_query(None)}"
        names = (name for name, pattern in crashing.REQUESTS.items() if re.search(pattern, line))
        request["name"], request["left"] = next(names, ""), 0

    async def connected(_session: object, request: dict[str, Any], params: Any) -> None:
        request["left"] = int(params.headers.get("Content-Length", 0)) // 2
        stop.reached(f"connected {request['name']}")

    async def checked(_session: object, request: dict[str, Any], _params: Any) -> None:
        stop.reached(f"checked {request['name']}")

    async def sending(_session: object, request: dict[str, Any], params: Any) -> None:
        passed, request["left"] = request["left"] > 0, request["left"] - len(params.chunk)
        if passed and request["left"] <= 0:
            stop.reached(f"half {request['name']}")

    for trace, there in ((before, connected), (after, checked)):
        trace.on_request_start.append(starting)  # type: ignore[arg-type]
        trace.on_request_headers_sent.append(there)  # type: ignore[arg-type]
    before.on_request_chunk_sent.append(sending)  # type: ignore[arg-type]
    make = aiohttp.ClientSession.__init__

    def traced(self: aiohttp.ClientSession, *args: Any, trace_configs: Any = None, **kwargs: Any) -> None:
        make(self, *args, trace_configs=[before, *(trace_configs or []), after], **kwargs)

    aiohttp.ClientSession.__init__ = traced  # type: ignore[method-assign]


def quicken() -> None:
    """Make the hearts beat faster, and everything that waits for them."""
    postgres.HEARTBEAT_SECONDS = 0.4
    postgres.STALLED_SECONDS = STALLED_SECONDS
    postgres.SWEEP_SECONDS = SWEEP_SECONDS
    postgres.LEAVE_SECONDS = LEAVE_SECONDS
    local.RETRY_SECONDS = 1.0
    fencing.STALE = 0.4
    worker_rows.ORPHANED_AFTER = 1.0
    client.IDENTIFY_SECONDS = 0.4
    ten = "idle_in_transaction_session_timeout=10s"
    assert ten in database.POSTGRES_OPTIONS
    database.POSTGRES_OPTIONS = database.POSTGRES_OPTIONS.replace(ten, ten.replace("10s", "1s"))


def main(arguments: list[str]) -> int:
    """Run the bot in a role."""
    if os.environ.get("KINORA_SLOW_HEART") != "1":
        quicken()
    if version := os.environ.get("KINORA_PAYING_VERSION"):
        jobs.PAYING_VERSION = int(version)
    if at := os.environ.get("KINORA_STOP_AT"):
        stop = Stop(at)
        crashing.wrap_store(stop)
        wrap_requests(stop)
    return run_bot(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
