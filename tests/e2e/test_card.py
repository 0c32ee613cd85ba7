"""The card: what people see while they wait, and nothing through the interaction's token."""

from __future__ import annotations

import asyncio
import re
import time

import pytest

from sandbox.client import Person, Sandbox
from tests.support.kinora import Kinora, NewKinora
from tests.support.steps import an_image, animate, card_says, title, video_in

TIMESTAMP = re.compile(r"<t:(\d+):R>")


async def test_it_tells_each_stage_with_times_in_the_readers_own_clock(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    await sandbox.novita.settings(queue_seconds=2, render_seconds=600)
    card = await animate(mia, "stills", "A paper boat", negative_prompt="storm")
    for part in ("A paper boat", "Kling 2.5 Turbo", "5 s", "about $0.35", "Leave out", "storm"):
        assert part in card.text
    queued = await mia.wait_for_message("stills", lambda m: m.id == card.id and "In Novita's queue" in m.text)
    sent, expected = map(int, TIMESTAMP.findall(queued.text))
    assert abs(sent - time.time()) < 60
    assert expected > sent
    rendering = await mia.wait_for_message("stills", lambda m: m.id == card.id and "Started <t:" in m.text)
    assert title(rendering) == "Rendering"
    await sandbox.novita.forward(3600)
    done = await card_says(mia, card, "Done")
    assert [file.id for file in done.attachments] == [file.id for file in card.attachments]
    (task,) = await sandbox.novita.tasks()
    assert task["id"] in done.text


async def test_it_shows_the_place_in_line(sandbox: Sandbox, new_kinora: NewKinora, mia: Person) -> None:
    await new_kinora(KINORA_MAX_RENDERS="1").start()
    await sandbox.novita.settings(render_seconds=600)
    first = await animate(mia, "stills", "First")
    await card_says(mia, first, "Rendering")
    second, third = await animate(mia, "Lounge", "Second"), await animate(mia, "no-threads", "Third")
    await mia.wait_for_message("Lounge", lambda m: m.id == second.id and "Number 1 in line" in m.text)
    await mia.wait_for_message("no-threads", lambda m: m.id == third.id and "Number 2 in line" in m.text)
    await sandbox.novita.forward(3600)
    await mia.wait_for_message("no-threads", lambda m: m.id == third.id and "Number 1 in line" in m.text)
    await sandbox.novita.settings(render_seconds=0.1)
    await sandbox.novita.forward(3600)
    await card_says(mia, third, "Done")
    assert [p["prompt"] for p in await sandbox.novita.payments()] == ["First", "Second", "Third"]


async def test_nothing_goes_through_the_token_once_the_card_stands(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    await sandbox.novita.settings(render_seconds=600)
    card = await animate(mia, "stills")
    await card_says(mia, card, "Rendering")
    await sandbox.discord.forward(16 * 60)  # the token has died
    await sandbox.novita.forward(3600)
    await video_in(mia, card.id)
    await card_says(mia, card, "Done")
    webhooks = [e for e in await sandbox.wire(side="discord") if "/webhooks/" in e["path"]]
    assert [(e["method"], e["status"]) for e in webhooks] == [("PATCH", 200)]


async def test_only_what_changed_is_edited(sandbox: Sandbox, kinora: Kinora, mia: Person) -> None:
    await sandbox.novita.settings(render_seconds=3)
    card = await animate(mia, "stills")
    await card_says(mia, card, "Done")
    polls = [e for e in await sandbox.wire(side="novita") if "task-result" in e["path"]]
    edits = [
        e for e in await sandbox.wire(side="discord") if e["method"] == "PATCH" and "/channels/" in e["path"]
    ]
    bodies = [str(e["request_body"]) for e in edits]
    assert len(set(bodies)) == len(bodies)
    assert len(edits) <= 5 < len(polls)


async def test_a_hostile_prompt_is_shown_inert_and_rendered_as_written(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    prompt = (
        "@everyone <@&1> **bold** `code` \u202ebackwards\u202c [link](https://evil.example) 🐈" + "z" * 2400
    )
    card = await animate(mia, "stills", prompt)
    video = await video_in(mia, card.id)
    for message in (card, video):
        assert set(message.pings) <= {"mia"}
        assert "\u202e" not in message.text
        assert r"\*\*bold\*\*" in message.text
        assert r"\[link\](https\://evil.example)" in message.text
    (task,) = await sandbox.novita.tasks()
    assert task["prompt"] == prompt
    (thread,) = await mia.threads("stills")
    assert len(thread.name) <= 100


@pytest.mark.parametrize("times", [1, 3])
async def test_discord_failing_an_edit_loses_nothing(
    sandbox: Sandbox, kinora: Kinora, mia: Person, times: int
) -> None:
    path = r"/channels/\d+/messages/\d+$"
    await sandbox.faults.add("discord", "error", method="PATCH", path=path, status=503, times=times)
    card = await animate(mia, "stills")
    await video_in(mia, card.id)
    await card_says(mia, card, "Done")


async def test_fifty_commands_at_once_are_all_acknowledged_and_all_arrive(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    await sandbox.discord.settings(rate_limits=False)  # the channel's limits are not what this is about
    people = [sandbox.person(name) for name in ("mia", "rosa", "adam", "olivia")]
    places = ["stills", "Lounge", "Premiere", "no-threads"]
    files = {"image": ("still.png", an_image())}
    asked = await asyncio.gather(
        *(
            people[n % 4].run("animate", places[n % 3], {"prompt": f"Number {n}"}, files=files)
            for n in range(50)
        )
    )
    for interaction in asked:
        assert not (await interaction.wait_acknowledged())["failed"]
    cards = [await interaction.wait_response(60) for interaction in asked]
    for card in cards:
        await card_says(mia, card, "Done", 60)
    assert sorted(p["prompt"] for p in await sandbox.novita.payments()) == sorted(
        f"Number {n}" for n in range(50)
    )
