"""The image on its way: what Novita gets, what stays in the thread, what the person is told."""

from __future__ import annotations

import hashlib
from io import BytesIO

import pytest
from PIL import Image

from sandbox.client import Person, Sandbox
from tests.support import images
from tests.support.kinora import ON_SQLITE, Kinora
from tests.support.steps import animate, job_of, message_of, video_in

pytestmark = ON_SQLITE  # the road is as everywhere, only its load differs

# name in tests.support.images: what the card says was done to it ("": it went as it was)
CASES = {
    "jpeg": "",
    "png": "",
    "jpeg_widest": "",
    "webp": "converted from WebP",
    "webp_animated": "Its first frame was taken",
    "heic": "converted from HEIC",
    "avif": "converted from AVIF",
    "gif_animated": "converted from GIF. Its first frame was taken",
    "bmp": "converted from BMP",
    "jpeg_orientation_6": "turned upright",
    "jpeg_cmyk": "Its print colours were turned into screen colours",
    "png_transparent": "Its transparent parts were made white",
    "jpeg_over_7mb": "aved again so that Novita takes it",
}


async def test_every_kind_of_picture_arrives_as_novita_wants_it(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    await sandbox.discord.guild(premium_tier=2)
    for name, note in CASES.items():
        source = images.data(name)
        card = await animate(mia, "Lounge", f"Move the {name}", image=("picture.bin", source))
        (shown,) = card.attachments
        kept = await shown.read()
        await message_of(mia, "Lounge", job_of(card), "your video is here")
        task = next(t for t in await sandbox.novita.tasks() if t["prompt"] == f"Move the {name}")
        assert task["image"]["sha256"] == hashlib.sha256(kept).hexdigest(), (
            name
        )  # the card carries what was sent
        assert (kept == source) is (note == ""), name
        assert note in card.text, (name, card.text)
        assert ("About the image" in card.text) is bool(note), name
        with Image.open(BytesIO(kept)) as image:
            assert image.format in ("JPEG", "PNG"), name
            assert shown.filename.endswith({"JPEG": ".jpg", "PNG": ".png"}[image.format]), name
        assert len(kept) <= 7_000_000, name


async def test_neither_novita_nor_the_card_gets_what_a_picture_tells_besides_itself(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    photo = images.jpeg_of(640, 480, exif=images.exif(gps=True), comment=b"at home") + images.mp4_bytes()
    for name, source, secrets in (
        ("photo.jpg", photo, (b"Exif", b"Kinora", b"at home", b"ftyp")),
        ("note.png", images.png_with_notes(), (b"tEXt", b"a castle")),
    ):
        assert all(secret in source for secret in secrets)
        card = await animate(mia, "Lounge", name, image=(name, source))
        (shown,) = card.attachments
        kept = await shown.read()
        await message_of(mia, "Lounge", job_of(card), "your video is here")
        task = next(t for t in await sandbox.novita.tasks() if t["prompt"] == name)
        assert task["image"]["sha256"] == hashlib.sha256(kept).hexdigest()
        assert not any(secret in kept for secret in secrets), name
        assert "such as where it was taken, was removed" in card.text
        with Image.open(BytesIO(kept)) as there, Image.open(BytesIO(source)) as before:
            assert not there.getexif()
            assert there.tobytes() == before.tobytes()


@pytest.mark.parametrize("model", ["kling-v3.0-std-i2v", "kling-v3.0-pro-i2v"])
async def test_each_model_gets_its_own_encoding(
    sandbox: Sandbox, kinora: Kinora, mia: Person, model: str
) -> None:
    card = await animate(
        mia,
        "stills",
        model=model,
        duration=10,
        negative_prompt="blur",
        cfg_scale=0.8,
        image=("a.jpg", images.data("jpeg")),
    )
    assert "Guidance" in card.text
    await video_in(mia, card.id)
    (task,) = await sandbox.novita.tasks()
    assert task["unknown_fields"] in ([], {})
    assert (task["model"], task["seconds"]) == (model, 10)
    assert task["request"]["negative_prompt"] == "blur"
    assert task["request"]["image"].startswith("data:image/jpeg;base64,")
    assert task["image"]["sha256"] == hashlib.sha256(images.data("jpeg")).hexdigest()
