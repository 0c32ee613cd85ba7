"""Text from outside, made storable where it comes in: whatever is in it, a database and a log can hold it."""

from __future__ import annotations

import re
from collections.abc import Iterable

MOST_REDACTED = 4000
"""How much of a text from outside is kept, in characters: its patterns are sought in no more."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def storable(text: str) -> str:
    """Return a text without control characters and broken halves of surrogate pairs; newlines stay."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROL.sub("", text).encode("utf-8", "ignore").decode()


_OPENS_SOMETHING = (
    (re.compile(r"(/(?:webhooks|interactions)/\d+/)[\w.-]{20,}"), r"\1<token>"),
    (re.compile(r"((?:Bearer|Bot)\s+)[\w.~+/=-]+", re.IGNORECASE), r"\1<secret>"),
    (re.compile(r"\bsk[_-][\w-]{6,}"), "<secret>"),
    (re.compile(r"[\w-]{20,60}\.[\w-]{5,60}\.[\w-]{20,}"), "<secret>"),
    (re.compile(r"(://[^\s?#'\"]*)[?#][^\s'\"<>]*"), r"\1?<query>"),
    (re.compile(r"://[^\s/?#'\"<>]*@"), "://<secret>@"),
    (re.compile(r"\?[\w.~%-]+=[^\s'\"<>]*"), "?<query>"),
    (re.compile(r"[A-Za-z0-9+/_=-]{48,}"), "<data>"),
)
"""A reply token, an Authorization header, a key, a token, a password or a signature in an address, base64."""


def redacted(text: str, secrets: Iterable[str] = ()) -> str:
    """Return words from outside without what opens something: they may echo all that was sent to them.

    `secrets` are the ones known; tokens, keys, the queries of addresses and long runs of base64 go as well.
    Longer words than `MOST_REDACTED` characters are cut between two of them.
    """
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, "<secret>")
    if len(text) > MOST_REDACTED:  # what stands at the cut may be half a secret, which no pattern knows
        text = " ".join(text[:MOST_REDACTED].split(" ")[:-1])
    for pattern, replacement in _OPENS_SOMETHING:
        text = pattern.sub(replacement, text)
    return text


def plain(text: str) -> str:
    """Return a text on one line, so that it forges none in a log."""
    return " ".join(storable(text).split())
