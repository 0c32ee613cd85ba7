"""Make an image that a model accepts out of whatever file someone attached, or say which rule it breaks.

Pure and synchronous, and meant to run in `bot.media.worker`: nobody vouches for the bytes.
"""

from __future__ import annotations

import contextlib
import io
import math
import warnings
from collections.abc import Iterator
from pathlib import Path

import pillow_heif
from PIL import ExifTags, Image, ImageCms, UnidentifiedImageError

from bot.errors import ImageRejected
from bot.media import strip
from bot.media.sniff import DECODED, BrokenContainer, check_container, check_png_pixels, sniff
from bot.media.values import Format, ImageLimits, PreparedImage

# Pillow's own cap does not name the sides. Ours does, and is checked before every decode.
Image.MAX_IMAGE_PIXELS = None
pillow_heif.register_heif_opener()

_SUFFIX: dict[Format, str] = {"jpeg": ".jpg", "png": ".png"}
# An HEIC's further pictures are an album, a JPEG's a depth map: those are not animations.
_ANIMATED = frozenset({"png", "gif", "webp", "avif"})

_WHITE = (255, 255, 255)
_SRGB = ImageCms.createProfile("sRGB")
_ORIENTATION = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = tuple(_ORIENTATION[number] for number in (5, 6, 7, 8))

_HALF_SIZE = 4  # at half its width and height, a picture has this many times fewer pixels
_BEST_QUALITY = 95
_LEAST_QUALITY = 80  # below this, blocks show in the video; fewer pixels look better
_FULL_COLOUR_QUALITY = 90  # from here on, colour is kept at full resolution
_PNG_PIXELS = 4_000_000  # a larger PNG takes seconds to write and seldom fits


def prepare(source: Path, target_stem: Path, limits: ImageLimits) -> PreparedImage:
    """Write the image made from `source` to `target_stem` plus .jpg or .png.

    A JPEG or PNG that fits is passed on, its pixels as they are, without what is no picture (see `strip`).
    Anything else becomes the best JPEG that fits, or a PNG when it is small and was lossless; neither carries
    metadata. One with an EXIF orientation is such too: whether Novita heeds that mark is not documented, so
    its pixels are turned. Raises `ImageRejected`; `OSError` is the disk's.
    """
    data, kind = _read(source, limits)
    with warnings.catch_warnings(action="ignore"):  # Pillow's doubts about a file that it reads all the same
        return _prepare(data, kind, target_stem, limits)


def _prepare(data: bytes, kind: str, target_stem: Path, limits: ImageLimits) -> PreparedImage:
    try:
        changes: list[str] = []
        bare = strip.bare(kind, data)
        picture, size, fits = _decode(data, kind, bare, limits, changes)
        if fits and bare:
            done = ("stripped",) if bare.hidden else ()
            return _write(target_stem, "png" if kind == "png" else "jpeg", bare.data, size, done)
        picture = _normalise(picture, data, kind, changes)
        form, encoded, picture = _encode(picture, _is_lossless(data, kind), limits)
    except MemoryError:
        raise ImageRejected("too_hard", kind=kind) from None
    if picture.size not in (size, size[::-1]):
        changes.append(f"scaled:{picture.width}x{picture.height}")
    changes.insert(0, "reencoded" if form == kind else f"converted_from:{kind}")
    return _write(target_stem, form, encoded, picture.size, tuple(changes))


def _read(source: Path, limits: ImageLimits) -> tuple[bytes, str]:
    size = source.stat().st_size
    if size == 0:
        raise ImageRejected("empty", bytes=0)
    if size > limits.max_source_bytes:
        raise ImageRejected("too_many_bytes", bytes=size, limit=limits.max_source_bytes)
    data = source.read_bytes()
    kind = sniff(data)
    if kind in ("", "text"):
        raise ImageRejected("not_an_image", kind=kind)
    if kind not in DECODED:
        raise ImageRejected("unsupported", kind=kind)
    return data, kind


def _write(
    stem: Path, form: Format, data: bytes, size: tuple[int, int], changes: tuple[str, ...]
) -> PreparedImage:
    path = stem.with_name(stem.name + _SUFFIX[form])
    path.write_bytes(data)
    return PreparedImage(path, form, *size, len(data), changes)


# Reading: everything here meets bytes that nobody vouches for.


def _decode(
    data: bytes, kind: str, bare: strip.Bare | None, limits: ImageLimits, changes: list[str]
) -> tuple[Image.Image, tuple[int, int], bool]:
    """Return the decoded first frame, its size as the file has it, and whether the bare file fits."""
    with _refusing(kind):
        check_container(kind, data)
        picture = _open(data, kind)
        size = picture.size
        _check_size(picture, kind, limits)
        if kind == "png":
            check_png_pixels(data)
        if _is_animated(picture, kind):
            _check_later_frames(data, kind, limits)
            changes.append("first_frame")
        if kind == "jpeg":
            picture = _load_jpeg(picture, _fits(picture, bare, kind, limits), limits)
        else:
            picture.load()
        if kind == "webp":
            picture = picture.copy()  # lets go of its decoder's canvases
        if kind == "heif":  # its header can be wrong
            size = picture.size
            _check_size(picture, kind, limits)
        return picture, size, _fits(picture, bare, kind, limits)


