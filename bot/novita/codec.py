"""Novita's wire format, pure: request bodies, answers, and a table of errors each for submit and poll.

Sources: Novita's pages "Kling V2.5 Turbo Image to Video", "Get Async Task Result", "Error codes" and "Get
user balance detail". Where they are silent, the comment at the place says what was assumed.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bot.domain.request import DEFAULT_CFG_SCALE, RenderRequest
from bot.domain.text import plain, redacted, storable
from bot.novita.models import Encoding, Model

# --- requests -----------------------------------------------------------------------------------------------


IMAGE_FIELDS = ("image", "end_image")
"""The names of the image that a video begins with, and of the one that it ends with."""


def submit_frame(
    model: Model, request: RenderRequest, encoding: Encoding, images: Sequence[str]
) -> tuple[bytes, ...]:
    """Build the submit body in pieces, with the base64 of one image to go between each two of them.

    The images are streamed in from disk, so that memory does not grow with them: `images` are their MIME
    types. For the encoding `url` they are their addresses, and the body is whole, in one piece.
    """
    named, fields = dict(zip(IMAGE_FIELDS, images, strict=False)), _fields(model, request)
    if encoding == "url":
        return (json.dumps(named | fields).encode(),)
    prefixes = [f"data:{mime};base64," if encoding == "data_uri" else "" for mime in images]
    starts = [f'"{name}": "{prefix}' for name, prefix in zip(named, prefixes, strict=True)]
    pieces = ["{" + starts[0], *(f'", {start}' for start in starts[1:]), '", ' + json.dumps(fields)[1:]]
    return tuple(piece.encode() for piece in pieces)


def _fields(model: Model, request: RenderRequest) -> dict[str, object]:
    """Return what is said besides the images.

    What sets the price is always said; what is as Novita has it by default is left out, for a model may not
    know it (Kling's own 2.x refuses `cfg_scale`).
    """
    fields: dict[str, object] = {
        "prompt": request.prompt,
        "duration": str(request.duration) if model.duration_type == "string" else request.duration,
        **model.extra,
    }
    if model.makes_sound:
        fields["sound"] = request.sound
    if request.cfg_scale != DEFAULT_CFG_SCALE:
        fields["cfg_scale"] = request.cfg_scale
    if request.negative_prompt:
        fields["negative_prompt"] = request.negative_prompt
    return fields


def probe_body(model: Model) -> bytes:
    """Build a body that the model's path refuses for what it lacks, if it is served at all."""
    return b"{}"


# --- answers ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Submitted:
    """The task exists and is charged."""

    task_id: str


@dataclass(frozen=True)
class Pending:
    """The task is queued or being rendered; `eta` in seconds and `percent` may stay None."""

    started: bool
    eta: float | None = None
    percent: int | None = None
    unknown_status: str | None = None


@dataclass(frozen=True)
class Succeeded:
    """The video is at `video_url` for `ttl` seconds."""

    video_url: str
    ttl: float


_CONTENT_RULES = re.compile(
    r"ILLEGAL_(?:PROMPT|IMAGE_CONTENT)|\bNSFW\b|\bmoderation\b|\bsensitive\b|\binappropriate\b"
    r"|\brisk control\b|\bcontent polic(?:y|ies)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class TaskFailed:
    """The task ended without a video; `message` is Novita's reason, untrusted text, or empty."""

    message: str

    @property
    def problem(self) -> str:
        """Return the problem that a job has with it.

        The texts are not documented. Whatever speaks of content rules is taken for a refusal by them: at
        worst somebody is told privately what all might have read.
        """
        return "moderation" if _CONTENT_RULES.search(self.message) else "task_failed"


class Kind(StrEnum):
    """Whose problem an error is, and so what people are told."""

    INPUT = "input"  # the person's: something to change
    MODERATION = "moderation"  # the person's: the provider's rules
    KEY = "key"  # the operator's: the key or its rights
    FUNDS = "funds"  # the operator's: the balance
    RETIRED = "retired"  # the operator's: the model or the address is gone
    LOAD = "load"  # nobody's: too many requests just now
    PROVIDER = "provider"  # Novita's own
    NO_TASK = "no_task"  # Novita does not know the task (yet, or any more)
    UNCLEAR = "unclear"  # an answer that says nothing certain


class Repeat(StrEnum):
    """Whether the request may be sent again by a machine."""

    NO = "no"  # a definite refusal
    LATER = "later"  # nothing was created, waiting helps
    ASK = "ask"  # it may have been carried out and charged: only a person may decide


@dataclass(frozen=True)
class Problem:
    """One error answer, understood; `reason` is Novita's name for it, `message` untrusted text."""

    kind: Kind
    repeat: Repeat
    reason: str
    status: int
    message: str = ""
    retry_after: float | None = None
    may_cost: bool = False


_Verdict = tuple[Kind, Repeat]

_KEYS = (
    "MISSING_API_KEY",
    "INVALID_API_KEY",
    "FAILED_TO_AUTH",
    "API_NOT_ALLOWED",
    "FEATURE_NOT_ALLOWED",
    "ACCESS_DENY",
    "MODEL_ACCESS_DENIED",
)
_ON_SUBMIT: dict[str, _Verdict] = {
    "INVALID_REQUEST_BODY": (Kind.INPUT, Repeat.NO),
    "IMAGE_FILE_EXCEEDS_MAX_SIZE": (Kind.INPUT, Repeat.NO),
    "INVALID_IMAGE_FORMAT": (Kind.INPUT, Repeat.NO),
    "IMAGE_EXCEEDS_MAX_RESOLUTION": (Kind.INPUT, Repeat.NO),
    "INVALID_IMAGE_SIZE": (Kind.INPUT, Repeat.NO),
    "ILLEGAL_PROMPT": (Kind.MODERATION, Repeat.NO),
    "ILLEGAL_IMAGE_CONTENT": (Kind.MODERATION, Repeat.NO),
    **dict.fromkeys(_KEYS, (Kind.KEY, Repeat.NO)),
    "NEED_REAL_NAME_VERIFY": (Kind.KEY, Repeat.NO),
    "BILLING_BALANCE_NOT_ENOUGH": (Kind.FUNDS, Repeat.NO),
    "NOT_ENOUGH_BALANCE": (Kind.FUNDS, Repeat.NO),
    "BILLING_AUTH_FAILED": (Kind.PROVIDER, Repeat.LATER),
    "RATE_LIMIT_EXCEEDED": (Kind.LOAD, Repeat.LATER),
    "API_NOT_FOUND": (Kind.RETIRED, Repeat.NO),
    "FUSION_MODEL_NOT_FOUND": (Kind.RETIRED, Repeat.NO),
    "TASK_NOT_FOUND": (Kind.PROVIDER, Repeat.NO),  # whatever else it says, it says nothing of the model
    # What speaks of a task there may be, however it is wrapped.
    "CREATE_TASK_FAILED": (Kind.UNCLEAR, Repeat.ASK),
    "TASK_FAILED": (Kind.UNCLEAR, Repeat.ASK),
}
"""What Novita's own refusals (JSON, 4xx) of the paid request mean, by their reason."""
_ON_SUBMIT_BY_STATUS: dict[int, _Verdict] = {
    401: (Kind.KEY, Repeat.NO),
    402: (Kind.FUNDS, Repeat.NO),
    403: (Kind.KEY, Repeat.NO),
    404: (Kind.PROVIDER, Repeat.NO),
    413: (Kind.INPUT, Repeat.NO),
    429: (Kind.LOAD, Repeat.LATER),
}
_NOBODY_KNOWS = frozenset({408, 409, 499})
"""Statuses below 500 with which an edge gives up on an answer that may still have come."""
_SURGE = "SERVICE_NOT_AVAILABLE"
"""Novita's surge protection (503), documented to come before a task exists."""

_ON_POLL: dict[str, _Verdict] = {
    "TASK_NOT_FOUND": (Kind.NO_TASK, Repeat.LATER),
    "TASK_FAILED": (Kind.PROVIDER, Repeat.NO),
    **dict.fromkeys(_KEYS, (Kind.KEY, Repeat.LATER)),
    "RATE_LIMIT_EXCEEDED": (Kind.LOAD, Repeat.LATER),
}
"""What Novita's own answers to a poll mean, by their reason; the first two alone speak of the task."""
_ON_POLL_BY_STATUS: dict[int, _Verdict] = {401: (Kind.KEY, Repeat.LATER), 429: (Kind.LOAD, Repeat.LATER)}


def read_submit(
    status: int, body: str, retry_after: str | None = None, secrets: Sequence[str] = ()
) -> Submitted | Problem:
    """Understand the answer to the paid request; none of the `secrets` is in what is made of it."""
    if 200 <= status < 300:
        data = _json_object(body)
        # Siblings wrap the id once more; the seed page does not. Reading both loses no paid task.
        for place in (data, _object(data.get("data")), _object(data.get("task"))):
            if task_id := _text(place.get("task_id")):
                return Submitted(task_id)
        # A success without an id: it may well be charged, and there is no id to ask for.
        return Problem(Kind.UNCLEAR, Repeat.ASK, "NO_TASK_ID", status, may_cost=True)
    return _problem(status, body, retry_after, _on_submit, secrets)


def read_result(
    status: int,
    body: str,
    retry_after: str | None = None,
    task_id: str = "",
    secrets: Sequence[str] = (),
) -> Pending | Succeeded | TaskFailed | Problem:
    """Understand the answer to a poll for `task_id`. Polls are free and may always be repeated."""
    if not 200 <= status < 300:
        return _problem(status, body, retry_after, _on_poll, secrets)
    data = _json_object(body)
    task = _object(data.get("task"))
    if task_id and _text(task.get("task_id")) not in ("", task_id):
        # Somebody else's task, from a cache perhaps: nobody gets a stranger's video.
        return Problem(Kind.UNCLEAR, Repeat.LATER, "ANOTHER_TASK", status)
    name = _text(task.get("status"))
    match name:
        case "TASK_STATUS_SUCCEED":
            return _video(data) or Pending(started=True, unknown_status="TASK_STATUS_SUCCEED without a video")
        case "TASK_STATUS_FAILED":
            return TaskFailed(_words(task.get("reason"), secrets))
        case "TASK_STATUS_QUEUED" | "TASK_STATUS_PROCESSING":
            percent = _number(task.get("progress_percent"))
            return Pending(
                started=name == "TASK_STATUS_PROCESSING",
                eta=_number(task.get("eta")) or None,
                percent=int(percent) if percent and 0 < percent <= 100 else None,
            )
        case _:
            # The documented set is the four above, and an official SDK knows one more: still pending, bounded
            # by the deadline.
            return Pending(started=False, unknown_status=_name(name, secrets) or "no status")


def read_balance(status: int, body: str, secrets: Sequence[str] = ()) -> int | Problem:
    """Understand the balance answer: what can be spent, in 1/10000 USD."""
    if 200 <= status < 300:
        amount = _number(_json_object(body).get("availableBalance"))
        return (
            int(amount) if amount is not None else Problem(Kind.UNCLEAR, Repeat.LATER, "NO_BALANCE", status)
        )
    return _problem(status, body, None, _on_poll, secrets)


class Probed(StrEnum):
    """What a request without image and prompt tells of a model's path."""

    ALIVE = "alive"  # it is served: the request was refused for what it lacks
    GONE = "gone"  # it is not
    TASK = "task"  # a task was made of it, which may cost something: never ask so again
    UNCLEAR = "unclear"  # nothing


def read_probe(status: int, body: str) -> Probed:
    """Understand the answer to what no model can carry out; only Novita's own JSON says anything."""
    if 200 <= status < 300:
        # What cannot be read may hide a task; a page hides none.
        return Probed.UNCLEAR if body.lstrip().startswith("<") else Probed.TASK
    data = _json_object(body)
    problem = _problem(status, body, None, _on_submit, ())
    if data and status == 404 and problem.kind is Kind.RETIRED:
        return Probed.GONE
    if data and status == 400 and problem.kind is Kind.INPUT:
        return Probed.ALIVE
    return Probed.UNCLEAR


@dataclass(frozen=True)
class _Refusal:
    """An error answer in parts; `is_json`: Novita itself said it, and no edge in front of it."""

    status: int
    is_json: bool
    reason: str
    message: str


def _problem(
    status: int,
    body: str,
    retry_after: str | None,
    decide: Callable[[_Refusal], _Verdict],
    secrets: Sequence[str],
) -> Problem:
    """Take an error answer apart (the shapes seen are three, plus HTML from the edge) and have it decided."""
    data = _json_object(body)
    error = _object(data.get("error"))
    reason = _text(data.get("reason")) or _text(error.get("reason")) or _text(error.get("code"))
    message = _text(data.get("message")) or _text(error.get("message")) or _plain(body)
    kind, repeat = decide(_Refusal(status, bool(data), reason, message))
    may_cost = repeat is Repeat.ASK or reason == "TASK_FAILED"
    name, words = _name(reason, secrets) or f"HTTP_{status}", _words(message, secrets)
    return Problem(kind, repeat, name, status, words, _seconds(retry_after), may_cost)


def _by_an_edge(status: int) -> _Verdict:
    """Return what a page says: the request came no further, so nothing of model, key, image or task."""
    return (Kind.LOAD if status == 429 else Kind.PROVIDER), Repeat.LATER


def _on_submit(refusal: _Refusal) -> _Verdict:
    """Decide on the paid request: by status first, for a 5xx may hide a task that was made."""
    status, reason = refusal.status, refusal.reason
    if status == 503 and refusal.is_json and reason == _SURGE:
        return Kind.LOAD, Repeat.LATER
    if status >= 500 or status in _NOBODY_KNOWS:
        return Kind.UNCLEAR, Repeat.ASK
    if status < 400:  # a redirect: the address is wrong, and nothing was carried out at it
        return Kind.PROVIDER, Repeat.NO
    if not refusal.is_json:
        return _by_an_edge(status)
    if reason.upper() in _ON_SUBMIT:
        return _ON_SUBMIT[reason.upper()]
    if "route not found" in refusal.message.lower():
        return Kind.RETIRED, Repeat.NO
    return _ON_SUBMIT_BY_STATUS.get(status, (Kind.INPUT, Repeat.NO))


def _on_poll(refusal: _Refusal) -> _Verdict:
    """Decide on what is free: only Novita's own word speaks of task or key, and the rest is asked again."""
    if not refusal.is_json:
        return _by_an_edge(refusal.status)
    known = _ON_POLL.get(refusal.reason.upper()) or _ON_POLL_BY_STATUS.get(refusal.status)
    return known or (Kind.PROVIDER, Repeat.LATER)


def _video(data: dict[str, Any]) -> Succeeded | None:
    videos = data.get("videos")
    for video in videos if isinstance(videos, list) else []:
        if url := _text(_object(video).get("video_url")):
            # A string for videos, a number for images, an hour in every example.
            return Succeeded(url, _number(_object(video).get("video_url_ttl")) or 3600.0)
    return None


def _json_object(body: str) -> dict[str, Any]:
    try:
        return _object(json.loads(body))
    except (ValueError, RecursionError):
        return {}


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return storable(value).strip() if isinstance(value, str) else ""


def _words(value: object, secrets: Sequence[str]) -> str:
    """Return what Novita says to people: it may echo anything that it was sent, so nothing secret stays."""
    return redacted(_text(value), secrets)[:500]


def _name(reason: str, secrets: Sequence[str]) -> str:
    return plain(redacted(reason, secrets))[:100]


def _number(value: object) -> float | None:
    """Read a number that may come as a string; anything else, NaN and negatives are none."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _seconds(header: str | None) -> float | None:
    """Read Retry-After in its form of seconds; the other form, a date, is not used by this API."""
    return _number(header) if header else None


def _plain(body: str) -> str:
    """Keep a plain-text error, but not an HTML page, which says nothing to a person."""
    text = storable(body).strip()
    return "" if text.startswith(("<", "{", "[")) else text
