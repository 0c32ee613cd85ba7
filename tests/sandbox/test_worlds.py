"""What hides troubles until the first day with real services: each world is made, met, and unmade."""

from __future__ import annotations

import io
from typing import Any

import pytest
from aiohttp import web
from PIL import Image

from sandbox.client import Refused
from sandbox.discord.edge import Edge
from sandbox.house import House
from tests.sandbox.conftest import Connect, GatewayClient, Json, Rest, png

HOUR, DAY = 3_600, 86_400


async def invoke(rest: Rest, gateway: GatewayClient, channel: str) -> Json:
    """Run a command of the app's as mia; the interaction as the bot receives it."""
    await rest.command(name="go")
    await rest.sandbox.person("mia").run("go", channel)
    return await gateway.until("INTERACTION_CREATE")


# --- messages older than an hour


async def test_a_channel_takes_three_edits_of_old_messages(rest: Rest) -> None:
    old = [await rest.post("stills", content=str(n)) for n in range(2)]
    elsewhere = await rest.post("news", content="old, too")

    async def edit(message: Json) -> Any:
        path = f"/channels/{message['channel_id']}/messages/{message['id']}"
        return await rest("PATCH", path, {"content": "again"})

    assert [(await edit(old[0])).status for _ in range(4)] == [200] * 4
    await rest.sandbox.discord.forward(HOUR)
    young = await rest.post("stills", content="young")
    assert [(await edit(message)).status for message in (*old, old[0])] == [200] * 3
    refused = await edit(old[1])
    assert (refused.status, refused.code) == (429, 30046)
    assert 0 < refused.body["retry_after"] <= 6
    assert "Via" in refused.headers
    assert (await edit(young)).status == (await edit(elsewhere)).status == 200
    await rest.sandbox.discord.settings(old_edits=0)
    assert (await edit(old[1])).status == 200


# --- the ban


async def test_too_many_invalid_requests_ban_the_address(rest: Rest) -> None:
    discord = rest.sandbox.discord
    await discord.settings(invalid_request_limit=3, ban_seconds=600)

    async def invalid() -> None:
        assert (await rest("GET", "/users/@me", token="wrong")).status == 401

    for _ in range(2):
        await invalid()
    assert (await discord.state())["invalid_requests_in_10_minutes"] == 2
    await discord.forward(600)  # and they are forgotten
    for _ in range(3):
        assert (await rest("GET", "/users/@me")).status == 200
        await invalid()
    banned = await rest("GET", "/users/@me")
    assert (banned.status, banned.headers["Content-Type"]) == (429, "text/html; charset=utf-8")
    assert b"1015" in banned.body
    assert 0 < int(banned.headers["Retry-After"]) <= 600
    assert "Via" not in banned.headers  # by which clients tell the edge's from the API's
    await discord.forward(600)
    assert (await rest("GET", "/users/@me")).status == 200


async def test_what_a_fault_answers_counts_towards_the_ban(rest: Rest) -> None:
    await rest.sandbox.discord.settings(invalid_request_limit=2)
    await rest.sandbox.faults.add("discord", "rate_limit", path="/users/@me", times=2)
    assert (await rest("GET", "/users/@me")).body["retry_after"]
    assert (await rest.sandbox.discord.state())["invalid_requests_in_10_minutes"] == 1
    await rest("GET", "/users/@me")
    assert (await rest("GET", "/users/@me")).headers["Server"] == "cloudflare"
    await rest.sandbox.discord.ban(0)
    assert (await rest("GET", "/users/@me")).status == 200
    await rest.sandbox.discord.ban(60)
    assert (await rest("GET", "/users/@me")).status == 429
    assert (await rest.sandbox.discord.state())["banned_for"] > 0
    await rest.sandbox.discord.ban(0)


async def test_a_shared_limit_is_nobodys_invalid_request(house: House) -> None:
    edge, world = Edge(), house.discord.world
    edge.note(world, web.Response(status=429, headers={"X-RateLimit-Scope": "shared"}))
    assert edge.count(world) == 0
    edge.note(world, web.Response(status=429, headers={"X-RateLimit-Scope": "user"}))
    assert edge.count(world) == 1


# --- an install without the bot, and private threads


async def test_an_install_without_the_bot_says_that_it_may_what_everyone_may(
    rest: Rest, gateway: GatewayClient
) -> None:
    discord = rest.sandbox.discord
    attach_and_embed = 1 << 15 | 1 << 14
    everyone = await discord.role("everyone", deny=["ATTACH_FILES"])
    await discord.remove_bot(commands_stay=True)
    assert (await discord.state())["guilds"][0]["commands_only"]
    asked = await invoke(rest, gateway, "stills")
    assert int(asked["app_permissions"]) == int(everyone["permissions"]) | attach_and_embed
    path = f"/channels/{rest.channels['stills']}"
    for method, below in (("POST", "/messages"), ("GET", ""), ("GET", "/messages")):
        assert (await rest(method, path + below, {"content": "x"})).code == 50001
    assert (await rest.answer(asked, 4, {"content": "The token opens this."})).status == 200
    await discord.add_bot()
    await rest.post("stills", content="back")


