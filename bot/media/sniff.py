"""Say what a file is from its bytes alone, and whether its container is whole.

A name or a content type proves nothing: Discord derives both from the extension the sender chose.
"""

from __future__ import annotations

import io
import re
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO, Literal, NamedTuple

# What `image.prepare` decodes. Everything else has a name for people and goes no further.
DECODED = frozenset({"jpeg", "png", "webp", "heif", "avif", "gif", "bmp"})

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"II*\0", "TIFF"),  # and most cameras' raw files
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"8BPS", "PSD"),
    (b"\0\0\1\0", "ICO"),
    (b"\0\0\2\0", "CUR"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"gimp xcf", "XCF"),
    (b"DDS ", "DDS"),
    (b"qoif", "QOI"),
    (b"v/1\x01", "EXR"),
    (b"#?RADIANCE", "HDR"),
    (b"FUJIFILMCCD-RAW", "RAW"),
    (b"%!PS", "EPS"),
    (b"{\\rtf", "RTF"),
    (b"\xd0\xcf\x11\xe0", "Office document"),
    (b"PK\x03\x04", "ZIP"),
    (b"PK\x05\x06", "ZIP"),
    (b"Rar!\x1a\x07", "RAR"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\x1a\x45\xdf\xa3", "WebM"),  # Matroska too
    (b"FLV\x01", "FLV"),
    (b"\0\0\1\xba", "MPEG"),
    (b"\0\0\1\xb3", "MPEG"),
    (b"\x30\x26\xb2\x75", "WMV"),
    (b"OggS", "Ogg"),
    (b"ID3", "MP3"),
    (b"fLaC", "FLAC"),
    (b"MZ", "EXE"),
    (b"\x7fELF", "ELF"),
    (b"SQLite format 3\0", "SQLite"),
)
_RIFF = {b"WEBP": "webp", b"AVI ": "AVI", b"WAVE": "WAV"}
_HEIF_BRANDS = frozenset(
    (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1", b"mif2")
)
_AVIF_BRANDS = frozenset((b"avif", b"avis"))
_BMP_HEADERS = frozenset((12, 40, 52, 56, 64, 108, 124))
_SVG = re.compile(rb"<svg[\s>]", re.IGNORECASE)
_HTML = re.compile(
    rb"\s*(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body|script|title)[\s>]", re.IGNORECASE | re.DOTALL
)

HEAD = 4096  # bytes that `sniff` looks at


class BrokenContainer(Exception):
    """A file that ends too early ("truncated") or contradicts itself ("corrupt")."""

    def __init__(self, rule: Literal["truncated", "corrupt"], detail: str) -> None:
        super().__init__(detail)
        self.rule: Literal["truncated", "corrupt"] = rule


def sniff(head: bytes) -> str:
    """Return a file's kind by its first `HEAD` bytes: one of `DECODED`, a name for people, or ""."""
    head = head[:HEAD]
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if head.startswith(b"RIFF"):
        return _RIFF.get(head[8:12], "RIFF")
    if head[4:8] == b"ftyp":
        return _sniff_ftyp(head)
    # "BM" alone begins many a text, so the header's length has to be one that exists.
    if head.startswith(b"BM") and head[14:18] and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return "bmp"
    if b"%PDF-" in head[:1024]:
        return "PDF"
    return _sniff_text(head)


def _sniff_ftyp(head: bytes) -> str:
    """Return what an ISO file is, image or video, by its brands (ISO/IEC 14496-12, 23008-12)."""
    length = min(int.from_bytes(head[:4], "big"), len(head))
    brands = [head[8:12], *(head[at : at + 4] for at in range(16, length, 4))]
    if brands[0] == b"crx ":
        return "RAW"
    if _AVIF_BRANDS.intersection(brands):
        return "avif"
    if _HEIF_BRANDS.intersection(brands):
        return "heif"
    return "MOV" if brands[0] == b"qt  " else "MP4"


def _sniff_text(head: bytes) -> str:
    text = head.removeprefix(b"\xef\xbb\xbf")
    if _HTML.match(text):
        return "HTML"
    if _SVG.search(text) and text.lstrip().startswith(b"<"):
        return "SVG"
    if text.lstrip().startswith(b"<?xml"):
        return "XML"
    if text and not re.search(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]", text):
        return "text"
    return ""


def check_container(kind: str, data: bytes) -> None:
    """Raise `BrokenContainer` when the file's own lengths or checksums say that bytes are missing or wrong.

    Decoders are lenient: Pillow, for one, does not read the checksum of a PNG's pixels.
    """
    walk = {"png": _walk_png, "gif": _walk_gif, "jpeg": _walk_jpeg, "webp": _walk_riff}.get(kind)
    if kind in ("heif", "avif"):
        walk = _walk_boxes
    if walk:
        try:
            walk(data)
        except (IndexError, struct.error):
            raise BrokenContainer("truncated", "the file ends too early") from None


def _walk_png(data: bytes) -> None:
    if data[12:16] != b"IHDR" or data[8:12] != b"\0\0\0\x0d":
        raise BrokenContainer("corrupt" if len(data) > 16 else "truncated", "no header")
    for name, body, checksum in _png_chunks(data):
        if zlib.crc32(body, zlib.crc32(name)) != checksum:
            raise BrokenContainer("corrupt", f"checksum of {name.decode('ascii', 'replace')}")


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, memoryview, int]]:
    at, name = 8, b""
    while name != b"IEND":
        length, name = struct.unpack_from(">I4s", data, at)
        (checksum,) = struct.unpack_from(">I", data, at + 8 + length)
        yield name, memoryview(data)[at + 8 : at + 8 + length], checksum
        at += 12 + length


