"""The wire journal, and the checker that holds Discord's side of it against Discord's OpenAPI document."""

from __future__ import annotations

import asyncio
import io
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import BodyPartReader, ClientError, ClientSession, FormData, web
from aiohttp.test_utils import TestServer
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox import journal as wire
from sandbox.journal import Exchange, Journal
from sandbox.openapi import DIFFERENCES, Checker

DOCUMENT = Path(
    os.environ.get("KINORA_OPENAPI", Path(__file__).parents[3] / "shared/spec/discord-openapi.json")
)
TOKEN = "Bot sandbox-token"


@pytest.fixture(scope="module")
def checker() -> Checker:
    if not DOCUMENT.is_file():
        pytest.skip(f"Discord's OpenAPI document is not at {DOCUMENT} (KINORA_OPENAPI says where it is)")
    return Checker(DOCUMENT)


# What Discord sends, in the document's own shapes.

USER = {
    "id": "1001",
    "username": "kinora",
    "avatar": None,
    "discriminator": "0",
    "public_flags": 0,
    "flags": 0,
    "bot": True,
    "global_name": None,
    "primary_guild": None,
}
ATTACHMENT = {
    "id": "3001",
    "filename": "still.png",
    "size": 3,
    "url": "http://127.0.0.1:8710/attachments/2001/3001/still.png?ex=1&is=1&hm=1",
    "proxy_url": "http://127.0.0.1:8710/attachments/2001/3001/still.png",
    "content_type": "image/png",
    "width": 640,
    "height": 480,
}
BUTTON = {"type": 2, "style": 1, "label": "Again", "custom_id": "again:1", "disabled": False}
ROW = {"type": 1, "components": [BUTTON]}
MESSAGE = {
    "id": "4001",
    "channel_id": "2001",
    "type": 0,
    "content": "A fox in the snow",
    "author": USER,
    "timestamp": "2026-11-22T17:45:32.123000+00:00",
    "edited_timestamp": None,
    "flags": 0,
    "tts": False,
    "pinned": False,
    "mention_everyone": False,
    "mentions": [],
    "mention_roles": [],
    "attachments": [ATTACHMENT],
    "embeds": [{"type": "rich", "title": "Rendering", "color": 255}],
    "components": [{"type": 1, "id": 1, "components": [{**BUTTON, "id": 2}]}],
}
THREAD = {
    "id": "4001",
    "type": 11,
    "flags": 0,
    "guild_id": "9001",
    "parent_id": "2001",
    "name": "A fox in the snow",
    "owner_id": "1001",
    "message_count": 0,
    "member_count": 1,
    "total_message_sent": 0,
    "thread_metadata": {
        "archived": False,
        "archive_timestamp": "2026-11-22T17:45:32+00:00",
        "auto_archive_duration": 1440,
        "locked": False,
    },
}
OPTION = {"type": 3, "name": "prompt", "description": "What happens", "required": True, "max_length": 2500}
COMMAND = {"name": "animate", "description": "Bring a still to life", "type": 1, "options": [OPTION]}
SYNCED = {
    **COMMAND,
    "id": "5001",
    "application_id": "1001",
    "version": "1",
    "default_member_permissions": None,
}
DEFERRED = {"interaction": {"id": "6001", "type": 2, "response_message_id": "4001"}}
REFUSED = {"code": 50013, "message": "Missing Permissions"}
LIMITED = {"code": 0, "message": "You are being rate limited.", "retry_after": 0.3, "global": False}

COMMANDS = "/applications/1001/commands"
CALLBACK = "/interactions/6001/token/callback"
MESSAGES = "/channels/2001/messages"
POSTS = "/channels/2001/threads"


def exchange(
    method: str,
    path: str,
    request: object = None,
    status: int | None = 200,
    response: object = None,
    **more: Any,
) -> Exchange:
    """Make a Discord exchange; a request with "payload_json" is multipart."""
    multipart = isinstance(request, dict) and "payload_json" in request
    content_type = "multipart/form-data; boundary=x" if multipart else "application/json"
    return Exchange(
        side="discord",
        method=method,
        path=f"/api/v10{path}",
        request_headers={"Content-Type": content_type},
        request_body=request,
        status=status,
        response_body=response,
        **more,
    )