@contextlib.contextmanager
def _refusing(kind: str) -> Iterator[None]:
    """Turn whatever a decoder raises (Pillow's plugins raise almost anything) into a refusal."""
    try:
        yield
    except (ImageRejected, MemoryError):
        raise
    except BrokenContainer as error:
        raise ImageRejected(error.rule, kind=kind, detail=str(error)) from None
    except UnidentifiedImageError as error:  # its text is the address of a buffer
        raise ImageRejected("corrupt", kind=kind, detail="the header cannot be read") from error
    except Exception as error:
        # Of the other kinds `check_container` has seen the end, so what is missing inside is damage.
        ended = kind in ("jpeg", "bmp") and (isinstance(error, EOFError) or "truncated" in str(error).lower())
        detail = f"{type(error).__name__}: {error}"[:200]
        raise ImageRejected("truncated" if ended else "corrupt", kind=kind, detail=detail) from error


def _open(data: bytes, kind: str) -> Image.Image:
    """Read the header with the one plugin that may read it."""
    if kind == "webp" and data[12:16] == b"VP8X":  # Pillow makes room for the canvas before it tells its size
        sides = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27))
        if math.prod(sides) > 16384**2:
            raise BrokenContainer("corrupt", "a canvas larger than WebP's largest")
    return Image.open(io.BytesIO(data), formats=[kind.upper()])


def _check_size(picture: Image.Image, kind: str, limits: ImageLimits) -> None:
    """Hold the upright size against the limits; reads no pixel."""
    width, height = picture.size
    if _turn(picture) in _SIDEWAYS:
        width, height = height, width
    pixels = limits.max_pixels
    if kind == "jpeg" and "progressive" not in picture.info:  # whose decoder holds all it has read
        pixels *= _HALF_SIZE
    elif kind == "webp":  # its decoder holds two canvases, and Pillow a copy
        pixels //= 2
    if width * height > pixels:
        raise ImageRejected("too_many_pixels", width=width, height=height, limit=pixels)
    if min(width, height) < limits.min_side:
        raise ImageRejected("too_small", width=width, height=height, limit=limits.min_side)
    if width > height * limits.max_ratio:
        raise ImageRejected("too_wide", width=width, height=height, limit=limits.max_ratio)
    if height > width * limits.max_ratio:
        raise ImageRejected("too_tall", width=width, height=height, limit=limits.max_ratio)