def check_png_pixels(data: bytes) -> None:
    """Raise `BrokenContainer` when a PNG holds fewer pixels than its header says.

    Pillow leaves the missing ones black. Reads no further than it has to, so a bomb stays small.
    """
    missing = _png_length(*struct.unpack_from(">IIBBxxB", data, 16))
    pixels = zlib.decompressobj()
    for name, body, _checksum in _png_chunks(data):
        rest = bytes(body) if name == b"IDAT" else b""
        while rest and missing > 0 and not pixels.eof:
            missing -= len(pixels.decompress(rest, 2**20))
            rest = pixels.unconsumed_tail
    if missing > 0:
        raise BrokenContainer("corrupt", f"{missing} bytes of pixels are missing")


def _png_length(width: int, height: int, depth: int, colour: int, interlaced: int) -> int:
    """Return how many bytes a PNG's pixels take, uncompressed (https://www.w3.org/TR/png-3/, 7 and 8)."""
    bits = depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    passes = [(0, 0, 1, 1)]
    if interlaced:  # Adam7: the first column and row of each pass, and the steps to the next ones
        passes = [
            (0, 0, 8, 8),
            (4, 0, 8, 8),
            (0, 4, 4, 8),
            (2, 0, 4, 4),
            (0, 2, 2, 4),
            (1, 0, 2, 2),
            (0, 1, 1, 2),
        ]
    total = 0
    for left, top, right, down in passes:
        columns, rows = -(-(width - left) // right), -(-(height - top) // down)
        if columns > 0:
            total += max(0, rows) * (1 + (columns * bits + 7) // 8)
    return total


def _walk_gif(data: bytes) -> None:
    at = 13 + _gif_palette(data[10])
    images = 0
    while at < len(data):
        block = data[at]
        if block == 0x21:  # an extension: a label, then sub-blocks
            at = _gif_skip(data, at + 2)
        elif block == 0x2C:  # an image: its place, a palette, the code size, then sub-blocks
            at = _gif_skip(data, at + 11 + _gif_palette(data[at + 9]))
            images += 1
        else:  # the trailer; whatever else stands here, decoders stop at it too
            break
    if not images:
        raise BrokenContainer("truncated", "no image in it")


def _gif_palette(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _gif_skip(data: bytes, at: int) -> int:
    while length := data[at]:
        at += 1 + length
    return at + 1


def _walk_jpeg(data: bytes) -> None:
    """Walk the segments up to the pixels; where those end only a decoder can tell."""
    at = 2
    while True:
        if data[at] != 0xFF:
            return  # stuffing that decoders skip in ways of their own: let the decoder judge
        marker = data[at + 1]
        if marker == 0xFF:  # fill bytes
            at += 1
        elif marker == 0xDA:
            data[at + 3]
            return
        elif marker == 0x01 or 0xD0 <= marker <= 0xD8:  # markers without a body
            at += 2
        elif marker == 0xD9:
            raise BrokenContainer("corrupt", "no pixels in it")
        else:
            at += 2 + struct.unpack_from(">H", data, at + 2)[0]


def _walk_riff(data: bytes) -> None:
    if 8 + struct.unpack_from("<I", data, 4)[0] > len(data):
        raise BrokenContainer("truncated", "the file ends too early")


def _walk_boxes(data: bytes) -> None:
    for box in boxes(io.BytesIO(data)):
        if box.end > len(data):
            raise BrokenContainer("truncated", "the file ends too early")


class Box(NamedTuple):
    """A top-level box of an ISO file, by its first byte and the one after its last."""

    name: bytes
    start: int
    end: int


def boxes(file: BinaryIO) -> Iterator[Box]:
    """Yield the top-level boxes of an ISO file (ISO/IEC 14496-12, 4.2); the last may end beyond the file."""
    size = file.seek(0, io.SEEK_END)
    at = 0
    while at + 8 <= size:
        file.seek(at)
        header = file.read(16)
        length, name = struct.unpack_from(">I4s", header)
        if length == 1:
            (length,) = struct.unpack_from(">Q", header, 8)
        elif length == 0:  # to the end of the file
            length = size - at
        if length < 8:
            raise BrokenContainer("corrupt", "a box shorter than its own header")
        yield Box(name, at, at + length)
        at += length
