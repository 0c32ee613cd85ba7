"""Checking a request body, and reporting everything wrong with it in Discord's nested `errors`.

https://docs.discord.com/developers/reference#error-messages
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from sandbox.discord.errors import ApiError
from sandbox.discord.models import Json

URL = re.compile(r"(https?|attachment)://[^\s]+\Z")


class Form:
    """Collects what is wrong, by path."""

    def __init__(self) -> None:
        self.errors: Json = {}

    def wrong(self, path: Sequence[str | int], code: str, message: str) -> None:
        """Record one mistake at a path such as ("embeds", 0, "title")."""
        node = self.errors
        for key in path:
            node = node.setdefault(str(key), {})
        node.setdefault("_errors", []).append({"code": code, "message": message})

    def finish(self) -> None:
        """Raise 50035 if anything was wrong."""
        if self.errors:
            raise ApiError(50035, self.errors)

    def required(self, path: Sequence[str | int]) -> None:
        """Record that a field is missing."""
        self.wrong(path, "BASE_TYPE_REQUIRED", "This field is required")

    def string(
        self,
        path: Sequence[str | int],
        value: Any,
        *,
        low: int = 0,
        high: int,
        required: bool = False,
        pattern: re.Pattern[str] | None = None,
    ) -> None:
        """Check a string's presence, length and shape."""
        if value is None:
            if required:
                self.required(path)
        elif not isinstance(value, str):
            self.wrong(path, "STRING_TYPE_CONVERT", f'Could not interpret "{value}" as string.')
        elif low and not low <= len(value) <= high:
            self.wrong(path, "BASE_TYPE_BAD_LENGTH", f"Must be between {low} and {high} in length.")
        elif len(value) > high:
            self.wrong(path, "BASE_TYPE_MAX_LENGTH", f"Must be {high} or fewer in length.")
        elif pattern is not None and not pattern.match(value):
            self.wrong(path, "STRING_TYPE_REGEX", "String value did not match validation regex.")

    def integer(
        self, path: Sequence[str | int], value: Any, *, low: int, high: int, required: bool = False
    ) -> None:
        """Check an integer's presence and range."""
        if value is None:
            if required:
                self.required(path)
        elif isinstance(value, bool) or not isinstance(value, int):
            self.wrong(path, "NUMBER_TYPE_COERCE", f'Value "{value}" is not int.')
        elif value < low:
            self.wrong(path, "NUMBER_TYPE_MIN", f"int value should be greater than or equal to {low}.")
        elif value > high:
            self.wrong(path, "NUMBER_TYPE_MAX", f"int value should be less than or equal to {high}.")

    def boolean(self, path: Sequence[str | int], value: Any) -> None:
        """Check that a value is a boolean or absent."""
        if value is not None and not isinstance(value, bool):
            self.wrong(path, "BOOLEAN_TYPE_CONVERT", "Must be either true or false.")

    def one_of(self, path: Sequence[str | int], value: Any, allowed: Sequence[Any]) -> bool:
        """Check that a value is one of a few; say whether it is."""
        if value in allowed and not isinstance(value, bool):
            return True
        shown = ", ".join(map(repr, allowed))
        self.wrong(path, "BASE_TYPE_CHOICES", f"Value must be one of {{{shown}}}.")
        return False

    def url(self, path: Sequence[str | int], value: Any, *, high: int = 2048) -> None:
        """Check an address: http, https or attachment."""
        if value is None:
            return
        if not isinstance(value, str) or not URL.match(value):
            self.wrong(path, "URL_TYPE_INVALID_URL", "Not a well formed URL.")
        elif len(value) > high:
            self.wrong(path, "BASE_TYPE_MAX_LENGTH", f"Must be {high} or fewer in length.")

    def snowflake(self, path: Sequence[str | int], value: Any, *, required: bool = False) -> None:
        """Check an id: a string (or integer) of digits."""
        if value is None:
            if required:
                self.required(path)
        elif isinstance(value, bool) or not (str(value).isascii() and str(value).isdigit()):
            self.wrong(path, "NUMBER_TYPE_COERCE", f'Value "{value}" is not snowflake.')

    def model(self, path: Sequence[str | int], value: Any) -> None:
        """Check that a value is an object or absent."""
        if value is not None and not isinstance(value, dict):
            self.wrong(path, "MODEL_TYPE_CONVERT", "Only dictionaries may be used in a ModelType")

    def snowflakes(self, path: Sequence[str | int], value: Any) -> None:
        """Check a list of ids, or its absence."""
        for index, item in enumerate(_list(self, path, value)):
            self.snowflake((*path, index), item, required=True)

    def items(
        self, path: Sequence[str | int], value: Any, *, low: int = 0, high: int
    ) -> Iterator[tuple[tuple[str | int, ...], Json]]:
        """Check a list of objects and yield each object with its path."""
        if value is None:
            value = []
        if not isinstance(value, list):
            self.wrong(path, "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType")
            return
        if len(value) > high or len(value) < low:
            limits = f"between {low} and {high}" if low else f"{high} or fewer"
            code = "BASE_TYPE_BAD_LENGTH" if low else "BASE_TYPE_MAX_LENGTH"
            self.wrong(path, code, f"Must be {limits} in length.")
            return
        for index, item in enumerate(value):
            here = (*path, index)
            if isinstance(item, dict):
                yield here, item
            else:
                self.wrong(here, "MODEL_TYPE_CONVERT", "Only dictionaries may be used in a ModelType")


