"""A running sandbox: its process, and everything that a test or a program does with it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator

from sandbox.client.connection import Connection, Json
from sandbox.client.people import Person
from sandbox.client.sides import DiscordAdmin, FaultsClient, NovitaClient

_START_SECONDS = 30.0
_STOP_SECONDS = 10.0


class Sandbox(Connection):
    """A running sandbox, by its control site's address."""

    def __init__(self, control_url: str) -> None:
        super().__init__(control_url)
        self.faults = FaultsClient(self)
        self.novita = NovitaClient(self)
        self.discord = DiscordAdmin(self)

    def person(self, name: str) -> Person:
        """Be someone: olivia (owner), adam (admin), mia (no rights), rosa (a role)."""
        return Person(self, name)

    async def wire(self, since: int = 0, *, side: str | None = None) -> list[Json]:
        """Read what crossed the wire after an exchange's id: see `sandbox.journal.Exchange`."""
        found = (await self.get("/wire", since=since))["exchanges"]
        return [e for e in found if side in (None, e["side"])]

    async def reset(self) -> None:
        """Put everything back to a fresh world."""
        await self.request("POST", "/reset", {})


@contextlib.asynccontextmanager
async def start(*flags: str, python: str = sys.executable) -> AsyncIterator[Sandbox]:
    """Start `python -m sandbox` on free ports, be its client, and stop it afterwards.

    `flags` are further command-line flags. RuntimeError when it does not start, or does not stop cleanly.
    """
    ports = ["--discord-port", "0", "--novita-port", "0", "--control-port", "0"]
    process = await asyncio.create_subprocess_exec(
        python, "-m", "sandbox", *ports, *flags, stdout=asyncio.subprocess.PIPE
    )
    try:
        environment = await _environment(process)
        async with Sandbox(environment["control_url"]) as sandbox:
            sandbox.environment = environment
            yield sandbox
    finally:
        status = await _stop(process)
    if status != 0:
        raise RuntimeError(f"the sandbox ended with status {status}")


async def _environment(process: asyncio.subprocess.Process) -> dict[str, str]:
    if process.stdout is None:
        raise RuntimeError("the sandbox has no output")
    async with asyncio.timeout(_START_SECONDS):
        line = await process.stdout.readline()
    if not line:
        raise RuntimeError("the sandbox ended before it was ready")
    environment: dict[str, str] = json.loads(line)
    return environment


async def _stop(process: asyncio.subprocess.Process) -> int:
    if process.returncode is None:
        process.terminate()
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            return await process.wait()
    except TimeoutError:
        process.kill()
        return await process.wait()
