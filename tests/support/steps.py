"""What people do and see in these tests."""

from __future__ import annotations

import hashlib
from functools import cache
from io import BytesIO

from PIL import Image, ImageDraw

from sandbox.client import Message, Person, Sandbox


@cache
def an_image(width: int = 640, height: int = 400, kind: str = "png", colour: str = "teal") -> bytes:
    """Make a real picture."""
    image = Image.new("RGB", (width, height), colour)
    draw = ImageDraw.Draw(image)
    draw.ellipse((width * 0.2, height * 0.2, width * 0.6, height * 0.8), fill="orange")
    draw.rectangle((width * 0.7, height * 0.1, width * 0.9, height * 0.9), fill="navy")
    file = BytesIO()
    image.save(file, kind)
    return file.getvalue()


async def animate(
    person: Person, channel: str, prompt: str = "The boat drifts away", **options: object
) -> Message:
    """Run /animate with a real image, and give the card once it stands."""
    files = {"image": options.pop("image", ("still.png", an_image()))}
    interaction = await person.run("animate", channel, {"prompt": prompt, **options}, files=files)  # type: ignore[arg-type]
    return await interaction.wait_response()


def job_of(message: Message) -> str:
    """Read the job's id off a message."""
    return str(message.embeds[0]["footer"]["text"]).split()[1]


def is_video(message: Message) -> bool:
    """Tell whether a message carries a video."""
    return any(file.filename.endswith(".mp4") for file in message.attachments)


def count_videos(messages: list[Message]) -> int:
    """Count the messages that bring a video."""
    return sum(is_video(message) or "/files/" in message.content for message in messages)


async def visible(person: Person, place: str) -> list[Message]:
    """Read a place, if it is one that this person sees."""
    known = {channel.id for channel in await person.places()}
    return await person.messages(place) if place in known else []


def title(message: Message) -> str:
    """Read where a card says its job stands."""
    return str(message.embeds[0].get("title", ""))


async def video_in(person: Person, place: str, seconds: float = 30.0) -> Message:
    """Wait for the video to arrive in a place."""
    return await person.wait_for_message(place, is_video, seconds)


async def message_of(person: Person, place: str, job: str, words: str, seconds: float = 30.0) -> Message:
    """Wait for a message that is about a job and has these words."""
    return await person.wait_for_message(place, lambda m: job in m.text and words in m.text, seconds)


async def paid(sandbox: Sandbox) -> None:
    """Wait until something is paid."""

    async def look() -> object:
        return await sandbox.novita.payments() or None

    await sandbox.wait(look, 20, "a payment", {"novita_payment"})


async def fault_hit(sandbox: Sandbox) -> None:
    """Wait until a fault has met a request."""

    async def look() -> object:
        return any(fault["hits"] for fault in await sandbox.faults.list()) or None

    await sandbox.wait(look, 20, "a fault to be met", {"fault"})


async def card_says(person: Person, card: Message, words: str, seconds: float = 30.0) -> Message:
    """Wait until the card's title is these words."""
    return await person.wait_for_message(
        card.channel_id, lambda m: m.id == card.id and title(m) == words, seconds
    )


async def assert_same_video(sandbox: Sandbox, message: Message) -> None:
    """Compare the delivered bytes with what Novita rendered, and count the payments."""
    (file,) = message.attachments
    (task,) = [t for t in await sandbox.novita.tasks() if t["video"]]
    assert hashlib.sha256(await file.read()).hexdigest() == task["video"]["sha256"]
    assert len(await sandbox.novita.payments()) == 1
