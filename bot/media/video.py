"""Find out what a video is, and make it one that plays where it is posted: a new container or a new encoding.

Pure and synchronous, and meant to run in `bot.media.worker`. Encoding is x264's, by way of PyAV.
"""

from __future__ import annotations

import contextlib
import math
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.codec.context import Flags
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream

from bot.errors import CannotFit, NotAVideo
from bot.media.sniff import BrokenContainer, boxes
from bot.media.values import Video

av.logging.set_level(None)  # what decoders have to say about a file comes with the exception

# To FFmpeg a playlist is a video too, and it would open whatever that names.
_SAFELY = {
    "format_whitelist": "mov,mp4,matroska,webm,avi,mpegts,mpeg,flv,h264,hevc,ivf,ogg",
    "protocol_whitelist": "file",
}
_INDEX_IN_FRONT = {"movflags": "faststart"}

# What every Discord client plays inline.
_CODEC = "h264"
_PIX_FMTS = frozenset({"yuv420p", "yuvj420p"})
_SOUNDS = frozenset({"aac", "mp3", "mp3float"})

_AIM = 0.96  # of the bytes allowed: x264 comes within 2 % or so of what it is told
_CLOSE = 0.95  # of the aim: less is worth a second try
_TRIES = 4
_PRESET = "faster"  # ten seconds of 1080p take about twenty on one core, both passes together
_THREADS = min(2, os.cpu_count() or 1)
_LONG_SIDE = 1920  # a chat shows no more
_SHORT_SIDE = 120
_BITS_PER_PIXEL = 0.04  # with fewer, smaller pictures look better
_LEAST_BITS = 20_000  # a second; below, there is nothing left to see
_SOUND_BITS = 128_000
_SOUND_SHARE = 0.15
_FRUGAL = frozenset({"hevc", "av1", "libdav1d", "vp9", "vvc"})  # H.264 needs twice their bytes


def probe(path: Path) -> Video:
    """Return what a video is, once its first picture has been decoded; raises `NotAVideo`."""
    with _reading(path) as source:
        pictures = _pictures(source)
        first = next(source.decode(pictures), None)
        if first is None:
            raise NotAVideo("no picture in it")
        sound = source.streams.best("audio")
        container = source.format.name.split(",")[0].replace("mov", "mp4")
        faststart, obstacles = _layout(path) if container == "mp4" else (False, [f"container:{container}"])
        video = Video(
            path=path,
            container=container,
            codec=pictures.codec_context.codec.canonical_name,
            pix_fmt=first.format.name,
            width=first.width,
            height=first.height,
            seconds=round(_seconds(source, pictures), 3),
            fps=round(float(pictures.average_rate or pictures.guessed_rate or 0), 3),
            audio=sound.codec_context.codec.canonical_name if isinstance(sound, AudioStream) else None,
            faststart=faststart,
            bytes=path.stat().st_size,
            obstacles=(),
        )
    return replace(video, obstacles=(*obstacles, *_obstacles(video)))


def remux(source: Path, target: Path) -> Video:
    """Put the same pictures and sound into an MP4 with its index in front; raises `NotAVideo`."""
    with _reading(source) as given, _writing(target) as made:
        streams = [stream for stream in (_pictures(given), given.streams.best("audio")) if stream]
        copies = {stream.index: made.add_stream_from_template(stream) for stream in streams}
        for packet in given.demux(streams):
            if packet.size:  # the one without anything in it marks the end
                packet.stream = copies[packet.stream.index]
                made.mux(packet)
    return probe(target)


