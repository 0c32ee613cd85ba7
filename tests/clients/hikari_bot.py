"""A bot written with hikari: all that a bot like Kinora does, in the library's own words.

What it is told by Discord it tells on stdout, one JSON object a line.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Awaitable, Callable
from typing import Any

import hikari

VIDEO = hikari.File(os.environ["VIDEO"], filename="kinora.mp4")

logging.basicConfig(level=logging.WARNING)

bot = hikari.GatewayBot(
    os.environ["DISCORD_TOKEN"],
    rest_url=os.environ["DISCORD_API_URL"],
    intents=hikari.Intents.GUILDS,
    banner=None,
    logs=None,  # stdout is for what it tells
    suppress_optimization_warning=True,
)


def tell(event: str, **facts: Any) -> None:
    print(json.dumps({"event": event, **facts}), flush=True)


async def digest(file: hikari.Attachment) -> str:
    return hashlib.sha256(await file.read()).hexdigest()


def commands() -> list[hikari.api.CommandBuilder]:
    animate = bot.rest.slash_command_builder("animate", "Bring a still to life")
    animate.set_name_localizations({hikari.Locale.DE: "animieren"})
    lengths = [hikari.CommandChoice(name=f"{n} s", value=n) for n in (5, 10)]
    for kind, name, description, more in (
        (hikari.OptionType.ATTACHMENT, "image", "The still", {"is_required": True}),
        (hikari.OptionType.STRING, "prompt", "What happens", {"is_required": True}),
        (hikari.OptionType.INTEGER, "seconds", "How long", {"choices": lengths}),
        (hikari.OptionType.STRING, "style", "How it looks", {"autocomplete": True}),
    ):
        animate.add_option(hikari.CommandOption(type=kind, name=name, description=description, **more))
    menu = bot.rest.context_menu_command_builder(hikari.CommandType.MESSAGE, "Animate this")
    return [animate, menu]


def card_rows() -> list[hikari.api.MessageActionRowBuilder]:
    buttons = bot.rest.build_message_action_row()
    for name in ("cancel", "edit"):
        buttons.add_interactive_button(hikari.ButtonStyle.SECONDARY, name, label=name.title())
    lengths = bot.rest.build_message_action_row()
    lengths.add_text_menu("length").add_option("5 s", "5").add_option("10 s", "10")
    return [buttons, lengths]


async def animate(interaction: hikari.CommandInteraction) -> None:
    await interaction.create_initial_response(hikari.ResponseType.DEFERRED_MESSAGE_CREATE)
    options = {option.name: option.value for option in interaction.options or ()}
    still = interaction.resolved.attachments[options["image"]]
    guild = interaction.get_guild()
    tell(
        "command",
        prompt=options["prompt"],
        seconds=options.get("seconds"),
        still={"name": still.filename, "size": still.size, "width": still.width, "height": still.height},
        sha256=await digest(still),
        user=interaction.user.username,
        locale=interaction.locale,
        guild=guild.name,
        shard=guild.shard_id,
        may_attach=bool(interaction.app_permissions & hikari.Permissions.ATTACH_FILES),
        limit=None,  # hikari does not read it
    )
    card = await interaction.edit_initial_response("Rendering …", components=card_rows())
    place = await thread_from(card)
    video = await bot.rest.create_message(
        place, interaction.user.mention, attachment=VIDEO, user_mentions=[interaction.user]
    )
    tell("delivered", message=str(video.id), sha256=await digest(video.attachments[0]))


async def thread_from(card: hikari.Message) -> hikari.Snowflake:
    try:
        thread = await bot.rest.create_message_thread(card.channel_id, card, "The boat drifts away")
    except hikari.ClientHTTPResponseError as error:
        tell("refused", code=error.code, status=int(error.status))
        return card.channel_id
    return thread.id


async def animate_this(interaction: hikari.CommandInteraction) -> None:
    await interaction.create_initial_response(
        hikari.ResponseType.DEFERRED_MESSAGE_CREATE, flags=hikari.MessageFlag.EPHEMERAL
    )
    message = interaction.resolved.messages[interaction.target_id]
    still = message.attachments[0]
    tell("menu", still=still.filename, sha256=await digest(still), author=message.author.username)
    shown = hikari.impl.ContainerComponentBuilder()
    shown.add_text_display("Here it moves")
    shown.add_media_gallery([hikari.impl.MediaGalleryItemBuilder(media=VIDEO)])
    await interaction.edit_initial_response(components=[shown])


async def edit(interaction: hikari.ComponentInteraction) -> None:
    fields = bot.rest.build_modal_action_row()
    fields.add_text_input("prompt", "Prompt", style=hikari.TextInputStyle.PARAGRAPH)
    await interaction.create_modal_response("Once more", "again", components=[fields])


async def again(interaction: hikari.ModalInteraction) -> None:
    [[prompt]] = interaction.components
    tell("form", prompt=prompt.value)
    await say_privately(interaction, "Once more, then")
    await interaction.execute("It is on its way", flags=hikari.MessageFlag.EPHEMERAL)


async def cancel(interaction: hikari.ComponentInteraction) -> None:
    await say_privately(interaction, "Cancelled")


async def say_privately(interaction: Any, text: str) -> None:
    await interaction.create_initial_response(
        hikari.ResponseType.MESSAGE_CREATE, text, flags=hikari.MessageFlag.EPHEMERAL
    )


async def length(interaction: hikari.ComponentInteraction) -> None:
    text = f"Rendering {interaction.values[0]} s …"
    await interaction.create_initial_response(hikari.ResponseType.MESSAGE_UPDATE, text)


async def complete(interaction: hikari.AutocompleteInteraction) -> None:
    [focused] = [option for option in interaction.options if option.is_focused]
    choice = hikari.impl.AutocompleteChoiceBuilder(f"{focused.name}: {focused.value}", focused.value)
    await interaction.create_response([choice])


ANSWERS: dict[str, Callable[[Any], Awaitable[None]]] = {
    "animate": animate,
    "Animate this": animate_this,
    "again": again,
    "cancel": cancel,
    "edit": edit,
    "length": length,
}


@bot.listen()
async def on_interaction(event: hikari.InteractionCreateEvent) -> None:
    interaction = event.interaction
    if isinstance(interaction, hikari.AutocompleteInteraction):
        await complete(interaction)
    elif isinstance(interaction, hikari.CommandInteraction):
        await ANSWERS[interaction.command_name](interaction)
    else:
        await ANSWERS[interaction.custom_id](interaction)


@bot.listen()
async def on_shard_ready(event: hikari.ShardReadyEvent) -> None:
    tell("shard ready", shard=event.shard.id)


@bot.listen()
async def on_resumed(event: hikari.ShardResumedEvent) -> None:
    tell("resumed", shard=event.shard.id)


@bot.listen()
async def on_started(event: hikari.StartedEvent) -> None:
    application = await bot.rest.fetch_application()
    await bot.rest.set_application_commands(application, commands())
    guilds = [guild.name async for guild in bot.rest.fetch_my_guilds()]
    tell("ready", user=bot.get_me().username, guilds=guilds)


bot.run(shard_count=int(os.environ["BOT_SHARDS"]), check_for_updates=False)
