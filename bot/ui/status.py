"""What people read: a job becomes a card, a video message or a verdict, as plain dictionaries of Discord's
embed.

Everything a person or Novita wrote is made inert first. Lengths are counted in UTF-16 units, the strictest
way Discord could count them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from bot.domain.job import Cost, How, Job, Rendering, Sending, Stage, State, Waiting
from bot.novita.models import CATALOGUE, UNITS_PER_DOLLAR, Model

Embed = dict[str, Any]

# Discord's limits: https://discord.com/developers/docs/resources/message#embed-object-embed-limits
DESCRIPTION, FIELD, TOTAL = 4096, 1024, 6000
SUPPORTED = "JPEG, PNG, WebP, HEIC, AVIF, GIF or BMP"

BLUE, AMBER, GREEN, RED, GREY = 0x5B8DEF, 0xE0A030, 0x3FA66B, 0xD9534F, 0x80848E

# What begins markup anywhere, at a line's start, a link, or a mention of everyone. No more than that is
# escaped, so that an ordinary prompt reads, copies and searches as it was written.
_MARKUP = re.compile(
    r"([\\*_~|`<\[\]]|^[ \t]*(?:#{1,3}(?= )|-#(?= )|>)|(?<=[A-Za-z]):(?=//)|@(?=everyone|here))", re.MULTILINE
)
# Direction overrides could make a card read backwards, and invisible characters hide a mention from the
# escaping.
_UNSEEN = re.compile(r"[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e007f]")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_JOINER = "\u200d"


def clean(text: str) -> str:
    """Drop what no prompt means and no store keeps: control characters and broken halves of emoji."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROL.sub("", text).encode("utf-8", "ignore").decode().strip()


def inert(text: str) -> str:
    """Make untrusted text show as what it is: no mention, no markup, no turned direction."""
    shown = _UNSEEN.sub(lambda m: m[0] if m[0] == _JOINER else "", clean(text))
    return _MARKUP.sub(lambda m: f"{m[0][:-1]}\\{m[0][-1]}" if len(m[0]) > 1 else f"\\{m[0]}", shown)


def length(text: str) -> int:
    """Count UTF-16 units."""
    return len(text.encode("utf-16-le")) // 2


def cut(text: str, limit: int) -> str:
    """Shorten to `limit` UTF-16 units with an ellipsis, never inside a character."""
    if length(text) <= limit:
        return text
    kept = text.encode("utf-16-le")[: 2 * (limit - 1)].decode("utf-16-le", "ignore")
    return kept.rstrip("\\") + "…"


def dollars(units: int) -> str:
    """Show money, from 1/10000 USD."""
    amount = units / UNITS_PER_DOLLAR
    return f"${amount:.2f}" if units % 100 == 0 else f"${amount:.3f}"


def moment(at: float, style: str = "R") -> str:
    """Show a time in the reader's own clock and language."""
    return f"<t:{int(at)}:{style}>"


# --- the card -----------------------------------------------------------------------------------------------


def card(job: Job, stage: Stage | None, models: Mapping[str, Model]) -> Embed:
    """Make the reply's card: the still, the prompt, the settings, the price, and where the job stands."""
    title, status, colour = _standing(job, stage)
    embed = _about(job, models, title, colour)
    embed["fields"].insert(0, _field("Where it stands", status))
    if notes := still_notes(job.still_done):
        embed["fields"].append(_field("About the still", notes))
    return _fitted(embed)


def still_name(job: Job) -> str:
    """Name the still's file on the card, after its job and its format."""
    return f"still-{job.id}.{'png' if 'png' in job.still_done.split() else 'jpg'}"


def thread_name(job: Job) -> str:
    """Name the job's thread after its prompt (Discord: 1–100 characters)."""
    words = " ".join(_UNSEEN.sub("", clean(job.prompt)).split())
    return cut(words, 90) or f"Kinora {job.id}"


def _standing(job: Job, stage: Stage | None) -> tuple[str, str, int]:
    match job.state, stage:
        case State.DELIVERED, _:
            how = {How.FITTED: ", made smaller to fit", How.LINKED: " as a link"}.get(How(job.how), "")
            where = " elsewhere" if job.detour else ""
            return "Done", f"Delivered{where}{how} {moment(job.ended_at or job.created_at)}.", GREEN
        case State.CANCELLED, _:
            what = f"Ordered again as job {job.again_as}." if job.again_as else "Let go."
            return "Cancelled", f"{what} {cost_sentence(job)}", GREY
        case State.UNCONFIRMED, _:
            return "Unconfirmed", verdict_sentence(job), AMBER
        case State.FAILED, _:
            return "Failed", verdict_sentence(job), RED
        case _, Rendering() as rendering:
            return "Rendering", _rendering(job, rendering), BLUE
        case _, Sending(because):
            return "Sending", HOLD_UPS.get(because, "The video is ready and on its way here."), BLUE
        case _, Waiting(position, because):
            line = f"Number {position} in line." if position else "Its turn comes in a moment."
            return "Waiting", f"{HOLD_UPS.get(because, line)} Nothing is paid yet.", GREY
    return "Waiting", "Nothing is paid yet.", GREY


