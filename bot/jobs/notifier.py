"""What jobs need of Discord and of whoever runs them: `bot.messaging` and `bot.engines` are the real ones."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bot.domain.job import DeliveryMethod, Job, Stage


@dataclass(frozen=True)
class PostedCard:
    """Where the card stands and where the video goes."""

    card_id: int
    target_id: int


@dataclass(frozen=True)
class PostedVideo:
    """The message that brings a video."""

    channel_id: int
    message_id: int
    method: DeliveryMethod


@dataclass(frozen=True)
class Reply:
    """An interaction's first reply, to be filled in while its token lives; `upload_limit` is in bytes."""

    token: str
    guild_id: int | None
    upload_limit: int
    locale: str


class Notifier(Protocol):
    """All but `update_card` raise `TemporaryError` or `PermanentError`, and find what they did before.

    A `TemporaryError` is no definite answer; an `AccessRefused`, that Discord refuses the token.
    """

    async def post_card(self, job: Job, images: Callable[[], Awaitable[Sequence[Path]]]) -> PostedCard:
        """Make the card stand and its thread exist.

        `images`, the first and maybe the one at the end, are asked for only if the card has none yet.
        """

    async def image_url(self, channel_id: int, message_id: int, *, end: bool = False) -> str:
        """Sign a fresh address for the image that a card carries, or for the one at the `end`."""

    def update_card(self, job: Job, stage: Stage) -> None:
        """Bring the card up to date, soon, if anything on it changed."""

    async def find_video(self, job: Job) -> PostedVideo | None:
        """Find the video that an earlier run posted."""

    async def deliver(self, job: Job, video: Path) -> PostedVideo:
        """Post the video, once: attached, or fitted, or as a link."""

    async def fallback(self, job: Job) -> int | None:
        """Return the next place for a video that its target does not take, None when there is none left."""

    async def notify(self, job: Job) -> None:
        """Show on the card how the job ended, and say so to the requester unless the video itself did.

        Raises `PermanentError` when there is no place left where that could be said.
        """

    async def video_url(self, job: Job) -> str | None:
        """Sign a fresh address for the video in the message that brought it; None when it is not there."""

    async def redeliver(self, job: Job, video: Path, reply: Reply) -> None:
        """Fill in a reply with the video: attached, or fitted, or as a link that lives."""


class Operator(Protocol):
    """Whoever keeps the bot running, as far as jobs need them."""

    def alert(self, kind: str, model: str = "") -> None:
        """Have them told, soon, of a trouble that only they can end; once a day for each kind and model.

        Never raises. `kind` is "token" (Discord refuses it), "key" (Novita does), "message" (Discord
        takes one of ours in no form), "model_gone" (the `model`), or "probe" (Novita made a task of one).
        """


class Engine(Protocol):
    """Who runs jobs."""

    async def start(self) -> int:
        """Take up every open job where it stands; return how many there are."""

    def submit(self, job_id: str) -> None:
        """Have a job run that was just written down."""

    def reschedule(self, job_id: str) -> None:
        """Have a job run afresh, also one that sleeps until it is time to look again."""

    async def stop(self) -> None:
        """Let go of every job where it stands, once the paid requests on their way are written down."""
