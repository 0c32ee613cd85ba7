"""Turn the picture somebody attached into a still that the model accepts, on disk until it is submitted."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from bot.files.download import AddressRefused, Fetcher, FetchError, TooLarge
from bot.media.pool import Workshop
from bot.media.values import Limits, Still, StillRefused
from bot.novita.models import Model

MAX_SOURCE_BYTES = 25 * 2**20
DOWNLOAD_SECONDS = 120.0
TRIES = 3


class StillUnreachable(Exception):
    """The picture could not be downloaded just now; `gone` when asking again cannot help."""

    def __init__(self, message: str, gone: bool) -> None:
        super().__init__(message)
        self.gone = gone


class Stills:
    """Downloads, checks and mends stills, in files named after their job under `folder`."""

    def __init__(self, folder: Path, fetcher: Fetcher, workshop: Workshop) -> None:
        self._folder = folder
        self._fetcher = fetcher
        self._workshop = workshop

    async def prepare(self, job_id: str, url: str, model: Model) -> Still:
        """Download `url` and make a still of it for `model`.

        Raises `bot.media.image.StillRefused` with the rule it breaks, or `StillUnreachable`.
        """
        source = self._folder / f"{job_id}.source"
        limits = Limits(
            max_source_bytes=MAX_SOURCE_BYTES,
            max_bytes=model.max_still_bytes,
            min_side=model.min_still_side,
            max_ratio=model.max_still_ratio,
        )
        try:
            await self._download(url, source)
            return await self._workshop.still(source, self._folder / f"{job_id}.still", limits)
        finally:
            with suppress(FileNotFoundError):
                source.unlink()

    async def _download(self, url: str, source: Path) -> None:
        for attempt in range(1, TRIES + 1):
            try:
                await self._fetcher.download(
                    url, source, max_bytes=MAX_SOURCE_BYTES, seconds=DOWNLOAD_SECONDS
                )
                return
            except TooLarge:
                raise StillRefused("too_many_bytes", limit=MAX_SOURCE_BYTES) from None
            except FetchError as error:
                gone = isinstance(error, AddressRefused) or error.status in (403, 404, 410)
                if gone or attempt == TRIES:
                    raise StillUnreachable(str(error), gone) from None
            await asyncio.sleep(attempt)  # a hiccup of the CDN is no reason to ask the person again

    def held(self, job_id: str) -> Path | None:
        """Give the still that is still on disk from accepting the job, if this process has it."""
        return next(self._files(job_id), None)

    def drop(self, job_id: str) -> None:
        """Forget the still; its home is the card's message in Discord."""
        for path in self._files(job_id):
            with suppress(FileNotFoundError):
                path.unlink()

    def _files(self, job_id: str) -> Iterator[Path]:
        return (path for path in self._folder.glob(f"{job_id}.still*") if path.is_file())