HOLD_UPS: Mapping[str, str] = {
    "busy": "Novita has many requests just now; this one goes in as soon as it may.",
    "novita_away": "Novita does not answer just now. Kinora keeps trying on its own.",
    "fitting": "The video is larger than Discord takes here, so it is being made smaller.",
    "discord_away": "Discord does not answer just now. Kinora keeps trying on its own.",
}


def _rendering(job: Job, stage: Rendering) -> str:
    started = moment(job.submitted_at or job.created_at)
    if stage.because:
        return f"{HOLD_UPS[stage.because]} Started {started}."
    place = "In Novita's queue, sent" if stage.queued else "Started"
    return f"{place} {started}, expected {moment(stage.expected_at)}."


# --- the messages after it ----------------------------------------------------------------------------------


def delivered(job: Job, how: How, models: Mapping[str, Model], size: int = 0) -> tuple[str, Embed]:
    """Make the words with the video, which ping the asker; `size` in bytes is what it was fitted to."""
    until, url = moment(job.video_expires_at or 0), address(job.video_url or "")
    original = f" [The original](<{url}>) is there until {until}." if length(url) <= LONGEST_LINK else ""
    said = {
        How.ATTACHED: "your video is here.",
        How.FITTED: (
            f"your video is here, made smaller ({size / 2**20:.1f} MB) because Discord takes no larger file "
            f"in this place.{original}"
        ),
        How.LINKED: (
            "your video is here as a link, because Discord does not take the file in this place. "
            f"**The link ends {until}**, so save it soon: {url if original else 'it stands below.'}"
        ),
    }[how]
    detour = f" {DETOURS.get(job.detour, DETOURS['forbidden'])}" if job.detour else ""
    embed = _about(job, models, None, GREEN)
    embed["footer"]["text"] += DELIVERED_MARK
    if how is How.LINKED and not original:
        embed["description"] = f"[The video]({url})"
    return f"<@{job.asker_id}> {said}{detour}", _fitted(embed)


def address(url: str) -> str:
    """Make an address safe to stand in a message: nothing in it ends a link or begins markup."""
    return re.sub(r"[\s<>()\[\]`*|\\]", lambda m: f"%{ord(m[0]):02X}", url)


LONGEST_LINK = 1500
"""How long an address may be to stand in a message's text, in UTF-16 units; Discord takes 2000 in all."""
DELIVERED_MARK = " · delivered"
"""Ends the footer of every message that brings a video: by it and the job's id the message is found again."""

DETOURS: Mapping[str, str] = {
    "gone": "It comes here because the place it was meant for is gone.",
    "locked": "It comes here because the thread it was meant for is locked.",
    "forbidden": "It comes here because Kinora may not post in the place it was meant for any more.",
}


def is_delivery(footer: str, job_id: str) -> bool:
    """Tell by its footer whether a message brings a job's video."""
    return footer.startswith(f"job {job_id}") and footer.endswith(DELIVERED_MARK)


def is_verdict(footer: str, job: Job) -> bool:
    """Tell by its footer whether a message says how a job ended, in the way it stands now."""
    return footer == verdict_footer(job)


def verdict_footer(job: Job) -> str:
    """Make the footer of a verdict, one for each end that a job may come to."""
    return f"{_footer(job)} · {job.problem or job.state}"


def verdict(job: Job, models: Mapping[str, Model]) -> tuple[str, Embed]:
    """Make the message that tells the asker how a job ended without a video."""
    title, status, colour = _standing(job, None)
    embed = _about(job, models, None, colour)
    embed["title"] = title
    embed["footer"]["text"] = verdict_footer(job)
    embed["fields"].insert(0, _field("What happened", status))
    return f"<@{job.asker_id}>", _fitted(embed)


# --- how a job ends without a video -------------------------------------------------------------------------

