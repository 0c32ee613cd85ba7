"""Colour profiles (ICC.1:2022) in images: what of them says colours, and how JPEG and PNG carry them.

A display's own profile tells its serial number, and the name that somebody gave it.
"""

from __future__ import annotations

import struct
import zlib

_HEADER, _TABLE, _TAG = 128, 132, 12
_ID = slice(84, 100)
_LONGEST_PART = 65519  # of an APP2, after its name and its two counters
_LONGEST = 4 * 2**20  # decompressed; a printer's large one has 2 MB

_DEVICE_TO_COLOURS = frozenset(
    f"{kind}{n}".encode() for kind in ("A2B", "B2A", "D2B", "B2D") for n in range(4)
)
_CURVES = frozenset((b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC", b"kTRC"))
_WHITES = frozenset((b"wtpt", b"bkpt", b"chad", b"chrm", b"cicp", b"lumi", b"meas", b"view", b"gamt"))
_NAMES = frozenset((b"desc", b"cprt", b"dmnd", b"dmdd", b"vued", b"tech"))
"""Every standard profile has some of these, and they are about the profile, or a kind of device."""
_KEPT = _DEVICE_TO_COLOURS | _CURVES | _WHITES | _NAMES


def bare(profile: bytes) -> bytes | None:
    """Return a profile in which whatever is no standard tag of colours is blank; None: it is none at all.

    One that has nothing else, as those of phones and cameras, stays as it is, byte for byte.
    """
    if len(profile) < _TABLE or profile[36:40] != b"acsp":
        return None
    (size,), (count,) = struct.unpack_from(">I", profile), struct.unpack_from(">I", profile, _HEADER)
    table = _TABLE + _TAG * count
    if not table <= size <= len(profile):
        return None
    made = bytearray(size)
    made[:table] = profile[:table]
    for n in range(count):
        name, start, length = struct.unpack_from(">4sII", profile, _TABLE + _TAG * n)
        if name in _KEPT and table <= start <= start + length <= size:
            made[start : start + length] = profile[start : start + length]
    if made != profile[:size]:
        made[_ID] = bytes(16)  # a checksum: zero means that nobody counted
    return bytes(made)


class Parts:
    """A JPEG's profile, which its segments carry in numbered parts."""

    def __init__(self) -> None:
        self._parts: dict[int, bytes] = {}
        self._of: set[int] = set()

    def add(self, body: bytes) -> None:
        """Take a part: its number from 1, how many there are, and its bytes; raises `IndexError`."""
        if body[0] in self._parts:
            self._of.add(-1)  # twice the same: nobody knows which one counts
        self._parts[body[0]] = body[2:]
        self._of.add(body[1])

    def bare(self) -> list[bytes]:
        """Return the parts of the bare profile; none when one is missing, or it is no profile."""
        numbers = sorted(self._parts)
        if self._of != {len(numbers)} or numbers != list(range(1, len(numbers) + 1)):
            return []
        profile = bare(b"".join(self._parts[number] for number in numbers)) or b""
        cut = [profile[at : at + _LONGEST_PART] for at in range(0, len(profile), _LONGEST_PART)]
        return [bytes((number, len(cut))) + part for number, part in enumerate(cut, 1)]


def png_chunk(body: bytes) -> list[bytes]:
    """Return a PNG's chunk with the bare profile, without the name that it has there; none when broken."""
    _, _, compressed = body.partition(b"\0")
    unpacked = zlib.decompressobj()
    try:
        profile = bare(unpacked.decompress(compressed[1:], _LONGEST))
    except zlib.error:
        return []
    if profile is None or not unpacked.eof:
        return []
    content = b"iCCP" + b"icc\0\0" + zlib.compress(profile)
    return [struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))]