def fit(source: Path, target: Path, max_bytes: int) -> Video:
    """Encode `source` afresh into an MP4 of at most `max_bytes` bytes, and close to that where it is of use.

    H.264 in two passes, AAC if there is sound, index in front; smaller pictures when there are too few bits
    for the size they have. Raises `NotAVideo`, or `CannotFit` when even the smallest pictures are too much.
    """
    video = probe(source)
    enough = video.bytes * (2 if video.codec in _FRUGAL else 1)
    wanted = int(min(max_bytes, enough) * _AIM)
    plan = _plan(video, wanted)
    best = 0
    with tempfile.TemporaryDirectory(dir=target.parent) as directory:
        draft, notes = Path(directory, "draft.mp4"), Path(directory, "notes")
        sound = _encode(source, draft, plan, notes, first=True)
        plan = replace(plan, bits=_pictures_bits(video, wanted, sound))
        for attempt in range(_TRIES):
            _encode(source, draft, plan, notes)
            size = draft.stat().st_size
            if best < size <= max_bytes:
                best = size
                draft.replace(target)
            if best and (best >= _CLOSE * wanted or attempt):
                return probe(target)
            plan = replace(plan, bits=max(_LEAST_BITS, int(plan.bits * wanted / size)))
    raise CannotFit(size, max_bytes)


# What is there


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[InputContainer]:
    """Open a file nobody vouches for; what its demuxer and decoders raise becomes `NotAVideo`."""
    try:
        with av.open(str(path.absolute()), options=_SAFELY) as container:
            yield container
    except (av.FFmpegError, BrokenContainer) as error:
        if isinstance(error, OSError):  # the disk's
            raise
        raise NotAVideo(str(error)) from error


def _pictures(container: InputContainer) -> VideoStream:
    stream = container.streams.best("video")  # not a song's cover
    if not isinstance(stream, VideoStream):
        raise NotAVideo("no pictures in it")
    stream.thread_type = "AUTO"
    stream.codec_context.thread_count = _THREADS
    return stream


def _seconds(container: InputContainer, pictures: VideoStream) -> float:
    if container.duration:
        return container.duration / av.time_base
    times = [packet.pts for packet in container.demux(pictures) if packet.pts is not None]
    return float((max(times) - min(times)) * (pictures.time_base or 0)) if times else 0.0


def _layout(path: Path) -> tuple[bool, list[str]]:
    """Return whether an MP4's index stands in front, and what speaks against its container."""
    with path.open("rb") as file:
        obstacles = ["container:mov"] if file.read(12)[4:] == b"ftypqt  " else []
        names = [box.name for box in boxes(file)]
    if b"moof" in names:
        return False, [*obstacles, "fragmented"]
    if b"mdat" in names and b"moov" in names[names.index(b"mdat") :]:
        return False, [*obstacles, "moov_at_end"]
    return True, obstacles


def _obstacles(video: Video) -> Iterator[str]:
    if video.codec != _CODEC:
        yield f"codec:{video.codec}"
    if video.pix_fmt not in _PIX_FMTS:
        yield f"pix_fmt:{video.pix_fmt}"
    if video.width % 2 or video.height % 2:
        yield "odd_size"
    if video.audio and video.audio not in _SOUNDS:
        yield f"audio:{video.audio}"


# What to make of it


@dataclass(frozen=True)
class _Plan:
    """The pictures' size, and how many bits a second they and the sound (if there is any) may take."""

    width: int
    height: int
    bits: int
    sound: int


def _plan(video: Video, wanted: int) -> _Plan:
    bits = wanted * 8 / max(video.seconds, 0.1)
    sound = int(min(_SOUND_BITS, bits * _SOUND_SHARE)) if video.has_audio else 0
    bits = max(_LEAST_BITS, bits - sound)
    pixels = bits / (_BITS_PER_PIXEL * (video.fps or 24))  # that the bits suffice for
    scale = max(
        math.sqrt(pixels / (video.width * video.height)), _SHORT_SIDE / min(video.width, video.height)
    )
    scale = min(scale, _LONG_SIDE / max(video.width, video.height), 1)
    return _Plan(_even(video.width * scale), _even(video.height * scale), int(bits), sound)


def _pictures_bits(video: Video, wanted: int, sound: int) -> int:
    """Return how many bits a second are left for the pictures when the sound takes so many bytes in all."""
    return int(max(_LEAST_BITS, (wanted - sound) * 8 / max(video.seconds, 0.1)))


