"""What is said to Discord: once, found again, pinging nobody but the requester, and where it fits."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.domain.job import DeliveryMethod, Job, State
from bot.jobs.notifier import Reply
from bot.messaging.publisher import Publisher
from bot.novita.models import CATALOGUE
from bot.ui import results, status
from bot.ui.i18n import texts
from tests.support.discord_rest import SOMEBODY, Rest
from tests.support.discord_wire import refused
from tests.support.files import FakeVideos
from tests.support.jobs import a_job

MIA, CHANNEL, THREAD = 42, 700, 701
PROMPT = "@everyone <@4242> <@&5> look"
MIB = 2**20
NOBODY: dict[str, Any] = {"parse": []}


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "image.jpg"
    path.write_bytes(b"image")
    return path


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "video.mp4"
    path.write_bytes(b"video")
    return path


def rendered(**changes: Any) -> Job:
    """Make a job whose video is there, and whose card stands in the channel, with a thread."""
    plain = {
        "state": State.RENDERED,
        "requester_id": MIA,
        "channel_id": CHANNEL,
        "guild_id": 8,
        "card_id": 690,
        "target_id": THREAD,
        "prompt": PROMPT,
        "video_url": "https://novita.invalid/v.mp4",
        "video_expires_at": 2e9,
        "task_id": "task-1",
    }
    return a_job(**plain | changes)


def new(**changes: Any) -> Job:
    return a_job(**{"requester_id": MIA, "channel_id": CHANNEL, "prompt": PROMPT} | changes)


# --- nonces


async def test_a_video_carries_its_jobs_id_as_nonce(rest: Rest, publisher: Publisher, video: Path) -> None:
    job = rendered()
    await publisher.deliver(job, video)
    (sent,) = rest.posted
    assert (sent["nonce"], sent["enforce_nonce"]) == (job.id, True)


async def test_a_card_that_is_posted_has_a_nonce(rest: Rest, publisher: Publisher, image: Path) -> None:
    job = new()
    await publisher.post_card(job, _of(image))
    (sent,) = rest.posted
    assert sent["nonce"].startswith(job.id)
    assert sent["nonce"] != job.id  # which is the video's
    assert sent["enforce_nonce"]
    assert len(sent["nonce"]) <= 25


async def test_each_end_that_is_told_has_a_nonce_of_its_own(rest: Rest, publisher: Publisher) -> None:
    job = rendered(state=State.FAILED, problem="deadline", card_id=None)
    await publisher.notify(job)
    await publisher.notify(_with(job, problem="lost"))
    first, second = (sent["nonce"] for sent in rest.posted)
    assert first != second
    assert all(nonce.startswith(f"{job.id}-") and len(nonce) <= 25 for nonce in (first, second))


# --- pings


@pytest.mark.parametrize("target", [THREAD, CHANNEL])
async def test_only_the_requester_is_pinged(
    rest: Rest, publisher: Publisher, video: Path, target: int
) -> None:
    await publisher.deliver(rendered(target_id=target), video)
    await publisher.notify(rendered(target_id=target, state=State.FAILED, problem="input", card_id=None))
    assert len(rest.posted) == 2
    for sent in rest.posted:
        allowed = sent["allowed_mentions"]
        assert (allowed.get("parse"), [int(user) for user in allowed["users"]]) == ([], [MIA])
        assert not allowed.get("roles")
        assert not allowed.get("replied_user")


@pytest.mark.parametrize("token", [None, "token"])
async def test_a_card_pings_nobody(rest: Rest, publisher: Publisher, image: Path, token: str | None) -> None:
    await publisher.post_card(new(reply_token=token), _of(image))
    (sent,) = [*rest.posted, *rest.edited]
    assert _pings(sent) == NOBODY
    assert len(sent["files"]) == 1


async def test_a_video_that_is_shown_again_pings_nobody_and_is_never_taken_for_the_first(
    rest: Rest, publisher: Publisher, video: Path
) -> None:
    job = rendered(state=State.DELIVERED)
    await publisher.redeliver(job, video, Reply("token", None, 10 * MIB, "en-GB"))
    (sent,) = rest.edited
    assert _pings(sent) == NOBODY
    assert sent["files"]
    rest.messages[-1]["channel_id"] = str(THREAD)  # where it was asked for
    assert await publisher.find_video(job) is None


# --- found again


async def test_a_video_that_stands_is_found_and_not_posted_again(
    rest: Rest, publisher: Publisher, video: Path
) -> None:
    job = rendered()
    first = await publisher.deliver(job, video)
    for _ in range(5):
        rest.stand(THREAD, SOMEBODY, content="nice")
    assert await publisher.deliver(job, video) == first
    assert len(rest.posted) == 1
    await publisher.deliver(rendered(), video)  # another job's is another video
    assert len(rest.posted) == 2


async def test_a_card_that_stands_is_found_and_not_posted_again(
    rest: Rest, publisher: Publisher, image: Path
) -> None:
    job = new()
    first = await publisher.post_card(job, _of(image))
    assert await publisher.post_card(job, _of(image)) == first
    assert len(rest.posted) == 1


async def test_an_end_is_told_once(rest: Rest, publisher: Publisher) -> None:
    job = rendered(state=State.UNCONFIRMED, problem="unconfirmed", card_id=None)
    for _ in range(2):
        await publisher.notify(job)
    assert len(rest.posted) == 1


# --- what content rules refused


async def withheld(rest: Rest, publisher: Publisher, image: Path, token: str | None) -> Job:
    """Have a card stand whose job content rules refused."""
    job = new(reply_token=token, guild_id=8)
    posted = await publisher.post_card(job, _of(image))
    rest.messages[-1]["channel_id"] = str(CHANNEL)  # the token's reply too
    rest.posted.clear()
    rest.edited.clear()
    ended = {"state": State.FAILED, "problem": "moderation", "reason": "ILLEGAL_PROMPT: no"}
    return new(id=job.id, guild_id=8, card_id=posted.card_id, **ended)


def _says(sent: dict[str, Any]) -> str:
    return json.dumps(sent.get("embeds"))


async def test_what_is_withheld_is_off_the_card_and_told_by_the_token(
    rest: Rest, publisher: Publisher, image: Path
) -> None:
    await publisher.notify(await withheld(rest, publisher, image, "token"))
    card, told = rest.edited
    assert card["attachments"] == []
    assert "look" not in _says(card)
    assert "content rules" not in _says(card)
    assert (told["flags"], rest.posted) == (64, [])
    assert "look" in _says(told)
    assert "content rules" in _says(told)


async def test_without_a_token_it_is_told_in_a_direct_message_and_once(
    rest: Rest, publisher: Publisher, image: Path
) -> None:
    job = await withheld(rest, publisher, image, None)
    for _ in range(2):
        await publisher.notify(job)
    (told,) = rest.posted
    assert told["channel_id"] == rest.dm(MIA)
    assert "content rules" in _says(told)


async def test_without_either_the_card_is_all(rest: Rest, publisher: Publisher, image: Path) -> None:
    rest.closed_dms.add(MIA)
    await publisher.notify(await withheld(rest, publisher, image, None))
    assert rest.posted == []
    assert rest.edited[0]["attachments"] == []


async def test_where_the_bot_may_not_edit_the_image_comes_off_by_the_token(
    rest: Rest, publisher: Publisher, image: Path
) -> None:
    job = await withheld(rest, publisher, image, "token")
    rest.closed[CHANNEL] = refused(403, 50001)
    await publisher.notify(job)
    card, told = rest.edited
    assert card["attachments"] == []
    assert told["flags"] == 64


async def test_what_was_rendered_again_is_off_the_first_card_and_its_question(
    rest: Rest, publisher: Publisher, image: Path
) -> None:
    first = await withheld(rest, publisher, image, None)
    question = results.verdict(first, CATALOGUE, texts("en-GB")).embed.to_dict()
    rest.stand(CHANNEL, embeds=[question])
    again = {"source_channel_id": CHANNEL, "source_message_id": first.destination.card_id, "card_id": 690}
    ended = {"state": State.FAILED, "problem": "moderation", "channel_id": CHANNEL, "guild_id": 8}
    await publisher.notify(new(**again | ended))
    card, asked = (sent for sent in rest.edited if first.id in _says(sent))
    assert card["attachments"] == []
    assert not [sent for sent in (card, asked) if "look" in _says(sent)]


async def test_somebody_elses_message_is_never_taken_for_the_video(
    rest: Rest, publisher: Publisher, video: Path
) -> None:
    job = rendered()
    forged = {"id": "1", "filename": results.video_name(job), "size": 1, "url": "u", "proxy_url": "u"}
    rest.stand(THREAD, SOMEBODY, attachments=[forged])
    assert await publisher.find_video(job) is None
    await publisher.deliver(job, video)
    assert len(rest.posted) == 1


async def test_a_thread_that_exists_is_the_place(rest: Rest, publisher: Publisher, image: Path) -> None:
    job = new(wants_thread=True)
    card = rest.stand(
        CHANNEL,
        attachments=[
            {"id": "1", "filename": status.image_name(job), "size": 1, "url": "u", "proxy_url": "u"}
        ],
    )
    posted = [await publisher.post_card(job, _of(image)) for _ in range(2)]
    assert [(one.card_id, one.target_id) for one in posted] == [(int(card["id"]),) * 2] * 2


# --- places and sizes


async def test_the_channel_comes_before_the_direct_message(rest: Rest, publisher: Publisher) -> None:
    assert await publisher.fallback(rendered()) == CHANNEL
    assert await publisher.fallback(rendered(target_id=CHANNEL)) == rest.dm(MIA)
    rest.closed_dms.add(MIA)
    assert await publisher.fallback(rendered(target_id=CHANNEL)) is None


async def test_a_video_answers_its_card_where_it_stands_and_comes_where_it_does_not(
    rest: Rest, publisher: Publisher, video: Path
) -> None:
    await publisher.deliver(rendered(target_id=CHANNEL), video)
    await publisher.deliver(rendered(), video)
    in_channel, in_thread = rest.posted
    reference = in_channel["message_reference"]
    assert (int(reference["message_id"]), reference["fail_if_not_exists"]) == (690, False)
    assert "message_reference" not in in_thread


async def test_a_video_comes_as_it_is_then_smaller_then_as_a_link(
    rest: Rest, publisher: Publisher, videos: FakeVideos, video: Path
) -> None:
    video.write_bytes(b"v" * 4 * MIB)
    sent = await publisher.deliver(rendered(), video)
    assert (sent.method, videos.fits) == (DeliveryMethod.ATTACHED, [])
    rest.on_post.append(refused(413, 40005))
    assert (await publisher.deliver(rendered(), video)).method is DeliveryMethod.FITTED
    assert len(videos.fits) == 1
    video.write_bytes(b"v" * 1000)  # smaller than what is worth making smaller
    rest.on_post.append(refused(413, 40005))
    sent = await publisher.deliver(rendered(), video)
    assert sent.method is DeliveryMethod.LINKED
    assert "https://novita.invalid/v.mp4" in rest.posted[-1]["content"]
    assert rest.posted[-1]["files"] == []


async def test_a_size_that_was_refused_is_not_tried_again(
    rest: Rest, publisher: Publisher, videos: FakeVideos, video: Path
) -> None:
    video.write_bytes(b"v" * 4 * MIB)
    rest.on_post.append(refused(413, 40005))
    assert (await publisher.deliver(rendered(), video)).method is DeliveryMethod.FITTED
    assert len(rest.posted) == 2
    assert (await publisher.deliver(rendered(), video)).method is DeliveryMethod.FITTED
    assert len(rest.posted) == 3


def _of(image: Path) -> Any:
    async def fetch() -> list[Path]:
        return [image]

    return fetch


def _pings(sent: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in sent["allowed_mentions"].items() if value or name == "parse"}


def _with(job: Job, problem: str) -> Job:
    return replace(job, outcome=replace(job.outcome, problem=problem))
