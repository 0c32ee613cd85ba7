"""The status card: the reply's embed, with the image, the prompt, the settings, and where the job stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import discord

from bot.domain.job import Job, Stage, State
from bot.novita.models import Model
from bot.ui import sentences
from bot.ui.i18n import N_, Texts
from bot.ui.text import escape, length, pieces, plain, truncate

# Discord's limits: https://discord.com/developers/docs/resources/message#embed-object-embed-limits
DESCRIPTION, FIELD, TOTAL = 4096, 1024, 6000

BLUE, AMBER, GREEN, RED, GREY = 0x5B8DEF, 0xE0A030, 0x3FA66B, 0xD9534F, 0x80848E
COLOURS: Mapping[State, int] = {
    State.ACCEPTED: GREY,
    State.CANCELLED: GREY,
    State.DELIVERED: GREEN,
    State.UNCONFIRMED: AMBER,
    State.FAILED: RED,
}
QUOTE = ">>> "
DEFAULT_GUIDANCE = 0.5


def status_card(job: Job, stage: Stage | None, models: Mapping[str, Model], texts: Texts) -> discord.Embed:
    """Return the card of a job at a stage (None: it has ended)."""
    if job.withheld:
        return _withheld_card(job, texts)
    title, status = sentences.standing(job, stage, texts)
    embed = about(job, models, texts, COLOURS.get(job.state, BLUE))
    embed.title = title
    embed.insert_field_at(0, name=texts.text(N_("Where it stands")), value=status, inline=False)
    if notes := sentences.image_notes(job.source.changes, texts):
        embed.add_field(name=texts.text(N_("About the image")), value=notes, inline=False)
    if job.end_source and (notes := sentences.image_notes(job.end_source.changes, texts)):
        embed.add_field(name=texts.text(N_("About the second image")), value=notes, inline=False)
    return fitted(embed, texts)


def _withheld_card(job: Job, texts: Texts) -> discord.Embed:
    """Return the card of a job that content rules refused: nothing of what was asked for, nor why not."""
    title, status = texts.text(sentences.STATES[job.state]), sentences.withheld(job, texts)
    embed = discord.Embed(title=title, description=status, colour=COLOURS[job.state])
    embed.set_footer(text=footer(job))
    return embed


def withdrawn(embeds: Sequence[discord.Embed], texts: Texts) -> list[discord.Embed]:
    """Return a message's embeds with nothing left but what names its job, and what was remarked after it."""
    first, *remarks = embeds or [discord.Embed()]
    bare = discord.Embed(title=first.title, colour=first.colour)
    bare.description = texts.text(N_("This could not be made."))
    bare.set_footer(text=first.footer.text)
    return [bare, *remarks]


def image_name(job: Job) -> str:
    """Return the name of the image's file on the card, after its job and its format."""
    return f"still-{job.id}.{'png' if job.source.format == 'png' else 'jpg'}"


def is_image_of(filename: str, job_id: str) -> bool:
    """Return whether a file is the image on a job's card, by its name."""
    return filename.startswith(f"still-{job_id}.")


def end_image_name(job: Job) -> str:
    """Return the name of the file on the card that the video is to end with."""
    source = job.end_source
    return f"end-{job.id}.{'png' if source and source.format == 'png' else 'jpg'}"


def is_end_image(filename: str) -> bool:
    """Return whether a file on a card is the image that its video is to end with, by its name."""
    return filename.startswith("end-")


def thread_name(job: Job) -> str:
    """Return the name of the job's thread, after its prompt (Discord: 1–100 characters)."""
    return truncate(plain(job.request.prompt), 90) or neutral_name(job)


def neutral_name(job: Job) -> str:
    """Return a thread's name that says nothing of what was asked for."""
    return f"Kinora {job.id}"


def job_name(job: Job, texts: Texts) -> str:
    """Return a job's name in a list of one's own (Discord: 100 characters)."""
    state = texts.text(sentences.STATES[job.state])
    return truncate(f"{job.id} · {state} · {plain(job.request.prompt)}", 100)


def about(job: Job, models: Mapping[str, Model], texts: Texts, colour: int) -> discord.Embed:
    """Return the part that every message about a job has: prompt, settings, and the footer with its ids."""
    request, model = job.request, models.get(job.request.model)
    embed = discord.Embed(description=QUOTE + escape(request.prompt), colour=colour)
    embed.add_field(name=texts.text(N_("Model")), value=model.title if model else escape(request.model))
    length_ = texts.text(N_("{seconds} s"), seconds=request.duration)
    embed.add_field(name=texts.text(N_("Length")), value=length_)
    price = texts.text(N_("about {price}"), price=texts.money(request.price))
    embed.add_field(name=texts.text(N_("Price")), value=price)
    if request.sound:
        embed.add_field(name=texts.text(N_("Sound")), value=texts.text(N_("yes")))
    if job.end_source is not None:
        embed.add_field(name=texts.text(N_("Last frame")), value=texts.text(N_("Ends with the second image")))
    if request.cfg_scale != DEFAULT_GUIDANCE:
        embed.add_field(name=texts.text(N_("Guidance")), value=texts.number(request.cfg_scale))
    if request.negative_prompt:
        left_out = truncate(escape(request.negative_prompt), FIELD)
        embed.add_field(name=texts.text(N_("Leave out")), value=left_out or "–", inline=False)
    embed.set_footer(text=footer(job))
    return embed


def footer(job: Job) -> str:
    """Return what names the job under its messages: they are found again by it, so its form never changes."""
    return truncate(f"job {job.id}" + (f" · task {job.task.task_id}" if job.task.task_id else ""), 200)


def add_text(embed: discord.Embed, name: str, text: str, at: int | None = None) -> None:
    """Lay a long escaped text over as many fields as it needs, at the end or before the field `at`."""
    for n, piece in enumerate(pieces(text, FIELD, 5)):
        position = len(embed.fields) if at is None else at + n
        embed.insert_field_at(position, name=name if n == 0 else "\u200b", value=piece, inline=False)


def fitted(embed: discord.Embed, texts: Texts) -> discord.Embed:
    """Return an embed within Discord's limits: a prompt longer than the description runs on in a field."""
    description = embed.description or ""
    if length(description) > DESCRIPTION:
        (head,) = pieces(description, DESCRIPTION, 1)
        embed.description = head
        add_text(embed, "…", description[len(head) :], at=0)
    # Too much in all: the negative prompt gives way first, then what of the prompt runs on.
    for name in (texts.text(N_("Leave out")), "…"):
        for n, field in enumerate(embed.fields):
            over = _total(embed) - TOTAL
            if over > 0 and field.name == name and field.value:
                value = truncate(field.value, max(20, length(field.value) - over))
                embed.set_field_at(n, name=name, value=value, inline=False)
    return embed


def _total(embed: discord.Embed) -> int:
    parts = [embed.title, embed.description, embed.footer.text]
    parts += [part for field in embed.fields for part in (field.name, field.value)]
    return sum(length(part) for part in parts if part)
