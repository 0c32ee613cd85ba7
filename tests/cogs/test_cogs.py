"""Every cog is a `commands.Cog` that loads and unloads cleanly, as often as one likes."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from discord import app_commands
from discord.ext import commands

import cogs
from bot.client import COGS, Kinora, cogs_in
from bot.ui.components import BUTTONS
from tests.support.discord_wire import a_client

NAMES = sorted(f"cogs.{module.name}" for module in pkgutil.iter_modules(cogs.__path__))


def modules_of(name: str) -> list[ModuleType]:
    """Import a cog's module, or its package with all that is in it."""
    top = importlib.import_module(name)
    inner = pkgutil.iter_modules(getattr(top, "__path__", []))
    return [top, *(importlib.import_module(f"{name}.{module.name}") for module in inner)]


def cog_classes(name: str) -> list[type[commands.Cog]]:
    """Find the cogs that are written in a module or package."""
    found = {
        thing
        for module in modules_of(name)
        for thing in vars(module).values()
        if inspect.isclass(thing) and issubclass(thing, commands.Cog) and thing.__module__.startswith(name)
    }
    return sorted(found, key=lambda cog: cog.__name__)


def held(client: Kinora) -> dict[str, Any]:
    """Say what a client holds of cogs."""
    return {
        "cogs": dict(client.cogs),
        "extensions": list(client.extensions),
        "commands": client.tree.get_commands(),
        "prefix commands": list(client.commands),
        "buttons": list(client._connection._view_store._dynamic_items.values()),
        "views": list(client.persistent_views),
        "listeners": {event: listeners for event, listeners in client.extra_events.items() if listeners},
        "checks": [client._checks, client._check_once],
    }


def offered(client: Kinora) -> list[dict[str, Any]]:
    """Describe the commands as they are sent to Discord."""
    return [command.to_dict(client.tree) for command in client.tree.get_commands()]


def test_the_client_loads_every_cog_there_is(tmp_path: Path) -> None:
    assert sorted(COGS) == NAMES
    folder = tmp_path / "cogs"
    (folder / "family").mkdir(parents=True)
    for name in ("__init__.py", "upscale.py", "_shared.py", "notes.txt", "family/__init__.py"):
        (folder / name).touch()
    assert cogs_in(folder) == ("cogs.family", "cogs.upscale")


@pytest.mark.parametrize("name", NAMES)
def test_a_cog_module_has_a_setup_and_a_cog_class(name: str) -> None:
    module = importlib.import_module(name)
    assert inspect.iscoroutinefunction(module.setup)
    assert list(inspect.signature(module.setup).parameters) == ["bot"]
    assert cog_classes(name), f"{name} has no subclass of commands.Cog"


@pytest.mark.parametrize("name", NAMES)
async def test_a_cog_loads_and_unloads_cleanly_twice(name: str) -> None:
    client = a_client()
    nothing = held(client)
    assert not any([nothing["cogs"], nothing["commands"], nothing["buttons"], nothing["listeners"]])
    loaded = []
    for _ in range(2):
        await client.load_extension(name)
        assert [type(cog).__name__ for cog in client.cogs.values()] == [
            cog.__name__ for cog in cog_classes(name)
        ]
        assert held(client) != nothing
        loaded.append(offered(client))
        await client.unload_extension(name)
        assert held(client) == nothing
    assert loaded[0] == loaded[1]


async def test_all_of_them_together_twice_and_in_another_client() -> None:
    seen = []
    for client in (a_client(), a_client()):
        for _ in range(2):
            for name in COGS:
                await client.load_extension(name)
            assert held(client)["buttons"] == BUTTONS
            seen.append(offered(client))
            for name in reversed(COGS):
                await client.unload_extension(name)
            assert not any([client.cogs, client.tree.get_commands(), held(client)["buttons"]])
    assert all(commands == seen[0] for commands in seen)
    for command in seen[0]:
        for option in command["options"]:
            choices = [choice["value"] for choice in option.get("choices", [])]
            assert len(choices) == len(set(choices)), option["name"]


async def test_reloading_leaves_the_same() -> None:
    client = a_client()
    for name in COGS:
        await client.load_extension(name)
    before, buttons = offered(client), held(client)["buttons"]
    for name in COGS:
        await client.reload_extension(name)
    assert offered(client) == before
    assert held(client)["buttons"] == buttons


async def test_every_command_is_asynchronous_and_says_what_each_option_is() -> None:
    client = a_client()
    for name in COGS:
        await client.load_extension(name)
    for command in client.tree.get_commands():
        assert isinstance(command, app_commands.Command)
        assert all(parameter.description != "…" for parameter in command.parameters), command.name
