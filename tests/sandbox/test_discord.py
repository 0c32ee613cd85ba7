"""The Discord stand-in, seen by a bot over raw REST and gateway, by discord.py, and by the people in it."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator
from typing import Any

import aiohttp
import discord
import pytest
from discord import app_commands

from sandbox.client import Interaction, Message, Refused, Sandbox
from sandbox.client import start as start_sandbox
from tests.sandbox.conftest import Answer, Connect, GatewayClient, Json, Rest, Run, png

MIB = 2**20
EPHEMERAL, V2 = 64, 1 << 15


def errors(answer: Answer, *path: str | int) -> list[str]:
    """The codes of the form errors at a path."""
    assert (answer.status, answer.code) == (400, 50035), answer
    node = answer.body["errors"]
    for key in path:
        node = node[str(key)]
    return [e["code"] for e in node["_errors"]]


async def invoke(
    rest: Rest, gateway: GatewayClient, channel: str = "stills", person: str = "mia", **given: Any
) -> Json:
    """Run a command without options as a person; the interaction as the bot receives it."""
    await rest.command(name="go", **given)
    await rest.sandbox.person(person).run("go", channel)
    return await gateway.until("INTERACTION_CREATE")


# --- logging in


async def test_login_routes(rest: Rest) -> None:
    me = await rest.ok("GET", "/users/@me")
    assert me["id"] == rest.application_id
    assert me["bot"]
    app = await rest.ok("GET", "/oauth2/applications/@me")
    assert app["owner"]["username"] == "olivia"
    assert (await rest.ok("GET", "/applications/@me"))["id"] == rest.application_id
    assert (await rest.ok("GET", "/gateway/bot"))["shards"] == 1
    assert (await rest.ok("GET", "/users/@me/guilds"))[0]["id"] == rest.guild_id
    guild = await rest.ok("GET", f"/guilds/{rest.guild_id}?with_counts=true")
    assert guild["approximate_member_count"] == 5
    assert len(await rest.ok("GET", f"/guilds/{rest.guild_id}/channels")) == 10
    assert {r["name"] for r in await rest.ok("GET", f"/guilds/{rest.guild_id}/roles")} >= {
        "@everyone",
        "Kinora",
    }


async def test_the_bots_guilds_come_in_pages(rest: Rest) -> None:
    path, guild = "/users/@me/guilds", int(rest.guild_id)
    [plain] = await rest.ok("GET", path)
    assert "approximate_member_count" not in plain
    [counted] = await rest.ok("GET", f"{path}?with_counts=true&limit=1&after={guild - 1}")
    assert (counted["approximate_member_count"], counted["approximate_presence_count"]) == (5, 5)
    assert await rest.ok("GET", f"{path}?after={guild}") == []
    assert await rest.ok("GET", f"{path}?before={guild}") == []
    assert [g["id"] for g in await rest.ok("GET", f"{path}?before={guild + 1}")] == [rest.guild_id]
    for limit in ("0", "201", "many"):
        assert (await rest("GET", f"{path}?limit={limit}")).code == 50035


async def test_answers_have_discords_shape(rest: Rest) -> None:
    answer = await rest("GET", "/users/@me", token="wrong")
    assert (answer.status, answer.body) == (401, {"message": "401: Unauthorized", "code": 0})
    assert answer.headers["Content-Type"] == "application/json"
    assert {"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Bucket", "Via"} <= set(answer.headers)
    assert (await rest("GET", "/nothing")).body == {"message": "404: Not Found", "code": 0}
    assert (await rest("PUT", "/users/@me")).body == {"message": "405: Method Not Allowed", "code": 0}
    assert (await rest("GET", "/channels/1")).code == 10003
    assert (await rest("GET", "/guilds/1")).code == 10004
    assert errors(await rest("GET", "/channels/x"), "channel_id") == ["NUMBER_TYPE_COERCE"]


async def test_rate_limits(rest: Rest) -> None:
    await rest.sandbox.discord.settings(rate_limits=True)
    path = f"/channels/{rest.channels['stills']}/messages"
    answers = [await rest("POST", path, {"content": "x"}) for _ in range(6)]
    assert [a.status for a in answers] == [200] * 5 + [429]
    assert answers[4].headers["X-RateLimit-Remaining"] == "0"
    refused = answers[5]
    assert refused.headers["Via"]
    assert refused.headers["X-RateLimit-Scope"] == "user"
    assert 0 < refused.body["retry_after"] <= 5
    assert not refused.body["global"]
    # Another channel has a bucket of its own.
    assert (
        await rest("POST", f"/channels/{rest.channels['Lounge']}/messages", {"content": "x"})
    ).status == 200


async def test_global_rate_limit(rest: Rest) -> None:
    await rest.sandbox.discord.settings(rate_limits=True)
    answers = await asyncio.gather(*(rest("GET", f"/users/{n}") for n in range(60)))
    worldwide = [a for a in answers if a.status == 429 and a.body["global"]]
    assert worldwide
    assert worldwide[0].headers["X-RateLimit-Global"] == "true"


# --- messages


async def test_message_limits(rest: Rest) -> None:
    path = f"/channels/{rest.channels['stills']}/messages"

    async def refused(*where: str | int, **body: Any) -> list[str]:
        return errors(await rest("POST", path, body), *where)

    assert await refused("content", content="x" * 2001) == ["BASE_TYPE_MAX_LENGTH"]
    assert await refused("embeds", 0, "title", embeds=[{"title": "x" * 257}]) == ["BASE_TYPE_MAX_LENGTH"]
    assert await refused("embeds", 0, "description", embeds=[{"description": "x" * 4097}])
    assert await refused("embeds", 0, "footer", "text", embeds=[{"footer": {"text": "x" * 2049}}])
    assert await refused("embeds", 0, "author", "name", embeds=[{"author": {"name": "x" * 257}}])
    assert await refused("embeds", embeds=[{"title": "x"}] * 11) == ["BASE_TYPE_MAX_LENGTH"]
    field = {"name": "n", "value": "v" * 1025}
    assert await refused("embeds", 0, "fields", 0, "value", embeds=[{"fields": [field]}])
    assert await refused("embeds", 0, "fields", embeds=[{"fields": [{"name": "n", "value": "v"}] * 26}])
    assert await refused("embeds", embeds=[{"description": "x" * 3001}] * 2) == ["MAX_EMBED_SIZE_EXCEEDED"]
    assert await refused("nonce", content="x", nonce="n" * 26) == ["BASE_TYPE_MAX_LENGTH"]
    assert await refused("attachments", 0, "id", content="x", attachments=[{"id": 0}])
    exclusive = {"parse": ["users"], "users": ["1"]}
    assert await refused("allowed_mentions", content="x", allowed_mentions=exclusive)
    assert (await rest("POST", path, {"content": "  "})).code == 50006
    assert (await rest("POST", path, {})).code == 50006
    assert (await rest.post("stills", content="x" * 2000))["content"] == "x" * 2000


def button(**fields: Any) -> Json:
    return {"type": 2, "style": 1, "custom_id": "x", "label": "y"} | fields


def row(*components: Json) -> Json:
    return {"type": 1, "components": list(components)}


@pytest.mark.parametrize(
    ("component", "where"),
    [
        (row(), ("components",)),
        (row(button(custom_id="x" * 101)), ("components", 0, "custom_id")),
        (row(button(label="y" * 81)), ("components", 0, "label")),
        (row(button(), button()), ("components", 1, "custom_id")),
        (row({"type": 2, "style": 5, "label": "y"}), ("components", 0, "url")),
        (row(*(button(custom_id=str(n)) for n in range(6))), ("components",)),
        (row({"type": 3, "custom_id": "x", "options": []}), ("components", 0, "options")),
        ({"type": 10, "content": "only with the flag"}, ("type",)),
    ],
)
async def test_component_limits(rest: Rest, component: Json, where: tuple[str | int, ...]) -> None:
    path = f"/channels/{rest.channels['stills']}/messages"
    answer = await rest("POST", path, {"content": "x", "components": [component]})
    assert errors(answer, "components", 0, *where)


async def test_components_v2(rest: Rest) -> None:
    path = f"/channels/{rest.channels['stills']}/messages"
    text = {"type": 10, "content": "hello"}
    both = {"content": "x", "flags": V2, "components": [text]}
    assert errors(await rest("POST", path, both), "content")
    assert errors(await rest("POST", path, {"flags": V2, "components": [text] * 41}), "components")
    gallery = {"type": 12, "items": [{"media": {"url": "attachment://a.png"}}]}
    card = {"type": 17, "components": [text, gallery, {"type": 13, "file": {"url": "attachment://a.png"}}]}
    body = {"flags": V2, "components": [card], "attachments": [{"id": 0, "filename": "a.png"}]}
    message = await rest.ok("POST", path, body, files={"files[0]": ("a.png", png(32, 16))})
    container = message["components"][0]
    assert [c["id"] for c in (container, *container["components"])] == [1, 2, 3, 4]
    media = container["components"][1]["items"][0]["media"]
    assert (media["width"], media["height"]) == (32, 16)
    assert media["attachment_id"] == message["attachments"][0]["id"]
    assert container["components"][2]["size"] == len(png(32, 16))
    assert await rest.sandbox.download(media["url"]) == png(32, 16)
    edited = await rest.ok("PATCH", f"{path}/{message['id']}", {"components": [text]})
    assert edited["flags"] & V2


async def test_attachments(rest: Rest) -> None:
    path = f"/channels/{rest.channels['stills']}/messages"
    files = {"files[0]": ("my still.PNG", png(40, 30)), "files[1]": ("notes.txt", b"hello")}
    body = {
        "attachments": [{"id": 0, "filename": "my still.PNG", "description": "a still"}, {"id": 1}],
        "embeds": [{"image": {"url": "attachment://notes.txt"}}],
    }
    message = await rest.ok("POST", path, body, files=files)
    [still] = message["attachments"]  # what an embed shows is not listed as well
    assert (still["filename"], still["content_type"]) == ("my_still.PNG", "image/png")
    assert (still["width"], still["height"], still["description"]) == (40, 30, "a still")
    assert await rest.sandbox.download(message["embeds"][0]["image"]["url"]) == b"hello"
    # Embedded by its address, as after an edit with a fetched embed, it is listed too.
    by_url = {"embeds": [{"image": {"url": message["embeds"][0]["image"]["url"]}}]}
    edited = await rest.ok("PATCH", f"{path}/{message['id']}", by_url)
    assert len(edited["attachments"]) == 2
    # Keep one, drop the other, add a third.
    body = {"embeds": [], "attachments": [{"id": still["id"]}, {"id": "0", "filename": "new.bin"}]}
    one = f"{path}/{message['id']}"
    edited = await rest.ok("PATCH", one, body, files={"files[0]": ("new.bin", b"new")})
    assert [a["filename"] for a in edited["attachments"]] == ["my_still.PNG", "new.bin"]
    assert edited["edited_timestamp"]
    with pytest.raises(Refused, match=r"This content is no longer available\."):
        await rest.sandbox.download(message["embeds"][0]["image"]["url"])
    assert (await rest("PATCH", one, {"attachments": []})).code == 50006
    await rest.ok("DELETE", one)
    assert (await rest("GET", one)).code == 10008
    with pytest.raises(Refused):
        await rest.sandbox.download(still["url"])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--x\r\nno header\r\n\r\nwords\r\n--x--\r\n",
        b'--x\r\n"\x00": a\r\n\r\nwords\r\n--x--\r\n',
        b"no boundary",
    ],
)
async def test_a_multipart_body_that_is_none(rest: Rest, body: bytes) -> None:
    headers = {"Authorization": f"Bot {rest.token}", "Content-Type": "multipart/form-data; boundary=x"}
    url = f"{rest.api}/channels/{rest.channels['stills']}/messages"
    async with rest.session.post(url, data=body, headers=headers) as answer:
        assert answer.status == 400
        assert (await answer.json())["code"] in (50109, 50006)  # or it is a message with nothing in it


@pytest.mark.parametrize(
    ("given", "kept"),
    [("a b.png", "a_b.png"), ("../../x.png", "x.png"), ("фото.JPG", "unknown.JPG"), ('a"b;.mp4', "ab.mp4")],
)
async def test_file_names(rest: Rest, given: str, kept: str) -> None:
    path = f"/channels/{rest.channels['stills']}/messages"
    body = {"attachments": [{"id": 0, "filename": given}]}
    message = await rest.ok("POST", path, body, files={"files[0]": ("x", b"hello")})
    assert message["attachments"][0]["filename"] == kept
    assert await rest.sandbox.download(message["attachments"][0]["url"]) == b"hello"


async def test_cdn(rest: Rest) -> None:
    path = f"/channels/{rest.channels['stills']}/messages"
    message = await rest.ok("POST", path, {}, files={"files[0]": ("a.mp4", bytes(range(256)) * 64)})
    url = message["attachments"][0]["url"]
    async with rest.session.get(url, headers={"Range": "bytes=10-19"}) as part:
        assert part.status == 206
        assert await part.read() == bytes(range(10, 20))
        assert part.headers["Content-Type"] == "video/mp4"
    async with rest.session.get(url.replace("hm=", "hm=0")) as forged:
        assert (forged.status, await forged.text()) == (404, "This content is no longer available.")
    await rest.sandbox.discord.forward(15 * 86_400)
    async with rest.session.get(url) as late:
        assert late.status == 404
    fresh = (await rest.ok("GET", f"{path}/{message['id']}"))["attachments"][0]["url"]
    assert len(await rest.sandbox.download(fresh)) == 256 * 64
    people = await rest.sandbox.get("/discord/people")
    assert (await rest.sandbox.download(people["people"][0]["avatar_url"])).startswith(b"\x89PNG")


async def test_upload_limits(rest: Rest) -> None:
    path = f"/channels/{rest.channels['stills']}/messages"
    large = {"files[0]": ("large.mp4", b"x" * (10 * MIB + 1))}
    answer = await rest("POST", path, {}, files=large)
    assert (answer.status, answer.code) == (413, 40005)
    await rest.sandbox.discord.guild(premium_tier=2)
    assert (await rest("POST", path, {}, files=large)).status == 200
    await rest.sandbox.discord.guild(premium_tier=0)
    await rest.sandbox.discord.settings(default_upload_limit=1000)
    assert (await rest("POST", path, {}, files={"files[0]": ("a", b"x" * 1000)})).status == 200
    assert (await rest("POST", path, {}, files={"files[0]": ("a", b"x" * 1001)})).code == 40005


async def test_nonce(rest: Rest) -> None:
    path = f"/channels/{rest.channels['stills']}/messages"
    body = {"content": "once", "nonce": "job-1", "enforce_nonce": True}
    at_once = await asyncio.gather(*(rest.ok("POST", path, body) for _ in range(3)))
    assert len({m["id"] for m in at_once}) == 1
    assert at_once[0]["nonce"] == "job-1"
    assert (await rest.post("Lounge", **body))["id"] != at_once[0]["id"]
    assert (await rest.post("stills", content="x", nonce="job-1"))["id"] != at_once[0]["id"]
    await rest.sandbox.discord.forward(3600)
    assert (await rest.post("stills", **body))["id"] != at_once[0]["id"]


async def test_nonce_after_a_lost_answer(rest: Rest) -> None:
    await rest.sandbox.faults.add("discord", "drop_after", method="POST", path="/messages$")
    body = {"content": "once", "nonce": "job-2", "enforce_nonce": True}
    with pytest.raises(aiohttp.ClientError):
        await rest.post("stills", **body)
    again = await rest.post("stills", **body)
    seen = await rest.sandbox.person("mia").messages("stills")
    assert [m.id for m in seen] == [again["id"]]


async def test_list_and_reply(rest: Rest) -> None:
    ids = [(await rest.post("stills", content=str(n)))["id"] for n in range(5)]
    path = f"/channels/{rest.channels['stills']}/messages"

    async def listed(query: str) -> list[int]:
        return [ids.index(m["id"]) for m in await rest.ok("GET", f"{path}?{query}")]

    assert await listed("limit=2") == [4, 3]
    assert await listed(f"before={ids[2]}") == [1, 0]
    assert await listed(f"after={ids[2]}&limit=1") == [3]
    assert await listed(f"around={ids[2]}&limit=3") == [3, 2, 1]
    assert errors(await rest("GET", f"{path}?limit=101"), "limit") == ["NUMBER_TYPE_MAX"]
    reply = await rest.post("stills", content="re", message_reference={"message_id": ids[0]})
    assert (reply["type"], reply["referenced_message"]["id"]) == (19, ids[0])
    gone = {"message_id": "1"}
    answer = await rest("POST", path, {"content": "re", "message_reference": gone})
    assert errors(answer, "message_reference") == ["REPLIES_UNKNOWN_MESSAGE"]
    lenient = gone | {"fail_if_not_exists": False}
    assert (await rest.post("stills", content="re", message_reference=lenient))["type"] == 0


async def test_pings(rest: Rest) -> None:
    mia, rosa = rest.people["mia"], rest.people["rosa"]
    text = f"<@{mia}> <@{rosa}> @everyone"
    await rest.post("stills", content=text)
    only = await rest.post("stills", content=text, allowed_mentions={"parse": [], "users": [mia]})
    assert [u["username"] for u in only["mentions"]] == ["mia"]
    await rest.post("stills", content=text, allowed_mentions={"parse": []})
    await rest.post("stills", content=text, flags=1 << 12)
    seen = await rest.sandbox.person("mia").messages("stills")
    assert [m.pings for m in seen] == [["mia", "rosa"], ["mia"], [], []]
    assert [m.content for m in await rest.sandbox.person("rosa").pings()] == [text]
    # The bot may not mention everyone, and mia does not see the private channel.
    await rest.sandbox.discord.overwrite("private", "Kinora", allow=["VIEW_CHANNEL"])
    await rest.post("private", content=text)
    assert [m.pings for m in await rest.sandbox.person("rosa").messages("private")] == [["rosa"]]


async def test_only_own_messages_can_be_edited(rest: Rest) -> None:
    post = await rest.sandbox.person("mia").post("stills", "mine", files={"a": ("a.png", png())})
    one = f"/channels/{post.channel_id}/messages/{post.id}"
    assert (await rest("PATCH", one, {"content": "yours"})).code == 50005
    assert (await rest("DELETE", one)).code == 50013
    # Without the message content intent there is nothing in it.
    assert (await rest.ok("GET", one))["content"] == ""
    await rest.sandbox.discord.settings(privileged_intents=["message_content"])
    told = await rest.ok("GET", one)
    assert (told["content"], len(told["attachments"])) == ("mine", 1)


def damaged(value: Any, junk: Any) -> Iterator[Any]:
    """Every copy of a JSON value with one thing in it replaced."""
    yield junk
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        for worse in damaged(item, junk):
            copy = value.copy()
            copy[key] = worse
            yield copy


@pytest.mark.parametrize("junk", [None, True, -1, 2**40, "x" * 5000, [], [[]], {"a": 1}], ids=repr)
async def test_garbage_is_refused_and_never_crashes_it(rest: Rest, junk: Any) -> None:
    text = {"type": 10, "content": "x"}
    media = {"media": {"url": "https://example.com/a.png"}}
    section = {"type": 9, "components": [text], "accessory": {"type": 11, **media}}
    gallery = {"type": 12, "items": [media]}
    embed = {"title": "t", "footer": {"text": "f"}, "fields": [{"name": "n", "value": "v"}], "image": {}}
    select = {"type": 3, "custom_id": "s", "options": [{"label": "a", "value": "b"}]}
    message = {
        "content": "x",
        "embeds": [embed],
        "components": [row(button()), row(select)],
        "allowed_mentions": {"parse": [], "users": ["1"]},
        "message_reference": {"message_id": "1", "fail_if_not_exists": False},
        "flags": 0,
        "nonce": "n",
    }
    v2 = {"flags": V2, "components": [{"type": 17, "components": [text, section, gallery]}]}
    choices = [{"name": "a", "value": "b"}]
    option = {"type": 3, "name": "o", "description": "d", "required": True, "choices": choices}
    sub = {"type": 1, "name": "s", "description": "d", "options": [option]}
    command = {"name": "c", "description": "d", "options": [sub], "contexts": [0], "name_localizations": {}}
    thread = {"name": "t", "type": 11, "auto_archive_duration": 60, "applied_tags": ["1"], "message": {}}
    stills, forum = rest.channels["stills"], rest.channels["showcase"]
    requests = [
        ("POST", f"/channels/{stills}/messages", message),
        ("POST", f"/channels/{stills}/messages", v2),
        ("POST", f"/channels/{stills}/threads", thread),
        ("POST", f"/channels/{forum}/threads", thread),
        ("PUT", f"/applications/{rest.application_id}/guilds/{rest.guild_id}/commands", [command]),
        ("POST", "/users/@me/channels", {"recipient_id": "1"}),
    ]
    for method, path, body in requests:
        for worse in damaged(body, junk):
            answer = await rest(method, path, worse)
            assert answer.status < 500, (path, worse)
    await rest.ok("PUT", requests[4][1], [])


# --- where the bot may do what


@pytest.mark.parametrize(
    ("channel", "denied", "code"),
    [
        ("stills", "VIEW_CHANNEL", 50001),
        ("stills", "SEND_MESSAGES", 50013),
        ("Lounge", "CONNECT", 50001),
        ("private", "", 50001),
        ("showcase", "", 40058),
        ("Talk", "", 50008),
    ],
)
async def test_permissions_to_post(rest: Rest, channel: str, denied: str, code: int) -> None:
    if denied:
        await rest.sandbox.discord.overwrite(channel, "Kinora", deny=[denied])
    path = f"/channels/{rest.channels[channel]}/messages"
    assert (await rest("POST", path, {"content": "x"})).code == code


async def test_files_need_attach_files(rest: Rest) -> None:
    await rest.sandbox.discord.overwrite("stills", "everyone", deny=["ATTACH_FILES"])
    path = f"/channels/{rest.channels['stills']}/messages"
    # A role's allow beats everyone's deny only when it is an overwrite of the channel.
    assert (await rest("POST", path, {}, files={"files[0]": ("a", b"x")})).code == 50013
    await rest.sandbox.discord.overwrite("stills", "Kinora", allow=["ATTACH_FILES"])
    assert (await rest("POST", path, {}, files={"files[0]": ("a", b"x")})).status == 200
    await rest.sandbox.discord.overwrite(
        "stills", "kinora", deny=["ATTACH_FILES"]
    )  # the member, above all roles
    assert (await rest("POST", path, {}, files={"files[0]": ("a", b"x")})).code == 50013


async def test_dms(rest: Rest) -> None:
    dm = await rest.ok("POST", "/users/@me/channels", {"recipient_id": rest.people["mia"]})
    assert dm["id"] == await rest.sandbox.person("mia").open_dm()
    await rest.ok("POST", f"/channels/{dm['id']}/messages", {"content": "psst"})
    [seen] = await rest.sandbox.person("mia").messages("dm")
    assert (seen.content, seen.pinged) == ("psst", True)
    with pytest.raises(Refused):
        await rest.sandbox.person("rosa").messages(dm["id"])
    await rest.sandbox.person("mia").change(accepts_dms=False)
    assert (await rest("POST", f"/channels/{dm['id']}/messages", {"content": "psst"})).code == 50007


async def test_bot_removed(rest: Rest, gateway: GatewayClient) -> None:
    await rest.sandbox.discord.remove_bot()
    assert (await gateway.until("GUILD_DELETE"))["id"] == rest.guild_id
    assert (await rest("GET", f"/guilds/{rest.guild_id}")).code == 10004
    path = f"/channels/{rest.channels['stills']}/messages"
    assert (await rest("POST", path, {"content": "x"})).code == 50001
    dm = await rest.ok("POST", "/users/@me/channels", {"recipient_id": rest.people["mia"]})
    assert (await rest("POST", f"/channels/{dm['id']}/messages", {"content": "x"})).code == 50278
    await rest.sandbox.discord.add_bot()
    assert (await gateway.until("GUILD_CREATE"))["id"] == rest.guild_id
    await rest.post("stills", content="back")


# --- threads


async def test_thread_from_message(rest: Rest, gateway: GatewayClient) -> None:
    message = await rest.post("stills", content="start")
    path = f"/channels/{rest.channels['stills']}/messages/{message['id']}/threads"
    assert errors(await rest("POST", path, {"name": "x" * 101}), "name") == ["BASE_TYPE_BAD_LENGTH"]
    thread = await rest.ok("POST", path, {"name": "talk", "auto_archive_duration": 1440})
    assert (thread["id"], thread["type"]) == (message["id"], 11)
    assert (await gateway.until("THREAD_CREATE"))["newly_created"]
    assert (await rest("POST", path, {"name": "talk"})).code == 160004
    assert (await rest.ok("GET", path.removesuffix("/threads")))["thread"]["name"] == "talk"
    [starter] = await rest.ok("GET", f"/channels/{thread['id']}/messages")
    assert (starter["type"], starter["referenced_message"]["content"]) == (21, "start")
    inside = await rest.post(thread["id"], content=f"<@{rest.people['mia']}>")
    nested = f"/channels/{thread['id']}/messages/{inside['id']}/threads"
    assert (await rest("POST", nested, {"name": "deeper"})).code == 50024
    assert (await rest("POST", f"/channels/{thread['id']}/threads", {"name": "deeper"})).code == 50024
    active = await rest.ok("GET", f"/guilds/{rest.guild_id}/threads/active")
    assert thread["id"] in [t["id"] for t in active["threads"]]
    assert (await rest.sandbox.person("mia").threads("stills"))[0].data["member_count"] == 2
    lounge = await rest.post("Lounge", content="x")
    from_lounge = f"/channels/{rest.channels['Lounge']}/messages/{lounge['id']}/threads"
    assert (await rest("POST", from_lounge, {"name": "no"})).code == 50024


async def test_threads_that_are_not_allowed(rest: Rest) -> None:
    channel = rest.channels["no-threads"]
    message = await rest.post("no-threads", content="x")
    path = f"/channels/{channel}/messages/{message['id']}/threads"
    assert (await rest("POST", path, {"name": "no"})).code == 50013
    theirs = await rest.sandbox.discord.start_thread("no-threads", "mia", "theirs")
    assert (await rest("POST", f"/channels/{theirs.id}/messages", {"content": "x"})).code == 50013
    secret = await rest.sandbox.discord.start_thread("stills", "mia", "secret", private=True)
    assert (await rest("GET", f"/channels/{secret.id}")).code == 50001
    await rest.sandbox.person("mia").post(secret.id, f"<@{rest.application_id}> come in")
    assert (await rest.ok("GET", f"/channels/{secret.id}"))["member_count"] == 2
    # Send Messages has no effect in threads.
    await rest.sandbox.discord.overwrite("stills", "Kinora", deny=["SEND_MESSAGES"])
    public = await rest.sandbox.discord.start_thread("stills", "mia", "public")
    assert (await rest("POST", f"/channels/{public.id}/messages", {"content": "x"})).status == 200


async def test_archived_and_locked(rest: Rest, gateway: GatewayClient) -> None:
    thread = await rest.sandbox.discord.start_thread("stills", "rosa", "old")
    path = f"/channels/{thread.id}/messages"
    posted = await rest.post(thread.id, content="x")
    await rest.sandbox.discord.change_channel(thread.id, archived=True)
    assert (await rest("PATCH", f"{path}/{posted['id']}", {"content": "y"})).code == 50083
    await rest.post(thread.id, content="wakes it up")
    metadata = (await rest.ok("GET", f"/channels/{thread.id}"))["thread_metadata"]
    assert not metadata["archived"]
    await rest.sandbox.discord.change_channel(thread.id, locked=True)
    assert (await rest("POST", path, {"content": "x"})).code == 160005
    await rest.sandbox.discord.change_channel(thread.id, archived=True)
    assert (await rest("POST", path, {"content": "x"})).code == 50083
    assert (await rest("PATCH", f"/channels/{thread.id}", {"archived": False})).code == 50083
    await rest.sandbox.discord.role("Kinora", allow=["MANAGE_THREADS"])
    assert (await rest("PATCH", f"/channels/{thread.id}", {"archived": False, "locked": False})).status == 200
    await rest.sandbox.discord.change_channel(thread.id, archived=True)
    archived = await rest.ok("GET", f"/channels/{rest.channels['stills']}/threads/archived/public")
    assert [t["name"] for t in archived["threads"]] == ["old"]
    await rest.sandbox.discord.delete_channel(thread.id)
    assert (await gateway.until("THREAD_DELETE"))["id"] == thread.id
    assert (await rest("POST", path, {"content": "x"})).code == 10003


async def test_forum_posts(rest: Rest) -> None:
    forum = f"/channels/{rest.channels['showcase']}/threads"
    assert errors(await rest("POST", forum, {"name": "x"}), "message")
    body = {"name": "mine", "message": {"content": "first"}}
    post = await rest.ok("POST", forum, body, files={"files[0]": ("a.png", png())})
    assert post["message"]["id"] == post["id"]
    assert len(post["message"]["attachments"]) == 1
    seen = await rest.sandbox.person("mia").threads("showcase")
    assert [t.name for t in seen] == ["Paper boats", "mine"]


# --- commands


async def test_command_rules(rest: Rest) -> None:
    path = f"/applications/{rest.application_id}/commands"

    async def refused(*where: str | int, **body: Any) -> list[str]:
        answer = await rest("PUT", path, [{"name": "go", "description": "d"} | body])
        return errors(answer, 0, *where)

    option = {"type": 3, "name": "a", "description": "d"}
    assert await refused("name", name="Upper") == ["APPLICATION_COMMAND_INVALID_NAME"]
    assert await refused("description", description="") == ["BASE_TYPE_BAD_LENGTH"]
    assert await refused("description", description="x" * 101)
    assert await refused("options", 0, "max_length", options=[option | {"max_length": 6001}]) == [
        "NUMBER_TYPE_MAX"
    ]
    late = [option, option | {"name": "b", "required": True}]
    assert await refused("options", 1, options=late) == ["APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID"]
    choices = [{"name": str(n), "value": str(n)} for n in range(26)]
    assert await refused("options", 0, "choices", options=[option | {"choices": choices}])
    assert await refused("contexts", 0, contexts=[3]) == ["BASE_TYPE_CHOICES"]
    assert await refused("name_localizations", "xx", name_localizations={"xx": "a"})
    assert await refused("options", options=[option | {"name": f"a{n}"} for n in range(26)])
    first = await rest.ok("PUT", path, [{"name": "go", "description": "d"}])
    second = await rest.ok(
        "PUT", path, [{"name": "go", "description": "other"}, {"name": "stop", "description": "d"}]
    )
    assert first[0]["id"] == second[0]["id"]
    assert first[0]["version"] != second[0]["version"]
    here = f"/applications/{rest.application_id}/guilds/{rest.guild_id}/commands"
    made = await rest("POST", here, {"name": "local", "description": "d"})
    assert (made.status, made.body["guild_id"]) == (201, rest.guild_id)
    one = f"{here}/{made.body['id']}"
    assert (await rest.ok("PATCH", one, {"description": "new"}))["description"] == "new"
    await rest.ok("DELETE", one)
    assert (await rest("GET", one)).code == 10063


async def test_what_people_may_enter(rest: Rest, gateway: GatewayClient) -> None:
    mia = rest.sandbox.person("mia")
    await rest.command(
        name="animate",
        options=[
            {"type": 11, "name": "image", "description": "d", "required": True},
            {"type": 3, "name": "prompt", "description": "d", "required": True, "max_length": 10},
            {"type": 4, "name": "seconds", "description": "d", "choices": [{"name": "5 s", "value": 5}]},
            {"type": 10, "name": "scale", "description": "d", "min_value": 0, "max_value": 1},
            {"type": 6, "name": "who", "description": "d"},
        ],
        contexts=[0],
    )
    still = {"image": ("still.png", png())}

    async def refused(sentence: str, options: Json, files: Any = still, channel: str = "stills") -> None:
        with pytest.raises(Refused, match=sentence):
            await mia.run("animate", channel, options, files=files)

    await refused("'prompt' is required", {})
    await refused("'image' needs a file|'image' is required", {"prompt": "x"}, None)
    await refused("0 to 10 characters", {"prompt": "x" * 11})
    await refused("no choice", {"prompt": "x", "seconds": 6})
    await refused("from 0 to 1", {"prompt": "x", "scale": 2})
    await refused("no option 'nope'", {"prompt": "x", "nope": 1})
    await refused("no command", {"prompt": "x"}, channel="dm")
    await refused("sees no channel", {"prompt": "x"}, channel="private")
    await refused("too powerful", {"prompt": "x"}, {"image": ("a.png", b"x" * (10 * MIB + 1))})
    await mia.run("animate", "stills", {"prompt": "x", "seconds": "5 s", "who": "rosa"}, files=still)
    interaction = await gateway.until("INTERACTION_CREATE")
    data = interaction["data"]
    assert {o["name"]: o["value"] for o in data["options"]} == {
        "image": next(iter(data["resolved"]["attachments"])),
        "prompt": "x",
        "seconds": 5,
        "who": rest.people["rosa"],
    }
    [image] = data["resolved"]["attachments"].values()
    assert (image["width"], image["height"], image["content_type"]) == (640, 480, "image/png")
    assert await rest.sandbox.download(image["url"]) == png()
    await rest.sandbox.discord.forward(86_401)
    with pytest.raises(Refused):
        await rest.sandbox.download(image["url"])
    assert interaction["attachment_size_limit"] == 10 * MIB
    assert interaction["authorizing_integration_owners"] == {"0": rest.guild_id}
    assert interaction["member"]["user"]["username"] == "mia"
    assert interaction["context"] == 0
    await rest.sandbox.discord.overwrite("stills", "mia", deny=["USE_APPLICATION_COMMANDS"])
    await refused("may not use application commands", {"prompt": "x"})
    assert await mia.commands("stills") == []


async def test_command_permissions_and_places(rest: Rest, gateway: GatewayClient) -> None:
    await rest.command(name="admin", default_member_permissions="0", contexts=[0])
    await rest.command(name="anywhere")
    assert [c["name"] for c in await rest.sandbox.person("mia").commands("stills")] == ["anywhere"]
    assert len(await rest.sandbox.person("adam").commands("stills")) == 2
    await rest.sandbox.person("mia").run("anywhere", "dm")
    in_dm = await gateway.until("INTERACTION_CREATE")
    assert (in_dm["context"], in_dm["user"]["username"]) == (1, "mia")
    assert "guild_id" not in in_dm
    await rest.sandbox.person("rosa").run("anywhere", "private")
    hidden = await gateway.until("INTERACTION_CREATE")
    assert hidden["app_permissions"] == "0"
    # A guest of the channel may be answered there all the same.
    assert (await rest.answer(hidden, 4, {"content": "hello"})).status == 200


# --- answering


async def test_reply_once_and_in_time(rest: Rest, gateway: GatewayClient) -> None:
    interaction = await invoke(rest, gateway)
    assert (await rest("GET", rest.webhook(interaction, "@original"))).code == 10015
    assert errors(await rest.answer(interaction, 4, {"content": "x" * 2001}), "data", "content")
    assert errors(await rest.answer(interaction, 7, {"content": "x"}), "type")
    answer = await rest.answer(interaction, 4, {"content": "hello", "flags": EPHEMERAL})
    told = answer.body["resource"]["message"]
    assert (told["type"], told["interaction_metadata"]["id"]) == (20, interaction["id"])
    assert answer.body["interaction"]["response_message_ephemeral"]
    assert (await rest.answer(interaction, 4, {"content": "again"})).code == 40060
    wrong = interaction | {"token": "wrong"}
    assert (await rest.answer(wrong, 4, {"content": "x"})).code == 10062
    [seen] = await rest.sandbox.person("mia").messages("stills")
    assert seen.ephemeral
    assert await rest.sandbox.person("rosa").messages("stills") == []
    assert (await rest("GET", f"/channels/{seen.channel_id}/messages/{seen.id}")).code == 10008
    late = await invoke(rest, gateway)
    await rest.sandbox.discord.forward(4)
    assert (await rest.answer(late, 4, {"content": "late"})).code == 10062
    failed = await Interaction(rest.sandbox, rest.sandbox.person("mia"), late["id"]).wait_failed()
    assert not failed["acknowledged"]


async def test_deferral_and_followups(rest: Rest, gateway: GatewayClient) -> None:
    interaction = await invoke(rest, gateway)
    answer = await rest.answer(interaction, 5)
    assert answer.body["interaction"]["response_message_loading"]
    assert "resource" not in answer.body
    mia = rest.sandbox.person("mia")
    [thinking] = await mia.messages("stills")
    assert thinking.deferred
    # The first followup takes the deferral's place, and its visibility.
    first = await rest.ok("POST", rest.webhook(interaction), {"content": "done", "flags": EPHEMERAL})
    assert first["id"] == thinking.id
    assert not first["flags"] & (EPHEMERAL | 128)
    second = await rest.ok("POST", rest.webhook(interaction), {"content": "more", "flags": EPHEMERAL})
    assert second["flags"] & EPHEMERAL
    assert [m.content for m in await mia.messages("stills")] == ["done", "more"]
    assert [m.content for m in await rest.sandbox.person("rosa").messages("stills")] == ["done"]
    edited = await rest.ok("PATCH", rest.webhook(interaction, second["id"]), {"content": "less"})
    assert edited["content"] == "less"
    files = {"files[0]": ("a.png", png())}
    original = await rest.ok(
        "PATCH", rest.webhook(interaction, "@original"), {"content": "done"}, files=files
    )
    assert len(original["attachments"]) == 1
    await rest.ok("DELETE", rest.webhook(interaction, "@original"))
    assert (await rest("GET", rest.webhook(interaction, "@original"))).code == 10008
    assert (await rest("GET", rest.webhook({"token": "wrong"}, "@original"))).code == 50027
    await rest.sandbox.discord.forward(15 * 60)
    answer = await rest("POST", rest.webhook(interaction), {"content": "too late"})
    assert (answer.status, answer.code) == (401, 50027)


async def test_nitro_counts_in_replies_only(rest: Rest, gateway: GatewayClient) -> None:
    large = {"files[0]": ("a.mp4", b"x" * (10 * MIB + 1))}
    interaction = await invoke(rest, gateway, person="olivia")
    assert interaction["attachment_size_limit"] == 500 * MIB
    assert (await rest.answer(interaction, 4, {"content": "x"}, files=large)).status == 200
    path = f"/channels/{rest.channels['stills']}/messages"
    assert (await rest("POST", path, {}, files=large)).code == 40005


async def test_buttons_selects_and_modals(rest: Rest, gateway: GatewayClient) -> None:
    mia = rest.sandbox.person("mia")
    again = button(custom_id="again:1", label="Again", emoji={"id": None, "name": "🔁"})
    buttons = row(again, button(custom_id="off", disabled=True))
    emoji = {"id": None, "name": "1️⃣"}
    options = [{"label": "One", "value": "1", "emoji": emoji}, {"label": "Two", "value": "2"}]
    menu = row({"type": 3, "custom_id": "pick", "options": options})
    await rest.post("stills", content="card", components=[buttons, menu])
    [card] = await mia.messages("stills")
    with pytest.raises(Refused, match="disabled"):
        await mia.click(card, "off")
    with pytest.raises(Refused, match="no choice"):
        await mia.click(card, "pick", ["3"])
    click = await mia.click(card, "again:1")
    interaction = await gateway.until("INTERACTION_CREATE")
    assert interaction["message"]["id"] == card.id
    field = {"type": 4, "custom_id": "prompt", "style": 2, "max_length": 5}
    upload = {"type": 19, "custom_id": "still", "max_values": 2}
    pick = {"type": 21, "custom_id": "which", "options": options}
    labels = [{"type": 18, "label": "L", "component": c} for c in (field, upload, pick)]
    modal = {"custom_id": "m", "title": "Again", "components": labels}
    assert errors(await rest.answer(interaction, 9, modal | {"title": "x" * 46}), "data", "title")
    assert (await rest.answer(interaction, 9, modal)).status == 200
    assert (await click.wait_modal())["title"] == "Again"
    with pytest.raises(Refused, match="1 to 5 characters"):
        await click.submit({"prompt": "too long", "which": "2"}, files={"still": ("a.png", png())})
    three = {name: ("a.png", png()) for name in ("still", "still/1", "still/2")}
    with pytest.raises(Refused, match="1 to 2 files"):
        await click.submit({"prompt": "waves", "which": "2"}, files=three)
    del three["still/2"]
    await click.submit({"prompt": "waves", "which": "Two"}, files=three)
    submitted = await gateway.until("INTERACTION_CREATE")
    entered = [c["component"] for c in submitted["data"]["components"]]
    assert (entered[0]["value"], entered[2]["value"]) == ("waves", "2")
    assert entered[1]["values"] == list(submitted["data"]["resolved"]["attachments"])
    assert len(entered[1]["values"]) == 2
    # Type 7 changes the message the button is on.
    assert (await rest.answer(submitted, 7, {"content": "changed", "components": [menu]})).status == 200
    [card] = await mia.messages("stills")
    assert (card.content, len(card.controls)) == ("changed", 1)
    chosen = await mia.click(card, "pick", ["Two"])
    picked = await gateway.until("INTERACTION_CREATE")
    assert picked["data"]["values"] == ["2"]
    assert (await rest.answer(picked, 6)).status == 200
    assert (await chosen.wait_acknowledged())["callback_type"] == 6
    edited = await rest.ok("PATCH", rest.webhook(picked, "@original"), {"content": "picked"})
    assert edited["id"] == card.id


async def test_autocomplete_and_menus(rest: Rest, gateway: GatewayClient) -> None:
    mia = rest.sandbox.person("mia")
    model = {"type": 3, "name": "model", "description": "d", "autocomplete": True}
    await rest.command(name="animate", options=[model])
    asking = asyncio.create_task(mia.autocomplete("animate", "stills", "model", "kl"))
    question = await gateway.until("INTERACTION_CREATE")
    assert question["data"]["options"] == [{"name": "model", "type": 3, "value": "kl", "focused": True}]
    too_many = {"choices": [{"name": str(n), "value": str(n)} for n in range(26)]}
    assert errors(await rest.answer(question, 8, too_many), "choices")
    await rest.answer(question, 8, {"choices": [{"name": "Kling", "value": "kling"}]})
    assert await asking == [{"name": "Kling", "value": "kling"}]
    await rest.command(name="Animate this", type=3)
    await rest.command(name="Wave at", type=2)
    post = await mia.post("stills", "look", files={"a": ("a.png", png())})
    await mia.menu("Animate this", "stills", post)
    on_message = await gateway.until("INTERACTION_CREATE")
    target = on_message["data"]["resolved"]["messages"][on_message["data"]["target_id"]]
    assert target["attachments"][0]["filename"] == "a.png"
    await mia.menu("Wave at", "stills", "rosa")
    on_user = await gateway.until("INTERACTION_CREATE")
    assert on_user["data"]["target_id"] == rest.people["rosa"]


# --- the gateway


@pytest.mark.parametrize("compress", [None, "zlib-stream", "zstd-stream"])
async def test_gateway_streams(rest: Rest, connect: Connect, compress: str | None) -> None:
    client = await connect(compress)
    assert (await client.receive())["d"]["heartbeat_interval"] == 41250
    await client.send(1, None)
    assert (await client.receive())["op"] == 11
    ready = await client.identify(rest.token, shard=[0, 1])
    assert ready["shard"] == [0, 1]
    assert ready["resume_gateway_url"].startswith("ws://127.0.0.1:")
    guild = await client.until("GUILD_CREATE")
    assert [m["user"]["username"] for m in guild["members"]] == ["kinora"]
    assert "Paper boats" in [t["name"] for t in guild["threads"]]
    for n in range(20):
        await rest.post("stills", content=f"{n} " * 100)
    heard = [await client.until("MESSAGE_CREATE") for _ in range(20)]
    assert [m["content"].split()[0] for m in heard] == [str(n) for n in range(20)]


async def test_gateway_refusals(rest: Rest, connect: Connect) -> None:
    async def code(op: int, d: Any) -> int | None:
        client = await connect()
        await client.send(op, d)
        return await client.close_code()

    hello = {"token": rest.token, "properties": {}, "intents": 1}
    assert await code(2, hello | {"token": "wrong"}) == 4004
    assert await code(2, hello | {"intents": 1 | 1 << 15}) == 4014
    assert await code(2, hello | {"intents": 1 << 30}) == 4013
    assert await code(2, hello | {"shard": [1, 1]}) == 4010
    assert await code(3, {}) == 4003
    assert await code(2, "x" * 5000) == 4002
    client = await connect()
    await client.identify(rest.token)
    await client.send(99)
    assert await client.close_code() == 4001
    client = await connect()
    await client.socket.send_str("not json")
    assert await client.close_code() == 4002


async def test_resume(rest: Rest, connect: Connect, gateway: GatewayClient) -> None:
    await rest.sandbox.discord.close_gateway(0)
    assert await gateway.close_code() == 1006
    missed = [(await rest.post("stills", content=str(n)))["id"] for n in range(3)]
    again = await connect()
    resume = {"token": rest.token, "session_id": gateway.session_id, "seq": gateway.sequence}
    await again.send(6, resume)
    assert [(await again.until("MESSAGE_CREATE"))["id"] for _ in range(3)] == missed
    await again.until("RESUMED")
    await rest.sandbox.discord.invalidate(resumable=False)
    assert (await again.op(9))["d"] is False
    other = await connect()
    await other.send(6, resume)
    assert (await other.op(9))["d"] is False
    await rest.sandbox.discord.reconnect()
    assert (await other.op(7))["op"] == 7


async def test_zombies_are_closed(rest: Rest, connect: Connect) -> None:
    await rest.sandbox.discord.settings(heartbeat_interval=0.1)
    client = await connect()
    await client.identify(rest.token)
    assert await client.close_code() == 4009


async def test_refusing_connections(rest: Rest, connect: Connect) -> None:
    await rest.sandbox.discord.refuse_gateway(60)
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await connect()
    await rest.sandbox.discord.refuse_gateway(0)
    await connect()


async def test_shards_and_intents(rest: Rest, connect: Connect) -> None:
    mine = (int(rest.guild_id) >> 22) % 2
    ours, other, quiet = [await connect() for _ in range(3)]
    await ours.identify(rest.token, shard=[mine, 2])
    ready = await other.identify(rest.token, shard=[1 - mine, 2])
    assert ready["guilds"] == []
    await quiet.identify(rest.token, intents=1, shard=[mine, 2])
    mia = rest.sandbox.person("mia")
    await mia.post("stills", "hello")
    assert (await ours.until("MESSAGE_CREATE"))["content"] == ""  # no message content intent
    await mia.post("stills", f"<@{rest.application_id}> hello")
    assert (await ours.until("MESSAGE_CREATE"))["content"]  # it is mentioned
    await mia.post("dm", "psst")
    zero = ours if mine == 0 else other
    assert (await zero.until("MESSAGE_CREATE"))["content"] == "psst"
    await rest.sandbox.discord.create_channel("new")
    while (event := await quiet.receive())["t"] != "CHANNEL_CREATE":
        assert event["t"] != "MESSAGE_CREATE"


async def test_members_on_request(rest: Rest, gateway: GatewayClient) -> None:
    await gateway.send(8, {"guild_id": rest.guild_id, "query": "mi", "limit": 5, "nonce": "n"})
    chunk = await gateway.until("GUILD_MEMBERS_CHUNK")
    assert [m["user"]["username"] for m in chunk["members"]] == ["mia"]
    assert chunk["nonce"] == "n"


# --- discord.py


async def test_discord_py_runs_the_whole_road(sandbox: Sandbox, run: Run) -> None:
    intents = discord.Intents.default()
    bot = discord.Client(intents=intents, guild_ready_timeout=0.1)
    tree = app_commands.CommandTree(bot)
    seen: dict[str, Any] = {}
    before = max((e["id"] for e in await sandbox.wire()), default=0)

    @tree.command(name="animate", description="Bring a still to life")
    async def animate(interaction: discord.Interaction, image: discord.Attachment, prompt: str) -> None:
        await interaction.response.defer()
        still = discord.File(io.BytesIO(await image.read()), "still.png")
        message = await interaction.edit_original_response(content=prompt, attachments=[still])
        thread = await message.create_thread(name=prompt)
        video = b"v" * 5000
        for _ in range(2):
            file = discord.File(io.BytesIO(video), "video.mp4")
            sent = await thread.send(f"{interaction.user.mention} here", file=file, nonce="job-1")
            seen.setdefault("ids", set()).add(sent.id)
        try:
            await thread.send(file=discord.File(io.BytesIO(b"x" * (10 * MIB + 1)), "large.mp4"))
        except discord.HTTPException as error:
            seen["large"] = (error.status, error.code)
        seen["channel"] = type(interaction.channel).__name__

    await run(bot)
    await tree.sync()
    mia = sandbox.person("mia")
    command = await mia.run("animate", "stills", {"prompt": "waves"}, files={"image": ("s.png", png())})
    assert (await command.wait_acknowledged())["seconds_to_acknowledge"] < 3
    reply = await command.wait_response()
    assert await reply.attachments[0].read() == png()

    def is_video(message: Message) -> bool:
        return any(a.filename == "video.mp4" for a in message.attachments)

    video = await mia.wait_for_message(reply.id, is_video)
    assert video.pings == ["mia"]
    assert await video.attachments[0].read() == b"v" * 5000

    async def done() -> bool | None:
        return "channel" in seen or None

    await sandbox.wait(done, 10, "the command's end")
    assert len(seen["ids"]) == 1
    assert seen["large"] == (413, 40005)
    assert seen["channel"] == "TextChannel"
    assert [p for e in await sandbox.wire(before) for p in e["problems"]] == []


async def test_discord_py_survives_disconnects(sandbox: Sandbox, run: Run) -> None:
    bot = discord.Client(intents=discord.Intents.default(), guild_ready_timeout=0.1)
    resumed, heard = asyncio.Event(), asyncio.Queue[str]()

    @bot.event
    async def on_resumed() -> None:
        resumed.set()

    @bot.event
    async def on_message(message: discord.Message) -> None:
        heard.put_nowait(message.author.name)

    await run(bot)
    await sandbox.discord.reconnect()
    await asyncio.wait_for(resumed.wait(), 15)
    await sandbox.person("mia").post("stills", "hello")
    assert await asyncio.wait_for(heard.get(), 10) == "mia"


async def test_discord_py_sees_discords_errors(sandbox: Sandbox, run: Run) -> None:
    bot = discord.Client(intents=discord.Intents.default(), guild_ready_timeout=0.1)
    await run(bot)
    guild = bot.guilds[0]
    named = {c.name: c for c in guild.channels}
    private, stills = named["private"], named["stills"]
    assert isinstance(private, discord.TextChannel)
    assert isinstance(stills, discord.TextChannel)
    assert not private.permissions_for(guild.me).view_channel
    with pytest.raises(discord.Forbidden) as forbidden:
        await private.send("x")
    assert forbidden.value.code == 50001
    flat = named["no-threads"]
    assert isinstance(flat, discord.TextChannel)
    with pytest.raises(discord.Forbidden) as forbidden:
        await (await flat.send("x")).create_thread(name="x")
    assert forbidden.value.code == 50013
    with pytest.raises(discord.HTTPException, match="2000 or fewer"):
        await stills.send("x" * 2001)
    await sandbox.discord.guild(premium_tier=3)
    member = await guild.fetch_member(int(next(iter((await sandbox.get("/discord/people"))["people"]))["id"]))
    assert member.name == "olivia"
    await (await member.create_dm()).send("hello")
    assert (await sandbox.person("olivia").messages("dm"))[0].content == "hello"


async def test_discord_py_replies_in_every_place(sandbox: Sandbox, run: Run) -> None:
    bot = discord.Client(intents=discord.Intents.default(), guild_ready_timeout=0.1)
    tree = app_commands.CommandTree(bot)

    @tree.command(name="where", description="Say where this is")
    async def where(interaction: discord.Interaction) -> None:
        channel = interaction.channel
        assert isinstance(channel, discord.abc.Messageable)
        await interaction.response.send_message(f"{type(channel).__name__} {interaction.context.dm_channel}")
        await channel.send("and here")

    await run(bot)
    await tree.sync()
    rosa = sandbox.person("rosa")
    thread = await sandbox.discord.start_thread("stills", "rosa", "talk")
    places = {
        "stills": "TextChannel",
        "news": "TextChannel",
        thread.id: "Thread",
        "Paper boats": "Thread",
        "Lounge": "VoiceChannel",
        "Premiere": "StageChannel",
        "dm": "DMChannel",
    }
    for place, kind in places.items():
        command = await rosa.run("where", place)
        said = (await command.wait_response()).content
        assert said == f"{kind} {place == 'dm'}"
        await rosa.wait_for_message(place, lambda m: m.content == "and here")


# --- the sandbox as a program


async def test_reset_makes_a_fresh_world(rest: Rest, connect: Connect) -> None:
    client = await connect()
    await client.identify(rest.token)
    await rest.post("stills", content="old")
    await rest.sandbox.reset()
    assert await client.close_code() == 4000
    assert await rest.sandbox.person("mia").messages("stills") == []
    again = await connect()
    await again.send(6, {"token": rest.token, "session_id": client.session_id, "seq": 1})
    assert (await again.op(9))["d"] is False


async def test_start_as_a_program() -> None:
    async with start_sandbox() as sandbox:
        assert sandbox.environment["discord_api_url"].endswith("/api/v10")
        assert {c.name for c in await sandbox.person("mia").places()} >= {"stills", "Lounge", "Paper boats"}
