"""The live event bus: whatever happens in the sandbox is told to everyone who listens."""

from __future__ import annotations

import asyncio
from typing import Any

Event = dict[str, Any]


class Bus:
    """Hand every event to every subscriber; a subscriber that does not keep up loses its oldest events."""

    def __init__(self, size: int = 5_000) -> None:
        self._size = size
        self._queues: set[asyncio.Queue[Event]] = set()

    def publish(self, event: Event) -> None:
        """Tell every subscriber about `event`, a JSON object with a `type`."""
        for queue in self._queues:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(event)

    def subscribe(self) -> asyncio.Queue[Event]:
        """Return a new queue that receives every event from now on."""
        queue: asyncio.Queue[Event] = asyncio.Queue(self._size)
        self._queues.add(queue)
        return queue

    def unsubscribe(self, queue: asyncio.Queue[Event]) -> None:
        """Stop feeding `queue`."""
        self._queues.discard(queue)
