"""The MP4s: which film a task gets, made once in a process of its own and kept."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

VARIANTS = ("h264", "hevc", "mpeg4", "moov_at_end", "odd_pixels", "html", "corrupt")
"""h264: what Novita sends (yuv420p, faststart). hevc, mpeg4: other codecs. moov_at_end: no faststart.
odd_pixels: yuv444p. html: a web page in place of a video. corrupt: an MP4's name on noise."""

_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class FilmSpec:
    """Everything that decides what a film looks like."""

    image: str
    """The still's path; its name is its SHA-256."""
    seconds: int
    height: int
    fps: int
    variant: str
    at_least_bytes: int | None

    @property
    def name(self) -> str:
        """Return a file name without ending that no other film has."""
        text = json.dumps({**asdict(self), "image": Path(self.image).name}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Film:
    """A finished file."""

    path: Path
    size: int
    sha256: str


class RenderFailed(Exception):
    """The render process could not make the film; the text says why."""


class Studio:
    """Make films one after the other in a child process, which starts with the first film.

    The child ends when its standard input closes, so also when this process dies.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory.resolve()
        self._films: dict[str, asyncio.Task[Film]] = {}
        self._one_at_a_time = asyncio.Lock()
        self._child: asyncio.subprocess.Process | None = None

    def film(self, spec: FilmSpec) -> asyncio.Task[Film]:
        """Return the film's task, started if nobody asked for this film before."""
        known = self._films.get(spec.name)
        if known is None or (known.done() and (known.cancelled() or known.exception())):
            known = self._films[spec.name] = asyncio.create_task(self._make(spec))
        return known

    async def close(self) -> None:
        """Stop what is being made and end the child."""
        for task in self._films.values():
            task.cancel()
        await asyncio.gather(*self._films.values(), return_exceptions=True)
        self._films.clear()
        await self._end_child()

    async def _make(self, spec: FilmSpec) -> Film:
        path = self._directory / f"{spec.name}.mp4"
        async with self._one_at_a_time:
            try:
                answer = await self._ask(json.dumps({**asdict(spec), "out": str(path)}))
            except (OSError, ValueError) as error:
                await self._end_child()
                raise RenderFailed(f"the render process died: {error}") from error
            except asyncio.CancelledError:
                await self._end_child()  # its answer, still to come, would be taken for the next film's
                raise
        if "error" in answer:
            raise RenderFailed(answer["error"])
        return Film(path, int(answer["size"]), answer["sha256"])

    async def _ask(self, line: str) -> dict[str, str]:
        if self._child is None:
            self._directory.mkdir(parents=True, exist_ok=True)
            self._child = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "sandbox.novita.render",
                cwd=_ROOT,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
        stdin, stdout = self._child.stdin, self._child.stdout
        if stdin is None or stdout is None:
            raise OSError("it has no pipes")
        stdin.write(line.encode() + b"\n")
        await stdin.drain()
        answer: dict[str, str] = json.loads(await stdout.readline())
        return answer

    async def _end_child(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()
