"""What a job is: its row, its states, and the arrows between them."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

# Without look-alikes (0/o, 1/l/i), since people read ids aloud and type them into commands.
_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
ID_LENGTH = 12


class State(StrEnum):
    """Where a job stands on its road."""

    ACCEPTED = "accepted"  # written down; nothing was paid
    SUBMITTING = "submitting"  # the paid request is, or may be, on the wire
    RENDERING = "rendering"  # Novita has it, and its task id is in the row
    RENDERED = "rendered"  # the video exists and is ours to fetch
    DELIVERED = "delivered"  # people have it
    UNCONFIRMED = "unconfirmed"  # the answer to the paid request was lost: a person decides
    FAILED = "failed"  # ended without a video
    CANCELLED = "cancelled"  # ended because a person said so


ARROWS: Mapping[State, frozenset[State]] = {
    State.ACCEPTED: frozenset({State.SUBMITTING, State.FAILED, State.CANCELLED}),
    # Back to accepted only with proof that nothing was bought: never sent, or refused for load.
    State.SUBMITTING: frozenset({State.ACCEPTED, State.RENDERING, State.UNCONFIRMED, State.FAILED}),
    State.RENDERING: frozenset({State.RENDERED, State.FAILED, State.CANCELLED}),
    State.RENDERED: frozenset({State.DELIVERED, State.FAILED}),
    State.UNCONFIRMED: frozenset(),
    State.DELIVERED: frozenset(),
    State.FAILED: frozenset(),
    State.CANCELLED: frozenset(),
}
ENDED = frozenset(state for state, onward in ARROWS.items() if not onward)


class Cost(StrEnum):
    """What an ended job cost, as far as anybody can know."""

    NOTHING = "nothing"
    PAID = "paid"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Job:
    """One row of the ledger.

    Ids of Discord's are integers, times are seconds since the epoch (UTC), the price is in 1/10000 USD.
    `channel_id` is where the command was run and holds the card (`card_id`); `target_id` is where the video
    goes: a thread, or that same channel. `token` and `source_url` open the first card for 15 minutes and a
    day; both are dropped once the card stands.
    """

    id: str
    state: State
    created_at: float
    asker_id: int
    channel_id: int
    model: str
    prompt: str
    duration: int
    price: int
    guild_id: int | None = None
    wants_thread: bool = False
    negative_prompt: str = ""
    cfg_scale: float = 0.5
    still_done: str = ""
    token: str | None = None
    source_url: str | None = None
    run: str = ""
    card_id: int | None = None
    target_id: int | None = None
    submitted_at: float | None = None
    task_id: str | None = None
    video_url: str | None = None
    video_expires_at: float | None = None
    video_message_id: int | None = None
    linked: bool = False
    ended_at: float | None = None
    problem: str = ""
    reason: str = ""
    cost: Cost = Cost.NOTHING
    told: bool = False

    @property
    def ended(self) -> bool:
        """Tell whether nothing more will happen on its own."""
        return self.state in ENDED


def new_id() -> str:
    """Make a job id: random, 12 characters (59 bits), short enough for Discord's nonce of 25."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(ID_LENGTH))


@dataclass(frozen=True)
class Waiting:
    """The job waits for its turn; `position` counts from 1, None while something else holds it up."""

    position: int | None = None
    because: str = ""


@dataclass(frozen=True)
class Rendering:
    """Novita has the job; `expected_at` is when it should be ready, in seconds since the epoch."""

    expected_at: float
    queued: bool = False
    because: str = ""


@dataclass(frozen=True)
class Sending:
    """The video is on its way from Novita to the thread."""

    because: str = ""


Stage = Waiting | Rendering | Sending
