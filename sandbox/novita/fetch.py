"""Fetch the image behind an address of a submit, from the hosts that are the sandbox's own."""

from __future__ import annotations

from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

from sandbox.novita.orders import LARGEST_IMAGE

_SECONDS = 10.0


def fetch(address: str, hosts: frozenset[str]) -> bytes:
    """Return what is at an address, up to one byte more than an image may have; LookupError says why not.

    `hosts` are the only ones asked, as `host:port`. Blocks: not for the event loop.
    """
    parts = urlsplit(address)
    if parts.scheme != "http" or parts.netloc not in hosts:
        raise LookupError("the sandbox fetches from its own hosts only")
    connection = HTTPConnection(parts.netloc, timeout=_SECONDS)
    try:
        connection.request("GET", f"{parts.path}?{parts.query}")
        answer = connection.getresponse()
        if answer.status != 200:
            raise LookupError(f"its host answers {answer.status}")
        return answer.read(LARGEST_IMAGE + 1)
    except (OSError, HTTPException) as error:
        raise LookupError(type(error).__name__) from None
    finally:
        connection.close()
