"""A finished video again, in a reply to whoever asked for it: attached, fitted, or as a link that lives."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from bot.domain.job import Job, new_id
from bot.domain.limits import PersonLimit
from bot.domain.retry import RetryBudget
from bot.errors import N_, AnswerLost, DownloadError, PermanentError, Refusal, TemporaryError
from bot.files.download import Downloader
from bot.files.videos import Videos
from bot.jobs.notifier import Notifier, Reply
from bot.novita.client import NovitaClient
from bot.novita.codec import Succeeded

log = logging.getLogger(__name__)

AT_ONCE, WITHIN, WITHIN_SECONDS = 2, 10, 600.0
"""How many videos one person may have on their way again, and in ten minutes, by each process."""
REPLY_SECONDS = 600.0
"""How long a reply is tried for; its token dies after 15 minutes."""


class Redelivery:
    """Fetches from the message that brought the video, and else from Novita, which may still have it."""

    def __init__(
        self, notifier: Notifier, novita: NovitaClient, discord_files: Downloader, videos: Videos
    ) -> None:
        self._notifier = notifier
        self._novita = novita
        self._discord_files = discord_files
        self._videos = videos
        self._limit = PersonLimit(AT_ONCE, WITHIN, WITHIN_SECONDS)

    async def redeliver(self, job: Job, reply: Reply) -> None:
        """Bring a job's video into a reply; raises `Refusal`, also when somebody asks for too many."""
        key = new_id()
        with self._limit.turn(job.requester.user_id, time.monotonic()) as allowed:
            if not allowed:
                raise _too_many()
            try:
                job, video = await self._fetch(job, key)
                await self._fill_in(job, video, reply)
            finally:
                self._videos.drop(key)

    async def _fetch(self, job: Job, key: str) -> tuple[Job, Path]:
        """Put the video into a file that is dropped by `key`, with a link of Novita's only while it lives."""
        if (job.task.video_expires_at or 0) < time.time():
            job = replace(job, task=replace(job.task, video_url=None))
        with suppress(DownloadError, TemporaryError, PermanentError):  # Novita may have it
            if url := await self._notifier.video_url(job):
                return job, await self._videos.fetch(key, url, self._discord_files)
        with suppress(DownloadError, AnswerLost):
            answer = await self._novita.result(job.task.task_id or "")
            if isinstance(answer, Succeeded):
                expires = time.time() + answer.ttl
                task = replace(job.task, video_url=answer.video_url, video_expires_at=expires)
                return replace(job, task=task), await self._videos.fetch(key, answer.video_url)
        raise Refusal(
            N_("The message with this video is gone, and Novita does not keep it any more."),
            N_("Only a new render could bring it back, and that is paid again."),
            title=N_("Not found"),
        )

    async def _fill_in(self, job: Job, video: Path, reply: Reply) -> None:
        budget = RetryBudget(REPLY_SECONDS)
        while True:
            try:
                return await self._notifier.redeliver(job, video, reply)
            except PermanentError as error:
                log.info("job %s cannot be brought again there: %s", job.id, error)
                raise (_too_large() if error.fallback_reason == "too_large" else _not_now()) from None
            except TemporaryError as error:
                if not budget.allows(error):
                    raise _not_now() from None
                delay = budget.delay(error)
            await asyncio.sleep(delay)


def _too_large() -> Refusal:
    return Refusal(
        N_("The video is larger than Discord takes here."),
        N_("Try it in another server, or in a boosted one."),
        title=N_("Not possible here"),
    )


def _too_many() -> Refusal:
    return Refusal(
        N_("You have asked for many videos again just now."),
        N_("Please wait until those are here, or for ten minutes, and then try again."),
        title=N_("Not now"),
    )


def _not_now() -> Refusal:
    """Return the answer to a line that stays bad, and to a reply that somebody deleted meanwhile."""
    return Refusal(
        N_("Discord does not take the video just now."),
        N_("Please try again in a few minutes."),
        title=N_("Not now"),
    )
