"""Bad input: each kind gets its own clear private sentence and the prompt back, and costs nothing."""

from __future__ import annotations

import re

from sandbox.client import Message, Person, Sandbox
from tests.support import images
from tests.support.kinora import ON_SQLITE, Kinora
from tests.support.steps import an_image

pytestmark = ON_SQLITE  # nothing of this gets as far as the ledger
PROMPT = "A *boat* drifts <@1> away"

# What the sentence must say for each rule: the rule, and, where there is one, the actual value.
SAYS = {
    "empty": r"The file is empty \(0 bytes\)",
    "not_an_image": "it is not an image",
    "unsupported": r"The file is of the kind [\w ]+, which is none that Kinora takes",
    "truncated": "ends too early",
    "corrupt": "is damaged and cannot be opened",
    "too_small": r"The image is [\d,]+ × [\d,]+ pixels; each side needs at least 300",
    "too_wide": r"too wide: [\d,]+ × [\d,]+ pixels; the shape may be anything from 1:2.5 to 2.5:1",
    "too_tall": r"too tall: [\d,]+ × [\d,]+ pixels; the shape may be anything from 1:2.5 to 2.5:1",
    "too_many_bytes": r"The file has \d+\.\d MB; 25 MB is the most",
    "too_many_pixels": r"The image has [\d,]+ × [\d,]+ pixels; \d+ million pixels is the most",
}
KINDS = {
    "html": "the kind HTML",
    "svg": "the kind SVG",
    "pdf": "the kind PDF",
    "mp4": "the kind MP4",
    "tiff": "the kind TIFF",
    "psd": "the kind PSD",
    "ico": "the kind ICO",
}


async def refused(person: Person, channel: str, file: tuple[str, bytes], **options: object) -> Message:
    """Run /animate with something wrong and give the private answer."""
    before = {message.id for message in await person.messages(channel)}
    unchecked = bool(options.pop("unchecked", False))
    interaction = await person.run(
        "animate", channel, {"prompt": PROMPT, **options}, files={"image": file}, unchecked=unchecked
    )
    await interaction.wait_acknowledged()
    return await person.wait_for_message(
        channel, lambda m: m.id not in before and m.ephemeral and not m.deferred
    )


async def assert_nothing_happened(sandbox: Sandbox, person: Person, channel: str) -> None:
    """Nothing was ordered, and nobody else saw anything."""
    assert await sandbox.novita.tasks() == []
    assert await sandbox.novita.payments() == []
    olivia = sandbox.person("olivia")
    if person.name != olivia.name and channel != "dm":
        assert [m for m in await olivia.messages(channel) if m.author == "kinora"] == []


async def test_every_bad_picture(sandbox: Sandbox, kinora: Kinora, mia: Person) -> None:
    await sandbox.discord.guild(premium_tier=3)  # so that the 25 MB file passes Discord itself
    sentences = {}
    for name, (_, rule) in images.BAD.items():
        answer = await refused(mia, "Lounge", (f"{name}.png", images.data(name)))
        assert answer.embeds[0]["title"] == "Not started", name
        assert re.search(SAYS[rule], answer.text), (name, rule, answer.text)
        assert KINDS.get(name, "") in answer.text, (name, answer.text)
        assert "Nothing was charged." in answer.text, name
        assert r"A \*boat\* drifts \<@1> away" in answer.text, name
        assert answer.pings == [], name
        sentences[name] = answer.embeds[0]["description"]
        await mia.delete(answer)
    assert len(sentences) >= 60
    await assert_nothing_happened(sandbox, mia, "Lounge")


OPTIONS: dict[str, tuple[dict[str, object], str]] = {
    "a prompt of blanks": ({"prompt": " \n\t "}, "The prompt is empty"),
    "a prompt of invisible characters": ({"prompt": "\u200b\u2060\ufeff"}, "The prompt is empty"),
    "a prompt of control characters": ({"prompt": "\x00\x07"}, "The prompt is empty"),
    "a prompt too long": ({"prompt": "x" * 2501}, "The prompt has 2,501 characters; 2,500 is the most"),
    "a negative prompt too long": (
        {"negative_prompt": "y" * 2600},
        "The negative prompt has 2,600 characters; 2,500 is the most",
    ),
    "a cfg_scale below": ({"cfg_scale": -0.1}, "cfg_scale is -0.1, and it goes from 0 to 1"),
    "a cfg_scale above": ({"cfg_scale": 1.5}, "cfg_scale is 1.5, and it goes from 0 to 1"),
    "a cfg_scale that is no number": ({"cfg_scale": float("nan")}, "cfg_scale is nan"),
    "a duration no model has": ({"duration": 7}, "Kling 2.5 Turbo cannot make 7 s"),
    "a duration of nothing": (
        {"duration": 0},
        "cannot make 0 s. Nothing was charged. It can make 5 s or 10 s",
    ),
    "a duration another model lacks": (
        {"duration": 20, "model": "kling-v3.0-std-i2v"},
        "Kling 3.0 Standard cannot make 20 s. Nothing was charged. "
        "It can make any whole number of seconds from 3 to 15",
    ),
    "a model nobody has": ({"model": "sora-9"}, "There is no model “sora-9”"),
    "a model with markup in it": ({"model": "**@everyone**"}, r"There is no model “\*\*\@everyone\*\*”"),
}


