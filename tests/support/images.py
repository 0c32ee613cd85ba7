"""Real files of every kind that someone may attach: `GOOD` ones become an image, `BAD` ones are refused.

Each is made on the fly, always the same, once a run; `file(name)` writes it to a directory of this run.
"""

from __future__ import annotations

import atexit
import functools
import io
import random
import shutil
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pillow_heif
from PIL import Image, ImageDraw

pillow_heif.register_heif_opener()

Maker = Callable[[], bytes]
GOOD: dict[str, Maker] = {}
BAD: dict[str, tuple[Maker, str]] = {}

# The corners of `photo`, clockwise from the top left: any turn or flip shows in them.
CORNERS = ((220, 30, 30), (30, 180, 60), (40, 60, 220), (230, 210, 40))
GREY_CORNERS = (200, 150, 100, 50)


def file(name: str) -> Path:
    """Write a file by its name in `GOOD` or `BAD`; the extension says nothing about what is inside."""
    path = _directory() / f"{name}.png"
    if not path.exists():
        path.write_bytes(data(name))
    return path


def data(name: str) -> bytes:
    """Return a file's bytes by its name in `GOOD` or `BAD`."""
    return GOOD[name]() if name in GOOD else BAD[name][0]()


@functools.cache
def _directory() -> Path:
    directory = tempfile.mkdtemp(prefix="kinora-images-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return Path(directory)


def good(maker: Maker) -> Maker:
    """Add a file that becomes an image."""
    cached = functools.cache(maker)
    GOOD[maker.__name__] = cached
    return cached


def bad(rule: str) -> Callable[[Maker], Maker]:
    """Add a file that is refused by this rule."""

    def add(maker: Maker) -> Maker:
        cached = functools.cache(maker)
        BAD[maker.__name__] = (cached, rule)
        return cached

    return add


# Drawing and saving


def grains(seed: int, count: int) -> bytes:
    """Return the same meaningless bytes every time."""
    return random.Random(seed).randbytes(count)  # noqa: S311


@functools.cache
def photo(width: int = 640, height: int = 480, mode: str = "RGB") -> Image.Image:
    """Draw something like a photograph: light, shapes, grain, and four corners to tell which way is up."""
    sky = Image.linear_gradient("L").resize((width, height))
    light = Image.radial_gradient("L").resize((width, height))
    grain = Image.frombytes("L", (64, 64), grains(7, 64 * 64)).resize((width, height))
    picture = Image.merge("RGB", (sky, light, Image.blend(sky, light, 0.5)))
    picture = Image.blend(picture, grain.convert("RGB"), 0.15)
    draw = ImageDraw.Draw(picture)
    draw.ellipse((width * 0.3, height * 0.3, width * 0.6, height * 0.7), fill=(200, 120, 90))
    draw.line((0, height * 0.8, width, height * 0.6), fill=(20, 40, 30), width=max(2, height // 50))
    picture = picture.convert(mode) if mode != "L" else picture.convert("L")
    draw = ImageDraw.Draw(picture)
    for place, fill in zip(corners(width, height), CORNERS if mode == "RGB" else GREY_CORNERS, strict=True):
        draw.rectangle(place, fill=fill)  # type: ignore[arg-type]
    return picture


def corners(width: int, height: int) -> tuple[tuple[int, int, int, int], ...]:
    """Return the four corner boxes of a photo, clockwise from the top left."""
    side = min(width, height) // 5
    left, top, right, bottom = side - 1, side - 1, width - side, height - side
    return (
        (0, 0, left, top),
        (right, 0, width - 1, top),
        (right, bottom, width - 1, height - 1),
        (0, bottom, left, height - 1),
    )


def noise(width: int, height: int) -> Image.Image:
    """Return what no encoder makes small."""
    return Image.frombytes("RGB", (width, height), grains(width, width * height * 3))


def saved(picture: Image.Image, form: str, **options: Any) -> bytes:
    """Save a picture to bytes."""
    buffer = io.BytesIO()
    picture.save(buffer, form, **options)
    return buffer.getvalue()


def jpeg_of(width: int, height: int, **options: Any) -> bytes:
    """Return a JPEG of a photo of this size."""
    return saved(photo(width, height), "JPEG", quality=90, **options)


def frames(count: int = 3, width: int = 400, height: int = 320) -> list[Image.Image]:
    """Return the frames of a small animation, the first of them a photo."""
    pictures = [photo(width, height).copy() for _ in range(count)]
    for number, picture in enumerate(pictures[1:], 1):
        ImageDraw.Draw(picture).rectangle((40 * number, 100, 40 * number + 60, 220), fill=(250, 250, 250))
    return pictures


def animated(form: str, **options: Any) -> bytes:
    """Save `frames` as an animation."""
    first, *rest = frames()
    return saved(first, form, save_all=True, append_images=rest, duration=80, loop=0, **options)


def exif(orientation: int | None = None, gps: bool = False) -> Image.Exif:
    """Return EXIF data with an orientation, a place on earth, or both."""
    tags = Image.Exif()
    tags[0x010F] = "Kinora"
    if orientation:
        tags[0x0112] = orientation
    if gps:
        tags.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.0), 3: "E", 4: (13.0, 24.0, 18.0)})
    return tags


