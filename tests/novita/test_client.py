from __future__ import annotations

import asyncio
import base64
import contextlib
import gzip
import json
import socket
import tracemalloc
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from bot.domain.request import RenderRequest
from bot.errors import AnswerLost, NotSent
from bot.novita.client import ImageFile, NovitaClient
from bot.novita.codec import Kind, Problem, Repeat, Submitted
from bot.novita.models import CATALOGUE, Encoding
from tests.support.servers import Handler, serving

MODEL = CATALOGUE["kling-2.5-turbo-i2v"]
PATH = "/v3/async/kling-2.5-turbo-i2v"


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "still.png"
    path.write_bytes(bytes(range(256)) * 3001)  # more than one piece, and no multiple of three
    return path


async def submit(base: str, image: Path) -> Submitted | Problem:
    client = NovitaClient(base, "sk_key", timeout=2.0)
    try:
        with image.open("rb") as file:
            images = [ImageFile(file, "png")]
            return await client.submit(MODEL, RenderRequest("", "a cat “yawns”", 5, 0), "base64", images)
    finally:
        await client.close()


async def test_the_image_arrives_byte_for_byte(image: Path) -> None:
    seen: dict[str, object] = {}

    async def create(request: web.Request) -> web.Response:
        seen.update(
            await request.json(), auth=request.headers["Authorization"], length=request.content_length
        )
        return web.json_response({"task_id": "t-1"})

    async with serving({PATH: create}) as base:
        assert await submit(base, image) == Submitted("t-1")
    assert base64.b64decode(str(seen["image"])) == image.read_bytes()
    assert seen["prompt"] == "a cat “yawns”"
    assert seen["auth"] == "Bearer sk_key"
    assert seen["length"]  # announced, so that no proxy has to cope with chunks


@pytest.mark.parametrize("way", ["base64", "data_uri"])
async def test_two_images_arrive_byte_for_byte(image: Path, tmp_path: Path, way: Encoding) -> None:
    end = tmp_path / "end.jpg"
    end.write_bytes(b"the end" * 30_011)
    seen: dict[str, object] = {}

    async def create(request: web.Request) -> web.Response:
        raw = await request.read()
        seen.update(json.loads(raw), whole=len(raw) == request.content_length)
        return web.json_response({"task_id": "t-1"})

    async with serving({PATH: create}) as base:
        client = NovitaClient(base, "sk_key", timeout=2.0)
        with image.open("rb") as first, end.open("rb") as last:
            files = [ImageFile(first, "png"), ImageFile(last, "jpeg")]
            await client.submit(MODEL, RenderRequest("", "a cat", 5, 0), way, files)
        await client.close()
    arrived = [base64.b64decode(str(seen[name]).rpartition(",")[2]) for name in ("image", "end_image")]
    assert arrived == [image.read_bytes(), end.read_bytes()]
    assert seen["whole"]


async def test_an_address_is_sent_in_place_of_the_bytes() -> None:
    seen: list[bytes] = []

    async def create(request: web.Request) -> web.Response:
        seen.append(await request.read())
        return web.json_response({"task_id": "t-1"})

    address = "https://cdn.example/still.png?ex=1&hm=2"
    async with serving({PATH: create}) as base:
        client = NovitaClient(base, "sk_key", timeout=2.0)
        await client.submit(MODEL, RenderRequest("", "a cat", 5, 0), "url", [address])
        await client.close()
    (body,) = seen
    assert json.loads(body)["image"] == address


async def test_memory_does_not_grow_with_the_image(tmp_path: Path) -> None:
    large = tmp_path / "large.png"
    large.write_bytes(bytes(24_000_000))

    async def create(request: web.Request) -> web.Response:
        async for _ in request.content.iter_any():
            pass
        return web.json_response({"task_id": "t-1"})

    async with serving({PATH: create}) as base:
        tracemalloc.start()
        assert await submit(base, large) == Submitted("t-1")
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 12_000_000


async def test_what_novita_echoes_of_the_request_holds_no_secret(image: Path) -> None:
    async def echo(request: web.Request) -> web.Response:
        body = (await request.read()).decode()
        said = f"key {request.headers['Authorization'].removeprefix('Bearer ')} password {body}"
        return web.json_response({"reason": "INVALID_REQUEST_BODY", "message": said}, status=400)

    async with serving({"/{tail:.*}": echo}) as base:
        client = NovitaClient(base, "a-key-of-no-known-form", timeout=2.0, secrets=("password",))
        with image.open("rb") as file:
            files = [ImageFile(file, "png")]
            submitted = await client.submit(MODEL, RenderRequest("", "a cat", 5, 0), "base64", files)
        answers = [submitted, await client.result("t"), await client.balance()]
        await client.close()
    for answer in answers:
        assert isinstance(answer, Problem)
        assert "a-key-of" not in answer.message
        assert "password" not in answer.message
        assert answer.message.startswith("key <secret> <secret>")


