"""The finished video on its way: made to play where it stands, and to fit where it goes."""

from __future__ import annotations

import logging
import shutil
from contextlib import suppress
from pathlib import Path

from bot.media.values import CannotFit, NotAVideo
from bot.media.workshop import Workshop, WorkshopError

log = logging.getLogger(__name__)


class Films:
    """Holds each job's video in a folder of its own, and has it probed, remuxed and fitted."""

    def __init__(self, folder: Path, workshop: Workshop) -> None:
        self._folder = folder
        self._workshop = workshop

    def path(self, job_id: str) -> Path:
        """Say where a job's video lies, or is to lie."""
        folder = self._folder / job_id
        folder.mkdir(exist_ok=True)
        return folder / "video.mp4"

    def drop(self, job_id: str) -> None:
        """Remove a job's video and all that was made of it."""
        shutil.rmtree(self._folder / job_id, ignore_errors=True)

    async def is_video(self, path: Path) -> bool:
        """Tell whether a downloaded file is a video at all, and not an error page or a torso."""
        try:
            await self._workshop.probe(path)
        except NotAVideo:
            return False
        except WorkshopError as error:
            log.warning("a video could not be looked at: %s", error)
        return True

    async def playable(self, path: Path) -> Path | None:
        """Give a file that plays in every client: itself or a remux; None: only encoding helps."""
        try:
            video = await self._workshop.probe(path)
            if video.plays_inline:
                return path
            if video.needs_only_remux:
                return (await self._workshop.remux(path, path.with_name("remuxed.mp4"))).path
        except (NotAVideo, WorkshopError) as error:
            log.warning("a video could not be looked at, so it goes as it is: %s", error)
            return path
        return None

    async def fitted(self, path: Path, max_bytes: int) -> Path | None:
        """Encode a video again to just under `max_bytes`; None when that cannot be done."""
        target = path.with_name(f"fitted-{max_bytes}.mp4")
        if target.exists():
            return target
        try:
            return (await self._workshop.fit(path, target, max_bytes)).path
        except (CannotFit, NotAVideo, WorkshopError) as error:
            log.warning("a video could not be fitted: %s", error)
            with suppress(FileNotFoundError):
                target.unlink()
            return None
