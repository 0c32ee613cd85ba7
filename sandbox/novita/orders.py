"""Validate the body of a submit as Novita documents it, and decode its image."""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import json
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PIL import Image

from sandbox.novita.errors import NovitaError
from sandbox.novita.models import Encoding, Model
from sandbox.novita.settings import Settings

LONGEST_PROMPT = 2500
LARGEST_IMAGE = 10 * 2**20
SHORTEST_SIDE = 300
WIDEST = 2.5
# Novita documents no limit on resolution, only the error; this one keeps the sandbox's memory small.
MOST_PIXELS = 100_000_000
_FORMATS = {"JPEG": "jpg", "PNG": "png"}
_WAYS: dict[Encoding, str] = {"base64": "bare base64", "data_uri": "a data URI", "url": "an address"}
_DATA_URI = re.compile(r"data:image/(jpeg|jpg|png);base64,", re.IGNORECASE)


@dataclass(frozen=True)
class Still:
    """An image of a submit, and how it came."""

    data: bytes
    encoding: Encoding
    sha256: str
    format: str
    """"JPEG" or "PNG"."""
    width: int
    height: int

    @property
    def extension(self) -> str:
        """Return the file name's ending, without the dot."""
        return _FORMATS[self.format]


@dataclass(frozen=True)
class Order:
    """A submit that Novita would accept."""

    model: Model
    still: Still
    end_still: Still | None
    prompt: str
    seconds: int
    sound: bool
    request: dict[str, Any]
    """The body as it came, with each image shortened."""
    unknown_fields: tuple[str, ...]

    @property
    def price(self) -> int:
        """Return the price in 1/10000 USD."""
        return self.model.price(self.seconds, self.sound)


@dataclass(frozen=True)
class Rules:
    """What holds for a model just now: its data, the settings, and how an address is fetched.

    `fetch` returns at most one byte more than `LARGEST_IMAGE`; LookupError: it gave no image.
    """

    model: Model
    settings: Settings
    fetch: Callable[[str], bytes]


def read_order(rules: Rules, body: bytes) -> Order:
    """Return the order in `body`; NovitaError with the documented reason when it is not acceptable.

    Slow (it fetches and decodes images): not for the event loop.
    """
    model = rules.model
    fields = _json_object(body)
    prompt = _text(fields, "prompt", required=True)
    _text(fields, "negative_prompt")
    seconds = _duration(model, fields)
    _guidance(rules, fields)
    _mode(model, fields)
    sound = _sound(model, fields)
    still = _still(rules, fields, "image")
    ends = model.end_image and fields.get("end_image") not in (None, "")
    return Order(
        model=model,
        still=still,
        end_still=_still(rules, fields, "end_image") if ends else None,
        prompt=prompt,
        seconds=seconds,
        sound=sound,
        request={name: _shortened(name, value) for name, value in fields.items()},
        unknown_fields=tuple(sorted(set(fields) - _known_fields(model))),
    )


def _bad(field: str, message: str, reason: str = "INVALID_REQUEST_BODY") -> NovitaError:
    return NovitaError(reason, f"{field}: {message}", metadata={"field": field})


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        raise NovitaError("INVALID_REQUEST_BODY", "the body is not JSON") from None
    if not isinstance(fields, dict):
        raise NovitaError("INVALID_REQUEST_BODY", "the body is not a JSON object")
    return fields


def _known_fields(model: Model) -> set[str]:
    known = {"image", "prompt", "negative_prompt", "duration", model.guidance}
    if model.modes:
        known.add("mode")
    if model.end_image:
        known.add("end_image")
    if model.sound_price_per_second is not None:
        known.add("sound")
    return known


def _text(fields: dict[str, Any], name: str, *, required: bool = False) -> str:
    value = fields.get(name)
    if value in (None, ""):
        if required:
            raise _bad(name, "is required")
        return ""
    if not isinstance(value, str):
        raise _bad(name, "must be a string")
    if len(value) > LONGEST_PROMPT:
        raise _bad(name, f"must have at most {LONGEST_PROMPT} characters, has {len(value)}")
    return value


def _duration(model: Model, fields: dict[str, Any]) -> int:
    default = "5" if isinstance(model.durations[0], str) else 5
    value = fields.get("duration", default)
    if type(value) is not type(default):
        raise _bad("duration", f"must be {'a string' if isinstance(default, str) else 'an integer'}")
    if value not in model.durations:
        raise _bad("duration", f"must be one of {', '.join(map(str, model.durations))}")
    return int(value)


