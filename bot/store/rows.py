"""A row of the jobs table as a `Job`, and back: the only place that knows how parts and columns match."""

from __future__ import annotations

import re
from typing import Any, cast, get_args

import sqlalchemy as sa

from bot.domain.job import Admission, Charge, Destination, Job, NovitaTask, Outcome, State
from bot.domain.request import ImageFormat, RenderRequest, Requester, SourceImage
from bot.store.tables import jobs

_FORMATS = get_args(ImageFormat)


def job_of(row: sa.RowMapping) -> Job:
    """Return the `Job` of a row; its state is one this version knows."""
    value = {column.key: row[column.name] for column in jobs.columns}
    image_format, changes = _read_image(value["source_image"])
    return Job(
        id=value["id"],
        state=State(value["state"]),
        created_at=value["created_at"],
        accepted_at=value["accepted_at"],
        fencing_token=value["fencing_token"],
        wallet_id=value["wallet_id"],
        batch_id=value["batch_id"],
        ordinal=value["ordinal"],
        options=value["options"],
        request=RenderRequest(
            **{
                name: value[name]
                for name in ("model", "prompt", "duration", "price", "negative_prompt", "cfg_scale")
            },
            sound=bool(value["options"].get("sound")),
        ),
        source=SourceImage(
            url=value["source_url"],
            format=image_format,
            changes=changes,
            channel_id=value["source_channel_id"],
            message_id=value["source_message_id"],
        ),
        requester=Requester(
            user_id=value["requester_id"],
            locale=value["locale"],
            roles=tuple(value["roles"]),
            reply_token=value["reply_token"],
        ),
        destination=_part(Destination, value),
        admission=_part(Admission, value),
        task=_part(NovitaTask, value),
        outcome=_part(Outcome, value | {"charge": Charge(value["charge"])}),
    )


def values_of(job: Job) -> dict[str, Any]:
    """Return a job's columns by their keys."""
    parts = (job.request, job.destination, job.admission, job.task, job.outcome)
    values = {name: value for part in parts for name, value in vars(part).items()}
    sound = {"sound": True} if values.pop("sound") else {}
    values |= {
        "id": job.id,
        "state": job.state,
        "created_at": job.created_at,
        "accepted_at": job.accepted_at,
        "fencing_token": job.fencing_token,
        "wallet_id": job.wallet_id,
        "batch_id": job.batch_id,
        "ordinal": job.ordinal,
        "options": {**job.options, **sound},
        "source_url": job.source.url,
        "source_image": " ".join((job.source.format, *job.source.changes)),
        "source_channel_id": job.source.channel_id,
        "source_message_id": job.source.message_id,
        "requester_id": job.requester.user_id,
        "locale": job.requester.locale,
        "roles": list(job.requester.roles),
        "reply_token": job.requester.reply_token,
    }
    return storable(values)


def storable(values: dict[str, Any]) -> dict[str, Any]:
    """Replace what the databases do not take in text: the null, and halves of surrogate pairs."""
    return {name: _storable(value) for name, value in values.items()}


def _storable(value: Any) -> Any:
    return re.sub("[\0\ud800-\udfff]", "\ufffd", value) if type(value) is str else value


def _part(kind: type[Any], value: dict[str, Any]) -> Any:
    return kind(**{name: value[name] for name in kind.__dataclass_fields__})


def _read_image(text: str) -> tuple[ImageFormat, tuple[str, ...]]:
    """Read the column `still_done`: an image's format, then what was done to it, separated by blanks."""
    words = text.split()
    first = words[0] if words and words[0] in _FORMATS else "jpeg"
    return cast(ImageFormat, first), tuple(word for word in words if word not in _FORMATS)
