"""What a person asked for: the render, the image it begins with, who asked, and in which interaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MAX_SOURCE_BYTES = 25 * 2**20
"""The largest file that is downloaded to make an image of."""

DEFAULT_CFG_SCALE = 0.5
"""Novita's own default, for those who do not say."""

ImageFormat = Literal["jpeg", "png"]


@dataclass(frozen=True)
class RenderRequest:
    """What one render is to be: `duration` in seconds, `price`, with its `sound`, in 1/10000 USD."""

    model: str
    prompt: str
    duration: int
    price: int
    negative_prompt: str = ""
    cfg_scale: float = DEFAULT_CFG_SCALE
    sound: bool = False


@dataclass(frozen=True)
class SourceImage:
    """The image a render begins with.

    `url` is where the command found it, good for a day, and dropped once the job's own card carries the
    image; `channel_id` and `message_id` name another job's card that carries it. `format` and `changes` are
    what was made of it (see `media.values.PreparedImage`).
    """

    url: str | None = None
    format: ImageFormat = "jpeg"
    changes: tuple[str, ...] = ()
    channel_id: int | None = None
    message_id: int | None = None


@dataclass(frozen=True)
class Requester:
    """Who asked: `locale` is their own language, `roles` the ids that the interaction brought with it.

    `reply_token` opens the interaction's first reply for 15 minutes, and is dropped once the card stands.
    """

    user_id: int
    locale: str = ""
    roles: tuple[int, ...] = ()
    reply_token: str | None = None


InteractionKind = Literal["command", "component", "modal"]


@dataclass(frozen=True)
class InteractionRecord:
    """One interaction of Discord's: acted on once, whoever hears it and however often."""

    id: int
    kind: InteractionKind
    token: str
    requester_id: int
    channel_id: int | None
    locale: str
    seen_at: float


@dataclass(frozen=True)
class LostCommand:
    """A command that became no job, for its process died.

    `prompt` is empty if unknown, and the interaction's token if it has died.
    """

    interaction: InteractionRecord
    prompt: str
