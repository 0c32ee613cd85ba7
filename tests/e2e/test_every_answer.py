"""Whatever happens to it, every command and every press ends in an answer that is seen, once, and true."""

from __future__ import annotations

import asyncio
import time
from functools import partial

import aiohttp
import pytest

from sandbox.client import Message, Person, Sandbox
from tests.e2e.test_arrives import noisy
from tests.e2e.test_show import bytes_of, delivered
from tests.e2e.test_unconfirmed import button, unconfirmed
from tests.support.kinora import ON_SQLITE, Kinora, NewKinora
from tests.support.steps import an_image, animate, card_says, fault_hit, is_video, job_of, video_in

pytestmark = ON_SQLITE  # none of this depends on where jobs are kept

CALLBACK = r"/interactions/\d+/[^/]+/callback$"
EDIT = r"/webhooks/\d+/[^/]+/messages/@original$"
CHARGED = "Nothing was charged"
DROPS = ("drop_before", "drop_after")
GAVE_UP = (
    "could not be shown",
    "could not be acknowledged",
    "the line to Discord broke",
    "an interaction failed",
)
"""What the log would say of an answer that nobody saw, or that came as another."""


async def broken(sandbox: Sandbox, kind: str, path: str, **fields: object) -> None:
    """Let the next such request of the bot's break."""
    await sandbox.faults.clear()
    await sandbox.faults.add("discord", kind, path=path, **fields)


async def assert_met(sandbox: Sandbox) -> None:
    """The fault that was arranged has met what it was meant for."""
    (fault,) = await sandbox.faults.list()
    assert fault["hits"] == 1, fault
    await sandbox.faults.clear()


async def assert_quiet(sandbox: Sandbox, kinora: Kinora, *people: Person) -> None:
    """Nobody is left with a “thinking…”, and the log claims no failure."""
    for person in people:
        for place in await person.places():
            assert not [m.text for m in await person.messages(place.id) if m.deferred]
    for words in GAVE_UP:
        assert words not in kinora.text


async def show(person: Person, channel: str, job: str) -> list[Message]:
    """Run /show, and give all that came of it once something did."""
    before = {message.id for message in await person.messages(channel)}
    await (await person.run("show", channel, {"job": job})).wait_acknowledged()
    await person.wait_for_message(channel, lambda m: m.id not in before and not m.deferred, 60)
    return [m for m in await person.messages(channel) if m.id not in before]


async def press(person: Person, message: Message, words: str) -> None:
    """Press a button, and see it taken."""
    await (await person.click(message, button(message, words))).wait_acknowledged()


async def answered(person: Person, question: Message) -> Message:
    """Wait until a decision stands in place of the buttons."""
    return await person.wait_for_message(
        question.channel_id, lambda m: m.id == question.id and not m.controls
    )


async def told(person: Person, channel: str) -> Message:
    """Wait for a private answer, and put it out of the way of the next."""
    answer = await person.wait_for_message(channel, lambda m: m.ephemeral and not m.deferred)
    await person.delete(answer)
    return answer


# --- the first answer ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", DROPS)
async def test_the_first_answer_is_given_again_when_its_line_drops(
    sandbox: Sandbox, kinora: Kinora, mia: Person, kind: str
) -> None:
    await broken(sandbox, kind, CALLBACK)
    card = await animate(mia, "stills")
    video = await video_in(mia, card.id)
    await card_says(mia, card, "Done")
    await assert_met(sandbox)

    await broken(sandbox, kind, CALLBACK)
    (again,) = await show(mia, "Lounge", job_of(card))
    assert await bytes_of(again) == await bytes_of(video)
    await assert_met(sandbox)

    await broken(sandbox, kind, CALLBACK)
    (unknown,) = await show(mia, "stills", "nosuchjob234")
    assert unknown.ephemeral
    assert "You have no such job" in unknown.text
    await assert_met(sandbox)

    failed = await animate(mia, "stills", "fail-sandbox-render")
    await card_says(mia, failed, "Failed")
    await broken(sandbox, kind, CALLBACK)
    (verdict,) = await show(mia, "stills", job_of(failed))
    assert verdict.ephemeral
    assert "could not finish the render" in verdict.text
    await assert_met(sandbox)

    await broken(sandbox, kind, CALLBACK)
    await mia.run(
        "animate", "Lounge", {"prompt": " "}, files={"image": ("image.png", an_image())}, unchecked=True
    )
    assert "The prompt is empty" in (await told(mia, "Lounge")).text
    await assert_met(sandbox)
    await assert_quiet(sandbox, kinora, mia)


