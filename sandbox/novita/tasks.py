"""The tasks: queued, rendering, done or failed, on the stand-in's clock."""

from __future__ import annotations

import asyncio
import math
import random
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from sandbox.bus import Bus
from sandbox.novita.clock import Clock
from sandbox.novita.films import Film, FilmSpec, RenderFailed, Studio
from sandbox.novita.orders import Order, Still
from sandbox.novita.settings import Settings


class Status(StrEnum):
    """Where a task stands: the whole documented set."""

    QUEUED = "TASK_STATUS_QUEUED"
    PROCESSING = "TASK_STATUS_PROCESSING"
    SUCCEED = "TASK_STATUS_SUCCEED"
    FAILED = "TASK_STATUS_FAILED"


@dataclass
class Task:
    """One paid render. Times are Unix seconds on the stand-in's clock, 0 while they have not come."""

    order: Order
    price: int
    submitted_at: float
    id: str = field(default_factory=lambda: str(_random_uuid()))
    status: Status = Status.QUEUED
    reason: str = ""
    started_at: float = 0.0
    ended_at: float = 0.0
    polls: int = 0
    downloads: int = 0
    film: Film | None = None
    first_url: str = ""
    """The link that was given first, for when links are not signed again."""

    @property
    def ended(self) -> bool:
        """Tell whether the task has come to its end, good or bad."""
        return self.status in (Status.SUCCEED, Status.FAILED)

    def as_json(self) -> dict[str, Any]:
        """Return the task as the control site shows it."""
        return {
            "id": self.id,
            "model": self.order.model.name,
            "status": self.status,
            "reason": self.reason,
            "request": self.order.request,
            "unknown_fields": list(self.order.unknown_fields),
            "prompt": self.order.prompt,
            "seconds": self.order.seconds,
            "price": self.price,
            "sound": self.order.sound,
            "image": _shown(self.order.still),
            "end_image": self.order.end_still and _shown(self.order.end_still),
            "submitted_at": self.submitted_at,
            "started_at": self.started_at,
            "ended_at": self.ended_at,
            "polls": self.polls,
            "downloads": self.downloads,
            "video": self.film and {"bytes": self.film.size, "sha256": self.film.sha256},
        }


class Tasks:
    """All tasks in the order of their submits, each moved along by an asyncio task of its own."""

    def __init__(
        self, directory: Path, clock: Clock, studio: Studio, settings: Callable[[], Settings], bus: Bus
    ) -> None:
        self._images = directory / "images"
        self._clock = clock
        self._studio = studio
        self._settings = settings
        self._bus = bus
        self._tasks: dict[str, Task] = {}
        self._moving: set[asyncio.Task[None]] = set()

    def __iter__(self) -> Iterator[Task]:
        return iter(list(self._tasks.values()))

    def add(self, order: Order) -> Task:
        """Create the task of an accepted order and start it."""
        task = Task(order, order.price, self._clock.now())
        self._tasks[task.id] = task
        self._tell(task)
        moving = asyncio.create_task(self._move(task), name=f"novita task {task.id}")
        self._moving.add(moving)
        moving.add_done_callback(self._moving.discard)
        return task

    def find(self, task_id: str) -> Task | None:
        """Return a task unless it is unknown or its retention is over."""
        task = self._tasks.get(task_id)
        if task and task.ended and self._clock.now() > task.ended_at + self._settings().task_retention:
            return None
        return task

    def eta(self, task: Task) -> int:
        """Return how many seconds a task still needs, as far as one can tell."""
        settings = self._settings()
        if task.ended:
            return 0
        if task.status is Status.QUEUED:
            end = task.submitted_at + settings.queue_seconds + settings.render_seconds
        else:
            end = task.started_at + settings.render_seconds
        return max(0, math.ceil(end - self._clock.now()))

    def progress(self, task: Task) -> int:
        """Return how much of a task is done, 0 … 100."""
        if task.status is Status.SUCCEED:
            return 100
        if task.status is not Status.PROCESSING:
            return 0
        elapsed = self._clock.now() - task.started_at
        return min(99, int(100 * elapsed / max(0.001, self._settings().render_seconds)))

    async def clear(self) -> None:
        """Forget all tasks, also those on their way."""
        moving = list(self._moving)
        for task in moving:
            task.cancel()
        await asyncio.gather(*moving, return_exceptions=True)
        self._tasks.clear()

    async def _move(self, task: Task) -> None:
        """Take a task from QUEUED to its end."""
        fails = bool(self._settings().failing_word) and self._settings().failing_word in task.order.prompt
        # The film is made from the submit on, so that it is there when the render time is over.
        film = None if fails else asyncio.create_task(self._film(task.order, self._settings()))
        try:
            await self._clock.until_time(lambda: task.submitted_at + self._settings().queue_seconds)
            await self._clock.until(lambda: self._may_start(task))
            task.started_at = self._clock.now()
            self._change(task, Status.PROCESSING)
            await self._clock.until_time(lambda: task.started_at + self._settings().render_seconds)
            if film is None:
                self._end(task, Status.FAILED, "the sandbox was asked to let this render fail")
                return
            task.film = await film
            self._end(task, Status.SUCCEED)
        except RenderFailed as error:
            self._end(task, Status.FAILED, str(error))
        finally:
            if film is not None:
                film.cancel()

    def _may_start(self, task: Task) -> bool:
        slots = self._settings().concurrency
        if slots is None:
            return True
        rendering = sum(other.status is Status.PROCESSING for other in self._tasks.values())
        first = next(other for other in self._tasks.values() if other.status is Status.QUEUED)
        return rendering < slots and first is task

    async def _film(self, order: Order, settings: Settings) -> Film:
        image = self._images / f"{order.still.sha256}.{order.still.extension}"
        await asyncio.to_thread(_write_once, image, order.still.data)
        spec = FilmSpec(
            image=str(image.resolve()),
            seconds=order.seconds,
            height=settings.video_height,
            fps=settings.video_fps,
            variant=settings.video_variant,
            at_least_bytes=settings.video_bytes,
        )
        # Others may wait for the same film.
        return await asyncio.shield(self._studio.film(spec))

    def _end(self, task: Task, status: Status, reason: str = "") -> None:
        task.ended_at = self._clock.now()
        task.reason = reason
        self._change(task, status)

    def _change(self, task: Task, status: Status) -> None:
        task.status = status
        self._tell(task)
        self._clock.poke()

    def _tell(self, task: Task) -> None:
        self._bus.publish({"type": "novita_task", "task": task.as_json()})


def _shown(still: Still) -> dict[str, Any]:
    return {
        "sha256": still.sha256,
        "encoding": still.encoding,
        "format": still.format,
        "width": still.width,
        "height": still.height,
        "bytes": len(still.data),
    }


def _random_uuid() -> uuid.UUID:
    # Not uuid4(): with --seed the ids are the same in every run.
    return uuid.UUID(int=random.getrandbits(128), version=4)


def _write_once(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{uuid.uuid4().hex}")  # two submits of one image may write at once
    part.write_bytes(data)
    part.replace(path)
