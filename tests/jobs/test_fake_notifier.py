"""The double keeps the promises of the protocol: else what the runner's tests prove is nothing."""

from __future__ import annotations

import inspect
from dataclasses import replace
from pathlib import Path

import pytest

from bot.domain import places
from bot.domain.job import Job, Sending, Waiting
from bot.errors import PermanentError, TemporaryError
from bot.jobs.notifier import Notifier, Reply
from bot.messaging.publisher import Publisher
from tests.support.jobs import a_job
from tests.support.notifier import FakeNotifier

METHODS = sorted(name for name in vars(Notifier) if not name.startswith("_"))
AWAY = TemporaryError("away")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"file")
    return path


async def carded(fake: FakeNotifier, job: Job, file: Path) -> Job:
    async def image() -> list[Path]:
        return [file]

    posted = await fake.post_card(job, image)
    there = replace(job.destination, card_id=posted.card_id, target_id=posted.target_id)
    return replace(job, destination=there)


def test_it_is_a_notifier() -> None:
    notifier: Notifier = FakeNotifier()  # mypy holds them against each other here
    assert notifier


@pytest.mark.parametrize("method", METHODS)
def test_it_is_called_as_the_real_one_is(method: str) -> None:
    wanted = list(inspect.signature(getattr(Notifier, method)).parameters)
    for kind in (FakeNotifier, Publisher):
        assert list(inspect.signature(getattr(kind, method)).parameters) == wanted


async def test_a_card_is_posted_once(file: Path) -> None:
    fake, asked = FakeNotifier(), 0

    async def image() -> list[Path]:
        nonlocal asked
        asked += 1
        return [file]

    job = a_job(wants_thread=True)
    first = await fake.post_card(job, image)
    assert await fake.post_card(job, image) == first  # found, though the row does not know it
    known = replace(job, destination=replace(job.destination, card_id=first.card_id))
    assert await fake.post_card(known, image) == first
    assert (len(fake.messages), asked) == (1, 2)  # no image is asked for that is not needed


async def test_a_reply_is_one_card_however_often_it_is_filled_in(file: Path) -> None:
    fake, job = FakeNotifier(), a_job(reply_token="t")
    first = await carded(fake, job, file)
    assert await carded(fake, job, file) == first
    fake.dead_tokens.add("another")
    other = await carded(fake, a_job(reply_token="another"), file)
    assert len({card.id for card in fake.messages}) == 2
    assert other.destination.card_id != first.destination.card_id


async def test_a_thread_has_its_cards_id_and_is_the_channel_where_threads_are_not_allowed(file: Path) -> None:
    fake, job = FakeNotifier(), a_job(wants_thread=True)
    there = (await carded(fake, job, file)).destination
    assert there.target_id == there.card_id
    fake.without_threads.add(there.channel_id)
    there = (await carded(fake, a_job(wants_thread=True), file)).destination
    assert there.target_id == there.channel_id


async def test_an_images_address_is_fresh_each_time_and_gone_with_its_card(file: Path) -> None:
    fake = FakeNotifier()
    there = (await carded(fake, a_job(), file)).destination
    assert there.card_id is not None
    urls = {await fake.image_url(there.channel_id, there.card_id) for _ in range(2)}
    assert len(urls) == 2
    fake.delete(there.card_id)
    with pytest.raises(PermanentError):
        await fake.image_url(there.channel_id, there.card_id)


@pytest.mark.parametrize("token", [None, "t"])
async def test_an_end_image_is_there_only_if_the_card_was_given_one(
    file: Path, tmp_path: Path, token: str | None
) -> None:
    fake, end = FakeNotifier(), tmp_path / "end"
    end.write_bytes(b"the end")

    async def images() -> list[Path]:
        return [file, end]

    job = a_job(reply_token=token)
    card_id = (await fake.post_card(job, images)).card_id
    (card,) = fake.messages
    assert (card.file, card.end) == (b"file", b"the end")
    there = job.destination.channel_id
    start_url, end_url = [await fake.image_url(there, card_id, end=end) for end in (False, True)]
    assert ("name=end" in start_url, "name=end" in end_url) == (False, True)
    plain = (await carded(fake, a_job(), file)).destination
    assert plain.card_id is not None
    with pytest.raises(PermanentError):
        await fake.image_url(plain.channel_id, plain.card_id, end=True)


