"""The stand-in for Discord, met by bots written with discord.js and with hikari."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from sandbox.client import Message, Person, Sandbox
from tests.clients.programs import HERE, Program, node_with, python_of_the_clients, running
from tests.support import images, videos

pytestmark = pytest.mark.clients

DISCORD_JS, HIKARI = "discord.js", "hikari"
IMAGE = images.jpeg_of(640, 480)

# discord.js sends these two where the document does not name them, and Discord takes no notice.
DISCORD_JS_HABITS = ("enforce_nonce: unknown property", "/threads request: type: unknown property")

StartBot = Callable[..., AbstractAsyncContextManager[Program]]


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture(autouse=True)
async def wire(sandbox: Sandbox) -> AsyncIterator[None]:
    """Hold all that crosses the wire against Discord's own document, where that is at hand."""
    yield
    problems = [
        f"{exchange['method']} {exchange['path']}: {problem}"
        for exchange in await sandbox.wire()
        for problem in exchange["problems"]
        if not problem.endswith(DISCORD_JS_HABITS)
    ]
    assert problems == []


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    return videos.write(path, size=(160, 120), seconds=0.5, movflags="faststart")


@pytest.fixture(scope="session")
def film_sha256(film: Path) -> str:
    return sha256(film.read_bytes())


@pytest.fixture(params=[DISCORD_JS, HIKARI])
def start_bot(request: pytest.FixtureRequest, sandbox: Sandbox, film: Path) -> StartBot:
    name: str = request.param
    if name == DISCORD_JS:
        command = [node_with("discord.js"), str(HERE / "discordjs_bot.mjs")]
    else:
        command = [python_of_the_clients("hikari"), str(HERE / "hikari_bot.py")]

    @contextlib.asynccontextmanager
    async def start(shards: int = 1) -> AsyncIterator[Program]:
        environ = {
            "DISCORD_API_URL": sandbox.environment["discord_api_url"],
            "DISCORD_TOKEN": sandbox.environment["discord_token"],
            "BOT_SHARDS": str(shards),
            "VIDEO": str(film),
        }
        async with running(name, *command, **environ) as bot:
            assert (await bot.hear("ready"))["guilds"] == ["Moving Pictures"]
            yield bot

    return start


@pytest.fixture
async def bot(start_bot: StartBot) -> AsyncIterator[Program]:
    """A bot that is online with its commands registered."""
    async with start_bot() as bot:
        yield bot


async def animate(person: Person, channel: str = "stills") -> Message:
    """Run the command; its card, once the bot has acknowledged and written it."""
    options = {"prompt": "The boat drifts away", "seconds": "10 s"}
    run = await person.run("animate", channel, options, files={"image": ("boat.jpg", IMAGE)})
    await run.wait_acknowledged()
    return await run.wait_response()


async def video_in(person: Person, place: str) -> Message:
    return await person.wait_for_message(place, lambda message: message.attachments)


async def test_a_still_comes_back_as_a_video_in_a_thread(bot: Program, mia: Person, film_sha256: str) -> None:
    card = await animate(mia)
    assert await bot.hear("command") == {
        "event": "command",
        "prompt": "The boat drifts away",
        "seconds": 10,
        "still": {"name": "boat.jpg", "size": len(IMAGE), "width": 640, "height": 480},
        "sha256": sha256(IMAGE),
        "user": "mia",
        "locale": "en-US",
        "guild": "Moving Pictures",
        "shard": 0,
        "may_attach": True,
        "limit": 10 * 2**20 if bot.name == DISCORD_JS else None,
    }
    video = await video_in(mia, card.id)  # a thread from a message has that message's id
    assert [attachment.filename for attachment in video.attachments] == ["kinora.mp4"]
    assert sha256(await video.attachments[0].read()) == film_sha256
    assert video.pings == ["mia"]
    delivered = await bot.hear("delivered")
    assert (delivered["message"], delivered["sha256"]) == (video.id, film_sha256)
    assert [thread.id for thread in await mia.threads("stills")] == [card.id]


