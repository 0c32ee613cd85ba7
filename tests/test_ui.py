from __future__ import annotations

import re
import time

import discord
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.job import Charge, DeliveryMethod, Job, Rendering, Sending, State, Waiting
from bot.errors import Refusal
from bot.jobs.offer import Successor
from bot.novita.models import CATALOGUE
from bot.ui import replies, results, sentences, status
from bot.ui.components import JobButton
from bot.ui.i18n import Texts, texts
from bot.ui.text import clean, escape, length, link, truncate
from tests.support.jobs import a_job

EN = texts()
JOB = {"requester_id": 42, "channel_id": 7, "prompt": "A paper boat drifts away"}
HOSTILE = {
    "emoji": "🐈" * 2500,
    "markdown": "*_~`|" * 500,
    "lines": "# a\n" * 625,
    "mentions": "@everyone <@1> <@&2> <#3> " * 90,
    "family": "👨‍👩‍👧‍👦" * 350,
    "one long word": "w" * 2500,
}


def parts(embed: discord.Embed) -> list[str]:
    found = [embed.title or "", embed.description or "", embed.footer.text or ""]
    return found + [part or "" for field in embed.fields for part in (field.name, field.value)]


def assert_within_limits(embed: discord.Embed) -> None:
    assert length(embed.description or "") <= 4096
    assert len(embed.fields) <= 25
    for field in embed.fields:
        assert 1 <= length(field.name or "") <= 256
        assert 1 <= length(field.value or "") <= 1024
    assert sum(map(length, parts(embed))) <= 6000


def shown_prompt(embed: discord.Embed) -> str:
    """Put the prompt together again as a reader sees it, escapes undone."""
    found = [(embed.description or "").removeprefix(">>> ")]
    found += [field.value or "" for field in embed.fields if field.name in ("…", "\u200b")]
    return re.sub(r"\\([^0-9A-Za-z\s])", r"\1", "".join(found))


@pytest.mark.parametrize("prompt", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_prompt_is_shown_whole_and_within_limits(prompt: str) -> None:
    job = a_job(**JOB | {"prompt": clean(prompt)})
    embed = status.status_card(job, Waiting(3), CATALOGUE, EN)
    assert_within_limits(embed)
    assert shown_prompt(embed) == clean(prompt)


@given(prompt=st.text(min_size=1, max_size=2500), negative=st.text(max_size=2500))
def test_no_text_breaks_a_message(prompt: str, negative: str) -> None:
    fields = JOB | {
        "prompt": clean(prompt),
        "negative_prompt": clean(negative),
        "task_id": "t" * 36,
        "source_image": "jpeg rotated",
    }
    job = a_job(**fields)
    for stage in (Waiting(1), Rendering(time.time()), Sending()):
        assert_within_limits(status.status_card(job, stage, CATALOGUE, EN))
    video = results.video_message(job, DeliveryMethod.FITTED, CATALOGUE, EN, 5_000_000)
    assert_within_limits(video.embed)
    assert_within_limits(replies.refusal_embed(Refusal("No.", "Do."), EN, prompt))
    failed = a_job(**fields | {"state": State.FAILED, "problem": "input", "reason": clean("X: " + negative)})
    assert_within_limits(results.verdict(failed, CATALOGUE, EN).embed)
    assert 1 <= len(status.thread_name(job)) <= 100


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a boat - slowly, (very) #1", "a boat - slowly, (very) #1"),  # an ordinary prompt stays as it is
        ("**b** _i_ ~~s~~ `c` ||d||", r"\*\*b\*\* \_i\_ \~\~s\~\~ \`c\` \|\|d\|\|"),
        ("<@1> <t:0:R> [x](https://evil.example)", r"\<@1> \<t:0:R> \[x\](https\://evil.example)"),
        ("# big\n-# small\n> said", "\\# big\n-\\# small\n\\> said"),
        ("@everyone @here @me", r"\@everyone \@here @me"),
        ("abc\u202edef\u2066ghi\u200b\ufeff", "abcdefghi"),
        ("nul\x00 bell\x07", "nul bell"),
        ("half \ud83d emoji", "half  emoji"),
    ],
)
def test_escape(text: str, shown: str) -> None:
    assert escape(text) == shown