async def test_a_video_is_posted_once_and_found_only_where_it_is(file: Path) -> None:
    fake, job = FakeNotifier(), a_job(target_id=20)
    assert await fake.find_video(job) is None
    posted = await fake.deliver(job, file)
    assert await fake.deliver(job, file) == posted == await fake.find_video(job)
    elsewhere = replace(job, destination=replace(job.destination, target_id=30))
    assert await fake.find_video(elsewhere) is None


async def test_a_closed_place_takes_nothing_and_shows_nothing(file: Path) -> None:
    fake, job = FakeNotifier(), a_job(target_id=20)
    await fake.deliver(job, file)
    fake.close(20, PermanentError("locked", "locked"))
    assert await fake.find_video(job) is None  # posting says why
    with pytest.raises(PermanentError) as caught:
        await fake.deliver(job, file)
    assert caught.value.fallback_reason == "locked"
    fake.reopen(20)
    assert await fake.find_video(job) is not None
    fake.close(20, AWAY)
    with pytest.raises(TemporaryError):
        await fake.find_video(job)


async def test_the_ways_out_are_those_of_the_real_one() -> None:
    public = {"channel_id": 10, "parent_channel_id": 5, "guild_id": 7, "options": {"private": False}}
    fake, job = FakeNotifier(), a_job(target_id=20, **public)
    ways = []
    while (way := await fake.fallback(job)) is not None:
        ways.append(way)
        there = replace(job.destination, target_id=way)
        job = replace(job, options=places.after_refusal(job), destination=there)
    assert ways == [10, 5, fake.dm(job.requester.user_id)]
    fake.closed_dms.add(job.requester.user_id)
    assert await fake.fallback(a_job(target_id=5, **public | {"options": {"tried": [10]}})) is None


async def test_each_end_is_told_once_and_a_delivery_not_at_all(file: Path) -> None:
    fake = FakeNotifier()
    job = await carded(fake, a_job(state="failed", problem="deadline"), file)
    for _ in range(2):
        await fake.notify(job)
    await fake.notify(replace(job, outcome=replace(job.outcome, problem="lost")))
    assert [verdict.says for verdict in fake.of(job.id, "verdict")] == ["deadline", "lost"]
    delivered = a_job(state="delivered")
    await fake.notify(delivered)
    assert fake.of(delivered.id, "verdict") == []
    assert fake.shown == {job.id: "failed"}  # the other has no card


async def test_an_end_is_told_in_the_next_place_that_takes_it() -> None:
    fake, job = FakeNotifier(), a_job(state="failed", target_id=20, channel_id=10, guild_id=7)
    for place in (20, 10):
        fake.close(place)
    await fake.notify(job)
    (verdict,) = fake.of(job.id, "verdict")
    assert verdict.channel_id == fake.dm(job.requester.user_id)


async def test_it_fails_when_it_is_told_to_and_only_then(file: Path) -> None:
    fake, job = FakeNotifier(), a_job(target_id=20)
    fake.fail("deliver", AWAY, times=2)
    fake.lose_answer("deliver")
    for standing in (0, 0, 1):
        with pytest.raises(TemporaryError):
            await fake.deliver(job, file)
        assert len(fake.messages) == standing
    await fake.deliver(job, file)
    assert len(fake.messages) == 1
    assert fake.journal.entries == ["deliver …"] * 4 + ["deliver"]
    with pytest.raises(AttributeError):
        fake.fail("delivery", AWAY)  # no such method


async def test_a_reply_holds_one_video_while_its_token_lives(file: Path) -> None:
    fake, job, reply = FakeNotifier(), a_job(), Reply("t", None, 0, "")
    for _ in range(2):
        await fake.redeliver(job, file, reply)
    assert [message.file for message in fake.of(job.id, "reply")] == [b"file"]
    fake.dead_tokens.add("t")
    with pytest.raises(PermanentError):
        await fake.redeliver(job, file, reply)


async def test_stages_are_remembered_in_order_and_a_jobs_own() -> None:
    fake, job, other = FakeNotifier(), a_job(), a_job()
    fake.update_card(job, Waiting(1))
    fake.update_card(other, Waiting(2))
    fake.update_card(job, Sending())
    assert fake.stages_of(job.id) == [Waiting(1), Sending()]
