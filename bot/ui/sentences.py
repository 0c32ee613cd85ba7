"""How a job stands and how it ended, in whole sentences."""

from __future__ import annotations

from collections.abc import Mapping

from bot.domain.job import Charge, DeliveryMethod, Job, Rendering, Sending, Stage, State, Waiting
from bot.novita.models import CATALOGUE
from bot.ui.i18n import N_, Texts
from bot.ui.text import escape, format_timestamp, length, link, truncate

SUPPORTED = "JPEG, PNG, WebP, HEIC, AVIF, GIF, BMP"
"""What an image may come as: names that are the same in every language."""
LONGEST_REASON, LONGEST_REASON_LINK = 300, 512

STATES: Mapping[State, str] = {
    State.ACCEPTED: N_("Waiting"),
    State.SUBMITTING: N_("Waiting"),
    State.RENDERING: N_("Rendering"),
    State.RENDERED: N_("Sending"),
    State.DELIVERED: N_("Done"),
    State.UNCONFIRMED: N_("Unconfirmed"),
    State.FAILED: N_("Failed"),
    State.CANCELLED: N_("Cancelled"),
}
"""A job's state in a word or two, as titles and lists have it."""

# --- while it is on its way ---------------------------------------------------------------------------------

HOLD_UPS: Mapping[str, str] = {
    "busy": N_("Novita takes no more requests just now; this one goes in as soon as it may."),
    "novita_away": N_("Novita does not answer just now. Kinora keeps trying on its own."),
    "outdated": N_("A newer version of Kinora has taken over here; this render goes on with it."),
    "fitting": N_("The video is larger than Discord takes here, so it is being made smaller."),
    "discord_away": N_("Discord does not answer just now. Kinora keeps trying on its own."),
}
NOT_PAID = N_("Nothing is paid before Novita has taken it.")
"""True at any time: a card that cannot be edited just when it is paid must not lie."""
LET_GO = N_("Let go.")


def standing(job: Job, stage: Stage | None, texts: Texts) -> tuple[str, str]:
    """Return where a job stands: a title, and a sentence or two."""
    if job.ended:
        said = {State.DELIVERED: _delivered, State.CANCELLED: _cancelled}.get(job.state, ending)
        return texts.text(STATES[job.state]), said(job, texts)
    match stage:
        case Rendering():
            return texts.text(STATES[State.RENDERING]), _rendering(job, stage, texts)
        case Sending(because):
            sentence = HOLD_UPS.get(because, N_("The video is ready and on its way here."))
            return texts.text(STATES[State.RENDERED]), texts.text(sentence)
        case Waiting(position, because):
            return texts.text(STATES[State.ACCEPTED]), _waiting(position, because, texts)
    return texts.text(STATES[State.ACCEPTED]), texts.text(NOT_PAID)


def _delivered(job: Job, texts: Texts) -> str:
    sentence = {
        DeliveryMethod.FITTED: N_("Delivered {when}, made smaller to fit."),
        DeliveryMethod.LINKED: N_("Delivered {when}, as a link."),
    }.get(DeliveryMethod(job.outcome.delivery_method), N_("Delivered {when}."))
    if job.destination.fallback_reason:
        sentence = {
            DeliveryMethod.FITTED: N_("Delivered elsewhere {when}, made smaller to fit."),
            DeliveryMethod.LINKED: N_("Delivered elsewhere {when}, as a link."),
        }.get(DeliveryMethod(job.outcome.delivery_method), N_("Delivered elsewhere {when}."))
    return texts.text(sentence, when=format_timestamp(job.outcome.ended_at or job.created_at))


def _cancelled(job: Job, texts: Texts) -> str:
    again = job.outcome.again_as
    said = texts.text(N_("Rendered again as job {job}."), job=again) if again else texts.text(LET_GO)
    return f"{said} {charged(job, texts)}"


def _rendering(job: Job, stage: Rendering, texts: Texts) -> str:
    started = format_timestamp(job.task.submitted_at or job.created_at)
    if stage.because in HOLD_UPS:
        since = texts.text(N_("Started {when}."), when=started)
        return f"{texts.text(HOLD_UPS[stage.because])} {since}"
    sentence = N_("Started {when}, expected {then}.")
    if stage.queued:
        sentence = N_("In Novita's queue, sent {when}, expected {then}.")
    return texts.text(sentence, when=started, then=format_timestamp(stage.expected_at))


