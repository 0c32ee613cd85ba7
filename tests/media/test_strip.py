"""`bot.media.strip`: nothing but the picture and its colours is left, and the picture is the same."""

from __future__ import annotations

import io
import struct
import zlib
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bot.media import profile, strip
from tests.support import images

SECRET = b"52.52N 13.40E, serial 4711"
BASES = {
    "baseline": images.saved(images.photo(), "JPEG", quality=85),
    "progressive": images.saved(images.photo(), "JPEG", quality=85, progressive=True),
    "restart markers": images.saved(images.photo(), "JPEG", quality=85, restart_marker_blocks=4),
    "wide colours": images.jpeg_wide_colours(),
    "without JFIF": images.jpeg_ycck(),
}
JFIF_THUMBNAIL = b"JFIF\0\1\2\0\0\1\0\1\1\1" + b"rgb"
SEGMENTS = st.sampled_from(
    [
        (0xE0, b"JFXX\0\x10" + SECRET),
        (0xE1, b"Exif\0\0MM\0*" + SECRET),
        (0xE1, b"http://ns.adobe.com/xap/1.0/\0" + SECRET),
        (0xE2, b"MPF\0" + SECRET),
        (0xE4, SECRET),
        (0xED, b"Photoshop 3.0\0" + SECRET),
        (0xEF, SECRET * 2000),
        (0xFE, SECRET),
        (0xFE, b""),
    ]
)
CHUNKS = st.sampled_from(
    [
        (b"tEXt", b"Comment\0" + SECRET),
        (b"zTXt", b"Comment\0\0" + zlib.compress(SECRET)),
        (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + SECRET),
        (b"eXIf", b"MM\0*" + SECRET),
        (b"tIME", struct.pack(">HBBBBB", 2026, 11, 25, 1, 2, 3)),
        (b"dSIG", SECRET),
        (b"prVt", SECRET),
        (b"caBX", SECRET),
    ]
)


def segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def pieces(jpeg: bytes) -> list[bytes]:
    """Take a JPEG apart, each scan's data with its header: SOI first, EOI last."""
    found, at = [jpeg[:2]], 2
    while jpeg[at + 1] != 0xD9:
        end = at + 2 + struct.unpack_from(">H", jpeg, at + 2)[0]
        if jpeg[at + 1] == 0xDA:
            while jpeg[end] != 0xFF or jpeg[end + 1] in (0, *range(0xD0, 0xD8)):
                end += 1
        found.append(jpeg[at:end])
        at = end
    return [*found, jpeg[at : at + 2]]


def pixels(data: bytes) -> bytes:
    with Image.open(io.BytesIO(data)) as picture:
        return picture.tobytes()


def bare(kind: str, data: bytes) -> strip.Bare:
    found = strip.bare(kind, data)
    assert found is not None
    return found


# --- what is there already is kept


@pytest.mark.parametrize("name", BASES)
def test_a_jpeg_with_nothing_to_hide_stays_byte_for_byte(name: str) -> None:
    assert bare("jpeg", BASES[name]) == strip.Bare(BASES[name], hidden=False)


@pytest.mark.parametrize("name", ["png", "png_grey", "png_interlaced"])
def test_so_does_a_png(name: str) -> None:
    assert bare("png", images.data(name)) == strip.Bare(images.data(name), hidden=False)


# --- whatever is put in beside the picture goes


@given(
    name=st.sampled_from(sorted(BASES)),
    put_in=st.lists(st.tuples(st.integers(0, 30), SEGMENTS, st.integers(0, 3)), min_size=1, max_size=8),
    behind=st.sampled_from([b"", SECRET, images.jpeg(), b"\0" * 64]),
)
@settings(max_examples=60)
def test_a_jpeg_comes_out_as_if_nothing_had_been_put_in(
    name: str, put_in: list[tuple[int, tuple[int, bytes], int]], behind: bytes
) -> None:
    parts = pieces(BASES[name])
    for where, (marker, body), fill in put_in:
        # Behind JFIF's, which is the first if there is one.
        parts.insert(2 + where % (len(parts) - 2), b"\xff" * fill + segment(marker, body))
    found = bare("jpeg", b"".join(parts) + behind)
    assert found.data == BASES[name]
    if behind or any(body for _, (_, body), _ in put_in):  # an empty comment tells nothing
        assert found.hidden


@given(
    put_in=st.lists(st.tuples(st.integers(0, 30), CHUNKS), min_size=1, max_size=8),
    behind=st.sampled_from([b"", SECRET, images.png()]),
)
@settings(max_examples=60)
def test_so_does_a_png_with_chunks(put_in: list[tuple[int, tuple[bytes, bytes]]], behind: bytes) -> None:
    chunks = images.png_chunks(images.png())
    for where, chunk in put_in:
        chunks.insert(1 + where % (len(chunks) - 1), chunk)
    found = bare("png", images.png_from(chunks) + behind)
    assert found == strip.Bare(images.png(), hidden=True)


@given(
    st.sampled_from([("jpeg", BASES["progressive"]), ("png", images.png_with_notes())]),
    st.lists(st.tuples(st.integers(0), st.integers(0, 255)), max_size=6),
    st.integers(0),
)
@settings(max_examples=100)
def test_what_is_broken_is_passed_on_bare_or_not_at_all(
    whole: tuple[str, bytes], changes: list[tuple[int, int]], end: int
) -> None:
    kind, data = whole
    broken = bytearray(data)
    for at, value in changes:
        broken[at % min(len(broken), 2000)] = value  # where most of the structure is
    cut = bytes(broken[: end % (2 * len(broken))])
    found = strip.bare(kind, cut)
    if found is not None:
        assert strip.bare(kind, found.data) == strip.Bare(found.data, hidden=False)


