"""What the road needs of Discord; `bot.messaging.publisher` is the real one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bot.domain.job import How, Job, Stage


@dataclass(frozen=True)
class Placed:
    """Where the card stands and where the video goes."""

    card_id: int
    target_id: int


@dataclass(frozen=True)
class Sent:
    """The message that brings a video."""

    channel_id: int
    message_id: int
    how: How


class Front(Protocol):
    """All but `show` raise `Unreachable` or `Refused`, and may be repeated: each finds what it did before."""

    async def place(self, job: Job, still: Callable[[], Awaitable[Path]]) -> Placed:
        """Make the card stand and its thread exist; `still` is asked for only if the card has none yet."""

    async def still_url(self, channel_id: int, card_id: int) -> str:
        """Sign a fresh address for the still that a card carries."""

    def show(self, job: Job, stage: Stage) -> None:
        """Bring the card up to date, soon, if anything on it changed."""

    async def delivered(self, job: Job) -> Sent | None:
        """Find the video that an earlier run posted."""

    async def deliver(self, job: Job, video: Path) -> Sent:
        """Post the video, once: attached, or fitted, or as a link."""

    async def elsewhere(self, job: Job) -> int | None:
        """Name the next place for a video that its target does not take, None when there is none left."""

    async def tell(self, job: Job) -> None:
        """Show on the card how the job ended, and say so to the asker unless the video itself did."""
