"""An image that the video ends with, and sound: shown, kept and sent like the first image and the length."""

from __future__ import annotations

import hashlib
import json

import pytest

from sandbox.client import Message, Person, Sandbox
from tests.support.kinora import ON_SQLITE, Kinora, NewKinora
from tests.support.steps import an_image, assert_same_video, job_of, video_in

OLD, STANDARD = "kling-2.5-turbo-i2v", "kling-v3.0-std-i2v"
FILES = {"image": ("a.png", an_image()), "end_image": ("b.jpg", an_image(kind="jpeg", colour="maroon"))}


async def with_both(mia: Person, **options: object) -> Message:
    """Run /animate with two images, and give the card."""
    given = {"prompt": "From dawn to dusk", "model": STANDARD, **options}
    return await (await mia.run("animate", "stills", given, files=FILES)).wait_response()


async def files_of(card: Message) -> dict[str, str]:
    """Return what a card carries: the hash of each file, by its name."""
    return {file.filename: hashlib.sha256(await file.read()).hexdigest() for file in card.attachments}


async def assert_sent(sandbox: Sandbox, card: Message, way: str) -> None:
    """Hold what Novita got and booked against what the card carries."""
    job, carried = job_of(card), await files_of(card)
    start, end = carried[f"still-{job}.png"], carried[f"end-{job}.jpg"]
    assert len({start, end}) == len(carried) == 2
    (task,), (payment,) = await sandbox.novita.tasks(), await sandbox.novita.payments()
    got = [(task[name]["sha256"], task[name]["encoding"]) for name in ("image", "end_image")]
    assert got == [(start, way), (end, way)]
    assert (payment["image_sha256"], payment["end_image_sha256"]) == (start, end)


async def test_after_a_crash_both_images_are_fetched_from_the_card(
    sandbox: Sandbox, new_kinora: NewKinora, mia: Person
) -> None:
    await sandbox.novita.settings(encodings={STANDARD: ["base64"]})
    kinora = new_kinora()
    await kinora.start("before commit: submitting", module="tests.support.crashing")
    card = await with_both(mia)
    assert "Ends with the second image" in card.text
    assert await kinora.wait() == -9
    (row,) = kinora.rows()
    assert (row["state"], row["source_url"], row["token"]) == ("accepted", None, None)
    options = row["options"] if isinstance(row["options"], dict) else json.loads(row["options"])
    assert options["end_image"]["url"] is None
    since = max(exchange["id"] for exchange in await sandbox.wire())
    await kinora.start()
    await assert_same_video(sandbox, await video_in(mia, card.id))
    fetched = [exchange["path"] for exchange in await sandbox.wire(since, side="cdn")]
    for name in ("/still-", "/end-"):
        assert any(name in path for path in fetched)
    await assert_sent(sandbox, card, "base64")


async def test_both_go_as_the_cards_own_addresses(sandbox: Sandbox, kinora: Kinora, mia: Person) -> None:
    await sandbox.novita.settings(encodings={STANDARD: ["url"]})
    card = await with_both(mia)
    await assert_same_video(sandbox, await video_in(mia, card.id))
    await assert_sent(sandbox, card, "url")


async def test_sound_has_its_price_from_the_card_to_the_bill(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    card = await with_both(mia, sound=True, duration=7)
    fields = {field["name"]: field["value"] for field in card.embeds[0]["fields"]}
    assert (fields["Sound"], fields["Price"], fields["Length"]) == ("yes", "about $0.882", "7 s")
    await assert_same_video(sandbox, await video_in(mia, card.id))
    (payment,), (row,) = await sandbox.novita.payments(), kinora.rows()
    assert (payment["sound"], payment["price"], row["price"]) == (True, 8820, 8820)
    await assert_sent(sandbox, card, "data_uri")


@ON_SQLITE
@pytest.mark.parametrize(
    ("model", "end", "said"),
    [
        (STANDARD, b"no image at all", ["About the end image: The file holds plain text"]),
        (STANDARD, an_image(200, 200), ["About the end image: The image is 200 × 200 pixels"]),
        (OLD, an_image(), ["Kling 2.5 Turbo cannot end with", "Kling 3.0 Standard or Kling 3.0 Pro"]),
    ],
    ids=["no image", "too small", "not with this model"],
)
async def test_an_end_image_that_cannot_be_is_refused_by_its_name(
    sandbox: Sandbox, kinora: Kinora, mia: Person, model: str, end: bytes, said: list[str]
) -> None:
    given = {"prompt": "A boat", "model": model}
    files = {"image": ("a.png", an_image()), "end_image": ("b.png", end)}
    await (await mia.run("animate", "stills", given, files=files)).wait_acknowledged()
    refused = await mia.wait_for_message("stills", lambda m: m.ephemeral and not m.deferred)
    for words in [*said, "Nothing was charged"]:
        assert words in refused.text
    assert (await sandbox.novita.payments(), kinora.rows()) == ([], [])
