"""Which places a job's messages may go to: none is tried twice, and a private one leads nowhere public.

What is remembered stands in the job's options: `interaction` (the id of what asked for the job), `private`,
`tried` (places that refused) and `posting` (places in which a first post was begun).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from bot.domain.job import Job


def tried(job: Job) -> frozenset[int]:
    """Return the places that have refused this job."""
    return frozenset(job.options.get("tried", ()))


def left(job: Job, refused: Collection[int] = ()) -> list[int]:
    """List where else to post, best first; after these comes the requester's DM (see `may_go_direct`)."""
    there = job.destination
    gone = tried(job) | {there.place_id} | set(refused)
    ways = [there.channel_id] if job.private else [there.channel_id, there.parent_channel_id]
    return [way for way in ways if way is not None and way not in gone]


def may_go_direct(job: Job) -> bool:
    """Return whether the requester's DM is another place than the one where the job began."""
    return job.destination.guild_id is not None


def begun(job: Job) -> bool:
    """Return whether a first post was begun where the job's messages go now."""
    return job.destination.place_id in job.options.get("posting", ())


def newest_known_id(job: Job) -> int | None:
    """Return the newest id that Discord gave before anything was posted for the job; None: none is known.

    Ids of Discord's are in the order of its own clock, in all places, so that what a job posted has a higher
    one: https://discord.com/developers/docs/reference#snowflakes
    """
    return job.destination.card_id or job.options.get("interaction") or job.source.message_id


# --- what the options are from then on ----------------------------------------------------------------------


def after_refusal(job: Job) -> dict[str, Any]:
    """Return the options with the present place among those that refused."""
    return _with(job, "tried")


def before_posting(job: Job) -> dict[str, Any]:
    """Return the options with the present place among those where posting was begun."""
    return _with(job, "posting")


def anew(job: Job) -> dict[str, Any]:
    """Return the options of a job that a person wants brought afresh."""
    return {name: value for name, value in job.options.items() if name not in ("tried", "posting")}


def _with(job: Job, name: str) -> dict[str, Any]:
    places = [*job.options.get(name, ()), job.destination.place_id]
    return {**job.options, name: list(dict.fromkeys(places))}