@pytest.mark.parametrize("favourable", [False, True])
async def test_a_private_thread_that_the_bot_is_not_in(
    rest: Rest, gateway: GatewayClient, favourable: bool
) -> None:
    send, thread_send = 1 << 11, 1 << 38
    await rest.sandbox.discord.settings(favourable_app_permissions=favourable)
    thread = await rest.sandbox.discord.start_thread("stills", "mia", "Ours", private=True)
    asked = await invoke(rest, gateway, thread.id)
    bits = int(asked["app_permissions"])
    assert bool(bits & send and bits & thread_send) is favourable
    assert (await rest.answer(asked, 4, {"content": "answered"})).status == 200
    # Neither what was said nor the answer makes the bot a member.
    assert (await rest("GET", f"/channels/{thread.id}")).code == 50001
    assert (await rest("POST", f"/channels/{thread.id}/messages", {"content": "x"})).code == 50001


# --- people's direct messages


@pytest.mark.parametrize("code", [50007, 50278])
async def test_a_person_who_refuses_direct_messages(rest: Rest, code: int) -> None:
    mia = rest.sandbox.person("mia")
    dm = await rest.ok("POST", "/users/@me/channels", {"recipient_id": rest.people["mia"]})
    path = f"/channels/{dm['id']}/messages"
    assert (await mia.change(dm_refusal=code))["accepts_dms"] is False
    assert (await rest("POST", path, {"content": "psst"})).code == code
    assert (await mia.change(accepts_dms=True))["dm_refusal"] is None
    await rest.ok("POST", path, {"content": "psst"})


async def test_direct_messages_that_are_opened_too_fast(rest: Rest) -> None:
    await rest.sandbox.person("mia").change(dm_refusal=40003)
    asked = {"recipient_id": rest.people["mia"]}
    refused = await rest("POST", "/users/@me/channels", asked)
    assert (refused.status, refused.code) == (403, 40003)
    await rest.ok("POST", "/users/@me/channels", {"recipient_id": rest.people["rosa"]})
    with pytest.raises(Refused, match="dm_refusal"):
        await rest.sandbox.person("mia").change(dm_refusal=40004)


# --- signed addresses


async def test_an_attachments_signature_covers_its_address_as_it_is_written(rest: Rest) -> None:
    await rest.sandbox.discord.settings(escaped_links=True)
    path = f"/channels/{rest.channels['stills']}/messages"
    posted = await rest.ok("POST", path, {}, files={"files[0]": ("still.png", png())})
    url = posted["attachments"][0]["url"]
    assert "/%73till.png?" in url
    data = await rest.sandbox.download(url)
    assert Image.open(io.BytesIO(data)).size == (640, 480)
    address, _, query = url.partition("?")
    expires, issued, signature, _ = query.split("&")
    for rewritten in (
        url.replace("%73", "s"),
        f"{address}?{issued}&{expires}&{signature}&",
        url.replace("hm=", "hm=0"),
    ):
        with pytest.raises(Refused, match="no longer available"):
            await rest.sandbox.download(rewritten)


# --- session starts


async def test_each_identify_uses_up_a_session_start_and_one_too_many_voids_the_token(
    rest: Rest, connect: Connect
) -> None:
    discord = rest.sandbox.discord

    async def limit() -> Json:
        found: Json = (await rest.ok("GET", "/gateway/bot"))["session_start_limit"]
        return found

    assert (await limit())["total"] == 1000
    await discord.settings(sessions_remaining=2)
    first = await connect()
    await first.identify(rest.token)
    left = await limit()
    assert (left["remaining"], left["max_concurrency"]) == (1, 1)
    assert 0 < left["reset_after"] <= DAY * 1000
    await (await connect()).identify(rest.token)
    last = await connect()
    await last.send(2, {"token": rest.token, "intents": 1, "properties": {}})
    assert await last.close_code() == await first.close_code() == 4004
    assert (await rest("GET", "/users/@me")).status == 401
    assert (await discord.state())["token_reset"]
    await discord.settings(sessions_remaining=1)
    await (await connect()).identify(rest.token)
    assert (await limit())["remaining"] == 0
    await discord.forward(DAY)
    assert (await limit())["remaining"] == 1000


async def test_impossible_settings_are_refused(rest: Rest) -> None:
    for impossible in ({"invalid_request_limit": 0}, {"old_edits": -1}, {"escaped_links": 1}):
        with pytest.raises(Refused, match=next(iter(impossible))):
            await rest.sandbox.discord.settings(**impossible)