def multipart(payload: dict[str, Any], *fields: str) -> dict[str, Any]:
    files = [
        {"field": field, "filename": "a.mp4", "content_type": "video/mp4", "size": 9} for field in fields
    ]
    return {"payload_json": payload, "files": files}


def callback(data: dict[str, Any], **more: Any) -> Exchange:
    resource = {"resource": {"type": 4, "message": MESSAGE}}
    request = {"type": 4, "data": data}
    return exchange("POST", CALLBACK, request, response={**DEFERRED, **resource}, **more)


GOOD = {
    "commands": exchange("PUT", COMMANDS, [COMMAND], response=[SYNCED]),
    "defer": exchange("POST", f"{CALLBACK}?with_response=true", {"type": 5}, response=DEFERRED),
    "defer without an answer": exchange("POST", CALLBACK, {"type": 5}, 204),
    "reply with a file": exchange(
        "POST",
        f"{CALLBACK}?with_response=1",
        multipart({"type": 4, "data": {"content": "x", "attachments": [{"id": 0}]}}, "files[0]"),
        response={**DEFERRED, "resource": {"type": 4, "message": MESSAGE}},
    ),
    "reply with a row": callback({"content": "x", "components": [ROW], "flags": 64}),
    "message with files": exchange(
        "POST",
        MESSAGES,
        multipart(
            {"content": "x", "nonce": "01J", "enforce_nonce": True, "attachments": [{"id": "0"}, {"id": 1}]},
            "files[0]",
            "files[1]",
        ),
        response={**MESSAGE, "nonce": "01J"},
    ),
    "thread": exchange("POST", f"{MESSAGES}/4001/threads", {"name": "A fox"}, 201, THREAD),
    "edit": exchange("PATCH", f"{MESSAGES}/4001", {"content": None, "components": [ROW]}, response=MESSAGE),
    "edit of the original": exchange(
        "PATCH", "/webhooks/1001/token/messages/%40original", {}, response=MESSAGE
    ),
    "history": exchange("GET", f"{MESSAGES}?limit=50&after=4000", response=[MESSAGE, MESSAGE]),
    "reaction": exchange("PUT", f"{MESSAGES}/4001/reactions/%F0%9F%8E%AC/@me", status=204),
    "refused": exchange("POST", MESSAGES, {"content": "x"}, 403, REFUSED),
    "rate limited": exchange("POST", MESSAGES, {"content": "x"}, 429, LIMITED),
    "dropped": exchange("POST", MESSAGES, "<90 bytes that were not read>", None, fault="drop_before"),
    "edge page": exchange("GET", "/gateway", None, 502, "<90 bytes of text/html>", fault="html"),
    "refused unread": exchange("POST", MESSAGES, "<90 bytes of multipart/form-data>", 403, REFUSED),
}

