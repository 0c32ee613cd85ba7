"""Take out of a JPEG or PNG what is no picture, losslessly: where it was taken, by whom, with what.

Pure, and strict on purpose: of a file with anything unexpected in it nothing is passed on, so that it is made
afresh from its pixels instead.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

from bot.media import profile

# JPEG: ITU-T T.81, table B.1; what stands in the APPn is by custom.
_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA
_APP0, _APP2, _APP14, _COM = 0xE0, 0xE2, 0xEE, 0xFE
_TABLES = frozenset((0xC4, 0xCC, 0xDB, 0xDD))  # DHT, DAC, DQT, DRI
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF0 … SOF15
_APPS = frozenset(range(0xE0, 0xF0))
_JFIF, _ICC, _ADOBE = b"JFIF\0", b"ICC_PROFILE\0", b"Adobe"
_JFIF_LENGTH, _ADOBE_LENGTH = 14, 12  # of what stands before a thumbnail, and of all that decoders read
_FILL = re.compile(rb"\xff+")
_MARKER = re.compile(rb"\xff(?![\x00\xd0-\xd7\xff])")
"""What ends a scan's data: no stuffed byte, no restart marker, and of fill bytes the last."""

# PNG: https://www.w3.org/TR/png-3/, 11; the two of light levels have been written both ways.
_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_CRITICAL = frozenset((b"IHDR", b"PLTE", b"IDAT", b"IEND"))
_COLOURS = frozenset((b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"sBIT", b"pHYs", b"cICP"))
_LIGHT = frozenset((b"mDCV", b"mDCv", b"cLLI", b"cLLi"))
_ANIMATION = frozenset((b"acTL", b"fcTL", b"fdAT", b"bKGD", b"hIST", b"sPLT"))
"""Dropped too, but they tell nothing of anybody."""


@dataclass(frozen=True)
class Bare:
    """A file with nothing in it but a picture and its colours; `hidden`: it told more than that before."""

    data: bytes
    hidden: bool


class _Unsure(Exception):
    """The file has something in it that a decoder may read in another way."""


def bare(kind: str, data: bytes) -> Bare | None:
    """Return a file without what is no picture, its pixels as they were, or None where that is not certain.

    Data that stands inside the pixels' own, behind the last of them, stays: only a decoder finds its end.
    """
    strip = {"jpeg": _bare_jpeg, "png": _bare_png}.get(kind)
    try:
        return strip(data) if strip else None
    except (_Unsure, IndexError, struct.error):
        return None


def _bare_jpeg(data: bytes) -> Bare:
    kept, icc, at, hidden, scans = [b"\xff\xd8"], profile.Parts(), 2, False, 0
    while True:
        marker, at = _next_marker(data, at)
        if marker == _EOI and scans:
            break
        body, at = _body(data, at)
        if marker in _TABLES or marker in _FRAMES or marker == _SOS:
            kept.append(_segment(marker, body))
            if marker == _SOS:
                scan, at = _scan(data, at)
                kept.append(scan)
                scans += 1
        elif marker == _APP2 and body.startswith(_ICC):
            icc.add(body[len(_ICC) :])
        elif marker in _APPS or marker == _COM:
            short = _shortened(marker, body)
            kept += [_segment(marker, short)] if short else []
            hidden = hidden or short != body
        else:
            raise _Unsure
    segments = [_segment(_APP2, _ICC + part) for part in icc.bare()]
    # After JFIF's, which its standard has first.
    first = 2 if len(kept) > 1 and kept[1].startswith(b"\xff\xe0") else 1
    return Bare(b"".join([*kept[:first], *segments, *kept[first:], b"\xff\xd9"]), hidden or at < len(data))


def _next_marker(data: bytes, at: int) -> tuple[int, int]:
    """Return the marker that stands here, after any fill bytes, and where its segment begins."""
    fill = _FILL.match(data, at)
    if fill is None:
        raise _Unsure
    return data[fill.end()], fill.end() + 1


def _body(data: bytes, at: int) -> tuple[bytes, int]:
    """Return what is in a segment, and where the next one begins."""
    (length,) = struct.unpack_from(">H", data, at)
    end = at + length
    if length < 2 or end > len(data):
        raise _Unsure
    return data[at + 2 : end], end


def _segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def _scan(data: bytes, at: int) -> tuple[bytes, int]:
    """Return a scan's data, restart markers and all, without the fill bytes behind it, and where it ends."""
    found = _MARKER.search(data, at)
    if found is None:
        raise _Unsure
    return data[at : found.start()].rstrip(b"\xff"), found.start()


def _shortened(marker: int, body: bytes) -> bytes:
    """Return what of an application's segment decoders need; empty: nothing."""
    if marker == _APP0 and body.startswith(_JFIF) and len(body) >= _JFIF_LENGTH:
        return body[: _JFIF_LENGTH - 2] + bytes(2)  # a thumbnail of 0 × 0
    if marker == _APP14 and body.startswith(_ADOBE) and len(body) >= _ADOBE_LENGTH:
        return body[:_ADOBE_LENGTH]  # its last byte says what the components are
    return b""


def _bare_png(data: bytes) -> Bare:
    kept, at, hidden, name = [_PNG_MAGIC], len(_PNG_MAGIC), False, b""
    while name != b"IEND":
        length, name = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if end > len(data):
            raise _Unsure
        if name in _CRITICAL or name in _COLOURS or name in _LIGHT:
            kept.append(data[at:end])
        elif name == b"iCCP":
            kept += profile.png_chunk(data[at + 8 : end - 4])
        elif name[0] & 0x20:  # a small letter: whoever does not know it may do without
            hidden = hidden or name not in _ANIMATION
        else:
            raise _Unsure
        at = end
    return Bare(b"".join(kept), hidden or at < len(data))
