"""How the page is served: to this machine's own browser only, and with nothing from outside."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
from yarl import URL

from sandbox.client import Sandbox


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def test_a_browser_is_sent_to_the_page_and_a_program_is_not(
    sandbox: Sandbox, http: aiohttp.ClientSession
) -> None:
    async with http.get(sandbox.control_url, headers={"Accept": "text/html"}) as answer:
        assert answer.url.path == "/app/"
        assert answer.content_type == "text/html"
    async with http.get(sandbox.control_url) as answer:
        assert "GET /discord/people" in (await answer.json())["endpoints"]


async def test_the_page_may_load_nothing_but_itself_and_the_cdn(
    sandbox: Sandbox, http: aiohttp.ClientSession
) -> None:
    async with http.get(f"{sandbox.control_url}/app/") as answer:
        policy = answer.headers["Content-Security-Policy"]
        page = await answer.text()
    cdn = sandbox.environment["discord_api_url"].removesuffix("/api/v10")
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert f"media-src 'self' blob: {cdn};" in policy
    assert "unsafe" not in policy
    assert "//" not in page.replace("<!doctype html>", "")


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "rebound.example"},
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
    ],
)
async def test_another_web_page_is_turned_away(
    sandbox: Sandbox, http: aiohttp.ClientSession, headers: dict[str, str]
) -> None:
    for path in ("/discord/state", "/events", "/app/"):
        async with http.get(sandbox.control_url + path, headers=headers) as answer:
            assert answer.status == 403
    async with http.post(f"{sandbox.control_url}/reset", headers=headers) as answer:
        assert answer.status == 403


async def test_a_link_to_the_page_may_be_followed(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    async with http.get(f"{sandbox.control_url}/app/", headers=headers) as answer:
        assert answer.status == 200


@pytest.mark.parametrize(
    "path", ["../site.py", "..%2fsite.py", "%2e%2e/site.py", "/etc/passwd", "nothing.js", ""]
)
async def test_nothing_but_the_pages_own_files_is_served(
    sandbox: Sandbox, http: aiohttp.ClientSession, path: str
) -> None:
    for folder in ("app", "app/pictures"):
        if not path and folder == "app":
            continue  # the page itself
        url = f"{sandbox.control_url}/{folder}/{path}"
        async with http.get(URL(url, encoded=True), allow_redirects=False) as answer:
            assert answer.status == 404