BAD = {
    "PUT /applications/{application_id}/commands request: 0/options/0/max_length: 6001 is greater": exchange(
        "PUT", COMMANDS, [{**COMMAND, "options": [{**OPTION, "max_length": 6001}]}], response=[]
    ),
    "request: 0/description: 'xxx": exchange("PUT", COMMANDS, [{**COMMAND, "description": "x" * 101}]),
    "request: 0/options/0: type 99 fits none of": exchange(
        "PUT", COMMANDS, [{**COMMAND, "options": [{**OPTION, "type": 99}]}]
    ),
    "request: 0/options/0/hint: unknown property": exchange(
        "PUT", COMMANDS, [{**COMMAND, "options": [{**OPTION, "hint": "x"}]}]
    ),
    "response: 0/id: is missing": exchange("PUT", COMMANDS, [COMMAND], response=[COMMAND]),
    "request: type 77 fits none of": exchange("POST", CALLBACK, {"type": 77}, response=DEFERRED),
    "request: type: is missing": exchange("POST", CALLBACK, {"data": {}}, response=DEFERRED),
    "request: data/content: 'xxx": callback({"content": "x" * 2001}),
    "request: data/components/0/components/0/style: 9 is none of": callback(
        {"components": [{"type": 1, "components": [{**BUTTON, "style": 9}]}]}
    ),
    "request: data/colour: unknown property": callback({"colour": 3}),
    "response: resource: type 5 fits none of": exchange(
        "POST", CALLBACK, {"type": 5}, response={**DEFERRED, "resource": {"type": 5}}
    ),
    "request: video: a file's field must be": exchange(
        "POST", MESSAGES, multipart({"content": "x"}, "video"), response=MESSAGE
    ),
    "request: nonce: 'nnn": exchange("POST", MESSAGES, {"nonce": "n" * 26}, response=MESSAGE),
    "request: attachments/0/id: 'one' does not match": exchange(
        "POST", MESSAGES, multipart({"attachments": [{"id": "one"}]}, "files[0]"), response=MESSAGE
    ),
    "request: was answered although its body was not understood": exchange(
        "POST", MESSAGES, "<90 bytes of multipart/form-data>", response=MESSAGE
    ),
    "request: has no body": exchange("POST", MESSAGES, None, response=MESSAGE),
    "response: 200: the document has no answer 200": exchange(
        "POST", f"{MESSAGES}/4001/threads", {"name": "x"}, 200, THREAD
    ),
    "request: name: '' should be non-empty": exchange(
        "POST", f"{MESSAGES}/4001/threads", {"name": ""}, 201, THREAD
    ),
    "response: thread_metadata/locked: is missing": exchange(
        "POST",
        f"{MESSAGES}/4001/threads",
        {"name": "x"},
        201,
        {**THREAD, "thread_metadata": {"archived": False}},
    ),
    "response: timestamp: 'yesterday' is not a 'date-time'": exchange(
        "PATCH", f"{MESSAGES}/4001", {}, response={**MESSAGE, "timestamp": "yesterday"}
    ),
    "response: author/id: 1001 is not of type 'string'": exchange(
        "PATCH", f"{MESSAGES}/4001", {}, response={**MESSAGE, "author": {**USER, "id": 1001}}
    ),
    "response: attachments/0/size: 9999999999 is not a 'int32'": exchange(
        "GET",
        f"{MESSAGES}/4001",
        response={**MESSAGE, "attachments": [{**ATTACHMENT, "size": 9_999_999_999}]},
    ),
    "query: limit: 200 is greater": exchange("GET", f"{MESSAGES}?limit=200", response=[]),
    "query: limit: 'all' is not of type 'integer'": exchange("GET", f"{MESSAGES}?limit=all", response=[]),
    "query: newest: unknown parameter": exchange("GET", f"{MESSAGES}?newest=1", response=[]),
    "path: channel_id: 'general' does not match": exchange("GET", "/channels/general/messages", response=[]),
    "response: 1/content: is missing": exchange(
        "GET", MESSAGES, response=[MESSAGE, {key: MESSAGE[key] for key in MESSAGE if key != "content"}]
    ),
    "response: message: is missing": exchange("GET", MESSAGES, status=403, response={"code": 50001}),
    "response: code: '50001' is not of type": exchange(
        "GET", MESSAGES, status=403, response={**REFUSED, "code": "50001"}
    ),
    "response: 404 must have a JSON body": exchange(
        "GET", MESSAGES, status=404, response="<9 bytes of text/plain>"
    ),
    "response: 204 has no body": exchange("DELETE", f"{MESSAGES}/4001", status=204, response={}),
    "response: retry_after: is missing": exchange(
        "GET", MESSAGES, status=429, response={"code": 0, "message": "Slow down.", "global": False}
    ),
    "GET /channels/2001/videos route: no such route": exchange("GET", "/channels/2001/videos", response=[]),
    "PUT /channels/2001/messages route: no such route": exchange("PUT", MESSAGES, {}, response=MESSAGE),
}

