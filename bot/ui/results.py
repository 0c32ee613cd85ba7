"""The messages after the card: the video, or how the job ended without one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import discord

from bot.domain.job import DeliveryMethod, Job
from bot.jobs.offer import Successor
from bot.novita.models import Model
from bot.ui import sentences
from bot.ui.components import buttons_for
from bot.ui.i18n import N_, Texts
from bot.ui.status import COLOURS, GREEN, RED, about, fitted, footer
from bot.ui.text import format_timestamp, length, link, truncate

LONGEST_LINK = 1500
"""How long an address may be to stand in a message's text, in UTF-16 units; Discord takes 2000 in all."""
DELIVERED_MARK = " · delivered"
"""Ends the footer of every message that brings a video: by it and the job's id the message is found again."""
PLAIN_MARK = "-# "
"""Begins the last line of a message without an embed, which says what the footer would; small in Discord."""
PLAIN_WORDS = 1700
"""How long a plain message's words are at most, with room for that line, in UTF-16 units."""

FALLBACKS: Mapping[str, str] = {
    "gone": N_("It comes here because the place it was meant for is gone."),
    "locked": N_("It comes here because the thread it was meant for is locked."),
    "full": N_("It comes here because this server has as many open threads as Discord allows."),
    "forbidden": N_("It comes here because Kinora may not post in the place it was meant for any more."),
}


@dataclass(frozen=True)
class Message:
    """A message to be sent: its words, its embed (an empty one is none), and its buttons, if any."""

    content: str
    embed: discord.Embed
    view: discord.ui.View | None = None


def video_message(
    job: Job, method: DeliveryMethod, models: Mapping[str, Model], texts: Texts, size: int = 0
) -> Message:
    """Return the words with the video, which ping the requester; `size` in bytes is what it was fitted to."""
    said = [_here_it_is(job, method, texts, size)]
    if reason := job.destination.fallback_reason:
        said.append(texts.text(FALLBACKS.get(reason, FALLBACKS["forbidden"])))
    embed = _video_embed(job, method, models, texts)
    embed.set_footer(text=footer(job) + DELIVERED_MARK)
    return Message(" ".join(said), fitted(embed, texts), buttons_for(job, texts))


def redelivered_message(
    job: Job, method: DeliveryMethod, models: Mapping[str, Model], texts: Texts, size: int = 0
) -> Message:
    """Return the words with a video that comes once more, in a reply that is never taken for the first."""
    embed = _video_embed(job, method, models, texts)
    return Message(_here_it_is(job, method, texts, size), fitted(embed, texts))


def _video_embed(
    job: Job, method: DeliveryMethod, models: Mapping[str, Model], texts: Texts
) -> discord.Embed:
    embed = about(job, models, texts, GREEN)
    url = link(job.task.video_url or "")
    if method is DeliveryMethod.LINKED and length(url) > LONGEST_LINK:
        embed.description = texts.text(N_("[The video]({url})"), url=url)
    return embed


def _here_it_is(job: Job, method: DeliveryMethod, texts: Texts, size: int) -> str:
    person, url = f"<@{job.requester.user_id}>", link(job.task.video_url or "")
    until, short = format_timestamp(job.task.video_expires_at or 0), length(url) <= LONGEST_LINK
    if method is DeliveryMethod.ATTACHED:
        return texts.text(N_("{person}, your video is here."), person=person)
    if method is DeliveryMethod.FITTED:
        smaller = texts.text(
            N_(
                "{person}, your video is here, made smaller ({size} MB) because Discord takes no larger file "
                "in this place."
            ),
            person=person,
            size=texts.megabytes(size),
        )
        if not url or not short:
            return smaller
        original = texts.text(N_("[The original](<{url}>) is there until {until}."), url=url, until=until)
        return f"{smaller} {original}"
    sentence = N_(
        "{person}, your video is here as a link, because Discord does not take the file in this place. **The "
        "link ends {until}**, so save it soon: {url}"
    )
    if not short:
        sentence = N_(
            "{person}, your video is here as a link, because Discord does not take the file in this place. "
            "**The link ends {until}**, so save it soon: it stands below."
        )
    return texts.text(sentence, person=person, until=until, url=url)


def is_video_message(footer_text: str, job_id: str) -> bool:
    """Return whether a message brings a job's video, by its footer."""
    return footer_text.startswith(f"job {job_id}") and footer_text.endswith(DELIVERED_MARK)


def plain_message(message: Message, job: Job) -> Message:
    """Return a message with nothing in it that Discord could find fault with, and still found again."""
    embed = message.embed
    parts = [message.content]
    if embed.title:  # a verdict, which says everything in its embed
        parts += [embed.title, *(field.value or "" for field in embed.fields[:1])]
    words = truncate("\n".join(filter(None, parts)), PLAIN_WORDS)
    return Message(f"{words}\n{PLAIN_MARK}{embed.footer.text or footer(job)}", discord.Embed())


def plain_footer(content: str) -> str:
    """Return what names the job in a plain message, as the footer does in others; empty: nothing does."""
    last = content.rpartition("\n")[2]
    return last.removeprefix(PLAIN_MARK) if last.startswith(PLAIN_MARK) else ""


def video_name(job: Job) -> str:
    """Return the name of the video's file; the suffix decides whether it plays."""
    return f"kinora-{job.id}.mp4"


def is_video_of(filename: str, job_id: str) -> bool:
    """Return whether a file is a job's video, by its name."""
    return filename.startswith(f"kinora-{job_id}.")


def verdict(
    job: Job, models: Mapping[str, Model], texts: Texts, successor: Successor | None = None
) -> Message:
    """Return the message that tells the requester how a job ended without a video.

    `successor` is what may be rendered instead, by one click, if its model is gone.
    """
    title, status = sentences.standing(job, None, texts)
    embed = about(job, models, texts, COLOURS.get(job.state, RED))
    embed.title = title
    embed.set_footer(text=verdict_footer(job))
    embed.insert_field_at(0, name=texts.text(N_("What happened")), value=status, inline=False)
    return Message(f"<@{job.requester.user_id}>", fitted(embed, texts), buttons_for(job, texts, successor))


def verdict_footer(job: Job) -> str:
    """Return the footer of a verdict, one for each end that a job may come to."""
    return f"{footer(job)} · {job.outcome.problem or job.state}"
