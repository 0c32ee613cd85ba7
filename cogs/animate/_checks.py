"""What `/animate` takes: each rule a sentence, checked before anything is paid."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import discord

from bot.domain.request import MAX_SOURCE_BYTES, RenderRequest
from bot.errors import ImageRejected
from bot.errors import Refusal as AnyRefusal
from bot.jobs.service import Model
from bot.ui.i18n import N_, Texts
from bot.ui.sentences import SUPPORTED
from bot.ui.text import clean, escape, visible

Refusal = partial(AnyRefusal, money=True)
PREFERRED_DURATION = 5


# --- the words and numbers ----------------------------------------------------------------------------------


def model(models: Mapping[str, Model], name: str | None = None) -> Model:
    """Return a model on offer by its name, or the first one."""
    if not models:
        raise Refusal(
            N_("Novita serves none of the models that Kinora offers just now."),
            N_("Please try again later; Kinora's operator finds more in the log."),
        )
    if name is None:
        return next(iter(models.values()))
    if found := models.get(name):
        return found
    raise Refusal(
        N_("There is no model “{name}”."),
        N_("Choose one of these: {models}."),
        name=escape(name[:80]),
        models=", ".join(model.title for model in models.values()),
    )


def default_duration(model: Model) -> int:
    """Return how long a video is for those who do not say."""
    return PREFERRED_DURATION if PREFERRED_DURATION in model.durations else model.durations[0]


def features(models: Mapping[str, Model], model: Model, *, end_image: bool, sound: bool) -> None:
    """Refuse what a model does not have, and name those that have it."""
    if sound and not model.makes_sound:
        have = [other.title for other in models.values() if other.makes_sound]
        raise _without(N_("{model} makes no sound."), model, have)
    if end_image and not model.end_image:
        have = [other.title for other in models.values() if other.end_image]
        raise _without(N_("{model} cannot end with an image of yours."), model, have)


def _without(message: str, model: Model, have: list[str]) -> AnyRefusal:
    remedy = N_("Choose {models}, or leave it out.") if have else N_("Please leave it out.")
    return Refusal(message, remedy, model=model.title, models=lambda texts: texts.one_of(have))


def request(
    model: Model, prompt: str, duration: int, negative_prompt: str, cfg_scale: float, sound: bool = False
) -> RenderRequest:
    """Check what the person wrote against what the model takes."""
    prompt, negative_prompt = clean(prompt), clean(negative_prompt)
    if not visible(prompt):
        raise Refusal(N_("The prompt is empty."), N_("Say in a few words what should happen in the video."))
    if len(prompt) > model.max_prompt:
        raise Refusal(
            N_("The prompt has {actual} characters; {most} is the most."),
            N_("Shorten it by {over}."),
            **_lengths(len(prompt), model.max_prompt),
        )
    if len(negative_prompt) > model.max_prompt:
        raise Refusal(
            N_("The negative prompt has {actual} characters; {most} is the most."),
            N_("Shorten it by {over}."),
            **_lengths(len(negative_prompt), model.max_prompt),
        )
    if not math.isfinite(cfg_scale) or not 0 <= cfg_scale <= 1:
        raise Refusal(
            N_("cfg_scale is {value}, and it goes from 0 to 1."),
            N_("Leave it out for 0.5; a higher value follows the prompt more closely."),
            value=cfg_scale if math.isfinite(cfg_scale) else str(cfg_scale),
        )
    if duration not in model.durations:
        first, last = model.durations[0], model.durations[-1]
        every = len(model.durations) == last - first + 1

        def durations(texts: Texts) -> str:
            return texts.one_of([texts.text(N_("{seconds} s"), seconds=n) for n in model.durations])

        raise Refusal(
            N_("{model} cannot make {seconds} s."),
            N_("It can make any whole number of seconds from {first} to {last}.")
            if every
            else N_("It can make {durations}."),
            model=model.title,
            seconds=duration,
            first=first,
            last=last,
            durations=durations,
        )
    return RenderRequest(
        model=model.name,
        prompt=prompt,
        duration=duration,
        price=model.price(duration, sound),
        negative_prompt=negative_prompt,
        cfg_scale=cfg_scale,
        sound=sound,
    )


def _lengths(actual: int, most: int) -> dict[str, Any]:
    return {"actual": actual, "most": most, "over": actual - most}


# --- the image ----------------------------------------------------------------------------------------------


def attachment(image: discord.Attachment, *, end: bool = False) -> None:
    """Refuse early what its size alone rules out; all else is decided by the bytes."""
    if image.size > MAX_SOURCE_BYTES:
        raise image_refusal(
            ImageRejected("too_many_bytes", bytes=image.size, limit=MAX_SOURCE_BYTES), end=end
        )
    if image.size == 0:
        raise image_refusal(ImageRejected("empty", bytes=0), end=end)


RULES: Mapping[str, tuple[str, str]] = {
    "empty": (N_("The file is empty (0 bytes)."), N_("Please attach the image again.")),
    "too_many_bytes": (
        N_("The file has {size} MB; {limit} MB is the most."),
        N_("Save it as a smaller file."),
    ),
    "too_many_bytes_unknown": (
        N_("The file is too large; {limit} MB is the most."),
        N_("Save it as a smaller file."),
    ),
    "not_an_image": (
        N_("The file is of no kind that Kinora knows; it is not an image."),
        N_("Attach one of these: {supported}."),
    ),
    "not_an_image_text": (
        N_("The file holds plain text; it is not an image."),
        N_("Attach one of these: {supported}."),
    ),
    "unsupported": (
        N_("The file is of the kind {kind}, which is none that Kinora takes."),
        N_("Save it as an image first, as one of these: {supported}."),
    ),
    "unsupported_video": (
        N_("The file is of the kind {kind}, which is none that Kinora takes."),
        N_("Take one frame of the video as an image and attach that."),
    ),
    "truncated": (N_("The file ends too early: part of it is missing."), N_("Save or upload it again.")),
    "too_small": (
        N_("The image is {width} × {height} pixels; each side needs at least {limit}."),
        N_("Use a larger image."),
    ),
    "too_wide": (
        N_(
            "The image is too wide: {width} × {height} pixels; the shape may be anything from 1:2.5 to 2.5:1."
        ),
        N_("Crop it and try again."),
    ),
    "too_tall": (
        N_(
            "The image is too tall: {width} × {height} pixels; the shape may be anything from 1:2.5 to 2.5:1."
        ),
        N_("Crop it and try again."),
    ),
    "too_many_pixels": (
        N_("The image has {width} × {height} pixels; {limit} million pixels is the most."),
        N_("Scale it down first."),
    ),
    "too_hard": (
        N_("The file takes too much time or memory to open."),
        N_("Save it again, or smaller."),
    ),
    "corrupt": (N_("The file is damaged and cannot be opened."), N_("Save it again.")),
}
"""What is wrong and what to do, for each rule of `bot.media.values.Rule`."""
VIDEOS = frozenset({"MP4", "MOV", "WEBM", "AVI", "MKV", "WebM"})


END_IMAGE = N_("About the end image: {problem}")


def image_refusal(rejected: ImageRejected, *, end: bool = False) -> AnyRefusal:
    """Return a broken rule of the image as a refusal, with the actual value; `end`: of the end image."""
    rule, actual = rejected.rule, rejected.actual
    kind = str(actual.get("kind") or "")
    values: dict[str, Any] = {"supported": SUPPORTED, "kind": escape(kind)}
    values |= {name: actual[name] for name in ("width", "height", "limit") if name in actual}
    if rule == "too_many_bytes":
        values["limit"] = lambda texts: texts.megabytes(actual["limit"], 0)
        if "bytes" in actual:
            values["size"] = lambda texts: texts.megabytes(actual["bytes"])
        else:
            rule = "too_many_bytes_unknown"
    elif rule == "too_many_pixels":
        values["limit"] = round(actual["limit"] / 1_000_000)
    elif rule == "not_an_image" and kind == "text":
        rule = "not_an_image_text"
    elif rule == "unsupported" and kind in VIDEOS:
        rule = "unsupported_video"
    message, remedy = RULES.get(rule, RULES["corrupt"])
    if end:
        said, inner = message, dict(values)
        values["problem"] = lambda texts: texts.text(said, **inner)
        message = END_IMAGE
    return Refusal(message, remedy, **values)
