"""Turn the picture somebody attached into an image that the model accepts, on disk until it is submitted."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from bot.domain.request import MAX_SOURCE_BYTES
from bot.errors import AddressRefused, DownloadError, DownloadTooLarge, ImageRejected, ImageUnreachable
from bot.files.download import Downloader
from bot.media.pool import MediaPool
from bot.media.values import ImageLimits, PreparedImage
from bot.novita.models import Model

DOWNLOAD_SECONDS = 120.0
TRIES = 3
START, END = "image", "end"


class Images:
    """Downloads, checks and mends images, in files named after their job under `folder`."""

    def __init__(self, folder: Path, downloader: Downloader, pool: MediaPool) -> None:
        self._folder = folder
        self._downloader = downloader
        self._pool = pool

    async def prepare(self, job_id: str, url: str, model: Model, *, end: bool = False) -> PreparedImage:
        """Download `url` and make an image of it for `model`: the job's first, or the one at its `end`.

        Raises `ImageRejected` with the rule it breaks, `ImageUnreachable`, or `MediaPoolError`.
        """
        name = f"{job_id}.{END if end else START}"
        source = self._folder / f"{job_id}.source"
        limits = ImageLimits(
            max_source_bytes=MAX_SOURCE_BYTES,
            max_bytes=model.max_image_bytes,
            min_side=model.min_image_side,
            max_ratio=model.max_image_ratio,
        )
        try:
            await self._download(url, source)
            return await self._pool.prepare_image(source, self._folder / name, limits)
        finally:
            with suppress(FileNotFoundError):
                source.unlink()

    async def _download(self, url: str, source: Path) -> None:
        for attempt in range(1, TRIES + 1):
            try:
                await self._downloader.download(
                    url, source, max_bytes=MAX_SOURCE_BYTES, seconds=DOWNLOAD_SECONDS
                )
                return
            except DownloadTooLarge:
                raise ImageRejected("too_many_bytes", limit=MAX_SOURCE_BYTES) from None
            except DownloadError as error:
                gone = isinstance(error, AddressRefused) or error.status in (403, 404, 410)
                if gone or attempt == TRIES:
                    raise ImageUnreachable(str(error), gone) from None
            await asyncio.sleep(attempt)  # a hiccup of the CDN is no reason to ask the person again

    def held(self, job_id: str, *, end: bool = False) -> Path | None:
        """Return the image that is still on disk from accepting the job, if this process has it."""
        return next(self._files(job_id, END if end else START), None)

    def drop(self, job_id: str) -> None:
        """Forget the images; their home is the card's message in Discord."""
        for path in (*self._files(job_id, START), *self._files(job_id, END)):
            with suppress(FileNotFoundError):
                path.unlink()

    def _files(self, job_id: str, which: str) -> Iterator[Path]:
        return (path for path in self._folder.glob(f"{job_id}.{which}*") if path.is_file())