def chunk(name: bytes, body: bytes) -> bytes:
    """Return a PNG chunk with a right checksum."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png_chunks(png: bytes) -> list[tuple[bytes, bytes]]:
    """Take a PNG apart."""
    found, at = [], 8
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        found.append((png[at + 4 : at + 8], png[at + 8 : at + 8 + length]))
        at += 12 + length
    return found


def png_from(chunks: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Put a PNG together."""
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(name, body) for name, body in chunks)


def png_by_hand(width: int, height: int, depth: int, colour: int, pixels: bytes) -> bytes:
    """Return a PNG of a header and zlib data as given, right or wrong."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return png_from([(b"IHDR", header), (b"IDAT", pixels), (b"IEND", b"")])


def cut(whole: bytes, share: float) -> bytes:
    """Return the first part of a file."""
    return whole[: int(len(whole) * share)]


# ICC profiles by hand, for want of one that ships with everything


def _icc(space: bytes, pcs: bytes, kind: bytes, tags: dict[bytes, bytes]) -> bytes:
    table, body = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        table += struct.pack(">4sII", name, start + len(body), len(content))
        body += content + b"\0" * (-len(content) % 4)
    head = struct.pack(
        ">I4sI4s4s4s12s4s28x3I",
        *(start + len(body), b"none", 0x02400000, kind, space, pcs, b"\7\xea\0\1\0\1", b"acsp"),
        *(0xF6D6, 0x10000, 0xD32D),
    )
    return head + bytes(128 - len(head)) + table + body


def _text_tag(text: bytes) -> bytes:
    return b"desc" + bytes(4) + struct.pack(">I", len(text) + 1) + text + b"\0" + bytes(78)


def _xyz(x: float, y: float, z: float) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(value * 65536) for value in (x, y, z)))


def wide_profile() -> bytes:
    """Return a profile like a phone's: Display P3's primaries, a gamma of 2.2."""
    gamma = b"curv" + bytes(4) + struct.pack(">IH", 1, round(2.2 * 256))
    tags = {
        b"desc": _text_tag(b"Wide"),
        b"cprt": b"text" + bytes(4) + b"none\0",
        b"wtpt": _xyz(0.9642, 1, 0.8249),
        b"rXYZ": _xyz(0.5151, 0.2412, -0.0011),
        b"gXYZ": _xyz(0.2920, 0.6922, 0.0419),
        b"bXYZ": _xyz(0.1571, 0.0666, 0.7841),
        b"rTRC": gamma,
        b"gTRC": gamma,
        b"bTRC": gamma,
    }
    return _icc(b"RGB ", b"XYZ ", b"mntr", tags)


def print_profile() -> bytes:
    """Return a printer's profile: a table from the 16 corners of CMYK to Lab."""
    lut = b"mft1" + bytes(4) + struct.pack(">BBBB", 4, 3, 2, 0)
    lut += struct.pack(">9i", *(round(value * 65536) for value in (1, 0, 0, 0, 1, 0, 0, 0, 1)))
    lut += bytes(range(256)) * 4
    for corner in range(16):
        cyan, magenta, yellow, black = (corner >> bit & 1 for bit in (3, 2, 1, 0))
        light = 255 if not black else 20
        light = light * (10 - 4 * cyan - 4 * magenta - yellow) // 10
        lut += bytes((light, 128 - 30 * cyan + 60 * magenta, 128 - 40 * cyan + 80 * yellow))
    lut += bytes(range(256)) * 3
    tags = {
        b"desc": _text_tag(b"Print"),
        b"cprt": b"text" + bytes(4) + b"none\0",
        b"wtpt": _xyz(0.9642, 1, 0.8249),
        b"A2B0": lut,
    }
    return _icc(b"CMYK", b"Lab ", b"prtr", tags)