def _guidance(rules: Rules, fields: dict[str, Any]) -> None:
    name = rules.model.guidance
    if name in fields and rules.settings.refuse_cfg_scale and rules.model.generation == 2:
        raise _bad(name, "is not supported by this model")
    value = fields.get(name)
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _bad(name, "must be a number")
    if not 0 <= value <= 1:
        raise _bad(name, "must be between 0 and 1")


def _mode(model: Model, fields: dict[str, Any]) -> None:
    value = fields.get("mode")
    if model.modes and value is not None and value not in model.modes:
        raise _bad("mode", f"must be one of {', '.join(model.modes)}")


def _sound(model: Model, fields: dict[str, Any]) -> bool:
    if model.sound_price_per_second is None:
        return False
    value = fields.get("sound", model.sound_default)
    if not isinstance(value, bool):
        raise _bad("sound", "must be a boolean")
    return value


def _still(rules: Rules, fields: dict[str, Any], name: str) -> Still:
    value = fields.get(name)
    if value is None or value == "":
        raise _bad(name, "is required")
    if not isinstance(value, str):
        raise _bad(name, "must be a string")
    way = _way(value)
    if way not in rules.settings.encodings[rules.model.name]:
        raise _bad(name, f"is not accepted as {_WAYS[way]}", rules.settings.encoding_refusal)
    data = _fetched(rules, name, value) if way == "url" else _decode_base64(name, value)
    if len(data) > LARGEST_IMAGE:
        raise _bad(name, f"must have at most 10 MB, has {len(data)} bytes", "IMAGE_FILE_EXCEEDS_MAX_SIZE")
    kind, width, height = _decode_image(name, data)
    shape = width / height
    if min(width, height) < SHORTEST_SIDE:
        raise _bad(name, f"must be at least 300x300, is {width}x{height}", "INVALID_IMAGE_SIZE")
    if not 1 / WIDEST <= shape <= WIDEST:
        raise _bad(
            name, f"must be between 1:2.5 and 2.5:1 in shape, is {width}x{height}", "INVALID_IMAGE_SIZE"
        )
    return Still(data, way, hashlib.sha256(data).hexdigest(), kind, width, height)


def _way(value: str) -> Encoding:
    if value.startswith(("http:", "https:")):
        return "url"
    return "data_uri" if value.startswith("data:") else "base64"


def _fetched(rules: Rules, name: str, address: str) -> bytes:
    try:
        return rules.fetch(address)
    except LookupError as error:
        raise _bad(name, f"cannot be fetched: {error}", "INVALID_IMAGE_FORMAT") from None


def _decode_base64(name: str, value: str) -> bytes:
    head = _DATA_URI.match(value)
    if head is None and value.startswith("data:"):
        raise _bad(name, "must be a data URI of a JPEG or PNG", "INVALID_IMAGE_FORMAT")
    try:
        return base64.b64decode(value[head.end() :] if head else value, validate=True)
    except binascii.Error:
        raise _bad(name, "is not valid base64", "INVALID_IMAGE_FORMAT") from None


def _decode_image(name: str, data: bytes) -> tuple[str, int, int]:
    """Return (format, width, height) after decoding every pixel."""
    unreadable = _bad(name, "cannot be decoded as a JPEG or PNG image", "INVALID_IMAGE_FORMAT")
    try:
        with warnings.catch_warnings():
            # Pillow warns of bombs at a limit of its own; here it is MOST_PIXELS that decides.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=list(_FORMATS)) as image:
                if image.width * image.height > MOST_PIXELS:
                    raise _bad(
                        name, f"is too large: {image.width}x{image.height}", "IMAGE_EXCEEDS_MAX_RESOLUTION"
                    )
                image.load()
                return str(image.format), image.width, image.height
    except Image.DecompressionBombError:
        raise _bad(name, "has too many pixels", "IMAGE_EXCEEDS_MAX_RESOLUTION") from None
    except NovitaError:
        raise
    except Exception as error:  # a decoder may raise anything on bytes from outside
        raise unreadable from error


def _shortened(name: str, value: Any) -> Any:
    if name in ("image", "end_image") and isinstance(value, str) and len(value) > 64:
        return f"{value[:48]}… <{len(value)} characters>"
    return value
