"""`bot.media.image`: what becomes of every kind of file, good and bad."""

from __future__ import annotations

import io
import json
import warnings
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from bot.errors import ImageRejected
from bot.media.image import prepare
from bot.media.values import ImageLimits, PreparedImage
from tests.support import images

LIMITS = ImageLimits()
AS_IT_IS: tuple[str, ...] = ()
STRIPPED = ("stripped",)

TELLING = {"exif", "xmp", "XML:com.adobe.xmp", "comment", "photoshop", "mp", "prompt"}
"""What Pillow calls that which is no picture."""

# Every good file: the format and size of its image, and what was done to it.
MADE: dict[str, tuple[str, tuple[int, int], tuple[str, ...]]] = {
    "jpeg": ("jpeg", (640, 480), AS_IT_IS),
    "jpeg_grey": ("jpeg", (640, 480), AS_IT_IS),
    "jpeg_progressive": ("jpeg", (640, 480), AS_IT_IS),
    "jpeg_smallest": ("jpeg", (300, 300), AS_IT_IS),
    "jpeg_widest": ("jpeg", (750, 300), AS_IT_IS),
    "jpeg_tallest": ("jpeg", (300, 750), AS_IT_IS),
    "jpeg_with_place": ("jpeg", (640, 480), STRIPPED),
    "jpeg_with_film": ("jpeg", (640, 480), STRIPPED),
    "jpeg_album": ("jpeg", (640, 480), STRIPPED),
    "jpeg_wide_colours": ("jpeg", (640, 480), AS_IT_IS),
    "jpeg_wide_colours_turned": ("jpeg", (480, 640), ("reencoded", "colours", "rotated")),
    "jpeg_broken_profile": ("jpeg", (640, 480), ("reencoded", "rotated")),
    "jpeg_broken_exif": ("jpeg", (640, 480), STRIPPED),
    "jpeg_cmyk": ("jpeg", (640, 480), ("reencoded", "cmyk")),
    "jpeg_cmyk_profile": ("jpeg", (640, 480), ("reencoded", "cmyk", "colours")),
    "jpeg_ycck": ("jpeg", (640, 480), ("reencoded", "cmyk")),
    "jpeg_over_7mb": ("jpeg", (2000, 1600), ("reencoded",)),
    "jpeg_72_megapixels": ("jpeg", (9000, 8000), AS_IT_IS),
    "jpeg_72_megapixels_turned": ("jpeg", (4000, 4500), ("reencoded", "rotated", "scaled:4000x4500")),
    "jpeg_orientation_1": ("jpeg", (640, 480), STRIPPED),
    "jpeg_orientation_2": ("jpeg", (640, 480), ("reencoded", "rotated")),
    "jpeg_orientation_3": ("jpeg", (640, 480), ("reencoded", "rotated")),
    "jpeg_orientation_4": ("jpeg", (640, 480), ("reencoded", "rotated")),
    "jpeg_orientation_5": ("jpeg", (480, 640), ("reencoded", "rotated")),
    "jpeg_orientation_6": ("jpeg", (480, 640), ("reencoded", "rotated")),
    "jpeg_orientation_7": ("jpeg", (480, 640), ("reencoded", "rotated")),
    "jpeg_orientation_8": ("jpeg", (480, 640), ("reencoded", "rotated")),
    "jpeg_orientation_9": ("jpeg", (640, 480), STRIPPED),
    "png": ("png", (640, 480), AS_IT_IS),
    "png_grey": ("png", (640, 480), AS_IT_IS),
    "png_interlaced": ("png", (320, 301), AS_IT_IS),
    "png_with_notes": ("png", (640, 480), STRIPPED),
    "png_one_bit": ("png", (640, 480), ("reencoded",)),
    "png_palette": ("png", (640, 480), ("reencoded",)),
    "png_palette_transparent": ("png", (640, 480), ("reencoded", "flattened")),
    "png_16_bit_grey": ("png", (400, 300), ("reencoded", "16bit")),
    "png_16_bit": ("png", (400, 300), ("reencoded", "16bit")),
    "png_grey_transparent": ("png", (640, 480), ("reencoded", "flattened")),
    "png_transparent": ("png", (640, 480), ("reencoded", "flattened")),
    "png_opaque_alpha": ("png", (640, 480), ("reencoded",)),
    "png_one_clear_colour": ("png", (640, 480), ("reencoded", "flattened")),
    "png_animated": ("png", (400, 320), ("reencoded", "first_frame")),
    "png_turned": ("png", (480, 640), ("reencoded", "rotated")),
    "png_turned_behind": ("png", (480, 640), ("reencoded", "rotated")),
    "png_over_7mb": ("jpeg", (1800, 1500), ("converted_from:png",)),
    "webp": ("jpeg", (640, 480), ("converted_from:webp",)),
    "webp_lossless": ("png", (640, 480), ("converted_from:webp",)),
    "webp_transparent": ("jpeg", (640, 480), ("converted_from:webp", "flattened")),
    "webp_animated": ("jpeg", (400, 320), ("converted_from:webp", "first_frame")),
    "webp_turned": ("jpeg", (480, 640), ("converted_from:webp", "rotated")),
    "gif": ("png", (640, 480), ("converted_from:gif",)),
    "gif_animated": ("png", (400, 320), ("converted_from:gif", "first_frame")),
    "gif_transparent": ("png", (640, 480), ("converted_from:gif", "flattened")),
    "bmp": ("png", (640, 480), ("converted_from:bmp",)),
    "bmp_palette": ("png", (640, 480), ("converted_from:bmp",)),
    "heic": ("jpeg", (640, 480), ("converted_from:heif",)),
    "heic_turned": ("jpeg", (480, 640), ("converted_from:heif",)),  # the format itself turns it
    "heic_transparent": ("jpeg", (640, 480), ("converted_from:heif", "flattened")),
    "heic_album": ("jpeg", (640, 480), ("converted_from:heif",)),
    "heic_wide_colours": ("jpeg", (640, 480), ("converted_from:heif", "colours")),
    "avif": ("jpeg", (640, 480), ("converted_from:avif",)),
    "avif_transparent": ("jpeg", (640, 480), ("converted_from:avif", "flattened")),
    "avif_turned": ("jpeg", (480, 640), ("converted_from:avif", "rotated")),
    "avif_animated": ("jpeg", (400, 320), ("converted_from:avif", "first_frame")),
}


