"""Text as Discord shows it: made storable, escaped, truncated. Lengths are UTF-16 units, the strictest
way Discord could count them.
"""

from __future__ import annotations

import re
from functools import lru_cache

from bot.domain.text import storable

# What begins markup anywhere, at a line's start, a link, or a mention of everyone. No more than that is
# escaped, so that an ordinary prompt reads, copies and searches as it was written.
_MARKUP = re.compile(
    r"([\\*_~|`<\[\]]|^[ \t]*(?:#{1,3}(?= )|-#(?= )|>)|(?<=[A-Za-z]):(?=//)|@(?=everyone|here))", re.MULTILINE
)
# Direction overrides could make a card read backwards, and invisible characters hide a mention from the
# escaping.
_UNSEEN = re.compile(r"[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e007f]")
_JOINER = "\u200d"


def clean(text: str) -> str:
    """Drop what no prompt means and no store keeps: control characters and broken halves of emoji."""
    return storable(text).strip()


@lru_cache(maxsize=256)  # a card is painted many times over, with the same prompt
def escape(text: str) -> str:
    """Return untrusted text so that it shows as what it is: no mention, no markup, no turned direction."""
    shown = _UNSEEN.sub(lambda m: m[0] if m[0] == _JOINER else "", clean(text))
    return _MARKUP.sub(lambda m: f"{m[0][:-1]}\\{m[0][-1]}" if len(m[0]) > 1 else f"\\{m[0]}", shown)


def plain(text: str) -> str:
    """Return untrusted text on one line, where Discord shows no markup: names of threads, jobs and files."""
    return " ".join(_UNSEEN.sub("", clean(text)).split())


def visible(text: str) -> bool:
    """Return whether anything of a text can be seen."""
    return any(not character.isspace() for character in escape(text))


def length(text: str) -> int:
    """Return how many UTF-16 units a text has."""
    return len(text.encode("utf-16-le")) // 2


def truncate(text: str, limit: int) -> str:
    """Shorten to `limit` UTF-16 units with an ellipsis, never inside a character."""
    if length(text) <= limit:
        return text
    kept = text.encode("utf-16-le")[: 2 * (limit - 1)].decode("utf-16-le", "ignore")
    return kept.rstrip("\\") + "…"


def pieces(text: str, limit: int, most: int) -> list[str]:
    """Cut escaped text into at most `most` pieces of `limit` units; an escape stays with what it escapes."""
    found: list[str] = []
    while text and len(found) < most:
        piece = text.encode("utf-16-le")[: 2 * limit].decode("utf-16-le", "ignore")
        if piece.endswith("\\") and not piece.endswith("\\\\"):
            piece = piece[:-1]
        found.append(piece)
        text = text[len(piece) :]
    return found


def link(url: str) -> str:
    """Return an address that is safe to stand in a message: nothing in it ends a link or begins markup."""
    return re.sub(r"[\s<>()\[\]`*|\\]", lambda m: f"%{ord(m[0]):02X}", url)


def format_timestamp(at: float, style: str = "R") -> str:
    """Return a time in the reader's own clock and language (Discord's timestamp markup)."""
    return f"<t:{int(at)}:{style}>"
