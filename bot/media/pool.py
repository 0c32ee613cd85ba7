"""Media work at arm's length: in processes that a crash, a bomb or a hang in a C library takes down alone.

Images, probes and remuxes are quick and share one bench; fits are long and have another, so nobody's image
waits behind somebody's video, and what yields waits behind all that does not. A process starts with its
bench's first job, stays warm for the next ones, and is replaced when it crashed, hung, was abandoned or has
done its share.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from bot.errors import CannotFit, ImageRejected, MediaPoolError, NotAVideo
from bot.media.values import ImageLimits, PreparedImage, Video

log = logging.getLogger(__name__)
T = TypeVar("T")

_ROOT = Path(__file__).parents[2]  # where `bot` is found, wherever the bot was started
_START_SECONDS = 60.0  # it takes a fraction of a second; a machine that is out of breath gets this long
_SHARE = 200  # jobs after which a fresh process takes over, so that what C libraries leak stays small
# Nothing that decodes a stranger's file needs the token or the key, so they stay out of its environment.
_ENVIRONMENT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH", "LD_LIBRARY_PATH")
_noted: list[bool] = []  # whether the log has it


class MediaPool:
    """The functions of `image` and `video`, awaited; a timeout is in seconds of work, the queue aside."""

    def __init__(self, processes: int = 1, long_processes: int = 1) -> None:
        self._quick = _Bench(processes, nice=5)
        self._long = _Bench(long_processes, nice=15)

    @property
    def pids(self) -> list[int]:
        """List the processes that are running."""
        return [worker.process.pid for bench in (self._quick, self._long) for worker in bench.workers]

    async def prepare_image(
        self, source: Path, target_stem: Path, limits: ImageLimits, *, timeout: float = 20.0
    ) -> PreparedImage:
        """Call `image.prepare`; a file that hangs or crashes a decoder is refused like any other bad one."""
        try:
            made = await self._quick.do(
                timeout, "image", source=source, target_stem=target_stem, limits=asdict(limits)
            )
        except MediaPoolError as error:
            if error.reason == "timeout":
                raise ImageRejected("too_hard", seconds=timeout) from error
            if error.reason == "crashed":  # SIGKILL is how a system short of memory ends a process
                raise ImageRejected(
                    "too_hard" if error.detail == "SIGKILL" else "corrupt", kind=""
                ) from error
            raise
        return PreparedImage(**{**made, "path": Path(made["path"]), "changes": tuple(made["changes"])})

    async def probe(self, source: Path, *, timeout: float = 20.0) -> Video:
        """Call `video.probe`; raises `NotAVideo`, or `MediaPoolError`."""
        return _video(await self._quick.do(timeout, "probe", source=source))

    async def remux(self, source: Path, target: Path, *, timeout: float = 60.0) -> Video:
        """Call `video.remux`; raises `NotAVideo`, or `MediaPoolError`."""
        return _video(await self._quick.do(timeout, "remux", source=source, target=target))

    async def fit(
        self, source: Path, target: Path, max_bytes: int, *, timeout: float = 300.0, yields: bool = False
    ) -> Video:
        """Call `video.fit`; raises `NotAVideo`, `CannotFit`, or `MediaPoolError`.

        What `yields` gives its place up to what does not, also in the middle of its work, and begins anew
        later. After a `MediaPoolError` or a cancellation, unfinished files may lie where `target` was to be.
        """
        arguments = {"source": source, "target": target, "max_bytes": max_bytes}
        return _video(await self._long.do(timeout, "fit", yields=yields, **arguments))

    async def close(self) -> None:
        """End every process; work in hand fails with a `MediaPoolError` ("closed")."""
        await asyncio.gather(self._quick.close(), self._long.close())


class _Bench:
    """Room for so many processes at once, with a queue in front."""

    def __init__(self, places: int, nice: int) -> None:
        self.workers: set[_Worker] = set()
        self._idle: list[_Worker] = []
        self._places = _Places(places)
        self._nice = nice
        self._burials: set[asyncio.Task[None]] = set()
        self._closed = False

    async def do(
        self, timeout: float, call: str, *, yields: bool = False, **arguments: Any
    ) -> dict[str, Any]:
        """Have one request done when its turn comes; raises what `_outcome` raises, or `MediaPoolError`."""
        request = {"call": call, **{name: _jsonable(value) for name, value in arguments.items()}}
        return _outcome(await self._places.take(lambda: self._ask(request, timeout), yields=yields))

    async def _ask(self, request: dict[str, Any], timeout: float) -> dict[str, Any]:
        worker = await self._take()
        try:
            answer = await worker.ask(request, timeout)
        except BaseException as error:
            self._bury(worker)  # a cancelled caller's answer must not become the next one's
            if self._closed and isinstance(error, MediaPoolError):
                raise MediaPoolError("closed") from error
            raise
        if worker.asked < _SHARE:
            self._idle.append(worker)
        else:
            self._bury(worker)
        return answer

    async def close(self) -> None:
        self._closed = True
        for worker in list(self.workers):
            self._bury(worker)
        while self._burials:
            await asyncio.wait(self._burials)

    async def _take(self) -> _Worker:
        while self._idle and not self._closed:
            worker = self._idle.pop()
            if worker.lives:
                return worker
            self._bury(worker)
        if self._closed:
            raise MediaPoolError("closed")
        worker = await _Worker.start(self._nice)
        self.workers.add(worker)
        try:
            _note_open_doors(await worker.listen(_START_SECONDS))
            if self._closed:
                raise MediaPoolError("closed")
        except MediaPoolError as error:  # not the input's fault: it has not been seen yet
            self._bury(worker)
            if self._closed:
                raise MediaPoolError("closed") from error
            raise MediaPoolError("failed", f"a process did not start ({error})") from error
        except BaseException:
            self._bury(worker)
            raise
        return worker

    def _bury(self, worker: _Worker) -> None:
        """End a process, and collect it in the background: a cancelled caller need not wait for that."""
        if worker not in self.workers:
            return
        self.workers.remove(worker)
        worker.kill()
        burial = asyncio.create_task(worker.collect())
        self._burials.add(burial)
        burial.add_done_callback(self._burials.discard)


class _Interrupted(Exception):
    """Work that yields was ended for other work."""


class _Places:
    """Room for so much work at once; what yields is begun last, and interrupted for what does not."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._waiting: dict[bool, deque[asyncio.Future[None]]] = {False: deque(), True: deque()}
        self._yielding: set[asyncio.Future[Any]] = set()

    async def take(self, work: Callable[[], Coroutine[Any, Any, T]], *, yields: bool) -> T:
        """Do work in a place of its own; what is interrupted is done again from its beginning."""
        while True:
            await self._enter(yields)
            try:
                return await (self._interruptible(work) if yields else work())
            except _Interrupted:
                continue
            finally:
                self._leave()

    async def _interruptible(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        doing = asyncio.create_task(work())
        self._yielding.add(doing)
        try:
            return await doing
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise _Interrupted from None  # it was asked to make room, not to end
        finally:
            self._yielding.discard(doing)

    async def _enter(self, yields: bool) -> None:
        if self._free:
            self._free -= 1
            return
        place = asyncio.get_running_loop().create_future()
        self._waiting[yields].append(place)
        if not yields and self._yielding:
            self._yielding.pop().cancel()
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():  # it was given a place at this very moment
                self._leave()
            raise

    def _leave(self) -> None:
        for waiting in (self._waiting[False], self._waiting[True]):
            while waiting:
                place = waiting.popleft()
                if not place.done():
                    place.set_result(None)
                    return
        self._free += 1


class _Worker:
    """One process and the line to it."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.asked = 0

    @classmethod
    async def start(cls, nice: int) -> _Worker:
        environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        # A session of its own: ^C in the terminal is the bot's to handle.
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "bot.media.worker", str(nice)),
            stdin=PIPE,
            stdout=PIPE,
            cwd=_ROOT,
            env=environment,
            start_new_session=True,
        )
        return cls(process)

    @property
    def lives(self) -> bool:
        """Return whether the process runs, by the kernel's word: asyncio hears of a death a moment later."""
        if self.process.returncode is not None:
            return False
        if not hasattr(os, "waitid"):  # macOS before Python 3.13
            return True
        try:
            return os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
        except ChildProcessError:
            return False

    async def ask(self, request: dict[str, Any], timeout: float) -> dict[str, Any]:
        assert self.process.stdin  # noqa: S101  # PIPE was asked for
        self.asked += 1
        with contextlib.suppress(ConnectionError):  # it is dead, and `listen` says of what
            self.process.stdin.write(json.dumps(request).encode() + b"\n")
            await self.process.stdin.drain()
        return await self.listen(timeout)

    async def listen(self, timeout: float) -> dict[str, Any]:
        assert self.process.stdout  # noqa: S101
        try:
            async with asyncio.timeout(timeout):
                if line := await self.process.stdout.readline():
                    words: dict[str, Any] = json.loads(line)
                    return words
                code = await self.process.wait()
        except TimeoutError:
            raise MediaPoolError("timeout", f"{timeout:g} s") from None
        raise MediaPoolError("crashed", signal.Signals(-code).name if code < 0 else f"exit code {code}")

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()

    async def collect(self) -> None:
        if self.process.stdin:
            self.process.stdin.close()
        await self.process.wait()


def _note_open_doors(ready: dict[str, Any]) -> None:
    """Say once what a system does not let its decoders be kept from; they work all the same."""
    if (left_open := ready.get("open")) and not _noted:
        _noted.append(True)
        log.warning("decoders: not shut in all round, this system refused: %s", ", ".join(left_open))


def _jsonable(value: Any) -> Any:
    # The process has a working directory of its own.
    return str(value.absolute()) if isinstance(value, Path) else value


def _video(found: dict[str, Any]) -> Video:
    return Video(**{**found, "path": Path(found["path"]), "obstacles": tuple(found["obstacles"])})


def _outcome(answer: dict[str, Any]) -> dict[str, Any]:
    """Return what was done, or raise what was raised over there."""
    match answer:
        case {"done": done}:
            return dict(done)
        case {"refused": "image", "rule": rule, "actual": actual}:
            raise ImageRejected(rule, **actual)
        case {"refused": "video", "detail": detail}:
            raise NotAVideo(detail)
        case {"refused": "size", "smallest": smallest, "max_bytes": max_bytes}:
            raise CannotFit(smallest, max_bytes)
        case _:
            raise MediaPoolError("failed", str(answer.get("failed", answer)))