@pytest.mark.parametrize("kind", DROPS)
@pytest.mark.parametrize("path", [CALLBACK, EDIT], ids=["callback", "edit"])
async def test_a_new_render_is_ordered_once_though_the_line_of_its_press_drops(
    sandbox: Sandbox, kinora: Kinora, mia: Person, kind: str, path: str
) -> None:
    card, question = await unconfirmed(sandbox, mia)
    await broken(sandbox, kind, path)
    await press(mia, question, "Render again")
    video = await mia.wait_for_message(card.id, is_video)
    assert f"Rendered again, as job {job_of(video)}" in (await answered(mia, question)).text
    await assert_met(sandbox)
    assert len(await sandbox.novita.payments()) == 2
    assert not [m for m in await mia.messages(card.id) if m.ephemeral]
    await assert_quiet(sandbox, kinora, mia)


async def test_a_decision_that_cannot_be_shown_is_said_privately(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    _, question = await unconfirmed(sandbox, mia)
    await broken(sandbox, "error", EDIT, status=403, reason="50001")
    await press(mia, question, "Let it go")
    answer = await told(mia, question.channel_id)
    assert "Let go" in answer.text
    assert "went wrong" not in answer.text
    await assert_met(sandbox)
    # The buttons still stand, and are too late.
    await press(mia, question, "Render again")
    assert "decided already" in (await told(mia, question.channel_id)).text
    assert len(await sandbox.novita.payments()) == 1


@pytest.mark.parametrize("kind", DROPS)
async def test_what_may_turn_up_is_asked_for_though_the_line_drops(
    sandbox: Sandbox, new_kinora: NewKinora, mia: Person, kind: str
) -> None:
    kinora = await new_kinora(KINORA_RENDER_TIMEOUT_MINUTES="0.05").start()
    await sandbox.novita.settings(render_seconds=600)
    card = await animate(mia, "stills")
    await card_says(mia, card, "Failed")
    await sandbox.novita.forward(3600)
    await broken(sandbox, kind, CALLBACK)
    await (await mia.run("show", card.id, {"job": job_of(card)})).wait_acknowledged()
    assert "asks Novita once more" in (await told(mia, card.id)).text
    await assert_met(sandbox)
    await video_in(mia, card.id)
    await assert_quiet(sandbox, kinora, mia)


# --- /show's answer, with the video -------------------------------------------------------------------------


async def test_a_video_that_is_too_large_comes_smaller_or_as_a_link_or_is_refused_privately(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    await sandbox.novita.settings(video_height=360)  # so that there is something to make smaller
    card = await animate(mia, "stills", image=("image.png", noisy()))
    await card_says(mia, card, "Done", 60)
    await sandbox.novita.settings(video_ttl=1)
    dying = await animate(mia, "stills", "Its link dies", image=("image.png", noisy()))
    await card_says(mia, dying, "Done", 60)
    (row,) = [row for row in kinora.rows() if row["id"] == job_of(dying)]
    await asyncio.sleep(max(0.0, row["video_expires_at"] - time.time()))  # until the link has died

    await broken(sandbox, "error", EDIT, status=413, reason="40005")
    (smaller,) = await show(mia, "Lounge", job_of(card))
    assert is_video(smaller)
    assert "made smaller" in smaller.text
    await assert_met(sandbox)

    await sandbox.discord.settings(default_upload_limit=20_000)
    (linked,) = await show(mia, "Lounge", job_of(card))
    assert not linked.attachments
    assert "as a link" in linked.text

    (refused,) = await show(mia, "Lounge", job_of(dying))
    assert refused.ephemeral
    assert "larger than Discord takes here" in refused.text
    assert CHARGED not in refused.text
    await assert_quiet(sandbox, kinora, mia)


async def test_an_answer_that_somebody_deletes_meanwhile_is_not_called_too_large(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    card, _ = await delivered(mia)
    await broken(sandbox, "hang", EDIT)
    await mia.run("show", "Lounge", {"job": job_of(card)})
    await fault_hit(sandbox)
    (thinking,) = [m for m in await mia.messages("Lounge") if m.deferred]
    await sandbox.discord.delete_message(thinking)
    await sandbox.faults.clear()
    answer = await told(mia, "Lounge")
    assert "Discord does not take the video just now" in answer.text
    assert CHARGED not in answer.text
    await assert_quiet(sandbox, kinora, mia)


# --- a stop -------------------------------------------------------------------------------------------------


async def test_everybody_is_told_privately_that_it_is_being_restarted(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    card, _ = await delivered(mia)
    _, question = await unconfirmed(sandbox, mia)
    await sandbox.faults.clear()
    await sandbox.faults.add("novita", "delay_after", method="POST", path="^/v3/async/kling", seconds=600)
    await animate(mia, "stills", "On its way")
    await fault_hit(sandbox)
    stopping = asyncio.create_task(kinora.stop())
    await kinora.wait_for_log("stopping:")

    rosa = sandbox.person("rosa")
    await rosa.run("animate", "Lounge", {"prompt": "Too late"}, files={"image": ("image.png", an_image())})
    await mia.run("show", "Lounge", {"job": job_of(card)})
    clicks = [await mia.click(question, button(question, words)) for words in ("Render again", "Let it go")]
    assert await mia.autocomplete("show", "Lounge", "job", "") == []
    for person, channel, money in ((rosa, "Lounge", True), (mia, "Lounge", False)):
        answer = await told(person, channel)
        assert "being restarted" in answer.text
        assert (CHARGED in answer.text) is money
    for click in clicks:
        await click.wait_acknowledged()
        answer = await told(mia, question.channel_id)
        assert "being restarted" in answer.text
        assert CHARGED not in answer.text
    await sandbox.faults.clear()
    assert await stopping == 0
    assert len(await sandbox.novita.payments()) == 3
    await assert_quiet(sandbox, kinora, mia, rosa)


@pytest.mark.parametrize(("side", "path"), [("discord", EDIT), ("cdn", "")], ids=["sending", "fetching"])
async def test_a_video_on_its_way_into_an_answer_is_given_up_with_a_word(
    sandbox: Sandbox, kinora: Kinora, mia: Person, side: str, path: str
) -> None:
    card, _ = await delivered(mia)
    await sandbox.faults.add(side, "hang", path=path)
    await mia.run("show", "Lounge", {"job": job_of(card)})
    await fault_hit(sandbox)
    assert await kinora.stop() == 0
    answer = await told(mia, "Lounge")
    assert "being restarted" in answer.text
    assert CHARGED not in answer.text
    await sandbox.faults.clear()
    await assert_quiet(sandbox, kinora, mia)


# --- buttons that should not be there -----------------------------------------------------------------------


async def buttons_posted(sandbox: Sandbox, channel_id: str, *custom_ids: str) -> list[str]:
    """Post a message of the bot's with buttons of one's own making; give their ids."""
    row = {
        "type": 1,
        "components": [{"type": 2, "style": 2, "label": id_[:80], "custom_id": id_} for id_ in custom_ids],
    }
    headers = {"Authorization": f"Bot {sandbox.environment['discord_token']}"}
    url = f"{sandbox.environment['discord_api_url']}/channels/{channel_id}/messages"
    body = {"content": "Press!", "components": [row]}
    async with aiohttp.ClientSession(headers=headers) as session, session.post(url, json=body) as response:
        response.raise_for_status()
    return list(custom_ids)


def has_button(message: Message, custom_id: str) -> bool:
    """Return whether a message has a button."""
    return custom_id in [control["custom_id"] for control in message.controls]


async def test_a_forged_button_or_an_old_one_is_refused_privately(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    card, question = await unconfirmed(sandbox, mia)
    await press(mia, question, "Let it go")
    await answered(mia, question)
    done, _ = await delivered(mia)
    rosa = sandbox.person("rosa")
    _, hers = await unconfirmed(sandbox, rosa)
    says = {
        "kinora:again:nosuchjob234": "does not know this job",
        "kinora:letgo:nosuchjob234": "does not know this job",
        button(hers, "Render again"): "Only",
        button(hers, "Let it go"): "can decide this",
        f"kinora:again:{job_of(done)}": "decided already",
        f"kinora:letgo:{job_of(card)}": "decided already",  # an old message's
        "kinora:again:NOSUCHJOB234": "not of this version",
        "kinora:extend:nosuchjob234": "not of this version",
        "kinora:again:" + "x" * 87: "not of this version",
    }
    ids = list(says)
    for some in (ids[:5], ids[5:]):
        await buttons_posted(sandbox, card.id, *some)
        message = await mia.wait_for_message(card.id, partial(has_button, custom_id=some[0]))
        for custom_id in some:
            await (await mia.click(message, custom_id)).wait_acknowledged()
            answer = await told(mia, card.id)
            assert says[custom_id] in answer.text, custom_id
            assert CHARGED not in answer.text
            assert answer.pings == []
    assert len(await sandbox.novita.payments()) == 3
    assert [row["state"] for row in kinora.rows()] == ["cancelled", "delivered", "unconfirmed"]
    await assert_quiet(sandbox, kinora, mia)