# Each known difference with an exchange that needs it, and one just beside it that it must not excuse.
DIFFERING = {
    "id as a number": (
        exchange("POST", MESSAGES, {"message_reference": {"message_id": 4001}}, response=MESSAGE),
        exchange("POST", MESSAGES, {"message_reference": {"message_id": 40.5}}, response=MESSAGE),
    ),
    "kept attachments sent whole": (
        exchange("PATCH", f"{MESSAGES}/4001", {"attachments": [ATTACHMENT]}, response=MESSAGE),
        exchange("PATCH", f"{MESSAGES}/4001", {"attachments": [{"id": "1", "path": "/x"}]}, response=MESSAGE),
    ),
    "flags of an embed": (
        exchange("POST", MESSAGES, {"embeds": [{"title": "x", "flags": 0}]}, response=MESSAGE),
        exchange("POST", MESSAGES, {"embeds": [{"title": "x", "flag": 0}]}, response=MESSAGE),
    ),
    "tts where nothing is read aloud": (
        exchange("PATCH", f"{MESSAGES}/4001", {"tts": False}, response=MESSAGE),
        exchange("PATCH", f"{MESSAGES}/4001", {"tts": True}, response=MESSAGE),
    ),
    "use_nested_fields of a forum post": (
        exchange("POST", f"{POSTS}?use_nested_fields=1", {"name": "x", "message": {}}, 201, THREAD),
        exchange("POST", f"{MESSAGES}?use_nested_fields=1", {"content": "x"}, response=MESSAGE),
    ),
    "429 without a code": (
        exchange(
            "GET", MESSAGES, status=429, response={key: LIMITED[key] for key in LIMITED if key != "code"}
        ),
        exchange("GET", MESSAGES, status=403, response={"message": "Missing Access"}),
    ),
    "boolean query parameter as 1 or 0": (
        exchange("POST", f"{CALLBACK}?with_response=1", {"type": 5}, response=DEFERRED),
        exchange("POST", f"{CALLBACK}?with_response=yes", {"type": 5}, response=DEFERRED),
    ),
    "nsfw of a command": (
        exchange("PUT", COMMANDS, [{**COMMAND, "nsfw": False}], response=[SYNCED]),
        exchange("POST", MESSAGES, {"content": "x", "nsfw": False}, response=MESSAGE),
    ),
    "name as the code of a field's error": (
        exchange(
            "POST",
            MESSAGES,
            {"content": "x"},
            400,
            {**REFUSED, "errors": {"embeds": {"0": {"_errors": [{"code": "BASE_TYPE", "message": "x"}]}}}},
        ),
        exchange(
            "POST",
            MESSAGES,
            {},
            400,
            {**REFUSED, "errors": {"content": {"_errors": [{"code": "", "message": "x"}]}}},
        ),
    ),
    "server errors": (
        exchange("GET", MESSAGES, status=500, response={"message": "Internal Server Error", "code": 0}),
        exchange("GET", MESSAGES, status=302),
    ),
}


@pytest.mark.parametrize("good", GOOD.values(), ids=GOOD)
def test_an_exchange_as_discord_makes_it_is_accepted(checker: Checker, good: Exchange) -> None:
    assert checker.check(good) == []


@pytest.mark.parametrize(("problem", "bad"), BAD.items(), ids=BAD)
def test_a_mistake_is_named_where_it_lies(checker: Checker, problem: str, bad: Exchange) -> None:
    assert any(problem in found for found in checker.check(bad)), checker.check(bad)


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda difference: difference.name)
def test_a_known_difference_is_excused_narrowly(checker: Checker, difference: Any) -> None:
    assert difference.reason.endswith(".")
    differing, beside = DIFFERING[difference.name]
    before = checker.used[difference.name]
    assert checker.check(differing) == []
    assert checker.used[difference.name] > before
    assert checker.check(beside)


def test_many_mistakes_are_told_in_a_few_lines(checker: Checker) -> None:
    many = exchange("POST", MESSAGES, {f"unheard{n}": n for n in range(20)}, response=MESSAGE)
    problems = checker.check(many)
    assert len(problems) == 6
    assert problems[-1] == "… and 15 more"


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.text("0123456789"),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted(MESSAGE)), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(
    request=ANYTHING,
    response=ANYTHING,
    place=st.text(max_size=30),
    status=st.sampled_from([200, 204, 403, 500]),
)
@settings(max_examples=60, deadline=None)
def test_the_checker_survives_whatever_is_sent(
    checker: Checker, request: object, response: object, place: str, status: int
) -> None:
    for path in (f"{MESSAGES}?limit={place}", f"/channels/{place}/messages"):
        for problem in checker.check(exchange("POST", path, request, status, response)):
            assert isinstance(problem, str)


def test_what_is_not_discords_rest_is_left_alone(checker: Checker) -> None:
    for side, path in (
        ("novita", "/v3/async/task-result"),
        ("cdn", "/attachments/1/2/x.png"),
        ("gateway", "READY"),
    ):
        assert checker.check(Exchange(side=side, method="GET", path=path)) == []


# The journal, on a real site.


