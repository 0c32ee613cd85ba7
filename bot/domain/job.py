"""What a job is: its states, the transitions between them, and the frozen parts of its row."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from bot.domain.request import RenderRequest, Requester, SourceImage

# Without look-alikes (0/o, 1/l/i), since people read ids aloud and type them into commands.
_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
ID_LENGTH = 12


class State(StrEnum):
    """Where a job stands."""

    ACCEPTED = "accepted"  # written down; nothing was paid
    SUBMITTING = "submitting"  # the paid request is, or may be, on the wire
    RENDERING = "rendering"  # Novita has it, and its task id is in the row
    RENDERED = "rendered"  # the video exists and is ours to fetch
    DELIVERED = "delivered"  # people have it
    UNCONFIRMED = "unconfirmed"  # the answer to the paid request was lost: a person decides
    FAILED = "failed"  # ended without a video
    CANCELLED = "cancelled"  # ended because a person said so


TRANSITIONS: Mapping[State, frozenset[State]] = {
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
UNPAID = frozenset({State.ACCEPTED, State.FAILED, State.CANCELLED})
"""The states in which a job is paid only if its `charge` says so."""
KEPT_OPTIONS = frozenset({"sound", "end_image"})
"""The options that say what is rendered, and so are those of a job that renders the same again."""
NOWHERE = "nowhere"
"""The fallback reason of a job whose end no place takes: people were not told of it, and cannot be."""


@dataclass(frozen=True)
class QueueLease:
    """What lets a worker claim a job that a shared queue handed to it: its row there, and the worker's id."""

    row_id: int
    worker_id: int


class DeliveryMethod(StrEnum):
    """How a video reached people."""

    ATTACHED = "attached"  # as Novita made it, or in a container that plays
    FITTED = "fitted"  # encoded again, smaller, to fit the place
    LINKED = "linked"  # not at all: a link to it did


class Charge(StrEnum):
    """What an ended job cost, as far as anybody can know: a certainty, not an amount."""

    NOTHING = "nothing"
    PAID = "paid"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Destination:
    """Where a job's messages go; ids are Discord's.

    `channel_id` is where the command was run and holds the card (`card_id`); `parent_channel_id` is that
    thread's channel, if it is one; `target_id` is where the video goes: a thread, that same channel, or where
    a fallback led (`fallback_reason` says why). `upload_limit` is what Discord said, in bytes, with the
    command; `guild_locale` is the language of what everybody there reads.
    """

    channel_id: int
    guild_id: int | None = None
    guild_locale: str = ""
    parent_channel_id: int | None = None
    wants_thread: bool = False
    upload_limit: int = 0
    card_id: int | None = None
    target_id: int | None = None
    fallback_reason: str = ""

    @property
    def place_id(self) -> int:
        """Return the channel or thread that messages after the card go to."""
        return self.target_id or self.channel_id


@dataclass(frozen=True)
class Admission:
    """When the job got in line, and when its turn came, in which round and lap (see `domain.fairness`)."""

    queued_at: float | None = None
    turn_at: float | None = None
    turn_round: int | None = None
    turn_lap: int | None = None


@dataclass(frozen=True)
class NovitaTask:
    """The task at Novita's, and the link to its video while that lives."""

    task_id: str | None = None
    submitted_at: float | None = None
    video_url: str | None = None
    video_expires_at: float | None = None


@dataclass(frozen=True)
class Outcome:
    """How the job ended: `notified` says that people were told, `check_at` when to look for its task again.

    `again_as` is the job that renders the same once more.
    """

    ended_at: float | None = None
    problem: str = ""
    reason: str = ""
    charge: Charge = Charge.NOTHING
    delivery_method: str = ""
    video_message_id: int | None = None
    notified: bool = False
    check_at: float | None = None
    again_as: str = ""


