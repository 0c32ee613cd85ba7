"""Serve the page's files, with the headers that keep the page to itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from aiohttp import web

PATH = "/app/"
APP = Path(__file__).with_name("app")
PICTURES = Path(__file__).parents[1] / "pictures"
TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".jpg": "image/jpeg",
}


def routes(cdn: Callable[[], str]) -> list[web.RouteDef]:
    """Return the page's routes, all below `PATH`; the page itself talks to the rest of the control site.

    `cdn` gives the origin of Discord's CDN, once that is known.
    """

    async def to_the_page(request: web.Request) -> web.Response:
        raise web.HTTPFound(PATH)

    async def file(request: web.Request) -> web.Response:
        return _file(APP, request.match_info["path"] or "index.html", _headers(request, cdn()))

    async def picture(request: web.Request) -> web.Response:
        return _file(PICTURES, request.match_info["name"], _headers(request, cdn()))

    return [
        web.get("/app", to_the_page),
        web.get("/app/pictures/{name}", picture),
        web.get("/app/{path:.*}", file),
    ]


def _file(folder: Path, name: str, headers: dict[str, str]) -> web.Response:
    path = (folder / name).resolve()
    kind = TYPES.get(path.suffix)
    if kind is None or not path.is_relative_to(folder) or not path.is_file():
        raise web.HTTPNotFound
    charset = None if kind.startswith("image/j") else "utf-8"
    return web.Response(body=path.read_bytes(), content_type=kind, charset=charset, headers=headers)


def _headers(request: web.Request, cdn: str) -> dict[str, str]:
    """Let the page load itself, what lies on the sandbox's own CDN, and nothing else in the world."""
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'",
        f"img-src 'self' blob: {cdn}; media-src 'self' blob: {cdn}",
        # Not every browser counts a WebSocket to the same place as 'self'.
        f"connect-src 'self' ws://{request.host}",
        "form-action 'none'; frame-ancestors 'none'; base-uri 'none'",
    )
    return {
        "Content-Security-Policy": "; ".join(policy),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cache-Control": "no-cache",
    }
