"""Who reads which language: everybody the guild's, one person their own, and whoever has none, English."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import discord
import pytest
from babel import Locale

from bot.domain.job import DeliveryMethod, Job, State, Waiting, rendered_again
from bot.domain.request import InteractionRecord
from bot.errors import ImageRejected, Refusal
from bot.jobs.offer import Offer
from bot.jobs.service import JobService, Reply
from bot.media.values import PreparedImage
from bot.messaging.publisher import Publisher
from bot.novita.models import CATALOGUE, DEFAULT_MODEL
from bot.ui import replies, results
from bot.ui.destinations import destination
from bot.ui.i18n import texts
from cogs.animate import _checks as checks
from tests.support.discord_wire import COMMAND, MIA, FakeJobs, Wire, a_client
from tests.support.jobs import a_job
from tests.ui.languages import spoken

GERMAN = {
    "Waiting": "Wartet",
    "Failed": "Gescheitert",
    "Done": "Fertig",
    "Not found": "Nicht gefunden",
    "Too late": "Zu spät",
    "Where it stands": "Stand",
    "Price": "Preis",
    "about {price}": "etwa {price}",
    "{seconds} s": "{seconds} Sek.",
    "Number {position} in line.": "Nummer {position} in der Schlange.",
    "Nothing is paid before Novita has taken it.": "Bezahlt wird erst, wenn Novita es angenommen hat.",
    "Let go.": "Aufgegeben.",
    "What happened": "Was geschah",
    "{person}, your video is here.": "{person}, dein Video ist da.",
    "You have no such job.": "Du hast keinen solchen Auftrag.",
    "This is decided already.": "Das ist schon entschieden.",
    "The prompt has {actual} characters; {most} is the most.": "Der Prompt hat {actual} von {most} Zeichen.",
    "Shorten it by {over}.": "Kürze ihn um {over}.",
    "cfg_scale is {value}, and it goes from 0 to 1.": "cfg_scale ist {value}, von 0 bis 1.",
    "It can make {durations}.": "Es kann {durations}.",
    "The file has {size} MB; {limit} MB is the most.": "Die Datei hat {size} MB von {limit} MB.",
    "Kinora is not allowed all that it needs in this channel: {permissions}.": "Es fehlt: {permissions}.",
    "Send Messages": "Nachrichten senden",
    "Attach Files": "Dateien anhängen",
}
MODEL = CATALOGUE[DEFAULT_MODEL]


@pytest.fixture(scope="module", autouse=True)
def languages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with spoken(tmp_path_factory.mktemp("locales"), en={}, de=GERMAN):
        yield


# --- one language -------------------------------------------------------------------------------------------


def test_german_is_written_as_germans_do() -> None:
    german = texts("de")
    assert german.text("Done") == "Fertig"
    assert german.number(1234.5) == "1.234,5"
    assert german.megabytes(3 * 2**20 // 2) == "1,5"
    assert german.money(3500) == "0,35\xa0$"
    assert german.money(12_345_600) == "1.234,56\xa0$"
    assert german.money(840) == "0,084\xa0$"
    assert german.date(datetime(2026, 11, 30)) == "30.11.2026"
    assert german.duration(1803) == "30 Minuten"
    assert german.all_of(["a", "b", "c"]) == "a, b und c"
    assert german.one_of(["a", "b"]) == "a oder b"
    assert german.text("It can make {durations}.", durations=lambda t: t.number(0.5)) == "Es kann 0,5."


def test_what_a_language_lacks_is_said_in_english() -> None:
    assert texts("de").text("Not yours to decide") == "Not yours to decide"


@pytest.mark.parametrize("locale", ["", "en-US", "fr", "tlh", "xx-YY", "no locale", "zh-TW"])
def test_a_language_there_is_not_is_english_in_its_numbers_too(locale: str) -> None:
    assert texts(locale).text("Done") == "Done"
    assert texts(locale).number(1234.5) == "1,234.5"


def test_plurals() -> None:
    english = texts()
    assert english.plural("{n} video", "{n} videos", 1) == "1 video"
    assert english.plural("{n} video of {all}", "{n} videos of {all}", 1234, all=2000) == (
        "1,234 videos of 2,000"
    )


@pytest.mark.parametrize("locale", [locale.value for locale in discord.Locale])
def test_every_locale_of_discords_is_known(locale: str) -> None:
    assert Locale.parse(locale, sep="-")


def test_a_region_reads_its_language_or_script_and_writes_numbers_its_own_way(tmp_path: Path) -> None:
    done = {"Done": "Listo"}
    with spoken(tmp_path, en={}, es=done, zh_Hans={"Done": "完成"}):
        assert texts("es-419").text("Done") == texts("es-ES").text("Done") == "Listo"
        assert texts("es-419").number(12_345.5) == "12,345.5"
        assert texts("es-ES").number(12_345.5) == "12.345,5"
        assert texts("zh-CN").text("Done") == "完成"
        assert texts("zh-TW").text("Done") == "Done"  # it is written otherwise


def test_without_any_catalogue_there_is_english(tmp_path: Path) -> None:
    with spoken(tmp_path):
        assert texts().text("Done") == texts("de").text("Done") == "Done"


# --- what everybody reads: the guild's language -------------------------------------------------------------


class Channel:
    """A channel, and one message in it, as far as the publisher uses them."""

    def __init__(self, channel_id: int) -> None:
        self.id = channel_id
        self.sent: list[tuple[str, discord.Embed]] = []
        self.edited: asyncio.Queue[discord.Embed] = asyncio.Queue()

    def get_partial_message(self, message_id: int) -> Channel:
        return self

    async def edit(self, *, embed: discord.Embed, view: discord.ui.View | None) -> None:
        await self.edited.put(embed)

    async def history(self, limit: int) -> Any:
        for message in tuple[Any, ...]():
            yield message

    async def request(self, route: Any, *, json: Any, **_others: Any) -> Any:
        self.sent.append((json["content"], discord.Embed.from_dict(json["embeds"][0])))
        return {"id": "1"}


def a_publisher(channel: Channel) -> Publisher:
    client = SimpleNamespace(user=None, http=channel, get_partial_messageable=lambda channel_id: channel)
    return Publisher(cast(Any, client), Offer(CATALOGUE), cast(Any, None))


def said(embed: discord.Embed) -> str:
    fields = [f"{field.name}\n{field.value}" for field in embed.fields]
    return "\n".join([embed.title or "", embed.description or "", *fields])


async def test_a_card_is_in_the_guilds_language() -> None:
    channel = Channel(7)
    publisher = a_publisher(channel)
    job = a_job(guild_locale="de", locale="en-US", card_id=5)
    publisher.update_card(job, Waiting(1234))
    card = await channel.edited.get()
    await publisher.close()
    assert card.title == "Wartet"
    assert "Nummer 1.234 in der Schlange. Bezahlt wird erst, wenn Novita es angenommen hat." in said(card)
    assert "etwa 0,35\xa0$" in said(card)


async def test_an_end_is_told_in_the_guilds_language() -> None:
    channel = Channel(7)
    publisher = a_publisher(channel)
    await publisher.notify(a_job(state="failed", problem="provider", guild_locale="de", locale="en-US"))
    ((_, verdict),) = channel.sent
    assert verdict.title == "Gescheitert"
    assert verdict.fields[0].name == "Was geschah"


def test_a_video_comes_in_the_language_it_is_given() -> None:
    message = results.video_message(a_job(), DeliveryMethod.ATTACHED, CATALOGUE, texts("de"))
    assert message.content.endswith(", dein Video ist da.")


# --- what one person reads: their own -----------------------------------------------------------------------


class Jobs(FakeJobs):
    """Keeps what a cog hands over."""

    def __init__(self, *jobs: Job) -> None:
        super().__init__()
        self.jobs = {job.id: job for job in jobs}
        self.accepted: list[tuple[Job, InteractionRecord]] = []
        self.replied: list[Reply] = []

    async def prepare_image(self, job_id: str, url: str, model: Any, *, end: bool = False) -> PreparedImage:
        return PreparedImage(Path("image"), "jpeg", 640, 480, 1, ())

    async def accept(self, job: Job, interaction: InteractionRecord) -> None:
        self.accepted.append((job, interaction))

    async def redeliver(self, job: Job, reply: Reply) -> None:
        self.replied.append(reply)

    def may_turn_up(self, job: Job) -> bool:
        return JobService.may_turn_up(job)


async def a_wire(jobs: Jobs, cog: str, locale: str = "de", guild_locale: str = "en-US") -> Wire:
    wire = Wire(a_client(jobs))
    wire.locale, wire.guild_locale = locale, guild_locale
    await wire.client.load_extension(cog)
    return wire


async def test_a_refusal_is_in_the_persons_language() -> None:
    wire = await a_wire(Jobs(), "cogs.show")
    await wire.run("show", job="nosuchjob234")
    assert "Nicht gefunden" in wire.text
    assert "Du hast keinen solchen Auftrag." in wire.text
    wire.assert_private()


async def test_how_a_job_ended_is_told_in_the_language_of_who_asks() -> None:
    job = a_job(state="failed", problem="provider", requester_id=MIA, guild_locale="en-US")
    wire = await a_wire(Jobs(job), "cogs.show")
    await wire.run("show", job=job.id)
    assert "Gescheitert" in wire.text
    wire.assert_private()


async def test_ones_own_jobs_are_listed_in_ones_own_language() -> None:
    wire = await a_wire(Jobs(a_job(state="delivered", requester_id=MIA)), "cogs.show")
    await wire.complete("show", "job")
    assert wire.choices is not None
    assert " · Fertig · " in wire.choices[0]["name"]


async def test_a_video_that_comes_again_is_for_everybody() -> None:
    jobs = Jobs(job := a_job(state="delivered", requester_id=MIA))
    wire = await a_wire(jobs, "cogs.show", locale="en-US", guild_locale="de")
    await wire.run("show", job=job.id)
    assert [reply.locale for reply in jobs.replied] == ["de"]


async def test_a_decision_is_public_and_one_that_comes_too_late_is_private() -> None:
    asked = {"state": "unconfirmed", "problem": "unconfirmed", "charge": "unknown", "guild_locale": "de"}
    job = a_job(**asked, requester_id=MIA)
    wire = await a_wire(Jobs(job), "cogs.buttons", locale="en-US")
    await wire.press(f"kinora:letgo:{job.id}")
    assert wire.original is not None
    assert wire.original["embeds"][-1]["description"].startswith("Aufgegeben.")
    decided = a_job(state="cancelled", requester_id=MIA, guild_locale="en-US")
    wire = await a_wire(Jobs(decided), "cogs.buttons")
    await wire.press(f"kinora:letgo:{decided.id}")
    assert "Zu spät\nDas ist schon entschieden." in wire.text


def refused(call: Any, *arguments: Any) -> Refusal:
    with pytest.raises(Refusal) as caught:
        call(*arguments)
    return caught.value


def in_german(refusal: Refusal) -> str:
    return replies.refusal_embed(refusal, texts("de")).description or ""


def test_the_numbers_of_a_refusal_are_the_readers() -> None:
    long = in_german(refused(checks.request, MODEL, "x" * 3750, 5, "", 0.5))
    assert "Der Prompt hat 3.750 von 2.500 Zeichen." in long
    assert "Kürze ihn um 1.250." in long
    assert "cfg_scale ist 1,5" in in_german(refused(checks.request, MODEL, "A boat", 5, "", 1.5))
    assert "Es kann 5 Sek. oder 10 Sek." in in_german(refused(checks.request, MODEL, "A boat", 7, "", 0.5))
    large = checks.image_refusal(ImageRejected("too_many_bytes", bytes=27 * 2**20 + 2**19, limit=25 * 2**20))
    assert "Die Datei hat 27,5 MB von 25 MB." in in_german(large)


def test_the_permissions_of_a_refusal_too() -> None:
    allowed = discord.Permissions.all()
    allowed.update(send_messages=False, attach_files=False)
    interaction: Any = SimpleNamespace(
        channel_id=7,
        guild_id=8,
        locale="de",
        guild_locale="en-US",
        channel=SimpleNamespace(type=discord.ChannelType.text),
        filesize_limit=1,
        app_permissions=allowed,
        client=SimpleNamespace(get_guild=lambda _: object()),
        is_user_integration=lambda: False,
        is_guild_integration=lambda: True,
    )
    refusal = refused(lambda: destination(interaction, money=True))
    assert "Es fehlt: **Nachrichten senden** und **Dateien anhängen**." in in_german(refusal)


# --- both are kept ------------------------------------------------------------------------------------------


async def test_both_languages_are_kept_on_the_job() -> None:
    jobs = Jobs()
    wire = await a_wire(jobs, "cogs.animate", locale="de", guild_locale="fr")
    image = {"id": "5", "filename": "a.png", "size": 9, "url": "https://x/a.png", "proxy_url": "https://x/a"}
    options = [
        {"name": "image", "type": 11, "value": "5"},
        {"name": "prompt", "type": 3, "value": "A boat drifts away"},
    ]
    data = {"id": "1", "name": "animate", "type": 1, "options": options}
    await wire._hear(COMMAND, {**data, "resolved": {"attachments": {"5": image}}})
    ((job, record),) = jobs.accepted
    assert (job.requester.locale, job.destination.guild_locale) == ("de", "fr")
    assert record.locale == "de"
    again = rendered_again(job)
    assert (again.requester.locale, again.destination.guild_locale) == ("de", "fr")


def test_both_come_back_from_the_row() -> None:
    job = a_job(locale="de", guild_locale="fr", state=State.RENDERING)
    assert (job.requester.locale, job.destination.guild_locale) == ("de", "fr")
