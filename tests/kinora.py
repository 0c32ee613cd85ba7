"""The bot as it ships: `python -m bot` in a process of its own, against the sandbox."""

from __future__ import annotations

import asyncio
import copy
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from sandbox.client import Sandbox

REPOSITORY = Path(__file__).parent.parent
ONLINE = "online: in"


class Kinora:
    """One bot process after another, on one data folder; `log` is everything they all printed."""

    def __init__(self, sandbox: Sandbox, folder: Path, **environ: str) -> None:
        self.folder = folder
        self.log: list[str] = []
        self._environ = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(REPOSITORY),
            "PYTHONWARNINGS": "default,ignore::DeprecationWarning:discord.player",
            "DISCORD_TOKEN": sandbox.environment["discord_token"],
            "NOVITA_API_KEY": sandbox.environment["novita_api_key"],
            "DISCORD_API_URL": sandbox.environment["discord_api_url"],
            "NOVITA_API_URL": sandbox.environment["novita_api_url"],
            "KINORA_POLL_SECONDS": "0.2",
            "KINORA_NOVITA_RPM": "60000",
            **environ,
        }
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._line = asyncio.Condition()

    def change(self, **environ: str) -> None:
        """Change settings for the next start."""
        self._environ.update(environ)

    def aside(self) -> Kinora:
        """Give a second process on the same folder and settings, beside this one."""
        other = copy.copy(self)
        other.log, other._process, other._line = [], None, asyncio.Condition()
        return other

    @property
    def running(self) -> bool:
        """Tell whether a process is there."""
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int:
        """The process's id."""
        assert self._process is not None
        return self._process.pid

    @property
    def text(self) -> str:
        """Everything printed so far."""
        return "\n".join(self.log)

    async def start(self, *arguments: str, online: bool = True) -> Kinora:
        """Start a process; by default, wait until people can use it."""
        since = len(self.log)
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bot",
            *arguments,
            cwd=self.folder,
            env=self._environ,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        self._reader = asyncio.create_task(self._read(self._process))
        if online:
            await self.wait_for_log(ONLINE, since)
        return self

    async def wait_for_log(self, words: str, since: int = 0, seconds: float = 30.0) -> str:
        """Wait for a line with these words; fails when the process ends without it."""

        def found() -> str | None:
            return next((line for line in self.log[since:] if words in line), None)

        async with self._line, asyncio.timeout(seconds):
            while (line := found()) is None:
                assert self._reader is not None
                assert not self._reader.done(), f"the bot ended without saying {words!r}:\n{self.text}"
                await self._line.wait()
        return line

    async def wait(self, seconds: float = 30.0) -> int:
        """Wait for the process to end by itself; give its exit code."""
        assert self._process is not None
        assert self._reader is not None
        async with asyncio.timeout(seconds):
            await self._reader
            return await self._process.wait()

    async def stop(self) -> int:
        """Stop it as an operator does; give its exit code."""
        return await self._end(signal.SIGTERM)

    async def kill(self) -> int:
        """End it as a crash does."""
        return await self._end(signal.SIGKILL)

    async def _end(self, how: signal.Signals) -> int:
        assert self._process is not None
        if self._process.returncode is None:
            self._process.send_signal(how)
        return await self.wait()

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            async with self._line:
                self.log.append(line.decode(errors="replace").rstrip())
                self._line.notify_all()
        async with self._line:
            self._line.notify_all()


NewKinora = Callable[..., Kinora]
