"""Small real videos of every sort, made with PyAV, and a way to compare two of them."""

from __future__ import annotations

import functools
import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.audio.frame import AudioFrame
from PIL import Image, ImageChops, ImageStat

from tests.support import images

RATE = 24


@functools.cache
def pictures(width: int, height: int, count: int) -> list[Image.Image]:
    """Return a slow pan over a photo."""
    wide = images.photo(width + 64, height + 64)
    offsets = ((number * 64 // count, number * 40 // count) for number in range(count))
    return [wide.crop((x, y, x + width, y + height)) for x, y in offsets]


def write(
    path: Path,
    codec: str = "libx264",
    *,
    container: str = "mp4",
    pix_fmt: str = "yuv420p",
    size: tuple[int, int] = (320, 240),
    seconds: float = 2,
    bits: int = 2_000_000,
    sound: str | None = None,
    movflags: str = "",
    options: dict[str, str] | None = None,
) -> Path:
    """Write a video; without more said, H.264 with its index at the end."""
    with av.open(
        str(path), "w", format=container, options={"movflags": movflags} if movflags else {}
    ) as output:
        stream: Any = output.add_stream(codec, rate=RATE, options=options or {})
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = *size, pix_fmt, bits
        track: Any = output.add_stream(sound, rate=48_000, layout="mono") if sound else None
        for number, picture in enumerate(pictures(*size, round(seconds * RATE))):
            frame = av.VideoFrame.from_image(picture)
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            output.mux(stream.encode(frame))
            if track:
                output.mux(track.encode(tone(number)))
        output.mux(stream.encode(None))
        if track:
            output.mux(track.encode(None))
    return path


def tone(number: int) -> AudioFrame:
    """Return the sound of one picture's time, a note that goes on from one to the next."""
    count = 48_000 // RATE
    samples = (
        round(8000 * math.sin((number * count + at) * 2 * math.pi * 440 / 48_000)) for at in range(count)
    )
    frame = AudioFrame(format="s16", layout="mono", samples=count)
    frame.planes[0].update(b"".join(sample.to_bytes(2, "little", signed=True) for sample in samples))
    frame.sample_rate, frame.pts, frame.time_base = 48_000, number * count, Fraction(1, 48_000)
    return frame


def psnr(one: Path, other: Path) -> float:
    """Return how alike two videos are, in dB over all pictures (40 and more: hardly to be told apart)."""
    errors = []
    with av.open(str(one)) as first, av.open(str(other)) as second:
        for left, right in zip(first.decode(video=0), second.decode(video=0), strict=True):
            a, b = left.to_image(), right.to_image()
            difference = ImageChops.difference(a, b.resize(a.size))
            errors += [value**2 for value in ImageStat.Stat(difference).rms]
    return 10 * math.log10(255**2 / max(sum(errors) / len(errors), 1e-9))
