"""What Novita's content rules refuse: off the card, and told to whoever asked for it and to nobody else."""

from __future__ import annotations

import pytest

from sandbox.client import Message, Person, Sandbox
from tests.support.kinora import ON_SQLITE, Kinora
from tests.support.steps import animate, card_says, job_of, title
from tests.support.waiting import until

pytestmark = ON_SQLITE

SUBMIT, RESULT = "^/v3/async/kling", "^/v3/async/task-result"
FOLLOW_UP = r"/webhooks/\d+/[^/]+$"
PROMPT = "Something that nobody else must read"
FAILED_BY_RULES = '{"task": {"status": "TASK_STATUS_FAILED", "reason": "ILLEGAL_IMAGE_CONTENT: a face"}}'


async def refused(sandbox: Sandbox, person: Person, place: str, reason: str = "ILLEGAL_PROMPT") -> Message:
    """Have a render refused by the content rules; give its card as it stands then."""
    await sandbox.faults.add("novita", "error", method="POST", path=SUBMIT, reason=reason)
    card = await animate(person, place, PROMPT, negative_prompt=f"{PROMPT} either")
    return await card_says(person, card, "Failed")


async def told(person: Person, place: str) -> Message:
    """Wait until somebody is told what was refused."""
    return await person.wait_for_message(place, lambda m: "content rules refused" in m.text)


def assert_bare(card: Message) -> None:
    """Look for anything on a card that was asked for."""
    assert title(card) == "Failed"
    assert not card.attachments
    assert not card.images
    assert "This could not be made." in card.text
    assert PROMPT not in card.text
    assert "content rules" not in card.text


async def all_that_is_read(person: Person) -> list[Message]:
    """Read every place that somebody sees."""
    return [message for place in await person.places() for message in await person.messages(place.id)]


@pytest.mark.parametrize(
    ("reason", "says"), [("ILLEGAL_PROMPT", "the prompt"), ("ILLEGAL_IMAGE_CONTENT", "the image")]
)
async def test_it_is_off_the_card_and_told_to_its_requester_alone(
    sandbox: Sandbox, kinora: Kinora, mia: Person, reason: str, says: str
) -> None:
    rosa = sandbox.person("rosa")
    card = await refused(sandbox, mia, "stills", reason)
    assert_bare(card)
    assert "Nothing was charged" in card.text
    answer = await told(mia, "stills")
    assert answer.ephemeral
    assert says in answer.text
    assert PROMPT in answer.text
    assert "Nothing was charged" in answer.text
    await until(lambda: kinora.rows()[0]["told"])
    seen = await all_that_is_read(rosa)
    assert card.id in [message.id for message in seen]
    assert not [m.text for m in seen if PROMPT in m.text or "content rules" in m.text]
    assert [thread.name for thread in await rosa.threads("stills")] == [f"Kinora {job_of(card)}"]
    # Asked for again, it is told again: to whom it concerns.
    for person, answered in ((mia, PROMPT), (rosa, "You have no such job")):
        shown = await (await person.run("show", "Lounge", {"job": job_of(card)})).wait_response()
        assert shown.ephemeral
        assert answered in shown.text


async def test_a_task_that_fails_for_it_is_told_by_direct_message_after_a_restart(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    await sandbox.novita.settings(render_seconds=600)
    card = await animate(mia, "stills", PROMPT)
    await card_says(mia, card, "Rendering")
    await kinora.kill()
    await sandbox.faults.add("novita", "answer", method="GET", path=RESULT, body=FAILED_BY_RULES)
    await kinora.start()
    card = await card_says(mia, card, "Failed")
    assert_bare(card)
    assert "may have been charged" in card.text
    answer = await told(mia, "dm")
    assert "refused the image" in answer.text
    assert PROMPT in answer.text


async def test_a_crash_in_between_leaves_it_off_the_card_and_it_is_told_once(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    await sandbox.faults.add("discord", "error", method="POST", path=FOLLOW_UP, status=404, reason="10015")
    await sandbox.faults.add("discord", "hang", method="POST", path="/users/@me/channels$")
    card = await refused(sandbox, mia, "stills")
    assert_bare(card)
    for _ in range(2):
        await kinora.kill()
        await sandbox.faults.clear()
        await kinora.start()
        await told(mia, "dm")
    await until(lambda: kinora.rows()[0]["told"])
    assert len(await mia.messages("dm")) == 1
    assert not (await mia.wait_for_message("stills", lambda m: m.id == card.id)).attachments


async def test_who_takes_no_direct_message_reads_on_the_card_that_it_could_not_be_made(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    await mia.change(accepts_dms=False)
    await sandbox.faults.add("discord", "error", method="POST", path=FOLLOW_UP, status=404, reason="10015")
    card = await refused(sandbox, mia, "stills")
    assert_bare(card)
    await until(lambda: kinora.rows()[0]["told"])
    assert not [m.text for m in await all_that_is_read(mia) if "content rules" in m.text]


async def test_one_that_was_rendered_again_is_off_the_first_card_too(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    await sandbox.faults.add("novita", "drop_after", method="POST", path=SUBMIT)
    card = await animate(mia, "stills", PROMPT)
    asked = await mia.wait_for_message(card.id, lambda m: bool(m.controls))
    await sandbox.faults.add("novita", "error", method="POST", path=SUBMIT, reason="ILLEGAL_PROMPT")
    await (await mia.click(asked, f"kinora:again:{job_of(card)}")).wait_acknowledged()
    await told(mia, "dm")
    await until(lambda: all(row["told"] for row in kinora.rows()))
    seen = await all_that_is_read(sandbox.person("rosa"))
    (first,) = (message for message in seen if message.id == card.id)
    assert not first.attachments
    assert job_of(first) == job_of(card)
    assert not [m.text for m in seen if PROMPT in m.text]
    assert all(PROMPT not in thread.name for thread in await mia.threads("stills"))


async def test_in_a_direct_message_it_is_told_there(sandbox: Sandbox, kinora: Kinora, mia: Person) -> None:
    await mia.open_dm()
    card = await refused(sandbox, mia, "dm")
    assert_bare(card)
    answer = await told(mia, "dm")
    assert not answer.ephemeral
    assert PROMPT in answer.text
