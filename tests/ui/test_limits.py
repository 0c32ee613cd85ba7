"""No sentence breaks a limit of Discord's, and none would if it were 40 % longer."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import discord
import pytest
from discord.ext import commands

from bot.client import COGS
from bot.domain.job import Charge, DeliveryMethod, Job, Rendering, Sending, Stage, State, Waiting
from bot.errors import ImageRejected, Refusal
from bot.jobs.offer import Offer
from bot.media.values import Rule
from bot.novita.models import CATALOGUE, catalogue
from bot.ui import replies, results, sentences, status
from bot.ui.components import BUTTONS, buttons_for
from bot.ui.i18n import Texts, texts
from bot.ui.text import escape, length
from cogs.animate import _checks as checks
from tests.support.jobs import a_job
from tests.ui import code
from tests.ui.catalogue import placeholders
from tests.ui.languages import LONGER, MARK, pseudo, pseudo_catalogue, spoken

# Discord's limits: https://discord.com/developers/docs/resources/message#embed-object-embed-limits
CONTENT, LABEL, THREAD, CHOICE, OPTION = 2000, 80, 100, 100, 100
EMBED = {"title": 256, "name": 256, "value": 1024, "description": 4096, "footer": 2048}
FIELDS, TOTAL, COMMAND = 25, 6000, 8000

DEAR = catalogue(dict.fromkeys(CATALOGUE, Decimal("123.456")))
LONG_NAME = max((model for model in CATALOGUE.values()), key=lambda model: len(model.title)).name
PROMPTS = {"markup": "*" * 2500, "emoji": "🐈" * 2500, "words": ("word " * 500).strip()}
CHANGES = "webp", "first_frame", "16bit", "flattened", "cmyk", "colours", "rotated", "scaled:99999x99999"
WORST: Mapping[str, Any] = {
    "person": f"<@{2**64}>",
    "name": escape("*" * 80),
    "models": ", ".join(model.title for model in CATALOGUE.values()),
    "model": CATALOGUE[LONG_NAME].title,
    "job": "a" * 12,
    "supported": sentences.SUPPORTED,
    "permissions": lambda texts: texts.all_of(
        [f"**{texts.text(name)}**" for name in ("View Channel", "Send Messages in Threads") * 3]
    ),
    "durations": lambda texts: texts.one_of([texts.text("{seconds} s", seconds=n) for n in range(3, 16)]),
}
UNKNOWN = "W" * 100
"""Stands for a value that `WORST` does not name."""


@pytest.fixture(scope="module", params=["pseudo", "as they are"], autouse=True)
def languages(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    if request.param != "pseudo":
        yield
        return
    with spoken(tmp_path_factory.mktemp("locales"), en=pseudo_catalogue()):
        yield


@pytest.fixture
def language() -> Texts:
    return texts()


def within(embed: discord.Embed) -> bool:
    """Hold an embed against each limit; what breaks one is told."""
    parts = [("title", embed.title), ("description", embed.description), ("footer", embed.footer.text)]
    for embedded in embed.fields:
        assert embedded.name
        assert embedded.value
        parts += [("name", embedded.name), ("value", embedded.value)]
    for name, text in parts:
        assert length(text or "") <= EMBED[name], f"{name}: {text}"
        assert "{" not in (text or "")
    assert len(embed.fields) <= FIELDS
    assert sum(length(text or "") for _, text in parts) <= TOTAL
    return True


def a_long_job(prompt: str, **changes: Any) -> Job:
    return a_job(
        **{
            "model": LONG_NAME,
            "prompt": prompt,
            "negative_prompt": prompt,
            "cfg_scale": 0.33,
            "price": 99_999_999,
            "source_image": " ".join(("jpeg", *CHANGES)),
            "task_id": "t" * 100,
            "requester_id": 2**63 - 1,
            "video_url": "https://novita.example/" + "v" * 480,
            "video_expires_at": time.time(),
            "submitted_at": time.time() - 5400,
            "ended_at": time.time(),
            **changes,
        }
    )


# --- the pseudo-language itself -----------------------------------------------------------------------------


@pytest.mark.parametrize("sentence", ["Done", "Wait {seconds} s.", "A sentence as long as most of them are."])
def test_the_pseudo_language(sentence: str) -> None:
    strange = pseudo(sentence)
    assert len(strange) >= LONGER * len(sentence)
    assert placeholders(strange) == placeholders(sentence)
    assert MARK in strange


@pytest.mark.parametrize("languages", ["pseudo"], indirect=True)
def test_it_is_spoken(language: Texts) -> None:
    assert language.text("Done") == f"[Ďöñé {MARK}]"


# --- commands -----------------------------------------------------------------------------------------------


async def commands_sent() -> list[dict[str, Any]]:
    """List the commands as Discord gets them."""
    bot: Any = commands.Bot("/", intents=discord.Intents.none())
    bot.jobs = SimpleNamespace(models=Offer(DEAR))
    for cog in COGS:
        await bot.load_extension(cog)
    sent = [command.to_dict(bot.tree) for command in bot.tree.get_commands()]
    for cog in COGS:
        await bot.unload_extension(cog)
    return sent


async def test_commands_within_limits(language: Texts) -> None:
    translated = MARK in language.text("Done")
    sent = await commands_sent()
    assert len(sent) >= 2
    for command in sent:
        total = len(command["name"])
        for part in (command, *command.get("options", ())):
            described = language.text(part["description"])  # as a translator would put it
            assert length(described) <= OPTION, described
            assert described != "…", f"/{command['name']} does not say what {part['name']} is"
            assert (MARK in described) is translated, f"not in the catalogue: {described}"
            total += length(described) + len(part["name"])
            for choice in part.get("choices", ()):
                assert length(choice["name"]) <= CHOICE, choice
                assert (MARK in choice["name"]) is translated, f"not in the catalogue: {choice['name']}"
                total += length(choice["name"]) + len(str(choice["value"]))
        assert total <= COMMAND, command["name"]


# --- refusals -----------------------------------------------------------------------------------------------


def refusals() -> Iterator[Refusal]:
    """Make every refusal that the code can: those worded where they are raised, and those of tables."""
    for file in code.read():
        for call in file.refusals():
            filled = {name: WORST.get(name, UNKNOWN) for name in placeholders(*call)}
            yield Refusal(*call, title="Not yours to decide", money=True, **filled)
    actual = {"kind": "W" * 20, "width": 99_999, "height": 99_999, "limit": 50_000_000, "bytes": 2**30}
    for rule in Rule.__args__:  # type: ignore[attr-defined]
        yield checks.image_refusal(ImageRejected(rule, **actual))
    yield checks.image_refusal(ImageRejected("too_many_bytes", limit=2**30))
    yield checks.image_refusal(ImageRejected("not_an_image", kind="text"))
    yield checks.image_refusal(ImageRejected("unsupported", kind="MP4"))


@pytest.mark.parametrize("prompt", PROMPTS.values(), ids=PROMPTS)
def test_refusals_within_limits(prompt: str, language: Texts) -> None:
    made = list(refusals())
    assert len(made) > 30
    for refusal in made:
        assert within(replies.refusal_embed(refusal, language, prompt)), refusal.message


def test_every_rule_of_images_has_words_of_its_own() -> None:
    assert set(checks.RULES) >= set(Rule.__args__)  # type: ignore[attr-defined]


# --- cards, videos, ends ------------------------------------------------------------------------------------

BECAUSE = ("", *sentences.HOLD_UPS)
STAGES: list[Stage | None] = [
    None,
    *(Waiting(position, because) for position, because in itertools.product((None, 99_999), BECAUSE)),
    *(
        Rendering(time.time(), queued, because)
        for queued, because in itertools.product((False, True), BECAUSE)
    ),
    *(Sending(because) for because in BECAUSE),
]


@pytest.mark.parametrize("prompt", PROMPTS.values(), ids=PROMPTS)
def test_cards_within_limits(prompt: str, language: Texts) -> None:
    for state in State:
        if not a_job(state=state).ended:
            for stage in STAGES:
                assert within(status.status_card(a_long_job(prompt, state=state), stage, DEAR, language))
    for method, reason in itertools.product(DeliveryMethod, ("", *results.FALLBACKS)):
        job = a_long_job(prompt, state="delivered", delivery_method=method, fallback_reason=reason)
        assert within(status.status_card(job, None, DEAR, language))
    for again, charge in itertools.product(("", "a" * 12), Charge):
        job = a_long_job(prompt, state="cancelled", again_as=again, charge=charge)
        assert within(status.status_card(job, None, DEAR, language))


def ends(prompt: str) -> Iterator[Job]:
    """Make jobs that came to every end there is, for the reasons that take the most room."""
    reasons = ("", "NAME: " + "*" * 494, *(f"{name}: text" for name in sentences.REASONS))
    for problem, charge, reason in itertools.product(sentences.PROBLEMS, Charge, reasons):
        state = State.UNCONFIRMED if problem == "unconfirmed" else State.FAILED
        yield a_long_job(prompt, state=state, problem=problem, charge=charge, reason=reason, check_at=0)


@pytest.mark.parametrize("prompt", PROMPTS.values(), ids=PROMPTS)
def test_ends_within_limits(prompt: str, language: Texts) -> None:
    for job in ends(prompt):
        message = results.verdict(job, DEAR, language)
        assert length(message.content) <= CONTENT
        assert within(message.embed)
        assert job.id in str(message.embed.footer.text)
        assert within(status.status_card(job, None, DEAR, language))


@pytest.mark.parametrize("size", [0, 900, results.LONGEST_LINK - 23, results.LONGEST_LINK, 3900])
@pytest.mark.parametrize("prompt", PROMPTS.values(), ids=PROMPTS)
def test_videos_within_limits(prompt: str, size: int, language: Texts) -> None:
    url = "https://novita.example/" + "v" * size if size else None
    for method, reason in itertools.product(DeliveryMethod, ("", *results.FALLBACKS)):
        job = a_long_job(prompt, video_url=url, fallback_reason=reason)
        for words in (results.video_message, results.redelivered_message):
            message = words(job, method, DEAR, language, 2**30)
            assert length(message.content) <= CONTENT
            assert within(message.embed)
            if url and method is DeliveryMethod.LINKED:
                assert url in f"{message.content} {message.embed.description}"


# --- the small ones -----------------------------------------------------------------------------------------


def test_buttons_within_limits(language: Texts) -> None:
    job = a_long_job("A boat", state="unconfirmed")
    assert BUTTONS
    successor = Offer(DEAR, [LONG_NAME]).successor(a_long_job("A boat", model="kling-2.5-turbo-i2v"))
    for kind in BUTTONS:
        assert 0 < length(kind.label(job, language, successor)) <= LABEL
    view = buttons_for(job, language)
    assert view is not None
    assert len(view.children) <= 25


@pytest.mark.parametrize("prompt", PROMPTS.values(), ids=PROMPTS)
def test_names_within_limits(prompt: str, language: Texts) -> None:
    for state in State:
        job = a_long_job(prompt, state=state)
        assert 0 < length(status.thread_name(job)) <= THREAD
        assert 0 < length(status.job_name(job, language)) <= CHOICE


def test_a_limit_that_breaks_is_noticed(tmp_path: Path) -> None:
    embed = discord.Embed(title="t" * 257)
    with pytest.raises(AssertionError, match="title"):
        within(embed)
    embed = discord.Embed(description="d" * 4096)
    embed.add_field(name="n", value="v" * 1024).add_field(name="n", value="v" * 1024)
    with pytest.raises(AssertionError):
        within(embed)