@asynccontextmanager
async def site(
    journal: Journal, *routes: web.RouteDef, side: Any = "discord"
) -> AsyncIterator[tuple[ClientSession, str]]:
    """Run routes behind the journal's middleware; yield a client session and the site's address."""
    app = web.Application(middlewares=[journal.middleware(side)], client_max_size=64 * 2**20)
    app.add_routes(routes)
    async with TestServer(app) as server, ClientSession(headers={"Authorization": TOKEN}) as session:
        yield session, str(server.make_url("")).rstrip("/")


async def post_message(request: web.Request) -> web.Response:
    """Answer as Discord does, having streamed the files of a multipart request away."""
    if request.content_type == "multipart/form-data":
        payload: dict[str, Any] = {}
        files = []
        async for part in await request.multipart():
            assert isinstance(part, BodyPartReader)
            content = await part.read()
            if part.name == "payload_json":
                payload = json.loads(content)
            else:
                files.append({"field": part.name, "filename": part.filename, "size": len(content)})
        request[wire.BODY] = {"payload_json": payload, "files": files}
    else:
        payload = await request.json()
    return web.json_response({**MESSAGE, "content": payload["content"]})


async def test_exchanges_are_recorded_and_checked_before_the_answer_leaves(checker: Checker) -> None:
    journal = Journal(checker.check)
    form = FormData()
    form.add_field("payload_json", json.dumps({"content": "y", "attachments": [{"id": 0}]}))
    form.add_field("files[0]", b"mp4", filename="a.mp4", content_type="application/octet-stream")
    async with site(journal, web.post(f"/api/v10{MESSAGES}", post_message)) as (session, url):
        for body in ({"json": {"content": "x", "sparkle": True}}, {"data": form}):
            async with session.post(f"{url}/api/v10{MESSAGES}", **body) as answer:
                sent = await answer.json()
            assert journal.since(0)[-1].response_body == sent
    plain, uploaded = journal.since(0)
    assert plain.problems == ["POST /channels/{channel_id}/messages request: sparkle: unknown property"]
    assert plain.request_body == {"content": "x", "sparkle": True}
    assert (plain.id, plain.side, plain.method, plain.status) == (1, "discord", "POST", 200)
    assert uploaded.problems == []
    assert uploaded.request_body == {
        "payload_json": {"content": "y", "attachments": [{"id": 0}]},
        "files": [{"field": "files[0]", "filename": "a.mp4", "size": 3}],
    }
    assert TOKEN not in json.dumps([each.as_dict() for each in journal.since(0)])


async def test_a_dropped_connection_has_no_status() -> None:
    async def drop(request: web.Request) -> web.Response:
        request[wire.FAULT] = "drop_before"
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    journal = Journal()
    async with site(journal, web.post("/v3/async/x", drop), side="novita") as (session, url):
        with pytest.raises(ClientError):
            await session.post(f"{url}/v3/async/x", json={"image": "x"})
    (dropped,) = journal.since(0)
    assert (dropped.side, dropped.status, dropped.fault) == ("novita", None, "drop_before")


async def test_answers_of_every_kind_are_described(tmp_path: Path) -> None:
    async def stream(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "video/mp4", "Content-Length": "3"})
        await response.prepare(request)
        await response.write(b"mp4")
        return response

    async def forbid(request: web.Request) -> web.Response:
        raise web.HTTPForbidden(text=json.dumps(REFUSED), content_type="application/json")

    async def fail(request: web.Request) -> web.Response:
        raise LookupError("no such thing")

    async def page(request: web.Request) -> web.Response:
        return web.Response(text="<html>", content_type="text/html")

    async def nothing(request: web.Request) -> web.Response:
        return web.Response(status=204)

    handlers = {"stream": stream, "forbid": forbid, "fail": fail, "page": page, "nothing": nothing}
    journal = Journal()
    routes = [web.get(f"/api/{name}", handler) for name, handler in handlers.items()]
    async with site(journal, *routes, web.get("/attachments/1", stream)) as (session, url):
        for path in (*(f"/api/{name}" for name in handlers), "/api/unknown", "/attachments/1"):
            async with session.get(url + path) as answer:
                await answer.read()
    assert [(each.side, each.status, each.response_body) for each in journal.since(0)] == [
        ("discord", 200, "<3 bytes of video/mp4>"),
        ("discord", 403, REFUSED),
        ("discord", 500, None),
        ("discord", 200, "<6 bytes of text/html>"),
        ("discord", 204, None),
        ("discord", 404, "<14 bytes of text/plain>"),
        ("cdn", 200, "<3 bytes of video/mp4>"),
    ]
    assert journal.since(2)[0].problems == ["the sandbox failed: LookupError: no such thing"]


