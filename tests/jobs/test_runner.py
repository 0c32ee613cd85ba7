"""The runner's rules, one by one: real rows, and doubles for Discord, Novita and the files."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from bot.domain.job import NOWHERE, Charge, Job, Rendering, Sending, State, Waiting
from bot.domain.retry import RETRY_SECONDS
from bot.errors import (
    AddressRefused,
    AnswerLost,
    DownloadError,
    DownloadTooLarge,
    ImageRejected,
    LeaseLost,
    MalformedMessage,
    MediaPoolError,
    NotAVideo,
    NotSent,
    OutdatedVersion,
    PermanentError,
    TemporaryError,
)
from bot.jobs import admission
from bot.jobs.offer import Offer
from bot.jobs.runner import BROKEN_TRIES, FRESH_TASK_TRIES
from bot.novita.codec import Kind, Pending, Problem, Repeat, Submitted, Succeeded, TaskFailed
from bot.novita.models import CATALOGUE
from bot.store.jobs import OLDEST_PAYING, PAYING_VERSION
from tests.support.journal import Died
from tests.support.world import PATIENCE, TIMEOUT, World

AWAY = TemporaryError("Discord is away")
GONE = PermanentError("the thread is gone", "gone")
QUEUED = Pending(started=False)


def problem(kind: Kind, repeat: Repeat, **more: Any) -> Problem:
    return Problem(kind, repeat, f"A_{kind}_PROBLEM".upper(), 400, **more)


NO_TASK = problem(Kind.NO_TASK, Repeat.LATER)


async def reached(hold: asyncio.Event) -> None:
    async with asyncio.timeout(PATIENCE):
        await hold.wait()


def outcome(job: Job) -> tuple[State, str, Charge]:
    return job.state, job.outcome.problem, job.outcome.charge


# --- the whole road


async def test_each_thing_is_written_down_before_the_next_is_done(world: World) -> None:
    job = await world.run(await world.accept())
    assert world.journal.done == [
        "image",
        "card",
        "post_card",
        "row: card_id options queued_at reply_token source_url target_id",
        "turn",
        "row: submitting",  # before the request
        "arrived",
        "submit",
        "row: rendering",  # with the task id, before the first poll
        "result",
        "row: rendered",
        "find_video",  # before the video is posted
        "video",
        "row: options",  # that a post is begun there, so that a later run knows what it may not see
        "deliver",
        "row: delivered",
        "notify",
        "row: notified",  # after people were told
    ]
    assert outcome(job) == (State.DELIVERED, "", Charge.PAID)
    assert (job.outcome.notified, job.task.task_id, world.novita.asked) == (True, "task-1", ["task-1"])
    (card,), (video,) = world.notifier.of(job.id, "card"), world.notifier.of(job.id, "video")
    assert (job.destination.card_id, job.destination.target_id) == (card.id, card.id)
    assert (job.outcome.video_message_id, video.channel_id) == (video.id, card.id)
    assert world.notifier.of(job.id, "verdict") == []  # the video says it itself
    assert world.notifier.shown[job.id] is State.DELIVERED
    assert await world.store.open_jobs() == []


async def test_what_opened_the_first_card_is_not_kept(world: World) -> None:
    job = await world.run(await world.accept())
    assert (job.requester.reply_token, job.source.url) == (None, None)
    assert list(world.folder.iterdir()) == []  # neither are the files


async def test_the_request_finds_its_row_submitting_and_the_poll_finds_the_task(world: World) -> None:
    job = await world.accept()
    submit, poll = world.journal.hold("submit …"), world.journal.hold("result …")
    running = asyncio.create_task(world.run(job))
    await reached(submit.reached)
    row = await world.row(job.id)
    assert (row.state, row.task.task_id) == (State.SUBMITTING, None)
    assert row.task.submitted_at is not None
    submit.open.set()
    await reached(poll.reached)
    row = await world.row(job.id)
    assert (row.state, row.task.task_id) == (State.RENDERING, "task-1")
    poll.open.set()
    assert (await running).state is State.DELIVERED


async def test_the_card_shows_the_stages_in_their_order(world: World) -> None:
    world.novita.on_result.extend([QUEUED, Pending(started=True)])
    job = await world.run(await world.accept())
    stages = world.notifier.stages_of(job.id)
    kinds = [type(stage) for stage in stages]
    assert kinds == sorted(kinds, key=[Waiting, Rendering, Sending].index)
    assert [stage.queued for stage in stages if isinstance(stage, Rendering)] == [True, True, False]


async def test_wherever_the_process_dies_it_is_paid_once_and_told_once(world: World) -> None:
    """Die at every entry of the journal, and be started again."""
    await world.run(await world.accept(reply_token="first"))
    entries = list(world.journal.entries)
    in_doubt = range(entries.index("row: submitting") + 1, entries.index("row: rendering") + 1)
    wrong = []
    for number in range(1, len(entries) + 1):
        job = await world.accept(prompt=f"dies at {number}", reply_token=f"token {number}")
        world.journal.entries.clear()
        world.journal.dies_at = number
        with pytest.raises(Died):
            await world.run(job)
        world.journal.dies_at = None
        job = await world.run(job)
        paid = world.novita.prompts.count(job.request.prompt)
        told = [len(world.notifier.of(job.id, kind)) for kind in ("card", "video", "verdict")]
        found = (job.state, paid, told, job.outcome.notified)
        if number in in_doubt:  # a person decides
            arrived = int(number >= entries.index("arrived") + 1)
            expected = (State.UNCONFIRMED, arrived, [1, 0, 1], True)
        else:
            expected = (State.DELIVERED, 1, [1, 1, 0], True)
        if found != expected:
            wrong.append((number, entries[number - 1], found))
    assert wrong == []
    assert await world.store.open_jobs() == []


async def test_an_end_is_told_once_wherever_the_process_dies(world: World) -> None:
    def arrange() -> None:
        world.novita.on_submit.append(problem(Kind.INPUT, Repeat.NO))

    arrange()
    await world.run(await world.accept(reply_token="first"))
    entries = list(world.journal.entries)
    for number in range(entries.index("row: failed") + 1, len(entries) + 1):
        job = await world.accept(reply_token=f"token {number}")
        arrange()
        world.journal.entries.clear()
        world.journal.dies_at = number
        with pytest.raises(Died):
            await world.run(job)
        world.journal.dies_at = None
        job = await world.run(job)
        assert (job.state, job.outcome.notified) == (State.FAILED, True), entries[number - 1]
        assert len(world.notifier.of(job.id, "verdict")) == 1, entries[number - 1]


@pytest.mark.parametrize("state", ["accepted", "rendering", "rendered"])
async def test_a_job_is_resumed_where_it_stands(world: World, state: str) -> None:
    job = await world.run(await world.standing(state))
    assert outcome(job) == (State.DELIVERED, "", Charge.PAID)
    assert world.novita.prompts == ([job.request.prompt] if state == "accepted" else [])
    assert len(world.novita.asked) == (state != "rendered")
    assert (len(world.notifier.of(job.id, "card")), len(world.notifier.of(job.id, "video"))) == (1, 1)


@pytest.mark.parametrize("state", ["delivered", "unconfirmed", "failed", "cancelled"])
async def test_an_ended_job_is_only_told_of(world: World, state: str) -> None:
    job = await world.run(await world.standing(state))
    assert (job.state, job.outcome.notified) == (state, True)
    assert world.journal.done[-2:] == ["notify", "row: notified"]
    assert not {"submit …", "result …", "deliver …"} & set(world.journal.entries)


async def test_a_job_that_was_told_of_is_left_as_it_is(world: World) -> None:
    job = await world.standing("failed", notified=True)
    await world.run(job)
    assert world.journal.entries == []


# --- two runs of one job


async def test_of_two_runs_at_once_one_pays(world: World) -> None:
    job = await world.accept()
    await asyncio.gather(*(world.run(job) for _ in range(4)))
    assert (await world.row(job.id)).state is State.DELIVERED
    assert world.novita.prompts == [job.request.prompt]
    assert len(world.notifier.of(job.id, "video")) == 1


@pytest.mark.parametrize("entry", ["post_card", "image …", "row: submitting …"])
async def test_a_run_that_was_overtaken_pays_nothing(world: World, entry: str) -> None:
    job = await world.accept()
    hold = world.journal.hold(entry)
    early = asyncio.create_task(world.run(job))
    await reached(hold.reached)
    assert (await world.run(job)).state is State.DELIVERED
    hold.open.set()
    await early  # it stops without a word
    assert world.novita.prompts == [job.request.prompt]
    assert (await world.row(job.id)).state is State.DELIVERED
    assert world.notifier.of(job.id, "verdict") == []


async def test_a_run_that_was_overtaken_writes_nothing_in_the_same_state_either(world: World) -> None:
    job = await world.accept()
    early_hold = world.journal.hold("image …")
    early = asyncio.create_task(world.run(job))
    await reached(early_hold.reached)
    late_hold = world.journal.hold("row: submitting …")
    late = asyncio.create_task(world.run(job))
    await reached(late_hold.reached)
    before = await world.row(job.id)
    early_hold.open.set()
    await early
    assert await world.row(job.id) == before
    assert world.journal.count("submit …") == 0
    late_hold.open.set()
    assert (await late).state is State.DELIVERED
    assert world.novita.prompts == [job.request.prompt]


async def test_an_answer_that_comes_after_another_run_took_the_job_changes_nothing(world: World) -> None:
    job = await world.accept()
    hold = world.journal.hold("arrived")
    early = asyncio.create_task(world.run(job))
    await reached(hold.reached)
    assert (await world.run(job)).state is State.UNCONFIRMED
    hold.open.set()
    assert (await early).state is State.UNCONFIRMED
    assert world.novita.prompts == [job.request.prompt]


# --- what Novita answers to the paid request


@pytest.mark.parametrize(
    ("answer", "ends"),
    [
        (problem(Kind.INPUT, Repeat.NO), (State.FAILED, "input", Charge.NOTHING)),
        (problem(Kind.MODERATION, Repeat.NO), (State.FAILED, "moderation", Charge.NOTHING)),
        (problem(Kind.FUNDS, Repeat.NO), (State.FAILED, "funds", Charge.NOTHING)),
        (problem(Kind.PROVIDER, Repeat.NO, may_cost=True), (State.FAILED, "provider", Charge.UNKNOWN)),
        (
            problem(Kind.UNCLEAR, Repeat.ASK, may_cost=True),
            (State.UNCONFIRMED, "unconfirmed", Charge.UNKNOWN),
        ),
        (AnswerLost("ServerDisconnected"), (State.UNCONFIRMED, "unconfirmed", Charge.UNKNOWN)),
    ],
    ids=str,
)
async def test_an_answer_that_ends_the_job_is_never_followed_by_another_request(
    world: World, answer: Any, ends: tuple[State, str, Charge]
) -> None:
    world.novita.on_submit.append(answer)
    job = await world.run(await world.accept())
    assert outcome(job) == ends
    assert (world.journal.count("submit …"), world.novita.asked) == (1, [])
    (verdict,) = world.notifier.of(job.id, "verdict")
    assert verdict.says == ends[1]
    await world.run(job)
    assert world.journal.count("submit …") == 1


@pytest.mark.parametrize("kind", [Kind.KEY, Kind.FUNDS, Kind.RETIRED])
async def test_the_operator_hears_what_only_the_operator_can_mend(
    world: World, kind: Kind, caplog: pytest.LogCaptureFixture
) -> None:
    world.novita.on_submit.append(problem(kind, Repeat.NO))
    job = await world.run(await world.accept())
    (said,) = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert said.startswith(f"job {job.id}: ")


@pytest.mark.parametrize(
    "trouble",
    [NotSent("ConnectorError"), problem(Kind.PROVIDER, Repeat.LATER), problem(Kind.LOAD, Repeat.LATER)],
    ids=str,
)
async def test_where_nothing_was_bought_the_job_is_accepted_again_and_tried_again(
    world: World, trouble: Any
) -> None:
    world.novita.on_submit.extend([trouble, trouble])
    job = await world.run(await world.accept())
    assert outcome(job) == (State.DELIVERED, "", Charge.PAID)
    states = [entry for entry in world.journal.done if entry.startswith(("row: accepted", "row: submitting"))]
    assert states == ["row: submitting", "row: accepted"] * 2 + ["row: submitting"]
    assert world.journal.count("submit …") == 3
    assert world.journal.count("submit") == 1 + 2 * (not isinstance(trouble, NotSent))


async def test_novita_is_not_waited_for_for_ever(world: World) -> None:
    world.novita.on_submit.extend([NotSent("ConnectorError")] * 1000)
    began = world.clock.now
    job = await world.run(await world.accept())
    assert outcome(job) == (State.FAILED, "novita_away", Charge.NOTHING)
    assert 0 <= world.clock.now - began - RETRY_SECONDS < 120
    assert Waiting(because="novita_away") in world.notifier.stages_of(job.id)


async def test_a_full_account_pauses_everybody_and_the_job_gets_in_line_again(world: World) -> None:
    world.novita.on_submit.append(problem(Kind.LOAD, Repeat.LATER, retry_after=20.0))
    began = world.clock.now
    job = await world.run(await world.accept())
    assert job.state is State.DELIVERED
    done = [entry for entry in world.journal.done if entry in ("turn", "row: turn_at", "arrived")]
    assert done == ["turn", "arrived", "row: turn_at", "turn", "arrived"]
    (pause,) = await world.select("SELECT at FROM shared WHERE key = 'novita paused until'")
    assert pause["at"] >= began + 20
    assert world.clock.now >= pause["at"]  # nobody went in before that
    assert Waiting(because="busy") in world.notifier.stages_of(job.id)


async def test_a_full_account_is_waited_for_however_long(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "LOOK_SECONDS", 300.0)  # fewer looks at hours of waiting
    full = problem(Kind.LOAD, Repeat.LATER, retry_after=600.0)
    world.novita.on_submit.extend([full] * 8)
    began = world.clock.now
    assert (await world.run(await world.accept())).state is State.DELIVERED
    assert world.clock.now - began > RETRY_SECONDS


async def test_found_submitting_it_is_unconfirmed_and_never_submitted_again(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    job = await world.run(await world.standing("submitting", task_id=None))
    assert outcome(job) == (State.UNCONFIRMED, "unconfirmed", Charge.UNKNOWN)
    assert (world.novita.prompts, world.novita.asked) == ([], [])
    (verdict,) = world.notifier.of(job.id, "verdict")
    assert verdict.says == "unconfirmed"
    assert "may have been charged" in caplog.text
    await world.run(job)
    assert world.novita.prompts == []


# --- before it is paid for


async def test_an_image_that_is_refused_ends_the_job_unpaid(world: World) -> None:
    world.pool.failures.append(ImageRejected("corrupt", kind="png"))
    job = await world.run(await world.accept())
    assert outcome(job) == (State.FAILED, "still_refused", Charge.NOTHING)
    assert job.outcome.reason == "corrupt"
    assert world.novita.prompts == []


async def test_an_image_whose_work_is_left_undone_is_tried_again_a_few_times(world: World) -> None:
    job = await world.standing("accepted", turn_at=world.clock.now)
    world.pool.failures.extend([MediaPoolError("failed", "a traceback")] * 3)
    assert (await world.run(job)).state is State.DELIVERED


@pytest.mark.parametrize("reason", ["failed", "timeout", "crashed"])
@pytest.mark.parametrize("state", ["accepted", "carded"])
async def test_an_image_whose_work_stays_undone_ends_the_job_unpaid(
    world: World, reason: str, state: str
) -> None:
    carded = state == "carded"
    job = await (world.standing("accepted", turn_at=world.clock.now) if carded else world.accept())
    world.pool.failures.extend([MediaPoolError(reason, "a traceback")] * 1000)
    job = await world.run(job)
    assert outcome(job) == (State.FAILED, "image_unprepared", Charge.NOTHING)
    assert (len(world.discord_files.urls), world.novita.prompts) == (4, [])
    assert "traceback" not in job.outcome.reason
    assert [verdict.says for verdict in world.notifier.of(job.id, "verdict")] == ["image_unprepared"]
    line = await world.store.queue.advance(1, 1)  # its turn is nobody's any more
    assert not line.waiting


async def test_an_image_that_is_gone_ends_the_job_unpaid(world: World) -> None:
    world.discord_files.failures.append(DownloadError("the download answered 404", 404))
    job = await world.run(await world.accept())
    assert outcome(job) == (State.FAILED, "not_started", Charge.NOTHING)
    assert world.novita.prompts == []


async def test_an_image_that_is_away_is_waited_for(world: World) -> None:
    world.discord_files.failures.extend([DownloadError("the download broke off")] * 7)
    job = await world.run(await world.accept())
    assert job.state is State.DELIVERED


async def test_the_image_comes_from_the_card_when_this_process_has_none(world: World) -> None:
    job = await world.standing("accepted")
    world.notifier.fail("image_url", AWAY, times=2)
    job = await world.run(job)
    assert job.state is State.DELIVERED
    assert world.discord_files.urls == [f"https://cdn.invalid/{job.destination.card_id}?signature=1"]
    assert Waiting(because="discord_away") in world.notifier.stages_of(job.id)


async def test_a_card_that_was_deleted_before_the_turn_ends_the_job_unpaid(world: World) -> None:
    job = await world.standing("accepted")
    world.notifier.delete(job.destination.card_id or 0)
    job = await world.run(job)
    assert outcome(job) == (State.FAILED, "not_started", Charge.NOTHING)
    assert world.novita.prompts == []


async def test_a_render_again_takes_its_image_from_the_other_jobs_card(world: World) -> None:
    first = await world.standing("delivered")
    card_id = first.destination.card_id
    job = await world.accept(
        reply_token=None,
        source_url=None,
        source_channel_id=first.destination.channel_id,
        source_message_id=card_id,
    )
    assert (await world.run(job)).state is State.DELIVERED
    assert world.discord_files.urls == [f"https://cdn.invalid/{card_id}?signature=1"]


async def test_a_model_that_is_not_on_offer_any_more_costs_nothing(world: World) -> None:
    job = await world.run(await world.accept(), world.runner(models=Offer(CATALOGUE, [])))
    assert outcome(job) == (State.FAILED, "model_unknown", Charge.NOTHING)
    assert world.novita.prompts == []


async def test_a_card_that_cannot_be_posted_anywhere_ends_the_job_unpaid(world: World) -> None:
    job = await world.accept(reply_token=None)
    world.notifier.close(job.destination.channel_id)
    job = await world.run(job)
    assert outcome(job) == (State.FAILED, "not_started", Charge.NOTHING)
    assert (world.novita.prompts, job.outcome.notified) == ([], True)
    (verdict,) = world.notifier.of(job.id, "verdict")
    assert verdict.channel_id == world.notifier.dm(job.requester.user_id)


async def test_a_card_whose_answer_was_lost_is_found_again(world: World) -> None:
    job = await world.accept(reply_token=None)
    world.notifier.lose_answer("post_card", times=2)
    job = await world.run(job)
    assert job.state is State.DELIVERED
    assert [card.id for card in world.notifier.of(job.id, "card")] == [job.destination.card_id]


async def test_a_turn_that_came_in_an_earlier_run_is_kept(world: World) -> None:
    job = await world.standing("accepted", turn_at=world.clock.now)
    assert (await world.run(job)).state is State.DELIVERED
    assert "turn" not in world.journal.entries


async def test_with_all_places_taken_it_waits_for_its_turn(world: World) -> None:
    other = await world.standing("rendering")
    runner, job = world.runner(limit=1), await world.accept(reply_token="another")
    waiting = asyncio.create_task(world.run(job, runner))
    async with asyncio.timeout(PATIENCE):
        while Waiting(1) not in world.notifier.stages_of(job.id):  # noqa: ASYNC110 — nothing to wait for
            await asyncio.sleep(0.001)
    assert world.novita.prompts == []
    await world.run(other, runner)
    assert (await waiting).state is State.DELIVERED


# --- a version that is too old to pay


async def test_an_outdated_version_leaves_the_job_accepted_and_says_so(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    await name_oldest(world, str(PAYING_VERSION + 1))
    job = await world.accept()
    with pytest.raises(OutdatedVersion):  # which leaves it to the engine, and that to newer versions
        await world.run(job)
    row = await world.row(job.id)
    assert (row.state, row.task.submitted_at) == (State.ACCEPTED, None)
    assert world.journal.count("submit …") == 0
    assert Waiting(because="outdated") in world.notifier.stages_of(job.id)
    assert any(r.levelno == logging.ERROR and "too old to pay" in r.getMessage() for r in caplog.records)
    await name_oldest(world, str(PAYING_VERSION))  # taken back: the next run goes on
    assert (await world.run(job)).state is State.DELIVERED
    assert world.novita.prompts == [job.request.prompt]


async def test_a_version_that_becomes_outdated_at_the_last_moment_pays_nothing(world: World) -> None:
    job = await world.accept()
    hold = world.journal.hold("row: submitting …")
    running = asyncio.create_task(world.run(job))
    await reached(hold.reached)
    await name_oldest(world, str(PAYING_VERSION + 1))
    hold.open.set()
    with pytest.raises(OutdatedVersion):
        await running
    assert ((await world.row(job.id)).state, world.journal.count("submit …")) == (State.ACCEPTED, 0)
    assert world.notifier.stages_of(job.id)[-1] == Waiting(because="outdated")


async def test_an_outdated_version_still_ends_what_was_paid(world: World) -> None:
    await name_oldest(world, str(PAYING_VERSION + 1))
    job = await world.run(await world.standing("rendering"))
    assert job.state is State.DELIVERED


@pytest.mark.parametrize("text", ["", "0", str(PAYING_VERSION), "soon"])
async def test_a_version_that_is_new_enough_pays(world: World, text: str) -> None:
    await name_oldest(world, text)
    assert (await world.run(await world.accept())).state is State.DELIVERED


async def name_oldest(world: World, text: str) -> None:
    await world.execute(
        "INSERT INTO shared (key, at, text) VALUES (:key, 0, :text) "
        "ON CONFLICT (key) DO UPDATE SET text = :text",
        key=OLDEST_PAYING,
        text=text,
    )


async def test_a_job_in_a_state_of_a_later_versions_is_left_alone(world: World) -> None:
    job = await world.standing("accepted")
    await world.write(job.id, state="dreaming")
    assert await world.store.get(job.id) is None
    assert await world.store.jobs_of(job.requester.user_id) == []
    assert await world.store.open_jobs() == []
    with pytest.raises(LeaseLost):
        await world.store.claim(job.id)
    before = await world.select("SELECT * FROM jobs")
    await world.runner().run(job.id)
    assert world.journal.entries == []
    assert await world.select("SELECT * FROM jobs") == before


# --- rendering


async def test_a_fresh_task_may_be_unknown_at_first(world: World) -> None:
    world.novita.on_result.extend([NO_TASK] * FRESH_TASK_TRIES)
    assert (await world.run(await world.accept())).state is State.DELIVERED


async def test_a_task_that_stays_unknown_is_lost(world: World) -> None:
    world.novita.on_result.extend([NO_TASK] * 100)
    job = await world.run(await world.accept())
    assert outcome(job) == (State.FAILED, "task_lost", Charge.UNKNOWN)
    assert len(world.novita.asked) == FRESH_TASK_TRIES + 1


async def test_only_unknown_in_a_row_counts(world: World) -> None:
    for _ in range(3):
        world.novita.on_result.extend([NO_TASK] * FRESH_TASK_TRIES + [QUEUED])
    assert (await world.run(await world.accept())).state is State.DELIVERED


async def test_an_unknown_status_is_waited_on(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.novita.on_result.extend([Pending(started=False, unknown_status="TASK_STATUS_DREAMING")] * 3)
    assert (await world.run(await world.accept())).state is State.DELIVERED
    assert "TASK_STATUS_DREAMING" in caplog.text


@pytest.mark.parametrize("answer", [TaskFailed("it broke"), problem(Kind.PROVIDER, Repeat.NO)], ids=str)
async def test_a_task_that_failed_may_have_been_charged(world: World, answer: Any) -> None:
    world.novita.on_result.extend([QUEUED, answer])
    job = await world.run(await world.accept())
    assert outcome(job) == (State.FAILED, "task_failed", Charge.UNKNOWN)
    assert (len(world.novita.prompts), len(world.novita.asked)) == (1, 2)
    assert job.outcome.check_at is None


@pytest.mark.parametrize(
    "answer", [AnswerLost("Timeout"), problem(Kind.PROVIDER, Repeat.LATER), problem(Kind.LOAD, Repeat.LATER)]
)
async def test_polls_outlast_an_outage(world: World, answer: Any) -> None:
    world.novita.on_result.extend([answer] * 8)
    job = await world.run(await world.accept())
    assert (job.state, len(world.novita.prompts)) == (State.DELIVERED, 1)


async def test_a_lost_answer_to_a_poll_is_on_the_card(world: World) -> None:
    world.novita.on_result.append(AnswerLost("Timeout"))
    job = await world.run(await world.accept())
    becauses = [stage.because for stage in world.notifier.stages_of(job.id) if isinstance(stage, Rendering)]
    assert "novita_away" in becauses


async def test_what_novita_asks_a_poll_to_wait_is_waited(world: World) -> None:
    world.novita.on_result.append(problem(Kind.LOAD, Repeat.LATER, retry_after=321.0))
    await world.run(await world.accept())
    assert any(321.0 <= nap <= 321.5 for nap in world.clock.slept)


async def test_polls_get_rarer(world: World) -> None:
    world.novita.on_result.extend([QUEUED] * 20)
    await world.run(await world.accept(), world.runner(poll_seconds=2.0))
    naps = world.clock.slept[-21:]
    assert 1.8 <= naps[0] <= 2.2
    assert naps[-1] > 4
    assert max(naps) <= 11


async def test_past_the_deadline_it_is_given_up_and_looked_for_later(world: World) -> None:
    job = await world.standing("rendering", submitted_at=world.clock.now - TIMEOUT - 1)
    world.novita.on_result.append(QUEUED)
    hold = world.journal.hold("row: notified")
    running = asyncio.create_task(world.run(job))
    await reached(hold.reached)
    row = await world.row(job.id)
    assert outcome(row) == (State.FAILED, "deadline", Charge.UNKNOWN)
    assert row.outcome.check_at == pytest.approx(world.clock.now + TIMEOUT)
    assert world.novita.asked == ["task-1"]  # once at least, however late
    hold.open.set()
    await running


async def test_found_past_its_deadline_and_rendered_it_is_delivered(world: World) -> None:
    job = await world.standing("rendering", submitted_at=world.clock.now - 100 * TIMEOUT)
    job = await world.run(job)
    assert outcome(job) == (State.DELIVERED, "", Charge.PAID)
    assert world.notifier.of(job.id, "verdict") == []


# --- given up, and looked for once more


async def a_given_up(world: World) -> Job:
    job = await world.standing("failed", problem="deadline", charge="unknown", notified=True)
    await world.write(job.id, check_at=world.clock.now + 600)
    return job


async def test_a_late_look_finds_the_video_and_brings_it(world: World) -> None:
    job, began = await a_given_up(world), world.clock.now
    assert await world.store.open_jobs() == [job.id]
    world.novita.on_result.extend([AnswerLost("Timeout"), problem(Kind.PROVIDER, Repeat.LATER)])
    job = await world.run(job)
    assert outcome(job) == (State.DELIVERED, "", Charge.PAID)
    assert world.clock.now >= began + 600  # not before its time
    assert (job.outcome.check_at, job.outcome.notified, job.outcome.reason) == (None, True, "")
    assert len(world.notifier.of(job.id, "video")) == 1
    assert world.notifier.shown[job.id] is State.DELIVERED  # the card said that it was given up
    assert world.novita.prompts == []
    assert await world.store.open_jobs() == []


@pytest.mark.parametrize("answer", [NO_TASK, QUEUED, TaskFailed("it broke")], ids=str)
async def test_a_late_look_that_finds_nothing_says_so_once(world: World, answer: Any) -> None:
    job = await a_given_up(world)
    world.novita.on_result.append(answer)
    job = await world.run(job)
    assert outcome(job) == (State.FAILED, "lost", Charge.UNKNOWN)
    assert (job.outcome.check_at, job.outcome.notified) == (None, True)
    assert [verdict.says for verdict in world.notifier.of(job.id, "verdict")] == ["lost"]
    assert await world.store.open_jobs() == []


# --- rendered


async def test_a_video_that_an_earlier_run_posted_is_not_posted_again(world: World) -> None:
    job = await world.standing("rendered")
    video = world.folder / "earlier.mp4"
    video.write_bytes(b"earlier")
    earlier = await world.notifier.deliver(job, video)
    world.journal.entries.clear()
    job = await world.run(job)
    assert (job.state, job.outcome.video_message_id) == (State.DELIVERED, earlier.message_id)
    assert not {"video …", "deliver …"} & set(world.journal.entries)  # nothing is fetched for it either
    assert len(world.notifier.of(job.id, "video")) == 1


async def test_a_video_whose_answer_was_lost_is_found(world: World) -> None:
    world.notifier.lose_answer("deliver", times=3)
    job = await world.run(await world.accept())
    assert (job.state, len(world.notifier.of(job.id, "video"))) == (State.DELIVERED, 1)
    assert Sending(because="discord_away") in world.notifier.stages_of(job.id)


async def test_the_next_place_is_written_down_before_anything_is_posted_there(world: World) -> None:
    job = await world.standing("rendered")
    world.notifier.close(job.destination.target_id or 0, GONE)
    fallback, delivery = (
        world.journal.hold("row: fallback_reason options target_id"),
        world.journal.hold("deliver"),
    )
    running = asyncio.create_task(world.run(job))
    await reached(fallback.reached)
    row = await world.row(job.id)
    assert row.destination.target_id == job.destination.channel_id
    assert row.destination.fallback_reason == "gone"
    assert world.notifier.of(job.id, "video") == []
    fallback.open.set()
    await reached(delivery.reached)
    delivery.open.set()
    job = await running
    (video,) = world.notifier.of(job.id, "video")
    assert (job.state, video.channel_id) == (State.DELIVERED, job.destination.channel_id)
    assert job.destination.target_id == video.channel_id


async def test_a_row_without_a_place_learns_where_its_video_went(world: World) -> None:
    job = await world.run(await world.standing("rendered", target_id=None))
    (video,) = world.notifier.of(job.id, "video")
    assert (job.state, job.destination.target_id) == (State.DELIVERED, video.channel_id)


async def test_after_a_crash_it_is_looked_for_in_the_next_place(world: World) -> None:
    job = await world.standing("rendered")
    world.notifier.close(job.destination.target_id or 0, GONE)
    world.journal.hold("deliver")
    running = asyncio.create_task(world.run(job))
    async with asyncio.timeout(PATIENCE):
        while not world.notifier.of(job.id, "video"):  # noqa: ASYNC110 — until it is posted there
            await asyncio.sleep(0.001)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    job = await world.run(job)
    assert (job.state, len(world.notifier.of(job.id, "video"))) == (State.DELIVERED, 1)


async def test_the_places_are_tried_in_their_order_and_each_once(world: World) -> None:
    job = await world.standing("rendered", parent_channel_id=99, options={"private": False})
    for place, reason in (
        (job.destination.target_id, "gone"),
        (job.destination.channel_id, "locked"),
        (99, "forbidden"),
    ):
        world.notifier.close(place or 0, PermanentError("no", reason))
    job = await world.run(job)
    (video,) = world.notifier.of(job.id, "video")
    assert video.channel_id == world.notifier.dm(job.requester.user_id)
    assert (job.destination.target_id, job.destination.fallback_reason) == (video.channel_id, "forbidden")
    assert world.journal.count("deliver …") == 4
    assert world.journal.count("video") == 1  # and fetched once


# An older version's row does not say what kind its thread is, and counts as private.
@pytest.mark.parametrize("options", [{"private": True}, {}])
async def test_from_a_private_thread_it_goes_to_the_requester_only(
    world: World, options: dict[str, bool]
) -> None:
    job = await world.standing("rendered", target_id=None, parent_channel_id=99, options=options)
    world.notifier.close(job.destination.channel_id, GONE)
    job = await world.run(job)
    (video,) = world.notifier.of(job.id, "video")
    assert video.channel_id == world.notifier.dm(job.requester.user_id)
    assert 99 not in [message.channel_id for message in world.notifier.messages]


async def test_a_dm_that_refuses_is_tried_once_and_never_opened_again(world: World) -> None:
    job = await world.standing("rendered", target_id=None, guild_id=None, options={"private": True})
    world.notifier.close(job.destination.channel_id, PermanentError("blocked"))
    job = await world.run(job)
    assert outcome(job) == (State.FAILED, "undelivered", Charge.PAID)
    assert world.notifier.refusals == [job.destination.channel_id]
    assert world.notifier.opened_dms == []


async def test_places_that_refused_are_not_told_of_the_end_either(world: World) -> None:
    job = await world.standing("rendered")
    direct = world.notifier.dm(job.requester.user_id)
    places = [job.destination.target_id, job.destination.channel_id, direct]
    for place in places:
        world.notifier.close(place or 0, GONE)
    job = await world.run(job)
    assert (job.outcome.problem, job.options["tried"]) == ("undelivered", places)
    assert world.notifier.refusals == places


async def test_a_message_that_discord_finds_fault_with_goes_nowhere_else(world: World) -> None:
    job = await world.standing("rendered")
    world.notifier.fail("deliver", MalformedMessage("Discord answered 400, code 50035"))
    job = await world.run(job)
    assert outcome(job) == (State.FAILED, "undelivered", Charge.PAID)
    assert world.journal.count("deliver …") == 1
    assert world.operator.alerts == ["message"]


async def test_what_may_be_there_already_and_cannot_be_seen_is_asked_about(world: World) -> None:
    job = await world.standing("rendered")
    world.notifier.unreadable.add(job.destination.place_id)
    world.journal.hold("deliver")  # posted, and the process dies before it is written down
    running = asyncio.create_task(world.run(job))
    async with asyncio.timeout(PATIENCE):
        while not world.notifier.of(job.id, "video"):  # noqa: ASYNC110 — until it is posted there
            await asyncio.sleep(0.001)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    job = await world.run(job)
    assert outcome(job) == (State.FAILED, "unseen", Charge.PAID)
    assert len(world.notifier.of(job.id, "video")) == 1
    assert [verdict.says for verdict in world.notifier.of(job.id, "verdict")] == ["unseen"]
    # The requester's /show says that it is not there.
    await world.store.look_again(job.id, job.destination.place_id)
    job = await world.run(job)
    assert (job.state, len(world.notifier.of(job.id, "video"))) == (State.DELIVERED, 2)


async def test_with_no_place_left_it_is_undelivered_and_paid(world: World) -> None:
    job = await world.standing("rendered")
    world.notifier.closed_dms.add(job.requester.user_id)
    for place in (job.destination.target_id, job.destination.channel_id):
        world.notifier.close(place or 0, GONE)
    job = await world.run(job)
    assert outcome(job) == (State.FAILED, "undelivered", Charge.PAID)
    assert world.notifier.of(job.id, "video") == []


async def test_an_expired_link_is_asked_for_again(world: World) -> None:
    job = await world.standing("rendered")
    world.novita_files.failures.append(DownloadError("the download answered 403", 403))
    world.novita.on_result.append(Succeeded("https://novita.invalid/fresh.mp4", 60.0))
    job = await world.run(job)
    assert job.state is State.DELIVERED
    assert world.novita_files.urls == ["https://novita.invalid/early.mp4", "https://novita.invalid/fresh.mp4"]
    assert job.task.video_url == "https://novita.invalid/fresh.mp4"
    assert world.novita.prompts == []


async def test_a_file_that_is_no_video_is_fetched_again_a_few_times(world: World) -> None:
    world.pool.failures.extend([NotAVideo("no")] * BROKEN_TRIES)
    assert (await world.run(await world.standing("rendered"))).state is State.DELIVERED


async def test_a_file_that_stays_no_video_is_given_up(world: World) -> None:
    job = await world.standing("rendered")
    world.pool.failures.extend([NotAVideo("no")] * (BROKEN_TRIES + 1))
    job = await world.run(job)
    assert outcome(job) == (State.FAILED, "video_gone", Charge.PAID)
    assert len(world.novita_files.urls) == BROKEN_TRIES + 1
    assert world.notifier.of(job.id, "video") == []


@pytest.mark.parametrize("final", [DownloadTooLarge("600 MB"), AddressRefused("private")])
async def test_what_no_further_try_can_help_is_not_tried_again(world: World, final: DownloadError) -> None:
    world.novita_files.failures.append(final)
    job = await world.run(await world.standing("rendered"))
    assert outcome(job) == (State.FAILED, "video_gone", Charge.PAID)
    assert len(world.novita_files.urls) == 1


async def test_a_video_behind_no_link_that_novita_signs_is_gone_after_an_hour(world: World) -> None:
    job, began = await world.standing("rendered"), world.clock.now
    world.novita_files.failures.extend([DownloadError("the download answered 404", 404)] * 1000)
    job = await world.run(job)
    assert outcome(job) == (State.FAILED, "video_gone", Charge.PAID)
    assert 0 <= world.clock.now - began - RETRY_SECONDS < 120
    assert Sending(because="novita_away") in world.notifier.stages_of(job.id)


@pytest.mark.parametrize("answer", [NO_TASK, TaskFailed("it broke")], ids=str)
async def test_a_video_that_novita_does_not_have_any_more_is_gone(world: World, answer: Any) -> None:
    job = await world.standing("rendered")
    world.novita_files.failures.extend([DownloadError("the download answered 503", 503)] * 1000)
    world.novita.on_result.extend([answer] * (FRESH_TASK_TRIES + 1))
    job = await world.run(job)
    assert outcome(job) == (State.FAILED, "video_gone", Charge.PAID)
    assert len(world.novita.asked) == FRESH_TASK_TRIES + 1


@pytest.mark.parametrize("error", [AddressRefused("private"), DownloadTooLarge("a lot")], ids=repr)
async def test_a_video_that_may_not_be_fetched_is_not_tried_again(world: World, error: DownloadError) -> None:
    job = await world.standing("rendered")
    world.novita_files.failures.extend([error] * 2)
    job = await world.run(job)
    assert outcome(job) == (State.FAILED, "video_gone", Charge.PAID)
    assert len(world.novita_files.urls) == 1


# --- the end is told


async def test_that_people_were_told_is_written_only_after_it(world: World) -> None:
    job = await world.standing("failed", problem="input")
    hold = world.journal.hold("notify …")
    running = asyncio.create_task(world.run(job))
    await reached(hold.reached)
    assert not (await world.row(job.id)).outcome.notified
    assert await world.store.open_jobs() == [job.id]
    hold.open.set()
    assert (await running).outcome.notified


async def test_telling_is_tried_again_and_done_once(world: World) -> None:
    job = await world.standing("failed", problem="input")
    world.notifier.fail("notify", AWAY, times=3)
    world.notifier.lose_answer("notify", times=2)
    job = await world.run(job)
    assert (job.outcome.notified, len(world.notifier.of(job.id, "verdict"))) == (True, 1)


async def test_who_cannot_be_told_is_not_told_for_ever_and_not_said_to_be(world: World) -> None:
    job = await world.standing("failed", problem="input", fallback_reason="gone")
    world.notifier.fail("notify", PermanentError("nowhere"))
    job = await world.run(job)
    assert (job.outcome.notified, job.destination.fallback_reason) == (False, NOWHERE)
    assert await world.store.open_jobs() == []
    await world.run(job)
    assert world.journal.count("notify …") == 1


async def test_who_could_not_be_told_is_told_what_is_new(world: World) -> None:
    job = await a_given_up(world)
    await world.write(job.id, notified=False, fallback_reason=NOWHERE)
    assert await world.store.open_jobs() == [job.id]  # to be looked for
    world.novita.on_result.append(QUEUED)
    job = await world.run(job)
    assert (job.outcome.problem, job.outcome.notified) == ("lost", True)


async def test_with_nobody_in_reach_nobody_is_said_to_know(world: World) -> None:
    job = await world.standing("rendered")
    world.notifier.closed_dms.add(job.requester.user_id)
    for place in (job.destination.target_id, job.destination.channel_id):
        world.notifier.close(place or 0, GONE)
    job = await world.run(job)
    assert (outcome(job), job.outcome.notified) == ((State.FAILED, "undelivered", Charge.PAID), False)
    assert world.notifier.of(job.id, "verdict") == []
    assert await world.store.open_jobs() == []


# --- a stop


async def test_a_stop_waits_until_the_paid_request_is_answered_and_written_down(world: World) -> None:
    job, runner = await world.accept(), world.runner()
    hold = world.journal.hold("arrived")
    running = asyncio.create_task(runner.run(job.id))
    await reached(hold.reached)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    draining = asyncio.create_task(runner.drain(PATIENCE))
    await asyncio.sleep(0)
    assert not draining.done()
    hold.open.set()
    await draining
    row = await world.row(job.id)
    assert (row.state, row.task.task_id) == (State.RENDERING, "task-1")


async def test_a_stop_does_not_wait_for_ever_and_the_next_start_asks_a_person(world: World) -> None:
    job, runner = await world.accept(), world.runner()
    hold = world.journal.hold("arrived")
    running = asyncio.create_task(runner.run(job.id))
    await reached(hold.reached)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await runner.drain(0.01)
    assert (await world.row(job.id)).state is State.SUBMITTING
    assert (await world.run(job)).state is State.UNCONFIRMED
    assert world.novita.prompts == [job.request.prompt]


async def test_a_stop_with_nothing_on_its_way_waits_for_nothing(world: World) -> None:
    await world.runner().drain(PATIENCE)


async def test_forgetting_a_job_drops_its_image(world: World) -> None:
    job = await world.accept()
    await world.images.prepare(job.id, "https://cdn.invalid/x.png", world.a_model)
    assert world.images.held(job.id)
    world.runner().forget(job.id)
    assert world.images.held(job.id) is None


async def test_an_image_that_is_still_held_is_not_fetched_again(world: World) -> None:
    job = await world.accept()
    await world.images.prepare(job.id, "https://cdn.invalid/held.png", world.a_model)
    await world.run(job)
    assert world.discord_files.urls == ["https://cdn.invalid/held.png"]
    assert world.novita.images == [b"bytes of https://cdn.invalid/held.png"]


async def test_what_nobody_foresaw_comes_out_and_drops_the_files(world: World) -> None:
    job = await world.accept()
    world.novita.on_submit.append(Submitted("task-1"))

    async def broken(_job: Job) -> None:
        raise ZeroDivisionError

    world.notifier.find_video = broken  # type: ignore[assignment]
    with pytest.raises(ZeroDivisionError):
        await world.run(job)
    assert list(world.folder.iterdir()) == []
    assert (await world.row(job.id)).state is State.RENDERED
