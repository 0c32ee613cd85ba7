from __future__ import annotations

import re
import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.job import Cost, How, Job, Rendering, Sending, State, Waiting, new_id
from bot.novita.models import CATALOGUE
from bot.ui import status as cards

JOB = Job(
    id=new_id(),
    state=State.ACCEPTED,
    created_at=time.time(),
    asker_id=42,
    channel_id=7,
    model="kling-2.5-turbo-i2v",
    prompt="A paper boat drifts away",
    duration=5,
    price=3500,
)
HOSTILE = {
    "emoji": "🐈" * 2500,
    "markdown": "*_~`|" * 500,
    "lines": "# a\n" * 625,
    "mentions": "@everyone <@1> <@&2> <#3> " * 90,
    "family": "👨‍👩‍👧‍👦" * 350,
    "one long word": "w" * 2500,
}


def texts(embed: cards.Embed) -> list[str]:
    found = [embed.get("title", ""), embed.get("description", ""), embed.get("footer", {}).get("text", "")]
    return found + [part for field in embed.get("fields", []) for part in (field["name"], field["value"])]


def assert_within_limits(embed: cards.Embed) -> None:
    assert cards.length(embed.get("description", "")) <= 4096
    assert len(embed.get("fields", [])) <= 25
    for field in embed.get("fields", []):
        assert 1 <= cards.length(field["name"]) <= 256
        assert 1 <= cards.length(field["value"]) <= 1024
    assert sum(map(cards.length, texts(embed))) <= 6000


def shown_prompt(embed: cards.Embed) -> str:
    """Put the prompt together again as a reader sees it, escapes undone."""
    parts = [embed["description"].removeprefix(">>> ")]
    parts += [field["value"] for field in embed["fields"] if field["name"] in ("…", "\u200b")]
    return re.sub(r"\\([^0-9A-Za-z\s])", r"\1", "".join(parts))


@pytest.mark.parametrize("prompt", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_prompt_is_shown_whole_and_within_limits(prompt: str) -> None:
    job = replace(JOB, prompt=cards.clean(prompt))
    embed = cards.card(job, Waiting(3), CATALOGUE)
    assert_within_limits(embed)
    assert shown_prompt(embed) == cards.clean(prompt)


@given(prompt=st.text(min_size=1, max_size=2500), negative=st.text(max_size=2500))
def test_no_text_breaks_a_message(prompt: str, negative: str) -> None:
    job = replace(
        JOB,
        prompt=cards.clean(prompt),
        negative_prompt=cards.clean(negative),
        task_id="t" * 36,
        still_done="jpeg rotated",
    )
    for stage in (Waiting(1), Rendering(time.time()), Sending()):
        assert_within_limits(cards.card(job, stage, CATALOGUE))
    assert_within_limits(cards.delivered(job, How.FITTED, CATALOGUE, 5_000_000)[1])
    assert_within_limits(cards.refusal("No.", "Do.", prompt))
    failed = replace(job, state=State.FAILED, problem="input", reason="X: " + negative)
    assert_within_limits(cards.verdict(failed, CATALOGUE)[1])
    assert 1 <= len(cards.thread_name(job)) <= 100


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
def test_inert(text: str, shown: str) -> None:
    assert cards.inert(text) == shown


@pytest.mark.parametrize("how", How)
@pytest.mark.parametrize(
    "url", ["https://x/v.mp4?a=" + "b" * 900, "https://x/v.mp4?a=" + "b" * 3000, "https://x/)>|* v"]
)
def test_a_link_of_any_kind_fits_and_stays_a_link(how: How, url: str) -> None:
    job = replace(JOB, video_url=url, video_expires_at=time.time(), detour="locked")
    content, embed = cards.delivered(job, how, CATALOGUE, 9_000_000)
    assert cards.length(content) <= 2000
    assert_within_limits(embed)
    safe = cards.address(url)
    assert not set(" )>|*") & set(safe)
    if how is How.LINKED:
        assert safe in content + embed["description"]


@given(st.text())
def test_cutting_never_breaks_a_character(text: str) -> None:
    for limit in (1, 2, 7, 100):
        short = cards.cut(text.encode("utf-8", "ignore").decode(), limit)
        assert cards.length(short) <= limit
        short.encode("utf-8")


@pytest.mark.parametrize("problem", cards.PROBLEMS)
@pytest.mark.parametrize("cost", Cost)
def test_every_end_says_what_happened_what_it_cost_and_which_job(problem: str, cost: Cost) -> None:
    job = replace(JOB, state=State.FAILED, problem=problem, reason="NAME: text", cost=cost, task_id="task-9")
    content, embed = cards.verdict(job, CATALOGUE)
    said = "\n".join(texts(embed))
    assert content == "<@42>"
    assert "{" not in said
    assert job.id in said
    assert "task-9" in said
    assert {
        Cost.NOTHING: "Nothing was charged",
        Cost.PAID: "was paid",
        Cost.UNKNOWN: "may have been charged",
    }[cost] in said


def test_a_retired_model_names_its_replacement() -> None:
    job = replace(JOB, state=State.FAILED, problem="retired", reason="API_NOT_FOUND")
    assert "Kling 3.0 Standard" in cards.verdict_sentence(job)


def test_money() -> None:
    assert [cards.dollars(n) for n in (3500, 7000, 840, 10_000, 0)] == [
        "$0.35",
        "$0.70",
        "$0.084",
        "$1.00",
        "$0.00",
    ]


@pytest.mark.parametrize(
    ("done", "says"),
    [
        ("jpeg", ""),
        ("png", ""),
        ("jpeg converted_from:webp first_frame", "Converted from WebP; its first frame was taken."),
        ("jpeg reencoded rotated scaled:4000x3000", "turned upright; scaled to 4000 × 3000."),
    ],
)
def test_what_was_done_to_the_still(done: str, says: str) -> None:
    assert cards.still_notes(done).endswith(says)
