from __future__ import annotations

import asyncio
import gzip
import ipaddress
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from bot.errors import AddressRefused, DownloadError, DownloadTooLarge
from bot.files.download import Downloaded, Downloader, _GuardedResolver, is_public
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


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.1", "10.1.2.3", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.31.0.1", "192.168.0.1"),
        *("192.0.0.1", "192.0.0.9", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.51.100.1", "203.0.113.1"),
        *("224.0.0.1", "233.252.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255"),
        *("::", "::1", "::7f00:1", "::8.8.8.8"),  # unspecified, loopback, IPv4-compatible
        *("::ffff:10.0.0.1", "::ffff:8.8.8.8", "::ffff:0:8.8.8.8"),  # IPv4-mapped and -translated
        *("64:ff9b::a00:1", "64:ff9b::808:808", "64:ff9b:1::1", "64:ff9b:1:ffff::a00:1"),  # NAT64
        *("2002:a00:1::", "2002:808:808::1"),  # 6to4
        *("2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:10::1", "2001:20::1"),  # Teredo, ORCHID
        *("2001:db8::1", "3fff::1", "100::1", "5f00::1"),  # documentation, discard, segment routing
        *("fc00::1", "fd00::1", "fe80::1", "fec0::1", "ff02::1", "ff0e::1"),
        *("fe80::1%eth0", "2606:4700::1111%eth0"),
        *("127.1", "2130706433", "0x7f000001", "0177.0.0.1", "8.8.2056", "0x08080808", "127.0.0.1.", ""),
    ],
)
@pytest.mark.parametrize("python", ["this one", "one to which everything is global"])
def test_what_is_not_one_host_on_the_internet_is_not_public(
    address: str, python: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if python != "this one":  # Python 3.11 to 3.13 differ about many of them
        for kind in (ipaddress.IPv4Address, ipaddress.IPv6Address):
            monkeypatch.setattr(kind, "is_global", True)
    assert not is_public(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "162.159.135.232", "2606:4700::6810:85e5", "2a00:1450::1"])
def test_a_host_on_the_internet_is_public(address: str) -> None:
    assert is_public(address)


async def test_of_a_name_with_many_addresses_the_public_ones_are_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    addresses = ["10.0.0.1", "1.1.1.1", "64:ff9b::a00:1", "2606:4700::1111", "fe80::1"]

    async def resolve(*_: object) -> list[dict[str, str]]:
        return [{"host": address} for address in addresses]

    monkeypatch.setattr("aiohttp.ThreadedResolver.resolve", resolve)
    found = await _GuardedResolver(loopback=False).resolve("files.example.com")
    assert [result["host"] for result in found] == ["1.1.1.1", "2606:4700::1111"]
    del addresses[1], addresses[2]
    with pytest.raises(OSError, match="no public address"):
        await _GuardedResolver(loopback=False).resolve("files.example.com")


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
        "https://2130706433:{port}/v.mp4",
        "https://0x7f000001:{port}/v.mp4",
        "https://0177.1:{port}/v.mp4",
        "https://127.0.0.1.:{port}/v.mp4",
        "https://[fe80::1%25lo]:{port}/v.mp4",
        "https://[64:ff9b::7f00:1]/v.mp4",
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
