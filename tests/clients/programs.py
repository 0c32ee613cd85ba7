"""The clients as programs of their own: one JSON object a line, in both directions."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.supervisor import Supervisor

Json = dict[str, Any]

HERE = Path(__file__).parent
ENVIRONMENT = HERE.parent.parent / ".venv-clients"


def python_of_the_clients(module: str) -> str:
    """Return the Python that has a client; skip the test visibly where there is none."""
    if not any(ENVIRONMENT.glob(f"lib/python3*/site-packages/{module}")):
        pytest.skip(f"{module} is not installed in {ENVIRONMENT.name}: `make test-clients` does that")
    return str(ENVIRONMENT / "bin/python")


def node_with(package: str) -> str:
    """Return node when it has a package; skip the test visibly otherwise."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not on this machine")
    if not (HERE / "node_modules" / package).is_dir():
        pytest.skip(f"{package} is not installed in tests/clients: `make test-clients` does that")
    return node


class Program(Supervisor):
    """A running program; what it says waits until it is asked for."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._heard = 0

    async def hear(self, event: str, seconds: float = 20.0) -> Json:
        """Wait for it to tell of an event; what it told before that one is passed over."""
        try:
            async with asyncio.timeout(seconds):
                while (told := await self._next(seconds))["event"] != event:
                    pass
                return told
        except TimeoutError:
            raise TimeoutError(f"waited {seconds:g} s for {self.name} to tell of {event!r}") from None

    async def ask(self, seconds: float = 30.0, **question: Any) -> Json:
        """Ask it something and wait for its answer."""
        async with asyncio.timeout(seconds):
            await self.tell(json.dumps(question))
            return await self._next(seconds)

    async def _next(self, seconds: float) -> Json:
        what = "anything more; its stderr says why"
        line = await self.wait_for_line(lambda _: True, what, self._heard, seconds)
        self._heard += 1
        told: Json = json.loads(line)
        return told


@contextlib.asynccontextmanager
async def running(name: str, *command: str, **environ: str) -> AsyncIterator[Program]:
    """Run a program, and end it afterwards."""
    program = Program(name)
    await program.run(
        *command,
        env={"PATH": os.environ["PATH"], "PYTHONUNBUFFERED": "1", **environ},
        stdin=asyncio.subprocess.PIPE,
    )
    try:
        yield program
    finally:
        await program.close()
