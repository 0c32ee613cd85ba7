"""Turn stills into films: a slow pan and zoom, as a real MP4.

Run as `python -m sandbox.novita.render` it makes one film per line of JSON on its standard input and answers
each with a line of JSON, until its input ends: a process of its own, so that the sandbox's loop never waits.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import random
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane
from av.video.reformatter import ColorRange, Colorspace
from av.video.stream import VideoStream
from PIL import Image

ZOOM = 1.16
"""How much closer the last frame is than the first, which shows the whole still."""
LONGEST_SIDE = Fraction(1920, 1080)
"""The longest long side, in short sides of the setting: Kling stays near 1920 at 1080p."""
_CODECS = {"hevc": "libx265", "mpeg4": "mpeg4"}
_OPTIONS = {
    "libx264": {"preset": "ultrafast", "crf": "20"},
    "libx265": {"preset": "ultrafast", "crf": "24", "x265-params": "log-level=error"},
    "mpeg4": {"qscale": "4"},
}
# What Pillow's boxes are cut from is a little larger than the film, so that the closest frame is still sharp.
_OVERSAMPLING = 1.25


def main() -> None:
    """Make films until the standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business: it closes the pipe
    with contextlib.suppress(AttributeError, OSError):
        os.nice(5)  # acknowledgements are more urgent than films
    for line in sys.stdin:
        job = json.loads(line)
        try:
            answer = make(Path(job.pop("out")), **job)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        try:
            print(json.dumps(answer), flush=True)
        except BrokenPipeError:  # the sandbox has gone
            return


def make(
    out: Path, *, image: str, seconds: int, height: int, fps: int, variant: str, at_least_bytes: int | None
) -> dict[str, Any]:
    """Write the film to `out` (whole or not at all) and return its size and SHA-256."""
    part = out.with_suffix(".part")
    if variant == "html":
        part.write_text("<!DOCTYPE html><title>Not a video</title><h1>Please sign in</h1>\n")
    else:
        with Image.open(image) as still:
            _encode(part, _opaque(still), seconds, height, fps, variant)
        if variant == "corrupt":
            _scramble(part)
        if at_least_bytes:
            _pad(part, at_least_bytes)
    with part.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    size = part.stat().st_size
    part.rename(out)
    return {"size": size, "sha256": digest}


def film_size(width: int, height: int, short_side: int) -> tuple[int, int]:
    """Return the film's even (width, height): the still's shape at `short_side`, the long side capped."""
    short, long = sorted((width, height))
    scale = min(Fraction(short_side, short), short_side * LONGEST_SIDE / long)
    return _even(width * scale), _even(height * scale)


def _even(length: Fraction) -> int:
    return max(2, 2 * round(length / 2))


def _opaque(still: Image.Image) -> Image.Image:
    if still.has_transparency_data:
        still = Image.alpha_composite(Image.new("RGBA", still.size, "black"), still.convert("RGBA"))
    return still.convert("RGB")


def _encode(path: Path, still: Image.Image, seconds: int, height: int, fps: int, variant: str) -> None:
    size = film_size(*still.size, height)
    codec = _CODECS.get(variant, "libx264")
    flags = {} if variant == "moov_at_end" else {"movflags": "+faststart"}
    with av.open(str(path), "w", format="mp4", options=flags) as container:
        stream = cast(VideoStream, container.add_stream(codec, rate=fps, options=_OPTIONS[codec]))
        stream.width, stream.height = size
        stream.pix_fmt = "yuv444p" if variant == "odd_pixels" else "yuv420p"
        if codec == "libx265":
            stream.codec_context.codec_tag = "hvc1"
        stream.codec_context.gop_size = 2 * fps
        stream.codec_context.colorspace = Colorspace.ITU709
        stream.codec_context.color_range = ColorRange.MPEG
        for frame in _frames(still, size, seconds * fps, stream.pix_fmt):
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _frames(still: Image.Image, size: tuple[int, int], count: int, pix_fmt: str) -> Iterator[VideoFrame]:
    """Yield the camera's move over the still: eased at both ends, with no rounding to whole pixels.

    The planes are cut and scaled one by one: half the work of scaling RGB, and no conversion per frame.
    """
    planes = _planes(still, size)
    towards = random.Random(hashlib.sha256(planes[0].tobytes()).digest())  # noqa: S311 - art, not secrets
    aim = (towards.uniform(-0.8, 0.8), towards.uniform(-0.8, 0.8))
    with ThreadPoolExecutor(2) as pool:
        for index in range(count):
            box = _box(index / max(1, count - 1), aim)
            frame = VideoFrame(*size, pix_fmt)
            frame.colorspace = Colorspace.ITU709
            frame.color_range = ColorRange.MPEG
            cuts = [
                [pool.submit(_cut, source, box, plane.width, rows) for rows in _halves(plane.height)]
                for plane, source in zip(frame.planes, planes, strict=True)
            ]
            for plane, parts in zip(frame.planes, cuts, strict=True):
                _fill(plane, b"".join(part.result() for part in parts))
            yield frame


