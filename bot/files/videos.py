"""The finished video on its way: made to play where it stands, and to fit where it goes."""

from __future__ import annotations

import logging
import shutil
from contextlib import suppress
from pathlib import Path

from bot.errors import BrokenVideo, CannotFit, MediaPoolError, NotAVideo
from bot.files.download import Downloader
from bot.media.pool import MediaPool

log = logging.getLogger(__name__)


MAX_BYTES = 512 * 2**20
SECONDS = 900.0


class Videos:
    """Holds each job's video in a folder of its own, and has it probed, remuxed and fitted."""

    def __init__(self, folder: Path, downloader: Downloader, pool: MediaPool) -> None:
        self._folder = folder
        self._downloader = downloader
        self._pool = pool

    def path(self, job_id: str) -> Path:
        """Return where a job's video lies, or is to lie."""
        folder = self._folder / job_id
        folder.mkdir(exist_ok=True)
        return folder / "video.mp4"

    def drop(self, job_id: str) -> None:
        """Remove a job's video and all that was made of it."""
        shutil.rmtree(self._folder / job_id, ignore_errors=True)

    async def fetch(self, job_id: str, url: str, downloader: Downloader | None = None) -> Path:
        """Download a job's video, unless it lies here already; raises `DownloadError`, or `BrokenVideo`.

        A `downloader` of its own is for a video that comes from somewhere else than Novita.
        """
        path = self.path(job_id)
        if not path.exists():
            await (downloader or self._downloader).download(url, path, max_bytes=MAX_BYTES, seconds=SECONDS)
            try:
                await self._pool.probe(path)
            except NotAVideo:
                path.unlink()
                raise BrokenVideo("what Novita hands out is no video") from None
            except MediaPoolError as error:
                log.warning("a video could not be looked at: %s", error)
        return path

    async def playable(self, path: Path) -> Path | None:
        """Return a file that plays in every client: itself or a remux; None: only encoding helps."""
        try:
            video = await self._pool.probe(path)
            if video.plays_inline:
                return path
            if video.needs_only_remux:
                return (await self._pool.remux(path, path.with_name("remuxed.mp4"))).path
        except (NotAVideo, MediaPoolError) as error:
            log.warning("a video could not be looked at, so it goes as it is: %s", error)
            return path
        return None

    async def fitted(self, path: Path, max_bytes: int, *, yields: bool = False) -> Path | None:
        """Encode a video again to just under `max_bytes`; None when that cannot be done.

        What `yields` comes after all that does not.
        """
        target = path.with_name(f"fitted-{max_bytes}.mp4")
        if target.exists():
            return target
        try:
            return (await self._pool.fit(path, target, max_bytes, yields=yields)).path
        except (CannotFit, NotAVideo, MediaPoolError) as error:
            log.warning("a video could not be fitted: %s", error)
            with suppress(FileNotFoundError):
                target.unlink()
            return None
