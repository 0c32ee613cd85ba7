"""Download from addresses that strangers chose, without letting them reach the operator's network.

A `Downloader` is bound to one API's base address. It asks for https and public addresses only, checked at the
moment of connecting (so a name that resolves elsewhere later gains nothing), unless that base is this machine
itself: then this machine is allowed too, and nothing else private.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address, ip_network
from pathlib import Path

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from bot.errors import AddressRefused, DownloadError, DownloadTooLarge
from bot.settings import is_loopback

CHUNK = 64 * 1024
REDIRECTS = 3

# By a table of our own (IANA's special-purpose registries): what `is_global` says changed from Python 3.11 to
# 3.13, and it calls NAT64, 6to4 and multicast public in all of them.
_V4_SPECIAL = tuple(
    map(
        ip_network,
        (
            *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
            *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15"),
            *("198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
        ),
    )
)
# All that is public today lies in here; ::/96, ::ffff:0:0/96, NAT64, site-local and multicast do not.
_V6_PUBLIC = ip_network("2000::/3")
# Protocols (Teredo among them), documentation, 6to4, documentation again.
_V6_SPECIAL = tuple(map(ip_network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")))
_NUMERIC = re.compile(r"(?:.*\.)?(?:0x[0-9a-f]*|\d+)\.?", re.IGNORECASE)
"""A host that a resolver takes for an IPv4 address, in whatever notation: 127.1, 0x7f000001, 2130706433."""


@dataclass(frozen=True)
class Downloaded:
    """What arrived: bytes written, and the type the server claims."""

    size: int
    content_type: str


class Downloader:
    """Downloads to disk, one chunk in memory at a time.

    `hosts` limits which public hosts are asked (None: any); `timeout` is the longest silence on the line, in
    seconds.
    """

    def __init__(self, base_url: str, hosts: Collection[str] | None = None, timeout: float = 30.0) -> None:
        self._loopback = is_loopback(base_url)
        self._hosts = None if hosts is None else {*hosts, URL(base_url).host}
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=_GuardedResolver(self._loopback), limit=64),
            timeout=aiohttp.ClientTimeout(
                total=None, connect=timeout, sock_connect=timeout, sock_read=timeout
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def download(self, url: str, target: Path, *, max_bytes: int, seconds: float) -> Downloaded:
        """Stream `url` into `target`, which exists afterwards only if everything arrived.

        Raises `AddressRefused`, `DownloadTooLarge`, or `DownloadError` for an error answer, a broken or short
        transfer, or when it takes longer than `seconds`.
        """
        part = target.with_name(target.name + ".part")
        try:
            async with asyncio.timeout(seconds):
                downloaded = await self._follow(_as_it_is(url), part, max_bytes)
            part.replace(target)
            return downloaded
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            # The class alone: an aiohttp message may hold a signed address.
            raise DownloadError(f"the download broke off ({type(error).__name__})") from None
        finally:
            with suppress(FileNotFoundError):
                part.unlink()

    async def _follow(self, url: URL, part: Path, max_bytes: int) -> Downloaded:
        for _ in range(REDIRECTS + 1):
            self._check(url)
            async with self._session.get(url, allow_redirects=False) as response:
                if response.status in (301, 302, 303, 307, 308):
                    url = url.join(_as_it_is(response.headers.get("Location", "")))
                    continue
                return await self._save(response, part, max_bytes)
        raise DownloadError("the download was sent from address to address")

    async def _save(self, response: aiohttp.ClientResponse, part: Path, max_bytes: int) -> Downloaded:
        if response.status != 200:
            retry_after = response.headers.get("Retry-After", "")
            raise DownloadError(
                f"the download answered {response.status}",
                response.status,
                float(retry_after) if retry_after.isdecimal() else None,
            )
        if (response.content_length or 0) > max_bytes:
            raise DownloadTooLarge(
                f"{response.content_length} bytes are more than {max_bytes}", response.status
            )
        size = 0
        # Small writes to a local file: handing each to a thread would cost more than it saves.
        with part.open("wb") as file:
            async for chunk in response.content.iter_chunked(CHUNK):
                size += len(chunk)
                if size > max_bytes:
                    raise DownloadTooLarge(f"more than {max_bytes} bytes", response.status)
                file.write(chunk)
        if response.content_length not in (None, size):
            raise DownloadError("the download broke off (short)")
        return Downloaded(size, response.content_type)

    def _check(self, url: URL) -> None:
        host = url.host or ""
        here = self._loopback and is_loopback(str(url))
        if url.scheme != "https" and not (here and url.scheme == "http"):
            raise AddressRefused("only https addresses are fetched")
        if here:
            return
        if self._hosts is not None and host not in self._hosts:
            raise AddressRefused("that host is not one Kinora fetches from")
        # A literal address never passes the resolver, so it is looked at here.
        if (":" in host or _NUMERIC.fullmatch(host)) and not is_public(host):
            raise AddressRefused("private addresses are not fetched")


def is_public(address: str) -> bool:
    """Return whether an address, in its usual notation, is one host's on the internet, and no way to another.

    An IPv6 address that holds an IPv4 one (NAT64, 6to4, Teredo, mapped) leads to wherever a gateway thinks.
    """
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, IPv4Address):
        special = any(ip in network for network in _V4_SPECIAL)
    else:
        special = bool(ip.scope_id) or ip not in _V6_PUBLIC or any(ip in network for network in _V6_SPECIAL)
    return ip.is_global and not special


def _as_it_is(url: str) -> URL:
    """Return an address byte for byte: a signature covers `%2F` and `%40` as they are written.

    What no address may hold, such as a blank or a line's end, is encoded all the same.
    """
    return URL(url, encoded=re.fullmatch(r"[!-~]*", url) is not None)


class _GuardedResolver(AbstractResolver):
    """Resolves names and drops every answer that is not a public address."""

    def __init__(self, loopback: bool) -> None:
        self._loopback = loopback
        self._inner = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        allowed = [result for result in found if self._allows(result["host"])]
        if not allowed:
            raise OSError("no public address")
        return allowed

    def _allows(self, address: str) -> bool:
        return is_public(address) or (self._loopback and ip_address(address).is_loopback)

    async def close(self) -> None:
        await self._inner.close()