def _planes(still: Image.Image, size: tuple[int, int]) -> list[Image.Image]:
    """Return the still's Y, Cb and Cr (BT.709, limited range), at the size that the camera moves over."""
    large = (math.ceil(size[0] * _OVERSAMPLING), math.ceil(size[1] * _OVERSAMPLING))
    rgb = VideoFrame.from_image(still.resize(large, Image.Resampling.LANCZOS))  # type: ignore[no-untyped-call]
    frame = rgb.reformat(format="yuv444p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG)
    return [
        Image.frombuffer("L", (plane.width, plane.height), bytes(plane), "raw", "L", plane.line_size, 1)
        for plane in frame.planes
    ]


def _halves(height: int) -> list[tuple[float, float, int]]:
    """Return (top, bottom, rows) of both halves of a plane, so that two threads can share it."""
    middle = height // 2
    return [(0, middle / height, middle), (middle / height, 1, height - middle)]


def _cut(
    source: Image.Image, box: tuple[float, float, float, float], width: int, rows: tuple[float, float, int]
) -> bytes:
    """Return the pixels of the part of `box` (in parts of the still) that `rows` says, `width` wide."""
    left, top, right, bottom = box
    start, end, height = rows
    area = (
        left * source.width,
        (top + (bottom - top) * start) * source.height,
        right * source.width,
        (top + (bottom - top) * end) * source.height,
    )
    return source.resize((width, height), Image.Resampling.BILINEAR, box=area).tobytes()


def _box(progress: float, aim: tuple[float, float]) -> tuple[float, float, float, float]:
    """Return what the camera sees at `progress` 0 … 1, in parts of the still: left, top, right, bottom."""
    eased = (1 - math.cos(math.pi * progress)) / 2
    width = ZOOM**-eased
    left, top = ((1 - width) * (1 + a) / 2 for a in aim)
    return left, top, left + width, top + width


def _fill(plane: VideoPlane, data: bytes) -> None:
    if plane.line_size == plane.width:
        plane.update(data)
        return
    # FFmpeg pads each line to please the CPU.
    padding = bytes(plane.line_size - plane.width)
    width = plane.width
    plane.update(b"".join(data[y * width : (y + 1) * width] + padding for y in range(plane.height)))


def _pad(path: Path, size: int) -> None:
    """Grow an MP4 to `size` bytes with an empty `free` box, which players skip (ISO 14496-12, 8.1.2)."""
    missing = size - path.stat().st_size
    if missing < 8:
        return
    with path.open("ab") as file:
        file.write(missing.to_bytes(4, "big") + b"free")
    os.truncate(path, size)  # a hole: it takes no room on the disk


def _scramble(path: Path) -> None:
    """Keep an MP4's first box and replace all that follows by noise."""
    data = path.read_bytes()
    kept = int.from_bytes(data[:4], "big")
    path.write_bytes(data[:kept] + random.Random(0).randbytes(len(data) - kept))  # noqa: S311


if __name__ == "__main__":
    main()