async def test_where_no_thread_can_be_the_video_comes_in_the_channel(bot: Program, mia: Person) -> None:
    await animate(mia, "no-threads")
    refused = await bot.hear("refused")
    assert (refused["status"], refused["code"]) == (403, 50013)
    await video_in(mia, "no-threads")


async def test_a_button_is_answered_privately(bot: Program, sandbox: Sandbox, mia: Person) -> None:
    card = await animate(mia)
    answer = await (await mia.click(card, "cancel")).wait_response()
    assert (answer.content, answer.ephemeral) == ("Cancelled", True)
    assert answer.id not in [message.id for message in await sandbox.person("rosa").messages("stills")]


async def test_a_menu_changes_its_message(bot: Program, mia: Person) -> None:
    card = await animate(mia)
    await mia.click(card, "length", ["5"])
    changed = await mia.wait_for_message("stills", lambda m: m.id == card.id and "5 s" in m.content)
    assert changed.content == "Rendering 5 s …"


async def test_a_form_is_opened_and_read(bot: Program, mia: Person) -> None:
    card = await animate(mia)
    click = await mia.click(card, "edit")
    assert (await click.wait_modal())["title"] == "Once more"
    fields: dict[str, Any] = {"prompt": "It comes back"}
    files: dict[str, Any] = {}
    if bot.name == DISCORD_JS:  # hikari 2 knows no fields but text
        fields, files = {**fields, "length": ["5"], "looks": "painted"}, {"still": ("other.jpg", IMAGE)}
    submit = await click.submit(fields, files=files)

    form = await bot.hear("form")
    assert form["prompt"] == "It comes back"
    if bot.name == DISCORD_JS:
        assert (form["length"], form["looks"], form["sha256"]) == (["5"], "painted", sha256(IMAGE))
    answer = await submit.wait_response()
    assert (answer.content, answer.ephemeral) == ("Once more, then", True)
    followup = await mia.wait_for_message("stills", lambda message: message.content == "It is on its way")
    assert followup.ephemeral


async def test_a_menu_command_reads_its_message(bot: Program, sandbox: Sandbox, mia: Person) -> None:
    posted = await sandbox.person("rosa").post("stills", "My boat", files={"file": ("boat.jpg", IMAGE)})
    answer = await (await mia.menu("Animate this", "stills", posted)).wait_response()
    told = await bot.hear("menu")
    assert (told["still"], told["sha256"], told["author"]) == ("boat.jpg", sha256(IMAGE), "rosa")
    assert answer.ephemeral
    assert "Here it moves" in answer.text
    assert len(answer.images) == 1  # the gallery's film


async def test_words_are_completed(bot: Program, mia: Person) -> None:
    options = {"prompt": "waves"}
    assert await mia.autocomplete("animate", "stills", "style", "oil", options) == [
        {"name": "style: oil", "value": "oil"}
    ]


async def test_a_command_has_a_name_in_german(bot: Program, mia: Person) -> None:
    await mia.change(locale="de")
    offered = await mia.commands("stills")
    assert {command["name_localizations"]["de"] for command in offered if command["type"] == 1} == {
        "animieren"
    }


async def test_it_comes_back_when_told_to_reconnect(bot: Program, sandbox: Sandbox, mia: Person) -> None:
    await sandbox.discord.reconnect()
    await bot.hear("resumed")
    await animate(mia)


async def test_it_comes_back_when_cut_off(bot: Program, sandbox: Sandbox, mia: Person) -> None:
    await sandbox.discord.close_gateway(0)
    await bot.hear("resumed")
    await animate(mia)


async def test_it_begins_anew_when_its_session_is_gone(bot: Program, sandbox: Sandbox, mia: Person) -> None:
    await sandbox.discord.invalidate()
    await bot.hear("shard ready")
    await animate(mia)


async def test_two_shards_get_each_command_once(start_bot: StartBot, mia: Person) -> None:
    async with start_bot(shards=2) as bot:
        card = await animate(mia)
        await bot.hear("delivered")
        assert [thread.id for thread in await mia.threads("stills")] == [card.id]
        assert len([m for m in await mia.messages(card.id) if m.attachments]) == 1