def check_embeds(form: Form, embeds: Any) -> None:
    """Check embeds against https://docs.discord.com/developers/resources/message#embed-object-embed-limits."""
    total = 0
    for path, embed in form.items(("embeds",), embeds, high=10):
        total += _check_embed(form, path, embed)
    if total > 6000:
        form.wrong(("embeds",), "MAX_EMBED_SIZE_EXCEEDED", "Embed size exceeds maximum size of 6000")


def _check_embed(form: Form, path: tuple[str | int, ...], embed: Json) -> int:
    texts: list[Any] = []
    parts: dict[str, Json] = {}
    for name in ("footer", "author", "image", "thumbnail"):
        form.model((*path, name), embed.get(name))
        parts[name] = embed[name] if isinstance(embed.get(name), dict) else {}

    def text(value: Any, high: int, *where: str | int, required: bool = False) -> None:
        low = 1 if required else 0
        form.string((*path, *where), value, low=low, high=high, required=required)
        texts.append(value)

    text(embed.get("title"), 256, "title")
    text(embed.get("description"), 4096, "description")
    text(parts["footer"].get("text"), 2048, "footer", "text")
    text(parts["author"].get("name"), 256, "author", "name")
    for here, item in form.items((*path, "fields"), embed.get("fields"), high=25):
        text(item.get("name"), 256, *here[len(path) :], "name", required=True)
        text(item.get("value"), 1024, *here[len(path) :], "value", required=True)
    form.url((*path, "url"), embed.get("url"))
    form.integer((*path, "color"), embed.get("color"), low=0, high=0xFFFFFF)
    for part in ("image", "thumbnail"):
        form.url((*path, part, "url"), parts[part].get("url"))
    for part in ("author", "footer"):
        form.url((*path, part, "icon_url"), parts[part].get("icon_url"))
    return sum(len(t) for t in texts if isinstance(t, str))


def check_allowed_mentions(form: Form, value: Any) -> None:
    """Check `allowed_mentions`: a kind is either parsed or listed, never both."""
    form.model(("allowed_mentions",), value)
    if not isinstance(value, dict):
        return
    parse = _list(form, ("allowed_mentions", "parse"), value.get("parse"))
    for index, kind in enumerate(parse):
        form.one_of(("allowed_mentions", "parse", index), kind, ("users", "roles", "everyone"))
    for kind in ("users", "roles"):
        listed = _list(form, ("allowed_mentions", kind), value.get(kind))
        form.snowflakes(("allowed_mentions", kind), listed)
        if listed and kind in parse:
            form.wrong(
                ("allowed_mentions",),
                "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE",
                f'parse:["{kind}"] and {kind}: [ids...] are mutually exclusive.',
            )
        if len(listed) > 100:
            form.wrong(("allowed_mentions", kind), "BASE_TYPE_MAX_LENGTH", "Must be 100 or fewer in length.")


def _list(form: Form, path: Sequence[str | int], value: Any) -> list[Any]:
    if value is None or isinstance(value, list):
        return value or []
    form.wrong(path, "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType")
    return []
