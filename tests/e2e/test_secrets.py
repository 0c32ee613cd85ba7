"""A whole life of jobs at KINORA_LOG_LEVEL=DEBUG: what may stand nowhere, and what may stand in no log."""

from __future__ import annotations

import asyncio
import json
import re
import stat

from sandbox.client import Person, Sandbox
from tests.e2e.test_unconfirmed import button, unconfirmed
from tests.support.kinora import ON_SQLITE, Kinora, NewKinora
from tests.support.steps import an_image, animate, card_says, job_of, video_in

PROMPT = "A lighthouse nobody may read of"
NEGATIVE = "blurry seagulls everywhere"
FILE = "my-private-holiday.png"
EVERYWHERE = ("discord_token", "novita_api_key")


async def tokens(sandbox: Sandbox) -> set[str]:
    """Find every interaction's token that crossed the wire."""
    wire = json.dumps(await sandbox.wire())
    found = set(re.findall(r"/(?:webhooks|interactions)/\d+/([\w.-]{20,})", wire))
    return found | set(re.findall(r'"token": "([\w.-]{20,})"', wire))


def bytes_on_disk(kinora: Kinora) -> bytes:
    files = [path for path in (kinora.folder / "data").rglob("*") if path.is_file()]
    return b"".join(path.read_bytes() for path in files)


def wide_open(kinora: Kinora) -> list[str]:
    """List what others than its owner may look into."""
    paths = [kinora.folder / "data", *(kinora.folder / "data").rglob("*")]
    return [path.name for path in paths if stat.S_IMODE(path.stat().st_mode) & 0o077]


async def live(sandbox: Sandbox, kinora: Kinora, mia: Person) -> None:
    """Have a video, choices, /show, a refusal and a press of a button, with the gateway lost in between."""
    image = (FILE, an_image())
    card = await animate(mia, "stills", PROMPT, image=image, negative_prompt=NEGATIVE)
    await video_in(mia, card.id)
    await card_says(mia, card, "Done")
    since = len(kinora.log)
    await sandbox.discord.close_gateway(resumable=True)
    await kinora.wait_for_log("online: back", since)
    assert await mia.autocomplete("show", "stills", "job")
    await (await mia.run("show", "Lounge", {"job": job_of(card)})).wait_response()
    await mia.run("animate", "Lounge", {"prompt": PROMPT}, files={"image": (FILE, b"no picture")})
    await mia.wait_for_message("Lounge", lambda m: m.ephemeral)
    _, asked = await unconfirmed(sandbox, mia)
    await mia.click(asked, button(asked, "Let it go"))
    await mia.wait_for_message(asked.channel_id, lambda m: m.id == asked.id and "Let go" in m.text)


@ON_SQLITE
async def test_nothing_private_is_let_out(sandbox: Sandbox, new_kinora: NewKinora, mia: Person) -> None:
    kinora = await new_kinora(KINORA_LOG_LEVEL="DEBUG").start()
    await live(sandbox, kinora, mia)
    assert wide_open(kinora) == []
    await kinora.kill()  # so that SQLite's log stays as it is
    for path in (kinora.folder / "data", *(kinora.folder / "data").iterdir()):
        path.chmod(0o755)  # as an older version left them
    since = len(kinora.log)
    await kinora.start()
    assert wide_open(kinora) == []
    assert sum("now only their owner can" in line for line in kinora.log[since:]) == 2  # database, folder
    opening = await tokens(sandbox)
    assert len(opening) > 4

    def on_disk() -> set[str]:
        there = bytes_on_disk(kinora)
        return {token for token in opening if token.encode() in there}

    async with asyncio.timeout(30):  # it begins with the start
        while on_disk():  # noqa: ASYNC110  # it is another process's to change
            await asyncio.sleep(0.1)
    secrets = [sandbox.environment[name] for name in EVERYWHERE]
    assert not [secret for secret in secrets if secret.encode() in bytes_on_disk(kinora)]
    private = [*secrets, *opening, PROMPT, NEGATIVE, FILE, "?ex=", "X-Amz-Signature"]
    assert not [words for words in private if words in kinora.text]
    assert "Dispatching event" in kinora.text  # it does say much
    said = [m.text for place in ("stills", "Lounge") for m in await mia.messages(place)]
    assert not [text for text in said if any(word in text for word in (*secrets, *opening))]