PROBLEMS: Mapping[str, str] = {
    "not_started": "The render could not be started ({reason}). Please run the command again.",
    "still_refused": "The still could not be used when its turn came ({reason}). Please send it again.",
    "model_unknown": "The model {reason} is no longer offered here. Please choose another one.",
    "novita_away": "Novita could not be reached for a long time ({reason}). Please try again later.",
    "input": "Novita did not accept the request: {reason}. Please change that and run the command again.",
    "moderation": "Novita's content rules refused this ({reason}). Please change the prompt or the still.",
    "key": "Kinora's access to Novita is not in order. That is not your fault; its operator has been told.",
    "funds": "Kinora's Novita account is out of funds. That is not your fault; its operator has been told.",
    "retired": "Novita no longer offers {model}. Choose **{replacement}** instead; the operator knows.",
    "provider": "Novita had a problem of its own ({reason}). That is not your fault. Please try again later.",
    "task_failed": "Novita could not finish the render: {reason}. That is Novita's side, not yours.",
    "task_lost": "Novita no longer knows this task. Its operator can ask them with the task id below.",
    "deadline": (
        "The render was not ready after {reason}, so Kinora stopped waiting. It looks once more {later}; "
        "`/show {job}` asks at any time."
    ),
    "lost": "Kinora looked once more, and Novita still has no video. `/show {job}` asks again at any time.",
    "video_gone": (
        "The video was rendered, but it could not be fetched ({reason}). `/show {job}` tries again."
    ),
    "undelivered": (
        "The video was rendered, but Discord takes it nowhere ({reason}). `/show {job}` brings it, anywhere "
        "you can use Kinora. {link}"
    ),
    "unconfirmed": (
        "The connection to Novita broke at the moment the render was ordered, so nobody can tell whether it "
        "was taken and paid. Kinora does not order it again on its own: you decide."
    ),
}
REASONS: Mapping[str, str] = {
    "IMAGE_FILE_EXCEEDS_MAX_SIZE": "the picture's file is too large",
    "INVALID_IMAGE_FORMAT": "the picture's format is not one it reads",
    "IMAGE_EXCEEDS_MAX_RESOLUTION": "the picture has too many pixels",
    "INVALID_IMAGE_SIZE": "the picture's size or shape is not one it takes",
    "ILLEGAL_PROMPT": "the prompt",
    "ILLEGAL_IMAGE_CONTENT": "the picture",
}


def verdict_sentence(job: Job) -> str:
    """Say what happened and what it cost, in one or two sentences."""
    template = PROBLEMS.get(job.problem, PROBLEMS["provider"])
    name, _, message = job.reason.partition(": ")
    reason = REASONS.get(name) or inert(cut(message or job.reason, 300)) or "no reason given"
    sentence = template.format(
        reason=reason,
        model=f"`{job.model}`",
        replacement=_replacement(job),
        job=job.id,
        later=moment(job.check_at or 0),
        link=_link(job),
    )
    return f"{sentence.strip()} {cost_sentence(job)}"


def _link(job: Job) -> str:
    if not job.video_url or length(job.video_url) > FIELD // 2:
        return ""
    return f"[The video]({address(job.video_url)}) itself is there until {moment(job.video_expires_at or 0)}."


def cost_sentence(job: Job) -> str:
    """Say what an ended job cost, as far as anybody can know."""
    match job.cost:
        case Cost.NOTHING:
            return "**Nothing was charged.**"
        case Cost.PAID:
            return f"**The render was paid** (about {dollars(job.price)})."
        case Cost.UNKNOWN:
            return (
                f"**It may have been charged** (about {dollars(job.price)}); Novita's console tells for sure."
            )


def _replacement(job: Job) -> str:
    model = CATALOGUE.get(job.model)
    successor = CATALOGUE.get(model.replacement or "") if model else None
    return successor.title if successor else "another model"


AGAIN, LET_GO = "kinora:again:", "kinora:letgo:"
"""How the two buttons' custom ids begin; the job's id follows."""


def choices(job: Job) -> list[tuple[str, str]]:
    """List the buttons under a verdict, as custom id and label: what only a person may decide."""
    if job.state is not State.UNCONFIRMED:
        return []
    return [
        (AGAIN + job.id, f"Render again (may cost a second time: {dollars(job.price)})"),
        (LET_GO + job.id, "Let it go"),
    ]


def decided(job: Job, new: Job | None) -> Embed:
    """Make what takes the place of the buttons."""
    if new is None:
        return note(f"Let go. {cost_sentence(job)}")
    return note(f"Ordered again, as job {new.id} for about {dollars(new.price)}.")


def note(sentence: str) -> Embed:
    """Make a plain remark."""
    return {"description": sentence, "color": GREY}


