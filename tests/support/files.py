"""The outer ends of `Images` and `Videos`: downloads that answer as a test says, and media work undone."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import Any

from bot.errors import DownloadError, MediaError
from bot.files.download import Downloaded, Downloader
from bot.files.videos import Videos
from bot.media.pool import MediaPool
from bot.media.values import ImageLimits, PreparedImage, Video
from tests.support.journal import Journal


class FakeDownloader(Downloader):
    """Writes `bytes of <url>`, after raising what is in `failures`; `urls` are all it was asked for."""

    def __init__(self, name: str, journal: Journal | None = None) -> None:
        self.journal = journal or Journal()
        self.failures: deque[DownloadError] = deque()
        self.urls: list[str] = []
        self._name = name

    async def close(self) -> None:
        """Nothing is open."""

    async def download(self, url: str, target: Path, *, max_bytes: int, seconds: float) -> Downloaded:
        """Write a file."""
        async with self.journal.step(self._name):
            self.urls.append(url)
            if self.failures:
                raise self.failures.popleft()
            data = f"bytes of {url}".encode()
            target.write_bytes(data)
            return Downloaded(len(data), "application/octet-stream")


class FakePool(MediaPool):
    """Takes every image as it is and every video for one that plays, after raising what is in `failures`."""

    def __init__(self) -> None:
        self.failures: deque[MediaError] = deque()

    async def close(self) -> None:
        """Nothing is running."""

    async def prepare_image(
        self, source: Path, target_stem: Path, limits: ImageLimits, *, timeout: float = 20.0
    ) -> PreparedImage:
        """Copy the source."""
        self._fail()
        path = target_stem.with_name(f"{target_stem.name}.jpg")
        path.write_bytes(source.read_bytes())
        return PreparedImage(path, "jpeg", 640, 480, path.stat().st_size, ())

    async def probe(self, source: Path, *, timeout: float = 20.0) -> Video:
        """Find nothing wrong."""
        self._fail()
        return Video(source, "mp4", "h264", "yuv420p", 640, 480, 5.0, 24.0, None, True, 1, ())

    def _fail(self) -> None:
        if self.failures:
            raise self.failures.popleft()


class FakeVideos(Videos):
    """Takes every video for one that plays, and makes one smaller by cutting it off; `fits` are the sizes."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, FakeDownloader("video"), FakePool())
        self.fits: list[int] = []

    async def playable(self, path: Path) -> Path | None:
        """Return it as it is."""
        return path

    async def fitted(self, path: Path, max_bytes: int, **_how: Any) -> Path | None:
        """Cut it off."""
        self.fits.append(max_bytes)
        target = path.with_name(f"fitted-{max_bytes}.mp4")
        target.write_bytes(path.read_bytes()[: max_bytes - 1])
        return target
