"""The images of one job, on this disk, from wherever they are to be had."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bot.domain.job import Job
from bot.domain.request import SourceImage
from bot.errors import ImageUnprepared, ImageUnreachable, MediaPoolError, TemporaryError
from bot.files.images import Images
from bot.jobs.notifier import Notifier
from bot.novita.models import Model


class JobImages:
    """Finds what a job begins with, and ends with, if it is to."""

    def __init__(self, images: Images, notifier: Notifier) -> None:
        self._images = images
        self._notifier = notifier

    async def of(self, job: Job, model: Model) -> Sequence[Path]:
        """Return the first image and, if there is to be one, that at the end.

        Raises `ImageRejected`, `ImageUnreachable`, `ImageUnprepared`, and what a `Notifier` raises.
        """
        start = await self._one(job, model, job.source, end=False)
        if job.end_source is None:
            return [start]
        return [start, await self._one(job, model, job.end_source, end=True)]

    async def _one(self, job: Job, model: Model, source: SourceImage, *, end: bool) -> Path:
        """Return an image: from this disk, from the card, or, without a card yet, from the command."""
        if held := self._images.held(job.id, end=end):
            return held
        there = job.destination
        if there.card_id is not None:
            url = await self._notifier.image_url(there.channel_id, there.card_id, end=end)
        elif source.channel_id is not None and source.message_id is not None:
            url = await self._notifier.image_url(source.channel_id, source.message_id, end=end)
        else:
            url = source.url or ""
        try:
            return (await self._images.prepare(job.id, url, model, end=end)).path
        except ImageUnreachable as error:
            if error.gone:
                raise
            raise TemporaryError(str(error)) from None
        except MediaPoolError as error:
            raise ImageUnprepared(f"the work on the image was left undone: {error.reason}") from None
