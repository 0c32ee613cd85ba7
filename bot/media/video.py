"""Find out what a video is, and make it one that plays where it is posted: a new container, or a new encoding.

Pure and synchronous, and meant to run in `bot.media.worker`. Encoding is x264's, by way of PyAV.
"""

from __future__ import annotations

import contextlib
import math
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
from av.audio.resampler import AudioResampler
from av.codec.context import Flags
from av.container import InputContainer, OutputContainer
from av.video.frame import PictureType

from bot.media.sniff import BrokenContainer, boxes
from bot.media.values import CannotFit, NotAVideo, Video

av.logging.set_level(None)  # what a decoder has to say about a file ends up in the exception

# A playlist or a list of files to join is a "video" to FFmpeg too, and would make it open whatever it names.
_OPEN = {
    "format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,h264,hevc,ivf,ogg",
    "protocol_whitelist": "file",
}
_FASTSTART = {"movflags": "faststart"}

# What every Discord client plays inline.
_CODEC = "h264"
_PIX_FMTS = frozenset({"yuv420p", "yuvj420p"})
_AUDIO = frozenset({"aac", "mp3"})

_AIM = 0.96  # of the bytes allowed; x264 lands within about 2 % of what it is told
_TRIES = 4
_LONG_SIDE = 1920  # a chat shows no more
_BITS_PER_PIXEL = 0.04  # with fewer, a smaller picture looks better
_SHORT_SIDE = 120
_LEAST_BITS = 20_000  # a second; under this there is no picture to speak of
_AUDIO_BITS = 128_000
_AUDIO_SHARE = 0.15
_PRESET = "faster"  # ten seconds of 1080p in about ten seconds of one core
_THREADS = min(2, os.cpu_count() or 1)


def probe(path: Path) -> Video:
    """Say what a video file is, having decoded its first picture; raises `NotAVideo`."""
    with _reading(path) as source:
        stream = _pictures(source)
        frame = next(source.decode(stream), None)
        if frame is None:
            raise NotAVideo("no picture in it")
        sound = source.streams.best("audio")
        fps = float(stream.average_rate or stream.guessed_rate or 0)
        video = Video(
            path=path,
            container=source.format.name.split(",")[0],
            codec=stream.codec_context.name,
            pix_fmt=frame.format.name,
            width=frame.width,
            height=frame.height,
            seconds=round(_seconds(source, path), 3),
            fps=round(fps, 3),
            audio=sound.codec_context.name if sound else None,
            faststart=False,
            bytes=path.stat().st_size,
            obstacles=(),
        )
    return _with_obstacles(video)
