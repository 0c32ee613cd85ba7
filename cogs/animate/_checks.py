"""What `/animate` takes and where: each rule a sentence, checked before anything is paid."""

from __future__ import annotations

import math
from collections.abc import Mapping

import discord

from bot.files.images import MAX_SOURCE_BYTES
from bot.media.values import StillRefused
from bot.novita.codec import Order
from bot.novita.models import Model
from bot.tree import Refusal
from bot.ui import status as cards

THREADABLE = {discord.ChannelType.text, discord.ChannelType.news}
THREADS = {
    discord.ChannelType.public_thread,
    discord.ChannelType.private_thread,
    discord.ChannelType.news_thread,
}
MB = 2**20


# --- the place ----------------------------------------------------------------------------------------------


def place(interaction: discord.Interaction) -> bool:
    """Tell whether to make a thread here; raises `Refusal` when no result could be posted here."""
    kind = interaction.channel.type if interaction.channel is not None else None
    only_theirs = interaction.is_user_integration() and not interaction.is_guild_integration()
    if kind is discord.ChannelType.group or (interaction.guild_id is not None and only_theirs):
        raise Refusal(
            "Kinora is no member here, so it could not bring the video later.",
            "Use the command in a server that has Kinora, or in a direct message with it.",
        )
    if interaction.guild_id is None:  # a direct message with the bot: no threads, no permissions
        return False
    allowed = interaction.app_permissions
    in_thread = kind in THREADS
    if missing := _missing(allowed, in_thread):
        raise Refusal(
            f"Kinora lacks a permission in this {'thread' if in_thread else 'channel'}: {_listed(missing)}.",
            "Someone who manages the server can grant it: Edit Channel → Permissions → add Kinora → allow "
            f"{_listed(missing)}.",
        )
    thread = interaction.channel
    if isinstance(thread, discord.Thread) and thread.locked and not allowed.manage_threads:
        raise Refusal(
            "This thread is locked, so Kinora could not post the video in it.",
            "Use the command in another thread or channel, or ask a moderator to unlock this one.",
        )
    return kind in THREADABLE and allowed.create_public_threads and allowed.send_messages_in_threads


def _missing(allowed: discord.Permissions, in_thread: bool) -> list[str]:
    # Send Messages has no effect inside threads: Send Messages in Threads does.
    needed = {
        "View Channel": allowed.view_channel,
        "Send Messages in Threads" if in_thread else "Send Messages": (
            allowed.send_messages_in_threads if in_thread else allowed.send_messages
        ),
        "Embed Links": allowed.embed_links,
        "Attach Files": allowed.attach_files,
        "Read Message History": allowed.read_message_history,
    }
    return [name for name, granted in needed.items() if not granted]


def _listed(names: list[str]) -> str:
    bold = [f"**{name}**" for name in names]
    return bold[0] if len(bold) == 1 else f"{', '.join(bold[:-1])} and {bold[-1]}"


# --- the words and numbers ----------------------------------------------------------------------------------


def model(models: Mapping[str, Model], name: str) -> Model:
    """Find a model by its name."""
    if found := models.get(name):
        return found
    known = ", ".join(model.title for model in models.values())
    raise Refusal(f"There is no model “{cards.inert(name[:80])}”.", f"Choose one of these: {known}.")


def order(model: Model, prompt: str, duration: int, negative_prompt: str, cfg_scale: float) -> Order:
    """Check what the person wrote against what the model takes."""
    prompt, negative_prompt = cards.clean(prompt), cards.clean(negative_prompt)
    if not _visible(prompt):
        raise Refusal("The prompt is empty.", "Say in a few words what should happen in the picture.")
    _short_enough("prompt", prompt, model.max_prompt)
    _short_enough("negative prompt", negative_prompt, model.max_prompt)
    if not math.isfinite(cfg_scale) or not 0 <= cfg_scale <= 1:
        raise Refusal(
            f"cfg_scale is {cfg_scale:g}, and it goes from 0 to 1.",
            "Leave it out for 0.5; higher follows the prompt more closely.",
        )
    if duration not in model.durations:
        raise Refusal(f"{model.title} cannot make {duration} s.", f"It can make {_durations(model)}.")
    return Order(prompt, duration, negative_prompt, cfg_scale)