def _waiting(position: int | None, because: str, texts: Texts) -> str:
    if because in HOLD_UPS:
        line = texts.text(HOLD_UPS[because])
    elif position:
        line = texts.text(N_("Number {position} in line."), position=position)
    else:
        line = texts.text(N_("Its turn comes in a moment."))
    return f"{line} {texts.text(NOT_PAID)}"


# --- how it ended without a video ---------------------------------------------------------------------------

PROBLEMS: Mapping[str, str] = {
    "not_started": N_(
        "The render could not be started, because Discord did not let Kinora post the card or fetch the "
        "image. Please run the command again."
    ),
    "still_refused": N_("The image could not be used when its turn came. Please run the command again."),
    "image_unprepared": N_(
        "The image could not be prepared on Kinora's side. Please run the command again, or use another "
        "image."
    ),
    "model_unknown": N_("The model {model} is no longer offered here. Please choose another one."),
    "novita_away": N_("Novita could not be reached for a long time. Please try again later."),
    "input": N_("Novita did not accept the request: {reason}. Please change that and run the command again."),
    "moderation": N_(
        "Novita's content rules refused this ({reason}). Please change the prompt or the image."
    ),
    "key": N_("Kinora's access to Novita is not in order. That is not your fault: its operator has to act."),
    "funds": N_("Kinora's Novita account is out of funds. That is not your fault: its operator has to act."),
    "retired": N_("Novita no longer offers {model}. Please choose another model."),
    "retired_and_replaced": N_("Novita no longer offers {model}."),
    "provider": N_(
        "Novita had a problem of its own ({reason}). That is not your fault. Please try again later."
    ),
    "task_failed": N_("Novita could not finish the render: {reason}. That is Novita's side, not yours."),
    "task_failed_silently": N_(
        "Novita could not finish the render and does not say why. That is Novita's side, not yours."
    ),
    "task_lost": N_(
        "Novita no longer knows this render. Kinora's operator can ask Novita about it by the task id below."
    ),
    "deadline": N_(
        "The render was not ready after {waited}, so Kinora stopped waiting. It looks once more {later}; "
        "`/show {job}` asks at any time."
    ),
    "lost": N_(
        "Kinora looked once more, and Novita still has no video. `/show {job}` asks again at any time."
    ),
    "video_gone": N_(
        "The video was rendered, but it could not be fetched from Novita. `/show {job}` tries again."
    ),
    "undelivered": N_(
        "The video was rendered, but Discord takes it nowhere. `/show {job}` brings it, anywhere you can use "
        "Kinora."
    ),
    "unseen": N_(
        "The video was on its way here when something broke, and Kinora may not read this place's history. "
        "**Is the video there?** If not, `/show {job}` brings it; Kinora does not post it twice on its own."
    ),
    "unconfirmed": N_(
        "Novita's answer was lost at the moment the render was submitted, so nobody can tell whether it was "
        "taken and paid. Kinora does not submit it again on its own: you decide."
    ),
}
REASONS: Mapping[str, str] = {
    "IMAGE_FILE_EXCEEDS_MAX_SIZE": N_(
        "Novita did not accept the image: its file is too large. Please send a smaller one."
    ),
    "INVALID_IMAGE_FORMAT": N_(
        "Novita did not accept the image: its format is not one it reads. Please send another one."
    ),
    "IMAGE_EXCEEDS_MAX_RESOLUTION": N_(
        "Novita did not accept the image: it has too many pixels. Please send a smaller one."
    ),
    "INVALID_IMAGE_SIZE": N_(
        "Novita did not accept the image: its size or shape is not one it takes. Please send another one."
    ),
    "ILLEGAL_PROMPT": N_("Novita's content rules refused the prompt. Please change it."),
    "ILLEGAL_IMAGE_CONTENT": N_("Novita's content rules refused the image. Please use another one."),
}
"""Sentences for what Novita names precisely; they win over the problem's own."""