@dataclass(frozen=True)
class Job:
    """One row of the jobs table; times are seconds since the epoch (UTC).

    `fencing_token` names the run that owns the row. `wallet_id` says whose money pays, fixed at acceptance.
    `options` are what has no column of its own: see `domain.places`, and `end_image` (a `SourceImage`'s
    fields) and `sound`.
    """

    id: str
    state: State
    created_at: float
    request: RenderRequest
    source: SourceImage
    requester: Requester
    destination: Destination
    admission: Admission = Admission()
    task: NovitaTask = NovitaTask()
    outcome: Outcome = Outcome()
    fencing_token: str = ""
    accepted_at: float | None = None
    wallet_id: str = "operator"
    batch_id: str | None = None
    ordinal: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def end_source(self) -> SourceImage | None:
        """Return the image that the video is to end with, if it is to end with one."""
        if (found := self.options.get("end_image")) is None:
            return None
        return SourceImage(**{**found, "changes": tuple(found.get("changes", ()))})

    @property
    def options_with_card(self) -> Mapping[str, Any]:
        """Return the options once the card stands: what opened the command's end image is of no more use."""
        if (end := self.options.get("end_image")) is None:
            return self.options
        return {**self.options, "end_image": {**end, "url": None}}

    @property
    def private(self) -> bool:
        """Return whether nobody else may see what stands there: also a thread of a kind nobody noted."""
        return bool(self.options.get("private", self.destination.parent_channel_id is not None))

    @property
    def withheld(self) -> bool:
        """Return whether content rules refused it, so that nobody else is to see what was asked for."""
        return self.outcome.problem == "moderation"

    @property
    def ended(self) -> bool:
        """Return whether nothing more will happen on its own."""
        return self.state in ENDED

    @property
    def paid(self) -> bool:
        """Return whether it is paid for, or may be."""
        return self.state not in UNPAID or self.outcome.charge is not Charge.NOTHING

    @property
    def untold(self) -> bool:
        """Return whether people are still to be told how it ended."""
        return not self.outcome.notified and self.destination.fallback_reason != NOWHERE


def new_id() -> str:
    """Return a new job id: random, 12 characters (59 bits), short enough for Discord's nonce of 25."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(ID_LENGTH))


def new_job(
    request: RenderRequest,
    source: SourceImage,
    requester: Requester,
    destination: Destination,
    *,
    job_id: str | None = None,
    options: Mapping[str, Any] | None = None,
) -> Job:
    """Return a new job that is accepted now."""
    now = time.time()
    return Job(
        id=job_id or new_id(),
        state=State.ACCEPTED,
        created_at=now,
        accepted_at=now,
        request=request,
        source=source,
        requester=requester,
        destination=destination,
        options=options or {},
    )


def rendered_again(job: Job) -> Job:
    """Return a new job of the same image and settings, whose card and video go where the other's went."""
    there = job.destination
    source = replace(job.source, url=None)
    if there.card_id:
        source = replace(source, channel_id=there.channel_id, message_id=there.card_id)
    parent = there.channel_id if there.target_id != there.channel_id else there.parent_channel_id
    return new_job(
        job.request,
        source,
        replace(job.requester, reply_token=None),
        Destination(
            channel_id=there.place_id,
            guild_id=there.guild_id,
            guild_locale=there.guild_locale,
            parent_channel_id=parent,
            upload_limit=there.upload_limit,
        ),
        options=_kept(job) | {"private": job.private},
    )


def _kept(job: Job) -> dict[str, Any]:
    """Return the options of a job that renders the same; its end image is on the same card as the first."""
    kept = {name: value for name, value in job.options.items() if name in KEPT_OPTIONS}
    there = job.destination
    if "end_image" in kept and there.card_id:
        card = {"url": None, "channel_id": there.channel_id, "message_id": there.card_id}
        kept["end_image"] = {**kept["end_image"], **card}
    return kept


def rendered_instead(job: Job, request: RenderRequest, *, end_image: bool) -> Job:
    """Return a new job of the same images with another request, for a model that may make no `end_image`."""
    new = rendered_again(job)
    dropped = {"sound"} if end_image else {"sound", "end_image"}
    options = {name: value for name, value in new.options.items() if name not in dropped}
    return replace(new, request=request, options=options)


def may_render_instead(job: Job) -> bool:
    """Return whether another model may still be offered for a job whose own was gone."""
    return job.state is State.FAILED and job.outcome.problem == "retired" and not job.outcome.again_as


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
