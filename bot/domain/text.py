"""Text from outside, made storable where it comes in: whatever is in it, a database and a log can hold it."""

from __future__ import annotations

import re

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def storable(text: str) -> str:
    """Return a text without control characters and broken halves of surrogate pairs; newlines stay."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROL.sub("", text).encode("utf-8", "ignore").decode()


def plain(text: str) -> str:
    """Return a text on one line, so that it forges none in a log."""
    return " ".join(storable(text).split())