def made(name: str, tmp_path: Path, limits: ImageLimits = LIMITS) -> tuple[PreparedImage, Image.Image]:
    prepared = prepare(images.file(name), tmp_path / "image", limits)
    with warnings.catch_warnings(action="ignore"), Image.open(prepared.path) as picture:
        picture.load()
    return prepared, picture


def refused(name: str, tmp_path: Path, limits: ImageLimits = LIMITS) -> ImageRejected:
    with pytest.raises(ImageRejected) as caught:
        prepare(images.file(name), tmp_path / "image", limits)
    return caught.value


def near(colour: Any, wanted: tuple[int, ...], tolerance: int = 24) -> bool:
    return all(abs(one - other) <= tolerance for one, other in zip(colour, wanted, strict=True))


def corner_colours(picture: Image.Image) -> list[Any]:
    """Return the middle of each corner, clockwise from the top left."""
    picture = picture.convert("RGB")
    boxes = images.corners(*picture.size)
    return [
        picture.getpixel(((left + right) // 2, (top + bottom) // 2)) for left, top, right, bottom in boxes
    ]


def looks_like(picture: Image.Image, colours: tuple[tuple[int, ...], ...], tolerance: int = 24) -> bool:
    return all(near(*pair, tolerance) for pair in zip(corner_colours(picture), colours, strict=True))


def pixels(data: bytes) -> tuple[tuple[int, int], bytes]:
    with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(data)) as picture:
        return picture.size, picture.tobytes()


def test_every_good_file_is_in_the_table() -> None:
    assert set(MADE) == set(images.GOOD)


@pytest.mark.parametrize("name", images.GOOD)
def test_good(name: str, tmp_path: Path) -> None:
    prepared, picture = made(name, tmp_path)
    form, size, done = MADE[name]
    assert (prepared.format, (prepared.width, prepared.height), prepared.changes) == (
        form,
        size,
        done,
    )
    assert prepared.path == tmp_path / f"image.{'jpg' if form == 'jpeg' else 'png'}"
    assert prepared.bytes == prepared.path.stat().st_size <= LIMITS.max_bytes
    assert picture.format == form.upper()
    assert picture.size == size
    assert picture.mode in ("RGB", "L")
    assert not TELLING & picture.info.keys()
    if done in (AS_IT_IS, STRIPPED):
        assert (prepared.path.read_bytes() == images.data(name)) is (done == AS_IT_IS)
        assert pixels(prepared.path.read_bytes()) == pixels(images.data(name))
    else:
        assert not {"icc_profile", "transparency"} & picture.info.keys()


@pytest.mark.parametrize("name", images.BAD)
def test_bad(name: str, tmp_path: Path) -> None:
    refusal = refused(name, tmp_path)
    assert refusal.rule == images.BAD[name][1]
    assert json.loads(json.dumps(refusal.actual)) == refusal.actual
    assert list(tmp_path.iterdir()) == []


# The actual values that a refusal names


@pytest.mark.parametrize(
    ("name", "actual"),
    [
        ("empty", {"bytes": 0}),
        ("text", {"kind": "text"}),
        ("random_bytes", {"kind": ""}),
        ("html", {"kind": "HTML"}),
        ("svg", {"kind": "SVG"}),
        ("pdf", {"kind": "PDF"}),
        ("mp4", {"kind": "MP4"}),
        ("webm", {"kind": "WebM"}),
        ("archive", {"kind": "ZIP"}),
        ("tiff", {"kind": "TIFF"}),
        ("psd", {"kind": "PSD"}),
        ("ico", {"kind": "ICO"}),
        ("jpeg_2000", {"kind": "JPEG 2000"}),
        ("png_over_25mb", {"bytes": len(images.data("png")) + 25 * 2**20, "limit": 25 * 2**20}),
        ("jpeg_299x1000", {"width": 299, "height": 1000, "limit": 300}),
        ("jpeg_1001x400", {"width": 1001, "height": 400, "limit": 2.5}),
        ("jpeg_1001x400_turned", {"width": 400, "height": 1001, "limit": 2.5}),
        ("png_bomb", {"width": 30_000, "height": 30_000, "limit": 50_000_000}),
        ("jpeg_bomb", {"width": 65_500, "height": 65_500, "limit": 200_000_000}),
        ("webp_bomb", {"width": 16_000, "height": 16_000, "limit": 25_000_000}),
    ],
)
def test_a_refusal_names_the_actual_values(name: str, actual: Any, tmp_path: Path) -> None:
    assert refused(name, tmp_path).actual == actual


@pytest.mark.parametrize("name", ["png_cut", "gif_broken", "heic_garbage"])
def test_a_broken_file_is_named_by_its_kind(name: str, tmp_path: Path) -> None:
    actual = refused(name, tmp_path).actual
    assert actual["kind"] == {"png": "png", "gif": "gif", "heic": "heif"}[name.split("_")[0]]
    assert actual["detail"]
    assert "0x" not in actual["detail"]


def test_a_missing_source_is_not_the_senders_fault(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        prepare(tmp_path / "nowhere", tmp_path / "image", LIMITS)


# Which way is up, and what colour things are


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_turned_as_a_viewer_turns_it(orientation: Any, tmp_path: Path) -> None:
    _, picture = made(f"jpeg_orientation_{orientation}", tmp_path)
    red, green, blue, yellow = images.CORNERS
    upright = {  # clockwise from the top left; what the numbers mean: Exif 2.32, 4.6.4, tag 0x112
        1: (red, green, blue, yellow),
        2: (green, red, yellow, blue),
        3: (blue, yellow, red, green),
        4: (yellow, blue, green, red),
        5: (red, yellow, blue, green),
        6: (yellow, red, green, blue),
        7: (blue, green, red, yellow),
        8: (green, blue, yellow, red),
    }[orientation]
    assert looks_like(picture, upright)


@pytest.mark.parametrize(
    "name", ["png_turned", "png_turned_behind", "webp_turned", "heic_turned", "avif_turned"]
)
def test_other_formats_are_turned_too(name: str, tmp_path: Path) -> None:
    _, picture = made(name, tmp_path)
    red, green, blue, yellow = images.CORNERS
    assert looks_like(picture, (yellow, red, green, blue))


@pytest.mark.parametrize(
    "name",
    [
        *(
            "jpeg_cmyk",
            "jpeg_ycck",
            "png_palette",
            "png_opaque_alpha",
            "png_animated",
            "webp",
            "webp_lossless",
        ),
        *("webp_animated", "gif", "gif_animated", "bmp", "bmp_palette", "heic", "heic_album", "avif"),
        "avif_animated",
    ],
)
def test_colours_stay(name: str, tmp_path: Path) -> None:
    _, picture = made(name, tmp_path)
    assert looks_like(picture, images.CORNERS, tolerance=40)


def test_grey_stays_grey(tmp_path: Path) -> None:
    for name in ("png_grey_transparent", "png_16_bit_grey", "png_one_bit"):
        assert made(name, tmp_path)[1].mode == "L"


def test_16_bits_become_8_without_clipping(tmp_path: Path) -> None:
    _, grey = made("png_16_bit_grey", tmp_path)
    assert [grey.getpixel((x, 150)) for x in (0, 100, 200, 300, 399)] == [0, 64, 128, 192, 255]
    _, colour = made("png_16_bit", tmp_path)
    assert near(colour.getpixel((200, 150)), (128, 117, 127), 1)


@pytest.mark.parametrize(
    "name", ["png_transparent", "webp_transparent", "heic_transparent", "avif_transparent"]
)
def test_transparency_becomes_white(name: str, tmp_path: Path) -> None:
    _, picture = made(name, tmp_path)
    assert near(picture.getpixel((300, 200)), (255, 255, 255), 6)
    assert looks_like(picture, images.CORNERS, tolerance=40)


def test_one_clear_colour_becomes_white(tmp_path: Path) -> None:
    _, picture = made("png_one_clear_colour", tmp_path)
    assert looks_like(picture, ((255, 255, 255), *images.CORNERS[1:]))


def test_wide_colours_are_brought_to_srgb(tmp_path: Path) -> None:
    _, picture = made("heic_wide_colours", tmp_path)
    # Display P3's (30, 180, 60) is greener than sRGB can show.
    red, green, _ = corner_colours(picture)[1]
    assert red < 12
    assert green > 178


def test_a_printers_profile_is_used(tmp_path: Path) -> None:
    plain, profiled = (corner_colours(made(name, tmp_path)[1]) for name in ("jpeg_cmyk", "jpeg_cmyk_profile"))
    assert plain != profiled


# Sizes


def test_the_best_quality_that_fits_is_found(tmp_path: Path) -> None:
    limits = ImageLimits(max_bytes=40_000)
    prepared, picture = made("bmp", tmp_path, limits)
    assert 30_000 < prepared.bytes <= 40_000
    assert (prepared.format, picture.size, prepared.changes) == (
        "jpeg",
        (640, 480),
        ("converted_from:bmp",),
    )


@pytest.mark.parametrize("name", ["jpeg_over_7mb", "png_over_7mb"])
def test_it_is_scaled_when_quality_would_drop_too_far(name: str, tmp_path: Path) -> None:
    limits = ImageLimits(max_bytes=500_000)
    prepared, picture = made(name, tmp_path, limits)
    assert prepared.bytes <= 500_000
    assert prepared.changes[-1] == f"scaled:{prepared.width}x{prepared.height}"
    assert picture.size == (prepared.width, prepared.height)
    assert min(picture.size) >= 300


def test_scaling_keeps_a_ratio_within_its_limit(tmp_path: Path) -> None:
    source = tmp_path / "wide"
    source.write_bytes(images.saved(images.noise(1500, 600), "PNG"))
    for max_bytes in (300_000, 410_000, 777_000):
        prepared = prepare(source, tmp_path / "image", ImageLimits(max_bytes=max_bytes))
        assert prepared.width / prepared.height <= 2.5
        assert prepared.bytes <= max_bytes


def test_halving_a_huge_jpeg_keeps_a_ratio_within_its_limit(tmp_path: Path) -> None:
    source = tmp_path / "wide"
    source.write_bytes(images.jpeg_of(2005, 802, exif=images.exif(6)))
    prepared = prepare(source, tmp_path / "image", ImageLimits(max_pixels=1_000_000))
    assert (prepared.width, prepared.height) == (401, 1002)
    assert prepared.changes == ("reencoded", "rotated", "scaled:401x1002")


def test_what_cannot_be_made_small_enough_is_refused(tmp_path: Path) -> None:
    refusal = refused("jpeg_over_7mb", tmp_path, ImageLimits(max_bytes=20_000))
    assert refusal.rule == "too_many_bytes"
    assert refusal.actual["limit"] == 20_000


def test_nothing_is_ever_enlarged(tmp_path: Path) -> None:
    for name in ("webp", "gif", "png_palette"):
        prepared, _ = made(name, tmp_path, ImageLimits(max_bytes=10**9))
        assert (prepared.width, prepared.height) == (640, 480)


def test_pixels_are_counted_before_they_are_decoded(tmp_path: Path) -> None:
    refusal = refused("heic", tmp_path, ImageLimits(max_pixels=100_000))
    assert (refusal.rule, refusal.actual) == (
        "too_many_pixels",
        {"width": 640, "height": 480, "limit": 100_000},
    )


def test_the_same_file_makes_the_same_image(tmp_path: Path) -> None:
    first = made("webp_transparent", tmp_path)[0].path.read_bytes()
    assert made("webp_transparent", tmp_path)[0].path.read_bytes() == first


def test_the_place_where_a_photo_was_taken_is_dropped_when_it_is_made_afresh(tmp_path: Path) -> None:
    source = tmp_path / "photo"
    source.write_bytes(images.jpeg_of(640, 480, exif=images.exif(6, gps=True)))
    prepared = prepare(source, tmp_path / "image", LIMITS)
    assert b"Kinora" not in prepared.path.read_bytes()
    assert not Image.open(io.BytesIO(prepared.path.read_bytes())).getexif()


def test_neither_is_what_its_camera_said_of_it(tmp_path: Path) -> None:
    source = tmp_path / "photo"
    source.write_bytes(images.jpeg_of(640, 480, exif=images.exif(6), comment=b"at home"))
    prepared = prepare(source, tmp_path / "image", LIMITS)
    assert prepared.changes == ("reencoded", "rotated")
    assert b"at home" not in prepared.path.read_bytes()
