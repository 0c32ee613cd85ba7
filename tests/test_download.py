from __future__ import annotations

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from bot.errors import AddressRefused, DownloadError, DownloadTooLarge
from bot.files.download import Downloaded, Downloader
from tests.support.servers import serving

LIMITS: dict[str, Any] = {"max_bytes": 1000, "seconds": 5.0}


@pytest.fixture
async def here() -> AsyncIterator[Downloader]:
    """A fetcher whose API is this machine itself."""
    fetcher = Downloader("http://127.0.0.1:1", hosts=frozenset({"cdn.discordapp.com"}), timeout=2.0)
    yield fetcher
    await fetcher.close()


@pytest.fixture
async def out_there() -> AsyncIterator[Downloader]:
    """A fetcher as in production, whose API is on the internet."""
    fetcher = Downloader("https://api.novita.ai")
    yield fetcher
    await fetcher.close()


async def body(request: web.Request) -> web.Response:
    return web.Response(body=b"x" * int(request.query.get("size", "500")), content_type="video/mp4")


async def test_everything_arrives_or_nothing_is_there(here: Downloader, tmp_path: Path) -> None:
    target = tmp_path / "file"
    async with serving({"/file": body}) as base:
        assert await here.download(f"{base}/file", target, **LIMITS) == Downloaded(500, "video/mp4")
        assert target.read_bytes() == b"x" * 500
        with pytest.raises(DownloadTooLarge):
            await here.download(f"{base}/file?size=1001", tmp_path / "big", **LIMITS)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


async def test_a_signed_address_is_asked_byte_for_byte(here: Downloader, tmp_path: Path) -> None:
    asked: list[str] = []

    async def file(request: web.Request) -> web.Response:
        asked.append(request.raw_path)
        if request.path == "/moved":
            return web.Response(status=302, headers={"Location": "/a%2Fb%40c?sig=%2f%40+~%7E'()*"})
        return web.Response(body=b"x")

    async with serving({"/{name:.*}": file}) as base:
        signed = (
            "/user%2Fname%40x/v.mp4?X-Amz-Credential=a%2Fb%2Faws4_request&x=%7e%20+/@:,&Signature=A%2B/%3D"
        )
        await here.download(base + signed, tmp_path / "file", **LIMITS)
        await here.download(f"{base}/moved", tmp_path / "file", **LIMITS)
        await here.download(f"{base}/a b\r\nX: y?ü=1", tmp_path / "file", **LIMITS)
    assert asked[0] == signed
    assert asked[2] == "/a%2Fb%40c?sig=%2f%40+~%7E'()*"
    assert asked[3] == "/a%20bX:%20y?%C3%BC=1"  # never two lines of a request


async def test_a_size_that_is_not_announced_is_capped_too(here: Downloader, tmp_path: Path) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"y" * 300)

    async with serving({"/endless": endless}) as base:
        with pytest.raises(DownloadTooLarge):
            await here.download(f"{base}/endless", tmp_path / "file", **LIMITS)
    assert list(tmp_path.iterdir()) == []


async def test_a_transfer_that_breaks_off_is_an_error(here: Downloader, tmp_path: Path) -> None:
    async def half(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "800"})
        await response.prepare(request)
        await response.write(b"z" * 400)
        assert request.transport is not None
        request.transport.close()
        return response

    async with serving({"/half": half}) as base:
        with pytest.raises(DownloadError, match="broke off"):
            await here.download(f"{base}/half", tmp_path / "file", **LIMITS)
    assert list(tmp_path.iterdir()) == []


async def test_a_line_that_falls_silent_ends(tmp_path: Path) -> None:
    release = asyncio.Event()

    async def silent(_: web.Request) -> web.Response:
        await release.wait()
        return web.Response()

    fetcher = Downloader("http://127.0.0.1:1", timeout=0.1)
    async with serving({"/silent": silent}) as base:
        with pytest.raises(DownloadError):
            await fetcher.download(f"{base}/silent", tmp_path / "file", **LIMITS)
        release.set()
    await fetcher.close()


async def test_the_answer_is_told(here: Downloader, tmp_path: Path) -> None:
    async def busy(_: web.Request) -> web.Response:
        return web.Response(status=503, headers={"Retry-After": "7"})

    async with serving({"/busy": busy}) as base:
        with pytest.raises(DownloadError) as caught:
            await here.download(f"{base}/busy?signature=hidden", tmp_path / "file", **LIMITS)
    assert (caught.value.status, caught.value.retry_after) == (503, 7.0)
    assert "hidden" not in str(caught.value)


