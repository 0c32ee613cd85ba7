"""The bot as it ships, in a process of its own: started, stopped, killed, and listened to."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import Callable, Mapping
from pathlib import Path

from demo import contract

ROOT = Path(__file__).resolve().parents[1]
START_SECONDS = 60.0
STOP_SECONDS = 3.0


class BotProcess:
    """`python -m bot` in a process and a folder of its own; all it prints goes to a log file.

    `where` is the sandbox's environment, `more` are further settings of the bot's. `hear` is told every line.
    """

    def __init__(
        self, folder: Path, log: Path, where: Mapping[str, str], hear: Callable[[str], None], **more: str
    ) -> None:
        self._folder = folder
        self._log = log
        self._hear = hear
        # Nothing of the visitor's own settings, should they have some for the real bot, may reach this one.
        self._environ = {
            "PATH": os.environ.get("PATH", os.defpath),
            "PYTHONPATH": str(ROOT),
            **contract.environment(where),
            **more,
        }
        self._process: Process | None = None
        self._online = asyncio.Event()
        self.ended: asyncio.Task[None]

    async def __aenter__(self) -> BotProcess:
        self._folder.mkdir(exist_ok=True)
        self._log.write_text("")
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def pid(self) -> int | None:
        """The process's id; None when none was started."""
        return self._process.pid if self._process else None

    @property
    def status(self) -> int | None:
        """The exit status of the last process; None while it runs."""
        return self._process.returncode if self._process else None

    @property
    def running(self) -> bool:
        """Tell whether a process is there."""
        return self._process is not None and self._process.returncode is None

    @property
    def online(self) -> bool:
        """Tell whether people can use it."""
        return self.running and self._online.is_set()

    async def start(self) -> None:
        """Start a process, on the same folder as the one before; RuntimeError while one runs."""
        if self.running:
            raise RuntimeError("the bot runs already")
        self._online.clear()
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            *contract.COMMAND,
            cwd=self._folder,
            env=self._environ,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=PIPE,
            stderr=STDOUT,
            start_new_session=True,  # Ctrl-C reaches this process only, which then stops the bot in order
            preexec_fn=_die_with_parent(),
        )
        self.ended = asyncio.create_task(self._read(self._process))

    async def stop(self) -> None:
        """End it as an operator does, and as a crash does if that takes too long."""
        try:
            self._send(signal.SIGTERM)
            await asyncio.wait({self.ended}, timeout=STOP_SECONDS)
        finally:
            await self.kill()

    async def kill(self) -> None:
        """End it as a crash does, with all that it started."""
        self._send(signal.SIGKILL)
        await asyncio.wait({self.ended}, timeout=STOP_SECONDS)
        self.ended.cancel()

    async def wait_online(self) -> bool:
        """Wait until people can use it; False when it ends instead, or takes too long."""
        online = asyncio.create_task(self._online.wait())
        await asyncio.wait({online, self.ended}, timeout=START_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        online.cancel()
        return self._online.is_set()

    def last_words(self, lines: int = 25) -> list[str]:
        """Return the end of its log."""
        return self._log.read_text(errors="replace").splitlines()[-lines:]

    async def _read(self, process: Process) -> None:
        if process.stdout is None:
            raise RuntimeError("the bot has no output")
        with self._log.open("a", encoding="utf-8") as log:
            async for raw in process.stdout:
                line = raw.decode(errors="replace").rstrip()
                log.write(f"{line}\n")
                log.flush()
                self._hear(line)
                if contract.says_online(line):
                    self._online.set()
        await process.wait()

    def _send(self, number: signal.Signals) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)


def _die_with_parent() -> Callable[[], object] | None:
    """Give what a child calls before it becomes the bot: Linux then kills it even after our own kill -9."""
    if sys.platform != "linux":
        return None
    prctl, set_death_signal = ctypes.CDLL(None).prctl, 1  # PR_SET_PDEATHSIG, prctl(2)
    return lambda: prctl(set_death_signal, int(signal.SIGKILL))