def _turn(picture: Image.Image) -> Image.Transpose | None:
    """Return what makes the picture upright, by its EXIF orientation."""
    if picture.format == "PNG" and "exif" not in picture.info:
        return None  # `getexif` would decode the whole picture to look for more behind it
    try:
        return _ORIENTATION.get(picture.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # broken EXIF is no reason to refuse a whole picture; viewers ignore it too
        return None


def _fits(picture: Image.Image, bare: strip.Bare | None, kind: str, limits: ImageLimits) -> bool:
    return (
        bare is not None
        and len(bare.data) <= limits.max_bytes
        and picture.mode in ("RGB", "L")
        and not picture.has_transparency_data
        and not _is_animated(picture, kind)
        and not _is_16bit(bare.data, kind)
        and _turn(picture) is None
    )


def _load_jpeg(picture: Image.Image, only_to_check: bool, limits: ImageLimits) -> Image.Image:
    """Decode a JPEG to no more pixels than are needed: every byte is read, at a fraction of the memory."""
    width, height = picture.size
    if only_to_check:
        picture.draft(None, (max(1, width // 8), max(1, height // 8)))
    elif width * height > limits.max_pixels:
        picture.draft(None, (width // 2, height // 2))
        # Halves are rounded up, which would take a ratio at its limit over it.
        if width > height:
            return picture.crop((0, 0, width // 2, picture.height))
        return picture.crop((0, 0, picture.width, height // 2))
    picture.load()
    return picture


def _is_animated(picture: Image.Image, kind: str) -> bool:
    return kind in _ANIMATED and bool(getattr(picture, "is_animated", False))


def _is_16bit(data: bytes, kind: str) -> bool:
    return kind == "png" and data[24] == 16  # IHDR's bit depth; Pillow's mode hides it for colour


def _is_lossless(data: bytes, kind: str) -> bool:
    return kind in ("png", "gif", "bmp") or (kind == "webp" and data[12:16] == b"VP8L")


def _check_later_frames(data: bytes, kind: str, limits: ImageLimits) -> None:
    """Decode the frames after the first too, as many as make up one image of the greatest size.

    Only the first one is used, but a broken animation is likely not what its sender saw.
    """
    picture = _open(data, kind)
    budget = limits.max_pixels
    for number in range(1, getattr(picture, "n_frames", 1)):
        picture.seek(number)
        budget -= picture.width * picture.height
        if budget < 0:
            return
        picture.load()


# Making: from here on it is only pixels.


def _normalise(picture: Image.Image, data: bytes, kind: str, changes: list[str]) -> Image.Image:
    """Return the picture upright, as plain 8-bit sRGB or grey with no metadata; adds to `changes`."""
    turn, profile = _turn(picture), picture.info.get("icc_profile")
    if _is_16bit(data, kind):
        changes.append("16bit")
        picture.info.pop("transparency", None)  # one colour of 2^48 that is to be clear: no tool writes it
        if picture.mode.startswith("I"):  # Pillow's own conversion clips to white
            picture = picture.point(lambda value: value / 256, "L")
    if picture.has_transparency_data:
        picture = _flatten(picture, changes)
    if picture.mode == "CMYK":
        changes.append("cmyk")
    picture = _to_srgb(picture, profile, changes)
    if turn is not None:
        changes.append("rotated")
        picture = picture.transpose(turn)
    picture.info = {}  # Pillow writes some of it into the new file
    return picture


def _flatten(picture: Image.Image, changes: list[str]) -> Image.Image:
    """Put transparent parts on white, as pages do: the colours under them were never meant to be seen.

    Black, the other habit, would swallow dark lettering, and most cut-outs are made for light pages.
    """
    grey = picture.mode in ("1", "L", "LA")
    if picture.mode != "RGBA":
        picture = picture.convert("RGBA")
    if picture.getchannel("A").getextrema()[0] == 255:  # transparency that is not used
        return picture.convert("L" if grey else "RGB")
    changes.append("flattened")
    page = Image.new("RGB", picture.size, _WHITE)
    page.paste(picture, mask=picture)
    page.info = dict(picture.info)
    return page.convert("L") if grey else page


def _to_srgb(picture: Image.Image, profile: bytes | None, changes: list[str]) -> Image.Image:
    """Return the picture as sRGB, or as grey when it has no colour."""
    if picture.mode in ("1", "L", "I", "I;16"):
        return picture.convert("L")
    if picture.mode not in ("RGB", "CMYK"):
        picture = picture.convert("RGB")
    if profile:
        with contextlib.suppress(
            ImageCms.PyCMSError, OSError, ValueError, TypeError
        ):  # a broken or unfitting profile
            icc = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if "sRGB" not in ImageCms.getProfileDescription(icc):
                converted = ImageCms.profileToProfile(picture, icc, _SRGB, outputMode="RGB")
                changes.append("colours")
                return converted or picture
    return picture.convert("RGB") if picture.mode == "CMYK" else picture


def _encode(picture: Image.Image, lossless: bool, limits: ImageLimits) -> tuple[Format, bytes, Image.Image]:
    """Return the best encoding that fits, and the picture in it: a smaller one, if nothing else helped."""
    if lossless and picture.width * picture.height <= _PNG_PIXELS:
        encoded = _save(picture, "PNG")
        if len(encoded) <= limits.max_bytes:
            return "png", encoded, picture
    while True:
        least = _jpeg(picture, _LEAST_QUALITY)
        if len(least) <= limits.max_bytes:
            return "jpeg", _best_jpeg(picture, least, limits.max_bytes), picture
        picture = _shrink(picture, 0.95 * math.sqrt(limits.max_bytes / len(least)))
        if min(picture.size) < limits.min_side:
            raise ImageRejected("too_many_bytes", bytes=len(least), limit=limits.max_bytes)


def _best_jpeg(picture: Image.Image, least: bytes, max_bytes: int) -> bytes:
    """Return the encoding of the highest quality that fits, by bisection from one that does."""
    best, low, high = least, _LEAST_QUALITY, _BEST_QUALITY
    quality = high  # most pictures fit at once
    while low < high:
        encoded = _jpeg(picture, quality)
        if len(encoded) <= max_bytes:
            best, low = encoded, quality
        else:
            high = quality - 1
        quality = (low + high + 1) // 2
    return best


def _jpeg(picture: Image.Image, quality: int) -> bytes:
    return _save(picture, "JPEG", quality=quality, subsampling=0 if quality >= _FULL_COLOUR_QUALITY else 2)


def _save(picture: Image.Image, form: str, **options: int) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, form, **options)
    return buffer.getvalue()


def _shrink(picture: Image.Image, factor: float) -> Image.Image:
    """Return the picture scaled down; rounded so that a ratio at its limit stays within it."""
    long, short = math.floor(max(picture.size) * factor), math.ceil(min(picture.size) * factor)
    size = (long, short) if picture.width >= picture.height else (short, long)
    return picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
