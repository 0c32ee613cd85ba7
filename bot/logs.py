"""Logging to standard error, with every secret taken out of messages and tracebacks."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from typing import Any

from bot.domain.text import plain
from bot.errors import KinoraError

LINES = ("discord.", "aiohttp.")
"""The libraries whose errors tell of a line to Discord, and not of a mistake in here."""

_PAYLOADS = ("discord.gateway", "discord.http", "discord.webhook")
"""discord.py's loggers that print, at DEBUG, whole messages of the gateway and whole bodies of requests.

They hold tokens, prompts and names of files, so they speak from INFO on only: of connections and
sessions. At DEBUG, discord.py's others go on: which event is dispatched, what its state misses.
"""

# An interaction's token opens its replies for 15 minutes; a signed address opens a file.
_PATTERNS = (
    (re.compile(r"(/(?:webhooks|interactions)/\d+/)[\w.-]{20,}"), r"\1<token>"),
    (re.compile(r"(https?://[^\s?'\"<>]+)\?[^\s'\"<>]+"), r"\1?<query>"),
    (re.compile(r"((?:Bearer|Bot)\s+)[\w.-]+"), r"\1<secret>"),
    (re.compile(r"aW50ZXJhY3Rpb246[\w-]+"), "<token>"),  # "interaction:", wherever one stands
    (re.compile(r"""(["']token["']\s*:\s*)(["']).*?\2"""), r"\1\2<token>\2"),
    (re.compile(r"([a-z+]+://[^\s:/@]+:)[^\s/@]+@"), r"\1<secret>@"),
)
# What turns the direction of text round, or is not seen, makes a line look like another one.
_UNSEEN = re.compile(r"[\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")


class Redacted(logging.Formatter):
    """Formats a record, traceback included, and then takes the secrets out of the whole."""

    def __init__(self, secrets: Iterable[str]) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
        self._secrets = sorted(secrets, key=len, reverse=True)

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Return the record's line: one, whatever the words in it are, so that none can be forged."""
        record.message = plain(_UNSEEN.sub("", record.message))
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:
        """Return a traceback of which no line looks like a record, whatever the error says."""
        return _indented(super().formatException(ei))

    def formatStack(self, stack_info: str) -> str:
        """Return a stack in the same way."""
        return _indented(super().formatStack(stack_info))

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's text without secrets."""
        text = super().format(record)
        for secret in self._secrets:
            text = text.replace(secret, "<secret>")
        for pattern, replacement in _PATTERNS:
            text = pattern.sub(replacement, text)
        return text


def _indented(text: str) -> str:
    """Indent each line, where `splitlines` sees one, and take out what a terminal would obey."""
    lines = text.splitlines()
    blanks = [len(line) - len(line.lstrip(" ")) for line in lines]
    return "\n".join(
        f"    {' ' * blank}{plain(_UNSEEN.sub('', line))}" for blank, line in zip(blanks, lines, strict=True)
    )


def _without_trace(record: logging.LogRecord) -> bool:
    """Put into one line that the gateway was lost; discord.py adds a traceback each time."""
    if "reconnect" in str(record.msg) and record.exc_info:
        kind = record.exc_info[0]
        record.msg = f"gateway lost ({kind.__name__ if kind else 'closed'}): {record.msg}"
        record.exc_info, record.levelno, record.levelname = None, logging.WARNING, "WARNING"
    return True


def _briefly(record: logging.LogRecord) -> bool:
    """Put into one line what the queue and its connections have to say while the database is away."""
    if record.name.startswith(("procrastinate", "psycopg")):
        record.msg, record.args = " ".join(record.getMessage().split()), ()
        if record.exc_info:
            record.exc_info, record.levelno, record.levelname = None, logging.WARNING, "WARNING"
    return True


def _no_choices(record: logging.LogRecord) -> bool:
    """Put into one line that nothing could be offered while somebody typed; discord.py adds a traceback."""
    error = record.exc_info[1] if record.exc_info else None
    ours = isinstance(error, (KinoraError, OSError, TimeoutError))
    if "autocomplete" in str(record.msg) and (ours or type(error).__module__.startswith(LINES)):
        record.msg = f"nothing to choose from ({type(error).__name__}) for %r (Guild: %s, User: %s)"
        record.exc_info, record.levelno, record.levelname = None, logging.WARNING, "WARNING"
    return True


def set_up(level: str, secrets: Iterable[str]) -> None:
    """Send every log line to standard error, redacted; the libraries' chatter from WARNING on only."""
    handler = logging.StreamHandler()
    handler.setFormatter(Redacted(secrets))
    handler.addFilter(_briefly)
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name in ("bot", "cogs"):
        logging.getLogger(name).setLevel(level)
    logging.getLogger("psycopg").setLevel(logging.ERROR)  # each try to connect, which the store says once
    logging.getLogger("discord.client").addFilter(_without_trace)
    logging.getLogger("discord.app_commands.tree").addFilter(_no_choices)
    logging.getLogger("discord").setLevel(logging.DEBUG if level == "DEBUG" else logging.WARNING)
    for name in _PAYLOADS:
        logging.getLogger(name).setLevel(logging.INFO if level == "DEBUG" else logging.NOTSET)