def _visible(text: str) -> bool:
    return any(not character.isspace() for character in cards.inert(text))


def _short_enough(name: str, text: str, most: int) -> None:
    if len(text) > most:
        raise Refusal(
            f"The {name} has {len(text):,} characters; {most:,} is the most.",
            f"Shorten it by {len(text) - most:,}.",
        )


def _durations(model: Model) -> str:
    first, last = model.durations[0], model.durations[-1]
    if len(model.durations) == last - first + 1:
        return f"any whole number of seconds from {first} to {last}"
    return " or ".join(f"{seconds} s" for seconds in model.durations)


# --- the still ----------------------------------------------------------------------------------------------


def attachment(image: discord.Attachment) -> None:
    """Refuse early what its size alone rules out; all else is decided by the bytes."""
    if image.size > MAX_SOURCE_BYTES:
        raise still_refusal(StillRefused("too_many_bytes", bytes=image.size, limit=MAX_SOURCE_BYTES))
    if image.size == 0:
        raise still_refusal(StillRefused("empty", bytes=0))


def still_refusal(refused: StillRefused) -> Refusal:
    """Put a broken rule of the still into words, with the actual value."""
    actual = refused.actual
    size = f"{actual.get('width', 0):,} × {actual.get('height', 0):,} pixels"
    kind = cards.inert(str(actual.get("kind") or ""))
    match refused.rule:
        case "empty":
            return Refusal("The file is empty (0 bytes).", "Please attach the picture again.")
        case "too_many_bytes":
            actually = (
                f"The file has {actual['bytes'] / MB:.1f} MB"
                if "bytes" in actual
                else "The file is too large"
            )
            return Refusal(
                f"{actually}; {actual['limit'] / MB:.0f} MB is the most.", "Save the picture smaller."
            )
        case "not_an_image":
            what = "holds plain text" if kind == "text" else "is of no kind that Kinora knows"
            return Refusal(f"The file {what}; it is not a picture.", f"Attach a {cards.SUPPORTED} file.")
        case "unsupported":
            return Refusal(f"The file is {_an(kind)} file.", _unsupported_remedy(kind))
        case "truncated":
            return Refusal(
                f"The {kind or 'picture'} file ends too early: part of it is missing.",
                "Save or upload it again.",
            )
        case "too_small":
            return Refusal(
                f"The picture is {size}; each side needs at least {actual['limit']}.", "Use a larger picture."
            )
        case "too_wide" | "too_tall":
            how = refused.rule.removeprefix("too_")
            return Refusal(
                f"The picture is too {how}: {size}; the shape may be anything from 1:2.5 to 2.5:1.",
                "Crop it and try again.",
            )
        case "too_many_pixels":
            limit = actual["limit"] / 1_000_000
            return Refusal(
                f"The picture has {size}; {limit:.0f} million pixels is the most.", "Scale it down first."
            )
        case "too_hard":
            return Refusal(
                f"The {kind or 'picture'} file takes too much time or memory to open.",
                "Save it again, or smaller.",
            )
        case _:
            return Refusal(f"The {kind or 'picture'} file is damaged and cannot be opened.", "Save it again.")


def _an(kind: str) -> str:
    # Letters read out one by one: an MP4, an SVG, but a PDF.
    return f"an {kind}" if kind[:1] in "AEFHILMNORSX" else f"a {kind}"


def _unsupported_remedy(kind: str) -> str:
    if kind in {"MP4", "MOV", "WEBM", "AVI", "MKV", "WebM"}:
        return "Take one frame of the video as a picture and attach that."
    return f"Save it as a picture ({cards.SUPPORTED}) first."