# Good JPEGs


@good
def jpeg() -> bytes:
    return jpeg_of(640, 480)


@good
def jpeg_grey() -> bytes:
    return saved(photo(mode="L"), "JPEG", quality=90)


@good
def jpeg_progressive() -> bytes:
    return jpeg_of(640, 480, progressive=True)


@good
def jpeg_smallest() -> bytes:
    return jpeg_of(300, 300)


@good
def jpeg_widest() -> bytes:
    return jpeg_of(750, 300)


@good
def jpeg_tallest() -> bytes:
    return jpeg_of(300, 750)


@good
def jpeg_with_place() -> bytes:
    return jpeg_of(640, 480, exif=exif(gps=True))


@good
def jpeg_with_film() -> bytes:
    """A phone's "motion photo": a film stands behind the picture."""
    return jpeg() + mp4_bytes()


@good
def jpeg_album() -> bytes:
    """A phone's photo with a second picture, such as its depth map, in the same file (MPO)."""
    return saved(photo(), "MPO", save_all=True, append_images=[photo(320, 240)])


@good
def jpeg_wide_colours() -> bytes:
    return jpeg_of(640, 480, icc_profile=wide_profile())


@good
def jpeg_wide_colours_turned() -> bytes:
    return jpeg_of(640, 480, icc_profile=wide_profile(), exif=exif(6))


@good
def jpeg_broken_profile() -> bytes:
    return jpeg_of(640, 480, icc_profile=b"no profile at all" * 20, exif=exif(3))