async def test_a_refused_connection_proves_that_nothing_was_sent(image: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(NotSent):
        await submit(f"http://127.0.0.1:{port}", image)


async def test_a_name_that_does_not_resolve_proves_it_too(image: Path) -> None:
    with pytest.raises(NotSent):
        await submit("http://novita.invalid", image)


async def drop(request: web.Request) -> web.Response:
    await request.read()
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def hang(_: web.Request) -> web.Response:
    await asyncio.sleep(3600)
    return web.Response()


async def half(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "100"})
    await response.prepare(request)
    await response.write(b'{"task_id"')
    assert request.transport is not None
    request.transport.close()
    return response


@pytest.mark.parametrize("handler", [drop, hang, half])
async def test_a_lost_answer_is_told_as_that_and_not_repeated(image: Path, handler: Handler) -> None:
    calls = 0

    async def counted(request: web.Request) -> web.StreamResponse:
        nonlocal calls
        calls += 1
        return await handler(request)

    async with serving({PATH: counted}) as base:
        client = NovitaClient(base, "sk_key", timeout=0.2)
        with image.open("rb") as file, pytest.raises(AnswerLost):
            await client.submit(MODEL, RenderRequest("", "a", 5, 0), "base64", [ImageFile(file, "png")])
        await client.close()
    assert calls == 1


async def test_a_redirect_is_not_followed(image: Path) -> None:
    async def moved(_: web.Request) -> web.Response:
        raise web.HTTPTemporaryRedirect("/elsewhere")

    async def elsewhere(_: web.Request) -> web.Response:
        raise AssertionError("a paid request was sent a second time")

    async with serving({PATH: moved, "/elsewhere": elsewhere}) as base:
        answer = await submit(base, image)
    assert isinstance(answer, Problem)
    assert answer.kind is Kind.PROVIDER


@pytest.fixture
async def refusing() -> AsyncIterator[str]:
    async def refuse(_: web.Request) -> web.Response:
        body = {"code": 403, "reason": "INVALID_API_KEY", "message": "bad key", "metadata": {}}
        return web.Response(status=403, text=json.dumps(body), content_type="application/json")

    async with serving({"/{tail:.*}": refuse}) as base:
        yield base


async def test_a_refused_key_is_understood_everywhere(refusing: str, image: Path) -> None:
    client = NovitaClient(refusing, "sk_wrong")
    with image.open("rb") as file:
        images = [ImageFile(file, "jpeg")]
        submitted = await client.submit(MODEL, RenderRequest("", "a", 5, 0), "base64", images)
    for answer in (await client.balance(), await client.result("t"), submitted):
        assert isinstance(answer, Problem)
        assert answer.kind is Kind.KEY
    await client.close()


@pytest.mark.parametrize(
    ("packing", "size", "read"),
    [("gzip", 1000, True), ("deflate", 1000, True), ("gzip", 50_000_000, False), ("br", 1000, False)],
)
async def test_an_answer_is_read_up_to_a_bound_also_once_unpacked(
    image: Path, packing: str, size: int, read: bool
) -> None:
    body = json.dumps({"task_id": "t-1", "more": "x" * size}).encode()
    packed = {"gzip": gzip.compress, "deflate": zlib.compress, "br": lambda _: b"\x1b" * 500}[packing](body)

    async def create(request: web.Request) -> web.Response:
        assert request.headers["Accept-Encoding"] == "identity"
        await request.read()
        return web.Response(body=packed, headers={"Content-Encoding": packing})

    async with serving({PATH: create}) as base:
        tracemalloc.start()
        answer = await submit(base, image)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 12_000_000
    if read:
        assert answer == Submitted("t-1")
    else:  # it may well be paid, and nobody can read what for
        assert isinstance(answer, Problem)
        assert (answer.repeat, answer.reason) == (Repeat.ASK, "NO_TASK_ID")


async def test_an_endless_answer_is_not_read_to_its_end(image: Path) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        await request.read()
        response = web.StreamResponse()
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            while True:
                await response.write(b"x" * 65_536)
        return response

    async with serving({PATH: endless}) as base:
        answer = await submit(base, image)
    assert isinstance(answer, Problem)
    assert answer.repeat is Repeat.ASK


async def test_a_poll_for_another_task_is_no_answer() -> None:
    async def result(_: web.Request) -> web.Response:
        return web.json_response({"task": {"task_id": "theirs", "status": "TASK_STATUS_FAILED"}})

    async with serving({"/v3/async/task-result": result}) as base:
        client = NovitaClient(base, "sk_key", timeout=2.0)
        answer = await client.result("mine")
        await client.close()
    assert isinstance(answer, Problem)
    assert answer.reason == "ANOTHER_TASK"
