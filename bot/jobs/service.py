"""The only door to jobs for commands, buttons and forms."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from bot.domain.job import Job, State, rendered_again, rendered_instead
from bot.domain.request import InteractionRecord
from bot.errors import N_, KinoraError, LeaseLost, Refusal
from bot.files.images import Images
from bot.jobs.interactions import Interactions
from bot.jobs.notifier import Engine, Reply
from bot.jobs.offer import Offer, Successor
from bot.jobs.redelivery import Redelivery
from bot.media.values import PreparedImage
from bot.novita.models import Model
from bot.store.jobs import JobStore

__all__ = ["MAY_TURN_UP", "JobService", "Model", "Reply"]

log = logging.getLogger(__name__)

STOP_SECONDS = 9.0
MAY_TURN_UP = frozenset({"deadline", "lost", "task_lost", "video_gone", "undelivered", "unseen"})
"""The ends after which Novita may still have the video."""


def restarting(*, money: bool = False) -> Refusal:
    """Return the refusal of what comes while the bot is being stopped."""
    return Refusal(
        N_("Kinora is being restarted just now."), N_("Please try again in a minute."), money=money
    )


class JobService:
    """Accepts jobs, finds them, settles them and brings their videos again.

    `models` says which are on offer.
    """

    def __init__(
        self,
        store: JobStore,
        engine: Engine,
        images: Images,
        redelivery: Redelivery,
        models: Offer,
        interactions: Interactions,
    ) -> None:
        self.models = models
        self.interactions = interactions
        self._store = store
        self._engine = engine
        self._images = images
        self._redelivery = redelivery
        self._under_way = 0
        self._all_answered = asyncio.Event()
        self._stop = asyncio.Event()

    @property
    def stopping(self) -> bool:
        """Return whether nothing new is taken any more."""
        return self._stop.is_set()

    # --- a new job

    async def prepare_image(self, job_id: str, url: str, model: Model, *, end: bool = False) -> PreparedImage:
        """Have a picture downloaded, checked and mended for a model, and held for a job, maybe as its `end`.

        Raises `ImageRejected`, `ImageUnreachable`, or `MediaPoolError`.
        """
        return await self._images.prepare(job_id, url, model, end=end)

    def drop_images(self, job_id: str) -> None:
        """Forget what was prepared for a job that is not to be."""
        self._images.drop(job_id)

    async def accept(self, job: Job, interaction: InteractionRecord) -> None:
        """Write a job down and set it going; once this returns, no crash loses it.

        Raises `DatabaseUnavailable`, or `DuplicateInteraction` when the interaction was acted on before.
        """
        try:
            await self._store.accept(job, interaction)
        except KinoraError:
            self._images.drop(job.id)
            raise
        self._engine.submit(job.id)

    @asynccontextmanager
    async def answering(self) -> AsyncIterator[None]:
        """Let a stop wait for what happens within: an interaction that has not come to its last answer."""
        self._under_way += 1
        self._all_answered.clear()
        try:
            yield
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._all_answered.set()

    # --- one that is there

    async def find(self, job_id: str) -> Job | None:
        """Return a job by its id; raises `DatabaseUnavailable`."""
        return await self._store.get(job_id)

    async def jobs_of(self, user_id: int) -> list[Job]:
        """List somebody's latest jobs, newest first; raises `DatabaseUnavailable`."""
        return await self._store.jobs_of(user_id)

    async def decide(self, job: Job, interaction: InteractionRecord, *, again: bool) -> Job | None:
        """Settle an unconfirmed job as its requester said; return the new job, if any.

        Raises `LeaseLost`, or `DuplicateInteraction` when the press was acted on before.
        """
        new = rendered_again(job) if again else None
        await self._store.decide(job.id, new, interaction)
        self._engine.reschedule(job.id)  # also while the question is still being put on its card
        if new is not None:
            self._engine.submit(new.id)
        return new

    async def render_instead(self, job: Job, successor: Successor, interaction: InteractionRecord) -> Job:
        """Render what a model that is gone did not, with another; return the new job.

        Raises `LeaseLost` when that was done before, or `DuplicateInteraction`.
        """
        new = rendered_instead(job, successor.request, end_image=successor.model.end_image)
        await self._store.render_instead(job.id, new, interaction)
        self._engine.reschedule(job.id)
        self._engine.submit(new.id)
        return new

    @staticmethod
    def may_turn_up(job: Job) -> bool:
        """Return whether Novita may still have the video of a job that ended without it."""
        return job.state is State.FAILED and bool(job.task.task_id) and job.outcome.problem in MAY_TURN_UP

    async def look_again(self, job: Job, target_id: int) -> None:
        """Ask Novita once more for a job that ended without its video, and bring it here if it is there."""
        with suppress(LeaseLost):  # it was found a moment ago, and is on its way
            await self._store.look_again(job.id, target_id)
            self._engine.reschedule(job.id)

    async def redeliver(self, job: Job, reply: Reply) -> None:
        """Bring a delivered job's video once more, into a reply; raises `Refusal`, also when stopped."""
        work = asyncio.create_task(self._redelivery.redeliver(job, reply))
        stop = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                raise restarting()
            await work
        finally:
            stop.cancel()
            work.cancel()
            await asyncio.gather(work, stop, return_exceptions=True)

    # --- the end

    async def quiesce(self) -> None:
        """Take nothing new, come to the last answers, and let go of the open jobs, within nine seconds."""
        self._stop.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                if self._under_way:
                    await self._all_answered.wait()
                await self._engine.stop()