@good
def jpeg_broken_exif() -> bytes:
    return jpeg_of(640, 480, exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")


@good
def jpeg_cmyk() -> bytes:
    return saved(photo().convert("CMYK"), "JPEG", quality=90)


@good
def jpeg_cmyk_profile() -> bytes:
    return saved(photo().convert("CMYK"), "JPEG", quality=90, icc_profile=print_profile())


@good
def jpeg_ycck() -> bytes:
    """Adobe's way with CMYK: three of the four stored as luma and chroma, and marked so."""
    cyan, magenta, yellow, black = photo().convert("CMYK").split()
    stored = Image.merge("RGB", (cyan, magenta, yellow)).convert("YCbCr")
    luma, blue, red = (band.point(lambda value: 255 - value) for band in stored.split())
    cmyk = saved(Image.merge("CMYK", (luma, blue, red, black)), "JPEG", quality=90)
    at = cmyk.index(b"Adobe") + 11
    return cmyk[:at] + b"\2" + cmyk[at + 1 :]


@good
def jpeg_over_7mb() -> bytes:
    return saved(noise(2000, 1600), "JPEG", quality=95, subsampling=0)


@good
def jpeg_72_megapixels() -> bytes:
    return saved(photo(900, 800, "L").resize((9000, 8000), Image.Resampling.BOX), "JPEG", quality=60)


@good
def jpeg_72_megapixels_turned() -> bytes:
    picture = photo(900, 800, "L").resize((9000, 8000), Image.Resampling.BOX)
    return saved(picture, "JPEG", quality=60, exif=exif(6))


def _turned(orientation: int) -> Maker:
    return lambda: jpeg_of(640, 480, exif=exif(orientation))


for _orientation in range(1, 9):
    GOOD[f"jpeg_orientation_{_orientation}"] = functools.cache(_turned(_orientation))


@good
def jpeg_orientation_9() -> bytes:
    return jpeg_of(640, 480, exif=exif(9))


# Good PNGs


@good
def png() -> bytes:
    return saved(photo(), "PNG")


@good
def png_grey() -> bytes:
    return saved(photo(mode="L"), "PNG")


@good
def png_one_bit() -> bytes:
    return saved(photo().convert("1"), "PNG")


@good
def png_palette() -> bytes:
    return saved(photo().quantize(64), "PNG")


@good
def png_palette_transparent() -> bytes:
    return saved(photo().quantize(64), "PNG", transparency=3)


@good
def png_16_bit_grey() -> bytes:
    row = b"".join(struct.pack(">H", 65535 * x // 399) for x in range(400))
    return png_by_hand(400, 300, 16, 0, zlib.compress((b"\0" + row) * 300))


@good
def png_16_bit() -> bytes:
    row = b"".join(struct.pack(">3H", 65535 * x // 399, 30000, 65535 - 65535 * x // 399) for x in range(400))
    return png_by_hand(400, 300, 16, 2, zlib.compress((b"\0" + row) * 300))


@good
def png_grey_transparent() -> bytes:
    picture = photo(mode="L")
    return saved(Image.merge("LA", (picture, Image.linear_gradient("L").resize(picture.size))), "PNG")


@good
def png_transparent() -> bytes:
    picture = photo().copy()
    alpha = Image.new("L", picture.size, 255)
    ImageDraw.Draw(alpha).rectangle((200, 100, 400, 300), fill=0)
    picture.putalpha(alpha)
    return saved(picture, "PNG")


@good
def png_opaque_alpha() -> bytes:
    return saved(photo().convert("RGBA"), "PNG")


@good
def png_one_clear_colour() -> bytes:
    return saved(photo(), "PNG", transparency=CORNERS[0])


@good
def png_animated() -> bytes:
    return animated("PNG")


@good
def png_turned() -> bytes:
    return saved(photo(), "PNG", exif=exif(6))


@good
def png_turned_behind() -> bytes:
    """The EXIF chunk stands behind the pixels, where it may stand too."""
    parts = png_chunks(png_turned())
    tags = [part for part in parts if part[0] == b"eXIf"]
    return png_from([*(part for part in parts[:-1] if part[0] != b"eXIf"), *tags, parts[-1]])


@good
def png_over_7mb() -> bytes:
    return saved(noise(1800, 1500), "PNG", compress_level=0)


@good
def png_interlaced() -> bytes:
    """Adam7: seven passes, here each of plain colour."""
    width, height, pixels = 320, 301, b""
    for left, top, right, down in (
        (0, 0, 8, 8),
        (4, 0, 8, 8),
        (0, 4, 4, 8),
        (2, 0, 4, 4),
        (0, 2, 2, 4),
        (1, 0, 2, 2),
        (0, 1, 1, 2),
    ):
        columns, rows = len(range(left, width, right)), len(range(top, height, down))
        pixels += (b"\0" + bytes((left * 30, top * 30, 99)) * columns) * rows
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 1)
    return png_from([(b"IHDR", header), (b"IDAT", zlib.compress(pixels)), (b"IEND", b"")])


@good
def png_with_notes() -> bytes:
    parts = png_chunks(png())
    return png_from([parts[0], (b"tEXt", b"prompt\0" + b"a castle " * 200), *parts[1:]])


# Good files of other kinds


@good
def webp() -> bytes:
    return saved(photo(), "WEBP", quality=85)


@good
def webp_lossless() -> bytes:
    return saved(photo(), "WEBP", lossless=True)


@good
def webp_transparent() -> bytes:
    return saved(Image.open(io.BytesIO(png_transparent())), "WEBP")


@good
def webp_animated() -> bytes:
    return animated("WEBP")


@good
def webp_turned() -> bytes:
    return saved(photo(), "WEBP", exif=exif(6))


@good
def gif() -> bytes:
    return saved(photo(), "GIF")


@good
def gif_animated() -> bytes:
    return animated("GIF")


@good
def gif_transparent() -> bytes:
    return saved(photo().quantize(64), "GIF", transparency=3)


@good
def bmp() -> bytes:
    return saved(photo(), "BMP")


@good
def bmp_palette() -> bytes:
    return saved(photo().quantize(64), "BMP")


@good
def heic() -> bytes:
    return saved(photo(), "HEIF", quality=80)


@good
def heic_turned() -> bytes:
    return saved(photo(), "HEIF", quality=80, exif=exif(6).tobytes())


@good
def heic_transparent() -> bytes:
    return saved(Image.open(io.BytesIO(png_transparent())), "HEIF", quality=80)


@good
def heic_album() -> bytes:
    return saved(photo(), "HEIF", quality=80, save_all=True, append_images=[photo(320, 320)])


@good
def heic_wide_colours() -> bytes:
    return saved(photo(), "HEIF", quality=80, icc_profile=wide_profile())


@good
def avif() -> bytes:
    return saved(photo(), "AVIF", quality=80, speed=10)


@good
def avif_transparent() -> bytes:
    return saved(Image.open(io.BytesIO(png_transparent())), "AVIF", speed=10)


@good
def avif_turned() -> bytes:
    return saved(photo(), "AVIF", exif=exif(6), speed=10)


@good
def avif_animated() -> bytes:
    return animated("AVIF", speed=10)


# Bad: something else altogether


@bad("empty")
def empty() -> bytes:
    return b""


@bad("not_an_image")
def one_byte() -> bytes:
    return b"\xff"


@bad("not_an_image")
def text() -> bytes:
    return "A castle in the mist, at dawn – wide shot.\n".encode() * 20


@bad("not_an_image")
def text_that_begins_like_bmp() -> bytes:
    return b"BM is how a bitmap begins, and so does this sentence."


@bad("not_an_image")
def zeros() -> bytes:
    return bytes(5000)


@bad("not_an_image")
def random_bytes() -> bytes:
    return b"\x05" + grains(3, 50_000)


@bad("unsupported")
def html() -> bytes:
    return b"<!DOCTYPE html>\n<html><head><title>404 Not Found</title></head><body>Sorry.</body></html>"


@bad("unsupported")
def svg() -> bytes:
    return b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg" width="800" height="600"></svg>'


@bad("unsupported")
def pdf() -> bytes:
    return saved(photo(), "PDF")


@bad("unsupported")
def mp4() -> bytes:
    return mp4_bytes()


@bad("unsupported")
def webm() -> bytes:
    return video_bytes("webm", "libvpx")


@bad("unsupported")
def archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr(zipfile.ZipInfo("photo.jpg"), jpeg())
    return buffer.getvalue()


@bad("unsupported")
def gzipped() -> bytes:
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + zlib.compress(jpeg(), wbits=-15)


@bad("unsupported")
def tiff() -> bytes:
    return saved(photo(), "TIFF")


@bad("unsupported")
def psd() -> bytes:
    return b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, 480, 640, 8, 3) + bytes(12)


@bad("unsupported")
def ico() -> bytes:
    return saved(photo(), "ICO", sizes=[(256, 256)])


@bad("unsupported")
def jpeg_2000() -> bytes:
    return saved(photo(), "JPEG2000")


@bad("unsupported")
def program() -> bytes:
    return b"\x7fELF\2\1\1" + bytes(200)


# Bad: broken


@bad("truncated")
def png_signature_only() -> bytes:
    return b"\x89PNG\r\n\x1a\n"


@bad("truncated")
def png_cut() -> bytes:
    return cut(png(), 0.6)


@bad("truncated")
def png_without_end() -> bytes:
    return png()[:-12]


@bad("corrupt")
def png_bad_checksum() -> bytes:
    at = png().index(b"IDAT") + 1000
    return png()[:at] + bytes((png()[at] ^ 1,)) + png()[at + 1 :]


@bad("corrupt")
def png_bad_pixels() -> bytes:
    return png_by_hand(640, 480, 8, 2, grains(1, 20_000))


@bad("corrupt")
def png_too_few_pixels() -> bytes:
    return png_by_hand(640, 480, 8, 2, zlib.compress(bytes((640 * 3 + 1) * 200)))


@bad("corrupt")
def png_without_pixels() -> bytes:
    return png_from(part for part in png_chunks(png()) if part[0] != b"IDAT")


@bad("corrupt")
def png_bad_header() -> bytes:
    return png_by_hand(640, 480, 7, 9, zlib.compress(bytes(640 * 480)))


@bad("corrupt")
def png_notes_bomb() -> bytes:
    parts = png_chunks(png())
    return png_from([parts[0], (b"zTXt", b"Comment\0\0" + zlib.compress(bytes(50_000_000), 9)), *parts[1:]])


@bad("corrupt")
def png_animated_broken() -> bytes:
    """The second frame's pixels are garbage with a right checksum."""
    parts = png_chunks(png_animated())
    at = next(number for number, part in enumerate(parts) if part[0] == b"fdAT")
    name, body = parts[at]
    parts[at] = (name, body[:4] + grains(5, len(body) - 4))
    return png_from(parts)


@bad("corrupt")
def png_animated_without_frames() -> bytes:
    """The header promises frames that never come."""
    return png_from(part for part in png_chunks(png_animated()) if part[0] not in (b"fdAT", b"fcTL"))


@bad("truncated")
def jpeg_signature_only() -> bytes:
    return b"\xff\xd8\xff"


@bad("truncated")
def jpeg_header_only() -> bytes:
    return jpeg()[: jpeg().index(b"\xff\xda")]


@bad("truncated")
def jpeg_cut() -> bytes:
    return cut(jpeg(), 0.6)


@bad("corrupt")
def jpeg_without_pixels() -> bytes:
    return jpeg()[: jpeg().index(b"\xff\xda")] + b"\xff\xd9"


@bad("corrupt")
def jpeg_bad_tables() -> bytes:
    at = jpeg().index(b"\xff\xc4") + 5
    return jpeg()[:at] + b"\xff" * 16 + jpeg()[at + 16 :]


@bad("truncated")
def webp_cut() -> bytes:
    return cut(webp(), 0.6)


@bad("corrupt")
def webp_garbage() -> bytes:
    body = b"WEBPVP8 " + struct.pack("<I", 3000) + grains(2, 3000)
    return b"RIFF" + struct.pack("<I", len(body)) + body


@bad("corrupt")
def webp_animated_broken() -> bytes:
    whole = webp_animated()
    at = whole.index(b"ANMF", whole.index(b"ANMF") + 4) + 8 + 16 + 8
    return whole[:at] + b"\xff" * 40 + whole[at + 40 :]


@bad("truncated")
def gif_cut() -> bytes:
    return cut(gif(), 0.6)


@bad("truncated")
def gif_animated_cut() -> bytes:
    return gif_animated()[:-200]


@bad("truncated")
def gif_header_only() -> bytes:
    return gif()[:13]


@bad("corrupt")
def gif_broken() -> bytes:
    """The first frame's code size is one that the format does not have."""
    at = 13 + (3 << ((gif()[10] & 7) + 1)) + 10
    return gif()[:at] + b"\x20" + gif()[at + 1 :]


@bad("truncated")
def heic_cut() -> bytes:
    return cut(heic(), 0.6)


@bad("corrupt")
def heic_garbage() -> bytes:
    at = heic().index(b"mdat") + 4
    return heic()[:at] + grains(4, len(heic()) - at)


@bad("truncated")
def avif_cut() -> bytes:
    return cut(avif(), 0.6)


@bad("corrupt")
def avif_garbage() -> bytes:
    at = avif().index(b"mdat") + 4
    return avif()[:at] + grains(4, len(avif()) - at)


@bad("truncated")
def bmp_cut() -> bytes:
    return cut(bmp(), 0.6)


# Bad: sound, and outside the limits


@bad("too_small")
def jpeg_299x299() -> bytes:
    return jpeg_of(299, 299)


@bad("too_small")
def jpeg_299x1000() -> bytes:
    return jpeg_of(299, 1000)


@bad("too_small")
def png_1000x299() -> bytes:
    return saved(photo(1000, 299), "PNG")


@bad("too_small")
def png_1x1() -> bytes:
    return saved(Image.new("RGB", (1, 1)), "PNG")


@bad("too_small")
def png_1x50000() -> bytes:
    return saved(Image.new("L", (1, 50_000)), "PNG")


@bad("too_small")
def gif_1x1() -> bytes:
    return saved(Image.new("L", (1, 1)), "GIF")


@bad("too_wide")
def jpeg_1001x400() -> bytes:
    return jpeg_of(1001, 400)


@bad("too_tall")
def jpeg_400x1001() -> bytes:
    return jpeg_of(400, 1001)


@bad("too_tall")
def jpeg_1001x400_turned() -> bytes:
    return jpeg_of(1001, 400, exif=exif(6))


@bad("too_tall")
def webp_400x1001() -> bytes:
    return saved(photo(400, 1001), "WEBP")


@bad("too_wide")
def heic_1001x400() -> bytes:
    return saved(photo(1001, 400), "HEIF")


@bad("too_many_bytes")
def png_over_25mb() -> bytes:
    return png() + bytes(25 * 2**20)


@bad("too_many_pixels")
def png_bomb() -> bytes:
    """900 million pixels in a hundred kilobytes."""
    return png_by_hand(30_000, 30_000, 1, 0, zlib.compress(bytes(30_000 * (30_000 // 8 + 1)), 1))


@bad("too_many_pixels")
def png_bomb_largest() -> bytes:
    return png_by_hand(2**31 - 1, 2**31 - 1, 8, 2, zlib.compress(bytes(1000)))


@bad("too_many_pixels")
def jpeg_bomb() -> bytes:
    """A header that lies: a small picture that claims to be as large as a JPEG can be."""
    at = jpeg().index(b"\xff\xc0") + 5
    return jpeg()[:at] + struct.pack(">HH", 65_500, 65_500) + jpeg()[at + 4 :]


@bad("too_many_pixels")
def jpeg_progressive_72_megapixels() -> bytes:
    at = jpeg_progressive().index(b"\xff\xc2") + 5
    return jpeg_progressive()[:at] + struct.pack(">HH", 8000, 9000) + jpeg_progressive()[at + 4 :]


@bad("too_many_pixels")
def gif_bomb() -> bytes:
    return gif()[:6] + struct.pack("<HH", 65_535, 65_535) + gif()[10:]


@bad("too_many_pixels")
def bmp_bomb() -> bytes:
    return bmp()[:18] + struct.pack("<ii", 30_000, 30_000) + bmp()[26:]


@bad("too_many_pixels")
def webp_bomb() -> bytes:
    whole = webp_animated()
    return whole[:24] + (15_999).to_bytes(3, "little") * 2 + whole[30:]


# Videos


@functools.cache
def mp4_bytes() -> bytes:
    """Return a short H.264 video."""
    return video_bytes("mp4", "libx264")


def video_bytes(container: str, codec: str) -> bytes:
    """Return half a second of video."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as output:
        stream: Any = output.add_stream(codec, rate=24)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 24)
        for number in range(12):
            frame: Any = av.VideoFrame.from_image(photo(320, 240).rotate(number))
            frame.pts = number
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return buffer.getvalue()
