"""Everything Novita may answer: what the asker reads, what the operator reads, and what it costs."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.client import Message, Person, Sandbox
from tests.support.kinora import Kinora, NewKinora
from tests.support.steps import animate, assert_same_video, card_says, job_of, message_of, video_in

SUBMIT, RESULT = "^/v3/async/kling", "^/v3/async/task-result"


async def verdict(person: Person, card: Message) -> Message:
    """Wait for the message that tells how a job ended without a video."""
    return await person.wait_for_message(card.id, lambda m: m.embeds and "What happened" in m.text)


async def submits(sandbox: Sandbox) -> list[dict[str, Any]]:
    """List the paid requests that reached Novita since the last reset."""
    return [e for e in await sandbox.wire(side="novita") if e["method"] == "POST"]


REFUSALS = {
    # reason: (what the asker reads, what the operator reads at ERROR; None: it is none of the operator's)
    "INVALID_REQUEST_BODY": ("did not accept the request", None),
    "IMAGE_FILE_EXCEEDS_MAX_SIZE": ("its file is too large", None),
    "INVALID_IMAGE_FORMAT": ("format is not one it reads", None),
    "IMAGE_EXCEEDS_MAX_RESOLUTION": ("has too many pixels", None),
    "INVALID_IMAGE_SIZE": ("size or shape", None),
    # What the content rules refuse is told to nobody else: tests/e2e/test_withheld.py.
    "MISSING_API_KEY": ("not your fault", "check NOVITA_API_KEY"),
    "INVALID_API_KEY": ("not your fault", "check NOVITA_API_KEY"),
    "API_NOT_ALLOWED": ("not your fault", "check NOVITA_API_KEY"),
    "FEATURE_NOT_ALLOWED": ("not your fault", "check NOVITA_API_KEY"),
    "NEED_REAL_NAME_VERIFY": ("not your fault", "check NOVITA_API_KEY"),
    "BILLING_BALANCE_NOT_ENOUGH": ("out of funds", "top it up"),
    "NOT_ENOUGH_BALANCE": ("out of funds", "top it up"),
    "API_NOT_FOUND": ("Render with Kling 3.0 Standard · $0.42", "kling-v3.0-std-i2v"),
    # The default by now: the one before is known to be gone.
    "FUSION_MODEL_NOT_FOUND": ("Render with Kling 3.0 Pro · $0.56", "people can choose"),
}


async def test_every_refusal_is_told_to_whom_it_concerns(sandbox: Sandbox, kinora: Kinora) -> None:
    for number, (reason, (asker_reads, operator_reads)) in enumerate(REFUSALS.items()):
        person = sandbox.person(("mia", "rosa")[number % 2])
        await sandbox.faults.add("novita", "error", method="POST", path=SUBMIT, reason=reason)
        since = len(kinora.log)
        card = await animate(person, "Lounge", f"A prompt for {reason}")
        told = await message_of(person, "Lounge", job_of(card), "What happened")
        assert told.pings == [person.name], reason
        assert asker_reads in told.text, reason
        assert "Nothing was charged" in told.text, reason
        assert f"A prompt for {reason}" in told.text.replace("\\", ""), reason
        errors = [line for line in kinora.log[since:] if " ERROR " in line]
        assert len(errors) == (operator_reads is not None), (reason, errors)
        assert all(operator_reads in line and job_of(card) in line for line in errors if operator_reads), (
            reason
        )
    assert await sandbox.novita.payments() == []
    await kinora.stop()  # the cards' last edits pass Discord's rate limit at their own pace


async def test_a_retired_model_end_to_end(sandbox: Sandbox, kinora: Kinora, mia: Person) -> None:
    await sandbox.novita.settings(retired=["kling-2.5-turbo-i2v"])
    card = await animate(mia, "stills")
    (offered,) = (await verdict(mia, card)).controls
    assert "Kling 3.0 Standard" in offered["label"]
    again = await animate(mia, "stills", model="kling-v3.0-std-i2v")
    await assert_same_video(sandbox, await video_in(mia, again.id))


@pytest.mark.parametrize("reason", ["RATE_LIMIT_EXCEEDED", "BILLING_AUTH_FAILED", "SERVICE_NOT_AVAILABLE"])
async def test_what_only_needs_time_is_waited_for(
    sandbox: Sandbox, kinora: Kinora, mia: Person, reason: str
) -> None:
    await sandbox.faults.add("novita", "error", method="POST", path=SUBMIT, reason=reason, times=2)
    card = await animate(mia, "stills")
    await assert_same_video(sandbox, await video_in(mia, card.id))


async def test_retry_after_is_honoured(sandbox: Sandbox, kinora: Kinora, mia: Person) -> None:
    await sandbox.faults.add("novita", "rate_limit", method="POST", path=SUBMIT, retry_after=2)
    card = await animate(mia, "stills")
    await video_in(mia, card.id)
    refused, taken = await submits(sandbox)
    assert (refused["status"], taken["status"]) == (429, 200)
    assert taken["at"] - refused["at"] >= 2


LOST: list[tuple[str, dict[str, Any]]] = [
    ("drop_after", {}),
    ("error_after", {"status": 502}),
    ("html", {"status": 502}),
    ("html", {"status": 504}),
    ("error", {"status": 503}),
    ("drop_before", {}),
    ("truncate", {}),
    ("reset_upload", {}),
    # More of those that answer wrongly are in tests/reliability/test_wrong_answers.py.
    ("error", {"reason": "CREATE_TASK_FAILED"}),
    ("answer_after", {"body": '{"task_id": "\\ud83c"}'}),
]


@pytest.mark.parametrize(
    ("kind", "fields"), LOST, ids=[" ".join(map(str, [k, *f.values()])) for k, f in LOST]
)
async def test_a_lost_answer_is_asked_about_and_never_paid_twice(
    sandbox: Sandbox, kinora: Kinora, mia: Person, kind: str, fields: dict[str, Any]
) -> None:
    await sandbox.faults.add("novita", kind, method="POST", path=SUBMIT, **fields)
    card = await animate(mia, "stills")
    told = await verdict(mia, card)
    assert "nobody can tell" in told.text
    assert job_of(card) in told.text
    await card_says(mia, card, "Unconfirmed")
    assert len(await sandbox.novita.payments()) <= 1
    assert len(await submits(sandbox)) == 1
    assert any(" ERROR " in line and job_of(card) in line for line in kinora.log)


async def test_novita_unreachable_is_waited_for_since_nothing_was_sent(
    sandbox: Sandbox, new_kinora: NewKinora, mia: Person, unused_tcp_port: int
) -> None:
    kinora = await new_kinora(NOVITA_API_URL=f"http://127.0.0.1:{unused_tcp_port}").start()
    card = await animate(mia, "stills")
    await mia.wait_for_message("stills", lambda m: m.id == card.id and "Novita does not answer" in m.text)
    assert await kinora.stop() == 0
    kinora.change(NOVITA_API_URL=sandbox.environment["novita_api_url"])
    await kinora.start()
    await assert_same_video(sandbox, await video_in(mia, card.id))


POLLS: list[tuple[str, dict[str, Any]]] = [
    ("error", {"reason": "GET_RESULT_FAILED"}),
    ("error", {"reason": "TASK_NOT_FOUND"}),
    ("error", {"status": 503}),
    ("html", {"status": 502}),
    ("rate_limit", {"retry_after": 1}),
    ("drop_before", {}),
    ("truncate", {}),
]


@pytest.mark.parametrize(
    ("kind", "fields"), POLLS, ids=[" ".join(map(str, [k, *f.values()])) for k, f in POLLS]
)
async def test_a_failed_poll_is_only_asked_again(
    sandbox: Sandbox, kinora: Kinora, mia: Person, kind: str, fields: dict[str, Any]
) -> None:
    await sandbox.faults.add("novita", kind, method="GET", path=RESULT, times=2, **fields)
    card = await animate(mia, "stills")
    await assert_same_video(sandbox, await video_in(mia, card.id))


async def test_a_task_is_never_two_jobs(sandbox: Sandbox, kinora: Kinora, mia: Person) -> None:
    first = await animate(mia, "stills")
    await assert_same_video(sandbox, await video_in(mia, first.id))
    (task,) = await sandbox.novita.tasks()
    taken = f'{{"task_id": "{task["id"]}"}}'
    await sandbox.faults.add("novita", "answer_after", method="POST", path=SUBMIT, body=taken)
    second = await animate(mia, "stills", "Another")
    assert "nobody can tell" in (await verdict(mia, second)).text
    assert [row["task_id"] for row in kinora.rows() if row["prompt"] == "Another"] == [None]


async def test_half_an_emoji_in_a_reason_stops_nothing(sandbox: Sandbox, kinora: Kinora, mia: Person) -> None:
    body = r'{"task": {"status": "TASK_STATUS_FAILED", "reason": "no \ud83c\u0000\n2026 ERROR bot: forged"}}'
    await sandbox.faults.add("novita", "answer", method="GET", path=RESULT, body=body)
    told = await verdict(mia, await animate(mia, "stills"))
    assert "could not finish the render" in told.text
    assert not any(line.startswith("2026 ERROR") for line in kinora.log)


async def test_an_unknown_status_is_still_pending(sandbox: Sandbox, kinora: Kinora, mia: Person) -> None:
    await sandbox.novita.settings(status_override="TASK_STATUS_UNKNOWN", status_override_polls=2)
    card = await animate(mia, "stills")
    await assert_same_video(sandbox, await video_in(mia, card.id))
    assert any("TASK_STATUS_UNKNOWN" in line for line in kinora.log)


async def test_a_lean_answer_is_understood(sandbox: Sandbox, kinora: Kinora, mia: Person) -> None:
    await sandbox.novita.settings(shape="lean")
    card = await animate(mia, "stills")
    await assert_same_video(sandbox, await video_in(mia, card.id))


async def test_a_task_that_fails_is_told_with_its_ids(sandbox: Sandbox, kinora: Kinora, mia: Person) -> None:
    card = await animate(mia, "stills", "fail-sandbox-render")
    told = await verdict(mia, card)
    (task,) = await sandbox.novita.tasks()
    assert task["id"] in told.text
    assert job_of(card) in told.text
    assert "could not finish the render" in told.text


async def test_a_render_that_never_ends_is_given_up_with_its_task_id(
    sandbox: Sandbox, new_kinora: NewKinora, mia: Person
) -> None:
    await new_kinora(KINORA_RENDER_TIMEOUT_MINUTES="0.05").start()
    await sandbox.novita.settings(render_seconds=600)
    card = await animate(mia, "stills")
    told = await verdict(mia, card)
    (task,) = await sandbox.novita.tasks()
    assert "not ready after" in told.text
    assert task["id"] in told.text


@pytest.mark.parametrize("kind", ["drop_before", "truncate", "html"])
async def test_a_broken_download_is_repeated(
    sandbox: Sandbox, kinora: Kinora, mia: Person, kind: str
) -> None:
    await sandbox.faults.add("novita", kind, method="GET", path="^/files/", times=2)
    card = await animate(mia, "stills")
    await assert_same_video(sandbox, await video_in(mia, card.id))


async def test_a_dead_link_is_signed_afresh(sandbox: Sandbox, kinora: Kinora, mia: Person) -> None:
    await sandbox.novita.settings(video_ttl=1)
    fault = await sandbox.faults.add("novita", "error", method="GET", path="^/files/", status=503, times=1)
    card = await animate(mia, "stills")
    await card_says(mia, card, "Sending")
    await sandbox.novita.forward(5)
    await assert_same_video(sandbox, await video_in(mia, card.id))
    assert fault["times"] == 1