def test_a_whole_photo_of_a_phone_loses_all_but_its_picture() -> None:
    photo = images.jpeg_of(
        640, 480, exif=images.exif(gps=True), comment=SECRET, icc_profile=images.wide_profile()
    )
    found = bare("jpeg", photo + images.mp4_bytes())
    assert pixels(found.data) == pixels(photo)
    with Image.open(io.BytesIO(found.data)) as picture:
        assert not picture.getexif()
        assert picture.info["icc_profile"] == images.wide_profile()
    assert SECRET not in found.data
    assert b"Exif" not in found.data
    assert b"ftyp" not in found.data


def test_a_thumbnail_in_jfifs_segment_goes_and_its_density_stays() -> None:
    parts = pieces(BASES["baseline"])
    parts[1] = segment(0xE0, JFIF_THUMBNAIL)
    found = bare("jpeg", b"".join(parts))
    assert found.hidden
    assert pieces(found.data)[1] == segment(0xE0, JFIF_THUMBNAIL[:12] + b"\0\0")


def test_what_says_how_the_colours_are_stored_stays() -> None:
    parts = pieces(BASES["without JFIF"])
    (at,) = (n for n, part in enumerate(parts) if part[1] == 0xEE)
    parts[at] = segment(0xEE, parts[at][4:] + SECRET)
    assert bare("jpeg", b"".join(parts)) == strip.Bare(BASES["without JFIF"], hidden=True)


def test_endless_padding_goes() -> None:
    *parts, end = pieces(BASES["baseline"])
    padded = b"".join([parts[0], b"\xff" * 10**6, *parts[1:], b"\xff" * 10**6, end])
    assert bare("jpeg", padded).data == BASES["baseline"]


BASELINE = pieces(BASES["baseline"])


@pytest.mark.parametrize(
    "parts",
    [
        [*BASELINE[:-1]],  # no end
        [BASELINE[0], b"\xff\xfe\0\1", *BASELINE[1:]],  # a length that cannot be
        [BASELINE[0], b"\xff\xfe\xff\xff", *BASELINE[1:3]],  # one beyond the file
        [BASELINE[0], b"between", *BASELINE[1:]],  # what decoders skip, each in its own way
        [BASELINE[0], *BASELINE],  # begun twice
        [BASELINE[0], segment(0xF7, b""), *BASELINE[1:]],  # of another standard
        [BASELINE[0], segment(0xDC, b"\1\0"), *BASELINE[1:]],  # the height comes later
        [BASELINE[0], BASELINE[-1]],  # no picture
    ],
)
def test_a_jpeg_that_may_be_read_in_another_way_is_not_passed_on(parts: list[bytes]) -> None:
    assert strip.bare("jpeg", b"".join(parts)) is None


def test_a_png_with_something_unknown_that_must_be_known_is_not_passed_on() -> None:
    first, *rest = images.png_chunks(images.png())
    assert strip.bare("png", images.png_from([first, (b"CgBI", b"\0"), *rest])) is None
    assert strip.bare("png", images.png()[:-5]) is None


# --- colour profiles


def with_tag(icc: bytes, name: bytes, content: bytes) -> bytes:
    """Return a profile with a tag more, behind all the others."""
    (count,) = struct.unpack_from(">I", icc, 128)
    table, body = bytearray(icc[132 : 132 + 12 * count]), icc[132 + 12 * count :]
    for n in range(count):
        start = struct.unpack_from(">I", table, 12 * n + 4)[0]
        struct.pack_into(">I", table, 12 * n + 4, start + 12)
    table += struct.pack(">4sII", name, len(icc) + 12, len(content))
    made = icc[:128] + struct.pack(">I", count + 1) + table + body + content
    return struct.pack(">I", len(made)) + made[4:]


def test_a_displays_serial_number_is_blank_and_its_colours_stay() -> None:
    plain = images.wide_profile()
    found = profile.bare(with_tag(plain, b"mmod", SECRET))
    assert found is not None
    assert SECRET not in found
    assert found == with_tag(plain, b"mmod", bytes(len(SECRET)))


def test_a_profile_in_many_parts_is_put_together() -> None:
    long = with_tag(images.wide_profile(), b"A2B0", bytes(range(256)) * 600)
    photo = images.jpeg_of(640, 480, icc_profile=long)
    assert bare("jpeg", photo) == strip.Bare(photo, hidden=False)
    parts = pieces(photo)
    numbers = [n for n, part in enumerate(parts) if part.startswith(b"\xff\xe2")]
    assert len(numbers) > 1
    assert all(after - before == 1 for before, after in pairwise(numbers))
    del parts[numbers[0]]
    assert b"ICC_PROFILE" not in bare("jpeg", b"".join(parts)).data


def test_what_only_calls_itself_a_profile_goes() -> None:
    assert SECRET not in bare("jpeg", images.jpeg_of(640, 480, icc_profile=SECRET * 9)).data
    png = images.png_chunks(images.png())
    for content in (zlib.compress(SECRET), SECRET, zlib.compress(bytes(10**8))):
        file = images.png_from([png[0], (b"iCCP", b"x\0\0" + content), *png[1:]])
        assert bare("png", file).data == images.png()


def test_a_pngs_profile_stays_without_the_name_that_somebody_gave_it() -> None:
    head, *rest = images.png_chunks(images.png())
    named = (b"iCCP", b"Mia's screen\0\0" + zlib.compress(images.wide_profile()))
    found = bare("png", images.png_from([head, named, *rest])).data
    assert b"Mia" not in found
    with Image.open(io.BytesIO(found)) as picture:
        assert picture.info["icc_profile"] == images.wide_profile()
