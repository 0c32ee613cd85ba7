"""What a job is: its row, its states, and the arrows between them."""

from __future__ import annotations

import secrets
import time
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
    State.UNCONFIRMED: frozenset({State.CANCELLED}),
    State.DELIVERED: frozenset(),
    # A task that was given up, or a video that reached nobody, may turn up after all.
    State.FAILED: frozenset({State.RENDERED}),
    State.CANCELLED: frozenset(),
}
ENDED = frozenset({State.DELIVERED, State.UNCONFIRMED, State.FAILED, State.CANCELLED})


class Superseded(Exception):
    """Another run owns the job, or it has moved on: whoever gets this stops and touches nothing."""


@dataclass(frozen=True)
class Ticket:
    """What lets a worker claim a job that a shared queue handed to it: its row there, and the worker's id."""

    row_id: int
    worker_id: int


class How(StrEnum):
    """How a video reached people."""

    ATTACHED = "attached"  # as Novita made it, or in a container that plays
    FITTED = "fitted"  # encoded again, smaller, to fit the place
    LINKED = "linked"  # not at all: a link to it did


class Cost(StrEnum):
    """What an ended job cost, as far as anybody can know."""

    NOTHING = "nothing"
    PAID = "paid"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Job:
    """One row of the ledger.

    Ids of Discord's are integers, times are seconds since the epoch (UTC), the price is in 1/10000 USD.

    `channel_id` is where the command was run and holds the card (`card_id`); `parent_id` is that thread's
    channel, if it is one; `target_id` is where the video goes: a thread, that same channel, or where a
    `detour` led. `token` and `source_url` open the first card for 15 minutes and a day; both are dropped once
    the card stands. A job that renders another's still again finds it on the other's card (`origin_…`), and
    the other names it (`again_as`). `upload_limit` is what Discord said, in bytes, when the command was run.
    `check_at` is when a task that was given up is looked for once more. `queued_at` is when the job got in
    line for its turn to render, `turn_at` when its turn came, and
    the round and lap in which it did (see `bot.domain.polling`).
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
    how: str = ""
    parent_id: int | None = None
    upload_limit: int = 0
    detour: str = ""
    origin_channel_id: int | None = None
    origin_card_id: int | None = None
    again_as: str = ""
    check_at: float | None = None
    queued_at: float | None = None
    turn_at: float | None = None
    turn_round: int | None = None
    turn_lap: int | None = None
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


def rendered_again(job: Job) -> Job:
    """Make a new job of the same still and settings, whose card and video go where the other's went."""
    return Job(
        id=new_id(),
        state=State.ACCEPTED,
        created_at=time.time(),
        asker_id=job.asker_id,
        guild_id=job.guild_id,
        channel_id=job.target_id or job.channel_id,
        parent_id=job.channel_id if job.target_id != job.channel_id else job.parent_id,
        upload_limit=job.upload_limit,
        model=job.model,
        prompt=job.prompt,
        negative_prompt=job.negative_prompt,
        cfg_scale=job.cfg_scale,
        duration=job.duration,
        price=job.price,
        still_done=job.still_done,
        origin_channel_id=job.channel_id if job.card_id else job.origin_channel_id,
        origin_card_id=job.card_id or job.origin_card_id,
    )


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
