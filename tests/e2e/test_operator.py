"""What an operator is told, and what goes on meanwhile: keys, commands, the gateway's end, a lost file."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from bot.domain.gateway import RESERVE
from sandbox.client import Person, Sandbox
from tests.support.kinora import ON_SQLITE, Kinora, NewKinora
from tests.support.steps import an_image, animate, assert_same_video, card_says, video_in


@ON_SQLITE
@pytest.mark.parametrize(
    "world",
    [{"balance_forbidden": True}, {"edge_status": 403, "edge_on": "balance"}],
    ids=str,
)
async def test_a_balance_page_that_may_not_be_seen_is_only_a_warning(
    sandbox: Sandbox, new_kinora: NewKinora, world: dict[str, Any]
) -> None:
    await sandbox.novita.settings(**world)
    kinora = await new_kinora().start(online=False)
    await kinora.wait_for_log("key: not checked")
    await kinora.wait_for_log("token: fine")


@ON_SQLITE
async def test_commands_that_were_changed_by_hand_are_synced_again(sandbox: Sandbox, kinora: Kinora) -> None:
    state = await sandbox.discord.state()
    animate_id, options = next((c["id"], c["options"]) for c in state["commands"] if c["name"] == "animate")
    await kinora.stop()
    await kinora.start()
    assert any("commands: unchanged" in line for line in kinora.log)
    api, token = sandbox.environment["discord_api_url"], sandbox.environment["discord_token"]
    url = f"{api}/applications/{state['application_id']}/commands/{animate_id}"
    fewer = {"options": options[:-1]}
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bot {token}"}) as session,
        session.patch(url, json=fewer) as answer,
    ):
        assert answer.status == 200
    await kinora.stop()
    since = len(kinora.log)
    await kinora.start()
    assert any("commands: synced" in line for line in kinora.log[since:])
    assert await commands(sandbox) == state["commands"]


async def commands(sandbox: Sandbox) -> list[dict[str, Any]]:
    """List what Discord has."""
    return [*(await sandbox.discord.state())["commands"]]


@ON_SQLITE
@pytest.mark.parametrize(
    ("code", "says"),
    [
        (4004, "DISCORD_TOKEN is refused by Discord's gateway (close code 4004, authentication failed)"),
        (4011, "KINORA_SHARDS=0/1 is refused by Discord's gateway (close code 4011, sharding required): "),
        (4014, "the intents are refused by Discord's gateway (close code 4014, disallowed intents)"),
    ],
)
async def test_a_connection_closed_for_good_is_named_for_what_it_is(
    sandbox: Sandbox, kinora: Kinora, code: int, says: str
) -> None:
    await sandbox.discord.settings(shards=3)  # it has grown since the start
    await sandbox.discord.close_gateway(code)
    assert await kinora.wait() == 2
    assert says in kinora.log[-1]
    assert ("KINORA_SHARDS=0-2/3" in kinora.log[-1]) is (code == 4011)


@ON_SQLITE
async def test_the_same_is_said_of_one_shard_of_many(sandbox: Sandbox, new_kinora: NewKinora) -> None:
    await sandbox.discord.settings(shards=2)
    kinora = await new_kinora(KINORA_SHARDS="0/2").start()
    await sandbox.discord.close_gateway(4010)
    assert await kinora.wait() == 2
    assert "KINORA_SHARDS=0/2 is refused" in kinora.log[-1]
    assert "KINORA_SHARDS=0-1/2" in kinora.log[-1]


@ON_SQLITE
async def test_the_last_session_starts_are_kept_and_what_is_open_is_delivered(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    await sandbox.novita.settings(render_seconds=600)
    card = await animate(mia, "stills")
    await card_says(mia, card, "Rendering")
    await kinora.kill()
    await sandbox.discord.settings(sessions_remaining=RESERVE)
    await sandbox.novita.forward(3600)
    since = len(kinora.log)
    await kinora.start(online=False)
    await kinora.wait_for_log("gateway: not connected", since)
    await assert_same_video(sandbox, await video_in(mia, card.id))
    state = await sandbox.discord.state()
    assert not any(session["connected"] for session in state["gateway"]["sessions"])


@ON_SQLITE
async def test_a_database_file_that_was_deleted_is_not_paid_on(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    card = await animate(mia, "stills", "Before")
    await video_in(mia, card.id)
    (kinora.folder / "data/kinora.db").unlink()
    run = await mia.run("animate", "Lounge", {"prompt": "After"}, files={"image": ("still.png", an_image())})
    await run.wait_acknowledged()
    refused = await mia.wait_for_message("Lounge", lambda m: m.ephemeral and not m.deferred, 30)
    assert "Nothing was charged" in refused.text
    assert [p["prompt"] for p in await sandbox.novita.payments()] == ["Before"]
    (said,) = [line for line in kinora.log if "was deleted or replaced" in line]
    assert "ERROR" in said
