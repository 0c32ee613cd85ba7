"""The models on offer: one that is gone, one that comes back, and what only some of them have."""

from __future__ import annotations

import asyncio

from sandbox.client import Message, Person, Sandbox
from tests.support.kinora import ON_SQLITE, Kinora, NewKinora
from tests.support.steps import an_image, animate, assert_same_video, is_video, job_of, video_in

OLD, STANDARD, PRO = "kling-2.5-turbo-i2v", "kling-v3.0-std-i2v", "kling-v3.0-pro-i2v"
INSTEAD = "Render with Kling 3.0 Standard · $0.42"


async def known_gone(kinora: Kinora) -> None:
    await kinora.wait_for_log(f"model {OLD}: Novita does not serve it any more; the default is {STANDARD}")


def button(message: Message) -> str:
    (found,) = [str(part["custom_id"]) for part in message.controls if part["label"] == INSTEAD]
    return found


@ON_SQLITE  # with others on its database, a process that starts is spared a probe for a minute
async def test_a_gone_model_leaves_the_choices_and_comes_back(
    sandbox: Sandbox, new_kinora: NewKinora, mia: Person
) -> None:
    await sandbox.novita.settings(retired=[OLD])
    kinora = await new_kinora(KINORA_PROBE_ROUND="1").start()
    await known_gone(kinora)
    offered = await mia.autocomplete("animate", "stills", "model", "")
    assert [choice["value"] for choice in offered] == [STANDARD, "kling-v3.0-pro-i2v"]
    assert offered[0]["name"] == "Kling 3.0 Standard · 720p · $0.084 a second"
    card = await animate(mia, "stills")
    await assert_same_video(sandbox, await video_in(mia, card.id))
    await kinora.stop()
    await sandbox.novita.settings(retired=[])
    await kinora.start()
    await kinora.wait_for_log(f"model {OLD}: Novita serves it")
    assert len(await sandbox.novita.payments()) == 1  # no probe was one


async def test_one_click_renders_with_what_is_on_offer_once(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    await sandbox.novita.settings(retired=[OLD])
    card = await animate(mia, "stills", "A boat in time", negative_prompt="rain")
    verdict = await mia.wait_for_message(card.id, lambda m: INSTEAD in [c["label"] for c in m.controls])
    assert "Nothing was charged" in verdict.text
    card = await mia.wait_for_message(card.channel_id, lambda m: m.id == card.id and bool(m.controls))
    adam = sandbox.person("adam")
    await (await adam.click(verdict, button(verdict))).wait_acknowledged()
    told = await adam.wait_for_message(verdict.channel_id, lambda m: m.ephemeral)
    assert "can decide this" in told.text
    await kinora.kill()
    await kinora.start()
    presses = await asyncio.gather(
        *(mia.click(message, button(message)) for message in (card, verdict, verdict))
    )
    for press in presses:
        await press.wait_acknowledged()
    video = await mia.wait_for_message(card.id, is_video)
    said = f"Rendered again as job {job_of(video)}"
    settled = await mia.wait_for_message(card.channel_id, lambda m: m.id == card.id and said in m.text)
    assert not settled.controls
    (payment,) = await sandbox.novita.payments()
    assert payment["model"] == STANDARD
    assert len(kinora.rows()) == 2


async def test_what_a_model_has_not_is_refused(sandbox: Sandbox, kinora: Kinora, mia: Person) -> None:
    files = {"image": ("a.png", an_image())}
    await (
        await mia.run("animate", "stills", {"prompt": "A boat", "sound": True}, files=files)
    ).wait_acknowledged()
    refused = await mia.wait_for_message("stills", lambda m: m.ephemeral)
    assert "makes no sound" in refused.text
    assert await sandbox.novita.payments() == []


async def choices(mia: Person, focused: str, text: str = "", **form: object) -> dict[object, str]:
    """Ask for completions, with the rest of the form as it is; give what is said of each value."""
    offered = await mia.autocomplete("animate", "stills", focused, text, form)
    return {choice["value"]: choice["name"] for choice in offered}


@ON_SQLITE
async def test_what_is_offered_while_the_form_is_filled_in(kinora: Kinora, mia: Person) -> None:
    assert await choices(mia, "duration") == {5: "5 s · $0.35", 10: "10 s · $0.70"}
    standard = await choices(mia, "duration", model=STANDARD, image="0", prompt="A boat")
    assert list(standard) == list(range(3, 16))
    assert standard[5] == "5 s · $0.42"
    assert await choices(mia, "duration", "7", model=STANDARD, sound=True) == {7: "7 s · $0.882"}
    assert await choices(mia, "duration", "1", model=OLD, sound=True) == {10: "10 s · $0.70"}
    assert await choices(mia, "duration", "soon", model=STANDARD) == {}
    assert await choices(mia, "duration", model="no such model") == {5: "5 s · $0.35", 10: "10 s · $0.70"}
    assert await choices(mia, "model", "PRO", sound=True) == {PRO: "Kling 3.0 Pro · 1080p · $0.168 a second"}
    assert await choices(mia, "model", "720p") == {STANDARD: "Kling 3.0 Standard · 720p · $0.084 a second"}
    assert await choices(mia, "model", "*" * 80) == {}


@ON_SQLITE
async def test_with_every_model_gone_nothing_is_offered_or_charged(
    sandbox: Sandbox, new_kinora: NewKinora, mia: Person
) -> None:
    await sandbox.novita.settings(retired=[OLD, STANDARD, PRO])
    kinora = await new_kinora(KINORA_PROBE_ROUND="1").start()
    await kinora.wait_for_log("Novita serves no model on offer")
    assert (await choices(mia, "model"), await choices(mia, "duration")) == ({}, {})
    files = {"image": ("a.png", an_image())}
    for model in ({}, {"model": PRO}):
        run = await mia.run("animate", "stills", {"prompt": "A boat", **model}, files=files)
        refused = await run.wait_response()
        assert refused.ephemeral
        assert "none of the models" in refused.text
        assert "Nothing was charged" in refused.text
    assert (await sandbox.novita.payments(), kinora.rows()) == ([], [])
