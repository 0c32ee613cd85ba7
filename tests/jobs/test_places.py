"""Where a job's messages may go, as a pure rule."""

from __future__ import annotations

from dataclasses import replace

from bot.domain import places
from bot.domain.job import Job, rendered_again
from tests.support.jobs import a_job

THREAD = {"channel_id": 10, "parent_channel_id": 5, "guild_id": 7}


def test_the_channel_comes_before_the_threads_own() -> None:
    job = a_job(**THREAD, target_id=20, options={"private": False})
    assert places.left(job) == [10, 5]
    assert places.left(job, refused={10}) == [5]


def test_no_place_is_left_twice_however_often_it_is_asked() -> None:
    job, seen = a_job(**THREAD, target_id=20, options={"private": False}), [20]
    while left := places.left(job):
        seen.append(left[0])
        job = refused(job, left[0])
    assert seen == [20, 10, 5]
    assert places.tried(job) == {20, 10}  # and it stands in the last


def test_a_private_thread_leads_nowhere_public_nor_does_one_of_unknown_kind() -> None:
    assert places.left(a_job(**THREAD, options={"private": True})) == []
    assert places.left(a_job(**THREAD)) == []
    assert places.left(a_job(**THREAD, target_id=77, options={"private": True})) == [10]  # itself


def test_a_direct_message_has_no_other_one_beside_it() -> None:
    assert not places.may_go_direct(a_job(guild_id=None))
    assert places.may_go_direct(a_job(guild_id=7))


def test_rendered_again_it_stays_as_private_as_it_was() -> None:
    assert rendered_again(a_job(**THREAD, options={"private": True})).private
    assert rendered_again(a_job(**THREAD)).private
    assert not rendered_again(a_job(channel_id=10, target_id=20, guild_id=7)).private


def test_a_search_begins_at_an_id_of_discords_own() -> None:
    assert places.newest_known_id(a_job(card_id=30, options={"interaction": 20})) == 30
    assert places.newest_known_id(a_job(options={"interaction": 20})) == 20
    assert places.newest_known_id(a_job(source_message_id=15)) == 15
    assert places.newest_known_id(a_job()) is None


def test_what_a_person_wants_afresh_may_go_everywhere_again() -> None:
    job = a_job(target_id=20, options={"private": True, "interaction": 3})
    job = replace(job, options=places.before_posting(job))
    assert places.begun(job)
    job = replace(job, options=places.after_refusal(job))
    assert places.anew(job) == {"private": True, "interaction": 3}


def refused(job: Job, then: int) -> Job:
    there = replace(job.destination, target_id=then)
    return replace(job, options=places.after_refusal(job), destination=there)