def test_a_button_is_one_class_also_under_a_video(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.ui.components.BUTTONS", [])
    job = a_job(**JOB | {"state": State.RENDERED})
    assert results.video_message(job, DeliveryMethod.ATTACHED, CATALOGUE, EN).view is None

    class Extend(JobButton, action="extend"):
        @classmethod
        def is_for(cls, job: Job, successor: Successor | None) -> bool:
            return job.state in (State.RENDERED, State.DELIVERED)

        @classmethod
        def label(cls, job: Job, texts: Texts, successor: Successor | None) -> str:
            return "Extend"

    view = results.video_message(job, DeliveryMethod.ATTACHED, CATALOGUE, EN).view
    assert view is not None
    (row,) = view.to_components()
    (button,) = row["components"]
    assert (button["custom_id"], button["label"]) == (f"kinora:extend:{job.id}", "Extend")


@pytest.mark.parametrize("method", DeliveryMethod)
@pytest.mark.parametrize(
    "url", ["https://x/v.mp4?a=" + "b" * 900, "https://x/v.mp4?a=" + "b" * 3000, "https://x/)>|* v"]
)
def test_a_link_of_any_kind_fits_and_stays_a_link(method: DeliveryMethod, url: str) -> None:
    there = {"video_url": url, "video_expires_at": time.time(), "fallback_reason": "locked"}
    message = results.video_message(a_job(**JOB | there), method, CATALOGUE, EN, 9_000_000)
    assert length(message.content) <= 2000
    assert_within_limits(message.embed)
    safe = link(url)
    assert not set(" )>|*") & set(safe)
    if method is DeliveryMethod.LINKED:
        assert safe in message.content + (message.embed.description or "")


@given(st.text())
def test_truncating_never_breaks_a_character(text: str) -> None:
    for limit in (1, 2, 7, 100):
        short = truncate(text.encode("utf-8", "ignore").decode(), limit)
        assert length(short) <= limit
        short.encode("utf-8")


@pytest.mark.parametrize("problem", sentences.PROBLEMS)
@pytest.mark.parametrize("charge", Charge)
def test_every_end_says_what_happened_what_it_cost_and_which_job(problem: str, charge: Charge) -> None:
    ended = {"state": State.FAILED, "problem": problem, "reason": "NAME: text", "charge": charge}
    job = a_job(**JOB | ended | {"task_id": "task-9"})
    message = results.verdict(job, CATALOGUE, EN)
    said = "\n".join(parts(message.embed))
    assert message.content == "<@42>"
    assert "{" not in said
    assert job.id in said
    assert "task-9" in said
    assert {
        Charge.NOTHING: "Nothing was charged",
        Charge.PAID: "was paid",
        Charge.UNKNOWN: "may have been charged",
    }[charge] in said


def test_a_retired_model_is_named() -> None:
    job = a_job(**JOB | {"state": State.FAILED, "problem": "retired", "reason": "API_NOT_FOUND"})
    assert "Novita no longer offers Kling 2.5 Turbo" in sentences.ending(job, EN)


def test_money() -> None:
    assert [EN.money(n) for n in (3500, 7000, 840, 10_000, 0)] == [
        "$0.35",
        "$0.70",
        "$0.084",
        "$1.00",
        "$0.00",
    ]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ((), ""),
        (
            ("converted_from:webp", "first_frame"),
            "It was converted from WebP. Its first frame was taken.",
        ),
        (
            ("reencoded", "rotated", "scaled:4000x3000"),
            "It was turned upright. It was scaled to 4000 × 3000 pixels.",
        ),
    ],
)
def test_what_was_done_to_the_image(changes: tuple[str, ...], says: str) -> None:
    assert sentences.image_notes(changes, EN).endswith(says)
