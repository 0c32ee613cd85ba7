"""A video into a place: as a file, or made smaller, or as a link; with its words, or without ornament."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import aiohttp
import discord

from bot.domain.job import DeliveryMethod, Job
from bot.errors import MalformedMessage
from bot.files.videos import Videos
from bot.jobs.notifier import PostedVideo
from bot.messaging.errors import REFUSALS, discord_errors, too_large
from bot.messaging.upload_limits import UploadLimits
from bot.ui import results

log = logging.getLogger(__name__)

CUTS = 2
"""How often an upload of one size may break off before a smaller file is tried."""
UNSENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
"""What is raised when no connection was made, so that no upload can have been cut."""

Post = Callable[[results.Message, Path | None], Awaitable[PostedVideo]]
Words = Callable[[DeliveryMethod, int], results.Message]


@dataclass(frozen=True)
class Upload:
    """One video on its way into a place (by which upload limits are remembered): its words, and its post.

    `refusals` are the codes that end it there; `fitting` is called when it is being made smaller.
    """

    job: Job
    place: int
    stated: list[int]
    words: Words
    post: Post
    refusals: Mapping[int, str] = field(default_factory=lambda: REFUSALS)
    fitting: Callable[[], None] = lambda: None


class Uploads:
    """Brings videos, and remembers what places and lines do not take."""

    def __init__(self, videos: Videos) -> None:
        self._videos = videos
        self._limits = UploadLimits()
        self._cut: Counter[tuple[str, int]] = Counter()

    async def bring(self, upload: Upload, video: Path) -> PostedVideo:
        """Post a video in the way that works best; raises `TemporaryError` or `PermanentError`."""
        try:
            return await self._attach_or_link(upload, video)
        except MalformedMessage as error:
            log.error(
                "job %s: Discord finds fault with its message (%s); it goes plain", upload.job.id, error
            )
        plain = replace(upload, words=lambda *how: results.plain_message(upload.words(*how), upload.job))
        try:
            return await self._attach_or_link(plain, video)
        except MalformedMessage as error:
            log.error("job %s: nor does Discord take it plain (%s); a link goes", upload.job.id, error)
        try:
            return await self._link(plain)
        except MalformedMessage as error:
            log.error("job %s: Discord takes its video in no form (%s)", upload.job.id, error)
            raise

    def forget(self, job_id: str) -> None:
        """Drop what is remembered of a job that has ended."""
        for key in [key for key in self._cut if key[0] == job_id]:
            del self._cut[key]

    async def _attach_or_link(self, upload: Upload, video: Path) -> PostedVideo:
        playable = await self._videos.playable(video)
        size = (playable or video).stat().st_size
        fits = self._limits.allows(upload.place, size, upload.stated)
        if playable and fits and (sent := await self._attach(upload, playable, DeliveryMethod.ATTACHED)):
            return sent
        # One that fits but would not play is encoded afresh with room to spare; the others are made to fit.
        spare = [min(2 * size, max(upload.stated, default=2 * size))]
        targets = spare if fits and not playable else self._limits.targets(upload.place, size, upload.stated)
        for limit in targets:
            upload.fitting()
            fitted = await self._videos.fitted(video, limit)
            if fitted is None:
                break
            if sent := await self._attach(upload, fitted, DeliveryMethod.FITTED):
                return sent
        return await self._link(upload)

    async def _link(self, upload: Upload) -> PostedVideo:
        with discord_errors(upload.refusals):
            return await upload.post(upload.words(DeliveryMethod.LINKED, 0), None)

    async def _attach(self, upload: Upload, file: Path, method: DeliveryMethod) -> PostedVideo | None:
        """Post the video as a file; None when one of this size does not arrive."""
        job, size = upload.job, file.stat().st_size
        if self._cut[job.id, size] >= CUTS:
            return None
        message = upload.words(method, size)
        with discord_errors(upload.refusals):
            try:
                return replace(await upload.post(message, file), method=method)
            except discord.HTTPException as error:
                if not too_large(error):
                    raise
            except UNSENT:
                raise
            except (aiohttp.ClientError, TimeoutError, OSError):
                # Edges cut what is far too large without an answer, and slow lines never end: either way
                # something smaller may arrive. The next try begins with the look whether this one did.
                self._cut[job.id, size] += 1
                if self._cut[job.id, size] == CUTS and size > min(upload.stated, default=size):
                    self._limits.refused(upload.place, size)
                raise
        log.info("job %s: %d bytes are more than Discord takes here", job.id, size)
        self._limits.refused(upload.place, size)
        return None
