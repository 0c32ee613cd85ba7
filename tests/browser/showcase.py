"""A bot that uses everything of Discord's that a page has to show: no Kinora, but the same library."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO

import discord
import pytest
import yarl
from discord import app_commands
from PIL import Image

from sandbox.client import Sandbox

INTERVAL = app_commands.Range[int, 1, 9]


def picture(colour: str) -> discord.File:
    """Paint a small picture in one colour."""
    data = BytesIO()
    Image.new("RGB", (320, 200), colour).save(data, "PNG")
    data.seek(0)
    return discord.File(data, f"{colour}.png")


class Form(discord.ui.Modal, title="Tell us"):
    name: discord.ui.TextInput[Form] = discord.ui.TextInput(label="Name", max_length=20)
    mood: discord.ui.Label[Form] = discord.ui.Label(
        text="Mood",
        description="How it should feel",
        component=discord.ui.Select(options=[discord.SelectOption(label=word) for word in ("Calm", "Wild")]),
    )
    size: discord.ui.Label[Form] = discord.ui.Label(
        text="Size",
        component=discord.ui.RadioGroup(
            options=[discord.RadioGroupOption(label=word, value=word) for word in ("Small", "Large")]
        ),
    )
    still: discord.ui.Label[Form] = discord.ui.Label(
        text="Still", component=discord.ui.FileUpload(required=False, max_values=2)
    )

    async def on_submit(self, interaction: discord.Interaction) -> None:
        assert isinstance(self.mood.component, discord.ui.Select)
        assert isinstance(self.size.component, discord.ui.RadioGroup)
        assert isinstance(self.still.component, discord.ui.FileUpload)
        files = [file.filename for file in self.still.component.values]
        said = [self.name.value, *self.mood.component.values, self.size.component.value, *files]
        await interaction.response.send_message("Got " + ", ".join(map(str, said)))


class Controls(discord.ui.View):
    @discord.ui.button(label="Count", style=discord.ButtonStyle.success)
    async def count(self, interaction: discord.Interaction, button: discord.ui.Button[Controls]) -> None:
        button.label = f"Counted {int((button.label or '').rpartition(' ')[2].isdigit()) + 1}"
        await interaction.response.edit_message(view=self)

    @discord.ui.button(label="Whisper", style=discord.ButtonStyle.secondary)
    async def whisper(self, interaction: discord.Interaction, button: discord.ui.Button[Controls]) -> None:
        await interaction.response.send_message("psst", ephemeral=True)

    @discord.ui.button(label="Silence", style=discord.ButtonStyle.danger)
    async def silence(self, interaction: discord.Interaction, button: discord.ui.Button[Controls]) -> None:
        """Never answer."""

    @discord.ui.select(
        placeholder="Pick two",
        min_values=2,
        max_values=2,
        options=[discord.SelectOption(label=c) for c in "ABC"],
    )
    async def letters(self, interaction: discord.Interaction, select: discord.ui.Select[Controls]) -> None:
        await interaction.response.send_message("You picked " + " and ".join(select.values))


def layout() -> discord.ui.LayoutView:
    """Build components v2 of every kind."""
    view = discord.ui.LayoutView()
    section: discord.ui.Section[discord.ui.LayoutView] = discord.ui.Section(
        "## A section", "with **two** texts", accessory=discord.ui.Thumbnail("attachment://red.png")
    )
    gallery: discord.ui.MediaGallery[discord.ui.LayoutView] = discord.ui.MediaGallery(
        discord.MediaGalleryItem("attachment://red.png", description="All red"),
        discord.MediaGalleryItem("attachment://blue.png", spoiler=True),
    )
    row: discord.ui.ActionRow[discord.ui.LayoutView] = discord.ui.ActionRow(
        discord.ui.Button(label="Read on", url="https://example.org/")
    )
    parts = [section, discord.ui.Separator(), gallery, discord.ui.File("attachment://notes.txt"), row]
    view.add_item(discord.ui.Container(*parts, accent_colour=0xF0B132))
    return view


def commands(tree: app_commands.CommandTree[discord.Client]) -> None:
    """Register a command for each thing to be seen."""

    @tree.command(name="form", description="Open a modal")
    async def form(interaction: discord.Interaction) -> None:
        await interaction.response.send_modal(Form())

    @tree.command(name="controls", description="Show buttons and a menu")
    async def controls(interaction: discord.Interaction) -> None:
        await interaction.response.send_message("Press something", view=Controls(timeout=None))

    @tree.command(name="layout", description="Show components v2")
    async def show_layout(interaction: discord.Interaction) -> None:
        files = [picture("red"), picture("blue"), discord.File(BytesIO(b"notes"), "notes.txt")]
        await interaction.response.send_message(view=layout(), files=files)

    @tree.command(name="options", description="Take every type of option")
    async def options(
        interaction: discord.Interaction,
        city: str,
        number: INTERVAL,
        loud: bool = False,
        who: discord.User | None = None,
    ) -> None:
        await interaction.response.send_message(f"{city} {number} {loud} {who}")

    @options.autocomplete("city")
    async def cities(interaction: discord.Interaction, text: str) -> list[app_commands.Choice[str]]:
        known = ["Lisbon", "London", "Lima"]
        return [app_commands.Choice(name=c, value=c) for c in known if c.lower().startswith(text.lower())]

    @tree.command(name="render", description="Take what a render takes")
    async def render(
        interaction: discord.Interaction,
        image: discord.Attachment,
        model: str | None = None,
        duration: int | None = None,
        sound: bool = False,
        end_image: discord.Attachment | None = None,
    ) -> None:
        end = end_image.filename if end_image else None
        given = f"{image.filename} {end} {model!r} {duration!r} {sound!r}"
        await interaction.response.send_message(f"`{given}`")

    @render.autocomplete("model")
    async def models(interaction: discord.Interaction, text: str) -> list[app_commands.Choice[str]]:
        return [app_commands.Choice(name=f"Kling {n}", value=f"kling-{n}") for n in ("2.5", "3.0")]

    @render.autocomplete("duration")
    async def durations(interaction: discord.Interaction, text: str) -> list[app_commands.Choice[int]]:
        offered = {"kling-3.0": range(3, 16)}.get(interaction.namespace.model, (5, 10))
        heard = " with sound" if interaction.namespace.sound else ""
        fitting = (n for n in offered if str(n).startswith(text))
        return [app_commands.Choice(name=f"{n} seconds{heard}", value=n) for n in fitting]

    @tree.command(name="silence", description="Never answer")
    async def silence(interaction: discord.Interaction, about: str | None = None) -> None: ...

    @silence.autocomplete("about")
    async def no_ideas(interaction: discord.Interaction, text: str) -> list[app_commands.Choice[str]]:
        await asyncio.Event().wait()
        return []

    @tree.context_menu(name="Quote")
    async def quote(interaction: discord.Interaction, message: discord.Message) -> None:
        await interaction.response.send_message(f"> {message.content}")

    @tree.context_menu(name="Greet")
    async def greet(interaction: discord.Interaction, user: discord.User) -> None:
        await interaction.response.send_message(f"Hello {user.mention}")


class Showcase(discord.Client):
    def __init__(self) -> None:
        super().__init__(intents=discord.Intents.none())
        self.tree = app_commands.CommandTree(self)
        self.online = asyncio.Event()
        commands(self.tree)

    async def setup_hook(self) -> None:
        await self.tree.sync()

    async def on_connect(self) -> None:
        self.online.set()


@asynccontextmanager
async def showcase(sandbox: Sandbox, patch: pytest.MonkeyPatch) -> AsyncIterator[Showcase]:
    """Run the bot against a sandbox."""
    url = sandbox.environment["discord_api_url"]
    patch.setattr(discord.http.Route, "BASE", url)
    gateway = url.replace("http", "ws", 1).removesuffix("/api/v10") + "/gateway"
    patch.setattr(discord.gateway.DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL(gateway))
    bot = Showcase()
    running = asyncio.create_task(bot.start(sandbox.environment["discord_token"]))
    try:
        async with asyncio.timeout(20):
            await bot.online.wait()
        yield bot
    finally:
        await bot.close()
        await asyncio.gather(running, return_exceptions=True)
