"""PostgreSQL away for a while: people get an honest sentence, and work goes on by itself, paid once."""

from __future__ import annotations

import asyncio
import secrets
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from sandbox.client import Interaction, Message, Person, Sandbox
from tests.e2e.test_show import delivered
from tests.e2e.test_unconfirmed import button, unconfirmed
from tests.support.kinora import ONLINE, Kinora, NewKinora
from tests.support.postgres import Postgres
from tests.support.steps import an_image, animate, assert_same_video, card_says, job_of, video_in

BACK = "the database is back"
AWAYS = pytest.mark.parametrize(
    ("leave", "come_back"),
    [(Postgres.stop, Postgres.start), (Postgres.pause, Postgres.resume)],
    ids=["stopped", "silent"],
)
Step = Callable[[Postgres], None]


@pytest.fixture
async def engine() -> AsyncIterator[Postgres]:
    """A server that nobody else uses."""
    server = await asyncio.to_thread(
        Postgres, Path(tempfile.gettempdir()) / f"kinora-postgres-{secrets.token_hex(6)}"
    )
    yield server
    server.resume()
    await asyncio.to_thread(server.close)


async def order(person: Person, place: str, prompt: str) -> Interaction:
    """Run /animate, whatever comes of it."""
    run = await person.run("animate", place, {"prompt": prompt}, files={"image": ("still.png", an_image())})
    await run.wait_acknowledged()
    return run


async def told(person: Person, place: str) -> Message:
    """Wait for the private answer."""
    return await person.wait_for_message(place, lambda m: m.ephemeral and not m.deferred, 30)


@AWAYS
async def test_work_goes_on_by_itself(
    sandbox: Sandbox, kinora: Kinora, engine: Postgres, mia: Person, leave: Step, come_back: Step
) -> None:
    await sandbox.novita.settings(render_seconds=600)
    card = await animate(mia, "stills", "On its way")
    await card_says(mia, card, "Rendering")
    await asyncio.to_thread(leave, engine)
    await sandbox.novita.forward(3600)
    rosa = sandbox.person("rosa")
    await order(rosa, "Lounge", "In between")
    refused = await told(rosa, "Lounge")
    assert "Kinora's database" in refused.text
    assert "In between" in refused.text
    assert await mia.autocomplete("show", "Lounge", "job", "") == []
    await asyncio.to_thread(come_back, engine)
    await assert_same_video(sandbox, await video_in(mia, card.id))
    await card_says(mia, card, "Done")
    await sandbox.novita.settings(render_seconds=0.1)
    again = await animate(rosa, "stills", "Afterwards")
    await video_in(rosa, again.id)
    assert [p["prompt"] for p in await sandbox.novita.payments()] == ["On its way", "Afterwards"]


@AWAYS
async def test_whatever_is_done_meanwhile_is_answered(
    sandbox: Sandbox, kinora: Kinora, engine: Postgres, mia: Person, leave: Step, come_back: Step
) -> None:
    card, _ = await delivered(mia)
    _, question = await unconfirmed(sandbox, mia)
    buttons = [button(question, words) for words in ("Render again", "Let it go")]
    await asyncio.to_thread(leave, engine)

    async def answer(place: str) -> str:
        message = await told(mia, place)
        await mia.delete(message)
        return message.text

    await order(mia, "Lounge", "In between")
    refused = await answer("Lounge")
    assert "Kinora's database" in refused
    assert "Nothing was charged" in refused
    await (await mia.run("show", "Lounge", {"job": job_of(card)})).wait_acknowledged()
    assert "Nothing was charged" not in (shown := await answer("Lounge"))
    assert "Kinora's database" in shown
    for custom_id in buttons:
        await (await mia.click(question, custom_id)).wait_acknowledged()
        assert "Nothing was charged" not in (pressed := await answer(question.channel_id))
        assert "Kinora's database" in pressed
    assert await mia.autocomplete("show", "Lounge", "job", "") == []
    assert [line for line in kinora.log if "nothing to choose from (DatabaseUnavailable)" in line]
    for place in await mia.places():
        assert not [message.text for message in await mia.messages(place.id) if message.deferred]

    await asyncio.to_thread(come_back, engine)
    while await mia.autocomplete("show", "Lounge", "job", "") == []:
        pass  # it is not found again yet
    await (await mia.click(question, buttons[1])).wait_acknowledged()
    settled = await mia.wait_for_message(
        question.channel_id, lambda m: m.id == question.id and not m.controls
    )
    assert "Let go" in settled.text
    assert len(await sandbox.novita.payments()) == 2


async def test_a_start_waits_for_it(new_kinora: NewKinora, engine: Postgres) -> None:
    kinora = new_kinora(DATABASE_URL=await engine.database())
    await asyncio.to_thread(engine.stop)
    await kinora.start(online=False)
    await kinora.wait_for_log("the database does not answer")
    await asyncio.to_thread(engine.start)
    await kinora.wait_for_log(ONLINE)
    assert BACK in kinora.text