async def test_big_strings_are_shortened_and_the_handler_still_gets_them() -> None:
    seen: list[int] = []

    async def submit(request: web.Request) -> web.Response:
        seen.append(len((await request.json())["image"]))
        return web.json_response({"task_id": "t"})

    journal = Journal()
    image = io.BytesIO(json.dumps({"image": "A" * 9_000_000, "prompt": "x"}).encode())
    headers = {"Content-Type": "application/json"}
    async with site(journal, web.post("/v3/async/x", submit), side="novita") as (session, url):
        answer = await session.post(f"{url}/v3/async/x", data=image, headers=headers)
        assert await answer.json() == {"task_id": "t"}
    assert seen == [9_000_000]
    assert journal.since(0)[0].request_body == {"image": "<9000000 characters>", "prompt": "x"}


async def test_a_body_still_on_its_way_is_not_waited_for() -> None:
    arrived = asyncio.Event()

    async def refuse(request: web.Request) -> web.Response:
        arrived.set()
        return web.json_response(REFUSED, status=403)

    async def endless() -> AsyncIterator[bytes]:
        yield b'{"content": '
        await arrived.wait()
        yield b'"late"}'

    journal = Journal()
    headers = {"Content-Type": "application/json", "Content-Length": "19"}
    async with site(journal, web.post("/api/x", refuse)) as (session, url):
        answer = await session.post(f"{url}/api/x", data=endless(), headers=headers)
        assert await answer.json() == REFUSED
    assert journal.since(0)[0].request_body == "<19 bytes that were not read>"


async def test_bodies_that_are_empty_or_not_json_are_told_apart() -> None:
    async def accept(request: web.Request) -> web.Response:
        await request.read()
        return web.Response()

    journal = Journal()
    async with site(journal, web.post("/api/x", accept)) as (session, url):
        await session.post(f"{url}/api/x")
        await session.post(f"{url}/api/x", json=[])
        await session.post(f"{url}/api/x", data=b"{nope", headers={"Content-Type": "application/json"})
        await session.post(f"{url}/api/x", data=b"abc", headers={"Content-Type": "image/png"})
    assert [each.request_body for each in journal.since(0)] == [
        None,
        [],
        "<5 bytes that are not JSON>",
        "<3 bytes of image/png>",
    ]


def test_gateway_payloads_are_recorded_without_the_token() -> None:
    journal = Journal()
    journal.gateway("from_bot", 2, None, {"token": TOKEN, "intents": 1})
    journal.gateway("from_bot", 6, None, {"token": TOKEN, "seq": 1})
    ready = {"session_id": "s"}
    journal.gateway("to_bot", 0, "READY", ready)
    ready["session_id"] = "changed later"
    identify, _, event = journal.since(0)
    assert (identify.side, identify.method, identify.path) == ("gateway", "from_bot", "op 2")
    assert identify.request_body == {"op": 2, "t": None, "d": {"token": "<redacted>", "intents": 1}}
    assert (event.path, event.response_body) == ("READY", {"op": 0, "t": "READY", "d": {"session_id": "s"}})
    assert TOKEN not in repr(journal.since(0))


def test_since_goes_by_id_after_old_exchanges_were_dropped() -> None:
    journal = Journal(kept=3)
    for _ in range(5):
        journal.gateway("to_bot", 11, None, None)
    assert [each.id for each in journal.since(0)] == [3, 4, 5]
    assert [each.id for each in journal.since(4)] == [5]
    assert journal.since(5) == journal.since(99) == []


def test_subscribers_hear_of_exchanges_until_they_leave() -> None:
    journal = Journal()
    queue = journal.subscribe()
    first = journal.gateway("to_bot", 10, None, None)
    journal.unsubscribe(queue)
    journal.unsubscribe(queue)
    journal.gateway("to_bot", 11, None, None)
    assert queue.get_nowait() is first
    assert queue.empty()
