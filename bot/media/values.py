"""What media work takes and gives, apart from the work: the bot imports this, and never a decoder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Format = Literal["jpeg", "png"]
Rule = Literal[
    "empty",  # actual: bytes
    "too_many_bytes",  # bytes, limit
    "not_an_image",  # kind ("text", or "" when unknown)
    "unsupported",  # kind ("PDF", "MP4", "SVG", …)
    "corrupt",  # kind, detail (English, for the log)
    "truncated",  # kind, detail
    "too_small",  # width, height, limit (the least that either side may have)
    "too_wide",  # width, height, limit (the most that width / height may be)
    "too_tall",  # width, height, limit (the most that height / width may be)
    "too_many_pixels",  # width, height, limit (width × height)
    "too_hard",  # kind or seconds: it would take too much memory or time
]


@dataclass(frozen=True)
class ImageLimits:
    """What a source image may be: the sender's part (source bytes, pixels) and the model's (the rest)."""

    max_source_bytes: int = 25 * 2**20
    max_bytes: int = 7 * 10**6
    min_side: int = 300
    max_ratio: float = 2.5
    # Decoded at once: 200 MB, and up to three times that while it is turned and flattened. A JPEG may have 4
    # times as many (it can be decoded at half its size, and phones make 200 megapixels), a WebP half as many.
    max_pixels: int = 50_000_000


@dataclass(frozen=True)
class PreparedImage:
    """An image that fits its limits.

    `changes` says what was done to it, each at most once, in this order: "converted_from:<kind>" (webp, heif,
    avif, gif, bmp, png) or "reencoded" (the same format, written afresh), "first_frame" (of an animation),
    "16bit", "flattened" (transparent parts are white now), "cmyk", "colours" (from another ICC profile to
    sRGB), "rotated" (by its EXIF orientation), "scaled:<width>x<height>" (to this size). Or only "stripped":
    the source's own pixels, without what it told beside them. Empty: there was nothing else in it.
    """

    path: Path
    format: Format
    width: int
    height: int
    bytes: int
    changes: tuple[str, ...]


@dataclass(frozen=True)
class Video:
    """What a video file is, as `video.probe` finds it; `seconds` and `fps` are 0 when the file does not say.

    `obstacles` are the reasons for which it would not play inside a chat: "container:<name>", "codec:<name>",
    "pix_fmt:<name>", "odd_size", "audio:<codec>", "moov_at_end", "fragmented". The remedy for those in
    `REMUXED` is a new container, for the rest a new encoding.
    """

    path: Path
    container: str
    codec: str
    pix_fmt: str
    width: int
    height: int
    seconds: float
    fps: float
    audio: str | None
    faststart: bool
    bytes: int
    obstacles: tuple[str, ...]

    @property
    def plays_inline(self) -> bool:
        """Return whether every Discord client plays it where it stands."""
        return not self.obstacles

    @property
    def has_audio(self) -> bool:
        """Return whether there is sound."""
        return self.audio is not None

    @property
    def needs_only_remux(self) -> bool:
        """Return whether a new container is all it needs: the pictures and the sound may stay as they are."""
        return bool(self.obstacles) and all(name.split(":")[0] in REMUXED for name in self.obstacles)


REMUXED = frozenset({"container", "moov_at_end", "fragmented"})
