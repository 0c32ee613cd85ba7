"""Every kind of fault, seen by a client on a real TCP connection."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import aiohttp
import pytest
from aiohttp import web

from sandbox.bus import Bus
from sandbox.discord.faults import answer as discord_answer
from sandbox.faults import KINDS, Faults
from sandbox.journal import Journal
from sandbox.novita.faults import answer as novita_answer

ANSWERS = {"discord": discord_answer, "novita": novita_answer}
FILE = bytes(range(256)) * 4096


@dataclass
class Site:
    """A small site with faults: it counts what it did."""

    url: str
    port: int
    faults: Faults
    journal: Journal
    session: aiohttp.ClientSession
    acted: list[bytes] = field(default_factory=list)

    async def act(self, body: bytes = b"hello") -> aiohttp.ClientResponse:
        async with self.session.post(f"{self.url}/api/v10/act", data=io.BytesIO(body)) as answer:
            await answer.read()
            return answer


async def serve(tmp_path: Path, side: Literal["discord", "novita"]) -> AsyncIterator[Site]:
    faults, journal = Faults(), Journal()
    app = web.Application(
        middlewares=[journal.middleware(side), faults.middleware(side, ANSWERS[side])], client_max_size=2**20
    )
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    path = tmp_path / "film.mp4"
    path.write_bytes(FILE)
    async with aiohttp.ClientSession() as session:
        site = Site("", 0, faults, journal, session)

        async def act(request: web.Request) -> web.Response:
            site.acted.append(await request.read())
            return web.Response(body=b"done" * 10)

        async def refuse(request: web.Request) -> web.Response:
            site.acted.append(b"refused")
            raise web.HTTPForbidden(text="no" * 10)

        async def file(request: web.Request) -> web.FileResponse:
            return web.FileResponse(path)

        app.router.add_post("/api/v10/act", act)
        app.router.add_post("/api/v10/refuse", refuse)
        app.router.add_get("/attachments/film.mp4", file)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        site.port = runner.addresses[0][1]
        site.url = f"http://127.0.0.1:{site.port}"
        yield site
        faults.clear()
    await runner.cleanup()


@pytest.fixture
async def discord(tmp_path: Path) -> AsyncIterator[Site]:
    async for site in serve(tmp_path, "discord"):
        yield site


@pytest.fixture
async def novita(tmp_path: Path) -> AsyncIterator[Site]:
    async for site in serve(tmp_path, "novita"):
        yield site


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - what is waited for has no event
        await asyncio.sleep(0.005)


async def raw_exchange(site: Site, sent: bytes) -> bytes:
    """Send bytes and return all that comes until the server closes; raises on a TCP reset."""
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    try:
        writer.write(sent)
        return await reader.read()
    finally:
        writer.close()


POST = b"POST /api/v10/act HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"


@pytest.mark.parametrize(("kind", "acted"), [("drop_before", []), ("drop_after", [b"hello"])])
async def test_a_drop_ends_the_connection_with_no_answer(
    discord: Site, kind: str, acted: list[bytes]
) -> None:
    discord.faults.add(side="discord", kind=kind, times=2)
    assert await raw_exchange(discord, POST) == b""  # an orderly end, not a reset
    assert discord.acted == acted
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await discord.act()
    exchange = discord.journal.since(0)[0]
    assert (exchange.status, exchange.fault) == (None, kind)
    assert (await discord.act()).status == 200


@pytest.mark.parametrize(("kind", "acted"), [("error", []), ("error_after", [b"hello"])])
async def test_an_error_has_the_shape_of_its_side(
    discord: Site, novita: Site, kind: str, acted: list[bytes]
) -> None:
    discord.faults.add(side="discord", kind=kind, status=503, reason="130000", message="Overloaded")
    novita.faults.add(side="novita", kind=kind)
    answer = await discord.act()
    assert (answer.status, answer.headers["Content-Type"]) == (503, "application/json")
    assert await answer.json() == {"message": "Overloaded", "code": 130000}
    assert discord.acted == acted
    answer = await novita.act()
    assert (answer.status, answer.headers["Content-Type"]) == (500, "application/json")
    assert await answer.json() == {
        "code": 500,
        "reason": "",
        "message": "internal error",
        "metadata": {},
    }
    assert novita.acted == acted


async def test_a_reason_of_novita_brings_its_status(novita: Site) -> None:
    novita.faults.add(side="novita", kind="error", reason="API_NOT_ALLOWED", message="Ask the owner")
    answer = await novita.act()
    assert answer.status == 403
    assert (await answer.json())["reason"] == "API_NOT_ALLOWED"


async def test_a_rate_limit_has_the_shape_of_its_side(discord: Site, novita: Site) -> None:
    discord.faults.add(side="discord", kind="rate_limit", retry_after=0.25)
    answer = await discord.act()
    assert answer.status == 429
    assert (answer.headers["Retry-After"], answer.headers["Via"]) == ("0.25", "1.1 google")
    assert (await answer.json())["retry_after"] == 0.25
    novita.faults.add(side="novita", kind="rate_limit", retry_after=None)
    answer = await novita.act()
    assert answer.status == 429
    assert "Retry-After" not in answer.headers
    assert (await answer.json())["reason"] == "RATE_LIMIT_EXCEEDED"
    assert discord.acted == novita.acted == []


async def test_html_is_a_page_of_the_edge(discord: Site) -> None:
    discord.faults.add(side="discord", kind="html")
    answer = await discord.act()
    assert (answer.status, answer.content_type) == (502, "text/html")
    assert (await answer.text()).startswith("<!DOCTYPE html>")
    assert discord.acted == []


@pytest.mark.parametrize(("kind", "acted"), [("answer", []), ("answer_after", [b"hello"])])
async def test_any_answer_may_be_given(discord: Site, kind: str, acted: list[bytes]) -> None:
    discord.faults.add(side="discord", kind=kind, status=409, body="{half", content_type="text/plain")
    answer = await discord.act()
    assert (answer.status, answer.content_type, await answer.text()) == (409, "text/plain", "{half")
    assert discord.acted == acted


@pytest.mark.parametrize(("kind", "acted"), [("delay", []), ("delay_after", [b"hello"])])
async def test_a_delay_ends_early_when_it_is_removed(discord: Site, kind: str, acted: list[bytes]) -> None:
    fault = discord.faults.add(side="discord", kind=kind, seconds=3600)
    request = asyncio.create_task(discord.act())
    await until(lambda: fault.hits == 1 and discord.acted == acted)
    assert not request.done()
    discord.faults.remove(fault.id)
    assert (await request).status == 200
    assert discord.acted == [b"hello"]


async def test_a_short_delay_just_passes(discord: Site) -> None:
    discord.faults.add(side="discord", kind="delay", seconds=0.01)
    assert (await discord.act()).status == 200


async def test_truncate_announces_all_and_sends_half(discord: Site) -> None:
    discord.faults.add(side="discord", kind="truncate")
    answer = await raw_exchange(discord, POST)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"Content-Length: 40" in head
    assert body == b"done" * 5
    assert discord.acted == [b"hello"]


async def test_truncate_works_on_files_and_on_the_cdn(discord: Site) -> None:
    discord.faults.add(side="cdn", kind="truncate", path=r"^/attachments/")
    answer = await raw_exchange(discord, b"GET /attachments/film.mp4 HTTP/1.1\r\nHost: x\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"Content-Type: video/mp4" in head
    assert f"Content-Length: {len(FILE)}".encode() in head
    assert body == FILE[: len(FILE) // 2]
    assert [(e.side, e.status, e.fault) for e in discord.journal.since(0)] == [("cdn", 200, "truncate")]
    async with discord.session.get(f"{discord.url}/attachments/film.mp4") as whole:
        assert await whole.read() == FILE


async def test_a_refused_request_can_be_truncated_and_lost_too(discord: Site) -> None:
    discord.faults.add(side="discord", kind="truncate")
    discord.faults.add(side="discord", kind="drop_after")
    sent = POST.replace(b"/act", b"/refuse")
    answer = await raw_exchange(discord, sent)
    assert answer.startswith(b"HTTP/1.1 403")
    assert answer.endswith(b"\r\n\r\n" + b"no" * 5)
    assert await raw_exchange(discord, sent) == b""
    assert discord.acted == [b"refused"] * 2


async def test_reset_upload_resets_in_mid_upload(discord: Site) -> None:
    discord.faults.add(side="discord", kind="reset_upload")
    half = POST.replace(b"Content-Length: 5", b"Content-Length: 100") + b"!" * 50
    with pytest.raises(ConnectionResetError):
        await raw_exchange(discord, half)
    discord.faults.add(side="discord", kind="reset_upload")
    with pytest.raises((aiohttp.ClientOSError, aiohttp.ServerDisconnectedError)):
        await discord.act(bytes(2**22))
    assert discord.acted == []
    assert [e.status for e in discord.journal.since(0)] == [None, None]


async def test_hang_lasts_until_the_client_leaves(discord: Site) -> None:
    fault = discord.faults.add(side="discord", kind="hang", times=0)
    request = asyncio.create_task(discord.act())
    await until(lambda: fault.hits == 1)
    request.cancel()
    await until(lambda: bool(discord.journal.since(0)))
    assert discord.journal.since(0)[0].status is None
    assert discord.acted == []


async def test_hang_lasts_until_it_is_removed(discord: Site) -> None:
    fault = discord.faults.add(side="discord", kind="hang")
    request = asyncio.create_task(discord.act())
    await until(lambda: fault.hits == 1)
    discord.faults.clear()
    assert (await request).status == 200


@pytest.mark.parametrize("kind", ["drop_before", "error", "rate_limit", "html", "reset_upload"])
async def test_the_cdn_has_faults_of_its_own(discord: Site, kind: str) -> None:
    # Until removed: aiohttp silently repeats a GET whose kept-alive connection was closed under it.
    fault = discord.faults.add(side="cdn", kind=kind, times=0)
    assert (await discord.act()).status == 200
    assert fault.hits == 0
    try:
        async with discord.session.get(f"{discord.url}/attachments/film.mp4") as answer:
            assert answer.status >= 429
    except aiohttp.ClientConnectionError:
        assert kind in ("drop_before", "reset_upload")
    assert fault.hits >= 1


async def test_a_large_upload_is_dropped_after_it_arrived(discord: Site) -> None:
    discord.faults.add(side="discord", kind="drop_before")
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await discord.act(bytes(2**22))  # more than the site accepts


async def test_skip_times_method_and_path_choose_the_requests(discord: Site) -> None:
    fault = discord.faults.add(side="discord", kind="error", method="post", path="/act$", skip=1, times=2)
    discord.faults.add(side="discord", kind="error", method="GET", times=0)
    discord.faults.add(side="discord", kind="error", path="/elsewhere", times=0)
    statuses = [(await discord.act()).status for _ in range(5)]
    assert statuses == [200, 500, 500, 200, 200]
    assert (fault.hits, fault.spent) == (2, True)


async def test_times_zero_hits_until_removed(discord: Site) -> None:
    fault = discord.faults.add(side="discord", kind="error", times=0)
    assert [(await discord.act()).status for _ in range(3)] == [500] * 3
    assert discord.faults.list() == [fault]
    discord.faults.remove(fault.id)
    assert (await discord.act()).status == 200
    with pytest.raises(KeyError):
        discord.faults.remove(fault.id)


async def test_websockets_are_left_alone(discord: Site) -> None:
    fault = discord.faults.add(side="discord", kind="error", times=0)
    with pytest.raises(aiohttp.WSServerHandshakeError, match="404"):  # the site's own answer
        await discord.session.ws_connect(f"{discord.url}/gateway")
    assert fault.hits == 0


async def test_a_hit_is_told_on_the_bus(discord: Site) -> None:
    bus = Bus(size=2)
    queue = bus.subscribe()
    for number in range(3):
        bus.publish({"type": "test", "number": number})
    assert [queue.get_nowait()["number"] for _ in range(2)] == [1, 2]  # the oldest was dropped
    faults = Faults(bus)
    app = web.Application(middlewares=[faults.middleware("novita", ANSWERS["novita"])])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    fault = faults.add(side="novita", kind="error")
    await discord.session.get(f"http://127.0.0.1:{runner.addresses[0][1]}/x?y=1")
    assert queue.get_nowait() == {"type": "fault", "fault": fault.as_json(), "path": "/x"}
    bus.unsubscribe(queue)
    bus.publish({"type": "test"})
    assert queue.empty()
    await runner.cleanup()


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"side": "discord"},
        {"side": "moon", "kind": "error"},
        {"side": "discord", "kind": "melt"},
        {"side": "discord", "kind": "error", "colour": 1},
        {"side": "discord", "kind": "error", "id": 5},
        {"side": "discord", "kind": "error", "path": "("},
        {"side": "discord", "kind": "error", "path": 5},
        {"side": "discord", "kind": "error", "times": -1},
        {"side": "discord", "kind": "error", "times": True},
        {"side": "discord", "kind": "error", "seconds": "1"},
        {"side": "discord", "kind": "error", "status": 99},
        {"side": "discord", "kind": "error", "reason": "ILLEGAL_PROMPT"},
    ],
)
async def test_an_impossible_fault_is_refused_with_a_sentence(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w+ .*\."):
        Faults().add(**fields)


def test_every_kind_is_tested_here() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    assert [kind for kind in KINDS if f'"{kind}"' not in text] == []
