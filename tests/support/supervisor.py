"""The supervisor of a process: it starts it, hears what it prints, asks it, stops and kills it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
LONGEST_LINE = 2**20


class Child(Protocol):
    """A process that was started: by asyncio, or by `tests.support.warm`."""

    @property
    def pid(self) -> int:
        """The process's id."""

    @property
    def returncode(self) -> int | None:
        """The exit code; None while it runs."""

    @property
    def stdout(self) -> asyncio.StreamReader | None:
        """What it prints."""

    def send_signal(self, number: int, /) -> None:
        """Send it a signal."""

    async def wait(self) -> int:
        """Wait for its end; return its exit code, or minus the signal that ended it."""


class Supervisor:
    """One process after another, never two at once; `log` is every line that they all printed."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.log: list[str] = []
        self._process: Child | None = None
        self._stdin: asyncio.StreamWriter | None = None
        self._reader: asyncio.Task[None] | None = None
        self._line = asyncio.Condition()

    async def run(
        self, *command: str, stdin: int | None = None, stderr: int | None = None, **how: Any
    ) -> None:
        """Start a program; `how` is as for asyncio's `create_subprocess_exec`."""
        process = await asyncio.create_subprocess_exec(
            *command, stdin=stdin, stdout=asyncio.subprocess.PIPE, stderr=stderr, limit=LONGEST_LINE, **how
        )
        self._stdin = process.stdin
        self.adopt(process)

    def adopt(self, process: Child) -> None:
        """Supervise a process from now on."""
        assert not self.running, f"{self.name} runs already"
        self._process = process
        self._reader = asyncio.create_task(self._read(process))

    @property
    def running(self) -> bool:
        """Tell whether a process is there."""
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._started.pid

    @property
    def text(self) -> str:
        """Everything printed so far."""
        return "\n".join(self.log)

    async def wait_for_log(self, words: str, since: int = 0, seconds: float = 30.0) -> str:
        """Wait for a line with these words; fails when the process ends without it."""
        return await self.wait_for_line(lambda line: words in line, repr(words), since, seconds)

    async def wait_for_line(
        self, wanted: Callable[[str], object], what: str, since: int = 0, seconds: float = 30.0
    ) -> str:
        """Wait for a line that is wanted; fails when the process ends without it."""

        def found() -> str | None:
            return next((line for line in self.log[since:] if wanted(line)), None)

        async with self._line, asyncio.timeout(seconds):
            while (line := found()) is None:
                assert self._reader is not None
                assert not self._reader.done(), f"{self.name} ended without saying {what}:\n{self.text}"
                await self._line.wait()
        return line

    async def tell(self, line: str) -> None:
        """Write a line to its standard input."""
        assert self._stdin is not None
        self._stdin.write(f"{line}\n".encode())
        await self._stdin.drain()

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal, unless it has ended."""
        if self.running:
            self._started.send_signal(number)

    def pause(self) -> None:
        """Stop it where it stands."""
        self.send_signal(signal.SIGSTOP)

    def wake(self) -> None:
        """Let it go on."""
        self.send_signal(signal.SIGCONT)

    async def wait(self, seconds: float = 30.0) -> int:
        """Wait for it to end by itself; return its exit code."""
        assert self._reader is not None
        async with asyncio.timeout(seconds):
            await asyncio.shield(self._reader)
            return await self._started.wait()

    async def stop(self, number: signal.Signals = signal.SIGTERM, seconds: float = 30.0) -> int:
        """Stop it as an operator does; return its exit code."""
        self.send_signal(number)
        return await self.wait(seconds)

    async def kill(self) -> int:
        """End it as a crash does; return its exit code."""
        return await self.stop(signal.SIGKILL)

    async def close(self) -> None:
        """End it, if it is there."""
        if self._stdin is not None:
            self._stdin.close()
        if self.running:
            await self.kill()

    @property
    def _started(self) -> Child:
        assert self._process is not None, f"{self.name} was never started"
        return self._process

    async def _read(self, process: Child) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            async with self._line:
                self.log.append(line.decode(errors="replace").rstrip())
                self._line.notify_all()
        async with self._line:
            self._line.notify_all()