def _even(side: float) -> int:
    return max(2, int(side) // 2 * 2)


# Making it


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[OutputContainer]:
    with av.open(str(path.absolute()), "w", format="mp4", options=_INDEX_IN_FRONT) as container:
        yield container


def _encode(source: Path, target: Path, plan: _Plan, notes: Path, *, first: bool = False) -> int:
    """Run one of x264's two passes and return how many bytes the sound took.

    The first only takes notes, at half the size for speed.
    """
    with _reading(source) as given, _writing(target) as made:
        pictures = _pictures(given)
        film = _Film(made, pictures, plan, notes, first)
        sound = given.streams.best("audio") if plan.sound else None
        track = _Track(made, plan.sound) if isinstance(sound, AudioStream) else None
        for frame in given.decode(*(stream for stream in (pictures, sound) if stream)):
            if isinstance(frame, VideoFrame):
                film.add(frame)
            elif isinstance(frame, AudioFrame) and track:
                track.add(frame)
        film.end()
        if track:
            track.end()
        return track.bytes if track else 0


class _Film:
    """The pictures of a video in the making."""

    def __init__(
        self, made: OutputContainer, given: VideoStream, plan: _Plan, notes: Path, first: bool
    ) -> None:
        self._made = made
        # Fractions whichever PyAV it is: what 19 has instead rounds, between two of its own, to 32 bits.
        rate = given.average_rate or given.guessed_rate or Fraction(24)
        rate = Fraction(rate.numerator, rate.denominator)
        time_base = given.time_base or 1 / rate
        self._time_base = Fraction(time_base.numerator, time_base.denominator)
        self._step = max(1, round(1 / (rate * self._time_base)))
        self._last: int | None = None
        self._stream = made.add_stream("libx264", rate=rate, options={"preset": _PRESET, "stats": str(notes)})
        context = self._stream.codec_context
        context.width, context.height, context.pix_fmt = plan.width, plan.height, "yuv420p"
        context.bit_rate = plan.bits
        if first:  # x264 knows how to read notes taken at another size
            context.width, context.height = _even(plan.width / 2), _even(plan.height / 2)
            context.bit_rate = int(plan.bits / 2**1.4)  # what the same quality takes there, near enough
        context.time_base = self._time_base
        context.sample_aspect_ratio = given.sample_aspect_ratio or Fraction(1)
        context.thread_count = _THREADS
        context.flags |= Flags.pass1 if first else Flags.pass2

    def add(self, frame: VideoFrame) -> None:
        """Add the next picture."""
        pts = frame.pts
        if self._last is not None and (pts is None or pts <= self._last):
            pts = self._last + self._step  # some containers give no times, or the same twice
        context = self._stream.codec_context
        rotation = frame.rotation
        frame = frame.reformat(context.width, context.height, "yuv420p")
        if self._last is None:
            context.color_range, context.colorspace = frame.color_range, frame.colorspace
            context.color_primaries, context.color_trc = frame.color_primaries, frame.color_trc
            if rotation:
                self._stream.set_display_rotation(rotation)
        self._last = pts or 0
        frame.pts, frame.time_base = self._last, self._time_base
        frame.pict_type = PictureType.NONE  # where the key pictures go is x264's to decide
        self._made.mux(self._stream.encode(frame))

    def end(self) -> None:
        """Write what the encoder still holds back."""
        self._made.mux(self._stream.encode(None))


class _Track:
    """The sound of a video in the making."""

    def __init__(self, made: OutputContainer, bits: int) -> None:
        self.bytes = 0
        self._made = made
        self._stream = made.add_stream("aac", rate=48_000, layout="stereo")
        self._stream.codec_context.bit_rate = bits
        self._resampler = AudioResampler(format="fltp", layout="stereo", rate=48_000, frame_size=1024)

    def add(self, frame: AudioFrame | None) -> None:
        """Add the next samples."""
        for part in self._resampler.resample(frame):
            self._mux(self._stream.encode(part))

    def end(self) -> None:
        """Write what the resampler and the encoder still hold back."""
        self.add(None)
        self._mux(self._stream.encode(None))

    def _mux(self, packets: list[Packet[AudioStream]]) -> None:
        self.bytes += sum(packet.size for packet in packets)
        self._made.mux(packets)
