"""What goes wrong in a soak: faults on every request of the road, at random."""

from __future__ import annotations

import random
from dataclasses import dataclass

from sandbox.client import Json


@dataclass(frozen=True)
class Target:
    """One request of the road, and how often it is picked."""

    name: str
    side: str
    method: str
    path: str
    weight: int = 4
    errors: tuple[Json, ...] = tuple({"status": status} for status in (500, 502, 503, 504))
    upload: bool = False


_SERVER_ERRORS = Target.errors
TARGETS = (
    Target("acknowledge", "discord", "POST", r"/callback$", weight=1),
    Target("card", "discord", "PATCH", r"/messages/@original$", upload=True),
    Target("thread", "discord", "POST", r"/messages/\d+/threads$"),
    Target("post", "discord", "POST", r"/channels/\d+/messages$", weight=10, upload=True),
    Target("card's edit", "discord", "PATCH", r"/channels/\d+/messages/\d+$"),
    Target("history", "discord", "GET", r"/channels/\d+/messages$"),
    Target("card's still", "discord", "GET", r"/channels/\d+/messages/\d+$"),
    Target("gateway's address", "discord", "GET", r"/gateway$", weight=1),
    Target("log in", "discord", "GET", r"/users/@me$", weight=1),
    Target("application", "discord", "GET", r"/oauth2/applications/@me$", weight=1),
    Target("commands", "discord", "PUT", r"/commands$", weight=1),
    Target("still", "cdn", "GET", "", weight=2),
    Target(
        "submit",
        "novita",
        "POST",
        r"^/v3/async/kling",
        weight=6,
        upload=True,
        errors=(
            *_SERVER_ERRORS,
            *(
                {"reason": reason}
                for reason in ("RATE_LIMIT_EXCEEDED", "SERVICE_NOT_AVAILABLE", "BILLING_AUTH_FAILED")
            ),
            *({"reason": reason} for reason in ("CREATE_TASK_FAILED", "BILLING_FAILED", "ILLEGAL_PROMPT")),
        ),
    ),
    Target(
        "poll",
        "novita",
        "GET",
        r"^/v3/async/task-result",
        weight=8,
        errors=(*_SERVER_ERRORS, {"reason": "GET_RESULT_FAILED"}, {"reason": "TASK_NOT_FOUND"}),
    ),
    Target("download", "novita", "GET", r"^/files/", weight=8, errors=(*_SERVER_ERRORS, {"status": 403})),
    Target("balance", "novita", "GET", r"/balance/", weight=1),
)
KINDS = (
    "drop_before",
    "drop_after",
    "error",
    "error_after",
    "rate_limit",
    "html",
    "delay",
    "delay_after",
    "truncate",
    "hang",
)
# A submit that was refused with one of these was certainly not taken; any other 5xx leaves that open.
DEFINITE = frozenset({"RATE_LIMIT_EXCEEDED", "BILLING_AUTH_FAILED", "SERVICE_NOT_AVAILABLE"})


def pick_fault(rng: random.Random, target: Target) -> Json:
    """Choose one fault for a request."""
    kind = rng.choice((*KINDS, "reset_upload") if target.upload else KINDS)
    fault: Json = {"side": target.side, "kind": kind, "method": target.method, "path": target.path}
    fault |= {"times": rng.choice((1, 1, 1, 2)), "skip": rng.randrange(3)}
    match kind:
        case "error":
            fault |= rng.choice(target.errors)
        case "error_after" | "html":
            fault |= rng.choice(_SERVER_ERRORS)
        case "rate_limit":
            fault["retry_after"] = round(rng.uniform(0.1, 1.5), 2)
        case "delay" | "delay_after":
            fault["seconds"] = round(rng.uniform(0.2, 2.5), 2)
    return fault
