"""A finished video, fetched again for whoever asked for it then."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from bot.domain.job import Job
from bot.domain.retry import Unreachable
from bot.files.download import Fetcher, FetchError
from bot.files.videos import Films
from bot.messaging.publisher import Delivery
from bot.novita.client import AnswerLost, NovitaClient
from bot.novita.codec import Succeeded


class Shelf:
    """Fetches from the message that brought the video, and else from Novita, which may still have it."""

    def __init__(
        self, delivery: Delivery, novita: NovitaClient, discord_files: Fetcher, films: Films
    ) -> None:
        self._delivery = delivery
        self._novita = novita
        self._discord_files = discord_files
        self._films = films

    async def take(self, job: Job, key: str) -> Path | None:
        """Put the video into a file that is dropped by `key`; None when it is nowhere any more."""
        with suppress(FetchError, Unreachable):  # Novita may have it
            if url := await self._delivery.video_url(job):
                return await self._films.fetch(key, url, self._discord_files)
        with suppress(FetchError, AnswerLost):
            answer = await self._novita.result(job.task_id or "")
            if isinstance(answer, Succeeded):
                return await self._films.fetch(key, answer.video_url)
        return None

    async def fit(self, path: Path, max_bytes: int) -> Path | None:
        """Make it play and fit; None when it cannot."""
        playable = await self._films.playable(path)
        if playable is not None and playable.stat().st_size <= max_bytes:
            return playable
        return await self._films.fitted(path, max_bytes)

    def put_back(self, key: str) -> None:
        """Remove the file."""
        self._films.drop(key)
