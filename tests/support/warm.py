"""Starts without the wait: a process that has imported everything forks another for each start.

Reliability takes hundreds of starts, and most of a start is importing. What is forked is a process like any
other: its own pid, folder, environment and output, and SIGKILL ends it as it ends all. With
KINORA_COLD_STARTS=1 the tests start `python -m …` afresh each time instead.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from tests.support import REPOSITORY
from tests.support.supervisor import LONGEST_LINE, Child

COLD = os.environ.get("KINORA_COLD_STARTS") == "1"


class Forked:
    """A forked process, with the part of asyncio's `Process` that a `Child` has."""

    def __init__(self, pid: int, stdout: asyncio.StreamReader, status: asyncio.StreamReader) -> None:
        self.pid = pid
        self.stdout = stdout
        self.returncode: int | None = None
        self._ended = asyncio.create_task(self._wait(status))

    async def _wait(self, status: asyncio.StreamReader) -> int:
        self.returncode = int(await status.readline())
        await status.read()  # to its end, where the pipe is closed
        return self.returncode

    async def wait(self) -> int:
        """Wait for its end; give its exit code, or minus the signal that ended it."""
        return await asyncio.shield(self._ended)

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)


async def cold(module: str, *arguments: str, cwd: str, environ: dict[str, str]) -> asyncio.subprocess.Process:
    """Start `python -m module …` as anybody does."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        *arguments,
        cwd=cwd,
        env=environ,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        limit=LONGEST_LINE,
    )


class Warm:
    """The process that forks the others; `module` is what runs in it."""

    def __init__(self, environ: dict[str, str], module: str) -> None:
        self.environ = environ
        self._module = module
        self._process: asyncio.subprocess.Process | None = None
        self._line: socket.socket | None = None
        self._turn = asyncio.Lock()

    async def open(self) -> None:
        """Start it; its `environ` decides what cannot be changed later, such as PYTHONWARNINGS."""
        self._line, far = socket.socketpair()
        with far:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                self._module,
                str(far.fileno()),
                pass_fds=[far.fileno()],
                env=self.environ,
            )

    async def close(self) -> None:
        """End it, and whatever it forked that is still there."""
        assert self._line is not None
        assert self._process is not None
        self._line.close()
        await self._process.wait()

    async def start(self, module: str, *arguments: str, cwd: str, environ: dict[str, str]) -> Child:
        """Do what `python -m module …` does."""
        if COLD:
            return await cold(module, *arguments, cwd=cwd, environ=environ)
        request = {"module": module, "arguments": arguments, "cwd": cwd, "environ": environ}
        (stdout, output), (status, told) = os.pipe(), os.pipe()
        async with self._turn:
            await asyncio.to_thread(self._ask, json.dumps(request).encode() + b"\n", [output, told])
        os.close(output)
        os.close(told)
        readers = [await _reader(end) for end in (stdout, status)]
        return Forked(int(await readers[1].readline()), *readers)

    def _ask(self, request: bytes, ends: list[int]) -> None:
        assert self._line is not None
        socket.send_fds(self._line, [request], ends)
        self._line.recv(1)  # it has them


@asynccontextmanager
async def warmed(module: str = "tests.support.warm") -> AsyncIterator[Warm]:
    """Start such a process, and end it."""
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(REPOSITORY),
        "PYTHONWARNINGS": "default,ignore::DeprecationWarning:discord.player",
    }
    warm = Warm(environ, module)
    await warm.open()
    yield warm
    await warm.close()


async def _reader(end: int) -> asyncio.StreamReader:
    reader = asyncio.StreamReader(LONGEST_LINE)
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, os.fdopen(end, "rb", 0))
    return reader


# --- in the process that forks ------------------------------------------------------------------------------


def _serve(line: socket.socket) -> None:
    """Fork for each request, until the tests hang up."""
    os.setpgrp()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the keepers
    while True:
        request, ends, _, _ = socket.recv_fds(line, 2**20, 2)
        if not request:  # the tests have ended, or died: nothing of theirs stays behind
            os.killpg(0, signal.SIGKILL)
        while not request.endswith(b"\n"):
            request += line.recv(2**20)
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            line.close()
            _keep(json.loads(request), *ends)
            return  # only the bot gets here: what `_keep` runs ends with SystemExit
        for end in ends:
            os.close(end)
        line.send(b".")


def _keep(request: dict[str, Any], output: int, status: int) -> None:
    """Fork once more, and tell how that ended."""
    pid = os.fork()
    if pid == 0:
        os.close(status)
        _run(request, output)
    os.close(output)
    os.write(status, b"%d\n" % pid)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.write(status, b"%d\n" % code)
    os._exit(0)


def _run(request: dict[str, Any], output: int) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    for end, standard in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(end, standard)
    os.closerange(3, 64)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environ"])
    sys.argv = [request["module"], *request["arguments"]]
    sys.exit(_MAINS[request["module"]](request["arguments"]))


_MAINS: dict[str, Any] = {}


def _import() -> None:
    import aiosqlite  # noqa: F401 — SQLAlchemy and Alembic load it by name

    import bot.__main__
    import bot.app  # the commands import what they need
    import bot.ui.i18n
    import cogs.animate
    import cogs.buttons
    import cogs.show  # noqa: F401 — the bot loads its cogs by name
    import sandbox.__main__
    import sandbox.openapi
    from tests.support import crashing, impatient, soon_slow, with_form

    bot.ui.i18n.texts().money(1)  # the language's data too is read once
    _MAINS["bot"] = bot.__main__.main
    _MAINS["sandbox"] = lambda _: sandbox.__main__.main()
    _MAINS["tests.support.crashing"] = lambda arguments: crashing.main(*arguments)
    _MAINS["tests.support.with_form"] = with_form.main
    _MAINS["tests.support.impatient"] = lambda _: impatient.main()
    _MAINS["tests.support.soon_slow"] = lambda _: soon_slow.main()


if __name__ == "__main__":
    _import()
    with socket.socket(fileno=int(sys.argv[1])) as _line:
        _serve(_line)