async def test_redirects_are_followed_a_few_times_and_checked_each(here: Downloader, tmp_path: Path) -> None:
    async def hop(request: web.Request) -> web.Response:
        left = int(request.query["left"])
        raise web.HTTPFound(f"/hop?left={left - 1}" if left else "/file")

    async def inside(_: web.Request) -> web.Response:
        raise web.HTTPFound("http://10.0.0.7/admin")

    async with serving({"/hop": hop, "/file": body, "/inside": inside}) as base:
        await here.download(f"{base}/hop?left=1", tmp_path / "file", **LIMITS)
        with pytest.raises(DownloadError, match="address to address"):
            await here.download(f"{base}/hop?left=9", tmp_path / "file", **LIMITS)
        with pytest.raises(AddressRefused):
            await here.download(f"{base}/inside", tmp_path / "file", **LIMITS)


@pytest.mark.parametrize(
    "url",
    [
        "http://files.example.com/v.mp4",  # not https
        "https://127.0.0.1/v.mp4",
        "http://127.0.0.1:8080/v.mp4",
        "https://localhost/v.mp4",  # resolves to this machine
        "https://[::1]/v.mp4",
        "https://10.1.2.3/v.mp4",
        "https://192.168.0.1/v.mp4",
        "https://169.254.169.254/latest/meta-data",
        "https://[fd00::1]/v.mp4",
        "https://[::ffff:10.0.0.1]/v.mp4",
        "https://0.0.0.0/v.mp4",
        "file:///etc/passwd",
        "ftp://files.example.com/v.mp4",
        "//files.example.com/v.mp4",
        "",
        "https://",
    ],
)
async def test_in_production_no_private_address_is_reached(
    out_there: Downloader, tmp_path: Path, url: str
) -> None:
    with pytest.raises(DownloadError):
        await out_there.download(url, tmp_path / "file", **LIMITS)
    assert list(tmp_path.iterdir()) == []


async def test_a_name_that_resolves_to_a_private_address_is_refused(
    out_there: Downloader, tmp_path: Path
) -> None:
    # The wire cannot reach here: the point is that no connection is opened at all.
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        port = server.getsockname()[1]
        with pytest.raises(DownloadError):
            await out_there.download(f"https://localhost:{port}/v.mp4", tmp_path / "file", **LIMITS)
        with pytest.raises(TimeoutError):
            await asyncio.to_thread(server.accept)


async def test_a_stand_in_opens_this_machine_and_nothing_else_private(
    here: Downloader, tmp_path: Path
) -> None:
    for url in (
        "http://10.0.0.1/x",
        "https://10.0.0.1/x",
        "https://evil.example.com/x",
        "http://cdn.discordapp.com/x",
    ):
        with pytest.raises(AddressRefused):
            await here.download(url, tmp_path / "file", **LIMITS)


@pytest.mark.parametrize(
    "url",
    [
        "http://files.example.com/v.mp4",
        "https://127.0.0.1:{port}/v.mp4",
        "https://[::1]:{port}/v.mp4",
        "https://10.1.2.3/v.mp4",
        "https://169.254.169.254/latest/meta-data",
        "https://[::ffff:10.0.0.1]/v.mp4",
    ],
)
async def test_an_address_that_is_not_allowed_is_refused_before_anything_is_asked(
    out_there: Downloader, tmp_path: Path, url: str
) -> None:
    # With a limit, so that whatever connects all the same is no slow failure.
    limits = LIMITS | {"seconds": 1.0}
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(AddressRefused):
        await out_there.download(url.format(port=server.getsockname()[1]), tmp_path / "file", **limits)
    named = Downloader("https://api.novita.ai", hosts={"cdn.discordapp.com"})
    with pytest.raises(AddressRefused):
        await named.download("https://192.0.2.1/x", tmp_path / "file", **limits)
    with pytest.raises(AddressRefused, match="host"):
        await named.download("https://1.1.1.1/x", tmp_path / "file", **limits)
    await named.close()


async def test_what_comes_packed_stays_packed(here: Downloader, tmp_path: Path) -> None:
    packed = gzip.compress(b"0" * 1_000_000)

    async def bomb(_: web.Request) -> web.Response:
        return web.Response(body=packed, headers={"Content-Encoding": "gzip"})

    async with serving({"/bomb": bomb}) as base:
        limits = LIMITS | {"max_bytes": len(packed)}
        assert (await here.download(f"{base}/bomb", tmp_path / "file", **limits)).size == len(packed)
    assert (tmp_path / "file").read_bytes() == packed