def job_name(job: Job) -> str:
    """Name a job in a list of one's own (Discord: 100 characters)."""
    return cut(f"{job.id} · {job.state} · {' '.join(clean(job.prompt).split())}", 100)


# --- refusals: before there is a job ------------------------------------------------------------------------


def refusal(sentence: str, remedy: str, prompt: str) -> Embed:
    """Make the answer to bad input: what is wrong, that it cost nothing, what to do, the prompt back."""
    embed: Embed = {
        "title": "Not started",
        "description": f"{sentence}\n**Nothing was charged.** {remedy}".strip(),
        "color": AMBER,
        "fields": [],
    }
    if prompt:
        embed["fields"] = _prompt_fields("Your prompt, to copy", inert(prompt))
    return embed


def still_notes(done: str) -> str:
    """Say what was done to the still, from its format and the marks of `bot.media`; empty: nothing."""
    notes = [note for mark in done.split() if (note := _still_note(mark))]
    text = "; ".join(notes)
    return f"{text[0].upper()}{text[1:]}." if text else ""


def _still_note(mark: str) -> str:
    name, _, detail = mark.partition(":")
    match name:
        case "converted_from":
            return f"converted from {KINDS.get(detail, detail.upper())}"
        case "scaled":
            return f"scaled to {detail.replace('x', ' × ')}"
        case _:
            return STILL_NOTES.get(name, "")


KINDS: Mapping[str, str] = {"webp": "WebP", "heif": "HEIC"}
STILL_NOTES: Mapping[str, str] = {
    "first_frame": "its first frame was taken",
    "rotated": "turned upright",
    "flattened": "its transparency was laid on white",
    "16bit": "its 16-bit colours were rounded to 8",
    "colours": "its colours were turned into sRGB",
    "cmyk": "its print colours were turned into screen colours",
    "reencoded": "saved again so that Novita takes it",
}


# --- parts --------------------------------------------------------------------------------------------------


def _about(job: Job, models: Mapping[str, Model], title: str | None, colour: int) -> Embed:
    model = models.get(job.model)
    fields = [
        _field("Model", model.title if model else inert(job.model), inline=True),
        _field("Length", f"{job.duration} s", inline=True),
        _field("Price", f"about {dollars(job.price)}", inline=True),
    ]
    if job.cfg_scale != 0.5:
        fields.append(_field("Guidance", f"{job.cfg_scale:g}", inline=True))
    if job.negative_prompt:
        fields.append(_field("Leave out", cut(inert(job.negative_prompt), FIELD)))
    embed: Embed = {
        "description": ">>> " + inert(job.prompt),
        "color": colour,
        "fields": fields,
        "footer": {"text": _footer(job)},
    }
    return {"title": title, **embed} if title else embed


def _footer(job: Job) -> str:
    return cut(f"job {job.id}" + (f" · task {job.task_id}" if job.task_id else ""), 200)


def _prompt_fields(name: str, text: str) -> list[dict[str, Any]]:
    """Lay a long text over as many fields as it needs."""
    fields: list[dict[str, Any]] = []
    while text and len(fields) < 5:
        piece = text.encode("utf-16-le")[: 2 * FIELD].decode("utf-16-le", "ignore")
        if piece.endswith("\\") and not piece.endswith("\\\\"):
            piece = piece[:-1]  # an escape stays with what it escapes
        fields.append(_field(name if not fields else "\u200b", piece))
        text = text[len(piece) :]
    return fields


def _field(name: str, value: str, inline: bool = False) -> dict[str, Any]:
    return {"name": name, "value": value or "–", "inline": inline}


def _fitted(embed: Embed) -> Embed:
    """Keep an embed within Discord's limits: a prompt longer than the description runs on in a field."""
    description = embed["description"]
    if length(description) > DESCRIPTION:
        head = description.encode("utf-16-le")[: 2 * DESCRIPTION].decode("utf-16-le", "ignore")
        if head.endswith("\\") and not head.endswith("\\\\"):
            head = head[:-1]
        embed["description"] = head
        embed["fields"][:0] = _prompt_fields("…", description[len(head) :])
    over = _total(embed) - TOTAL
    if over > 0:  # only a long negative prompt beside a long prompt can do this
        for field in embed["fields"]:
            if field["name"] == "Leave out":
                field["value"] = cut(field["value"], max(20, length(field["value"]) - over))
    return embed


def _total(embed: Embed) -> int:
    texts = [embed.get("title", ""), embed["description"], embed.get("footer", {}).get("text", "")]
    texts += [part for field in embed["fields"] for part in (field["name"], field["value"])]
    return sum(length(text) for text in texts)