async def test_every_bad_option(sandbox: Sandbox, kinora: Kinora, mia: Person) -> None:
    # A client would not let these through; something that is none, or an older one, may.
    for case, (options, sentence) in OPTIONS.items():
        answer = await refused(mia, "Lounge", ("still.png", an_image()), unchecked=True, **options)
        assert sentence in answer.text.replace("**", "").replace("\n", " ") + answer.text, (case, answer.text)
        assert "Nothing was charged." in answer.text, case
        await mia.delete(answer)
    await assert_nothing_happened(sandbox, mia, "Lounge")


async def test_a_long_prompt_comes_back_whole(sandbox: Sandbox, kinora: Kinora, mia: Person) -> None:
    prompt = "word " * 499 + "ends."
    answer = await refused(mia, "Lounge", ("still.txt", b"no picture"), prompt=prompt)
    shown = "".join(field["value"] for field in answer.embeds[0]["fields"])
    assert shown == prompt
    await assert_nothing_happened(sandbox, mia, "Lounge")


# --- places -------------------------------------------------------------------------------------------------

MISSING = {
    "VIEW_CHANNEL": "View Channel",
    "SEND_MESSAGES": "Send Messages",
    "EMBED_LINKS": "Embed Links",
    "ATTACH_FILES": "Attach Files",
    "READ_MESSAGE_HISTORY": "Read Message History",
}


async def test_every_missing_permission_is_named_with_the_way_to_grant_it(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    for permission, name in MISSING.items():
        await sandbox.discord.overwrite("stills", "kinora", deny=[permission])
        answer = await refused(mia, "stills", ("still.png", an_image()))
        assert f"**{name}**" in answer.text
        assert "Edit Channel → Permissions" in answer.text
        await mia.delete(answer)
    await sandbox.discord.overwrite("stills", "kinora", deny=["ATTACH_FILES", "EMBED_LINKS"])
    answer = await refused(mia, "stills", ("still.png", an_image()))
    assert "**Embed Links** and **Attach Files**" in answer.text
    await assert_nothing_happened(sandbox, mia, "stills")


async def test_inside_a_thread_its_own_permission_counts(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    thread = await sandbox.discord.start_thread("stills", "mia", "Boats")
    await sandbox.discord.overwrite("stills", "kinora", deny=["SEND_MESSAGES_IN_THREADS"])
    answer = await refused(mia, thread.id, ("still.png", an_image()))
    assert "in this thread: **Send Messages in Threads**" in answer.text
    await assert_nothing_happened(sandbox, mia, thread.id)


async def test_a_locked_thread_is_refused_before_anything_is_paid(sandbox: Sandbox, kinora: Kinora) -> None:
    olivia = sandbox.person("olivia")  # the owner may still write in it, and so run commands
    thread = await sandbox.discord.start_thread("stills", "olivia", "Closed")
    await sandbox.discord.change_channel(thread.id, locked=True)
    answer = await refused(olivia, thread.id, ("still.png", an_image()))
    assert "This thread is locked" in answer.text
    await assert_nothing_happened(sandbox, olivia, thread.id)


async def test_in_a_direct_message_too(sandbox: Sandbox, kinora: Kinora, mia: Person) -> None:
    await mia.open_dm()
    answer = await refused(mia, "dm", ("notes.png", images.data("text")))
    assert "it is not an image" in answer.text
    await assert_nothing_happened(sandbox, mia, "dm")


# --- what cannot be fetched ---------------------------------------------------------------------------------


async def test_a_picture_that_discord_does_not_hand_out(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    for kind, fields in (("error", {"status": 404}), ("error", {"status": 500}), ("truncate", {})):
        await sandbox.faults.add("cdn", kind, times=0, **fields)
        answer = await refused(mia, "Lounge", ("still.png", an_image()))
        assert "could not be fetched from Discord" in answer.text
        await sandbox.faults.clear()
        await mia.delete(answer)
    await assert_nothing_happened(sandbox, mia, "Lounge")
