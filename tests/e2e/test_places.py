"""Wherever a command is run, the video comes to the right place: paid once, with the right bytes."""

from __future__ import annotations

import pytest

from sandbox.client import Person, Sandbox
from tests.support.kinora import Kinora
from tests.support.steps import animate, assert_same_video, card_says, is_video, job_of, video_in


@pytest.mark.parametrize(("who", "channel"), [("mia", "stills"), ("adam", "news")])
async def test_a_text_or_announcement_channel_gets_a_reply_and_a_thread(
    sandbox: Sandbox, kinora: Kinora, who: str, channel: str
) -> None:
    person = sandbox.person(who)
    card = await animate(person, channel, "A paper boat drifts away")
    assert [file.filename for file in card.attachments] == [f"still-{job_of(card)}.png"]
    video = await video_in(person, card.id)  # the thread from a message has that message's id
    assert video.pings == [who]
    assert video.attachments[0].filename == f"kinora-{job_of(card)}.mp4"
    assert "A paper boat drifts away" in video.text
    assert job_of(video) == job_of(card)
    await assert_same_video(sandbox, video)
    await card_says(person, card, "Done")
    assert [thread.name for thread in await person.threads(channel)] == ["A paper boat drifts away"]
    assert not any(is_video(message) for message in await person.messages(channel))


async def test_inside_a_thread_it_stays_in_that_thread(sandbox: Sandbox, kinora: Kinora, mia: Person) -> None:
    thread = await sandbox.discord.start_thread("stills", "mia", "My boats")
    card = await animate(mia, thread.id)
    video = await video_in(mia, thread.id)
    assert card.channel_id == video.channel_id == thread.id
    await assert_same_video(sandbox, video)


async def test_a_forum_post_gets_it_in_the_post(sandbox: Sandbox, kinora: Kinora, mia: Person) -> None:
    post = await sandbox.discord.forum_post("showcase", "mia", "Who makes it sail?")
    await animate(mia, post.id)
    await assert_same_video(sandbox, await video_in(mia, post.id))


@pytest.mark.parametrize("channel", ["Lounge", "Premiere", "no-threads"])
async def test_where_threads_cannot_be_it_comes_as_a_reply_in_the_channel(
    sandbox: Sandbox, kinora: Kinora, mia: Person, channel: str
) -> None:
    card = await animate(mia, channel)
    video = await video_in(mia, channel)
    assert video.data["message_reference"]["message_id"] == card.id
    assert video.pings == ["mia"]
    assert await mia.threads(channel) == []
    await assert_same_video(sandbox, video)


async def test_a_direct_message(sandbox: Sandbox, kinora: Kinora, mia: Person) -> None:
    await mia.open_dm()
    await animate(mia, "dm")
    await assert_same_video(sandbox, await video_in(mia, "dm"))


async def test_two_people_at_once_each_get_their_own(sandbox: Sandbox, kinora: Kinora, mia: Person) -> None:
    rosa = sandbox.person("rosa")
    hers, mias = await animate(rosa, "stills", "One"), await animate(mia, "stills", "Two")
    assert (await video_in(rosa, hers.id)).pings == ["rosa"]
    assert (await video_in(mia, mias.id)).pings == ["mia"]
    assert sorted(p["prompt"] for p in await sandbox.novita.payments()) == ["One", "Two"]