ALERTS: Mapping[str, str] = {
    "token": N_(
        "Discord refuses Kinora's token: what is paid waits until that is mended. Set a new DISCORD_TOKEN "
        "from the developer portal and restart Kinora."
    ),
    "key": N_(
        "Novita refuses Kinora's key, for one model or for all: what it is refused for is not rendered, and "
        "what is paid waits until that is mended. "
        "Check NOVITA_API_KEY and the account's rights in Novita's console."
    ),
    "message": N_(
        "Discord finds fault with a message of Kinora's in every form, so a video that is paid for was not "
        "brought. That is a bug: its job and Discord's code are in the log, and `/show` brings the video."
    ),
    "model_gone": N_(
        "Novita does not serve the model {model} any more, so it cannot be chosen now. If that is a mistake, "
        "check NOVITA_API_URL and KINORA_MODELS."
    ),
    "probe": N_(
        "Novita made a task of a request that only asked whether a model is served. It may have been "
        "charged: look in Novita's console. Kinora does not ask so again until KINORA_PROBE_ROUND is higher."
    ),
}
"""What the owner of the application is told, by the kind of alert."""


def ending(job: Job, texts: Texts) -> str:
    """Return what happened and what it cost, in a few sentences; reasons come in Novita's own words only."""
    outcome = job.outcome
    name, _, message = outcome.reason.partition(": ")
    problem = outcome.problem or job.state
    reason = escape(truncate(message, LONGEST_REASON)) or escape(truncate(name, LONGEST_REASON))
    model = CATALOGUE.get(job.request.model)
    if problem == "task_failed" and not reason:
        problem = "task_failed_silently"
    if problem == "retired" and outcome.again_as:
        problem = "retired_and_replaced"
    precise = REASONS.get(name) if problem in ("input", "moderation") else None
    sentences = [
        texts.text(
            precise or PROBLEMS.get(problem, PROBLEMS["provider"]),
            reason=reason or "–",
            model=model.title if model else f"`{escape(job.request.model)}`",
            job=job.id,
            waited=texts.duration(_waited(job)),
            later=format_timestamp(outcome.check_at or 0),
        )
    ]
    if outcome.again_as:
        sentences.append(texts.text(N_("Rendered again as job {job}."), job=outcome.again_as))
    url = job.task.video_url
    if problem == "undelivered" and url and length(url) <= LONGEST_REASON_LINK:
        until = format_timestamp(job.task.video_expires_at or 0)
        sentences.append(
            texts.text(N_("[The video]({url}) itself is there until {until}."), url=link(url), until=until)
        )
    return " ".join([*sentences, charged(job, texts)])


def withheld(job: Job, texts: Texts) -> str:
    """Return all that others may read of a job that content rules refused."""
    not_made = texts.text(N_("This could not be made."))
    return f"{not_made} {charged(job, texts)}"


def charged(job: Job, texts: Texts) -> str:
    """Return what an ended job cost, in words, as far as anybody can know."""
    sentence = {
        Charge.NOTHING: N_("**Nothing was charged.**"),
        Charge.PAID: N_("**The render was paid** (about {price})."),
        Charge.UNKNOWN: N_(
            "**It may have been charged** (about {price}); only Kinora's operator can see that at Novita."
        ),
    }[job.outcome.charge]
    return texts.text(sentence, price=texts.money(job.request.price))


def _waited(job: Job) -> float:
    started = job.task.submitted_at or job.created_at
    return max(1.0, (job.outcome.ended_at or started) - started)


# --- what was done to the image -----------------------------------------------------------------------------

KINDS: Mapping[str, str] = {"webp": "WebP", "heif": "HEIC"}
IMAGE_CHANGES: Mapping[str, str] = {
    "converted_from": N_("It was converted from {detail}."),
    "scaled": N_("It was scaled to {detail} pixels."),
    "first_frame": N_("Its first frame was taken."),
    "rotated": N_("It was turned upright."),
    "flattened": N_("Its transparent parts were made white."),
    "16bit": N_("Its colours were reduced from 16 bits to 8."),
    "colours": N_("Its colours were turned into sRGB."),
    "cmyk": N_("Its print colours were turned into screen colours."),
    "reencoded": N_("It was saved again so that Novita takes it."),
    "stripped": N_("The data hidden in it, such as where it was taken, was removed."),
}


def image_notes(changes: tuple[str, ...], texts: Texts) -> str:
    """Return what was done to the image, in words, from the marks of `bot.media`; empty: nothing."""
    notes = []
    for change in changes:
        name, _, detail = change.partition(":")
        detail = detail.replace("x", " × ") if name == "scaled" else KINDS.get(detail, detail.upper())
        if name in IMAGE_CHANGES:
            notes.append(texts.text(IMAGE_CHANGES[name], detail=detail))
    return " ".join(notes)
